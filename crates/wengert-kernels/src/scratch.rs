//! Room for packed operands, kept by each thread from one kernel to the next.

#![expect(unsafe_code, reason = "room of bytes as numbers")]

use crate::Float;
use core::cell::RefCell;

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes above which room is not kept: the planes of a large image are, and transformed filters between 512 channels
/// and 512, those of a whole batch of large images are not.
const KEPT: usize = 32 << 20;

thread_local! {
    /// What was given back, the last on top. A kernel takes in one order and gives back in the other, so each of its
    /// operands finds the room it had before.
    static SCRATCH: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Room taken from the thread, and given back when dropped.
///
/// Taken, not borrowed: a kernel within a kernel finds none and gets room of its own.
pub(crate) struct Scratch(Vec<Line>);

impl Scratch {
    /// Room for `len` elements, holding anything.
    ///
    /// # Panics
    /// When memory cannot address so many: unsafe code counts on the room.
    pub(crate) fn take<F>(len: usize) -> Scratch {
        if len == 0 {
            return Scratch(Vec::new());
        }
        let Some(bytes) = len.checked_mul(size_of::<F>()) else { panic!("{len} elements have no room in memory") };
        let lines = bytes.div_ceil(size_of::<Line>());
        let mut scratch = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
        allow_first(&scratch, size_of_val(&scratch[..]));
        if scratch.len() < lines {
            scratch.resize(lines, Line([0; 64]));
        }
        allow_first(&scratch, bytes);
        Scratch(scratch)
    }

    /// The first element, aligned to a cache line.
    pub(crate) fn start<F>(&mut self) -> *mut F {
        self.0.as_mut_ptr().cast()
    }

    /// The first `len` elements.
    pub(crate) fn elements<F: Float>(&self, len: usize) -> &[F] {
        assert!(len * size_of::<F>() <= self.0.len() * size_of::<Line>(), "room for fewer than {len} elements");
        // SAFETY: the lines hold as many elements, were initialised, and any bits are a float.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), len) }
    }

    /// The first `len` elements.
    pub(crate) fn elements_mut<F: Float>(&mut self, len: usize) -> &mut [F] {
        assert!(len * size_of::<F>() <= self.0.len() * size_of::<Line>(), "room for fewer than {len} elements");
        // SAFETY: as above, and the room is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.0.is_empty() && self.0.len() * size_of::<Line>() <= KEPT {
            allow_first(&self.0, 0);
            SCRATCH.with_borrow_mut(|kept| kept.push(core::mem::take(&mut self.0)));
        }
    }
}

/// Tells AddressSanitizer that of a room only the first `bytes` may be touched. By itself it knows allocations, and a
/// room is longer than what was asked for, and there before and after. Built with `--cfg asan`.
#[cfg(asan)]
fn allow_first(room: &[Line], bytes: usize) {
    use core::ffi::c_void;

    unsafe extern "C" {
        fn __asan_unpoison_memory_region(start: *const c_void, bytes: usize);
        fn __asan_poison_memory_region(start: *const c_void, bytes: usize);
    }
    let (start, len) = (room.as_ptr().cast::<u8>(), size_of_val(room));
    // SAFETY: the sanitizer takes notes about memory that is ours; it changes no contents.
    unsafe {
        __asan_unpoison_memory_region(start.cast(), bytes);
        __asan_poison_memory_region(start.wrapping_add(bytes).cast(), len - bytes);
    }
}

/// Nobody looks on.
#[cfg(not(asan))]
#[inline(always)]
fn allow_first(_room: &[Line], _bytes: usize) {}
