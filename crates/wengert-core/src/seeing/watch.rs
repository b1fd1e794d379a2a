//! The first number that is not finite, and the op that made it.

use crate::error::Caller;
use crate::tape::Tape;
use crate::tensor::TensorFloat;
use core::fmt::Write;
use wengert_kernels::Float;
use wengert_tensor::{Shape, Tensor};

/// What of an op is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantity {
    /// Its value.
    Value,
    /// The cotangent of its value, as it arrived: from the seed, from scalars, or because finite parts add up to more
    /// than the number type holds.
    Cotangent,
    /// The cotangent of this operand, after the op's contribution.
    OperandCotangent(usize),
}

/// The first number that is not finite on a watched tape: which op made it, where it stands, which element it is.
///
/// # Examples
/// ```
/// # use wengert_core::{Quantity, prelude::*};
/// let tape = Tape::new();
/// tape.watch_nonfinite();
/// let x = tape.tensor([4.0, 0.0, 1.0]);
/// let y = x.sqrt().sum(); // finite, but the slope at 0 is not
/// y.gradient();
/// let found = tape.nonfinite().unwrap();
/// assert_eq!((found.op, found.quantity), ("sqrt", Quantity::OperandCotangent(0)));
/// assert_eq!((found.index, found.value), (vec![1], f64::INFINITY));
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", sentence(self))]
#[non_exhaustive]
pub struct NonFinite {
    /// The op: `"div"`, `"matmul"`; `"scalar"` for a node of the scalar half, which keeps no names.
    pub op: &'static str,
    /// What of it is not finite.
    pub quantity: Quantity,
    /// Its number in [`Tape::listing`]: `t` and this number, or `v` and this number for a scalar.
    pub node: usize,
    /// The shapes of the operands.
    pub operands: Vec<Shape>,
    /// The operands whose values are not finite themselves: what was given to the tape like this.
    pub nonfinite_operands: Vec<usize>,
    /// The shape of what is not finite.
    pub shape: Shape,
    /// The first bad element of it, in logical order.
    pub index: Vec<usize>,
    /// That element: NaN, or an infinity.
    pub value: f64,
    /// The line of the op; none for scalars and for what was recorded before the watch began.
    pub caller: Option<Caller>,
}

fn sentence(found: &NonFinite) -> String {
    let NonFinite { op, node, shape, index, value, .. } = found;
    let mut text = found.caller.map_or_else(String::new, |caller| format!("{caller}: "));
    if *op == "scalar" {
        return text + &format!("scalar v{node}: its adjoint is {value}; retain and print what it is made of");
    }
    let what = match found.quantity {
        Quantity::Value => "its value".to_owned(),
        Quantity::Cotangent => "the cotangent that reached it".to_owned(),
        Quantity::OperandCotangent(k) => format!("the cotangent of its operand {k}"),
    };
    // Writing to a string cannot fail.
    let _ = write!(text, "{op} (t{node}): {what}, of shape {shape}, is {value} at {index:?}");
    if !found.operands.is_empty() {
        let shapes: Vec<String> = found.operands.iter().map(Shape::to_string).collect();
        let _ = write!(text, "; operands of shape {}", shapes.join(" and "));
        match &found.nonfinite_operands[..] {
            [] => text += ", all finite",
            bad => {
                let bad: Vec<String> = bad.iter().map(usize::to_string).collect();
                let _ = write!(text, ", not finite before: operand {}", bad.join(" and "));
            }
        }
    }
    text
}

/// What a watched tape keeps.
#[derive(Default)]
pub(super) struct Watch {
    /// The lines of tensors, by number.
    pub(super) callers: Vec<Option<Caller>>,
    found: Option<NonFinite>,
    /// The tensor it was found at, if that was in the sweep now running.
    in_this_sweep: Option<u32>,
}

/// An op that is being looked at.
pub(crate) struct Suspect<'a, F: TensorFloat> {
    pub(crate) op: &'static str,
    pub(crate) number: usize,
    pub(crate) caller: Option<Caller>,
    pub(crate) operands: &'a [&'a Tensor<F>],
}

impl Watch {
    pub(super) fn remember(&mut self, number: usize, caller: Option<Caller>) {
        if self.callers.len() <= number {
            self.callers.resize(number + 1, None);
        }
        self.callers[number] = caller;
    }

    pub(super) fn caller(&self, number: usize) -> Option<Caller> {
        self.callers.get(number).copied().flatten()
    }

