//! Rows brought to mean 0 and variance 1, with a weight and a bias for each column: the op under every normalisation.
//!
//! Formulas: `z = (x - mean) r` with `r = 1/sqrt(variance + epsilon)`, `y = z w + b`; rows that are not centred keep
//! their mean and have the mean square for variance. Shapes: `x: [.., features]`, `w` and `b`: `features`. Keeps `x`,
//! `w` and four numbers a row, which may also be handed in by the op that computes them alone.
//!
//! Cotangents: with `g = y_bar w`, `x_bar = r (g - mean(g) - z mean(g z))`, without `mean(g)` where nothing is centred;
//! `w_bar = sum y_bar z` and `b_bar = sum y_bar` over the rows. Fused, all of it is two passes over a row in the cache.

use super::affine::{Affine, scaled};
use super::map::map;
use super::pushforward::total;
use super::reshape::reshape;
use super::sum::{sum_axes, sum_keep};
use super::zip::zip;
use super::{Array, Cotangents, Op, fitting};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use core::panic::Location;
use smallvec::SmallVec;
use wengert_kernels::{Binary, Unary};
use wengert_tensor::{Shape, ShapeError, Standard, Tensor};

/// Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct Standardize<F: TensorFloat>(Box<Kept<F>>);

#[derive(Clone)]
struct Kept<F: TensorFloat> {
    /// The op as users know it.
    of: &'static str,
    features: Shape,
    standard: Standard,
    weight: bool,
    bias: bool,
    /// Whether the statistics are the last operand.
    given: bool,
    /// Otherwise computed by the forward pass.
    stats: Option<Tensor<F>>,
}

impl<F: TensorFloat> Kept<F> {
    /// The weight and the bias among the operands.
    fn columns<'a, T>(&self, x: &[&'a T]) -> (Option<&'a T>, Option<&'a T>) {
        (self.weight.then(|| x[1]), self.bias.then(|| x[1 + usize::from(self.weight)]))
    }

    /// The statistics, where they are an operand.
    fn given<'a, T>(&self, x: &[&'a T]) -> Option<&'a T> {
        x.last().copied().filter(|_| self.given)
    }
}

impl<F: TensorFloat> Op<F> for Standardize<F> {
    const NAME: &'static str = "standardize";
    const READS_RESULT: bool = false;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let kept = &mut *self.0;
        let (weight, bias) = kept.columns(x);
        let (y, stats) = x[0].try_standardize(kept.of, &kept.features, kept.standard, weight, bias, kept.given(x))?;
        kept.stats = Some(stats).filter(|_| !kept.given);
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let kept = &*self.0;
        let (weight, _) = kept.columns(x);
        let shape = x[0].shape();
        let n = kept.features.size();
        let matrix = Shape::from([shape[..shape.rank() - kept.features.rank()].iter().product(), n]);
        let row = Shape::from([n]);
        let mean = |x: &A| scaled(&sum_keep(x, 1), F::from_f64(1.0 / n as f64));
        // A zero on the right wins over whatever it meets: a row without cotangent passes nothing on.
        let product = |a: &A, b: &A| zip(Binary::MulZero, a, b);

