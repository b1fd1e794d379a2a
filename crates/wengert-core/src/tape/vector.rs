//! Several reverse sweeps at once: one pass over the list carries the adjoints of `K` outputs side by side.
//!
//! A pass over the list costs as much memory traffic for one adjoint as for a few, and `K` of them side by side are one
//! vector operation. The rule on zeros is kept as in the sweep for one: first without tests, then carefully, if a NaN
//! reached an input in any lane.

use super::gradients::{Gradients, locate};
use super::node::{Edge, Kind, NOWHERE, Node, Special};
use super::scalar::Var;
use super::sweep::Seeds;
use super::{Recording, Tape, mixed_tapes};
use crate::error::{Error, OrPanic};
use crate::number::Primal;
use core::ops::Index;
use core::panic::Location;
use smallvec::SmallVec;
use wengert_tensor::{Element, Tensor};

/// The adjoints of `K` outputs from one reverse sweep: `g[x]` holds the derivatives of all of them with respect to `x`.
///
/// Owned, so they outlive [`Tape::clear`].
pub struct GradientsN<F: Primal, const K: usize> {
    adjoints: Vec<[F; K]>,
    of: Recording,
}

impl<F: Primal, const K: usize> GradientsN<F, K> {
    /// The derivatives with respect to `x`, or `None` for a number that has none here, as [`Gradients::get`].
    pub fn get(&self, x: Var<'_, F>) -> Option<[F; K]> {
        self.find(x).ok().copied()
    }

    fn find(&self, x: Var<'_, F>) -> Result<&[F; K], &'static str> {
        self.adjoints.get(locate(self.of, x)?).ok_or("the variable was recorded after the sweep")
    }
}

impl<F: Primal, const K: usize> Index<Var<'_, F>> for GradientsN<F, K> {
    type Output = [F; K];
    /// The derivatives with respect to `x`.
    ///
    /// # Panics
    /// If `x` is a constant, is folded onto another node (call [`Var::retain`] first), or is not of this recording.
    #[track_caller]
    fn index(&self, x: Var<'_, F>) -> &[F; K] {
        self.find(x).or_panic()
    }
}

impl<F: Primal, const K: usize> core::fmt::Debug for GradientsN<F, K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GradientsN").field("seeds", &K).field("nodes", &self.adjoints.len()).finish_non_exhaustive()
    }
}

impl<F: Primal> Tape<F> {
    /// One reverse sweep from `K` seeds: lane `k` holds the derivative of `sum_i seed_i[k] y_i`.
    ///
    /// On a tape that holds tensors too, it is `K` sweeps.
    ///
    /// # Panics
    /// With the text of the error that [`try_vjp_n`](Self::try_vjp_n) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, y) = (tape.var(2.0), tape.var(5.0));
    /// let g = tape.vjp_n([(x * y, [1.0, 0.0]), (x / y, [0.0, 1.0])]);
    /// assert_eq!((g[x], g[y]), ([5.0, 0.2], [2.0, -0.08]));
    /// ```
    #[track_caller]
    pub fn vjp_n<'t, const K: usize>(
        &'t self,
        outputs: impl IntoIterator<Item = (Var<'t, F>, [F; K])>,
    ) -> GradientsN<F, K> {
        self.try_vjp_n(outputs).or_panic()
    }

    /// [`vjp_n`](Self::vjp_n), returning what went wrong while recording.
    ///
    /// # Errors
    /// As [`try_vjp`](Self::try_vjp).
    #[track_caller]
    pub fn try_vjp_n<'t, const K: usize>(
        &'t self,
        outputs: impl IntoIterator<Item = (Var<'t, F>, [F; K])>,
    ) -> Result<GradientsN<F, K>, Error> {
        let mut seeds = SmallVec::new();
        for (y, seed) in outputs {
            match y.handle().tape() {
                Some(tape) if !core::ptr::eq(tape, self) => mixed_tapes(self, tape, Location::caller()),
                _ => {
                    let (partial, node) = y.pending();
                    seeds.push((node, seed.map(|seed| partial.zero_product(seed))));
                }
            }
        }
        let mut adjoints = Vec::new();
        self.sweep_lanes(&seeds, &mut adjoints)?;
        Ok(GradientsN { adjoints, of: self.recording() })
    }

