//! Gradients that are on the tape themselves: every pullback emits ops, so the result can be differentiated again.

use super::{Operands, Origin, TensorFloat, TensorVar};
use crate::error::{Caller, Error, OrPanic};
use crate::rules::{Array, Cotangents, Op, Rule, TensorOp, sum_to, zeros, zip};
use crate::tape::Tape;
use core::panic::Location;
use smallvec::SmallVec;
use wengert_kernels::{Binary, Parametric, Unary};
use wengert_tensor::{Shape, ShapeError, Tensor, refusable};

impl<'t, F: TensorFloat> Array<F> for TensorVar<'t, F> {
    #[track_caller]
    fn apply(op: impl Op<F>, operands: &[&Self]) -> Result<Self, ShapeError> {
        let numbers: Operands = operands.iter().map(|x| x.number()).collect();
        operands[0].tape().record_tensor(op, &numbers, Location::caller()).map_err(|error| match error {
            Error::Shape { source, .. } => *source,
            error => panic!("recording a pullback: {error}"),
        })
    }
    fn shape(&self) -> Shape {
        TensorVar::shape(*self)
    }
    fn constant(&self, value: Tensor<F>) -> Self {
        self.tape().constant_tensor(value)
    }
    fn unary_pullback(op: Unary, x: &Self, y: &Self, y_bar: Self) -> Self {
        if matches!(op, Unary::Neg | Unary::Abs | Unary::Relu | Unary::Step | Unary::Sign) {
            // A slope that is constant but for kinks: recorded, it would be dead ops in every second derivative.
            return zip(Binary::MulZero, &op.derivative(x.detach(), y.detach()), &y_bar);
        }
        zip(Binary::MulZero, &op.derivative(*x, *y), &y_bar)
    }
    fn parametric_pullback(op: Parametric, x: &Self, y: &Self, y_bar: Self) -> Self {
        zip(Binary::MulZero, &op.derivative(*x, *y), &y_bar)
    }
    fn binary_pullback(op: Binary, a: &Self, b: &Self, y: &Self, y_bar: Self, wanted: [bool; 2]) -> [Option<Self>; 2] {
        let through = |partial: &Self, x: &Self| sum_to(&zip(Binary::MulZero, partial, &y_bar), &x.shape());
        // The partials of arithmetic are at hand: recording them anew would be dead ops in every second derivative.
        match op {
            Binary::Add => {
                [wanted[0].then(|| sum_to(&y_bar, &a.shape())), wanted[1].then(|| sum_to(&y_bar, &b.shape()))]
            }
            Binary::Sub => {
                [wanted[0].then(|| sum_to(&y_bar, &a.shape())), wanted[1].then(|| sum_to(&-y_bar, &b.shape()))]
            }
            Binary::Mul | Binary::MulZero => [wanted[0].then(|| through(b, a)), wanted[1].then(|| through(a, b))],
            _ => {
                let (p, q) = op.derivative(*a, *b, *y);
                [wanted[0].then(|| through(&p, a)), wanted[1].then(|| through(&q, b))]
            }
        }
    }
    fn pullback<O: Op<F>>(op: &O, x: &[&Self], y: &Self, y_bar: Self, wanted: &[bool]) -> Cotangents<Self> {
        op.vjp(x, y, y_bar, wanted)
    }
    fn transposed_pullback<O: Op<F>>(op: &O, x: &[&Self], y: &Self, x_dot: &[Option<&Self>]) -> Option<Self> {
        // Any cotangent would do; of what is recorded from here on, only what it reaches is differentiated.
        let y_bar = y.tape().push_tensor(zeros(&y.shape()), Origin::Input, true);
        let wanted: SmallVec<[bool; 4]> = x_dot.iter().map(Option::is_some).collect();
        let x_bar = op.vjp(x, y, y_bar, &wanted);
        let term = |(x_bar, x_dot): (&Option<Self>, &Option<&Self>)| {
            x_bar.as_ref()?.recorded_pullback(*(*x_dot)?, y_bar.number(), &[y_bar]).pop().flatten()
        };
        let y_dot = x_bar.iter().zip(x_dot).filter_map(term).reduce(|sum, term| sum + term);
        // It was an input for the transposition only. Whoever sees the list sees the number it is, and no gradient is
        // kept for it.
        y.tape().tensors.nodes.borrow_mut().fix(y_bar.number());
        y_dot
    }
    fn custom_pullback(op: &dyn TensorOp<F>, x: &[&Self], y: &Self, y_bar: Self, wanted: &[bool]) -> Vec<Option<Self>> {
        let x: SmallVec<[Self; 4]> = x.iter().map(|&&x| x).collect();
        op.vjp(&x, *y, y_bar, wanted)
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The gradient of this one number as variables on the same tape: differentiable again.
    ///
    /// # Panics
    /// With the text of the error that [`try_recorded_gradient`](Self::try_recorded_gradient) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([2.0, 3.0]);
    /// let y = (x * x * x).sum();
    /// let [dy] = y.recorded_gradient([x]);
    /// assert_eq!(dy.value().to_vec(), [12.0, 27.0]);
    /// assert_eq!(dy.sum().gradient()[x].to_vec(), [12.0, 18.0]); // 6x
    /// ```
    #[doc(alias = "create_graph")]
    #[track_caller]
    pub fn recorded_gradient<const N: usize>(self, wrt: [Self; N]) -> [Self; N] {
        self.try_recorded_gradient(wrt).or_panic()
    }

    /// [`recorded_gradient`](Self::recorded_gradient), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::NotScalar`] if this has not exactly one element, [`Error::MixedTapes`] if a variable is of another
    /// tape, [`Error::ScalarsBetween`] if scalars lie on the way: a program of scalars and tensors is differentiated
    /// twice over duals; [`Error::Derivative`] if there is no memory for it.
    #[track_caller]
    pub fn try_recorded_gradient<const N: usize>(self, wrt: [Self; N]) -> Result<[Self; N], Error> {
        self.gradient_to(wrt, true, Location::caller())
    }

    /// The gradient as variables; if it is not `read`, perhaps without its value.
    fn gradient_to<const N: usize>(self, wrt: [Self; N], read: bool, caller: Caller) -> Result<[Self; N], Error> {
        let tape = self.tape();
        let shape = self.shape();
        if shape.iter().product::<usize>() != 1 {
            return Err(Error::NotScalar { shape, caller });
        }
        for x in wrt {
            self.same_tape(x, "recorded_gradient", caller)?;
        }
        let _asked_at = tape.tensors.asked_at(caller);
        let attempt = tape.attempt();
        let one = tape.constant_tensor(self.fit(Tensor::try_full(shape, F::ONE))?);
        let adjoints = self.recorded_sweep(one, 0, &wrt, read, caller)?;
        let gradient = wrt.map(|x| match adjoints.get(x.number() as usize) {
            Some(Some(x_bar)) => *x_bar,
            _ => tape.constant_tensor(zeros(&x.shape())),
        });
        attempt.keep();
        Ok(gradient)
    }

    /// The Hessian of this one number in `wrt` times `v`, `H v = d/dx <df/dx, v>`, by reverse over reverse mode. The
    /// gradient itself is not computed: of the products that would be, only what their derivatives need.
    ///
    /// Shapes: each of `v` and of the results like its variable. Source: B. A. Pearlmutter, "Fast exact multiplication
    /// by the Hessian", 1994.
    ///
    /// # Panics
    /// With the text of the error that [`try_hvp`](Self::try_hvp) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([2.0, 3.0]);
    /// let [hv] = (x * x * x).sum().hvp([x], [&[1.0, 10.0].into()]);
    /// assert_eq!(hv.to_vec(), [12.0, 180.0]); // 6x v
    /// ```
    #[track_caller]
    pub fn hvp<const N: usize>(self, wrt: [Self; N], v: [&Tensor<F>; N]) -> [Tensor<F>; N] {
        self.try_hvp(wrt, v).or_panic()
    }

    /// [`hvp`](Self::hvp), returning what is wrong.
    ///
    /// # Errors
    /// As [`try_recorded_gradient`](Self::try_recorded_gradient), and [`Error::SeedShape`] if a direction has another
    /// shape than its variable.
    #[track_caller]
    pub fn try_hvp<const N: usize>(self, wrt: [Self; N], v: [&Tensor<F>; N]) -> Result<[Tensor<F>; N], Error> {
        let attempt = self.tape().attempt();
        let gradient = self.gradient_to(wrt, false, Location::caller())?;
        let second = self.tape().try_vjp_tensors(gradient.into_iter().zip(v))?;
        attempt.keep();
        Ok(second.wrt(wrt))
    }

    /// What flows from the cotangent `y_bar` of this tensor to `wrt`, over the nodes from `first` on alone; `None`
    /// where nothing does.
    #[track_caller]
    pub(crate) fn recorded_pullback(self, y_bar: Self, first: u32, wrt: &[Self]) -> Vec<Option<Self>> {
        let adjoints = self.recorded_sweep(y_bar, first, wrt, true, Location::caller());
        let adjoints = adjoints.or_panic();
        wrt.iter().map(|x| adjoints.get(x.number() as usize).copied().flatten()).collect()
    }

    /// The adjoints of `wrt` and of the nodes from `first` on between them and this one, recorded, from that of this
    /// one. Whether those of inputs are `read` says whether they must have values: some have a derivative and no value
    /// if not.
    fn recorded_sweep(
        self,
        y_bar: Self,
        first: u32,
        wrt: &[Self],
        read: bool,
        caller: Caller,
    ) -> Result<Vec<Option<Self>>, Error> {
        let tape = self.tape();
        let mut adjoints: Vec<Option<Self>> = vec![None; self.number() as usize + 1];
        if tape.tensors.notes.differentiate(caller) {
            return Ok(adjoints);
        }
        let moves = tape.moved_by(wrt.iter().map(|x| x.number()), first, self.number());
        adjoints[self.number() as usize] = Some(y_bar);
        let mut at = None;
        let swept = refusable(|| {
            for number in (first..=self.number()).rev() {
                let (true, Some(y_bar)) = (moves.made[number as usize], adjoints[number as usize]) else { continue };
                let Some((rule, operands)) = tape.rule_of(number, "recorded_gradient", caller)? else { continue };
                at = Some(rule.label());
                let x: SmallVec<[Self; 4]> = operands.iter().map(|&k| TensorVar::new(tape, k)).collect();
                let x: SmallVec<[&Self; 4]> = x.iter().collect();
                let wanted: SmallVec<[bool; 8]> = operands.iter().map(|&k| moves.all[k as usize]).collect();
                let read: SmallVec<[bool; 8]> = x.iter().map(|x| read || !tape.is_input(x.number())).collect();
                let cotangents = rule.vjp_unread(&x, &TensorVar::new(tape, number), y_bar, &wanted, &read);
                for ((cotangent, x), wanted) in cotangents.into_iter().zip(&x).zip(wanted) {
                    if let (true, Some(x_bar)) = (wanted, cotangent) {
                        let sum = &mut adjoints[x.number() as usize];
                        *sum = Some(sum.map_or(x_bar, |sum| sum + x_bar));
                    }
                }
            }
            Ok(())
        });
        swept.unwrap_or_else(|source| Err(Error::derivative("gradient", at, source, caller)))?;
        Ok(adjoints)
    }
}

/// Which tensors move with some of them.
pub(super) struct Moves {
    /// Those themselves, and what is made of them.
    pub(super) all: Vec<bool>,
    /// What is made of them alone.
    pub(super) made: Vec<bool>,
}

impl<F: TensorFloat> Tape<F> {
    /// What moves, up to tensor `last`, with some of them.
    pub(super) fn moved_by(&self, some: impl Iterator<Item = u32>, first: u32, last: u32) -> Moves {
        let nodes = self.tensors.nodes.borrow();
        let mut moves = vec![false; last as usize + 1];
        for number in some.filter(|&number| number <= last) {
            moves[number as usize] = nodes.values[number as usize].active;
        }
        let mut made = vec![false; last as usize + 1];
        // Which scalars hang on which is not asked: those of a tensor that moves may be in any that is packed after.
        let mut scalars = false;
        for number in first as usize..=last as usize {
            match &nodes.origins[number] {
                Origin::Op { operands, .. } => {
                    made[number] = nodes.values[number].active && operands.iter().any(|&x| moves[x as usize]);
                }
                Origin::Read { of, .. } => scalars |= moves[*of as usize],
                Origin::Packed { .. } => made[number] = scalars,
                Origin::Input | Origin::Constant => {}
            }
            moves[number] |= made[number];
        }
        Moves { all: moves, made }
    }

