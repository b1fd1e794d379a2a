//! Losses against classes, with all their options.

use super::{located, unequal};
use crate::error::Error;
use wengert_core::{Binary, TensorFloat, TensorVar};
use wengert_tensor::{Shape, ShapeError, Tensor};

/// Cross-entropy with label smoothing, class weights, rows to be left out, and targets that are labels or
/// probabilities.
///
/// Of labels: `-1/W sum_i sum_c q_ic w_c log_softmax(y_i)_c` with `q_ic = (1 - s) [c = label_i] + s/classes`, smoothing
/// `s`, class weights `w`, and `W` the sum of the weights of the labels; rows whose label is to be ignored count
/// nowhere. Of probabilities `p`: `q = (1 - s) p + s/classes`, and the mean over rows. This is PyTorch's
/// `cross_entropy`.
///
/// Sources: C. Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016, section 7
/// (smoothing).
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss::CrossEntropy;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let y = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
/// let loss = CrossEntropy::new().label_smoothing(0.1).labels(y, &Tensor::from([0, 1]))?;
/// assert!((loss.item() - 0.81326168752).abs() < 1e-11);
/// let first = CrossEntropy::new().ignore_index(-1).labels(y, &Tensor::from([1, -1]))?;
/// assert!((first.item() - (-1.0_f64).exp().ln_1p()).abs() < 1e-15);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct CrossEntropy<F: TensorFloat = f64> {
    smoothing: f64,
    weights: Option<Tensor<F>>,
    ignored: Option<i64>,
}

