//! Recorded tensor programs: recorded once, replayed at other values.
//!
//! A tape is made anew at every step of a training loop. A [`TensorFunction`] is made once: what the closure did is
//! kept as a plan, gradient included, in which nothing is computed that nobody reads, elementwise ops stand together as
//! passes over memory, and every intermediate tensor goes back to the pool after its last use, so that a replay finds
//! all the memory it needs there.
//!
//! In this folder: `notes` is what the tape takes down while a program is recorded, `graph` turns the list into values
//! and acts, `plan` orders and joins the acts, `replay` runs them, `print` writes and draws them.

mod graph;
mod notes;
mod plan;
mod print;
mod replay;
#[cfg(test)]
mod tests;

pub(crate) use notes::Notes;

use crate::function::FunctionError;
use crate::tape::{Gradients, Tape};
use crate::tensor::{ParameterId, Slot, Spare, TensorFloat, TensorVar};
use core::fmt;
use graph::{Given, Graph, Known, Recorded, Source};
use plan::Plan;
use replay::Memory;
use smallvec::SmallVec;
use wengert_tensor::{Element, Shape, Tensor};

/// A function of tensors, recorded once and replayed at other values, with its gradient.
///
/// What a replay computes has the bits of the same program on a tape, sums of several cotangents included. Shapes are
/// those of the recording; where the closure asked a question about a value ([`TensorVar::holds`]) every replay asks it
/// again. What an op chooses by value it chooses anew in every replay: the order of a sort, the largest few, the places
/// of a pooling, the statistics of a batch.
///
/// # What is refused, and why
///
/// A recording sees ops; what the closure does with plain numbers it cannot see, and would repeat as it was. So
/// recording returns an error that names the line, where the value hangs on what is handed in, of
/// - a value that is read: `value`, `item`, elements as scalars (`at`, `scalars`), comparisons (`x.greater(..)`),
///   places and counts (`argmax`, `argsort`, `count_nonzero`): [`FunctionError::Read`]. Ask with [`TensorVar::holds`],
///   or look at it in every replay with [`TensorVar::watch`];
/// - ops that hand out plain numbers beside their result: `topk`, `cummax`, `cummin` (where the elements are) and
///   `batch_norm` (the statistics): [`FunctionError::HandedOut`]. Use `topk_values`, `cummax_values`, `cummin_values`,
///   `batch_norm_watched`;
/// - a derivative taken inside, whose pullbacks hold what they were recorded with: [`FunctionError::NotReplayable`];
/// - labels handed to `scatter_reduce` or to a loss with class weights or smoothing, which work with them beside the
///   tape: [`FunctionError::Beside`]; and data or labels that no op reads as they are: [`FunctionError::Unread`].
///
/// A piece of a program that needs one of these can stand in a [`checkpoint_tensors`](crate::checkpoint_tensors) or in
/// an op of your own ([`TensorOp`](crate::TensorOp)): their code runs in every replay.
///
/// What cannot be told from a constant is one: plain tensors that the closure makes of what was handed in, masks and
/// indices among them; random numbers drawn while recording, such as a dropout mask. Hand them in as data.
///
/// # Examples
/// ```
/// use wengert_core::{TensorFunction, prelude::*};
/// use wengert_tensor::Tensor;
///
/// let (w, b) = (Tensor::from([[0.5, -1.0], [0.25, 0.75]]), Tensor::from([0.1, -0.1]));
/// let (x, target) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[0.0, 1.0]]));
/// let mut step = TensorFunction::record_with_data(&[w.clone(), b.clone()], &[x, target], |p, d| {
///     (d[0].matmul(p[0]) + p[1]).tanh().mse(d[1])
/// })?;
/// let mut weights = [w, b];
/// for k in 0..100 {
///     step.set_data(&[Tensor::from([[(k % 7) as f64, 1.0]]), Tensor::from([[0.5, -0.5]])])?;
///     let (loss, gradient) = step.value_and_gradient(&weights)?;
///     weights.iter_mut().zip(gradient).for_each(|(w, w_bar)| w.add_scaled(-0.1, &w_bar));
///     assert!(loss.item().is_finite());
/// }
/// # Ok::<(), wengert_core::FunctionError>(())
/// ```
#[doc(alias = "jit")]
#[doc(alias = "compile")]
pub struct TensorFunction<F: TensorFloat = f64> {
    known: Vec<Known>,
    rules: Vec<Recorded<F>>,
    /// Shapes of inputs, of data, and of the parameters bound while recording.
    inputs: Vec<Shape>,
    data: Vec<Tensor<F>>,
    labels: Vec<Tensor<i64>>,
    parameters: Vec<Shape>,
    /// Which they are, and the place of each.
    bound: Vec<(ParameterId, u32)>,
    /// The memory of dropped gradients.
    spare: Spare<F>,
    value: Plan<F>,
    gradient: Option<Plan<F>>,
    memory: Memory<F>,
}

