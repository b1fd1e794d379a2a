//! What layers compute, and what they say of bad input.

use wengert_core::{Tape, TensorFloat, TensorVar, UnaryFunctions};
use wengert_nn::{
    AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, BatchNorm1d, BatchNorm2d, Celu, Conv2d, Conv3d, ConvTranspose2d,
    Dropout, Elu, Embedding, Error, Flatten, GroupNorm, Gru, HardSigmoid, HardTanh, Layer, LayerNorm, LeakyRelu,
    Linear, Lstm, MaxPool2d, Mode, Module, ModulePath, MultiHeadAttention, Predictor, Relu, Relu6, RmsNorm, Rnn,
    Sequential, Sgd, Sigmoid, Softplus, Tanh, Trainer, TransformerBlock, Upsample, loss,
};
use wengert_tensor::{Convolution, Convolution3d, Interpolation, Pooling, Tensor, TransposedConvolution, rng};

#[test]
fn linear_multiplies_with_the_transposed_weight() {
    let mut layer = Linear::<f64>::new(3, 2, &mut rng(0));
    *layer.weight.value_mut() = Tensor::from([[1.0, 2.0, 3.0], [-1.0, 0.5, 4.0]]);
    *layer.bias.as_mut().unwrap().value_mut() = Tensor::from([10.0, 20.0]);
    let x = Tensor::from([[1.0, 1.0, 1.0], [2.0, 0.0, -1.0]]);
    assert_eq!(layer.predict(&x).unwrap(), Tensor::from([[16.0, 23.5], [9.0, 14.0]]));
    // Further axes in front are as many more rows.
    let stacked = x.reshape([2, 1, 3]);
    assert_eq!(layer.predict(&stacked).unwrap(), Tensor::from([[[16.0, 23.5]], [[9.0, 14.0]]]));
    // A single item needs no axis for the batch.
    assert_eq!(layer.predict(&Tensor::from([1.0, 1.0, 1.0])).unwrap(), Tensor::from([16.0, 23.5]));
    let plain = layer.without_bias();
    assert_eq!(plain.predict(&x).unwrap(), Tensor::from([[6.0, 3.5], [-1.0, -6.0]]));
    assert_eq!((plain.inputs(), plain.outputs()), (3, 2));
}

#[test]
fn linear_gradients_are_those_of_the_matrix_product() {
    let layer = Linear::<f64>::new(2, 2, &mut rng(0));
    let tape = Tape::new();
    let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    let y = layer.forward(x, &mut Mode::Eval).unwrap();
    let seed = Tensor::from([[1.0, 0.0], [0.0, 10.0]]);
    let g = y.vjp(&seed);
    // dL/dW = y_barT x, dL/db = column sums of y_bar, dL/dx = y_bar W.
    assert_eq!(g[&layer.weight], Tensor::from([[1.0, 2.0], [30.0, 40.0]]));
    assert_eq!(g[layer.bias.as_ref().unwrap()].to_vec(), [1.0, 10.0]);
    assert_eq!(g[x], seed.matmul(layer.weight.value()));
}

#[test]
fn linear_starts_within_one_over_the_root_of_its_inputs() {
    let layer = Linear::<f64>::new(400, 50, &mut rng(5));
    for values in [layer.weight.value(), layer.bias.as_ref().unwrap().value()] {
        assert!(values.max() < 0.05 && values.min() > -0.05);
        assert!(values.max() > 0.045 && values.min() < -0.045);
    }
}

#[test]
fn activations_are_their_functions() {
    let x = Tensor::from([-1.0, 0.0, 2.0]);
    let of = |layer: &dyn Layer<f64>| layer.predict(&x).unwrap().to_vec();
    assert_eq!(of(&Relu), [0.0, 0.0, 2.0]);
    for (y, x) in of(&Tanh).into_iter().zip(x.iter()) {
        assert!((y - x.tanh()).abs() < 1e-15);
    }
    for (y, x) in of(&Sigmoid).into_iter().zip(x.iter()) {
        assert!((y - 1.0 / (1.0 + (-x).exp())).abs() < 1e-15);
    }
    for (y, x) in of(&Softplus).into_iter().zip(x.iter()) {
        assert!((y - x.exp().ln_1p()).abs() < 1e-15);
    }
}

#[test]
fn dropout_keeps_the_mean_and_the_share() {
    let n = 100_000;
    let tape = Tape::<f64>::new();
    let x = tape.tensor(Tensor::ones([n]));
    for p in [0.1, 0.5, 0.8] {
        let y = Dropout::new(p).forward(x, &mut Mode::train(&mut rng(4))).unwrap().value();
        let dropped = y.iter().filter(|&y| y == 0.0).count() as f64 / n as f64;
        // Five standard errors of a share, and of the mean.
        assert!((dropped - p).abs() < 5.0 * (p * (1.0 - p) / n as f64).sqrt(), "{p}: {dropped}");
        assert!((y.mean() - 1.0).abs() < 5.0 * (p / (1.0 - p) / n as f64).sqrt(), "{p}: {}", y.mean());
        assert!(y.iter().all(|y| y == 0.0 || (y - 1.0 / (1.0 - p)).abs() < 1e-15));
    }
}

