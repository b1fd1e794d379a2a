//! Tensor ops of the user's.

use super::{Array, Cotangents, Op};
use crate::error::{Error, OrPanic};
use crate::tape::Tape;
use crate::tensor::{Operands, TensorFloat, TensorVar};
use core::panic::Location;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_tensor::{ShapeError, Tensor};

/// A tensor op of your own: a result computed from tensors, with its pullback.
///
/// The pullback is written once, with the ops of [`TensorVar`]: recorded it can be differentiated again, to any order;
/// in an ordinary sweep it runs on constants, which record nothing. Where a loop over the values is faster, add
/// [`pull`](TensorOp::pull), and a test that both agree: `wengert_check::check_tensor(..).orders(2)` uses `pull` for
/// the gradient, `vjp` for the second order and, transposed, for forward mode.
///
/// # Examples
/// The running sum along a vector, whose pullback is the running sum from the other end:
/// ```
/// use wengert_core::prelude::*;
/// use wengert_core::{TensorOp, TensorVar};
/// use wengert_tensor::{ShapeError, Tensor};
///
/// struct CumSum { backwards: bool }
/// impl TensorOp for CumSum {
///     fn name(&self) -> &'static str {
///         "cum_sum"
///     }
///     fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
///         let mut y = x[0].to_vec();
///         if self.backwards { y.reverse() }
///         for k in 1..y.len() {
///             y[k] += y[k - 1];
///         }
///         if self.backwards { y.reverse() }
///         Ok(Tensor::from_vec(x[0].shape().clone(), y))
///     }
///     fn vjp<'t>(&self, _x: &[TensorVar<'t, f64>], _y: TensorVar<'t, f64>, y_bar: TensorVar<'t, f64>, _: &[bool])
///         -> Vec<Option<TensorVar<'t, f64>>>
///     {
///         vec![Some(y_bar.apply(CumSum { backwards: !self.backwards }, &[]))]
///     }
/// }
/// let tape = Tape::new();
/// let x = tape.tensor([1.0, 2.0, 3.0]);
/// let y = x.apply(CumSum { backwards: false }, &[]);
/// assert_eq!(y.value().to_vec(), [1.0, 3.0, 6.0]);
/// assert_eq!((y * y).sum().gradient()[x].to_vec(), [20.0, 18.0, 12.0]);
/// ```
pub trait TensorOp<F: TensorFloat = f64>: Send + Sync + 'static {
    /// As error texts name it.
    fn name(&self) -> &'static str;

    /// The result, or what does not fit.
    ///
    /// # Errors
    /// Shapes the op is not defined for, with [`name`](Self::name) as the op.
    fn forward(&self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError>;

    /// The cotangents of the operands from that of the result, in order and in the operands' shapes; `None` where
    /// nothing flows. Those that are not `wanted` may be left out.
    ///
    /// Made of ops of `y_bar`, whatever it holds: forward mode differentiates what this returns in `y_bar`, at zero.
    fn vjp<'t>(
        &self,
        x: &[TensorVar<'t, F>],
        y: TensorVar<'t, F>,
        y_bar: TensorVar<'t, F>,
        wanted: &[bool],
    ) -> Vec<Option<TensorVar<'t, F>>>;

    /// The same on plain values; unless given, [`vjp`](Self::vjp) on constants.
    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: &Tensor<F>, wanted: &[bool]) -> Vec<Option<Tensor<F>>> {
        let tape = Tape::evaluating();
        let operands: SmallVec<[TensorVar<'_, F>; 4]> = x.iter().map(|&x| tape.constant_tensor(x)).collect();
        let (y, y_bar) = (tape.constant_tensor(y), tape.constant_tensor(y_bar));
        let cotangents = self.vjp(&operands, y, y_bar, wanted);
        cotangents.into_iter().map(|x_bar| x_bar.map(TensorVar::value)).collect()
    }
}

/// A user's op as a rule.
#[derive(Clone)]
pub(crate) struct Custom<F>(Arc<dyn TensorOp<F>>);

impl<F: TensorFloat> Op<F> for Custom<F> {
    const NAME: &'static str = "custom op";

