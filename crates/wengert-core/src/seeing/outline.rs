//! The two halves of a tape in one recording order.

use super::observer::bytes;
use super::text::size;
use super::times::Times;
use crate::number::Primal;
use crate::tape::node::{Edge, Kind, Node, Special};
use crate::tape::{Pullbacks, Tape};
use crate::tensor::{Columns, Origin, TensorFloat};
use wengert_tensor::Tensor;

/// One entry of the list.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    /// A scalar input.
    Input(u32),
    /// A scalar of one or two operands.
    Plain(u32),
    /// A scalar of many operands, which are `start..start + len` of the edges.
    Nary { node: u32, start: u32, len: u32 },
    /// Scalars from `first` on, the results of a function with a pullback.
    Results { first: u32, count: u32, number: u32 },
    /// A tensor; or the scalars that read one.
    Tensor(u32),
}

/// What lies on a tape, by slice.
pub(super) struct Outline<'a, F: TensorFloat> {
    pub(super) nodes: &'a [Node<F>],
    pub(super) edges: &'a [Edge<F>],
    pub(super) tensors: &'a Columns<F>,
    pub(super) packed: &'a [Edge<F>],
    /// What ops took, if the tape is profiled.
    pub(super) times: Times,
    specials: &'a [Special],
    inputs: &'a [(u32, u32)],
    pullbacks: &'a Pullbacks<F>,
}

/// Reads a tape.
pub(super) fn with_outline<F: TensorFloat, R>(tape: &Tape<F>, read: impl FnOnce(&Outline<'_, F>) -> R) -> R {
    let tensors = &*tape.tensors.nodes.borrow();
    let times = tape.tensors.observer.borrow().times();
    tape.nodes.with(|nodes| {
        tape.edges.with(|edges| {
            tape.specials.with(|specials| {
                tape.inputs.with(|inputs| {
                    tape.tensors.edges.with(|packed| {
                        let pullbacks = &tape.pullbacks;
                        read(&Outline { nodes, edges, tensors, packed, times, specials, inputs, pullbacks })
                    })
                })
            })
        })
    })
}

impl<F: TensorFloat> Outline<'_, F> {
    /// Visits the entries in recording order. Inputs and constants of the tensor half, whose place among the scalars is
    /// not kept, come right before the next tensor op.
    pub(super) fn visit(&self, mut entry: impl FnMut(Entry)) {
        let (mut scalar, mut tensor) = (1, 0);
        let plain = |from: u32, to: u32, entry: &mut dyn FnMut(Entry)| {
            for node in from..to {
                entry(if self.is_input(node) { Entry::Input(node) } else { Entry::Plain(node) });
            }
        };
        for special in self.specials {
            plain(scalar, special.at, &mut entry);
            scalar = scalar.max(special.at);
            match special.kind {
                Kind::Nary { start, len } => {
                    entry(Entry::Nary { node: special.at, start, len });
                    scalar = special.at + 1;
                }
                Kind::Pullback { number, results } => {
                    entry(Entry::Results { first: special.at, count: results, number });
                    scalar = special.at + results;
                }
                Kind::Tensor(number) => {
                    (tensor..=number).for_each(|number| entry(Entry::Tensor(number)));
                    tensor = number + 1;
                    if let Some((first, count)) = self.read(number) {
                        scalar = first + count;
                    }
                }
            }
        }
        plain(scalar, self.nodes.len() as u32, &mut entry);
        (tensor..self.tensors.values.len() as u32).for_each(|number| entry(Entry::Tensor(number)));
    }

    /// The scalars that entry `number` of the tensors reads elements into.
    pub(super) fn read(&self, number: u32) -> Option<(u32, u32)> {
        match self.tensors.origins[number as usize] {
            Origin::Read { first, element: Some(_), .. } => Some((first, 1)),
            Origin::Read { of, first, element: None } => Some((first, self.value(of).len() as u32)),
            _ => None,
        }
    }

    fn is_input(&self, node: u32) -> bool {
        let before = self.inputs.partition_point(|&(_, end)| end <= node);
        self.inputs.get(before).is_some_and(|&(start, _)| start <= node)
    }

    /// The operands of a scalar of one or two, with the partials by them.
    pub(super) fn parents(&self, node: u32) -> impl Iterator<Item = Edge<F>> {
        let of = self.nodes[node as usize];
        let edges = of.partials.into_iter().zip(of.parents()).map(|(partial, parent)| Edge { partial, parent });
        edges.filter(move |edge| edge.parent != node)
    }

    pub(super) fn operands_of_pullback(&self, number: u32) -> &[Edge<F>] {
        self.pullbacks.operands(number, self.edges)
    }

    /// The edges of a tensor packed from scalars.
    pub(super) fn packed(&self, number: u32, start: u32) -> &[Edge<F>] {
        &self.packed[start as usize..start as usize + self.value(number).len()]
    }

    pub(super) fn value(&self, number: u32) -> &Tensor<F> {
        &self.tensors.values[number as usize].tensor
    }

    /// Whether tensor `number` sees the memory of an operand through another shape and has none of its own.
    pub(super) fn is_view(&self, number: u32) -> bool {
        match &self.tensors.origins[number as usize] {
            Origin::Op { operands, .. } => operands.iter().any(|&x| self.value(x).shares_storage(self.value(number))),
            _ => false,
        }
    }

    /// The memory of tensor `number` as text.
    pub(super) fn memory(&self, number: u32) -> String {
        if self.is_view(number) { "view".to_owned() } else { size(bytes(self.value(number))) }
    }
}

/// A partial as text: four digits say enough of it.
pub(super) fn short<F: Primal>(x: F) -> String {
    use wengert_kernels::Float;
    let x = x.base().to_f64();
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    if !(1e-3..1e5).contains(&x.abs()) {
        return format!("{x:.3e}");
    }
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
