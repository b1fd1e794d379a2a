//! How good the predictions are: accuracy, confusion matrix, precision and recall.

/// Class probabilities for a number of images.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// `[n, classes]`, each row summing to 1.
    pub probabilities: Vec<f32>,
    /// Length of a row; at least 1.
    pub classes: usize,
}

impl Predictions {
    /// Probabilities of image `i`.
    ///
    /// # Panics
    /// When there is no image `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.probabilities[i * self.classes..(i + 1) * self.classes]
    }

    /// The most probable class of each image; the first of equals.
    pub fn labels(&self) -> Vec<u32> {
        self.probabilities.chunks_exact(self.classes).map(argmax).collect()
    }
}

fn argmax(row: &[f32]) -> u32 {
    let best =
        row.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (i, &p)| if p > best.1 { (i, p) } else { best });
    best.0 as u32
}

/// How often each class was taken for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// `[classes, classes]`: row the true class, column the predicted one.
    counts: Vec<usize>,
    classes: usize,
}

impl Confusion {
    /// Counts the pairs of `truth` and `predicted`.
    ///
    /// # Panics
    /// When a label is not below `classes`; both lists come from code that keeps them below.
    pub fn new(classes: usize, truth: &[u32], predicted: &[u32]) -> Self {
        let mut counts = vec![0; classes * classes];
        for (&t, &p) in truth.iter().zip(predicted) {
            assert!((t as usize) < classes && (p as usize) < classes, "label {t} or {p} is not below {classes}");
            counts[t as usize * classes + p as usize] += 1;
        }
        Self { counts, classes }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How often `truth` was taken for `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts[truth * self.classes + predicted]
    }

    /// Number of images.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Number of images classified rightly.
    pub fn right(&self) -> usize {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// Fraction classified rightly, `right / total`; `None` without images.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.right(), self.total())
    }

    /// Of the images taken for `class`, the fraction that is; `None` when none was.
    pub fn precision(&self, class: usize) -> Option<f64> {
        ratio(self.count(class, class), (0..self.classes).map(|truth| self.count(truth, class)).sum())
    }

    /// Of the images that are `class`, the fraction taken for it; `None` when there is none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        ratio(self.count(class, class), (0..self.classes).map(|predicted| self.count(class, predicted)).sum())
    }

    /// The largest count off the diagonal.
    pub fn worst(&self) -> usize {
        let off_diagonal = self.counts.iter().enumerate().filter(|(i, _)| i / self.classes != i % self.classes);
        off_diagonal.map(|(_, &count)| count).max().unwrap_or(0)
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_the_first_of_the_most_probable() {
        let predictions = Predictions { probabilities: vec![0.2, 0.4, 0.4, 1.0, 0.0, 0.0, 0.1, 0.2, 0.7], classes: 3 };
        assert_eq!(predictions.labels(), [1, 0, 2]);
        assert_eq!(predictions.row(2), [0.1, 0.2, 0.7]);
    }

    #[test]
    fn precision_and_recall_are_those_of_the_textbook() {
        // truth 0: three right, one taken for 1; truth 1: two right; class 2 neither occurs nor is predicted.
        let confusion = Confusion::new(3, &[0, 0, 0, 0, 1, 1], &[0, 0, 0, 1, 1, 1]);
        assert_eq!((confusion.right(), confusion.total(), confusion.accuracy()), (5, 6, Some(5.0 / 6.0)));
        assert_eq!([0, 1, 2].map(|class| confusion.precision(class)), [Some(1.0), Some(2.0 / 3.0), None]);
        assert_eq!([0, 1, 2].map(|class| confusion.recall(class)), [Some(0.75), Some(1.0), None]);
        assert_eq!((confusion.count(0, 1), confusion.worst()), (1, 1));
    }

    #[test]
    fn nothing_has_no_accuracy() {
        assert_eq!(Confusion::new(2, &[], &[]).accuracy(), None);
    }
}
