//! The storage of tensors: aligned, shared, recycled. The only module of this crate with `unsafe` in it.
//!
//! A buffer is one allocation: a 64-byte header with the reference count and the shape, then the data, aligned to 64
//! bytes. Memory comes from [`pool`] and returns there when the last buffer that shares it is dropped. The invariants:
//!
//! * All bytes of a chunk are initialised, always: fresh chunks are zeros, recycled ones hold what their last user
//!   left. So a buffer of numbers may be handed out unfilled, with arbitrary but initialised values. `bool` has bytes
//!   that are not values; its buffers are filled before anyone sees them.
//! * A chunk is either used by the buffers that `refs` counts or idle on one list, never both.
//! * Mutable access needs `&mut` of a buffer whose count is 1. Nobody else can then make it 2.
//! * The shape is written when a chunk becomes a buffer and when it is none any more, and not in between.

#![expect(unsafe_code, reason = "manages memory: allocation, reference counts, slices over raw parts")]

mod chunk;
mod class;
pub mod pool;

use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering, fence};

use crate::shape::Shape;
use chunk::{Header, Place};

/// A type whose values may lie in recycled memory.
///
/// # Safety
/// No padding, no drop glue, alignment at most 64, all zero bytes are `Default::default()`, and any bytes are a value
/// unless `FILL` is true.
pub unsafe trait Plain: Copy + Default + Send + Sync + 'static {
    /// Whether some bytes are not values of the type, so that recycled memory must be filled first.
    const FILL: bool;
}

macro_rules! plain {
    ($($t:ident: $fill:literal),*) => { $(
        // SAFETY: a primitive type of at most 8 bytes whose zero is all zero bytes; only bool has bytes that are no
        // value.
        unsafe impl Plain for $t {
            const FILL: bool = $fill;
        }
    )* };
}
plain!(f32: false, f64: false, i32: false, i64: false, u32: false, u8: false, bool: true);

/// The elements of a shape, shared by its clones.
pub(crate) struct Buffer<T: Plain> {
    chunk: NonNull<Header>,
    values: PhantomData<T>,
}

// SAFETY: a buffer is a shared slice with an atomic count, like `Arc<[T]>`; `Plain` types are Send and Sync.
unsafe impl<T: Plain> Send for Buffer<T> {}
// SAFETY: as for Send.
unsafe impl<T: Plain> Sync for Buffer<T> {}

impl<T: Plain> Buffer<T> {
    /// The elements of `shape` with arbitrary values (`false` for bool).
    ///
    /// `None` when the allocator refuses or nothing can be that large, which leaves the error's text to the caller: a
    /// pointer is returned in a register, and a result with an error in it through memory.
    #[inline(never)]
    pub(crate) fn scratch(shape: &Shape) -> Option<Self> {
        let (mut buffer, fresh) = Self::take(shape)?;
        if T::FILL && !fresh {
            buffer.zero();
        }
        Some(buffer)
    }

    /// Zeros in this shape; `None` as in [`scratch`](Self::scratch).
    #[inline(never)]
    pub(crate) fn zeros(shape: &Shape) -> Option<Self> {
        let (mut buffer, fresh) = Self::take(shape)?;
        // Fresh memory is zero already, and untouched: its pages need not exist yet.
        if !fresh {
            buffer.zero();
        }
        Some(buffer)
    }

    /// A buffer nobody else has, and whether it is all zeros. Where `T::FILL`, the caller must call
    /// `zero` before anyone reads it, unless it is.
    #[inline(always)]
    fn take(shape: &Shape) -> Option<(Self, bool)> {
        let len = shape.size();
        let (chunk, fresh) = pool::take(len.checked_mul(size_of::<T>())?)?;
        // SAFETY: `take` made the chunk ours alone. Plain writes are fine: nobody else can see the chunk. The shape it
        // has owns no memory, so it need not be dropped.
        unsafe {
            let header = chunk.as_ptr();
            (*header).refs = AtomicU32::new(1);
            (*header).place = Place { len };
            (&raw mut (*header).shape).write(shape.clone());
            chunk::allow_first(chunk, len * size_of::<T>());
        }
        Some((Self { chunk, values: PhantomData }, fresh))
    }

    fn zero(&mut self) {
        debug_assert!(self.is_unique());
        // SAFETY: the data has room for `len` elements (see `as_slice`), the buffer is the chunk's only user, and zero
        // bytes are a value of every `Plain` type. Written as bytes, because recycled bytes may not be values yet.
        unsafe { chunk::data(self.chunk).write_bytes(0, self.len() * size_of::<T>()) };
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        // SAFETY: the chunk is live as long as a buffer refers to it, and but for the atomic count nothing in the
        // header is written while this reference exists: that happens only when the chunk goes in or out of the pool.
        unsafe { self.chunk.as_ref() }
    }

