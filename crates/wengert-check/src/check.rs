//! The check itself: value, gradient, second order.

use crate::differences::{SAFETY, Slope, scale_of, slopes};
use crate::error::{CheckError, Comparison, Kink};
use crate::program::{One, Program, Scalars, Several, TensorFn, Tensors};
use core::fmt;
use wengert_core::{ScalarFn, TensorVar};
use wengert_tensor::{Tensor, rng};

/// Checks a function of scalars, written once over every kind of number.
///
/// Compares the value on plain numbers with that on the tape, the gradient with finite differences, forward with
/// reverse mode, and, with [`orders(2)`](Check::orders), Hessian-vector products with differences of the gradient.
///
/// # Examples
/// ```
/// use wengert_check::check;
/// use wengert_core::prelude::*;
///
/// fn rosenbrock<T: Number>(x: &[T]) -> T {
///     (x[0] - 1.0).square() + (x[1] - x[0] * x[0]).square() * 100.0
/// }
/// check(function!(rosenbrock)).at(&[1.5, -0.5]).orders(2).assert();
/// ```
#[doc(alias = "gradcheck")]
pub fn check<F: ScalarFn>(f: F) -> Function<Scalars<F>> {
    Function(Scalars(f))
}

/// Checks a function of one tensor, given as a closure over variables.
///
/// The result may have any shape: it is reduced to one number with random weights. The second order differentiates the
/// recorded gradient.
///
/// # Examples
/// ```
/// use wengert_check::check_tensor;
/// use wengert_core::prelude::*;
///
/// check_tensor(|x| x.softmax(-1).square()).at([[0.3, -1.0, 0.7], [2.0, 0.1, 0.2]]).orders(2).assert();
/// ```
#[doc(alias = "gradcheck")]
pub fn check_tensor<C>(f: C) -> Function<Tensors<One<C>, 1>>
where
    C: for<'t> Fn(TensorVar<'t, f64>) -> TensorVar<'t, f64>,
{
    Function(Tensors(One(f)))
}

/// Checks a function of several tensors, given as a closure over an array of variables.
///
/// # Examples
/// ```
/// use wengert_check::check_tensors;
/// use wengert_core::prelude::*;
/// use wengert_tensor::Tensor;
///
/// let (w, b) = (Tensor::from([[1.0, -0.5], [0.3, 0.8]]), Tensor::from([0.1, 0.2]));
/// check_tensors(|[w, b]| (w.t().matmul(w) + b).tanh()).at([w, b]).orders(2).assert();
/// ```
#[doc(alias = "gradcheck")]
pub fn check_tensors<C, const N: usize>(f: C) -> Function<Tensors<Several<C>, N>>
where
    C: for<'t> Fn([TensorVar<'t, f64>; N]) -> TensorVar<'t, f64>,
{
    Function(Tensors(Several(f)))
}

/// A function to check, still without a point to check it at.
#[derive(Debug, Clone)]
#[must_use = "nothing is checked before `at(..)` and `run()` or `assert()`"]
pub struct Function<P>(P);

impl<F: ScalarFn> Function<Scalars<F>> {
    /// The point to check at.
    pub fn at(self, x: &[f64]) -> Check<Scalars<F>> {
        Check::new(self.0, vec![Tensor::from(x)])
    }
}
impl<C: TensorFn<1>> Function<Tensors<C, 1>>
where
    Tensors<C, 1>: OneInput,
{
    /// The point to check at.
    pub fn at(self, x: impl Into<Tensor<f64>>) -> Check<Tensors<C, 1>> {
        Check::new(self.0, vec![x.into()])
    }
}

/// Tells closures of one tensor from those of an array of one.
#[doc(hidden)]
pub trait OneInput {}
impl<C> OneInput for Tensors<One<C>, 1> {}

