//! Every rule has two ways: fused loops on values, and ops emitted to the tape. This compares them, on random tensors
//! of many shapes, to first order and, through the emitted ops' own rules, to second; and no rule is left out.

use super::{Rule, TensorOp, zip_map, zip_map_mean, zip_map_sum};
use crate::tape::Tape;
use crate::tensor::TensorVar;
use std::cell::RefCell;
use std::collections::BTreeSet;
use wengert_kernels::{Binary, BinaryFunctions, ParametricFunctions, Unary, UnaryFunctions};
use wengert_tensor::{
    Attention, Convolution, Convolution3d, Interpolation, MatrixNorm, Pooling, Reduction, ShapeError, Tensor,
    TransposedConvolution, Windows, keep,
};

type Var<'t> = TensorVar<'t, f64>;

/// Numbers from a linear congruential generator (Knuth, MMIX) and the names of the rules met.
struct Walk {
    state: RefCell<u64>,
    met: RefCell<BTreeSet<&'static str>>,
}

impl Walk {
    fn number(&self, low: f64, high: f64) -> f64 {
        let mut state = self.state.borrow_mut();
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((*state >> 11) as f64 / (1_u64 << 53) as f64)
    }

    fn tensor(&self, shape: &[usize], low: f64, high: f64) -> Tensor<f64> {
        Tensor::from_fn(shape.to_vec(), |_| self.number(low, high))
    }

    /// Compares the two ways of `f` on inputs of these shapes, drawn from `domain`.
    fn agree<const N: usize>(
        &self,
        what: &str,
        shapes: [&[usize]; N],
        domain: [(f64, f64); N],
        f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>,
    ) {
        let tape = Tape::<f64>::new();
        let x: [Var<'_>; N] = core::array::from_fn(|k| tape.tensor(self.tensor(shapes[k], domain[k].0, domain[k].1)));
        let y = f(x);
        let seed = self.tensor(&y.shape(), -1.0, 1.0);
        let fused = y.vjp(&seed);
        let loss = (y * tape.constant_tensor(&seed)).sum();
        let emitted = loss.recorded_gradient(x);
        for (k, x_bar) in emitted.iter().enumerate() {
            close(&format!("{what}, operand {k} of shapes {shapes:?}"), &fused[x[k]], &x_bar.value());
        }
        // Forward mode, on values and recorded, against the product with the emitted gradient's derivative in the seed.
        let u = tape.tensor(self.tensor(&y.shape(), -1.0, 1.0));
        let v = x.map(|x| self.tensor(&x.shape(), -1.0, 1.0));
        let along = (y * u).sum().recorded_gradient(x).into_iter().zip(&v);
        let along = along.map(|(x_bar, v)| (x_bar * tape.constant_tensor(v)).sum()).reduce(|sum, term| sum + term);
        let along = along.expect("there are operands").gradient();
        let of = format!("{what}, operands of shapes {shapes:?}");
        close(&format!("{of}, tangent"), &y.jvp(x, v.each_ref()), &along[u]);
        let recorded = y.recorded_jvp(x, v.each_ref().map(|v| tape.constant_tensor(v)));
        close(&format!("{of}, recorded tangent"), &recorded.value(), &along[u]);
        // The tangent's gradient is the Hessian's product with the direction.
        let weighted = (recorded * tape.constant_tensor(&seed)).sum();
        let curved = loss.hvp(x, v.each_ref());
        for (k, (x, expected)) in x.into_iter().zip(&curved).enumerate() {
            let got = if weighted.is_active() { weighted.gradient()[x].clone() } else { Tensor::zeros(x.shape()) };
            close(&format!("{of}, gradient of the tangent, operand {k}"), &got, expected);
        }
        // Second order: the pullbacks of the ops just emitted, in the same two ways.
        let v = emitted.map(|x_bar| self.tensor(&x_bar.shape(), -1.0, 1.0));
        let weighted: Vec<_> =
            emitted.iter().zip(&v).map(|(&x_bar, v)| (x_bar * tape.constant_tensor(v)).sum()).collect();
        let second = weighted.into_iter().reduce(|sum, term| sum + term).expect("there are operands");
        let fused = second.gradient();
        // Beyond the last derivative there is of a special function the recorded one is NaN, a constant.
        let known = emitted.iter().all(|x_bar| x_bar.value().iter().all(|x_bar| !x_bar.is_nan()));
        // And the gradient left out, as far as nobody reads it.
        let product = loss.hvp(x, v.each_ref());
        for (k, x_bar) in second.recorded_gradient(x).iter().enumerate() {
            let expected = if second.is_active() { fused[x[k]].clone() } else { Tensor::zeros(x[k].shape()) };
            let of = format!("{what}, operand {k} of shapes {shapes:?}");
            close(&format!("{of}, second order"), &expected, &x_bar.value());
            close(&format!("{of}, Hessian product"), &product[k], &x_bar.value());
            if known {
                close(&format!("{of}, forward over reverse"), &emitted[k].jvp(x, v.each_ref()), &product[k]);
            }
        }
        self.met.borrow_mut().extend(tape.rule_names());
    }
}

#[track_caller]
fn close(what: &str, fused: &Tensor<f64>, emitted: &Tensor<f64>) {
    assert_eq!(fused.shape(), emitted.shape(), "{what}");
    let scale = emitted.iter().filter(|x| !x.is_nan()).fold(1.0_f64, |scale, x| scale.max(x.abs()));
    for (a, b) in fused.iter().zip(emitted.iter()) {
        // Beyond the last derivative there is of a special function both say NaN.
        let agree = (a - b).abs() <= 1e-12 * scale || a.is_nan() && b.is_nan();
        assert!(agree, "{what}: fused {a:e}, emitted {b:e}");
    }
}

/// The elementwise product as a user would write it.
struct Product;
impl TensorOp for Product {
    fn name(&self) -> &'static str {
        "product"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
        x[0].try_zip_binary(Binary::Mul, x[1])
    }
    fn vjp<'t>(&self, x: &[Var<'t>], _y: Var<'t>, y_bar: Var<'t>, _wanted: &[bool]) -> Vec<Option<Var<'t>>> {
        vec![Some(y_bar * x[1]), Some(y_bar * x[0])]
    }
}

