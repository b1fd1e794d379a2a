//! Sums over many items, differentiated in the memory of one.
//!
//! Items are recorded on a tape of their own: a few leaves stand for the shared inputs, and after them there is only
//! the present item. Once recorded it is swept down to the leaves and forgotten, so recording and sweep stay in cache
//! however many items there are, and the cost of an item does not depend on what was recorded before. What the items
//! add up to is one node on the caller's tape, with the sums of adjoints as its partials.

use super::scalar::{Scalar, Var};
use super::sweep::Part;
use super::{Handle, Mark, OnTape, Tape, mixed_tapes};
use crate::error::{Error, OrPanic};
use crate::number::Primal;
use core::panic::Location;
use std::sync::Mutex;
use wengert_kernels::Par;

impl<F: Primal> Tape<F> {
    /// The sum of `f` over `items`, in the memory of one item.
    ///
    /// Every item is recorded, swept down to the shared inputs `x` and forgotten; values and adjoints of `x` add up.
    /// The result is one node with an edge to every `x`, so it can be part of a larger program, on tapes over duals
    /// too. Give as `x` whatever the items share, intermediate results included: those are then swept once, not once
    /// per item.
    ///
    /// `f` sees the shared inputs under a lifetime of its own, and must use those: what it records for an item cannot
    /// leave it, and a variable of the outer tape cannot get in.
    ///
    /// An error while recording an item (a full tape) is kept and reported by [`Var::try_gradient`].
    ///
    /// # Examples
    /// A shared intermediate result, and the memory of one item:
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let rate = tape.var(0.5);
    /// let scale = rate.exp().retain(); // computed and swept once
    /// let data = (0..10_000).map(|k| f64::from(k % 10));
    /// let loss = tape.accumulate(&[scale], data, |x, item| (x[0] * item - 1.0).square());
    /// // sum of 2 (s d - 1) d, times ds/drate = s
    /// let s = 0.5_f64.exp();
    /// assert!((loss.gradient()[rate] / (1000.0 * (2.0 * s * 285.0 - 2.0 * 45.0) * s) - 1.0).abs() < 1e-12);
    /// assert!(tape.size().nodes < 10);
    /// ```
    ///
    /// Nothing recorded for an item can escape:
    /// ```compile_fail,E0521
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var(0.5);
    /// let mut kept = None;
    /// tape.accumulate(&[x], [1.0, 2.0], |x, item| {
    ///     let y = x[0] * item;
    ///     kept = Some(y);
    ///     y
    /// });
    /// ```
    ///
    /// Nor can a variable from outside be used in one, except through the argument:
    /// ```compile_fail,E0597
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, y) = (tape.var(0.5), tape.var(1.0));
    /// tape.accumulate(&[x], [1.0, 2.0], |x, item| x[0] * item + y);
    /// ```
    #[track_caller]
    pub fn accumulate<'t, T>(
        &'t self,
        x: &[Var<'t, F>],
        items: impl IntoIterator<Item = T>,
        f: impl for<'i> FnMut(&[Var<'i, F>], T) -> Var<'i, F>,
    ) -> Var<'t, F> {
        let caller = Location::caller();
        let values: Vec<F> = x.iter().map(|x| x.primal()).collect();
        let mut sums = Sums::zero(values.len());
        let result = sums.run(&values, self.limit, items, f);
        self.total(x, result.map(|()| sums), caller)
    }

    /// [`accumulate`](Self::accumulate) on all cores, which share nothing while they work.
    ///
    /// The items are cut into blocks and the blocks' sums added in a tree; both depend on the number of items only, so
    /// value and gradient are the same bit for bit on any number of threads. They differ by rounding from those of
    /// [`accumulate`](Self::accumulate), which adds one after the other. [`threads`](wengert_kernels::par::threads) and
    /// `WENGERT_THREADS` limit how many threads are used.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.vars(&[1.0, 2.0]);
    /// let data: Vec<f64> = (0..1000).map(f64::from).collect();
    /// let y = tape.accumulate_parallel(&x, &data, |x, &item| x[0] * item + x[1]);
    /// assert_eq!((y.value(), y.gradient().wrt(&x)), (501_500.0, vec![499_500.0, 1000.0]));
    /// ```
    #[track_caller]
    pub fn accumulate_parallel<'t, T: Sync>(
        &'t self,
        x: &[Var<'t, F>],
        items: &[T],
        f: impl for<'i> Fn(&[Var<'i, F>], &T) -> Var<'i, F> + Sync,
    ) -> Var<'t, F> {
        let caller = Location::caller();
        let values: Vec<F> = x.iter().map(|x| x.primal()).collect();
        self.total(x, in_blocks(&values, self.limit, items, f), caller)
    }

    /// The node of what items added up to.
    fn total<'t>(&'t self, x: &[Var<'t, F>], sums: Result<Sums<F>, Error>, caller: crate::error::Caller) -> Var<'t, F> {
        let sums = match sums {
            Ok(sums) => sums,
            Err(error) => {
                self.fail(error);
                return Scalar::constant(self, F::ZERO);
            }
        };
        let mut stranger = x.iter().filter_map(|x| x.handle().tape()).filter(|tape| !core::ptr::eq(*tape, self));
        if let Some(other) = stranger.next() {
            mixed_tapes(self, other, caller);
            return Scalar::constant(self, sums.value);
        }
        if sums.items == 0 {
            return Scalar::constant(self, F::ZERO);
        }
        OnTape::by_partials(x.iter().copied().zip(sums.adjoints), sums.value)
    }
}

