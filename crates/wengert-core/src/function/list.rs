//! The recorded list: operations in evaluation order, with their operands.

use super::error::Place;
use crate::tape::{Comparison, Nary};
use core::cmp::Ordering;
use core::fmt::{self, Display};
use wengert_kernels::{Binary, Float, Parametric, Unary};

/// An operation of a recorded list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Op {
    /// `y = op(a)`.
    Unary(Unary),
    /// `y = op(a, b)`.
    Binary(Binary),
    /// `y = a b + c`, both roundings kept: what the recorded product and sum gave, without a step between.
    MulAdd,
    /// `y = a b - c`.
    MulSub,
    /// `y = c - a b`.
    SubMul,
    /// `y = op(a; p)`, of the parameters with number `b`.
    Parametric,
    /// `y = a`, through which no derivative passes.
    Detach,
    /// Many operands: `a` is where they start in the pool, `b` how many they are.
    Nary(Nary),
}

impl Op {
    /// How many numbers a step of this operation has as operands; `None` for those in the pool.
    #[inline]
    pub(crate) fn arity(self) -> Option<usize> {
        if let Op::Nary(_) = self { None } else { Some(self.width() - usize::from(self == Op::Parametric)) }
    }

    /// How many numbers each step takes in a program: its operands and the number of its parameters; none if that
    /// varies.
    #[inline(always)]
    pub(crate) fn width(self) -> usize {
        match self {
            Op::Unary(_) | Op::Detach => 1,
            Op::Binary(_) | Op::Parametric => 2,
            Op::MulAdd | Op::MulSub | Op::SubMul => 3,
            Op::Nary(_) => 0,
        }
    }

    /// A number for each operation.
    pub(super) fn code(self) -> u16 {
        match self {
            Op::Unary(op) => op as u16,
            Op::Binary(op) => 0x100 + op as u16,
            Op::Nary(op) => 0x200 + op as u16,
            Op::MulAdd => 0x300,
            Op::MulSub => 0x301,
            Op::SubMul => 0x302,
            Op::Parametric => 0x303,
            Op::Detach => 0x304,
        }
    }
}

/// What an operand is: a constant, or a value (inputs first, then data, then the results of the steps).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Id(u32);

impl Id {
    const CONSTANT: u32 = 1 << 31;
    /// Values a list may hold, and constants.
    pub(crate) const LIMIT: usize = Self::CONSTANT as usize;

    pub(crate) fn value(number: usize) -> Self {
        debug_assert!(number < Self::LIMIT);
        Id(number as u32)
    }
    pub(crate) fn constant(number: usize) -> Self {
        debug_assert!(number < Self::LIMIT);
        Id(number as u32 | Self::CONSTANT)
    }
    #[inline]
    pub(crate) fn is_constant(self) -> bool {
        self.0 & Self::CONSTANT != 0
    }
    /// The number among its kind.
    #[inline]
    pub(crate) fn number(self) -> usize {
        (self.0 & !Self::CONSTANT) as usize
    }
    /// The bits, for hashing and for what is no operand (places in the pool, numbers of parameters).
    #[inline]
    pub(crate) fn raw(self) -> u32 {
        self.0
    }
    #[inline]
    pub(crate) fn from_raw(bits: u32) -> Self {
        Id(bits)
    }
}

/// One operation. Unused operands are 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) operands: [Id; 3],
}

/// The answer to a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Answer {
    /// To a question of yes or no.
    Holds(bool),
    /// To [`Comparison::Order`].
    Is(Ordering),
}

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Answer::Holds(true) => "true",
            Answer::Holds(false) => "false",
            Answer::Is(Ordering::Less) => "less",
            Answer::Is(Ordering::Equal) => "equal",
            Answer::Is(Ordering::Greater) => "greater",
        })
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Equal => "==",
            Comparison::Order => "<=>",
        })
    }
}

impl Comparison {
    /// The answer for two numbers; `None` if one is NaN.
    #[inline]
    pub(crate) fn ask<T: PartialOrd>(self, a: T, b: T) -> Option<Answer> {
        let order = a.partial_cmp(&b)?;
        Some(match self {
            Comparison::Less => Answer::Holds(order.is_lt()),
            Comparison::LessOrEqual => Answer::Holds(order.is_le()),
            Comparison::Greater => Answer::Holds(order.is_gt()),
            Comparison::GreaterOrEqual => Answer::Holds(order.is_ge()),
            Comparison::Equal => Answer::Holds(order.is_eq()),
            Comparison::Order => Answer::Is(order),
        })
    }
}

/// A comparison taken while recording: a branch may hang on it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Guard {
    pub(crate) a: Id,
    pub(crate) b: Id,
    pub(crate) question: Comparison,
    pub(crate) answer: Answer,
    pub(crate) place: Place,
}

/// A recorded list.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct List<F> {
    pub(crate) inputs: usize,
    pub(crate) data: usize,
    pub(crate) constants: Vec<F>,
    pub(crate) steps: Vec<Step>,
    /// Operands of n-ary steps.
    pub(crate) pool: Vec<Id>,
    pub(crate) parameters: Vec<Parametric>,
    pub(crate) outputs: Vec<Id>,
    pub(crate) guards: Vec<Guard>,
}

impl<F> List<F> {
    /// The value that the first step makes.
    pub(crate) fn first_result(&self) -> usize {
        self.inputs + self.data
    }

    /// Whether this list computes what the other does, to the bit: 0 and -0 are two constants.
    pub(crate) fn has_bits_of(&self, other: &Self) -> bool
    where
        F: Float,
    {
        let same = |(a, b): (&F, &F)| a.to_f64().to_bits() == b.to_f64().to_bits();
        *self == *other
            && self.constants.iter().zip(&other.constants).all(same)
            && self.parameters.iter().zip(&other.parameters).all(|(a, b)| a.has_bits_of(*b))
    }

    /// A step of many operands, which are put into the pool.
    pub(super) fn nary(&mut self, op: Nary, operands: &[Id]) -> Step {
        let [start, len] = [self.pool.len(), operands.len()].map(|number| Id::from_raw(number as u32));
        self.pool.extend_from_slice(operands);
        Step { op: Op::Nary(op), operands: [start, len, Id::from_raw(0)] }
    }

    /// The operands of a step.
    #[inline]
    pub(crate) fn operands<'a>(&'a self, step: &'a Step) -> &'a [Id] {
        match step.op {
            Op::Nary(_) => &self.pool[step.operands[0].raw() as usize..][..step.operands[1].raw() as usize],
            Op::Parametric => &step.operands[..1],
            op => &step.operands[..op.width()],
        }
    }
}