#[test]
fn dropout_is_the_same_from_the_same_seed_and_other_from_another() {
    let tape = Tape::<f32>::new();
    let x = tape.tensor(Tensor::ones([100]));
    let of = |seed| Dropout::new(0.5).forward(x, &mut Mode::train(&mut rng(seed))).unwrap().value();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn dropout_drops_infinities_and_lets_nothing_flow_back() {
    let tape = Tape::<f32>::new();
    let x = tape.tensor(Tensor::full([64], f32::INFINITY));
    let y = Dropout::new(1.0).forward(x, &mut Mode::train(&mut rng(0))).unwrap();
    assert_eq!(y.value(), Tensor::zeros([64]));
    assert_eq!(y.sum().gradient()[x], Tensor::zeros([64]));
    let nothing = Dropout::new(0.0).forward(x, &mut Mode::train(&mut rng(0))).unwrap();
    assert_eq!(nothing.value(), x.value());
}

#[test]
fn settings_without_meaning_are_typed_errors() {
    let text = |error: Error| error.to_string();
    assert_eq!(
        text(Linear::<f32>::try_new(0, 3, &mut rng(0)).unwrap_err()),
        "linear: inputs is 0, expected at least 1"
    );
    assert_eq!(
        text(Linear::<f32>::try_new(3, 0, &mut rng(0)).unwrap_err()),
        "linear: outputs is 0, expected at least 1"
    );
    let huge = Linear::<f32>::try_new(1 << 40, 1 << 40, &mut rng(0)).unwrap_err();
    assert_eq!(text(huge), "uniform: shape [1099511627776, 1099511627776] has more elements than memory can address");
    for p in [-0.1, 1.1, f64::NAN] {
        let expected = format!("dropout: probability is {p}, expected a probability, 0 to 1");
        assert_eq!(text(Dropout::try_new(p).unwrap_err()), expected);
    }
}

#[test]
#[should_panic(expected = "linear: inputs is 0, expected at least 1")]
fn the_short_form_panics_with_the_same_text() {
    let _ = Linear::<f32>::new(0, 3, &mut rng(0));
}

/// Features and a head, used as fields without a word about their names.
#[derive(Module)]
struct Net {
    features: Sequential,
    head: Linear,
}

impl Layer for Net {
    fn forward<'t>(&self, x: TensorVar<'t, f32>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, f32>, Error> {
        self.head.forward(self.features.forward(x, mode)?, mode)
    }
}

fn net(hidden: usize) -> Net {
    let mut rng = rng(0);
    let block = Sequential::new().with(Relu).with(Linear::new(16, 8, &mut rng));
    let features = Sequential::new().with(Linear::new(64, 16, &mut rng)).with(Relu).with(Flatten).with(block);
    Net { features, head: Linear::new(hidden, 10, &mut rng) }
}

fn refusal(model: &impl Layer, input: Tensor<f32>) -> (String, String) {
    let error = model.predict(&input).unwrap_err();
    // Without the line of this file.
    let text = error.to_string();
    let place = text.find("; the layer is made at").unwrap_or(text.len());
    (error.layer().unwrap_or("none").to_owned(), text[..place].to_owned())
}

#[test]
fn shape_errors_name_the_layer_with_its_full_path() {
    let (layer, text) = refusal(&net(8), Tensor::zeros([32, 63]));
    assert_eq!(layer, "features.0");
    assert_eq!(text, "features.0: linear: expected 64 features along the last axis, got 63 (shape [32, 63])");
    let (layer, text) = refusal(&net(9), Tensor::zeros([32, 64]));
    assert_eq!(layer, "head");
    assert_eq!(text, "head: linear: expected 9 features along the last axis, got 8 (shape [32, 8])");
    // [2, 3, 64] becomes [2, 48] at features.2.
    let (layer, text) = refusal(&net(8), Tensor::zeros([2, 3, 64]));
    assert_eq!(layer, "features.3.1");
    assert!(text.starts_with("features.3.1: linear: expected 16 features along the last axis, got 48"), "{text}");
}

#[test]
fn errors_of_layers_without_parameters_are_placed_too() {
    let (layer, text) = refusal(&net(8), Tensor::zeros([64]));
    // Rank 1 passes the first two layers; there is no axis 1 to flatten from.
    assert_eq!(layer, "features.2");
    assert!(text.starts_with("features.2: "), "{text}");
}

#[test]
fn shape_errors_name_the_line_that_made_the_layer() {
    let layer = Linear::<f32>::new(2, 2, &mut rng(0));
    let line = line!() - 1;
    let text = layer.predict(&Tensor::zeros([3])).unwrap_err().to_string();
    assert!(text.contains(&format!("the layer is made at {}:{line}:", file!())), "{text}");
    let number = layer.predict(&Tensor::scalar(1.0)).unwrap_err().to_string();
    assert!(number.contains("got a single number without axes"), "{number}");
}

#[test]
fn a_predictor_predicts_what_the_model_does() {
    let model = net(8);
    let x = Tensor::<f32>::uniform([5, 64], -1.0, 1.0, &mut rng(1));
    let mut predictor = Predictor::new(&model);
    assert_eq!(predictor.predict(&x).unwrap(), model.predict(&x).unwrap());
    assert!(predictor.predict(&Tensor::zeros([5, 63])).is_err());
    assert_eq!(predictor.predict(&x).unwrap(), model.predict(&x).unwrap());
}

#[test]
fn prediction_records_nothing() {
    let model = net(8);
    let tape = Tape::evaluating();
    let y = model.forward(tape.constant_tensor(Tensor::zeros([1, 64])), &mut Mode::Eval).unwrap();
    assert!(!y.is_active());
}

#[test]
fn convolution_adds_its_bias_to_every_pixel_of_a_channel() {
    let mut layer = Conv2d::<f64>::new(1, 2, [1, 2], &mut rng(0)).stride([1, 2]);
    *layer.weight.value_mut() = Tensor::from([1.0, 1.0, 1.0, -1.0]).reshape([2, 1, 1, 2]);
    *layer.bias.as_mut().unwrap().value_mut() = Tensor::from([10.0, 20.0]);
    let x = Tensor::from([[[[1.0, 2.0, 3.0, 7.0]]]]);
    assert_eq!(layer.predict(&x).unwrap(), Tensor::from([[[[13.0, 20.0]], [[19.0, 16.0]]]]));
    let tape = Tape::new();
    let y = layer.forward(tape.constant_tensor(x.clone()), &mut Mode::Eval).unwrap();
    let g = y.sum().gradient();
    assert_eq!(g[layer.bias.as_ref().unwrap()].to_vec(), [2.0, 2.0]);
    assert_eq!(g[&layer.weight].to_vec(), [4.0, 9.0, 4.0, 9.0]);
    let plain = layer.without_bias();
    assert_eq!(plain.predict(&x).unwrap(), Tensor::from([[[[3.0, 10.0]], [[-1.0, -4.0]]]]));
    assert_eq!((plain.options().stride, plain.options().padding), ([1, 2], [0, 0]));
}

#[test]
fn convolution_has_the_names_shapes_and_start_of_pytorch() {
    let options = Convolution::new().groups(2).padding(1);
    let layer = Conv2d::<f64>::with_options(20, 30, [3, 5], options, &mut rng(5));
    let names: Vec<_> =
        layer.named_parameters().into_iter().map(|(name, p)| (name, p.value().shape().to_vec())).collect();
    assert_eq!(names, [("weight".to_owned(), vec![30, 10, 3, 5]), ("bias".to_owned(), vec![30])]);
    // 1 / sqrt(10 * 15)
    for values in [layer.weight.value(), layer.bias.as_ref().unwrap().value()] {
        assert!(values.max() < 0.08165 && values.min() > -0.08165);
        assert!(values.max() > 0.04 && values.min() < -0.04); // 30 numbers miss this once in 6000 times
    }
}

/// A chain exchanges the two. Here numbers have many ties, zeros of both signs, infinities and NaN, cotangents too, and
/// windows overlap or reach outside.
#[test]
fn a_rectifier_and_a_pooling_in_a_chain_are_the_two_to_the_bit() {
    fn check<F: TensorFloat>(bits: fn(F) -> u64) {
        let special = [0.0, -0.0, 1.0, -1.0, -3.0, 2.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let mut draws = rng(1);
        let mut draw = |shape: [usize; 4], among: usize| {
            let places = Tensor::<f64>::uniform(shape, 0.0, among as f64, &mut draws);
            Tensor::from_fn(shape, |at| F::from_f64(special[places.at([at[0], at[1], at[2], at[3]]) as usize]))
        };
        let all = |x: &Tensor<F>| x.iter().map(bits).collect::<Vec<_>>();
        for (kernel, stride, padding) in [(2, 2, 0), (3, 1, 1), (3, 2, 0), (2, 1, 1), (1, 2, 0)] {
            let layer = MaxPool2d::new(kernel).stride(stride).padding(padding);
            let pooling = Pooling::new(kernel).stride(stride).padding(padding);
            let model = Sequential::<F>::new().with(Relu).with(layer).with(Relu).with(layer);
            for among in [2, 4, 5, 6, 8, 9] {
                let tape = Tape::<F>::new();
                let x = tape.tensor(draw([2, 3, 9, 37], among));
                let written = x.relu().max_pool2d(&pooling).relu().max_pool2d(&pooling);
                let y = model.forward(x, &mut Mode::Eval).unwrap();
                assert_eq!(all(&y.value()), all(&written.value()), "{layer:?} among {among}");
                let shape = [y.shape()[0], y.shape()[1], y.shape()[2], y.shape()[3]];
                for among in [4, 9] {
                    let y_bar = draw(shape, among);
                    let [got, expected] = [y, written].map(|y| all(&y.vjp(&y_bar)[x]));
                    assert_eq!(got, expected, "{layer:?} among {among}");
                }
            }
        }
    }
    check::<f32>(|x| u64::from(x.to_bits()));
    check::<f64>(f64::to_bits);
}

/// A chain makes one op of the two: values the same to the bit, gradients but for the order of sums.
#[test]
fn a_convolution_and_a_pooling_in_a_chain_are_the_two() {
    for (conv, pooling) in [
        (Conv2d::<f64>::new(3, 5, 3, &mut rng(1)).padding(1), Pooling::new(2)),
        (Conv2d::new(3, 4, [2, 3], &mut rng(2)).stride([2, 1]), Pooling::new([2, 3]).stride(2).padding([0, 1])),
        (Conv2d::new(3, 4, 3, &mut rng(3)), Pooling::new(2).stride(1)),
        (Conv2d::new(3, 4, 3, &mut rng(4)).without_bias(), Pooling::new(2)),
    ] {
        let layer = MaxPool2d::new(pooling.kernel).stride(pooling.stride).padding(pooling.padding);
        let model = Sequential::new().with(conv.clone()).with(Relu).with(layer);
        let tape = Tape::<f64>::new();
        let x = tape.tensor(Tensor::uniform([2, 3, 9, 8], -1.0, 1.0, &mut rng(5)));
        let y = model.forward(x, &mut Mode::Eval).unwrap();
        let written = conv.forward(x, &mut Mode::Eval).unwrap().relu().max_pool2d(&pooling);
        assert_eq!(y.value(), written.value(), "{pooling:?}");
        let y_bar = Tensor::uniform(y.shape(), -1.0, 1.0, &mut rng(6));
        let (got, expected) = (y.vjp(&y_bar), written.vjp(&y_bar));
        // The chain has parameters of its own, with the same numbers.
        let mut pairs = vec![(x, x), (tape.parameter(model.named_parameters()[0].1), tape.parameter(&conv.weight))];
        pairs.extend(conv.bias.as_ref().map(|b| (tape.parameter(model.named_parameters()[1].1), tape.parameter(b))));
        for (ours, theirs) in pairs {
            for (got, expected) in got[ours].iter().zip(expected[theirs].iter()) {
                assert!((got - expected).abs() < 1e-13, "{pooling:?}: {got}, expected {expected}");
            }
        }
        assert_eq!(conv.bias.is_some(), tape.listing().to_string().contains("conv2d_max_pool2d"));
    }
}

#[test]
fn a_pooling_that_does_not_fit_behind_a_convolution_names_its_layer() {
    let model = Sequential::<f32>::new().with(Conv2d::new(1, 4, 3, &mut rng(0))).with(Relu).with(MaxPool2d::new(4));
    let error = model.predict(&Tensor::zeros([2, 1, 12, 5])).unwrap_err();
    assert_eq!(error.layer(), Some("2"));
    assert!(error.to_string().contains("max_pool2d: the window spans 4 entries of axis 3, x [2, 4, 10, 3]"), "{error}");
}

#[test]
fn a_convolution_that_does_not_fit_names_its_layer() {
    let model = Sequential::<f32>::new()
        .with(Conv2d::new(1, 4, 3, &mut rng(0)))
        .with(Relu)
        .with(MaxPool2d::new(2))
        .with(Conv2d::new(3, 8, 3, &mut rng(0)));
    let error = model.predict(&Tensor::zeros([2, 1, 12, 12])).unwrap_err();
    assert_eq!(error.layer(), Some("3"));
    assert!(
        error.to_string().contains(
            "conv2d_with_bias: x [2, 4, 5, 5] has 4 channels, weight [8, 3, 3, 3] takes 3 in each of 1 groups"
        )
    );
    let error = Conv2d::<f32>::try_with_options(4, 6, 3, Convolution::new().groups(4), &mut rng(0)).unwrap_err();
    assert_eq!(error.to_string(), "conv2d: outputs is 6, expected a multiple of the groups");
    let error = Conv2d::<f32>::try_with_options(4, 6, [3, 0], Convolution::new(), &mut rng(0)).unwrap_err();
    assert_eq!(error.to_string(), "conv2d: kernel is 0, expected at least 1");
}

#[test]
fn poolings_are_those_of_the_tensors() {
    let x = Tensor::<f32>::uniform([2, 3, 7, 7], -1.0, 1.0, &mut rng(0));
    let pooling = Pooling::new(3).stride(2).padding(1);
    assert_eq!(MaxPool2d::new(3).stride(2).padding(1).predict(&x).unwrap(), x.max_pool2d(&pooling));
    assert_eq!(AvgPool2d::new(3).stride(2).padding(1).predict(&x).unwrap(), x.avg_pool2d(&pooling));
    let error = Layer::<f32>::predict(&MaxPool2d::new(8), &x).unwrap_err();
    assert!(error.to_string().contains("the window spans 8 entries of axis 2"), "{error}");
}

#[test]
fn batch_normalisation_remembers_what_it_saw() {
    let mut layer = BatchNorm1d::<f64>::new(2);
    let tape = Tape::new();
    let x = tape.tensor([[1.0, 10.0], [3.0, 30.0]]);
    let y = layer.forward(x, &mut Mode::train(&mut rng(0))).unwrap();
    for (y, sign) in y.value().iter().zip([-1.0, -1.0, 1.0, 1.0]) {
        assert!((y - sign).abs() < 1e-5, "{y}");
    }
    // Means 2 and 20, unbiased variances 2 and 200, a tenth of each.
    let close = |got: &Tensor<f64>, expected: [f64; 2]| got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-13);
    let (mean, variance) = layer.running();
    assert!(close(&mean, [0.2, 2.0]) && close(&variance, [1.1, 20.9]), "{mean:?} {variance:?}");
    // Evaluation uses the averages, and leaves them.
    let y = layer.predict(&Tensor::from([[0.2, 2.0]])).unwrap();
    assert!(close(&y.flatten(), [0.0, 0.0]));
    // Whoever changes the model finds them in their buffers.
    layer.visit_mut(ModulePath::ROOT, &mut |_, _| {});
    let state = layer.state_dict();
    let named: Vec<_> =
        ["running_mean", "running_var", "num_batches_tracked"].map(|name| state.get(name).unwrap()).into();
    assert!(close(named[0], [0.2, 2.0]) && close(named[1], [1.1, 20.9]) && named[2].item() == 1.0);
    let names: Vec<_> = layer.named_parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["weight", "bias"]);
    let mut other = BatchNorm1d::<f64>::new(2);
    other.load_state_dict(&state).unwrap();
    let x = Tensor::from([[4.0, 5.0]]);
    assert_eq!(other.predict(&x).unwrap(), layer.predict(&x).unwrap());
}