    fn label(&self) -> &'static str {
        self.0.name()
    }

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        self.0.forward(x)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let cotangents = A::custom_pullback(&*self.0, x, y, y_bar, wanted);
        assert!(
            cotangents.len() == x.len(),
            "{}: the pullback returns {} cotangents for {} operands; return one for each, None where nothing flows",
            self.0.name(),
            cotangents.len(),
            x.len()
        );
        for (k, (x_bar, x)) in cotangents.iter().zip(x).enumerate() {
            if let Some(x_bar) = x_bar {
                let (left, right) = (x_bar.shape(), x.shape());
                assert!(
                    left == right,
                    "{}: the pullback returns a cotangent of shape {left} for operand {k} of shape {right}; they must be equal",
                    self.0.name()
                );
            }
        }
        cotangents.into_iter().collect()
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Applies an op of your own to this tensor and `others`, in this order.
    ///
    /// Shapes: as the op has it.
    ///
    /// # Panics
    /// With the text of the error that [`try_apply`](Self::try_apply) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::{TensorOp, prelude::*};
    /// # use wengert_tensor::{ShapeError, Tensor};
    /// /// Rounds, and lets the cotangent through as if it did not (straight-through).
    /// struct Round;
    /// impl TensorOp for Round {
    ///     fn name(&self) -> &'static str {
    ///         "round"
    ///     }
    ///     fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
    ///         x[0].try_map(f64::round)
    ///     }
    ///     fn vjp<'t>(&self, _x: &[TensorVar<'t, f64>], _y: TensorVar<'t, f64>, y_bar: TensorVar<'t, f64>, _: &[bool])
    ///         -> Vec<Option<TensorVar<'t, f64>>>
    ///     {
    ///         vec![Some(y_bar)]
    ///     }
    /// }
    /// let tape = Tape::new();
    /// let x = tape.tensor([0.4, 1.7]);
    /// let y = (x.apply(Round, &[]) * 5.0).sum();
    /// assert_eq!((y.item(), y.gradient()[x].to_vec()), (10.0, vec![5.0, 5.0]));
    /// ```
    #[track_caller]
    pub fn apply(self, op: impl TensorOp<F>, others: &[Self]) -> Self {
        self.try_apply(op, others).or_panic()
    }

    /// [`apply`](Self::apply), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] with what the op's [`forward`](TensorOp::forward) refuses, [`Error::MixedTapes`] if the
    /// operands are of two tapes.
    #[track_caller]
    pub fn try_apply(self, op: impl TensorOp<F>, others: &[Self]) -> Result<Self, Error> {
        let caller = Location::caller();
        for &other in others {
            self.same_tape(other, op.name(), caller)?;
        }
        let operands: Operands = core::iter::once(&self).chain(others).map(|x| x.number()).collect();
        self.tape().record_tensor(Custom(Arc::new(op)), &operands, caller)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::{TensorOp, TensorVar};
    use wengert_tensor::{ShapeError, Tensor};

    type Cotangents<'t> = Vec<Option<TensorVar<'t, f64>>>;

    /// `x sigmoid(x)`.
    struct Swish;
    impl TensorOp for Swish {
        fn name(&self) -> &'static str {
            "swish"
        }
        fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
            Ok(x[0].map(|x| x / (1.0 + (-x).exp())))
        }
        fn vjp<'t>(
            &self,
            x: &[TensorVar<'t, f64>],
            y: TensorVar<'t, f64>,
            y_bar: TensorVar<'t, f64>,
            _: &[bool],
        ) -> Cotangents<'t> {
            let s = x[0].sigmoid();
            vec![Some((y + s * (1.0 - y)) * y_bar)]
        }
    }

    /// `a b`, elementwise; operands that are not wanted get no cotangent.
    struct Product;
    impl TensorOp for Product {
        fn name(&self) -> &'static str {
            "product"
        }
        fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
            x[0].try_zip_binary(crate::Binary::Mul, x[1])
        }
        fn vjp<'t>(
            &self,
            x: &[TensorVar<'t, f64>],
            _y: TensorVar<'t, f64>,
            y_bar: TensorVar<'t, f64>,
            wanted: &[bool],
        ) -> Cotangents<'t> {
            vec![wanted[0].then(|| y_bar * x[1]), wanted[1].then(|| y_bar * x[0])]
        }
    }

    /// Misbehaves in its pullback: too few cotangents, or of the wrong shape.
    struct Broken(bool);
    impl TensorOp for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }
        fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
            Ok(x[0].clone())
        }
        fn vjp<'t>(
            &self,
            _: &[TensorVar<'t, f64>],
            _: TensorVar<'t, f64>,
            y_bar: TensorVar<'t, f64>,
            _: &[bool],
        ) -> Cotangents<'t> {
            if self.0 { vec![] } else { vec![Some(y_bar.sum())] }
        }
    }

    #[test]
    fn a_users_op_has_the_derivatives_of_its_composition() {
        let tape = Tape::new();
        let x = tape.tensor([-2.0, 0.0, 0.5, 3.0]);
        let composed = x * x.sigmoid();
        let own = x.apply(Swish, &[]);
        let near = |a: &Tensor<f64>, b: &Tensor<f64>| {
            a.iter().zip(b.iter()).all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs().max(1.0))
        };
        assert!(near(&own.value(), &composed.value()));
        assert!(near(&own.sum().gradient()[x], &composed.sum().gradient()[x]));
        let second = |y: TensorVar<'_, f64>| {
            let [dy] = y.square().sum().recorded_gradient([x]);
            dy.square().sum().gradient()[x].clone()
        };
        assert!(near(&second(own), &second(composed)));
    }

    #[test]
    fn operands_that_are_constants_are_not_wanted() {
        let tape = Tape::new();
        let (a, b) = (tape.tensor([1.0, 2.0]), tape.constant_tensor([3.0, 4.0]));
        let y = a.apply(Product, &[b]);
        assert_eq!(y.sum().gradient()[a].to_vec(), [3.0, 4.0]);
        assert!(!b.apply(Product, &[b]).is_active());
    }

    #[test]
    fn errors_name_the_op() {
        let (tape, other) = (Tape::new(), Tape::new());
        let (a, b) = (tape.tensor([1.0, 2.0]), other.tensor([3.0, 4.0]));
        let text = a.try_apply(Product, &[b]).expect_err("two tapes").to_string();
        assert!(text.contains(": product: operands belong to two tapes"), "{text}");
        assert!(a.try_apply(Product, &[tape.tensor([1.0, 2.0, 3.0])]).is_err());
    }

    #[test]
    #[should_panic(expected = "broken: the pullback returns 0 cotangents for 1 operands; return one for each")]
    fn too_few_cotangents_are_refused() {
        let tape = Tape::new();
        tape.tensor([1.0, 2.0]).apply(Broken(true), &[]).sum().gradient();
    }

    #[test]
    #[should_panic(expected = "broken: the pullback returns a cotangent of shape [] for operand 0 of shape [2]")]
    fn cotangents_of_the_wrong_shape_are_refused() {
        let tape = Tape::new();
        tape.tensor([1.0, 2.0]).apply(Broken(false), &[]).sum().gradient();
    }
}
