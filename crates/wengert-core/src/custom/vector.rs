//! Functions of many numbers with many results.

use crate::dual::Dual;
use crate::number::{Number, Primal};
use crate::tape::{Handle, Pullback, Scalar};

/// A function `R^n -> R^m` with a derivative of its own, recorded as one entry however many operands and results it
/// has.
///
/// The value is computed on plain floats; the pullback is generic, so duals and tapes of every order differentiate
/// *it*. An implementation may ask for less of its numbers than the trait promises: `fn vjp<T: Number>(..)` is enough.
///
/// `Clone` because a tape keeps a copy until it is cleared: put large data behind an `Arc`. `Send` because a tape may
/// move to another thread.
///
/// # Examples
/// The running sum, whose pullback is the running sum from the other end:
/// ```
/// use wengert_core::prelude::*;
///
/// #[derive(Clone)]
/// struct RunningSum;
/// impl CustomVectorFn for RunningSum {
///     fn value(&self, x: &[f64]) -> Vec<f64> {
///         x.iter().scan(0.0, |sum, x| { *sum += x; Some(*sum) }).collect()
///     }
///     fn vjp<T: Number>(&self, _x: &[T], _y: &[T], y_bar: &[T], x_bar: &mut [T]) {
///         let mut sum = T::from(0.0);
///         for (x_bar, y_bar) in x_bar.iter_mut().zip(y_bar).rev() {
///             sum += *y_bar;
///             *x_bar = sum;
///         }
///     }
/// }
/// let tape = Tape::new();
/// let x = tape.vars(&[1.0, 2.0, 3.0]);
/// let y = RunningSum.call(&x);
/// assert_eq!((y[2] * y[0]).gradient().wrt(&x), [6.0 + 1.0, 1.0, 1.0]);
/// ```
pub trait CustomVectorFn<B = f64>: Clone + Send + 'static {
    /// What it is, and what to write instead where a program is recorded for other points than this one.
    #[doc(hidden)]
    const AT_ONE_POINT: [&'static str; 2] = RULE;

    /// The results at `x`.
    fn value(&self, x: &[B]) -> Vec<B>;

    /// The pullback: writes `x_bar = J^T y_bar` to `x_bar`, which holds as many zeros as there are operands.
    fn vjp<T: Number<B> + Primal<Base = B>>(&self, x: &[T], y: &[T], y_bar: &[T], x_bar: &mut [T]);

    /// The pushforward: writes `y_dot = J x_dot` to `y_dot`, which holds as many zeros as there are results. Taken from
    /// the pullback if not given, at the cost of one pullback per result.
    fn jvp<T: Number<B> + Primal<Base = B>>(&self, x: &[T], y: &[T], x_dot: &[T], y_dot: &mut [T]) {
        let mut y_bar = vec![T::ZERO; y.len()];
        let mut row = vec![T::ZERO; x.len()];
        for k in 0..y.len() {
            y_bar[k] = T::ONE;
            row.fill(T::ZERO);
            self.vjp(x, y, &y_bar, &mut row);
            y_bar[k] = T::ZERO;
            y_dot[k] = row.iter().zip(x_dot).fold(T::ZERO, |sum, (p, x_dot)| sum + p.zero_product(*x_dot));
        }
    }

    /// The function at `x`, on every kind of number: evaluated on floats, with tangents on duals, one entry on a tape.
    #[track_caller]
    fn call<T: Number<B>>(&self, x: &[T]) -> Vec<T> {
        T::apply_entry(Supplied(self.clone()), x)
    }
}

/// [`CustomVectorFn::AT_ONE_POINT`] of a rule of the user's.
pub(crate) const RULE: [&str; 2] =
    ["a rule of one's own", "record the operations that its value is made of, or call it on a tape"];