    /// The Jacobian of recorded outputs with respect to recorded inputs: `J[i, j] = dy_i/dx_j`, shape
    /// `[outputs, inputs]`. Eight outputs, or four where that is enough, share a reverse sweep.
    ///
    /// # Panics
    /// If an input is not a node of its own, as [`Gradients::wrt`]; otherwise with the text of the error that
    /// [`try_jacobian`](Self::try_jacobian) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.vars(&[2.0, 3.0]);
    /// let j = tape.jacobian(&[x[0] * x[1], x[0].square()], &x);
    /// assert_eq!(j.to_vec(), [3.0, 2.0, 4.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn jacobian<'t>(&'t self, outputs: &[Var<'t, F>], inputs: &[Var<'t, F>]) -> Tensor<F>
    where
        F: Element,
    {
        self.try_jacobian(outputs, inputs).or_panic()
    }

    /// [`jacobian`](Self::jacobian), returning what went wrong while recording.
    ///
    /// # Errors
    /// As [`try_vjp`](Self::try_vjp).
    ///
    /// # Panics
    /// If an input is not a node of its own.
    #[track_caller]
    pub fn try_jacobian<'t>(&'t self, outputs: &[Var<'t, F>], inputs: &[Var<'t, F>]) -> Result<Tensor<F>, Error>
    where
        F: Element,
    {
        let mut nodes = Vec::with_capacity(inputs.len());
        for &x in inputs {
            nodes.push(locate(self.recording(), x).or_panic());
        }
        let mut rows = Vec::with_capacity(outputs.len() * nodes.len());
        self.rows(outputs, &nodes, &mut rows)?;
        Ok(Tensor::from_vec([outputs.len(), inputs.len()], rows))
    }

    /// The Jacobian's rows, one after the other.
    #[track_caller]
    pub(crate) fn rows<'t>(&'t self, outputs: &[Var<'t, F>], inputs: &[usize], rows: &mut Vec<F>) -> Result<(), Error> {
        let mut rest = outputs;
        let (mut eight, mut four) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(8));
            match now {
                [y] => {
                    let gradients = self.try_vjp([(*y, F::ONE)])?;
                    rows.extend(inputs.iter().map(|&node| gradients.at(node)));
                }
                [_, _, _, _, _, ..] => self.some_rows::<8>(now, inputs, &mut eight, rows)?,
                _ => self.some_rows::<4>(now, inputs, &mut four, rows)?,
            }
            rest = later;
        }
        Ok(())
    }

    #[track_caller]
    fn some_rows<'t, const K: usize>(
        &'t self,
        outputs: &[Var<'t, F>],
        inputs: &[usize],
        adjoints: &mut Vec<[F; K]>,
        rows: &mut Vec<F>,
    ) -> Result<(), Error> {
        let mut seeds = SmallVec::new();
        for (lane, y) in outputs.iter().enumerate() {
            if let Some(other) = y.handle().tape().filter(|tape| !core::ptr::eq(*tape, self)) {
                mixed_tapes(self, other, Location::caller());
                continue;
            }
            let (partial, node) = y.pending();
            let mut seed = [F::ZERO; K];
            seed[lane] = partial;
            seeds.push((node, seed));
        }
        self.sweep_lanes(&seeds, adjoints)?;
        rows.extend(
            (0..outputs.len())
                .flat_map(|lane| inputs.iter().map(move |&node| (node, lane)))
                .map(|(node, lane)| adjoints[node][lane]),
        );
        Ok(())
    }

    #[track_caller]
    fn sweep_lanes<const K: usize>(&self, seeds: &LaneSeeds<F, K>, adjoints: &mut Vec<[F; K]>) -> Result<(), Error> {
        self.check()?;
        if self.specials.with(|specials| specials.iter().any(|special| !matches!(special.kind, Kind::Nary { .. }))) {
            return self.sweep_one_by_one(seeds, adjoints);
        }
        self.sweep_all::<K, false>(seeds, adjoints);
        let spoiled = |node: u32| adjoints[node as usize].iter().any(|x_bar| x_bar.has_nan());
        if self.inputs.with(|inputs| inputs.iter().any(|&(start, end)| (start..end).any(spoiled)))
            || self.retained.with(|nodes| nodes.iter().copied().any(spoiled))
        {
            self.sweep_all::<K, true>(seeds, adjoints);
        }
        Ok(())
    }

    /// A tensor's adjoint has one lane.
    #[track_caller]
    fn sweep_one_by_one<const K: usize>(
        &self,
        seeds: &LaneSeeds<F, K>,
        adjoints: &mut Vec<[F; K]>,
    ) -> Result<(), Error> {
        adjoints.clear();
        adjoints.resize(self.nodes.len(), [F::ZERO; K]);
        for lane in 0..K {
            let scalars = seeds.iter().map(|&(node, seed)| (node, seed[lane])).collect();
            let gradients: Gradients<F> = self.sweep_from(&Seeds { scalars, tensors: SmallVec::new() })?;
            for (node, adjoint) in adjoints.iter_mut().enumerate() {
                adjoint[lane] = gradients.at(node);
            }
        }
        Ok(())
    }

    fn sweep_all<const K: usize, const CAREFUL: bool>(&self, seeds: &LaneSeeds<F, K>, adjoints: &mut Vec<[F; K]>) {
        adjoints.clear();
        adjoints.resize(self.nodes.len(), [F::ZERO; K]);
        let mut high = 0;
        for &(node, seed) in seeds {
            if node != NOWHERE {
                for lane in 0..K {
                    adjoints[node as usize][lane] += seed[lane];
                }
                high = high.max(node as usize + 1);
            }
        }
        self.nodes.with(|nodes| {
            self.edges.with(|edges| {
                self.specials.with(|specials| back::<F, K, CAREFUL>(nodes, edges, specials, adjoints, high));
            });
        });
    }
}

