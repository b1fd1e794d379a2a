//! Names of parameters and buffers.

use wengert_core::{Parameter, TensorFloat};
use wengert_nn::{Linear, Module, ModulePath, Relu, Sequential, Tanh};
use wengert_tensor::{Tensor, rng};

/// As this PyTorch module, whose names below are what `state_dict()` and `named_parameters()` of PyTorch 2.15 list:
/// `features = Sequential(Linear(4, 8), ReLU(), Sequential(Linear(8, 8, bias=False), Tanh()))`,
/// `heads = ModuleList([Linear(8, 2), Linear(8, 3)])`, parameter `scale`, buffer `mean`.
#[derive(Module)]
struct Net {
    scale: Parameter<f32>,
    #[module(buffer)]
    mean: Tensor<f32>,
    features: Sequential,
    heads: Vec<Linear>,
    extra: Option<Linear>,
    #[module(skip)]
    classes: usize,
}

fn net() -> Net {
    let mut rng = rng(0);
    let inner = Sequential::new().with(Linear::new(8, 8, &mut rng).without_bias()).with(Tanh);
    Net {
        scale: Parameter::new(Tensor::zeros([2])),
        mean: Tensor::zeros([8]),
        features: Sequential::new().with(Linear::new(4, 8, &mut rng)).with(Relu).with(inner),
        heads: vec![Linear::new(8, 2, &mut rng), Linear::new(8, 3, &mut rng)],
        extra: None,
        classes: 3,
    }
}

#[test]
fn names_are_those_of_pytorch() {
    let net = net();
    let parameters = [
        "scale",
        "features.0.weight",
        "features.0.bias",
        "features.2.0.weight",
        "heads.0.weight",
        "heads.0.bias",
        "heads.1.weight",
        "heads.1.bias",
    ];
    assert!(net.named_parameters().iter().map(|(name, _)| name).eq(parameters));
    let mut state = parameters.to_vec();
    state.insert(1, "mean");
    assert!(net.state_dict().names().eq(state));
    assert_eq!(net.parameters().len(), parameters.len());
}

#[test]
fn counts_are_of_what_is_trained() {
    let net = net();
    assert_eq!(net.parameter_count(), 2 + (4 * 8 + 8) + 64 + (8 * 2 + 2) + (8 * net.classes + 3));
}

#[test]
fn reading_and_writing_visits_go_the_same_way() {
    let mut net = net();
    let mut read = Vec::new();
    net.visit(ModulePath::ROOT, &mut |path, entry| read.push((path.to_string(), entry.value().shape().clone())));
    let mut written = Vec::new();
    net.visit_mut(ModulePath::ROOT, &mut |path, entry| {
        written.push((path.to_string(), entry.value_mut().shape().clone()));
    });
    assert_eq!(read, written);
}

#[derive(Module)]
struct Pair(Linear, Linear);

#[derive(Module)]
struct Block<L, F: TensorFloat> {
    r#type: L,
    shift: Parameter<F>,
}

#[derive(Module)]
#[module(float = f64)]
struct Double {
    weight: Parameter<f64>,
    both: [Box<Linear<f64>>; 2],
}

#[derive(Module)]
struct Nothing;

fn names<F: TensorFloat>(module: &impl Module<F>) -> Vec<String> {
    module.named_parameters().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn every_kind_of_struct_can_be_a_module() {
    let mut rng = rng(0);
    let mut linear = || Linear::new(1, 1, &mut rng).without_bias();
    assert_eq!(names(&Pair(linear(), linear())), ["0.weight", "1.weight"]);
    assert_eq!(names(&Block { r#type: linear(), shift: Parameter::new([0.0_f32]) }), ["type.weight", "shift"]);
    let linear = || Box::new(Linear::new(1, 1, &mut wengert_tensor::rng(0)));
    let double = Double { weight: Parameter::new([1.0]), both: [linear(), linear()] };
    assert_eq!(names(&double), ["weight", "both.0.weight", "both.0.bias", "both.1.weight", "both.1.bias"]);
    assert_eq!(names::<f32>(&Nothing), [""; 0]);
}

#[test]
fn a_model_behind_a_reference_or_a_box_is_a_module() {
    let mut rng = rng(0);
    let (mut a, mut b) = (Linear::<f32>::new(1, 1, &mut rng), Linear::new(1, 1, &mut rng));
    assert_eq!(names(&[&mut a, &mut b]), ["0.weight", "0.bias", "1.weight", "1.bias"]);
    let boxed: Box<dyn Module<f32>> = Box::new(a);
    assert_eq!(names(&boxed), ["weight", "bias"]);
}
