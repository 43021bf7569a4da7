//! Tests of the hart through its public interface.

mod asm;
mod control;
mod differential;
mod instructions;
mod programs;
mod ram;
mod traps;
