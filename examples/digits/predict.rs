//! A picture of one digit, as a person makes it, turned into what the network was trained on.
//!
//! The embedded digits were written on forms, cut out, straightened, scaled to 20 x 32 in the middle of a 32 x 32 bitmap by NIST's programs
//! (Garris et al. 1997, "NIST form-based handprint recognition system"), and reduced to 8 x 8 by counting the ink in blocks of 4 x 4.
//! MNIST's were scaled into a box of 20 x 20 and placed with their centre of mass in the middle of 28 x 28 (LeCun, Cortes and Burges, "The
//! MNIST database"). The same is done here, so that the picture's size, margins, colours and slant do not matter.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use png::{ColorType, Decoder, Limits, Transformations};

/// Pixels a picture may have; enough for a camera, and bounds what a small file can make the decoder allocate.
const MAX_PIXELS: u64 = 1 << 26;

/// Difference between paper and ink, of 1, below which a picture counts as blank.
const MIN_CONTRAST: f32 = 0.1;

/// Cells of the bitmap that one pixel of a coarse image counts, along each side.
const BLOCK: usize = 4;

/// Part of a coarse image's width that a digit fills: 20 of 32.
const BOX_WIDTH: f64 = 20.0 / 32.0;

/// How much a digit is widened to fill it; a 1 stays slim.
const MAX_WIDENING: f64 = 1.7;

/// Part of a coarse image that is inked at least; thinner strokes are thickened. The embedded digits have 0.31 on average.
const MIN_INKED: f64 = 0.2;

/// Rows below which an image is made like the embedded digits, and from which like MNIST's.
const COARSE: usize = 16;

/// Why a picture cannot be classified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The file cannot be opened.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// The file is not a PNG picture, or damaged.
    #[error("{}: not a readable PNG picture: {source}", path.display())]
    Png {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: png::DecodingError,
    },

    /// The picture has too many pixels.
    #[error("{}: {width} x {height} pixels, more than the limit of {MAX_PIXELS}; scale it down", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },

    /// Paper and ink cannot be told apart.
    #[error("{}: blank: no ink differs from the paper by {:.0} % or more", path.display(), 100.0 * MIN_CONTRAST)]
    Blank {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the picture in `path` and makes it an image of `rows` x `cols`, 0 paper and 1 ink.
///
/// Any PNG: grey, colour or palette, with or without transparency, dark on light or light on dark.
///
/// # Errors
/// [`PictureError`], which names the file.
pub fn read_digit(path: &Path, rows: usize, cols: usize) -> Result<Vec<f32>, PictureError> {
    let blank = || PictureError::Blank { path: path.to_owned() };
    // Transparent pixels show what is behind them. White ink on nothing is invisible on white paper, so then black paper is tried.
    let pixels = read_pixels(path)?;
    let ink = [1.0, 0.0].iter().find_map(|&paper| Ink::separate(&pixels, paper)).ok_or_else(blank)?;
    Ok(if rows < COARSE { ink.fill(rows, cols) } else { ink.center(rows, cols) })
}

/// Grey value and opacity of each pixel, both 0..=1, row-major.
struct Pixels {
    values: Vec<(f32, f32)>,
    width: usize,
}

fn read_pixels(path: &Path) -> Result<Pixels, PictureError> {
    let fault = |source| PictureError::Png { path: path.to_owned(), source };
    let file = File::open(path).map_err(|source| PictureError::Io { path: path.to_owned(), source })?;
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), Limits { bytes: 8 * MAX_PIXELS as usize });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(fault)?;
    let (width, height) = (reader.info().width, reader.info().height);
    let too_large = || PictureError::TooLarge { path: path.to_owned(), width, height };
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(too_large());
    }
    let mut bytes = vec![0; reader.output_buffer_size().ok_or_else(too_large)?];
    let frame = reader.next_frame(&mut bytes).map_err(fault)?;
    let unit = |byte: u8| f32::from(byte) / 255.0;
    let luminance = |rgb: &[u8]| 0.299 * unit(rgb[0]) + 0.587 * unit(rgb[1]) + 0.114 * unit(rgb[2]);
    let value = |pixel: &[u8]| match frame.color_type {
        ColorType::Grayscale | ColorType::Indexed => (unit(pixel[0]), 1.0),
        ColorType::GrayscaleAlpha => (unit(pixel[0]), unit(pixel[1])),
        ColorType::Rgb => (luminance(pixel), 1.0),
        ColorType::Rgba => (luminance(pixel), unit(pixel[3])),
    };
    let values = bytes[..frame.buffer_size()].chunks_exact(frame.color_type.samples()).map(value).collect();
    Ok(Pixels { values, width: frame.width as usize })
}

