//! Closures element by element, and conversions between types of element.

use crate::element::{Element, zip};
use crate::error::{OrPanic, ShapeError};
use crate::tensor::Tensor;
use crate::zip::try_zip_in_order;

impl<T: Element> Tensor<T> {
    /// `f` of every element, in row-major order.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When there is no memory for the result, or `f` panics.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([0.5, 1.5]);
    /// assert_eq!(x.map(|x| x > 1.0), Tensor::from([false, true]));
    /// ```
    #[track_caller]
    pub fn map<U: Element>(&self, f: impl FnMut(T) -> U) -> Tensor<U> {
        self.try_map(f).or_panic()
    }

    /// As [`map`](Self::map), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Memory`].
    pub fn try_map<U: Element>(&self, mut f: impl FnMut(T) -> U) -> Result<Tensor<U>, ShapeError> {
        let mut copy = None;
        let x = self.try_dense("map", &mut copy)?;
        Tensor::try_build("map", self.shape(), |y| {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = f(x);
            }
        })
    }

    /// `f` of the elements of two tensors, repeated to a common shape, in row-major order.
    ///
    /// # Panics
    /// When the shapes do not broadcast, or `f` panics.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (x, n) = (Tensor::from([2.0, 3.0]), Tensor::from([3, 2]));
    /// assert_eq!(x.zip_map(&n, |x: f64, n| x.powi(n)).to_vec(), [8.0, 9.0]);
    /// ```
    #[track_caller]
    pub fn zip_map<U: Element, V: Element>(&self, other: &Tensor<U>, f: impl FnMut(T, U) -> V) -> Tensor<V> {
        self.try_zip_map(other, f).or_panic()
    }

    /// As [`zip_map`](Self::zip_map), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`].
    pub fn try_zip_map<U: Element, V: Element>(
        &self,
        other: &Tensor<U>,
        mut f: impl FnMut(T, U) -> V,
    ) -> Result<Tensor<V>, ShapeError> {
        try_zip_in_order("zip_map", self, other, |a, b, y| zip(a, b, y, &mut f))
    }

    /// The elements as another type of number, as Rust's `as` converts them: floats to integers cut off and stop at the
    /// limits, integers to smaller integers wrap. `bool` becomes 0 or 1, and a number `true` unless it is 0.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When there is no memory for the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let mask = Tensor::from([1.0, -2.0]).greater(0.0);
    /// assert_eq!(mask.cast::<f32>().to_vec(), [1.0, 0.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn cast<U: Element>(&self) -> Tensor<U>
    where
        T: Cast<U>,
    {
        self.map(Cast::cast)
    }
}

/// Conversion between two types of element; see [`Tensor::cast`].
pub trait Cast<U>: Element {
    #[doc(hidden)]
    fn cast(self) -> U;
}

macro_rules! cast {
    ($from:ident: $($to:ident)*) => { $(
        impl Cast<$to> for $from {
            #[inline]
            fn cast(self) -> $to {
                self as $to
            }
        }
    )* };
    ($($from:ident)*) => { $(
        cast!($from: f32 f64 i32 i64 u32 u8);
        impl Cast<bool> for $from {
            #[inline]
            fn cast(self) -> bool {
                self != 0 as $from
            }
        }
        impl Cast<$from> for bool {
            #[inline]
            fn cast(self) -> $from {
                u8::from(self) as $from
            }
        }
    )* };
}
cast!(f32 f64 i32 i64 u32 u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closures_run_in_order_and_may_keep_state() {
        let mut count = 0;
        let x = Tensor::from([[5, 6], [7, 8]]);
        let numbered = x.t().map(|x| {
            count += 1;
            x * 10 + count
        });
        assert_eq!(numbered.to_vec(), [51, 72, 63, 84]);
        let mut order = Vec::new();
        let _ = x.zip_map(&Tensor::from([1, 2]), |a, b| {
            order.push((a, b));
            a
        });
        assert_eq!(order, [(5, 1), (6, 2), (7, 1), (8, 2)]);
    }

    #[test]
    fn casts_are_those_of_rust() {
        assert_eq!(Tensor::from([-1.7, 300.0, f64::NAN]).cast::<u8>().to_vec(), [0, 255, 0]);
        assert_eq!(Tensor::from([300, -1]).cast::<u8>().to_vec(), [44, 255]);
        assert_eq!(Tensor::from([0.0, -0.0, 0.5, f64::NAN]).cast::<bool>().to_vec(), [false, false, true, true]);
        assert_eq!(Tensor::from([true, false]).cast::<i64>().to_vec(), [1, 0]);
    }
}
