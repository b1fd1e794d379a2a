//! Scalars made of tensors, and tensors made of scalars: recorded ops that cost a copy, not an allocation per element.

use super::{Origin, TensorAdjoints, TensorFloat, TensorVar};
use crate::error::{Caller, Error, OrPanic};
use crate::tape::arena::Arena;
use crate::tape::node::{Edge, NOWHERE, Node};
use crate::tape::{OnTape, Scalar, Tape, Var, mixed_tapes};
use core::panic::Location;
use wengert_tensor::Tensor;

impl<F: TensorFloat> Tape<F> {
    /// A tensor of shape `[n]` made of `n` scalars; gradients flow back to them.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.vars(&[1.0, 2.0, 3.0]);
    /// let y = tape.pack(&x).square().sum().scalar() + x[0];
    /// assert_eq!(y.gradient().wrt(&x), [3.0, 4.0, 6.0]);
    /// ```
    #[doc(alias = "to_tensor")]
    #[track_caller]
    pub fn pack<'t>(&'t self, scalars: &[Var<'t, F>]) -> TensorVar<'t, F> {
        let caller = Location::caller();
        if self.tensors.observed.get() {
            return self.observe_pack(scalars, caller);
        }
        self.pack_from(scalars, caller)
    }

    /// [`pack`](Self::pack), whoever looks on.
    pub(crate) fn pack_from<'t>(&'t self, scalars: &[Var<'t, F>], caller: Caller) -> TensorVar<'t, F> {
        let value: Tensor<F> = scalars.iter().map(|x| x.primal()).collect();
        if scalars.iter().all(|x| x.is_constant()) {
            return self.push_tensor(value, Origin::Constant, false);
        }
        let start = self.tensors.edges.extend(scalars.len(), |k| match scalars[k].handle().tape() {
            Some(tape) if core::ptr::eq(tape, self) => {
                let (partial, parent) = scalars[k].pending();
                Edge { partial, parent }
            }
            Some(other) => {
                mixed_tapes(self, other, caller);
                Edge { partial: F::ZERO, parent: NOWHERE }
            }
            None => Edge { partial: F::ZERO, parent: NOWHERE },
        });
        self.tensors.bridged.set(true);
        let y = self.push_tensor(value, Origin::Packed { start }, true);
        self.place_special(y.number());
        y
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Every element as a scalar on the same tape, in logical order.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([2.0, 3.0]);
    /// let s = x.scalars();
    /// let y = s[0] * s[0] * s[1];
    /// assert_eq!(y.gradient()[x].to_vec(), [12.0, 4.0]);
    /// ```
    pub fn scalars(self) -> Vec<Var<'t, F>> {
        let value = self.value();
        let first = self.read(value.len(), None);
        value.iter().enumerate().map(|(k, x)| self.element(x, first + k as u32)).collect()
    }

    /// One element as a scalar.
    ///
    /// # Panics
    /// With the text of the error that [`try_at`](Self::try_at) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = x.at([1, 0]) * x.at([0, 1]);
    /// assert_eq!(y.gradient()[x].to_vec(), [0.0, 3.0, 2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn at(self, index: impl AsRef<[usize]>) -> Var<'t, F> {
        self.try_at(index).or_panic()
    }

    /// [`at`](Self::at), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such element.
    #[track_caller]
    pub fn try_at(self, index: impl AsRef<[usize]>) -> Result<Var<'t, F>, Error> {
        let index = index.as_ref();
        let value = self.value();
        let x = self.fit(value.try_at(index))?;
        let position = index.iter().zip(value.shape().iter()).fold(0, |position, (&i, &n)| position * n + i);
        let first = self.read(1, Some(position as u32));
        Ok(self.element(x, first))
    }

    /// The only element as a scalar.
    ///
    /// # Panics
    /// If there is not exactly one.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, s) = (tape.tensor([3.0, 4.0]), tape.var(2.0));
    /// let y = x.square().sum().scalar() * s; // goes on as a scalar
    /// let g = y.gradient();
    /// assert_eq!((g[x].to_vec(), g[s]), (vec![12.0, 16.0], 25.0));
    /// ```
    #[track_caller]
    pub fn scalar(self) -> Var<'t, F> {
        let value = self.value();
        match self.fit(value.try_item()) {
            Ok(x) => self.element(x, self.read(1, Some(0))),
            Err(error) => error.raise(),
        }
    }

    /// Records the scalar nodes that elements are read through.
    fn read(self, count: usize, element: Option<u32>) -> u32 {
        let tape = self.tape();
        if !self.is_active() {
            return NOWHERE;
        }
        let first = tape.first_leaf();
        tape.tensors.bridged.set(true);
        let origin = Origin::Read { of: self.number(), first, element };
        let number = tape.tensors.nodes.borrow_mut().push(Tensor::scalar(F::ZERO), origin, true);
        tape.place_special(number);
        tape.nodes.extend(count, |k| Node::new([F::ZERO; 2], [first + k as u32; 2]));
        first
    }

    fn element(self, x: F, node: u32) -> Var<'t, F> {
        if self.is_active() {
            Scalar::recorded(x, F::ONE, OnTape::on(self.tape()), node)
        } else {
            Scalar::folded(x, F::ZERO, OnTape::on(self.tape()), NOWHERE)
        }
    }
}

/// The cotangent of a tensor made of scalars, handed on to them.
pub(super) fn pull_packed<F: TensorFloat, const CAREFUL: bool>(
    edges: &Arena<Edge<F>>,
    start: usize,
    y_bar: &Tensor<F>,
    scalars: &mut [F],
) {
    edges.with(|edges| {
        for (&Edge { partial, parent }, y_bar) in edges[start..].iter().zip(y_bar.iter()) {
            let x_bar = if CAREFUL && (partial == F::ZERO || y_bar == F::ZERO) { F::ZERO } else { y_bar * partial };
            scalars[parent as usize] += x_bar;
        }
    });
}

/// The adjoints of elements read as scalars, added to that of their tensor.
pub(super) fn pull_read<F: TensorFloat>(
    value: &Tensor<F>,
    of: u32,
    first: usize,
    element: Option<u32>,
    scalars: &[F],
    tensors: &mut TensorAdjoints<F>,
) {
    match element {
        Some(element) => {
            if scalars[first] != F::ZERO {
                tensors.add_element(of, element as usize, scalars[first], value);
            }
        }
        None => {
            let x_bar = &scalars[first..first + value.len()];
            if x_bar.iter().any(|&x_bar| x_bar != F::ZERO) {
                tensors.add(of, Tensor::from_slice(value.shape().clone(), x_bar));
            }
        }
    }
}
