//! Tests of the hart through its public interface.

mod asm;
mod control;
mod differential;
mod instructions;
mod polling;
mod programs;
mod ram;
mod timer;
mod traps;