/// The value and the gradient of the sum of `f` over `items`, on all cores: map over tapes, reduce in a fixed tree.
///
/// Every thread records on tapes of its own, in the memory of one item. Bit for bit the same on any number of threads;
/// [`Tape::accumulate_parallel`] makes the sum part of a larger program.
///
/// # Panics
/// With the text of the error that [`try_map_reduce`] returns.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// # use wengert_core::map_reduce;
/// // Least squares: residuals of y = a t + b.
/// let data: Vec<(f64, f64)> = (0..100).map(|k| (f64::from(k), 3.0 * f64::from(k) + 1.0)).collect();
/// let (loss, gradient) = map_reduce(&[3.0, 1.5], &data, |x, &(t, y)| (x[0] * t + x[1] - y).square());
/// assert_eq!((loss, gradient), (25.0, vec![4950.0, 100.0]));
/// ```
///
/// Second derivatives of a sum, in the memory of one item too: over duals, with the unit vectors as tangents, the
/// tangents of the gradient are the Hessian's rows.
/// ```
/// # use wengert_core::prelude::*;
/// let data: Vec<(f64, f64)> = (0..100).map(|k| (f64::from(k), 3.0 * f64::from(k) + 1.0)).collect();
/// let x = [Dual { value: 3.0, tangents: [1.0, 0.0] }, Dual { value: 1.5, tangents: [0.0, 1.0] }];
/// let (_, gradient) = map_reduce(&x, &data, |x, &(t, y)| (x[0] * t + x[1] - y).square());
/// // The sums of 2 t^2, 2 t and 2.
/// assert_eq!(gradient[0].tangents, [656_700.0, 9900.0]);
/// assert_eq!(gradient[1].tangents, [9900.0, 200.0]);
/// ```
#[doc(alias = "hessian")]
#[track_caller]
pub fn map_reduce<F: Primal, T: Sync>(
    x: &[F],
    items: &[T],
    f: impl for<'i> Fn(&[Var<'i, F>], &T) -> Var<'i, F> + Sync,
) -> (F, Vec<F>) {
    try_map_reduce(x, items, f).or_panic()
}

/// [`map_reduce`], returning what went wrong.
///
/// # Errors
/// As [`Var::try_gradient`], for the first item in order that failed.
pub fn try_map_reduce<F: Primal, T: Sync>(
    x: &[F],
    items: &[T],
    f: impl for<'i> Fn(&[Var<'i, F>], &T) -> Var<'i, F> + Sync,
) -> Result<(F, Vec<F>), Error> {
    let sums = in_blocks(x, u32::MAX as usize, items, f)?;
    Ok((sums.value, sums.adjoints))
}

/// Most blocks that items are cut into: enough for every core to get several, few enough that adding their gradients
/// costs nothing beside computing them.
const BLOCKS: usize = 64;

