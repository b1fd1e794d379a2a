//! Elementary functions of two arguments, element by element, with broadcasting: arithmetic, powers, `maximum`.
//!
//! Shapes: `a` and `b` broadcast against each other (axes aligned at the end; a dimension of 1 repeats), `y` has the
//! broadcast shape. Cotangents: `y_bar dy/da` and `y_bar dy/db`, summed over what was repeated.

use super::pushforward::total;
use super::sum::broadcast_to;
use super::{Array, Cotangents, Fusible, Op, two};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Sub, SubAssign};
use wengert_kernels::{Binary, BinaryFunctions, binary_table};
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Zip<F>(Binary, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Zip<F> {
    const NAME: &'static str = "zip";

    fn label(&self) -> &'static str {
        match self.0 {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            op => op.name(),
        }
    }

    #[inline]
    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_zip_binary(self.0, x[1])
    }

    fn fusible(&self) -> Fusible<F> {
        Fusible::Binary(self.0)
    }

    #[inline]
    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let [a_bar, b_bar] = A::binary_pullback(self.0, x[0], x[1], y, y_bar, [wanted[0], wanted[1]]);
        two(a_bar, b_bar)
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        // At every element for itself, with all operands repeated to one shape, pullback and pushforward are the same.
        let shape = y.shape();
        let (a, b) = (broadcast_to(x[0], &shape), broadcast_to(x[1], &shape));
        let term = |k: usize| {
            let x_dot = broadcast_to(x_dot[k]?, &shape);
            A::binary_pullback(self.0, &a, &b, y, x_dot, [k == 0, k == 1])[k].take()
        };
        total([term(0), term(1)], &shape)
    }

    #[inline]
    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        // A sum hands its cotangent on: the buffer itself, where one operand wants it.
        if self.0 == Binary::Add && x[0].shape() == x[1].shape() {
            return match wanted {
                [true, false] => two(Some(y_bar), None),
                [false, _] => two(None, Some(y_bar)),
                _ => two(Some(y_bar.clone()), Some(y_bar)),
            };
        }
        self.vjp(x, y, y_bar, wanted)
    }
}

pub(crate) fn zip<F: TensorFloat, A: Array<F>>(op: Binary, a: &A, b: &A) -> A {
    Zip(op, PhantomData).on(&[a, b])
}

macro_rules! binary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) { $($body:tt)* } )*) => {
        impl<F: TensorFloat> BinaryFunctions for TensorVar<'_, F> {
            $(
                #[track_caller]
                fn $method(self, $b: Self) -> Self {
                    self.record2(Zip(Binary::$Op, PhantomData), $b)
                }
            )*
        }
    };
}
binary_table!(binary_methods);

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// An elementary function of two tensors by its opcode, with broadcasting; `try_zip(Binary::Maximum, b)` is the
    /// fallible form of `a.maximum(b)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not broadcast, [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_zip(self, op: Binary, other: Self) -> Result<Self, Error> {
        self.try_record2(Zip(op, PhantomData), other)
    }
}

macro_rules! arithmetic {
    ($($Op:ident $op:ident $try_op:ident $OpAssign:ident $op_assign:ident;)*) => {
        $(
            impl<'t, F: TensorFloat> $Op for TensorVar<'t, F> {
                type Output = Self;
                #[inline]
                #[track_caller]
                fn $op(self, other: Self) -> Self {
                    self.record2(Zip(Binary::$Op, PhantomData), other)
                }
            }
            // A plain tensor is a constant of the variable's tape.
            impl<'t, F: TensorFloat> $Op<&Tensor<F>> for TensorVar<'t, F> {
                type Output = Self;
                #[inline]
                #[track_caller]
                fn $op(self, other: &Tensor<F>) -> Self {
                    $Op::$op(self, self.tape().constant_tensor(other))
                }
            }
            impl<'t, F: TensorFloat> $Op<TensorVar<'t, F>> for &Tensor<F> {
                type Output = TensorVar<'t, F>;
                #[inline]
                #[track_caller]
                fn $op(self, other: TensorVar<'t, F>) -> TensorVar<'t, F> {
                    $Op::$op(other.tape().constant_tensor(self), other)
                }
            }
            impl<'t, F: TensorFloat, T> $OpAssign<T> for TensorVar<'t, F>
            where
                Self: $Op<T, Output = Self>,
            {
                #[inline]
                #[track_caller]
                fn $op_assign(&mut self, other: T) {
                    *self = $Op::$op(*self, other);
                }
            }
        )*
        impl<'t, F: TensorFloat> TensorVar<'t, F> {
            $(
                #[doc = concat!("The operator `", stringify!($op), "`, returning what does not fit.")]
                ///
                /// # Errors
                /// [`Error::Shape`] if the shapes do not broadcast, [`Error::MixedTapes`] if the operands are of two
                /// tapes.
                #[track_caller]
                pub fn $try_op(self, other: Self) -> Result<Self, Error> {
                    self.try_zip(Binary::$Op, other)
                }
            )*
        }
    };
}
arithmetic! {
    Add add try_add AddAssign add_assign;
    Sub sub try_sub SubAssign sub_assign;
    Mul mul try_mul MulAssign mul_assign;
    Div div try_div DivAssign div_assign;
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use wengert_tensor::Tensor;

    #[test]
    fn plain_tensors_are_constants_on_either_side() {
        let tape = Tape::new();
        let x = tape.tensor([[1.0, 2.0], [4.0, 8.0]]);
        let c = Tensor::from([2.0, 16.0]); // repeated along axis 0
        let of = |y: TensorVar<'_, f64>| (y.value().to_vec(), y.sum().gradient()[x].to_vec());
        assert_eq!(of(x + &c), (vec![3.0, 18.0, 6.0, 24.0], vec![1.0; 4]));
        assert_eq!(of(&c + x), (vec![3.0, 18.0, 6.0, 24.0], vec![1.0; 4]));
        assert_eq!(of(x - &c), (vec![-1.0, -14.0, 2.0, -8.0], vec![1.0; 4]));
        assert_eq!(of(&c - x), (vec![1.0, 14.0, -2.0, 8.0], vec![-1.0; 4]));
        assert_eq!(of(x * &c), (vec![2.0, 32.0, 8.0, 128.0], vec![2.0, 16.0, 2.0, 16.0]));
        assert_eq!(of(&c * x), (vec![2.0, 32.0, 8.0, 128.0], vec![2.0, 16.0, 2.0, 16.0]));
        assert_eq!(of(x / &c), (vec![0.5, 0.125, 2.0, 0.5], vec![0.5, 0.0625, 0.5, 0.0625]));
        // -c / x^2
        assert_eq!(of(&c / x), (vec![2.0, 8.0, 0.5, 2.0], vec![-2.0, -4.0, -0.125, -0.25]));
        let mut y = x;
        y *= &c;
        assert_eq!(y.value(), (x * &c).value());
    }

    #[test]
    #[should_panic(expected = "sub: shapes [2] and [3] do not broadcast")]
    fn plain_tensors_of_another_shape_are_refused() {
        let _ = Tape::new().tensor([1.0, 2.0]) - &Tensor::ones([3]);
    }
}
