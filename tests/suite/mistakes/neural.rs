//! Mistakes of what neural networks are made of.

use super::{TAPES, says, text};
use crate::torch::Var;
use wengert::nn::{
    Dropout,
    loss::{self, CrossEntropy},
};
use wengert::prelude::*;

/// Makes mistakes with operands on a new tape, and with one of the shape of the first on another;
/// both tapes are left as they were.
fn with<const N: usize>(shapes: [&[usize]; N], mistakes: impl for<'t> Fn([Var<'t>; N], Var<'t>)) {
    let (tape, away) = (Tape::new(), Tape::new());
    let operands = shapes.map(|shape| tape.tensor(Tensor::ones(shape)));
    let elsewhere = away.tensor(Tensor::ones(shapes[0]));
    // Memory may be kept; what is in use is not more.
    let recorded = || [&tape, &away].map(|tape| (tape.size().nodes, tape.size().tensors, tape.size().used));
    let before = recorded();
    mistakes(operands, elsewhere);
    assert_eq!(recorded(), before, "a failed op leaves nothing");
}

#[test]
fn convolutions_name_channels_windows_and_settings() {
    let (images, volumes) = ([1, 6, 5, 4], [1, 2, 4, 4, 4]);
    let shapes: [&[usize]; 8] =
        [&images, &[3, 2, 3, 3], &[3, 6, 9, 9], &volumes, &[3, 2, 5, 1, 1], &[1, 2, 7], &[2, 2, 3], &[3]];
    with(shapes, |[x, w, large, volume, filter, sequence, short, b], elsewhere| {
        let two = Pooling::new(2);
        let (plain, turned, solid) = (Convolution::new(), TransposedConvolution::new(), Convolution3d::new());
        let channels = "x [1, 6, 5, 4] has 6 channels, weight [3, 2, 3, 3] takes 2 in each of 1 groups";
        let images = "operand of shape [1, 2, 4, 4, 4] has 5 axes; expected images, [n, c, h, w]";
        let sequences = "operand of shape [1, 6, 5, 4] has 4 axes; expected sequences, [n, c, l]";
        let volumes = "operand of shape [1, 6, 5, 4] has 4 axes; expected volumes, [n, c, d, h, w]";
        says! {
            "conv2d" {
                text(x.try_conv2d(w, &plain)) => channels;
                text(x.try_conv2d(w, &plain.groups(2))) => "weight [3, 2, 3, 3] has 3 outputs, not a multiple of its 2 groups";
                text(x.try_conv2d(large, &plain)) => "the window spans 9 entries";
                text(x.try_conv2d(elsewhere, &plain)) => TAPES;
                text(volume.try_conv2d(w, &plain)) => images;
                text(x.try_conv2d(w, &plain.groups(3).stride(0))) => "stride is 0, expected at least 1";
            }
            "conv2d_with_bias" {
                text(x.try_conv2d_with_bias(w, w, &plain)) => channels;
                text(x.try_conv2d_with_bias(large, w, &plain)) => "the window spans 9 entries";
                text(x.try_conv2d_with_bias(w, w, &plain.groups(3))) =>
                    "shapes [3] and [3, 2, 3, 3] differ; they must be equal";
                text(x.try_conv2d_with_bias(w, elsewhere, &plain)) => TAPES;
            }
            "conv2d_max_pool2d" {
                text(x.try_conv2d_max_pool2d(w, w, &plain, &two)) => channels;
                text(x.try_conv2d_max_pool2d(w, w, &plain.groups(3), &two)) =>
                    "shapes [3] and [3, 2, 3, 3] differ; they must be equal";
                text(x.try_conv2d_max_pool2d(w, b, &plain.groups(3), &Pooling::new(9))) => "the window spans 9 entries";
                text(x.try_conv2d_max_pool2d(w, b, &plain.groups(3), &two.padding(2))) => "padding is 2, expected less";
                text(x.try_conv2d_max_pool2d(w, elsewhere, &plain, &two)) => TAPES;
            }
            "conv1d" {
                text(x.try_conv1d(w, &plain)) => sequences;
                text(volume.try_conv1d(w, &plain)) => "operand of shape [1, 2, 4, 4, 4] has 5 axes; expected sequences";
                text(x.try_conv1d(elsewhere, &plain)) => sequences;
            }
            "conv3d" {
                text(x.try_conv3d(filter, &solid)) => volumes;
                text(volume.try_conv3d(filter, &solid)) => "the window spans 5 entries of axis 2";
                text(volume.try_conv3d(filter, &solid.groups(2))) => "has 3 outputs, not a multiple of its 2 groups";
                text(volume.try_conv3d(filter, &solid.stride(0))) => "stride is 0, expected at least 1";
            }
            "conv1d_with_bias" {
                text(x.try_conv1d_with_bias(w, w, &plain)) => sequences;
                text(volume.try_conv1d_with_bias(w, w, &plain)) => "has 5 axes; expected sequences";
                text(sequence.try_conv1d_with_bias(short, short, &plain)) => "shapes [2] and [2, 2, 3] differ";
                text(sequence.try_conv1d_with_bias(short, elsewhere, &plain)) => TAPES;
            }
            "conv3d_with_bias" {
                text(x.try_conv3d_with_bias(filter, w, &solid)) => volumes;
                text(volume.try_conv3d_with_bias(filter, w, &solid)) => "the window spans 5 entries of axis 2";
                text(volume.try_conv3d_with_bias(filter, w, &solid.padding(1))) => "shapes [3] and [3, 2, 3, 3] differ";
                text(volume.try_conv3d_with_bias(filter, elsewhere, &solid.padding(1))) => TAPES;
            }
            "conv_transpose2d" {
                text(x.try_conv_transpose2d(w, &turned)) => "x [1, 6, 5, 4] has 6 channels, weight [3, 2, 3, 3] takes 3";
                text(volume.try_conv_transpose2d(w, &turned)) => images;
                text(x.try_conv_transpose2d(large, &turned)) => "weight [3, 6, 9, 9] takes 3";
            }
            "conv_transpose1d" {
                text(x.try_conv_transpose1d(w, &turned)) => sequences;
                text(volume.try_conv_transpose1d(w, &turned)) => "has 5 axes; expected sequences";
                text(x.try_conv_transpose1d(elsewhere, &turned)) => sequences;
            }
            "max_pool2d" {
                text(x.try_max_pool2d(&Pooling::new(9))) => "the window spans 9 entries";
                text(x.try_max_pool2d(&Pooling::new(0))) => "is 0, expected at least 1";
                text(volume.try_max_pool2d(&Pooling::new(2))) => images;
            }
            "avg_pool2d" {
                text(x.try_avg_pool2d(&Pooling::new(9))) => "the window spans 9 entries";
                text(x.try_avg_pool2d(&Pooling::new(2).stride(0))) => "stride is 0, expected at least 1";
                text(volume.try_avg_pool2d(&Pooling::new(2))) => images;
            }
            "adaptive_avg_pool2d" {
                text(x.try_adaptive_avg_pool2d(0)) => "output size is 0, expected at least 1";
                text(x.try_adaptive_avg_pool2d([2, 0])) => "output size is 0, expected at least 1";
                text(volume.try_adaptive_avg_pool2d(2)) => images;
            }
            "adaptive_max_pool2d" {
                text(x.try_adaptive_max_pool2d(0)) => "output size is 0, expected at least 1";
                text(x.try_adaptive_max_pool2d([0, 2])) => "output size is 0, expected at least 1";
                text(volume.try_adaptive_max_pool2d(2)) => images;
            }
            "adaptive_avg_pool1d" {
                text(x.try_adaptive_avg_pool1d(2)) => sequences;
                text(volume.try_adaptive_avg_pool1d(2)) => "has 5 axes; expected sequences";
                text(x.try_adaptive_avg_pool1d(0)) => sequences;
            }
            "adaptive_max_pool1d" {
                text(x.try_adaptive_max_pool1d(2)) => sequences;
                text(volume.try_adaptive_max_pool1d(2)) => "has 5 axes; expected sequences";
                text(x.try_adaptive_max_pool1d(0)) => sequences;
            }
            "interpolate" {
                text(x.try_interpolate([3, 0], Interpolation::Nearest)) => "output size is 0, expected at least 1";
                text(volume.try_interpolate(2, Interpolation::Nearest)) => images;
                text(x.try_interpolate([i32::MAX as usize; 2], Interpolation::Nearest)) => "memory can address";
            }
            "pixel_shuffle" {
                text(x.try_pixel_shuffle(2)) => "axis 1 of shape [1, 6, 5, 4] has 6 entries, not a multiple of 4";
                text(x.try_pixel_shuffle(0)) => "0";
                text(volume.try_pixel_shuffle(2)) => images;
            }
            "pixel_unshuffle" {
                text(x.try_pixel_unshuffle(2)) => "axis 2 of shape [1, 6, 5, 4] has 5 entries, not a multiple of 2";
                text(x.try_pixel_unshuffle(0)) => "0";
                text(volume.try_pixel_unshuffle(2)) => images;
            }
            "unfold" {
                text(x.try_unfold(&Windows::new(5))) => "the window spans 5 entries of axis 3";
                text(x.try_unfold(&Windows::new(2).stride(0))) => "stride is 0, expected at least 1";
                text(volume.try_unfold(&Windows::new(2))) => images;
            }
            "fold" {
                text(x.try_fold(3, &Windows::new(2))) => "operand of shape [1, 6, 5, 4] has 4 axes";
                text(x.try_fold(0, &Windows::new(2))) => "operand of shape [1, 6, 5, 4] has 4 axes";
                text(volume.try_fold(3, &Windows::new(2))) => "operand of shape [1, 2, 4, 4, 4] has 5 axes";
            }
        }
    });
}

