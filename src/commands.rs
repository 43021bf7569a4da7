//! The subcommands, one file each.

pub(crate) mod bench;
pub(crate) mod boards;
pub(crate) mod catalogue;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod faults;
pub(crate) mod history;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod snapshot;
pub(crate) mod virtual_board;
