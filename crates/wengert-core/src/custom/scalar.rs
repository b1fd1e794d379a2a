//! Functions of a few numbers with one result.

use crate::number::{Number, Primal};
use crate::tape::{Handle, Scalar};

/// A function `R^N -> R` with a derivative of its own.
///
/// The value is computed on plain floats only; the partials are generic, so duals and tapes of every order
/// differentiate *them*, never the way the value was found.
///
/// `B` is the float underneath, as in [`Number`].
///
/// # Examples
/// The solution of Kepler's equation `E - e sin E = M`, found by iteration:
/// ```
/// use wengert_core::prelude::*;
///
/// struct Kepler;
/// impl CustomFn<2> for Kepler {
///     fn value(&self, [m, e]: [f64; 2]) -> f64 {
///         (0..50).fold(m, |x, _| x - (x - e * x.sin() - m) / (1.0 - e * x.cos()))
///     }
///     fn partials<T: Number>(&self, [_, e]: [T; 2], x: T) -> [T; 2] {
///         let scale = (T::from(1.0) - e * x.cos()).recip();
///         [scale, x.sin() * scale]
///     }
/// }
/// fn height<T: Number>(x: &[T]) -> T {
///     Kepler.call([x[0], x[1]]).sin()
/// }
/// // At M = pi/2, e = 0: E = M, dE/dM = 1, d2E/dM2 = 0.
/// let h = hessian(&function!(height), &[std::f64::consts::FRAC_PI_2, 0.0]);
/// assert!((h.at([0, 0]) + 1.0).abs() < 1e-15);
/// ```
pub trait CustomFn<const N: usize, B = f64> {
    /// The value at `x`.
    fn value(&self, x: [B; N]) -> B;

    /// The partials `dy/dx_k` at `x`, where the value is `y`; as numbers of any kind, to be differentiated again.
    fn partials<T: Number<B>>(&self, x: [T; N], y: T) -> [T; N];

    /// The function at `x`, on every kind of number: evaluated on floats, with tangents on duals, one node on a tape.
    #[track_caller]
    #[inline]
    fn call<T: Number<B>>(&self, x: [T; N]) -> T
    where
        Self: Sized,
    {
        T::apply_custom(self, x)
    }
}

/// Records the value and the partials that `f` computes from the values of `x` as one node.
///
/// For first derivatives; [`CustomFn`] can be differentiated again. On a tape over duals `f` computes with duals, and
/// must give the partials their tangents.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let tape = Tape::new();
/// let (a, b) = (tape.var(3.0), tape.var(4.0));
/// // Length of a vector, with its direction as derivative.
/// let y = custom([a, b], |[a, b]| {
///     let r = a.hypot(b);
///     (r, [a / r, b / r])
/// });
/// assert_eq!(y.gradient().wrt([a, b]), [0.6, 0.8]);
/// ```
#[track_caller]
#[inline]
pub fn custom<F: Primal, H: Handle<F>, const N: usize>(
    x: [Scalar<F, H>; N],
    f: impl FnOnce([F; N]) -> (F, [F; N]),
) -> Scalar<F, H> {
    let (y, partials) = f(x.map(Scalar::primal));
    H::custom(x, y, partials)
}

