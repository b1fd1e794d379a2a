//! Idle buffers, kept for the next request of their size.
//!
//! A program that differentiates asks for the same sizes step after step, and a page of fresh memory costs about 1.7 us
//! to touch for the first time: a chain of outputs of 100 x 100 elements and more is 8 to 28 times faster on recycled
//! memory. So memory that a tensor no longer needs goes to a list of its size class, last in first out (what was used
//! last is probably still in cache), and the next tensor of that size takes it from there. That happens by itself; the
//! functions here observe it and give memory back.
//!
//! Each thread has lists of its own, so that taking and returning need no lock and no atomic operation. Memory freed on
//! a thread that did not ask for it (a loader makes batches, a trainer drops them) goes to a list shared by all
//! threads, where the next request that its own thread cannot serve finds it. A thread that ends leaves its idle memory
//! there too.
//!
//! Idle memory is bounded by [`set_limit`]: each thread's lists together, and the shared list, hold at most that much.
//! A return beyond the limit frees what has lain idle first.

use core::cell::Cell;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::chunk::{self, Header};
use super::class::{CLASSES, UNPOOLED, class_of};

/// What one thread's pool has done, as returned by [`stats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes idle on this thread.
    pub held: usize,
    /// Bytes idle on the list all threads share.
    pub shared: usize,
    /// Requests of this thread served from idle memory.
    pub hits: u64,
    /// Requests of this thread the allocator had to serve.
    pub misses: u64,
    /// Bytes the tensors of all threads hold, in use or idle.
    pub allocated: usize,
    /// The most [`allocated`](Self::allocated) ever was, or was since [`reset_peak`].
    pub peak: usize,
}

/// Counts of the calling thread's pool.
///
/// # Examples
/// ```
/// # use wengert_tensor::{pool, Tensor};
/// drop(Tensor::<f32>::zeros([1000]));
/// let before = pool::stats();
/// drop(Tensor::<f32>::zeros([1000]));
/// let after = pool::stats();
/// assert_eq!((after.hits - before.hits, after.misses - before.misses), (1, 0));
/// ```
pub fn stats() -> Stats {
    let shared = shared().held;
    let (allocated, peak) = chunk::allocated();
    LOCAL.with(|local| Stats {
        held: if local.closed.get() { 0 } else { local.held.get() },
        shared,
        hits: local.hits.get(),
        misses: local.misses.get(),
        allocated,
        peak,
    })
}

/// Lets [`Stats::peak`] start anew from what is allocated now.
///
/// What lies idle counts; [`trim`] before gives the peak of what comes after alone.
///
/// # Examples
/// ```
/// # use wengert_tensor::{pool, Tensor};
/// pool::trim();
/// pool::reset_peak();
/// drop(Tensor::<f32>::zeros([1000, 1000]));
/// assert!(pool::stats().peak >= 4_000_000);
/// ```
pub fn reset_peak() {
    chunk::reset_peak();
}

/// Gives the idle memory of the calling thread and of the shared list back to the allocator.
///
/// # Examples
/// ```
/// # use wengert_tensor::{pool, Tensor};
/// drop(Tensor::<f32>::zeros([1000]));
/// pool::trim();
/// assert_eq!(pool::stats().held, 0);
/// ```
pub fn trim() {
    LOCAL.with(Local::free_all);
    shared().free_all();
}

/// Sets how many bytes each thread, and the shared list, may keep idle: 4 GiB unless set. Zero turns recycling off.
///
/// # Examples
/// ```
/// # use wengert_tensor::{pool, Tensor};
/// pool::set_limit(1 << 20);
/// drop(Tensor::<f32>::zeros([1 << 20])); // 4 MiB are more than may lie idle
/// assert!(pool::stats().held <= 1 << 20);
/// ```
pub fn set_limit(bytes: usize) {
    LIMIT.store(bytes, Ordering::Relaxed);
    if LOCAL.with(|local| local.held.get() > bytes) {
        trim();
    }
}

/// Idle memory is at most what the program used at one time, so the limit guards against programs whose sizes change;
/// it has to be above what a large training step keeps alive (AlexNet: 1-2 GiB), else every step would start from
/// nothing.
static LIMIT: AtomicUsize = AtomicUsize::new(if usize::BITS > 32 { 1 << (usize::BITS / 2) } else { 1 << 28 });

