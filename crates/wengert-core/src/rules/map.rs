//! Elementary functions of one argument, element by element.
//!
//! Shapes: `x: [..]`, `y: [..]`. Cotangent: `x_bar = y_bar dy/dx`, zero wherever `y_bar` is.

use super::{Array, Cotangents, Op, one};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::{Unary, UnaryFunctions, unary_table};
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Map<F>(Unary, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Map<F> {
    const NAME: &'static str = "map";

    #[inline]
    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        Ok(x[0].map_unary(self.0))
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(A::unary_pullback(self.0, x[0], y, y_bar))
    }
}

pub(crate) fn map<F: TensorFloat, A: Array<F>>(op: Unary, x: &A) -> A {
    Map(op, PhantomData).on(&[x])
}

macro_rules! unary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) { $($body:tt)* } )*) => {
        impl<F: TensorFloat> UnaryFunctions for TensorVar<'_, F> {
            $(
                #[track_caller]
                fn $method(self) -> Self {
                    self.record1(Map(Unary::$Op, PhantomData))
                }
            )*
        }
    };
}
unary_table!(unary_methods);