/// The ink of a picture, cut out: 0 paper, 1 the darkest ink.
struct Ink {
    values: Vec<f32>,
    width: usize,
    height: usize,
}

impl Ink {
    /// Tells ink from paper and cuts away the margins; `None` when there is no contrast.
    fn separate(pixels: &Pixels, paper: f32) -> Option<Self> {
        let grey: Vec<f32> = pixels.values.iter().map(|(value, alpha)| value * alpha + paper * (1.0 - alpha)).collect();
        let (width, height) = (pixels.width, grey.len() / pixels.width);
        // Whatever the colours, the rim of a picture is mostly paper.
        let on_rim =
            |i: usize| i < width || i >= (height - 1) * width || i.is_multiple_of(width) || i % width == width - 1;
        let mut rim: Vec<f32> =
            grey.iter().copied().enumerate().filter(|&(i, _)| on_rim(i)).map(|(_, value)| value).collect();
        let middle = rim.len() / 2;
        let background = *rim.select_nth_unstable_by(middle, f32::total_cmp).1;
        let (darkest, lightest) =
            grey.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
        // Ink lies on the side that reaches farther from the paper; what lies on the other side is glare or dirt.
        let contrast =
            if background - darkest >= lightest - background { darkest - background } else { lightest - background };
        if contrast.abs() < MIN_CONTRAST {
            return None;
        }
        let ink: Vec<f32> = grey.iter().map(|value| ((value - background) / contrast).clamp(0.0, 1.0)).collect();
        let threshold = otsu(&ink);
        let inked = |x: usize, y: usize| ink[y * width + x] > threshold;
        let left = (0..width).find(|&x| (0..height).any(|y| inked(x, y)))?;
        let right = (0..width).rfind(|&x| (0..height).any(|y| inked(x, y)))?;
        let top = (0..height).find(|&y| (0..width).any(|x| inked(x, y)))?;
        let bottom = (0..height).rfind(|&y| (0..width).any(|x| inked(x, y)))?;
        let rows = (top..=bottom).flat_map(|y| &ink[y * width + left..=y * width + right]);
        // Shades below half the threshold are paper with a shadow on it; above, they are the soft edge of a stroke.
        let values = rows.map(|&value| if value < threshold / 2.0 { 0.0 } else { value }).collect();
        Some(Self { values, width: right - left + 1, height: bottom - top + 1 })
    }

    /// Straightened, stretched over the middle of a bitmap, and its cells counted in blocks.
    ///
    /// Of 400 MNIST digits shown to a network trained on the embedded ones, 76 % are read rightly when prepared like this and 56 % when
    /// they only are scaled to fill the bitmap.
    fn fill(&self, rows: usize, cols: usize) -> Vec<f32> {
        let ink = self.straightened();
        let (fine_rows, fine_cols) = (rows * BLOCK, cols * BLOCK);
        let y_scale = fine_rows as f64 / ink.height as f64;
        let widest = BOX_WIDTH * fine_cols as f64;
        let width = (y_scale * ink.width as f64 * MAX_WIDENING).min(widest);
        let x = Axis { scale: width / ink.width as f64, offset: (fine_cols as f64 - width) / 2.0 };
        let shades = ink.resample(fine_rows, fine_cols, x, Axis { scale: y_scale, offset: 0.0 });
        // Relative to the darkest cell: a stroke thinner than a cell fills none by half.
        let threshold = 0.35 * shades.iter().copied().fold(0.0, f32::max);
        let mut cells: Vec<bool> = shades.iter().map(|&shade| shade > threshold).collect();
        // Each round covers at least one cell more, as long as there is one; `separate` leaves ink.
        while count(&cells) > 0 && (count(&cells) as f64) < MIN_INKED * cells.len() as f64 {
            cells = thickened(&cells, fine_cols);
        }
        let inked = |row: usize, col: usize| {
            let block =
                (0..BLOCK * BLOCK).map(|i| cells[(row * BLOCK + i / BLOCK) * fine_cols + col * BLOCK + i % BLOCK]);
            block.filter(|&cell| cell).count()
        };
        (0..rows * cols).map(|i| inked(i / cols, i % cols) as f32 / (BLOCK * BLOCK) as f32).collect()
    }