/// One class on one thread.
struct List {
    head: Cell<*mut Header>,
    /// Chunks on the list.
    idle: Cell<u32>,
    /// Chunks this thread has taken from the allocator or the shared list and not given up: idle ones and those in use.
    owned: Cell<u32>,
}

// What `take` changes is apart: joined in one vector, two numbers would be waited for, since they are not written as
// one.
#[repr(C)]
struct Local {
    /// Bytes on the lists.
    held: Cell<usize>,
    lists: [List; CLASSES],
    hits: Cell<u64>,
    misses: Cell<u64>,
    /// The thread is ending: nothing may be put on the lists any more.
    closed: Cell<bool>,
}

/// Empties the lists when the thread ends.
///
/// A value of its own, touched on the slow path only: a thread-local with a destructor tests at every access whether it
/// has been registered or destroyed.
struct AtThreadEnd;

impl Drop for AtThreadEnd {
    fn drop(&mut self) {
        LOCAL.with(|local| {
            local.closed.set(true);
            let mut shared = shared();
            local.drain(|chunk| shared.put(chunk));
            // A chunk dropped by a later destructor of this thread finds no list with room.
            for list in &local.lists {
                list.owned.set(0);
            }
        });
    }
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            held: Cell::new(0),
            lists: [const { List { head: Cell::new(null_mut()), idle: Cell::new(0), owned: Cell::new(0) } }; CLASSES],
            hits: Cell::new(0),
            misses: Cell::new(0),
            closed: Cell::new(false),
        }
    };
    static AT_THREAD_END: AtThreadEnd = const { AtThreadEnd };
}

/// A chunk of at least `bytes` bytes for the caller alone, and whether it is fresh: all zeros. `None` when there is
/// none.
///
/// The chunk's `refs` is whatever its last user left; the caller sets it.
#[inline]
pub(super) fn take(bytes: usize) -> Option<(NonNull<Header>, bool)> {
    let (class, size) = class_of(bytes)?;
    LOCAL.with(|local| {
        if let Some(list) = local.lists.get(class)
            && let Some(chunk) = NonNull::new(list.head.get())
        {
            // SAFETY: chunks on a list are live and used by nobody, and the list belongs to this thread.
            list.head.set(unsafe { (*chunk.as_ptr()).place.next });
            list.idle.set(list.idle.get() - 1);
            local.held.set(local.held.get() - size);
            local.hits.set(local.hits.get() + 1);
            return Some((chunk, false));
        }
        local.take_slow(class, size)
    })
}

/// Puts an unused chunk on its list.
///
/// # Safety
/// The caller was the chunk's only user and does not use it again.
#[inline]
pub(super) unsafe fn give(chunk: NonNull<Header>) {
    // SAFETY: the caller hands the chunk over, so its header is ours.
    let (class, size) = unsafe { ((*chunk.as_ptr()).class as usize, (*chunk.as_ptr()).size) };
    LOCAL.with(|local| {
        if let Some(list) = local.lists.get(class)
            && list.idle.get() < list.owned.get()
            && local.held.get() + size <= LIMIT.load(Ordering::Relaxed)
        {
            local.push(list, chunk, size);
        } else {
            local.give_slow(chunk, class, size);
        }
    });
}

impl Local {
    #[inline]
    fn push(&self, list: &List, chunk: NonNull<Header>, size: usize) {
        // SAFETY: whoever calls this owns the chunk, and hands it to the list.
        unsafe { (*chunk.as_ptr()).place.next = list.head.get() };
        list.head.set(chunk.as_ptr());
        list.idle.set(list.idle.get() + 1);
        self.held.set(self.held.get() + size);
    }

    #[cold]
    #[inline(never)]
    fn take_slow(&self, class: usize, size: usize) -> Option<(NonNull<Header>, bool)> {
        // The first chunk of a thread comes this way, so the destructor is registered before a list holds anything.
        let _ = AT_THREAD_END.try_with(|_| ());
        if class != UNPOOLED
            && let Some(chunk) = shared().take(class)
        {
            self.own(class);
            self.hits.set(self.hits.get() + 1);
            return Some((chunk, false));
        }
        let chunk = chunk::allocate(class, size).or_else(|| {
            // What lies idle may be what is missing.
            self.free_all();
            shared().free_all();
            chunk::allocate(class, size)
        })?;
        self.misses.set(self.misses.get() + 1);
        self.own(class);
        Some((chunk, true))
    }

