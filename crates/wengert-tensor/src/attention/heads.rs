//! The work of attention, a head at a time, on operands and results that lie wherever they lie.

use std::sync::OnceLock;
use wengert_kernels::matmul::{Beta, MatMul, MatMut, MatRef, matmul_into};
use wengert_kernels::{Par, softmax as kernel};

use super::Attention;
use crate::element::FloatElement;
use crate::error::ShapeError;
use crate::layout::Strides;
use crate::reader::Reader;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

/// Queries worked on at a time: their weights fill a part of the cache, and the products are large enough to run at
/// full speed.
const BLOCK: usize = 64;

/// An operand `[.., rows, columns]` as the matrices of its heads: entries of a row lie side by side, rows and heads
/// wherever they are.
pub(super) struct Heads<F: FloatElement> {
    x: Tensor<F>,
    row_stride: usize,
    walk: Walk<1>,
}

impl<F: FloatElement> Heads<F> {
    /// Reads `x` in place, and copies it only if rows run backwards or their entries are apart.
    pub(super) fn new(op: &'static str, x: &Tensor<F>) -> Result<Self, ShapeError> {
        if let Some(heads) = Self::in_place(x) {
            return Ok(heads);
        }
        let x = x.try_copy(op)?;
        Ok(Self::in_place(&x).unwrap_or_else(|| unreachable!("the rows of a dense tensor lie in order")))
    }

    fn in_place(x: &Tensor<F>) -> Option<Self> {
        if x.is_empty() {
            return Some(Heads { x: x.clone(), row_stride: 0, walk: Walk::new(&[], [&Strides::default()]) });
        }
        let strides = x.strides();
        let ([lead @ .., _, columns], [outer @ .., row_stride, stride]) = (&**x.shape(), &*strides) else {
            return None;
        };
        if *columns > 1 && *stride != 1 {
            return None;
        }
        let outer: Strides = outer.iter().copied().collect();
        Some(Heads { x: x.clone(), row_stride: usize::try_from(*row_stride).ok()?, walk: Walk::new(lead, [&outer]) })
    }

    /// The matrix of a head, counted in row-major order of the leading axes.
    fn head(&self, head: usize) -> MatRef<'_, F> {
        let mut slice: &[F] = &[];
        if !self.x.is_empty() {
            let (run, [step]) = self.walk.run();
            let [at] = self.walk.position([self.x.layout().offset()], head / run);
            slice = &self.x.storage()[at.wrapping_add_signed(step * (head % run) as isize)..];
        }
        MatRef { slice, row_stride: self.row_stride, col_stride: 1 }
    }
}

