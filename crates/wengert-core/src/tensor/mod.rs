//! Tensors on the same tape.
//!
//! A tensor node holds its value, its rule with the residuals, and its operands. The scalar half of the tape knows of it
//! only an entry in the side list, which places it in recording order. Its adjoint lives in a recycled buffer: the first
//! contribution is moved in, later ones are added, and the buffer is handed on once consumed.

pub(crate) mod late;
mod adjoints;
mod bridge;
mod parameter;
mod recorded;
mod variable;

pub(crate) use adjoints::Slot;
pub use adjoints::TensorAdjoints;
pub use parameter::{Parameter, ParameterId};
pub use variable::TensorVar;

use crate::error::{Caller, Error};
use crate::number::{Primal, TensorSide};
use crate::rules::Rule;
use crate::tape::Tape;
use crate::tape::arena::Arena;
use crate::tape::node::{Edge, Kind, Special};
use adjoints::Spare;
use core::cell::{Cell, RefCell};
use smallvec::SmallVec;
use wengert_tensor::{FloatElement, Tensor};

/// A float that tensors on a tape are made of: `f32` or `f64`.
pub trait TensorFloat: FloatElement + Primal<Base = Self, Tensors = Nodes<Self>> {}
impl TensorFloat for f32 {}
impl TensorFloat for f64 {}

/// The tensor half of a tape.
pub struct Nodes<F: TensorFloat> {
    nodes: RefCell<Vec<TensorNode<F>>>,
    /// Edges of tensors packed from scalars.
    edges: Arena<Edge<F>>,
    /// Parameters bound in this recording: a parameter is one node however often it is used.
    bound: RefCell<Vec<(ParameterId, u32)>>,
    /// Whether parameters are bound as constants.
    evaluating: Cell<bool>,
    spare: Spare<F>,
}

/// One entry of the tensor list.
pub(crate) struct TensorNode<F: TensorFloat> {
    pub(crate) value: Tensor<F>,
    pub(crate) origin: Origin<F>,
    /// Whether a gradient flows through it: an input is among its ancestors.
    pub(crate) active: bool,
    pub(crate) retained: bool,
}

/// Where a tensor comes from.
pub(crate) enum Origin<F: TensorFloat> {
    Input,
    /// Made of constants alone, or given as one: only its value is kept.
    Constant,
    Op {
        rule: Rule<F>,
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
            nodes: RefCell::default(),
            edges: Arena::new(u32::MAX as usize),
            bound: RefCell::default(),
            evaluating: Cell::new(false),
            spare: Spare::default(),
        }
    }
}

impl<F: TensorFloat> TensorSide<F> for Nodes<F> {
    type Adjoints = TensorAdjoints<F>;
    type Seed = Tensor<F>;

    fn len(&self) -> usize {
        self.nodes.borrow().len()
    }

    fn truncate(&self, len: usize) {
        let mut nodes = self.nodes.borrow_mut();
        // From the end, so that the edges of what is dropped are known.
        while nodes.len() > len {
            if let Some(TensorNode { origin: Origin::Packed { start }, .. }) = nodes.pop() {
                self.edges.truncate(start as usize);
            }
        }
        self.bound.borrow_mut().retain(|&(_, node)| (node as usize) < len);
    }

    fn start(&self, tensors: &mut TensorAdjoints<F>) {
        tensors.start(&self.spare, self.len(), &self.bound.borrow());
    }

    fn seed(&self, tensors: &mut TensorAdjoints<F>, number: u32, seed: &Tensor<F>) {
        tensors.add(number, seed.clone());
    }

