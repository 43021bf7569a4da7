//! HTTP for a service that is no cloud: an echo.

mod echo;
mod expectation;
mod matrix;
mod strict;
