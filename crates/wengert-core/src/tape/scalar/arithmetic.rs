//! What is computed with variables: the table's rows, operators, comparisons, sums and products.
//!
//! Each says to the handle what was computed, its value and its partials; the handle decides what is kept.

use super::Scalar;
use crate::number::Primal;
use crate::tape::handle::{Comparison, Handle, Nary, UnaryOp};
use crate::tape::node::NOWHERE;
use core::cmp::Ordering;
use core::fmt::{self, Debug, Display};
use core::iter::{Product, Sum};
use core::ops::{Add, Div, Mul, Neg, Sub};
use wengert_kernels::{
    Binary, BinaryFunctions, Elementary, Parametric, ParametricFunctions, Unary, UnaryFunctions, binary_table,
    derivative, parametric_table, unary_table,
};

macro_rules! unary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) { $($body:tt)* } )*) => {
        impl<F: Primal, H: Handle<F>> UnaryFunctions for Scalar<F, H> {
            $(
                #[inline(always)]
                fn $method(self) -> Self {
                    let y = self.value.$method();
                    H::unary(self, UnaryOp::Row(Unary::$Op), y, derivative::$method(self.value, y))
                }
            )*
        }
    };
}
unary_table!(unary_methods);

macro_rules! binary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) { $($body:tt)* } )*) => {
        impl<F: Primal, H: Handle<F>> BinaryFunctions for Scalar<F, H> {
            $(
                #[inline(always)]
                #[track_caller]
                fn $method(self, $b: Self) -> Self {
                    let y = self.value.$method($b.value);
                    let (p, q) = derivative::$method(self.value, $b.value, y);
                    H::binary(self, $b, Binary::$Op, y, p, q)
                }
            )*
        }
    };
}
binary_table!(binary_methods);

macro_rules! parametric_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident; $($p:ident: $P:ty),*) { $($body:tt)* } )*) => {
        impl<F: Primal, H: Handle<F>> ParametricFunctions for Scalar<F, H> {
            $(
                #[inline(always)]
                #[track_caller]
                fn $method(self, $($p: $P),*) -> Self {
                    let y = self.value.$method($($p),*);
                    let op = UnaryOp::Parametric(Parametric::$Op($($p),*));
                    H::unary(self, op, y, derivative::$method(self.value, y, $($p),*))
                }
            )*
        }
    };
}
parametric_table!(parametric_methods);

impl<F: Primal, H: Handle<F>> Elementary for Scalar<F, H> {
    #[inline(always)]
    fn lit(self, c: f64) -> Self {
        Scalar::folded(self.value.lit(c), F::ZERO, self.handle, NOWHERE)
    }
    #[inline(always)]
    fn sin_cos(self) -> (Self, Self) {
        let (sin, cos) = self.value.sin_cos();
        (H::unary(self, UnaryOp::Row(Unary::Sin), sin, cos), H::unary(self, UnaryOp::Row(Unary::Cos), cos, -sin))
    }
    #[inline(always)]
    #[track_caller]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Scalar { value: self.value.mul_add(b.value, c.value), ..self * b + c }
    }
}

impl<F: Primal, H: Handle<F>> Neg for Scalar<F, H> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        H::negated(self)
    }
}

/// The operators between variables.
macro_rules! between_variables {
    ($($Op:ident $op:ident |$a:ident, $b:ident| $y:expr, $p:expr, $q:expr;)*) => { $(
        impl<F: Primal, H: Handle<F>> $Op for Scalar<F, H> {
            type Output = Self;
            #[inline(always)]
            #[track_caller]
            fn $op(self, other: Self) -> Self {
                let ($a, $b) = (self.value, other.value);
                H::binary(self, other, Binary::$Op, $y, $p, $q)
            }
        }
    )* };
}
between_variables! {
    Add add |a, b| a + b, F::ONE, F::ONE;
    Sub sub |a, b| a - b, F::ONE, -F::ONE;
    Mul mul |a, b| a * b, b, a;
    Div div |a, b| a / b, b.recip(), -(a / b) / b;
}

/// The operators with a constant: a tape records nothing for them.
macro_rules! with_constants {
    ($($B:ident)*) => { $(
        impl<F: Primal<Base = $B>, H: Handle<F>> From<$B> for Scalar<F, H> {
            /// A constant that belongs to no tape.
            #[inline(always)]
            fn from(value: $B) -> Self {
                Scalar::nowhere(F::from_base(value))
            }
        }
        with_constants! { @right $B
            Add add |x, c| x + c, F::ONE;
            Sub sub |x, c| x - c, F::ONE;
            Mul mul |x, c| x.scaled(f64::from(c.base())), c;
            Div div |x, c| x / c, c.recip();
        }
        with_constants! { @left $B
            Add add |c, x| c + x, F::ONE;
            Sub sub |c, x| c - x, -F::ONE;
            Mul mul |c, x| x.scaled(f64::from(c.base())), c;
            Div div |c, x| c / x, -(c / x) / x;
        }
    )* };
    (@right $B:ident $($Op:ident $op:ident |$x:ident, $c:ident| $y:expr, $p:expr;)*) => { $(
        impl<F: Primal<Base = $B>, H: Handle<F>> $Op<$B> for Scalar<F, H> {
            type Output = Self;
            #[inline(always)]
            fn $op(self, constant: $B) -> Self {
                let ($x, $c) = (self.value, F::from_base(constant));
                H::unary(self, UnaryOp::Right(Binary::$Op, $c), $y, $p)
            }
        }
    )* };
    (@left $B:ident $($Op:ident $op:ident |$c:ident, $x:ident| $y:expr, $p:expr;)*) => { $(
        impl<F: Primal<Base = $B>, H: Handle<F>> $Op<Scalar<F, H>> for $B {
            type Output = Scalar<F, H>;
            #[inline(always)]
            fn $op(self, variable: Scalar<F, H>) -> Scalar<F, H> {
                let ($c, $x) = (F::from_base(self), variable.value);
                H::unary(variable, UnaryOp::Left($c, Binary::$Op), $y, $p)
            }
        }
    )* };
}
with_constants!(f32 f64);