#[test]
fn what_forward_passes_saw_is_in_the_state() {
    // As when statistics are taken anew before saving, without a step of an optimizer.
    let layer = BatchNorm1d::<f64>::new(2).momentum(0.5);
    let x = Tensor::from([[1.0, -2.0], [3.0, 4.0], [2.0, 1.0]]);
    for pass in 1..4 {
        layer.forward(Tape::new().tensor(&x), &mut Mode::train(&mut rng(0))).unwrap();
        let state = layer.state_dict();
        let (mean, variance) = layer.running();
        assert_eq!((state.get("running_mean"), state.get("running_var")), (Some(&mean), Some(&variance)));
        assert_eq!(state.get("num_batches_tracked").unwrap().item(), f64::from(pass));
        assert_eq!(mean.at([0]), 2.0 * (1.0 - 0.5_f64.powi(pass)), "of 2 in every batch, from 0");
        let mut other = BatchNorm1d::<f64>::new(2);
        other.load_state_dict(&state).unwrap();
        assert_eq!(other.predict(&x).unwrap(), layer.predict(&x).unwrap());
    }
    // A list of many, none taken in by a change of the model, is dropped in little stack.
    for _ in 0..5_000 {
        layer.forward(Tape::evaluating().constant_tensor(&x), &mut Mode::train(&mut rng(0))).unwrap();
        let _ = layer.running();
    }
    std::thread::Builder::new().stack_size(64 << 10).spawn(move || drop(layer)).unwrap().join().unwrap();
}

