//! Factorizations against the identities that define them, on random matrices of every size and layout; and the texts
//! of mistakes.

use wengert_tensor::{LinalgError, Shape, ShapeError, Slice, Tensor, Triangle, rng};

fn random(shape: impl Into<Shape>, seed: u64) -> Tensor<f64> {
    Tensor::uniform(shape, -1.0, 1.0, &mut rng(seed))
}

fn t(x: &Tensor<f64>) -> Tensor<f64> {
    x.transpose(-2, -1)
}

/// Symmetric with eigenvalues of 0.5 and more.
fn definite(shape: impl Into<Shape>, seed: u64) -> Tensor<f64> {
    let x = random(shape, seed);
    let n = x.dim(-1);
    x.matmul(&t(&x)) + Tensor::eye(n) * 0.5
}

/// Square with a condition number of a few tens.
fn regular(shape: impl Into<Shape>, seed: u64) -> Tensor<f64> {
    let x = random(shape, seed);
    let n = x.dim(-1);
    x * (1.0 / (n.max(1) as f64).sqrt()) + Tensor::eye(n) * 1.5
}

#[track_caller]
fn close(what: &str, got: &Tensor<f64>, expected: &Tensor<f64>, tolerance: f64) {
    assert_eq!(got.shape(), expected.shape(), "{what}");
    let scale = expected.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= tolerance * scale, "{what}: got {got:e}, expected {expected:e}");
    }
}

const SHAPES: [&[usize]; 10] =
    [&[0, 0], &[1, 1], &[2, 2], &[3, 3], &[5, 5], &[33, 33], &[2, 3, 3], &[2, 0, 4, 4], &[2, 1, 4, 4], &[130, 130]];

/// The same elements laid out in other ways.
fn layouts(x: &Tensor<f64>) -> Vec<Tensor<f64>> {
    let mut wide = x.shape().to_vec();
    *wide.last_mut().expect("a matrix") *= 2;
    let last = x.rank() as isize - 1;
    let stepped = Slice::from(..).step(2);
    vec![
        x.clone(),
        t(&t(x).to_contiguous()),
        x.flip(-1).to_contiguous().flip(-1),
        x.flip(-2).to_contiguous().flip(-2),
        Tensor::try_embed(wide, last, stepped, x).expect("half of it").slice(last, stepped),
    ]
}

#[test]
fn a_cholesky_factor_times_its_transpose_is_the_matrix() {
    for shape in SHAPES {
        let a = definite(shape, 1);
        for a in layouts(&a) {
            let l = a.cholesky();
            close("L LT", &l.matmul(&t(&l)), &a, 1e-14);
            close("above the diagonal", &l.triu(1), &Tensor::zeros(shape), 0.0);
            assert!(l.diagonal(0, -2, -1).iter().all(|x| x > 0.0));
        }
        // Of what is not symmetric, the symmetric part.
        let skew = random(shape, 2);
        let skewed = &a + &(&skew - &t(&skew));
        close("the symmetric part", &skewed.cholesky(), &a.cholesky(), 1e-13);
    }
}

#[test]
fn solutions_satisfy_their_systems() {
    for shape in SHAPES {
        let a = regular(shape, 3);
        let n = a.dim(-1);
        for a in layouts(&a) {
            for k in [0, 1, 3] {
                let b = random([&shape[..shape.len() - 1], &[k]].concat(), 4);
                for b in layouts(&b) {
                    close("solve", &a.matmul(&a.solve(&b)), &b, 1e-13);
                }
            }
            let b = random([n], 5);
            let x = a.solve(&b).unsqueeze(-1);
            close("solve a vector", &a.matmul(&x).squeeze(-1), &b.broadcast_to(&shape[..shape.len() - 1]), 1e-13);
            let one = Tensor::eye(n).broadcast_to(shape);
            close("inverse", &a.inverse().matmul(&a), &one, 1e-13);
        }
    }
}

