//! Boot ROM services as host code.

pub mod nor;
