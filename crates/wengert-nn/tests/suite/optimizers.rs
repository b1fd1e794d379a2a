//! Optimizers against PyTorch 2.15 in double precision, and what they say of bad settings.

use wengert_core::{Gradients, Parameter, Tape, UnaryFunctions};
use wengert_nn::{Adam, AdamW, Error, Linear, Module, Optimizer, Sgd, StateDict};
use wengert_tensor::{Tensor, rng};

/// `w0^3/3 - cos w1 + 1.5 w2^2 - w2`, with gradient `[w0^2, sin w1, 3 w2 - 1]`.
fn gradient(tape: &Tape<f64>, w: &Parameter<f64>) -> Gradients<f64> {
    let w = tape.parameter(w).scalars();
    (w[0] * w[0] * w[0] / 3.0 - w[1].cos() + 1.5 * w[2].square() - w[2]).gradient()
}

fn steps(optimizer: &mut impl Optimizer<f64>, w: &mut Parameter<f64>, count: usize) {
    let mut tape = Tape::new();
    for _ in 0..count {
        let gradient = gradient(&tape, w);
        tape.clear();
        optimizer.step(w, &gradient).unwrap();
    }
}

const START: [f64; 3] = [1.0, -2.0, 0.5];

#[test]
fn steps_are_those_of_pytorch() {
    // torch.optim with learning rate 0.1 and the same settings, four steps on the function above.
    type Boxed = Box<dyn Optimizer<f64>>;
    type Case = (&'static str, fn() -> Boxed, [f64; 3]);
    let cases: [Case; 8] = [
        ("plain", || Box::new(Sgd::new(0.1)), [0.6953849448608791, -1.6187750713866977, 0.37335]),
        ("momentum", || Box::new(Sgd::new(0.1).momentum(0.9)), [0.30837241384551906, -1.1445936314410494, 0.2262]),
        (
            "nesterov, decay",
            || Box::new(Sgd::new(0.1).momentum(0.9).nesterov().weight_decay(0.05)),
            [0.20324976040440892, -0.7446941958809118, 0.2545661371350313],
        ),
        (
            "decay",
            || Box::new(Sgd::new(0.1).weight_decay(0.05)),
            [0.6821260123020486, -1.580690280180918, 0.3680293128125],
        ),
        ("adam", || Box::new(Adam::new(0.1)), [0.61013283734879, -1.5994001101377213, 0.2288164851670127]),
        (
            "adam, all set",
            || Box::new(Adam::new(0.1).betas(0.8, 0.95).epsilon(1e-3).weight_decay(0.05)),
            [0.6132398760229564, -1.599583242583859, 0.23703941947183488],
        ),
        ("adamw", || Box::new(AdamW::new(0.1)), [0.6068860850506088, -1.5920070004143227, 0.2284283844005491]),
        (
            "adamw, all set",
            || Box::new(AdamW::new(0.1).betas(0.8, 0.95).epsilon(1e-3).weight_decay(0.3)),
            [0.522301908255727, -1.3874688864287144, 0.2354763070200711],
        ),
    ];
    for (name, new, expected) in cases {
        let (mut optimizer, mut w) = (new(), Parameter::new(START));
        steps(&mut optimizer, &mut w, 4);
        for (got, expected) in w.value().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-14, "{name}: {got} {expected}");
        }

        // The same, stopped after two steps and taken up by others.
        let (mut first, mut w) = (new(), Parameter::new(START));
        steps(&mut first, &mut w, 2);
        let (mut second, mut again) = (new(), Parameter::new([0.0; 3]));
        steps(&mut second, &mut again, 1); // what is remembered of this is replaced
        again.load_state_dict(&w.state_dict()).unwrap();
        second.load_state_dict(&again, &first.state_dict(&w)).unwrap();
        steps(&mut second, &mut again, 2);
        for (got, expected) in again.value().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-14, "{name}, taken up: {got} {expected}");
        }
    }
}

