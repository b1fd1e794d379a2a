//! One matrix at a time, through `faer`.
//!
//! Always sequential, whatever the caller's threads: how a product is split decides how its sums are rounded, and
//! results do not depend on the number of threads.

use super::Triangle;
use super::batch::Fault;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply_reflections,
};
use faer::linalg::{cholesky::llt::factor as llt, evd, lu::partial_pivoting::factor as lu, svd};
use faer::linalg::{qr::no_pivoting::factor as qr, triangular_solve as triangular};
use faer::traits::RealField;
use faer::{Conj, MatMut, MatRef, Par, diag::DiagMut};
use wengert_kernels::{Elementary, Float};

/// The factorizations of one matrix, given row by row. Each may lack the memory to work in.
#[doc(hidden)]
pub trait Factorize: Sized {
    /// `a = L LT`, in place, from the lower triangle, zeros above; or the first leading minor that is not positive.
    fn cholesky(n: usize, a: &mut [Self]) -> Result<(), Fault>;
    /// `P a = L U`, in place: row `i` of `P a` is row `rows[i]` of `a`. Whether the permutation is odd.
    fn lu(n: usize, a: &mut [Self], rows: &mut [usize]) -> Result<bool, Fault>;
    /// Solves `a x = b` for `k` right-hand sides in place; a zero on the diagonal is divided by.
    fn solve_triangular(n: usize, k: usize, a: &[Self], triangle: Triangle, b: &mut [Self]);
    /// `a = q r` with `q_t: [k, m]`, `r: [k, n]`, `k = min(m, n)`.
    fn qr(m: usize, n: usize, a: &[Self], q_t: &mut [Self], r: &mut [Self]) -> Result<(), Fault>;
    /// `a = vT diag(w) v` from the lower triangle, the vectors being rows of `v_t`, `w` ascending.
    fn eigh(n: usize, a: &[Self], w: &mut [Self], v_t: &mut [Self]) -> Result<(), Fault>;
    /// `a = u diag(s) v`, `u_t: [k, m]`, `v_t: [k, n]`, `s` descending.
    fn svd(m: usize, n: usize, a: &[Self], s: &mut [Self], u_t: &mut [Self], v_t: &mut [Self]) -> Result<(), Fault>;
}

macro_rules! factorize {
    ($($t:ident)*) => { $(
        impl Factorize for $t {
            fn cholesky(n: usize, a: &mut [Self]) -> Result<(), Fault> {
                cholesky(n, a)
            }
            fn lu(n: usize, a: &mut [Self], rows: &mut [usize]) -> Result<bool, Fault> {
                factor_lu(n, a, rows)
            }
            fn solve_triangular(n: usize, k: usize, a: &[Self], triangle: Triangle, b: &mut [Self]) {
                solve_triangular(n, k, a, triangle, b);
            }
            fn qr(m: usize, n: usize, a: &[Self], q_t: &mut [Self], r: &mut [Self]) -> Result<(), Fault> {
                factor_qr(m, n, a, q_t, r)
            }
            fn eigh(n: usize, a: &[Self], w: &mut [Self], v_t: &mut [Self]) -> Result<(), Fault> {
                eigh(n, a, w, v_t)
            }
            fn svd(
                m: usize,
                n: usize,
                a: &[Self],
                s: &mut [Self],
                u_t: &mut [Self],
                v_t: &mut [Self],
            ) -> Result<(), Fault> {
                factor_svd(m, n, a, s, u_t, v_t)
            }
        }
    )* };
}
factorize!(f32 f64);

/// Scratch memory for one factorization.
fn with_scratch<R>(needed: StackReq, f: impl FnOnce(&mut MemStack) -> R) -> Result<R, Fault> {
    let bytes = needed.unaligned_bytes_required();
    let mut buffer = MemBuffer::try_new(needed).map_err(|_| Fault::Memory { bytes })?;
    Ok(f(MemStack::new(&mut buffer)))
}

/// Zeros to work in.
fn zeros<T: Clone + Default>(len: usize) -> Result<Vec<T>, Fault> {
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(len).map_err(|_| Fault::Memory { bytes: len.saturating_mul(size_of::<T>()) })?;
    zeros.resize(len, T::default());
    Ok(zeros)
}

fn cholesky<T: RealField + Float + Elementary>(n: usize, a: &mut [T]) -> Result<(), Fault> {
    // Columns as rows: the lower triangle is copied up and its image factorised, because faer wants columns in a row.
    for i in 0..n {
        for j in 0..i {
            a[j * n + i] = a[i * n + j];
        }
    }
    let factors = MatMut::from_column_major_slice_mut(a, n, n);
    let scratch = llt::cholesky_in_place_scratch::<T>(n, Par::Seq, Default::default());
    let outcome = with_scratch(scratch, |stack| {
        llt::cholesky_in_place(factors, Default::default(), Par::Seq, stack, Default::default())
    })?;
    if let Err(llt::LltError::NonPositivePivot { index }) = outcome {
        return Err(Fault::NotPositiveDefinite { minor: index + 1 });
    }
    for i in 0..n {
        for j in 0..i {
            a[i * n + j] = a[j * n + i];
            a[j * n + i] = T::ZERO;
        }
    }
    Ok(())
}