#[test]
fn batch_normalisation_of_images_is_channel_by_channel() {
    let layer = BatchNorm2d::<f64>::new(3).momentum(1.0).epsilon(0.0);
    let x = Tensor::uniform([4, 3, 2, 5], -1.0, 3.0, &mut rng(2));
    let tape = Tape::new();
    let y = layer.forward(tape.tensor(&x), &mut Mode::train(&mut rng(0))).unwrap().value();
    assert!(y.mean_axes([0, 2, 3]).iter().all(|mean| mean.abs() < 1e-14));
    assert!(y.variance_axes([0, 2, 3], 0.0).iter().all(|variance| (variance - 1.0).abs() < 1e-13));
    let (mean, variance) = layer.running();
    assert!((mean - x.mean_axes([0, 2, 3])).abs().max() < 1e-14);
    assert!((variance - x.variance_axes([0, 2, 3], 1.0)).abs().max() < 1e-13);
}

#[test]
fn normalisations_that_do_not_fit_name_their_layer() {
    let model = Sequential::<f32>::new().with(Relu).with(LayerNorm::new([4]));
    let text = model.predict(&Tensor::zeros([2, 3])).unwrap_err().to_string();
    assert!(text.starts_with("1: ") && text.contains("layer_norm: shape [2, 3] does not end in [4]"), "{text}");
    let text = |layer: &dyn Layer<f32>, shape: &[usize]| layer.predict(&Tensor::zeros(shape)).unwrap_err().to_string();
    assert!(text(&BatchNorm2d::new(3), &[2, 3]).contains("expected four, [n, channels, h, w]"));
    assert!(
        text(&BatchNorm1d::new(3), &[2, 4])
            .contains("batch_norm: expected 3 channels along axis 1, got 4 (shape [2, 4])")
    );
    assert!(text(&GroupNorm::new(2, 4), &[2, 6]).contains("group_norm: shapes [4] and [6] differ"));
    let error = GroupNorm::<f32>::try_new(3, 4).unwrap_err().to_string();
    let expected = "group_norm: 3 groups cannot share 4 channels evenly; choose a number of groups that divides 4";
    assert_eq!(error, expected);
    let error = GroupNorm::<f32>::try_new(0, 4).unwrap_err().to_string();
    assert!(error.starts_with("group_norm: 0 groups cannot share 4 channels evenly"), "{error}");
    let error = GroupNorm::<f32>::try_new(1, 0).unwrap_err().to_string();
    assert_eq!(error, "group_norm: channels is 0, expected at least 1");
    let tape = Tape::<f32>::new();
    let one = tape.tensor(Tensor::zeros([1, 3]));
    let error = BatchNorm1d::new(3).forward(one, &mut Mode::train(&mut rng(0))).unwrap_err().to_string();
    assert!(error.contains("batch_norm: shape [1, 3] leaves 1 value"), "{error}");
}

