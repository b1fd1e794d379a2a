//! Roots of equations with parameters, `g(x, p) = 0`, as one entry.

use super::linear::LinearSolve;
use super::lu::Lu;
use crate::custom::CustomVectorFn;
use crate::dual::Dual;
use crate::error::{Caller, Error, OrPanic};
use crate::number::{Number, Primal};
use crate::tape::{Tape, Var};
use core::panic::Location;
use std::sync::Arc;

/// Equations `g(x, p) = 0` in as many unknowns `x` as there are equations, with parameters `p`.
///
/// `Clone` and `Send` for the tape, which keeps a copy for the reverse sweep.
pub trait Equations: Clone + Send + 'static {
    /// What the equations leave at `x`: all 0 at a root.
    fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T>;
}

/// The root of `g(x, p) = 0` near `start`, differentiated with respect to `p`.
///
/// Found by Newton's method on floats, damped: a step is halved until the residual shrinks. Then one entry on a tape,
/// with the derivative of the implicit function theorem: the start and the iterations have none.
///
/// # Panics
/// With the text of the error that [`try_root`] returns.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// /// Where a circle of radius p0 meets the line of slope p1.
/// #[derive(Clone)]
/// struct Meet;
/// impl Equations for Meet {
///     fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
///         vec![x[0] * x[0] + x[1] * x[1] - p[0] * p[0], x[1] - p[1] * x[0]]
///     }
/// }
/// let tape = Tape::new();
/// let p = tape.vars(&[5.0, 0.75]);
/// let x = root(&Meet, &[1.0, 1.0], &p); // (4, 3)
/// let g = x[0].gradient(); // x0 = p0 (1 + p1^2)^(-1/2)
/// assert!((g[p[0]] - 0.8).abs() < 1e-14 && (g[p[1]] + 5.0 * 0.75 * 0.512).abs() < 1e-14);
/// ```
#[doc(alias = "newton")]
#[doc(alias = "implicit")]
#[track_caller]
pub fn root<T: Number>(g: &impl Equations, start: &[f64], p: &[T]) -> Vec<T> {
    try_root(g, start, p).or_panic()
}

/// [`root`], returning what is wrong.
///
/// # Errors
/// [`Error::NotConverged`] if no root is found, [`Error::Singular`] if `dg/dx` has no inverse on the way or at the
/// root, [`Error::Unknowns`] if there are not as many equations as unknowns.
#[track_caller]
pub fn try_root<T: Number>(g: &impl Equations, start: &[f64], p: &[T]) -> Result<Vec<T>, Error> {
    let newton = Newton { g, p: &values(p), op: "root", caller: Location::caller() };
    let (x, lu) = newton.root(start.to_vec())?;
    Ok(Root { g: g.clone(), x: x.into(), lu: Arc::new(lu) }.call(p))
}

/// [`root`] for a root `x` that was found elsewhere: by another solver, in closed form, from a table.
///
/// # Panics
/// With the text of the error that [`try_root_at`] returns.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// #[derive(Clone)]
/// struct SquareRoot;
/// impl Equations for SquareRoot {
///     fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
///         vec![x[0] * x[0] - p[0]]
///     }
/// }
/// let tape = Tape::new();
/// let p = tape.var(16.0);
/// let x = root_at(&SquareRoot, &[-4.0], &[p]);
/// assert_eq!(x[0].gradient()[p], -0.125);
/// ```
#[track_caller]
pub fn root_at<T: Number>(g: &impl Equations, x: &[f64], p: &[T]) -> Vec<T> {
    try_root_at(g, x, p).or_panic()
}

/// [`root_at`], returning what is wrong.
///
/// # Errors
/// [`Error::NotConverged`] if `x` is no root: Newton's method would move it by more than `sqrt(eps)` of its size, and
/// the residuals are more than rounding the parameters leaves.
/// Otherwise as [`try_root`].
#[track_caller]
pub fn try_root_at<T: Number>(g: &impl Equations, x: &[f64], p: &[T]) -> Result<Vec<T>, Error> {
    let newton = Newton { g, p: &values(p), op: "root_at", caller: Location::caller() };
    let state = newton.state(x.to_vec())?;
    let (step, lu) = newton.step(&state)?;
    if !(state.is_rounding() || small(&step, &state.x) || newton.is_rounding_of_parameters(&state)) {
        return Err(newton.not_converged(&state, 0));
    }
    Ok(Root { g: g.clone(), x: x.into(), lu: Arc::new(lu) }.call(p))
}

