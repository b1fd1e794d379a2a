//! Whole layers against PyTorch, under its parameters' names and shapes: values and gradients to 1e-12.

use wengert::nn::prelude::*;
use wengert::nn::{EntryMut, Error, ModulePath};
use wengert_check::check_tensor;
use wengert_core::{Tape, TensorVar, Unary, UnaryFunctions};
use wengert_tensor::{Attention, Tensor, TransposedConvolution, rng};

type Var<'t> = TensorVar<'t, f64>;

/// The operands and parameters of the script.
fn numbers(shape: &[usize], k: usize) -> Tensor<f64> {
    let n = shape.iter().product();
    let number = |i: usize| (((7 * i * i + 3 * i + 5 * k) % 23) as f64 - 11.0) / 16.0;
    (0..n).map(number).collect::<Tensor<f64>>().reshape(shape)
}

/// The tensors of a case by name.
fn reference(case: &str) -> Vec<(&'static str, Tensor<f64>)> {
    let lines = include_str!("../reference/layers.txt").lines();
    let of_case = lines.skip_while(|line| line.strip_prefix("= ") != Some(case)).skip(1);
    let tensor = |line: &'static str| {
        let (head, numbers) = line.split_once(':').expect("a tensor");
        let (name, shape) = head.split_once(' ').expect("a name and a shape");
        let shape: Vec<usize> = shape.split(',').map(|n| n.parse().expect("a dimension")).collect();
        let numbers = numbers.split_whitespace().map(|x| x.parse().expect("a number")).collect();
        (name, Tensor::from_vec(shape, numbers))
    };
    of_case.take_while(|line| !line.starts_with('=')).map(tensor).collect()
}

#[track_caller]
fn compare<M: Module<f64>>(
    case: &str,
    mut model: M,
    f: impl for<'t> Fn(&M, Var<'t>) -> Result<Var<'t>, Error>,
    x: impl AsRef<[usize]>,
) {
    let reference = reference(case);
    let mut names: Vec<String> = model.named_parameters().into_iter().map(|(name, _)| name).collect();
    names.sort();
    let expected: Vec<&str> = reference[2..].iter().map(|(name, _)| *name).collect();
    assert_eq!(names, expected, "{case}");
    model.visit_mut(ModulePath::ROOT, &mut |path, entry| {
        let path = path.to_string();
        if let EntryMut::Parameter(parameter) = entry {
            let k = names.iter().position(|name| *name == path).expect("a name");
            assert_eq!(parameter.value().shape(), reference[2 + k].1.shape(), "{case}, {path}");
            *parameter.value_mut() = numbers(parameter.value().shape(), k + 1);
        }
    });
    let close = |name: &str, got: &Tensor<f64>, expected: &Tensor<f64>| {
        assert_eq!(got.shape(), expected.shape(), "{case}, {name}");
        let scale = expected.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= 1e-12 * scale, "{case}, {name}: got {got:e}, expected {expected:e}");
        }
    };
    let tape = Tape::<f64>::new();
    let x = tape.tensor(numbers(x.as_ref(), 0));
    let y = f(&model, x).expect("shapes that fit");
    close("y", &y.value(), &reference[0].1);
    let gradients = y.vjp(&numbers(&y.shape(), 9));
    close("x", &gradients[x], &reference[1].1);
    for (name, parameter) in model.named_parameters() {
        let (_, expected) = reference.iter().find(|(known, _)| *known == name).expect("a name");
        close(&name, &gradients[parameter], expected);
    }
}

fn forward<'t>(layer: &impl Layer<f64>, x: Var<'t>) -> Result<Var<'t>, Error> {
    layer.forward(x, &mut Mode::Eval)
}

