//! Sums, differences, products and quotients, element by element, with broadcasting; comparisons and selection.

use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use wengert_kernels::Par;
use wengert_kernels::elementwise::{self, Operand};

use crate::element::{Arithmetic, Element, FloatElement, Numeric, Signed, zip};
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::zip::{try_update, try_zip};

impl<T: Numeric> Tensor<T> {
    #[inline(always)]
    fn try_arithmetic(&self, op: Arithmetic, other: &Tensor<T>) -> Result<Tensor<T>, ShapeError> {
        if T::EXACT && op == Arithmetic::Div {
            other.refuse_zeros()?;
        }
        try_zip(op.name(), self, other, |a, b, y| T::arithmetic(op, a, b, y))
    }

    /// With a number on the right, or on the left if `swapped`.
    #[inline(always)]
    fn try_arithmetic_scalar(&self, op: Arithmetic, c: T, swapped: bool) -> Result<Tensor<T>, ShapeError> {
        if T::EXACT && op == Arithmetic::Div {
            if swapped { self.refuse_zeros()? } else { Tensor::from(c).refuse_zeros()? }
        }
        let mut copy = None;
        let x = Operand::Slice(self.try_dense(op.name(), &mut copy)?);
        Tensor::try_build(op.name(), self.shape(), |y| {
            if swapped {
                T::arithmetic(op, Operand::Splat(c), x, y);
            } else {
                T::arithmetic(op, x, Operand::Splat(c), y);
            }
        })
    }

    #[inline(always)]
    fn try_arithmetic_assign(&mut self, op: Arithmetic, other: &Tensor<T>) -> Result<(), ShapeError> {
        if T::EXACT && op == Arithmetic::Div {
            other.refuse_zeros()?;
        }
        try_update(op.name(), self, other, |a, b| T::arithmetic_in_place(op, a, b))
    }

    /// As [`try_arithmetic`](Self::try_arithmetic), into the memory of `self` if that is possible.
    #[inline(always)]
    fn try_arithmetic_into(mut self, op: Arithmetic, other: &Tensor<T>) -> Result<Tensor<T>, ShapeError> {
        if self.shape() == other.shape() && self.unique_mut().is_some() {
            self.try_arithmetic_assign(op, other)?;
            return Ok(self);
        }
        self.try_arithmetic(op, other)
    }

    fn refuse_zeros(&self) -> Result<(), ShapeError> {
        match self.iter().any(|x| x == T::default()) {
            true => Err(ShapeError::ZeroDivisor { op: "div", shape: self.shape().clone() }),
            false => Ok(()),
        }
    }

    /// `self + other`, element by element with broadcasting; what `+` panics with is returned.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let (x, y) = (Tensor::from([10.0, 20.0]), Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.try_add(&y)?.to_vec(), [11.0, 22.0]);
    /// assert!(x.try_add(&Tensor::ones([3])).is_err());
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    #[inline]
    pub fn try_add(&self, other: &Tensor<T>) -> Result<Tensor<T>, ShapeError> {
        self.try_arithmetic(Arithmetic::Add, other)
    }

    /// `self - other`, element by element with broadcasting; what `-` panics with is returned.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let (x, y) = (Tensor::from([10.0, 20.0]), Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.try_sub(&y)?.to_vec(), [9.0, 18.0]);
    /// assert!(x.try_sub(&Tensor::ones([3])).is_err());
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    #[inline]
    pub fn try_sub(&self, other: &Tensor<T>) -> Result<Tensor<T>, ShapeError> {
        self.try_arithmetic(Arithmetic::Sub, other)
    }

    /// `self * other`, element by element with broadcasting; what `*` panics with is returned.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let (x, y) = (Tensor::from([10.0, 20.0]), Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.try_mul(&y)?.to_vec(), [10.0, 40.0]);
    /// assert!(x.try_mul(&Tensor::ones([3])).is_err());
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    #[inline]
    pub fn try_mul(&self, other: &Tensor<T>) -> Result<Tensor<T>, ShapeError> {
        self.try_arithmetic(Arithmetic::Mul, other)
    }

