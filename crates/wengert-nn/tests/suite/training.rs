//! The trainer: learning, repeating, stopping.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use wengert_core::{Parameter, TensorVar};
use wengert_kernels::par::threads;
use wengert_nn::{
    Adam, Cause, Dropout, Error, Event, Layer, Linear, Mode, Module, Relu, Sequential, Sgd, StateDict, Tanh, Trainer,
    loss,
};
use wengert_tensor::{Tensor, rng};

fn xor() -> (Tensor<f32>, Tensor<f32>) {
    (Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), Tensor::from([[0.0], [1.0], [1.0], [0.0]]))
}

/// 300 points in three bands, and which band each is in.
fn bands() -> (Tensor<f32>, Tensor<i64>) {
    let x = Tensor::<f32>::uniform([300, 4], -1.0, 1.0, &mut rng(10));
    let labels = (0..300).map(|k| {
        let height = x.at([k, 0]) + 0.5 * x.at([k, 1]);
        if height < -0.3 { 0 } else { 1 + i64::from(height > 0.3) }
    });
    let labels = labels.collect();
    (x, labels)
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_small_network_learns_exclusive_or() {
    let mut rng = rng(3);
    let mut model = Sequential::new()
        .with(Linear::new(2, 16, &mut rng))
        .with(Tanh)
        .with(Linear::new(16, 16, &mut rng))
        .with(Tanh)
        .with(Linear::new(16, 1, &mut rng));
    let (x, y) = xor();
    let mut trainer = Trainer::new(Adam::new(0.01), loss::mse).epochs(300).batch_size(4);
    let history = trainer.fit(&mut model, &x, &y).unwrap();
    assert!(history.last().unwrap().train.loss < 1e-3, "{:?}", history.last());
    assert_eq!(history.last().unwrap().train.accuracy, None);
    for (got, expected) in model.predict(&x).unwrap().iter().zip(y.iter()) {
        assert!((got - expected).abs() < 0.1);
    }
}

/// Losses of every step, and the state at the end.
fn run(seed: u64, n_threads: usize) -> (Vec<f64>, StateDict) {
    threads(n_threads, || {
        let mut generator = rng(1);
        let mut model = Sequential::new()
            .with(Linear::new(300, 200, &mut generator))
            .with(Relu)
            .with(Dropout::new(0.2))
            .with(Linear::new(200, 10, &mut generator));
        let x = Tensor::<f32>::normal([600, 300], 0.0, 1.0, &mut generator);
        let labels: Tensor<i64> = (0..600).map(|k| k * 7919 % 10).collect();
        let mut losses = Vec::new();
        Trainer::new(Adam::new(1e-3), loss::cross_entropy)
            .epochs(3)
            .batch_size(250)
            .seed(seed)
            .test_data(&x, &labels)
            .on_event(|event| match event {
                Event::Step(step) => losses.push(step.loss),
                Event::Epoch(epoch) => losses.push(epoch.test.unwrap().loss),
                _ => {}
            })
            .fit(&mut model, &x, &labels)
            .unwrap();
        (losses, model.state_dict())
    })
}

#[test]
fn the_same_seed_gives_the_same_numbers_on_any_number_of_threads() {
    let alone = run(5, 1);
    assert_eq!(alone, run(5, 1));
    assert_eq!(alone, run(5, 2));
    assert_eq!(alone, run(5, 3));
    assert_ne!(alone.0, run(6, 1).0);
}

#[test]
fn events_tell_of_every_step_and_epoch_in_order() {
    let (x, labels) = bands();
    let mut model = Linear::new(4, 3, &mut rng(0));
    let log = RefCell::new(Vec::new());
    let history = Trainer::new(Sgd::new(0.5), loss::cross_entropy)
        .epochs(2)
        .batch_size(128)
        .test_data(&x, &labels)
        .exact_train_score()
        .on_event(|event| match event {
            Event::Step(step) => {
                assert_eq!(step.steps, 3);
                log.borrow_mut().push((step.epoch, step.step, step.samples));
            }
            Event::Epoch(epoch) => {
                // Exact scores on the same data are the same.
                assert_eq!(Some(epoch.train), epoch.test);
                assert!(epoch.samples_per_second > 0.0);
                log.borrow_mut().push((epoch.epoch, 0, epoch.epochs));
            }
            _ => {}
        })
        .fit(&mut model, &x, &labels)
        .unwrap();
    let expected = [(1, 1, 128), (1, 2, 256), (1, 3, 300), (1, 0, 2), (2, 1, 128), (2, 2, 256), (2, 3, 300), (2, 0, 2)];
    assert_eq!(*log.borrow(), expected);
    assert_eq!(history.epochs.len(), 2);
    assert!(history.epochs[1].train.loss < history.epochs[0].train.loss);
    assert_eq!(history.last().unwrap().time_left.as_nanos(), 0);
}

#[test]
fn scores_are_means_over_items_not_batches() {
    // Loss 0 for the first three rows, 16 for the fourth; batches of 3 and 1.
    let mut model = Linear::new(1, 1, &mut rng(0)).without_bias();
    *model.weight.value_mut() = Tensor::from([[1.0_f32]]);
    let x = Tensor::from([[1.0], [2.0], [3.0], [4.0]]);
    let y = Tensor::from([[1.0], [2.0], [3.0], [0.0]]);
    let mut trainer = Trainer::new(Sgd::new(0.0), loss::mse).epochs(1).batch_size(3).shuffle(false);
    let history = trainer.fit(&mut model, &x, &y).unwrap();
    assert_eq!(history.last().unwrap().train.loss, 4.0);
    assert_eq!(trainer.evaluate(&model, &x, &y).unwrap().loss, 4.0);
}

#[test]
fn accuracy_counts_rows_or_what_it_is_told_to() {
    let mut model = Linear::new(2, 2, &mut rng(0)).without_bias();
    *model.weight.value_mut() = Tensor::eye(2);
    let x = Tensor::<f32>::from([[1.0, 0.0], [0.0, 1.0], [3.0, 2.0], [1.0, 1.0]]);
    // The last row is a tie, which goes to the first class.
    let trainer = Trainer::new(Sgd::new(0.1), loss::cross_entropy);
    assert_eq!(trainer.evaluate(&model, &x, &Tensor::from([0, 1, 1, 0])).unwrap().accuracy, Some(0.75));
    let near = |y: &Tensor<f32>, t: &Tensor<f32>| y.iter().zip(t).filter(|(y, t)| (y - t).abs() < 0.5).count();
    let trainer = Trainer::new(Sgd::new(0.1), loss::mse).accuracy(near);
    let score = trainer.evaluate(&model, &x, &Tensor::from([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, 0.0]])).unwrap();
    assert_eq!(score.accuracy, Some(1.0)); // 4 of 8 elements are near; per item of the batch that is 1
}

