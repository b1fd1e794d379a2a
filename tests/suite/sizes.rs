//! Operands of one element and of none, of the ops for which PyTorch refuses them or is wrong: by hand.

use crate::torch::{Var, relaid};
use wengert::nn::{Dropout, Layer, Mode, loss};
use wengert::prelude::*;
use wengert_core::Error;
use wengert_tensor::{Attention, ShapeError};

/// The value, and the gradient of its sum by both pullbacks.
fn both(x: &Tensor<f64>, f: impl for<'t> Fn(Var<'t>) -> Var<'t>) -> (Tensor<f64>, Tensor<f64>) {
    let tape = Tape::new();
    let x = tape.tensor(x);
    let y = f(x);
    let [recorded] = y.sum().recorded_gradient([x]);
    let fused = if y.is_active() { y.sum().gradient()[x].clone() } else { Tensor::zeros(x.shape()) };
    assert_eq!(recorded.value(), fused);
    (y.value(), fused)
}

#[test]
fn of_one_element_what_is_picked_is_all_and_what_is_centred_is_zero() {
    let one = |shape: &[usize]| Tensor::full(shape, 2.5);
    let shows = |shape: &[usize], f: fn(Var<'_>) -> Var<'_>, y: f64, slope: f64| {
        let (value, gradient) = both(&one(shape), f);
        assert_eq!((value.item(), gradient.item()), (y, slope), "{value}");
    };
    shows(&[1], |x| x.topk(1, 0).0, 2.5, 1.0);
    shows(&[1], |x| x.chunk(0, 1)[0], 2.5, 1.0);
    shows(&[1], |x| x.split(0, &[1])[0], 2.5, 1.0);
    shows(&[1], |x| x.unbind(0)[0], 2.5, 1.0);
    shows(&[1, 1], |x| x.sum_to([1]), 2.5, 1.0);
    shows(&[1], |x| x.gather_rows(&Tensor::from([0])), 2.5, 1.0);
    shows(&[1], |x| x.masked_fill(Tensor::full([1], true), 7.0), 7.0, 0.0);
    shows(&[1], |x| x.masked_select(&Tensor::full([1], true)), 2.5, 1.0);
    shows(&[1, 1, 1, 1], |x| x.pixel_shuffle(1), 2.5, 1.0);
    shows(&[1, 1, 1, 1], |x| x.pixel_unshuffle(1), 2.5, 1.0);
    shows(&[1, 1, 1, 1], |x| x.unfold(&Windows::new(1)), 2.5, 1.0);
    shows(&[1, 1, 1], |x| x.fold(1, &Windows::new(1)), 2.5, 1.0);
    shows(&[1], |x| x.std(0.0), 0.0, 0.0);
    shows(&[1, 1], |x| x.group_norm(1, None, None, 0.1), 0.0, 0.0);
    shows(&[1], |x| x.masked_softmax(Tensor::full([1], true), 0), 1.0, 0.0);
    shows(&[1, 1], |x| x.cross_entropy(&[0]), 0.0, 0.0);
    shows(&[1, 1], |x| loss::nll(x, &Tensor::from([0])).expect("a label"), -2.5, -1.0);
    // Certain of what is certain: 1 (ln 1 - y).
    shows(&[1, 1], |x| loss::kl_divergence(x, &Tensor::ones([1, 1])).expect("one shape"), -2.5, -1.0);
    // Vectors of one number point the same way.
    let (value, gradient) = both(&one(&[1, 1]), |x| {
        let other = x.tape().constant_tensor([[4.0]]);
        loss::cosine_embedding(x, other, &Tensor::ones([1]), 0.0).expect("one shape")
    });
    assert!(value.item().abs() < 1e-15 && gradient.item().abs() < 1e-15);
}

#[test]
fn of_nothing_there_is_nothing_of_the_right_shape() {
    let shows = |shape: &[usize], f: fn(Var<'_>) -> Var<'_>, result: &[usize]| {
        let (value, gradient) = both(&Tensor::zeros(shape), f);
        assert_eq!((&value.shape()[..], &gradient.shape()[..]), (result, shape));
    };
    shows(&[0, 4, 2, 1], |x| x.pixel_shuffle(2), &[0, 1, 4, 2]);
    shows(&[0, 1, 4, 2], |x| x.pixel_unshuffle(2), &[0, 4, 2, 1]);
    shows(&[0, 1, 3, 3], |x| x.unfold(&Windows::new(2)), &[0, 4, 4]);
    shows(&[0, 4, 4], |x| x.fold(3, &Windows::new(2)), &[0, 1, 3, 3]);
    shows(&[0, 3], |x| x.quantile_axes(0.5, 1), &[0]);
    shows(&[0, 3], |x| x.chunk(1, 2)[1], &[0, 1]);
    shows(&[0, 3], |x| x.masked_fill(Tensor::full([3], true), 1.0), &[0, 3]);
    shows(&[0, 3], |x| x.masked_select(&Tensor::full([3], true)), &[0]);
    shows(&[0, 3], |x| TensorVar::select(Tensor::full([3], true), x, x * 2.0), &[0, 3]);
    shows(&[0, 2, 3], |x| x.instance_norm(None, None, 0.1), &[0, 2, 3]);
    shows(&[4, 0], |x| x.batch_norm(None, None, 0.1).0, &[4, 0]);
    shows(&[0, 3, 2], |x| x.batch_norm_with(&Tensor::zeros([3]), &Tensor::ones([3]), None, None, 0.1), &[0, 3, 2]);
    shows(&[0, 6], |x| x.self_attention(1, &Attention::new()), &[0, 2]);
    shows(&[0, 2, 6], |x| x.self_attention(2, &Attention::new()), &[0, 2, 2]);
    shows(&[2, 0, 6], |x| x.self_attention(2, &Attention::new().causal()), &[2, 0, 2]);
    shows(&[2, 3, 0], |x| x.self_attention(2, &Attention::new()), &[2, 3, 0]);
    fn constant<'t>(x: Var<'t>, shape: [usize; 2]) -> Var<'t> {
        x.tape().constant_tensor(Tensor::ones(shape))
    }
    let (value, gradient) =
        both(&Tensor::zeros([0, 2, 4]), |x| x.lstm(constant(x, [4, 1]), constant(x, [2, 1]), constant(x, [2, 1])));
    assert_eq!((&value.shape()[..], &gradient.shape()[..]), (&[0, 2, 2][..], &[0, 2, 4][..]));
    shows(&[0, 3, 2], |x| x.qr().0, &[0, 3, 2]);
    shows(&[0, 3, 2], |x| x.svd().1, &[0, 2]);
    shows(&[0, 2, 2], |x| x.eigh().1, &[0, 2, 2]);
    shows(&[0, 3, 2], |x| x.lstsq(x), &[0, 2, 2]);
}

