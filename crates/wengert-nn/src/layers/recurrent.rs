//! Layers with a memory that go through sequences step by step: long short-term memory, gated recurrent units, and the
//! plain recurrent network.

use crate::error::Error;
use crate::layer::{Layer, Mode};
use crate::module::{Entry, EntryMut, Module, ModulePath};
use core::panic::Location;
use rand::Rng;
use wengert_core::{Caller, Parameter, TensorFloat, TensorVar, UnaryFunctions, try_zip_map};
use wengert_tensor::{Shape, ShapeError, Tensor};

/// The weights of one layer of a recurrent network: the gates' below one another.
#[derive(Debug, Clone)]
pub struct RecurrentWeights<F: TensorFloat> {
    /// From the input to the gates: `[gates hidden, inputs]`.
    pub weight_ih: Parameter<F>,
    /// From the memory to the gates: `[gates hidden, hidden]`.
    pub weight_hh: Parameter<F>,
    /// `[gates hidden]`.
    pub bias_ih: Option<Parameter<F>>,
    /// `[gates hidden]`. Two biases, as PyTorch has them: one for the memory counts where a gate weighs it apart.
    pub bias_hh: Option<Parameter<F>>,
}

impl<F: TensorFloat> RecurrentWeights<F> {
    /// Features of the memory.
    fn hidden(&self) -> usize {
        self.weight_hh.value().shape()[1]
    }
}

/// The directions in which a network goes through sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directions {
    Forward,
    Both,
}

impl Directions {
    fn count(self) -> usize {
        match self {
            Directions::Forward => 1,
            Directions::Both => 2,
        }
    }

    /// What PyTorch's names of the weights at `k` end with.
    fn suffix(self, k: usize) -> String {
        format!("l{}{}", k / self.count(), if k.is_multiple_of(self.count()) { "" } else { "_reverse" })
    }
}

