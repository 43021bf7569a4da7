//! Every expectation with a run that satisfies it and runs that miss it by a hair.

mod cloud;
mod run;
mod serial;
mod state;
mod timing;