impl<C, const N: usize> Function<Tensors<Several<C>, N>>
where
    Several<C>: TensorFn<N>,
{
    /// The point to check at: one tensor per input.
    pub fn at(self, x: [Tensor<f64>; N]) -> Check<Tensors<Several<C>, N>> {
        Check::new(self.0, x.into())
    }
}

/// What to do where the function has no derivative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kinks {
    /// Report the kink as an error.
    #[default]
    Fail,
    /// Accept any derivative between the slopes from the two sides, and count the kink in the report.
    Accept,
}

/// A check of one function at one point.
#[derive(Debug, Clone)]
#[must_use = "nothing is checked before `run()` or `assert()`"]
pub struct Check<P> {
    program: P,
    point: Vec<Tensor<f64>>,
    orders: u8,
    directions: u32,
    seed: u64,
    kinks: Kinks,
}

/// What a passed check looked at.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The function's value.
    pub value: f64,
    /// Derivatives compared, of all orders.
    pub compared: usize,
    /// The one that came closest to being wrong; none for a function of nothing, or of kinks only.
    pub worst: Option<Comparison>,
    /// Kinks met and accepted.
    pub kinks: Vec<Kink>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} derivatives agree", self.compared)?;
        if !self.kinks.is_empty() {
            write!(f, ", {} of them at kinks", self.kinks.len())?;
        }
        match &self.worst {
            Some(worst) => write!(f, "; worst: {worst}"),
            None => Ok(()),
        }
    }
}

/// Largest tolerance, relative to the derivative and the function, at which a comparison still means something.
const MEANINGFUL: f64 = 1e-3;

/// Allowed relative difference of two exact methods, whose rounding the check cannot know: half of the digits.
const HALF_OF_THE_DIGITS: f64 = 1.5e-8;

impl<P: Program> Check<P> {
    fn new(program: P, point: Vec<Tensor<f64>>) -> Self {
        Check { program, point, orders: 1, directions: 2, seed: 0, kinks: Kinks::Fail }
    }

    /// Up to which order to check: 1, the gradient, or 2, the Hessian in random directions too.
    ///
    /// # Panics
    /// If `orders` is neither.
    #[track_caller]
    pub fn orders(mut self, orders: u8) -> Self {
        assert!((1..=2).contains(&orders), "orders: {orders} is neither 1 nor 2");
        self.orders = orders;
        self
    }

    /// In how many random directions the second order is checked; 2 by default.
    pub fn directions(mut self, directions: u32) -> Self {
        self.directions = directions;
        self
    }

    /// The seed of the random directions; 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What to do at kinks; they are errors by default.
    pub fn kinks(mut self, kinks: Kinks) -> Self {
        self.kinks = kinks;
        self
    }

    /// Runs the check and panics with the text of what it found.
    ///
    /// # Panics
    /// With the text of the error that [`run`](Self::run) returns.
    #[track_caller]
    pub fn assert(self) {
        if let Err(error) = self.run() {
            panic!("{error}");
        }
    }

    /// Runs the check. Costs about 20 evaluations per element of the inputs, and as many gradients per direction.
    ///
    /// A derivative is wrong if it differs from finite differences by more than 8 times their estimated error.
    ///
    /// # Errors
    /// [`CheckError`] says what is wrong and where: a value, a derivative, a kink, something non-finite.
    pub fn run(&self) -> Result<Report, CheckError> {
        let plain = self.program.value(&self.point)?;
        if !plain.is_finite() {
            return Err(CheckError::NonFiniteValue { value: plain });
        }
        let (value, gradient) = self.program.value_and_gradient(&self.point)?;
        // The same operations in the same order; sums of many terms may be taken as one node.
        if (plain - value).abs() > 8.0 * f64::EPSILON * plain.abs() || value.is_nan() {
            return Err(CheckError::WrongValue { plain, recorded: value });
        }
        let gradient = flatten(&gradient);
        self.finite("gradient", &gradient)?;
        let mut report = Report { value, compared: 0, worst: None, kinks: Vec::new() };
        let mut findings = Findings::default();
        for (element, &analytic) in gradient.iter().enumerate() {
            let mut direction = vec![0.0; gradient.len()];
            direction[element] = scale_of(self.coordinate(element));
            let slopes =
                slopes(&[plain], |t| Ok::<_, CheckError>(vec![self.program.value(&self.moved(t, &direction))?]))?;
            let slope = slopes.map(|slopes| slopes[0].over(direction[element]));
            self.compare(1, element, analytic, slope, 0.0, &mut findings);
        }
        findings.settle(self.kinks, &mut report)?;
        for number in 0..u64::from(self.directions) {
            let direction = self.random_direction(number);
            self.forward_against_reverse(&gradient, &direction)?;
            if self.orders >= 2 {
                self.second_order(&gradient, &direction, &mut report)?;
            }
        }
        Ok(report)
    }

