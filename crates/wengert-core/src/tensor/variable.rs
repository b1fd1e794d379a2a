//! The tensor variable.

use super::{Operands, Parameter, TensorFloat};
use crate::error::{Caller, Error, OrPanic};
use crate::number::Primal;
use crate::rules::Op;
use crate::tape::sweep::Seeds;
use crate::tape::{ANOTHER_RECORDING, Gradients, Tape, Wrt, mixed_tapes};
use core::fmt;
use core::ops::Index;
use core::panic::Location;
use smallvec::SmallVec;
use wengert_tensor::{Shape, ShapeError, Tensor};

/// A tensor on a tape: `Copy`, and alive no longer than the recording.
///
/// Every op `x` panics at the caller's line with the text of the error its fallible twin `try_x` returns.
///
/// Operators take another `TensorVar`, a number, or a plain `&Tensor`, which is a constant then. A scalar
/// [`Var`](crate::Var) goes in as a tensor of one number, made by [`Tape::pack`]: `x * tape.pack(&[s])`.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// let tape = Tape::new();
/// let (w, b) = (tape.tensor([[1.0, -1.0]]), tape.tensor([0.5]));
/// let x = tape.constant_tensor([[3.0, 2.0]]);
/// let y = (x.matmul_t(false, w, true) + b).tanh().sum();
/// let [w_bar, b_bar] = y.gradient().wrt([w, b]);
/// assert_eq!(w_bar.to_vec(), [3.0 * b_bar.item(), 2.0 * b_bar.item()]);
///
/// let target = wengert_tensor::Tensor::from([0.5]);
/// assert_eq!((b - &target).square().mean().item(), 0.0);
/// ```
pub struct TensorVar<'t, F: Primal> {
    tape: &'t Tape<F>,
    number: u32,
}

