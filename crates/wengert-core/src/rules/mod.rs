//! What each tensor op means: one op, one file.
//!
//! A rule states its forward computation on values and its pullback once, generically over [`Array`]: evaluated on
//! tensors the pullback is the reverse sweep, evaluated on variables it records ops, so the gradient is on the list
//! like anything else and can be differentiated again, to any order. Where a fused loop is faster a rule adds `pull`,
//! with a test that both agree. Forward mode needs a word about the op's Jacobian, or nothing, or, where that is
//! faster, `jvp`.
//!
//! To add an op: write its file, add its line to [`rules!`] below.

mod adaptive_pool;
mod affine;
#[cfg(test)]
mod agreement;
mod attention;
mod compare;
mod concat;
mod conv;
mod conv3d;
mod conv_transpose;
mod cross_entropy;
mod custom;
mod einsum;
mod extreme;
mod gather;
mod interpolate;
#[cfg(feature = "linalg")]
mod linalg;
mod linear;
mod lstm;
mod map;
mod masked;
mod masked_softmax;
mod matmul;
mod matrix_norm;
mod mse;
mod norm;
mod normalize;
mod order;
mod parametric;
mod permute;
mod pick;
mod pool;
mod prod;
mod pushforward;
mod rearrange;
mod resample;
mod reshape;
mod rows;
mod scan;
mod scatter_reduce;
mod select;
mod self_attention;
mod slice;
mod softmax;
mod standardize;
mod sum;
mod unfold;
mod variance;
mod zip;
mod zip_map;

pub(crate) use affine::is_none;
pub use cross_entropy::Labels;
pub use custom::TensorOp;
pub(crate) use pushforward::{Pushforward, zeros};
pub(crate) use reshape::Reshape;
pub(crate) use sum::sum_to;
pub(crate) use zip::zip;
pub use zip_map::{try_zip_map, try_zip_map_mean, try_zip_map_sum, zip_map, zip_map_mean, zip_map_sum};

use crate::tape::Tape;
use crate::tensor::{TensorFloat, TensorVar};
use smallvec::SmallVec;
use wengert_kernels::{Binary, Parametric, Unary};
use wengert_tensor::{Shape, ShapeError, Tensor, refuse};

/// What flows back to each operand; `None` where nothing can. Room for three: a layer has input, weight and bias.
pub(crate) type Cotangents<A> = SmallVec<[Option<A>; 3]>;

/// Something tensor ops can be applied to: plain values, which they evaluate, or variables, which they record.
pub(crate) trait Array<F: TensorFloat>: Clone {
    fn apply(op: impl Op<F>, operands: &[&Self]) -> Result<Self, ShapeError>;
    fn shape(&self) -> Shape;
    /// A constant beside this array.
    fn constant(&self, value: Tensor<F>) -> Self;
    /// `y_bar dy/dx` of an elementary function, zero wherever `y_bar` is.
    fn unary_pullback(op: Unary, x: &Self, y: &Self, y_bar: Self) -> Self;
    /// The same of a function with constants.
    fn parametric_pullback(op: Parametric, x: &Self, y: &Self, y_bar: Self) -> Self;
    /// `y_bar dy/da` and `y_bar dy/db`, summed to the operands' shapes.
    fn binary_pullback(op: Binary, a: &Self, b: &Self, y: &Self, y_bar: Self, wanted: [bool; 2]) -> [Option<Self>; 2];
    /// The pullback of an op, in its faster form where there are two.
    fn pullback<O: Op<F>>(op: &O, x: &[&Self], y: &Self, y_bar: Self, wanted: &[bool]) -> Cotangents<Self>;
    /// The tangent of an op's result, from the pullback alone.
    fn transposed_pullback<O: Op<F>>(op: &O, x: &[&Self], y: &Self, x_dot: &[Option<&Self>]) -> Option<Self>;
    /// The pullback of a user's op.
    fn custom_pullback(op: &dyn TensorOp<F>, x: &[&Self], y: &Self, y_bar: Self, wanted: &[bool]) -> Vec<Option<Self>>;
}

/// One tensor op.
pub(crate) trait Op<F: TensorFloat>: Clone + Listed<F> {
    /// As error texts name it.
    const NAME: &'static str;

    /// Whether the pullback reads the result. Where it does not, a recorded program does not keep it for that.
    const READS_RESULT: bool = true;

    /// What its pullback tells of its pushforward.
    const PUSHFORWARD: Pushforward = Pushforward::Transposed;