    fn second_order(&self, gradient: &[f64], direction: &[f64], report: &mut Report) -> Result<(), CheckError> {
        let product = flatten(&self.program.hessian_product(&self.point, &self.like_point(direction))?);
        self.finite("Hessian product", &product)?;
        let along =
            |t: f64| Ok::<_, CheckError>(flatten(&self.program.value_and_gradient(&self.moved(t, direction))?.1));
        let slopes = slopes(gradient, along)?;
        // One element's differences may be those of a sum whose terms are the size of the others'.
        let size = slopes.iter().flatten().fold(0.0, |size: f64, slope| size.max(slope.size));
        let mut findings = Findings::default();
        for (element, &analytic) in product.iter().enumerate() {
            self.compare(2, element, analytic, slopes.as_ref().map(|slopes| slopes[element]), size, &mut findings);
        }
        findings.settle(self.kinks, report)
    }

    /// `<gradient, v>` against the tangent, that of dual numbers or that of the tape's forward mode.
    fn forward_against_reverse(&self, gradient: &[f64], direction: &[f64]) -> Result<(), CheckError> {
        let Some(forward) = self.program.tangent(&self.point, &self.like_point(direction))? else { return Ok(()) };
        let terms = gradient.iter().zip(direction).map(|(g, v)| g * v);
        let (reverse, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + f64::abs(term)));
        if (forward - reverse).abs() <= HALF_OF_THE_DIGITS * size {
            return Ok(());
        }
        Err(CheckError::ForwardReverse { forward, reverse })
    }

    fn compare(
        &self,
        order: u8,
        element: usize,
        analytic: f64,
        slope: Option<Slope>,
        size: f64,
        findings: &mut Findings,
    ) {
        let (input, index) = self.place(element);
        let unknown = crate::Estimate { value: f64::NAN, error: f64::INFINITY };
        let slope = slope.unwrap_or(Slope { central: unknown, left: unknown, right: unknown, size: 0.0 });
        let comparison = |estimate: crate::Estimate| Comparison {
            order,
            input,
            index: index.clone(),
            analytic,
            numeric: estimate.value,
            error: estimate.error,
            tolerance: SAFETY * estimate.error,
        };
        findings.checked += 1;
        if slope.is_kink() {
            let (low, high) = match slope.left.value <= slope.right.value {
                true => (slope.left, slope.right),
                false => (slope.right, slope.left),
            };
            if analytic < low.value - SAFETY * low.error {
                findings.wrong.push(comparison(low));
            } else if analytic > high.value + SAFETY * high.error {
                findings.wrong.push(comparison(high));
            } else {
                let (left, right) = (slope.left.value, slope.right.value);
                findings.kinks.push(Kink { order, input, index, left, right, analytic });
            }
            return;
        }
        let comparison = comparison(slope.central);
        let size = size.max(slope.size).max(analytic.abs()).max(comparison.numeric.abs());
        if comparison.tolerance.is_nan() || comparison.tolerance > MEANINGFUL * size {
            findings.unsettled.get_or_insert(comparison);
        } else if comparison.severity() > 1.0 {
            findings.wrong.push(comparison);
        } else {
            findings.right.push(comparison);
        }
    }

    /// The random direction with this number: signs, times the size of each coordinate.
    fn random_direction(&self, number: u64) -> Vec<f64> {
        let count = self.point.iter().map(Tensor::len).sum::<usize>();
        let signs = Tensor::<f64>::uniform([count], -1.0, 1.0, &mut rng(self.seed.wrapping_add(number)));
        let sized = |(element, sign): (usize, f64)| scale_of(self.coordinate(element)).copysign(sign);
        signs.iter().enumerate().map(sized).collect()
    }

    /// The point moved by `t` along a direction.
    fn moved(&self, t: f64, direction: &[f64]) -> Vec<Tensor<f64>> {
        let mut rest = direction.iter();
        let mut moved = |x: &Tensor<f64>| {
            let values = x.iter().zip(&mut rest).map(|(x, v)| if *v == 0.0 { x } else { x + t * v });
            // `zip` asks the left side first, so no direction is lost at the end of a tensor.
            Tensor::from_vec(x.shape().clone(), values.collect())
        };
        self.point.iter().map(&mut moved).collect()
    }

    /// Numbers in the shapes of the inputs.
    fn like_point(&self, numbers: &[f64]) -> Vec<Tensor<f64>> {
        let mut rest = numbers;
        let mut take = |x: &Tensor<f64>| {
            let (values, tail) = rest.split_at(x.len());
            rest = tail;
            Tensor::from_slice(x.shape().clone(), values)
        };
        self.point.iter().map(&mut take).collect()
    }

    fn coordinate(&self, element: usize) -> f64 {
        self.point.iter().flat_map(Tensor::iter).nth(element).unwrap_or_default()
    }

    /// The input an element belongs to, and its index there.
    fn place(&self, mut element: usize) -> (usize, Vec<usize>) {
        for (input, x) in self.point.iter().enumerate() {
            if element < x.len() {
                let mut index = vec![0; x.rank()];
                for (axis, &n) in x.shape().iter().enumerate().rev() {
                    index[axis] = element % n;
                    element /= n;
                }
                return (input, index);
            }
            element -= x.len();
        }
        (self.point.len(), Vec::new())
    }

    fn finite(&self, what: &'static str, numbers: &[f64]) -> Result<(), CheckError> {
        let Some(element) = numbers.iter().position(|x| !x.is_finite()) else { return Ok(()) };
        let (input, index) = self.place(element);
        Err(CheckError::NonFinite { what, input, index, value: numbers[element] })
    }
}

