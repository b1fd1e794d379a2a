//! What a scalar variable needs to know of the place it records to.

use super::pullback::Pullback;
use super::scalar::Scalar;
use crate::number::Primal;
use crate::reductions::{self, Reductions};
use wengert_kernels::{Binary, Elementary, Parametric, Unary};

/// An operation of one variable, constants included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnaryOp<F> {
    /// A row of the table, `y = op(x)`.
    Row(Unary),
    /// A binary row with a constant on the right, `y = op(x, c)`.
    Right(Binary, F),
    /// A binary row with a constant on the left, `y = op(c, x)`.
    Left(F, Binary),
    /// A row of the table of functions with constants, integer powers among them.
    Parametric(Parametric),
}

/// An operation of any number of variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nary {
    /// `sum_i x_i`.
    Sum,
    /// `prod_i x_i`.
    Product,
    /// `sum_i a_i b_i`, of the operands `a_1, b_1, a_2, b_2, ..`.
    Dot,
    /// `sqrt(sum_i x_i^2)`.
    Norm2,
    /// `ln sum_i exp(x_i)`.
    LogSumExp,
}

/// A question asked of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `a < b`.
    Less,
    /// `a <= b`.
    LessOrEqual,
    /// `a > b`.
    Greater,
    /// `a >= b`.
    GreaterOrEqual,
    /// `a == b`.
    Equal,
    /// Which of the two is larger, if either: `a.partial_cmp(b)`.
    Order,
}

/// Where a scalar records to.
///
/// Operators, table methods and n-ary functions are written once, on [`Scalar`], and say here what was computed: the
/// operation, its value and its partials. A tape keeps the partials and ignores the operation; a recorder keeps the
/// operation and ignores the partials.
pub trait Handle<F: Primal>: Copy {
    /// The handle of a constant that belongs to no recording.
    const NOWHERE: Self;

    /// Whether a recording is to be good at other inputs: it takes operations, and refuses partials and pullbacks.
    const REPLAYED: bool = false;

    /// What a closure given to [`fuse`](crate::fuse) computes with: duals on a tape, variables on a recorder.
    type Inner<const N: usize>: Elementary;

    /// The result `y` of an operation on `x` alone, with the partial `p = dy/dx`.
    fn unary(x: Scalar<F, Self>, op: UnaryOp<F>, y: F, p: F) -> Scalar<F, Self>;

    /// `-x`.
    fn negated(x: Scalar<F, Self>) -> Scalar<F, Self>;

    /// `x` without its derivative.
    fn detached(x: Scalar<F, Self>) -> Scalar<F, Self>;

    /// The result `y` of an operation on `a` and `b`, with the partials `p = dy/da` and `q = dy/db`.
    #[track_caller]
    fn binary(a: Scalar<F, Self>, b: Scalar<F, Self>, op: Binary, y: F, p: F, q: F) -> Scalar<F, Self>;

    /// The result `y` of an operation on many operands, given with their partials. The value may become known only
    /// while the operands are taken: the caller then puts it into what is returned.
    #[track_caller]
    fn nary(op: Nary, operands: impl Iterator<Item = (Scalar<F, Self>, F)>, y: F) -> Scalar<F, Self>;

    /// The result `y` of a computation known by its partials alone. A recording that is to be good at other inputs must
    /// refuse it.
    #[track_caller]
    fn by_partials(operands: impl Iterator<Item = (Scalar<F, Self>, F)>, y: F) -> Scalar<F, Self>;

    /// `sum_i (x_i - m)^2 / degrees` about the mean `m`. A handle that keeps partials alone makes it one node.
    #[track_caller]
    fn variance(x: &[Scalar<F, Self>], degrees: f64) -> Scalar<F, Self> {
        reductions::variance_by_sums(x, degrees)
    }

    /// `sum_i w_i x_i + b`. A handle that keeps partials alone makes it one node.
    #[inline]
    #[track_caller]
    fn affine(w: &[Scalar<F, Self>], x: &[Scalar<F, Self>], b: Scalar<F, Self>) -> Scalar<F, Self> {
        Scalar::dot_of(w, x) + b
    }

    /// Runs `f` on what stands for `x` inside a fused closure, and records its results.
    #[track_caller]
    fn fuse<const N: usize, const M: usize>(
        x: [Scalar<F, Self>; N],
        f: impl FnOnce([Self::Inner<N>; N]) -> [Self::Inner<N>; M],
    ) -> [Scalar<F, Self>; M];

    /// The result `y` of a function with a derivative of the user's, which gave the partials `p` here.
    #[inline]
    #[track_caller]
    fn custom<const N: usize>(x: [Scalar<F, Self>; N], y: F, p: [F; N]) -> Scalar<F, Self> {
        Self::by_partials(x.into_iter().zip(p), y)
    }

    /// The results `y` of a function of many results, differentiated by `pullback`.
    #[track_caller]
    fn many(x: &[Scalar<F, Self>], y: Vec<F>, pullback: Pullback<F>) -> Vec<Scalar<F, Self>>;

    /// Refuses what is known at this point alone, where a recording is to be good at other inputs; the first refusal
    /// is kept. `what` it is, and what to write instead.
    #[inline(always)]
    #[track_caller]
    fn refuse(x: &[Scalar<F, Self>], what: [&'static str; 2]) {
        let _ = (x, what);
    }

    /// The program asked how `a` and `b` compare, and may branch on the answer.
    #[inline(always)]
    #[track_caller]
    fn compared(a: Scalar<F, Self>, b: Scalar<F, Self>, question: Comparison) {
        let _ = (a, b, question);
    }
}
