//! Losses against PyTorch 2.15 in double precision, and what they say of bad input.

use wengert_core::{Tape, TensorVar};
use wengert_nn::{Error, loss};
use wengert_tensor::Tensor;

type Loss = for<'t> fn(TensorVar<'t, f64>, &Tensor<f64>) -> Result<TensorVar<'t, f64>, Error>;

fn close(got: &[f64], expected: &[f64]) -> bool {
    got.len() == expected.len()
        && got.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 4.0 * f64::EPSILON * b.abs().max(0.1))
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    // y = [[0.5, -1.5], [2, 30]], t = [[1, 0], [0.25, 0.9]]: torch.nn.functional's mse_loss, l1_loss,
    // binary_cross_entropy_with_logits.
    let cases: [(Loss, f64, [f64; 4]); 3] = [
        (loss::mse, 213.09312500000001, [-0.25, -0.75, 0.875, 14.55]),
        (loss::l1, 8.2125, [-0.25, -0.25, 0.25, 0.25]),
        (
            loss::bce_with_logits,
            1.3256045683014812,
            [-0.09438516719953635, 0.04560638095158909, 0.15769926949447058, 0.024999999999976624],
        ),
    ];
    let target = Tensor::from([[1.0, 0.0], [0.25, 0.9]]);
    for (loss, value, gradient) in cases {
        let tape = Tape::new();
        let y = tape.tensor([[0.5, -1.5], [2.0, 30.0]]);
        let loss = loss(y, &target).unwrap();
        assert!(close(&[loss.item()], &[value]), "{}", loss.item());
        assert!(close(&loss.gradient()[y].to_vec(), &gradient), "{:?}", loss.gradient()[y]);
    }
}

#[test]
fn cross_entropy_is_that_of_pytorch() {
    let tape = Tape::new();
    let y = tape.tensor([[0.5, -1.5], [2.0, 30.0]]);
    let loss = loss::cross_entropy(y, &Tensor::from([1, 0])).unwrap();
    assert!(close(&[loss.item()], &[15.063464005521833]));
    let gradient = [0.44039853898894116, -0.4403985389889412, -0.4999999999996543, 0.4999999999996543];
    assert!(close(&loss.gradient()[y].to_vec(), &gradient));
}

#[test]
fn bce_keeps_its_tails() {
    // ln(1 + exp(-x)) = exp(-x) - exp(-2x)/2 + ..; beyond x = 37 the first term is exact in double precision.
    for (logit, target, expected) in [
        (100.0, 1.0, (-100.0_f64).exp()),
        (-100.0, 0.0, (-100.0_f64).exp()),
        (1e4, 0.0, 1e4),
        (-1e4, 1.0, 1e4),
        (1e4, 1.0, 0.0),
    ] {
        let tape = Tape::new();
        let y = tape.tensor([logit]);
        let loss = loss::bce_with_logits(y, &Tensor::from([target])).unwrap();
        assert!(
            close(&[loss.item() / expected.max(1e-300)], &[if expected == 0.0 { 0.0 } else { 1.0 }]),
            "{logit} {target}: {loss}"
        );
        // sigmoid(logit) - target, in its own tail: -sigmoid(-logit) for target 1.
        let slope = if target == 1.0 { -1.0 / (1.0 + f64::exp(logit)) } else { 1.0 / (1.0 + f64::exp(-logit)) };
        let got = loss.gradient()[y].item();
        assert!((got - slope).abs() <= 1e-14 * slope.abs(), "{got} {slope}");
    }
    let tape = Tape::<f64>::new();
    let certain = tape.tensor([f64::INFINITY, f64::NEG_INFINITY]);
    let loss = loss::bce_with_logits(certain, &Tensor::from([1.0, 0.0])).unwrap();
    assert_eq!((loss.item(), loss.gradient()[certain].to_vec()), (0.0, vec![0.0, 0.0]));
}

#[test]
fn shapes_are_not_broadcast() {
    for (loss, name) in [(loss::mse as Loss, "mse"), (loss::l1, "l1"), (loss::bce_with_logits, "bce_with_logits")] {
        let tape = Tape::new();
        let y = tape.tensor(Tensor::zeros([4, 1]));
        let text = loss(y, &Tensor::zeros([4])).unwrap_err().to_string();
        assert!(text.contains(&format!("{name}: ")) && text.contains("[4, 1]") && text.contains("[4]"), "{text}");
    }
}

#[test]
fn empty_batches_are_typed_errors() {
    for loss in [loss::mse as Loss, loss::l1, loss::bce_with_logits] {
        let tape = Tape::new();
        let error = loss(tape.tensor(Tensor::zeros([0, 3])), &Tensor::zeros([0, 3])).unwrap_err();
        assert!(error.to_string().contains("[0, 3]"), "{error}");
    }
    let tape = Tape::<f64>::new();
    let error = loss::cross_entropy(tape.tensor(Tensor::zeros([0, 3])), &Tensor::zeros([0])).unwrap_err();
    assert!(matches!(error, Error::Tape(_)), "{error}");
}

#[test]
fn bad_labels_are_named_by_row() {
    let tape = Tape::<f32>::new();
    let y = tape.tensor(Tensor::zeros([3, 10]));
    for (labels, told) in [([1, 2, 10], "row 2 has label 10"), ([1, -1, 0], "row 1 has label -1")] {
        let text = loss::cross_entropy(y, &Tensor::from(labels)).unwrap_err().to_string();
        assert!(text.contains(told) && text.contains("10 classes"), "{text}");
    }
    let text = loss::cross_entropy(y, &Tensor::from([1, 2])).unwrap_err().to_string();
    assert!(text.contains("[3]") && text.contains("[2]"), "{text}");
}
