//! Tests of the hart through its public interface.

mod asm;
mod programs;
mod ram;