#[test]
fn normalizations_and_attention_name_shapes_that_do_not_go_together() {
    let shapes: [&[usize]; 5] = [&[2, 3], &[3], &[4], &[2, 4, 3], &[5, 3]];
    with(shapes, |[x, v, four, batch, keys], elsewhere| {
        let (all, small) = (Attention::new(), "epsilon is -1; expected a number from 0 up");
        let mask = |shape: &[usize]| Tensor::full(shape, true);
        says! {
            "layer_norm" {
                text(x.try_layer_norm([4], None, None, 0.1)) => "shape [2, 3] does not end in [4]";
                text(x.try_layer_norm([3], Some(four), None, 0.1)) => "shapes [4] and [3] differ; they must be equal";
                text(x.try_layer_norm([3], None, None, -1.0)) => small;
                text(x.try_layer_norm([2, 3], Some(elsewhere), None, 0.1)) => TAPES;
            }
            "rms_norm" {
                text(x.try_rms_norm([4], None, 0.1)) => "shape [2, 3] does not end in [4]";
                text(x.try_rms_norm([3], Some(four), 0.1)) => "shapes [4] and [3] differ; they must be equal";
                text(x.try_rms_norm([3], None, -1.0)) => small;
            }
            "batch_norm" {
                text(x.try_batch_norm(Some(four), None, 0.1)) => "shapes [4] and [3] differ; they must be equal";
                text(v.try_batch_norm(None, None, 0.1)) => "operand of shape [3] has 1 axes; expected two at least";
                text(x.try_batch_norm(None, None, -1.0)) => small;
            }
            "group_norm" {
                text(batch.try_group_norm(3, None, None, 0.1)) => "has 4 channels, which 3 groups cannot share evenly";
                text(batch.try_group_norm(2, Some(v), None, 0.1)) => "shapes [3] and [4] differ; they must be equal";
                text(batch.try_group_norm(0, None, None, 0.1)) => "0";
                text(batch.try_group_norm(2, None, None, -1.0)) => small;
            }
            "instance_norm" {
                text(batch.try_instance_norm(Some(v), None, 0.1)) => "shapes [3] and [4] differ; they must be equal";
                text(v.try_instance_norm(None, None, 0.1)) => "operand of shape [3] has 1 axes";
                text(batch.try_instance_norm(None, None, -1.0)) => small;
            }
            "masked_softmax" {
                text(x.try_masked_softmax(mask(&[2]), -1)) => "shape [2] does not broadcast to [2, 3]";
                text(x.try_masked_softmax(mask(&[2, 2, 3]), -1)) => "shape [2, 2, 3] does not broadcast to [2, 3]";
                text(x.try_masked_softmax(mask(&[2, 3]), 2)) => "axis 2 is out of range for shape [2, 3]";
            }
            "scaled_dot_product_attention" {
                text(x.try_scaled_dot_product_attention(v, x, &all)) => "q [2, 3], k [3] and v [2, 3] do not go together";
                text(x.try_scaled_dot_product_attention(keys, x, &all)) => "k [5, 3] and v [2, 3] do not go together";
                text(x.try_scaled_dot_product_attention(x, x, &Attention::new().mask(mask(&[3])))) =>
                    "shape [3] does not broadcast to [2, 2]";
                text(x.try_scaled_dot_product_attention(x, elsewhere, &all)) => TAPES;
            }
            "self_attention" {
                text(x.try_self_attention(2, &all)) => "shape [2, 3] does not hold queries, keys and values of 2 heads";
                text(x.try_self_attention(0, &all)) => "0 heads";
                text(x.try_self_attention(1, &Attention::new().mask(mask(&[3])))) => "shape [3] does not broadcast to";
            }
            "linear" {
                text(x.try_linear(keys, four)) => "shapes [5] and [4] differ; they must be equal";
                text(x.try_linear(batch, four)) => "operand of shape [2, 4, 3] has 3 axes";
                text(x.try_linear(elsewhere, four)) => TAPES;
            }
            "lstm" {
                text(x.try_lstm(x, x, x)) => "[2, 3]";
                text(batch.try_lstm(x, x, x)) => "shapes [2, 3] and [12, 3] differ; they must be equal";
                text(x.try_lstm(elsewhere, x, x)) => TAPES;
            }
        }
    });
}

