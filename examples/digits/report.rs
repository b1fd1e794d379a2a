//! What the terminal shows: the progress of a training and the tables after it.

use std::fmt::Write as _;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::history::{BatchReport, EpochReport, Event};
use crate::metrics::{Confusion, Predictions};

/// Lines a training writes where there is no terminal to draw a bar on.
const LINES: usize = 6;

/// Classes up to which the confusion matrix fits a terminal.
const MAX_TABLE: usize = 20;

/// Shows a training on standard error: a bar on a terminal, a few lines elsewhere.
pub struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
    last_epoch: Option<EpochReport>,
}

impl Progress {
    /// Starts the display of `epochs` passes over `train_len` images.
    pub fn new(epochs: usize, train_len: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let total = (epochs as u64).saturating_mul(train_len as u64);
            // The template is a literal without a fault; indicatif can only say so at run time.
            // What is widest comes last and is cut off at the edge: a line that wraps would be two.
            let style = ProgressStyle::with_template("{prefix} {bar:6.cyan} {eta:>4} left  {wide_msg}")
                .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("━╸·"));
            ProgressBar::new(total).with_style(style)
        });
        Self { bar, epochs, last_epoch: None }
    }

    /// Shows what the training tells.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Batch(batch) => {
                if let Some(bar) = &self.bar {
                    bar.set_prefix(format!(
                        "epoch {:>width$}/{}",
                        batch.epoch,
                        self.epochs,
                        width = digits(self.epochs)
                    ));
                    bar.inc(batch.samples as u64);
                    bar.set_message(format!("{}  {:.0}/s", self.message(batch), bar.per_sec()));
                }
            }
            Event::Epoch(epoch) => {
                self.last_epoch = Some(*epoch);
                let every = self.epochs.div_ceil(LINES);
                if self.bar.is_none() && (epoch.epoch % every == 0 || epoch.epoch == self.epochs) {
                    eprintln!("{}", epoch_line(epoch, self.epochs));
                }
            }
        }
    }

    /// Takes the bar away and leaves the last epoch's line.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
            if let Some(epoch) = &self.last_epoch {
                eprintln!("{}", epoch_line(epoch, self.epochs));
            }
        }
    }

    fn message(&self, batch: &BatchReport) -> String {
        let mut text = format!("loss {:.4}  accuracy {:.4}", batch.running.loss, batch.running.accuracy);
        if let Some(epoch) = &self.last_epoch {
            // Writing to a string cannot fail.
            let _ = write!(text, " (test {:.4})", epoch.test.accuracy);
        }
        text
    }
}

fn epoch_line(report: &EpochReport, epochs: usize) -> String {
    format!(
        "epoch {:>width$}/{epochs}  loss {:.4} (test {:.4})  accuracy {:.4} (test {:.4})  {:.2} s",
        report.epoch,
        report.train.loss,
        report.test.loss,
        report.train.accuracy,
        report.test.accuracy,
        report.elapsed.as_secs_f64(),
        width = digits(epochs),
    )
}

fn digits(n: usize) -> usize {
    n.to_string().len()
}

/// The confusion matrix with precision and recall, and the accuracy below; only the accuracy when the matrix is too wide for a terminal.
pub fn confusion_table(confusion: &Confusion) -> String {
    let classes = confusion.classes();
    let percent = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1}", 100.0 * ratio));
    let mut text = String::new();
    if classes <= MAX_TABLE {
        text += "true   predicted\n      ";
        text.extend((0..classes).map(|class| format!("{class:>5}")));
        text += "   recall %\n";
        for truth in 0..classes {
            text += &format!("{truth:>4}  ");
            for predicted in 0..classes {
                text += &match confusion.count(truth, predicted) {
                    0 => "    \u{b7}".to_owned(),
                    count => format!("{count:>5}"),
                };
            }
            text += &format!("{:>11}\n", percent(confusion.recall(truth)));
        }
        text += "prec %";
        text.extend(
            (0..classes).map(|class| format!("{:>5}", percent(confusion.precision(class)).trim_end_matches(".0"))),
        );
        text += "\n";
    }
    if let Some(accuracy) = confusion.accuracy() {
        text += &format!("accuracy {accuracy:.4} ({} of {})\n", confusion.right(), confusion.total());
    }
    text
}

/// The classes of one image, most probable first, with bars.
pub fn prediction_table(predictions: &Predictions) -> String {
    let mut ranked: Vec<(usize, f32)> = predictions.row(0).iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
        .iter()
        .take(5)
        .map(|&(class, p)| {
            format!("{class:>4}  {:5.1} %  {}\n", 100.0 * p, "\u{2588}".repeat((30.0 * p).round() as usize))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::history::Score;

    #[test]
    fn the_table_shows_counts_recall_below_and_beside() {
        let confusion = Confusion::new(3, &[0, 0, 0, 1, 1], &[0, 0, 1, 1, 1]);
        let expected = "\
true   predicted
          0    1    2   recall %
   0      2    1    \u{b7}       66.7
   1      \u{b7}    2    \u{b7}      100.0
   2      \u{b7}    \u{b7}    \u{b7}          -
prec %  100 66.7    -
accuracy 0.8000 (4 of 5)
";
        assert_eq!(confusion_table(&confusion), expected);
    }

    #[test]
    fn a_matrix_too_wide_for_a_terminal_is_left_out() {
        assert_eq!(confusion_table(&Confusion::new(62, &[1, 61], &[1, 0])), "accuracy 0.5000 (1 of 2)\n");
    }

    #[test]
    fn an_epoch_is_one_line() {
        let (train, test) = (Score { loss: 0.0312, accuracy: 0.9986 }, Score { loss: 0.29, accuracy: 0.925 });
        let report = EpochReport { epoch: 5, train, test, elapsed: Duration::from_millis(250) };
        assert_eq!(
            epoch_line(&report, 30),
            "epoch  5/30  loss 0.0312 (test 0.2900)  accuracy 0.9986 (test 0.9250)  0.25 s"
        );
    }

    #[test]
    fn a_prediction_lists_the_five_most_probable_classes() {
        let predictions = Predictions { probabilities: vec![0.0, 0.1, 0.0, 0.7, 0.15, 0.05], classes: 6 };
        let text = prediction_table(&predictions);
        let classes: Vec<&str> = text.lines().map(|line| line.split_whitespace().next().unwrap_or("")).collect();
        assert_eq!(classes, ["3", "4", "1", "5", "0"]);
        assert!(text.starts_with("   3   70.0 %  \u{2588}"), "{text}");
    }
}
