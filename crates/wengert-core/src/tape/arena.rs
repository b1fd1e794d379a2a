//! A bump arena: one capacity test per push, growth in a cold path that neither unwinds nor aborts.
//!
//! The recording code is inlined into the user's arithmetic, and an unwind edge at every push costs it up to 25 %. So
//! growth cannot panic: it allocates by hand, and when there is no memory, or the limit is reached, it notes the fact
//! and lets the push write nothing. The tape reports it when a gradient is asked for.
#![expect(unsafe_code, reason = "push, growth and reading by slice, each beside its argument")]

use core::cell::Cell;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc, dealloc, realloc};

/// Memory kept between recordings, written by position, read by slice.
///
/// Invariant: `base` points to `capacity` slots of which the first `len` are initialised; `capacity` is 0 while `base`
/// dangles. `T: Copy`, so nothing is dropped.
pub(crate) struct Arena<T> {
    base: Cell<NonNull<T>>,
    len: Cell<usize>,
    capacity: Cell<usize>,
    limit: Cell<usize>,
    full: Cell<bool>,
}

impl<T: Copy> Arena<T> {
    /// An empty arena that will hold at most `limit` entries. Allocates nothing.
    pub(crate) const fn new(limit: usize) -> Self {
        Arena {
            base: Cell::new(NonNull::dangling()),
            len: Cell::new(0),
            capacity: Cell::new(0),
            limit: Cell::new(limit),
            full: Cell::new(false),
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// Bytes held, in use or not, and bytes in use.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.capacity.get() * size_of::<T>(), self.len.get() * size_of::<T>())
    }

    /// Whether a push found no room. Stays set until `truncate` makes room again.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.full.get()
    }

    /// Whether a push needs no growth.
    #[inline(always)]
    pub(crate) fn has_room(&self) -> bool {
        self.len.get() != self.capacity.get()
    }

    /// Appends `x` and returns its position; position 0 if there was no room.
    #[inline(always)]
    pub(crate) fn push(&self, x: T) -> u32 {
        let len = self.len.get();
        if len == self.capacity.get() && !self.grow(1) {
            return 0;
        }
        // SAFETY: len < capacity, by the test or by the growth that succeeded, so the slot is inside the allocation.
        unsafe { self.base.get().as_ptr().add(len).write(x) }
        self.len.set(len + 1);
        len as u32
    }

    /// Appends `f(0) .. f(n - 1)` and returns the first position; 0 if there was no room.
    ///
    /// `f` may push to this arena only if it panics: the room is tested once, before.
    #[inline(always)]
    pub(crate) fn extend(&self, n: usize, mut f: impl FnMut(usize) -> T) -> u32 {
        let len = self.len.get();
        if n > self.capacity.get() - len && !self.grow(n) {
            return 0;
        }
        for k in 0..n {
            let x = f(k);
            assert!(self.len.get() == len, "an arena was pushed to while it was being extended");
            // SAFETY: len + n <= capacity, by the test or the growth; `f` did not change `len`, so neither the
            // capacity.
            unsafe { self.base.get().as_ptr().add(len + k).write(x) }
        }
        self.len.set(len + n);
        len as u32
    }

    /// A copy of the last entry.
    #[inline(always)]
    pub(crate) fn last(&self) -> Option<T> {
        let len = self.len.get();
        // SAFETY: the entries before `len` are initialised.
        (len > 0).then(|| unsafe { self.base.get().as_ptr().add(len - 1).read() })
    }

    /// Forgets all entries from position `len` on; the memory stays.
    #[inline(always)]
    pub(crate) fn truncate(&self, len: usize) {
        if len <= self.len.get() {
            self.len.set(len);
            self.full.set(false);
        }
    }

    /// Exchanges the contents of two arenas.
    #[inline]
    pub(crate) fn swap(&self, other: &Self) {
        self.base.swap(&other.base);
        self.len.swap(&other.len);
        self.capacity.swap(&other.capacity);
        self.limit.swap(&other.limit);
        self.full.swap(&other.full);
    }

