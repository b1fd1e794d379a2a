//! Elementary functions of one argument, element by element.
//!
//! Shapes: `x: [..]`, `y: [..]`. Cotangent: `x_bar = y_bar dy/dx`, zero wherever `y_bar` is.

use super::{Array, Cotangents, Fusible, Op, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::{Unary, UnaryFunctions, unary_table};
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Map<F>(Unary, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Map<F> {
    const NAME: &'static str = "map";

    fn label(&self) -> &'static str {
        if self.0 == Unary::Neg { "neg" } else { self.0.name() }
    }

    #[inline]
    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_map_unary(self.0)
    }

    fn fusible(&self) -> Fusible<F> {
        Fusible::Unary(self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(A::unary_pullback(self.0, x[0], y, y_bar))
    }
}

pub(crate) fn map<F: TensorFloat, A: Array<F>>(op: Unary, x: &A) -> A {
    Map(op, PhantomData).on(&[x])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// An elementary function by its opcode; `try_unary(Unary::Tanh)` is the fallible form of `x.tanh()`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no memory for the result.
    #[track_caller]
    pub fn try_unary(self, op: Unary) -> Result<Self, Error> {
        self.try_record1(Map(op, PhantomData))
    }
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
