//! Linear algebra on a tape against PyTorch: values and gradients to 1e-12, second order to 1e-11; against finite differences;
//! then degenerate spectra, and the texts of mistakes.

use crate::torch::{self, Op, Var, close};
use wengert::Error;
use wengert::prelude::*;
use wengert_check::check_tensor;

const REFERENCE: &str = include_str!("../reference/linalg.txt");

fn n(x: Var<'_>) -> usize {
    x.shape()[x.shape().rank() - 1]
}
fn regular(x: Var<'_>) -> Var<'_> {
    x * 0.125 + x.tape().constant_tensor(Tensor::eye(n(x)))
}
fn definite(x: Var<'_>) -> Var<'_> {
    regular(x).matmul_t(false, regular(x), true)
}
fn t(x: Var<'_>) -> Var<'_> {
    x.transpose(-2, -1)
}
fn sum2(x: Var<'_>) -> Var<'_> {
    x.sum_axes([-2, -1])
}

/// The op of a case, as `tests/reference/linalg.py` names it.
fn op(name: &str) -> Op {
    match name {
        "cholesky" => |x| definite(x[0]).cholesky(),
        "solve" | "solve a vector" => |x| regular(x[0]).solve(x[1]),
        "solve_triangular lower" => |x| regular(x[0]).solve_triangular(x[1], Triangle::lower()),
        "solve_triangular upper" => |x| regular(x[0]).solve_triangular(x[1], Triangle::upper()),
        "solve_triangular lower transposed" => |x| regular(x[0]).solve_triangular(x[1], Triangle::lower().transposed()),
        "solve_triangular upper unit" => |x| x[0].solve_triangular(x[1], Triangle::upper().unit()),
        "solve_triangular upper transposed unit" => {
            |x| x[0].solve_triangular(x[1], Triangle::upper().transposed().unit())
        }
        "inverse" => |x| regular(x[0]).inverse(),
        "det" => |x| regular(x[0]).det(),
        "det of rank 2" | "det of rank 1" => |x| x[0].matmul_t(false, x[0], true).det(),
        "det of products" => |x| {
            let product = x[0].matmul(x[1]);
            product.det() + (product + product.t()).det() * 2.0
        },
        "slogdet" => |x| regular(x[0]).slogdet().1,
        "lstsq" | "lstsq a vector" => |x| x[0].lstsq(x[1]),
        "qr" => |x| {
            let (q, r) = x[0].qr();
            TensorVar::concat(&[q, t(r)], -2)
        },
        "r of a wide matrix" => |x| x[0].qr().1,
        "eigh" => |x| {
            let (w, v) = x[0].eigh();
            TensorVar::concat(&[w.unsqueeze(-1).transpose(-2, -1), v], -2)
        },
        "eigvalsh" => |x| x[0].eigvalsh(),
        "svd" => |x| {
            let (u, s, v_t) = x[0].svd();
            TensorVar::concat(&[t(s.unsqueeze(-1)), u, t(v_t)], -2)
        },
        "svdvals" => |x| x[0].svdvals(),
        "expm" => |x| x[0].expm(),
        "expm of large matrices" => |x| ((x[0] - t(x[0])) * 4.0).expm(),
        "trace" => |x| x[0].matmul(x[0]).trace(),
        _ => panic!("no op for the reference values of `{name}`"),
    }
}

#[test]
fn values_and_derivatives_are_those_of_pytorch_in_every_layout() {
    torch::compare_in_every_layout(REFERENCE, op);
}

#[test]
fn finite_differences_agree_to_second_order() {
    // Zero everywhere: differences see nothing but rounding.
    torch::check_differences(REFERENCE, op, |name| name.starts_with("det of rank"));
}

#[test]
fn determinants_of_singular_matrices_have_the_differences_of_their_neighbours() {
    let rank_two = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]);
    let rank_one = Tensor::from([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [-1.0, -2.0, -3.0]]);
    for a in [rank_two, rank_one, Tensor::zeros([3, 3]), Tensor::zeros([2, 2]), Tensor::zeros([1, 1])] {
        // The square sets the scale: of cofactors that are 0 the vectors leave some roundings.
        check_tensor(|a| a.det() + a.square().sum()).at(a).orders(2).assert();
    }
}

/// The gradient of one number.
fn slope(f: impl for<'t> Fn(Var<'t>) -> Var<'t>, x: &Tensor<f64>) -> Tensor<f64> {
    let tape = Tape::new();
    let x = tape.tensor(x);
    f(x).gradient()[x].clone()
}

/// The gradient of `sum v g` of the gradient `g` of one number.
fn second(f: impl for<'t> Fn(Var<'t>) -> Var<'t>, x: &Tensor<f64>, v: &Tensor<f64>) -> Tensor<f64> {
    let tape = Tape::new();
    let x = tape.tensor(x);
    let [g] = f(x).recorded_gradient([x]);
    (g * tape.constant_tensor(v)).sum().gradient()[x].clone()
}