    /// `self / other`, element by element with broadcasting; what `/` panics with is returned.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`], or [`ShapeError::ZeroDivisor`] for integers.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let (x, y) = (Tensor::from([10.0, 20.0]), Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.try_div(&y)?.to_vec(), [10.0, 10.0]);
    /// assert!(x.try_div(&Tensor::ones([3])).is_err());
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    #[inline]
    pub fn try_div(&self, other: &Tensor<T>) -> Result<Tensor<T>, ShapeError> {
        self.try_arithmetic(Arithmetic::Div, other)
    }

    /// `self += other`, where `other` is repeated to the shape of `self`: in place if nobody shares the storage.
    ///
    /// # Errors
    /// [`ShapeError::BroadcastTo`]: unlike in `+`, the shape of `self` stays.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let mut x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// x.try_add_assign(&Tensor::from([10.0, 20.0]))?;
    /// assert_eq!(x, Tensor::from([[11.0, 22.0], [13.0, 24.0]]));
    /// assert!(Tensor::from([1.0, 2.0]).try_add_assign(&x).is_err()); // would have to grow
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    #[inline]
    pub fn try_add_assign(&mut self, other: &Tensor<T>) -> Result<(), ShapeError> {
        self.try_arithmetic_assign(Arithmetic::Add, other)
    }

    /// Sets every element to `value`, in place if nobody shares the storage.
    ///
    /// # Panics
    /// When the storage is shared and there is no memory for new one.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let mut x = Tensor::from([1.0, 2.0]);
    /// x.fill(3.0);
    /// assert_eq!(x.to_vec(), [3.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn fill(&mut self, value: T) {
        // Old values are not read, so shared storage is left to the others rather than copied.
        if self.unique_mut().is_none() {
            *self = Tensor::try_scratch_for("fill", self.shape().clone()).or_panic();
        }
        elementwise::fill(self.unique_mut().unwrap_or_default(), value, Par::current());
    }
}

impl<F: FloatElement> Tensor<F> {
    /// `self += alpha * other`, in place if nobody shares the storage: a step of gradient descent.
    ///
    /// # Panics
    /// When the shapes differ.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let mut weights = Tensor::from([1.0, 2.0]);
    /// weights.add_scaled(-0.5, &Tensor::from([2.0, 4.0]));
    /// assert_eq!(weights.to_vec(), [0.0, 0.0]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn add_scaled(&mut self, alpha: F, other: &Tensor<F>) {
        self.try_add_scaled(alpha, other).or_panic();
    }

    /// As [`add_scaled`](Self::add_scaled), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`].
    pub fn try_add_scaled(&mut self, alpha: F, other: &Tensor<F>) -> Result<(), ShapeError> {
        let op = "add_scaled";
        if self.shape() != other.shape() {
            return Err(ShapeError::Unequal { op, lhs: self.shape().clone(), rhs: other.shape().clone() });
        }
        let mut copy = None;
        let other = other.try_dense(op, &mut copy)?;
        elementwise::add_scaled(self.try_make_mut_for(op)?, alpha, other, Par::current());
        Ok(())
    }

    /// `self += other`, in the memory of whichever nobody shares, so that `other` is left with what it was or with what
    /// `self` was: how cotangents gather.
    ///
    /// # Panics
    /// When the shapes differ, or when both are shared and there is no memory for the sum.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let shared = Tensor::from([1.0, 2.0]);
    /// let mut sum = shared.clone();
    /// sum.accumulate(&mut Tensor::from([10.0, 20.0]));
    /// assert_eq!((sum.to_vec(), shared.to_vec()), (vec![11.0, 22.0], vec![1.0, 2.0]));
    /// ```
    #[inline]
    #[track_caller]
    pub fn accumulate(&mut self, other: &mut Tensor<F>) {
        if self.shape() == other.shape()
            && let (Some(sum), Some(other)) = (self.unique_mut(), other.as_slice())
        {
            return F::arithmetic_in_place(Arithmetic::Add, sum, Operand::Slice(other));
        }
        if self.unique_mut().is_none() && other.unique_mut().is_some() {
            core::mem::swap(self, other);
            return self.accumulate(other);
        }
        self.add_scaled(F::ONE, other);
    }
}