#[test]
fn triangles_are_solved_reading_nothing_else() {
    for shape in SHAPES {
        let a = regular(shape, 6);
        let n = a.dim(-1);
        let b = random([&shape[..shape.len() - 1], &[2]].concat(), 7);
        for lower in [true, false] {
            for transposed in [false, true] {
                for unit in [false, true] {
                    let mut triangle = if lower { Triangle::lower() } else { Triangle::upper() };
                    let mut full = if lower { a.tril(0) } else { a.triu(0) };
                    if unit {
                        triangle = triangle.unit();
                        let own = full.diagonal(0, -2, -1).unsqueeze(-1);
                        full = &full + &(Tensor::eye(n) * (1.0 - own));
                    }
                    if transposed {
                        triangle = triangle.transposed();
                        full = t(&full);
                    }
                    for a in layouts(&a) {
                        let x = a.solve_triangular(&b, triangle);
                        close("op(a) x", &full.matmul(&x), &b, 1e-13);
                    }
                }
            }
        }
    }
    let unread = Tensor::from([[2.0, f64::NAN], [1.0, 1.0]]);
    assert_eq!(unread.solve_triangular(&Tensor::from([2.0, 3.0]), Triangle::lower()), Tensor::from([1.0, 2.0]));
}

#[test]
fn leading_axes_of_matrix_and_right_side_broadcast() {
    let (a, b) = (regular([2, 1, 3, 3], 8), random([4, 3, 2], 9));
    let x = a.solve(&b);
    assert_eq!(*x.shape(), [2, 4, 3, 2]);
    close("solve", &a.matmul(&x), &b.broadcast_to([2, 4, 3, 2]), 1e-14);
    let y = a.solve_triangular(&b, Triangle::upper());
    close("solve_triangular", &a.triu(0).matmul(&y), &b.broadcast_to([2, 4, 3, 2]), 1e-14);
    let z = a.lstsq(&b);
    close("lstsq", &z, &x, 1e-13);
}

#[test]
fn orthogonal_factors_have_orthonormal_columns_and_give_the_matrix_back() {
    let wide: [&[usize]; 8] = [&[3, 5], &[5, 3], &[0, 3], &[3, 0], &[2, 1, 4], &[40, 7], &[7, 40], &[150, 90]];
    for shape in SHAPES.into_iter().chain(wide) {
        let a = random(shape, 10);
        let [.., m, n] = *shape else { panic!("a matrix") };
        let k = m.min(n);
        let one = Tensor::eye(k).broadcast_to([&shape[..shape.len() - 2], &[k, k]].concat());
        for a in layouts(&a) {
            let (q, r) = a.qr();
            close("q r", &q.matmul(&r), &a, 1e-14);
            close("qT q", &t(&q).matmul(&q), &one, 1e-14);
            close("below the diagonal", &r.tril(-1), &Tensor::zeros(r.shape()), 0.0);
            assert!(r.diagonal(0, -2, -1).iter().all(|x| x >= 0.0));
            let (u, s, v_t) = a.svd();
            // Of the largest singular value, 13 at 150 rows, some roundings.
            close("u s v", &(u.clone() * s.unsqueeze(-2)).matmul(&v_t), &a, 1e-13);
            close("uT u", &t(&u).matmul(&u), &one, 1e-13);
            close("v vT", &v_t.matmul(&t(&v_t)), &one, 1e-13);
            assert!(s.to_vec().chunks(k.max(1)).all(|s| s.iter().rev().is_sorted() && s.iter().all(|&s| s >= 0.0)));
        }
    }
}

#[test]
fn deficient_ranks_have_factors_too() {
    let a = random([6, 2], 11).matmul(&random([2, 4], 12)); // rank 2
    for a in [a.clone(), a * Tensor::from([0.0, 1.0, 0.0, 1.0]), Tensor::zeros([6, 4]), Tensor::ones([4, 6])] {
        let (q, r) = a.qr();
        close("q r", &q.matmul(&r), &a, 1e-14);
        close("qT q", &q.t().matmul(&q), &Tensor::eye(4), 1e-14);
        let (u, s, v_t) = a.svd();
        close("u s v", &(u.clone() * s).matmul(&v_t), &a, 1e-14);
        close("uT u", &u.t().matmul(&u), &Tensor::eye(4), 1e-14);
        close("v vT", &v_t.matmul(&v_t.t()), &Tensor::eye(4), 1e-14);
    }
}

