//! Which class is taken for which.

use super::canvas::{Canvas, Font};
use super::colours::{GRID, INK, MUTED, PAPER, blues, oranges};
use super::{Caption, DrawError, Picture};
use crate::metrics::Confusion;

const LEFT: f32 = 106.0;
const TOP: f32 = 124.0;

/// Draws the confusion matrix, with recall beside and precision below it.
///
/// The diagonal has a scale of blues from 0 to all of a class, mistakes a scale of oranges up to the most frequent one: on a common scale
/// the few mistakes, which are what one looks for, would be white.
///
/// # Errors
/// [`DrawError`] when the sheet cannot be made.
pub fn confusion(confusion: &Confusion, caption: Caption) -> Result<Picture, DrawError> {
    let classes = confusion.classes();
    let cell = (440.0 / classes.max(1) as f32).floor().clamp(5.0, 44.0);
    let side = cell * classes as f32;
    let mut canvas = Canvas::new((LEFT + side + 96.0).max(460.0), TOP + side + 56.0)?;
    canvas.text(32.0, 38.0, caption.title, Font::new(20.0, INK).bold());
    canvas.text(32.0, 58.0, caption.subtitle, Font::new(12.5, MUTED));
    let worst = confusion.worst().max(1) as f32;
    let shade = |truth: usize, predicted: usize| match confusion.count(truth, predicted) {
        0 => PAPER,
        _ if truth == predicted => blues(0.85 * confusion.recall(truth).unwrap_or(0.0) as f32),
        count => oranges(0.2 + 0.7 * count as f32 / worst),
    };
    canvas.cells(LEFT, TOP, cell, classes, classes, shade);
    for i in 0..=classes {
        let at = i as f32 * cell;
        canvas.lines(&[(LEFT, TOP + at), (LEFT + side, TOP + at)], 0.8, GRID);
        canvas.lines(&[(LEFT + at, TOP), (LEFT + at, TOP + side)], 0.8, GRID);
    }
    canvas.text(LEFT + side / 2.0, TOP - 28.0, "predicted", Font::new(12.5, INK).bold().middle());
    canvas.text_upwards(LEFT - 38.0, TOP + side / 2.0, "true", Font::new(12.5, INK).bold().middle());
    let size = (0.34 * cell).min(14.0);
    if size < 6.0 {
        return Ok(Picture(canvas));
    }

    let center = |i: usize| (i as f32 + 0.5) * cell;
    let drop = 0.36 * size;
    let percent =
        |ratio: Option<f64>| ratio.map_or_else(|| "\u{2013}".to_owned(), |ratio| format!("{:.0}", 100.0 * ratio));
    let (beside, below) = (LEFT + side + 34.0, TOP + side + 22.0);
    for i in 0..classes {
        let font = Font::new(size, INK).middle();
        canvas.text(LEFT + center(i), TOP - 9.0, &i.to_string(), font);
        canvas.text(LEFT - 14.0, TOP + center(i) + drop, &i.to_string(), font);
        canvas.text(
            beside,
            TOP + center(i) + drop,
            &percent(confusion.recall(i)),
            Font::new(size * 0.9, MUTED).middle(),
        );
        canvas.text(LEFT + center(i), below, &percent(confusion.precision(i)), Font::new(size * 0.9, MUTED).middle());
        for predicted in 0..classes {
            let count = confusion.count(i, predicted);
            if count > 0 {
                let colour = if shade(i, predicted).is_dark() { PAPER } else { INK };
                let (x, y) = (LEFT + center(predicted), TOP + center(i) + drop);
                canvas.text(x, y, &count.to_string(), Font::new(size, colour).middle());
            }
        }
    }
    canvas.text(beside, TOP - 9.0, "recall %", Font::new(11.5, MUTED).middle());
    canvas.text(LEFT - 8.0, below, "precision %", Font::new(11.5, MUTED).end());
    Ok(Picture(canvas))
}
