//! The reverse sweep.
//!
//! Zero times anything is zero here, infinities and NaN included, yet the sweep does not test for zero: skipping zero
//! adjoints by a branch costs up to 25 %, a select up to 56 %. It is *optimistic* instead. The branch-free sweep runs
//! first; a NaN never fades on its way to an input, so only if the adjoint of an input is NaN at the end does the sweep
//! run again, carefully. A NaN that reaches no input does no harm.

use super::gradients::Gradients;
use super::node::{Edge, Kind, NOWHERE, Node, Special};
use super::scalar::Var;
use super::{Tape, mixed_tapes};
use crate::error::{Error, OrPanic};
use crate::number::{Primal, TensorSide};
use core::panic::Location;
use smallvec::SmallVec;
use wengert_tensor::refusable;

/// Where a sweep starts: adjoints of scalars by node, and those of tensors.
pub(crate) struct Seeds<F: Primal> {
    pub(crate) scalars: SmallVec<[(u32, F); 2]>,
    pub(crate) tensors: SmallVec<[(u32, TensorSeed<F>); 1]>,
}

/// Which part of the list a sweep goes over: backwards from the scalar node before `high`, or from tensor `last_tensor`
/// if that comes later, to the scalar node `low`; `specials` is the first entry of the side list that belongs to it.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) low: usize,
    pub(crate) specials: usize,
    pub(crate) high: usize,
    pub(crate) last_tensor: Option<u32>,
}

pub(crate) type TensorSeed<F> = <<F as Primal>::Tensors as TensorSide<F>>::Seed;

impl<F: Primal> Tape<F> {
    /// One reverse sweep for several outputs: the derivative of `sum_i seed_i y_i`.
    ///
    /// # Panics
    /// With the text of the error that [`try_vjp`](Self::try_vjp) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var(2.0);
    /// let g = tape.vjp([(x.square(), 1.0), (x.recip(), 100.0)]);
    /// assert_eq!(g[x], 4.0 - 25.0);
    /// ```
    #[track_caller]
    pub fn vjp<'t>(&'t self, outputs: impl IntoIterator<Item = (Var<'t, F>, F)>) -> Gradients<F> {
        self.try_vjp(outputs).or_panic()
    }

    /// [`vjp`](Self::vjp), returning what went wrong while recording.
    ///
    /// # Errors
    /// [`Error::MixedTapes`] if operands of two tapes met in an operation, or an output is of another tape;
    /// [`Error::Full`] if the tape ran out of room; [`Error::Derivative`] if there is no memory for the tensors of the
    /// sweep.
    #[track_caller]
    pub fn try_vjp<'t>(&'t self, outputs: impl IntoIterator<Item = (Var<'t, F>, F)>) -> Result<Gradients<F>, Error> {
        let mut seeds = Seeds { scalars: SmallVec::new(), tensors: SmallVec::new() };
        for (y, seed) in outputs {
            match y.handle().tape() {
                Some(tape) if !core::ptr::eq(tape, self) => mixed_tapes(self, tape, Location::caller()),
                _ => {
                    let (partial, node) = y.pending();
                    seeds.scalars.push((node, partial.zero_product(seed)));
                }
            }
        }
        self.sweep_from(&seeds)
    }

    /// The sweep from `seeds`, or what was refused to it.
    #[track_caller]
    pub(crate) fn sweep_from(&self, seeds: &Seeds<F>) -> Result<Gradients<F>, Error> {
        self.check()?;
        let mut scalars = self.take_spare();
        let mut tensors = Default::default();
        let inputs: SmallVec<[(u32, u32); 2]> = self.inputs.with(SmallVec::from_slice);
        // Tapes of scalars alone do not pay for what only tensors can be refused; a user's pullback may work with some.
        if self.tensors.count() == 0 && self.pullbacks.len() == 0 {
            self.sweep_twice(seeds, &mut scalars, &mut tensors, &inputs);
        } else if let Err(source) = refusable(|| self.sweep_twice(seeds, &mut scalars, &mut tensors, &inputs)) {
            let op = self.pulling.get().map(|number| self.tensors.label(number));
            return Err(Error::derivative("gradient", op, source, Location::caller()));
        }
        Ok(Gradients::new(self, scalars, tensors, inputs))
    }

