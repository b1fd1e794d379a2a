//! Normalisations: layer, root-mean-square, batch, group and instance, made of one rule; and vectors of length 1.
//!
//! All but the last divide deviations from a mean by a deviation; they differ in what the mean is taken over. For
//! images `[n, channels, h, w]`: layer over the last axes, batch over `n, h, w` for each channel, group over some
//! channels and `h, w` for each image, instance over `h, w` for each channel of each image.

use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use smallvec::SmallVec;
use wengert_kernels::{Parametric, Unary};
use wengert_tensor::{Axis, Shape, ShapeError, Standard, Tensor, check_epsilon, check_groups, group_rows, keep};

/// The shape in which a value for each channel meets `[n, channels, ..]`.
fn by_channel(shape: &Shape) -> Shape {
    shape[1..].iter().enumerate().map(|(k, &n)| if k == 0 { n } else { 1 }).collect()
}

/// The means and the variances among the statistics of rows.
fn of_channels<F: TensorFloat>(stats: &Tensor<F>) -> (Tensor<F>, Tensor<F>) {
    let column = |k| stats.index_axis(1, k);
    (&column(0) + &column(1), column(3).to_contiguous())
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Rows of mean 0 and variance 1, over the last axes: `y = (x - mean)/sqrt(variance + epsilon) weight + bias`.
    ///
    /// Shapes: `x: [.., features]`, `weight` and `bias`, where there are any: `features`. The variance is that of a
    /// whole population; a row of equal numbers becomes exactly 0 before the bias. Forward and backward read a row once
    /// from memory.
    ///
    /// Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016.
    ///
    /// # Panics
    /// With the text of the error that [`try_layer_norm`](Self::try_layer_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 3.0], [7.0, 5.0]]);
    /// let w = tape.tensor([10.0, 1.0]);
    /// let y = x.layer_norm([2], Some(w), None, 0.0);
    /// assert_eq!(y.value().to_vec(), [-10.0, 1.0, 10.0, -1.0]);
    /// assert_eq!(y.sum().gradient()[w].to_vec(), [0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn layer_norm(
        self,
        features: impl Into<Shape>,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
    ) -> Self {
        self.try_layer_norm(features, weight, bias, epsilon).or_panic()
    }

    /// [`layer_norm`](Self::layer_norm), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shape does not end in `features`, weight or bias have another shape, or `epsilon` is
    /// negative or not finite; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_layer_norm(
        self,
        features: impl Into<Shape>,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
    ) -> Result<Self, Error> {
        let standard = Standard { centred: true, epsilon };
        self.try_standardize("layer_norm", features.into(), standard, [weight, bias], None)
    }

    /// Rows of mean square 1, over the last axes: `y = x/sqrt(mean(x^2) + epsilon) weight`.
    ///
    /// Shapes: `x: [.., features]`, `weight: features`. Source: B. Zhang and R. Sennrich, "Root mean square layer
    /// normalization", 2019.
    ///
    /// # Panics
    /// With the text of the error that [`try_rms_norm`](Self::try_rms_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, -1.0], [6.0, 8.0]]);
    /// let y = x.rms_norm([2], None, 0.0).value();
    /// assert_eq!(y.at([0, 1]), -1.0);
    /// assert!((y.at([1, 0]) - 6.0 / 50.0_f64.sqrt()).abs() < 1e-15); // (36 + 64)/2 is 50
    /// ```
    #[track_caller]
    pub fn rms_norm(self, features: impl Into<Shape>, weight: Option<Self>, epsilon: f64) -> Self {
        self.try_rms_norm(features, weight, epsilon).or_panic()
    }

    /// [`rms_norm`](Self::rms_norm), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_layer_norm`](Self::try_layer_norm).
    #[track_caller]
    pub fn try_rms_norm(self, features: impl Into<Shape>, weight: Option<Self>, epsilon: f64) -> Result<Self, Error> {
        let standard = Standard { centred: false, epsilon };
        self.try_standardize("rms_norm", features.into(), standard, [weight, None], None)
    }

    /// Channels of mean 0 and variance 1 over the batch and all further axes, for training; with the mean and the
    /// variance, of the whole population, of each channel.
    ///
    /// Shapes: `x: [n, channels, ..]`, `weight` and `bias`: `[channels]`; result like `x`, mean and variance
    /// `[channels]`. Those two are plain tensors, for running averages; [`batch_norm_with`](Self::batch_norm_with) uses
    /// such averages. A [recorded program](crate::TensorFunction) could not renew them: there use
    /// [`batch_norm_watched`](Self::batch_norm_watched).
    ///
    /// Source: S. Ioffe and C. Szegedy, "Batch normalization", 2015.
    ///
    /// # Panics
    /// With the text of the error that [`try_batch_norm`](Self::try_batch_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 10.0], [3.0, 30.0]]);
    /// let (y, mean, variance) = x.batch_norm(None, None, 0.0);
    /// assert_eq!(y.value().to_vec(), [-1.0, -1.0, 1.0, 1.0]);
    /// assert_eq!((mean.to_vec(), variance.to_vec()), (vec![2.0, 20.0], vec![1.0, 100.0]));
    /// ```
    #[track_caller]
    pub fn batch_norm(self, weight: Option<Self>, bias: Option<Self>, epsilon: f64) -> (Self, Tensor<F>, Tensor<F>) {
        self.try_batch_norm(weight, bias, epsilon).or_panic()
    }

    /// [`batch_norm`](Self::batch_norm), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no axis of channels, a channel has fewer than two values, weight or bias are not
    /// `[channels]`, or `epsilon` is negative or not finite; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_batch_norm(
        self,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
    ) -> Result<(Self, Tensor<F>, Tensor<F>), Error> {
        let (y, stats) = self.try_batch_standardized(weight, bias, epsilon)?;
        let (mean, variance) = of_channels(&stats.value_handed_out("batch_norm", "batch_norm_watched"));
        Ok((y, mean, variance))
    }

    /// [`batch_norm`](Self::batch_norm) that shows mean and variance to `look`: at once on a tape, and in every replay
    /// of a [recorded program](crate::TensorFunction), as [`watch`](Self::watch) does.
    ///
    /// Shapes and source: as [`batch_norm`](Self::batch_norm).
    ///
    /// # Panics
    /// With the text of the error that [`try_batch_norm_watched`](Self::try_batch_norm_watched) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::{TensorFunction, prelude::*};
    /// # use wengert_tensor::Tensor;
    /// # use std::sync::{Arc, Mutex};
    /// let means = Arc::new(Mutex::new(Vec::new()));
    /// let seen = Arc::clone(&means);
    /// let mut f = TensorFunction::record(&[Tensor::from([[1.0], [2.0]])], |x| {
    ///     let look = move |mean: Tensor<f64>, _variance| seen.lock().expect("one thread").push(mean.item());
    ///     x[0].batch_norm_watched(None, None, 1e-5, look).square().sum()
    /// })?;
    /// for x in [[[1.0], [5.0]], [[7.0], [9.0]]] {
    ///     f.value_and_gradient(&[Tensor::from(x)])?;
    /// }
    /// assert_eq!(*means.lock().expect("one thread"), [3.0, 8.0]);
    /// # Ok::<(), wengert_core::FunctionError>(())
    /// ```
    #[track_caller]
    pub fn batch_norm_watched(
        self,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
        look: impl Fn(Tensor<F>, Tensor<F>) + Send + Sync + 'static,
    ) -> Self {
        self.try_batch_norm_watched(weight, bias, epsilon, look).or_panic()
    }

    /// [`batch_norm_watched`](Self::batch_norm_watched), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_batch_norm`](Self::try_batch_norm).
    #[track_caller]
    pub fn try_batch_norm_watched(
        self,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
        look: impl Fn(Tensor<F>, Tensor<F>) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let (y, stats) = self.try_batch_standardized(weight, bias, epsilon)?;
        stats.watch(move |stats| {
            let (mean, variance) = of_channels(stats);
            look(mean, variance);
        });
        Ok(y)
    }

    /// The normalised batch, and the statistics of its channels.
    #[track_caller]
    fn try_batch_standardized(
        self,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
    ) -> Result<(Self, Self), Error> {
        let op = "batch_norm";
        let _whole = self.whole(op);
        let (shape, standard) = (self.shape(), Standard { centred: true, epsilon });
        let channels = self.fit(check_groups(op, &shape, 1))?;
        let given = shape[0].saturating_mul(Shape::from(&shape[2..]).size());
        if given < 2 {
            return self.fit(Err(ShapeError::TooFew { op, given, correction: 1.0, shape }));
        }
        // Exchanges the first two axes, and is its own inverse.
        let order: SmallVec<[usize; 8]> = [1, 0].into_iter().chain(2..shape.rank()).collect();
        let permuted: Shape = order.iter().map(|&axis| shape[axis]).collect();
        let rows = self.try_permute(order.iter().copied())?.try_reshape([channels, given])?;
        let stats = rows.try_statistics(op, standard)?;
        let z = rows.try_standardize(op, Shape::from([given]), standard, [None, None], Some(stats))?;
        let z = z.try_reshape(permuted)?.try_permute(order)?;
        Ok((z.try_channels(op, weight, bias)?, stats))
    }

    /// Batch normalisation with a mean and a variance known from training:
    /// `y = (x - mean)/sqrt(variance + epsilon) weight + bias`, channel by channel.
    ///
    /// Shapes: as [`batch_norm`](Self::batch_norm). Nothing flows to mean and variance.
    ///
    /// Source: S. Ioffe and C. Szegedy, "Batch normalization", 2015, section 3.1.
    ///
    /// # Panics
    /// With the text of the error that [`try_batch_norm_with`](Self::try_batch_norm_with) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 10.0], [3.0, 30.0]]);
    /// let (mean, variance) = (Tensor::from([1.0, 20.0]), Tensor::from([4.0, 100.0]));
    /// let y = x.batch_norm_with(&mean, &variance, None, None, 0.0);
    /// assert_eq!(y.value().to_vec(), [0.0, -1.0, 1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn batch_norm_with(
        self,
        mean: &Tensor<F>,
        variance: &Tensor<F>,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
    ) -> Self {
        self.try_batch_norm_with(mean, variance, weight, bias, epsilon).or_panic()
    }

    /// [`batch_norm_with`](Self::batch_norm_with), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no axis of channels, one of the others is not `[channels]`, or `epsilon` is
    /// negative or not finite; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_batch_norm_with(
        self,
        mean: &Tensor<F>,
        variance: &Tensor<F>,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
    ) -> Result<Self, Error> {
        let op = "batch_norm";
        let _whole = self.whole(op);
        let shape = self.shape();
        let channels = Shape::from([self.fit(check_groups(op, &shape, 1))?]);
        self.fit(check_epsilon(op, epsilon))?;
        for known in [mean, variance] {
            if *known.shape() != channels {
                return self.fit(Err(ShapeError::Unequal { op, lhs: known.shape().clone(), rhs: channels }));
            }
        }
        // Ops on constants, not plain arithmetic: a recorded program to which these are data knows them again.
        let constant = |x: &Tensor<F>| self.tape().constant_tensor(x);
        let epsilon = constant(&Tensor::scalar(F::from_f64(epsilon)));
        let reciprocal = constant(variance).try_add(epsilon)?.try_unary(Unary::Sqrt)?.try_unary(Unary::Recip)?;
        let channel = |known: Self| known.try_reshape(by_channel(&shape));
        self.try_sub(channel(constant(mean))?)?.try_mul(channel(reciprocal)?)?.try_channels(op, weight, bias)
    }

    /// Groups of channels of mean 0 and variance 1, image by image, times `weight` plus `bias` channel by channel.
    ///
    /// Shapes: `x: [n, channels, ..]`, with `channels` a multiple of `groups`; `weight` and `bias`: `[channels]`.
    ///
    /// Source: Y. Wu and K. He, "Group normalization", 2018.
    ///
    /// Formula: `y = (x - mean)/sqrt(variance + epsilon) weight + bias`, mean and variance of the group in its image.
    ///
    /// # Panics
    /// With the text of the error that [`try_group_norm`](Self::try_group_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 3.0, 10.0, 30.0]]); // four channels, two groups
    /// assert_eq!(x.group_norm(2, None, None, 0.0).value().to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn group_norm(self, groups: usize, weight: Option<Self>, bias: Option<Self>, epsilon: f64) -> Self {
        self.try_group_norm(groups, weight, bias, epsilon).or_panic()
    }

    /// [`group_norm`](Self::group_norm), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no axis of channels, `groups` does not divide them, weight or bias are not
    /// `[channels]`, or `epsilon` is negative or not finite; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_group_norm(
        self,
        groups: usize,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
    ) -> Result<Self, Error> {
        self.try_grouped("group_norm", groups, weight, bias, epsilon)
    }

    /// Channels of mean 0 and variance 1, image by image: [`group_norm`](Self::group_norm) with as many groups as
    /// channels.
    ///
    /// Source: D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance normalization: the missing ingredient for fast
    /// stylization", 2016.
    ///
    /// Shapes: `x: [n, channels, ..]`, `weight` and `bias`: `[channels]`, result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_instance_norm`](Self::try_instance_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[1.0, 3.0], [10.0, 30.0]]]); // two channels of two places
    /// assert_eq!(x.instance_norm(None, None, 0.0).value().to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn instance_norm(self, weight: Option<Self>, bias: Option<Self>, epsilon: f64) -> Self {
        self.try_instance_norm(weight, bias, epsilon).or_panic()
    }

    /// [`instance_norm`](Self::instance_norm), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_group_norm`](Self::try_group_norm).
    #[track_caller]
    pub fn try_instance_norm(self, weight: Option<Self>, bias: Option<Self>, epsilon: f64) -> Result<Self, Error> {
        let op = "instance_norm";
        let channels = self.fit(check_groups(op, &self.shape(), 1))?;
        self.try_grouped(op, channels.max(1), weight, bias, epsilon)
    }

    #[track_caller]
    fn try_grouped(
        self,
        op: &'static str,
        groups: usize,
        weight: Option<Self>,
        bias: Option<Self>,
        epsilon: f64,
    ) -> Result<Self, Error> {
        let _whole = self.whole(op);
        let (shape, standard) = (self.shape(), Standard { centred: true, epsilon });
        let channels = self.fit(check_groups(op, &shape, groups))?;
        let [rows, width] = group_rows(&shape, channels, groups);
        let rows = self.try_reshape([rows, width])?;
        let z = rows.try_standardize(op, Shape::from([width]), standard, [None, None], None)?;
        z.try_reshape(shape)?.try_channels(op, weight, bias)
    }

    /// `x weight + bias`, channel by channel.
    #[track_caller]
    fn try_channels(self, op: &'static str, weight: Option<Self>, bias: Option<Self>) -> Result<Self, Error> {
        let shape = self.shape();
        let channels = Shape::from([shape[1]]);
        for of in [weight, bias].into_iter().flatten() {
            self.same_tape(of, op, Location::caller())?;
            if of.shape() != channels {
                return self.fit(Err(ShapeError::Unequal { op, lhs: of.shape(), rhs: channels }));
            }
        }
        let mut y = self;
        if let Some(weight) = weight {
            y = y.try_mul(weight.try_reshape(by_channel(&shape))?)?;
        }
        if let Some(bias) = bias {
            y = y.try_add(bias.try_reshape(by_channel(&shape))?)?;
        }
        Ok(y)
    }

    /// Vectors along `axis` divided by their length, or by `epsilon` where they are shorter.
    ///
    /// The zero vector stays, with gradient `1/epsilon`.
    ///
    /// Formula: `y = x / max(|x|, epsilon)`. Shapes: result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_normalize`](Self::try_normalize) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[3.0, 4.0], [0.0, 0.0]]);
    /// assert_eq!(x.normalize(-1, 1e-12).value().to_vec(), [0.6, 0.8, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn normalize(self, axis: impl Into<Axis>, epsilon: f64) -> Self {
        self.try_normalize(axis, epsilon).or_panic()
    }

    /// [`normalize`](Self::normalize), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist, or `epsilon` is negative or not finite.
    #[track_caller]
    pub fn try_normalize(self, axis: impl Into<Axis>, epsilon: f64) -> Result<Self, Error> {
        let op = "normalize";
        let _whole = self.whole(op);
        self.fit(check_epsilon(op, epsilon))?;
        let axis = self.fit(axis.into().resolve(op, &self.shape()))?;
        let length = self.try_norm2_axes(keep(axis))?;
        self.try_div(length.try_parametric(Parametric::Clamp(epsilon, f64::INFINITY))?)
    }
}
