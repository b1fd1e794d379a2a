//! Elements brought to places and reduced there.
//!
//! Shapes: `x: [.., n, ..]`, `index` and `source: [.., m, ..]`, `y` as `x`. Sums and means are made of the rules for
//! placing and adding. Products are made of products of two, in a tree: `O(n)` elements in `O(log n)` steps for `n`
//! that meet, without a division, so exact where there are zeros, at every order. Extremes are a rule of their own.
//! Cotangent: `y_bar` to the elements equal to the extreme, split evenly among ties; NaN wins, and takes a NaN gradient
//! with it.

use super::pick::{pick, place};
use super::pushforward::total;
use super::zip::zip;
use super::{Array, Cotangents, Op, two};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use wengert_kernels::Binary;
use wengert_tensor::{Axis, Reduction, ShapeError, Tensor, count_positions, reduced_positions};

/// The largest or smallest of what meets. Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct ScatterExtreme<F: TensorFloat>(Box<Meeting<F>>);

#[derive(Clone)]
struct Meeting<F: TensorFloat> {
    positions: Tensor<i64>,
    reduction: Reduction,
    include_self: bool,
    /// The share of the gradient of its place that goes to each element of `x` and of the source, once the op has run.
    shares: Option<[Tensor<F>; 2]>,
}

impl<F: TensorFloat> Meeting<F> {
    fn shares_of(&self, x: &Tensor<F>, source: &Tensor<F>, y: &Tensor<F>) -> Result<[Tensor<F>; 2], ShapeError> {
        // NaN equals nothing: where the extreme is NaN, mark every element with it.
        let mark = |x: F, extreme: F| match (x == extreme, extreme.is_nan()) {
            (_, true) => F::NAN,
            (equal, _) => F::from_f64(f64::from(u8::from(equal))),
        };
        let alone = match self.include_self {
            true => None,
            false => Some(count_positions(x.shape(), &self.positions)?.try_equal(0)?),
        };
        // Zero where the element takes no part: of its mark, and of its share, since of NaN no part is zero.
        let taking_part = |own: Tensor<F>| match &alone {
            Some(alone) => alone.try_select(own, Tensor::scalar(F::ZERO)),
            None => Ok(own),
        };
        let own = taking_part(x.try_zip_map(y, mark)?)?;
        let others = source.try_zip_map(&y.try_pick(&self.positions)?, mark)?;
        let ties = own.try_add(&Tensor::try_place(x.shape(), &self.positions, &others)?)?;
        Ok([taking_part(own.try_div(&ties)?)?, others.try_div(&ties.try_pick(&self.positions)?)?])
    }
}

impl<F: TensorFloat> Op<F> for ScatterExtreme<F> {
    const NAME: &'static str = "scatter_reduce";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let y = x[0].try_reduce_at(&self.0.positions, x[1], self.0.reduction, self.0.include_self)?;
        self.0.shares = Some(self.0.shares_of(x[0], x[1], &y)?);
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let x_bar = wanted[0].then(|| self.share(0, &y_bar));
        let source_bar = wanted[1].then(|| self.share(1, &pick(&y_bar, &self.0.positions)));
        two(x_bar, source_bar)
    }

    fn jvp<A: Array<F>>(&self, _x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        let own = x_dot[0].map(|x_dot| self.share(0, x_dot));
        let others = x_dot[1].map(|source_dot| place(&self.share(1, source_dot), &self.0.positions, y.shape()));
        total([own, others], &y.shape())
    }
}

impl<F: TensorFloat> ScatterExtreme<F> {
    /// What of a derivative belongs to the elements of operand `k`.
    fn share<A: Array<F>>(&self, k: usize, of: &A) -> A {
        let Some(shares) = &self.0.shares else { unreachable!("a derivative is asked for after the op") };
        zip(Binary::MulZero, &of.constant(shares[k].clone()), of)
    }
}

/// The elements that meet at each place, numbered with the source behind `x`: how many, and the numbers place after
/// place.
struct Groups {
    sizes: Vec<usize>,
    members: Vec<i64>,
}

impl Groups {
    fn new(places: usize, positions: &Tensor<i64>, include_self: bool) -> Groups {
        let mut sizes = vec![usize::from(include_self); places];
        for place in positions {
            sizes[place as usize] += 1;
        }
        // An element that nothing meets stays, whether it is included or not.
        let stays: Vec<bool> = sizes.iter().map(|&size| include_self || size == 0).collect();
        let mut starts = Vec::with_capacity(places);
        let mut end = 0;
        for (size, stays) in sizes.iter_mut().zip(&stays) {
            *size = (*size).max(usize::from(*stays));
            starts.push(end);
            end += *size;
        }
        let mut members = vec![0; end];
        let mut join = |place: usize, member: usize| {
            members[starts[place]] = member as i64;
            starts[place] += 1;
        };
        for place in (0..places).filter(|&place| stays[place]) {
            join(place, place);
        }
        for (k, place) in positions.iter().enumerate() {
            join(place as usize, places + k);
        }
        Groups { sizes, members }
    }

