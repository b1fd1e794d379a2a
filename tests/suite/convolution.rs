//! Convolutions and poolings: against PyTorch's values and gradients to second order, against finite differences, by hand.

use crate::panics::panic_text;
use wengert::check::{check_tensor, check_tensors};
use wengert_core::{Tape, TensorVar, UnaryFunctions};
use wengert_tensor::{Convolution, Pooling, Tensor, rng};

/// A row of `tests/reference/convolution.tsv`.
struct Row {
    op: String,
    /// Shapes of `x` and `w`, stride, padding, dilation, groups, shape of `y`.
    settings: Vec<Vec<usize>>,
    /// `y`, the gradients to first order, to second.
    values: Vec<Vec<f64>>,
}

fn rows() -> Vec<Row> {
    fn list<T: std::str::FromStr>(column: &str) -> Vec<T> {
        column.split(' ').map(|x| x.parse().unwrap_or_else(|_| panic!("{x:?} is no number"))).collect()
    }
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        Row {
            op: columns[0].to_owned(),
            settings: columns[1..8].iter().map(|column| list(column)).collect(),
            values: columns[8..].iter().map(|column| list(column)).collect(),
        }
    };
    include_str!("../reference/convolution.tsv").lines().map(row).collect()
}

/// The operands the script computed with.
fn operand(shape: &[usize], k: usize) -> Tensor<f64> {
    let mut i = 0;
    Tensor::from_fn(shape, |_| {
        let number = ((7 * i * i + 3 * i + 5 * k) % 23) as f64 - 11.0;
        i += 1;
        number / 8.0
    })
}

fn pair(list: &[usize]) -> [usize; 2] {
    [list[0], list[1]]
}

#[track_caller]
fn close(what: &str, got: &Tensor<f64>, expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
    for (i, (got, want)) in got.iter().zip(expected).enumerate() {
        assert!((got - want).abs() <= 1e-12 * scale, "{what}, element {i}: {got:e}, expected {want:e}");
    }
}

#[test]
fn values_and_gradients_to_second_order_are_those_of_pytorch() {
    for (number, row) in rows().iter().enumerate() {
        let what = |part: &str| format!("row {} ({} of {:?}), {part}", number + 1, row.op, row.settings);
        let [x_shape, w_shape, stride, padding, dilation, groups, y_shape] = &row.settings[..] else {
            panic!("row {number} has other columns")
        };
        let tape = Tape::<f64>::new();
        let x = tape.tensor(operand(x_shape, 1));
        let pooling = || Pooling::new(pair(w_shape)).stride(pair(stride)).padding(pair(padding));
        let (inputs, y) = match row.op.as_str() {
            "conv2d" => {
                let w = tape.tensor(operand(w_shape, 2));
                let options = Convolution::new().stride(pair(stride)).padding(pair(padding));
                (vec![x, w], x.conv2d(w, &options.dilation(pair(dilation)).groups(groups[0])))
            }
            "conv2d_with_bias" => {
                let (w, b) = (tape.tensor(operand(w_shape, 2)), tape.tensor(operand(&w_shape[..1], 3)));
                let options = Convolution::new().stride(pair(stride)).padding(pair(padding));
                let options = options.dilation(pair(dilation)).groups(groups[0]);
                (vec![x, w, b], x.conv2d_with_bias(w, b, &options))
            }
            op if op.starts_with("conv2d_max_pool2d") => {
                let (w, b) = (tape.tensor(operand(w_shape, 2)), tape.tensor(operand(&w_shape[..1], 3)));
                let options = Convolution::new().stride(pair(stride)).padding(pair(padding));
                let options = options.dilation(pair(dilation)).groups(groups[0]);
                let overlapping = Pooling::new(3).stride(2).padding(1);
                let pooling = if op.ends_with("overlapping") { overlapping } else { Pooling::new(2) };
                (vec![x, w, b], x.conv2d_max_pool2d(w, b, &options, &pooling))
            }
            "max_pool2d" => (vec![x], x.max_pool2d(&pooling())),
            _ => (vec![x], x.avg_pool2d(&pooling())),
        };
        assert_eq!(y.shape()[..], y_shape[..], "{}", what("shape"));
        close(&what("value"), &y.value(), &row.values[0]);
        let loss = (y * y * tape.constant_tensor(operand(y_shape, 3))).sum();
        // By the sweep, which may sum otherwise than the recorded gradient below.
        let gradient = loss.gradient();
        for (k, x) in inputs.iter().enumerate() {
            close(&what(&format!("sweep to operand {k}")), &gradient[*x], &row.values[1 + k]);
        }
        let first: Vec<TensorVar<'_, f64>> = match inputs[..] {
            [x, w] => loss.recorded_gradient([x, w]).to_vec(),
            [x, w, b] => loss.recorded_gradient([x, w, b]).to_vec(),
            _ => loss.recorded_gradient([x]).to_vec(),
        };
        let mut second = tape.tensor(Tensor::scalar(0.0)).sum();
        for (k, x_bar) in first.iter().enumerate() {
            close(&what(&format!("gradient for operand {k}")), &x_bar.value(), &row.values[1 + k]);
            second += (*x_bar * tape.constant_tensor(operand(&x_bar.shape(), 4 + k))).sum();
        }
        let gradient = second.gradient();
        for (k, x) in inputs.iter().enumerate() {
            close(&what(&format!("second order for operand {k}")), &gradient[*x], &row.values[1 + inputs.len() + k]);
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences_to_second_order() {
    let random = |shape: &[usize], seed| Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut rng(seed));
    let options = Convolution::new().stride([2, 1]).padding([1, 2]).dilation([1, 2]).groups(2);
    check_tensors(|[x, w]| x.conv2d(w, &options).square().sum())
        .at([random(&[2, 2, 4, 4], 1), random(&[4, 1, 3, 2], 2)])
        .orders(2)
        .assert();
    check_tensors(|[x, w, b]| x.conv2d_with_bias(w, b, &options).square().sum())
        .at([random(&[2, 2, 4, 5], 1), random(&[4, 1, 2, 3], 2), random(&[4], 7)])
        .orders(2)
        .assert();
    check_tensors(|[x, w]| x.conv1d(w, &Convolution::new().padding(1)).tanh().sum())
        .at([random(&[1, 2, 5], 3), random(&[3, 2, 3], 4)])
        .orders(2)
        .assert();
    check_tensor(|x| x.max_pool2d(&Pooling::new(2).padding(1)).square().sum())
        .at(random(&[2, 1, 3, 4], 5))
        .orders(2)
        .assert();
    check_tensor(|x| x.avg_pool2d(&Pooling::new(3).stride(1).padding(1)).square().sum())
        .at(random(&[1, 2, 3, 4], 6))
        .orders(2)
        .assert();
}

#[test]
fn a_filter_of_one_entry_weighs_the_channels() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]]);
    let w = tape.tensor(Tensor::from([10.0, 1.0]).reshape([1, 2, 1, 1]));
    let y = x.conv2d(w, &Convolution::new());
    assert_eq!(y.value().to_vec(), [13.0, 24.0]);
    let g = y.sum().gradient();
    assert_eq!((g[x].to_vec(), g[w].to_vec()), (vec![10.0, 10.0, 1.0, 1.0], vec![3.0, 7.0]));
}