/// Where a sweep of `K` lanes starts.
type LaneSeeds<F, const K: usize> = SmallVec<[(u32, [F; K]); 8]>;

/// The sweep from node `high - 1` down, over nodes of two and of many operands.
fn back<F: Primal, const K: usize, const CAREFUL: bool>(
    nodes: &[Node<F>],
    edges: &[Edge<F>],
    specials: &[Special],
    adjoints: &mut [[F; K]],
    mut high: usize,
) {
    let last = specials.partition_point(|special| (special.at as usize) < high);
    for special in specials[..last].iter().rev() {
        let at = special.at as usize;
        plain_nodes::<F, K, CAREFUL>(nodes, adjoints, at + 1, high);
        if let Kind::Nary { start, len } = special.kind {
            let y_bar = adjoints[at];
            for &Edge { partial, parent } in &edges[start as usize..(start + len) as usize] {
                add::<F, K, CAREFUL>(&mut adjoints[parent as usize], y_bar, partial);
            }
        }
        high = at;
    }
    plain_nodes::<F, K, CAREFUL>(nodes, adjoints, 0, high);
}

#[inline(always)]
fn plain_nodes<F: Primal, const K: usize, const CAREFUL: bool>(
    nodes: &[Node<F>],
    adjoints: &mut [[F; K]],
    low: usize,
    high: usize,
) {
    for k in (low..high).rev() {
        let node = &nodes[k];
        let ([p, q], [a, b]) = (node.partials, node.parents());
        let y_bar = adjoints[k];
        // A node's edge to itself carries nothing. To leave it out costs less here than to add a row of zeros.
        if a as usize != k {
            add::<F, K, CAREFUL>(&mut adjoints[a as usize], y_bar, p);
        }
        if b as usize != k {
            add::<F, K, CAREFUL>(&mut adjoints[b as usize], y_bar, q);
        }
    }
}

#[inline(always)]
fn add<F: Primal, const K: usize, const CAREFUL: bool>(sum: &mut [F; K], y_bar: [F; K], partial: F) {
    for lane in 0..K {
        sum[lane] += if CAREFUL { partial.zero_product(y_bar[lane]) } else { y_bar[lane] * partial };
    }
}