impl<F: Primal, H: Handle<F>> Scalar<F, H> {
    /// A function of this number that was computed elsewhere: its value and its derivative.
    ///
    /// # Examples
    /// The rounded number, with the derivative of the number itself (a straight-through estimator):
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var(2.7);
    /// let y = x.custom(x.value().round(), 1.0);
    /// assert_eq!(((y * y).value(), (y * y).gradient()[x]), (9.0, 6.0));
    /// ```
    #[track_caller]
    #[inline]
    #[must_use]
    pub fn custom(self, value: F, derivative: F) -> Self {
        H::custom([self], value, [derivative])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// `y = x^2`, found the long way round, with the derivative written out.
    struct Square;
    impl CustomFn<1> for Square {
        fn value(&self, [x]: [f64; 1]) -> f64 {
            (x.ln() * 2.0).exp()
        }
        fn partials<T: Number>(&self, [x]: [T; 1], _y: T) -> [T; 1] {
            [x * 2.0]
        }
    }

    /// The exponential function, whose derivative is its value.
    struct Exp;
    impl CustomFn<1> for Exp {
        fn value(&self, [x]: [f64; 1]) -> f64 {
            f64::exp(x)
        }
        fn partials<T: Number>(&self, _x: [T; 1], y: T) -> [T; 1] {
            [y]
        }
    }

    /// `x^y` with a derivative that is wrong on purpose, to see whose it is that is used.
    struct Constant;
    impl CustomFn<2> for Constant {
        fn value(&self, [x, y]: [f64; 2]) -> f64 {
            x.powf(y)
        }
        fn partials<T: Number>(&self, _: [T; 2], _: T) -> [T; 2] {
            [T::from(10.0), T::from(100.0)]
        }
    }

    #[test]
    fn the_users_derivative_is_used_on_every_number() {
        assert_eq!(Constant.call([2.0, 3.0]), 8.0);
        let dual =
            Constant.call([Dual { value: 2.0, tangents: [1.0, 0.0] }, Dual { value: 3.0, tangents: [0.0, 1.0] }]);
        assert_eq!((dual.value, dual.tangents), (8.0, [10.0, 100.0]));
        let tape = Tape::new();
        let x = tape.vars(&[2.0, 3.0]);
        let y = Constant.call([x[0], x[1]]);
        assert_eq!((y.value(), y.gradient().wrt(&x)), (8.0, vec![10.0, 100.0]));
        assert_eq!(tape.size().nodes, 3, "one node beside the inputs");
    }

    #[test]
    fn derivatives_of_every_order_come_from_the_partials() {
        fn cube<T: Number>(x: &[T]) -> T {
            Square.call([x[0]]) * x[0]
        }
        let h = hessian(&function!(cube), &[3.0]);
        assert!((h.item() - 18.0).abs() < 1e-12, "d2 x^3 = 6 x: {h:?}");
        // Fourth derivative of exp by nesting.
        let x = Dual::variable(Dual::variable(Dual::variable(Dual::variable(0.5))));
        let y = Exp.call([x]);
        assert_eq!(y.tangents[0].tangents[0].tangents[0].tangents[0], 0.5_f64.exp());
    }

    #[test]
    fn series_use_the_users_derivative_too() {
        // exp(t) = 1 + t + t^2/2 + t^3/6 + ..
        let y = Exp.call([Taylor::<f64, 5>::along(0.0, 1.0)]);
        assert_eq!(y.coefficients(), [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0]);
        // (2 + t)^2, whose value comes with a rounding error and whose coefficients do not.
        let y = Square.call([Taylor::<f64, 4>::along(2.0, 1.0)]).coefficients();
        assert!((y[0] - 4.0).abs() < 1e-14 && y[1..] == [4.0, 1.0, 0.0], "{y:?}");
        let y = Constant.call([Taylor::<f64, 3>::along(2.0, 1.0), Taylor::along(3.0, 1.0)]);
        assert_eq!(y.coefficients(), [8.0, 110.0, 0.0]);
    }

    #[test]
    fn constants_and_operands_that_are_one_node_are_legal() {
        let tape = Tape::new();
        let x = tape.var(2.0);
        let y = Constant.call([x, x]);
        assert_eq!(y.gradient()[x], 110.0);
        let y = Constant.call([Var::from(2.0), Var::from(3.0)]);
        assert_eq!((y.value(), y.gradient()[x]), (8.0, 0.0));
        let y = Constant.call([x * 5.0, Var::from(3.0)]);
        assert_eq!(y.gradient()[x], 50.0);
    }

    #[test]
    fn an_infinite_partial_of_what_is_not_used_stays_out() {
        let tape = Tape::new();
        let (a, b) = (tape.var(1.0), tape.var(2.0));
        let y = custom([a, b], |[a, b]| (a + b, [f64::INFINITY, 1.0]));
        let g = (y * 0.0 + b).gradient();
        assert_eq!((g[a], g[b]), (0.0, 1.0));
    }

    #[test]
    fn single_precision_has_rules_too() {
        struct Half;
        impl CustomFn<1, f32> for Half {
            fn value(&self, [x]: [f32; 1]) -> f32 {
                x / 2.0
            }
            fn partials<T: Number<f32>>(&self, _: [T; 1], _: T) -> [T; 1] {
                [T::from(0.5)]
            }
        }
        let tape = Tape32::new();
        let x = tape.var(3.0);
        assert_eq!(Half.call([x]).gradient()[x], 0.5);
    }

    #[test]
    fn operands_of_two_tapes_are_refused() {
        let (first, second) = (Tape::new(), Tape::new());
        let y = Constant.call([first.var(1.0), second.var(2.0)]);
        assert!(matches!(y.try_gradient(), Err(crate::Error::MixedTapes { .. })));
    }
}