/// Outputs, and the states at the end.
type Through<'t, F, const STATES: usize> = (TensorVar<'t, F>, [TensorVar<'t, F>; STATES]);

/// What these networks have in common: layers of weights, and sizes.
#[derive(Debug, Clone)]
struct Stack<F: TensorFloat> {
    of: &'static str,
    /// Layer by layer, of each those forward and those backward.
    weights: Vec<RecurrentWeights<F>>,
    directions: Directions,
    inputs: usize,
    hidden: usize,
    /// Where the network was made: what an error about its shape names.
    made: Caller,
}

impl<F: TensorFloat> Stack<F> {
    #[track_caller]
    fn new(
        of: &'static str,
        gates: usize,
        [inputs, hidden, layers]: [usize; 3],
        directions: Directions,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self, Error> {
        for (setting, value) in [("inputs", inputs), ("hidden", hidden), ("layers", layers)] {
            if value == 0 {
                return Err(Error::Setting { of, setting, value: 0.0, expected: "at least 1" });
            }
        }
        let bound = F::from_f64(1.0 / (hidden as f64).sqrt());
        let rows = gates.saturating_mul(hidden);
        let count = directions.count();
        let mut weights = Vec::new();
        for k in 0..layers.saturating_mul(count) {
            let mut uniform =
                |shape: Shape| Ok::<_, ShapeError>(Parameter::new(Tensor::try_uniform(shape, -bound, bound, rng)?));
            let columns = if k < count { inputs } else { hidden.saturating_mul(count) };
            weights.push(RecurrentWeights {
                weight_ih: uniform(Shape::from([rows, columns]))?,
                weight_hh: uniform(Shape::from([rows, hidden]))?,
                bias_ih: Some(uniform(Shape::from(rows))?),
                bias_hh: Some(uniform(Shape::from(rows))?),
            });
        }
        Ok(Stack { of, weights, directions, inputs, hidden, made: Location::caller() })
    }

    fn without_bias(mut self) -> Self {
        for weights in &mut self.weights {
            (weights.bias_ih, weights.bias_hh) = (None, None);
        }
        self
    }

    /// The number `n` of the sequences `x: [n, l, inputs]`.
    fn batch(&self, x: TensorVar<'_, F>) -> Result<usize, Error> {
        let input = x.shape();
        let &[batch, steps, features] = &*input else {
            let expected = "sequences, [n, l, inputs]";
            return Err(Error::of_shape(ShapeError::Rank { op: self.of, shape: input, expected }));
        };
        if features != self.inputs {
            return Err(Error::Features { layer: self.of, expected: self.inputs, input, made: self.made });
        }
        if steps == 0 {
            return Err(Error::Setting {
                of: self.of,
                setting: "length of the sequences",
                value: 0.0,
                expected: "at least 1",
            });
        }
        Ok(batch)
    }

    /// The memory of each layer and direction, `[n, hidden]`, at its first step: nothing, or the entries of
    /// `state: [layers directions, n, hidden]`.
    fn start<'t>(
        &self,
        x: TensorVar<'t, F>,
        batch: usize,
        state: Option<TensorVar<'t, F>>,
    ) -> Result<Vec<TensorVar<'t, F>>, Error> {
        let shape = Shape::from([self.weights.len(), batch, self.hidden]);
        match state {
            None => {
                let nothing = x.tape().constant_tensor(Tensor::try_zeros([batch, self.hidden])?);
                Ok(vec![nothing; self.weights.len()])
            }
            Some(state) if state.shape() == shape => Ok(state.try_unbind(0)?),
            Some(state) => Err(Error::of_shape(ShapeError::Unequal { op: self.of, lhs: state.shape(), rhs: shape })),
        }
    }

    /// Goes through `x: [n, l, inputs]` layer by layer, each in its directions, from the states given or from zeros.
    ///
    /// `layer` takes weights, what they read, `[l, n, features]`, and a memory, and gives the outputs,
    /// `[l, n, hidden]`, and the memory at the end: what belongs to one step lies together. Results: outputs
    /// `[n, l, directions hidden]`, states `[layers directions, n, hidden]`.
    fn run<'t, const STATES: usize>(
        &self,
        x: TensorVar<'t, F>,
        states: [Option<TensorVar<'t, F>>; STATES],
        layer: impl Fn(
            &RecurrentWeights<F>,
            TensorVar<'t, F>,
            [TensorVar<'t, F>; STATES],
        ) -> Result<Through<'t, F, STATES>, Error>,
    ) -> Result<Through<'t, F, STATES>, Error> {
        let batch = self.batch(x)?;
        let mut start = [const { Vec::new() }; STATES];
        for (start, state) in start.iter_mut().zip(states) {
            *start = self.start(x, batch, state)?;
        }
        let mut last = [const { Vec::new() }; STATES];
        let mut outputs = x.try_transpose(0, 1)?;
        for (k, weights) in self.weights.iter().enumerate().step_by(self.directions.count()) {
            let input = outputs;
            let mut end;
            (outputs, end) = layer(weights, input, start.each_ref().map(|start| start[k]))?;
            last.iter_mut().zip(end).for_each(|(last, end)| last.push(end));
            if self.directions == Directions::Both {
                let back;
                let start = start.each_ref().map(|start| start[k + 1]);
                (back, end) = layer(&self.weights[k + 1], input.try_flip(0)?, start)?;
                last.iter_mut().zip(end).for_each(|(last, end)| last.push(end));
                outputs = TensorVar::try_concat(&[outputs, back.try_flip(0)?], 2)?;
            }
        }
        let mut states = [x; STATES];
        for (state, last) in states.iter_mut().zip(&last) {
            *state = TensorVar::try_stack(last, 0)?;
        }
        Ok((outputs.try_transpose(0, 1)?, states))
    }

    #[track_caller]
    fn anchored<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let caller = Location::caller();
        result.map_err(|error| match self.weights.first() {
            Some(first) => error.called_at(caller).anchored(first.weight_ih.id(), "weight_ih_l0"),
            None => error.called_at(caller),
        })
    }

    fn visit<'a>(&'a self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, Entry<'a, F>)) {
        for (k, weights) in self.weights.iter().enumerate() {
            let suffix = self.directions.suffix(k);
            weights.weight_ih.visit(path.field(&format!("weight_ih_{suffix}")), visitor);
            weights.weight_hh.visit(path.field(&format!("weight_hh_{suffix}")), visitor);
            weights.bias_ih.visit(path.field(&format!("bias_ih_{suffix}")), visitor);
            weights.bias_hh.visit(path.field(&format!("bias_hh_{suffix}")), visitor);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, EntryMut<'a, F>)) {
        let directions = self.directions;
        for (k, weights) in self.weights.iter_mut().enumerate() {
            let suffix = directions.suffix(k);
            weights.weight_ih.visit_mut(path.field(&format!("weight_ih_{suffix}")), visitor);
            weights.weight_hh.visit_mut(path.field(&format!("weight_hh_{suffix}")), visitor);
            weights.bias_ih.visit_mut(path.field(&format!("bias_ih_{suffix}")), visitor);
            weights.bias_hh.visit_mut(path.field(&format!("bias_hh_{suffix}")), visitor);
        }
    }
}