fn values<T: Number>(p: &[T]) -> Vec<f64> {
    p.iter().map(|p| p.value()).collect()
}

/// Newton's method at fixed parameters.
struct Newton<'a, G> {
    g: &'a G,
    p: &'a [f64],
    op: &'static str,
    caller: Caller,
}

/// A point on the way, with its residuals and the matrix `dg/dx`.
struct State {
    x: Vec<f64>,
    residuals: Vec<f64>,
    slopes: Vec<f64>,
}

/// Steps after which a root is given up. Newton's method takes ten, or it is lost; damping may take a few times as
/// many.
const ITERATIONS: usize = 100;

impl<G: Equations> Newton<'_, G> {
    fn root(&self, start: Vec<f64>) -> Result<(Vec<f64>, Lu<f64>), Error> {
        let mut state = self.state(start)?;
        for iterations in 0..ITERATIONS {
            if !state.size().is_finite() {
                return Err(self.not_converged(&state, iterations));
            }
            let (step, lu) = self.step(&state)?;
            if state.is_rounding() {
                return Ok((state.x, lu));
            }
            if small(&step, &state.x) {
                // Half of the digits are right, so one more step makes it all of them.
                let next = self.state(moved(&state.x, &step, 1.0))?;
                let lu = self.step(&next)?.1;
                return Ok((next.x, lu));
            }
            let mut length = 1.0;
            state = loop {
                let next = self.state(moved(&state.x, &step, length))?;
                // A linear function would shrink by 1 - length; of short steps that rounds to nothing.
                if next.size() < state.size() && next.size() <= (1.0 - 0.01 * length) * state.size() {
                    break next;
                }
                length *= 0.5;
                if length < f64::EPSILON {
                    return match self.is_rounding_of_parameters(&state) {
                        true => Ok((state.x, lu)),
                        false => Err(self.not_converged(&state, iterations)),
                    };
                }
            };
        }
        Err(self.not_converged(&state, ITERATIONS))
    }

    fn state(&self, x: Vec<f64>) -> Result<State, Error> {
        let residuals = self.g.residuals(&x, self.p);
        if residuals.len() != x.len() {
            let (equations, unknowns) = (residuals.len(), x.len());
            return Err(Error::Unknowns { op: self.op, equations, unknowns, caller: self.caller });
        }
        let slopes = slopes(self.g, &x, self.p);
        Ok(State { x, residuals, slopes })
    }

    /// The step of Newton's method, to be subtracted.
    fn step(&self, state: &State) -> Result<(Vec<f64>, Lu<f64>), Error> {
        let n = state.x.len();
        let lu = Lu::factor(state.slopes.clone(), n).map_err(|s| {
            let (pivot, value) = (s.pivot, s.value);
            Error::Singular { op: self.op, size: n, pivot, value, caller: self.caller }
        })?;
        let mut step = state.residuals.clone();
        lu.solve(false, &mut step);
        Ok((step, lu))
    }

    /// Whether every residual is what rounding the parameters leaves. Of a root beside 0 rounding the unknowns leaves
    /// next to nothing, and yet no float may come closer: `(x + 1)^2 = p`. Costs more than [`State::is_rounding`], so
    /// asked last.
    fn is_rounding_of_parameters(&self, state: &State) -> bool {
        let x: Vec<Dual<f64, 1>> = state.x.iter().map(|&x| Dual::constant(x)).collect();
        let mut p: Vec<Dual<f64, 1>> = self.p.iter().map(|&p| Dual::constant(p)).collect();
        let mut terms = vec![0.0; state.residuals.len()];
        for k in 0..p.len() {
            p[k].tangents = [self.p[k]];
            for (term, residual) in terms.iter_mut().zip(self.g.residuals(&x, &p)) {
                *term += residual.tangents[0].abs();
            }
            p[k].tangents = [0.0];
        }
        state.residuals.iter().zip(terms).all(|(r, term)| r.abs() <= f64::EPSILON * term)
    }

    fn not_converged(&self, state: &State, iterations: usize) -> Error {
        Error::NotConverged { op: self.op, residual: state.size(), iterations, caller: self.caller }
    }
}

