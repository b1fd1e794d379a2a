//! Loops of many steps: a state that is replaced again and again.
//!
//! The loop is one entry, except for its last step, which is recorded as usual: that is the step a reversal begins
//! with, and so the counts are those of the schedule exactly. What the first pass keeps serves the first sweep; a
//! second sweep over the same recording starts from the first state again.

use super::schedule::{Action, Schedule};
use crate::custom::Entry;
use crate::dual::Dual;
use crate::error::{Error, OrPanic};
use crate::number::{Number, Primal};
use crate::tape::{Handle, OnTape, Pullback, Scalar, Tape, Var};
use core::cell::RefCell;
use core::panic::Location;

/// A loop `x = step(x, p, 0); x = step(x, p, 1); ..` whose gradient takes the memory of a few states.
///
/// Of `steps` states at most `snapshots` are kept; the reverse sweep computes the others again, in the order that needs
/// the fewest evaluations ([`Schedule`]): 1e6 steps with 1000 states evaluate each step 2.5 times, and record each
/// once. Everything a step depends on must be passed in: the state, the parameters, the number of the step. A sum over
/// the steps is one more number in the state.
///
/// # Examples
/// A population over 10,000 seasons, with 13 states in memory:
/// ```
/// use wengert_core::prelude::*;
///
/// let tape = Tape::new();
/// let (x, rate) = (tape.var(0.2), tape.var(0.001));
/// let end = CheckpointedLoop::new(10_000)
///     .snapshots(13)
///     .run(&[x], &[rate], |x, p, _| vec![x[0] + p[0] * x[0] * (1.0 - x[0])]);
/// assert!(tape.size().nodes < 10);
/// let g = end[0].gradient();
/// assert!(g[x] > 0.0 && g[rate] > 0.0);
/// ```
#[doc(alias = "revolve")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a loop runs with `run` or `call`"]
pub struct CheckpointedLoop {
    steps: usize,
    snapshots: Option<usize>,
}

/// A step of a [`CheckpointedLoop`] on every kind of number.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// #[derive(Clone)]
/// struct Decay;
/// impl StepFn for Decay {
///     fn step<T: Number>(&self, x: &[T], p: &[T], _step: usize) -> Vec<T> {
///         vec![x[0] * p[0]]
///     }
/// }
/// fn left<T: Number>(p: &[T]) -> T {
///     CheckpointedLoop::new(10).call(&Decay, &[T::from(1.0)], p)[0] // p^10
/// }
/// assert_eq!(hessian(&function!(left), &[1.0]).item(), 90.0);
/// ```
pub trait StepFn: Clone + Send + 'static {
    /// The state after step number `step`, from the state before it and the parameters.
    fn step<T: Number>(&self, state: &[T], params: &[T], step: usize) -> Vec<T>;
}

impl CheckpointedLoop {
    /// A loop of `steps` steps, with [`Schedule::default_snapshots`] states in memory.
    pub fn new(steps: usize) -> Self {
        CheckpointedLoop { steps, snapshots: None }
    }

    /// At most how many states to keep, the first among them; 0 counts as 1.
    pub fn snapshots(mut self, snapshots: usize) -> Self {
        self.snapshots = Some(snapshots);
        self
    }