impl<F: TensorFloat> CrossEntropy<F> {
    /// The plain mean over rows.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Tape;
    /// # use wengert_nn::loss::CrossEntropy;
    /// # use wengert_tensor::Tensor;
    /// # let tape = Tape::<f64>::new();
    /// let y = tape.tensor([[0.0, 0.0], [0.0, 0.0]]);
    /// let loss = CrossEntropy::new().labels(y, &Tensor::from([0, 1]))?;
    /// assert!((loss.item() - 2.0_f64.ln()).abs() < 1e-15); // two classes, undecided
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        CrossEntropy { smoothing: 0.0, weights: None, ignored: None }
    }

    /// What part of every target is spread evenly over all classes, 0 to 1. Logits that are
    /// sure of their label then cost something, and are not driven to infinity.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Tape;
    /// # use wengert_nn::loss::CrossEntropy;
    /// # use wengert_tensor::Tensor;
    /// # let tape = Tape::<f64>::new();
    /// let y = tape.tensor([[100.0, 0.0]]);
    /// let loss = CrossEntropy::new().label_smoothing(0.1).labels(y, &Tensor::from([0]))?;
    /// assert!((loss.item() - 5.0).abs() < 1e-12); // 0.05 of the target is the other class, 100 away
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    #[must_use]
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        CrossEntropy { smoothing, ..self }
    }

    /// A weight for each class, `[classes]`: for classes that are rare, or errors that are dear. Of labels the mean is
    /// weighted too.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Tape;
    /// # use wengert_nn::loss::CrossEntropy;
    /// # use wengert_tensor::Tensor;
    /// # let tape = Tape::<f64>::new();
    /// let y = tape.tensor([[0.0, 0.0], [2.0_f64.ln(), 0.0]]);
    /// let weighted = CrossEntropy::new().class_weights([1.0, 3.0]);
    /// let loss = weighted.labels(y, &Tensor::from([0, 1]))?;
    /// // Rows cost ln 2 and ln 3, with weights 1 and 3.
    /// assert!((loss.item() - (2.0_f64.ln() + 3.0 * 3.0_f64.ln()) / 4.0).abs() < 1e-15);
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    #[must_use]
    pub fn class_weights(self, weights: impl Into<Tensor<F>>) -> Self {
        CrossEntropy { weights: Some(weights.into()), ..self }
    }

    /// Rows with this label do not count; it may be a number that is no class. PyTorch's default is -100, here there is
    /// none.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Tape;
    /// # use wengert_nn::loss::CrossEntropy;
    /// # use wengert_tensor::Tensor;
    /// # let tape = Tape::<f64>::new();
    /// let y = tape.tensor([[0.0, 0.0], [5.0, 1.0]]);
    /// let loss = CrossEntropy::new().ignore_index(-100).labels(y, &Tensor::from([0, -100]))?;
    /// assert!((loss.item() - 2.0_f64.ln()).abs() < 1e-15); // of the first row
    /// assert_eq!(loss.gradient()[y].to_vec(), [-0.5, 0.5, 0.0, 0.0]);
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    #[must_use]
    pub fn ignore_index(self, label: i64) -> Self {
        CrossEntropy { ignored: Some(label), ..self }
    }

    /// The loss of logits against labels.
    ///
    /// Shapes: `y: [rows.., classes]`, `labels: [rows..]`, loss `[]`.
    ///
    /// # Errors
    /// [`Error::Tape`] if the shapes do not go together, a label that counts is not one of the classes (the text names
    /// the row), or nothing counts: no rows, all ignored, or all with weight 0. [`Error::Setting`] if the smoothing is
    /// not between 0 and 1.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Tape;
    /// # use wengert_nn::loss::CrossEntropy;
    /// # use wengert_tensor::Tensor;
    /// # let tape = Tape::<f64>::new();
    /// let y = tape.tensor([[0.0, 3.0_f64.ln()]]); // a quarter and three
    /// let loss = CrossEntropy::new().labels(y, &Tensor::from([0]))?;
    /// assert!((loss.item() - 4.0_f64.ln()).abs() < 1e-15);
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    #[track_caller]
    pub fn labels<'t>(&self, y: TensorVar<'t, F>, labels: &Tensor<i64>) -> Result<TensorVar<'t, F>, Error> {
        let (q, total) = self.targets("cross_entropy", y, labels)?;
        weighted(y.try_log_softmax(-1)?, y.tape().constant_tensor(q), total)
    }

    /// The loss of logits against the probabilities of all classes.
    ///
    /// Shapes: `y` and `target` alike, `[rows.., classes]`, loss `[]`. Rows are not ignored: there are no labels to
    /// tell by.
    ///
    /// # Errors
    /// [`Error::Tape`] if the shapes differ or there are no rows; [`Error::Setting`] if the smoothing is not between 0
    /// and 1.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Tape;
    /// # use wengert_nn::loss::CrossEntropy;
    /// # use wengert_tensor::Tensor;
    /// # let tape = Tape::<f64>::new();
    /// let y = tape.tensor([[0.0, 0.0]]);
    /// let loss = CrossEntropy::new().probabilities(y, &Tensor::from([[0.25, 0.75]]))?;
    /// assert!((loss.item() - 2.0_f64.ln()).abs() < 1e-15);
    /// assert_eq!(loss.gradient()[y].to_vec(), [0.25, -0.25]); // softmax less target
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    #[track_caller]
    pub fn probabilities<'t>(&self, y: TensorVar<'t, F>, target: &Tensor<F>) -> Result<TensorVar<'t, F>, Error> {
        let op = "cross_entropy";
        let shape = y.shape();
        if shape != *target.shape() {
            return Err(unequal(op, shape, target.shape().clone()));
        }
        let (rows, classes) = self.sizes(op, &shape)?;
        if rows == 0 {
            return Err(nothing(op, shape));
        }
        let (keep, spread) = (F::from_f64(1.0 - self.smoothing), F::from_f64(self.smoothing / classes as f64));
        let constant = |x: &Tensor<F>| y.tape().constant_tensor(x);
        let number = |x: F| constant(&Tensor::scalar(x));
        let q = constant(target).try_mul(number(keep))?.try_add(number(spread))?;
        let q = match &self.weights {
            Some(weights) => q.try_mul(constant(weights))?,
            None => q,
        };
        weighted(y.try_log_softmax(-1)?, q, rows as f64)
    }

    /// The loss of logarithms of probabilities, as [`log_softmax`](TensorVar::log_softmax) gives them, against labels:
    /// the negative log-likelihood.
    ///
    /// # Errors
    /// As [`labels`](Self::labels).
    #[track_caller]
    fn of_logarithms<'t>(&self, y: TensorVar<'t, F>, labels: &Tensor<i64>) -> Result<TensorVar<'t, F>, Error> {
        let (q, total) = self.targets("nll", y, labels)?;
        weighted(y, y.tape().constant_tensor(q), total)
    }

    /// Rows and classes, and the options checked against them.
    #[track_caller]
    fn sizes(&self, op: &'static str, shape: &Shape) -> Result<(usize, usize), Error> {
        if !(0.0..=1.0).contains(&self.smoothing) {
            let (setting, expected) = ("label_smoothing", "a fraction, 0 to 1");
            return Err(Error::Setting { of: op, setting, value: self.smoothing, expected });
        }
        let [rows @ .., classes] = &**shape else {
            let expected = "one at least, the last that of classes";
            return Err(located(ShapeError::Rank { op, shape: shape.clone(), expected }));
        };
        match &self.weights {
            Some(weights) if weights.shape()[..] != [*classes] => {
                Err(unequal(op, weights.shape().clone(), Shape::from([*classes])))
            }
            _ => Ok((rows.iter().product(), *classes)),
        }
    }

    /// What every logarithm is weighted with, and the sum of the weights of the labels.
    #[track_caller]
    fn targets(&self, op: &'static str, y: TensorVar<'_, F>, labels: &Tensor<i64>) -> Result<(Tensor<F>, f64), Error> {
        let shape = y.shape();
        let (_, classes) = self.sizes(op, &shape)?;
        if shape[..shape.rank() - 1] != labels.shape()[..] {
            return Err(located(ShapeError::Labels { op, logits: shape, labels: labels.shape().clone() }));
        }
        let weight = |class: usize| self.weights.as_ref().map_or(1.0, |weights| weights.at([class]).to_f64());
        let (keep, spread) = (1.0 - self.smoothing, self.smoothing / classes as f64);
        let (mut q, mut total) = (vec![F::ZERO; shape.size()], 0.0);
        for (row, label) in labels.iter().enumerate() {
            if Some(label) == self.ignored {
                continue;
            }
            let Some(class) = usize::try_from(label).ok().filter(|&class| class < classes) else {
                return Err(located(ShapeError::Label { op, row, label, classes }));
            };
            total += weight(class);
            for (c, q) in q[row * classes..(row + 1) * classes].iter_mut().enumerate() {
                *q = F::from_f64((spread + if c == class { keep } else { 0.0 }) * weight(c));
            }
        }
        if total == 0.0 {
            return Err(nothing(op, shape));
        }
        y.tape().works_beside(op, labels);
        Ok((Tensor::from_vec(shape, q), total))
    }
}

