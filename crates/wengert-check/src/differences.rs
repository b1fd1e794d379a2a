//! Numerical derivatives that know their own error.
//!
//! Central differences at steps halved again and again are extrapolated to step 0. Every entry of the extrapolation
//! differs from its two parents by about its error, so the best entry can be chosen and its error stated; what rounding
//! adds is estimated from the size of the values and the step. One-sided differences of the same samples are
//! extrapolated alongside: where they disagree, the function has a kink.
//!
//! Source: C. Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", Advances in Engineering Software 4, 1982;
//! Press et al., *Numerical Recipes*, 2007, section 5.7.

/// A numerical result and the estimate of its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The result.
    pub value: f64,
    /// How far off it probably is.
    pub error: f64,
}

/// A numerical derivative, taken from both sides together and from each alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// From central differences.
    pub central: Estimate,
    /// From differences to the left.
    pub left: Estimate,
    /// From differences to the right.
    pub right: Estimate,
    /// The largest value met around the point, over the same scale: what a derivative is small or large against.
    pub(crate) size: f64,
}

impl Slope {
    /// Whether the slopes from the two sides differ by more than their errors explain: no derivative exists.
    #[must_use]
    pub fn is_kink(&self) -> bool {
        disagree(self.left, self.right)
    }

    /// The same for a variable that is `scale` times as large.
    pub(crate) fn over(self, scale: f64) -> Self {
        let over = |Estimate { value, error }| Estimate { value: value / scale, error: error / scale.abs() };
        Slope {
            central: over(self.central),
            left: over(self.left),
            right: over(self.right),
            size: self.size / scale.abs(),
        }
    }
}

/// Before anything was compared.
const UNKNOWN: Estimate = Estimate { value: f64::NAN, error: f64::INFINITY };

/// Whether two estimates of one number differ by more than their errors explain.
fn disagree(a: Estimate, b: Estimate) -> bool {
    (a.value - b.value).abs() > SAFETY * (a.error + b.error)
}

/// How many times its estimated error a result may be off: the estimate is one of magnitude.
pub(crate) const SAFETY: f64 = 8.0;

/// The rounding error of a function's value, in units of its last place: what a handful of operations leave.
const NOISE: f64 = 4.0;

/// The first step, and the number of halvings: down to 1e-9 of the first, past which rounding has won.
const FIRST_STEP: f64 = 0.125;
const LEVELS: u32 = 28;

/// Columns of the extrapolation; more gain nothing in double precision.
const COLUMNS: usize = 8;

/// Halvings before giving up on a point whose neighbourhood is not in the function's domain.
const SHRINKS: u32 = 60;

/// Error relative to the function's size at which smaller steps are not tried.
const SETTLED: f64 = 1e-11;

/// The derivative of `f` at `x`, with its error; `None` if `f` is finite at no pair of points around `x`.
///
/// # Examples
/// ```
/// use wengert_check::derivative;
///
/// let slope = derivative(f64::exp, 1.0).expect("exp is finite around 1");
/// assert!((slope.central.value - 1.0_f64.exp()).abs() < 1e-10 && slope.central.error < 1e-10);
/// assert!(derivative(f64::abs, 0.0).expect("abs is finite").is_kink());
/// ```
pub fn derivative(mut f: impl FnMut(f64) -> f64, x: f64) -> Option<Slope> {
    let scale = scale_of(x);
    let center = [f(x)];
    let slopes = slopes(&center, |t| Ok::<_, core::convert::Infallible>(vec![f(x + t * scale)]));
    match slopes {
        Ok(slopes) => slopes.map(|slopes| slopes[0].over(scale)),
        Err(never) => match never {},
    }
}

/// The power of two nearest to `x`, not less than 1/8: adding a power of two to a number is exact, or nearly.
pub(crate) fn scale_of(x: f64) -> f64 {
    x.abs().clamp(0.125, f64::MAX / 4.0).log2().round().exp2()
}

/// The derivatives at 0 of all components of `f(t)`, whose value at 0 is `center`; `None` if no step gives finite
/// values.
pub(crate) fn slopes<E>(
    center: &[f64],
    mut f: impl FnMut(f64) -> Result<Vec<f64>, E>,
) -> Result<Option<Vec<Slope>>, E> {
    let start = |y: &f64| ([Extrapolation::new(4.0), Extrapolation::new(2.0), Extrapolation::new(2.0)], y.abs());
    let mut extrapolations: Vec<([Extrapolation; 3], f64)> = center.iter().map(start).collect();
    let (mut step, mut levels, mut shrinks) = (FIRST_STEP, 0, 0);
    while levels < LEVELS {
        let (right, left) = (f(step)?, f(-step)?);
        if !right.iter().chain(&left).all(|y| y.is_finite()) {
            // The step leaves the domain. If smaller ones did too after larger ones had not, what is there has to do.
            shrinks += 1;
            if levels > 0 || shrinks > SHRINKS {
                break;
            }
            step /= 2.0;
            continue;
        }
        let mut settled = levels >= 4;
        for ((((sides, largest), &y), &right), &left) in extrapolations.iter_mut().zip(center).zip(&right).zip(&left) {
            let size = y.abs().max(right.abs()).max(left.abs());
            *largest = largest.max(size);
            let noise = NOISE * f64::EPSILON * size / step;
            let [central, from_left, from_right] = sides;
            central.push((right - left) / (2.0 * step), noise);
            from_left.push((y - left) / step, 2.0 * noise);
            from_right.push((right - y) / step, 2.0 * noise);
            // An extrapolation may agree with its parents by accident. A kink is still there at smaller steps; what
            // only looked like one, of a smooth function, is not.
            settled &= central.best.error <= SETTLED * size.max(central.best.value.abs())
                && !disagree(from_left.best, from_right.best);
        }
        if settled {
            break;
        }
        levels += 1;
        step /= 2.0;
    }
    if levels == 0 && !center.is_empty() {
        return Ok(None);
    }
    let slope = |([central, left, right], size): ([Extrapolation; 3], f64)| Slope {
        central: central.best,
        left: left.best,
        right: right.best,
        size,
    };
    Ok(Some(extrapolations.into_iter().map(slope).collect()))
}