#[test]
fn the_fused_and_the_emitted_pullback_of_every_rule_agree() {
    let walk = Walk { state: RefCell::new(20), met: RefCell::default() };
    let wide = (-2.0, 2.0);
    let one: [&[usize]; 5] = [&[], &[1], &[7], &[3, 4], &[2, 0, 3]];
    for &op in Unary::ALL {
        for shape in one {
            walk.agree(op.name(), [shape], [op.domain()], |[x]| x.try_unary(op).expect("any shape"));
        }
    }
    let two: [[&[usize]; 2]; 7] = [
        [&[], &[]],
        [&[5], &[5]],
        [&[3, 4], &[4]],
        [&[3, 1], &[1, 4]],
        [&[], &[2, 3]],
        [&[2, 3], &[1]],
        [&[0, 3], &[3]],
    ];
    for &op in Binary::ALL {
        for shapes in two {
            walk.agree(op.name(), shapes, op.domain(), |[a, b]| a.try_zip(op, b).expect("shapes that broadcast"));
        }
        // One operand twice.
        let [(low, high), (b_low, b_high)] = op.domain();
        let both = (low.max(b_low), high.min(b_high));
        if both.0 < both.1 && !matches!(op, Binary::Maximum | Binary::Minimum) {
            walk.agree(op.name(), [&[3]], [both], |[x]| x.try_zip(op, x).expect("one shape"));
        }
    }
    for shape in one {
        for n in [-2, 0, 1, 2, 5] {
            walk.agree("powi", [shape], [(0.5, 2.0)], |[x]| x.powi(n));
        }
        walk.agree("affine", [shape], [wide], |[x]| -(2.5 * x - 1.0) + 3.0);
        walk.agree("sum", [shape], [wide], |[x]| x.sum());
        walk.agree("sum, mean of squares", [shape], [wide], |[x]| (x * x).sum() * 0.5);
    }
    let three: [[&[usize]; 3]; 5] = [
        [&[2, 3], &[3], &[]],
        [&[3, 1], &[1, 4], &[3, 4]],
        [&[], &[], &[]],
        [&[0, 3], &[3], &[1]],
        [&[300], &[300], &[1]],
    ];
    for shapes in three {
        walk.agree("zip_map", shapes, [wide; 3], |x| {
            zip_map(x, |[x, w, b]| (x * w + b).tanh() * x.sigmoid() + (-x * x).exp())
        });
        walk.agree("zip_map of every kind of step", shapes, [(0.5, 2.0); 3], |x| {
            zip_map(x, |[a, b, c]| {
                let nary = crate::dot(&[a, b], &[b, c]) + crate::norm2(&[a, b, c]) + crate::log_sum_exp(&[a, c]);
                let sums = crate::sum(&[a, b, c, a * b, b * c, a, b, c, a]) * crate::product(&[a, b, c]);
                let arithmetic = a * b - c + (c - a / b) - (a * c - b) * (c - a * b);
                arithmetic + nary * sums + a.powi(3) * b.powf(1.5) - a.hypot(b).atan2(c) + b.detach() * c
            })
        });
        walk.agree("zip_map_sum", shapes, [wide; 3], |x| {
            zip_map_sum(x, |[a, b, c]| (a * b).sin() * c - a / (b.square() + 1.0))
        });
        if !shapes.concat().contains(&0) {
            walk.agree("zip_map_mean", shapes, [wide; 3], |x| zip_map_mean(x, |[a, b, c]| (a - b).tanh() * c.exp()));
        }
        walk.agree("zip_map, of constants", shapes, [wide; 3], |x| zip_map(x, |[a, _, _]| a * 0.0 + 3.0));
    }
    walk.agree("map", [&[3, 4]], [wide], |[x]| x.t().map(|x| x.relu() * x.softplus()));
    for shape in [&[2, 3][..], &[4, 1], &[2, 3, 2]] {
        for axis in [0, -1] {
            walk.agree("softmax", [shape], [wide], |[x]| x.softmax(axis));
            walk.agree("log_softmax", [shape], [wide], |[x]| x.log_softmax(axis));
            walk.agree("log_sum_exp", [shape], [wide], |[x]| x.log_sum_exp(axis));
            walk.agree("sum", [shape], [wide], |[x]| x.sum_axes(axis));
            walk.agree("sum, kept", [shape], [wide], |[x]| x.sum_axes(keep(axis)));
            walk.agree("mean", [shape], [wide], |[x]| x.mean_axes(axis));
            walk.agree("max", [shape], [wide], |[x]| x.max_axes(axis));
            walk.agree("min", [shape], [wide], |[x]| x.min_axes(axis));
            walk.agree("slice", [shape], [wide], |[x]| x.slice(axis, 0..1));
            walk.agree("slice, backwards", [shape], [wide], |[x]| x.flip(axis));
            // The pullback of a linear op is recorded only where what flows back depends on an input.
            walk.agree("embed", [shape], [wide], |[x]| x.slice(axis, 0..1).square());
            walk.agree("concat", [shape, shape], [wide; 2], |[a, b]| TensorVar::concat(&[a, b, a], axis));
            walk.agree("stack", [shape, shape], [wide; 2], |[a, b]| TensorVar::stack(&[a, b], axis));
        }
        walk.agree("max", [shape], [wide], |[x]| x.max());
        walk.agree("mean", [shape], [wide], |[x]| x.mean());
        walk.agree("mse", [shape, shape], [wide; 2], |[a, b]| a.mse(b));
        walk.agree("reshape", [shape], [wide], |[x]| x.reshape([x.shape().iter().product::<usize>()]));
    }
    walk.agree("softmax of nothing", [&[0, 3]], [wide], |[x]| x.softmax(-1));
    walk.agree("concat of nothing", [&[0, 3], &[2, 3]], [wide; 2], |[a, b]| TensorVar::concat(&[a, b], 0));
    walk.agree("broadcast_to", [&[3, 1]], [wide], |[x]| x.broadcast_to([2, 3, 4]));
    walk.agree("broadcast_to", [&[]], [wide], |[x]| x.broadcast_to([0, 2]));
    walk.agree("sum_to", [&[2, 3, 4]], [wide], |[x]| x.sum_to([3, 1]));
    walk.agree("permute", [&[2, 3, 4]], [wide], |[x]| x.permute([2, 0, 1]));
    walk.agree("permute", [&[0, 3]], [wide], |[x]| x.t());
    walk.agree("gather_rows", [&[4, 2]], [wide], |[x]| x.gather_rows(&[3_i64, 0, 3].into_iter().collect()));
    walk.agree("scatter_rows", [&[4, 2]], [wide], |[x]| x.gather_rows(&[3_i64, 0, 3].into_iter().collect()).square());
    walk.agree("cross_entropy", [&[3, 4]], [wide], |[x]| x.cross_entropy(&[3, 0, 3]));
    for (a, b) in [(&[2, 3][..], &[3, 4][..]), (&[3], &[3]), (&[2, 3], &[3]), (&[5, 2, 3], &[3, 4]), (&[0, 3], &[3, 2])]
    {
        walk.agree("matmul", [a, b], [wide; 2], |[a, b]| a.matmul(b));
    }
    for (x, w) in [(&[2, 3][..], &[4, 3][..]), (&[5, 2, 3], &[1, 3]), (&[1, 1], &[2, 1]), (&[0, 3], &[2, 3])] {
        walk.agree("linear", [x, w, &w[..1]], [wide; 3], |[x, w, b]| x.linear(w, b));
    }
    walk.agree("linear, one factor twice", [&[3, 3], &[3]], [wide; 2], |[x, b]| x.linear(x, b));
    walk.agree("matmul, one factor twice", [&[3, 3]], [wide], |[a]| a.matmul_t(true, a.matmul(a), false));
    walk.agree("matmul, rows of a batch", [&[5, 2, 3], &[4, 3]], [wide; 2], |[a, b]| a.matmul_t(false, b, true));
    for (ta, tb) in [(false, true), (true, false), (true, true)] {
        let turned = |t: bool, m: usize, n: usize| if t { [n, m] } else { [m, n] };
        let (a, b) = (turned(ta, 2, 3), turned(tb, 3, 4));
        walk.agree("matmul_t", [&a, &b], [wide; 2], |[a, b]| a.matmul_t(ta, b, tb));
    }
    let options = Convolution::new();
    for (x, w, options) in [
        ([2, 3, 5, 6], [4, 3, 3, 2], options.padding(1)),
        ([2, 4, 6, 5], [6, 2, 2, 3], options.groups(2).stride([2, 1])),
        ([1, 2, 7, 7], [3, 2, 2, 2], options.dilation([3, 2]).padding([3, 1])),
        ([2, 1, 7, 4], [2, 1, 1, 1], options.stride(3)),
        ([0, 2, 4, 4], [3, 2, 3, 3], options),
    ] {
        walk.agree("conv2d", [&x, &w], [wide; 2], |[x, w]| x.conv2d(w, &options));
        walk.agree("conv2d_with_bias", [&x, &w, &w[..1]], [wide; 3], |[x, w, b]| x.conv2d_with_bias(w, b, &options));
    }
    walk.agree("conv1d_with_bias", [&[2, 3, 7], &[4, 3, 3], &[4]], [wide; 3], |[x, w, b]| {
        x.conv1d_with_bias(w, b, &options.stride(2))
    });
    walk.agree("conv3d_with_bias", [&[1, 2, 3, 4, 3], &[4, 1, 2, 3, 2], &[4]], [wide; 3], |[x, w, b]| {
        x.conv3d_with_bias(w, b, &Convolution3d::new().groups(2).padding(1).stride([2, 1, 1]))
    });
    // Few places and, with windows side by side or overlapping, many; and groups.
    for (x, w, options, pooling) in [
        ([2, 3, 6, 7], [4, 3, 3, 3], Convolution::new().padding(1), Pooling::new(2)),
        ([2, 3, 6, 7], [4, 3, 3, 2], Convolution::new(), Pooling::new([3, 2]).stride(1).padding(1)),
        ([1, 4, 6, 6], [2, 2, 2, 3], Convolution::new().groups(2).dilation([1, 2]), Pooling::new(2)),
        ([0, 2, 4, 4], [3, 2, 3, 3], Convolution::new(), Pooling::new(2)),
    ] {
        let shapes: [&[usize]; 3] = [&x, &w, &w[..1]];
        walk.agree("conv2d_max_pool2d", shapes, [wide; 3], |[x, w, b]| x.conv2d_max_pool2d(w, b, &options, &pooling));
        walk.agree("conv2d_max_pool2d of a function", shapes, [wide; 3], |[x, w, b]| {
            x.square().conv2d_max_pool2d(w, b, &options, &pooling).square()
        });
    }
    walk.agree("conv1d", [&[2, 3, 7], &[4, 3, 3]], [wide; 2], |[x, w]| x.conv1d(w, &options.stride(2)));
    for pooling in [Pooling::new(2), Pooling::new([3, 2]).stride([1, 2]).padding(1), Pooling::new(1).stride(3)] {
        for shape in [[2, 3, 4, 5], [0, 1, 4, 4]] {
            walk.agree("max_pool2d", [&shape], [wide], |[x]| x.max_pool2d(&pooling));
            walk.agree("max_pool2d", [&shape], [wide], |[x]| x.max_pool2d(&pooling).square());
            walk.agree("max_pool2d of a function", [&shape], [wide], |[x]| x.square().max_pool2d(&pooling).square());
            walk.agree("avg_pool2d", [&shape], [wide], |[x]| x.avg_pool2d(&pooling));
            walk.agree("avg_pool2d", [&shape], [wide], |[x]| x.avg_pool2d(&pooling).square());
        }
    }
    for (x, w, options) in [
        ([2, 4, 2, 3], [4, 2, 3, 2], TransposedConvolution::new().stride([2, 1]).padding(1).output_padding([1, 0])),
        ([1, 4, 3, 1], [4, 1, 2, 2], TransposedConvolution::new().groups(2).dilation([1, 3])),
    ] {
        walk.agree("conv_transpose2d", [&x, &w], [wide; 2], |[x, w]| x.conv_transpose2d(w, &options));
    }
    walk.agree("conv3d", [&[1, 2, 3, 4, 3], &[4, 1, 2, 3, 2]], [wide; 2], |[x, w]| {
        x.conv3d(w, &Convolution3d::new().groups(2).padding(1).stride([2, 1, 1]))
    });
    for shape in [&[2, 3, 5, 4][..], &[0, 1, 5, 4]] {
        walk.agree("adaptive_avg_pool2d", [shape], [wide], |[x]| x.adaptive_avg_pool2d([2, 3]).square());
        walk.agree("adaptive_max_pool2d", [shape], [wide], |[x]| x.adaptive_max_pool2d([2, 3]).square());
        walk.agree("interpolate", [shape], [wide], |[x]| {
            x.interpolate([3, 7], Interpolation::Bilinear { align_corners: false }).square()
        });
        let windows = Windows::new([2, 3]).padding(1).stride([2, 1]);
        walk.agree("unfold", [shape], [wide], |[x]| x.unfold(&windows).square());
        walk.agree("fold", [shape], [wide], |[x]| x.unfold(&windows).square().fold([5, 4], &windows).square());
    }
    for shape in [&[5][..], &[2, 3], &[4, 1], &[2, 3, 2], &[2, 0, 3]] {
        for axis in [0, -1] {
            walk.agree("cumsum", [shape], [wide], |[x]| x.cumsum(axis));
            walk.agree("cumprod", [shape], [wide], |[x]| x.cumprod(axis));
            walk.agree("recurrence", [shape, shape], [wide; 2], |[a, b]| a.recurrence(b, axis));
            walk.agree("prod", [shape], [wide], |[x]| x.prod_axes(axis));
            walk.agree("norm2", [shape], [wide], |[x]| x.norm2_axes(keep(axis)));
            walk.agree("sort", [shape], [wide], |[x]| x.sort(axis).square());
            walk.agree("topk", [shape], [wide], |[x]| x.topk_values(1.min(x.shape()[0]), 0).square());
            walk.agree("cummax", [shape], [wide], |[x]| x.cummax_values(axis).square());
            walk.agree("cummin", [shape], [wide], |[x]| x.cummin_values(axis).square());
            walk.agree("norm", [shape], [wide], |[x]| x.norm_axes(3.0, keep(axis)));
        }
        walk.agree("prod", [shape], [wide], |[x]| x.prod());
        walk.agree("norm2", [shape], [wide], |[x]| x.norm2());
    }
    walk.agree("prod, two axes apart", [&[2, 3, 4]], [wide], |[x]| x.prod_axes([0, 2]));
    walk.agree("norm2 of zeros", [&[3]], [(0.0, 0.0)], |[x]| x.norm2());
    walk.agree("norm of zeros", [&[3]], [(0.0, 0.0)], |[x]| x.norm(3.0));
    for shape in [&[5][..], &[2, 3], &[4, 1], &[0, 3]] {
        walk.agree("median", [shape], [wide], |[x]| x.median_axes(-1).square());
        walk.agree("quantile, one place", [shape], [wide], |[x]| x.quantile_axes(1.0, -1).square());
        walk.agree("quantile, between two", [shape], [wide], |[x]| x.quantile_axes(0.3, -1).square());
    }
    let mask = Tensor::from([[true, false, true], [false, false, true]]);
    for [a, b] in [[&[2, 3][..], &[2, 3]], [&[3], &[2, 1]], [&[], &[2, 3]]] {
        walk.agree("select", [a, b], [wide; 2], |[a, b]| TensorVar::select(&mask, a, b).square());
    }
    let index = Tensor::from([[0, 2], [2, 2], [1, 0], [2, 1]]);
    walk.agree("gather", [&[3, 2]], [wide], |[x]| x.gather(0, &index));
    walk.agree("take_along_axis", [&[3, 2]], [wide], |[x]| x.take_along_axis(&Tensor::from([[1], [0]]), 0).square());
    walk.agree("pick, none", [&[3, 2]], [wide], |[x]| x.pick(&Tensor::from([4, -1, 4])));
    walk.agree("place", [&[3, 2]], [wide], |[x]| x.gather(0, &index).square());
    walk.agree("scatter_add", [&[3, 2], &[4, 2]], [wide; 2], |[x, s]| x.scatter_add(0, &index, s).square());
    walk.agree("scatter", [&[3, 2], &[4, 2]], [wide; 2], |[x, s]| x.scatter(0, &index, s).square());
    for reduction in [Reduction::Sum, Reduction::Prod, Reduction::Mean, Reduction::Max, Reduction::Min] {
        for include_self in [true, false] {
            walk.agree("scatter_reduce", [&[3, 2], &[4, 2]], [wide; 2], |[x, s]| {
                x.scatter_reduce(0, &index, s, reduction, include_self).square()
            });
        }
    }
    walk.agree("masked_select", [&[2, 3]], [wide], |[x]| x.masked_select(&mask).square());
    walk.agree("matrix_norm", [&[2, 3, 2]], [wide], |[x]| x.matrix_norm(MatrixNorm::One));
    for (x, n) in [(&[3, 4][..], 4), (&[2, 3, 1], 1), (&[2, 1, 5], 5), (&[0, 3], 3), (&[2, 0], 0)] {
        walk.agree("layer_norm", [x, &[n], &[n]], [wide; 3], |[x, w, b]| x.layer_norm([n], Some(w), Some(b), 0.1));
        walk.agree("layer_norm, no weight", [x, &[n]], [wide; 2], |[x, b]| x.layer_norm([n], None, Some(b), 0.1));
        walk.agree("rms_norm", [x, &[n]], [wide; 2], |[x, w]| x.rms_norm([n], Some(w), 0.1));
        walk.agree("rms_norm, no weight", [x], [wide], |[x]| x.rms_norm(x.shape(), None, 0.1));
    }
    walk.agree("layer_norm, two axes", [&[2, 3, 4], &[3, 4]], [wide; 2], |[x, w]| {
        x.layer_norm([3, 4], Some(w), None, 0.1)
    });
    for shape in [&[3, 4][..], &[2, 4, 3], &[2, 4, 1, 3]] {
        let channels: &[usize] = &[4];
        walk.agree("batch_norm", [shape, channels, channels], [wide; 3], |[x, w, b]| {
            x.batch_norm(Some(w), Some(b), 0.1).0
        });
        walk.agree("group_norm", [shape, channels, channels], [wide; 3], |[x, w, b]| {
            x.group_norm(2, Some(w), Some(b), 0.1)
        });
        walk.agree("instance_norm", [shape, channels], [wide; 2], |[x, w]| x.instance_norm(Some(w), None, 0.1));
        walk.agree("normalize", [shape], [wide], |[x]| x.normalize(-1, 0.1));
    }
    let mask = Tensor::from([[true, false, true], [false, false, false]]);
    walk.agree("masked_softmax", [&[2, 3]], [wide], |[x]| x.masked_softmax(&mask, -1));
    walk.agree("masked_softmax", [&[4, 2, 3]], [wide], |[x]| x.masked_softmax(&mask, 0));
    for [q, k, v] in [
        [&[2, 3][..], &[3, 3], &[3, 3]],
        [&[2, 2, 3], &[2, 3, 3], &[2, 3, 4]],
        [&[1, 2, 70, 2], &[1, 2, 3, 2], &[1, 2, 3, 1]],
        [&[2, 1], &[3, 1], &[3, 1]],
        [&[2, 0, 3], &[2, 3, 3], &[2, 3, 4]],
    ] {
        let l = q[q.len() - 2];
        let mask = Tensor::from_fn([l, 3], |at| (at[0] + at[1]) % 2 == 0 && at[0] != 1);
        for options in [Attention::new(), Attention::new().causal(), Attention::new().scale(0.7).mask(mask)] {
            walk.agree("attention", [q, k, v], [wide; 3], |[q, k, v]| q.scaled_dot_product_attention(k, v, &options));
        }
    }
    for (shape, heads) in [(&[3, 6][..], 1), (&[2, 4, 12], 2), (&[1, 2, 3, 9], 3), (&[0, 6], 2)] {
        let l = shape[shape.len() - 2];
        let mask = Tensor::from_fn([heads, l, l], |at| (at[0] + at[1] + at[2]) % 2 == 0 && at[1] != 1);
        for options in [Attention::new(), Attention::new().causal(), Attention::new().scale(0.7).mask(mask)] {
            walk.agree("self-attention", [shape], [wide], |[x]| x.self_attention(heads, &options));
        }
    }
    for [l, n, h] in [[1, 1, 1], [3, 2, 2], [5, 1, 3], [0, 2, 2]] {
        let shapes: [&[usize]; 4] = [&[l, n, 4 * h], &[4 * h, h], &[n, h], &[n, h]];
        walk.agree("lstm", shapes, [wide; 4], |[x, w, h, c]| x.lstm(w, h, c));
    }
    #[cfg(feature = "linalg")]
    linear_algebra(&walk);
    walk.agree("custom op", [&[2, 3], &[2, 3]], [wide; 2], |[a, b]| a.apply(Product, &[b]));
    let met = walk.met.into_inner();
    let left_out: Vec<_> = Rule::<f64>::NAMES.iter().filter(|name| !met.contains(*name)).collect();
    assert!(left_out.is_empty(), "no case here records the rules {left_out:?}");
}