    /// The entries. The arena must not be pushed to while the slice lives: callers copy out or hold the tape alone.
    #[inline(always)]
    pub(crate) fn with<R>(&self, read: impl FnOnce(&[T]) -> R) -> R {
        // Taking the memory out for the time of the closure makes a push from within start a fresh allocation instead
        // of moving or overwriting what is being read.
        let (base, len, capacity) = (self.base.get(), self.len.get(), self.capacity.get());
        struct Restore<'a, T> {
            arena: &'a Arena<T>,
            base: NonNull<T>,
            len: usize,
            capacity: usize,
        }
        impl<T> Drop for Restore<'_, T> {
            fn drop(&mut self) {
                free(self.arena.base.get(), self.arena.capacity.get());
                self.arena.base.set(self.base);
                self.arena.len.set(self.len);
                self.arena.capacity.set(self.capacity);
            }
        }
        self.base.set(NonNull::dangling());
        self.len.set(0);
        self.capacity.set(0);
        let _restore = Restore { arena: self, base, len, capacity };
        // SAFETY: the first `len` slots of `base` are initialised, and nothing else can reach them until `_restore`
        // drops.
        read(unsafe { core::slice::from_raw_parts(base.as_ptr(), len) })
    }

    /// Makes room for `more` entries; false, with `full` set, if that is impossible.
    ///
    /// `extern "C"` tells the compiler that this cannot unwind; nothing in it can.
    #[cold]
    #[inline(never)]
    extern "C" fn grow(&self, more: usize) -> bool {
        let grown = self.try_grow(more).is_some();
        if !grown {
            self.full.set(true);
        }
        grown
    }

    fn try_grow(&self, more: usize) -> Option<()> {
        let (len, old) = (self.len.get(), self.capacity.get());
        let needed = len.checked_add(more)?;
        if needed > self.limit.get() {
            return None;
        }
        let capacity = needed.max(old.saturating_mul(2)).max(256).min(self.limit.get());
        let layout = block::<T>(capacity)?;
        let base = if old == 0 {
            // SAFETY: the layout's size is not zero: T is not zero-sized and capacity >= 1.
            unsafe { alloc(layout) }
        } else if layout.align() == HUGE_PAGE {
            return self.move_to(layout, capacity);
        } else {
            // SAFETY: `base` was allocated by this function with exactly this layout, as alignments only grow with the
            // size, and the new size does not overflow.
            unsafe { realloc(self.base.get().as_ptr().cast(), block::<T>(old)?, layout.size()) }
        };
        let base = NonNull::new(base.cast::<T>())?;
        advise_huge_pages(base.as_ptr() as usize, layout.size());
        self.base.set(base);
        self.capacity.set(capacity);
        Some(())
    }

    /// Growth by hand for large arenas: `realloc` would carry the small pages of its youth along, wherever they land.
    fn move_to(&self, layout: Layout, capacity: usize) -> Option<()> {
        // SAFETY: the layout's size is not zero.
        let base = NonNull::new(unsafe { alloc(layout) }.cast::<T>())?;
        advise_huge_pages(base.as_ptr() as usize, layout.size());
        // SAFETY: the first `len` entries of the old block are initialised, the new block is larger, and they are two.
        unsafe { base.copy_from_nonoverlapping(self.base.get(), self.len.get()) };
        free(self.base.replace(base), self.capacity.replace(capacity));
        Some(())
    }
}

/// The block of `capacity` entries: aligned to a huge page if it holds several.
fn block<T>(capacity: usize) -> Option<Layout> {
    let layout = Layout::array::<T>(capacity).ok()?;
    if layout.size() < LARGE { Some(layout) } else { layout.align_to(HUGE_PAGE).ok() }
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        free(self.base.get(), self.capacity.get());
    }
}

