//! Operands of one element and of none, of the ops for which PyTorch refuses them or is wrong: by hand.

use crate::torch::Var;
use wengert::nn::loss;
use wengert::prelude::*;

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