    /// Runs the loop from `state` and returns the last state.
    ///
    /// `step` gets the state, the parameters and the number of the step. It is called on constants to evaluate and on
    /// variables to record, and must compute the same each time. On a tape over duals the closure computes with those.
    /// A [`StepFn`] is for [`call`](Self::call), which takes it and any kind of number.
    ///
    /// # Panics
    /// With the text of the error that [`try_run`](Self::try_run) returns.
    #[track_caller]
    pub fn run<'t, F, C>(self, state: &[Var<'t, F>], params: &[Var<'t, F>], step: C) -> Vec<Var<'t, F>>
    where
        F: Primal,
        C: for<'s> Fn(&[Var<'s, F>], &[Var<'s, F>], usize) -> Vec<Var<'s, F>> + Send + Clone + 'static,
    {
        self.try_run(state, params, step).or_panic()
    }

    /// [`run`](Self::run), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::Lengths`] if a step returns more or fewer numbers than the state has.
    #[track_caller]
    pub fn try_run<'t, F, C>(
        self,
        state: &[Var<'t, F>],
        params: &[Var<'t, F>],
        step: C,
    ) -> Result<Vec<Var<'t, F>>, Error>
    where
        F: Primal,
        C: for<'s> Fn(&[Var<'s, F>], &[Var<'s, F>], usize) -> Vec<Var<'s, F>> + Send + Clone + 'static,
    {
        let mut x = state.to_vec();
        if self.steps > 1 {
            x.extend_from_slice(params);
            let values = x.iter().map(|x| x.primal()).collect();
            let (y, pullback) = Reversal::start(Closure(step.clone()), self.schedule(), values, state.len());
            x = OnTape::many(&x, y, pullback);
        }
        if self.steps > 0 && x.len() == state.len() {
            x = step(&x, params, self.steps - 1);
        }
        as_many(state.len(), x)
    }

    /// [`run`](Self::run) with a step on every kind of number, from generic code. A [`Function`](crate::Function) that
    /// is being recorded takes down every step: there is nothing to save in a list that is replayed.
    ///
    /// # Panics
    /// With the text of the error that [`try_call`](Self::try_call) returns.
    #[track_caller]
    pub fn call<T: Number>(self, step: &impl StepFn, state: &[T], params: &[T]) -> Vec<T> {
        self.try_call(step, state, params).or_panic()
    }

    /// [`call`](Self::call), returning what is wrong.
    ///
    /// # Errors
    /// As [`try_run`](Self::try_run).
    #[track_caller]
    pub fn try_call<T: Number>(self, step: &impl StepFn, state: &[T], params: &[T]) -> Result<Vec<T>, Error> {
        let mut x = state.to_vec();
        if self.steps > 1 {
            x.extend_from_slice(params);
            x = T::apply_entry(Evolution { step: step.clone(), of: self, states: state.len() }, &x);
        }
        if self.steps > 0 && x.len() == state.len() {
            x = step.step(&x, params, self.steps - 1);
        }
        as_many(state.len(), x)
    }

    fn schedule(self) -> Schedule {
        Schedule::new(self.steps, self.snapshots.unwrap_or_else(|| Schedule::default_snapshots(self.steps)))
    }
}

/// The last state, if no step changed its length; a step that does ends the loop.
#[track_caller]
fn as_many<T>(left: usize, state: Vec<T>) -> Result<Vec<T>, Error> {
    match state.len() {
        right if right == left => Ok(state),
        right => {
            let op = "checkpointed loop, state before and after a step";
            Err(Error::Lengths { op, left, right, caller: Location::caller() })
        }
    }
}

/// A step, in the two ways a reversal needs it.
trait Body<F: Primal>: Send + 'static {
    /// Takes `x` through steps `from..to`; stops after a step that changes its length.
    fn advance(&self, x: &mut Vec<F>, params: &[F], from: usize, to: usize);
    /// One step on a tape.
    fn record<'s>(&self, x: &[Var<'s, F>], params: &[Var<'s, F>], step: usize) -> Vec<Var<'s, F>>;
}

/// A closure on variables: evaluated on constants, which record nothing.
struct Closure<C>(C);

