//! Tensor programs: products, an elementwise expression, softmax cross-entropy, layer normalisation, a chain of small ops.

use wengert::prelude::*;
use wengert::{Tape32, TensorFloat, rng};

fn normal(shape: &[usize], seed: u64) -> Tensor<f32> {
    Tensor::normal(shape, 0.0, 1.0, &mut rng(seed))
}

/// `[m, k] x [k, n]`, forward only.
pub struct MatMul<F: TensorFloat = f32> {
    a: Tensor<F>,
    b: Tensor<F>,
}

impl<F: TensorFloat> MatMul<F> {
    pub fn new(m: usize, k: usize, n: usize) -> Self {
        let normal = |shape: [usize; 2], seed| Tensor::<F>::normal(shape, F::ZERO, F::ONE, &mut rng(seed));
        MatMul { a: normal([m, k], 1), b: normal([k, n], 2) }
    }

    pub fn call(&self) -> Tensor<F> {
        self.a.matmul(&self.b)
    }
}

/// `mean(tanh(x w + b) sigmoid(x) + exp(-x^2))` of 1000 x 1000 numbers, value and all three gradients.
pub struct Elementwise {
    tape: Tape32,
    x: Tensor<f32>,
    w: Tensor<f32>,
    b: Tensor<f32>,
}

impl Elementwise {
    pub fn new() -> Self {
        let shape = [1000, 1000];
        Elementwise { tape: Tape32::new(), x: normal(&shape, 1), w: normal(&shape, 2), b: normal(&shape, 3) }
    }

    pub fn call(&mut self) -> (f32, [Tensor<f32>; 3]) {
        let result = {
            let (x, w, b) = (self.tape.tensor(&self.x), self.tape.tensor(&self.w), self.tape.tensor(&self.b));
            let y = zip_map_mean([x, w, b], |[x, w, b]| (x * w + b).tanh() * x.sigmoid() + (-x * x).exp());
            (y.item(), y.gradient().wrt([x, w, b]))
        };
        self.tape.clear();
        result
    }
}

/// Rosenbrock's function of 10,000 numbers as one fused sum over two overlapping slices, and its gradient.
pub struct MappedRosenbrock {
    tape: Tape,
    x: Tensor<f64>,
}

impl MappedRosenbrock {
    pub fn at(point: Vec<f64>) -> Self {
        MappedRosenbrock { tape: Tape::new(), x: Tensor::from_vec([point.len()], point) }
    }

    pub fn call(&mut self) -> Tensor<f64> {
        let n = self.x.len();
        let gradient = {
            let x = self.tape.tensor(&self.x);
            let y = zip_map_sum([x.slice(0, ..n - 1), x.slice(0, 1..)], |[x, next]| {
                (next - x * x).square() * 100.0 + (x - 1.0).square()
            });
            let [gradient] = y.gradient().wrt([x]);
            gradient
        };
        self.tape.clear();
        gradient
    }
}

/// Mean softmax cross-entropy of 4096 rows of 1000 logits, value and gradient.
pub struct SoftmaxCrossEntropy {
    tape: Tape32,
    logits: Tensor<f32>,
    labels: Tensor<i64>,
}

impl SoftmaxCrossEntropy {
    pub fn new() -> Self {
        let labels = (0..4096_i64).map(|i| i * 7919 % 1000).collect();
        SoftmaxCrossEntropy { tape: Tape32::new(), logits: normal(&[4096, 1000], 1), labels }
    }

    pub fn call(&mut self) -> (f32, Tensor<f32>) {
        let result = {
            let x = self.tape.tensor(&self.logits);
            let loss = x.cross_entropy(&self.labels);
            let [gradient] = loss.gradient().wrt([x]);
            (loss.item(), gradient)
        };
        self.tape.clear();
        result
    }
}

/// Layer normalisation of 4096 rows of 768 numbers with weight and bias: value and, from a given cotangent, all three gradients.
pub struct LayerNormalization {
    tape: Tape32,
    x: Tensor<f32>,
    weight: Tensor<f32>,
    bias: Tensor<f32>,
    y_bar: Tensor<f32>,
}

impl LayerNormalization {
    pub fn new() -> Self {
        let (x, y_bar) = (normal(&[4096, 768], 1), normal(&[4096, 768], 4));
        LayerNormalization { tape: Tape32::new(), x, weight: normal(&[768], 2), bias: normal(&[768], 3), y_bar }
    }

    pub fn call(&mut self) -> [Tensor<f32>; 3] {
        let gradients = {
            let (x, w, b) = (self.tape.tensor(&self.x), self.tape.tensor(&self.weight), self.tape.tensor(&self.bias));
            x.layer_norm([768], Some(w), Some(b), 1e-5).vjp(&self.y_bar).wrt([x, w, b])
        };
        self.tape.clear();
        gradients
    }
}

/// A thousand additions of tensors of one element: what the engine costs beside arithmetic.
pub struct TensorChain {
    tape: Tape32,
    x: Tensor<f32>,
}

impl TensorChain {
    pub const OPS: usize = 1000;

    pub fn new() -> Self {
        TensorChain { tape: Tape32::new(), x: Tensor::from([0.5]) }
    }

    pub fn call(&mut self) -> f32 {
        let slope = {
            let x = self.tape.tensor(&self.x);
            let mut y = x;
            for _ in 0..Self::OPS {
                y += x;
            }
            y.gradient()[x].at([0])
        };
        self.tape.clear();
        slope
    }
}

/// Which way through a convolution.
#[derive(Clone, Copy, PartialEq)]
pub enum Pass {
    Forward,
    Backward,
}

impl Pass {
    pub fn name(self) -> &'static str {
        match self {
            Pass::Forward => "conv_fwd",
            Pass::Backward => "conv_bwd",
        }
    }
}

/// 16 pictures of 64 channels, 56 x 56, with 64 filters of 3 x 3 and padding 1: the result, or both its derivatives.
pub struct Conv {
    pass: Pass,
    x: Tensor<f32>,
    w: Tensor<f32>,
    y_bar: Tensor<f32>,
}

impl Conv {
    pub fn new(pass: Pass) -> Self {
        let y_bar = normal(&[16, 64, 56, 56], 3);
        Conv { pass, x: normal(&[16, 64, 56, 56], 1), w: normal(&[64, 64, 3, 3], 2), y_bar }
    }

    pub fn call(&mut self) {
        let same = Convolution::new().padding(1);
        match self.pass {
            Pass::Forward => {
                std::hint::black_box(self.x.conv2d(&self.w, &same));
            }
            Pass::Backward => {
                let x_bar = Tensor::conv2d_input_adjoint(self.x.shape(), &self.w, &self.y_bar, &same);
                let w_bar = Tensor::conv2d_weight_adjoint(&self.x, self.w.shape(), &self.y_bar, &same);
                std::hint::black_box([x_bar, w_bar].map(|bar| bar.expect("the shapes are those of a convolution")));
            }
        }
    }
}
