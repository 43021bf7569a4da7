//! Tests of every expectation with a run that just meets it and runs that just miss it.

mod cloud;
mod run;
mod serial;
mod state;
mod timing;
