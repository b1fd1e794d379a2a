//! Tensors on the same tape.
//!
//! A tensor node holds its value, its rule with the residuals, and its operands. The scalar half of the tape knows of
//! it only an entry in the side list, which places it in recording order. Its adjoint lives in a recycled buffer: the
//! first contribution is moved in, later ones are added, and the buffer is handed on once consumed.

mod adjoints;
mod bridge;
mod forward;
mod parameter;
mod recorded;
mod variable;
mod whole;

pub use adjoints::TensorAdjoints;
pub(crate) use adjoints::{Slot, Spare};
pub use parameter::{Parameter, ParameterId};
pub use variable::TensorVar;

use crate::error::{Caller, Error};
use crate::number::{Primal, TensorSide};
use crate::program::Notes;
use crate::rules::{Calls, Listed, Op, Reshape, Rule};
use crate::seeing::{Observer, Suspect, label};
use crate::tape::Tape;
use crate::tape::arena::Arena;
use crate::tape::node::{Edge, Kind, Special};
use core::cell::{Cell, RefCell};
use core::iter::once;
use core::mem::ManuallyDrop;
use core::panic::Location;
use smallvec::SmallVec;
use std::time::Instant;
use wengert_tensor::{FloatElement, ShapeError, Tensor};
use whole::Composed;

/// A float that tensors on a tape are made of: `f32` or `f64`.
pub trait TensorFloat: FloatElement + Primal<Base = Self, Tensors = Nodes<Self>> {}
impl TensorFloat for f32 {}
impl TensorFloat for f64 {}

/// The tensor half of a tape.
pub struct Nodes<F: TensorFloat> {
    pub(crate) nodes: RefCell<Columns<F>>,
    /// Whether someone profiles or watches this tape: the one thing recording and sweeping ask.
    pub(crate) observed: Cell<bool>,
    pub(crate) observer: RefCell<Observer>,
    /// Edges of tensors packed from scalars.
    pub(crate) edges: Arena<Edge<F>>,
    /// Parameters bound in this recording: a parameter is one node however often it is used.
    pub(crate) bound: RefCell<Vec<(ParameterId, u32)>>,
    /// Inputs and retained tensors: whose adjoints may be asked for.
    pub(crate) asked_for: RefCell<Vec<u32>>,
    /// Whether scalars were made of tensors or tensors of scalars.
    bridged: Cell<bool>,
    /// Whether parameters are bound as constants.
    evaluating: Cell<bool>,
    /// What a recording for replays takes down.
    pub(crate) notes: Notes<F>,
    /// The op whose steps are being recorded, if it is made of several.
    composed: Composed,
    spare: Spare<F>,
}

/// The tensor list, by columns: a rule reads the values of its operands and not where they come from, which takes four
/// times the room.
pub(crate) struct Columns<F: TensorFloat> {
    pub(crate) values: Vec<Value<F>>,
    pub(crate) origins: Vec<Origin<F>>,
}

pub(crate) struct Value<F: TensorFloat> {
    pub(crate) tensor: Tensor<F>,
    /// Whether a gradient flows through it: an input is among its ancestors.
    pub(crate) active: bool,
    pub(crate) retained: bool,
}

impl<F: TensorFloat> Columns<F> {
    #[inline(always)]
    fn push(&mut self, value: Tensor<F>, origin: Origin<F>, active: bool) -> u32 {
        self.origins.push(origin);
        self.push_value(value, active)
    }

    /// Lists a tensor, whose origin is listed by itself.
    #[inline(always)]
    fn push_value(&mut self, tensor: Tensor<F>, active: bool) -> u32 {
        let number = self.values.len() as u32;
        // Written in its place: what is pushed is put together elsewhere, to be dropped if there is no room, and moving
        // it right after takes another 3 ns.
        let value = |tensor| Value { tensor: ManuallyDrop::into_inner(tensor), active, retained: false };
        self.values.extend(once(ManuallyDrop::new(tensor)).map(value));
        number
    }