    /// Whether it holds what comes with a replay and goes with it: residuals, labels. Then a recorded program evaluates
    /// a copy and drops it; otherwise the op itself, where it lies. An op that owns nothing holds nothing.
    const HOLDS: bool = core::mem::needs_drop::<Self>();

    /// As listings and profiles name it: more closely, where one rule stands for many functions.
    fn label(&self) -> &'static str {
        Self::NAME
    }

    /// The result, or what does not fit. May keep residuals in `self`.
    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError>;

    /// The same on a tape, where a gradient will flow to the operands that are `wanted`: what is at hand may be kept
    /// for it.
    #[inline]
    fn forward_recorded(&mut self, x: &[&Tensor<F>], _wanted: &[bool]) -> Result<Tensor<F>, ShapeError> {
        self.forward(x)
    }

    /// The cotangents of the operands that are `wanted`, from that of the result.
    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A>;

    /// The same for a recorded gradient, of whose values some will not be `read`: of those only what a derivative of
    /// them needs.
    fn vjp_unread<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool], _read: &[bool]) -> Cotangents<A> {
        self.vjp(x, y, y_bar, wanted)
    }

    /// The same on plain values, fused, where that is faster.
    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        self.vjp(x, y, y_bar, wanted)
    }

    /// The tangent of the result from those of the operands, of which at least one is there; `None` where nothing
    /// flows.
    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        pushforward::tangent(self, x, y, x_dot)
    }

    /// What it is to a program that fuses elementwise ops.
    fn fusible(&self) -> Fusible<F> {
        Fusible::No
    }

    /// The labels it reads beside its operands, for a program that exchanges them.
    fn labels(&mut self) -> Option<&mut Tensor<i64>> {
        None
    }

    /// Applies the op inside a derivative, where shapes fit by construction.
    fn on<A: Array<F>>(self, operands: &[&A]) -> A {
        fitting(A::apply(self, operands))
    }
}

/// An op as the list keeps it. [`rules!`] implements it.
pub(crate) trait Listed<F: TensorFloat>: Sized {
    fn into_rule(self) -> Rule<F>;

    /// The op that was made this rule.
    fn of(rule: &Rule<F>) -> &Self;

    /// The same, to be evaluated.
    fn of_mut(rule: &mut Rule<F>) -> &mut Self;
}

/// What an op is to a program that fuses elementwise ops into one pass over memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fusible<F> {
    /// Nothing it knows: evaluated by itself.
    No,
    Unary(Unary),
    Parametric(Parametric),
    Binary(Binary),
    /// `y = scale x + shift`.
    Affine {
        scale: F,
        shift: F,
    },
    /// A sum over axes, or the mean: if over all of them, its cotangent is one number. `all`: over all of them, and
    /// none is left.
    Sum {
        mean: bool,
        all: bool,
    },
    /// The mean of the squared differences of two operands.
    MeanSquare,
}

/// The value of a rule; the last argument says where a gradient will flow.
type Forward<F> = fn(&mut Rule<F>, &[&Tensor<F>], &[bool]) -> Result<Tensor<F>, ShapeError>;
/// The cotangents of a rule's operands, from those, the value and its cotangent.
type Pull<F> = fn(&Rule<F>, &[&Tensor<F>], &Tensor<F>, Tensor<F>, &[bool]) -> Cotangents<Tensor<F>>;

/// A rule's two ways on plain values. The list keeps them beside each rule, though the rule alone would tell them: a
/// sweep that asked the rule could meet every op there is, and a program would contain them all, not those it records.
pub(crate) struct Calls<F: TensorFloat> {
    pub(crate) forward: Forward<F>,
    pub(crate) pull: Pull<F>,
    pub(crate) reads_result: bool,
    pub(crate) holds: bool,
}

impl<F: TensorFloat> Calls<F> {
    pub(crate) const fn of<O: Op<F>>() -> &'static Self {
        const {
            &Calls {
                forward: |rule, x, wanted| O::of_mut(rule).forward_recorded(x, wanted),
                pull: |rule, x, y, y_bar, wanted| O::of(rule).pull(x, y, y_bar, wanted),
                reads_result: O::READS_RESULT,
                holds: O::HOLDS,
            }
        }
    }
}

/// The cotangent of an op's only operand.
#[inline]
fn one<A>(x_bar: A) -> Cotangents<A> {
    let mut cotangents = Cotangents::new();
    cotangents.push(Some(x_bar));
    cotangents
}

