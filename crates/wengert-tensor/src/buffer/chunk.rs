//! One piece of memory: a header, then the data, in one allocation.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::{Layout, alloc_zeroed, dealloc};

/// Where data starts: a cache line, which is also the widest vector register.
pub(super) const ALIGN: usize = 64;
/// Memory from this size on is asked for in huge pages.
const HUGE: usize = 2 << 20;

/// What stands before the data. Exactly one alignment unit, so that the data behind it is aligned as well.
#[repr(C, align(64))]
pub(super) struct Header {
    /// How many buffers share the data.
    pub(super) refs: AtomicUsize,
    /// Elements in use, in units of the buffer's element type.
    pub(super) len: usize,
    /// Bytes of data, all of them initialised.
    pub(super) size: usize,
    /// Size class.
    pub(super) class: usize,
    /// The next idle chunk of the class, while this one is idle.
    pub(super) next: *mut Header,
    /// What the allocator returned, and how much it was asked for.
    base: *mut u8,
    block: usize,
}

const _: () = assert!(size_of::<Header>() == ALIGN);

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
/// The chunk is nobody's yet: `refs` is 0 and `len` is 0.
pub(super) fn allocate(class: usize, size: usize) -> Option<NonNull<Header>> {
    // The block is aligned by hand. Asking the allocator for the alignment makes it fill the memory with zeros itself
    // instead of taking zero pages from the system, which costs a page fault per 4 KiB even for pages never used.
    // Chunks of huge pages put their data on a huge page's boundary: what is skipped is never touched.
    let align = if size >= HUGE { HUGE } else { ALIGN };
    let block = size.checked_add(align + ALIGN)?;
    let layout = block_layout(block)?;
    // SAFETY: the layout's size is not zero, it has a header in it.
    let base = unsafe { alloc_zeroed(layout) };
    if base.is_null() {
        return None;
    }
    // The first aligned address with room for a header before it.
    let skip = (base.addr() + ALIGN).next_multiple_of(align) - ALIGN - base.addr();
    debug_assert!(skip + ALIGN + size <= block);
    let header = base.wrapping_add(skip).cast::<Header>();
    // SAFETY: skip is less than `align`, so header and data lie within the block, and the header is aligned to 64 because
    // `align` is a multiple of it. The data behind it stays as `alloc_zeroed` left it: initialised.
    unsafe {
        header.write(Header {
            refs: AtomicUsize::new(0),
            len: 0,
            size,
            class,
            next: core::ptr::null_mut(),
            base,
            block,
        });
    }
    advise_huge_pages(base, block);
    PEAK.fetch_max(ALLOCATED.fetch_add(size, Ordering::Relaxed) + size, Ordering::Relaxed);
    NonNull::new(header)
}

/// Hands a chunk back to the allocator.
///
/// # Safety
/// `chunk` came from [`allocate`] and nobody uses it, now or later.
pub(super) unsafe fn release(chunk: NonNull<Header>) {
    // SAFETY: the chunk is ours alone, and its header was written by `allocate`.
    let Header { base, block, size, .. } = *unsafe { chunk.as_ref() };
    ALLOCATED.fetch_sub(size, Ordering::Relaxed);
    if let Some(layout) = block_layout(block) {
        // SAFETY: `base` was allocated with this very layout.
        unsafe { dealloc(base, layout) };
    }
}

/// What the allocator is asked for: the alignment it gives without being asked.
fn block_layout(block: usize) -> Option<Layout> {
    Layout::from_size_align(block, align_of::<Header>().min(16)).ok()
}

/// Where the data of a chunk starts.
#[inline(always)]
pub(super) fn data(chunk: NonNull<Header>) -> *mut u8 {
    chunk.as_ptr().wrapping_add(1).cast()
}

/// Asks Linux to back a large block with huge pages, which by default it does on request only.
#[cfg(all(target_os = "linux", not(miri)))]
fn advise_huge_pages(base: *mut u8, block: usize) {
    use core::ffi::{c_int, c_void};

    unsafe extern "C" {
        fn madvise(addr: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    const MADV_HUGEPAGE: c_int = 14;
    const PAGE: usize = 4 << 10;

    if block < HUGE {
        return;
    }
    let skip = base.addr().next_multiple_of(PAGE) - base.addr();
    // SAFETY: the range lies within one live block, starts on a page, and the advice changes no contents. A refusal (an
    // old kernel, another page size) only means smaller pages, so the result does not matter.
    unsafe { madvise(base.wrapping_add(skip).cast(), block - skip, MADV_HUGEPAGE) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise_huge_pages(_base: *mut u8, _block: usize) {}

/// Tells AddressSanitizer that of a chunk's data only the first `bytes` may be touched. By itself it knows allocations, and
/// a chunk is longer than what was asked for, and there while it is idle. Built with `--cfg asan`.
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
        let end = chunk.as_ref().base.addr() + chunk.as_ref().block;
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
