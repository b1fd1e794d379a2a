//! Losses recorded once: the same training as on a tape, and what cannot be recorded.

use wengert_core::Tape;
use wengert_nn::{
    Adam, BatchNorm1d, Conv2d, Dropout, Error, Flatten, Layer, LayerNorm, Linear, MaxPool2d, Mode, Module, Optimizer,
    RecordedLoss, Relu, Sequential, Tanh, loss,
};
use wengert_tensor::{Tensor, rng};

fn pictures(seed: u64) -> (Tensor<f32>, Tensor<i64>) {
    let x = Tensor::<f32>::normal([6, 1, 8, 8], 0.0, 1.0, &mut rng(seed));
    (x, (0..6).map(|k| (k * 7 + seed as i64) % 3).collect())
}

fn network() -> Sequential<f32> {
    let mut rng = rng(3);
    Sequential::new()
        .with(Conv2d::new(1, 4, 3, &mut rng).padding(1))
        .with(Relu)
        .with(MaxPool2d::new(2))
        .with(Flatten)
        .with(LayerNorm::new([64]))
        .with(Linear::new(64, 5, &mut rng))
        .with(Tanh)
        .with(Linear::new(5, 3, &mut rng))
}

#[test]
fn a_recorded_loss_trains_as_a_tape_does_bit_for_bit() {
    let (mut taped, mut replayed) = (network(), network());
    let (mut adam, mut twin) = (Adam::new(0.01), Adam::new(0.01));
    let (x, labels) = pictures(0);
    let mut step = RecordedLoss::record(&replayed, &x, &labels, loss::cross_entropy).unwrap();
    let mut tape = Tape::new();
    for round in 1..20 {
        let (x, labels) = pictures(round);
        let (expected, gradients) = {
            let y = taped.forward(tape.constant_tensor(&x), &mut Mode::Eval).unwrap();
            let loss = loss::cross_entropy(y, &labels).unwrap();
            (loss.item(), loss.gradient())
        };
        tape.clear();
        adam.step(&mut taped, &gradients).unwrap();
        let (loss, gradients) = step.value_and_gradients(&replayed, &x, &labels).unwrap();
        twin.step(&mut replayed, &gradients).unwrap();
        assert_eq!(loss, expected, "round {round}");
    }
    for (a, b) in taped.parameters().into_iter().zip(replayed.parameters()) {
        assert_eq!(a.value(), b.value());
    }
}

#[test]
fn targets_that_are_numbers_follow() {
    let mut rng = rng(1);
    let model = Linear::<f32>::new(2, 1, &mut rng);
    let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    let (zero, one) = (Tensor::from([[0.0], [0.0]]), Tensor::from([[1.0], [1.0]]));
    let mut step = RecordedLoss::record(&model, &x, &zero, loss::mse).unwrap();
    let y = model.predict(&x).unwrap();
    let expected = y.iter().map(|y| (y - 1.0).powi(2)).sum::<f32>() / 2.0;
    let (loss, _) = step.value_and_gradients(&model, &x, &one).unwrap();
    assert!((loss - expected).abs() <= 1e-6 * expected.abs(), "{loss} and {expected}");
}

#[test]
fn what_cannot_be_recorded_is_refused() {
    let mut rng = rng(1);
    let (x, target) = (Tensor::<f32>::zeros([4, 2]), Tensor::<f32>::zeros([4, 2]));
    let said = |outcome: Result<RecordedLoss, Error>| outcome.map(|_| ()).unwrap_err().to_string();

    let random = Sequential::new().with(Linear::new(2, 2, &mut rng)).with(Dropout::new(0.5));
    assert!(said(RecordedLoss::record(&random, &x, &target, loss::mse)).starts_with("record: the model draws random"));

    let running = Sequential::new().with(Linear::new(2, 2, &mut rng)).with(BatchNorm1d::new(2));
    let text = said(RecordedLoss::record(&running, &x, &target, loss::mse));
    assert!(text.contains("would be frozen in it"), "{text}");

    let model = Linear::new(2, 2, &mut rng);
    let text = said(RecordedLoss::record(&model, &x, &target, |y, target| loss::mse(y, &(target * 2.0))));
    assert!(text.starts_with("record: no op reads data 1 as they are"), "{text}");

    let double = Tensor::<f64>::zeros([4, 2]);
    let strange = RecordedLoss::record(&model, &x, &double, |y, _| Ok(y.sum()));
    let text = strange.map(|_| ()).unwrap_err().to_string();
    assert_eq!(text, "record: targets of f64 for a model of f32; give them as f32, or class labels as i64");

    let wrong = Tensor::<f32>::zeros([4, 3]);
    assert!(said(RecordedLoss::record(&model, &wrong, &target, loss::mse)).contains("expected 2 features"));

    let mut step = RecordedLoss::record(&model, &x, &target, loss::mse).unwrap();
    let text = step.value_and_gradients(&model, &wrong, &target).unwrap_err().to_string();
    assert_eq!(text, "set_data: data 0 has shape [4, 3], recorded with [4, 2]; record a program for each shape");
}
