//! Orthogonal factors, `a = q r`.
//!
//! Shapes: `a: [.., m, n]`; with `k = min(m, n)` `y: [.., k, m + n]`, `qT` and `r` side by side.
//!
//! Cotangent, for `m >= n`: `a_bar = (q_bar + q c(r r_barT - q_barT q)) r^-T`, where `c` copies the lower triangle over
//! the upper (Seeger, Hetzel, Dai, Meissner, Lawrence 2017, "Auto-differentiating linear algebra", section 4.3). For
//! `m < n`, `a = (x, y)` and `r = (u, v)` with square `x`, `u`: `q u = x` and `q v = y`, so `y_bar = q v_bar` and
//! `x_bar` is as above with `q_bar + y v_barT`. Where the first `k` columns are dependent there is no derivative, and
//! the result is not finite.

use super::triangular::substitute;
use super::{by_distance, columns, minus, plus, transposed, weighted};
use crate::error::{Error, OrPanic};
use crate::rules::concat::concat;
use crate::rules::matmul::matmul;
use crate::rules::select::select;
use crate::rules::{Array, Cotangents, Op, one};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{ShapeError, Tensor, Triangle};

#[derive(Clone)]
pub(crate) struct Qr<F> {
    /// Whether dependent columns are an error: least squares have no one solution then.
    full_rank: bool,
    /// On which rows of `r` the diagonal is nothing but rounding, if on any. Boxed: the largest op sets the size of all
    /// nodes.
    dependent: Option<Box<Tensor<bool>>>,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Qr<F> {
    const NAME: &'static str = "qr";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let packed = x[0].try_qr_packed()?;
        if self.full_rank {
            Tensor::check_rank(x[0], &packed)?;
            return Ok(packed);
        }
        let dependent = Tensor::dependent_columns(x[0], &packed)?;
        if dependent.iter().any(|dependent| dependent) {
            self.dependent = Some(Box::new(dependent.try_unsqueeze(-1)?));
        }
        Ok(packed)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], packed: &A, packed_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let shape = x[0].shape();
        let (m, n) = (shape[shape.rank() - 2], shape[shape.rank() - 1]);
        let k = m.min(n);
        let (q_t, r) = (columns(packed, 0..m), columns(packed, m..m + n));
        let mut q_t_bar = columns(&packed_bar, 0..m);
        let upper = by_distance(k, n, |right| f64::from(u8::from(right >= 0)));
        let r_bar = weighted(&columns(&packed_bar, m..m + n), upper);
        let (mut u, u_bar) = (columns(&r, 0..k), columns(&r_bar, 0..k));
        if let Some(dependent) = &self.dependent {
            // What is divided by rounding is not a gradient, and shall not look like one.
            u = select(dependent, &u.constant(Tensor::scalar(F::ZERO)), &u);
        }
        let v_bar = columns(&r_bar, k..n);
        if m < n {
            q_t_bar = plus(&q_t_bar, &matmul(&v_bar, false, &columns(x[0], m..n), true));
        }
        let inner = minus(&matmul(&u, false, &u_bar, true), &matmul(&q_t_bar, false, &q_t, true));
        let triangle = |strict: isize| by_distance(k, k, move |right| f64::from(u8::from(right <= -strict)));
        let copied = plus(&weighted(&inner, triangle(0)), &transposed(&weighted(&inner, triangle(1))));
        let x_bar_t = substitute(&u, &plus(&q_t_bar, &matmul(&copied, false, &q_t, false)), Triangle::upper());
        let x_bar = transposed(&x_bar_t);
        one(match m < n {
            true => concat(&[&x_bar, &matmul(&q_t, true, &v_bar, false)], shape.rank() - 1),
            false => x_bar,
        })
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The factors side by side, one node; of matrices of full column rank alone, if so asked.
    #[track_caller]
    pub(super) fn try_qr_packed(self, full_rank: bool) -> Result<Self, Error> {
        self.try_record1(Qr { full_rank, dependent: None, number: PhantomData })
    }

    /// The reduced factorization `a = q r`, `qT q = 1`, `r` upper triangular without a negative number on its diagonal.
    ///
    /// Shapes: `a: [.., m, n]`; with `k = min(m, n)` `q: [.., m, k]`, `r: [.., k, n]`. Where the first `k` columns are
    /// dependent the factors have no derivative, and the gradient is not finite. Source of the derivative: Seeger,
    /// Hetzel, Dai, Meissner, Lawrence 2017, "Auto-differentiating linear algebra".
    ///
    /// # Panics
    /// With the text of the error that [`try_qr`](Self::try_qr) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[3.0, 1.0], [4.0, 2.0]]);
    /// let (q, r) = a.qr();
    /// assert!((q.matmul(r).value() - a.value()).norm2() < 1e-14);
    /// // The product gives the matrix back, whatever it is.
    /// assert!((&q.matmul(r).sum().gradient()[a] - 1.0).norm2() < 1e-14);
    /// ```
    #[track_caller]
    pub fn qr(self) -> (Self, Self) {
        self.try_qr().or_panic()
    }

    /// [`qr`](Self::qr), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if these are not matrices, or not finite.
    #[track_caller]
    pub fn try_qr(self) -> Result<(Self, Self), Error> {
        let _whole = self.whole("qr");
        let packed = self.try_qr_packed(false)?;
        let [.., m, n] = *self.shape() else { return Ok((packed, packed)) };
        Ok((packed.try_columns(0..m)?.try_transpose(-1, -2)?, packed.try_columns(m..m + n)?))
    }
}