impl State {
    /// The largest residual; NaN if there is one.
    fn size(&self) -> f64 {
        self.residuals.iter().fold(0.0, |size: f64, r| if r.abs() <= size { size } else { r.abs() })
    }

    /// Whether every residual is what rounding `x` leaves: a root as good as floats can say.
    fn is_rounding(&self) -> bool {
        let rows = self.slopes.chunks_exact(self.x.len().max(1));
        self.residuals.iter().zip(rows).all(|(r, row)| {
            let terms: f64 = row.iter().zip(&self.x).map(|(slope, x)| (slope * x).abs()).sum();
            r.abs() <= f64::EPSILON * terms
        })
    }
}

/// Whether a step changes no unknown by more than half of its digits.
fn small(step: &[f64], x: &[f64]) -> bool {
    let half_of_the_digits = f64::EPSILON.sqrt();
    step.iter().zip(x).all(|(step, x)| step.abs() <= half_of_the_digits * x.abs())
}

fn moved(x: &[f64], step: &[f64], length: f64) -> Vec<f64> {
    x.iter().zip(step).map(|(x, step)| x - length * step).collect()
}

/// The matrix `dg/dx`, row by row, on any number: four columns per evaluation on duals.
fn slopes<T: Number + Primal<Base = f64>>(g: &impl Equations, x: &[T], p: &[T]) -> Vec<T> {
    const LANES: usize = 4;
    let n = x.len();
    let p: Vec<Dual<T, LANES>> = p.iter().map(|&p| Dual::constant(p)).collect();
    let mut slopes = vec![T::ZERO; n * n];
    for first in (0..n).step_by(LANES) {
        let moving = |(k, &value): (usize, &T)| Dual {
            value,
            tangents: core::array::from_fn(|lane| if first + lane == k { T::ONE } else { T::ZERO }),
        };
        let x: Vec<Dual<T, LANES>> = x.iter().enumerate().map(moving).collect();
        for (row, residual) in slopes.chunks_exact_mut(n).zip(g.residuals(&x, &p)) {
            let columns = (n - first).min(LANES);
            row[first..first + columns].copy_from_slice(&residual.tangents[..columns]);
        }
    }
    slopes
}

/// A root as a function of the parameters, at the parameters it was found for.
#[derive(Clone)]
struct Root<G> {
    g: G,
    x: Arc<[f64]>,
    /// Factors of `dg/dx` there.
    lu: Arc<Lu<f64>>,
}

impl<G: Equations> CustomVectorFn for Root<G> {
    const AT_ONE_POINT: [&'static str; 2] = [
        "root",
        "record its residuals, with the unknowns among the inputs, and solve with their jacobian; or call root on a tape",
    ];

    fn value(&self, _p: &[f64]) -> Vec<f64> {
        self.x.to_vec()
    }

    fn vjp<T: Number + Primal<Base = f64>>(&self, p: &[T], x: &[T], x_bar: &[T], p_bar: &mut [T]) {
        let transposed = LinearSolve { lu: Arc::clone(&self.lu), transposed: true };
        let lambda = transposed.on(&slopes(&self.g, x, p), x_bar);
        let tape = Tape::new();
        let x: Vec<Var<'_, T>> = x.iter().map(|&x| tape.constant(x)).collect();
        let p = tape.vars(p);
        let residuals = self.g.residuals(&x, &p);
        let gradients = tape.vjp(residuals.into_iter().zip(lambda.iter().map(|&lambda| -lambda)));
        for (p_bar, &p) in p_bar.iter_mut().zip(&p) {
            *p_bar = gradients.get(p).unwrap_or(T::ZERO);
        }
    }

