//! Prints every register that the model knows as a Markdown table: what is modelled, and what is only stored.
//!
//! `cargo run -p oceanrig-esp32c3 --example registers`

use esp32c3::{Class, peripherals::BLOCKS};

fn main() {
    println!("| block | address | register | reset | how far |\n|---|---|---|---|---|");
    for block in BLOCKS {
        for register in block.registers {
            let class = match register.class {
                Class::Modelled => "modelled",
                Class::Tagged => "stored",
            };
            let count = if register.count > 1 {
                format!(" × {}", register.count)
            } else {
                String::new()
            };
            println!(
                "| {} | {:#010x} | {}{count} | {:#010x} | {class} |",
                block.name,
                block.base + register.offset,
                register.name,
                register.reset
            );
        }
    }
}