/// Cuts `x: [steps n, ..]` into steps, by halves: the cotangent of a slice is as large as what it is cut from, so that
/// cutting off one step after the other would cost the square of their number in the reverse sweep.
fn cut<'t, F: TensorFloat>(
    x: TensorVar<'t, F>,
    steps: usize,
    batch: usize,
    parts: &mut Vec<TensorVar<'t, F>>,
) -> Result<(), Error> {
    if steps == 1 {
        parts.push(x);
        return Ok(());
    }
    let (half, rows) = (steps / 2, batch as isize);
    let at = half as isize * rows;
    cut(x.try_slice(0, ..at)?, half, batch, parts)?;
    cut(x.try_slice(0, at..)?, steps - half, batch, parts)
}

/// What the gates of one layer get from `x`, the input of all steps or the memory, by one product.
///
/// Shapes: `x: [rows, features]`, result `[rows, gates hidden]`.
fn projected<'t, F: TensorFloat>(
    x: TensorVar<'t, F>,
    weight: &Parameter<F>,
    bias: Option<TensorVar<'t, F>>,
) -> Result<TensorVar<'t, F>, Error> {
    let weight = x.tape().parameter(weight);
    Ok(match bias {
        Some(bias) => x.try_linear(weight, bias)?,
        None => x.try_matmul_t(false, weight, true)?,
    })
}

/// The first two axes of `x: [l, n, features]`.
fn steps_and_batch<F: TensorFloat>(x: TensorVar<'_, F>) -> [usize; 2] {
    let shape = x.shape();
    [shape[0], shape[1]]
}

/// One row for each step of each sequence: `[l n, features]` from `x: [l, n, features]`.
fn rows<F: TensorFloat>(x: TensorVar<'_, F>) -> Result<TensorVar<'_, F>, Error> {
    let shape = x.shape();
    Ok(x.try_reshape([shape[0] * shape[1], shape[2]])?)
}

/// One layer in one direction, one step after the other: outputs `[l, n, hidden]` of `x: [l, n, features]`.
///
/// `step` makes the next memory from what the gates get from the input and from the memory, `[n, gates hidden]`, and
/// from the memory itself.
fn step_by_step<'t, F: TensorFloat>(
    weights: &RecurrentWeights<F>,
    x: TensorVar<'t, F>,
    mut h: TensorVar<'t, F>,
    step: impl Fn(TensorVar<'t, F>, TensorVar<'t, F>, TensorVar<'t, F>) -> Result<TensorVar<'t, F>, Error>,
) -> Result<Through<'t, F, 1>, Error> {
    let [steps, batch] = steps_and_batch(x);
    let [bias_ih, bias_hh] =
        [&weights.bias_ih, &weights.bias_hh].map(|bias| bias.as_ref().map(|bias| x.tape().parameter(bias)));
    let mut of_steps = Vec::with_capacity(steps);
    cut(projected(rows(x)?, &weights.weight_ih, bias_ih)?, steps, batch, &mut of_steps)?;
    let mut outputs = Vec::with_capacity(steps);
    for of_input in of_steps {
        h = step(of_input, projected(h, &weights.weight_hh, bias_hh)?, h)?;
        outputs.push(h);
    }
    Ok((TensorVar::try_stack(&outputs, 0)?, [h]))
}

/// The gates of `x: [n, gates hidden]`, `[n, hidden]` each.
fn gates<'t, F: TensorFloat, const N: usize>(
    x: TensorVar<'t, F>,
    hidden: usize,
) -> Result<[TensorVar<'t, F>; N], Error> {
    let mut parts = [x; N];
    for (k, part) in parts.iter_mut().enumerate() {
        *part = x.try_slice(1, (k * hidden) as isize..((k + 1) * hidden) as isize)?;
    }
    Ok(parts)
}