impl<F: Primal> Clone for TensorVar<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<F: Primal> Copy for TensorVar<'_, F> {}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    #[inline]
    pub(crate) fn new(tape: &'t Tape<F>, number: u32) -> Self {
        TensorVar { tape, number }
    }
    #[inline]
    pub(crate) fn number(self) -> u32 {
        self.number
    }

    /// The tape this is recorded on.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// /// The mean with a constant made for it where the tensor is recorded.
    /// fn mean<'t>(x: TensorVar<'t, f64>) -> TensorVar<'t, f64> {
    ///     x.sum() * x.tape().constant_tensor(1.0 / x.shape().size() as f64)
    /// }
    /// let tape = Tape::new();
    /// assert_eq!(mean(tape.tensor([1.0, 2.0, 6.0])).item(), 3.0);
    /// ```
    #[inline]
    pub fn tape(self) -> &'t Tape<F> {
        self.tape
    }

    /// The value of the computation so far; shares memory with the tape.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// assert_eq!((x * 3.0).value().to_vec(), [3.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn value(self) -> Tensor<F> {
        self.tape.tensors.notes.read(self.number, Location::caller());
        self.peek()
    }

    /// The value for `op`, which hands out something beside its result that a replay could not renew; `instead` is the
    /// op that does not.
    #[track_caller]
    pub(crate) fn value_handed_out(self, op: &'static str, instead: &'static str) -> Tensor<F> {
        self.tape.tensors.notes.hand_out(self.number, Location::caller(), op, instead);
        self.peek()
    }

    /// The value where a recording for replays need not know that it is looked at.
    pub(crate) fn peek(self) -> Tensor<F> {
        self.tape.tensors.nodes.borrow().values[self.number as usize].tensor.clone()
    }

    /// The value of a tensor of one element.
    ///
    /// # Panics
    /// If there is not exactly one.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let loss = tape.tensor([3.0, 4.0]).square().sum();
    /// assert_eq!(loss.item(), 25.0);
    /// ```
    #[track_caller]
    pub fn item(self) -> F {
        self.value().item()
    }

    /// The shape.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, w) = (tape.tensor([[1.0, 2.0]]), tape.tensor([[1.0], [1.0]]));
    /// assert_eq!(*x.matmul(w).shape(), [1, 1]);
    /// ```
    pub fn shape(self) -> Shape {
        self.tape.tensors.nodes.borrow().values[self.number as usize].tensor.shape().clone()
    }

    /// Whether an input is among the ancestors, so that gradients flow through.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, c) = (tape.tensor([1.0]), tape.constant_tensor([2.0]));
    /// assert!((x * c).is_active() && !(c * c).is_active());
    /// ```
    pub fn is_active(self) -> bool {
        self.tape.tensors.nodes.borrow().values[self.number as usize].active
    }

    /// The same value as a constant: nothing flows back through it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([2.0, 3.0]);
    /// let y = (x * x.detach()).sum(); // of x^2 the second factor is held fixed
    /// assert_eq!((y.item(), y.gradient()[x].to_vec()), (13.0, vec![2.0, 3.0]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn detach(self) -> Self {
        match self.tape.tensors.notes.taken() {
            true => self.tape.cut_off(self, Location::caller()),
            false => self.tape.constant_tensor(self.value()),
        }
    }

    /// Keeps the adjoint of this intermediate result, so that a gradient can be asked for it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// let y = (x * 3.0).retain();
    /// let g = y.square().sum().gradient();
    /// assert_eq!(g[y].to_vec(), [6.0, 12.0]);
    /// ```
    #[must_use]
    pub fn retain(self) -> Self {
        self.tape.tensors.retain(self.number);
        self
    }

    /// The reverse sweep: the derivative of this one number with respect to everything recorded before it.
    ///
    /// # Panics
    /// With the text of the error that [`try_gradient`](Self::try_gradient) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (w, x) = (tape.tensor([1.0, 2.0]), tape.tensor([3.0, 4.0]));
    /// let g = (w * x).sum().gradient();
    /// assert_eq!((g[w].to_vec(), g[x].to_vec()), (vec![3.0, 4.0], vec![1.0, 2.0]));
    /// ```
    #[doc(alias = "backward")]
    #[doc(alias = "grad")]
    #[track_caller]
    pub fn gradient(self) -> Gradients<F> {
        self.try_gradient().or_panic()
    }

    /// [`gradient`](Self::gradient), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::NotScalar`] if this has not exactly one element; otherwise as
    /// [`Var::try_gradient`](crate::Var::try_gradient).
    #[track_caller]
    pub fn try_gradient(self) -> Result<Gradients<F>, Error> {
        let shape = self.shape();
        if shape.iter().product::<usize>() != 1 {
            return Err(Error::NotScalar { shape, caller: Location::caller() });
        }
        self.try_vjp(&self.fit(Tensor::try_full(shape, F::ONE))?)
    }

    /// The reverse sweep from a seed of this tensor's shape: the gradient of `sum_i seed_i y_i`.
    ///
    /// # Panics
    /// With the text of the error that [`try_vjp`](Self::try_vjp) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 3.0]);
    /// let g = x.square().vjp(&[1.0, 0.0, 10.0].into());
    /// assert_eq!(g[x].to_vec(), [2.0, 0.0, 60.0]);
    /// ```
    #[track_caller]
    pub fn vjp(self, seed: &Tensor<F>) -> Gradients<F> {
        self.try_vjp(seed).or_panic()
    }

    /// [`vjp`](Self::vjp), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::SeedShape`] if the seed has another shape; otherwise as
    /// [`Var::try_gradient`](crate::Var::try_gradient).
    #[track_caller]
    pub fn try_vjp(self, seed: &Tensor<F>) -> Result<Gradients<F>, Error> {
        self.tape.try_vjp_tensors([(self, seed)])
    }

    /// Makes an error of what does not fit, with the line it stands on.
    #[track_caller]
    pub(crate) fn fit<T>(self, result: Result<T, ShapeError>) -> Result<T, Error> {
        let caller = Location::caller();
        result.map_err(|source| self.tape.refuse(source, caller))
    }

    #[inline]
    #[track_caller]
    pub(crate) fn record1(self, op: impl Op<F>) -> Self {
        self.try_record1(op).or_panic()
    }

    #[inline]
    #[track_caller]
    pub(crate) fn record2(self, op: impl Op<F>, other: Self) -> Self {
        self.try_record2(op, other).or_panic()
    }

    #[inline]
    #[track_caller]
    pub(crate) fn try_record1(self, op: impl Op<F>) -> Result<Self, Error> {
        self.tape.record_tensor(op, &[self.number], Location::caller())
    }

    #[inline]
    #[track_caller]
    pub(crate) fn try_record2<O: Op<F>>(self, op: O, other: Self) -> Result<Self, Error> {
        self.same_tape(other, op.label(), Location::caller())?;
        self.tape.record_tensor(op, &[self.number, other.number], Location::caller())
    }

    #[track_caller]
    pub(crate) fn try_record_many<O: Op<F>>(op: O, parts: &[Self]) -> Result<Self, Error> {
        let caller = Location::caller();
        let Some(first) = parts.first() else { return Err(Error::Empty { op: O::NAME, caller }) };
        for part in parts {
            first.same_tape(*part, op.label(), caller)?;
        }
        let numbers: Operands = parts.iter().map(|part| part.number).collect();
        first.tape.record_tensor(op, &numbers, caller)
    }

    #[inline]
    pub(crate) fn same_tape(self, other: Self, op: &'static str, caller: Caller) -> Result<(), Error> {
        self.tape.own(other, op, caller)
    }
}