impl<F: TensorFloat> TensorFunction<F> {
    /// Records a function at inputs `x`, which decide the shapes and the branches it takes.
    ///
    /// # Errors
    /// [`FunctionError::Read`] if the closure read a value that depends on an input, [`FunctionError::HandedOut`] if an
    /// op handed one out, [`FunctionError::NotReplayable`] if it took a derivative, [`FunctionError::TwoRecordings`] if
    /// it returned a variable of another tape, [`FunctionError::Tensor`] and [`FunctionError::Derivative`] if there is
    /// no memory for a value or for the gradient, [`FunctionError::Unread`] if no op reads certain data or labels,
    /// [`FunctionError::Beside`] if one works with labels beside the tape.
    ///
    /// # Panics
    /// Where the closure panics.
    #[track_caller]
    pub fn record(
        x: &[Tensor<F>],
        f: impl for<'t> FnOnce(&[TensorVar<'t, F>]) -> TensorVar<'t, F>,
    ) -> Result<Self, FunctionError> {
        Self::record_with_data(x, &[], |x, _| f(x))
    }

    /// Records a function that also reads data: tensors that no derivative is taken by, and that
    /// [`set_data`](Self::set_data) exchanges.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    ///
    /// # Panics
    /// Where the closure panics.
    #[track_caller]
    pub fn record_with_data(
        x: &[Tensor<F>],
        data: &[Tensor<F>],
        f: impl for<'t> FnOnce(&[TensorVar<'t, F>], &[TensorVar<'t, F>]) -> TensorVar<'t, F>,
    ) -> Result<Self, FunctionError> {
        Self::record_on(x, data, &[], |_, x, data, _| f(x, data))
    }

    /// Records a function of the parameters that the closure binds with [`Tape::parameter`], of data and of labels: the
    /// loss of a model. Replay it with [`value_and_gradients_of`](Self::value_and_gradients_of).
    ///
    /// [`set_data`](Self::set_data) and [`set_labels`](Self::set_labels) exchange what ops read: labels that are handed
    /// as they are, or in another shape, to [`cross_entropy`](TensorVar::cross_entropy),
    /// [`gather_rows`](TensorVar::gather_rows), [`gather`](TensorVar::gather),
    /// [`take_along_axis`](TensorVar::take_along_axis), [`pick`](TensorVar::pick), [`scatter`](TensorVar::scatter) or
    /// [`scatter_add`](TensorVar::scatter_add), and data that are used as variables or put on the tape as they are.
    /// What the closure computes from labels beside the tape is frozen.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    ///
    /// # Panics
    /// Where the closure panics.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::{Parameter, TensorFunction, prelude::*};
    /// # use wengert_tensor::Tensor;
    /// let w = Parameter::new([1.0, 2.0]);
    /// let x = [Tensor::from([3.0, 4.0])];
    /// let mut loss = TensorFunction::record_model(&x, &[], |tape, d, _| (tape.parameter(&w) * d[0]).sum())?;
    /// let (loss, gradients) = loss.value_and_gradients_of([&w])?;
    /// assert_eq!((loss.item(), gradients[&w].to_vec()), (11.0, vec![3.0, 4.0]));
    /// # Ok::<(), wengert_core::FunctionError>(())
    /// ```
    #[track_caller]
    pub fn record_model(
        data: &[Tensor<F>],
        labels: &[Tensor<i64>],
        f: impl for<'t> FnOnce(&'t Tape<F>, &[TensorVar<'t, F>], &[Tensor<i64>]) -> TensorVar<'t, F>,
    ) -> Result<Self, FunctionError> {
        Self::record_on(&[], data, labels, |tape, _, data, labels| f(tape, data, labels))
    }

    #[track_caller]
    fn record_on(
        x: &[Tensor<F>],
        data: &[Tensor<F>],
        labels: &[Tensor<i64>],
        f: impl for<'t> FnOnce(&'t Tape<F>, &[TensorVar<'t, F>], &[TensorVar<'t, F>], &[Tensor<i64>]) -> TensorVar<'t, F>,
    ) -> Result<Self, FunctionError> {
        let (data, labels) = (told_apart(data), told_apart(labels));
        let place = core::panic::Location::caller().into();
        let tape: Tape<F> = Tape::new();
        tape.tensors.notes.take();
        let x: Vec<TensorVar<'_, F>> = x.iter().map(|x| tape.tensor(x)).collect();
        let read: Vec<TensorVar<'_, F>> = data.iter().map(|data| tape.constant_tensor(data)).collect();
        let y = f(&tape, &x, &read, &labels);
        if !core::ptr::eq(y.tape(), &raw const tape) {
            return Err(FunctionError::TwoRecordings { place });
        }
        let bound = tape.tensors.bound.borrow();
        let numbers = |vars: &[TensorVar<'_, F>]| vars.iter().map(|x| x.number()).collect();
        let parameters = bound.iter().map(|&(_, node)| node).collect();
        let given = Given { inputs: numbers(&x), data: numbers(&read), parameters, held: &data, labels: &labels };
        let graph = Graph::of(&tape, &given, y.number())?;
        let shape = |node: u32| TensorVar::new(&tape, node).shape();
        let with_gradient = |gradient: &Vec<_>| graph.plan([graph.y].iter().chain(gradient).copied().collect());
        let value = graph.plan(vec![graph.y]);
        let gradient = graph.gradient.as_ref().map(with_gradient);
        let mut read = vec![false; graph.known.len()];
        for plan in [Some(&value), gradient.as_ref()].into_iter().flatten() {
            plan.acts.iter().for_each(|planned| planned.act.reads(|value| read[value] = true));
            plan.targets.iter().for_each(|&target| read[target] = true);
        }
        let constant = |((known, read), now): ((&Known, bool), Tensor<F>)| {
            (known.source == Source::Constant && read).then_some(now)
        };
        Ok(TensorFunction {
            inputs: x.iter().map(|x| x.shape()).collect(),
            data,
            labels,
            parameters: bound.iter().map(|&(_, node)| shape(node)).collect(),
            bound: bound.iter().map(|&(id, _)| id).zip(0..).collect(),
            spare: Spare::default(),
            value,
            gradient,
            memory: Memory {
                values: graph.known.iter().zip(read).zip(graph.now).map(constant).collect(),
                evaluated: graph.rules.iter().map(|_| None).collect(),
                unread: Tensor::scalar(F::from_f64(f64::NAN)),
            },
            known: graph.known,
            rules: graph.rules,
        })
    }

    /// Exchanges the data.
    ///
    /// # Errors
    /// [`FunctionError::Tensors`] for another number of tensors than recorded, [`FunctionError::Shape`] for another
    /// shape; then the data stay as they were.
    pub fn set_data(&mut self, data: &[Tensor<F>]) -> Result<(), FunctionError> {
        check("set_data", "data", data.iter().map(Tensor::shape), self.data.iter().map(Tensor::shape))?;
        self.data.clone_from_slice(data);
        Ok(())
    }

    /// Exchanges the labels.
    ///
    /// # Errors
    /// As [`set_data`](Self::set_data).
    pub fn set_labels(&mut self, labels: &[Tensor<i64>]) -> Result<(), FunctionError> {
        check("set_labels", "labels", labels.iter().map(Tensor::shape), self.labels.iter().map(Tensor::shape))?;
        self.labels.clone_from_slice(labels);
        Ok(())
    }

    /// The value at `x`.
    ///
    /// # Errors
    /// [`FunctionError::Tensors`] for another number of inputs than recorded, [`FunctionError::Shape`] for another
    /// shape, [`FunctionError::Holds`] if a question of the recording is answered otherwise, [`FunctionError::Tensor`]
    /// if an op fails.
    pub fn value(&mut self, x: &[Tensor<F>]) -> Result<Tensor<F>, FunctionError> {
        let op = "value";
        check(op, "input", x.iter().map(Tensor::shape), self.inputs.iter())?;
        check(op, "parameter", [].into_iter(), self.parameters.iter())?;
        self.replay(x, &[], false, &mut Vec::new(), |x_bar| x_bar)
    }

    /// The value, one number, and the gradient with respect to every input.
    ///
    /// # Errors
    /// [`FunctionError::NotOneNumber`] if the output has not exactly one element, [`FunctionError::Derivative`] if
    /// there is no memory for a pullback; otherwise as [`value`](Self::value).
    pub fn value_and_gradient(&mut self, x: &[Tensor<F>]) -> Result<(Tensor<F>, Vec<Tensor<F>>), FunctionError> {
        let op = "value_and_gradient";
        check(op, "input", x.iter().map(Tensor::shape), self.inputs.iter())?;
        check(op, "parameter", [].into_iter(), self.parameters.iter())?;
        self.check_gradient(op)?;
        let mut gradient = Vec::new();
        let value = self.replay(x, &[], true, &mut gradient, |x_bar| x_bar)?;
        Ok((value, gradient))
    }

    /// The value of a [model's](Self::record_model) loss and its gradients with respect to the parameters, looked up by
    /// parameter. `parameters` holds at least those that were bound while recording, in any order.
    ///
    /// # Errors
    /// [`FunctionError::Tensors`] if a parameter is missing, [`FunctionError::Shape`] if one has another shape,
    /// [`FunctionError::NotOneNumber`] if the output has not exactly one element, [`FunctionError::Holds`],
    /// [`FunctionError::Tensor`] and [`FunctionError::Derivative`] as [`value_and_gradient`](Self::value_and_gradient).
    pub fn value_and_gradients_of<'p>(
        &mut self,
        parameters: impl IntoIterator<Item = &'p crate::Parameter<F>>,
    ) -> Result<(Tensor<F>, Gradients<F>), FunctionError> {
        let op = "value_and_gradients_of";
        let mut given: SmallVec<[Option<&Tensor<F>>; 16]> = SmallVec::from_elem(None, self.parameters.len());
        let mut next = 0; // they mostly come in the order in which they were bound
        for parameter in parameters {
            let is = |(id, _): &(ParameterId, u32)| *id == parameter.id();
            let here = self.bound.get(next).is_some_and(is).then_some(next);
            if let Some(k) = here.or_else(|| self.bound.iter().position(is)) {
                given[k] = Some(parameter.value());
                next = k + 1;
            }
        }
        let given: SmallVec<[&Tensor<F>; 16]> = given.into_iter().flatten().collect();
        check(op, "input", [].into_iter(), self.inputs.iter())?;
        check(op, "parameter", given.iter().map(|given| given.shape()), self.parameters.iter())?;
        self.check_gradient(op)?;
        let mut gradients: Gradients<F> = Gradients::of_a_constant();
        gradients.tensors.start(&self.spare, 0, &self.bound);
        let value = self.replay(&[], &given, true, gradients.tensors.slots_mut(), Slot::flowed)?;
        Ok((value, gradients))
    }

    fn check_gradient(&self, op: &'static str) -> Result<(), FunctionError> {
        match self.gradient {
            Some(_) => Ok(()),
            None => Err(FunctionError::NotOneNumber { op, shape: self.known[self.value.targets[0]].shape.clone() }),
        }
    }

    /// The shapes of the inputs.
    pub fn input_shapes(&self) -> &[Shape] {
        &self.inputs
    }
}