    /// Makes an input a constant.
    fn fix(&mut self, number: u32) {
        self.origins[number as usize] = Origin::Constant;
        self.values[number as usize].active = false;
    }
}

/// Where a tensor comes from.
pub(crate) enum Origin<F: TensorFloat> {
    Input,
    /// Made of constants alone, or given as one: only its value is kept.
    Constant,
    Op {
        rule: Rule<F>,
        calls: &'static Calls<F>,
        operands: Operands,
    },
    /// Made of scalars, whose edges are `start..` in the edge arena.
    Packed {
        start: u32,
    },
    /// Not a tensor: the scalar nodes `first..` read the elements of tensor `of`, all of them or the one at `element`.
    Read {
        of: u32,
        first: u32,
        element: Option<u32>,
    },
}

/// Numbers of tensor nodes.
pub(crate) type Operands = SmallVec<[u32; 4]>;

impl<F: TensorFloat> Default for Nodes<F> {
    fn default() -> Self {
        Nodes {
            nodes: RefCell::new(Columns { values: Vec::new(), origins: Vec::new() }),
            observed: Cell::new(false),
            observer: RefCell::default(),
            edges: Arena::new(u32::MAX as usize),
            bound: RefCell::default(),
            asked_for: RefCell::default(),
            bridged: Cell::new(false),
            evaluating: Cell::new(false),
            notes: Notes::default(),
            composed: Composed::default(),
            spare: Spare::default(),
        }
    }
}

impl<F: TensorFloat> TensorSide<F> for Nodes<F> {
    type Adjoints = TensorAdjoints<F>;
    type Seed = Tensor<F>;

    fn count(&self) -> usize {
        self.nodes.borrow().values.len()
    }

    fn truncate(&self, len: usize) {
        let mut nodes = self.nodes.borrow_mut();
        let nodes = &mut *nodes;
        let packed = |origin: &Origin<F>| match origin {
            Origin::Packed { start } => Some(*start as usize),
            _ => None,
        };
        if let Some(start) = nodes.origins[len..].iter().find_map(packed) {
            self.edges.truncate(start);
        }
        nodes.values.truncate(len);
        nodes.origins.truncate(len);
        self.bound.borrow_mut().retain(|&(_, node)| (node as usize) < len);
        self.asked_for.borrow_mut().retain(|&node| (node as usize) < len);
        self.notes.truncate(len);
        if len == 0 {
            self.bridged.set(false);
        }
        if self.observed.get() {
            self.observer.borrow_mut().truncate(len);
        }
    }

    fn start(&self, tensors: &mut TensorAdjoints<F>) {
        // Tapes of scalars alone do not pay for memory to be fetched and given back.
        if self.count() == 0 {
            return;
        }
        tensors.start(&self.spare, self.count(), &self.bound.borrow());
    }

    fn seed(&self, tensors: &mut TensorAdjoints<F>, number: u32, seed: &Tensor<F>) {
        tensors.add(number, seed.clone());
    }

    fn pull<const CAREFUL: bool>(&self, number: u32, scalars: &mut [F], tensors: &mut TensorAdjoints<F>) {
        if self.observed.get() {
            return self.observe_pull::<CAREFUL>(number, scalars, tensors);
        }
        self.pull_op::<CAREFUL>(number, scalars, tensors);
    }