macro_rules! operators {
    ($($Trait:ident $method:ident $Assign:ident $assign:ident $Op:ident;)*) => { $(
        impl<T: Numeric> $Trait<&Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[inline]
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                self.try_arithmetic(Arithmetic::$Op, other).or_panic()
            }
        }
        impl<T: Numeric> $Trait<&Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[inline]
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                self.try_arithmetic_into(Arithmetic::$Op, other).or_panic()
            }
        }
        impl<T: Numeric> $Trait<Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[inline]
            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                self.try_arithmetic(Arithmetic::$Op, &other).or_panic()
            }
        }
        impl<T: Numeric> $Trait<Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[inline]
            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                self.try_arithmetic_into(Arithmetic::$Op, &other).or_panic()
            }
        }
        impl<T: Numeric> $Trait<T> for &Tensor<T> {
            type Output = Tensor<T>;
            #[inline]
            #[track_caller]
            fn $method(self, c: T) -> Tensor<T> {
                self.try_arithmetic_scalar(Arithmetic::$Op, c, false).or_panic()
            }
        }
        impl<T: Numeric> $Trait<T> for Tensor<T> {
            type Output = Tensor<T>;
            #[inline]
            #[track_caller]
            fn $method(mut self, c: T) -> Tensor<T> {
                if self.unique_mut().is_some() {
                    self.try_arithmetic_assign(Arithmetic::$Op, &Tensor::from(c)).or_panic();
                    return self;
                }
                (&self).$method(c)
            }
        }
        impl<T: Numeric> $Assign<&Tensor<T>> for Tensor<T> {
            #[inline]
            #[track_caller]
            fn $assign(&mut self, other: &Tensor<T>) {
                self.try_arithmetic_assign(Arithmetic::$Op, other).or_panic();
            }
        }
        impl<T: Numeric> $Assign<Tensor<T>> for Tensor<T> {
            #[inline]
            #[track_caller]
            fn $assign(&mut self, other: Tensor<T>) {
                self.try_arithmetic_assign(Arithmetic::$Op, &other).or_panic();
            }
        }
        impl<T: Numeric> $Assign<T> for Tensor<T> {
            #[inline]
            #[track_caller]
            fn $assign(&mut self, c: T) {
                self.try_arithmetic_assign(Arithmetic::$Op, &Tensor::from(c)).or_panic();
            }
        }
        operators!($Trait $method $Op: f32 f64 i32 i64 u32 u8);
    )* };
    // A number on the left: Rust wants its type spelt out.
    ($Trait:ident $method:ident $Op:ident: $($t:ident)*) => { $(
        impl $Trait<&Tensor<$t>> for $t {
            type Output = Tensor<$t>;
            #[inline]
            #[track_caller]
            fn $method(self, x: &Tensor<$t>) -> Tensor<$t> {
                x.try_arithmetic_scalar(Arithmetic::$Op, self, true).or_panic()
            }
        }
        impl $Trait<Tensor<$t>> for $t {
            type Output = Tensor<$t>;
            #[inline]
            #[track_caller]
            fn $method(self, x: Tensor<$t>) -> Tensor<$t> {
                x.try_arithmetic_scalar(Arithmetic::$Op, self, true).or_panic()
            }
        }
    )* };
}
operators! {
    Add add AddAssign add_assign Add;
    Sub sub SubAssign sub_assign Sub;
    Mul mul MulAssign mul_assign Mul;
    Div div DivAssign div_assign Div;
}

impl<T: Signed> Neg for &Tensor<T> {
    type Output = Tensor<T>;
    #[inline]
    #[track_caller]
    fn neg(self) -> Tensor<T> {
        self.map(T::negative)
    }
}

