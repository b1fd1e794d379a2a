//! Strategies for [`proptest`](mod@proptest): shapes, shapes that broadcast, tensors, and whole random programs.
//!
//! ```
//! use proptest::prelude::*;
//! use wengert_check::{check, check_tensor, strategies};
//! use wengert_core::UnaryFunctions;
//!
//! proptest!(ProptestConfig::with_cases(8), |(
//!     x in strategies::tensor(strategies::shape(0..=3, 1..=3), -2.0..2.0),
//!     program in strategies::program(2, 4),
//! )| {
//!     check_tensor(|x| x.softplus() * x.tanh()).at(x).orders(2).assert();
//!     check(program).at(&[0.3, -0.7]).assert();
//! });
//! ```

use core::fmt;
use core::ops::{Range, RangeInclusive};
use proptest::prelude::*;
use proptest::sample::select;
use wengert_core::{Binary, Number, ScalarFn, Unary};
use wengert_tensor::{Shape, Tensor};

/// Shapes with a number of axes in `rank`, each with a number of entries in `sizes`.
pub fn shape(rank: RangeInclusive<usize>, sizes: RangeInclusive<usize>) -> impl Strategy<Value = Shape> {
    prop::collection::vec(sizes, rank).prop_map(Shape::from)
}

/// Pairs of shapes that broadcast to the shape that comes third: either may lack leading axes, or have 1 entry where
/// the other repeats.
pub fn broadcastable(
    rank: RangeInclusive<usize>,
    sizes: RangeInclusive<usize>,
) -> impl Strategy<Value = (Shape, Shape, Shape)> {
    let axis = (sizes, 0..4_u8);
    (prop::collection::vec(axis, rank), any::<bool>(), any::<prop::sample::Index>()).prop_map(|(axes, left, cut)| {
        // Per axis: both have it whole, or one of them has 1 entry there.
        let mut a: Vec<usize> = axes.iter().map(|&(n, kind)| if kind == 1 { 1 } else { n }).collect();
        let mut b: Vec<usize> = axes.iter().map(|&(n, kind)| if kind == 2 { 1 } else { n }).collect();
        let lacking = cut.index(axes.len() + 1);
        let (shorter, other) = if left { (&mut a, &mut b) } else { (&mut b, &mut a) };
        shorter.drain(..lacking);
        // What only the longer one has, it has whole.
        for (n, &(whole, _)) in other.iter_mut().zip(&axes).take(lacking) {
            *n = whole;
        }
        (a.into(), b.into(), axes.iter().map(|&(n, _)| n).collect())
    })
}

/// Tensors of the shapes given, their elements drawn from `values`.
pub fn tensor(shapes: impl Strategy<Value = Shape>, values: Range<f64>) -> impl Strategy<Value = Tensor<f64>> {
    shapes.prop_flat_map(move |shape| {
        let count = shape.size();
        prop::collection::vec(values.clone(), count).prop_map(move |values| Tensor::from_vec(shape.clone(), values))
    })
}

/// Pairs of tensors whose shapes broadcast.
pub fn broadcastable_tensors(
    rank: RangeInclusive<usize>,
    sizes: RangeInclusive<usize>,
    values: Range<f64>,
) -> impl Strategy<Value = (Tensor<f64>, Tensor<f64>)> {
    broadcastable(rank, sizes)
        .prop_flat_map(move |(a, b, _)| (tensor(Just(a), values.clone()), tensor(Just(b), values.clone())))
}

/// An expression over inputs and constants in the rows of the tables: a function to check, shrunk to the smallest that
/// fails.
#[derive(Debug, Clone)]
pub enum Program {
    /// One of the inputs.
    Input(usize),
    /// A number.
    Constant(f64),
    /// A function of one argument.
    Unary(Unary, Box<Program>),
    /// A function of two arguments.
    Binary(Binary, Box<Program>, Box<Program>),
}

/// Rows that are smooth everywhere and do not grow out of range when nested.
const SMOOTH: [Unary; 8] =
    [Unary::Sin, Unary::Cos, Unary::Tanh, Unary::Sigmoid, Unary::Softplus, Unary::Atan, Unary::Asinh, Unary::Neg];
const COMBINING: [Binary; 3] = [Binary::Add, Binary::Sub, Binary::Mul];

/// Random smooth programs of `inputs` numbers with at most `depth` operations on the way to one.
///
/// # Panics
/// If `inputs` is 0.
pub fn program(inputs: usize, depth: u32) -> impl Strategy<Value = Program> {
    assert!(inputs > 0, "program: a program of no inputs has no derivative");
    let leaf = prop_oneof![3 => (0..inputs).prop_map(Program::Input), 1 => (-2.0..2.0).prop_map(Program::Constant)];
    leaf.prop_recursive(depth, 1 << depth.min(6), 2, |inner| {
        let unary = (select(&SMOOTH[..]), inner.clone()).prop_map(|(op, x)| Program::Unary(op, Box::new(x)));
        let binary = (select(&COMBINING[..]), inner.clone(), inner)
            .prop_map(|(op, a, b)| Program::Binary(op, Box::new(a), Box::new(b)));
        prop_oneof![unary, binary]
    })
}

impl Program {
    /// The value at `x`, on any kind of number.
    ///
    /// # Panics
    /// If the program has an input that `x` lacks.
    pub fn evaluate<T: Number>(&self, x: &[T]) -> T {
        match self {
            Program::Input(k) => x[*k],
            Program::Constant(c) => T::from(*c),
            Program::Unary(op, a) => op.eval(a.evaluate(x)),
            Program::Binary(op, a, b) => op.eval(a.evaluate(x), b.evaluate(x)),
        }
    }
}

impl ScalarFn for Program {
    fn call<T: Number>(&self, x: &[T]) -> T {
        self.evaluate(x)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Program::Input(k) => write!(f, "x[{k}]"),
            Program::Constant(c) => write!(f, "{c:?}"),
            Program::Unary(op, a) => write!(f, "{}({a})", op.name()),
            Program::Binary(op, a, b) => write!(f, "{}({a}, {b})", op.name()),
        }
    }
}