        let (x, y_bar) = (reshape(x[0], &matrix), reshape(&y_bar, &matrix));
        let plain =
            Kept { features: row.clone(), weight: false, bias: false, given: false, stats: None, ..kept.clone() };
        let z = Standardize(Box::new(plain)).on(&[&x]);
        let x_bar = || {
            let deviation = if kept.standard.centred { zip(Binary::Sub, &x, &mean(&x)) } else { x.clone() };
            let shift = F::from_f64(kept.standard.epsilon);
            let variance = Affine { scale: F::ONE, shift }.on(&[&mean(&map(Unary::Square, &deviation))]);
            let r = map(Unary::Recip, &map(Unary::Sqrt, &variance));
            let g = match weight {
                Some(weight) => product(&reshape(weight, &row), &y_bar),
                None => y_bar.clone(),
            };
            let along_z = product(&z, &mean(&product(&z, &g)));
            let g = if kept.standard.centred { zip(Binary::Sub, &g, &mean(&g)) } else { g };
            reshape(&product(&r, &zip(Binary::Sub, &g, &along_z)), &shape)
        };
        let mut cotangents = Cotangents::new();
        cotangents.push(wanted[0].then(x_bar));
        if kept.weight {
            cotangents.push(wanted[1].then(|| reshape(&sum_axes(&product(&z, &y_bar), 0), &kept.features)));
        }
        if kept.bias {
            let wanted = wanted[1 + usize::from(kept.weight)];
            cotangents.push(wanted.then(|| reshape(&sum_axes(&y_bar, 0), &kept.features)));
        }
        // They are functions of `x`, whose cotangent takes them into account.
        cotangents.extend(kept.given.then_some(None));
        cotangents
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        let kept = &*self.0;
        let plain = Standardize(Box::new(Kept { weight: false, bias: false, ..kept.clone() }));
        let rows: SmallVec<[&A; 2]> = [Some(x[0]), kept.given(x)].into_iter().flatten().collect();
        // The Jacobian of a row in itself is symmetric.
        let z_dot = x_dot[0].and_then(|x_dot| A::pullback(&plain, &rows, y, x_dot.clone(), &[true, false])[0].take());
        let of_x = match kept.weight {
            true => z_dot.map(|z_dot| zip(Binary::MulZero, x[1], &z_dot)),
            false => z_dot,
        };
        let (w_dot, b_dot) = (kept.weight.then(|| x_dot[1]), kept.bias.then(|| x_dot[1 + usize::from(kept.weight)]));
        let of_w = w_dot.flatten().map(|w_dot| zip(Binary::MulZero, &plain.on(&rows), w_dot));
        total([of_x, of_w, b_dot.flatten().cloned()], &y.shape())
    }

    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        let kept = &*self.0;
        let Some(stats) = kept.given(x).or(kept.stats.as_ref()) else { return self.vjp(x, y, y_bar, wanted) };
        let (weight, bias) = kept.columns(x);
        let (x_bar, w_bar, b_bar) = fitting(x[0].standardize_vjp(
            kept.of,
            &kept.features,
            kept.standard,
            weight,
            bias.is_some(),
            stats,
            &y_bar,
        ));
        let mut cotangents = Cotangents::new();
        cotangents.push(Some(x_bar));
        cotangents.extend([w_bar, b_bar].into_iter().flatten().map(Some));
        cotangents.extend(kept.given.then_some(None));
        cotangents
    }
}

/// The statistics of the rows of a matrix, `[rows, 4]`; nothing flows back from them.
#[derive(Clone)]
pub(crate) struct Statistics<F> {
    /// The op as users know it.
    of: &'static str,
    standard: Standard,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Statistics<F> {
    const NAME: &'static str = "statistics";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_statistics(self.of, self.standard)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, _y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let mut cotangents = Cotangents::new();
        cotangents.push(None);
        cotangents
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    #[track_caller]
    pub(crate) fn try_standardize(
        self,
        of: &'static str,
        features: Shape,
        standard: Standard,
        [weight, bias]: [Option<Self>; 2],
        stats: Option<Self>,
    ) -> Result<Self, Error> {
        // Here, so that the error names what was called.
        for other in [weight, bias].into_iter().flatten() {
            self.same_tape(other, of, Location::caller())?;
        }
        let operands: SmallVec<[Self; 4]> = [Some(self), weight, bias, stats].into_iter().flatten().collect();
        let given = stats.is_some();
        let kept = Kept { of, features, standard, weight: weight.is_some(), bias: bias.is_some(), given, stats: None };
        Self::try_record_many(Standardize(Box::new(kept)), &operands)
    }

    /// What [`try_standardize`](Self::try_standardize) may be given: the statistics of the rows of this matrix.
    #[track_caller]
    pub(crate) fn try_statistics(self, of: &'static str, standard: Standard) -> Result<Self, Error> {
        self.try_record1(Statistics { of, standard, number: PhantomData })
    }
}
