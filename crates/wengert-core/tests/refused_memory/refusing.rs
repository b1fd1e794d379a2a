//! An allocator that refuses tensors memory, one request after the other.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use wengert_tensor::pool;

/// What is smaller than a tensor of the tests that is asked for every time, in bytes.
const LARGE: usize = 1 << 12;

thread_local! {
    /// How many requests of this thread are still granted.
    static GRANTED: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Whether vectors and other working space count as well.
    static ROOM_TOO: Cell<bool> = const { Cell::new(false) };
    /// The bytes this thread was granted and has not given back.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Whether a tensor asks: for zeros, and for an alignment that no vector of numbers asks for.
fn is_tensor(layout: Layout) -> bool {
    layout.align() == 16 && layout.size() > LARGE
}

/// Whether a request that counts is to be refused.
fn refused() -> bool {
    let granted = GRANTED.get();
    GRANTED.set(granted.saturating_sub(1));
    granted == 0
}

/// Refuses tensors memory.
struct Refusing;

#[expect(
    unsafe_code,
    reason = "the trait is unsafe to implement; granted calls go to the system's allocator unchanged"
)]
// SAFETY: the system's allocator, or null, which stands for a refusal; the count does not allocate.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_tensor(layout) {
            // Something else of that alignment, which is given back in the same way.
            HELD.set(HELD.get() + layout.size());
        } else if ROOM_TOO.get() && layout.size() > LARGE && refused() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_tensor(layout) {
            if refused() {
                return std::ptr::null_mut();
            }
            HELD.set(HELD.get() + layout.size());
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if is_tensor(layout) {
            HELD.set(HELD.get() - layout.size());
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// The bytes that tensors of this thread hold.
pub fn held() -> usize {
    HELD.get()
}

/// Grants this thread so many requests; returns how many it had left.
pub fn grant(requests: usize) -> usize {
    GRANTED.replace(requests)
}

/// As [`refuse_each`], the requests for working space among them.
pub fn refuse_each_and_room<T>(f: impl FnMut() -> T, refused: impl FnMut(usize, T)) -> usize {
    ROOM_TOO.set(true);
    let requests = refuse_each(f, refused);
    ROOM_TOO.set(false);
    requests
}

/// Refuses `f` its first request, then its second, and so on until it is granted all; returns how many there were.
pub fn refuse_each<T>(mut f: impl FnMut() -> T, mut refused: impl FnMut(usize, T)) -> usize {
    pool::set_limit(0); // recycled memory is not asked for
    for granted in 0.. {
        GRANTED.set(granted);
        let result = f();
        let unspent = GRANTED.replace(usize::MAX);
        if unspent > 0 {
            return granted - unspent;
        }
        refused(granted, result);
    }
    unreachable!("some op asked for memory without end")
}
