//! Against sums in `f64` by index, at every level and on any number of threads; and what must not leak.

use super::*;
use crate::conv::{
    conv2d_at, conv2d_input_adjoint_at, conv2d_weight_adjoint_at,
    tests::{check_bias, products},
    whole,
};
use crate::numbers::numbers;

const PLAIN: Conv2d = Conv2d {
    batch: 3,
    inputs: 32,
    outputs: 32,
    size: [14, 14],
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
    groups: 1,
    algorithm: Algorithm::Tiles2,
};

/// The errors of a result over the root mean square of what it should be: their root mean square, and the largest.
fn errors(got: &[f32], want: &[f64]) -> (f64, f64) {
    let mean_square = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>() / want.len() as f64;
    let scale = mean_square(&mut want.iter().copied()).sqrt();
    let errors = || got.iter().zip(want).map(|(&got, want)| f64::from(got) - want);
    (mean_square(&mut errors()).sqrt() / scale, errors().fold(0.0, |most: f64, e| most.max(e.abs())) / scale)
}

/// The three results, computed at a level.
fn all(level: Level, conv: &Conv2d, [x, w, y_bar]: [&[f32]; 3], threads: usize) -> [Vec<f32>; 3] {
    let par = Par::new(threads);
    let nan = |len: usize| vec![f32::NAN; len];
    let (mut y, mut x_bar, mut w_bar) = (nan(y_bar.len()), nan(x.len()), nan(w.len()));
    conv2d_at(level, conv, x, w, None, whole(conv, &mut y), par);
    conv2d_input_adjoint_at(level, conv, w, y_bar, &mut x_bar, par);
    conv2d_weight_adjoint_at(level, conv, x, y_bar, &mut w_bar, par);
    [y, x_bar, w_bar]
}

fn operands(conv: &Conv2d) -> [Vec<f32>; 3] {
    let [x, w, y] = conv.lengths();
    [numbers(x, 1), numbers(w, 2), numbers(y, 3)]
}

fn check(conv: Conv2d) {
    let portable = cfg!(target_arch = "x86_64") && simd_level() == Level::Portable;
    assert_eq!(tile(simd_level(), &conv).is_none(), portable, "{conv:?}");
    let operands = operands(&conv);
    let [x, w, y_bar] = &operands;
    let mut want = operands.each_ref().map(|operand| vec![0.0_f64; operand.len()]);
    products(&conv, |i, j, k| {
        let [x, w, y_bar] = [x[i], w[j], y_bar[k]].map(f64::from);
        want[2][k] += x * w;
        want[0][i] += w * y_bar;
        want[1][j] += x * y_bar;
    });
    let want = [&want[2], &want[0], &want[1]];
    let operands = [&x[..], w, y_bar];
    for level in Level::available() {
        let direct = all(level, &Conv2d { algorithm: Algorithm::Direct, ..conv }, operands, 1);
        let one = all(level, &conv, operands, 1);
        check_bias(level, &conv, x, w, &one[0]);
        let large = tile(level, &conv) == Some(4);
        for (what, ((got, direct), want)) in ["y", "x_bar", "w_bar"].iter().zip(one.iter().zip(&direct).zip(want)) {
            // Of the direct sum's error, measured here, and a tenth for chance. In `w_bar` fewer products are summed
            // than tiles add.
            let allowed = match (large, *what) {
                (false, "w_bar") => 2.5,
                (false, _) => 1.1,
                (true, _) => 4.0,
            };
            let ((rms, most), (direct, _)) = (errors(got, want), errors(direct, want));
            assert!(
                rms < allowed * direct && most < 12.0 * allowed * direct,
                "{level:?} {what} {conv:?}: {rms:e}, {most:e}, direct {direct:e}"
            );
        }
        for threads in [2, 3, 8] {
            assert!(
                one == all(level, &conv, operands, threads),
                "{level:?} {conv:?}: {threads} threads change the bits"
            );
        }
    }
}

#[test]
fn errors_are_those_of_the_direct_sum_whatever_the_sizes() {
    for size in [[14, 14], [13, 15], [16, 37], [70, 8]] {
        check(Conv2d { size, ..PLAIN });
    }
    check(Conv2d { batch: 5, size: [7, 7], ..PLAIN });
    check(Conv2d { batch: 1, inputs: 33, outputs: 47, size: [18, 25], ..PLAIN });
    // More than an inner block of channels, and a tile row wider than a block.
    check(Conv2d { batch: 1, inputs: 270, outputs: 34, size: [17, 16], ..PLAIN });
    check(Conv2d { batch: 1, size: [4, 230], ..PLAIN });
}

#[test]
fn errors_of_large_tiles_are_a_few_times_the_direct_sums() {
    let plain = Conv2d { algorithm: Algorithm::Tiles4, size: [28, 28], ..PLAIN };
    if simd_level() > Level::Portable {
        assert_eq!(tile(simd_level(), &plain), Some(4));
    }
    for (size, padding) in [([28, 28], [1, 1]), ([27, 30], [0, 2]), ([13, 66], [2, 1])] {
        check(Conv2d { size, padding, ..plain });
    }
    check(Conv2d { batch: 2, groups: 2, inputs: 68, outputs: 94, ..plain });
}