/// An orthogonal matrix, the same every time.
fn rotation(n: usize) -> Tensor<f64> {
    Tensor::uniform([n, n], -1.0, 1.0, &mut rng(5)).qr().0
}

#[test]
fn gradients_that_need_no_gap_are_exact_at_degenerate_spectra() {
    let q = rotation(4);
    for spectrum in [[1.0; 4], [1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 0.0, 2.0], [0.0; 4]] {
        let a = (&q * Tensor::from(spectrum)).matmul(&q.t());
        // tr a^2 has the gradient 2 a.
        close("of eigenvalues", &slope(|a| a.eigh().0.square().sum(), &a), &(&a * 2.0), 1e-14);
        close("of eigvalsh", &slope(|a| a.eigvalsh().square().sum(), &a), &(&a * 2.0), 1e-14);
        close("of singular values", &slope(|a| a.svd().1.square().sum(), &a), &(&a * 2.0), 1e-14);
        close("of svdvals", &slope(|a| a.svdvals().square().sum(), &a), &(&a * 2.0), 1e-14);
    }
    let one = Tensor::<f64>::eye(3);
    close("det at zero", &slope(|a| a.det(), &Tensor::zeros([3, 3])), &Tensor::zeros([3, 3]), 0.0);
    close("expm at one", &slope(|a| a.expm().trace(), &one), &(&one * 1_f64.exp()), 1e-14);
}

