//! Differentiating through nalgebra, against the closed forms of the adjoints in plain numbers.
//!
//! Source of the formulas: M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
//! differentiation", 2008; for the exponential, N. J. Higham, *Functions of Matrices*, 2008, section 10.6.

use nalgebra::{Complex, ComplexField, DMatrix, DVector, Matrix3, RealField, Rotation3, Vector3};
use wengert_core::{Dual, Real, Taylor, real};

/// Numbers without pattern in `-1..1`.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

/// A well-conditioned square matrix, elements in column order.
fn regular(seed: u64, n: usize) -> Vec<f64> {
    let mut x = numbers(seed, n * n);
    for k in 0..n {
        x[k * n + k] += 3.0;
    }
    x
}

fn square<T: RealField + Copy>(x: &[T]) -> DMatrix<T> {
    let n = x.len().isqrt();
    DMatrix::from_column_slice(n, n, x)
}

/// `M MT + I`, positive definite for any `M`.
fn definite<T: RealField + Copy>(x: &[T]) -> DMatrix<T> {
    let m = square(x);
    &m * m.transpose() + DMatrix::identity(m.nrows(), m.nrows())
}

#[track_caller]
fn assert_close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
    for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= tolerance * scale, "element {k}: {got:e}, expected {expected:e}");
    }
}

// Every matrix here has a condition number below 100: what follows is a few hundred roundings of that size.
const TOLERANCE: f64 = 1e-12;

#[test]
fn lu_solve_has_the_adjoint_of_the_inverse() {
    // y = w . A^-1 b: b_bar = A^-T w, A_bar = -b_bar xT.
    fn y<T: RealField + Copy>(a: &[T], b: &[T], w: &[f64]) -> T {
        let x = square(a).lu().solve(&DVector::from_column_slice(b)).expect("regular");
        x.iter().zip(w).fold(T::zero(), |y, (&x, &w)| y + x * nalgebra::convert(w))
    }
    for n in [1, 2, 5, 12] {
        let (a, b, w) = (regular(1, n), numbers(2, n), numbers(3, n));
        let input = [&a[..], &b[..]].concat();
        let (value, gradient) = real::value_and_grad(|p| y(&p[..n * n], &p[n * n..], &w), &input);
        assert_close(&[value], &[y(&a, &b, &w)], TOLERANCE);
        let inverse = square(&a).try_inverse().expect("regular");
        let b_bar = inverse.transpose() * DVector::from_column_slice(&w);
        let a_bar = -&b_bar * (&inverse * DVector::from_column_slice(&b)).transpose();
        assert_close(&gradient, &[a_bar.as_slice(), b_bar.as_slice()].concat(), TOLERANCE);
    }
}

#[test]
fn pivoting_does_not_lose_a_derivative() {
    // Zeros on the diagonal force exchanges: the determinant of this matrix is x0 x1 x2.
    let det = |x: &[Real]| {
        let o = Real::from(0.0);
        DMatrix::from_row_slice(3, 3, &[o, x[0], o, o, o, x[1], x[2], o, o]).lu().determinant()
    };
    assert_eq!(real::grad(det, &[2.0, 3.0, 5.0]), [15.0, 10.0, 6.0]);
}

#[test]
fn the_logarithm_of_the_determinant_by_cholesky() {
    // With A = M MT + I: d ln det A = tr(A^-1 dA), so M_bar = 2 A^-1 M.
    fn ln_det<T: RealField + Copy>(m: &[T]) -> T {
        let factor = definite(m).cholesky().expect("positive definite");
        factor.l_dirty().diagonal().iter().fold(T::zero(), |sum, &l| sum + l.ln() + l.ln())
    }
    for n in [1, 3, 10] {
        let m = numbers(4, n * n);
        let inverse = definite(&m).try_inverse().expect("regular");
        assert_close(&real::grad(ln_det, &m), (2.0 * inverse * square(&m)).as_slice(), TOLERANCE);
    }
    // Its Hessian in A itself: -tr(A^-1 E A^-1 F).
    fn ln_det_itself<T: RealField + Copy>(a: &[T]) -> T {
        square(a).determinant().ln()
    }
    let a: Vec<f64> = definite(&numbers(5, 9)).as_slice().to_vec();
    let inverse = square(&a).try_inverse().expect("regular");
    let unit = |k: usize| DMatrix::from_fn(3, 3, |i, j| if i + 3 * j == k { 1.0 } else { 0.0 });
    let expected: Vec<f64> = (0..81).map(|k| -(&inverse * unit(k / 9) * &inverse * unit(k % 9)).trace()).collect();
    let hessian = real::hessian(ln_det_itself, &a);
    assert_close(&hessian.to_vec(), &expected, TOLERANCE);
    let v = numbers(6, 9);
    let hv = square(&expected) * DVector::from_column_slice(&v);
    assert_close(&real::hvp(ln_det_itself, &a, &v), hv.as_slice(), TOLERANCE);
}