/// Long short-term memory, one layer or several, each reading the outputs of the one before.
///
/// With `[i, f, g, o] = weight_ih x_t + bias_ih + weight_hh h + bias_hh`, at every step
/// `c = sigmoid(f) c + sigmoid(i) tanh(g)`, `h = sigmoid(o) tanh(c)`; the output is `h`.
///
/// Shapes: `x: [n, l, inputs]`, output `[n, l, hidden]`; the states `h` and `c` `[layers, n, hidden]`. As a layer it
/// starts from zeros and gives the outputs; [`run`](Self::run) takes and gives states too. Weights and biases start
/// uniform within `1/sqrt(hidden)` of 0. That, the names (`weight_ih_l0`, ..), shapes and the order of the gates are
/// those of PyTorch's `nn.LSTM` with `batch_first`.
///
/// Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory", 1997; the forget gate `f` from F. Gers et al.,
/// "Learning to forget", 2000.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::{Layer, Lstm, Module};
/// use wengert_tensor::{Tensor, rng};
///
/// let lstm = Lstm::<f32>::new(3, 5, 2, &mut rng(0));
/// assert_eq!(lstm.named_parameters()[4].0, "weight_ih_l1");
/// assert_eq!(*lstm.predict(&Tensor::zeros([4, 7, 3]))?.shape(), [4, 7, 5]);
///
/// // A long sequence in two parts:
/// let tape = Tape::evaluating();
/// let (first, rest) = (tape.constant_tensor(Tensor::ones([4, 7, 3])), tape.constant_tensor(Tensor::ones([4, 2, 3])));
/// let (_, state) = lstm.run(first, None)?;
/// let (y, (h, c)) = lstm.run(rest, Some(state))?;
/// assert_eq!((y.shape(), h.shape(), c.shape()), ([4, 2, 5].into(), [2, 4, 5].into(), [2, 4, 5].into()));
///
/// let both = Lstm::<f32>::bidirectional(3, 5, 2, &mut rng(0));
/// assert_eq!(*both.predict(&Tensor::zeros([4, 7, 3]))?.shape(), [4, 7, 10]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Lstm<F: TensorFloat = f32>(Stack<F>);

/// The memory of an [`Lstm`]: `h` and `c`, `[layers, n, hidden]` each.
pub type LstmState<'t, F> = (TensorVar<'t, F>, TensorVar<'t, F>);

impl<F: TensorFloat> Lstm<F> {
    /// The outputs for sequences and the state they leave, from the state before or from zeros.
    ///
    /// Shapes: `x: [n, l, inputs]`, outputs `[n, l, hidden]`, states `[layers, n, hidden]`; twice as many features and
    /// layers in both directions.
    ///
    /// # Errors
    /// [`Error::Features`] if the sequences have other features, [`Error::Tape`] if they or the state have not three
    /// axes or do not go together, [`Error::Setting`] for sequences without steps.
    #[track_caller]
    pub fn run<'t>(
        &self,
        x: TensorVar<'t, F>,
        state: Option<LstmState<'t, F>>,
    ) -> Result<(TensorVar<'t, F>, LstmState<'t, F>), Error> {
        let states = state.map_or([None, None], |(h, c)| [Some(h), Some(c)]);
        self.0.anchored(self.0.run(x, states, Self::layer).map(|(y, [h, c])| (y, (h, c))))
    }

    /// One layer in one direction: outputs `[l, n, hidden]` of `x: [l, n, features]`.
    fn layer<'t>(
        weights: &RecurrentWeights<F>,
        x: TensorVar<'t, F>,
        [h, c]: [TensorVar<'t, F>; 2],
    ) -> Result<Through<'t, F, 2>, Error> {
        let tape = x.tape();
        // Both biases reach the same sums.
        let biases = [&weights.bias_ih, &weights.bias_hh].map(|bias| bias.as_ref().map(|bias| tape.parameter(bias)));
        let bias = match biases {
            [Some(of_input), Some(of_memory)] => Some(of_input.try_add(of_memory)?),
            [of_input, of_memory] => of_input.or(of_memory),
        };
        let ([steps, batch], hidden) = (steps_and_batch(x), weights.hidden());
        let sums = projected(rows(x)?, &weights.weight_ih, bias)?.try_reshape([steps, batch, 4 * hidden])?;
        let states = sums.try_lstm(tape.parameter(&weights.weight_hh), h, c)?;
        let (outputs, end) = (states.try_slice(2, ..hidden as isize)?, states.try_index_axis(0, -1)?);
        Ok((outputs, [end.try_slice(1, ..hidden as isize)?, end.try_slice(1, hidden as isize..)?]))
    }
}

