//! A neuron, `y = f(x w + b)`, weighs its inputs, adds a bias and bends the sum: it divides what it sees by a straight
//! line.
//! Layers of them, `Y = f(X W + B)` with a row of `X` for every item and a column of `W` for every neuron, draw any line:
//! here a circle, learnt by stochastic gradient descent in batches and epochs.

mod lesson;

use std::array::from_fn;
use wengert::prelude::*;

const CORNERS: [[f64; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];

/// One neuron: two inputs, two weights and a bias.
fn neuron<T: Number>(x: [f64; 2], [w1, w2, b]: [T; 3]) -> T {
    (w1 * x[0] + w2 * x[1] + b).sigmoid()
}

/// Its mean squared error (MSE) after 2000 steps down the gradient.
fn train(wanted: [f64; 4]) -> f64 {
    let (mut weights, mut mse) = ([0.1, -0.1, 0.0], 0.0);
    for _ in 0..2000 {
        let (error, gradient) = value_and_grad(
            |w| mean(&from_fn::<_, 4, _>(|k| (neuron(CORNERS[k], [w[0], w[1], w[2]]) - wanted[k]).square())),
            &weights,
        );
        mse = error;
        weights = from_fn(|i| weights[i] - 2.0 * gradient[i]);
    }
    mse
}

/// Points of a square, and 1 for those inside a circle of half its area.
fn circle(n: usize, seed: u64) -> (Tensor<f64>, Tensor<f64>) {
    let x = Tensor::uniform([n, 2], -1.0, 1.0, &mut rng(seed));
    let inside = x.square().sum_axes(keep(1)).map(|square| if square < 0.64 { 1.0 } else { 0.0 });
    (x, inside)
}

/// Two layers: `[n, 2]` to `[n, 16]` to `[n, 1]`.
fn network<'t>(x: TensorVar<'t, f64>, [w1, b1, w2, b2]: [TensorVar<'t, f64>; 4]) -> TensorVar<'t, f64> {
    let hidden = (x.matmul(w1) + b1).tanh();
    (hidden.matmul(w2) + b2).sigmoid()
}

fn main() {
    lesson::begin(include_str!("20_neuron.rs"));
    // "Or" has a line between its zeros and ones; "exactly one" has none, and the neuron answers 1/2 to everything.
    let (or, xor) = (train([0.0, 1.0, 1.0, 1.0]), train([0.0, 1.0, 1.0, 0.0]));
    println!("one neuron: MSE {or:.4} for or, {xor:.4} for exactly one");
    assert!(or < 0.01 && xor > 0.249);

    let ((x, wanted), (new_x, new_wanted)) = (circle(400, 1), circle(400, 2));
    let mut rng = rng(0);
    // Weights start at random: neurons that start alike stay alike. Biases start at 0.
    let mut weights = [
        Tensor::normal([2, 16], 0.0, 1.0, &mut rng),
        Tensor::zeros([16]),
        Tensor::normal([16, 1], 0.0, 0.25, &mut rng),
        Tensor::zeros([1]),
    ];
    let mut tape = Tape::new();
    let (epochs, batch) = (100, 20);
    for epoch in 1..=epochs {
        // An epoch goes through all items once, in a new order; a step sees one batch of them.
        let order = Tensor::permutation(400, &mut rng);
        let mut total = 0.0;
        for start in (0..400).step_by(batch) {
            let items = order.slice(0, start..start + batch as isize);
            let (x, wanted) = (x.index_select(0, &items), wanted.index_select(0, &items));
            let w = weights.each_ref().map(|w| tape.tensor(w));
            let mse = (network(tape.constant_tensor(x), w) - &wanted).square().mean();
            total += mse.item();
            let gradients = mse.gradient().wrt(w);
            tape.clear();
            for (w, gradient) in weights.iter_mut().zip(&gradients) {
                w.add_scaled(-1.0, gradient); // the learning rate is 1
            }
        }
        if [1, 10, epochs].contains(&epoch) {
            println!("epoch {epoch:3}: MSE {:.4} over {} steps", total / 20.0, 400 / batch);
        }
    }
    let w = weights.each_ref().map(|w| tape.constant_tensor(w));
    let answers = network(tape.constant_tensor(new_x), w).value();
    let right = answers.zip_map(&new_wanted, |y, wanted| (y > 0.5) == (wanted > 0.5)).count();
    println!("{right} of 400 new points are told right");
    assert!(right > 370);

    // Of several classes each has a score, and softmax makes shares of them: exp(score), over the sum of all.
    let scores = tape.tensor([2.0, 1.0, -1.0]);
    let shares = scores.softmax(0);
    // The loss is -ln of the share of the right class, the first; its gradient is shares less (1, 0, 0).
    let slope = (-shares.at([0]).ln()).gradient()[scores].clone();
    println!("scores 2, 1, -1 are shares {:.3?}; gradient {:.3?}", shares.value().to_vec(), slope.to_vec());
    let difference = slope - (shares.value() - Tensor::from([1.0, 0.0, 0.0]));
    assert!(difference.abs().max() < 1e-15);
}