fn in_blocks<F: Primal, T: Sync>(
    x: &[F],
    limit: usize,
    items: &[T],
    f: impl for<'i> Fn(&[Var<'i, F>], &T) -> Var<'i, F> + Sync,
) -> Result<Sums<F>, Error> {
    // The cuts depend on the number of items alone.
    let size = items.len().div_ceil(BLOCKS).max(1);
    let blocks: Vec<_> = items.chunks(size).map(|block| (block, Mutex::new(None))).collect();
    Par::current().for_each(blocks.iter(), |(block, result)| {
        let mut sums = Sums::zero(x.len());
        let sums = sums.run(x, limit, *block, |x, item| f(x, item)).map(|()| sums);
        *result.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(sums);
    });
    let mut level = Vec::with_capacity(blocks.len());
    for (_, result) in blocks {
        level.extend(result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).transpose()?);
    }
    // Neighbours, then neighbours of those: the tree of the blocks, whoever computed them.
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(2));
        let mut sums = level.into_iter();
        while let Some(mut left) = sums.next() {
            if let Some(right) = sums.next() {
                left.add(&right);
            }
            next.push(left);
        }
        level = next;
    }
    Ok(level.pop().unwrap_or_else(|| Sums::zero(x.len())))
}

/// What some items add up to.
struct Sums<F> {
    items: usize,
    value: F,
    adjoints: Vec<F>,
}

impl<F: Primal> Sums<F> {
    fn zero(inputs: usize) -> Self {
        Sums { items: 0, value: F::ZERO, adjoints: vec![F::ZERO; inputs] }
    }

    fn add(&mut self, other: &Self) {
        self.items += other.items;
        self.value += other.value;
        for (sum, x_bar) in self.adjoints.iter_mut().zip(&other.adjoints) {
            *sum += *x_bar;
        }
    }

    /// Adds the items: records, sweeps and forgets one after the other.
    fn run<T>(
        &mut self,
        x: &[F],
        limit: usize,
        items: impl IntoIterator<Item = T>,
        mut f: impl for<'i> FnMut(&[Var<'i, F>], T) -> Var<'i, F>,
    ) -> Result<(), Error> {
        let tape = Tape::with_node_limit(limit);
        tape.first_leaf(); // the slot of constants, also where there are no inputs
        let leaves = tape.vars(x);
        let mut group =
            Group { tape: &tape, mark: tape.mark(), leaves: x.len(), roots: Vec::new(), adjoints: Vec::new() };
        // Handling the adjoints of the leaves costs a pass over them. Small items share it, so that it stays a small
        // part of their cost; the memory is that of one item or of a few times the shared inputs.
        let enough = if limit < u32::MAX as usize { 0 } else { group.mark.nodes + GROUP * x.len() };
        for item in items {
            let y = f(&leaves, item);
            self.items += 1;
            self.value += y.primal();
            group.roots.push(y.pending());
            if tape.nodes.len() >= enough {
                group.finish(&mut self.adjoints)?;
            }
        }
        group.finish(&mut self.adjoints)
    }
}

/// Nodes that small items share a sweep for, by shared input.
const GROUP: usize = 4;

/// The items recorded since the last sweep.
struct Group<'t, F: Primal> {
    tape: &'t Tape<F>,
    mark: Mark,
    leaves: usize,
    /// The pending partial and the node of every item's result.
    roots: Vec<(F, u32)>,
    adjoints: Vec<F>,
}

impl<F: Primal> Group<'_, F> {
    /// Sweeps down to the leaves, adds their adjoints to `sums`, and forgets the items.
    fn finish(&mut self, sums: &mut [F]) -> Result<(), Error> {
        self.tape.check()?;
        if self.sweep::<false>() {
            // A NaN reached an input: perhaps of zero times infinity, which is zero.
            self.sweep::<true>();
        }
        for (sum, x_bar) in sums.iter_mut().zip(&self.adjoints[1..]) {
            *sum += *x_bar;
        }
        self.roots.clear();
        self.tape.forget_after(self.mark);
        Ok(())
    }

    /// Whether a NaN reached a leaf.
    fn sweep<const CAREFUL: bool>(&mut self) -> bool {
        let count = self.tape.nodes.len();
        self.adjoints.clear();
        self.adjoints.resize(count, F::ZERO);
        for &(partial, node) in &self.roots {
            self.adjoints[node as usize] += partial;
        }
        let part = Part { low: self.mark.nodes, specials: self.mark.specials, high: count, last_tensor: None };
        self.tape.sweep_back::<CAREFUL>(part, &mut self.adjoints, &mut Default::default());
        // No early way out: the loop is a vector loop then.
        self.adjoints[1..=self.leaves].iter().fold(false, |spoiled, x_bar| spoiled | x_bar.has_nan())
    }
}
