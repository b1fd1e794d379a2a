//! What other crates ask for, behind a feature each.
//!
//! - `num-traits`: `Float` and its kin for variables of every kind and for duals.
//! - `nalgebra`: `RealField` for [`Real`](crate::Real) and for duals.
//! - `ndarray`: both as operands of whole arrays.
//! - `argmin`: `Minimise`, a function as a problem for its solvers.
//!
//! Every function goes through a row of the table, so that it has its derivative at every order; only predicates go
//! through the value. Conversions to plain numbers (`ToPrimitive`, `SubsetOf`) drop the derivative: that is what they
//! are for.

#[cfg(feature = "argmin")]
mod argmin;
#[cfg(feature = "nalgebra")]
mod nalgebra;
#[cfg(feature = "ndarray")]
mod ndarray;
#[cfg(feature = "num-traits")]
mod num_traits;

#[cfg(feature = "argmin")]
pub use self::argmin::Minimise;

#[cfg(feature = "num-traits")]
mod foreign {
    use crate::dual::Dual;
    use crate::number::Primal;
    use crate::tape::{Handle, Scalar};
    use crate::taylor::Taylor;
    use wengert_kernels::{BinaryFunctions, Elementary, Float};

    /// What foreign traits ask of a number beside the table: the value behind it, and constants out of nothing.
    pub(super) trait Foreign: Elementary + PartialOrd {
        /// Whether the value is an `f32`.
        const SINGLE: bool;
        /// The value; exact, as both widths fit.
        fn plain(self) -> f64;
        /// A constant that belongs to no tape.
        fn fixed(c: f64) -> Self;
        /// `self^exponent`, without a logarithm if the exponent is constant.
        fn power(self, exponent: Self) -> Self;

        /// `self` between two numbers; beyond one of them, or on it, that number.
        #[inline]
        fn between(self, low: Self, high: Self) -> Self {
            if self <= low {
                low
            } else if self >= high {
                high
            } else {
                self
            }
        }
    }

    impl<F: Primal, H: Handle<F>> Foreign for Scalar<F, H> {
        const SINGLE: bool = size_of::<F::Base>() == size_of::<f32>();

        #[inline(always)]
        fn plain(self) -> f64 {
            self.primal().base().to_f64()
        }
        #[inline(always)]
        fn fixed(c: f64) -> Self {
            Scalar::nowhere(F::from_base(F::Base::from_f64(c)))
        }
        #[inline]
        fn power(self, exponent: Self) -> Self {
            self.powf(exponent)
        }
    }

    macro_rules! forward_mode {
        ($($Number:ident)*) => { $(
            impl<R: Primal, const N: usize> Foreign for $Number<R, N> {
                const SINGLE: bool = size_of::<R::Base>() == size_of::<f32>();

                #[inline(always)]
                fn plain(self) -> f64 {
                    self.base().to_f64()
                }
                #[inline(always)]
                fn fixed(c: f64) -> Self {
                    Self::from_base(R::Base::from_f64(c))
                }
                #[inline]
                fn power(self, exponent: Self) -> Self {
                    BinaryFunctions::powf(self, exponent)
                }
            }
        )* };
    }
    forward_mode!(Dual Taylor);
}
