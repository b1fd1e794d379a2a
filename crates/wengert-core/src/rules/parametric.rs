//! Elementary functions of one argument and constants, element by element: integer powers, polygamma functions, bounds.
//!
//! Shapes: `x: [..]`, `y: [..]`. Cotangent: `x_bar = y_bar dy/dx`, zero wherever `y_bar` is; the constants get none.

use super::{Array, Cotangents, Fusible, Op, Pushforward, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::{Elementary, Parametric, ParametricFunctions, parametric_table};
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Parameterized<F>(Parametric, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Parameterized<F> {
    const NAME: &'static str = "parametric";
    const PUSHFORWARD: Pushforward = Pushforward::Symmetric;

    fn label(&self) -> &'static str {
        self.0.name()
    }

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_map_parametric(self.0)
    }

    fn fusible(&self) -> Fusible<F> {
        Fusible::Parametric(self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(A::parametric_pullback(self.0, x[0], y, y_bar))
    }
}

macro_rules! parametric_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident; $($p:ident: $P:ty),*) { $($body:tt)* } )*) => {
        impl<F: TensorFloat> ParametricFunctions for TensorVar<'_, F> {
            $(
                #[track_caller]
                fn $method(self, $($p: $P),*) -> Self {
                    self.record1(Parameterized(Parametric::$Op($($p),*), PhantomData))
                }
            )*
        }
    };
}
parametric_table!(parametric_methods);

pub(super) fn parametric<F: TensorFloat, A: Array<F>>(op: Parametric, x: &A) -> A {
    Parameterized(op, PhantomData).on(&[x])
}

impl<F: TensorFloat> TensorVar<'_, F> {
    /// A function with constants by its opcode; the fallible form of its method.
    #[track_caller]
    pub(super) fn try_parametric(self, op: Parametric) -> Result<Self, Error> {
        self.try_record1(Parameterized(op, PhantomData))
    }
}

impl<F: TensorFloat> Elementary for TensorVar<'_, F> {
    fn lit(self, c: f64) -> Self {
        self.tape().constant_tensor(Tensor::scalar(F::from_f64(c)))
    }
}
