//! The device under test behind one trait.
