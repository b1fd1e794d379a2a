//! The pictures a run leaves: learning curves, test digits with predictions, first-layer weights, confusion matrix.
//!
//! Drawn with `tiny-skia` and an embedded font, so that they look the same on every machine, with or without fonts of its own.

mod canvas;
mod colours;
mod confusion;
mod curves;
mod digits;
mod weights;

use std::io;
use std::path::{Path, PathBuf};

pub use confusion::confusion;
pub use curves::curves;
pub use digits::{SHOWN as SHOWN_DIGITS, digits};
pub use weights::weights;

use canvas::Canvas;

/// Why a picture cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// The embedded font is damaged.
    #[error("embedded font: {0}")]
    Font(#[from] ttf_parser::FaceParsingError),

    /// There is no memory for the pixels.
    #[error("a picture of {width} x {height} pixels does not fit in memory")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },

    /// The encoder fails.
    #[error("{}: {source}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder says.
        source: png::EncodingError,
    },

    /// The file cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A finished picture.
pub struct Picture(Canvas);

impl Picture {
    /// Writes the picture as PNG. A file of that name is replaced in one step: it is never half written.
    ///
    /// # Errors
    /// [`DrawError::Encode`] and [`DrawError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), DrawError> {
        let bytes = self.0.encode().map_err(|source| DrawError::Encode { path: path.to_owned(), source })?;
        let unfinished = path.with_extension("png.part");
        std::fs::write(&unfinished, bytes)
            .and_then(|()| std::fs::rename(&unfinished, path))
            .map_err(|source| DrawError::Io { path: path.to_owned(), source })
    }
}

/// Heading and the line below it.
#[derive(Debug, Clone, Copy)]
pub struct Caption<'a> {
    /// What is shown.
    pub title: &'a str,
    /// Of what, in which circumstances.
    pub subtitle: &'a str,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::data::Dataset;
    use crate::history::{EpochReport, Score};
    use crate::metrics::Confusion;

    const CAPTION: Caption = Caption { title: "Title", subtitle: "subtitle" };

    /// Width, height and number of different bytes of the encoded picture.
    fn decoded(picture: &Picture) -> (u32, u32, usize) {
        let bytes = picture.0.encode().expect("to memory");
        let mut reader = png::Decoder::new(io::Cursor::new(bytes)).read_info().expect("just encoded");
        let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
        let frame = reader.next_frame(&mut pixels).expect("just encoded");
        pixels.sort_unstable();
        pixels.dedup();
        (frame.width, frame.height, pixels.len())
    }

    fn report(epoch: usize, loss: f64, accuracy: f64) -> EpochReport {
        let score = Score { loss, accuracy };
        EpochReport { epoch, train: score, test: score, elapsed: Duration::ZERO }
    }

    #[test]
    fn curves_of_one_epoch_of_constant_and_of_infinite_values_are_drawn() {
        let histories = [
            vec![report(1, 0.5, 0.5)],
            vec![report(1, 0.0, 1.0), report(2, 0.0, 1.0)],
            vec![report(1, f64::INFINITY, 0.1), report(2, f64::NAN, 0.2)],
            vec![report(1, 1e30, 0.0), report(2, 1e-30, 0.0)],
            (1..=5000).map(|epoch| report(epoch, 1.0 / epoch as f64, 0.9)).collect(),
        ];
        for history in histories {
            let (width, height, shades) = decoded(&curves(&history, CAPTION).expect("drawn"));
            assert_eq!((width, height), (1840, 760));
            assert!(shades > 50, "{history:?} leaves the sheet empty");
        }
    }

    #[test]
    fn a_sheet_has_a_line_for_every_16_digits_up_to_8() {
        let height = |n: usize| {
            let labels = vec![1; n];
            let data = Dataset { images: vec![0.5; 64 * n], labels: labels.clone(), rows: 8, cols: 8, classes: 2 };
            decoded(&digits(&data, &labels, CAPTION).expect("drawn")).1
        };
        let line = height(17) - height(16);
        assert_eq!([height(1), height(128), height(500)], [height(16), height(16) + 7 * line, height(16) + 7 * line]);
    }

    #[test]
    fn weights_of_zero_and_a_matrix_of_many_or_empty_classes_are_drawn() {
        decoded(&weights(&[0.0; 64], 8, 8, CAPTION).expect("drawn"));
        decoded(&weights(&vec![1.0; 300 * 15], 3, 5, CAPTION).expect("drawn"));
        for classes in [1, 10, 62, 256] {
            decoded(&confusion(&Confusion::new(classes, &[0], &[classes as u32 - 1]), CAPTION).expect("drawn"));
        }
    }
}
