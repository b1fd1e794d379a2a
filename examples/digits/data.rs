//! Images with labels: the embedded handwritten digits, and how a set is split into training and test part.

use std::io::Read;

use chacha20::ChaCha8Rng;
use flate2::read::GzDecoder;
use rand::SeedableRng;
use rand::seq::SliceRandom;

/// 1797 digits of 8 x 8 pixels; source and licence are in `data/README.md`.
static DIGITS_CSV_GZ: &[u8] = include_bytes!("data/digits.csv.gz");

/// Side of an embedded digit, in pixels.
const SIDE: usize = 8;

/// Largest pixel value of an embedded digit: the number of cells in a 4 x 4 block of the original bitmap.
const MAX_PIXEL: u8 = 16;

/// How many of the embedded digits train in the usual split; the last 360 test.
pub const DIGITS_TRAIN_LEN: usize = 1437;

/// What is wrong with a set of images before any training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The embedded file does not decompress.
    #[error("embedded digits: {0}")]
    Embedded(#[from] std::io::Error),

    /// A row of the embedded file is not 64 pixels of 0..=16 and a digit.
    #[error("embedded digits: row {row}: {what}")]
    Row {
        /// Row number, from 1.
        row: usize,
        /// What was expected and found.
        what: String,
    },

    /// There are too few images for a training and a test part.
    #[error("{found} image(s) cannot be split into a training and a test part; at least 2 are needed")]
    TooFew {
        /// How many images there are.
        found: usize,
    },
}

/// Grey images of one size, each with the number of its class.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Pixels, `[n, rows, cols]` row-major; 0 is paper and 1 is ink.
    pub images: Vec<f32>,
    /// Class of each image, below `classes`.
    pub labels: Vec<u32>,
    /// Height of an image.
    pub rows: usize,
    /// Width of an image.
    pub cols: usize,
    /// How many classes there are.
    pub classes: usize,
}

impl Dataset {
    /// The embedded digits, in file order.
    ///
    /// # Errors
    /// [`DataError`] when the embedded file is damaged.
    pub fn digits() -> Result<Self, DataError> {
        let mut text = String::new();
        GzDecoder::new(DIGITS_CSV_GZ).read_to_string(&mut text)?;
        parse_csv(&text)
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Number of pixels of an image.
    pub fn pixels(&self) -> usize {
        self.rows * self.cols
    }

    /// Pixels of image `i`, `[rows, cols]`.
    ///
    /// # Panics
    /// When `i` is not below [`len`](Self::len).
    pub fn image(&self, i: usize) -> &[f32] {
        &self.images[i * self.pixels()..(i + 1) * self.pixels()]
    }

    /// The images at `indices`, in that order.
    fn select(&self, indices: &[usize]) -> Self {
        Self {
            images: indices.iter().flat_map(|&i| self.image(i)).copied().collect(),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            ..*self
        }
    }
}

/// A training and a test part of images of one size and one set of classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// What the network learns from.
    pub train: Dataset,
    /// What it is judged by.
    pub test: Dataset,
}

impl Split {
    /// The first `train_len` images train, the others test.
    ///
    /// The writers of the embedded digits come one after the other, so in file order the test digits are by people the network has
    /// never seen: the harder and the more honest of the two splits.
    ///
    /// # Errors
    /// [`DataError::TooFew`] when a part would be empty.
    pub fn in_order(data: &Dataset, train_len: usize) -> Result<Self, DataError> {
        Self::by(data, train_len, &(0..data.len()).collect::<Vec<_>>())
    }

