//! The progress bar.

use super::{Epoch, Score, Step};
use core::fmt::Write;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar over all items of all epochs. Draws nothing where standard error is not a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    epochs: usize,
}

impl Bar {
    pub(super) fn new(epochs: usize, samples: usize) -> Self {
        let bar = ProgressBar::new((epochs * samples) as u64);
        // What is widest comes last and is cut off at the edge: a line that wraps would be two.
        let template = "{bar:10} {eta} left, {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Bar { bar, epochs }
    }

    pub(super) fn step(&self, step: &Step, samples: usize) {
        self.bar.inc(samples as u64);
        if !self.bar.is_hidden() {
            let rate = self.bar.per_sec();
            self.bar.set_message(text(step.epoch, self.epochs, &step.running, None) + &format!(", {rate:.0}/s"));
        }
    }

    pub(super) fn epoch(&self, epoch: &Epoch) {
        if !self.bar.is_hidden() {
            self.bar.set_message(text(epoch.epoch, self.epochs, &epoch.train, epoch.test.as_ref()));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn text(epoch: usize, epochs: usize, train: &Score, test: Option<&Score>) -> String {
    let mut text = format!("epoch {epoch}/{epochs}");
    for (name, score) in [("", Some(train)), (" test", test)] {
        if let Some(score) = score {
            let _ = write!(text, ",{name} loss {:.4}", score.loss);
            if let Some(accuracy) = score.accuracy {
                let _ = write!(text, ",{name} accuracy {:.2} %", 100.0 * accuracy);
            }
        }
    }
    text
}