#[test]
fn padding_may_differ_between_the_axes() {
    for padding in [[0, 0], [0, 2], [1, 0], [2, 1], [2, 2]] {
        check(Conv2d { size: [15, 14], padding, ..PLAIN });
    }
}

#[test]
fn groups_see_their_own_channels_only() {
    check(Conv2d { groups: 2, inputs: 64, outputs: 66, ..PLAIN });
    check(Conv2d { batch: 9, groups: 3, inputs: 96, outputs: 96, size: [9, 8], ..PLAIN });
}

#[test]
fn what_lies_beside_a_plane_does_not_leak_into_it() {
    let conv = Conv2d { batch: 2, inputs: 64, outputs: 64, groups: 2, size: [15, 13], ..PLAIN };
    let operands = operands(&conv);
    let [x_len, w_len, y_len] = operands.each_ref().map(Vec::len);
    let clean = all(simd_level(), &conv, operands.each_ref().map(|operand| &operand[..]), 1);
    // The second group of the first image, and so its neighbours in memory on both sides, is NaN.
    let spoiled = |operand: &[f32]| {
        let quarter = operand.len() / 4;
        let mut operand = operand.to_vec();
        operand[quarter..2 * quarter].fill(f32::NAN);
        operand
    };
    let (x, y_bar) = (spoiled(&operands[0]), spoiled(&operands[2]));
    let [y, x_bar, w_bar] = all(simd_level(), &conv, [&x, &operands[1], &y_bar], 1);
    for (got, want, len) in [(&y, &clean[0], y_len), (&x_bar, &clean[1], x_len)] {
        let quarter = len / 4;
        assert_eq!(got[..quarter], want[..quarter]);
        assert!(got[quarter..2 * quarter].iter().all(|y| y.is_nan()));
        assert_eq!(got[2 * quarter..], want[2 * quarter..]);
    }
    assert_eq!(w_bar[..w_len / 2], clean[2][..w_len / 2]);
    assert!(w_bar[w_len / 2..].iter().all(|w_bar| w_bar.is_nan()));
}

#[test]
fn a_nan_reaches_the_windows_it_lies_in_and_no_others() {
    let conv = Conv2d { batch: 2, size: [16, 16], ..PLAIN };
    let operands = operands(&conv);
    // Every place in a tile.
    for (row, column) in [(5, 6), (6, 5), (5, 5), (6, 6), (0, 15)] {
        let spoiled = operands.each_ref().map(|operand| {
            let mut operand = operand.clone();
            operand[row * 16 + column] = f32::NAN;
            operand
        });
        let [y, ..] = all(simd_level(), &conv, [&spoiled[0], &operands[1], &operands[2]], 1);
        let [_, x_bar, _] = all(simd_level(), &conv, [&operands[0], &operands[1], &spoiled[2]], 1);
        for got in [y, x_bar] {
            for (i, got) in got.iter().enumerate() {
                let (r, q) = (i / 16 % 16, i % 16);
                let near = i < 32 * 256 && r.abs_diff(row) <= 1 && q.abs_diff(column) <= 1;
                assert_eq!(got.is_nan(), near, "image {}, row {r}, column {q}: {got}", i / (32 * 256));
            }
        }
    }
}

#[test]
fn windows_of_zeros_give_exact_zeros() {
    let conv = Conv2d { batch: 2, size: [16, 16], ..PLAIN };
    let mut operands = operands(&conv);
    for operand in [0, 2] {
        for (i, number) in operands[operand].iter_mut().enumerate() {
            if (4..9).contains(&(i / 16 % 16)) && (3..8).contains(&(i % 16)) {
                *number = 0.0;
            }
        }
    }
    let [y, x_bar, _] = all(simd_level(), &conv, operands.each_ref().map(|operand| &operand[..]), 1);
    for got in [y, x_bar] {
        for (i, &got) in got.iter().enumerate() {
            let inside = (5..8).contains(&(i / 16 % 16)) && (4..7).contains(&(i % 16));
            assert_eq!(got == 0.0, inside, "{i}: {got}");
        }
    }
}

#[test]
fn few_channels_other_windows_and_strictness_are_summed_directly() {
    for conv in [
        Conv2d { inputs: 31, ..PLAIN },
        Conv2d { outputs: 31, ..PLAIN },
        Conv2d { groups: 2, inputs: 64, ..PLAIN },
        Conv2d { kernel: [3, 2], ..PLAIN },
        Conv2d { stride: [1, 2], ..PLAIN },
        Conv2d { dilation: [2, 1], ..PLAIN },
        Conv2d { padding: [3, 1], ..PLAIN },
        Conv2d { size: [3, 3], batch: 100, ..PLAIN }, // four tiles for nine results
        Conv2d { batch: 1, ..PLAIN },                 // few tiles for many filters
        Conv2d { algorithm: Algorithm::Direct, ..PLAIN },
    ] {
        assert!(tile(simd_level(), &conv).is_none(), "{conv:?}");
    }
}