    /// The sweep from `seeds`, first branch-free, then again with care if a NaN reached an input.
    fn sweep_twice(
        &self,
        seeds: &Seeds<F>,
        scalars: &mut Vec<F>,
        tensors: &mut <F::Tensors as TensorSide<F>>::Adjoints,
        inputs: &[(u32, u32)],
    ) {
        let watched = self.tensors.is_watched();
        if !watched {
            self.sweep::<false>(seeds, scalars, tensors);
        }
        let spoiled = |node: u32| scalars[node as usize].has_nan();
        // Whole blocks at once: a branch for every input is a twentieth of the time of Rosenbrock's gradient.
        let block_spoiled = |block: &[F]| block.iter().fold(false, |spoiled, x_bar| spoiled | x_bar.has_nan());
        if watched
            || inputs.iter().any(|&(start, end)| scalars[start as usize..end as usize].chunks(64).any(block_spoiled))
            || self.retained.with(|nodes| nodes.iter().copied().any(spoiled))
            || self.tensors.has_nan(tensors)
        {
            self.sweep::<true>(seeds, scalars, tensors);
        }
        self.tensors.finish(tensors);
        if watched {
            self.tensors.watch_adjoints(scalars, tensors, |tensor| self.place_of(tensor));
        }
    }

    /// How many scalar nodes precede tensor op `number`; all of them, if it is not an op.
    fn place_of(&self, number: u32) -> usize {
        let at =
            |special: &Special| matches!(special.kind, Kind::Tensor(n) if n == number).then_some(special.at as usize);
        self.specials.with(|specials| specials.iter().rev().find_map(at)).unwrap_or(self.nodes.len())
    }

    fn sweep<const CAREFUL: bool>(
        &self,
        seeds: &Seeds<F>,
        scalars: &mut Vec<F>,
        tensors: &mut <F::Tensors as TensorSide<F>>::Adjoints,
    ) {
        let count = self.nodes.len();
        scalars.clear();
        if scalars.capacity() < count {
            // Growing tapes ask again and again: leave room, as the arena does.
            super::arena::reserve(scalars, count + count / 4);
        }
        scalars.resize(count, F::ZERO);
        // The inputs that programs start with have no parents.
        let leaves =
            self.inputs.with(|inputs| inputs.first().filter(|range| range.0 == 1).map_or(1, |range| range.1 as usize));
        let mut first_root = 0;
        for &(node, seed) in &seeds.scalars {
            if node != NOWHERE {
                scalars[node as usize] += seed;
                first_root = first_root.max(node as usize + 1);
            }
        }
        let mut last_tensor = None;
        self.pulling.set(None);
        self.tensors.start(tensors);
        for (number, seed) in &seeds.tensors {
            self.tensors.seed(tensors, *number, seed);
            last_tensor = last_tensor.max(Some(*number));
        }
        self.sweep_back::<CAREFUL>(Part { low: leaves, specials: 0, high: first_root, last_tensor }, scalars, tensors);
    }

    /// The sweep proper, over a part of the list, from the adjoints given.
    pub(crate) fn sweep_back<const CAREFUL: bool>(
        &self,
        part: Part,
        scalars: &mut [F],
        tensors: &mut <F::Tensors as TensorSide<F>>::Adjoints,
    ) {
        let Part { low, specials: first, high: first_root, last_tensor } = part;
        self.nodes.with(|nodes| {
            self.edges.with(|edges| {
                self.specials.with(|specials| {
                    let specials = &specials[first..];
                    // What was recorded after the outputs cannot have moved them.
                    let by_scalars = specials.partition_point(|special| (special.at as usize) < first_root);
                    let by_tensors = specials
                        .iter()
                        .rposition(|special| matches!(special.kind, Kind::Tensor(n) if Some(n) <= last_tensor));
                    let last = by_scalars.max(by_tensors.map_or(0, |position| position + 1));
                    let mut high = first_root;
                    for special in specials[..last].iter().rev() {
                        let at = special.at as usize;
                        high = high.max(at);
                        match special.kind {
                            Kind::Nary { start, len } => {
                                high = high.max(at + 1);
                                plain_nodes::<F, CAREFUL>(nodes, scalars, at + 1, high);
                                let operands = &edges[start as usize..(start + len) as usize];
                                nary_node::<F, CAREFUL>(operands, scalars, at);
                            }
                            Kind::Pullback { number, results } => {
                                let results = at..at + results as usize;
                                high = high.max(results.end);
                                self.pulling.set(None);
                                plain_nodes::<F, CAREFUL>(nodes, scalars, results.end, high);
                                self.pullbacks.pull::<CAREFUL>(number, results, edges, scalars);
                            }
                            Kind::Tensor(number) => {
                                plain_nodes::<F, CAREFUL>(nodes, scalars, at, high);
                                self.pulling.set(Some(number));
                                self.tensors.pull::<CAREFUL>(number, scalars, tensors);
                            }
                        }
                        high = at;
                    }
                    plain_nodes::<F, CAREFUL>(nodes, scalars, low, high);
                });
            });
        });
    }