/// The cotangents of an op's two operands. Pushed, not converted from an array, which would be made first and then
/// moved.
#[inline]
fn two<A>(a_bar: Option<A>, b_bar: Option<A>) -> Cotangents<A> {
    let mut cotangents = Cotangents::new();
    cotangents.push(a_bar);
    cotangents.push(b_bar);
    cotangents
}

/// The result of an operation inside a derivative: shapes fit there by construction, so only memory can be wanting.
/// Then the derivative as a whole is refused, by whoever began it.
fn fitting<T>(result: Result<T, ShapeError>) -> T {
    result.unwrap_or_else(|error| unfit(&error))
}

#[cold]
#[inline(never)]
fn unfit(error: &ShapeError) -> ! {
    refuse(error);
    panic!("in a derivative: {error}")
}

macro_rules! rules {
    ($($(#[$only:meta])? $Op:ident in $module:ident,)*) => {
        /// A recorded tensor op with its parameters and residuals.
        #[derive(Clone)]
        pub(crate) enum Rule<F: TensorFloat> {
            $( $(#[$only])? $Op($module::$Op<F>), )*
        }

        $(
            $(#[$only])?
            impl<F: TensorFloat> Listed<F> for $module::$Op<F> {
                #[inline]
                fn into_rule(self) -> Rule<F> {
                    Rule::$Op(self)
                }
                #[inline]
                fn of(rule: &Rule<F>) -> &Self {
                    match rule {
                        Rule::$Op(op) => op,
                        rule => unreachable!("{} kept as {}", <Self as Op<F>>::NAME, rule.name()),
                    }
                }
                fn of_mut(rule: &mut Rule<F>) -> &mut Self {
                    match rule {
                        Rule::$Op(op) => op,
                        rule => unreachable!("{} kept as {}", <Self as Op<F>>::NAME, rule.name()),
                    }
                }
            }
        )*

        impl<F: TensorFloat> Rule<F> {
            /// Every rule's name.
            #[cfg(test)]
            pub(crate) const NAMES: &'static [&'static str] = &[$( $(#[$only])? <$module::$Op<F> as Op<F>>::NAME ),*];

            pub(crate) fn name(&self) -> &'static str {
                match self { $( $(#[$only])? Rule::$Op(_) => <$module::$Op<F> as Op<F>>::NAME, )* }
            }
            pub(crate) fn label(&self) -> &'static str {
                match self { $( $(#[$only])? Rule::$Op(op) => op.label(), )* }
            }
            pub(crate) fn fusible(&self) -> Fusible<F> {
                match self { $( $(#[$only])? Rule::$Op(op) => op.fusible(), )* }
            }
            pub(crate) fn labels(&mut self) -> Option<&mut Tensor<i64>> {
                match self { $( $(#[$only])? Rule::$Op(op) => op.labels(), )* }
            }
            pub(crate) fn vjp_unread<A: Array<F>>(
                &self, x: &[&A], y: &A, y_bar: A, wanted: &[bool], read: &[bool],
            ) -> Cotangents<A> {
                match self { $( $(#[$only])? Rule::$Op(op) => op.vjp_unread(x, y, y_bar, wanted, read), )* }
            }
            pub(crate) fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
                match self { $( $(#[$only])? Rule::$Op(op) => op.jvp(x, y, x_dot), )* }
            }
        }
    };
}

rules! {
    AdaptiveMaxPool2d in adaptive_pool,
    Affine in affine,
    Attend in attention,
    AvgPool2d in pool,
    BroadcastTo in sum,
    BySize in order,
    #[cfg(feature = "linalg")]
    Cholesky in linalg,
    #[cfg(feature = "linalg")]
    Cofactors in linalg,
    Concat in concat,
    Conv2d in conv,
    ConvBias in conv,
    ConvPool in conv,
    ConvToInput in conv,
    ConvToWeight in conv,
    CrossEntropy in cross_entropy,
    CumExtreme in scan,
    CumSum in scan,
    Custom in custom,
    #[cfg(feature = "linalg")]
    Det in linalg,
    Directed in norm,
    #[cfg(feature = "linalg")]
    Eigh in linalg,
    #[cfg(feature = "linalg")]
    Eigvalsh in linalg,
    Embed in slice,
    #[cfg(feature = "linalg")]
    Expm in linalg,
    Extreme in extreme,
    Fold in unfold,
    Gather in pick,
    GatherRows in gather,
    #[cfg(feature = "linalg")]
    Inverse in linalg,
    LaneScale in norm,
    Linear in linear,
    LogSoftmax in softmax,
    LogSumExp in softmax,
    Lstm in lstm,
    Map in map,
    MaskedSoftmax in masked_softmax,
    MatMul in matmul,
    MaxPool2d in pool,
    Mse in mse,
    Norm2 in norm,
    Parameterized in parametric,
    Permute in permute,
    Pick in pick,
    PickPlaces in pool,
    Place in pick,
    PlaceAlong in pick,
    Prod in prod,
    #[cfg(feature = "linalg")]
    Qr in linalg,
    Recurrence in scan,
    Resample in resample,
    Reshape in reshape,
    Scatter in pick,
    ScatterExtreme in scatter_reduce,
    ScatterPlaces in pool,
    ScatterRows in gather,
    Select in select,
    SelfAttend in self_attention,
    Slice in slice,
    #[cfg(feature = "linalg")]
    SlogDet in linalg,
    Softmax in softmax,
    #[cfg(feature = "linalg")]
    Solve in linalg,
    #[cfg(feature = "linalg")]
    SolveTriangular in linalg,
    SpreadMeans in pool,
    Stack in concat,
    Standardize in standardize,
    Statistics in standardize,
    SumAxes in sum,
    SumTo in sum,
    #[cfg(feature = "linalg")]
    Svd in linalg,
    #[cfg(feature = "linalg")]
    Svdvals in linalg,
    TieShare in extreme,
    Unfold in unfold,
    Zip in zip,
    ZipMap in zip_map,
    ZipMapSum in zip_map,
}

impl<F: TensorFloat> Array<F> for Tensor<F> {
    #[inline]
    fn apply(mut op: impl Op<F>, operands: &[&Self]) -> Result<Self, ShapeError> {
        op.forward(operands)
    }
    fn shape(&self) -> Shape {
        Tensor::shape(self).clone()
    }
    fn constant(&self, value: Tensor<F>) -> Self {
        value
    }
    fn unary_pullback(op: Unary, x: &Self, y: &Self, y_bar: Self) -> Self {
        fitting(Tensor::unary_vjp(op, Some(x), Some(y), y_bar))
    }
    fn parametric_pullback(op: Parametric, x: &Self, y: &Self, y_bar: Self) -> Self {
        fitting(Tensor::parametric_vjp(op, x, y, y_bar))
    }
    fn binary_pullback(op: Binary, a: &Self, b: &Self, y: &Self, y_bar: Self, wanted: [bool; 2]) -> [Option<Self>; 2] {
        fitting(Tensor::binary_vjp(op, a, b, Some(y), y_bar, wanted))
    }
    fn pullback<O: Op<F>>(op: &O, x: &[&Self], y: &Self, y_bar: Self, wanted: &[bool]) -> Cotangents<Self> {
        op.pull(x, y, y_bar, wanted)
    }
    fn transposed_pullback<O: Op<F>>(op: &O, x: &[&Self], y: &Self, x_dot: &[Option<&Self>]) -> Option<Self> {
        // On a tape of its own. The operands that move do so there too: a pullback may compute with them anew what they
        // made.
        let tape = Tape::new();
        let operand = |(&x, moves): (&&Self, bool)| if moves { tape.tensor(x) } else { tape.constant_tensor(x) };
        let moves = x_dot.iter().map(Option::is_some);
        let x: SmallVec<[TensorVar<'_, F>; 4]> = x.iter().zip(moves).map(operand).collect();
        let x_dot: SmallVec<[Option<TensorVar<'_, F>>; 4]> =
            x_dot.iter().map(|x_dot| x_dot.map(|x_dot| tape.constant_tensor(x_dot))).collect();
        let x: SmallVec<[&TensorVar<'_, F>; 4]> = x.iter().collect();
        let x_dot: SmallVec<[Option<&TensorVar<'_, F>>; 4]> = x_dot.iter().map(Option::as_ref).collect();
        Array::transposed_pullback(op, &x, &tape.constant_tensor(y), &x_dot).map(TensorVar::value)
    }
    fn custom_pullback(op: &dyn TensorOp<F>, x: &[&Self], y: &Self, y_bar: Self, wanted: &[bool]) -> Vec<Option<Self>> {
        op.pull(x, y, &y_bar, wanted)
    }
}