// Every comparison goes by way of the handle, each with the question that was asked: a recorder keeps `a < b`, which is
// a weaker claim than the order of the two.
macro_rules! comparisons {
    ($other:ty, |$b:ident| $right:expr) => {
        #[inline(always)]
        #[track_caller]
        fn partial_cmp(&self, other: &$other) -> Option<Ordering> {
            let $b = other;
            H::compared(*self, $right, Comparison::Order);
            self.value.partial_cmp(&$right.value)
        }
        #[inline(always)]
        #[track_caller]
        fn lt(&self, other: &$other) -> bool {
            let $b = other;
            H::compared(*self, $right, Comparison::Less);
            self.value < $right.value
        }
        #[inline(always)]
        #[track_caller]
        fn le(&self, other: &$other) -> bool {
            let $b = other;
            H::compared(*self, $right, Comparison::LessOrEqual);
            self.value <= $right.value
        }
        #[inline(always)]
        #[track_caller]
        fn gt(&self, other: &$other) -> bool {
            let $b = other;
            H::compared(*self, $right, Comparison::Greater);
            self.value > $right.value
        }
        #[inline(always)]
        #[track_caller]
        fn ge(&self, other: &$other) -> bool {
            let $b = other;
            H::compared(*self, $right, Comparison::GreaterOrEqual);
            self.value >= $right.value
        }
    };
}
impl<F: Primal, H: Handle<F>> PartialEq for Scalar<F, H> {
    #[inline(always)]
    #[track_caller]
    fn eq(&self, other: &Self) -> bool {
        H::compared(*self, *other, Comparison::Equal);
        self.value == other.value
    }
}
impl<F: Primal, H: Handle<F>> PartialOrd for Scalar<F, H> {
    comparisons!(Self, |b| *b);
}
macro_rules! compare_with_constants {
    ($($B:ident)*) => { $(
        impl<F: Primal<Base = $B>, H: Handle<F>> PartialEq<$B> for Scalar<F, H> {
            #[inline(always)]
            #[track_caller]
            fn eq(&self, constant: &$B) -> bool {
                *self == Self::from(*constant)
            }
        }
        impl<F: Primal<Base = $B>, H: Handle<F>> PartialOrd<$B> for Scalar<F, H> {
            comparisons!($B, |c| Self::from(*c));
        }
    )* };
}
compare_with_constants!(f32 f64);

impl<F: Primal, H: Handle<F>> Debug for Scalar<F, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.value)?;
        match (self.is_constant(), self.is_node()) {
            (true, _) => f.write_str(" (constant)"),
            (false, true) => write!(f, " (node {})", self.node()),
            (false, false) => write!(f, " (folded, {:?} of node {})", self.partial, self.node()),
        }
    }
}
impl<F: Primal, H: Handle<F>> Display for Scalar<F, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.value, f)
    }
}

impl<F: Primal, H: Handle<F>> Sum for Scalar<F, H> {
    /// One node for the whole iterator; what the iterator records while it runs comes before it.
    #[inline]
    #[track_caller]
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        let mut total = F::ZERO;
        let y = H::nary(
            Nary::Sum,
            numbers.map(|x| {
                total += x.value;
                (x, F::ONE)
            }),
            F::ZERO,
        );
        Scalar { value: total, ..y }
    }
}

impl<F: Primal, H: Handle<F>> Product for Scalar<F, H> {
    /// One node for the whole iterator. The partials are products of the other factors, taken from both ends, so a zero
    /// among them is no special case.
    #[track_caller]
    fn product<I: Iterator<Item = Self>>(numbers: I) -> Self {
        let factors: smallvec::SmallVec<[Self; 16]> = numbers.collect();
        let mut after: smallvec::SmallVec<[F; 16]> = smallvec::smallvec![F::ONE; factors.len()];
        for k in (1..factors.len()).rev() {
            after[k - 1] = after[k] * factors[k].value;
        }
        let mut before = F::ONE;
        let y = H::nary(
            Nary::Product,
            factors.iter().zip(&after).map(|(&x, &after)| {
                let partial = before * after;
                before = before * x.value;
                (x, partial)
            }),
            F::ZERO,
        );
        Scalar { value: before, ..y }
    }
}
