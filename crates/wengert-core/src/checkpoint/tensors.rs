//! One piece of a program of tensors, recorded when the sweep arrives.

use crate::error::{Error, OrPanic};
use crate::rules::TensorOp;
use crate::tape::Tape;
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use smallvec::SmallVec;
use wengert_tensor::{ShapeError, Tensor, refusable};

/// Evaluates `f` at tensors `x` without recording it; the reverse sweep records it then, on a tape of its own, and
/// forgets it again.
///
/// The tape keeps `x` and the result instead of every tensor between, for the price of evaluating `f` once more: a deep
/// network cut into pieces needs memory for the pieces' ends and for one piece. May be nested, and differentiated
/// again. `f` must compute the same each time, and sees of the tape only what it is given: parameters are handed in
/// with `x`.
///
/// # Panics
/// With the text of the error that [`try_checkpoint_tensors`] returns, and where `f` panics.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// let tape = Tape::new();
/// let (x, w) = (tape.tensor([[0.5, -1.0]]), tape.tensor([[0.3, 0.1], [-0.2, 0.4]]));
/// let y = checkpoint_tensors(&[x, w], |v| (0..100).fold(v[0], |h, _| h.matmul(v[1]).tanh()));
/// assert_eq!(tape.size().tensors, 3); // x, w and y
/// let expected = (0..100).fold(x, |h, _| h.matmul(w).tanh());
/// assert_eq!(y.value(), expected.value());
/// assert_eq!(y.sum().gradient()[w], expected.sum().gradient()[w]);
/// ```
#[doc(alias = "remat")]
#[track_caller]
pub fn checkpoint_tensors<'t, F, C>(x: &[TensorVar<'t, F>], f: C) -> TensorVar<'t, F>
where
    F: TensorFloat,
    C: for<'s> Fn(&[TensorVar<'s, F>]) -> TensorVar<'s, F> + Send + Sync + 'static,
{
    try_checkpoint_tensors(x, f).or_panic()
}

/// [`checkpoint_tensors`], returning what is wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is empty, [`Error::MixedTapes`] if its tensors are of two tapes, [`Error::Shape`] if an op
/// of `f` finds no memory.
#[track_caller]
pub fn try_checkpoint_tensors<'t, F, C>(x: &[TensorVar<'t, F>], f: C) -> Result<TensorVar<'t, F>, Error>
where
    F: TensorFloat,
    C: for<'s> Fn(&[TensorVar<'s, F>]) -> TensorVar<'s, F> + Send + Sync + 'static,
{
    match x.split_first() {
        Some((first, others)) => first.try_apply(Segment(f), others),
        None => Err(Error::Empty { op: NAME, caller: Location::caller() }),
    }
}

const NAME: &str = "checkpoint";

struct Segment<C>(C);

impl<F, C> TensorOp<F> for Segment<C>
where
    F: TensorFloat,
    C: for<'s> Fn(&[TensorVar<'s, F>]) -> TensorVar<'s, F> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        NAME
    }

    fn forward(&self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let tape = Tape::evaluating();
        let x: SmallVec<[_; 8]> = x.iter().map(|&x| tape.constant_tensor(x)).collect();
        refusable(|| (self.0)(&x).value())
    }

    fn vjp<'t>(
        &self,
        x: &[TensorVar<'t, F>],
        y: TensorVar<'t, F>,
        y_bar: TensorVar<'t, F>,
        _wanted: &[bool],
    ) -> Vec<Option<TensorVar<'t, F>>> {
        // On the tape that is differentiated again the piece is recorded there, and swept alone.
        let first = y.tape().size().tensors as u32;
        (self.0)(x).recorded_pullback(y_bar, first, x)
    }

    fn pull(&self, x: &[&Tensor<F>], _y: &Tensor<F>, y_bar: &Tensor<F>, wanted: &[bool]) -> Vec<Option<Tensor<F>>> {
        let tape = Tape::new();
        let input = |(&x, &wanted): (&&Tensor<F>, &bool)| match wanted {
            true => tape.tensor(x),
            false => tape.constant_tensor(x),
        };
        let x: SmallVec<[_; 8]> = x.iter().zip(wanted).map(input).collect();
        let y = (self.0)(&x);
        if !y.is_active() {
            return vec![None; x.len()];
        }
        let gradients = y.vjp(y_bar);
        x.iter().map(|&x| gradients.get_tensor(x).cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::try_checkpoint_tensors;
    use crate::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use wengert_tensor::Tensor;

    fn layers<'t>(v: &[TensorVar<'t, f64>]) -> TensorVar<'t, f64> {
        let h = (v[0].matmul(v[1]) + v[2]).tanh();
        (h.matmul(v[1]) * h).sigmoid() + v[0]
    }

    fn operands(tape: &Tape) -> [TensorVar<'_, f64>; 3] {
        [tape.tensor([[0.5, -1.0], [0.2, 0.8]]), tape.tensor([[0.3, 0.1], [-0.2, 0.4]]), tape.tensor([0.1, -0.3])]
    }

    #[test]
    fn a_segment_gives_the_gradients_of_its_recording_to_second_order() {
        let tape = Tape::new();
        let x = operands(&tape);
        // The result of one is read by the next, and an operand by both.
        let plain = layers(&[layers(&x), x[1], x[2]]).square().sum();
        let inner = checkpoint_tensors(&x, layers);
        let cut = checkpoint_tensors(&[inner, x[1], x[2]], layers).square().sum();
        assert_eq!(plain.value(), cut.value());
        let (g, h) = (plain.gradient(), cut.gradient());
        let near = |a: &Tensor<f64>, b: &Tensor<f64>| a.iter().zip(b.iter()).all(|(a, b)| (a - b).abs() <= 1e-14);
        assert!(x.iter().all(|&x| near(&g[x], &h[x])));
        let second = |y: TensorVar<'_, f64>| {
            let [dw] = y.recorded_gradient([x[1]]);
            let g = dw.square().sum().gradient();
            x.map(|x| g[x].clone())
        };
        assert!(second(plain).iter().zip(&second(cut)).all(|(a, b)| near(a, b)));
    }

    #[test]
    fn the_piece_is_evaluated_once_more_and_not_for_constants() {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let tape = Tape::new();
        let (x, c) = (tape.tensor([2.0, 3.0]), tape.constant_tensor([5.0, 7.0]));
        let y = checkpoint_tensors(&[x, c], move |v| {
            count.fetch_add(1, Ordering::Relaxed);
            v[0] * v[0] * v[1]
        });
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        let g = y.sum().gradient();
        assert_eq!(g[x].to_vec(), [20.0, 42.0]);
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        assert!(!checkpoint_tensors(&[c], |v| v[0].exp()).is_active());
        // What forgets its operands passes nothing on.
        let y = checkpoint_tensors(&[x], |v| v[0].detach() * 2.0);
        assert_eq!((y + x).sum().gradient()[x].to_vec(), [1.0, 1.0]);
    }

    #[test]
    fn no_operands_and_two_tapes_are_errors() {
        let (tape, other) = (Tape::new(), Tape::new());
        let error = try_checkpoint_tensors::<f64, _>(&[], |v| v[0]).expect_err("no operands").to_string();
        assert!(error.contains(": checkpoint: "), "{error}");
        let operands = [tape.tensor([1.0]), other.tensor([1.0])];
        let error = try_checkpoint_tensors(&operands, |v| v[0] * v[1]).expect_err("two tapes").to_string();
        assert!(error.contains(": checkpoint: operands belong to two tapes"), "{error}");
    }
}
