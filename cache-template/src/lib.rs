//! Key templates and glob patterns.
