//! Elementary functions, element by element, and their pullbacks.

use wengert_kernels::elementwise::{self, Side};
use wengert_kernels::{Binary, Par, Parametric, Unary};

use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::zip::{try_zip, try_zip_broadcast, whole};

impl<F: FloatElement> Tensor<F> {
    /// An elementary function of every element, named by its opcode.
    ///
    /// Every row of the table is a method as well: `x.map_unary(Unary::Tanh)` is `x.tanh()`.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When there is no memory for the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// # use wengert_kernels::Unary;
    /// assert_eq!(Tensor::from([4.0, 9.0]).map_unary(Unary::Sqrt).to_vec(), [2.0, 3.0]);
    /// ```
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

    /// An elementary function of every element and its derivative `dy/dx` there, in one pass: for functions where both
    /// together cost little more than one ([`Unary::is_dear_alone`]). Slopes multiply cotangents as values of `exp` do
    /// in [`unary_vjp`](Self::unary_vjp).
    ///
    /// # Errors
    /// [`ShapeError::Memory`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Unary};
    /// let x = Tensor::from([0.0, 1.0]);
    /// let (y, slope) = x.try_map_with_slope(Unary::Gelu)?;
    /// assert_eq!((y, slope.at([0])), (x.gelu(), 0.5));
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn try_map_with_slope(&self, op: Unary) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let mut copy = None;
        let x = self.try_dense(op.name(), &mut copy)?;
        let mut slope = Tensor::try_scratch_for(op.name(), self.shape().clone())?;
        let y = Tensor::try_build(op.name(), self.shape(), |y| {
            elementwise::unary_with_slope(op, x, y, slope.fresh_mut(), Par::current());
        })?;
        Ok((y, slope))
    }

    /// A function of every element and constants, named by its opcode.
    ///
    /// Every row of the table is a method as well: `x.map_parametric(Parametric::Clamp(0.0, 1.0))` is
    /// `x.clamp(0.0, 1.0)`.
    ///
    /// # Panics
    /// When there is no memory for the result, or when the constants are none of the function's.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Parametric, Tensor};
    /// let x = Tensor::from([-1.0, 0.5, 2.0]);
    /// assert_eq!(x.map_parametric(Parametric::Clamp(0.0, 1.0)).to_vec(), [0.0, 0.5, 1.0]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn map_parametric(&self, op: Parametric) -> Tensor<F> {
        self.try_map_parametric(op).or_panic()
    }

    /// As [`map_parametric`](Self::map_parametric), with an error instead of a panic where there is no memory.
    ///
    /// # Errors
    /// [`ShapeError::Memory`].
    pub fn try_map_parametric(&self, op: Parametric) -> Result<Tensor<F>, ShapeError> {
        let mut copy = None;
        let x = self.try_dense(op.name(), &mut copy)?;
        Tensor::try_build(op.name(), self.shape(), |y| elementwise::parametric(op, x, y, Par::current()))
    }

    /// The pullback of a function with constants: `x_bar = y_bar dy/dx`, zero wherever `y_bar` is. Written over a
    /// cotangent that nobody shares.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] when shapes differ, [`ShapeError::Memory`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Parametric, Tensor};
    /// let x = Tensor::from([-3.0, 0.5]);
    /// let (op, y_bar) = (Parametric::Clamp(-1.0, 1.0), Tensor::from([7.0, 7.0]));
    /// let x_bar = Tensor::parametric_vjp(op, &x, &x.map_parametric(op), y_bar)?;
    /// assert_eq!(x_bar.to_vec(), [0.0, 7.0]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn parametric_vjp(
        op: Parametric,
        x: &Tensor<F>,
        y: &Tensor<F>,
        mut y_bar: Tensor<F>,
    ) -> Result<Tensor<F>, ShapeError> {
        let name = op.name();
        for primal in [x, y] {
            if primal.shape() != y_bar.shape() {
                let (lhs, rhs) = (primal.shape().clone(), y_bar.shape().clone());
                return Err(ShapeError::Unequal { op: name, lhs, rhs });
            }
        }
        let (mut x_copy, mut y_copy, mut y_bar_copy) = (None, None, None);
        let (x, y) = (x.try_dense(name, &mut x_copy)?, y.try_dense(name, &mut y_copy)?);
        if let Some(bar) = y_bar.unique_mut() {
            elementwise::parametric_vjp_in_place(op, x, y, bar, Par::current());
            return Ok(y_bar);
        }
        let dense_bar = y_bar.try_dense(name, &mut y_bar_copy)?;
        Tensor::try_build(name, y_bar.shape(), |x_bar| {
            elementwise::parametric_vjp(op, x, y, dense_bar, x_bar, Par::current());
        })
    }

    /// An elementary function of the elements of two tensors, repeated to a common shape, named by its opcode.
    ///
    /// Every row of the table is a method as well: `a.zip_binary(Binary::Atan2, &b)` is `a.atan2(&b)`.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// # use wengert_kernels::Binary;
    /// let (a, b) = (Tensor::from([1.0, 5.0]), Tensor::from([3.0, 2.0]));
    /// assert_eq!(a.zip_binary(Binary::Maximum, &b).to_vec(), [3.0, 5.0]);
    /// ```
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
    /// Shapes: result like the operand.
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

    /// The pullback of an elementary function: `x_bar = y_bar dy/dx`, written over `y_bar` if nobody shares its
    /// storage.
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

    /// The pullback of an elementary function of two arguments: `a_bar = y_bar dy/da`, `b_bar = y_bar dy/db`, each
    /// summed to the shape of its operand, and each only if `wanted`.
    ///
    /// `y` is the value; it may be left out for `Add`, `Sub` and `Mul`. A cotangent that nobody shares is written over,
    /// where the operands fit it as they are. Zero times anything is zero.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`] when the operands do not broadcast, [`ShapeError::Unequal`] when their common shape is
    /// not that of `y_bar`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Binary, Tensor};
    /// let (a, b, y_bar) = (Tensor::from([2.0, 3.0]), Tensor::from([5.0]), Tensor::from([1.0, -1.0]));
    /// let [a_bar, b_bar] = Tensor::binary_vjp(Binary::Mul, &a, &b, None, y_bar, [true, true]).unwrap();
    /// assert_eq!((a_bar.unwrap().to_vec(), b_bar.unwrap().to_vec()), (vec![5.0, -5.0], vec![-1.0]));
    /// ```
    pub fn binary_vjp(
        op: Binary,
        a: &Tensor<F>,
        b: &Tensor<F>,
        y: Option<&Tensor<F>>,
        mut y_bar: Tensor<F>,
        wanted: [bool; 2],
    ) -> Result<[Option<Tensor<F>>; 2], ShapeError> {
        let name = op.name();
        let shape = Shape::broadcast(name, a.shape(), b.shape())?;
        for other in [Some(&y_bar), y].into_iter().flatten() {
            if *other.shape() != shape {
                return Err(ShapeError::Unequal { op: name, lhs: shape, rhs: other.shape().clone() });
            }
        }
        if matches!(op, Binary::Add | Binary::Sub) {
            // No product to take, and in most cases nothing to compute.
            let a_bar = wanted[0].then(|| y_bar.try_sum_to(a.shape())).transpose()?;
            let b_bar = if wanted[1] {
                let sum = if *b.shape() == shape { y_bar } else { y_bar.try_sum_to(b.shape())? };
                Some(if op == Binary::Sub { -sum } else { sum })
            } else {
                None
            };
            return Ok([a_bar, b_bar]);
        }
        let mut y_copy = None;
        let y = y.map(|y| y.try_dense(name, &mut y_copy)).transpose()?.unwrap_or_default();
        let to = [a, b];
        // The place of the cotangent goes to an operand of its shape, the last if both are.
        let heir = (0..2).rev().find(|&k| wanted[k] && *to[k].shape() == shape);
        if let (Some(k), Some(left), Some(right)) = (heir, whole(a, &shape), whole(b, &shape))
            && let Some(bar) = y_bar.unique_mut()
        {
            let mut other = if wanted[1 - k] { Some(Tensor::try_scratch_for(name, shape)?) } else { None };
            let side = if k == 0 { Side::Left } else { Side::Right };
            let (others, par) = (other.as_mut().map(Tensor::fresh_mut), Par::current());
            elementwise::binary_vjp_in_place(op, left, right, y, bar, side, others, par);
            let other = other.map(|bar| bar.try_sum_to(to[1 - k].shape())).transpose()?;
            return Ok(if k == 0 { [Some(y_bar), other] } else { [other, Some(y_bar)] });
        }
        let mut y_bar_copy = None;
        let y_bar = y_bar.try_dense(name, &mut y_bar_copy)?;
        // One operand at a time: `a` and `b` come in runs, `y` and `y_bar` are where the run is.
        let pull_back = |left: bool, to: &Tensor<F>| {
            let bar = try_zip_broadcast(name, a, b, |a, b, bar, at| {
                let here = at..at + bar.len();
                let (y, y_bar) = (y.get(here.clone()).unwrap_or_default(), &y_bar[here]);
                let (a_bar, b_bar) = if left { (Some(bar), None) } else { (None, Some(bar)) };
                elementwise::binary_vjp(op, a, b, y, y_bar, a_bar, b_bar, Par::current());
            })?;
            bar.try_sum_to(to.shape())
        };
        Ok([wanted[0].then(|| pull_back(true, a)).transpose()?, wanted[1].then(|| pull_back(false, b)).transpose()?])
    }
}