    fn label(&self, number: u32) -> &'static str {
        label(&self.nodes.borrow().origins[number as usize])
    }

    fn has_nan(&self, tensors: &TensorAdjoints<F>) -> bool {
        // Tensor rules keep the zero rule themselves; only scalars above them can have spoiled an adjoint.
        self.bridged.get() && tensors.has_nan()
    }

    fn finish(&self, tensors: &mut TensorAdjoints<F>) {
        let nodes = self.nodes.borrow();
        for &number in &*self.asked_for.borrow() {
            tensors.settle(number, &nodes.values[number as usize].tensor);
        }
    }

    fn is_watched(&self) -> bool {
        self.observed.get() && self.observer.borrow().is_watching()
    }

    fn watch_adjoints(&self, scalars: &[F], tensors: &TensorAdjoints<F>, place: impl Fn(u32) -> usize) {
        self.watch_after_sweep(scalars, tensors, place);
    }

    #[track_caller]
    fn add_adjoints(sum: &mut TensorAdjoints<F>, other: &TensorAdjoints<F>) -> Result<(), Error> {
        sum.add_all(other)
    }

    #[track_caller]
    fn scale_adjoints(tensors: &mut TensorAdjoints<F>, op: &'static str, factor: F) -> Result<(), Error> {
        tensors.scale(op, factor)
    }

    fn norm_of_adjoints(tensors: &TensorAdjoints<F>) -> F {
        tensors.norm()
    }
}

impl<F: TensorFloat> Nodes<F> {
    /// The pullback of op `number`, whoever looks on.
    #[inline(always)]
    pub(crate) fn pull_op<const CAREFUL: bool>(&self, number: u32, scalars: &mut [F], tensors: &mut TensorAdjoints<F>) {
        let nodes = self.nodes.borrow();
        let &Value { tensor: ref value, retained, .. } = &nodes.values[number as usize];
        match &nodes.origins[number as usize] {
            Origin::Input | Origin::Constant => {}
            Origin::Op { rule, calls, operands } => {
                let Some(y_bar) = tensors.consume(number, retained) else { return };
                let at = |k: u32| &nodes.values[k as usize];
                // Most ops have one operand or two, and arrays are made faster than lists.
                let mut cotangents = match **operands {
                    [a] => {
                        let a = at(a);
                        (calls.pull)(rule, &[&a.tensor], value, y_bar, &[a.active])
                    }
                    [a, b] => {
                        let (a, b) = (at(a), at(b));
                        (calls.pull)(rule, &[&a.tensor, &b.tensor], value, y_bar, &[a.active, b.active])
                    }
                    _ => {
                        let x: SmallVec<[&Tensor<F>; 8]> = operands.iter().map(|&k| &at(k).tensor).collect();
                        let wanted: SmallVec<[bool; 8]> = operands.iter().map(|&k| at(k).active).collect();
                        (calls.pull)(rule, &x, value, y_bar, &wanted)
                    }
                };
                // Taken where they lie: as an iterator of its own the list would be moved first.
                for (x_bar, &operand) in cotangents.iter_mut().zip(operands) {
                    if let Some(x_bar) = x_bar.take()
                        && at(operand).active
                    {
                        tensors.add(operand, x_bar);
                    }
                }
                // What is empty and in place need not be looked through again.
                if !cotangents.spilled() {
                    core::mem::forget(cotangents);
                }
            }
            Origin::Packed { start } => {
                let Some(y_bar) = tensors.consume(number, retained) else { return };
                bridge::pull_packed::<F, CAREFUL>(&self.edges, *start as usize, &y_bar, scalars);
            }
            &Origin::Read { of, first, element } => {
                bridge::pull_read(&nodes.values[of as usize].tensor, of, first as usize, element, scalars, tensors);
            }
        }
    }

    /// From now on the adjoint of `number` is kept; says whether it was not before.
    fn retain(&self, number: u32) -> bool {
        let value = &mut self.nodes.borrow_mut().values[number as usize];
        let new = value.active && !value.retained;
        if new {
            value.retained = true;
            self.asked_for.borrow_mut().push(number);
        }
        new
    }

    /// Takes back the last [`retain`](Self::retain), which said that it was new.
    fn release(&self, number: u32) {
        self.nodes.borrow_mut().values[number as usize].retained = false;
        self.asked_for.borrow_mut().retain(|&asked| asked != number);
    }
}

