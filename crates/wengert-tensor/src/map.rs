//! Elementary functions and closures, element by element, and the pullbacks of elementary functions.

use wengert_kernels::elementwise::{self, Operand};
use wengert_kernels::{Binary, Par, Unary};

use crate::element::{Element, FloatElement, zip};
use crate::error::{OrPanic, ShapeError};
use crate::tensor::Tensor;
use crate::zip::{try_zip, try_zip_in_order};

impl<T: Element> Tensor<T> {
    /// `f` of every element, in row-major order.
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

impl<F: FloatElement> Tensor<F> {
    /// An elementary function of every element, named by its opcode.
    ///
    /// Every row of the table is a method as well: `x.map_unary(Unary::Tanh)` is `x.tanh()`.
    ///
    /// # Panics
    /// When there is no memory for the result.
    #[inline]
    #[track_caller]
    pub fn map_unary(&self, op: Unary) -> Tensor<F> {
        self.try_map_unary(op).or_panic()
    }

    /// As [`map_unary`](Self::map_unary), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Memory`].
    #[inline]
    pub fn try_map_unary(&self, op: Unary) -> Result<Tensor<F>, ShapeError> {
        let mut copy = None;
        let x = self.try_dense(op.name(), &mut copy)?;
        Tensor::try_build(op.name(), self.shape(), |y| elementwise::unary(op, x, y, Par::current()))
    }

    /// An elementary function of the elements of two tensors, repeated to a common shape, named by its opcode.
    ///
    /// Every row of the table is a method as well: `a.zip_binary(Binary::Atan2, &b)` is `a.atan2(&b)`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    #[inline]
    #[track_caller]
    pub fn zip_binary(&self, op: Binary, other: &Tensor<F>) -> Tensor<F> {
        self.try_zip_binary(op, other).or_panic()
    }

    /// As [`zip_binary`](Self::zip_binary), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`].
    #[inline]
    pub fn try_zip_binary(&self, op: Binary, other: &Tensor<F>) -> Result<Tensor<F>, ShapeError> {
        match op {
            Binary::Add => self.try_add(other),
            Binary::Sub => self.try_sub(other),
            Binary::Mul => self.try_mul(other),
            Binary::Div => self.try_div(other),
            _ => try_zip(op.name(), self, other, |a, b, y| elementwise::binary(op, a, b, y, Par::current())),
        }
    }

    /// Integer power of every element, `x^n`, by squaring: about `2 log2 n` products.
    ///
    /// # Panics
    /// When there is no memory for the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([2.0, -3.0]).powi(3).to_vec(), [8.0, -27.0]);
    /// assert_eq!(Tensor::from([0.0, 2.0]).powi(-2).to_vec(), [f64::INFINITY, 0.25]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn powi(&self, n: i32) -> Tensor<F> {
        let mut left = n.unsigned_abs();
        let mut square = self.clone();
        let mut power: Option<Tensor<F>> = None;
        while left > 0 {
            if left & 1 == 1 {
                power = Some(power.map_or_else(|| square.clone(), |power| power * &square));
            }
            left >>= 1;
            if left > 0 {
                square = square.square();
            }
        }
        match power {
            None => self.ones_like(),
            Some(power) if n < 0 => power.recip(),
            Some(power) => power,
        }
    }

    /// The pullback of an elementary function: `x_bar = y_bar dy/dx`, written over `y_bar` if nobody shares its storage.
    ///
    /// `x` and `y` are argument and value, and only what the derivative reads has to be given
    /// ([`Unary::keeps_argument`], [`Unary::keeps_result`]). Zero times anything is zero.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] when shapes differ, [`ShapeError::Memory`].
    ///
    /// # Panics
    /// When a primal that the derivative reads is missing: a mistake in the calling rule, not in data.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Unary};
    /// let y = Tensor::from([0.0, 2.0]);
    /// let x_bar = Tensor::unary_vjp(Unary::Sqrt, None, Some(&y), Tensor::from([0.0, 1.0])).unwrap();
    /// assert_eq!(x_bar.to_vec(), [0.0, 0.25]);
    /// ```
    pub fn unary_vjp(
        op: Unary,
        x: Option<&Tensor<F>>,
        y: Option<&Tensor<F>>,
        mut y_bar: Tensor<F>,
    ) -> Result<Tensor<F>, ShapeError> {
        let primal = |read: bool, primal: Option<&Tensor<F>>| {
            let Some(primal) = primal.filter(|_| read) else {
                assert!(!read, "{}: the derivative reads a primal that was not kept", op.name());
                return Ok(None);
            };
            if primal.shape() != y_bar.shape() {
                return Err(ShapeError::Unequal {
                    op: op.name(),
                    lhs: primal.shape().clone(),
                    rhs: y_bar.shape().clone(),
                });
            }
            primal.try_to_contiguous(op.name()).map(Some)
        };
        let (x, y) = (primal(op.keeps_argument(), x)?, primal(op.keeps_result(), y)?);
        let x = x.as_ref().and_then(Tensor::as_slice).unwrap_or_default();
        let y = y.as_ref().and_then(Tensor::as_slice).unwrap_or_default();
        if let Some(bar) = y_bar.unique_mut() {
            elementwise::unary_vjp_in_place(op, x, y, bar, Par::current());
            return Ok(y_bar);
        }
        let y_bar = y_bar.try_to_contiguous(op.name())?;
        Tensor::try_build(op.name(), y_bar.shape(), |x_bar| {
            elementwise::unary_vjp(op, x, y, y_bar.as_slice().unwrap_or_default(), x_bar, Par::current());
        })
    }