#[test]
fn training_can_be_ended_early() {
    let (x, labels) = bands();
    let mut model = Linear::new(4, 3, &mut rng(0));
    let mut trainer = Trainer::new(Adam::new(0.1), loss::cross_entropy)
        .epochs(1000)
        .stop_when(|epoch| epoch.train.accuracy.is_some_and(|accuracy| accuracy > 0.9));
    let history = trainer.fit(&mut model, &x, &labels).unwrap();
    assert!(history.epochs.len() < 100);
    assert!(history.last().unwrap().train.accuracy.unwrap() > 0.9);
}

#[test]
fn divergence_is_a_typed_error_and_the_checkpoint_stays_good() {
    let path = folder("divergence").join("model.safetensors");
    let (x, labels) = bands();
    let mut generator = rng(0);
    let mut model =
        Sequential::new().with(Linear::new(4, 8, &mut generator)).with(Relu).with(Linear::new(8, 3, &mut generator));
    let mut good = Trainer::new(Sgd::new(0.1), loss::cross_entropy).epochs(2).batch_size(300).checkpoint(&path);
    good.fit(&mut model, &x, &labels).unwrap();
    let saved = model.state_dict();
    assert_eq!(StateDict::read(&path).unwrap(), saved);
    let mut wild = Trainer::new(Sgd::new(1e30), loss::mse).epochs(50).batch_size(300).checkpoint(&path);
    let targets = Tensor::<f32>::ones([300, 3]);
    let error = wild.fit(&mut model, &x, &targets).unwrap_err();
    let Error::Diverged { epoch, step: 1, loss, cause } = &error else { panic!("{error}") };
    assert!(*epoch >= 2 && !loss.is_finite(), "{error}");
    assert!(matches!(cause, Cause::Gradient(path) if path == "0.weight"), "{error}");
    let expected = format!(
        "training stopped at epoch {epoch}, step 1: the loss is {loss}, and the gradient of 0.weight is not finite; lower the learning rate, or clip the gradient"
    );
    assert_eq!(error.to_string(), expected);
    // The file holds the last epoch all of whose parameters were finite, and so does the model.
    let kept = StateDict::<f32>::read(&path).unwrap();
    assert!(kept.iter().all(|(_, value)| value.iter().all(f32::is_finite)));
    assert_eq!(kept, model.state_dict());
    assert_ne!(kept, saved);
}