    /// A random `train_len` of the images train, the others test; the same `seed` always gives the same parts.
    ///
    /// # Errors
    /// [`DataError::TooFew`] when a part would be empty.
    pub fn shuffled(data: &Dataset, train_len: usize, seed: u64) -> Result<Self, DataError> {
        let mut order: Vec<usize> = (0..data.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        Self::by(data, train_len, &order)
    }

    /// Both parts poured together, shuffled by `seed`, and split into parts of the same sizes as before.
    ///
    /// # Errors
    /// [`DataError::TooFew`] when a part is empty.
    pub fn reshuffled(self, seed: u64) -> Result<Self, DataError> {
        let train_len = self.train.len();
        let mut data = self.train;
        data.images.extend(self.test.images);
        data.labels.extend(self.test.labels);
        Self::shuffled(&data, train_len, seed)
    }

    fn by(data: &Dataset, train_len: usize, order: &[usize]) -> Result<Self, DataError> {
        if train_len == 0 || train_len >= order.len() {
            return Err(DataError::TooFew { found: order.len() });
        }
        Ok(Self { train: data.select(&order[..train_len]), test: data.select(&order[train_len..]) })
    }
}

/// Rows of 64 pixels of 0..=16 and the label, separated by commas.
fn parse_csv(text: &str) -> Result<Dataset, DataError> {
    let pixels = SIDE * SIDE;
    let mut data = Dataset { images: Vec::new(), labels: Vec::new(), rows: SIDE, cols: SIDE, classes: 10 };
    for (row, line) in text.lines().enumerate() {
        let fault = |what: String| DataError::Row { row: row + 1, what };
        let fields: Vec<u8> = line
            .split(',')
            .map(|field| field.trim().parse().map_err(|e| fault(format!("{field:?}: {e}"))))
            .collect::<Result<_, _>>()?;
        let Some((&label, image)) = fields.split_last().filter(|(_, image)| image.len() == pixels) else {
            return Err(fault(format!("{} fields, expected {}", fields.len(), pixels + 1)));
        };
        if usize::from(label) >= data.classes {
            return Err(fault(format!("label {label}, expected 0..=9")));
        }
        if let Some(pixel) = image.iter().find(|&&pixel| pixel > MAX_PIXEL) {
            return Err(fault(format!("pixel {pixel}, expected 0..={MAX_PIXEL}")));
        }
        data.images.extend(image.iter().map(|&pixel| f32::from(pixel) / f32::from(MAX_PIXEL)));
        data.labels.push(u32::from(label));
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` images of one pixel, each holding its own index.
    fn numbered(n: usize) -> Dataset {
        Dataset {
            images: (0..n).map(|i| i as f32).collect(),
            labels: (0..n as u32).collect(),
            rows: 1,
            cols: 1,
            classes: n,
        }
    }

    #[test]
    fn the_embedded_digits_are_the_1797_of_scikit_learn() {
        let digits = Dataset::digits().expect("embedded");
        assert_eq!((digits.len(), digits.rows, digits.cols, digits.classes), (1797, 8, 8, 10));
        assert_eq!(digits.images.len(), 1797 * 64);
        // Counts per class as scikit-learn's documentation of load_digits and `np.bincount` give them.
        let mut counts = [0; 10];
        digits.labels.iter().for_each(|&label| counts[label as usize] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert!(digits.images.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        assert_eq!(&digits.image(0)[..8], [0.0, 0.0, 5.0 / 16.0, 13.0 / 16.0, 9.0 / 16.0, 1.0 / 16.0, 0.0, 0.0]);
    }

    #[test]
    fn the_split_in_order_cuts_at_1437() {
        let digits = Dataset::digits().expect("embedded");
        let split = Split::in_order(&digits, DIGITS_TRAIN_LEN).expect("long enough");
        assert_eq!((split.train.len(), split.test.len()), (1437, 360));
        assert_eq!(split.test.image(0), digits.image(1437));
        assert_eq!(split.test.labels[359], digits.labels[1796]);
    }

    #[test]
    fn a_shuffled_split_uses_every_image_once_and_depends_on_the_seed_only() {
        let data = numbered(100);
        let split = Split::shuffled(&data, 80, 7).expect("long enough");
        let mut seen: Vec<u32> = split.train.labels.iter().chain(&split.test.labels).copied().collect();
        assert_ne!(seen, data.labels);
        seen.sort_unstable();
        assert_eq!(seen, data.labels);
        assert!(split.train.images.iter().zip(&split.train.labels).all(|(&pixel, &label)| pixel == label as f32));
        assert_eq!(split, Split::shuffled(&data, 80, 7).expect("long enough"));
        assert_ne!(split, Split::shuffled(&data, 80, 8).expect("long enough"));
    }

    #[test]
    fn reshuffling_keeps_the_sizes_and_mixes_the_parts() {
        let split = Split::in_order(&numbered(100), 80).expect("long enough").reshuffled(1).expect("long enough");
        assert_eq!((split.train.len(), split.test.len()), (80, 20));
        assert!(split.test.labels.iter().any(|&label| label < 80));
    }

    #[test]
    fn a_split_with_an_empty_part_is_refused() {
        for (n, train_len) in [(0, 0), (1, 0), (1, 1), (5, 5), (5, 9)] {
            let error = Split::in_order(&numbered(n), train_len).expect_err("one part is empty");
            assert!(error.to_string().starts_with(&format!("{n} image(s) cannot be split")), "{error}");
        }
    }

    #[test]
    fn a_wrong_row_is_named() {
        let good = "0,".repeat(64) + "3\n";
        let cases = [
            ("0,".repeat(63) + "3", "row 2: 64 fields, expected 65"),
            ("0,".repeat(64) + "10", "row 2: label 10, expected 0..=9"),
            ("17,".to_owned() + &"0,".repeat(63) + "1", "row 2: pixel 17, expected 0..=16"),
            ("x,".to_owned() + &"0,".repeat(63) + "1", "row 2: \"x\": invalid digit found in string"),
        ];
        for (bad, expected) in cases {
            let error = parse_csv(&(good.clone() + &bad)).expect_err(expected);
            assert_eq!(error.to_string(), format!("embedded digits: {expected}"));
        }
    }
}
