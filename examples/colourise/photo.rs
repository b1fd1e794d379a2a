//! Photographs as tensors: what is light and what is colour.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use wengert::prelude::*;

/// A photograph as light and colour: one number of light and two of colour a pixel.
///
/// Source: ITU-R BT.601, sections 2.5.1 and 2.5.2; light in 0..1, colour differences in -0.5..0.5.
#[derive(Debug, Clone)]
pub struct Photo {
    light: Tensor<f32>,
    colour: Tensor<f32>,
}

/// Why a photograph cannot be read or a picture not be written.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: not a PNG picture: {source}", path.display())]
    Decode { path: PathBuf, source: png::DecodingError },
    #[error("{}: {source}", path.display())]
    Encode { path: PathBuf, source: png::EncodingError },
    #[error("{}: the picture has no colours to learn; choose a PNG with red, green and blue", path.display())]
    Grey { path: PathBuf },
    #[error("{}: {width} x {height} pixels; at least 64 x 32 and at most 4096 x 4096 are needed", path.display())]
    Size { path: PathBuf, width: u32, height: u32 },
}

/// Red, green and blue of light and colour differences, and back: the columns of one are undone by the other.
fn light_and_colour([r, g, b]: [f32; 3]) -> [f32; 3] {
    let light = 0.299 * r + 0.587 * g + 0.114 * b;
    [light, (b - light) / 1.772, (r - light) / 1.402]
}

fn red_green_blue([light, blue, red]: [f32; 3]) -> [f32; 3] {
    let (r, b) = (light + 1.402 * red, light + 1.772 * blue);
    [r, (light - 0.299 * r - 0.114 * b) / 0.587, b]
}

impl Photo {
    /// Reads a PNG file.
    ///
    /// # Errors
    /// [`PhotoError`] for a file that cannot be read, is no PNG, has no colours or another size than can be worked on.
    pub fn read(path: &Path) -> Result<Self, PhotoError> {
        let bytes = fs::read(path).map_err(|source| PhotoError::Io { path: path.to_owned(), source })?;
        Self::parse(&bytes, path)
    }

    /// The photograph in the bytes of a PNG file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn decode(bytes: &[u8]) -> Result<Self, PhotoError> {
        Self::parse(bytes, Path::new("embedded"))
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, PhotoError> {
        let path = || path.to_owned();
        let undecoded = |source| PhotoError::Decode { path: path(), source };
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(undecoded)?;
        let (width, height) = reader.info().size();
        if !(64..=4096).contains(&width) || !(32..=4096).contains(&height) {
            return Err(PhotoError::Size { path: path(), width, height });
        }
        let channels = match reader.output_color_type().0 {
            png::ColorType::Rgb => 3,
            png::ColorType::Rgba => 4,
            _ => return Err(PhotoError::Grey { path: path() }),
        };
        let mut pixels = vec![0; (width * height) as usize * channels];
        reader.next_frame(&mut pixels).map_err(undecoded)?;
        let parts: Vec<[f32; 3]> = pixels
            .chunks_exact(channels)
            .map(|pixel| light_and_colour([0, 1, 2].map(|channel| f32::from(pixel[channel]) / 255.0)))
            .collect();
        let (h, w) = (height as usize, width as usize);
        let plane = |part: usize| parts.iter().map(move |pixel| pixel[part]);
        Ok(Photo {
            light: Tensor::from_vec([1, 1, h, w], plane(0).collect()),
            colour: Tensor::from_vec([1, 2, h, w], plane(1).chain(plane(2)).collect()),
        })
    }

    /// The photograph with this light `[1, 1, h, w]` and these colours `[1, 2, h, w]`.
    pub fn from_parts(light: &Tensor<f32>, colour: &Tensor<f32>) -> Self {
        Photo { light: light.clone(), colour: colour.clone() }
    }

    /// The photograph without its colours: `[1, 1, h, w]`.
    pub fn grey(&self) -> Tensor<f32> {
        self.light.clone()
    }

    /// Its colours alone: `[1, 2, h, w]`.
    pub fn colour(&self) -> Tensor<f32> {
        self.colour.clone()
    }

    fn pixel(&self, y: usize, x: usize) -> [u8; 3] {
        let part = [self.light.at([0, 0, y, x]), self.colour.at([0, 0, y, x]), self.colour.at([0, 1, y, x])];
        red_green_blue(part).map(|level| (255.0 * level).round().clamp(0.0, 255.0) as u8)
    }
}

/// Writes photographs of one size beside each other, three pixels of the file to one of theirs. A file of that name is
/// replaced in one step.
///
/// # Errors
/// [`PhotoError::Encode`] and [`PhotoError::Io`].
pub fn save_beside(path: &Path, photos: &[&Photo]) -> Result<(), PhotoError> {
    const ZOOM: usize = 3;
    const GAP: usize = 12;
    let (h, w) = (photos[0].light.shape()[2], photos[0].light.shape()[3]);
    let (height, width) = (ZOOM * h + 2 * GAP, photos.len() * (ZOOM * w + GAP) + GAP);
    let mut pixels = vec![255_u8; 3 * height * width];
    for (k, photo) in photos.iter().enumerate() {
        let left = GAP + k * (ZOOM * w + GAP);
        for (y, x) in (0..ZOOM * h).flat_map(|y| (0..ZOOM * w).map(move |x| (y, x))) {
            let to = 3 * ((GAP + y) * width + left + x);
            pixels[to..to + 3].copy_from_slice(&photo.pixel(y / ZOOM, x / ZOOM));
        }
    }
    let unwritten = |source| PhotoError::Io { path: path.to_owned(), source };
    let unencoded = |source| PhotoError::Encode { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels)).map_err(unencoded)?;
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(unwritten)?;
    let unfinished = path.with_extension("png.part");
    fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path)).map_err(unwritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_has_no_colour_and_pure_colours_are_those_of_the_standard() {
        let near = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(near(light_and_colour([1.0; 3]), [1.0, 0.0, 0.0]));
        assert!(near(light_and_colour([1.0, 0.0, 0.0]), [0.299, -0.169, 0.5]));
        assert!(near(light_and_colour([0.0, 0.0, 1.0]), [0.114, 0.5, -0.081]));
    }

    #[test]
    fn splitting_and_joining_give_the_photograph_back() {
        let photo = Photo::decode(crate::FLOWER).expect("the embedded photograph");
        let mut reader = png::Decoder::new(Cursor::new(crate::FLOWER)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a small one")];
        reader.next_frame(&mut pixels).expect("pixels");
        for (k, pixel) in pixels.chunks_exact(3).enumerate() {
            assert_eq!(photo.pixel(k / 192, k % 192), pixel, "pixel {k}");
        }
    }

    #[test]
    fn what_is_no_photograph_gets_a_line_that_says_so() {
        let text = |bytes: &[u8]| Photo::decode(bytes).expect_err("not a photograph").to_string();
        assert!(text(b"JFIF").starts_with("embedded: not a PNG picture: "));
        assert!(text(&crate::FLOWER[..1000]).starts_with("embedded: not a PNG picture: "));
        let missing = Photo::read(Path::new("no/such.png")).expect_err("no file").to_string();
        assert!(missing.starts_with("no/such.png: "));
    }
}