#[test]
fn the_first_of_equals_takes_the_gradient_and_nan_is_the_largest() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([[[[2.0, 2.0, f64::NAN, 9.0], [2.0, 1.0, 8.0, f64::NAN]]]]);
    let y = x.max_pool2d(&Pooling::new(2));
    assert!(y.value().at([0, 0, 0, 0]) == 2.0 && y.value().at([0, 0, 0, 1]).is_nan());
    assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn single_precision_is_double_precision_rounded() {
    let random = |shape: &[usize], seed| Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut rng(seed));
    let (x, w) = (random(&[2, 20, 9, 9], 1), random(&[18, 20, 3, 3], 2));
    let options = Convolution::new().padding(1);
    let (wide, narrow) = (x.conv2d(&w, &options), x.cast::<f32>().conv2d(&w.cast(), &options));
    // 180 terms of at most 1: the rounding of a sum stays below its number of terms times half a unit of the largest.
    for (wide, narrow) in wide.iter().zip(narrow.iter()) {
        assert!((wide - f64::from(narrow)).abs() < 180.0 * 6e-8 * 4.0, "{wide} {narrow}");
    }
}

#[test]
fn what_does_not_fit_is_named_with_the_callers_line() {
    let tape = Tape::<f64>::new();
    let (x, w) = (tape.tensor(Tensor::zeros([1, 3, 8, 8])), tape.tensor(Tensor::zeros([4, 2, 3, 3])));
    let line = line!() + 1;
    let error = x.try_conv2d(w, &Convolution::new()).expect_err("channels differ").to_string();
    assert!(error.contains(&format!("convolution.rs:{line}")), "{error}");
    assert!(error.ends_with("conv2d: x [1, 3, 8, 8] has 3 channels, weight [4, 2, 3, 3] takes 2 in each of 1 groups; a weight is [out, in / groups, kh, kw]"), "{error}");
    assert_eq!(
        panic_text(|| x.conv1d(w, &Convolution::new())).rsplit(": ").next(),
        Some("operand of shape [1, 3, 8, 8] has 4 axes; expected sequences, [n, c, l]")
    );
    for error in [
        x.try_max_pool2d(&Pooling::new(9)).err(),
        x.try_avg_pool2d(&Pooling::new(2).padding(2)).err(),
        x.try_conv2d(x, &Convolution::new().groups(3)).err(),
    ] {
        assert!(error.is_some());
    }
    let (w, b) = (tape.tensor(Tensor::zeros([4, 3, 3, 3])), tape.tensor(Tensor::zeros([4, 1, 1])));
    let line = line!() + 1;
    let error = x.try_conv2d_with_bias(w, b, &Convolution::new()).expect_err("a bias has one axis").to_string();
    assert!(error.contains(&format!("convolution.rs:{line}")), "{error}");
    assert!(error.ends_with("conv2d_with_bias: shapes [4] and [4, 1, 1] differ; they must be equal"), "{error}");
}