macro_rules! unary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) { $($row:tt)* } )*) => {
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
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) { $($row:tt)* } )*) => {
        /// Elementary functions of the elements of two tensors, repeated to a common shape; the other one may be a
        /// number.
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

macro_rules! parametric_methods {
    // Powers have a method of their own, by squaring.
    (@each $(#[$doc:meta])* $Op:ident powi ($($p:ident: $P:ty),*)) => {};
    (@each $(#[$doc:meta])* $Op:ident $method:ident ($($p:ident: $P:ty),*)) => {
        impl<F: FloatElement> Tensor<F> {
            $(#[$doc])*
            #[must_use]
            #[inline]
            #[track_caller]
            pub fn $method(&self, $($p: $P),*) -> Tensor<F> {
                self.map_parametric(Parametric::$Op($($p),*))
            }
        }
    };
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident; $($p:ident: $P:ty),*) { $($row:tt)* } )*) => {
        $( parametric_methods! { @each $(#[$doc])* $Op $method ($($p: $P),*) } )*
    };
}
wengert_kernels::parametric_table!(parametric_methods);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    #[test]
    fn methods_are_the_scalar_functions_element_by_element() {
        for &op in Unary::ALL {
            let (low, high) = op.domain();
            let x = Tensor::<f64>::uniform([3, 5], low, high, &mut rng(1));
            for view in [x.clone(), x.t()] {
                for (y, x) in view.map_unary(op).iter().zip(&view) {
                    let expected: f64 = op.eval(x);
                    assert!(
                        (y - expected).abs() <= 4.0 * f64::EPSILON * expected.abs().max(1.0),
                        "{} at {x}",
                        op.name()
                    );
                }
            }
        }
        assert_eq!(Tensor::from([4.0, 9.0]).sqrt().to_vec(), [2.0, 3.0]);
        assert_eq!(Tensor::from([-1.0, 2.0]).maximum(0.5).to_vec(), [0.5, 2.0]);
        assert_eq!(Tensor::from([3.0]).hypot(Tensor::from([[4.0], [0.0]])).to_vec(), [5.0, 3.0]);
    }

    #[test]
    fn unary_pullbacks_are_the_tables_derivatives_in_place_or_not() {
        for &op in Unary::ALL {
            let (low, high) = op.domain();
            let x = Tensor::<f64>::uniform([20], low, high, &mut rng(2));
            let (y, y_bar) = (x.map_unary(op), Tensor::<f64>::normal([20], 0.0, 1.0, &mut rng(3)));
            let shared = Tensor::unary_vjp(op, Some(&x), Some(&y), y_bar.clone()).unwrap();
            for ((x_bar, x), y_bar) in shared.iter().zip(&x).zip(&y_bar) {
                let expected: f64 = y_bar * op.derivative(x, op.eval(x));
                assert!((x_bar - expected).abs() <= 8.0 * f64::EPSILON * expected.abs().max(1.0), "{}", op.name());
            }
            let address = y_bar.storage().as_ptr();
            let x = op.keeps_argument().then_some(&x);
            let alone = Tensor::unary_vjp(op, x, op.keeps_result().then_some(&y), y_bar).unwrap();
            assert_eq!(alone, shared, "{}", op.name());
            assert_eq!(alone.storage().as_ptr(), address, "written over its cotangent");
        }
    }

    #[test]
    fn a_kept_derivative_has_the_bits_of_the_pullback_that_computes_it() {
        fn agree<F: FloatElement>() {
            let dear: Vec<Unary> = Unary::ALL.iter().copied().filter(|op| op.is_dear_alone()).collect();
            assert!(dear.contains(&Unary::Gelu));
            for op in dear {
                // Long enough for several threads, and not a multiple of any vector; views, infinities and zeros too.
                let mut x = Tensor::<F>::normal([3, 70_003], F::ZERO, F::from_f64(3.0), &mut rng(1));
                for (x, special) in x.make_mut().iter_mut().zip([F::ZERO, -F::INFINITY, F::INFINITY, F::NAN]) {
                    *x = special;
                }
                let y_bar = Tensor::<F>::normal([70_003, 3], F::ZERO, F::ONE, &mut rng(2));
                let x = x.t();
                let bits = |x: &Tensor<F>| x.iter().map(|x| x.to_f64().to_bits()).collect::<Vec<_>>();
                let (y, slope) = x.try_map_with_slope(op).unwrap();
                assert!(bits(&y) == bits(&x.map_unary(op)), "{}", op.name());
                // The pullback of `exp` is the product with its value.
                let by_slope = |y_bar| Tensor::unary_vjp(Unary::Exp, None, Some(&slope), y_bar).unwrap();
                let expected = bits(&Tensor::unary_vjp(op, Some(&x), Some(&y), y_bar.clone()).unwrap());
                assert!(bits(&by_slope(y_bar.clone())) == expected, "{}", op.name());
                let address = y_bar.storage().as_ptr();
                let alone = by_slope(y_bar);
                assert!(bits(&alone) == expected, "{} in place", op.name());
                assert_eq!(alone.storage().as_ptr(), address, "written over its cotangent");
            }
        }
        agree::<f32>();
        agree::<f64>();
    }

    #[test]
    fn binary_pullbacks_sum_to_the_operands_shapes() {
        let shapes: &[(&[usize], &[usize])] = &[
            (&[3, 4], &[3, 4]),
            (&[3, 4], &[4]),
            (&[3, 1], &[3, 4]),
            (&[3, 4], &[]),
            (&[1, 4], &[3, 1]),
            (&[2, 1, 3], &[5, 1]),
        ];
        // There is no fifth derivative in the shape: the slope of the fourth is NaN.
        for &op in Binary::ALL.iter().filter(|op| **op != Binary::GammaPShape4) {
            let [(a_low, a_high), (b_low, b_high)] = op.domain();
            for &(a, b) in shapes {
                let a = Tensor::<f64>::uniform(a, a_low, a_high, &mut rng(1));
                let b = Tensor::<f64>::uniform(b, b_low, b_high, &mut rng(2));
                let y = a.zip_binary(op, &b);
                let y_bar = Tensor::<f64>::normal(y.shape(), 0.0, 1.0, &mut rng(3));
                let [a_bar, b_bar] = Tensor::binary_vjp(op, &a, &b, Some(&y), y_bar.clone(), [true, true]).unwrap();
                let partials = |left: bool| {
                    let partial = a.zip_map(&b, |a, b| {
                        let (da, db) = op.derivative(a, b, op.eval(a, b));
                        if left { da } else { db }
                    });
                    &y_bar * partial
                };
                for (got, expected) in
                    [(a_bar, partials(true).sum_to(a.shape())), (b_bar, partials(false).sum_to(b.shape()))]
                {
                    let error = (got.unwrap() - &expected).abs().max();
                    assert!(
                        error <= 1e-14 * expected.abs().max().max(1.0),
                        "{} {} {}",
                        op.name(),
                        a.shape(),
                        b.shape()
                    );
                }
            }
        }
    }

    #[test]
    fn zero_times_an_infinite_partial_is_zero() {
        let (x, y) = (Tensor::from([0.0, 1.0]), Tensor::from([0.0, 1.0]));
        let x_bar = Tensor::unary_vjp(Unary::Sqrt, Some(&x), Some(&y), Tensor::from([0.0, 0.0])).unwrap();
        assert_eq!(x_bar.to_vec(), [0.0, 0.0]);
        let (a, b) = (Tensor::from([[1.0], [2.0]]), Tensor::from([0.0, f64::INFINITY]));
        let y_bar = Tensor::from([[1.0, 0.0], [1.0, 0.0]]);
        let [a_bar, _] = Tensor::binary_vjp(Binary::Mul, &a, &b, None, y_bar, [true, false]).unwrap();
        assert_eq!(a_bar.unwrap().to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn only_what_is_wanted_is_computed_and_nothing_is_copied_for_sums() {
        let (a, b, y_bar) = (Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0]), Tensor::from([1.0, 1.0]));
        let [a_bar, b_bar] = Tensor::binary_vjp(Binary::Add, &a, &b, None, y_bar.clone(), [true, false]).unwrap();
        assert!(a_bar.unwrap().shares_storage(&y_bar) && b_bar.is_none());
        let error = Tensor::binary_vjp(Binary::Mul, &a, &b, None, Tensor::from([1.0]), [true, true]).unwrap_err();
        assert!(matches!(error, ShapeError::Unequal { .. }));
    }

    #[test]
    fn a_cotangent_that_nobody_shares_is_written_over() {
        let normal = |seed| Tensor::<f64>::normal([3, 50_001], 0.0, 1.0, &mut rng(seed));
        let (a, b, y_bar) = (normal(1), normal(2), normal(3));
        let (number, row) = (Tensor::scalar(0.5), Tensor::from_fn([50_001], |k| k[0] as f64 - 7.0));
        for op in [Binary::Mul, Binary::Div, Binary::Hypot, Binary::Sub] {
            for (a, b, heirs) in [(&a, &b, [true, true]), (&a, &number, [true, false]), (&number, &b, [false, true])] {
                let y = a.zip_binary(op, b);
                let [a_bar, b_bar] = Tensor::binary_vjp(op, a, b, Some(&y), y_bar.clone(), [true, true]).unwrap();
                for wanted in [[true, true], [true, false], [false, true]] {
                    let alone = &y_bar + 0.0;
                    let address = alone.storage().as_ptr();
                    let bars = Tensor::binary_vjp(op, a, b, Some(&y), alone, wanted).unwrap();
                    let kept =
                        |bar: &Option<Tensor<f64>>| bar.as_ref().is_some_and(|bar| bar.storage().as_ptr() == address);
                    let expected = (0..2).any(|k| wanted[k] && heirs[k]);
                    assert_eq!(bars.iter().any(kept), expected, "{} {wanted:?}", op.name());
                    for ((bar, shared), wanted) in bars.into_iter().zip([&a_bar, &b_bar]).zip(wanted) {
                        assert_eq!(bar, wanted.then(|| shared.clone().unwrap()), "{} {wanted}", op.name());
                    }
                }
            }
        }
        // Rows of the operand are not where those of the cotangent are: not in place, and no less right.
        let [a_bar, b_bar] = Tensor::binary_vjp(Binary::Mul, &a, &row, None, &y_bar + 0.0, [true, true]).unwrap();
        assert_eq!((a_bar, b_bar), (Some(&y_bar * &row), Some((&y_bar * &a).sum_to(row.shape()))));
        let (op, alone) = (Parametric::Clamp(-0.5, 0.5), &y_bar + 0.0);
        let (y, address) = (a.map_parametric(op), alone.storage().as_ptr());
        let shared = Tensor::parametric_vjp(op, &a, &y, y_bar.clone()).unwrap();
        let alone = Tensor::parametric_vjp(op, &a, &y, alone).unwrap();
        assert_eq!((&alone, alone.storage().as_ptr()), (&shared, address));
        let inside = a.map(|a| if a.abs() <= 0.5 { 1.0 } else { 0.0 });
        assert_eq!(shared, &y_bar * inside);
    }

    #[test]
    fn powers_by_squaring() {
        let x = Tensor::from([0.0, 1.5, -2.0, f64::NAN]);
        for n in [-3, -1, 0, 1, 2, 3, 7, 10] {
            for (got, x) in x.powi(n).iter().zip(&x) {
                let expected = x.powi(n);
                assert!(
                    got == expected || (got / expected - 1.0).abs() < 1e-15 || got.is_nan() && expected.is_nan(),
                    "{x}^{n}"
                );
            }
        }
        assert_eq!(Tensor::from([f64::INFINITY]).powi(i32::MIN).to_vec(), [0.0]);
    }
}
