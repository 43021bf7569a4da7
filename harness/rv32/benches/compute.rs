//! Instructions per second on compute loops: `cargo bench -p oceanrig-rv32`. Criterion prints them as
//! elements per second; 300 Melem/s are 300 MIPS. The second group measures a simulated minute (160 MHz) of
//! firmware that waits by polling a timer, in delays of several lengths.

#[path = "../tests/hart/asm.rs"]
mod asm;
#[path = "../tests/hart/programs.rs"]
mod programs;
#[path = "../tests/hart/ram.rs"]
mod ram;
#[path = "../tests/hart/timer.rs"]
mod timer;

use criterion::{Criterion, Throughput};
use ram::Ram;
use rv32::{Exit, Hart, HartConfig};
use timer::TimerBus;

const INSTRUCTIONS: u64 = 10_000_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("compute");
    group
        .throughput(Throughput::Elements(INSTRUCTIONS))
        .sample_size(20);
    for (name, code) in [
        ("crc32", programs::crc32()),
        ("sieve", programs::sieve()),
        ("matrix", programs::matrix()),
    ] {
        let mut bus = Ram::new(0x1_0000);
        bus.load(0, &code);
        let mut hart = Hart::new(HartConfig::default());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let limit = hart.cycle + INSTRUCTIONS;
                assert_eq!(hart.run(&mut bus, limit), Exit::Limit);
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("delay");
    group.sample_size(10);
    for (name, micros) in [("of 1 ms", 1000), ("of 20 ms", 20_000), ("of 1 s", 1_000_000)] {
        let mut bus = TimerBus::new(&programs::blinker(micros, true), 0);
        let mut hart = Hart::new(HartConfig::default());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                // A run ends a hundred times a second, as with deadlines of devices.
                for _ in 0..6000 {
                    let limit = hart.cycle + 1_600_000;
                    assert_eq!(hart.run(&mut bus, limit), Exit::Limit);
                }
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