    /// Mass, and centre of mass as x and y; pixel i lies from i to i + 1.
    fn center_of_mass(&self) -> (f64, f64, f64) {
        let (mut mass, mut x_mass, mut y_mass) = (0.0, 0.0, 0.0);
        for (i, &value) in self.values.iter().enumerate() {
            let value = f64::from(value);
            mass += value;
            x_mass += value * ((i % self.width) as f64 + 0.5);
            y_mass += value * ((i / self.width) as f64 + 0.5);
        }
        // `separate` leaves ink, so the mass is positive.
        (mass, x_mass / mass, y_mass / mass)
    }

    /// Rows shifted so that the line through the middles of the rows, fitted by least squares, stands upright; cut out again.
    fn straightened(&self) -> Self {
        let (_, x_center, y_center) = self.center_of_mass();
        let (mut covariance, mut variance) = (0.0, 0.0);
        for (i, &value) in self.values.iter().enumerate() {
            let (x, y) = ((i % self.width) as f64 + 0.5 - x_center, (i / self.width) as f64 + 0.5 - y_center);
            covariance += f64::from(value) * x * y;
            variance += f64::from(value) * y * y;
        }
        // Steeper than 45 degrees is a line across the picture, not a slant; a single row has none.
        let slope = if variance > 0.0 { (covariance / variance).clamp(-1.0, 1.0) } else { 0.0 };
        let shifts: Vec<f64> = (0..self.height).map(|y| -slope * (y as f64 + 0.5 - y_center)).collect();
        let least = shifts.iter().copied().fold(f64::INFINITY, f64::min).floor();
        let most = shifts.iter().copied().fold(f64::NEG_INFINITY, f64::max).floor();
        let width = self.width + (most - least) as usize + 1;
        let mut values = vec![0.0; width * self.height];
        for (y, shift) in shifts.iter().enumerate() {
            let (whole, part) = ((shift.floor() - least) as usize, (shift - shift.floor()) as f32);
            for (x, &value) in self.values[y * self.width..(y + 1) * self.width].iter().enumerate() {
                values[y * width + x + whole] += value * (1.0 - part);
                values[y * width + x + whole + 1] += value * part;
            }
        }
        let inked = |x: &usize| (0..self.height).any(|y| values[y * width + x] > 0.25);
        let (Some(left), Some(right)) = ((0..width).find(inked), (0..width).rfind(inked)) else {
            return Self { values: self.values.clone(), ..*self };
        };
        let values = (0..self.height).flat_map(|y| &values[y * width + left..=y * width + right]).copied().collect();
        Self { values, width: right - left + 1, height: self.height }
    }

    /// Scaled into a box of 5/7 of the image (20 of 28), the centre of mass in the middle.
    fn center(&self, rows: usize, cols: usize) -> Vec<f32> {
        let (box_rows, box_cols) = (rows as f64 * 5.0 / 7.0, cols as f64 * 5.0 / 7.0);
        let scale = (box_rows / self.height as f64).min(box_cols / self.width as f64);
        let (_, x, y) = self.center_of_mass();
        let centered = |len: usize, center: f64| Axis { scale, offset: len as f64 / 2.0 - scale * center };
        self.resample(rows, cols, centered(cols, x), centered(rows, y))
    }

    /// The ink on `rows` x `cols` pixels, each the mean over its area, when the cut-out is scaled and moved along both axes.
    fn resample(&self, rows: usize, cols: usize, x: Axis, y: Axis) -> Vec<f32> {
        let x_weights: Vec<_> = (0..cols).map(|col| x.overlaps(col, self.width)).collect();
        let y_weights: Vec<_> = (0..rows).map(|row| y.overlaps(row, self.height)).collect();
        let mean = |row: usize, col: usize| -> f32 {
            let line = |y: usize| -> f64 {
                x_weights[col].iter().map(|&(x, w)| w * f64::from(self.values[y * self.width + x])).sum()
            };
            y_weights[row].iter().map(|&(y, w)| w * line(y)).sum::<f64>() as f32
        };
        (0..rows * cols).map(|i| mean(i / cols, i % cols)).collect()
    }
}

/// Where a source pixel comes to lie along one direction: `target = scale * source + offset`.
#[derive(Clone, Copy)]
struct Axis {
    scale: f64,
    offset: f64,
}

impl Axis {
    /// The source pixels, of `len`, under target pixel `target`, and the fraction of the target each covers.
    fn overlaps(self, target: usize, len: usize) -> Vec<(usize, f64)> {
        let start = ((target as f64 - self.offset) / self.scale).clamp(0.0, len as f64);
        let end = ((target as f64 + 1.0 - self.offset) / self.scale).clamp(0.0, len as f64);
        let cover = |i: usize| (end.min(i as f64 + 1.0) - start.max(i as f64)) * self.scale;
        (start as usize..(end.ceil() as usize).min(len))
            .map(|i| (i, cover(i)))
            .filter(|&(_, weight)| weight > 0.0)
            .collect()
    }
}

