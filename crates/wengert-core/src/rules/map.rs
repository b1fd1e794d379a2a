//! Elementary functions of one argument, element by element.
//!
//! Shapes: `x: [..]`, `y: [..]`. Cotangent: `x_bar = y_bar dy/dx`, zero wherever `y_bar` is. Keeps `dy/dx` of the
//! functions that are computed with it at little more cost, if a gradient will flow.

use super::{Array, Cotangents, Fusible, Op, Pushforward, fitting, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::ops::Neg;
use wengert_kernels::{Unary, UnaryFunctions, unary_table};
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Map<F: TensorFloat> {
    op: Unary,
    /// Boxed: the largest op sets the size of all nodes.
    slope: Option<Box<Tensor<F>>>,
}

impl<F: TensorFloat> Map<F> {
    fn new(op: Unary) -> Self {
        Map { op, slope: None }
    }
}

impl<F: TensorFloat> Op<F> for Map<F> {
    const NAME: &'static str = "map";
    const PUSHFORWARD: Pushforward = Pushforward::Symmetric;

    fn label(&self) -> &'static str {
        if self.op == Unary::Neg { "neg" } else { self.op.name() }
    }

    #[inline]
    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_map_unary(self.op)
    }

    #[inline]
    fn forward_recorded(&mut self, x: &[&Tensor<F>], wanted: &[bool]) -> Result<Tensor<F>, ShapeError> {
        if !self.op.is_dear_alone() || !wanted[0] {
            return self.forward(x);
        }
        let (y, slope) = x[0].try_map_with_slope(self.op)?;
        self.slope = Some(Box::new(slope));
        Ok(y)
    }

    fn fusible(&self) -> Fusible<F> {
        Fusible::Unary(self.op)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(A::unary_pullback(self.op, x[0], y, y_bar))
    }

    #[inline]
    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        match &self.slope {
            // The product with the rule that zero times anything is zero: the pullback of `exp`, whose derivative is
            // its value.
            Some(slope) => one(fitting(Tensor::unary_vjp(Unary::Exp, None, Some(slope), y_bar))),
            None => self.vjp(x, y, y_bar, wanted),
        }
    }
}

pub(crate) fn map<F: TensorFloat, A: Array<F>>(op: Unary, x: &A) -> A {
    Map::new(op).on(&[x])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// An elementary function by its opcode; `try_unary(Unary::Tanh)` is the fallible form of `x.tanh()`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no memory for the result.
    #[track_caller]
    pub fn try_unary(self, op: Unary) -> Result<Self, Error> {
        self.try_record1(Map::new(op))
    }
}

macro_rules! unary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) { $($body:tt)* } )*) => {
        impl<F: TensorFloat> UnaryFunctions for TensorVar<'_, F> {
            $(
                #[track_caller]
                fn $method(self) -> Self {
                    self.record1(Map::new(Unary::$Op))
                }
            )*
        }
    };
}
unary_table!(unary_methods);

impl<F: TensorFloat> Neg for TensorVar<'_, F> {
    type Output = Self;
    #[inline]
    #[track_caller]
    fn neg(self) -> Self {
        self.record1(Map::new(Unary::Neg))
    }
}
