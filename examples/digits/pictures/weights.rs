//! The first layer's weights: what each unit looks for.

use super::canvas::{Canvas, Font};
use super::colours::{GRID, INK, MUTED, diverging};
use super::{Caption, DrawError, Picture};

const COLUMNS: usize = 16;
const MAX_SHOWN: usize = 128;
const MARGIN: f32 = 32.0;
const GAP: f32 = 9.0;

/// Draws each row of `weights`, `[units, rows * cols]`, as an image of `rows` x `cols`: blue for negative, white for zero, red for positive
/// weights, on one scale that is symmetric about zero and ends where 99 % of the weights do: scaled to the largest, a single pixel would make
/// the others pale. Of more than 128 units the first are shown.
///
/// # Errors
/// [`DrawError`] when the sheet cannot be made.
pub fn weights(weights: &[f32], rows: usize, cols: usize, caption: Caption) -> Result<Picture, DrawError> {
    let units: Vec<&[f32]> = weights.chunks_exact(rows * cols).take(MAX_SHOWN).collect();
    let limit = largest_of_most(units.iter().copied().flatten().map(|weight| weight.abs()).collect());
    let columns = units.len().clamp(1, COLUMNS);
    let cell = (80.0 / rows.max(cols) as f32).round().max(1.0) / 2.0;
    let (width, height) = (cell * cols as f32, cell * rows as f32);
    let (pitch_x, pitch_y) = (width + GAP, height + GAP);
    let (top, lines) = (80.0, units.len().div_ceil(columns) as f32);
    let sheet_width = (2.0 * MARGIN + columns as f32 * pitch_x - GAP).max(560.0);
    let mut canvas = Canvas::new(sheet_width, top + lines * pitch_y + 56.0)?;
    canvas.text(MARGIN, 38.0, caption.title, Font::new(20.0, INK).bold());
    canvas.text(MARGIN, 58.0, caption.subtitle, Font::new(12.5, MUTED));
    for (i, unit) in units.iter().enumerate() {
        let (x, y) = (MARGIN + (i % columns) as f32 * pitch_x, top + (i / columns) as f32 * pitch_y);
        canvas.cells(x, y, cell, rows, cols, |row, col| {
            diverging(if limit > 0.0 { unit[row * cols + col] / limit } else { 0.0 })
        });
        canvas.frame(x, y, width, height, 0.5, GRID);
    }
    scale(&mut canvas, sheet_width - MARGIN, top + lines * pitch_y + 8.0, limit);
    Ok(Picture(canvas))
}

/// The value that 99 % of `sizes` do not exceed.
fn largest_of_most(mut sizes: Vec<f32>) -> f32 {
    let Some(last) = sizes.len().checked_sub(1) else {
        return 0.0;
    };
    *sizes.select_nth_unstable_by(last * 99 / 100, f32::total_cmp).1
}

/// The scale of colours, its right end at `right`.
fn scale(canvas: &mut Canvas, right: f32, y: f32, limit: f32) {
    const STEPS: usize = 240;
    let left = right - STEPS as f32;
    for i in 0..STEPS {
        canvas.rect(left + i as f32, y, 1.0, 10.0, diverging(2.0 * (i as f32 + 0.5) / STEPS as f32 - 1.0));
    }
    canvas.frame(left, y, STEPS as f32, 10.0, 0.5, GRID);
    let font = Font::new(11.5, MUTED);
    canvas.text(left, y + 25.0, &format!("\u{2264} \u{2212}{limit:.2}"), font);
    canvas.text((left + right) / 2.0, y + 25.0, "0", font.middle());
    canvas.text(right, y + 25.0, &format!("\u{2265} {limit:.2}"), font.end());
    canvas.text(left - 10.0, y + 9.0, "weight", font.end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_weight_in_a_hundred_may_exceed_the_scale() {
        assert_eq!(largest_of_most((0..=100).map(|i| i as f32).collect()), 99.0);
        assert_eq!(largest_of_most(vec![3.0]), 3.0);
        assert_eq!(largest_of_most(vec![]), 0.0);
    }
}
