//! Losses recorded once: the same training as on a tape, and what cannot be recorded.

use loss::CrossEntropy;
use wengert_core::{Tape, TensorVar};
use wengert_nn::{
    Adam, AdaptiveMaxPool2d, BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Error, Flatten, Layer, LayerNorm, Linear,
    MaxPool2d, Mode, Module, Optimizer, RecordedLoss, Relu, Sequential, Tanh, loss,
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
fn batch_normalisation_trains_and_remembers_as_on_a_tape_bit_for_bit() {
    let network = || {
        let mut rng = rng(5);
        Sequential::<f32>::new()
            .with(Conv2d::new(1, 4, 3, &mut rng))
            .with(BatchNorm2d::new(4))
            .with(Relu)
            .with(AdaptiveMaxPool2d::new([2, 4])) // 6 x 6 in windows of 3 x 1 or 3 x 2
            .with(Flatten)
            .with(Linear::new(32, 3, &mut rng))
            .with(BatchNorm1d::new(3).momentum(0.3).without_parameters())
    };
    let (mut taped, mut replayed) = (network(), network());
    let (mut adam, mut twin) = (Adam::new(0.01), Adam::new(0.01));
    let (x, labels) = pictures(0);
    // The batch that is recorded trains nothing, and is not remembered.
    let mut step = RecordedLoss::record(&replayed, &x, &labels, loss::cross_entropy).unwrap();
    assert_eq!(taped.state_dict(), replayed.state_dict());
    for round in 1..12 {
        let (x, labels) = pictures(round);
        let tape = Tape::new();
        let y = taped.forward(tape.constant_tensor(&x), &mut Mode::train(&mut rng(0))).unwrap();
        let expected = loss::cross_entropy(y, &labels).unwrap();
        let gradients = expected.gradient();
        let expected = expected.item();
        drop(tape);
        adam.step(&mut taped, &gradients).unwrap();
        let (loss, gradients) = step.value_and_gradients(&replayed, &x, &labels).unwrap();
        twin.step(&mut replayed, &gradients).unwrap();
        assert_eq!(loss, expected, "round {round}");
        assert_eq!(taped.state_dict(), replayed.state_dict(), "round {round}");
    }
    assert_eq!(replayed.state_dict().get("6.num_batches_tracked").map(Tensor::item), Some(11.0));
    // A program outlives its layers.
    drop(replayed);
    let other = network();
    let error = step.value_and_gradients(&other, &x, &labels).unwrap_err().to_string();
    assert!(error.starts_with("value_and_gradients_of: parameter: 0 tensors for a program of 6"), "{error}");
}

#[test]
fn losses_follow_targets_that_are_numbers() {
    type Loss = for<'t> fn(TensorVar<'t, f64>, &Tensor<f64>) -> Result<TensorVar<'t, f64>, Error>;
    let losses: [(&str, Loss); 6] = [
        ("l1", |y, t| loss::l1(y, t)),
        ("huber", |y, t| loss::huber(y, t, 0.1)),
        ("bce_with_logits", |y, t| loss::bce_with_logits(y, t)),
        ("kl_divergence", |y, t| loss::kl_divergence(y.try_log_softmax(-1)?, t)),
        ("hinge", |y, t| loss::hinge(y, t)),
        ("probabilities", |y, t| {
            CrossEntropy::new().label_smoothing(0.2).class_weights([1.0, 2.0, 0.5]).probabilities(y, t)
        }),
    ];
    let model = Linear::<f64>::new(2, 3, &mut rng(1));
    let batch = |seed| {
        let x = Tensor::<f64>::normal([4, 2], 0.0, 1.0, &mut rng(seed));
        (x, Tensor::<f64>::normal([4, 3], 0.0, 1.0, &mut rng(seed + 100)).softmax(-1))
    };
    let cosine: Loss = |y, t| {
        let [a, b] = [0..2, 1..3].map(|columns| y.slice(1, columns));
        loss::cosine_embedding(a, b, t, -0.5)
    };
    let sides = |t: Tensor<f64>| t.slice(1, 0..1).squeeze(1).map(|t| if t > 0.3 { 1.0 } else { -1.0 });
    for (name, loss) in losses.into_iter().chain([("cosine_embedding", cosine)]) {
        let targets = |t: Tensor<f64>| if name == "cosine_embedding" { sides(t) } else { t };
        let ((x, t), (x_now, t_now)) = (batch(1), batch(2));
        let mut step = RecordedLoss::record(&model, &x, &targets(t), loss).expect(name);
        let (x, t) = (x_now, targets(t_now));
        let tape = Tape::new();
        let y = model.forward(tape.constant_tensor(&x), &mut Mode::Eval).unwrap();
        let expected = loss(y, &t).unwrap();
        let (value, gradients) = step.value_and_gradients(&model, &x, &t).unwrap();
        assert_eq!(value, expected.item(), "{name}");
        let expected = expected.gradient();
        for parameter in model.parameters() {
            assert_eq!(gradients[parameter], expected[parameter], "{name}");
        }
    }
}

#[test]
fn what_cannot_be_recorded_is_refused() {
    let mut rng = rng(1);
    let (x, target) = (Tensor::<f32>::zeros([4, 2]), Tensor::<f32>::zeros([4, 2]));
    let said = |outcome: Result<RecordedLoss, Error>| outcome.map(|_| ()).unwrap_err().to_string();

    let random = Sequential::new().with(Linear::new(2, 2, &mut rng)).with(Dropout::new(0.5));
    assert!(said(RecordedLoss::record(&random, &x, &target, loss::mse)).starts_with("record: the model draws random"));

    // A value read by the loss.
    let model = Linear::new(2, 2, &mut rng);
    let text = said(RecordedLoss::record(&model, &x, &target, |y, target| {
        let scale = y.value().norm2();
        Ok(loss::mse(y, target)?.try_mul(y.tape().constant_tensor(scale))?)
    }));
    assert!(text.contains("suite/recorded.rs") && text.contains("would be frozen in it"), "{text}");

    // What is made of labels beside the tape.
    let classes = Tensor::from([0_i64, 1, 1, 0]);
    let options = CrossEntropy::<f32>::new().label_smoothing(0.1);
    for refused in [
        RecordedLoss::<f32, i64>::record(&model, &x, &classes, |y, labels| options.labels(y, labels)),
        // Though another op reads them in every replay.
        RecordedLoss::<f32, i64>::record(&model, &x, &classes, |y, labels| {
            Ok(loss::cross_entropy(y, labels)?.try_add(options.labels(y, labels)?)?)
        }),
    ] {
        let text = refused.map(|_| ()).unwrap_err().to_string();
        assert!(text.contains("suite/recorded.rs"), "{text}");
        let said = ": cross_entropy works with labels 0 beside the tape, and what it makes of them would be frozen in a recorded program; cross_entropy, gather, gather_rows, scatter and scatter_add read them in every replay";
        assert!(text.ends_with(said), "{text}");
    }
    let text = RecordedLoss::<f32, i64>::record(&model, &x, &classes, loss::nll).map(|_| ()).unwrap_err().to_string();
    assert!(text.contains(": nll works with labels 0 beside the tape"), "{text}");
    let unread = RecordedLoss::<f32, i64>::record(&model, &x, &classes, |y, labels| {
        Ok(y.try_mul(y.tape().constant_tensor(Tensor::scalar(labels.at([0]) as f32)))?.sum())
    });
    assert_eq!(
        unread.map(|_| ()).unwrap_err().to_string(),
        "record: no op reads labels 0 as they are, and what is computed from them beside the tape would be frozen; hand them to ops: labels to cross_entropy, gather or gather_rows"
    );

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