    /// Counts a chunk of a class as this thread's, which has room on its list. A thread that is ending owns nothing:
    /// what its last destructors take goes back to the shared list, since nobody would find it on a list of its own.
    fn own(&self, class: usize) {
        if let Some(list) = self.lists.get(class).filter(|_| !self.closed.get()) {
            list.owned.set(list.owned.get() + 1);
        }
    }

    #[cold]
    #[inline(never)]
    fn give_slow(&self, chunk: NonNull<Header>, class: usize, size: usize) {
        let limit = LIMIT.load(Ordering::Relaxed);
        if class == UNPOOLED || size > limit {
            if let Some(list) = self.lists.get(class) {
                list.owned.set(list.owned.get().saturating_sub(1));
            }
            // SAFETY: the chunk is unused and on no list.
            unsafe { chunk::release(chunk) };
            return;
        }
        let list = &self.lists[class];
        if list.idle.get() < list.owned.get() && !self.closed.get() {
            // Over the limit. What has lain idle is probably of sizes no longer asked for.
            self.free_all();
            self.push(list, chunk, size);
        } else {
            shared().put(chunk);
        }
    }

    fn free_all(&self) {
        self.drain(|chunk| {
            // SAFETY: the chunk is idle and has just left its list.
            unsafe { chunk::release(chunk) };
        });
    }

    /// Takes every chunk off the lists.
    fn drain(&self, mut f: impl FnMut(NonNull<Header>)) {
        for list in &self.lists {
            let mut head = list.head.replace(null_mut());
            while let Some(chunk) = NonNull::new(head) {
                // SAFETY: as in `take`.
                head = unsafe { (*chunk.as_ptr()).place.next };
                f(chunk);
            }
            list.owned.set(list.owned.get() - list.idle.replace(0));
        }
        self.held.set(0);
    }
}

/// The list all threads share.
struct Shared {
    heads: [*mut Header; CLASSES],
    held: usize,
}

// SAFETY: the chunks on the lists are used by nobody, and the lists are reached through a mutex only.
unsafe impl Send for Shared {}

static SHARED: Mutex<Shared> = Mutex::new(Shared { heads: [null_mut(); CLASSES], held: 0 });

fn shared() -> MutexGuard<'static, Shared> {
    // No code that runs under the lock panics, so a poisoned lock guards sound lists all the same.
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn take(&mut self, class: usize) -> Option<NonNull<Header>> {
        let chunk = NonNull::new(self.heads[class])?;
        // SAFETY: chunks on the lists are live and used by nobody.
        let size = unsafe {
            self.heads[class] = (*chunk.as_ptr()).place.next;
            (*chunk.as_ptr()).size
        };
        self.held -= size;
        Some(chunk)
    }

    /// Takes over an unused chunk.
    fn put(&mut self, chunk: NonNull<Header>) {
        let limit = LIMIT.load(Ordering::Relaxed);
        // SAFETY: the chunk is unused and was handed over.
        let (class, size) = unsafe { ((*chunk.as_ptr()).class as usize, (*chunk.as_ptr()).size) };
        if self.held.saturating_add(size) > limit {
            self.free_all();
        }
        if size > limit {
            // SAFETY: the chunk is unused and on no list.
            unsafe { chunk::release(chunk) };
            return;
        }
        // SAFETY: as above.
        unsafe { (*chunk.as_ptr()).place.next = self.heads[class] };
        self.heads[class] = chunk.as_ptr();
        self.held += size;
    }

    fn free_all(&mut self) {
        for head in &mut self.heads {
            while let Some(chunk) = NonNull::new(*head) {
                // SAFETY: the chunk is idle, and leaves the list here.
                unsafe {
                    *head = (*chunk.as_ptr()).place.next;
                    chunk::release(chunk);
                }
            }
        }
        self.held = 0;
    }
}
