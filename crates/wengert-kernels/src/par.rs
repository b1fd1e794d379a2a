//! How many threads a kernel may use.
//!
//! Work is cut into pieces whose number and size depend on the operands only; threads then take pieces one by one.
//! Since every piece is computed the same way whoever takes it, and partial results are combined in the order of the
//! pieces, no bit of a result depends on the number of threads.
//!
//! The threads are rayon's: those of the pool the caller is in, else the global pool. The calling thread works too, so
//! a pool that is busy or asleep delays a kernel but never stops it. Those of the global pool stay awake for a moment
//! after a kernel, since the next often follows soon.

mod desk;

use core::cell::Cell;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// How many threads a kernel may use, an upper bound.
///
/// # Examples
/// ```
/// use wengert_kernels::par::{self, Par};
///
/// let x = vec![0.5_f32; 1_000_000];
/// let one = par::threads(1, || wengert_kernels::reduce::sum(&x, Par::current()));
/// let two = par::threads(2, || wengert_kernels::reduce::sum(&x, Par::current()));
/// assert_eq!(one, two); // bit for bit
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Par {
    threads: usize,
}

thread_local! {
    /// The innermost [`threads`] scope of this thread; 0 outside any.
    static SCOPE: Cell<usize> = const { Cell::new(0) };
}

impl Par {
    /// The calling thread alone.
    pub const SEQUENTIAL: Par = Par { threads: 1 };

    /// Up to `threads` threads; 0 counts as 1.
    #[must_use]
    pub const fn new(threads: usize) -> Par {
        Par { threads: if threads == 0 { 1 } else { threads } }
    }

    /// What the innermost [`threads`] scope of this thread allows; outside any, the environment variable
    /// `WENGERT_THREADS` if it holds a positive number when first asked for, else every core the process may run on.
    #[must_use]
    #[inline]
    pub fn current() -> Par {
        match SCOPE.get() {
            0 => Par { threads: default_threads() },
            threads => Par { threads },
        }
    }

    /// The number of threads, at least 1.
    #[must_use]
    #[inline]
    pub const fn threads(self) -> usize {
        self.threads
    }

    /// Calls `work` once for each item, on up to [`threads`](Par::threads) threads, in no particular order.
    ///
    /// An item should be worth 5 us or more, and all of them together 50 us: waking a sleeping worker takes about 10
    /// us. Borrowed disjoint pieces make good items: `y.chunks_mut(size).zip(x.chunks(size))`. Inside `work`,
    /// [`Par::current`] is [`SEQUENTIAL`](Par::SEQUENTIAL).
    ///
    /// # Panics
    /// When `work` panics, with its panic, after the other threads have finished.
    pub fn for_each<I>(self, items: I, work: impl Fn(I::Item) + Sync)
    where
        I: ExactSizeIterator + Send,
        I::Item: Send,
    {
        let workers = self.threads.min(items.len());
        if workers <= 1 {
            return items.for_each(work);
        }
        // The lock is held for one step of an iterator over borrowed pieces, tens of nanoseconds against the
        // microseconds of a piece; it keeps this free of unsafe code.
        let items = Mutex::new(items);
        let take = || lock(&items).next();
        on_each(workers, &|| {
            while let Some(item) = take() {
                work(item);
            }
        });
    }
}

/// Calls `drain` on `workers` threads, this one among them. Not generic: every kernel has a closure of its own, and the
/// machinery around it would be compiled for each.
fn on_each(workers: usize, drain: &(dyn Fn() + Sync)) {
    if rayon_core::current_thread_index().is_none() {
        return desk::share(workers, drain);
    }
    rayon_core::in_place_scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|_| threads(1, drain));
        }
        threads(1, drain);
    });
}

/// What is locked here is whole at any time, whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Par {
    /// [`Par::current`].
    fn default() -> Self {
        Par::current()
    }
}

/// Lets the kernels called by `f` on this thread use up to `n` threads; 0 counts as 1.
///
/// Scopes nest, the innermost holds, and a panic in `f` ends its scope too.
///
/// # Examples
/// ```
/// use wengert_kernels::par::{self, Par};
///
/// assert_eq!(par::threads(3, || Par::current().threads()), 3);
/// ```
pub fn threads<R>(n: usize, f: impl FnOnce() -> R) -> R {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0);
        }
    }
    let _restore = Restore(SCOPE.replace(n.max(1)));
    f()
}