/// A matrix without its first rows.
fn below<F>(x: MatRef<'_, F>, rows: usize) -> MatRef<'_, F> {
    MatRef { slice: x.slice.get(rows * x.row_stride..).unwrap_or_default(), ..x }
}

/// The sizes, and the mask to be read row by row.
pub(super) struct Plan {
    op: &'static str,
    pub(super) heads: usize,
    /// Queries, keys, entries of a query or key, entries of a value.
    pub(super) l: usize,
    pub(super) s: usize,
    pub(super) d: usize,
    pub(super) dv: usize,
    scale: f64,
    causal: bool,
    mask: Option<Reader<bool>>,
}

impl Plan {
    pub(super) fn new<F: FloatElement>(
        op: &'static str,
        [q, k, v]: [&Shape; 3],
        options: &Attention,
    ) -> Result<Plan, ShapeError> {
        let fail = || ShapeError::Attention { op, shapes: Box::new([q.clone(), k.clone(), v.clone()]) };
        let ([q_lead @ .., l, d], [k_lead @ .., s, k_d], [v_lead @ .., v_s, dv]) = (&**q, &**k, &**v) else {
            return Err(fail());
        };
        if q_lead != k_lead || q_lead != v_lead || d != k_d || s != v_s {
            return Err(fail());
        }
        let weights = Shape::from([q_lead, &[*l, *s]].concat());
        weights.try_size(op)?;
        let mask = options.mask.as_ref().map(|mask| Reader::new(op, mask, &weights)).transpose()?;
        let heads = q_lead.iter().product();
        let plan =
            Plan { op, heads, l: *l, s: *s, d: *d, dv: *dv, scale: options.scale_for(q), causal: options.causal, mask };
        Tensor::<F>::check_room(op, plan.weights())?;
        Ok(plan)
    }

    /// Room for the weights of a block, holding anything. Each thread gets back what it had for the last head.
    fn room<F: FloatElement>(&self) -> Result<Tensor<F>, ShapeError> {
        Tensor::try_scratch_for(self.op, self.weights())
    }

    /// The shape of the weights of a block.
    fn weights(&self) -> Shape {
        Shape::from([BLOCK.min(self.l), self.s])
    }

    /// Blocks of queries with the number of keys they may see: `(first, rows, keys)`.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..self.l).step_by(BLOCK).map(|first| {
            let rows = BLOCK.min(self.l - first);
            (first, rows, if self.causal { self.s.min(first + rows) } else { self.s })
        })
    }

    /// Which of `keys` keys the queries `first..first + rows` of a head see; nothing if all see all.
    fn allowed<'a>(&self, head: usize, first: usize, rows: usize, keys: usize, room: &'a mut Vec<bool>) -> &'a [bool] {
        room.clear();
        if self.mask.is_none() && !self.causal {
            return room;
        }
        room.resize(rows * keys, true);
        for (i, row) in room.chunks_exact_mut(keys.max(1)).enumerate() {
            if let Some(mask) = &self.mask {
                mask.read((head * self.l + first + i) * self.s, row);
            }
            if self.causal {
                row[(first + i + 1).min(keys)..].fill(false);
            }
        }
        room
    }

    /// Calls `work` for each head's parts: side by side if there are enough heads, else one after the other with all
    /// threads. Returns the first error.
    fn for_each_head<I: ExactSizeIterator + Send>(
        &self,
        parts: I,
        work: impl Fn(usize, I::Item, Par) -> Result<(), ShapeError> + Sync,
    ) -> Result<(), ShapeError>
    where
        I::Item: Send,
    {
        let par = Par::current();
        let large = self.l.saturating_mul(self.s).saturating_mul(self.d + self.dv).saturating_mul(self.heads) > 1 << 18;
        if self.heads >= par.threads() && large {
            let refused = OnceLock::new();
            par.for_each(parts.enumerate(), |(head, part)| {
                if let Err(error) = work(head, part, Par::SEQUENTIAL) {
                    let _ = refused.set(error);
                }
            });
            refused.into_inner().map_or(Ok(()), Err)
        } else {
            parts.enumerate().try_for_each(|(head, part)| work(head, part, par))
        }
    }

    /// The weighted means of all heads into `y`, a matrix `[l, dv]` a head; `stats: [heads, l, 2]` receives what
    /// [`pull`](Self::pull) reads.
    pub(super) fn attend<'a, F: FloatElement>(
        &self,
        [q, k, v]: [&Heads<F>; 3],
        y: Vec<MatMut<'a, F>>,
        stats: &'a mut [F],
    ) -> Result<(), ShapeError> {
        let &Plan { l, d, dv, .. } = self;
        let parts = y.into_iter().zip(pieces(stats, self.heads, l * 2));
        self.for_each_head(parts, |head, (mut y, stats), par| {
            let (q, k, v) = (q.head(head), k.head(head), v.head(head));
            let (mut weights, mut room) = (self.room::<F>()?, Vec::new());
            let weights = weights.fresh_mut();
            for (first, rows, keys) in self.blocks() {
                let weights = &mut weights[..rows * keys];
                let stats = &mut stats[2 * first..2 * (first + rows)];
                if keys > 0 {
                    self.products(below(q, first), k, d, [rows, keys], weights, par);
                    let allowed = self.allowed(head, first, rows, keys, &mut room);
                    kernel::masked_softmax(weights, keys, allowed, stats, par);
                } else {
                    stats.fill(F::INFINITY);
                }
                let (a, b) = (MatRef::row_major(weights, keys), v);
                let product = MatMul { m: rows, k: keys, n: dv, a, b, alpha: F::from_index(1), beta: Beta::Overwrite };
                matmul_into(product, y.rows_mut(first..first + rows), par);
            }
            Ok(())
        })
    }

    /// The cotangents of all heads' queries, keys and values into three matrices a head. The weights are computed
    /// again, block by block. A query whose cotangents are all 0 gets and gives nothing.
    pub(super) fn pull<'a, F: FloatElement>(
        &self,
        [q, k, v]: [&Heads<F>; 3],
        stats: &[F],
        y_bar: &Heads<F>,
        bars: Vec<[MatMut<'a, F>; 3]>,
    ) -> Result<(), ShapeError> {
        let &Plan { l, s, d, dv, .. } = self;
        let (one, scale) = (F::from_index(1), F::from_f64(self.scale));
        self.for_each_head(bars.into_iter(), |head, [mut q_bar, mut k_bar, mut v_bar], par| {
            let (q, k, v, y_bar) = (q.head(head), k.head(head), v.head(head), y_bar.head(head));
            let stats = &stats[head * l * 2..(head + 1) * l * 2];
            let mut rooms = [self.room::<F>()?, self.room()?, self.room()?];
            let [weights, weights_bar, products_bar] = rooms.each_mut().map(Tensor::fresh_mut);
            let mut room = Vec::new();
            // The keys that blocks have seen: their cotangents are summed up, those of others begin.
            let mut seen = 0;
            for (first, rows, keys) in self.blocks() {
                if keys == 0 || dv == 0 {
                    q_bar.rows_mut(first..first + rows).fill(F::ZERO);
                    continue;
                }
                let size = rows * keys;
                let (p, p_bar, product_bar) =
                    (&mut weights[..size], &mut weights_bar[..size], &mut products_bar[..size]);
                let (q, y_bar) = (below(q, first), below(y_bar, first));
                self.products(q, k, d, [rows, keys], p, par);
                let allowed = self.allowed(head, first, rows, keys, &mut room);
                kernel::masked_softmax_again(p, keys, allowed, &stats[2 * first..2 * (first + rows)], par);
                for (i, p) in p.chunks_exact_mut(keys).enumerate() {
                    if below(y_bar, i).slice[..dv].iter().all(|&y_bar| y_bar == F::ZERO) {
                        p.fill(F::ZERO);
                    }
                }
                let to_keys = if seen == 0 { Beta::Overwrite } else { Beta::Accumulate };
                if seen > 0 && keys > seen {
                    k_bar.rows_mut(seen..keys).fill(F::ZERO);
                    v_bar.rows_mut(seen..keys).fill(F::ZERO);
                }
                seen = keys;
                // v_bar += pT y_bar; p_bar = y_bar vT; through the softmax; q_bar = scale s_bar k; k_bar += scale
                // s_barT q.
                let of_p = MatRef::row_major(p, keys);
                let product = |m, k, n, a, b, alpha, beta| MatMul { m, k, n, a, b, alpha, beta };
                let to_v = product(keys, rows, dv, of_p.t(), y_bar, one, to_keys);
                matmul_into(to_v, v_bar.rows_mut(0..keys), par);
                let to_p = product(rows, dv, keys, y_bar, v.t(), one, Beta::Overwrite);
                matmul_into(to_p, MatMut::row_major(p_bar, [rows, keys]), par);
                kernel::softmax_vjp(p, p_bar, keys, product_bar, par);
                let of_product = MatRef::row_major(product_bar, keys);
                let to_q = product(rows, keys, d, of_product, k, scale, Beta::Overwrite);
                matmul_into(to_q, q_bar.rows_mut(first..first + rows), par);
                let to_k = product(keys, rows, d, of_product.t(), q, scale, to_keys);
                matmul_into(to_k, k_bar.rows_mut(0..keys), par);
            }
            k_bar.rows_mut(seen..s).fill(F::ZERO);
            v_bar.rows_mut(seen..s).fill(F::ZERO);
            Ok(())
        })
    }

    /// `scale q kT` for a block of queries.
    fn products<F: FloatElement>(
        &self,
        q: MatRef<'_, F>,
        k: MatRef<'_, F>,
        d: usize,
        [rows, keys]: [usize; 2],
        y: &mut [F],
        par: Par,
    ) {
        let alpha = F::from_f64(self.scale);
        let product = MatMul { m: rows, k: d, n: keys, a: q, b: k.t(), alpha, beta: Beta::Overwrite };
        matmul_into(product, MatMut::row_major(y, [rows, keys]), par);
    }
}

/// Pieces of a result, one a head, also where they are empty.
pub(super) fn pieces<F>(x: &mut [F], heads: usize, len: usize) -> Vec<&mut [F]> {
    let mut rest = x;
    let mut pieces = Vec::with_capacity(heads);
    for _ in 0..heads {
        let (piece, others) = rest.split_at_mut(len);
        pieces.push(piece);
        rest = others;
    }
    pieces
}