    /// Which of the tensors up to `last` some are made of, those themselves included.
    pub(super) fn made_of(&self, some: &[u32], last: u32) -> Vec<bool> {
        let nodes = self.tensors.nodes.borrow();
        let mut needed = vec![false; last as usize + 1];
        for &number in some {
            needed[number as usize] = true;
        }
        for number in (0..=last as usize).rev() {
            if let (true, Origin::Op { operands, .. }) = (needed[number], &nodes.origins[number]) {
                operands.iter().for_each(|&x| needed[x as usize] = true);
            }
        }
        needed
    }

    /// The rule and the operands of tensor `number`; none for inputs and constants.
    pub(super) fn rule_of(
        &self,
        number: u32,
        op: &'static str,
        caller: Caller,
    ) -> Result<Option<(Rule<F>, Operands)>, Error> {
        match &self.tensors.nodes.borrow().origins[number as usize] {
            Origin::Input | Origin::Constant => Ok(None),
            Origin::Op { rule, operands, .. } => Ok(Some((rule.clone(), operands.clone()))),
            Origin::Packed { .. } | Origin::Read { .. } => Err(Error::ScalarsBetween { op, caller }),
        }
    }

    pub(super) fn is_input(&self, number: u32) -> bool {
        matches!(self.tensors.nodes.borrow().origins[number as usize], Origin::Input)
    }

    /// The names of the rules recorded.
    #[cfg(test)]
    pub(crate) fn rule_names(&self) -> Vec<&'static str> {
        let named = |origin: &Origin<F>| match origin {
            Origin::Op { rule, .. } => Some(rule.name()),
            _ => None,
        };
        self.tensors.nodes.borrow().origins.iter().filter_map(named).collect()
    }
}