#[test]
fn what_is_remembered_is_what_pytorch_remembers() {
    // torch.optim's state_dict()["state"] after those four steps.
    let (mut sgd, mut w) = (Sgd::new(0.1).momentum(0.9), Parameter::new(START));
    steps(&mut sgd, &mut w, 4);
    let state = sgd.state_dict(&w);
    assert_eq!(state.names().collect::<Vec<_>>(), ["momentum_buffer"]);
    let close = |got: Option<&Tensor<f64>>, expected: &[f64]| {
        let got = got.unwrap().to_vec();
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14), "{got:?} {expected:?}");
    };
    close(state.get("momentum_buffer"), &[2.1358348615448097, -3.3106529328785665, 0.608]);

    let (mut adam, mut w) = (Adam::new(0.1), Parameter::new(START));
    steps(&mut adam, &mut w, 4);
    let state = adam.state_dict(&w);
    assert_eq!(state.names().collect::<Vec<_>>(), ["exp_avg", "exp_avg_sq", "step"]);
    close(state.get("exp_avg"), &[0.2458504366366518, -0.3297562019607471, 0.021223000967551905]);
    close(state.get("exp_avg_sq"), &[0.002309068048153899, 0.003648976605999526, 0.0003573363797496967]);
    assert_eq!(state.get("step").unwrap().item(), 4.0);
}

#[test]
fn a_state_that_does_not_fit_changes_nothing() {
    let mut layer = Linear::<f64>::new(2, 3, &mut rng(0));
    let gradients = Tape::new().parameter(&layer.weight).sum().gradient();
    let mut adam = Adam::new(0.1);
    adam.step(&mut layer, &gradients).unwrap();
    let state = adam.state_dict(&layer);
    // The bias had no gradient, so nothing is remembered of it.
    assert_eq!(state.names().collect::<Vec<_>>(), ["weight.exp_avg", "weight.exp_avg_sq", "weight.step"]);
    let mut refused = |name: &str, value: Tensor<f64>| {
        let mut changed = state.clone();
        changed.insert(name, value);
        let text = adam.load_state_dict(&layer, &changed).unwrap_err().to_string();
        assert_eq!(adam.state_dict(&layer), state);
        text
    };
    let start = "the state does not fit the model: ";
    assert_eq!(refused("head.step", Tensor::scalar(1.0)), format!("{start}unexpected \"head.step\""));
    assert_eq!(
        refused("bias.exp_avg", Tensor::zeros([3])),
        format!("{start}missing \"bias.exp_avg_sq\", \"bias.step\"")
    );
    assert_eq!(
        refused("weight.exp_avg", Tensor::zeros([3])),
        format!("{start}\"weight.exp_avg\" has shape [3], expected [3, 2]")
    );
    assert_eq!(
        refused("weight.step", Tensor::zeros([3, 2])),
        format!("{start}\"weight.step\" has shape [3, 2], expected []")
    );
    let text = Sgd::new(0.1).load_state_dict(&layer, &state).unwrap_err().to_string();
    assert!(text.contains("unexpected \"weight.exp_avg\""), "{text}");
    adam.load_state_dict(&layer, &StateDict::new()).unwrap(); // a training that begins
    assert!(adam.state_dict(&layer).is_empty());
}

#[test]
fn a_parameter_without_a_gradient_is_left_alone() {
    let mut pair = [Parameter::new([1.0_f64]), Parameter::new([1.0])];
    let tape = Tape::new();
    let gradients = tape.parameter(&pair[0]).sum().gradient();
    AdamW::new(0.1).step(&mut pair, &gradients).unwrap();
    assert_ne!(pair[0].value().item(), 1.0);
    assert_eq!(pair[1].value().item(), 1.0);
}

#[test]
fn what_is_remembered_belongs_to_the_parameter() {
    // The second parameter joins later and its first step is a first step; the first one's goes on.
    let mut optimizer = Sgd::new(1.0).momentum(0.5);
    let mut pair = [Parameter::new([0.0_f64]), Parameter::new([0.0])];
    let mut tape = Tape::new();
    for both in [false, true, true] {
        let gradients = {
            let first = tape.parameter(&pair[0]).sum();
            if both { (first + tape.parameter(&pair[1]).sum()).gradient() } else { first.gradient() }
        };
        tape.clear();
        optimizer.step(&mut pair, &gradients).unwrap();
    }
    // Velocities 1, 1.5, 1.75 and 1, 1.5.
    assert_eq!((pair[0].value().item(), pair[1].value().item()), (-4.25, -2.5));
}

