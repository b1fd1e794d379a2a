//! Mini-batches.

use crate::error::Error;
use wengert_core::TensorFloat;
use wengert_tensor::{Element, Tensor, rng};

/// Some inputs with their targets.
#[derive(Debug, Clone)]
pub struct Batch<F: TensorFloat, T: Element> {
    /// `[batch, ..]`
    pub inputs: Tensor<F>,
    /// `[batch, ..]`
    pub targets: Tensor<T>,
}

impl<F: TensorFloat, T: Element> Batch<F, T> {
    /// The number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inputs.shape().first().copied().unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A data set cut into batches: in every epoch each item is in exactly one.
///
/// Shapes: `inputs: [n, ..]`, `targets: [n, ..]`. Nothing is copied until a batch is asked for, and without shuffling
/// not even then; the memory of a dropped batch serves the next.
///
/// # Examples
/// ```
/// use wengert_nn::Batches;
/// use wengert_tensor::Tensor;
///
/// let inputs = Tensor::<f32>::from([[0.0], [1.0], [2.0], [3.0], [4.0]]);
/// let labels = Tensor::from([0_i64, 1, 2, 3, 4]);
/// let batches = Batches::new(&inputs, &labels, 2)?.shuffled(7);
/// let mut seen = Vec::new();
/// for batch in batches.epoch(0) {
///     let batch = batch?;
///     assert!(batch.inputs.iter().eq(batch.targets.iter().map(|label| label as f32)));
///     seen.extend(batch.targets.iter());
/// }
/// seen.sort();
/// assert_eq!(seen, [0, 1, 2, 3, 4]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Batches<F: TensorFloat, T: Element> {
    inputs: Tensor<F>,
    targets: Tensor<T>,
    len: usize,
    size: usize,
    seed: Option<u64>,
    drop_last: bool,
}

impl<F: TensorFloat, T: Element> Batches<F, T> {
    /// Batches of `size` items, in order; the last may be shorter.
    ///
    /// # Errors
    /// [`Error::Rows`] if inputs and targets are not as many or there are none, [`Error::Setting`] if `size` is 0.
    pub fn new(inputs: &Tensor<F>, targets: &Tensor<T>, size: usize) -> Result<Self, Error> {
        let [n, m] = [inputs.shape().first(), targets.shape().first()].map(|n| n.copied().unwrap_or(0));
        if n != m || n == 0 {
            return Err(Error::Rows { what: "batches", inputs: n, targets: m });
        }
        if size == 0 {
            return Err(Error::Setting { of: "batches", setting: "size", value: 0.0, expected: "at least 1" });
        }
        let (inputs, targets) = (inputs.to_contiguous(), targets.to_contiguous());
        Ok(Batches { inputs, targets, len: n, size, seed: None, drop_last: false })
    }

    /// In another order every epoch. The order depends on the seed and the number of the epoch alone, so training that
    /// is taken up again at epoch `k` sees what it would have seen.
    #[must_use]
    pub fn shuffled(self, seed: u64) -> Self {
        Batches { seed: Some(seed), ..self }
    }

    /// Leaves the last batch of an epoch out if it is shorter than the others.
    #[must_use]
    pub fn drop_last(self) -> Self {
        Batches { drop_last: true, ..self }
    }

    /// The number of items in the data set.
    #[must_use]
    pub fn items(&self) -> usize {
        self.len
    }

    /// The number of batches in an epoch.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.drop_last { self.len / self.size } else { self.len.div_ceil(self.size) }
    }

    /// Whether an epoch has no batches: all of them were shorter than asked for and left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batches of epoch number `epoch`.
    ///
    /// An item is an error only if there is no memory for it.
    pub fn epoch(&self, epoch: u64) -> impl ExactSizeIterator<Item = Result<Batch<F, T>, Error>> + use<'_, F, T> {
        let order = self.seed.map(|seed| {
            let mut rng = rng(seed);
            // A stream of its own for every epoch.
            rng.set_stream(epoch);
            Tensor::permutation(self.len, &mut rng)
        });
        (0..self.len()).map(move |k| {
            let start = k * self.size;
            let end = self.len.min(start + self.size);
            match &order {
                Some(order) => {
                    let rows = order.try_slice(0, start..end)?;
                    let inputs = self.inputs.try_gather_rows(&rows)?;
                    Ok(Batch { inputs, targets: self.targets.try_gather_rows(&rows)? })
                }
                None => {
                    let inputs = self.inputs.try_slice(0, start..end)?;
                    Ok(Batch { inputs, targets: self.targets.try_slice(0, start..end)? })
                }
            }
        })
    }
}