fn count(cells: &[bool]) -> usize {
    cells.iter().filter(|&&cell| cell).count()
}

/// Each cell that is inked or has an inked neighbour beside, above or below it.
fn thickened(cells: &[bool], cols: usize) -> Vec<bool> {
    let at = |i: Option<usize>| i.and_then(|i| cells.get(i)).copied().unwrap_or(false);
    (0..cells.len())
        .map(|i| {
            let beside = (i % cols > 0 && at(i.checked_sub(1))) || (i % cols < cols - 1 && at(Some(i + 1)));
            cells[i] || beside || at(i.checked_sub(cols)) || at(Some(i + cols))
        })
        .collect()
}

/// Threshold that best parts the values into two classes (Otsu 1979): it maximises the variance between them.
fn otsu(values: &[f32]) -> f32 {
    const BINS: usize = 256;
    let mut histogram = [0_u64; BINS];
    values.iter().for_each(|value| histogram[(value * (BINS - 1) as f32) as usize] += 1);
    let total = values.len() as f64;
    let sum: f64 = histogram.iter().enumerate().map(|(bin, &count)| bin as f64 * count as f64).sum();
    let (mut below, mut below_sum, mut best) = (0.0, 0.0, (0.0, 0));
    for (bin, &count) in histogram.iter().enumerate() {
        below += count as f64;
        below_sum += bin as f64 * count as f64;
        if below == 0.0 || below == total {
            continue;
        }
        let difference = below_sum / below - (sum - below_sum) / (total - below);
        let between = below * (total - below) * difference * difference;
        if between > best.0 {
            best = (between, bin);
        }
    }
    // Between the last bin of one class and the first of the other.
    (best.1 as f32 + 0.99) / (BINS - 1) as f32
}

#[cfg(test)]
mod tests {
    use png::{BitDepth, Encoder};

    use super::*;

