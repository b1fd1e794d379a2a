//! Reductions against going over every element, and what they say of nothing and of NaN.

use crate::{Shape, ShapeError, Tensor, keep, rng};

/// Small integers, whose sums are exact in any order.
fn integers(shape: impl Into<Shape>) -> Tensor<f64> {
    Tensor::uniform(shape, -9.0, 9.0, &mut rng(1)).map(f64::round)
}

/// Reduces with `f` by going over every index of the result and collecting the elements that belong to it.
fn reference(x: &Tensor<f64>, axes: &[usize], f: impl Fn(&[f64]) -> f64) -> Tensor<f64> {
    let kept: Shape = (0..x.rank()).filter(|axis| !axes.contains(axis)).map(|axis| x.dim(axis)).collect();
    Tensor::from_fn(kept, |index| {
        let mut lane = x.clone();
        let mut index = index.iter();
        for axis in 0..x.rank() {
            if !axes.contains(&axis) {
                let i = *index.next().unwrap();
                lane = lane.slice(axis, i..i + 1);
            }
        }
        f(&lane.to_vec())
    })
}

#[test]
fn every_set_of_axes_agrees_with_collecting_elements() {
    let x = integers([2, 3, 4, 5]);
    for view in [x.clone(), x.permute([3, 1, 0, 2]), x.flip(2).slice(3, ..3)] {
        for set in 0..16 {
            let axes: Vec<usize> = (0..4).filter(|axis| set >> axis & 1 == 1).collect();
            let sum = |v: &[f64]| v.iter().sum::<f64>();
            let max = |v: &[f64]| v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let min = |v: &[f64]| v.iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!(view.sum_axes(&axes[..]), reference(&view, &axes, sum), "{axes:?}");
            assert_eq!(view.max_axes(&axes[..]), reference(&view, &axes, max), "{axes:?}");
            assert_eq!(view.min_axes(&axes[..]), reference(&view, &axes, min), "{axes:?}");
            let kept: Vec<usize> = (0..4).map(|k| if axes.contains(&k) { 1 } else { view.dim(k) }).collect();
            assert_eq!(view.sum_axes(keep(&axes[..])).shape()[..], kept);
            assert_eq!(view.cast::<i64>().sum_axes(&axes[..]).cast::<f64>(), view.sum_axes(&axes[..]));
            assert_eq!(view.cast::<i32>().max_axes(&axes[..]).cast::<f64>(), view.max_axes(&axes[..]));
        }
    }
}