    /// The pullback of an elementary function of two arguments: `a_bar = y_bar dy/da`, `b_bar = y_bar dy/db`, each summed to
    /// the shape of its operand, and each only if `wanted`.
    ///
    /// `y` is the value; it may be left out for `Add`, `Sub` and `Mul`. Zero times anything is zero.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`] when the operands do not broadcast, [`ShapeError::Unequal`] when their common shape is not
    /// that of `y_bar`.
    pub fn binary_vjp(
        op: Binary,
        a: &Tensor<F>,
        b: &Tensor<F>,
        y: Option<&Tensor<F>>,
        y_bar: &Tensor<F>,
        wanted: [bool; 2],
    ) -> Result<[Option<Tensor<F>>; 2], ShapeError> {
        let name = op.name();
        let shape = crate::Shape::broadcast(name, a.shape(), b.shape())?;
        for other in [Some(y_bar), y].into_iter().flatten() {
            if *other.shape() != shape {
                return Err(ShapeError::Unequal { op: name, lhs: shape, rhs: other.shape().clone() });
            }
        }
        let sum = |want: bool, bar: &Tensor<F>, to: &Tensor<F>| want.then(|| bar.try_sum_to(to.shape())).transpose();
        match op {
            // No product to take, and in most cases nothing to compute.
            Binary::Add => return Ok([sum(wanted[0], y_bar, a)?, sum(wanted[1], y_bar, b)?]),
            Binary::Sub => return Ok([sum(wanted[0], y_bar, a)?, sum(wanted[1], y_bar, b)?.map(|bar| -bar)]),
            _ => {}
        }
        let y_bar = y_bar.try_to_contiguous(name)?;
        let y = y.map(|y| y.try_to_contiguous(name)).transpose()?;
        let operand = |x: &Tensor<F>| match x.len() {
            1 => Ok(None),
            _ => x.try_broadcast_to(&shape)?.try_to_contiguous(name).map(Some),
        };
        let (a_full, b_full) = (operand(a)?, operand(b)?);
        fn side<'a, F: FloatElement>(full: &'a Option<Tensor<F>>, x: &Tensor<F>) -> Operand<'a, F> {
            match full {
                Some(full) => Operand::Slice(full.as_slice().unwrap_or_default()),
                None => Operand::Splat(x.storage()[x.layout().offset()]),
            }
        }
        let mut bars = [None, None];
        for (bar, want) in bars.iter_mut().zip(wanted) {
            if want {
                *bar = Some(Tensor::try_scratch_for(name, shape.clone())?);
            }
        }
        let [a_bar, b_bar] = &mut bars;
        elementwise::binary_vjp(
            op,
            side(&a_full, a),
            side(&b_full, b),
            y.as_ref().and_then(Tensor::as_slice).unwrap_or_default(),
            y_bar.as_slice().unwrap_or_default(),
            a_bar.as_mut().map(Tensor::fresh_mut),
            b_bar.as_mut().map(Tensor::fresh_mut),
            Par::current(),
        );
        let [a_bar, b_bar] = bars;
        let sum = |bar: Option<Tensor<F>>, to: &Tensor<F>| bar.map(|bar| bar.try_sum_to(to.shape())).transpose();
        Ok([sum(a_bar, a)?, sum(b_bar, b)?])
    }
}

macro_rules! unary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) {
        value $value:expr;
        d($($kept:ident),*) $d:expr;
        on $lo:literal..$hi:literal;
    } )*) => {
        /// Elementary functions of every element, from the table in [`wengert_kernels`].
        impl<F: FloatElement> Tensor<F> {
            $(
                $(#[$doc])*
                #[must_use]
                #[inline]
                #[track_caller]
                pub fn $method(&self) -> Tensor<F> {
                    self.map_unary(Unary::$Op)
                }
            )*
        }
    };
}
wengert_kernels::unary_table!(unary_methods);

macro_rules! binary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) {
        value $value:expr;
        d($($kept:ident),*) ($da:expr, $db:expr);
        on $alo:literal..$ahi:literal, $blo:literal..$bhi:literal;
    } )*) => {
        /// Elementary functions of the elements of two tensors, repeated to a common shape; the other one may be a number.
        impl<F: FloatElement> Tensor<F> {
            $(
                $(#[$doc])*
                #[must_use]
                #[inline]
                #[track_caller]
                pub fn $method(&self, $b: impl Into<Tensor<F>>) -> Tensor<F> {
                    self.zip_binary(Binary::$Op, &$b.into())
                }
            )*
        }
    };
}
wengert_kernels::binary_table!(binary_methods);