    /// A PNG file in the temporary directory, removed at the end of its test.
    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("digits-predict-{}-{name}", std::process::id()));
            std::fs::write(&path, bytes).expect("temporary file");
            Self(path)
        }

        fn error(&self, expected: &str) {
            let text = read_digit(&self.0, 8, 8).expect_err("unreadable").to_string();
            assert!(text.starts_with(&format!("{}: {expected}", self.0.display())), "{text}");
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            // A leftover in the temporary directory fails no test.
            drop(std::fs::remove_file(&self.0));
        }
    }

    fn png(width: usize, color: ColorType, depth: BitDepth, data: &[u8]) -> Vec<u8> {
        let bits = color.samples() * depth as usize;
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, width as u32, (data.len() * 8 / (width * bits)) as u32);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette([255, 255, 255, 0, 0, 160].as_slice());
        }
        encoder.write_header().and_then(|mut writer| writer.write_image_data(data)).expect("to memory");
        bytes
    }

    /// A ring in a picture of `side` x `side`, ink where true.
    fn ring(side: usize) -> Vec<bool> {
        let distance = |i: usize| ((i % side) as f64 - side as f64 * 0.6).hypot((i / side) as f64 - side as f64 * 0.4);
        (0..side * side).map(|i| (0.15..0.3).contains(&(distance(i) / side as f64))).collect()
    }

    #[test]
    fn size_colours_depth_and_transparency_do_not_matter() {
        let ring = ring(64);
        let each = |ink: &[u8], paper: &[u8]| {
            ring.iter().flat_map(|&inked| if inked { ink } else { paper }).copied().collect::<Vec<u8>>()
        };
        let packed: Vec<u8> =
            ring.chunks(8).map(|bits| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect();
        let eight = BitDepth::Eight;
        let pictures = [
            ("dark", png(64, ColorType::Grayscale, eight, &each(&[20], &[240]))),
            ("light", png(64, ColorType::Grayscale, eight, &each(&[250], &[60]))),
            ("rgb", png(64, ColorType::Rgb, eight, &each(&[0, 0, 200], &[255, 250, 230]))),
            ("sixteen", png(64, ColorType::Grayscale, BitDepth::Sixteen, &each(&[0, 0], &[255, 255]))),
            ("bits", png(64, ColorType::Grayscale, BitDepth::One, &packed)),
            ("palette", png(64, ColorType::Indexed, BitDepth::One, &packed)),
            ("black-on-nothing", png(64, ColorType::GrayscaleAlpha, eight, &each(&[0, 255], &[0, 0]))),
            ("white-on-nothing", png(64, ColorType::Rgba, eight, &each(&[255, 255, 255, 255], &[255, 255, 255, 0]))),
        ];
        let [first, others @ ..] = pictures.map(|(name, bytes)| {
            let file = Temporary::new(name, &bytes);
            (name, read_digit(&file.0, 8, 8).expect(name))
        });
        others.iter().for_each(|(name, digit)| assert_eq!(*digit, first.1, "{name}"));
    }

    #[test]
    fn a_ring_fills_the_box_and_has_a_hole() {
        let bytes: Vec<u8> = ring(200).iter().map(|&inked| if inked { 0 } else { 255 }).collect();
        let file = Temporary::new("ring", &png(200, ColorType::Grayscale, BitDepth::Eight, &bytes));
        let coarse = read_digit(&file.0, 8, 8).expect("a ring");
        let column = |col: usize| (0..8).map(|row| coarse[row * 8 + col]).sum::<f32>();
        // 20 of 32 cells: nothing in the first and last column of blocks.
        assert_eq!([column(0), column(7)], [0.0, 0.0]);
        assert!(coarse[3] > 0.9 && coarse[3 * 8 + 3] < 0.1 && coarse[7 * 8 + 4] > 0.9, "{coarse:?}");
        let fine = read_digit(&file.0, 28, 28).expect("a ring");
        let inked = |i: usize| fine[i] > 0.5;
        // 20 of 28 pixels, centred, so 4 to 23.
        assert!((0..28 * 28).filter(|&i| inked(i)).all(|i| (4..24).contains(&(i % 28)) && (4..24).contains(&(i / 28))));
        assert!(
            inked(4 * 28 + 14)
                && inked(23 * 28 + 14)
                && inked(14 * 28 + 4)
                && inked(14 * 28 + 23)
                && !inked(14 * 28 + 14)
        );
    }

    #[test]
    fn a_slanted_bar_is_set_upright() {
        let bar = |slope: f64| Ink {
            values: (0..60 * 60)
                .map(|i| f32::from(u8::from(((i % 60) as f64 - 30.0 - slope * ((i / 60) as f64 - 30.0)).abs() < 4.0)))
                .collect(),
            width: 60,
            height: 60,
        };
        let (upright, slanted) = (bar(0.0).straightened(), bar(-0.4).straightened());
        assert!(upright.width.abs_diff(slanted.width) <= 2, "{} {}", upright.width, slanted.width);
    }

    #[test]
    fn a_hairline_is_thickened_until_it_can_be_seen() {
        let bytes: Vec<u8> =
            (0..500 * 500).map(|i| if i % 500 == 250 && i / 500 > 50 && i / 500 < 450 { 0 } else { 255 }).collect();
        let file = Temporary::new("hairline", &png(500, ColorType::Grayscale, BitDepth::Eight, &bytes));
        let digit = read_digit(&file.0, 8, 8).expect("a line");
        assert!(digit.iter().sum::<f32>() / 64.0 >= 0.2, "{digit:?}");
    }

    #[test]
    fn a_blank_picture_and_a_single_pixel_are_blank() {
        Temporary::new("blank", &png(9, ColorType::Grayscale, BitDepth::Eight, &[200; 81]))
            .error("blank: no ink differs from the paper by 10 %");
        Temporary::new("pixel", &png(1, ColorType::Grayscale, BitDepth::Eight, &[0])).error("blank: ");
    }

    #[test]
    fn every_truncation_of_a_picture_is_an_error() {
        let bytes = png(8, ColorType::Grayscale, BitDepth::Eight, &[[0; 32], [255; 32]].concat());
        let end = bytes.len() - 12; // the last chunk holds nothing
        for len in 0..end {
            let file = Temporary::new("truncated", &bytes[..len]);
            assert!(read_digit(&file.0, 8, 8).is_err(), "{len} bytes");
        }
        Temporary::new("text", b"not a picture").error("not a readable PNG picture: ");
    }

    #[test]
    fn a_huge_picture_is_refused_before_memory_is_taken_for_it() {
        let mut bytes = png(1, ColorType::Grayscale, BitDepth::Eight, &[0]);
        bytes[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        Temporary::new("huge", &bytes).error("65536 x 65536 pixels, more than the limit of 67108864; scale it down");
    }

    #[test]
    fn otsu_parts_two_groups_between_them() {
        let threshold = otsu(&[0.0, 0.05, 0.1, 0.1, 0.8, 0.9, 1.0]);
        assert!((0.1..0.8).contains(&threshold), "{threshold}");
    }
}