impl<T: Signed> Neg for Tensor<T> {
    type Output = Tensor<T>;
    #[inline]
    #[track_caller]
    fn neg(mut self) -> Tensor<T> {
        if let Some(x) = self.unique_mut() {
            for x in x {
                *x = x.negative();
            }
            return self;
        }
        -&self
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $method:ident $try_method:ident $op:tt;)*) => {
        impl<T: Element> Tensor<T> {
            $(
                $(#[$doc])*
                ///
                /// Repeats the operands to a common shape; the other one may be a number. Comparisons with NaN are
                /// false, but `not_equal` is true.
                ///
                /// # Panics
                /// When the shapes do not broadcast.
                #[must_use]
                #[track_caller]
                pub fn $method(&self, other: impl Into<Tensor<T>>) -> Tensor<bool> {
                    self.$try_method(other).or_panic()
                }

                #[doc = concat!("As [`", stringify!($method), "`](Self::", stringify!($method), "), with an error instead of a panic.")]
                ///
                /// # Errors
                /// [`ShapeError::Broadcast`].
                pub fn $try_method(&self, other: impl Into<Tensor<T>>) -> Result<Tensor<bool>, ShapeError> {
                    try_zip(stringify!($method), self, &other.into(), |a, b, y| zip(a, b, y, |a, b| a $op b))
                }
            )*
        }
    };
}
comparisons! {
    /// Where elements are equal.
    equal try_equal ==;
    /// Where elements differ.
    not_equal try_not_equal !=;
    /// Where elements are less than the other's.
    less try_less <;
    /// Where elements are at most the other's.
    less_equal try_less_equal <=;
    /// Where elements are greater than the other's.
    ///
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([-1.0, 0.0, 2.0]);
    /// assert_eq!(x.greater(0.0), Tensor::from([false, false, true]));
    /// ```
    greater try_greater >;
    /// Where elements are at least the other's.
    greater_equal try_greater_equal >=;
}

