//! Tensor ops against PyTorch (see `torch`); then what no peer gets right, and the texts of mistakes.

use crate::torch::{self, Op, Var};
use wengert_core::{Elementary, Tape, TensorVar, UnaryFunctions};
use wengert_tensor::{MatrixNorm, Padding, Reduction, Tensor, keep};

/// The op of a case, as `tests/reference/tensor_ops.py` names it.
fn op(name: &str) -> Op {
    fn ones_and_zeros<'t>(x: Var<'t>) -> Var<'t> {
        let n = x.shape()[0];
        x * x.tape().constant_tensor(&[1.0, 0.0, 1.0, 0.0, 1.0][..n])
    }
    fn mask() -> Tensor<bool> {
        Tensor::from([[true, false, true], [false, false, true]])
    }
    /// The first of the values, for an operand of any size, whose axis has `n` entries.
    fn index<const R: usize, const C: usize>(values: [[i64; C]; R], shape: [usize; 2], n: usize) -> Tensor<i64> {
        let [rows, columns] = shape.map(|n| n as isize);
        Tensor::from(values).slice(0, ..rows).slice(1, ..columns).map(|k| k % n as i64)
    }
    fn shape_of(x: Var<'_>) -> [usize; 2] {
        [x.shape()[0], x.shape()[1]]
    }
    fn meeting<'t>(x: &[Var<'t>], reduction: Reduction, include_self: bool) -> Var<'t> {
        let index = index([[0, 2], [0, 0], [0, 2]], shape_of(x[1]), x[0].shape()[0]);
        x[0].scatter_reduce(0, &index, x[1], reduction, include_self)
    }
    match name {
        "prod" => |x| x[0].prod(),
        "prod 0" => |x| x[0].prod_axes(0),
        "prod keep -1" => |x| x[0].prod_axes(keep(-1)),
        "prod 0 2" => |x| x[0].prod_axes([0, 2]),
        "prod of zeros" => |x| ones_and_zeros(x[0]).prod(),
        "variance" => |x| x[0].variance(1.0),
        "variance 0" => |x| x[0].variance_axes(0, 0.0),
        "variance keep -1" => |x| x[0].variance_axes(keep(-1), 1.0),
        "std" => |x| x[0].std(1.0),
        "std -1" => |x| x[0].std_axes(-1, 0.0),
        "norm1" => |x| x[0].norm(1.0),
        "norm2" => |x| x[0].norm2(),
        "norm2 0" => |x| x[0].norm_axes(2.0, 0),
        "norm inf" => |x| x[0].norm(f64::INFINITY),
        "norm 3 -1" => |x| x[0].norm_axes(3.0, -1),
        "norm 2.5 keep 0" => |x| x[0].norm_axes(2.5, keep(0)),
        "cumsum 0" => |x| x[0].cumsum(0),
        "cumsum -1" => |x| x[0].cumsum(-1),
        "cumprod 0" => |x| x[0].cumprod(0),
        "cumprod -1" => |x| x[0].cumprod(-1),
        "cumprod of zeros" => |x| ones_and_zeros(x[0]).cumprod(0),
        "cummax -1" => |x| x[0].cummax(-1).0,
        "cummin 0" => |x| x[0].cummin(0).0,
        "sort -1" => |x| x[0].sort(-1),
        "sort descending 0" => |x| x[0].try_sort(0, true).expect("axis 0"),
        "topk 2 0" => |x| x[0].topk(2, 0).0,
        "median" => |x| x[0].median(),
        "median 0" => |x| x[0].median_axes(0),
        "quantile 0.3" => |x| x[0].quantile(0.3),
        "quantile 0.8 keep -1" => |x| x[0].quantile_axes(0.8, keep(-1)),
        "roll 0 2" => |x| x[0].roll(0, 2),
        "roll -1 -1" => |x| x[0].roll(-1, -1),
        "repeat 0 3" => |x| x[0].repeat(0, 3),
        "tile 2 1 3" => |x| x[0].tile(&[2, 1, 3]),
        "chunk" => |x| x[0].chunk(0, 2)[0].prod() * x[0].chunk(0, 2)[1].sum(),
        "unbind" => |x| x[0].unbind(0)[0] * x[0].unbind(0)[2],
        "pad 1.5" => |x| x[0].pad(&[(1, 2)], Padding::Constant(1.5)),
        "pad reflect" => |x| x[0].pad(&[(1, 0), (2, 1)], Padding::Reflect),
        "pad replicate" => |x| x[0].pad(&[(2, 1)], Padding::Replicate),
        "tril 0" => |x| x[0].tril(0),
        "triu 1" => |x| x[0].triu(1),
        "diag 1" => |x| x[0].diag(1),
        "diag -1" => |x| x[0].diag(-1),
        "diagonal 1 0 -1" => |x| x[0].diagonal(1, 0, -1),
        "meshgrid" => |x| {
            let grid = TensorVar::meshgrid(x);
            grid[0] * grid[1]
        },
        "gather" => |x| {
            let [rows, columns] = shape_of(x[0]);
            x[0].gather(0, &index([[0, 2], [2, 2], [1, 0], [2, 1]], [4, columns], rows))
        },
        "take_along_axis" => |x| {
            let [rows, columns] = shape_of(x[0]);
            x[0].take_along_axis(&index([[1], [0], [1]], [rows, 1], columns), 1)
        },
        "index_select 1" => {
            |x| x[0].index_select(1, &Tensor::from([2, 0, 2, 2]).map(|k: i64| k % x[0].shape()[1] as i64))
        }
        "scatter" => |x| x[0].scatter(0, &index([[0, 2], [1, 0]], shape_of(x[1]), x[0].shape()[0]), x[1]),
        "scatter_add" => |x| x[0].scatter_add(0, &index([[0, 2], [0, 0]], shape_of(x[1]), x[0].shape()[0]), x[1]),
        "select" => |x| TensorVar::select(mask(), x[0], x[1]),
        "masked_fill" => |x| x[0].masked_fill(mask(), 2.0),
        "dot" => |x| x[0].dot(x[1]),
        "outer" => |x| x[0].outer(x[1]),
        "ij,jk->ik" => |x| TensorVar::einsum("ij,jk->ik", x),
        "bij,kbj->ibk" => |x| TensorVar::einsum("bij,kbj->ibk", x),
        "ij,ij,ij->j" => |x| TensorVar::einsum("ij,ij,ij->j", x),
        "iji->j" => |x| TensorVar::einsum("iji->j", x),
        "ij,jk,kl->li" => |x| TensorVar::einsum("ij,jk,kl->li", x),
        "...ij,...jk->...ki" => |x| TensorVar::einsum("...ij,...jk->...ki", x),
        "ij,k->" => |x| TensorVar::einsum("ij,k->", x),
        "masked_select" => |x| x[0].masked_select(&mask()),
        "masked_select none" => |x| x[0].masked_select(&Tensor::full([2, 3], false)),
        "scatter_reduce sum" => |x| meeting(x, Reduction::Sum, true),
        "scatter_reduce sum without" => |x| meeting(x, Reduction::Sum, false),
        "scatter_reduce prod" => |x| meeting(x, Reduction::Prod, true),
        "scatter_reduce prod without" => |x| meeting(x, Reduction::Prod, false),
        "scatter_reduce mean" => |x| meeting(x, Reduction::Mean, true),
        "scatter_reduce mean without" => |x| meeting(x, Reduction::Mean, false),
        "scatter_reduce amax" => |x| meeting(x, Reduction::Max, true),
        "scatter_reduce amax without" => |x| meeting(x, Reduction::Max, false),
        "scatter_reduce amin" => |x| meeting(x, Reduction::Min, true),
        "scatter_reduce amin without" => |x| meeting(x, Reduction::Min, false),
        "scatter_reduce prod 1" => |x| {
            let long = Tensor::from([[0_i64, 3, 0, 1, 0, 0, 3], [4; 7]]).slice(0, ..x[1].shape()[0]);
            let n = x[0].shape()[1] as i64;
            x[0].scatter_reduce(1, &long.map(|k| k % n), x[1], Reduction::Prod, true)
        },
        "matrix_norm fro" => |x| x[0].matrix_norm(MatrixNorm::Frobenius),
        "matrix_norm 1" => |x| x[0].matrix_norm(MatrixNorm::One),
        "matrix_norm inf" => |x| x[0].matrix_norm(MatrixNorm::Infinity),
        "matrix_norm 2" => |x| x[0].matrix_norm(MatrixNorm::Spectral),
        "matrix_norm nuc" => |x| x[0].matrix_norm(MatrixNorm::Nuclear),
        _ => panic!("no op for the reference values of `{name}`"),
    }
}

