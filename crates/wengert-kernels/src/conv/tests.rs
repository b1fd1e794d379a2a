//! The three convolutions against their definition, summed in `f64` by index, at every level and on any number of
//! threads.

use super::*;
use crate::numbers::numbers;
use crate::pool::max_pool2d;

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
            conv2d_at(level, conv, &x, &w, None, whole(conv, &mut y), par);
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

/// A bias is what would be added to `y`, and a pooling behind it the pooling of that, on any number of threads.
pub(super) fn check_bias<F: Float>(level: Level, conv: &Conv2d, x: &[F], w: &[F], y: &[F]) {
    let bias = numbers::<F>(conv.outputs, 4);
    let [rows, columns] = conv.output_size();
    let planes = y.chunks((rows * columns).max(1)).zip(bias.iter().cycle());
    let sums: Vec<F> = planes.flat_map(|(y, &b)| y.iter().map(move |&y| y + b)).collect();
    for threads in [1, 2, 3, 8] {
        let mut got = vec![F::NAN; y.len()];
        conv2d_at(level, conv, x, w, Some(&bias), whole(conv, &mut got), Par::new(threads));
        assert!(got == sums, "{level:?} {conv:?}: the bias is not what is added, on {threads} threads");
    }
    for (kernel, stride, padding) in [([2, 2], [2, 2], [0, 0]), ([3, 2], [2, 1], [1, 1])] {
        let pool = Pool2d { size: [rows, columns], kernel, stride, padding };
        let len = y.len() / (rows * columns).max(1) * pool.planes()[1];
        let (mut want, mut want_at) = (vec![F::NAN; len], vec![9; len]);
        max_pool2d(&pool, &sums, &mut want, &mut want_at, Par::SEQUENTIAL);
        for threads in [1, 2, 3, 8] {
            let (mut got, mut at) = (vec![F::NAN; len], vec![9; len]);
            let target = Target::Pooled { pool: &pool, spans: &pool.spans(), y: &mut got, at: &mut at };
            if len > 0 {
                conv2d_at(level, conv, x, w, Some(&bias), target, Par::new(threads));
            }
            assert!(got == want && at == want_at, "{level:?} {conv:?} {pool:?}, {threads} threads: pooled otherwise");
        }
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

/// Both adjoints from a pooled cotangent, against the definition's products with it, put at its places.
fn check_pooled<F: Float>(conv: &Conv2d, windows: usize) {
    let [x_len, w_len, y_len] = conv.lengths();
    let plane = y_len / (conv.batch * conv.outputs);
    let (x, w) = (numbers::<F>(x_len, 1), numbers::<F>(w_len, 2));
    // Every third is zero, as behind a rectifier, and places repeat, as where windows overlap.
    let mut y_bar = numbers::<F>(conv.batch * conv.outputs * windows, 3);
    y_bar.iter_mut().step_by(3).for_each(|y_bar| *y_bar = F::ZERO);
    let at: Vec<u32> = (0..y_bar.len()).map(|i| (i * 7919 % 1013 % plane) as u32).collect();
    let mut all = vec![Vec::new(); y_len];
    for (i, (&y_bar, &at)) in y_bar.iter().zip(&at).enumerate() {
        all[i / windows * plane + at as usize].push(y_bar);
    }
    let (mut x_bar, mut w_bar): (Sums, Sums) = (vec![(0.0, 0.0); x_len], vec![(0.0, 0.0); w_len]);
    products(conv, |i, j, k| {
        let add = |sum: &mut (f64, f64), a: F, b: F| {
            let term = a.to_f64() * b.to_f64();
            *sum = (sum.0 + term, sum.1 + term.abs());
        };
        for &y_bar in &all[k] {
            add(&mut x_bar[i], w[j], y_bar);
            add(&mut w_bar[j], x[i], y_bar);
        }
    });
    let [kh, kw] = conv.kernel;
    for level in Level::available() {
        let both = |threads: usize| {
            let par = Par::new(threads);
            let (mut x_bar, mut w_bar) = (vec![F::NAN; x_len], vec![F::NAN; w_len]);
            pooled::input_adjoint_at(level, conv, &w, &y_bar, &at, &mut x_bar, par);
            pooled::weight_adjoint_at(level, conv, &x, &y_bar, &at, &mut w_bar, par);
            [x_bar, w_bar]
        };
        let one = both(1);
        close(&format!("{level:?} pooled x_bar"), conv, &one[0], &x_bar, conv.outputs / conv.groups * kh * kw);
        close(&format!("{level:?} pooled w_bar"), conv, &one[1], &w_bar, conv.batch * windows);
        for threads in [2, 3, 8] {
            assert!(one == both(threads), "{level:?} {conv:?}: {threads} threads change the bits");
        }
    }
}

#[test]
fn pooled_adjoints_equal_the_definition_whatever_the_sizes() {
    let channels = [(1, 1), (1, 5), (2, 3), (3, 4), (6, 2), (11, 3), (16, 9), (17, 4), (33, 3), (45, 2), (70, 2)];
    for (inputs, outputs) in channels {
        for (kernel, padding) in [([3, 3], [1, 1]), ([1, 2], [0, 1]), ([5, 4], [2, 3])] {
            let conv = Conv2d { batch: 3, inputs, outputs, kernel, padding, ..PLAIN };
            check_pooled::<f32>(&conv, 5);
            check_pooled::<f64>(&conv, 5);
        }
    }
    for (stride, dilation, groups) in
        [([2, 3], [1, 1], 1), ([1, 2], [2, 1], 2), ([1, 1], [1, 2], 2), ([2, 1], [2, 3], 4)]
    {
        let conv = Conv2d { batch: 9, inputs: 4, outputs: 8, size: [9, 11], stride, dilation, groups, ..PLAIN };
        check_pooled::<f32>(&conv, 7);
        check_pooled::<f64>(&conv, 7);
    }
    // Work for several threads, and more vectors of a run than are summed at a time.
    check_pooled::<f32>(&Conv2d { batch: 5, inputs: 64, outputs: 20, size: [13, 14], padding: [1, 1], ..PLAIN }, 42);
    // Short runs, whose windows are too many to be brought together.
    check_pooled::<f32>(&Conv2d { batch: 2, outputs: 3, size: [72, 71], ..PLAIN }, 1100);
}

#[test]
fn numbers_that_are_not_finite_stay_with_their_places() {
    let conv = Conv2d { batch: 1, inputs: 3, size: [4, 20], padding: [1, 1], outputs: 2, ..PLAIN };
    let (w, at) = (vec![1.0_f32; 54], [0, 70, 0, 70]);
    for number in [f32::NAN, f32::INFINITY] {
        for level in Level::available() {
            let mut x_bar = vec![0.0; 240];
            pooled::input_adjoint_at(level, &conv, &w, &[number, 1.0, 0.0, 2.0], &at, &mut x_bar, Par::SEQUENTIAL);
            for (i, x_bar) in x_bar.iter().enumerate() {
                let (row, column) = (i / 20 % 4, i % 20);
                assert_eq!(x_bar.is_finite(), row > 1 || column > 1, "{level:?} {number}, {row}, {column}: {x_bar}");
            }
            // A place without a cotangent does not see what is there.
            let mut x = vec![1.0; 240];
            x[0] = number;
            let mut w_bar = vec![0.0; 54];
            pooled::weight_adjoint_at(level, &conv, &x, &[1.0, 1.0, 0.0, 1.0], &at, &mut w_bar, Par::SEQUENTIAL);
            // Of the first filter the entry that lies on the number, and nothing of the second.
            let not_finite: Vec<usize> = (0..54).filter(|&i| !w_bar[i].is_finite()).collect();
            assert_eq!(not_finite, [4], "{level:?}");
        }
    }
}

#[test]
fn pooled_planes_of_nothing_give_zeros() {
    let (mut w_bar, mut x_bar) = ([f32::NAN; 9], [f32::NAN; 30]);
    conv2d_pooled_weight_adjoint(&PLAIN, &[1.0; 30], &[], &[], &mut w_bar, Par::SEQUENTIAL);
    conv2d_pooled_input_adjoint(&PLAIN, &[1.0; 9], &[], &[], &mut x_bar, Par::SEQUENTIAL);
    assert_eq!((w_bar, x_bar), ([0.0; 9], [0.0; 30]));
}

#[test]
#[should_panic(expected = "out of bounds")]
fn places_outside_their_plane_are_refused() {
    conv2d_pooled_weight_adjoint(&PLAIN, &[1.0; 30], &[1.0], &[12], &mut [0.0; 9], Par::SEQUENTIAL);
}

#[test]
fn a_pooling_takes_ties_and_what_is_not_a_number_as_it_does_alone() {
    let conv = Conv2d { batch: 2, inputs: 2, outputs: 5, size: [6, 9], kernel: [1, 1], ..PLAIN };
    let pool = Pool2d { size: [6, 9], kernel: [2, 3], stride: [2, 2], padding: [0, 1] };
    let mut x: Vec<f64> = (0..216).map(|i| f64::from(i * 31 % 4)).collect();
    (x[17], x[100]) = (f64::NAN, f64::INFINITY);
    let (w, bias) = ([1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 1.0, -1.0, 0.0, 0.0], [0.0, 1.0, -0.0, 2.0, f64::NEG_INFINITY]);
    let mut y = vec![0.0; 540];
    conv2d_with_bias(&conv, &x, &w, &bias, &mut y, Par::SEQUENTIAL);
    let len = 10 * pool.planes()[1];
    let (mut want, mut want_at, mut got, mut at) = (vec![0.0; len], vec![0; len], vec![0.0; len], vec![0; len]);
    max_pool2d(&pool, &y, &mut want, &mut want_at, Par::SEQUENTIAL);
    conv2d_max_pool2d(&conv, &pool, &x, &w, &bias, (&mut got, &mut at), Par::SEQUENTIAL);
    assert_eq!(at, want_at);
    assert!(got.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn without_channels_the_biases_are_pooled() {
    let conv = Conv2d { batch: 2, inputs: 0, outputs: 2, ..PLAIN };
    let pool = Pool2d { size: [3, 4], kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    let (mut y, mut at) = ([f32::NAN; 8], [9; 8]);
    conv2d_max_pool2d(&conv, &pool, &[], &[], &[0.5, 2.0], (&mut y, &mut at), Par::SEQUENTIAL);
    assert_eq!((y, at), ([0.5, 0.5, 2.0, 2.0, 0.5, 0.5, 2.0, 2.0], [0, 2, 0, 2, 0, 2, 0, 2]));
}

#[test]
#[should_panic(expected = "a pooling of other planes")]
fn a_pooling_of_other_planes_is_refused() {
    let pool = Pool2d { size: [5, 6], kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    conv2d_max_pool2d(&PLAIN, &pool, &[0.0; 30], &[0.0; 9], &[0.0], (&mut [0.0; 6], &mut [0; 6]), Par::SEQUENTIAL);
}
