//! Loss and accuracy against the epoch.

use super::canvas::{Canvas, Font};
use super::colours::{Colour, FIRST, GRID, INK, MUTED, SECOND};
use super::{Caption, DrawError, Picture};
use crate::history::{EpochReport, Score};

const WIDTH: f32 = 920.0;
const HEIGHT: f32 = 380.0;

/// One coordinate system.
struct Panel {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
    epochs: (f32, f32),
    values: (f32, f32),
}

impl Panel {
    fn x(&self, epoch: f32) -> f32 {
        self.left + self.width * (epoch - self.epochs.0) / (self.epochs.1 - self.epochs.0)
    }

    fn y(&self, value: f32) -> f32 {
        self.top + self.height * (self.values.1 - value) / (self.values.1 - self.values.0)
    }
}

/// Draws loss (left) and accuracy (right) of training and test set after each epoch.
///
/// # Errors
/// [`DrawError`] when the sheet cannot be made.
pub fn curves(history: &[EpochReport], caption: Caption) -> Result<Picture, DrawError> {
    let mut canvas = Canvas::new(WIDTH, HEIGHT)?;
    canvas.text(32.0, 38.0, caption.title, Font::new(20.0, INK).bold());
    canvas.text(32.0, 58.0, caption.subtitle, Font::new(12.5, MUTED));
    panel(&mut canvas, 76.0, "Cross-entropy loss", history, |score| score.loss, 0.0, None);
    panel(&mut canvas, 528.0, "Accuracy", history, |score| score.accuracy, f32::INFINITY, Some(1.0));
    Ok(Picture(canvas))
}

fn panel(
    canvas: &mut Canvas,
    left: f32,
    title: &str,
    history: &[EpochReport],
    value: impl Fn(&Score) -> f64,
    lowest: f32,
    highest: Option<f32>,
) {
    let epochs: Vec<f32> = history.iter().map(|report| report.epoch as f32).collect();
    let train: Vec<f32> = history.iter().map(|report| value(&report.train) as f32).collect();
    let test: Vec<f32> = history.iter().map(|report| value(&report.test) as f32).collect();
    let finite = || train.iter().chain(&test).copied().filter(|value| value.is_finite());
    let (low, high) =
        finite().fold((lowest, highest.unwrap_or(0.0)), |(low, high), value| (low.min(value), high.max(value)));
    let low = if low.is_finite() { low } else { 0.0 };
    let (low, high, step) = nice_range(low, if high > low { high } else { low + 1.0 });
    let high = highest.unwrap_or(high);
    let last = epochs.last().copied().unwrap_or(1.0);
    let panel = Panel {
        left,
        top: 104.0,
        width: 290.0,
        height: 212.0,
        epochs: (1.0, if last > 1.0 { last } else { 2.0 }),
        values: (low, high),
    };

    canvas.text(left, 90.0, title, Font::new(13.5, INK).bold());
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    for i in 0.. {
        let tick = low + i as f32 * step;
        if tick > high + 0.01 * step {
            break;
        }
        let y = panel.y(tick);
        canvas.lines(
            &[(left, y), (left + panel.width, y)],
            if i == 0 { 1.2 } else { 0.8 },
            if i == 0 { MUTED } else { GRID },
        );
        canvas.text(left - 8.0, y + 4.0, &format!("{tick:.decimals$}"), Font::new(11.5, MUTED).end());
    }
    for tick in epoch_ticks(last as usize) {
        let x = panel.x(tick as f32);
        let base = panel.top + panel.height;
        canvas.lines(&[(x, base), (x, base + 4.0)], 1.0, MUTED);
        canvas.text(x, base + 18.0, &tick.to_string(), Font::new(11.5, MUTED).middle());
    }
    canvas.text(left + panel.width / 2.0, panel.top + panel.height + 40.0, "epoch", Font::new(12.0, MUTED).middle());

    // The label of a curve stands at its end, a legend would send the eye back and forth; labels closer than a line move apart.
    let end = |values: &[f32]| values.last().copied().filter(|value| value.is_finite()).map(|value| panel.y(value));
    let (train_end, test_end) = (end(&train), end(&test));
    let (mut train_label, mut test_label) = (train_end.unwrap_or(panel.top), test_end.unwrap_or(panel.top));
    let gap = 17.0 - (train_label - test_label).abs();
    if gap > 0.0 {
        let up = if train_label < test_label { -gap / 2.0 } else { gap / 2.0 };
        train_label += up;
        test_label -= up;
    }
    let mut curve = |name: &str, values: &[f32], label: f32, colour: Colour| {
        let points: Vec<(f32, f32)> = epochs
            .iter()
            .zip(values)
            .filter(|(_, v)| v.is_finite())
            .map(|(&epoch, &v)| (panel.x(epoch), panel.y(v)))
            .collect();
        canvas.lines(&points, 2.2, colour);
        if let (Some(&(x, y)), Some(value)) = (points.last(), values.last()) {
            canvas.dot(x, y, 3.6, colour);
            let font = Font::new(12.5, colour).bold();
            canvas.text(x + 11.0, label + 4.5, name, font);
            let number = format!("{value:.3}");
            canvas.text(x + 11.0 + canvas.text_width("train  ", font), label + 4.5, &number, Font::new(12.5, colour));
        }
    };
    curve("train", &train, train_label, FIRST);
    curve("test", &test, test_label, SECOND);
}

/// Limits that enclose `low..=high` and are multiples of the step of 1, 2 or 5 times a power of ten that gives 4 to 8 ticks.
fn nice_range(low: f32, high: f32) -> (f32, f32, f32) {
    let rough = (high - low) / 5.0;
    let power = 10_f32.powf(rough.log10().floor());
    let step =
        power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|&factor| factor * power >= rough * 0.999).unwrap_or(10.0);
    let nudge = 1e-3;
    ((low / step + nudge).floor() * step, (high / step - nudge).ceil() * step, step)
}

/// The first epoch and the multiples of a round number that make about six ticks.
fn epoch_ticks(last: usize) -> Vec<usize> {
    let (_, _, step) = nice_range(0.0, last as f32);
    let step = (step as usize).max(1);
    // The first epoch is dropped where its number would touch the next.
    std::iter::once(1).filter(|_| step > 1).chain((step..=last).step_by(step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_limits_are_round_and_enclose_the_values() {
        let cases = [
            ((0.0, 2.3), (0.0, 2.5, 0.5)),
            ((0.0, 0.9), (0.0, 1.0, 0.2)),
            ((0.83, 1.0), (0.80, 1.0, 0.05)),
            ((0.0, 30.0), (0.0, 30.0, 10.0)),
        ];
        for ((low, high), (nice_low, nice_high, nice_step)) in cases {
            let found = nice_range(low, high);
            let close = |a: f32, b: f32| (a - b).abs() < 1e-5 * b.abs().max(1.0);
            assert!(
                close(found.0, nice_low) && close(found.1, nice_high) && close(found.2, nice_step),
                "{low}..{high}: {found:?}"
            );
        }
    }

    #[test]
    fn epoch_ticks_are_whole_and_within_the_axis() {
        assert_eq!(epoch_ticks(30), [1, 10, 20, 30]);
        assert_eq!(epoch_ticks(5), [1, 2, 3, 4, 5]);
        assert_eq!(epoch_ticks(1), [1]);
        assert_eq!(epoch_ticks(8), [1, 2, 4, 6, 8]);
    }
}