/// What a function of many results must do to be one entry of a recording. [`CustomVectorFn`] is the way to write one.
pub trait Entry<B>: Clone {
    /// What it is, and what to write instead where it can neither be kept nor written out.
    const AT_ONE_POINT: [&'static str; 2];

    /// The results by operations that can be recorded one by one, if there are such.
    fn operations<T: Number<B>>(&self, x: &[T]) -> Option<Vec<T>> {
        let _ = x;
        None
    }

    /// The results on plain floats.
    fn value(&self, x: &[B]) -> Vec<B>;

    /// The pushforward `J x_dot` at `x`, where the results are `y`.
    fn jvp<T: Number<B> + Primal<Base = B>>(&self, x: &[T], y: &[T], x_dot: &[T]) -> Vec<T>;

    /// The results on the numbers of a tape, and the pullback from there.
    fn record<T: Number<B> + Primal<Base = B>>(self, x: Vec<T>) -> (Vec<T>, Pullback<T>);

    /// The results on duals.
    fn tangents<R, const K: usize>(&self, x: &[Dual<R, K>]) -> Vec<Dual<R, K>>
    where
        R: Primal<Base = B> + Number<B>,
    {
        let values: Vec<R> = x.iter().map(|x| x.value).collect();
        // Not the value's own way of computing: the rule's derivative, at every order.
        let y = R::apply_entry(self.clone(), &values);
        let mut duals: Vec<Dual<R, K>> = y.iter().map(|&y| Dual::constant(y)).collect();
        for k in 0..K {
            let x_dot: Vec<R> = x.iter().map(|x| x.tangents[k]).collect();
            if x_dot.iter().any(|x_dot| !x_dot.is_zero()) {
                for (y, y_dot) in duals.iter_mut().zip(self.jvp(&values, &y, &x_dot)) {
                    y.tangents[k] = y_dot;
                }
            }
        }
        duals
    }
}

/// A [`CustomVectorFn`] as an entry.
#[derive(Clone)]
struct Supplied<C>(C);

impl<B, C: CustomVectorFn<B>> Entry<B> for Supplied<C> {
    const AT_ONE_POINT: [&'static str; 2] = C::AT_ONE_POINT;

    fn value(&self, x: &[B]) -> Vec<B> {
        self.0.value(x)
    }

    fn jvp<T: Number<B> + Primal<Base = B>>(&self, x: &[T], y: &[T], x_dot: &[T]) -> Vec<T> {
        let mut y_dot = vec![T::ZERO; y.len()];
        self.0.jvp(x, y, x_dot, &mut y_dot);
        y_dot
    }

    fn record<T: Number<B> + Primal<Base = B>>(self, x: Vec<T>) -> (Vec<T>, Pullback<T>) {
        let y = T::apply_entry(self.clone(), &x);
        let kept = y.clone();
        (y, Box::new(move |y_bar, x_bar| self.0.vjp(&x, &kept, y_bar, x_bar)))
    }
}

/// Records the results that `f` computes from the values of `x` as one entry, with the pullback that `f` returns beside
/// them.
///
/// The pullback gets `y_bar` and writes `x_bar = J^T y_bar`, to as many zeros as there are operands. For first
/// derivatives; [`CustomVectorFn`] can be differentiated again.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let tape = Tape::new();
/// let x = tape.vars(&[3.0, 4.0]);
/// // A vector brought to length 1: x_bar = (y_bar - y <y, y_bar>) / |x|.
/// let y = custom_vector(&x, |x| {
///     let r = x[0].hypot(x[1]);
///     let y = vec![x[0] / r, x[1] / r];
///     let kept = y.clone();
///     (y, move |y_bar: &[f64], x_bar: &mut [f64]| {
///         let inner = kept[0] * y_bar[0] + kept[1] * y_bar[1];
///         x_bar[0] = (y_bar[0] - kept[0] * inner) / r;
///         x_bar[1] = (y_bar[1] - kept[1] * inner) / r;
///     })
/// });
/// let g = y[0].gradient();
/// assert!((g[x[0]] - 0.128).abs() < 1e-15 && (g[x[1]] + 0.096).abs() < 1e-15);
/// ```
/// A recorded [`Function`](crate::Function) as one entry of a larger program:
/// ```
/// # use wengert_core::prelude::*;
/// # fn main() -> Result<(), wengert_core::FunctionError> {
/// let slope = std::sync::Arc::new(Function::record_many(&[1.0, 0.0], |x| vec![x[1], -x[0].sin()])?);
/// let on_tape = |x: &[Var<'_>]| -> Vec<f64> {
///     let kept = std::sync::Arc::clone(&slope);
///     let y = custom_vector(x, |x| {
///         let x = x.to_vec();
///         let y = kept.eval(&x).expect("the recorded branch");
///         (y, move |y_bar: &[f64], x_bar: &mut [f64]| {
///             x_bar.copy_from_slice(&kept.vjp(&x, y_bar).expect("the recorded branch"));
///         })
///     });
///     (y[0] * y[1]).gradient().wrt(x)
/// };
/// let tape = Tape::new();
/// // -x1 sin(x0): its derivatives are -x1 cos(x0) and -sin(x0).
/// assert_eq!(on_tape(&tape.vars(&[0.0, 2.0])), [-2.0, 0.0]);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn custom_vector<F, H, P>(x: &[Scalar<F, H>], f: impl FnOnce(&[F]) -> (Vec<F>, P)) -> Vec<Scalar<F, H>>
where
    F: Primal,
    H: Handle<F>,
    P: Fn(&[F], &mut [F]) + Send + 'static,
{
    let values: Vec<F> = x.iter().map(|x| x.primal()).collect();
    let (y, pullback) = f(&values);
    H::many(x, y, Box::new(pullback))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// `(a, b) -> (a b, a / b, a)`.
    #[derive(Clone)]
    struct Pair;
    impl CustomVectorFn for Pair {
        fn value(&self, x: &[f64]) -> Vec<f64> {
            vec![x[0] * x[1], x[0] / x[1], x[0]]
        }
        fn vjp<T: Number>(&self, x: &[T], y: &[T], y_bar: &[T], x_bar: &mut [T]) {
            x_bar[0] = y_bar[0] * x[1] + y_bar[1] / x[1] + y_bar[2];
            x_bar[1] = y_bar[0] * x[0] - y_bar[1] * y[1] / x[1];
        }
    }

    #[test]
    fn a_pullback_gives_the_rows_of_the_jacobian() {
        let tape = Tape::new();
        let x = tape.vars(&[3.0, 2.0]);
        let y = Pair.call(&x);
        assert_eq!(y.iter().map(|y| y.value()).collect::<Vec<_>>(), [6.0, 1.5, 3.0]);
        assert_eq!(y[0].gradient().wrt(&x), [2.0, 3.0]);
        assert_eq!(y[1].gradient().wrt(&x), [0.5, -0.75]);
        assert_eq!(y[2].gradient().wrt(&x), [1.0, 0.0]);
        let g = tape.vjp([(y[0], 1.0), (y[2], 10.0)]);
        assert_eq!((g.wrt(&x), g[y[2]]), (vec![12.0, 3.0], 10.0));
        assert_eq!(tape.size().nodes, 2 + 3);
    }

    #[test]
    fn series_go_through_the_pushforward() {
        // a = 1 + t, b = 2 + t: a b = 2 + 3t + t^2; a / b = 1/2 + t/4 - t^2/8 + t^3/16 - ..
        let y = Pair.call(&[Taylor::<f64, 4>::along(1.0, 1.0), Taylor::along(2.0, 1.0)]);
        let coefficients: Vec<_> = y.iter().map(|y| y.coefficients()).collect();
        assert_eq!(coefficients, [[2.0, 3.0, 1.0, 0.0], [0.5, 0.25, -0.125, 0.0625], [1.0, 1.0, 0.0, 0.0]]);
    }

    #[test]
    fn several_seeds_at_once_go_through_entries() {
        let tape = Tape::new();
        let x = tape.vars(&[3.0, 2.0]);
        let y = Pair.call(&x);
        let outputs: Vec<_> = y.iter().map(|&y| y * 2.0).collect();
        assert_eq!(tape.jacobian(&outputs, &x).to_vec(), [4.0, 6.0, 1.0, -1.5, 2.0, 0.0]);
        let total = tape.accumulate(&x, [1.0, 10.0], |x, item| Pair.call(x)[0] * item);
        assert_eq!(total.gradient().wrt(&x), [22.0, 33.0]);
    }

    #[test]
    fn entries_stand_between_plain_nodes_in_recorded_order() {
        let tape = Tape::new();
        let x = tape.vars(&[3.0, 2.0]);
        // a = sin(x0 x1), b = x1^2; then p = a b, q = a / b; f = p q = a^2, whatever b.
        let before = [(x[0] * x[1]).sin(), x[1] * x[1]];
        let y = Pair.call(&before);
        let f = y[0] * y[1] + norm2(&[x[0], y[2], x[1]]) * 0.0;
        let (s, c) = 6.0_f64.sin_cos();
        let g = f.gradient().wrt(&x);
        assert!((g[0] - 2.0 * s * c * 2.0).abs() < 1e-14 && (g[1] - 2.0 * s * c * 3.0).abs() < 1e-14, "{g:?}");
    }

    #[test]
    fn second_derivatives_differentiate_the_pullback() {
        fn f<T: Number>(x: &[T]) -> T {
            let y = Pair.call(x);
            y[0] * y[1] * y[2] // a^3
        }
        assert_eq!(grad(|x| f(x), &[3.0, 2.0]), [27.0, 0.0]);
        let h = hessian(&function!(f), &[3.0, 2.0]).to_vec();
        for (h, expected) in h.iter().zip([18.0, 0.0, 0.0, 0.0]) {
            assert!((h - expected).abs() < 1e-14, "{h} for {expected}");
        }
    }

    #[test]
    fn third_derivatives_come_from_nested_duals() {
        let x = |v: f64| Dual::variable(Dual::variable(Dual::variable(v)));
        let y = Pair.call(&[x(2.0), x(2.0)]);
        // a b along (1, 1) is t^2: second derivative 2, third 0; a / b is 1.
        let third = |y: Dual<Dual<Dual<f64, 1>, 1>, 1>| {
            (y.value.tangents[0].tangents[0], y.tangents[0].tangents[0].tangents[0])
        };
        assert_eq!(third(y[0]), (2.0, 0.0));
        assert_eq!(third(y[1]), (0.0, 0.0));
    }

    #[test]
    fn a_pullback_runs_once_a_sweep_and_not_where_nothing_flows() {
        let runs = Arc::new(AtomicUsize::new(0));
        let tape = Tape::new();
        let x = tape.vars(&[1.0, 2.0]);
        let counted = Arc::clone(&runs);
        let y = custom_vector(&x, |x| {
            let y = x.to_vec();
            (y, move |y_bar: &[f64], x_bar: &mut [f64]| {
                counted.fetch_add(1, Ordering::Relaxed);
                x_bar.copy_from_slice(y_bar);
            })
        });
        let other = x[0] * x[1];
        assert_eq!(other.gradient().wrt(&x), [2.0, 1.0]);
        assert_eq!(runs.load(Ordering::Relaxed), 0);
        assert_eq!((y[0] * y[1]).gradient().wrt(&x), [2.0, 1.0]);
        assert_eq!((y[0] * y[1]).gradient().wrt(&x), [2.0, 1.0]);
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn rewinding_and_clearing_drop_entries() {
        let alive = Arc::new(());
        let mut tape = Tape::new();
        let x = tape.var(2.0).unbind();
        let mark = tape.mark();
        for _ in 0..3 {
            let kept = Arc::clone(&alive);
            let x = tape.bind(x);
            let y = custom_vector(&[x], |x| {
                (vec![x[0] * x[0]], move |y_bar: &[f64], x_bar: &mut [f64]| {
                    let _kept = &kept;
                    x_bar[0] = y_bar[0] * 4.0;
                })
            });
            assert_eq!((y[0] * 3.0).gradient()[x], 12.0);
            tape.rewind(mark);
        }
        assert_eq!(Arc::strong_count(&alive), 1);
        tape.clear();
        let x = tape.var(1.0);
        assert_eq!((x * x).gradient()[x], 2.0);
    }

    #[test]
    fn connections_are_seen_through_entries() {
        let tape = Tape::new();
        let x = tape.vars(&[1.0, 2.0, 3.0]);
        let y = Pair.call(&x[..2]);
        let z = y[1] + x[0].detach();
        assert!(z.is_connected(x[0]) && z.is_connected(x[1]) && !z.is_connected(x[2]));
    }

    #[test]
    fn zero_adjoints_meet_no_infinity() {
        let tape = Tape::new();
        let x = tape.vars(&[0.0, 1.0]);
        let y = custom_vector(&[x[0].sqrt()], |_| (vec![0.0], |_: &[f64], x_bar: &mut [f64]| x_bar[0] = 0.0));
        let g = (y[0] + x[1]).gradient();
        assert_eq!(g.wrt(&x), [0.0, 1.0]);
    }

    #[test]
    fn constants_record_nothing_and_a_full_tape_says_so() {
        let tape = crate::Tape::with_node_limit(4);
        let y = Pair.call(&[tape.constant(1.0), Var::from(2.0)]);
        assert_eq!((y[0].value(), tape.size().nodes), (2.0, 0));
        let x = tape.vars(&[1.0, 2.0]);
        let y = Pair.call(&x);
        assert!(matches!(y[0].try_gradient(), Err(crate::Error::Full { .. })));
    }
}