fn factor_lu<T: RealField + Float + Elementary>(n: usize, a: &mut [T], rows: &mut [usize]) -> Result<bool, Fault> {
    let mut inverse = zeros(n)?;
    let scratch = lu::lu_in_place_scratch::<usize, T>(n, n, Par::Seq, Default::default());
    let (info, _) = with_scratch(scratch, |stack| {
        let a = MatMut::from_row_major_slice_mut(a, n, n);
        lu::lu_in_place(a, rows, &mut inverse, Par::Seq, stack, Default::default())
    })?;
    // A column of zeros is divided by its zero there. What comes behind it is eliminated already as far as it can be
    // told.
    if let Some(k) = (0..n).find(|&k| a[k * n + k] == T::ZERO) {
        for row in a[k * n..].chunks_exact_mut(n).skip(1) {
            row[k..].fill(T::ZERO);
        }
    }
    Ok(info.transposition_count % 2 == 1)
}

fn solve_triangular<T: RealField + Float + Elementary>(n: usize, k: usize, a: &[T], triangle: Triangle, b: &mut [T]) {
    let a = MatRef::from_row_major_slice(a, n, n);
    let a = if triangle.transposed { a.transpose() } else { a };
    let b = MatMut::from_row_major_slice_mut(b, n, k);
    // Transposed, a lower triangle is an upper one.
    match (triangle.lower != triangle.transposed, triangle.unit) {
        (true, false) => triangular::solve_lower_triangular_in_place(a, b, Par::Seq),
        (true, true) => triangular::solve_unit_lower_triangular_in_place(a, b, Par::Seq),
        (false, false) => triangular::solve_upper_triangular_in_place(a, b, Par::Seq),
        (false, true) => triangular::solve_unit_upper_triangular_in_place(a, b, Par::Seq),
    }
}

fn factor_qr<T: RealField + Float + Elementary>(
    m: usize,
    n: usize,
    a: &[T],
    q_t: &mut [T],
    r: &mut [T],
) -> Result<(), Fault> {
    let k = m.min(n);
    if k == 0 {
        return Ok(());
    }
    let mut factors = zeros(m * n)?;
    let mut factors = MatMut::from_column_major_slice_mut(&mut factors, m, n);
    factors.copy_from(MatRef::from_row_major_slice(a, m, n));
    let block = qr::recommended_block_size::<T>(m, n);
    let mut coefficients = zeros(block * k)?;
    let mut coefficients = MatMut::from_column_major_slice_mut(&mut coefficients, block, k);
    let scratch = qr::qr_in_place_scratch::<T>(m, n, block, Par::Seq, Default::default());
    with_scratch(scratch, |stack| {
        qr::qr_in_place(factors.as_mut(), coefficients.as_mut(), Par::Seq, stack, Default::default());
    })?;
    for i in 0..k {
        for j in 0..n {
            r[i * n + j] = if j < i { T::ZERO } else { factors[(i, j)] };
        }
    }
    q_t.fill(T::ZERO);
    for i in 0..k {
        q_t[i * m + i] = T::ONE;
    }
    with_scratch(apply_scratch::<T>(m, block, k), |stack| {
        let q = MatMut::from_column_major_slice_mut(q_t, m, k);
        let basis = factors.as_ref().get(.., ..k);
        apply_reflections(basis, coefficients.as_ref(), Conj::No, q, Par::Seq, stack);
    })?;
    // One of the many: that whose r has no negative diagonal.
    for i in 0..k {
        if r[i * n + i] < T::ZERO {
            for x in r[i * n..(i + 1) * n].iter_mut().chain(&mut q_t[i * m..(i + 1) * m]) {
                *x = -*x;
            }
        }
    }
    Ok(())
}

/// Whether the entry of largest magnitude, the first of equal ones, is negative.
fn points_down<T: RealField + Float + Elementary>(x: &[T]) -> bool {
    let mut largest = T::ZERO;
    for &x in x {
        if x.abs() > largest.abs() {
            largest = x;
        }
    }
    largest < T::ZERO
}

fn eigh<T: RealField + Float + Elementary>(n: usize, a: &[T], w: &mut [T], v_t: &mut [T]) -> Result<(), Fault> {
    if n == 0 {
        return Ok(());
    }
    let yes = evd::ComputeEigenvectors::Yes;
    let scratch = evd::self_adjoint_evd_scratch::<T>(n, yes, Par::Seq, Default::default());
    with_scratch(scratch, |stack| {
        let a = MatRef::from_row_major_slice(a, n, n);
        let vectors = MatMut::from_column_major_slice_mut(v_t, n, n);
        let values = DiagMut::from_slice_mut(w);
        evd::self_adjoint_evd(a, values, Some(vectors), Par::Seq, stack, Default::default())
    })?
    .map_err(|_| Fault::NotConverged)?;
    for v in v_t.chunks_exact_mut(n) {
        if points_down(v) {
            v.iter_mut().for_each(|x| *x = -*x);
        }
    }
    Ok(())
}

fn factor_svd<T: RealField + Float + Elementary>(
    m: usize,
    n: usize,
    a: &[T],
    s: &mut [T],
    u_t: &mut [T],
    v_t: &mut [T],
) -> Result<(), Fault> {
    let k = m.min(n);
    if k == 0 {
        return Ok(());
    }
    let thin = svd::ComputeSvdVectors::Thin;
    let scratch = svd::svd_scratch::<T>(m, n, thin, thin, Par::Seq, Default::default());
    with_scratch(scratch, |stack| {
        let a = MatRef::from_row_major_slice(a, m, n);
        let u = MatMut::from_column_major_slice_mut(u_t, m, k);
        let v = MatMut::from_column_major_slice_mut(v_t, n, k);
        svd::svd(a, DiagMut::from_slice_mut(s), Some(u), Some(v), Par::Seq, stack, Default::default())
    })?
    .map_err(|_| Fault::NotConverged)?;
    for (u, v) in u_t.chunks_exact_mut(m).zip(v_t.chunks_exact_mut(n)) {
        if points_down(u) {
            u.iter_mut().chain(v).for_each(|x| *x = -*x);
        }
    }
    Ok(())
}