    #[inline(always)]
    fn refs(&self) -> &AtomicU32 {
        &self.header().refs
    }

    /// The number of elements.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: `take` wrote the number, and the chunk is on no list.
        unsafe { self.header().place.len }
    }

    /// The number of entries along each axis, as the buffer was made.
    #[inline(always)]
    pub(crate) fn shape(&self) -> &Shape {
        &self.header().shape
    }

    /// Whether no other buffer shares the data.
    #[inline(always)]
    pub(crate) fn is_unique(&self) -> bool {
        // Acquire: what other owners did with the data before they let go happened before what we do now.
        self.refs().load(Ordering::Acquire) == 1
    }

    /// Whether two buffers share their data.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.chunk == other.chunk
    }

    /// The elements, for writing, if nobody else can read them.
    #[inline]
    pub(crate) fn unique_mut(&mut self) -> Option<&mut [T]> {
        // SAFETY: as in `deref`; the count is 1 and `&mut self` keeps it there, so the slice is the only way to the
        // data.
        self.is_unique().then(|| unsafe { core::slice::from_raw_parts_mut(chunk::data(self.chunk).cast(), self.len()) })
    }
}

impl<T: Plain> Deref for Buffer<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `take` asked for `len * size_of::<T>()` bytes, all initialised; they are values of `T`, since `T`
        // takes any bytes or they were filled; the data is aligned to 64. Nobody has a mutable slice: that takes a
        // count of 1 and `&mut` of the one buffer, which is borrowed here.
        unsafe { core::slice::from_raw_parts(chunk::data(self.chunk).cast(), self.len()) }
    }
}

impl<T: Plain> Clone for Buffer<T> {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: a new owner learns about the data from the one it was cloned from.
        if self.refs().fetch_add(1, Ordering::Relaxed) > i32::MAX as u32 {
            // Only leaked clones can get here. As in `Arc`: a wrapped count would free memory in use.
            std::process::abort();
        }
        Self { chunk: self.chunk, values: PhantomData }
    }
}