    /// Members to be multiplied in pairs, and those left over; then their products, and behind them those left over,
    /// are the members.
    fn pair_up(&mut self) -> [Vec<i64>; 3] {
        let pairs: usize = self.sizes.iter().map(|size| size / 2).sum();
        let (mut left, mut right, mut single) = (Vec::with_capacity(pairs), Vec::with_capacity(pairs), Vec::new());
        let (mut next, mut rest) = (Vec::new(), &self.members[..]);
        for size in &mut self.sizes {
            let (group, behind) = rest.split_at(*size);
            rest = behind;
            for pair in group.chunks(2) {
                if let &[a, b] = pair {
                    next.push(left.len() as i64);
                    left.push(a);
                    right.push(b);
                } else {
                    next.push((pairs + single.len()) as i64);
                    single.extend(pair);
                }
            }
            *size = size.div_ceil(2);
        }
        self.members = next;
        [left, right, single]
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// This tensor with elements of `source` brought where `index` says along `axis`, and what meets there reduced.
    /// With `include_self` the element that was there takes part; without, it stays only where nothing arrives.
    ///
    /// Gradients of products are exact at zeros. Equal extremes share the gradient evenly, the element that was there
    /// among them if it takes part.
    ///
    /// Shapes: `self: [.., n, ..]`, `index` and `source: [.., m, ..]`, result as `self`; see
    /// [`scatter`](Self::scatter).
    ///
    /// # Panics
    /// With the text of the error that [`try_scatter_reduce`](Self::try_scatter_reduce) returns.
    ///
    /// # Examples
    /// The largest of each group:
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::{Reduction, Tensor};
    /// let tape = Tape::new();
    /// let (x, s) = (tape.tensor([0.0, 0.0]), tape.tensor([3.0, 5.0, 5.0]));
    /// let y = x.scatter_reduce(0, &Tensor::from([0, 0, 0]), s, Reduction::Max, false);
    /// assert_eq!(y.value().to_vec(), [5.0, 0.0]);
    /// let [x_bar, s_bar] = y.sum().gradient().wrt([x, s]);
    /// assert_eq!((x_bar.to_vec(), s_bar.to_vec()), (vec![0.0, 1.0], vec![0.0, 0.5, 0.5]));
    /// ```
    #[track_caller]
    pub fn scatter_reduce(
        self,
        axis: impl Into<Axis>,
        index: &Tensor<i64>,
        source: Self,
        reduction: Reduction,
        include_self: bool,
    ) -> Self {
        let y = self.try_scatter_reduce(axis, index, source, reduction, include_self);
        y.or_panic()
    }

    /// [`scatter_reduce`](Self::scatter_reduce), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_scatter`](Self::try_scatter).
    #[track_caller]
    pub fn try_scatter_reduce(
        self,
        axis: impl Into<Axis>,
        index: &Tensor<i64>,
        source: Self,
        reduction: Reduction,
        include_self: bool,
    ) -> Result<Self, Error> {
        let _whole = self.whole("scatter_reduce");
        let (axis, shape) = (axis.into(), self.shape());
        let positions = self.fit(reduced_positions(&shape, axis, index, &source.shape()))?;
        self.same_tape(source, "scatter_reduce", Location::caller())?;
        self.tape().works_beside("scatter_reduce", index);
        match reduction {
            Reduction::Max | Reduction::Min => {
                let meeting = Meeting { positions, reduction, include_self, shares: None };
                self.try_record2(ScatterExtreme(Box::new(meeting)), source)
            }
            Reduction::Prod => {
                let mut groups = Groups::new(shape.size(), &positions, include_self);
                let mut members = Self::try_concat(&[self.try_flatten()?, source.try_flatten()?], 0)?;
                while groups.sizes.iter().any(|&size| size > 1) {
                    let [left, right, single] = groups.pair_up().map(Tensor::from);
                    let products = members.try_pick(&left)?.try_mul(members.try_pick(&right)?)?;
                    members = Self::try_concat(&[products, members.try_pick(&single)?], 0)?;
                }
                members.try_pick(&Tensor::from(groups.members))?.try_reshape(shape)
            }
            Reduction::Sum | Reduction::Mean => {
                let counts = self.fit(count_positions(&shape, &positions))?;
                let base = match include_self {
                    true => self,
                    false => {
                        let zero = self.tape().constant_tensor(Tensor::scalar(F::ZERO));
                        Self::try_select(self.fit(counts.try_equal(0))?, self, zero)?
                    }
                };
                let sums = base.try_scatter_add(axis, index, source)?;
                if reduction == Reduction::Sum {
                    return Ok(sums);
                }
                let met = |count: i64| F::from_f64((count + i64::from(include_self)).max(1) as f64);
                sums.try_div(self.tape().constant_tensor(self.fit(counts.try_map(met))?))
            }
        }
    }

    /// The elements in a row.
    #[track_caller]
    fn try_flatten(self) -> Result<Self, Error> {
        self.try_reshape([self.shape().size()])
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use wengert_tensor::{Reduction, Tensor};

    #[test]
    fn what_takes_no_part_has_no_gradient_where_nan_arrives_either() {
        for reduction in [Reduction::Max, Reduction::Min] {
            let tape = Tape::new();
            let (x, s) = (tape.tensor([1.0, 2.0]), tape.tensor([f64::NAN]));
            let y = x.scatter_reduce(0, &Tensor::from([0]), s, reduction, false);
            let [x_bar, s_bar] = y.sum().gradient().wrt([x, s]);
            assert_eq!(x_bar.to_vec(), [0.0, 1.0]);
            assert!(s_bar.item().is_nan());
        }
    }
}
