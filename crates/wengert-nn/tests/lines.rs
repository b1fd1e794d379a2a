//! Errors of layers name a line of the user's: that of the call, or that in a layer of their own.

use wengert_core::{Tape, TensorVar};
use wengert_nn::{
    BatchNorm2d, Conv2d, Embedding, Error, GroupNorm, Layer, LayerNorm, MaxPool2d, Mode, Module, Relu, Sequential,
};
use wengert_tensor::{Tensor, rng};

/// The line that a text names in this file, after `path`.
fn line_of(text: &str, path: &str) -> u32 {
    let rest = text.strip_prefix(path).and_then(|rest| rest.strip_prefix(concat!(file!(), ":")));
    let digits = rest.unwrap_or_else(|| panic!("{text}")).split(':').next();
    digits.unwrap().parse().unwrap()
}

#[track_caller]
fn error(layer: &impl Layer, shape: &[usize]) -> String {
    layer.predict(&Tensor::zeros(shape)).unwrap_err().to_string()
}

#[test]
fn in_a_chain_where_that_was_called() {
    let mut rng = rng(0);
    let chains: [Sequential; 6] = [
        Sequential::new().with(Relu).with(Conv2d::new(3, 4, 3, &mut rng)),
        Sequential::new().with(Relu).with(MaxPool2d::new(9)),
        Sequential::new().with(Relu).with(BatchNorm2d::new(3)),
        Sequential::new().with(Relu).with(LayerNorm::new(3)),
        Sequential::new().with(Relu).with(GroupNorm::new(1, 3)),
        Sequential::new().with(Relu).with(Sequential::new().with(Conv2d::new(3, 4, 3, &mut rng))),
    ];
    for (k, chain) in chains.iter().enumerate() {
        let text = error(chain, &[2, 1, 8, 8]);
        let called = line!() - 1;
        if text.contains("is made at") {
            continue; // names the line otherwise
        }
        let path = if k == 5 { "1.0: " } else { "1: " };
        assert_eq!(line_of(&text, path), called, "{text}");
    }
}

#[test]
fn on_its_own_where_it_was_called() {
    let mut rng = rng(0);
    let conv: Conv2d = Conv2d::new(3, 4, 3, &mut rng);
    assert_eq!(line_of(&conv.predict(&Tensor::zeros([1, 2, 8, 8])).unwrap_err().to_string(), ""), line!());
    let pooling = MaxPool2d::new(9);
    let tape = Tape::<f32>::new();
    let x = tape.constant_tensor(Tensor::zeros([1, 2, 8, 8]));
    assert_eq!(line_of(&pooling.forward(x, &mut Mode::Eval).unwrap_err().to_string(), ""), line!());
    let words = Embedding::<f32>::new(3, 4, &mut rng);
    assert_eq!(line_of(&words.embed(&tape, &Tensor::from([0, 3])).unwrap_err().to_string(), ""), line!());
}

/// A user's layer: its own lines stay.
#[derive(Module)]
struct Block {
    conv: Conv2d,
}

const IN_BLOCK: u32 = line!() + 3;
impl Layer for Block {
    fn forward<'t>(&self, x: TensorVar<'t, f32>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, f32>, Error> {
        self.conv.forward(x, mode)
    }
}

#[test]
fn in_a_users_layer_where_that_calls() {
    let block = Block { conv: Conv2d::new(3, 4, 3, &mut rng(0)) };
    assert_eq!(line_of(&error(&block, &[1, 2, 8, 8]), "conv: "), IN_BLOCK);
    let chain = Sequential::new().with(block);
    assert_eq!(line_of(&error(&chain, &[1, 2, 8, 8]), "0.conv: "), IN_BLOCK);
}