fn free<T>(base: NonNull<T>, capacity: usize) {
    if capacity > 0 {
        let layout = block::<T>(capacity).expect("the layout was valid when it was allocated");
        // SAFETY: an arena with a capacity owns `base`, allocated with this layout; the caller gives it up.
        unsafe { dealloc(base.as_ptr().cast(), layout) }
    }
}

/// The size of a huge page, and from which size on a block should lie on them.
const HUGE_PAGE: usize = 2 << 20;
const LARGE: usize = 4 << 20;

/// Makes room for `len` entries in memory that has none yet, on huge pages if they fill several.
pub(crate) fn reserve<T>(memory: &mut Vec<T>, len: usize) {
    memory.reserve_exact(len);
    advise_huge_pages(memory.as_ptr() as usize, memory.capacity() * size_of::<T>());
}

/// Asks for 2 MiB pages on large blocks: Linux hands them out only on request, and 17,000 small pages for a 70 MB tape
/// cost 8 % of a sweep.
#[cfg(all(target_os = "linux", not(miri)))]
fn advise_huge_pages(address: usize, bytes: usize) {
    const PAGE: usize = 4096;
    const MADV_HUGEPAGE: i32 = 14;
    unsafe extern "C" {
        fn madvise(address: *mut core::ffi::c_void, length: usize, advice: i32) -> i32;
    }
    if bytes < LARGE {
        return;
    }
    let first = address.next_multiple_of(PAGE);
    let last = (address + bytes) & !(PAGE - 1);
    // SAFETY: the range is page-aligned and inside one live allocation; the call is advice and changes no contents.
    unsafe { madvise(first as *mut core::ffi::c_void, last - first, MADV_HUGEPAGE) };
}

/// Asks for huge pages where the system knows them; nothing elsewhere.
#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise_huge_pages(_address: usize, _bytes: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_come_back_in_order() {
        let arena = Arena::new(usize::MAX);
        for k in 0..1000_u32 {
            assert_eq!(arena.push(k), k);
        }
        assert_eq!(arena.extend(3, |k| 7000 + k as u32), 1000);
        arena.with(|all| {
            assert!(all[..1000].iter().copied().eq(0..1000));
            assert_eq!(&all[1000..], [7000, 7001, 7002]);
        });
    }

    #[test]
    fn growing_through_every_size_of_block_keeps_the_entries() {
        let arena = Arena::new(usize::MAX);
        let count = 3 * LARGE / size_of::<u64>();
        for k in 0..count as u64 {
            arena.push(k);
        }
        arena.with(|all| assert!(all.iter().copied().eq(0..count as u64)));
        assert_eq!(arena.base.get().as_ptr() as usize % HUGE_PAGE, 0);
    }

    #[test]
    fn a_full_arena_says_so_and_keeps_what_it_has() {
        let arena = Arena::new(2);
        assert_eq!((arena.push(1), arena.push(2)), (0, 1));
        assert!(!arena.is_full());
        assert_eq!(arena.push(3), 0);
        assert!(arena.is_full());
        arena.with(|all| assert_eq!(all, [1, 2]));
        arena.truncate(0);
        assert!(!arena.is_full());
    }

    #[test]
    fn an_impossible_size_is_refused() {
        let arena = Arena::<[u64; 1024]>::new(usize::MAX);
        arena.extend(usize::MAX / 2, |_| [0; 1024]);
        assert!(arena.is_full());
    }

    #[test]
    fn pushing_while_reading_cannot_touch_what_is_read() {
        let arena = Arena::new(usize::MAX);
        arena.push(1);
        arena.with(|all| {
            for k in 0..5000 {
                arena.push(k);
            }
            assert_eq!(all, [1]);
        });
        arena.with(|all| assert_eq!(all, [1]));
    }

    #[test]
    fn reading_restores_after_a_panic() {
        let arena = Arena::new(usize::MAX);
        arena.push(5);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| arena.with(|_| panic!("on purpose"))));
        assert!(caught.is_err());
        arena.with(|all| assert_eq!(all, [5]));
    }
}