    /// Looks through a tensor of the forward pass.
    pub(super) fn look<F: TensorFloat>(&mut self, x: &Tensor<F>, quantity: Quantity, suspect: &Suspect<'_, F>) -> bool {
        if self.found.is_some() || all_finite(x) {
            return false;
        }
        let Some((position, value)) = x.iter().enumerate().find(|(_, x)| !x.is_finite()) else { return false };
        let operands = suspect.operands;
        self.found = Some(NonFinite {
            op: suspect.op,
            quantity,
            node: suspect.number,
            operands: operands.iter().map(|x| x.shape().clone()).collect(),
            nonfinite_operands: (0..operands.len()).filter(|&k| !all_finite(operands[k])).collect(),
            shape: x.shape().clone(),
            index: index_of(position, x.shape()),
            value: value.to_f64(),
            caller: suspect.caller,
        });
        true
    }

    /// Looks through a cotangent.
    pub(super) fn look_back<F: TensorFloat>(
        &mut self,
        x_bar: &Tensor<F>,
        quantity: Quantity,
        suspect: &Suspect<'_, F>,
    ) {
        if self.look(x_bar, quantity, suspect) {
            self.in_this_sweep = Some(suspect.number as u32);
        }
    }

    /// Takes scalar `node` for the first if the sweep met it before the tensor it was found at.
    pub(super) fn look_at_scalar<F: TensorFloat>(&mut self, node: usize, x_bar: F, place: impl Fn(u32) -> usize) {
        let first = match self.in_this_sweep {
            Some(tensor) => place(tensor) <= node,
            None => self.found.is_none(),
        };
        if first {
            self.found = Some(NonFinite {
                op: "scalar",
                quantity: Quantity::Cotangent,
                node,
                operands: Vec::new(),
                nonfinite_operands: Vec::new(),
                shape: Shape::from([]),
                index: Vec::new(),
                value: x_bar.to_f64(),
                caller: None,
            });
        }
    }

    pub(super) fn end_of_sweep(&mut self) {
        self.in_this_sweep = None;
    }
}

/// By blocks without an early exit: each is a vector loop.
fn all_finite<F: TensorFloat>(x: &Tensor<F>) -> bool {
    match x.as_slice() {
        Some(x) => x.chunks(1024).all(|block| block.iter().fold(true, |all, x| all & x.is_finite())),
        None => x.iter().all(Float::is_finite),
    }
}

/// The index of the element at `position` in logical order.
fn index_of(mut position: usize, shape: &Shape) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape.iter()).rev() {
        *i = position % n;
        position /= n;
    }
    index
}

impl<F: TensorFloat> Tape<F> {
    /// From now on looks at the value of every tensor op, and in sweeps at every cotangent: the first number that is
    /// not finite is kept for [`nonfinite`](Self::nonfinite). Forgets what an earlier watch found;
    /// [`clear`](Self::clear) does not.
    ///
    /// Costs a pass over every result while it is on, and nothing otherwise. Sweeps multiply with care from the start,
    /// so that `0 * inf`, which is 0 here, is not reported. Constants and inputs are not looked at until an op reads
    /// them: its report says which operand was not finite before. Programs that mean their infinities (`-inf` in a mask
    /// that is added) are reported as well; [`masked_softmax`](crate::TensorVar::masked_softmax) needs none.
    ///
    /// Scalars keep neither values nor lines; of them the adjoints are looked at, after each sweep.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::{Quantity, prelude::*};
    /// let tape = Tape::new();
    /// tape.watch_nonfinite();
    /// let x = tape.tensor([[1.0, 0.0], [2.0, 0.0]]);
    /// let share = x / x; // 0 / 0
    /// let loss = share.square().sum();
    /// let found = tape.nonfinite().unwrap();
    /// assert_eq!((found.op, found.quantity), ("div", Quantity::Value));
    /// assert_eq!(found.index, [0, 1]);
    /// assert_eq!(found.caller.unwrap().line(), line!() - 5);
    /// ```
    pub fn watch_nonfinite(&self) {
        self.tensors.observer.borrow_mut().watch = Some(Watch::default());
        self.tensors.observed.set(true);
    }

    /// Ends the watch and forgets what it found.
    pub fn unwatch_nonfinite(&self) {
        // The flag falls with the next op, if nobody profiles either.
        self.tensors.observer.borrow_mut().watch = None;
    }

    /// The first number that was not finite since [`watch_nonfinite`](Self::watch_nonfinite) was called, if any.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape32::new();
    /// tape.watch_nonfinite();
    /// let y = (tape.tensor([10.0, 100.0]).exp() * 2.0).sum(); // exp(100) is more than f32 holds
    /// let text = tape.nonfinite().unwrap().to_string();
    /// assert!(text.ends_with("exp (t1): its value, of shape [2], is inf at [1]; operands of shape [2], all finite"));
    /// ```
    pub fn nonfinite(&self) -> Option<NonFinite> {
        self.tensors.observer.borrow().watch.as_ref().and_then(|watch| watch.found.clone())
    }
}