#[test]
fn cholesky_solve_of_a_quadratic_form() {
    // y = bT A^-1 b = bT x: A_bar = -x xT, M_bar = -2 x xT M, b_bar = 2 x.
    fn y<T: RealField + Copy>(m: &[T], b: &[T]) -> T {
        let b = DVector::from_column_slice(b);
        definite(m).cholesky().expect("positive definite").solve(&b).dot(&b)
    }
    let n = 6;
    let (m, b) = (numbers(7, n * n), numbers(8, n));
    let gradient = real::grad(|p| y(&p[..n * n], &p[n * n..]), &[&m[..], &b[..]].concat());
    let x = definite(&m).try_inverse().expect("regular") * DVector::from_column_slice(&b);
    let m_bar = -2.0 * &x * x.transpose() * square(&m);
    assert_close(&gradient, &[m_bar.as_slice(), (2.0 * x).as_slice()].concat(), TOLERANCE);
}

#[test]
fn the_exponential_has_the_adjoint_of_its_frechet_derivative() {
    // y = <W, exp A>: A_bar = L(AT, W), the upper right block of exp [[AT, W], [0, AT]].
    fn y<T: RealField + Copy>(a: &[T], w: &DMatrix<f64>) -> T {
        square(a).exp().iter().zip(w).fold(T::zero(), |y, (&e, &w)| y + e * nalgebra::convert(w))
    }
    for (n, size) in [(2, 0.1), (4, 1.0), (5, 8.0)] {
        let a: Vec<f64> = numbers(9, n * n).iter().map(|x| x * size).collect();
        let w = square(&numbers(10, n * n));
        let mut block = DMatrix::zeros(2 * n, 2 * n);
        block.view_mut((0, 0), (n, n)).copy_from(&square(&a).transpose());
        block.view_mut((n, n), (n, n)).copy_from(&square(&a).transpose());
        block.view_mut((0, n), (n, n)).copy_from(&w);
        let a_bar: DMatrix<f64> = block.exp().view((0, n), (n, n)).into_owned();
        assert_close(&real::grad(|a| y(a, &w), &a), a_bar.as_slice(), 1e-11); // squaring multiplies roundings by 2^s
    }
    // exp of t [[0, -1], [1, 0]] is the rotation by t.
    let sine =
        |t: &[Real]| DMatrix::from_row_slice(2, 2, &[Real::from(0.0), -t[0], t[0], Real::from(0.0)]).exp()[(1, 0)];
    assert_close(&real::grad(sine, &[0.7]), &[0.7_f64.cos()], TOLERANCE);
}

#[test]
fn least_squares_by_qr() {
    // x = argmin |A x - b|^2, y = w . x. With r = b - A x and u = (AT A)^-1 w: b_bar = A u, A_bar = r uT - A u xT.
    fn y<T: RealField + Copy>(a: &[T], b: &[T], w: &[f64]) -> T {
        let (m, n) = (b.len(), w.len());
        let qr = DMatrix::from_column_slice(m, n, a).qr();
        let x =
            qr.r().solve_upper_triangular(&(qr.q().transpose() * DVector::from_column_slice(b))).expect("full rank");
        x.iter().zip(w).fold(T::zero(), |y, (&x, &w)| y + x * nalgebra::convert(w))
    }
    let (m, n) = (7, 3);
    let (a, b, w) = (numbers(11, m * n), numbers(12, m), numbers(13, n));
    let gradient = real::grad(|p| y(&p[..m * n], &p[m * n..], &w), &[&a[..], &b[..]].concat());
    let (matrix, b) = (DMatrix::from_column_slice(m, n, &a), DVector::from_column_slice(&b));
    let normal = (matrix.transpose() * &matrix).try_inverse().expect("full rank");
    let x = &normal * matrix.transpose() * &b;
    let u = &normal * DVector::from_column_slice(&w);
    let b_bar = &matrix * &u;
    let a_bar = (&b - &matrix * &x) * u.transpose() - &b_bar * x.transpose();
    assert_close(&gradient, &[a_bar.as_slice(), b_bar.as_slice()].concat(), TOLERANCE);
}

#[test]
fn qr_of_a_matrix_with_zeros_where_reflections_branch() {
    // |det A| from R; the columns begin with zeros or are zero below the diagonal already.
    let a = [0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 3.0];
    let ln_det = |a: &[Real]| square(a).qr().unpack_r().diagonal().iter().map(|r| r.abs().ln()).sum::<Real>();
    let inverse = square(&a).try_inverse().expect("regular");
    assert_close(&real::grad(ln_det, &a), inverse.transpose().as_slice(), TOLERANCE);
}