#[test]
fn losses_name_shapes_labels_and_settings() {
    let tape = Tape::new();
    let [y, other, nothing] = [[2, 3], [3, 2], [0, 3]].map(|shape: [usize; 2]| tape.tensor(Tensor::ones(shape)));
    let (ones, wrong) = (Tensor::ones([2, 3]), Tensor::ones([3]));
    let unequal = "shapes [2, 3] and [3] differ; they must be equal";
    let labels = |labels: &[i64]| Tensor::from(labels);
    let plain = CrossEntropy::new();
    let before = tape.size();
    says! {
        "mse" {
            text(loss::mse(y, &wrong)) => unequal;
            text(loss::mse(y, &Tensor::scalar(1.0))) => "shapes [2, 3] and [] differ; they must be equal";
            text(loss::mse(nothing, &Tensor::ones([0, 3]))) => "shape [0, 3] leaves no elements to reduce";
        }
        "l1" {
            text(loss::l1(y, &wrong)) => unequal;
            text(loss::l1(y, &Tensor::scalar(1.0))) => "shapes [2, 3] and [] differ; they must be equal";
            text(loss::l1(other, &ones)) => "shapes [3, 2] and [2, 3] differ; they must be equal";
        }
        "bce_with_logits" {
            text(loss::bce_with_logits(y, &wrong)) => unequal;
            text(loss::bce_with_logits(y, &Tensor::scalar(1.0))) => "shapes [2, 3] and [] differ; they must be equal";
            text(loss::bce_with_logits(other, &ones)) => "shapes [3, 2] and [2, 3] differ; they must be equal";
        }
        "huber" {
            text(loss::huber(y, &wrong, 1.0)) => unequal;
            text(loss::huber(y, &Tensor::scalar(1.0), 1.0)) => "shapes [2, 3] and [] differ; they must be equal";
            text(loss::huber(other, &ones, 1.0)) => "shapes [3, 2] and [2, 3] differ; they must be equal";
        }
        "smooth_l1" {
            text(loss::smooth_l1(y, &wrong, 1.0)) => unequal;
            text(loss::smooth_l1(y, &Tensor::scalar(1.0), 1.0)) => "shapes [2, 3] and [] differ; they must be equal";
            text(loss::smooth_l1(other, &ones, 1.0)) => "shapes [3, 2] and [2, 3] differ; they must be equal";
        }
        "hinge" {
            text(loss::hinge(y, &wrong)) => unequal;
            text(loss::hinge(y, &Tensor::scalar(1.0))) => "shapes [2, 3] and [] differ; they must be equal";
            text(loss::hinge(other, &ones)) => "shapes [3, 2] and [2, 3] differ; they must be equal";
        }
        "kl_divergence" {
            text(loss::kl_divergence(y, &wrong)) => unequal;
            text(loss::kl_divergence(y, &Tensor::scalar(1.0))) => "shapes [2, 3] and [] differ; they must be equal";
            text(loss::kl_divergence(other, &ones)) => "shapes [3, 2] and [2, 3] differ; they must be equal";
        }
        "nll" {
            text(loss::nll(y, &labels(&[0, 3]))) => "row 1 has label 3; with 3 classes";
            text(loss::nll(y, &labels(&[-1, 0]))) => "row 0 has label -1";
            text(loss::nll(y, &labels(&[0]))) => "labels of shape [1] for logits of shape [2, 3]; expected the number of a class for each row, shape [2]";
        }
        "cross_entropy" {
            text(plain.labels(y, &labels(&[0, 3]))) => "row 1 has label 3; with 3 classes";
            text(plain.labels(y, &labels(&[0]))) => "labels of shape [1] for logits of shape [2, 3]; expected the number of a class for each row, shape [2]";
            text(loss::cross_entropy(y, &labels(&[-1, 0]))) => "row 0 has label -1";
            text(plain.probabilities(y, &wrong)) => unequal;
        }
        "triplet_margin" {
            text(loss::triplet_margin(y, other, y, 1.0)) => "shapes [2, 3] and [3, 2] differ; they must be equal";
            text(loss::triplet_margin(y, y, other, 1.0)) => "shapes [2, 3] and [3, 2] differ; they must be equal";
            text(loss::triplet_margin(y, nothing, y, 1.0)) => "shapes [2, 3] and [0, 3] differ; they must be equal";
        }
        "cosine_embedding" {
            text(loss::cosine_embedding(y, other, &Tensor::ones([2]), 0.0)) =>
                "shapes [2, 3] and [3, 2] differ; they must be equal";
            text(loss::cosine_embedding(y, y, &Tensor::ones([3]), 0.0)) => "differ; they must be equal";
            text(loss::cosine_embedding(y, nothing, &Tensor::ones([2]), 0.0)) => "differ; they must be equal";
        }
    }
    assert_eq!(tape.size(), before, "a refused loss leaves nothing");
    // Settings have no line on a tape.
    let (dropout, delta) = (|p| text(Dropout::try_new(p)), |delta| text(loss::huber(y, &ones, delta)));
    let beta = |beta| text(loss::smooth_l1(y, &ones, beta));
    let (share, size) = ("a probability, 0 to 1", "expected a positive number");
    let rows: [(&str, &[(String, &str)]); 3] = [
        ("dropout", &[(dropout(-0.1), share), (dropout(1.5), share), (dropout(f64::NAN), share)]),
        ("huber", &[(delta(0.0), size), (delta(-1.0), size), (delta(f64::NAN), size)]),
        ("smooth_l1", &[(beta(-0.5), size), (beta(-1.0), size), (beta(f64::NAN), size)]),
    ];
    super::all_say("", &rows);
}
