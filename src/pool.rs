//! Runs jobs on all cores and hands out their results in the order of the jobs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// How many jobs run at once when nobody says.
pub(crate) fn default_width() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Runs `work` on each of `jobs`, at most `width` at once; they share nothing. `done` gets each result on the
/// caller's thread, in the order of the jobs. A job for which `work` returns `None` was not run.
///
/// # Panics
/// When `work` panics: that is a bug of the bench, and hiding it would lose a verdict.
pub(crate) fn run_ordered<J: Sync, R: Send>(
    jobs: &[J],
    width: usize,
    work: impl Fn(usize, &J) -> Option<R> + Sync,
    mut done: impl FnMut(usize, R),
) {
    let next = AtomicUsize::new(0);
    let (results, received) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..width.clamp(1, jobs.len().max(1)) {
            let (results, next, work) = (results.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(i) else { break };
                    if results.send((i, work(i, job))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (i, result) in received {
            waiting.insert(i, result);
            while let Some(result) = waiting.remove(&due) {
                if let Some(result) = result {
                    done(due, result);
                }
                due += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..50).collect();
        let mut got = Vec::new();
        run_ordered(
            &jobs,
            4,
            |_, j| (j % 7 != 3).then_some(j * 2),
            |i, r| got.push((i as u64, r)),
        );
        let want: Vec<_> = jobs.iter().filter(|j| *j % 7 != 3).map(|j| (*j, j * 2)).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn no_job_is_no_work() {
        run_ordered(&[] as &[u8], 4, |_, _| Some(()), |_, ()| panic!("nothing ran"));
    }
}