#[cfg(feature = "linalg")]
fn linear_algebra(walk: &Walk) {
    use wengert_tensor::Triangle;
    let wide = (-1.0, 1.0);
    // Near the identity, and so regular, with `x xT` positive definite.
    fn near_one<'t>(x: Var<'t>) -> Var<'t> {
        let shape = x.shape();
        x * 0.25 + x.tape().constant_tensor(Tensor::eye(shape[shape.rank() - 1]))
    }
    for shape in [&[3, 3][..], &[1, 1], &[0, 0], &[2, 3, 3], &[2, 1, 2, 2], &[0, 2, 2]] {
        let rows = &shape[..shape.len() - 1];
        let right = [rows, &[2]].concat();
        walk.agree("cholesky", [shape], [wide], |[x]| near_one(x).cholesky());
        walk.agree("solve", [shape, &right], [wide; 2], |[a, b]| near_one(a).solve(b));
        walk.agree("inverse", [shape], [wide], |[a]| near_one(a).inverse());
        walk.agree("det", [shape], [wide], |[a]| near_one(a).det());
        walk.agree("slogdet", [shape], [wide], |[a]| near_one(a).slogdet().1);
        walk.agree("expm", [shape], [wide], |[a]| a.expm());
        walk.agree("trace", [shape], [wide], |[a]| a.matmul(a).trace());
        walk.agree("lstsq", [shape, &right], [wide; 2], |[a, b]| near_one(a).lstsq(b));
        walk.agree("eigvalsh", [shape], [wide], |[a]| a.eigvalsh());
        walk.agree("eigh", [shape], [wide], |[a]| {
            let (w, v) = a.eigh();
            v * w.exp().unsqueeze(-2)
        });
        for triangle in [Triangle::lower(), Triangle::upper().unit(), Triangle::lower().transposed()] {
            walk.agree("solve_triangular", [shape, &right], [wide; 2], |[a, b]| {
                near_one(a).solve_triangular(b, triangle)
            });
        }
    }
    for shape in [&[3, 3][..], &[3, 2], &[2, 3], &[0, 2], &[2, 0], &[2, 3, 1]] {
        walk.agree("qr", [shape], [wide], |[a]| {
            let (q, r) = a.qr();
            q.square().sum_axes([-2, -1]) + (q.exp().sum_axes([-2, -1]) * r.exp().sum_axes([-2, -1]))
        });
        walk.agree("svdvals", [shape], [wide], |[a]| a.svdvals());
        walk.agree("svd", [shape], [wide], |[a]| {
            let (u, s, v_t) = a.svd();
            u.exp().sum_axes([-2, -1]) * v_t.exp().sum_axes([-2, -1]) * s.exp().sum_axes(-1)
        });
    }
    walk.agree("det of a singular matrix", [&[3, 2]], [wide], |[x]| x.matmul_t(false, x, true).det());
    let (batch, one) = (&[2, 1, 3, 3], &[4, 3, 2]);
    walk.agree("solve, broadcast", [batch, one], [wide; 2], |[a, b]| near_one(a).solve(b));
    walk.agree("solve, a vector", [&[2, 3, 3], &[3]], [wide; 2], |[a, b]| near_one(a).solve(b));
}