impl<T: Plain> Drop for Buffer<T> {
    #[inline]
    fn drop(&mut self) {
        // The only owner needs no locked instruction to know it: nobody can clone a buffer it does not have. That is
        // the common case, and 4-5 ns cheaper.
        if !self.is_unique() {
            if self.refs().fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            // Pairs with the Release of the other owners, as in `Arc`.
            fence(Ordering::Acquire);
        }
        // SAFETY: this was the last owner.
        unsafe {
            if (*self.chunk.as_ptr()).shape.is_on_heap() {
                (*self.chunk.as_ptr()).shape = Shape::SCALAR;
            }
            chunk::allow_first(self.chunk, 0);
            pool::give(self.chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    fn filled<T: Plain>(len: usize, value: T) -> Buffer<T> {
        let mut buffer = Buffer::scratch(&len.into()).unwrap();
        buffer.unique_mut().unwrap().fill(value);
        buffer
    }

    #[test]
    fn data_is_aligned_and_of_the_length_asked_for() {
        for len in [0, 1, 2, 15, 16, 17, 1000, 5000, 300_000] {
            let buffer = Buffer::<f64>::zeros(&len.into()).unwrap();
            assert_eq!(buffer.len(), len);
            assert!(buffer.as_ptr().addr().is_multiple_of(64));
            assert!(buffer.iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    fn zeros_are_zeros_on_recycled_memory_too() {
        // A size no other test asks for, so that the chunk that comes back is the one that went.
        drop(filled::<u32>(701, u32::MAX));
        assert!(Buffer::<u32>::zeros(&701.into()).unwrap().iter().all(|&x| x == 0));
        drop(filled::<u32>(701, u32::MAX));
        assert!(Buffer::<bool>::scratch(&2804.into()).unwrap().iter().all(|&x| !x));
    }

    #[test]
    fn mutable_access_needs_the_only_owner() {
        let mut a = filled(3, 1.0_f32);
        let mut b = a.clone();
        assert!(a.same(&b));
        assert!(a.unique_mut().is_none() && b.unique_mut().is_none());
        drop(a);
        b.unique_mut().unwrap()[1] = 2.0;
        assert_eq!(*b, [1.0, 2.0, 1.0]);
    }

    #[test]
    fn a_dropped_buffer_serves_the_next_request_of_its_class() {
        thread::spawn(|| {
            let first = filled(900, 1.0_f32);
            let address = first.as_ptr().addr();
            drop(first);
            let before = pool::stats();
            let second = Buffer::<i64>::scratch(&450.into()).unwrap();
            assert_eq!(second.as_ptr().addr(), address);
            assert_eq!(pool::stats().hits, before.hits + 1);
            assert_eq!(before.held - pool::stats().held, 4096);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_shape_of_many_axes_goes_with_its_buffer() {
        // On memory that one such shape after another is kept in; leak checkers see whether all were given back.
        for len in [3, 5, 3] {
            let many: Shape = [1, 1, len, 1, 1, 2].as_slice().into();
            let buffer = Buffer::<f32>::scratch(&many).unwrap();
            assert_eq!((buffer.shape(), buffer.len()), (&many, 2 * len));
            assert_eq!(*buffer.clone().shape(), many);
            drop(buffer);
            assert_eq!(*Buffer::<f32>::scratch(&[len].into()).unwrap().shape(), [len]);
        }
    }

    #[test]
    fn sizes_beyond_any_machine_are_refused() {
        assert!(Buffer::<f64>::zeros(&(1 << 62).into()).is_none());
        assert!(Buffer::<u8>::zeros(&usize::MAX.into()).is_none());
        assert!(Buffer::<u8>::zeros(&(isize::MAX as usize).into()).is_none());
        #[cfg(not(miri))] // Miri's allocator gives up the whole run
        assert!(Buffer::<f32>::zeros(&10_000_000_000_000.into()).is_none());
    }

    #[test]
    fn memory_made_here_and_dropped_there_does_not_pile_up() {
        const ROUNDS: usize = if cfg!(miri) { 20 } else { 200 };
        const LEN: usize = 12_345; // a class of its own
        let (send, receive) = mpsc::sync_channel::<Buffer<f64>>(1);
        let consumer = thread::spawn(move || {
            let mut sum = 0.0;
            for buffer in receive {
                sum += buffer[LEN - 1];
            }
            assert_eq!(pool::stats().held, 0, "the consumer keeps nothing it did not ask for");
            sum
        });
        let before = pool::stats();
        for _ in 0..ROUNDS {
            send.send(filled(LEN, 1.0)).unwrap();
        }
        let after = pool::stats();
        drop(send);
        assert_eq!(consumer.join().unwrap(), ROUNDS as f64);
        // Other tests trim the shared list now and then.
        assert!((after.misses - before.misses) as usize <= ROUNDS / 4, "{before:?} {after:?}");
    }

    #[test]
    fn clones_are_counted_across_threads() {
        let buffer = filled(64, 7_i64);
        thread::scope(|scope| {
            for _ in 0..4 {
                let clone = buffer.clone();
                scope.spawn(move || {
                    for _ in 0..50 {
                        assert_eq!(clone.clone()[63], 7);
                    }
                });
            }
        });
        assert!(buffer.is_unique());
    }

    #[test]
    fn trimming_gives_everything_back() {
        thread::spawn(|| {
            drop((filled(100, 0_u8), filled(100_000, 0_u8), filled(3_000_000, 0_u8)));
            assert!(pool::stats().held > 3_000_000);
            pool::trim();
            assert_eq!(pool::stats().held, 0);
            drop(filled(100, 1_u8));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_buffer_may_outlive_its_threads_pool() {
        thread_local! {
            static LATE: core::cell::RefCell<Option<Buffer<f32>>> = const { core::cell::RefCell::new(None) };
        }
        thread::spawn(|| {
            // Registered before the pool's own destructor, so destroyed after or before it: both have to work.
            LATE.with(|late| late.borrow_mut().replace(filled(10, 1.0)));
            drop(filled(10, 2.0));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn memory_taken_while_a_thread_ends_is_not_lost() {
        const LEN: usize = 23_456; // a class of its own
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                drop(filled(LEN, 1.0_f64));
            }
        }
        thread_local! {
            static LATE: Late = const { Late };
        }
        let comes_back = || {
            thread::spawn(|| {
                // Registered before the pool's own destructor and destroyed after it: takes the chunk from the shared
                // list.
                LATE.with(|_| ());
                drop(filled(LEN, 2.0_f64));
            })
            .join()
            .unwrap();
            let before = pool::stats();
            drop(Buffer::<f64>::zeros(&LEN.into()).unwrap());
            pool::stats().hits > before.hits
        };
        // Each round on a thread that holds none of them. Other tests trim the shared list now and then.
        assert!((0..50).any(|_| thread::spawn(comes_back).join().unwrap()));
    }
}
