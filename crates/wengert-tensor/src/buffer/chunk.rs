//! One piece of memory: a header, then the data, in one allocation.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::alloc::{Layout, alloc_zeroed, dealloc};

use crate::shape::Shape;

/// Where data starts: a cache line, which is also the widest vector register.
pub(super) const ALIGN: usize = 64;
/// Memory from this size on is asked for in huge pages.
const HUGE: usize = 2 << 20;

/// What stands before the data. Exactly one alignment unit, so that the data behind it is aligned as well.
#[repr(C, align(64))]
pub(super) struct Header {
    /// How many buffers share the data.
    pub(super) refs: AtomicU32,
    /// Size class.
    pub(super) class: u32,
    /// Bytes of data, all of them initialised.
    pub(super) size: usize,
    pub(super) place: Place,
    /// The shape of the data. It owns no memory while the chunk is idle.
    pub(super) shape: Shape,
}

const _: () = assert!(size_of::<Header>() == ALIGN);

/// What a chunk is a part of.
pub(super) union Place {
    /// Of a buffer with so many elements, in units of their type.
    pub(super) len: usize,
    /// Of a list, idle, where this is the next chunk of its class.
    pub(super) next: *mut Header,
}

/// What the allocator returned, and how much it was asked for. Stands before the header: only the allocator wants to
/// know.
#[derive(Clone, Copy)]
struct Block {
    base: *mut u8,
    bytes: usize,
}

/// What stands before the data.
const FRONT: usize = size_of::<Block>() + ALIGN;

/// Bytes of data that all threads hold, in use or idle, and the most there were.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Bytes of data that all threads hold, and the most there were since [`reset_peak`].
pub(super) fn allocated() -> (usize, usize) {
    (ALLOCATED.load(Ordering::Relaxed), PEAK.load(Ordering::Relaxed))
}

pub(super) fn reset_peak() {
    PEAK.store(ALLOCATED.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// Asks the allocator for a chunk of `size` zeroed bytes of data; `None` when it refuses.
///
/// The chunk is nobody's yet: `refs` is 0, and it is on no list.
pub(super) fn allocate(class: usize, size: usize) -> Option<NonNull<Header>> {
    // The block is aligned by hand. Asking the allocator for the alignment makes it fill the memory with zeros itself
    // instead of taking zero pages from the system, which costs a page fault per 4 KiB even for pages never used.
    // Chunks of huge pages put their data on a huge page's boundary: what is skipped is never touched.
    let align = if size >= HUGE { HUGE } else { ALIGN };
    let bytes = size.checked_add(align + FRONT)?;
    let layout = block_layout(bytes)?;
    // SAFETY: the layout's size is not zero, it has a header in it.
    let base = unsafe { alloc_zeroed(layout) };
    if base.is_null() {
        return None;
    }
    // The first aligned address with room before it.
    let front = (base.addr() + FRONT).next_multiple_of(align) - base.addr();
    debug_assert!(front + size <= bytes);
    let header = base.wrapping_add(front - ALIGN).cast::<Header>();
    // SAFETY: `front` is at least `FRONT` and less than `FRONT + align`, so what is written and the data lie within the
    // block, and the header is aligned to 64 because `align` is a multiple of it. The data behind it stays as
    // `alloc_zeroed` left it: initialised.
    unsafe {
        header.cast::<Block>().sub(1).write(Block { base, bytes });
        header.write(Header {
            refs: AtomicU32::new(0),
            class: class as u32,
            size,
            place: Place { len: 0 },
            shape: Shape::SCALAR,
        });
    }
    advise_huge_pages(base, bytes);
    PEAK.fetch_max(ALLOCATED.fetch_add(size, Ordering::Relaxed) + size, Ordering::Relaxed);
    NonNull::new(header)
}

/// Hands a chunk back to the allocator.
///
/// # Safety
/// `chunk` came from [`allocate`] and nobody uses it, now or later.
pub(super) unsafe fn release(chunk: NonNull<Header>) {
    // SAFETY: the chunk is ours alone, and its header was written by `allocate`.
    let size = unsafe { chunk.as_ref().size };
    // SAFETY: as above.
    let Block { base, bytes } = unsafe { block(chunk) };
    ALLOCATED.fetch_sub(size, Ordering::Relaxed);
    if let Some(layout) = block_layout(bytes) {
        // SAFETY: `base` was allocated with this very layout.
        unsafe { dealloc(base, layout) };
    }
}

/// Where a chunk lies.
///
/// # Safety
/// `chunk` came from [`allocate`].
unsafe fn block(chunk: NonNull<Header>) -> Block {
    // SAFETY: `allocate` wrote it there.
    unsafe { chunk.cast::<Block>().sub(1).read() }
}

/// What the allocator is asked for: the alignment it gives without being asked.
fn block_layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes, align_of::<Header>().min(16)).ok()
}

/// Where the data of a chunk starts.
#[inline(always)]
pub(super) fn data(chunk: NonNull<Header>) -> *mut u8 {
    chunk.as_ptr().wrapping_add(1).cast()
}

/// Asks Linux to back a large block with huge pages, which by default it does on request only.
#[cfg(all(target_os = "linux", not(miri)))]
fn advise_huge_pages(base: *mut u8, bytes: usize) {
    use core::ffi::{c_int, c_void};

    unsafe extern "C" {
        fn madvise(addr: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    const MADV_HUGEPAGE: c_int = 14;
    const PAGE: usize = 4 << 10;

    if bytes < HUGE {
        return;
    }
    let skip = base.addr().next_multiple_of(PAGE) - base.addr();
    // SAFETY: the range lies within one live block, starts on a page, and the advice changes no contents. A refusal (an
    // old kernel, another page size) only means smaller pages, so the result does not matter.
    unsafe { madvise(base.wrapping_add(skip).cast(), bytes - skip, MADV_HUGEPAGE) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise_huge_pages(_base: *mut u8, _bytes: usize) {}

/// Tells AddressSanitizer that of a chunk's data only the first `bytes` may be touched. By itself it knows allocations,
/// and a chunk is longer than what was asked for, and there while it is idle. Built with `--cfg asan`.
///
/// # Safety
/// The chunk is the caller's alone.
#[cfg(asan)]
pub(super) unsafe fn allow_first(chunk: NonNull<Header>, bytes: usize) {
    use core::ffi::c_void;

    unsafe extern "C" {
        fn __asan_unpoison_memory_region(start: *const c_void, bytes: usize);
        fn __asan_poison_memory_region(start: *const c_void, bytes: usize);
    }
    // SAFETY: the chunk is ours, and the sanitizer takes notes about its block; it changes no contents.
    unsafe {
        let Block { base, bytes: all } = block(chunk);
        let end = base.addr() + all;
        let forbidden = data(chunk).wrapping_add(bytes);
        __asan_unpoison_memory_region(data(chunk).cast(), bytes);
        __asan_poison_memory_region(forbidden.cast(), end - forbidden.addr());
    }
}

/// Nobody looks on.
///
/// # Safety
/// None is needed.
#[cfg(not(asan))]
#[inline(always)]
pub(super) unsafe fn allow_first(_chunk: NonNull<Header>, _bytes: usize) {}