/// Richardson's extrapolation of a difference whose error goes down by `ratio`, `ratio^2`, .. with each halving.
struct Extrapolation {
    ratio: f64,
    row: Vec<f64>,
    best: Estimate,
    /// How many smaller steps in a row have contradicted the best estimate.
    contradictions: u32,
}

/// Smaller steps in a row that unseat an estimate they contradict: one may be an accident of rounding itself.
const UNSEATED: u32 = 3;

impl Extrapolation {
    fn new(ratio: f64) -> Self {
        Extrapolation { ratio, row: Vec::new(), best: UNKNOWN, contradictions: 0 }
    }

    /// Adds the difference at the next step; rounding puts `noise` on it.
    ///
    /// The estimate with the smallest error stays, unless it agreed with its parents by accident, as steps across a
    /// kink nearby can: then all smaller steps say otherwise, and they are believed.
    fn push(&mut self, difference: f64, mut noise: f64) {
        let mut row = vec![difference];
        let (mut factor, mut latest) = (1.0, UNKNOWN);
        for &above in self.row.iter().take(COLUMNS) {
            factor *= self.ratio;
            let beside = row[row.len() - 1];
            let value = (factor * beside - above) / (factor - 1.0);
            noise *= (factor + 1.0) / (factor - 1.0);
            let error = (value - beside).abs().max((value - above).abs()) + noise;
            if error < latest.error {
                latest = Estimate { value, error };
            }
            row.push(value);
        }
        self.row = row;
        self.contradictions = if disagree(latest, self.best) { self.contradictions + 1 } else { 0 };
        if latest.error < self.best.error || self.contradictions >= UNSEATED {
            (self.best, self.contradictions) = (latest, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(f: impl FnMut(f64) -> f64, x: f64) -> Slope {
        derivative(f, x).expect("finite around the point")
    }

    #[test]
    fn errors_are_within_their_estimates_on_functions_of_every_temper() {
        type Row = (fn(f64) -> f64, f64, f64);
        let rows: [Row; 12] = [
            (f64::sin, 0.3, 0.3_f64.cos()),
            (f64::exp, 5.0, 5.0_f64.exp()),
            (f64::exp, -40.0, (-40.0_f64).exp()),
            (f64::ln, 1e-6, 1e6),
            (f64::sqrt, 1e-12, 5e5),
            (f64::sqrt, 1e12, 5e-7),
            (|x| x * x, 1e20, 2e20),
            (|x| 1.0 / x, 1e-3, -1e6),
            (|x| (1000.0 * x).sin(), 0.5, 1000.0 * 500.0_f64.cos()),
            (|x| (x - 0.3).powi(5), 0.3, 0.0),
            (f64::tanh, 20.0, 0.0),
            (|_| 4.0, 7.0, 0.0),
        ];
        for (k, (f, x, expected)) in rows.into_iter().enumerate() {
            let slope = at(f, x);
            let off = (slope.central.value - expected).abs();
            assert!(off <= SAFETY * slope.central.error, "row {k}: off by {off:e}, {slope:?}");
            assert!(slope.central.error <= 1e-5 * (expected.abs() + f(x).abs()) + 1e-20, "row {k}: {slope:?}");
            assert!(!slope.is_kink(), "row {k}: {slope:?}");
        }
    }

    #[test]
    fn kinks_are_seen_and_their_slopes_measured() {
        for (f, left, right) in [
            (f64::abs as fn(f64) -> f64, -1.0, 1.0),
            (|x: f64| x.max(0.0), 0.0, 1.0),
            (|x: f64| x.max(0.0) + x.sin(), 1.0, 2.0),
            (|x: f64| 1e-6 * x.abs() + x.exp(), 1.0 - 1e-6, 1.0 + 1e-6),
        ] {
            let slope = at(f, 0.0);
            assert!(slope.is_kink(), "{slope:?}");
            assert!((slope.left.value - left).abs() < 1e-9 && (slope.right.value - right).abs() < 1e-9, "{slope:?}");
        }
    }

    #[test]
    fn an_accident_of_the_extrapolation_is_not_a_kink() {
        let slope = at(|x| x.cos().tanh(), -1.0001439600639648);
        assert!(!slope.is_kink(), "{slope:?}");
    }

    #[test]
    fn a_kink_nearby_is_stepped_around() {
        let slope = at(|x| x.max(0.0), 1e-6);
        assert!(!slope.is_kink() && (slope.central.value - 1.0).abs() < 1e-9, "{slope:?}");
    }

    #[test]
    fn steps_whose_slopes_agree_by_accident_are_unseated_by_smaller_ones() {
        // Slopes 8 and 8 at the first two steps, then 0 for ever.
        let slope = at(
            |x| {
                if x <= -0.125 {
                    -1.0
                } else if x <= -0.0625 {
                    -0.5
                } else {
                    0.0
                }
            },
            0.0,
        );
        assert!(!slope.is_kink() && slope.central.value == 0.0, "{slope:?}");
    }

    #[test]
    fn a_function_defined_on_one_side_only_has_no_slope() {
        assert_eq!(derivative(f64::sqrt, 0.0), None);
    }
}