#[test]
fn attention_is_that_of_pytorch() {
    let layer = || MultiHeadAttention::<f64>::new(4, 2, &mut rng(0));
    compare("multi_head_attention", layer(), forward, [2, 3, 4]);
    let others = |m: &MultiHeadAttention<f64>, x: Var<'_>| -> Result<(), Error> {
        // A mask that hides nothing changes nothing.
        let open = m.clone().options(Attention::new().mask(Tensor::from([true, true])));
        let (k, v) = (x.slice(1, 1..) * 2.0, x.slice(1, 1..) - 1.0);
        let (y, again) = (m.attend(x, k, v, &mut Mode::Eval)?, open.attend(x, k, v, &mut Mode::Eval)?);
        assert_eq!(y.value(), again.value());
        Ok(())
    };
    let tape = Tape::new();
    others(&layer(), tape.tensor(numbers(&[2, 3, 4], 0))).expect("shapes that fit");
    compare(
        "multi_head_attention of others",
        layer(),
        |m, x| m.attend(x, x.slice(1, 1..) * 2.0, x.slice(1, 1..) - 1.0, &mut Mode::Eval),
        [2, 3, 4],
    );
}

#[test]
fn transformer_blocks_are_those_of_pytorch() {
    let block = || TransformerBlock::<f64>::new(4, 2, 6, &mut rng(0));
    compare("transformer_block", block(), forward, [2, 3, 4]);
    let gelu = block().activation(Unary::Gelu).causal();
    compare("transformer_block gelu causal", gelu, forward, [2, 3, 4]);
}

#[test]
fn normalisations_are_those_of_pytorch() {
    compare("group_norm", GroupNorm::<f64>::new(2, 4), forward, [2, 4, 3]);
    compare("layer_norm", LayerNorm::<f64>::new([3, 2]), forward, [2, 3, 2]);
    compare("rms_norm", RmsNorm::<f64>::new([3, 2]), forward, [2, 3, 2]);
}

#[test]
fn convolutions_are_those_of_pytorch() {
    let options = TransposedConvolution::new().stride(2).padding(1).output_padding([1, 0]).groups(2);
    let layer = ConvTranspose2d::<f64>::with_options(2, 4, [3, 2], options, &mut rng(0));
    compare("conv_transpose2d", layer, forward, [2, 2, 3, 2]);
    let layer = Conv3d::<f64>::new(2, 3, [2, 1, 2], &mut rng(0)).stride([1, 2, 1]).padding([1, 0, 1]);
    compare("conv3d", layer, forward, [1, 2, 3, 3, 2]);
}

/// Outputs and states in a row.
fn flat<'t>(parts: &[Var<'t>]) -> Result<Var<'t>, Error> {
    let parts: Vec<Var<'t>> = parts.iter().map(|x| x.reshape([x.shape().size()])).collect();
    Ok(TensorVar::try_concat(&parts, 0)?)
}