#[test]
fn a_single_eigenvalue_beside_equal_ones_has_all_its_derivatives() {
    // a = 1 + 2 q qT: the vector q alone turns, against both equal ones, through the gap 2.
    let q = rotation(3).slice(1, ..1);
    let a = Tensor::eye(3) + q.matmul(&q.t()) * 2.0;
    let v = Tensor::from([[0.3, -0.2, 0.5], [-0.2, 0.1, 0.4], [0.5, 0.4, -0.6]]);
    fn largest(a: Var<'_>) -> Var<'_> {
        a.eigvalsh().slice(0, 2..).sum()
    }
    close("gradient", &slope(largest, &a), &q.matmul(&q.t()), 1e-14);
    // d (q qT) = r v q qT + its transpose with the reduced resolvent r = (1 - q qT) / 2.
    let resolvent = (Tensor::eye(3) - q.matmul(&q.t())) * 0.5;
    let half = resolvent.matmul(&v).matmul(&q).matmul(&q.t());
    close("second order", &second(largest, &a, &v), &(&half + half.t()), 1e-13);
    fn projection(a: Var<'_>) -> Var<'_> {
        let v = a.eigh().1.slice(1, 2..);
        let weights = a.tape().constant_tensor([[1.0, 2.0, 0.0], [2.0, 0.5, 0.0], [0.0, 0.0, 0.0]]);
        (v.matmul_t(false, v, true) * weights).sum()
    }
    let w = Tensor::from([[1.0, 2.0, 0.0], [2.0, 0.5, 0.0], [0.0, 0.0, 0.0]]);
    let half = resolvent.matmul(&w).matmul(&q).matmul(&q.t());
    close("the projection's gradient", &slope(projection, &a), &(&half + half.t()), 1e-13);
}

#[test]
fn what_would_need_a_gap_that_is_not_there_is_not_finite() {
    let a = Tensor::<f64>::eye(3);
    let turned = slope(|a| (a.eigh().1 * a.tape().constant_tensor([1.0, 2.0, 3.0])).sum(), &a);
    assert!(turned.iter().any(|x| !x.is_finite()), "{turned}");
    let turned = slope(|a| (a.svd().0 * a.tape().constant_tensor([1.0, 2.0, 3.0])).sum(), &a);
    assert!(turned.iter().any(|x| !x.is_finite()), "{turned}");
    // Equal up to rounding is equal.
    let q = rotation(3);
    let a = (&q * Tensor::from([1.0, 1.0, 2.0])).matmul(&q.t());
    let turned = slope(|a| (a.eigh().1.slice(1, ..1) * 1.0).exp().sum(), &a);
    assert!(turned.iter().any(|x| !x.is_finite()), "{turned}");
    // No first k columns to speak of.
    let a = Tensor::from([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]);
    let turned = slope(|a| a.qr().0.exp().sum(), &a);
    assert!(turned.iter().any(|x| !x.is_finite()), "{turned}");
    let singular = slope(|a| a.slogdet().1, &Tensor::ones([2, 2]));
    assert!(singular.iter().all(|x| !x.is_finite()), "{singular}");
}

#[test]
fn batches_of_nothing_and_matrices_of_nothing_have_gradients_of_their_shape() {
    for shape in [&[0, 0][..], &[0, 3, 3], &[2, 0, 0]] {
        let tape = Tape::new();
        let a = tape.tensor(Tensor::zeros(shape));
        let b = tape.tensor(Tensor::zeros([&shape[..shape.len() - 1], &[2]].concat()));
        let y = [
            sum2(a.cholesky()),
            sum2(a.solve(b)),
            sum2(a.solve_triangular(b, Triangle::upper())),
            sum2(a.inverse()),
            a.det(),
            a.slogdet().1,
            sum2(a.lstsq(b)),
            sum2(a.qr().0),
            sum2(a.eigh().1),
            a.eigvalsh().sum_axes(-1),
            sum2(a.svd().0),
            a.svdvals().sum_axes(-1),
            sum2(a.expm()),
            a.trace(),
        ];
        for y in y {
            assert_eq!(*y.shape(), shape[..shape.len() - 2]);
            assert_eq!(y.sum().gradient()[a].shape()[..], *shape);
        }
    }
}

#[test]
fn single_precision_has_gradients_too() {
    let tape = Tape32::new();
    let a = tape.tensor([[4.0_f32, 2.0], [2.0, 10.0]]);
    let log_det = a.cholesky().diagonal(0, 0, 1).ln().sum() * 2.0;
    let inverse = a.value().inverse();
    assert!((&log_det.gradient()[a] - &inverse).norm2() < 1e-6);
    assert!((&a.slogdet().1.gradient()[a] - &inverse).norm2() < 1e-6);
    let y = (a * 0.1).expm();
    assert!((&y.trace().gradient()[a] - y.value().t() * 0.1).norm2() < 1e-6);
}

#[test]
fn systems_are_solved_again_with_the_factors_kept() {
    // The pullback of a solution solves with the transposed matrix.
    let tape = Tape::new();
    let a = tape.tensor([[2.0, 1.0], [1.0, 3.0]]);
    let b = tape.tensor([3.0, 4.0]);
    let g = a.solve(b).sum().gradient();
    close("aT b_bar", &a.value().t().matmul(&g[b]), &Tensor::ones([2]), 1e-15);
}

#[test]
fn mistakes_carry_the_callers_line_and_the_text_of_the_tensors() {
    let (tape, other) = (Tape::new(), Tape::new());
    let a = tape.tensor([[1.0, 2.0], [2.0, 1.0]]);
    let wide = tape.tensor(Tensor::ones([2, 3]));
    let b = tape.tensor([1.0, 2.0, 3.0]);
    let rows: Vec<(Result<Var<'_>, Error>, &str)> = vec![
        (
            a.try_cholesky(),
            "cholesky: the matrix of shape [2, 2] is not positive definite: its leading minor of order 2",
        ),
        (wide.try_inverse(), "inverse: matrices of shape [2, 3] are not square; it takes [.., n, n]"),
        (wide.try_det(), "det: matrices of shape [2, 3] are not square"),
        (wide.try_expm(), "expm: matrices of shape [2, 3] are not square"),
        (wide.try_trace(), "trace: matrices of shape [2, 3] are not square"),
        (a.try_solve(b), "solve: matrices of shape [2, 2] have 2 rows, right-hand sides of shape [3] have 3;"),
        (a.try_solve_triangular(b, Triangle::lower()), "solve_triangular: matrices of shape [2, 2] have 2 rows,"),
        (wide.try_lstsq(b), "lstsq: matrices of shape [2, 3] have less rows than columns"),
        ((a * 0.0).try_solve(a), "solve: the matrix of shape [2, 2] is singular: pivot 0 is 0e0"),
        ((a * 0.0).try_lstsq(a), "lstsq: the matrix of shape [2, 2] does not have full column rank: column 0"),
        (b.try_eigvalsh(), "eigh: operand of shape [3] has 1 axes; expected a matrix or a batch of matrices"),
        (b.try_svdvals(), "svd: operand of shape [3] has 1 axes; expected a matrix or a batch of matrices"),
        (b.try_qr().map(|(q, _)| q), "qr: operand of shape [3] has 1 axes"),
        ((a / 0.0).try_eigvalsh(), "eigh: the matrix of shape [2, 2] has inf at [0, 0]"),
    ];
    for (result, text) in rows {
        let error = result.expect_err(text).to_string();
        assert!(error.starts_with(file!()) && error.contains(text), "{error}\nfor {text}");
    }
    let line = line!() + 1;
    let error = a.try_solve(b).expect_err("another length").to_string();
    assert!(error.starts_with(&format!("{}:{line}:", file!())), "{error}");
    let error = a.try_solve(other.tensor([1.0, 2.0])).expect_err("two tapes").to_string();
    assert!(error.contains("solve: operands belong to two tapes"), "{error}");
}

#[test]
#[should_panic(expected = "cholesky: the matrix of shape [1, 1] is not positive definite")]
fn short_forms_panic_with_the_same_text() {
    let tape = Tape::new();
    let _ = tape.tensor([[-1.0]]).cholesky();
}
