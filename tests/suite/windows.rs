//! What works on the windows of images and volumes against PyTorch (see `torch`); then the awkward points, and the texts of
//! mistakes.

use crate::torch::{self, Op, Var};
use wengert_core::{Error, Tape};
use wengert_tensor::{Convolution, Convolution3d, Interpolation, Pooling, Tensor, TransposedConvolution, Windows};

const REFERENCE: &str = include_str!("../reference/windows.txt");
const EDGES: Interpolation = Interpolation::Bilinear { align_corners: false };
const CORNERS: Interpolation = Interpolation::Bilinear { align_corners: true };

/// The op of a case, as `tests/reference/windows.py` names it.
fn op(name: &str) -> Op {
    match name {
        "conv_transpose2d" => |x| x[0].conv_transpose2d(x[1], &TransposedConvolution::new()),
        "conv_transpose2d strided" => |x| {
            let options = TransposedConvolution::new().stride([2, 3]).padding([1, 0]).output_padding([1, 2]);
            x[0].conv_transpose2d(x[1], &options)
        },
        "conv_transpose2d dilated" => {
            |x| x[0].conv_transpose2d(x[1], &TransposedConvolution::new().stride(2).dilation([2, 1]).groups(2))
        }
        "conv_transpose1d" => {
            |x| x[0].conv_transpose1d(x[1], &TransposedConvolution::new().stride(2).padding(1).output_padding(1))
        }
        "adaptive_avg_pool2d 2 3" => |x| x[0].adaptive_avg_pool2d([2, 3]),
        "adaptive_avg_pool2d 1" => |x| x[0].adaptive_avg_pool2d(1),
        "adaptive_max_pool2d 2 3" => |x| x[0].adaptive_max_pool2d([2, 3]),
        "adaptive_max_pool2d 1" => |x| x[0].adaptive_max_pool2d(1),
        "adaptive_avg_pool1d 3" => |x| x[0].adaptive_avg_pool1d(3),
        "adaptive_max_pool1d 3" => |x| x[0].adaptive_max_pool1d(3),
        "interpolate nearest 5 3" => |x| x[0].interpolate([5, 3], Interpolation::Nearest),
        "interpolate bilinear 5 3" => |x| x[0].interpolate([5, 3], EDGES),
        "interpolate corners 5 3" => |x| x[0].interpolate([5, 3], CORNERS),
        "interpolate bilinear 2 1" => |x| x[0].interpolate([2, 1], EDGES),
        "interpolate corners 1 2" => |x| x[0].interpolate([1, 2], CORNERS),
        "pixel_shuffle" => |x| x[0].pixel_shuffle(2),
        "pixel_unshuffle" => |x| x[0].pixel_unshuffle(2),
        "unfold" => |x| x[0].unfold(&Windows::new([2, 3])),
        "unfold strided" => |x| x[0].unfold(&Windows::new([2, 1]).dilation([2, 1]).padding([1, 2]).stride([1, 2])),
        "fold" => |x| x[0].fold([4, 5], &Windows::new(2).padding(1).stride(2)),
        "fold dilated" => |x| x[0].fold([3, 4], &Windows::new(2).dilation([1, 2]).padding([1, 0])),
        "conv3d" => |x| x[0].conv3d(x[1], &Convolution3d::new()),
        "conv3d strided" => {
            |x| x[0].conv3d(x[1], &Convolution3d::new().stride([2, 1, 1]).padding([1, 0, 2]).dilation([1, 1, 2]))
        }
        "conv3d groups" => |x| x[0].conv3d(x[1], &Convolution3d::new().padding(1).dilation([2, 1, 1]).groups(2)),
        "conv2d" => |x| x[0].conv2d(x[1], &Convolution::new()),
        "conv2d strided" => {
            |x| x[0].conv2d(x[1], &Convolution::new().stride([2, 1]).padding([1, 2]).dilation([1, 2]).groups(2))
        }
        "conv1d" => |x| x[0].conv1d(x[1], &Convolution::new()),
        "conv1d strided" => |x| x[0].conv1d(x[1], &Convolution::new().stride(2).padding(1).dilation(2).groups(2)),
        "conv1d bias" => |x| x[0].conv1d_with_bias(x[1], x[2], &Convolution::new()),
        "conv1d bias strided" => {
            |x| x[0].conv1d_with_bias(x[1], x[2], &Convolution::new().stride(2).padding(1).dilation(2).groups(2))
        }
        "conv3d bias" => |x| x[0].conv3d_with_bias(x[1], x[2], &Convolution3d::new()),
        "conv3d bias strided" => |x| {
            let options = Convolution3d::new().stride([2, 1, 1]).padding([1, 0, 2]).dilation([1, 1, 2]).groups(2);
            x[0].conv3d_with_bias(x[1], x[2], &options)
        },
        "max_pool2d" => |x| x[0].max_pool2d(&Pooling::new([2, 1]).padding([1, 0])),
        "max_pool2d overlapping" => |x| x[0].max_pool2d(&Pooling::new(3).stride([1, 2]).padding(1)),
        "avg_pool2d" => |x| x[0].avg_pool2d(&Pooling::new([2, 1]).padding([1, 0])),
        "avg_pool2d overlapping" => |x| x[0].avg_pool2d(&Pooling::new(3).stride([1, 2]).padding(1)),
        _ => panic!("no op for the reference values of `{name}`"),
    }
}

