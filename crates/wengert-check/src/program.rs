//! What can be checked: scalar functions on every kind of number, and tensor closures.

use crate::error::CheckError;
use wengert_core::{Dual, Error, ScalarFn, Tape, TensorVar, transform};
use wengert_tensor::{Tensor, rng};

/// A function of tensors with one number as result, and its derivatives from the tape.
///
/// Implemented by what [`check`](crate::check), [`check_tensor`](crate::check_tensor) and
/// [`check_tensors`](crate::check_tensors) make; not for implementing elsewhere.
pub trait Program {
    /// The value without a gradient.
    #[doc(hidden)]
    fn value(&self, x: &[Tensor<f64>]) -> Result<f64, CheckError>;
    /// The value and the gradient from the tape.
    #[doc(hidden)]
    fn value_and_gradient(&self, x: &[Tensor<f64>]) -> Result<(f64, Vec<Tensor<f64>>), CheckError>;
    /// The derivative in direction `v` by forward mode, where there is one.
    #[doc(hidden)]
    fn tangent(&self, x: &[Tensor<f64>], v: &[Tensor<f64>]) -> Result<Option<f64>, CheckError>;
    /// The Hessian times `v`.
    #[doc(hidden)]
    fn hessian_product(&self, x: &[Tensor<f64>], v: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>, CheckError>;
}

/// A [`ScalarFn`] as a program of one input.
#[derive(Debug, Clone)]
pub struct Scalars<F>(pub(crate) F);

impl<F: ScalarFn> Program for Scalars<F> {
    fn value(&self, x: &[Tensor<f64>]) -> Result<f64, CheckError> {
        Ok(self.0.call(&x[0].to_vec()))
    }

    fn value_and_gradient(&self, x: &[Tensor<f64>]) -> Result<(f64, Vec<Tensor<f64>>), CheckError> {
        let tape = Tape::new();
        let inputs = tape.vars(&x[0].to_vec());
        let y = self.0.call(&inputs);
        let gradients = y.try_gradient()?;
        Ok((y.value(), vec![inputs.iter().map(|&x| gradients.get(x).unwrap_or(0.0)).collect()]))
    }

    fn tangent(&self, x: &[Tensor<f64>], v: &[Tensor<f64>]) -> Result<Option<f64>, CheckError> {
        let moving: Vec<Dual<f64, 1>> =
            x[0].iter().zip(v[0].iter()).map(|(value, v)| Dual { value, tangents: [v] }).collect();
        Ok(Some(self.0.call(&moving).tangents[0]))
    }

    fn hessian_product(&self, x: &[Tensor<f64>], v: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>, CheckError> {
        if x[0].is_empty() {
            // The transform refuses a function of nothing; here it has nothing to be wrong.
            return Ok(vec![x[0].clone()]);
        }
        Ok(vec![transform::try_hvp(&self.0, &x[0].to_vec(), &v[0].to_vec())?.into()])
    }
}

/// A closure of one or several tensors.
pub trait TensorFn<const N: usize> {
    /// The result on a tape.
    #[doc(hidden)]
    fn call<'t>(&self, x: [TensorVar<'t, f64>; N]) -> TensorVar<'t, f64>;
}

/// A closure of one tensor.
#[derive(Debug, Clone)]
pub struct One<C>(pub(crate) C);

impl<C: for<'t> Fn(TensorVar<'t, f64>) -> TensorVar<'t, f64>> TensorFn<1> for One<C> {
    fn call<'t>(&self, [x]: [TensorVar<'t, f64>; 1]) -> TensorVar<'t, f64> {
        (self.0)(x)
    }
}

/// A closure of several tensors.
#[derive(Debug, Clone)]
pub struct Several<C>(pub(crate) C);

impl<C, const N: usize> TensorFn<N> for Several<C>
where
    C: for<'t> Fn([TensorVar<'t, f64>; N]) -> TensorVar<'t, f64>,
{
    fn call<'t>(&self, x: [TensorVar<'t, f64>; N]) -> TensorVar<'t, f64> {
        (self.0)(x)
    }
}

/// A tensor closure as a program: a result that is not one number is reduced with a random cotangent.
#[derive(Debug, Clone)]
pub struct Tensors<C, const N: usize>(pub(crate) C);

impl<C: TensorFn<N>, const N: usize> Tensors<C, N> {
    /// The result as one number: `sum_i w_i y_i` with fixed weights around 1, so that no sum of adjoints cancels by
    /// symmetry (all weights 1 would hide any mistake in softmax).
    fn reduced<'t>(&self, tape: &'t Tape<f64>, x: [TensorVar<'t, f64>; N]) -> TensorVar<'t, f64> {
        let y = self.0.call(x);
        if y.value().len() == 1 {
            return y;
        }
        let weights = Tensor::uniform(y.shape(), 0.5, 1.5, &mut rng(0x5EED));
        (y * tape.constant_tensor(weights)).sum()
    }
}

impl<C: TensorFn<N>, const N: usize> Program for Tensors<C, N> {
    fn value(&self, x: &[Tensor<f64>]) -> Result<f64, CheckError> {
        let tape = Tape::new();
        let constants = core::array::from_fn(|k| tape.constant_tensor(&x[k]));
        Ok(self.reduced(&tape, constants).item())
    }

    fn value_and_gradient(&self, x: &[Tensor<f64>]) -> Result<(f64, Vec<Tensor<f64>>), CheckError> {
        let tape = Tape::new();
        let inputs: [_; N] = core::array::from_fn(|k| tape.tensor(&x[k]));
        let y = self.reduced(&tape, inputs);
        let gradients = y.try_gradient()?;
        Ok((y.item(), inputs.map(|x| gradients[x].clone()).into()))
    }

    fn tangent(&self, x: &[Tensor<f64>], v: &[Tensor<f64>]) -> Result<Option<f64>, CheckError> {
        let tape = Tape::new();
        let inputs: [_; N] = core::array::from_fn(|k| tape.tensor(&x[k]));
        let y = self.reduced(&tape, inputs);
        match tape.try_jvp_tensors([y], inputs.into_iter().zip(v)) {
            // A program that leaves tensors has a gradient and no tangent.
            Err(Error::ScalarsBetween { .. }) => Ok(None),
            tangents => Ok(Some(tangents?[0].item())),
        }
    }

    fn hessian_product(&self, x: &[Tensor<f64>], v: &[Tensor<f64>]) -> Result<Vec<Tensor<f64>>, CheckError> {
        let tape = Tape::new();
        let inputs: [_; N] = core::array::from_fn(|k| tape.tensor(&x[k]));
        let gradient = self.reduced(&tape, inputs).try_recorded_gradient(inputs)?;
        let mut along = tape.constant_tensor(0.0);
        for (x_bar, v) in gradient.into_iter().zip(v) {
            along += (x_bar * tape.constant_tensor(v)).sum();
        }
        let gradients = along.try_gradient()?;
        Ok(inputs.map(|x| gradients[x].clone()).into())
    }
}