impl<F: TensorFloat> Tape<F> {
    /// Records a tensor input: differentiate with respect to it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let w = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = w.square().sum();
    /// assert_eq!(y.gradient()[w].to_vec(), [2.0, 4.0, 6.0, 8.0]);
    /// ```
    pub fn tensor(&self, value: impl Into<Tensor<F>>) -> TensorVar<'_, F> {
        let input = self.push_tensor(value.into(), Origin::Input, true);
        self.tensors.asked_for.borrow_mut().push(input.number());
        input
    }

    /// A tensor with no derivative, by intent: data. Operations on constants alone record nothing.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (w, x) = (tape.tensor([2.0]), tape.constant_tensor([3.0]));
    /// let g = (w * x).gradient();
    /// assert_eq!(g[w].to_vec(), [3.0]);
    /// assert!(!x.is_active()); // there is no g[x]
    /// ```
    pub fn constant_tensor(&self, value: impl Into<Tensor<F>>) -> TensorVar<'_, F> {
        self.push_tensor(value.into(), Origin::Constant, false)
    }

    /// A tape that evaluates and records nothing: [`parameter`](Self::parameter) gives constants on it. For
    /// predictions.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_core::Parameter;
    /// let w = Parameter::new([2.0_f64]);
    /// let tape = Tape::evaluating();
    /// assert!(!(tape.parameter(&w) * 3.0).is_active());
    /// ```
    #[must_use]
    pub fn evaluating() -> Self {
        let tape = Self::new();
        tape.tensors.evaluating.set(true);
        tape
    }

    /// The node of a parameter in this recording: the same one however often it is asked for.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_core::Parameter;
    /// let (tape, w) = (Tape::new(), Parameter::new([3.0]));
    /// let y = tape.parameter(&w) * tape.parameter(&w); // one node, used twice
    /// assert_eq!((tape.size().tensors, y.gradient()[&w].to_vec()), (2, vec![6.0]));
    /// ```
    pub fn parameter(&self, parameter: &Parameter<F>) -> TensorVar<'_, F> {
        let known = self.tensors.bound.borrow().iter().find(|(id, _)| *id == parameter.id()).map(|&(_, node)| node);
        if let Some(node) = known {
            return TensorVar::new(self, node);
        }
        let bound = match self.tensors.evaluating.get() {
            true => self.constant_tensor(parameter.value()),
            false => self.tensor(parameter.value()),
        };
        self.tensors.bound.borrow_mut().push((parameter.id(), bound.number()));
        bound
    }

    /// Says that `op`, made of ops of this tape, works with these labels beside it. A [recorded
    /// program](crate::TensorFunction) in which they could be exchanged is then refused, with
    /// [`FunctionError::Beside`](crate::FunctionError::Beside); elsewhere it means nothing. For functions that make
    /// constants of class labels, such as weights.
    #[track_caller]
    pub fn works_beside(&self, op: &'static str, labels: &Tensor<i64>) {
        self.tensors.notes.beside(op, labels, Location::caller());
    }

    #[inline(always)]
    fn push_tensor(&self, value: Tensor<F>, origin: Origin<F>, active: bool) -> TensorVar<'_, F> {
        TensorVar::new(self, self.tensors.nodes.borrow_mut().push(value, origin, active))
    }

    /// Evaluates `op` and, if an input is among the ancestors of its operands, records it. A failed op leaves nothing.
    #[inline]
    pub(crate) fn record_tensor<O: Op<F>>(
        &self,
        mut op: O,
        operands: &[u32],
        caller: Caller,
    ) -> Result<TensorVar<'_, F>, Error> {
        if self.tensors.notes.taken() {
            let operands = Operands::from_slice(operands);
            return self.record_for_replays(op.into_rule(), Calls::of::<O>(), operands, caller);
        }
        let (value, active);
        {
            let nodes = self.tensors.nodes.borrow();
            let at = |k: u32| &nodes.values[k as usize];
            // Most ops have one operand or two, and arrays are made faster than lists.
            let (few, few_active, many, many_active);
            let (x, wanted): (&[&Tensor<F>], &[bool]) = match *operands {
                [a] => {
                    let a = at(a);
                    (few, few_active) = ([&a.tensor; 2], [a.active; 2]);
                    (&few[..1], &few_active[..1])
                }
                [a, b] => {
                    let (a, b) = (at(a), at(b));
                    (few, few_active) = ([&a.tensor, &b.tensor], [a.active, b.active]);
                    (&few, &few_active)
                }
                _ => {
                    many = operands.iter().map(|&k| &at(k).tensor).collect::<SmallVec<[_; 8]>>();
                    many_active = operands.iter().map(|&k| at(k).active).collect::<SmallVec<[_; 8]>>();
                    (&many, &many_active)
                }
            };
            let start = self.tensors.observed.get().then(Instant::now);
            value = match op.forward_recorded(x, wanted) {
                Ok(value) => value,
                Err(source) => return Err(self.refuse(source, caller)),
            };
            active = wanted.contains(&true);
            if let Some(start) = start {
                let (op, number) = (op.label(), nodes.values.len());
                let suspect = Suspect { op, number, caller: Some(caller), operands: x };
                self.tensors.observe_forward(suspect, &value, start);
            }
        }
        if !active {
            return Ok(self.push_tensor(value, Origin::Constant, false));
        }
        let number = self.push_result(value);
        // Put together here: as an argument it would be moved right after it was written piece by piece, for which the
        // processor waits 5 ns.
        let (rule, calls, operands) = (op.into_rule(), Calls::of::<O>(), Operands::from_slice(operands));
        self.tensors.nodes.borrow_mut().origins.push(Origin::Op { rule, calls, operands });
        Ok(TensorVar::new(self, number))
    }

    /// Lists the result of an op, before its origin, and places its cotangent among those of scalars. One function for
    /// all ops.
    #[inline(never)]
    fn push_result(&self, value: Tensor<F>) -> u32 {
        let number = self.tensors.nodes.borrow_mut().push_value(value, true);
        self.place_special(number);
        number
    }

    /// Evaluates a rule and lists it as it was before, for replays, constants' rules too: what they hold may be
    /// exchanged.
    #[cold]
    fn record_for_replays(
        &self,
        rule: Rule<F>,
        calls: &'static Calls<F>,
        operands: Operands,
        caller: Caller,
    ) -> Result<TensorVar<'_, F>, Error> {
        let (value, active) = {
            let nodes = self.tensors.nodes.borrow();
            let x: SmallVec<[&Tensor<F>; 4]> = operands.iter().map(|&x| &nodes.values[x as usize].tensor).collect();
            let wanted: SmallVec<[bool; 8]> = operands.iter().map(|&x| nodes.values[x as usize].active).collect();
            let value = (calls.forward)(&mut rule.clone(), &x, &wanted);
            (value.map_err(|source| self.refuse(source, caller))?, wanted.contains(&true))
        };
        self.tensors.notes.op(self.tensors.count() as u32, self.tensors.composed.caller(caller));
        Ok(self.push_tensor(value, Origin::Op { rule, calls, operands }, active))
    }

    /// The error of an op that does not fit.
    #[cold]
    fn refuse(&self, source: ShapeError, caller: Caller) -> Error {
        self.tensors.composed.refuse(Error::Shape { source: Box::new(source), caller })
    }

    /// The value of `x` as one that no gradient flows through, where the tape is recorded for replays.
    pub(crate) fn cut_off(&self, x: TensorVar<'_, F>, caller: Caller) -> TensorVar<'_, F> {
        self.tensors.notes.op(self.tensors.count() as u32, caller);
        let (rule, calls) = (Reshape::to(x.shape()).into_rule(), Calls::of::<Reshape<F>>());
        self.push_tensor(x.peek(), Origin::Op { rule, calls, operands: Operands::from_slice(&[x.number()]) }, false)
    }

    /// Places tensor op `number` in the recording order of scalars.
    fn place_special(&self, number: u32) {
        self.specials.push(Special { at: self.nodes.len() as u32, kind: Kind::Tensor(number) });
    }
}