/// Negative log-likelihood, `-1/n sum_i y_i[label_i]` of logarithms of probabilities: cross-entropy where the softmax
/// has been taken.
///
/// Shapes: `y: [rows.., classes]`, `labels: [rows..]`, loss `[]`.
///
/// # Errors
/// [`Error::Tape`] if the shapes do not go together, there are no rows, or a label is not one of the classes: the text
/// names the row.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let y = tape.tensor([[-0.5, -1.0], [-2.0, -0.25]]);
/// let loss = loss::nll(y, &Tensor::from([1, 0]))?;
/// assert_eq!((loss.item(), loss.gradient()[y].to_vec()), (1.5, vec![0.0, -0.5, -0.5, 0.0]));
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn nll<'t, F: TensorFloat>(y: TensorVar<'t, F>, labels: &Tensor<i64>) -> Result<TensorVar<'t, F>, Error> {
    CrossEntropy::new().of_logarithms(y, labels)
}

/// `-1/total sum q logarithms`. A weight of 0 silences its logarithm, minus infinity included.
#[track_caller]
fn weighted<'t, F: TensorFloat>(
    logarithms: TensorVar<'t, F>,
    q: TensorVar<'t, F>,
    total: f64,
) -> Result<TensorVar<'t, F>, Error> {
    let sum = logarithms.try_zip(Binary::MulZero, q)?.try_sum_axes(())?;
    let share = logarithms.tape().constant_tensor(Tensor::scalar(F::from_f64(-1.0 / total)));
    Ok(sum.try_mul(share)?)
}

#[track_caller]
fn nothing(op: &'static str, shape: Shape) -> Error {
    let expected = "a positive sum: a row at least whose label counts";
    match shape.size() {
        0 => located(ShapeError::Empty { op, shape }),
        _ => located(ShapeError::Parameter { op, name: "the weight of all labels", value: 0.0, expected }),
    }
}