#[test]
fn data_that_are_not_finite_are_named_by_row() {
    let (mut x, y) = xor();
    x.set([2, 1], f32::NAN);
    let mut model = Sequential::new().with(Linear::new(2, 1, &mut rng(0)));
    let before = model.state_dict();
    let mut trainer = Trainer::new(Sgd::new(0.1), loss::mse).batch_size(4).shuffle(false);
    let error = trainer.fit(&mut model, &x, &y).unwrap_err();
    assert_eq!(
        error.to_string(),
        "training stopped at epoch 1, step 1: the loss is NaN, and so is row 2 of the batch's inputs; clean the data"
    );
    assert_eq!(model.state_dict(), before);
}

#[test]
fn bad_parameters_are_named() {
    let (x, y) = xor();
    let mut model = Sequential::new().with(Tanh).with(Linear::new(2, 1, &mut rng(0)));
    let mut state = model.state_dict();
    state.insert("1.bias", [f32::INFINITY]);
    model.load_state_dict(&state).unwrap();
    let text = Trainer::new(Sgd::new(0.1), loss::mse).fit(&mut model, &x, &y).unwrap_err().to_string();
    assert!(text.contains("the loss is inf, and parameter 1.bias is not finite"), "{text}");
}

/// `sqrt |w|`, whose slope at 0 is infinite while its value is not.
#[derive(Module)]
struct Cusp {
    w: Parameter<f32>,
}
impl Layer for Cusp {
    fn forward<'t>(&self, x: TensorVar<'t, f32>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, f32>, Error> {
        use wengert_core::UnaryFunctions;
        Ok(x.try_mul(x.tape().parameter(&self.w).sqrt())?)
    }
}

#[test]
fn a_bad_gradient_of_a_good_loss_stops_training_too() {
    let mut model = Cusp { w: Parameter::new([0.0]) };
    let ones = Tensor::ones([4, 1]);
    let error = Trainer::new(Sgd::new(0.1), loss::mse).fit(&mut model, &ones, &ones).unwrap_err();
    assert_eq!(
        error.to_string(),
        "training stopped at epoch 1, step 1: the loss is 1, and the gradient of w is not finite; lower the learning rate, or clip the gradient"
    );
    assert_eq!(model.w.value().item(), 0.0);
}

#[test]
fn a_loss_that_is_bad_by_itself_is_said_to_be() {
    let (x, y) = xor();
    let mut model = Linear::new(2, 1, &mut rng(0));
    let mut trainer = Trainer::new(Sgd::new(0.1), |y, _: &Tensor<f32>| Ok(y.try_mean_axes(())? * 0.0 + f32::NAN));
    let text = trainer.fit(&mut model, &x, &y).unwrap_err().to_string();
    assert!(text.contains("the loss is NaN, while inputs, parameters and gradients are finite"), "{text}");
}