/// The same tensors, none sharing storage with another: by its storage a recording knows what it was given again.
fn told_apart<T: Element>(given: &[Tensor<T>]) -> Vec<Tensor<T>> {
    let mut apart: Vec<Tensor<T>> = Vec::with_capacity(given.len());
    for tensor in given {
        let shares = apart.iter().any(|other| other.shares_storage(tensor));
        apart.push(if shares || !tensor.is_dense() {
            tensor.iter().collect::<Tensor<T>>().reshape(tensor.shape().clone())
        } else {
            tensor.clone()
        });
    }
    apart
}

/// Compares the shapes of what was given with those recorded.
fn check<'s>(
    op: &'static str,
    what: &'static str,
    given: impl ExactSizeIterator<Item = &'s Shape>,
    recorded: impl ExactSizeIterator<Item = &'s Shape>,
) -> Result<(), FunctionError> {
    let (got, expected) = (given.len(), recorded.len());
    if got != expected {
        return Err(FunctionError::Tensors { op, what, got, expected });
    }
    for (index, (got, expected)) in given.zip(recorded).enumerate() {
        if got != expected {
            let (got, expected) = (Box::new(got.clone()), Box::new(expected.clone()));
            return Err(FunctionError::Shape { op, what, index, got, expected });
        }
    }
    Ok(())
}

impl<F: TensorFloat> fmt::Debug for TensorFunction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acts = |plan: &Plan<F>| plan.acts.len();
        f.debug_struct("TensorFunction")
            .field("inputs", &self.inputs)
            .field("parameters", &self.parameters.len())
            .field("acts", &acts(&self.value))
            .field("acts_with_gradient", &self.gradient.as_ref().map_or(0, acts))
            .finish()
    }
}