impl<F: TensorFloat> Tape<F> {
    /// Refuses a variable of another tape.
    #[inline]
    pub(super) fn own(&self, x: TensorVar<'_, F>, op: &'static str, caller: Caller) -> Result<(), Error> {
        if core::ptr::eq(x.tape, self) {
            return Ok(());
        }
        let (left, right) = (self.number(), x.tape.number());
        Err(self.tensors.composed.refuse(Error::MixedTapes { op, left, right, caller }))
    }

    /// One reverse sweep for several tensor outputs, each with a seed of its shape.
    ///
    /// # Panics
    /// With the text of the error that [`try_vjp_tensors`](Self::try_vjp_tensors) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// let (once, tenfold) = ([1.0, 1.0].into(), [10.0, 10.0].into());
    /// let g = tape.vjp_tensors([(x.square(), &once), (x * 3.0, &tenfold)]);
    /// assert_eq!(g[x].to_vec(), [32.0, 34.0]);
    /// ```
    #[track_caller]
    pub fn vjp_tensors<'a>(
        &'a self,
        outputs: impl IntoIterator<Item = (TensorVar<'a, F>, &'a Tensor<F>)>,
    ) -> Gradients<F> {
        self.try_vjp_tensors(outputs).or_panic()
    }

    /// [`vjp_tensors`](Self::vjp_tensors), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::SeedShape`] if a seed has another shape than its output, [`Error::MixedTapes`] if an output is of
    /// another tape; otherwise as [`Var::try_gradient`](crate::Var::try_gradient).
    #[track_caller]
    pub fn try_vjp_tensors<'a, 'b>(
        &'a self,
        outputs: impl IntoIterator<Item = (TensorVar<'a, F>, &'b Tensor<F>)>,
    ) -> Result<Gradients<F>, Error> {
        let caller = Location::caller();
        self.tensors.notes.differentiate(caller);
        let mut seeds = Seeds { scalars: SmallVec::new(), tensors: SmallVec::new() };
        for (y, seed) in outputs {
            if !core::ptr::eq(y.tape, self) {
                mixed_tapes(self, y.tape, caller);
            }
            let output = y.shape();
            if output != *seed.shape() {
                return Err(Error::SeedShape { seed: seed.shape().clone(), output, caller });
            }
            seeds.tensors.push((y.number, seed.clone()));
        }
        self.sweep_from(&seeds)
    }
}