#[test]
fn values_and_derivatives_are_those_of_pytorch_in_every_layout() {
    torch::compare_in_every_layout(REFERENCE, op);
}

#[test]
fn finite_differences_agree_to_second_order() {
    torch::check_differences(REFERENCE, op, |_| false);
}

#[test]
fn the_tape_computes_what_plain_tensors_do() {
    let random = |shape: &[usize], seed| Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut wengert_tensor::rng(seed));
    let (x, w) = (random(&[2, 4, 5, 7], 1), random(&[4, 2, 3, 3], 2));
    let tape = Tape::<f64>::new();
    let (x_var, w_var) = (tape.tensor(&x), tape.tensor(&w));
    let options = TransposedConvolution::new().stride(2).groups(2);
    assert_eq!(x_var.conv_transpose2d(w_var, &options).value(), x.conv_transpose2d(&w, &options));
    for size in [[1, 1], [5, 1], [2, 3], [9, 9]] {
        assert_eq!(x_var.adaptive_avg_pool2d(size).value(), x.adaptive_avg_pool2d(size));
        assert_eq!(x_var.adaptive_max_pool2d(size).value(), x.adaptive_max_pool2d(size));
        for how in [Interpolation::Nearest, EDGES, CORNERS] {
            assert_eq!(x_var.interpolate(size, how).value(), x.interpolate(size, how));
        }
    }
    let windows = Windows::new(3).padding(1);
    assert_eq!(x_var.unfold(&windows).value(), x.unfold(&windows));
    assert_eq!(x_var.unfold(&windows).fold([5, 7], &windows).value(), x.unfold(&windows).fold([5, 7], &windows));
    assert_eq!(x_var.pixel_shuffle(2).value(), x.pixel_shuffle(2));
}

#[test]
fn the_first_of_equals_takes_the_gradient_and_nan_is_the_largest() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([[[2.0, 2.0, f64::NAN]]]);
    let y = x.adaptive_max_pool1d(2);
    assert!(y.value().at([0, 0, 0]) == 2.0 && y.value().at([0, 0, 1]).is_nan());
    assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 0.0, 1.0]);
}

#[test]
fn what_has_no_part_in_a_result_leaves_it_and_its_gradient_alone() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([[[[1.0, f64::INFINITY, 3.0]]]]);
    let y = x.interpolate([1, 5], CORNERS);
    assert_eq!(y.value().to_vec(), [1.0, f64::INFINITY, f64::INFINITY, f64::INFINITY, 3.0]);
    assert_eq!(x.adaptive_avg_pool2d([1, 2]).sum().gradient()[x].to_vec(), [0.5, 1.0, 0.5]);
}

