//! What has no derivative: comparisons, counts and places of elements. They give plain tensors, of the value so far.

use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_tensor::{Axes, Axis, Tensor};

/// The value of the computation so far: variables can stand beside numbers and tensors in a comparison.
impl<F: TensorFloat> From<TensorVar<'_, F>> for Tensor<F> {
    fn from(x: TensorVar<'_, F>) -> Self {
        x.value()
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $method:ident $try_method:ident;)*) => {
        impl<F: TensorFloat> TensorVar<'_, F> { $(
            $(#[$doc])*
            ///
            /// Repeats the operands to a common shape, which is the result's; the other one may be a number, a tensor
            /// or a variable.
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            #[track_caller]
            pub fn $method(self, other: impl Into<Tensor<F>>) -> Tensor<bool> {
                self.$try_method(other).or_panic()
            }

            #[doc = concat!("[`", stringify!($method), "`](Self::", stringify!($method), "), returning what does not fit.")]
            ///
            /// # Errors
            /// [`Error::Shape`] if the shapes do not broadcast.
            #[track_caller]
            pub fn $try_method(self, other: impl Into<Tensor<F>>) -> Result<Tensor<bool>, Error> {
                self.fit(self.value().$try_method(other))
            }
        )* }
    };
}
comparisons! {
    /// Where elements are equal.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.equal(0.0).to_vec(), [false, true, false]);
    /// ```
    equal try_equal;
    /// Where elements differ; NaN differs from everything.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.not_equal(0.0).to_vec(), [true, false, true]);
    /// ```
    not_equal try_not_equal;
    /// Where elements are less than the other's.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.less(0.0).to_vec(), [true, false, false]);
    /// ```
    less try_less;
    /// Where elements are at most the other's.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.less_equal(0.0).to_vec(), [true, true, false]);
    /// ```
    less_equal try_less_equal;
    /// Where elements are greater than the other's.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.greater(0.0).to_vec(), [false, false, true]);
    /// ```
    greater try_greater;
    /// Where elements are at least the other's.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.greater_equal(0.0).to_vec(), [false, true, true]);
    /// ```
    greater_equal try_greater_equal;
}

macro_rules! places {
    ($($(#[$doc:meta])* $method:ident $try_method:ident($($x:ident: $X:ty),*) -> $Y:ty, $errors:literal;)*) => {
        impl<F: TensorFloat> TensorVar<'_, F> { $(
            $(#[$doc])*
            ///
            /// # Panics
            #[doc = concat!("If ", $errors, ".")]
            #[track_caller]
            pub fn $method(self, $($x: impl Into<$X>),*) -> $Y {
                self.$try_method($($x),*).or_panic()
            }

            #[doc = concat!("[`", stringify!($method), "`](Self::", stringify!($method), "), returning what does not fit.")]
            ///
            /// # Errors
            #[doc = concat!("[`Error::Shape`] if ", $errors, ".")]
            #[track_caller]
            pub fn $try_method(self, $($x: impl Into<$X>),*) -> Result<$Y, Error> {
                self.fit(self.value().$try_method($($x),*))
            }
        )* }
    };
}
places! {
    /// Where the largest element is: its number in row-major order. The first of equal ones; the first NaN if there is
    /// one.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.argmax(), 2);
    /// ```
    argmax try_argmax() -> usize, "there are no elements";
    /// Where the smallest element is: its number in row-major order. The first of equal ones; the first NaN if there is
    /// one.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.argmin(), 0);
    /// ```
    argmin try_argmin() -> usize, "there are no elements";
    /// Where along `axis` the largest elements are. The first of equal ones; the first NaN if there is one.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.argmax_axis(0).item(), 2);
    /// ```
    argmax_axis try_argmax_axis(axis: Axis) -> Tensor<i64>, "the axis does not exist or has no entries";
    /// Where along `axis` the smallest elements are. The first of equal ones; the first NaN if there is one.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.argmin_axis(0).item(), 0);
    /// ```
    argmin_axis try_argmin_axis(axis: Axis) -> Tensor<i64>, "the axis does not exist or has no entries";
    /// How many elements over the axes named are not 0; NaN is not.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.count_nonzero_axes(0).item(), 2);
    /// ```
    count_nonzero_axes try_count_nonzero_axes(axes: Axes) -> Tensor<i64>, "an axis does not exist or is named twice";
}

impl<F: TensorFloat> TensorVar<'_, F> {
    /// How many elements are not 0; NaN is not.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([0.0, -1.0, f64::INFINITY]);
    /// assert_eq!(x.count_nonzero(), 2);
    /// ```
    #[track_caller]
    pub fn count_nonzero(self) -> usize {
        self.value().count_nonzero()
    }

    /// Where along `axis` the elements are that [`sort`](Self::sort) gives; equal ones in their order.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// If there is no such axis.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([3.0, 1.0, 2.0]);
    /// assert_eq!(x.argsort(0).to_vec(), [1, 2, 0]);
    /// ```
    #[track_caller]
    pub fn argsort(self, axis: impl Into<Axis>) -> Tensor<i64> {
        self.try_argsort(axis, false).or_panic()
    }

    /// [`argsort`](Self::argsort), returning what does not fit; the largest first if `descending`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    #[track_caller]
    pub fn try_argsort(self, axis: impl Into<Axis>, descending: bool) -> Result<Tensor<i64>, Error> {
        self.fit(self.value().try_argsort(axis, descending))
    }
}
