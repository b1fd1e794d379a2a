//! The three convolutions against their definition, summed in `f64` by index, at every level and on any number of threads.

use super::*;
use crate::numbers::numbers;

/// Calls `visit` with the indices into `x`, `w` and `y` of every product of the definition.
pub(super) fn products(conv: &Conv2d, mut visit: impl FnMut(usize, usize, usize)) {
    let ([height, width], [rows, columns], [kh, kw]) = (conv.size, conv.output_size(), conv.kernel);
    let (channels, outs) = (conv.inputs / conv.groups, conv.outputs / conv.groups);
    for n in 0..conv.batch {
        for o in 0..conv.outputs {
            for (r, q) in (0..rows).flat_map(|r| (0..columns).map(move |q| (r, q))) {
                for c in 0..channels {
                    for (i, j) in (0..kh).flat_map(|i| (0..kw).map(move |j| (i, j))) {
                        let row = (r * conv.stride[0] + i * conv.dilation[0]).checked_sub(conv.padding[0]);
                        let column = (q * conv.stride[1] + j * conv.dilation[1]).checked_sub(conv.padding[1]);
                        let (Some(row), Some(column)) = (row, column) else { continue };
                        if row < height && column < width {
                            let channel = o / outs * channels + c;
                            visit(
                                ((n * conv.inputs + channel) * height + row) * width + column,
                                ((o * channels + c) * kh + i) * kw + j,
                                ((n * conv.outputs + o) * rows + r) * columns + q,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// A sum and the sum of its absolute values, for each result.
type Sums = Vec<(f64, f64)>;

fn close<F: Float>(what: &str, conv: &Conv2d, got: &[F], expected: &Sums, terms: usize) {
    assert_eq!(got.len(), expected.len());
    for (index, (got, &(want, scale))) in got.iter().zip(expected).enumerate() {
        // The worst case of a sum of k terms is k/2 eps; blocks and rounding to even keep it far below.
        let tolerance = F::EPSILON.to_f64() * (2.0 + (terms as f64).sqrt()) * scale;
        let got = got.to_f64();
        assert!(
            (got - want).abs() <= tolerance,
            "{what} {} {conv:?}, element {index}: {got}, expected {want}",
            F::NAME
        );
    }
}

fn check<F: Float>(conv: &Conv2d) {
    let [x_len, w_len, y_len] = conv.lengths();
    let (x, w, y_bar) = (numbers::<F>(x_len, 1), numbers::<F>(w_len, 2), numbers::<F>(y_len, 3));
    let (mut y, mut x_bar, mut w_bar): (Sums, Sums, Sums) =
        (vec![(0.0, 0.0); y_len], vec![(0.0, 0.0); x_len], vec![(0.0, 0.0); w_len]);
    products(conv, |i, j, k| {
        let add = |sum: &mut (f64, f64), a: F, b: F| {
            let term = a.to_f64() * b.to_f64();
            *sum = (sum.0 + term, sum.1 + term.abs());
        };
        add(&mut y[k], x[i], w[j]);
        add(&mut x_bar[i], w[j], y_bar[k]);
        add(&mut w_bar[j], x[i], y_bar[k]);
    });
    let [kh, kw] = conv.kernel;
    let terms = [conv.filter(), conv.outputs / conv.groups * kh * kw, y_len / conv.outputs.max(1)];
    for level in Level::available() {
        let all = |threads: usize| {
            let par = Par::new(threads);
            let (mut y, mut x_bar, mut w_bar) = (vec![F::NAN; y_len], vec![F::NAN; x_len], vec![F::NAN; w_len]);
            conv2d_at(level, conv, &x, &w, None, &mut y, par);
            conv2d_input_adjoint_at(level, conv, &w, &y_bar, &mut x_bar, par);
            conv2d_weight_adjoint_at(level, conv, &x, &y_bar, &mut w_bar, par);
            [y, x_bar, w_bar]
        };
        let one = all(1);
        for ((what, got), (want, terms)) in
            ["y", "x_bar", "w_bar"].iter().zip(&one).zip([&y, &x_bar, &w_bar].into_iter().zip(terms))
        {
            close(&format!("{level:?} {what}"), conv, got, want, terms);
        }
        for threads in [2, 3, 8] {
            assert!(one == all(threads), "{level:?} {conv:?}: {threads} threads change the bits");
        }
        check_bias(level, conv, &x, &w, &one[0]);
    }
}

/// A bias is what would be added to `y`, on any number of threads.
pub(super) fn check_bias<F: Float>(level: Level, conv: &Conv2d, x: &[F], w: &[F], y: &[F]) {
    let bias = numbers::<F>(conv.outputs, 4);
    let [rows, columns] = conv.output_size();
    let planes = y.chunks((rows * columns).max(1)).zip(bias.iter().cycle());
    let sums: Vec<F> = planes.flat_map(|(y, &b)| y.iter().map(move |&y| y + b)).collect();
    for threads in [1, 2, 3, 8] {
        let mut got = vec![F::NAN; y.len()];
        conv2d_at(level, conv, x, w, Some(&bias), &mut got, Par::new(threads));
        assert!(got == sums, "{level:?} {conv:?}: the bias is not what is added, on {threads} threads");
    }
}

const PLAIN: Conv2d = Conv2d {
    batch: 1,
    inputs: 1,
    outputs: 1,
    size: [5, 6],
    kernel: [3, 3],
    stride: [1, 1],
    padding: [0, 0],
    dilation: [1, 1],
    groups: 1,
    algorithm: Algorithm::Tiles2,
};

fn check_both(conv: Conv2d) {
    check::<f32>(&conv);
    check::<f64>(&conv);
}

#[test]
fn convolutions_equal_their_definition_whatever_the_number_of_channels() {
    for (inputs, outputs) in [(1, 1), (1, 2), (3, 5), (2, 7), (5, 9), (3, 13), (17, 15), (4, 29), (33, 35), (2, 64)] {
        check_both(Conv2d { batch: 2, inputs, outputs, padding: [1, 1], ..PLAIN });
    }
}

#[test]
fn convolutions_equal_their_definition_whatever_the_windows() {
    let sides = [
        (1, 1, 0, 1),
        (1, 2, 1, 1),
        (2, 1, 1, 2),
        (3, 2, 0, 1),
        (3, 3, 2, 2),
        (2, 5, 1, 1),
        (4, 2, 3, 1),
        (3, 1, 5, 2),
    ];
    for (kh, sh, ph, dh) in sides {
        for (kw, sw, pw, dw) in sides {
            let (kernel, stride, padding, dilation) = ([kh, kw], [sh, sw], [ph, pw], [dh, dw]);
            check_both(Conv2d {
                batch: 2,
                inputs: 2,
                outputs: 3,
                size: [7, 9],
                kernel,
                stride,
                padding,
                dilation,
                ..PLAIN
            });
        }
    }
}

#[test]
fn groups_see_their_own_channels_only() {
    for (groups, inputs, outputs) in [(2, 4, 6), (3, 3, 6), (5, 5, 5), (4, 8, 4)] {
        check_both(Conv2d { batch: 2, groups, inputs, outputs, stride: [2, 1], padding: [1, 0], ..PLAIN });
    }
}

#[test]
fn long_inner_dimensions_and_many_pixels_are_cut_and_joined() {
    // More than one inner block, more than one group of strips, more than one band, work for several threads.
    check_both(Conv2d { batch: 3, inputs: 31, outputs: 33, size: [23, 21], padding: [1, 1], ..PLAIN });
    check::<f32>(&Conv2d { inputs: 8, outputs: 40, size: [61, 67], kernel: [5, 5], padding: [2, 2], ..PLAIN });
    check::<f32>(&Conv2d { batch: 2, inputs: 300, outputs: 70, size: [6, 6], kernel: [1, 1], ..PLAIN });
}

#[test]
fn sizes_of_zero_give_nothing_or_zeros() {
    for conv in [
        Conv2d { batch: 0, ..PLAIN },
        Conv2d { inputs: 0, outputs: 2, ..PLAIN },
        Conv2d { outputs: 0, inputs: 2, ..PLAIN },
        Conv2d { size: [2, 9], ..PLAIN }, // no window fits
    ] {
        check_both(conv);
    }
}

#[test]
fn an_infinity_reaches_its_own_windows_only() {
    let conv = Conv2d { size: [4, 40], padding: [1, 1], outputs: 2, ..PLAIN };
    let mut x = vec![1.0_f32; 160];
    x[39] = f32::INFINITY; // the end of the first row
    let (mut y, w) = (vec![0.0; 320], vec![1.0; 18]);
    conv2d(&conv, &x, &w, &mut y, Par::SEQUENTIAL);
    for (i, y) in y.iter().enumerate() {
        let (row, column) = (i / 40 % 4, i % 40);
        assert_eq!(y.is_finite(), !(row < 2 && column > 37), "row {row}, column {column}: {y}");
    }
    let mut w_bar = vec![0.0; 18];
    let y_bar: Vec<f32> = (0..320).map(|i| if i % 40 == 39 { 0.0 } else { 1.0 }).collect();
    // Only windows that contain the infinity: the filter's last column sees it from column 38, the first never does.
    conv2d_weight_adjoint(&conv, &x, &y_bar, &mut w_bar, Par::SEQUENTIAL);
    for (i, w_bar) in w_bar.iter().enumerate() {
        assert!(i % 3 != 0 || w_bar.is_finite(), "{i}: {w_bar}");
    }
}

#[test]
#[should_panic(expected = "have other lengths")]
fn operands_of_other_lengths_are_refused() {
    conv2d(&PLAIN, &[0.0; 29], &[0.0; 9], &mut [0.0; 12], Par::SEQUENTIAL);
}

#[test]
#[should_panic(expected = "more elements than memory can address")]
fn zeros_around_an_image_beyond_all_memory_are_refused() {
    // Their bytes, 2^64 and some, would wrap around to a size that there is room for.
    let conv = Conv2d {
        batch: 1,
        inputs: 1,
        outputs: 1,
        size: [1, 1],
        kernel: [2, 2],
        stride: [1, 1],
        padding: [1 << 30; 2],
        dilation: [(1 << 31) - 1; 2],
        groups: 1,
        algorithm: Algorithm::Direct,
    };
    conv2d(&conv, &[1.0_f32], &[1.0; 4], &mut [0.0; 4], Par::SEQUENTIAL);
}