#[test]
fn gradients_are_clipped_to_a_norm() {
    // One step of plain descent with rate 1 moves by the gradient: here by its norm, 5, and by the limit.
    for (limit, distance) in [(None, 5.0), (Some(2.0), 2.0), (Some(100.0), 5.0)] {
        let mut model = Linear::new(2, 1, &mut rng(0)).without_bias();
        *model.weight.value_mut() = Tensor::from([[0.0_f32, 0.0]]);
        let mut trainer = Trainer::new(Sgd::new(1.0), |y, _| Ok(y.try_mean_axes(())?)).epochs(1);
        if let Some(limit) = limit {
            trainer = trainer.clip_norm(limit);
        }
        trainer.fit(&mut model, &Tensor::from([[3.0, 4.0]]), &Tensor::<f32>::zeros([1, 1])).unwrap();
        assert!((model.weight.value().norm2() - distance).abs() < 1e-5);
    }
}

#[test]
fn bad_settings_and_data_are_refused_before_training() {
    let (x, y) = xor();
    let mut model = Sequential::new().with(Linear::new(2, 1, &mut rng(0)));
    let mut refusal = |trainer: Trainer<'_, f32, f32>, y: &Tensor<f32>| {
        let mut trainer = trainer;
        trainer.fit(&mut model, &x, y).unwrap_err().to_string()
    };
    let trainer = || Trainer::new(Sgd::new(0.1), loss::mse);
    assert_eq!(refusal(trainer().batch_size(0), &y), "batches: size is 0, expected at least 1");
    assert_eq!(refusal(trainer().clip_norm(-1.0), &y), "trainer: clip_norm is -1, expected a finite number above 0");
    assert!(refusal(trainer(), &Tensor::zeros([3, 1])).contains("4 inputs and 3 targets"));
    assert!(refusal(Trainer::new(Adam::new(-1.0), loss::mse), &y).starts_with("adam: learning_rate is -1"));
    assert!(refusal(trainer(), &Tensor::zeros([4])).contains("mse: "));
}

#[test]
fn errors_of_the_model_come_with_the_layers_path() {
    let mut model = Sequential::new().with(Tanh).with(Linear::new(3, 1, &mut rng(0)));
    let (x, y) = xor();
    let error = Trainer::new(Sgd::new(0.1), loss::mse).fit(&mut model, &x, &y).unwrap_err();
    assert_eq!(error.layer(), Some("1"));
}

#[test]
fn the_learning_rate_follows_its_schedule() {
    // With inputs 1 and targets 0 the loss is w^2, and a step multiplies w by 1 - 2 rate.
    let mut model = Linear::<f64>::new(1, 1, &mut rng(0)).without_bias();
    *model.weight.value_mut() = Tensor::from([[1.0]]);
    let (x, y) = (Tensor::ones([5, 1]), Tensor::zeros([5, 1]));
    let mut asked = Vec::new();
    let mut trainer = Trainer::new(Sgd::new(0.1), loss::mse).epochs(2).batch_size(2).schedule(|step, steps| {
        asked.push((step, steps));
        0.01 * (step + 1) as f64
    });
    trainer.fit(&mut model, &x, &y).unwrap();
    assert_eq!(trainer.optimizer_mut().learning_rate(), 0.06);
    drop(trainer);
    assert_eq!(asked, (0..6).map(|step| (step, 6)).collect::<Vec<_>>());
    let expected = 0.98 * 0.96 * 0.94 * 0.92 * 0.9 * 0.88;
    assert!((model.weight.value().item() - expected).abs() < 1e-15);

    let error = Trainer::new(Sgd::new(0.1), loss::mse).schedule(|_, _| f64::NAN).fit(&mut model, &x, &y).unwrap_err();
    assert_eq!(error.to_string(), "sgd: learning_rate is NaN, expected a finite number, not negative");
}
