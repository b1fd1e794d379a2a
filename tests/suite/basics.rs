//! What other ops are made of against PyTorch (see `torch`): arithmetic with broadcasting, reductions, products, views, joins, and
//! the places and truths that have no derivative.

use crate::torch::{self, Op, Var};
use wengert::prelude::*;

const REFERENCE: &str = include_str!("../reference/basics.txt");

/// Numbers and truths, on a zero that a gradient reaches, as the script has them.
fn plain<'t>(x: &[Var<'t>], value: Tensor<f64>) -> Var<'t> {
    let zeros = x.iter().map(|&x| (x * 0.0).sum());
    zeros.fold(x[0].tape().constant_tensor(value), |sum, zero| sum + zero)
}

fn number<'t>(x: &[Var<'t>], n: usize) -> Var<'t> {
    plain(x, Tensor::scalar(n as f64))
}

/// Every second or third, from the last or the first.
fn stepped(x: Var<'_>, slice: Slice) -> Var<'_> {
    x.slice(-1, slice)
}

/// The op of a case, as `tests/reference/basics.py` names it.
fn op(name: &str) -> Op {
    match name {
        "add" => |x| x[0] + x[1],
        "sub" => |x| x[0] - x[1],
        "mul" => |x| x[0] * x[1],
        "div" => |x| x[0] / x[1],
        "maximum" => |x| x[0].maximum(x[1]),
        "minimum" => |x| x[0].minimum(x[1]),
        "atan2" => |x| x[0].atan2(x[1]),
        "hypot" => |x| x[0].hypot(x[1]),
        "powf" => |x| (x[0] * x[0]).powf(x[1]),
        "neg" => |x| -x[0],
        "affine" => |x| x[0] * 2.5 - 0.75,
        "powi" => |x| x[0].powi(3),
        "clamp" => |x| x[0].clamp(-0.51, 0.77),
        "sum" => |x| x[0].sum(),
        "sum 0" => |x| x[0].sum_axes(0),
        "sum keep -1" => |x| x[0].sum_axes(keep(-1)),
        "sum 0 2" => |x| x[0].sum_axes([0, 2]),
        "mean" => |x| x[0].mean(),
        "mean 0" => |x| x[0].mean_axes(0),
        "mean keep -1" => |x| x[0].mean_axes(keep(-1)),
        "mean 0 2" => |x| x[0].mean_axes([0, 2]),
        "max" => |x| x[0].max(),
        "max 0" => |x| x[0].max_axes(0),
        "max keep -1" => |x| x[0].max_axes(keep(-1)),
        "min" => |x| x[0].min(),
        "min 0 2" => |x| x[0].min_axes([0, 2]),
        "log_sum_exp 0" => |x| x[0].log_sum_exp(0),
        "log_sum_exp -1" => |x| x[0].log_sum_exp(-1),
        "softmax 0" => |x| x[0].softmax(0),
        "softmax -1" => |x| x[0].softmax(-1),
        "log_softmax 0" => |x| x[0].log_softmax(0),
        "log_softmax -1" => |x| x[0].log_softmax(-1),
        "matmul" => |x| x[0].matmul(x[1]),
        "matmul_t a" => |x| x[0].matmul_t(true, x[1], false),
        "matmul_t b" => |x| x[0].matmul_t(false, x[1], true),
        "matmul_t a b" => |x| x[0].matmul_t(true, x[1], true),
        "linear" => |x| x[0].linear(x[1], x[2]),
        "reshape" => |x| x[0].reshape([x[0].shape().size(), 1]),
        "flatten_from" => |x| x[0].flatten_from(1),
        "unsqueeze" => |x| x[0].unsqueeze(1),
        "squeeze" => |x| x[0].squeeze(1),
        "permute" => |x| x[0].permute([2, 0, 1]),
        "transpose" => |x| x[0].transpose(0, -1),
        "broadcast_to" => |x| x[0].broadcast_to([2, 3, 4]),
        "broadcast_to nothing" => |x| x[0].broadcast_to([2, 3, 0]),
        "sum_to" => |x| x[0].sum_to([3, 1]),
        "flip" => |x| x[0].flip(-1),
        "slice 0" => |x| x[0].slice(0, ..x[0].shape()[0].min(1) as isize),
        "slice step" => |x| {
            let n = x[0].shape()[x[0].shape().rank() - 1] as isize;
            stepped(x[0], Slice::from(n.min(1)..).step(2))
        },
        "slice backwards" => |x| stepped(x[0], Slice::from(..).step(-2)),
        "concat 0" => |x| TensorVar::concat(&[x[0], x[1], x[0]], 0),
        "concat -1" => |x| TensorVar::concat(x, -1),
        "stack 1" => |x| TensorVar::stack(&[x[0], x[1], x[0]], 1),
        "stack 0" => |x| TensorVar::stack(x, 0),
        "split" => |x| {
            let parts = x[0].split(0, &[1, 2]);
            parts[0] * parts[1].sum()
        },
        "gather_rows" => |x| x[0].gather_rows(&Tensor::from([3, 0, 3])),
        "cross_entropy" => |x| x[0].cross_entropy(&[3, 0, 3][..x[0].shape()[0]]),
        "mse" => |x| x[0].mse(x[1]),
        "argmax" => |x| number(x, x[0].argmax()),
        "argmin" => |x| number(x, x[0].argmin()),
        "argmax -1" => |x| plain(x, x[0].argmax_axis(-1).cast()),
        "argmin 0" => |x| plain(x, x[0].argmin_axis(0).cast()),
        "argsort -1" => |x| plain(x, x[0].argsort(-1).cast()),
        "places of topk" => |x| plain(x, x[0].topk(1, 0).1.cast()),
        "places of cummax" => |x| plain(x, x[0].cummax(-1).1.cast()),
        "count_nonzero" => |x| number(x, x[0].relu().count_nonzero()),
        "count_nonzero 0" => |x| plain(x, x[0].relu().count_nonzero_axes(0).cast()),
        "all" => |x| number(x, usize::from(x[0].greater(-1.5).all())),
        "any" => |x| number(x, usize::from(x[0].greater(1.5).any())),
        "all 0" => |x| plain(x, x[0].greater(-1.0).all_axes(0).cast()),
        "any -1" => |x| plain(x, x[0].greater(1.0).any_axes(-1).cast()),
        "less" => |x| plain(x, x[0].less(x[1]).cast()),
        "less_equal" => |x| plain(x, x[0].less_equal(x[1]).cast()),
        "greater" => |x| plain(x, x[0].greater(x[1]).cast()),
        "greater_equal" => |x| plain(x, x[0].greater_equal(x[1]).cast()),
        "equal" => {
            |x| plain(x, x[0].value().map(f64::round_ties_even).equal(x[1].value().map(f64::round_ties_even)).cast())
        }
        "not_equal" => |x| {
            plain(x, x[0].value().map(f64::round_ties_even).not_equal(x[1].value().map(f64::round_ties_even)).cast())
        },
        "one_hot" => |x| plain(x, Tensor::one_hot(&x[0].greater(0.0).cast(), 3)),
        _ => panic!("no op for the reference values of `{name}`"),
    }
}

#[test]
fn values_and_derivatives_are_those_of_pytorch_in_every_layout() {
    torch::compare_in_every_layout(REFERENCE, op);
}

#[test]
fn finite_differences_agree_to_second_order() {
    // Differences of what has no derivative see its jumps.
    const JUMPS: [&str; 10] =
        ["arg", "places", "count", "all", "any", "less", "greater", "equal", "not_equal", "one_hot"];
    torch::check_differences(REFERENCE, op, |name| JUMPS.iter().any(|jump| name.starts_with(jump)));
}