impl<F, C> Body<F> for Closure<C>
where
    F: Primal,
    C: for<'s> Fn(&[Var<'s, F>], &[Var<'s, F>], usize) -> Vec<Var<'s, F>> + Send + 'static,
{
    fn advance(&self, x: &mut Vec<F>, params: &[F], from: usize, to: usize) {
        let constants = |x: &[F]| x.iter().map(|&x| Scalar::nowhere(x)).collect::<Vec<Var<'_, F>>>();
        let (mut state, params) = (constants(x), constants(params));
        for step in from..to {
            state = (self.0)(&state, &params, step);
            if state.len() != x.len() {
                break;
            }
        }
        x.clear();
        x.extend(state.iter().map(|x| x.primal()));
    }

    fn record<'s>(&self, x: &[Var<'s, F>], params: &[Var<'s, F>], step: usize) -> Vec<Var<'s, F>> {
        (self.0)(x, params, step)
    }
}

/// A generic step: evaluated on plain numbers.
struct Generic<S>(S);

impl<F: Primal<Base = f64> + Number, S: StepFn> Body<F> for Generic<S> {
    fn advance(&self, x: &mut Vec<F>, params: &[F], from: usize, to: usize) {
        let states = x.len();
        for step in from..to {
            *x = self.0.step(x, params, step);
            if x.len() != states {
                break;
            }
        }
    }

    fn record<'s>(&self, x: &[Var<'s, F>], params: &[Var<'s, F>], step: usize) -> Vec<Var<'s, F>> {
        self.0.step(x, params, step)
    }
}

/// The first `steps - 1` steps on every kind of number.
#[derive(Clone)]
struct Evolution<S> {
    step: S,
    of: CheckpointedLoop,
    states: usize,
}

impl<S: StepFn> Evolution<S> {
    fn run<T: Number>(&self, x: &[T]) -> Vec<T> {
        let (state, params) = x.split_at(self.states);
        let mut state = state.to_vec();
        for step in 0..self.of.steps - 1 {
            state = self.step.step(&state, params, step);
            if state.len() != self.states {
                break;
            }
        }
        state
    }
}

impl<S: StepFn> Entry<f64> for Evolution<S> {
    const AT_ONE_POINT: [&'static str; 2] = ["CheckpointedLoop", "record its steps"];

    fn operations<T: Number>(&self, x: &[T]) -> Option<Vec<T>> {
        Some(self.run(x))
    }

    fn value(&self, x: &[f64]) -> Vec<f64> {
        self.run(x)
    }

    fn jvp<T: Number + Primal<Base = f64>>(&self, x: &[T], _y: &[T], x_dot: &[T]) -> Vec<T> {
        let moving: Vec<Dual<T, 1>> =
            x.iter().zip(x_dot).map(|(&value, &x_dot)| Dual { value, tangents: [x_dot] }).collect();
        self.run(&moving).iter().map(|y| y.tangents[0]).collect()
    }

    fn tangents<R, const K: usize>(&self, x: &[Dual<R, K>]) -> Vec<Dual<R, K>>
    where
        R: Primal<Base = f64> + Number,
    {
        self.run(x)
    }

    fn record<T: Number + Primal<Base = f64>>(self, x: Vec<T>) -> (Vec<T>, Pullback<T>) {
        Reversal::start(Generic(self.step), self.of.schedule(), x, self.states)
    }
}

/// A loop that has been run to its last step, ready to be reversed.
struct Reversal<F, P> {
    body: P,
    /// The schedule from its beginning.
    schedule: Schedule,
    /// The first state, and the parameters after it.
    x: Vec<F>,
    states: usize,
    /// Where the first pass stopped: used up by the first sweep.
    pass: RefCell<Option<Pass<F>>>,
}

/// A schedule on its way, with the states kept beside the first one.
struct Pass<F> {
    schedule: Schedule,
    kept: Vec<F>,
    current: Vec<F>,
}

impl<F: Primal, P: Body<F>> Reversal<F, P> {
    /// Runs to the last step, keeping states on the way. Returns the state there.
    fn start(body: P, schedule: Schedule, x: Vec<F>, states: usize) -> (Vec<F>, Pullback<F>) {
        let reversal = Reversal { body, schedule, x, states, pass: RefCell::new(None) };
        let pass = reversal.first_pass();
        let y = pass.current.clone();
        reversal.pass.replace(Some(pass));
        (y, Box::new(move |y_bar, x_bar| reversal.sweep(y_bar, x_bar)))
    }

    fn first_pass(&self) -> Pass<F> {
        let mut pass = Pass { schedule: self.schedule.clone(), kept: Vec::new(), current: Vec::new() };
        self.to_next_reversal(&mut pass);
        pass
    }

    /// Follows the schedule until a step is to be reversed: its number, with the state before it current.
    fn to_next_reversal(&self, pass: &mut Pass<F>) -> Option<usize> {
        let (first, params) = self.x.split_at(self.states);
        loop {
            match pass.schedule.next()? {
                // The first state is kept as long as the recording is.
                Action::Keep { step: 0 } | Action::Restore { step: 0 } => {
                    pass.current.clear();
                    pass.current.extend_from_slice(first);
                }
                Action::Keep { .. } => pass.kept.extend_from_slice(&pass.current),
                Action::Restore { .. } => {
                    pass.current.clear();
                    pass.current.extend_from_slice(&pass.kept[pass.kept.len() - self.states..]);
                }
                Action::Free { step: 0 } => {}
                Action::Free { .. } => pass.kept.truncate(pass.kept.len() - self.states),
                Action::Advance { from, to } => {
                    self.body.advance(&mut pass.current, params, from, to);
                    if pass.current.len() != self.states {
                        return None;
                    }
                }
                Action::Reverse { step } => return Some(step),
            }
        }
    }

    fn sweep(&self, y_bar: &[F], x_bar: &mut [F]) {
        let mut pass = self.pass.take().unwrap_or_else(|| self.first_pass());
        let params = &self.x[self.states..];
        let (state_bar, params_bar) = x_bar.split_at_mut(self.states);
        state_bar.copy_from_slice(y_bar);
        let mut tape = Tape::new();
        while let Some(step) = self.to_next_reversal(&mut pass) {
            tape.clear();
            let (x, p) = (tape.vars(&pass.current), tape.vars(params));
            let y = self.body.record(&x, &p, step);
            let gradients = tape.vjp(y.into_iter().zip(state_bar.iter().copied()));
            for (x_bar, &x) in state_bar.iter_mut().zip(&x) {
                *x_bar = gradients.get(x).unwrap_or(F::ZERO);
            }
            for (p_bar, &p) in params_bar.iter_mut().zip(&p) {
                *p_bar += gradients.get(p).unwrap_or(F::ZERO);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CheckpointedLoop, Schedule, StepFn};
    use crate::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A step of a driven pendulum, by the explicit Euler method.
    fn pendulum<T: Number>(x: &[T], p: &[T], step: usize) -> Vec<T> {
        let force = p[1] * (0.01 * step as f64).sin();
        vec![x[0] + x[1] * 0.01, x[1] + (force - x[0].sin() * p[0]) * 0.01]
    }

    #[derive(Clone)]
    struct Pendulum;
    impl StepFn for Pendulum {
        fn step<T: Number>(&self, x: &[T], p: &[T], step: usize) -> Vec<T> {
            pendulum(x, p, step)
        }
    }

    fn energy<T: Number>(x: &[T]) -> T {
        x[1] * x[1] * 0.5 - x[0].cos()
    }

    /// Value and gradient with everything on the tape.
    fn recorded(steps: usize) -> (f64, Vec<f64>) {
        value_and_grad(
            |x| {
                let (mut state, p) = (x[..2].to_vec(), &x[2..]);
                for k in 0..steps {
                    state = pendulum(&state, p, k);
                }
                energy(&state)
            },
            &POINT,
        )
    }

    const POINT: [f64; 4] = [0.8, -0.3, 1.3, 0.6];

    fn assert_near(left: &[f64], right: &[f64]) {
        for (l, r) in left.iter().zip(right) {
            assert!((l - r).abs() <= 1e-13 * r.abs().max(1.0), "{left:?} for {right:?}");
        }
    }

    #[test]
    fn gradients_are_those_of_the_whole_recording_for_any_number_of_states() {
        for steps in [0, 1, 2, 3, 7, 100] {
            let (value, gradient) = recorded(steps);
            for snapshots in [0, 1, 2, 3, 5, 99, 1000] {
                let tape = Tape::new();
                let x = tape.vars(&POINT);
                let (state, p) = x.split_at(2);
                let run = CheckpointedLoop::new(steps).snapshots(snapshots);
                for end in [run.run(state, p, |x, p, k| pendulum(x, p, k)), run.call(&Pendulum, state, p)] {
                    let y = energy(&end);
                    assert_eq!(y.value(), value, "{steps} steps, {snapshots} states");
                    assert_near(&y.gradient().wrt(&x), &gradient);
                    assert_near(&y.gradient().wrt(&x), &gradient);
                }
            }
        }
    }

    #[test]
    fn steps_are_evaluated_as_often_as_the_theory_says() {
        for (steps, snapshots) in [(2, 1), (50, 1), (50, 3), (200, 4), (1000, 8), (1000, 31)] {
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&calls);
            let tape = Tape::new();
            let x = tape.vars(&POINT);
            let end = CheckpointedLoop::new(steps).snapshots(snapshots).run(&x[..2], &x[2..], move |x, p, k| {
                counted.fetch_add(1, Ordering::Relaxed);
                pendulum(x, p, k)
            });
            assert_eq!(calls.load(Ordering::Relaxed), steps, "the first pass takes each step once");
            let theory = Schedule::evaluations(steps, snapshots) as usize + steps;
            energy(&end).gradient();
            assert_eq!(calls.load(Ordering::Relaxed), theory, "{steps} steps, {snapshots} states");
            energy(&end).gradient();
            assert_eq!(calls.load(Ordering::Relaxed), 2 * theory - 1, "the last step stays recorded");
        }
    }

    #[test]
    fn the_tape_stays_small() {
        let tape = Tape::new();
        let x = tape.vars(&POINT);
        let end = CheckpointedLoop::new(10_000).run(&x[..2], &x[2..], |x, p, k| pendulum(x, p, k));
        let _ = energy(&end);
        assert!(tape.size().nodes < 20, "{} nodes", tape.size().nodes);
    }

    #[test]
    fn second_derivatives_go_through_loops() {
        fn looped<T: Number>(x: &[T]) -> T {
            energy(&CheckpointedLoop::new(60).snapshots(4).call(&Pendulum, &x[..2], &x[2..]))
        }
        fn plain<T: Number>(x: &[T]) -> T {
            energy(&(0..60).fold(x[..2].to_vec(), |state, k| pendulum(&state, &x[2..], k)))
        }
        assert_near(&hessian(&function!(looped), &POINT).to_vec(), &hessian(&function!(plain), &POINT).to_vec());
        assert_eq!(looped(&POINT), plain(&POINT));
        // The closure form on a tape over duals.
        let tape = crate::Tape::new();
        let x: Vec<_> = POINT.iter().map(|&x| tape.var(Dual { value: x, tangents: [1.0] })).collect();
        let end = CheckpointedLoop::new(60).run(&x[..2], &x[2..], |x, p, k| pendulum(x, p, k));
        let tangents: Vec<f64> = energy(&end).gradient().wrt(&x).iter().map(|x_bar| x_bar.tangents[0]).collect();
        assert_near(&tangents, &hvp(&function!(plain), &POINT, &[1.0; 4]));
    }

    #[test]
    fn a_state_that_changes_its_length_is_an_error() {
        let tape = Tape::new();
        let x = tape.vars(&POINT);
        for steps in [1, 2, 10] {
            let error = CheckpointedLoop::new(steps).try_run(&x, &[], |x, _, _| x[1..].to_vec()).expect_err("shrinks");
            let text = error.to_string();
            assert!(
                text.ends_with(
                    ": checkpointed loop, state before and after a step: 4 numbers on the left, 3 on the right; they must be as many"
                ) && text.contains("evolution.rs"),
                "{text}"
            );
        }
    }

    #[test]
    fn states_of_no_numbers_and_no_parameters_are_legal() {
        let tape = Tape::new();
        let x = tape.var(2.0);
        assert!(CheckpointedLoop::new(5).run(&[], &[x], |x, _, _| x.to_vec()).is_empty());
        let y = CheckpointedLoop::new(5).run(&[x], &[], |x, _, _| vec![x[0] * 2.0]);
        assert_eq!(y[0].gradient()[x], 32.0);
    }
}
