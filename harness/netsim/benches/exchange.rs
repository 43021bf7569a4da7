//! Host time that the network takes: one connection with a request and an answer, and an idle hour. The
//! figures include the station's own stack.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

#[expect(
    dead_code,
    reason = "the station of the tests can do more than the benchmark asks of it"
)]
#[path = "../tests/netsim/station.rs"]
mod station;

use station::{Bench, SERVER, config};

fn exchange(bench: &mut Bench) {
    let socket = bench.dial((SERVER, 80));
    bench.until(Duration::from_secs(1), |b| b.tcp(socket).may_send());
    bench
        .echo(socket, &[b'x'; 300], Duration::from_secs(1))
        .expect("no answer");
    bench.tcp(socket).close();
    bench.run(Duration::from_secs(5));
    bench.sockets.remove(socket);
}

fn benchmarks(c: &mut Criterion) {
    let mut online = Bench::online(config());
    c.bench_function("connect, request, answer, close", |b| {
        b.iter(|| exchange(black_box(&mut online)))
    });
    c.bench_function("an idle hour", |b| {
        b.iter_batched_ref(
            || Bench::online(config()),
            |bench| bench.run(Duration::from_secs(3_600)),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