    /// Whether a path leads from node `x` to node `y`.
    pub(crate) fn reaches(&self, y: u32, x: u32) -> bool {
        if y == NOWHERE || x == NOWHERE {
            return false;
        }
        let mut on_path = vec![false; self.nodes.len()];
        on_path[y as usize] = true;
        self.nodes.with(|nodes| {
            self.edges.with(|edges| {
                self.specials.with(|specials| {
                    let mut next = specials.len();
                    for k in (0..=y as usize).rev() {
                        if !on_path[k] {
                            continue;
                        }
                        for parent in nodes[k].parents() {
                            on_path[parent as usize] = true;
                        }
                        while next > 0 && specials[next - 1].at as usize > k {
                            next -= 1;
                        }
                        let operands = match specials[..next].last().map(|special| (special.at as usize, special.kind))
                        {
                            Some((at, Kind::Nary { start, len })) if at == k => {
                                &edges[start as usize..(start + len) as usize]
                            }
                            Some((at, Kind::Pullback { number, results })) if k < at + results as usize => {
                                self.pullbacks.operands(number, edges)
                            }
                            _ => &[],
                        };
                        for edge in operands {
                            on_path[edge.parent as usize] = true;
                        }
                    }
                });
            });
        });
        on_path[x as usize]
    }
}

/// The inner loop: nodes `low..high`, backwards. Node 0 stands for constants and hands nothing on.
///
/// The adjoint of the next node is kept at hand if this one adds to it, as most do: from memory, where it was stored
/// just now, it would come some eight cycles later. Which of two operands it is, is a move; whether it is one, a
/// branch.
#[inline(always)]
fn plain_nodes<F: Primal, const CAREFUL: bool>(nodes: &[Node<F>], adjoints: &mut [F], low: usize, high: usize) {
    let low = low.max(1);
    if low >= high {
        return;
    }
    let mut y_bar = adjoints[high - 1];
    let mut k = high;
    for node in nodes[low..high].iter().rev() {
        k -= 1;
        let ([p, q], [a, b]) = (node.partials, node.parents());
        let mut hand_on = |parent: u32, partial: F| {
            let adjoint = &mut adjoints[parent as usize];
            if !CAREFUL {
                *adjoint += y_bar * partial;
            } else if parent as usize != k {
                // An infinite adjoint times the zero partial of a node's edge to itself would be NaN.
                *adjoint += partial.zero_product(y_bar);
            }
            *adjoint
        };
        let (left, right) = (hand_on(a, p), hand_on(b, q));
        let [from_left, from_right] = [a, b].map(|parent| parent as usize + 1 == k);
        let latest = if from_right { right } else { left };
        y_bar = if from_left || from_right { latest } else { adjoints[k - 1] };
    }
}

#[inline(always)]
fn nary_node<F: Primal, const CAREFUL: bool>(operands: &[Edge<F>], adjoints: &mut [F], at: usize) {
    let y_bar = adjoints[at];
    for &Edge { partial, parent } in operands {
        adjoints[parent as usize] += if CAREFUL { partial.zero_product(y_bar) } else { y_bar * partial };
    }
}