#[test]
fn recurrent_layers_are_those_of_pytorch() {
    compare("lstm", Lstm::<f64>::new(3, 2, 1, &mut rng(0)), forward, [2, 5, 3]);
    compare("lstm without bias", Lstm::<f64>::new(1, 3, 1, &mut rng(0)).without_bias(), forward, [1, 1, 1]);
    compare("gru", Gru::<f64>::new(3, 2, 1, &mut rng(0)), forward, [2, 5, 3]);
    compare("gru without bias", Gru::<f64>::new(1, 3, 1, &mut rng(0)).without_bias(), forward, [1, 1, 1]);
    fn state(x: Var<'_>, k: usize) -> Var<'_> {
        x.tape().constant_tensor(numbers(&[2, 2, 2], k))
    }
    fn both(x: Var<'_>, k: usize) -> Var<'_> {
        x.tape().constant_tensor(numbers(&[4, 2, 2], k))
    }
    let lstm = Lstm::<f64>::new(3, 2, 2, &mut rng(0));
    compare(
        "lstm of 2 layers",
        lstm,
        |m, x| m.run(x, Some((state(x, 3), state(x, 4)))).and_then(|(y, (h, c))| flat(&[y, h, c])),
        [2, 3, 3],
    );
    let gru = Gru::<f64>::new(3, 2, 2, &mut rng(0));
    compare("gru of 2 layers", gru, |m, x| m.run(x, Some(state(x, 3))).and_then(|(y, h)| flat(&[y, h])), [2, 3, 3]);
    compare(
        "lstm in both directions",
        Lstm::<f64>::bidirectional(3, 2, 2, &mut rng(0)),
        |m, x| m.run(x, Some((both(x, 3), both(x, 4)))).and_then(|(y, (h, c))| flat(&[y, h, c])),
        [2, 3, 3],
    );
    compare(
        "gru in both directions",
        Gru::<f64>::bidirectional(3, 2, 2, &mut rng(0)),
        |m, x| m.run(x, Some(both(x, 3))).and_then(|(y, h)| flat(&[y, h])),
        [2, 3, 3],
    );
    let gru = Gru::<f64>::bidirectional(2, 3, 1, &mut rng(0)).without_bias();
    compare("gru in both directions from zeros", gru, forward, [2, 4, 2]);
    let rnn = Rnn::<f64>::new(3, 2, 2, &mut rng(0));
    compare("rnn", rnn, |m, x| m.run(x, Some(state(x, 3))).and_then(|(y, h)| flat(&[y, h])), [2, 5, 3]);
    let rnn = Rnn::<f64>::bidirectional(2, 3, 1, &mut rng(0)).without_bias();
    compare("rnn in both directions", rnn, forward, [2, 4, 2]);
}

#[test]
fn recurrent_layers_have_the_differences_of_their_neighbours_to_second_order() {
    let (lstm, gru) = (Lstm::<f64>::new(2, 3, 2, &mut rng(1)), Gru::<f64>::new(2, 3, 2, &mut rng(2)));
    let x = numbers(&[2, 3, 2], 0);
    check_tensor(|x| lstm.run(x, None).expect("shapes that fit").0.square().sum()).at(x.clone()).orders(2).assert();
    check_tensor(|x| gru.run(x, None).expect("shapes that fit").0.square().sum()).at(x.clone()).orders(2).assert();
    let both = Lstm::<f64>::bidirectional(2, 3, 1, &mut rng(3));
    check_tensor(|x| both.run(x, None).expect("shapes that fit").0.square().sum()).at(x).orders(2).assert();
}

#[test]
fn a_layer_that_goes_back_reads_the_sequence_from_its_end() {
    let both = Lstm::<f64>::bidirectional(3, 4, 1, &mut rng(1));
    let mut alone = Lstm::<f64>::new(3, 4, 1, &mut rng(2));
    let mut state = alone.state_dict();
    for (name, tensor) in both.state_dict().iter() {
        if let Some(name) = name.strip_suffix("_reverse") {
            state.insert(name, tensor.clone());
        }
    }
    alone.load_state_dict(&state).unwrap();
    let x = numbers(&[2, 5, 3], 0);
    let whole = both.predict(&x).unwrap();
    assert_eq!(whole.slice(2, 4..), alone.predict(&x.flip(1)).unwrap().flip(1));
}

#[test]
fn a_sequence_in_two_parts_is_the_sequence() {
    let (lstm, gru) = (Lstm::<f64>::new(3, 4, 2, &mut rng(1)), Gru::<f64>::new(3, 4, 2, &mut rng(2)));
    let tape = Tape::<f64>::new();
    let x = tape.tensor(numbers(&[2, 7, 3], 0));
    let (first, rest) = (x.slice(1, ..3), x.slice(1, 3..));
    let joined = |a: Var<'_>, b: Var<'_>| Tensor::concat(&[&a.value(), &b.value()], 1);
    let close = |a: &Tensor<f64>, b: &Tensor<f64>| assert!((a - b).abs().max() < 1e-15);
    let run = |x| lstm.run(x, None).expect("shapes that fit");
    let ((whole, (_, c)), (y, state)) = (run(x), run(first));
    let (z, (_, again)) = lstm.run(rest, Some(state)).expect("shapes that fit");
    close(&whole.value(), &joined(y, z));
    close(&c.value(), &again.value());
    let (y, state) = gru.run(first, None).expect("shapes that fit");
    let (z, _) = gru.run(rest, Some(state)).expect("shapes that fit");
    close(&gru.run(x, None).expect("shapes that fit").0.value(), &joined(y, z));
}
