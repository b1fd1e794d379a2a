//! Sums of integers.

use super::assert_dims;

/// An element that is counted in `i64`: integers, and truth values as 0 and 1.
pub trait Integer: Copy + Send + Sync {
    /// The value.
    fn to_i64(self) -> i64;
}
macro_rules! integer {
    ($($t:ident)*) => { $(
        impl Integer for $t {
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self.into()
            }
        }
    )* };
}
integer!(i64 u32 u8 bool);

/// The sum of integers, wrapping at the ends of `i64`.
pub fn sum_integers<T: Integer>(x: &[T]) -> i64 {
    x.iter().fold(0, |sum, x| sum.wrapping_add(x.to_i64()))
}

/// Sums of integers along the middle axis of `[outer, n, inner]`, wrapping; overwrites `y: [outer, inner]`.
///
/// # Panics
/// When a slice has another length than the dimensions say.
pub fn sum_integers_axis<T: Integer>(x: &[T], [outer, n, inner]: [usize; 3], y: &mut [i64]) {
    assert_dims(x, [outer, n, inner], y);
    y.fill(0);
    if inner == 0 || n == 0 {
        return;
    }
    for (y, x) in y.chunks_mut(inner).zip(x.chunks(n * inner)) {
        for row in x.chunks(inner) {
            for (y, x) in y.iter_mut().zip(row) {
                *y = y.wrapping_add(x.to_i64());
            }
        }
    }
}
