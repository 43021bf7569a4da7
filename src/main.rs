//! The oceanrig command line.

fn main() {}