impl<F: TensorFloat> Gradients<F> {
    /// The derivative with respect to a tensor, or `None` if the output does not depend on it, or it is not of this
    /// sweep.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, unused) = (tape.tensor([1.0]), tape.tensor([1.0]));
    /// let g = x.square().gradient();
    /// assert!(g.get_tensor(x).is_some() && g.get_tensor(unused).is_none());
    /// assert_eq!(g[unused].to_vec(), [0.0]); // indexing has a zero instead
    /// ```
    pub fn get_tensor(&self, x: TensorVar<'_, F>) -> Option<&Tensor<F>> {
        self.tensors.flowed(x.number).filter(|_| self.knows(x.tape, x.number))
    }

    /// The derivative with respect to a parameter, or `None` if the output does not depend on it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_core::Parameter;
    /// let (tape, w, other) = (Tape::new(), Parameter::new([3.0]), Parameter::new([1.0]));
    /// let g = tape.parameter(&w).square().gradient();
    /// assert_eq!(g.get_parameter(&w).map(|w_bar| w_bar.to_vec()), Some(vec![6.0]));
    /// assert!(g.get_parameter(&other).is_none());
    /// ```
    pub fn get_parameter(&self, parameter: &Parameter<F>) -> Option<&Tensor<F>> {
        self.tensors.flowed(self.tensors.node_of(parameter.id())?)
    }
}

impl<F: TensorFloat> Index<TensorVar<'_, F>> for Gradients<F> {
    type Output = Tensor<F>;
    /// The derivative with respect to `x`.
    ///
    /// # Panics
    /// If `x` is a constant, an intermediate result that was not retained, or not of this recording.
    #[track_caller]
    fn index(&self, x: TensorVar<'_, F>) -> &Tensor<F> {
        assert!(self.knows(x.tape, x.number), "{ANOTHER_RECORDING}");
        match self.tensors.get(x.number) {
            Some(x_bar) => x_bar,
            None if !self.tensors.has_slot(x.number) => panic!("the variable was recorded after the sweep"),
            None if !x.is_active() => {
                panic!("the gradient was asked for a constant; make it an input with tape.tensor")
            }
            None => panic!("not an input: call y.retain() first, and use what it returns"),
        }
    }
}

impl<F: TensorFloat> Index<&Parameter<F>> for Gradients<F> {
    type Output = Tensor<F>;
    /// The derivative with respect to a parameter.
    ///
    /// # Panics
    /// If the parameter was not used in this recording.
    #[track_caller]
    fn index(&self, parameter: &Parameter<F>) -> &Tensor<F> {
        match self.tensors.node_of(parameter.id()).and_then(|node| self.tensors.get(node)) {
            Some(x_bar) => x_bar,
            None => panic!("the parameter was not bound in this recording: use tape.parameter(&p)"),
        }
    }
}

impl<F: TensorFloat, const N: usize> Wrt<F> for [TensorVar<'_, F>; N] {
    type Adjoints = [Tensor<F>; N];
    #[track_caller]
    fn adjoints(self, gradients: &Gradients<F>) -> [Tensor<F>; N] {
        let caller = Location::caller();
        self.map(|x| {
            // A closure cannot pass the caller's line on: look before indexing.
            match gradients.tensors.get(x.number) {
                Some(x_bar) if gradients.knows(x.tape, x.number) => x_bar.clone(),
                _ => panic!("{caller}: not an input of this sweep: call y.retain() first, and use what it returns"),
            }
        })
    }
}

impl<F: TensorFloat> fmt::Debug for TensorVar<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} (tensor {})", self.peek(), self.number)
    }
}
impl<F: TensorFloat> fmt::Display for TensorVar<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.peek(), f)
    }
}
