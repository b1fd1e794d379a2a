//! Test digits as the network sees them, with what it takes them for.

use super::canvas::{Canvas, Font};
use super::colours::{FIRST, GRID, INK, MUTED, PAPER, SECOND};
use super::{Caption, DrawError, Picture};
use crate::data::Dataset;

const COLUMNS: usize = 16;
const ROWS: usize = 8;

/// Images the sheet has room for.
pub const SHOWN: usize = COLUMNS * ROWS;

const MARGIN: f32 = 32.0;

/// Draws the first images of `data` with the class predicted for each. A mistake has a frame and shows the true class too.
///
/// # Errors
/// [`DrawError`] when the sheet cannot be made.
pub fn digits(data: &Dataset, predicted: &[u32], caption: Caption) -> Result<Picture, DrawError> {
    let shown = data.len().min(SHOWN);
    let lines = shown.div_ceil(COLUMNS);
    // A whole number of half units per pixel of the image is a whole number of pixels on the sheet.
    let cell = (80.0 / data.rows.max(data.cols) as f32).round().max(1.0) / 2.0;
    let (width, height) = (cell * data.cols as f32, cell * data.rows as f32);
    let (pitch_x, pitch_y) = (width + 14.0, height + 32.0);
    let top = 84.0;
    let mut canvas = Canvas::new(2.0 * MARGIN + COLUMNS as f32 * pitch_x - 14.0, top + lines as f32 * pitch_y + 14.0)?;
    canvas.text(MARGIN, 38.0, caption.title, Font::new(20.0, INK).bold());
    canvas.text(MARGIN, 58.0, caption.subtitle, Font::new(12.5, MUTED));
    for (i, &guess) in predicted.iter().enumerate().take(shown) {
        let (x, y) = (MARGIN + (i % COLUMNS) as f32 * pitch_x, top + (i / COLUMNS) as f32 * pitch_y);
        let (image, truth) = (data.image(i), data.labels[i]);
        let mistake = guess != truth;
        let paper = if mistake { PAPER.mix(SECOND, 0.12) } else { PAPER };
        canvas.cells(x, y, cell, data.rows, data.cols, |row, col| paper.mix(INK, image[row * data.cols + col]));
        let baseline = y + height + 17.0;
        if mistake {
            canvas.frame(x, y, width, height, 2.5, SECOND);
            let (wrong, right) = (guess.to_string(), format!("not {truth}"));
            let (bold, small) = (Font::new(13.0, SECOND).bold(), Font::new(11.0, SECOND));
            let (first, gap) = (canvas.text_width(&wrong, bold), 4.0);
            let start = x + (width - first - gap - canvas.text_width(&right, small)) / 2.0;
            canvas.text(start, baseline, &wrong, bold);
            canvas.text(start + first + gap, baseline, &right, small);
        } else {
            canvas.frame(x, y, width, height, 0.5, GRID);
            canvas.text(x + width / 2.0, baseline, &guess.to_string(), Font::new(13.0, FIRST).middle());
        }
    }
    Ok(Picture(canvas))
}