#[test]
fn eigenvectors_are_scaled_by_their_matrix() {
    for shape in SHAPES {
        let x = random(shape, 13);
        let a = &x + &t(&x);
        let n = a.dim(-1);
        for a in layouts(&a) {
            let (w, v) = a.eigh();
            close("a v", &a.matmul(&v), &(v.clone() * w.unsqueeze(-2)), 1e-13);
            close("vT v", &t(&v).matmul(&v), &Tensor::eye(n).broadcast_to(shape), 1e-13);
            assert!(w.to_vec().chunks(n.max(1)).all(<[f64]>::is_sorted));
            close("eigvalsh", &a.eigvalsh(), &w, 0.0);
        }
    }
    let (w, _) = Tensor::<f64>::eye(4).eigh();
    assert_eq!(w, Tensor::ones([4]));
}

#[test]
fn determinants_multiply_and_agree_with_their_logarithms() {
    for shape in SHAPES {
        let (a, b) = (regular(shape, 14), regular(shape, 15));
        let batch = &shape[..shape.len() - 2];
        close("det ab", &(a.matmul(&b).det() / (a.det() * b.det())), &Tensor::ones(batch), 1e-11);
        close("det aT", &(t(&a).det() / a.det()), &Tensor::ones(batch), 1e-12);
        let (sign, log) = a.slogdet();
        close("slogdet", &(sign * log.exp() / a.det()), &Tensor::ones(batch), 1e-12);
    }
    // Permutations, whose determinants are their signs.
    let odd = Tensor::from([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
    let even = Tensor::from([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    assert_eq!((odd.det().item(), even.det().item()), (-1.0, 1.0));
    assert_eq!(Tensor::<f64>::zeros([0, 0]).det().item(), 1.0);
    let rank_one = Tensor::from([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 6.0, 9.0]]);
    for singular in
        [Tensor::from([[1.0, 2.0], [2.0, 4.0]]), rank_one, Tensor::zeros([40, 40]), Tensor::ones([100, 100])]
    {
        let (sign, log) = singular.slogdet();
        assert_eq!((sign.item(), log.item(), singular.det().item()), (0.0, f64::NEG_INFINITY, 0.0));
    }
    assert_eq!(Tensor::from([[3.0, 1.0], [2.0, 5.0]]).trace().item(), 8.0);
}

#[test]
fn cofactors_times_the_matrix_are_the_determinant() {
    let singular = random([4, 3], 16).matmul(&random([3, 4], 17));
    for a in [regular([3, 3], 18), regular([2, 4, 4], 19), singular, Tensor::ones([2, 2]), Tensor::zeros([1, 1])] {
        let (cofactors, _) = a.try_cofactors().expect("finite");
        let n = a.dim(-1);
        let det = a.det().unsqueeze(-1).unsqueeze(-1);
        close("aT C", &t(&a).matmul(&cofactors), &(Tensor::eye(n) * det), 1e-14);
    }
    let (c, orientation) = Tensor::from([[1.0, 2.0], [2.0, 4.0]]).try_cofactors().expect("finite");
    close("of a singular matrix", &c, &Tensor::from([[4.0, -2.0], [-2.0, 1.0]]), 1e-15);
    assert!(orientation.is_some());
}

#[test]
fn least_squares_leave_a_residual_at_right_angles() {
    for shape in [&[5_usize, 3][..], &[3, 3], &[2, 6, 1], &[4, 0], &[50, 20]] {
        let a = random(shape, 20);
        let b = random([&shape[..shape.len() - 1], &[2]].concat(), 21);
        let x = a.lstsq(&b);
        let residual = a.matmul(&x) - b;
        close("aT r", &t(&a).matmul(&residual), &Tensor::zeros(x.shape()), 1e-13);
    }
    assert_eq!(*random([2, 5, 3], 22).lstsq(&random([5], 23)).shape(), [2, 3]);
}

#[test]
fn exponentials_are_those_of_the_series() {
    for (scale, seed) in [(1e-3, 24), (0.1, 25), (0.5, 26), (1.0, 27), (3.0, 28), (20.0, 29)] {
        let x = random([2, 5, 5], seed);
        let a = (&x - &t(&x)) * scale; // a rotation, so that large norms do not cancel
        // A series on a fraction, squared.
        let part = &a * (1.0 / 1024.0);
        let mut term = Tensor::eye(5).broadcast_to([2, 5, 5]).to_contiguous();
        let mut sum = term.clone();
        for k in 1..25 {
            term = term.matmul(&part) * (1.0 / f64::from(k));
            sum += &term;
        }
        for _ in 0..10 {
            sum = sum.matmul(&sum);
        }
        close("expm", &a.expm(), &sum, 3e-12);
        close("expm of a transpose", &t(&a).expm(), &t(&a.expm()), 1e-13);
    }
    assert_eq!(Tensor::<f64>::zeros([3, 3]).expm(), Tensor::eye(3));
    assert_eq!(*Tensor::<f64>::zeros([0, 3, 3]).expm().shape(), [0, 3, 3]);
    assert_eq!(*Tensor::<f64>::zeros([2, 0, 0]).expm().shape(), [2, 0, 0]);
    assert!(Tensor::from([[f64::NAN, 0.0], [0.0, 1.0]]).expm().iter().any(f64::is_nan));
    let triangular = Tensor::from([[1.0, 100.0], [0.0, -1.0]]).expm();
    let expected = Tensor::from([[1_f64.exp(), 100.0 * 1_f64.sinh()], [0.0, (-1_f64).exp()]]);
    for (got, expected) in triangular.iter().zip(&expected) {
        assert!((got - expected).abs() <= 1e-12 * expected.abs(), "{got:e} for {expected:e}");
    }
}

#[test]
fn single_precision_has_its_own_rounding() {
    let a = regular([4, 4], 30).cast::<f32>();
    let near = |got: Tensor<f32>, expected: Tensor<f32>| assert!((got - expected).norm2() < 1e-5);
    let s = a.matmul(&a.t());
    near(s.cholesky().matmul(&s.cholesky().t()), s.clone());
    near(a.matmul(&a.inverse()), Tensor::eye(4));
    let (w, v) = s.eigh();
    near(s.matmul(&v), v * w);
    let (u, d, v_t) = a.svd();
    near((u * d).matmul(&v_t), a.clone());
    let (q, r) = a.qr();
    near(q.matmul(&r), a.clone());
    near(a.expm(), a.cast::<f64>().expm().cast());
}

#[test]
fn units_of_equations_and_unknowns_do_not_make_a_matrix_singular() {
    let a = Tensor::from([[1e-30, 2e-10], [3e-20, 4e5]]);
    let x = a.solve(&a.matmul(&Tensor::from([1.0, 1.0])));
    // The rows differ by 34 orders of magnitude, so the first unknown is known to few digits.
    let second: f64 = x.at([1]);
    assert!((second - 1.0).abs() < 1e-12);
    let diagonal = Tensor::from([1.0, 1e-200, 1e200]).diag(0);
    assert_eq!(diagonal.inverse().diag(0).to_vec(), [1.0, 1e200, 1e-200]);
    assert_eq!(diagonal.det().item(), 1.0);
    // In exact arithmetic the second row is three times the first; in floats it is off by one rounding.
    assert!(Tensor::from([[0.1, 0.7], [0.3, 0.7 * 3.0]]).try_inverse().is_err());
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let (a, s) = (random([300, 300], 31), definite([300, 300], 32));
    let run = |threads| {
        wengert_kernels::par::threads(threads, || {
            [s.cholesky(), a.inverse(), a.qr().0, s.eigh().1, a.svd().0].map(|x| x.to_vec())
        })
    };
    let alone = run(1);
    for threads in [2, 3] {
        assert!(run(threads) == alone, "{threads} threads");
    }
}

#[test]
fn mistakes_name_op_shapes_matrix_and_what_to_do() {
    let full = |x: f64, shape: &[usize]| Tensor::full(shape, x);
    let eye = Tensor::<f64>::eye(3);
    let indefinite = Tensor::from([[2.0, 0.0, 0.0], [0.0, 1.0, 2.0], [0.0, 2.0, 1.0]]);
    let among = |bad: &Tensor<f64>| Tensor::stack(&[&eye, &eye, &eye, bad], 0).reshape([2, 2, 3, 3]);
    let dependent = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]);
    let mut nan = eye.clone();
    nan.set([1, 2], f64::NAN);
    let rows: Vec<(ShapeError, &str)> = vec![
        (
            full(1.0, &[3]).try_cholesky().unwrap_err(),
            "cholesky: operand of shape [3] has 1 axes; expected a matrix or a batch of matrices",
        ),
        (
            full(1.0, &[2, 3]).try_det().unwrap_err(),
            "det: matrices of shape [2, 3] are not square; it takes [.., n, n]",
        ),
        (
            full(1.0, &[3, 2]).try_solve(&full(1.0, &[3])).unwrap_err(),
            "solve: matrices of shape [3, 2] are not square; it takes [.., n, n]; `lstsq` solves systems with more equations than unknowns",
        ),
        (
            indefinite.try_cholesky().unwrap_err(),
            "cholesky: the matrix of shape [3, 3] is not positive definite: its leading minor of order 3 is not positive; add a small multiple of the identity if it should be",
        ),
        (
            among(&-&eye).try_cholesky().unwrap_err(),
            "cholesky: matrix [1, 1] of shape [2, 2, 3, 3] is not positive definite: its leading minor of order 1 is not positive; add a small multiple of the identity if it should be",
        ),
        (
            among(&Tensor::zeros([3, 3])).try_inverse().unwrap_err(),
            "inverse: matrix [1, 1] of shape [2, 2, 3, 3] is singular: pivot 0 is 0e0 of its row and column; is a row or column repeated, or zero?",
        ),
        (
            eye.try_solve(&full(1.0, &[2, 4])).unwrap_err(),
            "solve: matrices of shape [3, 3] have 3 rows, right-hand sides of shape [2, 4] have 2; b is a vector [3] or columns [.., 3, k]",
        ),
        (
            eye.try_solve(&full(1.0, &[])).unwrap_err(),
            "solve: operand of shape [] has 0 axes; expected a vector [n], or columns [.., n, k]",
        ),
        (
            full(1.0, &[2, 3, 3]).tril(0).try_solve(&full(1.0, &[4, 3, 1])).unwrap_err(),
            "solve: shapes [2, 3, 3] and [4, 3, 1] do not broadcast: axis 0 has 2 against 4 entries and neither is 1; reshape one side",
        ),
        (
            among(&(&eye - Tensor::from([0.0, 1.0, 0.0]).diag(0)))
                .try_solve_triangular(&full(1.0, &[3]), Triangle::upper())
                .unwrap_err(),
            "solve_triangular: matrix [1, 1] of shape [2, 2, 3, 3] has a zero on its diagonal, at [1, 1], and no inverse; did you mean the other triangle, or a `unit` diagonal?",
        ),
        (
            full(1.0, &[2, 3]).try_lstsq(&full(1.0, &[2])).unwrap_err(),
            "lstsq: matrices of shape [2, 3] have less rows than columns, so that there are many solutions; the shortest is aT (a aT)^-1 b",
        ),
        (
            dependent.try_lstsq(&full(1.0, &[3])).unwrap_err(),
            "lstsq: the matrix of shape [3, 3] does not have full column rank: column 2 is a combination of those before it, up to rounding; leave it out, or solve (aT a + c I) x = aT b",
        ),
        (
            among(&nan).try_eigh().unwrap_err(),
            "eigh: matrix [1, 1] of shape [2, 2, 3, 3] has NaN at [1, 2]; the op that made it is found with `tape.watch_nonfinite()`",
        ),
        (
            full(1.0, &[4]).try_trace().unwrap_err(),
            "trace: operand of shape [4] has 1 axes; expected a matrix or a batch of matrices",
        ),
    ];
    for (error, text) in rows {
        assert_eq!(error.to_string(), text);
    }
    let error = dependent.try_solve(&full(1.0, &[3])).unwrap_err();
    assert!(
        matches!(&error, ShapeError::Linalg(e) if matches!(**e, LinalgError::Singular { pivot: 2, .. })),
        "{error}"
    );
}

#[test]
fn short_forms_panic_with_the_same_text_at_the_callers_line() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let place = std::sync::Mutex::new(None);
    let place = std::sync::Arc::new(place);
    let seen = std::sync::Arc::clone(&place);
    std::panic::set_hook(Box::new(move |info| {
        *seen.lock().expect("no other panic") = info.location().map(|l| (l.file().to_owned(), l.line()));
    }));
    let outcome = std::panic::catch_unwind(|| Tensor::<f64>::zeros([2, 2]).inverse());
    let line = line!() - 1;
    std::panic::set_hook(hook);
    let text = *outcome.expect_err("a singular matrix").downcast::<String>().expect("a formatted text");
    assert_eq!(text, Tensor::<f64>::zeros([2, 2]).try_inverse().unwrap_err().to_string());
    let place = place.lock().expect("not poisoned").clone();
    assert_eq!(place, Some((file!().to_owned(), line)));
}