#[test]
fn updates_are_in_place() {
    let mut layer = Linear::<f32>::new(100, 100, &mut rng(0));
    let mut tape = Tape::new();
    let address = layer.weight.value().as_slice().unwrap().as_ptr();
    let mut optimizer = Adam::new(0.1);
    for _ in 0..3 {
        let gradients = tape.parameter(&layer.weight).sum().gradient();
        tape.clear();
        optimizer.step(&mut layer, &gradients).unwrap();
    }
    assert_eq!(layer.weight.value().as_slice().unwrap().as_ptr(), address);
}

#[test]
fn a_value_kept_elsewhere_does_not_change() {
    let mut w = Parameter::new([1.0_f64, 2.0]);
    let before = w.state_dict();
    let tape = Tape::new();
    let gradients = tape.parameter(&w).sum().gradient();
    Sgd::new(1.0).step(&mut w, &gradients).unwrap();
    assert_eq!(w.value().to_vec(), [0.0, 1.0]);
    assert_eq!(before.get("").unwrap().to_vec(), [1.0, 2.0]);
}

#[test]
fn settings_without_meaning_are_refused_before_anything_changes() {
    let cases: [(Box<dyn Optimizer<f64>>, &str); 9] = [
        (Box::new(Sgd::new(-0.1)), "sgd: learning_rate is -0.1, expected a finite number, not negative"),
        (Box::new(Sgd::new(f64::NAN)), "sgd: learning_rate is NaN, expected a finite number, not negative"),
        (Box::new(Sgd::new(0.1).momentum(1.0)), "sgd: momentum is 1, expected at least 0 and below 1"),
        (Box::new(Sgd::new(0.1).nesterov()), "sgd: momentum is 0, expected above 0 and below 1 for the Nesterov form"),
        (Box::new(Sgd::new(0.1).weight_decay(-1.0)), "sgd: weight_decay is -1, expected a finite number, not negative"),
        (Box::new(Adam::new(f64::INFINITY)), "adam: learning_rate is inf, expected a finite number, not negative"),
        (Box::new(Adam::new(0.1).betas(0.9, 1.0)), "adam: beta2 is 1, expected at least 0 and below 1"),
        (Box::new(Adam::new(0.1).epsilon(0.0)), "adam: epsilon is 0, expected a finite number above 0"),
        (Box::new(AdamW::new(0.1).betas(-0.1, 0.9)), "adamw: beta1 is -0.1, expected at least 0 and below 1"),
    ];
    for (mut optimizer, text) in cases {
        let mut w = Parameter::new([1.0, -2.0, 0.5]);
        let tape = Tape::new();
        let gradients = gradient(&tape, &w);
        assert_eq!(optimizer.step(&mut w, &gradients).unwrap_err().to_string(), text);
        assert_eq!(w.value().to_vec(), [1.0, -2.0, 0.5]);
    }
}

#[test]
fn a_gradient_of_another_shape_is_refused_by_name() {
    let mut layer = Linear::<f64>::new(2, 2, &mut rng(0));
    let tape = Tape::new();
    let gradients = tape.parameter(&layer.weight).sum().gradient();
    *layer.weight.value_mut() = Tensor::zeros([3, 3]);
    let error = Sgd::new(0.1).step(&mut layer, &gradients).unwrap_err();
    assert!(matches!(error, Error::InLayer { .. }));
    let text = error.to_string().replace(&format!("{}:{}:", file!(), line!() - 2), "here:");
    assert!(
        text.starts_with("weight: here:")
            && text.contains(": sgd: ")
            && text.contains("[3, 3]")
            && text.contains("[2, 2]"),
        "{text}"
    );
}

#[test]
fn the_learning_rate_can_be_scheduled() {
    let mut optimizer: Box<dyn Optimizer<f64>> = Box::new(Sgd::new(1.0));
    let mut w = Parameter::new([10.0]);
    let mut tape = Tape::new();
    for _ in 0..3 {
        let gradients = tape.parameter(&w).sum().gradient();
        tape.clear();
        optimizer.step(&mut w, &gradients).unwrap();
        let rate = optimizer.learning_rate();
        optimizer.set_learning_rate(rate / 2.0);
    }
    assert_eq!(w.value().item(), 10.0 - 1.0 - 0.5 - 0.25);
}