const REFERENCE: &str = include_str!("../reference/tensor_ops.txt");

#[test]
fn values_and_derivatives_are_those_of_pytorch_in_every_layout() {
    torch::compare_in_every_layout(REFERENCE, op);
}

#[test]
fn finite_differences_agree_to_second_order() {
    // The median's and the sort's own kinks are at ties, which the operands avoid; |x| has none but 0.
    torch::check_differences(REFERENCE, op, |_| false);
}

/// The gradient of the sum of the elements.
fn slope(f: impl for<'t> Fn(Var<'t>) -> Var<'t>, x: &Tensor<f64>) -> Vec<f64> {
    let tape = Tape::<f64>::new();
    let x = tape.tensor(x);
    f(x).sum().gradient()[x].to_vec()
}

#[test]
fn kinks_and_ties_have_the_subgradients_promised() {
    let zeros = Tensor::zeros([3]);
    for p in [1.0, 1.5, 2.0, 3.0, f64::INFINITY] {
        assert_eq!(slope(|x| x.norm(p), &zeros), [0.0; 3], "norm {p}");
    }
    assert_eq!(slope(|x| x.norm(f64::INFINITY), &Tensor::from([2.0, -2.0, 1.0])), [0.5, -0.5, 0.0]);
    let huge = Tensor::from([1e200, 1e200]);
    for x_bar in slope(|x| x.norm2(), &huge) {
        assert!((x_bar - 0.5_f64.sqrt()).abs() < 1e-15);
    }
    assert_eq!(slope(|x| x.std(1.0), &Tensor::from([5.0; 3])), [0.0; 3]);
    assert_eq!(slope(|x| x.prod(), &Tensor::from([2.0, 0.0, 3.0])), [0.0, 6.0, 0.0]);
    assert_eq!(slope(|x| x.prod(), &Tensor::from([2.0, 0.0, 0.0])), [0.0; 3]);
    assert_eq!(slope(|x| x.cumprod(0), &Tensor::from([2.0, 0.0, 3.0, 0.0, 5.0])), [1.0, 8.0, 0.0, 0.0, 0.0]);
    // The first of equal elements takes all.
    let tied = Tensor::from([1.0, 1.0, 0.0]);
    assert_eq!(slope(|x| x.cummax(0).0, &tied), [3.0, 0.0, 0.0]);
    assert_eq!(slope(|x| x.topk(1, 0).0, &tied), [1.0, 0.0, 0.0]);
    assert_eq!(slope(|x| x.median(), &Tensor::from([4.0, 1.0, 3.0, 2.0])), [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn second_derivatives_where_a_norm_has_no_direction_are_zero() {
    let norms: [(&str, Op); 3] =
        [("norm2", |x| x[0].norm2()), ("norm of order 3", |x| x[0].norm(3.0)), ("std", |x| x[0].std(1.0))];
    for (name, f) in norms {
        let tape = Tape::<f64>::new();
        let x = tape.tensor([0.0; 3]);
        let [x_bar] = f(&[x]).recorded_gradient([x]);
        let second = x_bar.sum();
        let h = if second.is_active() { second.gradient()[x].to_vec() } else { vec![0.0; 3] };
        assert_eq!(h, [0.0; 3], "{name}");
    }
}

#[test]
fn what_is_not_selected_has_an_exact_zero_for_a_gradient() {
    let x = Tensor::from([-1.0, 0.0, 4.0]);
    assert_eq!(slope(|x| TensorVar::select(x.greater(0.0), x.sqrt(), x.lit(0.0)), &x), [0.0, 0.0, 0.25]);
    assert_eq!(slope(|x| x.exp().masked_fill(x.greater(100.0), 0.0), &Tensor::from([0.0, 1000.0])), [1.0, 0.0]);
    assert_eq!(slope(|x| x.ln().reshape([1, 2]).tril(0), &Tensor::from([2.0, 0.0])), [0.5, 0.0]);
}

#[test]
fn the_last_of_several_writers_alone_has_a_gradient() {
    let tape = Tape::<f64>::new();
    let (x, s) = (tape.tensor([1.0, 2.0]), tape.tensor([5.0, 6.0, 7.0]));
    let y = x.scatter(0, &Tensor::from([1, 1, 1]), s);
    assert_eq!(y.value().to_vec(), [1.0, 7.0]);
    let [x_bar, s_bar] = y.sum().gradient().wrt([x, s]);
    assert_eq!((x_bar.to_vec(), s_bar.to_vec()), (vec![1.0, 0.0], vec![0.0, 0.0, 1.0]));
}

#[test]
fn what_meets_shares_the_gradient_as_promised() {
    let tape = Tape::<f64>::new();
    let bars = |x: &[f64], s: &[f64], reduction, include_self| {
        let (x, s) = (tape.tensor(x), tape.tensor(s));
        let y = x.scatter_reduce(0, &Tensor::from([0, 0, 1]), s, reduction, include_self);
        let [x_bar, s_bar] = y.sum().gradient().wrt([x, s]);
        let recorded = y.sum().recorded_gradient([x, s]).map(TensorVar::value);
        for (recorded, fused) in recorded.iter().zip([&x_bar, &s_bar]) {
            assert!(recorded.iter().zip(fused).all(|(a, b)| a == b || a.is_nan() && b.is_nan()));
        }
        (x_bar.to_vec(), s_bar.to_vec())
    };
    let third = 1.0 / 3.0;
    // What was there is one of those tied only if it takes part; what nothing meets stays.
    assert_eq!(
        bars(&[2.0, 1.0, 5.0], &[2.0, 2.0, 0.0], Reduction::Max, true),
        (vec![third, 1.0, 1.0], vec![third, third, 0.0])
    );
    assert_eq!(
        bars(&[2.0, 1.0, 5.0], &[2.0, 2.0, 0.0], Reduction::Max, false),
        (vec![0.0, 0.0, 1.0], vec![0.5, 0.5, 1.0])
    );
    // One zero takes the product of the others; of two each makes the other's gradient 0.
    assert_eq!(
        bars(&[2.0, 1.0, 5.0], &[0.0, 3.0, 0.0], Reduction::Prod, true),
        (vec![0.0, 0.0, 1.0], vec![6.0, 0.0, 1.0])
    );
    assert_eq!(
        bars(&[2.0, 0.0, 5.0], &[0.0, 0.0, 7.0], Reduction::Prod, true),
        (vec![0.0, 7.0, 1.0], vec![0.0, 0.0, 0.0])
    );
    // An infinite product stays where it is.
    let (_, s_bar) = bars(&[1e200, 2.0, 5.0], &[1e200, 1.0, 3.0], Reduction::Prod, true);
    assert_eq!(s_bar[2], 2.0);
    let (x_bar, s_bar) = bars(&[1.0, 2.0, 5.0], &[f64::NAN, 1.0, 3.0], Reduction::Min, true);
    assert!(x_bar[0].is_nan() && s_bar[0].is_nan() && s_bar[1].is_nan());
    assert_eq!((x_bar[1], s_bar[2]), (1.0, 0.0));
}

#[test]
fn products_that_meet_are_exact_at_zeros_to_second_order() {
    // d2 (a b c) / da db = c, where a and b are 0.
    let tape = Tape::<f64>::new();
    let (x, s) = (tape.tensor([3.0]), tape.tensor([0.0, 0.0]));
    let y = x.scatter_reduce(0, &Tensor::from([0, 0]), s, Reduction::Prod, true).sum();
    let [s_bar] = y.recorded_gradient([s]);
    assert_eq!(s_bar.value().to_vec(), [0.0, 0.0]);
    assert_eq!((s_bar * tape.constant_tensor([1.0, 0.0])).sum().gradient()[s].to_vec(), [0.0, 3.0]);
}

#[test]
fn matrix_norms_at_their_kinks() {
    let zero = Tensor::zeros([2, 2]);
    assert_eq!(slope(|a| a.matrix_norm(MatrixNorm::Frobenius), &zero), [0.0; 4]);
    assert_eq!(slope(|a| a.matrix_norm(MatrixNorm::One), &zero), [0.0; 4]);
    // Two columns, and two singular values, as large as each other share the gradient.
    let twice = Tensor::from([[1.0, 0.0], [0.0, -1.0]]);
    assert_eq!(slope(|a| a.matrix_norm(MatrixNorm::One), &twice), [0.5, 0.0, 0.0, -0.5]);
    let shared = slope(|a| a.matrix_norm(MatrixNorm::Spectral), &twice);
    assert!(
        shared.iter().zip([0.5, 0.0, 0.0, -0.5]).all(|(got, expected)| (got - expected).abs() < 1e-15),
        "{shared:?}"
    );
    let nuclear = slope(|a| a.matrix_norm(MatrixNorm::Nuclear), &twice);
    assert!(nuclear.iter().zip(&twice).all(|(got, expected)| (got - expected).abs() < 1e-15), "{nuclear:?}");
}

#[test]
fn mistakes_name_op_shapes_axis_and_what_to_do() {
    let tape = Tape::<f64>::new();
    let (x, v) = (tape.tensor(Tensor::ones([2, 3])), tape.tensor(Tensor::ones([3])));
    let index = Tensor::from([[0, 3]]);
    let rows: Vec<(Result<Var<'_>, wengert_core::Error>, &str)> = vec![
        (
            x.try_variance_axes((), 6.0),
            "variance: shape [2, 3] leaves 6 values for a result, and correction 6 needs more than that; reduce over more, or correct by less",
        ),
        (x.try_norm_axes(0.0, 0), "norm: p is 0; expected 1, 2, another number above 1, or infinity"),
        (x.try_prod_axes(2), "prod: axis 2 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end"),
        (x.try_quantile_axes(-0.5, 0), "quantile: q is -0.5; expected a number from 0 to 1"),
        (x.try_gather(1, &index), "gather: index 3 is out of range for axis 1 of shape [2, 3]; its entries are 0 to 2"),
        (
            v.try_gather(0, &index),
            "gather: shape [1, 2] of the indices does not go with shape [3]; they may differ along axis 0 only",
        ),
        (x.try_scatter(0, &Tensor::from([[0]]), v), "scatter: shapes [1, 1] and [3] differ; they must be equal"),
        (
            x.try_index_select(0, &Tensor::from([2])),
            "index_select: index 2 is out of range for axis 0 of shape [2, 3]; its entries are 0 to 1",
        ),
        (
            x.try_masked_select(&Tensor::from([true, false])),
            "masked_select: shapes [2, 3] and [2] do not broadcast: axis 1 has 3 against 2 entries and neither is 1; reshape one side",
        ),
        (
            x.try_scatter_reduce(1, &index, x, Reduction::Prod, true),
            "scatter_reduce: index 3 is out of range for axis 1 of shape [2, 3]; its entries are 0 to 2",
        ),
        (
            x.try_scatter_reduce(0, &Tensor::from([[0]]), v, Reduction::Max, true),
            "scatter_reduce: shapes [1, 1] and [3] differ; they must be equal",
        ),
        (
            x.try_scatter_reduce(2, &index, v, Reduction::Mean, true),
            "scatter_reduce: axis 2 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end",
        ),
        (
            v.try_matrix_norm(MatrixNorm::Frobenius),
            "matrix_norm: operand of shape [3] has 1 axes; expected a matrix or a batch of matrices",
        ),
        (
            x.slice(0, ..0).try_matrix_norm(MatrixNorm::Infinity),
            "matrix_norm: shape [0, 3] leaves no elements to reduce, and the matrix_norm of nothing is not defined; check `is_empty()` first",
        ),
        (x.try_cumsum(2), "cumsum: axis 2 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end"),
        (x.try_recurrence(v, 0), "recurrence: shapes [2, 3] and [3] differ; they must be equal"),
        (
            x.try_pad(&[(0, 3)], Padding::Reflect),
            "pad: 0 before and 3 after axis 1 of shape [2, 3], which has 3 entries; a reflection has one entry less",
        ),
        (v.try_triu(0), "triu: operand of shape [3] has 1 axes; expected a matrix or a batch of matrices"),
        (x.try_diagonal(0, 0, 0), "diagonal: axis 0 of shape [2, 3] is named twice; name each axis once"),
        (
            x.try_outer(v),
            "outer: operand of shape [2, 3] has 2 axes; expected a vector; `einsum` multiplies axes by name",
        ),
        (x.try_dot(v), "dot: shapes [2, 3] and [3] differ; they must be equal"),
        (
            TensorVar::try_einsum("ij,j->k", &[x, v]),
            "einsum: at position 6 of `ij,j->k`: `k` is not an axis of any operand",
        ),
        (
            TensorVar::try_select(Tensor::from([true, false]), x, v),
            "select: shapes [2] and [2, 3] do not broadcast: axis 1 has 2 against 3 entries and neither is 1; reshape one side",
        ),
        (x.try_sort(-3, false), "sort: axis -3 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end"),
        (x.try_topk(3, 0).map(|(y, _)| y), "topk: range 0..3 leaves axis 0 of shape [2, 3], which has 2 entries"),
        (
            x.try_split(1, &[1, 1]).map(|parts| parts[0]),
            "split: the parts have 2 entries together, axis 1 of shape [2, 3] has 3",
        ),
        (x.try_chunk(1, 0).map(|parts| parts[0]), "chunk: parts is 0; expected 1 at least"),
        (
            x.slice(0, ..0).try_median_axes(0),
            "median: shape [0, 3] leaves no elements to reduce, and the median of nothing is not defined; check `is_empty()` first",
        ),
    ];
    for (result, expected) in rows {
        let text = result.expect_err(expected).to_string();
        let (line, sentence) = text.split_once(": ").expect("the caller's line comes first");
        assert!(line.contains("tensor_ops.rs:"), "{text}");
        assert_eq!(sentence, expected);
    }
    let other = Tape::<f64>::new();
    assert!(TensorVar::try_einsum("i,i->", &[v, other.tensor([1.0; 3])]).is_err());
    for reduction in [Reduction::Sum, Reduction::Prod, Reduction::Max] {
        let elsewhere = other.tensor([1.0; 3]);
        assert!(v.try_scatter_reduce(0, &Tensor::zeros([3]), elsewhere, reduction, true).is_err());
    }
}