/// Gated recurrent units, one layer or several, each reading the outputs of the one before.
///
/// With `[r, z, n] = weight_ih x_t + bias_ih` and `[r', z', n'] = weight_hh h + bias_hh`, at every step
/// `h = (1 - u) tanh(n + sigmoid(r + r') n') + u h`, `u = sigmoid(z + z')`; the output is `h`.
///
/// Shapes: `x: [n, l, inputs]`, output `[n, l, hidden]`; the state `h: [layers, n, hidden]`. As a layer it starts from
/// zeros and gives the outputs; [`run`](Self::run) takes and gives the state too. Weights and biases start uniform
/// within `1/sqrt(hidden)` of 0. That, the names (`weight_ih_l0`, ..), shapes and the order of the gates are those of
/// PyTorch's `nn.GRU` with `batch_first`.
///
/// Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
/// translation", 2014; the place of `r` is that of its first version, which PyTorch and cuDNN use.
///
/// # Examples
/// ```
/// use wengert_nn::{Gru, Layer};
/// use wengert_tensor::{Tensor, rng};
///
/// let gru = Gru::<f32>::new(3, 5, 1, &mut rng(0));
/// assert_eq!(*gru.predict(&Tensor::zeros([4, 7, 3]))?.shape(), [4, 7, 5]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gru<F: TensorFloat = f32>(Stack<F>);

impl<F: TensorFloat> Gru<F> {
    /// The outputs for sequences and the state they leave, from the state before or from zeros.
    ///
    /// Shapes: `x: [n, l, inputs]`, outputs `[n, l, hidden]`, state `[layers, n, hidden]`; twice as many features and
    /// layers in both directions.
    ///
    /// # Errors
    /// As [`Lstm::run`].
    #[track_caller]
    pub fn run<'t>(
        &self,
        x: TensorVar<'t, F>,
        state: Option<TensorVar<'t, F>>,
    ) -> Result<(TensorVar<'t, F>, TensorVar<'t, F>), Error> {
        self.0.anchored(self.0.run(x, [state], Self::layer).map(|(y, [h])| (y, h)))
    }

    /// One layer in one direction: outputs `[l, n, hidden]` of `x: [l, n, features]`.
    fn layer<'t>(
        weights: &RecurrentWeights<F>,
        x: TensorVar<'t, F>,
        [h]: [TensorVar<'t, F>; 1],
    ) -> Result<Through<'t, F, 1>, Error> {
        step_by_step(weights, x, h, |of_input, of_memory, h| {
            let [r, z, n] = gates(of_input, weights.hidden())?;
            let [r_h, z_h, n_h] = gates(of_memory, weights.hidden())?;
            Ok(try_zip_map([r, z, n, r_h, z_h, n_h, h], |[r, z, n, r_h, z_h, n_h, h]| {
                let (keep, new) = ((z + z_h).sigmoid(), (n + (r + r_h).sigmoid() * n_h).tanh());
                new + keep * (h - new)
            })?)
        })
    }
}

/// The plain recurrent network, one layer or several, each reading the outputs of the one before.
///
/// At every step `h = tanh(weight_ih x_t + bias_ih + weight_hh h + bias_hh)`; the output is `h`.
///
/// Shapes: `x: [n, l, inputs]`, output `[n, l, hidden]`; the state `h: [layers, n, hidden]`. As a layer it starts from
/// zeros and gives the outputs; [`run`](Self::run) takes and gives the state too. Weights and biases start uniform
/// within `1/sqrt(hidden)` of 0. That, the names (`weight_ih_l0`, ..) and shapes are those of PyTorch's `nn.RNN` with
/// `batch_first`.
///
/// Source: J. Elman, "Finding structure in time", 1990.
///
/// # Examples
/// ```
/// use wengert_nn::{Layer, Rnn};
/// use wengert_tensor::{Tensor, rng};
///
/// let rnn = Rnn::<f32>::new(3, 5, 1, &mut rng(0));
/// assert_eq!(*rnn.predict(&Tensor::zeros([4, 7, 3]))?.shape(), [4, 7, 5]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rnn<F: TensorFloat = f32>(Stack<F>);

