//! A drawing surface: shapes, small images and text, in units of half a resolution so that pictures are sharp on dense screens.

use tiny_skia::{FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, Rect, Stroke, Transform};
use ttf_parser::{Face, OutlineBuilder};

use super::DrawError;
use super::colours::{Colour, PAPER};

/// Pixels per unit.
const SCALE: f32 = 2.0;

static REGULAR: &[u8] = include_bytes!("../assets/Inter-Regular-subset.otf");
static SEMIBOLD: &[u8] = include_bytes!("../assets/Inter-SemiBold-subset.otf");

/// A white sheet with the origin in the upper left corner.
pub struct Canvas {
    pixmap: Pixmap,
    regular: Face<'static>,
    semibold: Face<'static>,
}

/// How a line of text looks.
#[derive(Debug, Clone, Copy)]
pub struct Font {
    /// Height of an em.
    pub size: f32,
    /// Semi-bold instead of regular.
    pub bold: bool,
    /// Colour of the letters.
    pub colour: Colour,
    /// Which point of the text is at its position.
    pub anchor: Anchor,
}

impl Font {
    /// Regular letters, to be continued on the right of their position.
    pub fn new(size: f32, colour: Colour) -> Self {
        Self { size, bold: false, colour, anchor: Anchor::Start }
    }

    /// The same, semi-bold.
    pub fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// The same, around its position.
    pub fn middle(self) -> Self {
        Self { anchor: Anchor::Middle, ..self }
    }

    /// The same, up to its position.
    pub fn end(self) -> Self {
        Self { anchor: Anchor::End, ..self }
    }
}

/// Where a text lies relative to its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

impl Canvas {
    /// An empty sheet.
    ///
    /// # Errors
    /// [`DrawError`] when it does not fit in memory or the embedded font is damaged.
    pub fn new(width: f32, height: f32) -> Result<Self, DrawError> {
        let (width, height) = ((width * SCALE).ceil() as u32, (height * SCALE).ceil() as u32);
        let mut pixmap = Pixmap::new(width, height).ok_or(DrawError::Size { width, height })?;
        pixmap.fill(PAPER.into());
        Ok(Self { pixmap, regular: Face::parse(REGULAR, 0)?, semibold: Face::parse(SEMIBOLD, 0)? })
    }

    /// A filled rectangle.
    pub fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            self.pixmap.fill_rect(rect, &paint(colour), Transform::from_scale(SCALE, SCALE), None);
        }
    }

    /// The outline of a rectangle; the line lies outside it.
    pub fn frame(&mut self, x: f32, y: f32, width: f32, height: f32, line: f32, colour: Colour) {
        self.rect(x - line, y - line, width + 2.0 * line, line, colour);
        self.rect(x - line, y + height, width + 2.0 * line, line, colour);
        self.rect(x - line, y, line, height, colour);
        self.rect(x + width, y, line, height, colour);
    }

    /// Straight lines from point to point.
    pub fn lines(&mut self, points: &[(f32, f32)], width: f32, colour: Colour) {
        let mut path = PathBuilder::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            match i {
                0 => path.move_to(x, y),
                _ => path.line_to(x, y),
            }
        }
        let stroke = Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        if let Some(path) = path.finish() {
            self.pixmap.stroke_path(&path, &paint(colour), &stroke, Transform::from_scale(SCALE, SCALE), None);
        }
    }

    /// A filled circle.
    pub fn dot(&mut self, x: f32, y: f32, radius: f32, colour: Colour) {
        if let Some(path) = PathBuilder::from_circle(x, y, radius) {
            let transform = Transform::from_scale(SCALE, SCALE);
            self.pixmap.fill_path(&path, &paint(colour), FillRule::Winding, transform, None);
        }
    }

    /// An image of `rows` x `cols` square cells of side `cell`, without gaps; `colour(row, col)` says which.
    pub fn cells(
        &mut self,
        x: f32,
        y: f32,
        cell: f32,
        rows: usize,
        cols: usize,
        colour: impl Fn(usize, usize) -> Colour,
    ) {
        // Edges are rounded to whole pixels, else neighbours of a fractional width would show seams.
        let edge = |origin: f32, i: usize| ((origin + i as f32 * cell) * SCALE).round() / SCALE;
        for row in 0..rows {
            for col in 0..cols {
                let (left, top) = (edge(x, col), edge(y, row));
                self.rect(left, top, edge(x, col + 1) - left, edge(y, row + 1) - top, colour(row, col));
            }
        }
    }

    /// One line of text, its baseline at `y`.
    pub fn text(&mut self, x: f32, y: f32, text: &str, font: Font) {
        self.text_at(Transform::from_translate(x, y), text, font);
    }

    /// One line of text that reads upwards, its baseline at `x`.
    pub fn text_upwards(&mut self, x: f32, y: f32, text: &str, font: Font) {
        self.text_at(Transform::from_row(0.0, -1.0, 1.0, 0.0, x, y), text, font);
    }

    /// Width of a line of text.
    pub fn text_width(&self, text: &str, font: Font) -> f32 {
        let face = self.face(font);
        let units: u32 = text.chars().map(|letter| u32::from(advance(face, letter))).sum();
        units as f32 * font.size / f32::from(face.units_per_em())
    }

    fn text_at(&mut self, place: Transform, text: &str, font: Font) {
        let width = self.text_width(text, font);
        let shift = match font.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        let face = self.face(font);
        let unit = font.size / f32::from(face.units_per_em());
        let mut outline = Outline { path: PathBuilder::new(), unit, x: shift };
        for letter in text.chars() {
            if let Some(glyph) = face.glyph_index(letter) {
                // A letter without ink, like the space, has no outline.
                let _ = face.outline_glyph(glyph, &mut outline);
            }
            outline.x += f32::from(advance(face, letter)) * unit;
        }
        if let Some(path) = outline.path.finish() {
            let transform = place.post_scale(SCALE, SCALE);
            self.pixmap.fill_path(&path, &paint(font.colour), FillRule::Winding, transform, None);
        }
    }

    fn face(&self, font: Font) -> &Face<'static> {
        if font.bold { &self.semibold } else { &self.regular }
    }

    /// The sheet as an RGB PNG file.
    ///
    /// # Errors
    /// [`png::EncodingError`].
    pub fn encode(&self) -> Result<Vec<u8>, png::EncodingError> {
        // The background is opaque, so every pixel is, and premultiplied values are plain values.
        let rgb: Vec<u8> = self.pixmap.data().chunks_exact(4).flat_map(|rgba| &rgba[..3]).copied().collect();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.pixmap.width(), self.pixmap.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Balanced);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&rgb)?;
        writer.finish()?;
        Ok(bytes)
    }
}

fn paint(colour: Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(colour.into());
    paint
}

fn advance(face: &Face, letter: char) -> u16 {
    face.glyph_index(letter).and_then(|glyph| face.glyph_hor_advance(glyph)).unwrap_or(0)
}

/// Collects the outlines of letters; a font's y axis points up, the sheet's down.
struct Outline {
    path: PathBuilder,
    unit: f32,
    x: f32,
}

impl Outline {
    fn point(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.unit, -y * self.unit)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.point(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.point(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.point(x1, y1), self.point(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.point(x1, y1), self.point(x2, y2), self.point(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