/// What the comparisons of one order came to.
#[derive(Default)]
struct Findings {
    checked: usize,
    right: Vec<Comparison>,
    wrong: Vec<Comparison>,
    kinks: Vec<Kink>,
    unsettled: Option<Comparison>,
}

impl Findings {
    /// Adds them to the report, or makes an error of the worst: what is wrong before what is undecided.
    fn settle(self, kinks: Kinks, report: &mut Report) -> Result<(), CheckError> {
        let by_severity = |a: &Comparison, b: &Comparison| a.severity().total_cmp(&b.severity());
        let (wrong, checked) = (self.wrong.len(), self.checked);
        if let Some(worst) = self.wrong.into_iter().max_by(by_severity) {
            return Err(CheckError::WrongDerivative { worst, wrong, checked });
        }
        if let (Kinks::Fail, Some(kink)) = (kinks, self.kinks.first()) {
            return Err(CheckError::Kink { kink: kink.clone() });
        }
        if let Some(comparison) = self.unsettled {
            return Err(CheckError::Unsettled { comparison });
        }
        report.compared += checked;
        report.kinks.extend(self.kinks);
        report.worst = report.worst.take().into_iter().chain(self.right).max_by(by_severity);
        Ok(())
    }
}

fn flatten(tensors: &[Tensor<f64>]) -> Vec<f64> {
    tensors.iter().flat_map(Tensor::iter).collect()
}
