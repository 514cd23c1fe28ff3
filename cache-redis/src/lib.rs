//! Redis tier.
