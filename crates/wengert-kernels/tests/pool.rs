//! What a program asks of rayon's global pool beside its kernels. A test program of its own: it decides what each
//! thread does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;
use wengert_kernels::Par;

#[test]
fn work_that_waits_for_the_pool_comes_before_the_next_kernel_of_a_thread_that_helped_for_long() {
    let others = rayon_core::current_num_threads() - 1;
    let (busy, over) = (Barrier::new(others + 1), Barrier::new(others + 1));
    let [helped, prepared, asked, met] = [3, 3, 2, 2].map(Barrier::new);
    let done = Arc::new(AtomicBool::new(false));
    let was_done = AtomicBool::new(false);
    thread::scope(|threads| {
        // One thread of the pool is left to help.
        threads.spawn(|| {
            rayon_core::in_place_scope(|scope| {
                (0..others).for_each(|_| {
                    scope.spawn(|_| {
                        busy.wait();
                        over.wait();
                    });
                });
            });
        });
        busy.wait();
        threads.spawn(|| {
            Par::new(2).for_each(0..2, |_| {
                helped.wait();
                prepared.wait();
                thread::sleep(Duration::from_millis(2)); // longer than a thread stays for kernels
            });
        });
        helped.wait();
        let work = Arc::clone(&done);
        rayon_core::spawn(move || work.store(true, Ordering::Relaxed));
        let next = threads.spawn(|| {
            let caller = thread::current().id();
            Par::new(2).for_each(0..2, |_| {
                if thread::current().id() == caller {
                    asked.wait();
                } else {
                    was_done.store(done.load(Ordering::Relaxed), Ordering::Relaxed);
                }
                met.wait();
            });
        });
        asked.wait();
        prepared.wait();
        next.join().expect("no panic");
        over.wait();
    });
    assert!(was_done.into_inner(), "the kernel came first");
}
