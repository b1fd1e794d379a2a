//! What a tape shows of itself, against text, counts and places written by hand.

mod drawn;
mod nonfinite;
mod times;

use crate::TensorOp;
use crate::prelude::*;
use wengert_tensor::{ShapeError, Tensor};

/// Scalars, tensors and both bridges between them.
fn small(tape: &Tape) -> Var<'_> {
    let (a, b) = (tape.var(3.0), tape.var(2.0));
    let c = a * b;
    let w = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    let x = tape.constant_tensor([[1.0], [1.0]]);
    let z = w.matmul(x).reshape([2]).retain();
    let y = z.sum().scalar() * c;
    tape.pack(&[y, a]).square().sum().scalar()
}

/// An op with a name that needs escaping everywhere.
struct Quoted;
impl TensorOp for Quoted {
    fn name(&self) -> &'static str {
        "say \"hi\" \\ {now"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
        Ok(x[0].clone())
    }
    fn vjp<'t>(
        &self,
        _x: &[TensorVar<'t, f64>],
        _y: TensorVar<'t, f64>,
        y_bar: TensorVar<'t, f64>,
        _wanted: &[bool],
    ) -> Vec<Option<TensorVar<'t, f64>>> {
        vec![Some(y_bar)]
    }
}
