//! Rules of the code's structure that neither rustc nor clippy checks: which crate may depend on which, that files do
//! not import each other in circles, and that a match over a closed set names every member.

mod circles;
mod closed_sets;
mod dependencies;
mod source;