#[test]
fn mistakes_name_op_shapes_axis_and_what_to_do() {
    let tape = Tape::<f64>::new();
    let zeros = |shape: &[usize]| tape.tensor(Tensor::zeros(shape));
    let (x, w) = (zeros(&[1, 6, 5, 4]), zeros(&[4, 6, 3, 3]));
    let (volume, filter) = (zeros(&[1, 2, 4, 4, 4]), zeros(&[3, 2, 5, 1, 1]));
    let plain = TransposedConvolution::new();
    let rows: Vec<(Result<Var<'_>, Error>, &str)> = vec![
        (
            x.try_conv_transpose2d(w, &plain),
            "conv_transpose2d: x [1, 6, 5, 4] has 6 channels, weight [4, 6, 3, 3] takes 4; a transposed weight is [in, out / groups, kh, kw]",
        ),
        (
            x.try_conv_transpose2d(zeros(&[6, 1, 3, 3]), &plain.groups(4)),
            "conv_transpose2d: axis 1 of shape [1, 6, 5, 4] has 6 channels, which 4 groups cannot share evenly; choose a divisor of 6",
        ),
        (
            x.try_conv_transpose2d(zeros(&[6, 1, 3, 3]), &plain.output_padding(1)),
            "conv_transpose2d: output padding is 1, expected less than the stride or less than the dilation",
        ),
        (
            x.try_conv_transpose1d(w, &plain),
            "conv_transpose1d: operand of shape [1, 6, 5, 4] has 4 axes; expected sequences, [n, c, l]",
        ),
        (x.try_adaptive_avg_pool2d(0), "adaptive_avg_pool2d: output size is 0, expected at least 1"),
        (
            volume.try_adaptive_max_pool2d(2),
            "adaptive_max_pool2d: operand of shape [1, 2, 4, 4, 4] has 5 axes; expected images, [n, c, h, w]",
        ),
        (
            x.try_adaptive_avg_pool1d(2),
            "adaptive_avg_pool1d: operand of shape [1, 6, 5, 4] has 4 axes; expected sequences, [n, c, l]",
        ),
        (
            x.slice(3, ..0).try_adaptive_max_pool2d(2),
            "adaptive_max_pool2d: shape [1, 6, 5, 0] leaves no elements to reduce, and the adaptive_max_pool2d of nothing is not defined; check `is_empty()` first",
        ),
        (x.try_interpolate([3, 0], EDGES), "interpolate: output size is 0, expected at least 1"),
        (
            volume.try_interpolate(2, EDGES),
            "interpolate: operand of shape [1, 2, 4, 4, 4] has 5 axes; expected images, [n, c, h, w]",
        ),
        (
            x.try_interpolate([i32::MAX as usize; 2], EDGES),
            "interpolate: shape [1, 6, 2147483647, 2147483647] has more elements than memory can address",
        ),
        (
            x.try_pixel_shuffle(2),
            "pixel_shuffle: axis 1 of shape [1, 6, 5, 4] has 6 entries, not a multiple of 4, the square of the factor",
        ),
        (
            x.try_pixel_unshuffle(2),
            "pixel_unshuffle: axis 2 of shape [1, 6, 5, 4] has 5 entries, not a multiple of 2, the factor",
        ),
        (
            x.try_unfold(&Windows::new(5)),
            "unfold: the window spans 5 entries of axis 3, x [1, 6, 5, 4] has 4 and a padding of 0 on both sides; use a smaller window or more padding",
        ),
        (x.try_unfold(&Windows::new(2).dilation(0)), "unfold: dilation is 0, expected at least 1"),
        (
            zeros(&[1, 8, 6]).try_fold(3, &Windows::new(2)),
            "fold: shapes [1, 8, 6] and [1, 8, 4] differ; they must be equal",
        ),
        (
            volume.try_conv3d(filter, &Convolution3d::new()),
            "conv3d: the window spans 5 entries of axis 2, x [1, 2, 4, 4, 4] has 4 and a padding of 0 on both sides; use a smaller window or more padding",
        ),
        (
            volume.try_conv3d(filter, &Convolution3d::new().groups(3)),
            "conv3d: x [1, 2, 4, 4, 4] has 2 channels, weight [3, 2, 5, 1, 1] takes 2 in each of 3 groups; a weight is [out, in / groups, kd, kh, kw]",
        ),
        (
            x.try_conv3d(filter, &Convolution3d::new()),
            "conv3d: operand of shape [1, 6, 5, 4] has 4 axes; expected volumes, [n, c, d, h, w]",
        ),
    ];
    for (result, expected) in rows {
        let text = result.expect_err(expected).to_string();
        let (line, sentence) = text.split_once(": ").expect("the caller's line comes first");
        assert!(line.contains("windows.rs:"), "{text}");
        assert_eq!(sentence, expected);
    }
    let other = Tape::<f64>::new();
    let elsewhere = |shape: &[usize]| other.tensor(Tensor::zeros(shape));
    for (error, op) in [
        (x.try_conv_transpose2d(elsewhere(&[6, 1, 3, 3]), &plain).expect_err("two tapes"), "conv_transpose2d"),
        (volume.try_conv3d(elsewhere(&[3, 2, 1, 1, 1]), &Convolution3d::new()).expect_err("two tapes"), "conv3d"),
    ] {
        assert!(matches!(error, Error::MixedTapes { op: named, .. } if named == op), "{error}");
    }
}
