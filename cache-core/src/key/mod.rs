//! Keys: what an argument looks like in one, and how a rendered key is looked up.