impl<F: TensorFloat> Rnn<F> {
    /// The outputs for sequences and the state they leave, from the state before or from zeros.
    ///
    /// Shapes: `x: [n, l, inputs]`, outputs `[n, l, hidden]`, state `[layers, n, hidden]`; twice as many features and
    /// layers in both directions.
    ///
    /// # Errors
    /// As [`Lstm::run`].
    #[track_caller]
    pub fn run<'t>(
        &self,
        x: TensorVar<'t, F>,
        state: Option<TensorVar<'t, F>>,
    ) -> Result<(TensorVar<'t, F>, TensorVar<'t, F>), Error> {
        self.0.anchored(self.0.run(x, [state], Self::layer).map(|(y, [h])| (y, h)))
    }

    /// One layer in one direction: outputs `[l, n, hidden]` of `x: [l, n, features]`.
    fn layer<'t>(
        weights: &RecurrentWeights<F>,
        x: TensorVar<'t, F>,
        [h]: [TensorVar<'t, F>; 1],
    ) -> Result<Through<'t, F, 1>, Error> {
        step_by_step(weights, x, h, |of_input, of_memory, _| {
            Ok(try_zip_map([of_input, of_memory], |[of_input, of_memory]| (of_input + of_memory).tanh())?)
        })
    }
}

macro_rules! recurrent_layers {
    ($($Layer:ident: $of:literal, $gates:literal gates;)*) => { $(
        impl<F: TensorFloat> $Layer<F> {
            /// So many layers, each with a memory of so many features.
            ///
            /// # Panics
            /// With the text of the error that [`try_new`](Self::try_new) returns.
            #[track_caller]
            pub fn new(inputs: usize, hidden: usize, layers: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
                match Self::try_new(inputs, hidden, layers, rng) {
                    Ok(layer) => layer,
                    Err(error) => panic!("{error}"),
                }
            }

            /// [`new`](Self::new), returning what is wrong.
            ///
            /// # Errors
            /// [`Error::Setting`] for no inputs, no memory or no layers; [`Error::Shape`] if there is no memory for the
            /// weights.
            #[track_caller]
            pub fn try_new(
                inputs: usize,
                hidden: usize,
                layers: usize,
                rng: &mut (impl Rng + ?Sized),
            ) -> Result<Self, Error> {
                Ok($Layer(Stack::new($of, $gates, [inputs, hidden, layers], Directions::Forward, rng)?))
            }

            /// So many layers that go through sequences in both directions, each with a memory of so many features
            /// for either.
            ///
            /// At every step the outputs of both lie side by side, those forward first: `[n, l, 2 hidden]`, which the
            /// next layer reads. States are `[2 layers, n, hidden]`, of each layer that forward first; that backward
            /// starts behind the last step and ends before the first. The weights backward are named as PyTorch names
            /// them with `bidirectional`: `weight_ih_l0_reverse`, ..
            ///
            /// # Panics
            /// With the text of the error that [`try_bidirectional`](Self::try_bidirectional) returns.
            ///
            /// Source: M. Schuster and K. Paliwal, "Bidirectional recurrent neural networks", 1997.
            #[track_caller]
            pub fn bidirectional(inputs: usize, hidden: usize, layers: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
                match Self::try_bidirectional(inputs, hidden, layers, rng) {
                    Ok(layer) => layer,
                    Err(error) => panic!("{error}"),
                }
            }

            /// [`bidirectional`](Self::bidirectional), returning what is wrong.
            ///
            /// # Errors
            /// As [`try_new`](Self::try_new).
            #[track_caller]
            pub fn try_bidirectional(
                inputs: usize,
                hidden: usize,
                layers: usize,
                rng: &mut (impl Rng + ?Sized),
            ) -> Result<Self, Error> {
                Ok($Layer(Stack::new($of, $gates, [inputs, hidden, layers], Directions::Both, rng)?))
            }

            /// The same layer without biases.
            #[must_use]
            pub fn without_bias(self) -> Self {
                $Layer(self.0.without_bias())
            }

            /// The weights, layer by layer; of a layer that goes both ways those forward first.
            pub fn weights(&self) -> &[RecurrentWeights<F>] {
                &self.0.weights
            }
        }

        impl<F: TensorFloat> Module<F> for $Layer<F> {
            fn visit<'a>(&'a self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, Entry<'a, F>)) {
                self.0.visit(path, visitor);
            }
            fn visit_mut<'a>(
                &'a mut self,
                path: ModulePath<'_>,
                visitor: &mut dyn FnMut(ModulePath<'_>, EntryMut<'a, F>),
            ) {
                self.0.visit_mut(path, visitor);
            }
        }

        impl<F: TensorFloat> Layer<F> for $Layer<F> {
            #[track_caller]
            fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
                Ok(self.run(x, None)?.0)
            }
        }
    )* };
}

recurrent_layers! {
    Lstm: "lstm", 4 gates;
    Gru: "gru", 3 gates;
    Rnn: "rnn", 1 gates;
}
