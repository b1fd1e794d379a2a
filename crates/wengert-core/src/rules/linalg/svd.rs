//! Singular values and vectors, `a = u diag(s) v_t`.
//!
//! Shapes: `a: [.., m, n]`; with `k = min(m, n)` `y: [.., k, 1 + m + n]`, `s` as a column, `uT` and `v_t` side by side;
//! of `svdvals`, `s: [.., k]`.
//!
//! Cotangent:
//! `u (diag(s_bar) + x + xT + y - yT) v_t + (1 - u uT) u_bar diag(1/s) v_t + u diag(1/s) v_bar_t (1 - v v_t)`, with
//! `x_ij = (p + q)_ij / 2 (s_j - s_i)`, `y_ij = (p - q)_ij / 2 (s_j + s_i)` beside the diagonal, `p = uT u_bar`,
//! `q = v_t v_bar` (Townsend 2016, "Differentiating the singular value decomposition"; Wan & Zhang 2019, "Automatic
//! differentiation for complex valued SVD"). Differences of squares are taken apart, so that small singular values keep
//! their digits. Where two are equal, or one is 0, see `mod.rs`.

use super::{columns, divided, minus, no_gap, on_diagonal, plus, transposed, with_axes, with_transpose};
use crate::error::{Error, OrPanic};
use crate::rules::affine::scaled;
use crate::rules::matmul::matmul;
use crate::rules::reshape::reshape;
use crate::rules::zip::zip;
use crate::rules::{Array, Cotangents, Op, one};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::{Binary, Unary};
use wengert_tensor::{Shape, ShapeError, Tensor, keep};

/// What may be divided by.
#[derive(Clone)]
struct Usable {
    differences: Tensor<bool>,
    sums: Tensor<bool>,
    values: Tensor<bool>,
}

#[derive(Clone)]
pub(crate) struct Svd<F> {
    /// Boxed: the largest op sets the size of all nodes.
    usable: Option<Box<Usable>>,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Svd<F> {
    const NAME: &'static str = "svd";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let y = x[0].try_svd_packed()?;
        let s = y.try_slice(-1, ..1)?;
        let across = s.try_transpose(-2, -1)?;
        let rounding = F::from_f64(x[0].dim(-1).max(x[0].dim(-2)) as f64) * F::EPSILON;
        // The length, not the largest, which there is none of without values: an upper bound as good.
        let rounding = s.try_norm_axes(2.0, keep([-2, -1]))?.try_mul(&Tensor::scalar(rounding))?;
        self.usable = Some(Box::new(Usable {
            differences: across.try_sub(&s)?.try_map_unary(Unary::Abs)?.try_greater(&rounding)?,
            sums: across.try_add(&s)?.try_greater(&rounding)?,
            values: s.try_greater(&rounding)?,
        }));
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let shape = x[0].shape();
        let (m, n) = (shape[shape.rank() - 2], shape[shape.rank() - 1]);
        let k = m.min(n);
        let Some(usable) = &self.usable else { return one(y_bar) };
        let parts = |y: &A| (columns(y, 0..1), columns(y, 1..1 + m), columns(y, 1 + m..1 + m + n));
        let ((s, u_t, v_t), (s_bar, u_t_bar, v_t_bar)) = (parts(y), parts(&y_bar));
        let (p, q) = (matmul(&u_t, false, &u_t_bar, true), matmul(&v_t, false, &v_t_bar, true));
        let across = transposed(&s);
        let by_difference = divided(&plus(&p, &q), &minus(&across, &s), &usable.differences, no_gap(k));
        let by_sum = divided(&minus(&p, &q), &plus(&across, &s), &usable.sums, no_gap(k));
        let turned = plus(&with_transpose(&by_difference), &minus(&by_sum, &transposed(&by_sum)));
        let inner = plus(&on_diagonal(&s_bar), &scaled(&turned, F::from_f64(0.5)));
        let mut a_bar = matmul(&matmul(&u_t, true, &inner, false), false, &v_t, false);
        // What leaves the span of the vectors; there is no such thing where they span everything.
        let outside = |x_t: &A, x_t_bar: &A, p: &A| {
            let rest = minus(x_t_bar, &matmul(p, true, x_t, false));
            divided(&rest, &s, &usable.values, Tensor::scalar(F::INFINITY))
        };
        if m > k {
            a_bar = plus(&a_bar, &matmul(&outside(&u_t, &u_t_bar, &p), true, &v_t, false));
        }
        if n > k {
            a_bar = plus(&a_bar, &matmul(&u_t, true, &outside(&v_t, &v_t_bar, &q), false));
        }
        one(a_bar)
    }
}

/// Values and vectors side by side.
pub(super) fn svd<F: TensorFloat, A: Array<F>>(a: &A) -> A {
    Svd { usable: None, number: PhantomData }.on(&[a])
}