fn default_threads() -> usize {
    static DEFAULT: OnceLock<usize> = OnceLock::new();
    *DEFAULT.get_or_init(|| {
        let wanted = std::env::var("WENGERT_THREADS").ok().and_then(|text| text.trim().parse().ok());
        wanted.filter(|&n| n > 0).unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn scopes_nest_and_end() {
        let outside = Par::current();
        threads(3, || {
            assert_eq!(Par::current(), Par::new(3));
            threads(1, || assert_eq!(Par::current(), Par::SEQUENTIAL));
            assert_eq!(Par::current(), Par::new(3));
            let _ = catch_unwind(|| threads(2, || panic!("expected by the test")));
            assert_eq!(Par::current(), Par::new(3));
        });
        assert_eq!(Par::current(), outside);
    }

    #[test]
    fn every_item_is_worked_on_once_whatever_the_number_of_threads() {
        for n in [1, 2, 3, 8] {
            let mut y = vec![0; 1000];
            let calls = AtomicUsize::new(0);
            Par::new(n).for_each(y.chunks_mut(7).enumerate(), |(i, chunk)| {
                calls.fetch_add(1, Ordering::Relaxed);
                assert_eq!(Par::current(), if n == 1 { Par::current() } else { Par::SEQUENTIAL });
                chunk.iter_mut().for_each(|y| *y += i + 1);
            });
            assert_eq!(calls.into_inner(), 143);
            assert!(y.iter().enumerate().all(|(j, &y)| y == j / 7 + 1), "{n} threads");
        }
    }

    #[test]
    fn a_panic_in_a_piece_reaches_the_caller() {
        let outcome = catch_unwind(|| Par::new(2).for_each(0..10, |i| assert_ne!(i, 5, "expected by the test")));
        assert!(outcome.is_err());
        assert!(SCOPE.get() == 0);
    }

    #[test]
    fn no_items_is_no_work() {
        Par::new(4).for_each(0..0, |_| unreachable!());
    }

    #[test]
    fn a_panic_in_a_helper_reaches_the_caller_and_the_next_call_finds_help() {
        let caller = std::thread::current().id();
        for round in 0..20 {
            let outcome = catch_unwind(|| {
                let met = std::sync::Barrier::new(2);
                Par::new(2).for_each(0..2, |_| {
                    met.wait(); // so that one of the two is a helper's
                    assert_eq!(std::thread::current().id(), caller, "expected by the test");
                });
            });
            assert!(outcome.is_err(), "round {round}");
        }
    }

    #[test]
    fn many_callers_share_the_helpers() {
        std::thread::scope(|scope| {
            for caller in 0..4 {
                scope.spawn(move || {
                    for round in 0..2000 {
                        let mut y = [0; 24];
                        Par::new(2 + caller).for_each(y.chunks_mut(5).enumerate(), |(i, y)| y.fill(i + round));
                        assert!(y.iter().enumerate().all(|(j, &y)| y == j / 5 + round));
                    }
                });
            }
        });
    }

    #[test]
    fn a_pool_that_is_busy_stops_no_caller() {
        let pool = rayon_core::current_num_threads();
        let (busy, done) = (std::sync::Barrier::new(pool + 1), std::sync::Barrier::new(pool + 1));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                rayon_core::in_place_scope(|scope| {
                    (0..pool).for_each(|_| {
                        scope.spawn(|_| {
                            busy.wait();
                            done.wait();
                        });
                    });
                });
            });
            busy.wait();
            let calls = AtomicUsize::new(0);
            (0..100).for_each(|_| {
                Par::new(3).for_each(0..10, |_| {
                    calls.fetch_add(1, Ordering::Relaxed);
                });
            });
            assert_eq!(calls.into_inner(), 1000);
            done.wait();
        });
    }

    #[test]
    fn a_caller_in_a_pool_is_helped_by_its_pool() {
        let named = rayon_core::ThreadPoolBuilder::new().num_threads(2).thread_name(|_| "pool".to_owned());
        named.build().expect("threads can be had").install(|| {
            let met = std::sync::Barrier::new(2);
            Par::new(2).for_each(0..2, |_| {
                met.wait();
                assert_eq!(std::thread::current().name(), Some("pool"));
            });
        });
    }
}
