//! Three mistakes for every tensor op: what its error says, with the caller's line, and that nothing stays on the tape. Functions
//! of one operand's elements have no way to fail.

mod matrices;
mod neural;
mod shapes;
mod steps;

use crate::panics::panic_text;
use crate::torch::Var;
use wengert::prelude::*;
use wengert_core::Binary;

/// The text of an error.
pub fn text<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |error| error.to_string())
}

/// Every op has as many mistakes as it must, every text the op's name and what is expected.
#[track_caller]
pub fn all_say(file: &str, rows: &[(&str, &[(String, &str)])]) {
    let mut wrong = Vec::new();
    for (op, mistakes) in rows {
        if mistakes.len() < 3 {
            wrong.push(format!("{op}: {} mistakes are too few", mistakes.len()));
        }
        for (said, expected) in *mistakes {
            if !said.contains(&format!("{op}: ")) || !said.contains(expected) || !said.contains(file) {
                wrong.push(format!("{op}: got `{said}`, expected `{expected}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Ops, what is said to each mistake and what is expected.
macro_rules! says {
    ($($op:literal { $($said:expr => $expected:expr;)* })*) => {
        $crate::mistakes::all_say(file!(), &[$(($op, &[$(($said, $expected)),*])),*])
    };
}
pub(crate) use says;

const TAPES: &str = "operands belong to two tapes";
const AXIS_2: &str = "axis 2 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end";
const AXIS_3: &str = "axis -3 is out of range for shape [2, 3]";
const NO_AXES: &str = "axis 0 is out of range for shape []";
const TWICE: &str = "axis 0 of shape [2, 3] is named twice";
const NOTHING: &str = "shape [0, 3] leaves no elements to reduce";
const APART: &str = "shapes [2, 3] and [4, 5] do not broadcast: axis 0 has 2 against 4 entries";
const BESIDE: &str = "shapes [2, 3] and [2] do not broadcast: axis 1 has 3 against 2 entries";

/// Operands of many shapes.
pub struct Operands<'t> {
    pub matrix: Var<'t>,
    pub other: Var<'t>,
    pub vector: Var<'t>,
    pub pair: Var<'t>,
    pub number: Var<'t>,
    pub nothing: Var<'t>,
    pub cube: Var<'t>,
    pub nan: Var<'t>,
    pub tall: Var<'t>,
    /// A matrix of the shape of the first on another tape.
    pub elsewhere: Var<'t>,
}

/// Checks that the mistakes made with the operands record nothing.
pub fn make(mistakes: impl for<'t> Fn(Operands<'t>)) {
    let (tape, away) = (Tape::new(), Tape::new());
    let ones = |shape: &[usize]| tape.tensor(Tensor::ones(shape));
    let operands = Operands {
        matrix: ones(&[2, 3]),
        other: ones(&[4, 5]),
        vector: ones(&[3]),
        pair: ones(&[2]),
        number: ones(&[]),
        nothing: ones(&[0, 3]),
        cube: ones(&[2, 3, 1]),
        tall: ones(&[3, 2]),
        nan: tape.tensor(Tensor::full([2, 3], f64::NAN)),
        elsewhere: away.tensor(Tensor::ones([2, 3])),
    };
    let before = (tape.size(), away.size());
    mistakes(operands);
    assert_eq!((tape.size(), away.size()), before, "a failed op leaves nothing");
}

#[test]
fn reductions_and_scans_name_the_axis_and_what_is_missing() {
    make(|Operands { matrix: x, number, nothing, elsewhere, vector, .. }| {
        // The three mistakes of everything along an axis.
        macro_rules! along {
            ($($op:literal $f:expr;)*) => {
                all_say(file!(), &[$(($op, &[
                    (text($f(x, Axis::from(2))), AXIS_2),
                    (text($f(x, Axis::from(-3))), AXIS_3),
                    (text($f(number, Axis::from(0))), NO_AXES),
                ])),*]);
            };
        }
        along! {
            "sum" |x: Var<'_>, axis| x.try_sum_axes(axis).map(drop);
            "mean" |x: Var<'_>, axis| x.try_mean_axes(axis).map(drop);
            "prod" |x: Var<'_>, axis| x.try_prod_axes(axis).map(drop);
            "variance" |x: Var<'_>, axis| x.try_variance_axes(axis, 0.0).map(drop);
            "std" |x: Var<'_>, axis| x.try_std_axes(axis, 0.0).map(drop);
            "max" |x: Var<'_>, axis| x.try_max_axes(axis).map(drop);
            "min" |x: Var<'_>, axis| x.try_min_axes(axis).map(drop);
            "norm" |x: Var<'_>, axis| x.try_norm_axes(3.0, axis).map(drop);
            "norm2" |x: Var<'_>, axis| x.try_norm2_axes(axis).map(drop);
            "log_sum_exp" |x: Var<'_>, axis| x.try_log_sum_exp(axis).map(drop);
            "softmax" |x: Var<'_>, axis| x.try_softmax(axis).map(drop);
            "log_softmax" |x: Var<'_>, axis| x.try_log_softmax(axis).map(drop);
            "cumsum" |x: Var<'_>, axis| x.try_cumsum(axis).map(drop);
            "cumprod" |x: Var<'_>, axis| x.try_cumprod(axis).map(drop);
            "cummax" |x: Var<'_>, axis| x.try_cummax(axis).map(drop);
            "cummin" |x: Var<'_>, axis| x.try_cummin(axis).map(drop);
            "sort" |x: Var<'_>, axis| x.try_sort(axis, false).map(drop);
            "sort" |x: Var<'_>, axis| x.try_argsort(axis, true).map(drop);
            "topk" |x: Var<'_>, axis| x.try_topk(1, axis).map(drop);
            "median" |x: Var<'_>, axis| x.try_median_axes(axis).map(drop);
            "quantile" |x: Var<'_>, axis| x.try_quantile_axes(0.5, axis).map(drop);
            "argmax" |x: Var<'_>, axis: Axis| x.try_argmax_axis(axis).map(drop);
            "argmin" |x: Var<'_>, axis: Axis| x.try_argmin_axis(axis).map(drop);
            "count_nonzero" |x: Var<'_>, axis: Axis| x.try_count_nonzero_axes(axis).map(drop);
            "roll" |x: Var<'_>, axis| x.try_roll(axis, 1).map(drop);
            "repeat" |x: Var<'_>, axis| x.try_repeat(axis, 2).map(drop);
            "unbind" |x: Var<'_>, axis| x.try_unbind(axis).map(drop);
            "chunk" |x: Var<'_>, axis| x.try_chunk(axis, 2).map(drop);
            "split" |x: Var<'_>, axis| x.try_split(axis, &[2]).map(drop);
            "slice" |x: Var<'_>, axis| x.try_slice(axis, ..1).map(drop);
            "concat" |x: Var<'_>, axis| TensorVar::try_concat(&[x, x], axis).map(drop);
            "gather" |x: Var<'_>, axis| x.try_gather(axis, &Tensor::zeros([1, 3])).map(drop);
            "take_along_axis" |x: Var<'_>, axis| x.try_take_along_axis(&Tensor::zeros([1, 3]), axis).map(drop);
            "index_select" |x: Var<'_>, axis| x.try_index_select(axis, &Tensor::zeros([1])).map(drop);
            "scatter" |x: Var<'_>, axis| x.try_scatter(axis, &Tensor::zeros([2, 3]), x).map(drop);
            "scatter_add" |x: Var<'_>, axis| x.try_scatter_add(axis, &Tensor::zeros([2, 3]), x).map(drop);
            "scatter_reduce" |x: Var<'_>, axis| x.try_scatter_reduce(axis, &Tensor::zeros([2, 3]), x, Reduction::Prod, true).map(drop);
            "transpose" |x: Var<'_>, axis| x.try_transpose(axis, -1).map(drop);
            "flatten_from" |x: Var<'_>, axis| x.try_flatten_from(axis).map(drop);
            "diagonal" |x: Var<'_>, axis| x.try_diagonal(0, axis, 1).map(drop);
            "recurrence" |x: Var<'_>, axis| x.try_recurrence(x, axis).map(drop);
            "normalize" |x: Var<'_>, axis| x.try_normalize(axis, 1e-12).map(drop);
        }
        says! {
            "sum" {
                text(x.try_sum_axes([0, -2])) => TWICE;
                text(x.try_sum_axes([1, 0, 0])) => TWICE;
                panic_text(|| x.sum_axes([0, 0])) => TWICE;
            }
            "mean" {
                text(x.try_mean_axes([0, 0])) => TWICE;
                text(nothing.try_mean_axes(0)) => NOTHING;
                panic_text(|| nothing.mean()) => NOTHING;
            }
            "max" {
                text(x.try_max_axes([0, 0])) => TWICE;
                text(nothing.try_max_axes(0)) => NOTHING;
                panic_text(|| nothing.max()) => NOTHING;
            }
            "min" {
                text(x.try_min_axes([0, 0])) => TWICE;
                text(nothing.try_min_axes(0)) => NOTHING;
                panic_text(|| nothing.min()) => NOTHING;
            }
            "argmax" {
                text(nothing.try_argmax()) => NOTHING;
                text(nothing.try_argmax_axis(0)) => NOTHING;
                panic_text(|| nothing.argmax()) => NOTHING;
            }
            "argmin" {
                text(nothing.try_argmin()) => NOTHING;
                text(nothing.try_argmin_axis(0)) => NOTHING;
                panic_text(|| nothing.argmin()) => NOTHING;
            }
            "variance" {
                text(x.try_variance_axes(0, 2.0)) => "leaves 2 values for a result, and correction 2 needs more";
                text(nothing.try_variance_axes(0, 0.0)) => "leaves 0 values for a result";
                text(x.try_variance_axes([0, 0], 0.0)) => TWICE;
            }
            "std" {
                text(x.try_std_axes(0, 2.0)) => "leaves 2 values for a result, and correction 2 needs more";
                text(nothing.try_std_axes(0, 0.0)) => "leaves 0 values for a result";
                text(x.try_std_axes([0, 0], 0.0)) => TWICE;
            }
            "norm" {
                text(x.try_norm_axes(0.5, 0)) => "p is 0.5; expected 1, 2, another number above 1, or infinity";
                text(x.try_norm_axes(f64::NAN, 0)) => "p is NaN; expected";
                text(nothing.try_norm_axes(f64::INFINITY, 0)) => NOTHING;
            }
            "quantile" {
                text(x.try_quantile_axes(1.5, 0)) => "q is 1.5; expected a number from 0 to 1";
                text(x.try_quantile_axes(f64::NAN, 0)) => "q is NaN; expected a number from 0 to 1";
                text(nothing.try_quantile_axes(0.5, 0)) => NOTHING;
            }
            "recurrence" {
                text(x.try_recurrence(vector, 0)) => "shapes [2, 3] and [3] differ; they must be equal";
                text(x.try_recurrence(nothing, 0)) => "shapes [2, 3] and [0, 3] differ; they must be equal";
                text(x.try_recurrence(elsewhere, 0)) => TAPES;
            }
        }
    });
}

#[test]
fn elementwise_ops_name_both_shapes_or_both_tapes() {
    make(|Operands { matrix: x, other, pair, elsewhere, .. }| {
        for &op in Binary::ALL {
            // As errors name the operators.
            let name = match op {
                Binary::Add => "add",
                Binary::Sub => "sub",
                Binary::Mul => "mul",
                Binary::Div => "div",
                op => op.name(),
            };
            all_say(
                file!(),
                &[(
                    name,
                    &[
                        (text(x.try_zip(op, other)), APART),
                        (text(x.try_zip(op, pair)), BESIDE),
                        (text(x.try_zip(op, elsewhere)), TAPES),
                    ],
                )],
            );
        }
        macro_rules! compared {
            ($($op:literal $f:ident;)*) => {
                all_say(file!(), &[$(($op, &[
                    (text(x.$f(other)), APART),
                    (text(x.$f(pair)), BESIDE),
                    (text(x.$f(Tensor::zeros([3, 1]))), "shapes [2, 3] and [3, 1] do not broadcast"),
                ])),*]);
            };
        }
        compared! {
            "equal" try_equal;
            "not_equal" try_not_equal;
            "less" try_less;
            "less_equal" try_less_equal;
            "greater" try_greater;
            "greater_equal" try_greater_equal;
        }
        let mask = |shape: &[usize]| Tensor::full(shape, true);
        says! {
            "select" {
                text(TensorVar::try_select(mask(&[2]), x, x)) => "shapes [2] and [2, 3] do not broadcast";
                text(TensorVar::try_select(mask(&[2, 3]), x, other)) => "do not broadcast";
                text(TensorVar::try_select(mask(&[2, 3]), x, elsewhere)) => TAPES;
            }
            "masked_fill" {
                text(x.try_masked_fill(mask(&[2]), 0.0)) => "do not broadcast";
                text(x.try_masked_fill(mask(&[4, 5]), 0.0)) => "do not broadcast";
                text(x.try_masked_fill(mask(&[3, 1]), 0.0)) => "do not broadcast";
            }
            "masked_select" {
                text(x.try_masked_select(&mask(&[2]))) => BESIDE;
                text(x.try_masked_select(&mask(&[4, 5]))) => APART;
                text(x.try_masked_select(&mask(&[3, 1]))) => "shapes [2, 3] and [3, 1] do not broadcast";
            }
        }
    });
}
