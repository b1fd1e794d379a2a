//! Where callers outside any pool ask for help, and threads of rayon's global pool look for work.
//!
//! A thread that was just helpful looks for the next call for [`PATIENCE`] before it goes back to its pool: kernels
//! follow one another within microseconds, and to wake a thread, and be woken by it, takes 15 to 35. A caller never
//! waits for a helper that has not come: when its own share is done, so are all pieces but those in the hands of
//! others.

#![expect(unsafe_code, reason = "borrowed work in the hands of threads that are not scoped")]

use super::{lock, threads};
use core::any::Any;
use core::hint::spin_loop;
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::Instant;

/// How long a thread looks for the next call.
const PATIENCE: Duration = Duration::from_micros(100);
/// How long a thread stays in one visit, calls or none: it may be waiting for work of its pool meanwhile.
const STAY: Duration = Duration::from_millis(1);
/// How often one looks before it lets others have the processor, about a microsecond.
const LOOKS: usize = 32;
/// How often it does that before it asks its pool for other work. Not each time: that takes the lock, which on a
/// machine of many threads all of them would be after.
const TURNS: usize = 16;
/// How often a caller looks for the last helper to finish before it falls asleep, about 50 us.
const AWAITING: usize = 2048;

/// Work to share.
struct Call {
    /// Borrowed from the caller, who does not return while a request for it is open or `helpers` are at it.
    drain: &'static (dyn Fn() + Sync),
    helpers: AtomicUsize,
    caller: Thread,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Requests not yet taken, one for each helper wanted, and threads that are sure to look here: there are as many or
/// more.
struct Desk {
    requests: Vec<Arc<Call>>,
    looking: usize,
}

static DESK: Mutex<Desk> = Mutex::new(Desk { requests: Vec::new(), looking: 0 });
/// The number of requests, to be read without the lock.
static REQUESTS: AtomicUsize = AtomicUsize::new(0);

/// Calls `drain` here and on `workers - 1` threads of the global pool, or as many as come before it returns here.
pub(super) fn share(workers: usize, drain: &(dyn Fn() + Sync)) {
    // SAFETY: only the lifetime changes. A helper calls `drain` after it took a request, and until it leaves `helpers`;
    // below, the requests are taken back and `helpers` awaited, also when `drain` panics here, before the borrow ends.
    // Nothing between can unwind: locks take poison, and a summons that panics is caught with `drain`.
    let drain: &'static (dyn Fn() + Sync) = unsafe { transmute(drain) };
    let helpers = AtomicUsize::new(0);
    let call = Arc::new(Call { drain, helpers, caller: thread::current(), panic: Mutex::new(None) });
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        request(&call, workers - 1);
        threads(1, drain);
    }));
    take_back(&call);
    let mut looks = 0;
    while call.helpers.load(Ordering::Acquire) > 0 {
        // The last pieces are short: to fall asleep and be woken takes longer.
        if looks < AWAITING {
            looks += 1;
            spin_loop();
        } else {
            thread::park();
        }
    }
    let panic = lock(&call.panic).take();
    if let Some(panic) = outcome.err().or(panic) {
        resume_unwind(panic);
    }
}

fn request(call: &Arc<Call>, helpers: usize) {
    let mut desk = lock(&DESK);
    desk.requests.extend((0..helpers).map(|_| Arc::clone(call)));
    REQUESTS.store(desk.requests.len(), Ordering::Release);
    let missing = desk.requests.len().saturating_sub(desk.looking);
    desk.looking += missing;
    drop(desk);
    for _ in 0..missing {
        rayon_core::spawn(help);
    }
}

fn take_back(call: &Arc<Call>) {
    let mut desk = lock(&DESK);
    desk.requests.retain(|request| !Arc::ptr_eq(request, call));
    REQUESTS.store(desk.requests.len(), Ordering::Release);
}

/// The request that waits longest, or none, and then this thread no longer counts as looking.
fn take() -> Option<Arc<Call>> {
    let mut desk = lock(&DESK);
    desk.looking -= 1;
    if desk.requests.is_empty() {
        return None;
    }
    let call = desk.requests.remove(0);
    REQUESTS.store(desk.requests.len(), Ordering::Release);
    // Before the lock is given back, and with it the caller's chance to see none.
    call.helpers.fetch_add(1, Ordering::Relaxed);
    Some(call)
}

/// What a summoned thread does, counted as looking when it comes.
fn help() {
    let came = Instant::now();
    let mut since = came;
    loop {
        for look in 1..=LOOKS * TURNS {
            if REQUESTS.load(Ordering::Relaxed) > 0 {
                break;
            }
            if look % LOOKS == 0 { thread::yield_now() } else { spin_loop() }
        }
        if let Some(call) = take() {
            serve(call);
            since = Instant::now();
            if since - came > STAY {
                // What is spawned here is the first this thread finds again: what others ask of the pool would wait as
                // long as kernels follow one another.
                rayon_core::yield_now();
                lock(&DESK).looking += 1;
                return rayon_core::spawn(help);
            }
        } else if since.elapsed() > PATIENCE || rayon_core::yield_now() == Some(rayon_core::Yield::Executed) {
            // Others want the pool: they come first.
            return;
        }
        lock(&DESK).looking += 1;
    }
}

fn serve(call: Arc<Call>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| threads(1, call.drain))) {
        lock(&call.panic).get_or_insert(panic);
    }
    if call.helpers.fetch_sub(1, Ordering::Release) == 1 {
        call.caller.unpark();
    }
}
