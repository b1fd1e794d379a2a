//! Operations with constants: `y = scale x + shift`.
//!
//! Shapes: `x: [..]`, `y: [..]`. Cotangent: `x_bar = scale y_bar`, 0 where `y_bar` is, of an infinite `scale` too.

use super::zip::zip;
use super::{Array, Cotangents, Fusible, Op, Pushforward, one, zeros};
use crate::tensor::{TensorFloat, TensorVar};
use core::ops::{Add, Div, Mul, Sub};
use wengert_kernels::{Binary, Elementary};
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Affine<F> {
    pub(crate) scale: F,
    /// -0 for none: it leaves zeros of both signs as they are, where `-x + 0` is not `-x` at 0.
    pub(crate) shift: F,
}

/// Whether adding `shift` changes nothing.
pub(crate) fn is_none<F: TensorFloat>(shift: F) -> bool {
    shift == F::ZERO && shift.to_f64().is_sign_negative()
}

impl<F: TensorFloat> Op<F> for Affine<F> {
    const NAME: &'static str = "affine";
    const PUSHFORWARD: Pushforward = Pushforward::Symmetric;

    #[inline]
    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let Affine { scale, shift } = *self;
        let with = |op, x: &Tensor<F>, c| x.try_zip_binary(op, &Tensor::scalar(c));
        match (scale == F::ONE, is_none(shift)) {
            (true, _) => with(Binary::Add, x[0], shift),
            (_, true) => with(Binary::Mul, x[0], scale),
            _ => with(Binary::Add, &with(Binary::Mul, x[0], scale)?, shift),
        }
    }

    fn fusible(&self) -> Fusible<F> {
        Fusible::Affine { scale: self.scale, shift: self.shift }
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(match self.scale {
            scale if scale == F::ONE => y_bar,
            scale if scale == F::ZERO => y_bar.constant(zeros(&y_bar.shape())),
            scale if scale.is_finite() => scaled(&y_bar, scale),
            scale => zip(Binary::MulZero, &y_bar, &y_bar.constant(Tensor::scalar(scale))),
        })
    }

    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        if self.scale == F::ONE || self.scale == F::ZERO || !self.scale.is_finite() {
            return self.vjp(x, y, y_bar, wanted);
        }
        // Into its own memory, if nobody shares it.
        one(y_bar * self.scale)
    }
}

pub(crate) fn scaled<F: TensorFloat, A: Array<F>>(x: &A, scale: F) -> A {
    Affine { scale, shift: -F::ZERO }.on(&[x])
}

macro_rules! with_constants {
    ($($F:ident)*) => { $(
        with_constants! { $F
            Add add |c| (1.0, c), (1.0, c);
            Sub sub |c| (1.0, -c), (-1.0, c);
            Mul mul |c| (c, -0.0), (c, -0.0);
        }
        impl<'t> Div<$F> for TensorVar<'t, $F> {
            type Output = Self;
            #[inline]
            #[track_caller]
            fn div(self, c: $F) -> Self {
                // Not a product with 1/c, which rounds twice.
                self / self.lit(f64::from(c))
            }
        }
        impl<'t> Div<TensorVar<'t, $F>> for $F {
            type Output = TensorVar<'t, $F>;
            #[inline]
            #[track_caller]
            fn div(self, x: TensorVar<'t, $F>) -> TensorVar<'t, $F> {
                x.lit(f64::from(self)) / x
            }
        }
    )* };
    ($F:ident $($Op:ident $op:ident |$c:ident| ($rs:expr, $rt:expr), ($ls:expr, $lt:expr);)*) => { $(
        impl<'t> $Op<$F> for TensorVar<'t, $F> {
            type Output = Self;
            #[inline]
            #[track_caller]
            fn $op(self, $c: $F) -> Self {
                self.record1(Affine { scale: $rs, shift: $rt })
            }
        }
        impl<'t> $Op<TensorVar<'t, $F>> for $F {
            type Output = TensorVar<'t, $F>;
            #[inline]
            #[track_caller]
            fn $op(self, x: TensorVar<'t, $F>) -> TensorVar<'t, $F> {
                let $c = self;
                x.record1(Affine { scale: $ls, shift: $lt })
            }
        }
    )* };
}
with_constants!(f32 f64);