    fn pull<const CAREFUL: bool>(&self, number: u32, scalars: &mut [F], tensors: &mut TensorAdjoints<F>) {
        let nodes = self.nodes.borrow();
        let node = &nodes[number as usize];
        match &node.origin {
            Origin::Input | Origin::Constant => {}
            Origin::Op { rule, operands } => {
                let Some(y_bar) = tensors.consume(number, node.retained) else { return };
                let x: SmallVec<[&Tensor<F>; 4]> = operands.iter().map(|&k| &nodes[k as usize].value).collect();
                let wanted: SmallVec<[bool; 8]> = operands.iter().map(|&k| nodes[k as usize].active).collect();
                let cotangents = rule.pull(&x, &node.value, y_bar, &wanted);
                for ((cotangent, &operand), wanted) in cotangents.into_iter().zip(operands).zip(wanted) {
                    if let (true, Some(x_bar)) = (wanted, cotangent) {
                        tensors.add(operand, x_bar);
                    }
                }
            }
            Origin::Packed { start } => {
                let Some(y_bar) = tensors.consume(number, node.retained) else { return };
                bridge::pull_packed::<F, CAREFUL>(&self.edges, *start as usize, &y_bar, scalars);
            }
            &Origin::Read { of, first, element } => {
                bridge::pull_read(&nodes[of as usize].value, of, first as usize, element, scalars, tensors);
            }
        }
    }

    fn has_nan(&self, tensors: &TensorAdjoints<F>) -> bool {
        // Tensor rules keep the zero rule themselves; only scalars above them can have spoiled an adjoint.
        let nodes = self.nodes.borrow();
        let bridged = nodes.iter().any(|node| matches!(node.origin, Origin::Read { .. } | Origin::Packed { .. }));
        bridged && tensors.has_nan()
    }

    fn finish(&self, tensors: &mut TensorAdjoints<F>) {
        for (k, node) in self.nodes.borrow().iter().enumerate() {
            tensors.finish(k, matches!(node.origin, Origin::Input) || node.retained, &node.value);
        }
    }

    fn add_adjoints(sum: &mut TensorAdjoints<F>, other: &TensorAdjoints<F>) -> Result<(), Error> {
        sum.add_all(other)
    }

    fn scale_adjoints(tensors: &mut TensorAdjoints<F>, factor: F) {
        tensors.scale(factor);
    }

    fn norm_of_adjoints(tensors: &TensorAdjoints<F>) -> F {
        tensors.norm()
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
        self.push_tensor(value.into(), Origin::Input, true)
    }

    /// A tensor with no derivative, by intent: data. Operations on constants alone record nothing.
    pub fn constant_tensor(&self, value: impl Into<Tensor<F>>) -> TensorVar<'_, F> {
        self.push_tensor(value.into(), Origin::Constant, false)
    }

    /// A tape that evaluates and records nothing: [`parameter`](Self::parameter) gives constants on it. For predictions.
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

    fn push_tensor(&self, value: Tensor<F>, origin: Origin<F>, active: bool) -> TensorVar<'_, F> {
        let mut nodes = self.tensors.nodes.borrow_mut();
        let number = nodes.len() as u32;
        nodes.push(TensorNode { value, origin, active, retained: false });
        TensorVar::new(self, number)
    }

    /// Evaluates `rule` and, if an input is among the ancestors of its operands, records it. A failed op leaves nothing.
    #[inline]
    pub(crate) fn record_tensor(
        &self,
        mut rule: Rule<F>,
        operands: Operands,
        caller: Caller,
    ) -> Result<TensorVar<'_, F>, Error> {
        let (value, active) = {
            let nodes = self.tensors.nodes.borrow();
            let x: SmallVec<[&Tensor<F>; 4]> = operands.iter().map(|&k| &nodes[k as usize].value).collect();
            let value = rule.forward(&x).map_err(|source| Error::Shape { source, caller })?;
            (value, operands.iter().any(|&k| nodes[k as usize].active))
        };
        if !active {
            return Ok(self.push_tensor(value, Origin::Constant, false));
        }
        let y = self.push_tensor(value, Origin::Op { rule, operands }, true);
        self.place_special(y.number());
        Ok(y)
    }

    /// Places tensor op `number` in the recording order of scalars.
    fn place_special(&self, number: u32) {
        self.specials.push(Special { at: self.nodes.len() as u32, kind: Kind::Tensor(number) });
    }
}