    fn jvp<T: Number + Primal<Base = f64>>(&self, p: &[T], x: &[T], p_dot: &[T], x_dot: &mut [T]) {
        let moving: Vec<Dual<T, 1>> =
            p.iter().zip(p_dot).map(|(&value, &p_dot)| Dual { value, tangents: [p_dot] }).collect();
        let fixed: Vec<Dual<T, 1>> = x.iter().map(|&x| Dual::constant(x)).collect();
        let right: Vec<T> = self.g.residuals(&fixed, &moving).iter().map(|r| -r.tangents[0]).collect();
        let system = LinearSolve { lu: Arc::clone(&self.lu), transposed: false };
        x_dot.copy_from_slice(&system.on(&slopes(&self.g, x, p), &right));
    }
}

#[cfg(test)]
mod tests {
    use super::ITERATIONS;
    use crate::prelude::*;
    use crate::{Error, try_root, try_root_at};

    /// `x^3 = p`.
    #[derive(Clone)]
    struct Cube;
    impl Equations for Cube {
        fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
            vec![x[0].powi(3) - p[0]]
        }
    }

    /// Polar coordinates from Cartesian ones: `r cos t = p0`, `r sin t = p1`.
    #[derive(Clone)]
    struct Polar;
    impl Equations for Polar {
        fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
            vec![x[0] * x[1].cos() - p[0], x[0] * x[1].sin() - p[1]]
        }
    }

    /// `x = p0`, with another equation for more unknowns than there are.
    #[derive(Clone)]
    struct Broken;
    impl Equations for Broken {
        fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
            vec![x[0] - p[0], x[0] + p[0]]
        }
    }

    /// `x^2 + p = 0`: no root for a positive `p`.
    #[derive(Clone)]
    struct NoRoot;
    impl Equations for NoRoot {
        fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
            vec![x[0] * x[0] + p[0]]
        }
    }

    /// `atan(x) = p`: Newton's method without damping diverges from a start beyond 1.39.
    #[derive(Clone)]
    struct ArcTangent;
    impl Equations for ArcTangent {
        fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
            vec![x[0].atan() - p[0]]
        }
    }

    #[test]
    fn a_cube_root_has_the_derivatives_of_the_cube_root() {
        fn f<T: Number>(p: &[T]) -> T {
            root(&Cube, &[1.0], p)[0]
        }
        assert_eq!(f(&[8.0]), 2.0);
        let (value, gradient) = value_and_grad(|p| f(p), &[8.0]);
        assert!(value == 2.0 && (gradient[0] - 1.0 / 12.0).abs() < 1e-16);
        // -2/9 p^(-5/3)
        assert!((hessian(&function!(f), &[8.0]).item() + 2.0 / 9.0 / 32.0).abs() < 1e-16);
        // 10/27 p^(-8/3)
        let y = f(&[Dual::variable(Dual::variable(Dual::variable(8.0)))]);
        assert!((y.tangents[0].tangents[0].tangents[0] - 10.0 / 27.0 / 256.0).abs() < 1e-17);
    }

    #[test]
    fn polar_coordinates_have_the_derivatives_of_hypot_and_atan2() {
        fn implicit<T: Number>(p: &[T]) -> T {
            let x = root(&Polar, &[1.0, 0.5], p);
            x[0] * x[1].sin() + x[0] * x[1]
        }
        fn explicit<T: Number>(p: &[T]) -> T {
            p[1] + p[0].hypot(p[1]) * p[1].atan2(p[0])
        }
        let p = [1.2, 2.3];
        let (y, g) = value_and_grad(|p| implicit(p), &p);
        let (e, e_g) = value_and_grad(|p| explicit(p), &p);
        assert!((y - e).abs() < 1e-14 && (g[0] - e_g[0]).abs() < 1e-14 && (g[1] - e_g[1]).abs() < 1e-14);
        let (h, e_h) = (hessian(&function!(implicit), &p).to_vec(), hessian(&function!(explicit), &p).to_vec());
        for (h, e) in h.iter().zip(&e_h) {
            assert!((h - e).abs() < 1e-13, "{h} for {e}");
        }
    }

    #[test]
    fn a_root_is_one_entry() {
        let tape = Tape::new();
        let p = tape.vars(&[1.2, 2.3]);
        let x = root(&Polar, &[1.0, 0.5], &p);
        assert_eq!((tape.size().nodes, x.len()), (4, 2));
    }

    #[test]
    fn damping_finds_roots_from_where_newton_diverges() {
        for start in [1.0, 5.0, 1e3] {
            let x = root(&ArcTangent, &[start], &[0.5]);
            assert!((x[0] - 0.5_f64.tan()).abs() < 1e-15, "from {start}: {x:?}");
        }
        // A root at 0 has no relative size.
        assert!(root(&ArcTangent, &[1.0], &[0.0])[0].abs() < 1e-300);
    }

    #[test]
    fn what_does_not_converge_says_where_it_stopped() {
        let error = try_root(&NoRoot, &[1.7], &[1.0]).expect_err("no root");
        let text = error.to_string();
        assert!(text.ends_with("; start closer to a root, or scale the equations"), "{text}");
        let Error::NotConverged { residual, iterations, .. } = error else { panic!("{error}") };
        assert!(residual >= 1.0 && iterations <= ITERATIONS);
        let error = try_root(&NoRoot, &[f64::NAN], &[1.0]).expect_err("NaN");
        let text = error.to_string();
        assert!(text.ends_with(": root: not converged after 0 iterations, the largest residual is NaN; look for NaN and infinity in the parameters, at the start and in the residuals"), "{text}");
    }

    #[test]
    fn a_singular_system_is_named() {
        let error = try_root(&NoRoot, &[0.0], &[-1.0]).expect_err("flat at 0");
        let text = error.to_string();
        let expected = ": root: the 1 x 1 matrix is singular: pivot 0 is 0e0 of its row and column; \
                        the matrix is that of the residuals' derivatives on the way: start elsewhere, \
                        or is an equation repeated, or an unknown in none of them?";
        assert!(text.ends_with(expected), "{text}");
        let error = try_root_at(&Cube, &[0.0], &[0.0]).expect_err("the cube root is vertical at 0");
        assert!(matches!(error, Error::Singular { op: "root_at", pivot: 0, .. }), "{error}");
    }

    #[test]
    fn what_is_no_root_is_refused() {
        let error = try_root_at(&Cube, &[2.1], &[8.0]).expect_err("2.1^3 is not 8");
        assert!(matches!(error, Error::NotConverged { op: "root_at", iterations: 0, .. }), "{error}");
        let text = error.to_string();
        assert!(text.ends_with("; it is no root, or not to enough digits: root can finish it"), "{text}");
        assert!(try_root_at(&Cube, &[2.0 + 1e-12], &[8.0]).is_ok());
    }

    #[test]
    fn a_root_beside_zero_is_as_good_as_its_parameters() {
        /// `(x + 1)^2 = p`: beside `x = 0` the residual is rounded in units of `p`, whatever the size of `x`.
        #[derive(Clone)]
        struct Shifted;
        impl Equations for Shifted {
            fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
                vec![(x[0] + T::from(1.0)) * (x[0] + T::from(1.0)) - p[0]]
            }
        }
        let p = [1.0 + f64::EPSILON];
        for start in [0.5, 0.0, 1e-12] {
            let x = root(&Shifted, &[start], &p);
            assert!((x[0] - 0.5 * f64::EPSILON).abs() <= f64::EPSILON, "from {start}: {x:?}");
        }
        let tape = Tape::new();
        let p = tape.vars(&p);
        let slope = root_at(&Shifted, &[0.0], &p)[0].gradient()[p[0]];
        assert!((slope - 0.5).abs() < 1e-15, "{slope}");
        // A parameter that does not matter excuses nothing.
        assert!(try_root_at(&Shifted, &[1e-6], &[1.0, 1e30]).is_err());
    }

    #[test]
    fn equations_and_unknowns_must_be_as_many() {
        let text = try_root(&Broken, &[1.0], &[1.0]).expect_err("two for one").to_string();
        assert!(text.ends_with(": root: 2 equations for 1 unknowns; there must be as many"), "{text}");
    }
}
