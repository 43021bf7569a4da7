//! Runs scenarios on a bench.