impl Tensor<bool> {
    /// Where both are true, with broadcasting.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (a, b) = (Tensor::from([true, true]), Tensor::from([true, false]));
    /// assert_eq!(a.and(b).to_vec(), [true, false]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn and(&self, other: impl Into<Tensor<bool>>) -> Tensor<bool> {
        try_zip("and", self, &other.into(), |a, b, y| zip(a, b, y, |a, b| a & b)).or_panic()
    }

    /// Where at least one is true, with broadcasting.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (a, b) = (Tensor::from([true, false]), Tensor::from([false, false]));
    /// assert_eq!(a.or(b).to_vec(), [true, false]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn or(&self, other: impl Into<Tensor<bool>>) -> Tensor<bool> {
        try_zip("or", self, &other.into(), |a, b, y| zip(a, b, y, |a, b| a | b)).or_panic()
    }

    /// `true` for `false` and `false` for `true`.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([true, false]).not().to_vec(), [false, true]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn not(&self) -> Tensor<bool> {
        self.map(|x| !x)
    }

    /// The element of `a` where this is true, of `b` where it is false; all three are repeated to a common shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([-1.0, 4.0]);
    /// let root = x.greater_equal(0.0).select(x.sqrt(), 0.0);
    /// assert_eq!(root.to_vec(), [0.0, 2.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn select<T: Element>(&self, a: impl Into<Tensor<T>>, b: impl Into<Tensor<T>>) -> Tensor<T> {
        self.try_select(a, b).or_panic()
    }

    /// As [`select`](Self::select), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`].
    pub fn try_select<T: Element>(
        &self,
        a: impl Into<Tensor<T>>,
        b: impl Into<Tensor<T>>,
    ) -> Result<Tensor<T>, ShapeError> {
        let (op, a, b) = ("select", a.into(), b.into());
        // Two passes, each over two operands: first `a` where the condition holds, then `b` into the rest.
        let shape = Shape::broadcast(op, a.shape(), b.shape())?;
        let shape = Shape::broadcast(op, self.shape(), &shape)?;
        let condition = self.try_broadcast_to(&shape)?.try_to_contiguous(op)?;
        let mut y = b.try_broadcast_to(&shape)?.try_copy(op)?;
        let mut rows = condition.as_slice().unwrap_or_default();
        try_update(op, &mut y, &a, |y, a| {
            let (condition, rest) = rows.split_at(y.len());
            rows = rest;
            match a {
                Operand::Slice(a) => {
                    for ((y, &a), &condition) in y.iter_mut().zip(a).zip(condition) {
                        *y = if condition { a } else { *y };
                    }
                }
                Operand::Splat(a) => {
                    for (y, &condition) in y.iter_mut().zip(condition) {
                        *y = if condition { a } else { *y };
                    }
                }
            }
        })?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_results_take_memory_that_nobody_shares() {
        let tensor = || Tensor::<f64>::from([[1.0, 2.0], [3.0, 4.0]]);
        let address = |x: &Tensor<f64>| x.storage().as_ptr();
        // The left one's own, else the right one's, else new memory; views are nobody's.
        let shared = tensor();
        for (mut sum, mut other, kept) in [
            (tensor(), tensor(), Some(true)),
            (tensor(), shared.clone(), Some(true)),
            (shared.clone(), tensor(), Some(false)),
            (Tensor::from(1.0).broadcast_to([2, 2]), tensor(), Some(false)),
            (tensor().t(), tensor(), Some(false)),
            (shared.clone(), shared.clone(), None),
        ] {
            let (expected, places) = (&sum + &other, [address(&sum), address(&other)]);
            sum.accumulate(&mut other);
            assert_eq!(sum, expected);
            let place = places.iter().position(|place| *place == address(&sum));
            assert_eq!(place, kept.map(|left| if left { 0 } else { 1 }));
        }
        let x = tensor();
        let place = address(&x);
        let y = ((x * 3.0 - 1.0) / 2.0) + 0.5;
        assert_eq!((y.to_vec(), address(&y)), (vec![1.5, 3.0, 4.5, 6.0], place));
        assert_eq!((shared.clone() * 2.0).to_vec(), [2.0, 4.0, 6.0, 8.0]);
        assert_eq!(shared, tensor());
    }

    #[test]
    fn operators_on_values_references_and_numbers() {
        let (a, b) = (Tensor::<f64>::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::<f64>::from([10.0, 20.0]));
        let expected = [11.0, 22.0, 13.0, 24.0];
        assert_eq!((&a + &b).to_vec(), expected);
        assert_eq!((a.clone() + &b).to_vec(), expected);
        assert_eq!((&a + b.clone()).to_vec(), expected);
        assert_eq!((a.clone() + b.clone()).to_vec(), expected);
        assert_eq!((&b - &a).to_vec(), [9.0, 18.0, 7.0, 16.0]);
        assert_eq!((2.0 / &b).to_vec(), [0.2, 0.1]);
        assert_eq!((1.0 - a.t()).to_vec(), [0.0, -2.0, -1.0, -3.0]);
        assert_eq!((-&b * 2.0).to_vec(), [-20.0, -40.0]);
        let mut c = a.clone();
        c += &b;
        c -= 1.0;
        c *= a.t();
        c /= Tensor::from([[2.0], [1.0]]);
        assert_eq!(c.to_vec(), [5.0, 31.5, 24.0, 92.0]);
        assert_eq!(a.to_vec(), [1.0, 2.0, 3.0, 4.0], "a shared tensor is not written to");
    }

    #[test]
    fn integers_wrap_and_divide_towards_zero() {
        assert_eq!((Tensor::from([250_u8, 3]) + 10_u8).to_vec(), [4, 13]);
        assert_eq!((Tensor::from([-7, 7]) / 2).to_vec(), [-3, 3]);
        assert_eq!((Tensor::from([i64::MIN]) / Tensor::from([-1_i64])).to_vec(), [i64::MIN]);
        assert_eq!((-Tensor::from([i32::MIN, 5])).to_vec(), [i32::MIN, -5]);
    }

    #[test]
    fn integer_division_by_zero_is_an_error_and_float_division_is_not() {
        let text = "div: integer division by zero in a divisor of shape [2]; cast to a floating-point type, or replace the zeros";
        assert_eq!(Tensor::from([1, 2]).try_div(&Tensor::from([1, 0])).unwrap_err().to_string(), text);
        let panic = std::panic::catch_unwind(|| 1 / Tensor::from([3, 0])).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), text);
        assert!(std::panic::catch_unwind(|| Tensor::from([3, 0]) / 0).is_err());
        assert_eq!((Tensor::from([1.0, -1.0]) / 0.0).to_vec(), [f64::INFINITY, f64::NEG_INFINITY]);
    }

    #[test]
    fn assigning_does_not_change_the_shape() {
        let mut row = Tensor::<f32>::zeros([3]);
        assert_eq!(
            row.try_add_assign(&Tensor::zeros([2, 3])).unwrap_err().to_string(),
            "add: shape [2, 3] does not broadcast to [3]; aligned at the last axis, every dimension must be equal to the target's or 1"
        );
        let mut x = Tensor::<f32>::zeros([2, 3]);
        assert_eq!(
            x.try_add_scaled(1.0, &row).unwrap_err().to_string(),
            "add_scaled: shapes [2, 3] and [3] differ; they must be equal"
        );
    }

    #[test]
    fn operations_on_a_tensors_own_storage_read_the_old_values() {
        let mut x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        let t = x.t();
        x += &t;
        assert_eq!(x.to_vec(), [2.0, 5.0, 5.0, 8.0]);
        let same = x.clone();
        x -= same;
        assert_eq!(x.to_vec(), [0.0; 4]);
    }

    #[test]
    fn values_of_a_temporary_are_written_over() {
        let x = Tensor::<f32>::ones([100]);
        let y = &x + &x;
        let address = y.storage().as_ptr();
        let z = y * &x;
        assert_eq!(z.storage().as_ptr(), address);
    }

    #[test]
    fn empty_operands_give_empty_results() {
        let (a, b) = (Tensor::<f32>::ones([3, 1]), Tensor::<f32>::ones([1, 0]));
        assert_eq!(*(&a + &b).shape(), [3, 0]);
        assert_eq!(*b.greater(&a).shape(), [3, 0]);
        let mut c = Tensor::<f32>::ones([0, 2]);
        c += &Tensor::ones([2]);
        assert_eq!(*c.shape(), Shape::from([0, 2])[..]);
    }

    #[test]
    fn comparisons_treat_nan_as_ieee_does() {
        let x = Tensor::from([1.0, f64::NAN, 3.0]);
        assert_eq!(x.less(2.0).to_vec(), [true, false, false]);
        assert_eq!(x.greater_equal(&x).to_vec(), [true, false, true]);
        assert_eq!(x.not_equal(&x).to_vec(), [false, true, false]);
        assert_eq!(x.equal(Tensor::from([[1.0], [3.0]])).to_vec(), [true, false, false, false, false, true]);
        assert_eq!(x.less_equal(1.0).or(x.greater(2.0)).and(true).not().to_vec(), [false, true, false]);
    }

    #[test]
    fn selection_broadcasts_all_three() {
        let condition = Tensor::from([[true], [false]]);
        let y = condition.select(Tensor::from([1, 2, 3]), -1);
        assert_eq!(y, Tensor::from([[1, 2, 3], [-1, -1, -1]]));
        assert_eq!(*Tensor::from(true).select(Tensor::from([[1.0]]), Tensor::from([2.0, 3.0])).shape(), [1, 2]);
        let nan = Tensor::from([true, false]).select(f64::NAN, 0.0).to_vec();
        assert!(nan[0].is_nan() && nan[1] == 0.0);
        assert!(condition.try_select(Tensor::from([1, 2]), Tensor::from([1, 2, 3])).is_err());
    }
}