#[test]
fn embeddings_are_rows_of_their_weight() {
    let words = Embedding::<f64>::new(5, 2, &mut rng(0));
    let tape = Tape::new();
    let y = words.embed(&tape, &Tensor::from([[4, 0], [4, 1]])).unwrap();
    assert_eq!(*y.shape(), [2, 2, 2]);
    assert_eq!(y.value().index_axis(0, 1), words.weight.value().gather_rows(&Tensor::from([4, 1])));
    assert_eq!(y.sum().gradient()[&words.weight].to_vec(), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
    let error = words.embed(&tape, &Tensor::from([[0, 5]])).unwrap_err().to_string();
    assert!(error.contains("index 1 asks for row 5 of shape [5, 2]"), "{error}");
    assert_eq!(
        Embedding::<f64>::try_new(0, 2, &mut rng(0)).unwrap_err().to_string(),
        "embedding: things is 0, expected at least 1"
    );
}

#[test]
fn attention_refuses_what_it_cannot_share_out() {
    let text =
        |features, heads| MultiHeadAttention::<f32>::try_new(features, heads, &mut rng(0)).unwrap_err().to_string();
    assert_eq!(text(6, 4), "multi_head_attention: heads is 4, expected a number that divides that of the features");
    assert_eq!(text(0, 1), "multi_head_attention: features is 0, expected at least 1");
    let block = TransformerBlock::<f32>::new(4, 2, 8, &mut rng(0));
    let text = block.predict(&Tensor::zeros([2, 3, 5])).unwrap_err().to_string();
    assert!(text.contains("layer_norm: shape [2, 3, 5] does not end in [4]"), "{text}");
    let text = block.self_attn.predict(&Tensor::zeros([2, 3, 5])).unwrap_err().to_string();
    assert!(text.contains("multi_head_attention: expected 4 features along the last axis, got 5"), "{text}");
}

#[test]
fn a_causal_block_does_not_see_what_comes_later() {
    let block = TransformerBlock::<f64>::new(4, 2, 8, &mut rng(3)).causal();
    let x = Tensor::uniform([1, 5, 4], -1.0, 1.0, &mut rng(4));
    let mut changed = x.clone();
    changed.set([0, 3, 1], 7.0);
    let (y, other) = (block.predict(&x).unwrap(), block.predict(&changed).unwrap());
    assert_eq!(y.slice(1, ..3), other.slice(1, ..3));
    assert!(y.slice(1, 3..) != other.slice(1, 3..));
}

#[test]
fn activations_with_a_constant_are_their_functions() {
    let x = Tensor::from([-1.0, 2.0]);
    let of = |layer: &dyn Layer<f64>| layer.predict(&x).unwrap().to_vec();
    assert_eq!(of(&LeakyRelu(0.25)), [-0.25, 2.0]);
    assert_eq!(of(&Elu(0.5)), [0.5 * (-1.0_f64).exp_m1(), 2.0]);
    assert_eq!(of(&Celu(2.0)), [2.0 * (-0.5_f64).exp_m1(), 2.0]);
    assert_eq!(of(&HardTanh), [-1.0, 1.0]);
    assert_eq!(of(&HardSigmoid), [2.0 / 6.0, 5.0 / 6.0]);
    assert_eq!(of(&Relu6), [0.0, 2.0]);
}

#[test]
fn adaptive_poolings_and_upsampling_are_those_of_the_tensors() {
    let x = Tensor::<f32>::uniform([2, 3, 7, 5], -1.0, 1.0, &mut rng(0));
    assert_eq!(AdaptiveAvgPool2d::new([2, 3]).predict(&x).unwrap(), x.adaptive_avg_pool2d([2, 3]));
    assert_eq!(AdaptiveMaxPool2d::new(2).predict(&x).unwrap(), x.adaptive_max_pool2d(2));
    let smooth = Interpolation::Bilinear { align_corners: true };
    assert_eq!(Upsample::new(2).predict(&x).unwrap(), x.interpolate([14, 10], Interpolation::Nearest));
    let layer = Upsample::to_size([3, 9]).interpolation(smooth);
    assert_eq!(layer.predict(&x).unwrap(), x.interpolate([3, 9], smooth));
    let text = |layer: &dyn Layer<f32>, shape: &[usize]| layer.predict(&Tensor::zeros(shape)).unwrap_err().to_string();
    assert!(text(&Upsample::new(2), &[3, 7, 5]).contains("interpolate: operand of shape [3, 7, 5] has 3 axes"));
    assert!(text(&Upsample::new(0), &[1, 3, 7, 5]).contains("interpolate: output size is 0, expected at least 1"));
    assert!(text(&AdaptiveAvgPool2d::new([0, 1]), &[1, 3, 7, 5]).contains("adaptive_avg_pool2d: output size is 0"));
}

#[test]
fn other_convolutions_that_do_not_fit_name_their_layer() {
    let model = Sequential::<f32>::new().with(Relu).with(ConvTranspose2d::new(3, 8, 3, &mut rng(0)));
    let error = model.predict(&Tensor::zeros([2, 4, 5, 5])).unwrap_err();
    assert_eq!(error.layer(), Some("1"));
    let expected = "conv_transpose2d: x [2, 4, 5, 5] has 4 channels, weight [3, 8, 3, 3] takes 3";
    assert!(error.to_string().contains(expected), "{error}");
    let error = Conv3d::<f32>::new(2, 4, 3, &mut rng(0)).predict(&Tensor::zeros([1, 2, 2, 4, 4])).unwrap_err();
    assert!(error.to_string().contains("conv3d_with_bias: the window spans 3 entries of axis 2"), "{error}");
    let options = TransposedConvolution::new().groups(4);
    let error = ConvTranspose2d::<f32>::try_with_options(4, 6, 3, options, &mut rng(0)).unwrap_err();
    assert_eq!(error.to_string(), "conv_transpose2d: outputs is 6, expected a multiple of the groups");
    let error = Conv3d::<f32>::try_with_options(4, 6, [3, 0, 3], Convolution3d::new(), &mut rng(0)).unwrap_err();
    assert_eq!(error.to_string(), "conv3d: kernel is 0, expected at least 1");
    let plain = ConvTranspose2d::<f64>::new(1, 2, 2, &mut rng(0)).stride(2).dilation(2).without_bias();
    assert_eq!((plain.options().stride, plain.options().dilation), ([2, 2], [2, 2]));
    assert_eq!(plain.parameter_count(), 8);
}

#[test]
fn recurrent_layers_refuse_what_does_not_fit() {
    let model = Sequential::<f32>::new().with(Relu).with(Lstm::new(3, 2, 1, &mut rng(0)));
    let error = model.predict(&Tensor::zeros([4, 7, 5])).unwrap_err();
    assert_eq!(error.layer(), Some("1"));
    let expected = "1: lstm: expected 3 features along the last axis, got 5 (shape [4, 7, 5]); the layer is made at";
    assert!(error.to_string().starts_with(expected), "{error}");
    let gru = Gru::<f32>::new(3, 2, 2, &mut rng(0));
    let text = |shape: &[usize]| gru.predict(&Tensor::zeros(shape)).unwrap_err().to_string();
    let error = text(&[4, 3]);
    assert!(
        error.ends_with(": gru: operand of shape [4, 3] has 2 axes; expected sequences, [n, l, inputs]"),
        "{error}"
    );
    assert_eq!(text(&[4, 0, 3]), "gru: length of the sequences is 0, expected at least 1");
    let tape = Tape::<f32>::new();
    let (x, state) = (tape.tensor(Tensor::zeros([4, 7, 3])), tape.tensor(Tensor::zeros([1, 4, 2])));
    let error = gru.run(x, Some(state)).unwrap_err().to_string();
    assert!(error.ends_with(": gru: shapes [1, 4, 2] and [2, 4, 2] differ; they must be equal"), "{error}");
    for (sizes, setting) in [([0, 2, 1], "inputs"), ([3, 0, 1], "hidden"), ([3, 2, 0], "layers")] {
        let error = Lstm::<f32>::try_new(sizes[0], sizes[1], sizes[2], &mut rng(0)).unwrap_err().to_string();
        assert_eq!(error, format!("lstm: {setting} is 0, expected at least 1"));
    }
    assert_eq!(*gru.predict(&Tensor::zeros([0, 7, 3])).unwrap().shape(), [0, 7, 2]);
}

#[test]
fn recurrent_layers_have_the_names_and_start_of_pytorch() {
    let mut lstm = Lstm::<f64>::new(3, 4, 2, &mut rng(5));
    let names: Vec<_> =
        lstm.named_parameters().into_iter().map(|(name, p)| (name, p.value().shape().to_vec())).collect();
    let expected = [
        ("weight_ih_l0", vec![16, 3]),
        ("weight_hh_l0", vec![16, 4]),
        ("bias_ih_l0", vec![16]),
        ("bias_hh_l0", vec![16]),
        ("weight_ih_l1", vec![16, 4]),
        ("weight_hh_l1", vec![16, 4]),
        ("bias_ih_l1", vec![16]),
        ("bias_hh_l1", vec![16]),
    ];
    assert_eq!(names, expected.map(|(name, shape)| (name.to_owned(), shape)));
    // 1 / sqrt(4)
    for parameter in lstm.parameters() {
        assert!(parameter.value().abs().max() < 0.5 && parameter.value().abs().max() > 0.25);
    }
    let state = Lstm::new(3, 4, 2, &mut rng(6)).state_dict();
    lstm.load_state_dict(&state).unwrap();
    assert_eq!(lstm.weights()[1].weight_hh.value(), state.get("weight_hh_l1").unwrap());

    let both = Gru::<f64>::bidirectional(3, 4, 2, &mut rng(5)).without_bias();
    let names: Vec<_> =
        both.named_parameters().into_iter().map(|(name, p)| (name, p.value().shape().to_vec())).collect();
    let expected = [
        ("weight_ih_l0", vec![12, 3]),
        ("weight_hh_l0", vec![12, 4]),
        ("weight_ih_l0_reverse", vec![12, 3]),
        ("weight_hh_l0_reverse", vec![12, 4]),
        ("weight_ih_l1", vec![12, 8]),
        ("weight_hh_l1", vec![12, 4]),
        ("weight_ih_l1_reverse", vec![12, 8]),
        ("weight_hh_l1_reverse", vec![12, 4]),
    ];
    assert_eq!(names, expected.map(|(name, shape)| (name.to_owned(), shape)));
}

/// A layer with its name and a shape that does not fit it.
type Refused = (&'static str, Box<dyn Layer<f32> + Send + Sync>, Vec<usize>);

/// Layers that refuse what they are given.
fn refused() -> Vec<Refused> {
    let r = &mut rng(0);
    vec![
        ("adaptive_max_pool2d", Box::new(AdaptiveMaxPool2d::new(2)), vec![2, 3]),
        ("avg_pool2d", Box::new(AvgPool2d::new(2)), vec![2, 3]),
        ("batch_norm1d", Box::new(BatchNorm1d::new(3)), vec![2, 4]),
        ("batch_norm2d", Box::new(BatchNorm2d::new(3).without_parameters()), vec![2, 4]),
        ("conv2d", Box::new(Conv2d::new(3, 2, 3, r)), vec![2, 4, 5, 5]),
        ("conv2d without bias", Box::new(Conv2d::new(3, 2, 3, r).without_bias()), vec![2, 4, 5, 5]),
        ("conv3d", Box::new(Conv3d::new(3, 2, 3, r)), vec![2, 4, 5, 5]),
        ("conv_transpose2d", Box::new(ConvTranspose2d::new(3, 2, 3, r)), vec![2, 4, 5, 5]),
        ("flatten", Box::new(Flatten), vec![]),
        ("group_norm", Box::new(GroupNorm::new(2, 4)), vec![2, 6]),
        ("gru", Box::new(Gru::new(3, 2, 1, r)), vec![2, 3]),
        ("layer_norm", Box::new(LayerNorm::new([4])), vec![2, 3]),
        ("lstm", Box::new(Lstm::new(3, 2, 1, r)), vec![2, 3]),
        ("max_pool2d", Box::new(MaxPool2d::new(8)), vec![1, 1, 4, 4]),
        ("rnn", Box::new(Rnn::new(3, 2, 1, r)), vec![2, 3]),
        ("rms_norm", Box::new(RmsNorm::new([4])), vec![2, 3]),
        ("upsample", Box::new(Upsample::new(2)), vec![2, 3]),
    ]
}

#[test]
fn what_does_not_fit_names_the_line_of_the_call() {
    for (name, layer, shape) in refused() {
        let x = Tensor::zeros(shape);
        let tape = Tape::new();
        let names = |way: &str, line: u32, error: Error| {
            let text = error.to_string();
            assert!(text.contains(&format!("{}:{line}:", file!())), "{name}, {way}: {text}");
        };
        names("predict", line!(), layer.predict(&x).unwrap_err());
        names("forward", line!(), layer.forward(tape.constant_tensor(&x), &mut Mode::Eval).unwrap_err());
        let chain = Sequential::new().with(Relu).with(layer);
        names("in a chain", line!(), chain.forward(tape.constant_tensor(&x), &mut Mode::Eval).unwrap_err());
        names("in a chain, predicted", line!(), chain.predict(&x).unwrap_err());
        let mut chain = chain;
        let mut trainer = Trainer::new(Sgd::new(0.1), loss::mse).batch_size(2);
        let fitted = trainer.fit(&mut chain, &Tensor::zeros([2, 3, 7, 1, 1]), &Tensor::zeros([2, 9]));
        names("in training", line!() - 1, fitted.unwrap_err());
    }
}

#[test]
fn forward_passes_nobody_looks_at_cost_no_memory_beyond_a_few_batches() {
    // The averages are those of all batches, the same within rounding as if each had been taken in by itself.
    let (layer, looked_at) = (BatchNorm1d::<f64>::new(2).momentum(0.01), BatchNorm1d::<f64>::new(2).momentum(0.01));
    let mut random = rng(7);
    for _ in 0..1000 {
        let x = Tensor::<f64>::normal([5, 2], 3.0, 2.0, &mut random);
        layer.forward(Tape::evaluating().constant_tensor(&x), &mut Mode::train(&mut rng(0))).unwrap();
        looked_at.forward(Tape::evaluating().constant_tensor(&x), &mut Mode::train(&mut rng(0))).unwrap();
        let _ = looked_at.running();
    }
    // A list of a thousand batches would print a thousand.
    let waiting = format!("{layer:?}").matches("count: 1,").count();
    assert!(waiting <= 64, "{waiting} batches wait");
    let (a, b) = (layer.running(), looked_at.running());
    for (a, b) in [(a.0, b.0), (a.1, b.1)] {
        assert!(a.iter().zip(b.iter()).all(|(a, b)| (a - b).abs() < 1e-13 * b.abs()), "{a:?} {b:?}");
    }
    assert_eq!(layer.state_dict().get("num_batches_tracked").unwrap().item(), 1000.0);
}