#[test]
fn positions_are_those_of_the_first_extreme() {
    let x = integers([4, 6, 3]);
    for axis in 0..3 {
        let first = |wanted: fn(&[f64]) -> f64| {
            reference(&x, &[axis], move |v| v.iter().position(|&x| x == wanted(v)).unwrap() as f64).cast::<i64>()
        };
        let largest = first(|v| v.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        let smallest = first(|v| v.iter().copied().fold(f64::INFINITY, f64::min));
        assert_eq!(x.argmax_axis(axis), largest);
        assert_eq!(x.argmin_axis(axis), smallest);
        assert_eq!(x.cast::<i64>().argmax_axis(axis), largest);
        assert_eq!(x.cast::<i64>().argmin_axis(axis), smallest);
    }
    let flat = x.to_vec();
    assert_eq!(flat[x.argmax()], x.max());
    assert!(flat[..x.argmax()].iter().all(|&other| other < x.max()));
    assert_eq!(x.cast::<i32>().argmin(), x.argmin());
}

#[test]
fn a_nan_is_the_largest_and_the_smallest() {
    let x = Tensor::from([[1.0, f64::NAN, 3.0], [4.0, 5.0, 6.0]]);
    assert!(x.max().is_nan() && x.min().is_nan());
    assert_eq!((x.argmax(), x.argmin()), (1, 1));
    let max = x.max_axes(1).to_vec();
    assert!(max[0].is_nan() && max[1] == 6.0);
    assert_eq!(x.argmax_axis(1).to_vec(), [1, 2]);
}

#[test]
fn what_has_no_value_over_nothing_is_an_error() {
    let empty = Tensor::<f64>::zeros([0, 3]);
    assert_eq!(
        empty.try_max_axes(0).unwrap_err().to_string(),
        "max: shape [0, 3] leaves no elements to reduce, and the max of nothing is not defined; check `is_empty()` first"
    );
    for op in [empty.try_mean().err(), empty.try_max().err(), empty.try_min().err()] {
        assert!(matches!(op, Some(ShapeError::Empty { .. })));
    }
    assert!(empty.try_argmax().is_err() && empty.try_argmin_axis(0).is_err() && empty.try_mean_axes(0).is_err());
    // The sum, the length and the count of nothing have one.
    assert_eq!((empty.sum(), empty.norm2()), (0.0, 0.0));
    assert_eq!(empty.sum_axes(0).to_vec(), [0.0; 3]);
    assert_eq!(empty.norm2_axes(0).to_vec(), [0.0; 3]);
    // And a reduction without results has nothing to complain about.
    assert!(empty.max_axes(1).is_empty() && empty.argmax_axis(1).is_empty() && empty.mean_axes(1).is_empty());
}

#[test]
fn means_divide_by_the_number_of_elements() {
    let x = Tensor::from([[1.0, 2.0, 6.0], [4.0, 5.0, 0.0]]);
    assert_eq!(x.mean(), 3.0);
    assert_eq!(x.mean_axes(1).to_vec(), [3.0, 3.0]);
    assert_eq!(x.mean_axes(keep(())), Tensor::from([[3.0]]));
}

#[test]
fn lengths_neither_overflow_nor_vanish() {
    for scale in [1e-200, 1.0, 1e200] {
        let x = Tensor::from([[3.0, 5.0], [4.0, 12.0]]) * scale;
        for (lengths, expected) in [(x.norm2_axes(0), [5.0, 13.0]), (x.norm2_axes(1), [34f64.sqrt(), 160f64.sqrt()])] {
            for (got, expected) in lengths.iter().zip(expected) {
                assert!((got / (expected * scale) - 1.0).abs() < 1e-15, "{got} at scale {scale}");
            }
        }
        assert!((x.norm2() / (194f64.sqrt() * scale) - 1.0).abs() < 1e-15);
    }
    let small = Tensor::from([[3e-30_f32, 0.0], [4e-30, 0.0]]);
    assert_eq!(small.norm2_axes(0).to_vec(), [5e-30, 0.0]);
    assert!(Tensor::from([f32::NAN, 1.0]).norm2().is_nan());
    assert_eq!(Tensor::from([f64::INFINITY, 1.0]).norm2(), f64::INFINITY);
}

#[test]
fn sums_of_many_single_precision_numbers_keep_their_digits() {
    let n = 10_000_000;
    let x = Tensor::<f32>::full([n], 0.1);
    let truth = f64::from(0.1_f32) * n as f64;
    assert!((f64::from(x.sum()) / truth - 1.0).abs() < 1e-7);
    for sums in [x.reshape([1_000_000, 10]).sum_axes(0), x.reshape([10, 1_000_000]).sum_axes(1)] {
        assert!(sums.iter().all(|sum| (f64::from(sum) * 10.0 / truth - 1.0).abs() < 1e-7));
    }
}

#[test]
fn summing_to_a_shape_is_the_adjoint_of_broadcasting() {
    let y = integers([2, 3, 4]);
    for shape in [&[2, 3, 4][..], &[4], &[3, 1], &[1, 4], &[2, 1, 1], &[1, 1, 1], &[]] {
        let x = integers(shape);
        // <broadcast(x), y> = <x, sum_to(y)>
        assert_eq!(x.broadcast_to([2, 3, 4]).dot(&y), x.dot(&y.sum_to(shape)), "{shape:?}");
    }
    assert_eq!(*Tensor::<f64>::zeros([3, 0]).sum_to([3, 1]).shape(), [3, 1]);
    assert_eq!(
        y.try_sum_to(&Shape::from([2])).unwrap_err().to_string(),
        "sum_to: shape [2] does not broadcast to [2, 3, 4]; aligned at the last axis, every dimension must be equal to the target's or 1"
    );
    assert!(y.try_sum_to(&Shape::from([1, 2, 3, 4])).is_err());
}

#[test]
fn truth_values_are_counted() {
    let x = Tensor::from([[true, true, false], [true, false, false]]);
    assert_eq!((x.count(), x.all(), x.any()), (3, false, true));
    assert_eq!(x.count_axes(0).to_vec(), [2, 1, 0]);
    assert_eq!(x.all_axes(0).to_vec(), [true, false, false]);
    assert_eq!(x.any_axes(keep(1)), Tensor::from([[true], [true]]));
    let none = Tensor::<bool>::zeros([0, 2]);
    assert!(none.all() && !none.any());
    assert_eq!(none.all_axes(0).to_vec(), [true, true]);
}

#[test]
fn large_integers_wrap_in_i64_only() {
    assert_eq!(Tensor::full([1000], 255_u8).sum(), 255_000);
    assert_eq!(Tensor::from([u32::MAX, u32::MAX]).sum(), 2 * i64::from(u32::MAX));
    assert_eq!(Tensor::from([i64::MAX, 1]).sum(), i64::MIN);
}

#[test]
fn empty_tensors_may_have_axes_that_multiply_beyond_counting() {
    const MANY: usize = 1 << 40;
    let x = Tensor::<f64>::zeros([MANY, MANY, 0]);
    assert_eq!(*x.sum_axes([0, 1]).shape(), [0]);
    assert_eq!(*Tensor::<f64>::zeros([2, 0, MANY, MANY]).sum_axes([0, 2, 3]).shape(), [0]);
}
