//! AlexNet, layer by layer as Krizhevsky drew it (in the one-column form of 2014): eight layers that learn, 61 million numbers.
//! It memorises one batch of striped pictures, the check every network should pass before it is given an afternoon.

mod lesson;

use std::error::Error;
use std::f32::consts::PI;
use std::time::Instant;
use wengert::nn::init::{Activation, kaiming_uniform};
use wengert::prelude::*;

/// Adds a layer, says what comes out of it for one picture and how many numbers it learns.
fn add(
    model: &mut Sequential,
    x: &mut Tensor<f32>,
    name: &str,
    layer: impl Layer + Send + Sync + 'static,
) -> Result<(), wengert::nn::Error> {
    *x = layer.predict(x)?;
    println!("{name:<34} {:<18} {:>10}", x.shape().to_string(), layer.parameter_count());
    model.push(layer);
    Ok(())
}

/// Pictures of stripes, each with an angle and a colour of its own: `[n, 3, 224, 224]`.
fn stripes(n: usize) -> Tensor<f32> {
    Tensor::from_fn([n, 3, 224, 224], |at| {
        let (angle, channel) = (PI * at[0] as f32 / n as f32, at[1] as f32);
        let across = at[2] as f32 * angle.cos() + at[3] as f32 * angle.sin();
        (0.3 * across + 2.0 * angle * channel).sin()
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    lesson::begin(include_str!("17_alexnet.rs"));
    let (mut rng, mut model, mut x) = (rng(0), Sequential::<f32>::new(), Tensor::zeros([1, 3, 224, 224]));
    let (net, x) = (&mut model, &mut x);
    add(net, x, "convolution 11 x 11, stride 4", Conv2d::new(3, 64, 11, &mut rng).stride(4).padding(2))?;
    add(net, x, "relu", Relu)?;
    add(net, x, "max pooling 3 x 3, stride 2", MaxPool2d::new(3).stride(2))?;
    add(net, x, "convolution 5 x 5", Conv2d::new(64, 192, 5, &mut rng).padding(2))?;
    add(net, x, "relu", Relu)?;
    add(net, x, "max pooling 3 x 3, stride 2", MaxPool2d::new(3).stride(2))?;
    add(net, x, "convolution 3 x 3", Conv2d::new(192, 384, 3, &mut rng).padding(1))?;
    add(net, x, "relu", Relu)?;
    add(net, x, "convolution 3 x 3", Conv2d::new(384, 256, 3, &mut rng).padding(1))?;
    add(net, x, "relu", Relu)?;
    add(net, x, "convolution 3 x 3", Conv2d::new(256, 256, 3, &mut rng).padding(1))?;
    add(net, x, "relu", Relu)?;
    add(net, x, "max pooling 3 x 3, stride 2", MaxPool2d::new(3).stride(2))?;
    add(net, x, "flatten", Flatten)?;
    add(net, x, "fully connected", Linear::new(9216, 4096, &mut rng))?;
    add(net, x, "relu", Relu)?;
    add(net, x, "fully connected", Linear::new(4096, 4096, &mut rng))?;
    add(net, x, "relu", Relu)?;
    add(net, x, "fully connected: 1000 classes", Linear::new(4096, 1000, &mut rng))?;
    println!("{} numbers to learn", model.parameter_count());
    assert_eq!(model.parameter_count(), 61_100_840, "the published count");
    // Weights that keep the size of what passes through them (He et al. 2015): eight layers of smaller ones would whisper.
    for weight in model.parameters_mut().into_iter().filter(|parameter| parameter.value().rank() > 1) {
        let shape = weight.value().shape().clone();
        *weight.value_mut() = kaiming_uniform(shape, Activation::Relu, &mut rng)?;
    }

    let (pictures, labels) = (stripes(8), (0..8).collect::<Tensor<i64>>());
    let mut optimizer = Sgd::new(0.001).momentum(0.9);
    let mut tape = Tape32::new();
    let mut last = f32::INFINITY;
    for step in 1..=10 {
        let start = Instant::now();
        let gradients = {
            let y = model.forward(tape.constant_tensor(&pictures), &mut Mode::Eval)?;
            let loss = loss::cross_entropy(y, &labels)?;
            last = loss.item();
            loss.gradient()
        };
        tape.clear();
        optimizer.step(&mut model, &gradients)?;
        println!("step {step:2}: loss {last:.3}, {:.2?}", start.elapsed());
    }
    println!("{} MB of memory held all tensors", wengert::tensor::pool::stats().peak / 1_000_000);
    assert!(last < 2.0, "eight pictures should be nearly known by now");
    Ok(())
}