#[test]
fn symmetric_eigenvalues_have_the_projectors_as_adjoints() {
    // lambda_k = v_k . A v_k: A_bar = v_k v_kT, and for A = M + MT twice that.
    fn eigenvalues<T: RealField + Copy>(m: &[T]) -> Vec<T> {
        let m = square(m);
        let mut all = (&m + m.transpose()).symmetric_eigenvalues().as_slice().to_vec();
        all.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
        all
    }
    let n = 6;
    let m = numbers(14, n * n);
    let jacobian = real::jacobian(eigenvalues, &m).to_vec();
    let exact = (square(&m) + square(&m).transpose()).symmetric_eigen();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| exact.eigenvalues[i].total_cmp(&exact.eigenvalues[j]));
    for (row, k) in jacobian.chunks(n * n).zip(order) {
        let v = exact.eigenvectors.column(k);
        assert_close(row, (2.0 * v * v.transpose()).as_slice(), 1e-11); // the gap between eigenvalues divides roundings
    }
    // The sum of their squares is |M + MT|^2, whose gradient needs no eigenvector.
    let squares = |m: &[Real]| eigenvalues(m).iter().map(|&l| l * l).sum::<Real>();
    let expected = 4.0 * (square(&m) + square(&m).transpose());
    assert_close(&real::grad(squares, &m), expected.as_slice(), 1e-11);
}

#[test]
fn the_nuclear_norm_has_the_polar_factor_as_gradient() {
    let a = regular(15, 4);
    let nuclear = |a: &[Real]| square(a).singular_values().iter().sum::<Real>();
    let svd = square(&a).svd(true, true);
    let polar = svd.u.expect("asked for") * svd.v_t.expect("asked for");
    assert_close(&real::grad(nuclear, &a), polar.as_slice(), 1e-11);
}

#[test]
fn matrices_of_fixed_size_and_rotations() {
    // Rodrigues: d/dt of R(t axis) p is axis x (R p).
    let (axis, p) = (Vector3::new(2.0, -1.0, 2.0) / 3.0, Vector3::new(0.3, 0.4, -0.5));
    let turned = |t: &[Real]| {
        let rotation = Rotation3::from_scaled_axis(axis.map(Real::from) * t[0]);
        (rotation * p.map(Real::from)).as_slice().to_vec()
    };
    let expected = axis.cross(&(Rotation3::from_scaled_axis(axis * 0.8) * p));
    assert_close(&real::jacobian(turned, &[0.8]).to_vec(), expected.as_slice(), TOLERANCE);
    // The closed form of the 3 x 3 inverse.
    let a = regular(16, 3);
    let trace = |a: &[Real]| Matrix3::from_column_slice(a).try_inverse().expect("regular").trace();
    let inverse = square(&a).try_inverse().expect("regular");
    assert_close(&real::grad(trace, &a), (-(&inverse * &inverse).transpose()).as_slice(), TOLERANCE);
}

#[test]
fn complex_numbers_over_variables() {
    // |exp(z)^2|^2 = exp(4 x), whatever y.
    let f = |p: &[Real]| {
        let e = Complex::new(p[0], p[1]).exp();
        (e * e).norm_sqr()
    };
    let y = (4.0 * 0.3_f64).exp();
    assert_close(&real::grad(f, &[0.3, 1.1]), &[4.0 * y, 0.0], TOLERANCE);
}

#[test]
fn duals_are_matrix_elements_too() {
    // Jacobi: d det A = det A tr(A^-1 E), along two directions at once.
    let (a, e, f) = (regular(17, 4), numbers(18, 16), numbers(19, 16));
    let moving: Vec<Dual<f64, 2>> = (0..16).map(|k| Dual { value: a[k], tangents: [e[k], f[k]] }).collect();
    let det = square(&moving).determinant();
    let inverse = square(&a).try_inverse().expect("regular");
    let expected = [&e, &f].map(|e| square(&a).determinant() * (&inverse * square(e)).trace());
    assert_close(&det.tangents, &expected, TOLERANCE);
}

#[test]
fn series_are_matrix_elements_too() {
    // det(1 + t diag(1, 2, 3)) = (1 + t)(1 + 2t)(1 + 3t) = 1 + 6 t + 11 t^2 + 6 t^3
    let a = DMatrix::from_fn(3, 3, |i, j| match i == j {
        true => Taylor::along(1.0, (i + 1) as f64),
        false => Taylor::<f64, 5>::from(0.0),
    });
    assert_close(&a.determinant().coefficients(), &[1.0, 6.0, 11.0, 6.0, 0.0], TOLERANCE);
}

#[test]
fn single_precision() {
    let x = real::grad(
        |x: &[Real<f32>]| {
            let a = DMatrix::from_row_slice(2, 2, &[x[0], Real::from(1.0_f32), Real::from(0.0_f32), x[1]]);
            a.lu().solve(&DVector::from_row_slice(&[x[0], x[1]])).expect("regular")[0]
        },
        &[2.0_f32, 4.0],
    );
    // x0 v + 1 = x0 with v = 1 - 1/x0
    assert_eq!(x, [0.25, 0.0]);
}

#[test]
fn conversions_to_plain_numbers_and_back() {
    let gradient = real::grad(
        |x: &[Real]| {
            let plain: f64 = nalgebra::try_convert(x[0]).expect("always");
            x[0] * nalgebra::convert::<f64, Real>(plain)
        },
        &[3.0],
    );
    assert_eq!(gradient, [3.0]); // what was plain in between is a constant
}