#[test]
fn a_batch_without_values_has_no_mean_and_no_variance() {
    let tape = Tape::new();
    for shape in [&[0, 3][..], &[0, 3, 2], &[2, 3, 0], &[1, 3]] {
        let x = tape.tensor(Tensor::<f64>::zeros(shape));
        let before = tape.size();
        let error = x.try_batch_norm(None, None, 0.1).map(|(y, _, _)| y.shape()).expect_err("too few");
        let Error::Shape { source, .. } = error else { panic!("{error}") };
        assert!(matches!(*source, ShapeError::TooFew { op: "batch_norm", .. }), "{source}");
        assert_eq!(tape.size(), before);
    }
}

#[test]
fn a_query_without_keys_gets_zero_and_passes_nothing_on() {
    let tape = Tape::new();
    let [q, k, v] = [[2, 3], [0, 3], [0, 2]].map(|shape: [usize; 2]| tape.tensor(Tensor::<f64>::ones(shape)));
    let y = q.scaled_dot_product_attention(k, v, &Attention::new());
    assert_eq!(y.value(), Tensor::zeros([2, 2]));
    let [recorded] = y.sum().recorded_gradient([q]);
    assert_eq!((&recorded.value(), &y.sum().gradient()[q]), (&Tensor::zeros([2, 3]), &Tensor::zeros([2, 3])));
}

#[test]
fn what_is_dropped_depends_on_the_seed_and_the_place_and_not_on_the_layout() {
    let p = 0.25;
    let operand = Tensor::arange(24).reshape([4, 6]) + 1.0;
    let row = operand.slice(0, ..1).to_contiguous().broadcast_to([4, 6]);
    let dropped = |x: &Tensor<f64>| {
        let tape = Tape::new();
        let x = tape.tensor(x);
        let y = Dropout::new(p).forward(x, &mut Mode::train(&mut rng(7))).expect("any shape");
        let gradient = y.sum().gradient()[x].clone();
        let [recorded] = y.sum().recorded_gradient([x]);
        assert_eq!(recorded.value(), gradient);
        (y.value(), gradient)
    };
    // The gradient is the mask over the share that is kept, at every place.
    let mask = dropped(&operand).1;
    assert!(mask.iter().all(|m| m == 0.0 || m == 1.0 / (1.0 - p)), "{mask}");
    assert!(mask.iter().any(|m| m == 0.0) && mask.iter().any(|m| m != 0.0), "{mask}");
    for x in [&operand, &row] {
        for (layout, x) in relaid(x) {
            let (value, gradient) = dropped(&x);
            assert_eq!(gradient, mask, "{layout}");
            assert_eq!(value, x.to_contiguous() * &mask, "{layout}");
        }
    }
}

#[test]
fn lists_there_is_no_memory_for_are_refused() {
    let tape = Tape::new();
    let x = tape.tensor(Tensor::<f64>::zeros([1 << 40, 0]));
    for (op, result) in [("chunk", x.try_chunk(0, 1 << 40)), ("unbind", x.try_unbind(0))] {
        let Err(Error::Shape { source, .. }) = result else { panic!("{op} gave a list") };
        assert!(matches!(*source, ShapeError::Memory { op: of, .. } if of == op), "{source}");
    }
}