/// The values alone. Their derivative needs the vectors but no gaps.
#[derive(Clone)]
pub(crate) struct Svdvals<F: TensorFloat> {
    /// Values and vectors side by side.
    packed: Option<Box<Tensor<F>>>,
}

/// `u diag(s_bar) v_t`.
fn spread<F: TensorFloat, A: Array<F>>(packed: &A, s_bar: &A, [m, n]: [usize; 2]) -> A {
    let s_bar = reshape(s_bar, &with_axes(&packed.shape(), &[m.min(n), 1]));
    let v_t = zip(Binary::Mul, &columns(packed, 1 + m..1 + m + n), &s_bar);
    matmul(&columns(packed, 1..1 + m), true, &v_t, false)
}

/// Rows and columns.
fn dims(shape: &Shape) -> [usize; 2] {
    [shape[shape.rank() - 2], shape[shape.rank() - 1]]
}

impl<F: TensorFloat> Op<F> for Svdvals<F> {
    const NAME: &'static str = "svdvals";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let y = x[0].try_svd_packed()?;
        let s = y.try_slice(-1, ..1)?.try_squeeze(-1)?;
        self.packed = Some(Box::new(y));
        Ok(s)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _s: &A, s_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(spread(&svd(x[0]), &s_bar, dims(&x[0].shape())))
    }

    fn pull(&self, x: &[&Tensor<F>], s: &Tensor<F>, s_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        match &self.packed {
            Some(packed) => one(spread(&**packed, &s_bar, dims(x[0].shape()))),
            None => self.vjp(x, s, s_bar, wanted),
        }
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The reduced singular value decomposition `a = u diag(s) v_t`, `uT u = v_t v_tT = 1`, `s` descending and not
    /// negative.
    ///
    /// Shapes: `a: [.., m, n]`; with `k = min(m, n)` `u: [.., m, k]`, `s: [.., k]`, `v_t: [.., k, n]`. Columns of `u`
    /// have a positive entry of largest magnitude.
    ///
    /// Vectors of equal singular values have no derivative. The gradient is exact as long as nothing depends on how
    /// they turn into each other: singular values, and vectors of single ones. Otherwise it is not finite; nor are
    /// those of the vectors of a zero, unless the matrix is square. Second derivatives of singular values beside equal
    /// ones: [`svdvals`](Self::svdvals).
    ///
    /// Source of the derivative: Townsend 2016, "Differentiating the singular value decomposition".
    ///
    /// # Panics
    /// With the text of the error that [`try_svd`](Self::try_svd) returns.
    ///
    /// # Examples
    /// The nuclear norm, whose gradient is the orthogonal matrix nearest to `a`:
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[0.0, -3.0], [2.0, 0.0]]);
    /// let (u, s, v_t) = a.svd();
    /// let nearest = u.value().matmul(&v_t.value());
    /// assert!((&s.sum().gradient()[a] - nearest).norm2() < 1e-15);
    /// ```
    #[track_caller]
    pub fn svd(self) -> (Self, Self, Self) {
        self.try_svd().or_panic()
    }

    /// [`svd`](Self::svd), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if these are not matrices, or not finite.
    #[track_caller]
    pub fn try_svd(self) -> Result<(Self, Self, Self), Error> {
        let _whole = self.whole("svd");
        let y = self.try_record1(Svd { usable: None, number: PhantomData })?;
        let [m, n] = dims(&self.shape());
        let u = y.try_columns(1..1 + m)?.try_transpose(-1, -2)?;
        Ok((u, y.try_column(0)?, y.try_columns(1 + m..1 + m + n)?))
    }

    /// The singular values, descending: `[.., m, n] -> [.., min(m, n)]`. Their sum is the nuclear norm, the first the
    /// spectral norm. The second derivative of one needs the gaps between it and the others, and no others.
    ///
    /// Source of the derivative: M. B. Giles, "An extended collection of matrix derivative results for forward and
    /// reverse mode algorithmic differentiation", 2008, 3.2.
    ///
    /// # Panics
    /// With the text of the error that [`try_svdvals`](Self::try_svdvals) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[0.0, -3.0], [4.0, 0.0]]);
    /// let s = a.svdvals();
    /// assert!((s.value().at([0]) - 4.0).abs() < 1e-14 && (s.value().at([1]) - 3.0).abs() < 1e-14);
    /// assert!((s.sum().gradient()[a].at([0, 1]) + 1.0).abs() < 1e-14);
    /// ```
    #[track_caller]
    pub fn svdvals(self) -> Self {
        self.try_svdvals().or_panic()
    }

    /// [`svdvals`](Self::svdvals), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if these are not matrices, or not finite.
    #[track_caller]
    pub fn try_svdvals(self) -> Result<Self, Error> {
        self.try_record1(Svdvals { packed: None })
    }
}
