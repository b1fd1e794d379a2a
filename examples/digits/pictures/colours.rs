//! Colours that stay apart for colour-blind readers and on paper.

use tiny_skia::Color;

/// Background.
pub const PAPER: Colour = Colour(255, 255, 255);
/// Text and handwriting.
pub const INK: Colour = Colour(31, 41, 51);
/// Text of less weight.
pub const MUTED: Colour = Colour(104, 115, 127);
/// Grid lines and frames.
pub const GRID: Colour = Colour(226, 230, 234);
/// First of two things compared; blue of Okabe and Ito (2008), "Color universal design".
pub const FIRST: Colour = Colour(0, 114, 178);
/// Second of two things compared, and mistakes; vermillion of the same palette.
pub const SECOND: Colour = Colour(213, 94, 0);

/// A colour, red green blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// `self` at 0, `other` at 1.
    pub fn mix(self, other: Self, t: f32) -> Self {
        let t = t.clamp(0.0, 1.0);
        let channel = |a: u8, b: u8| (f32::from(a) + t * (f32::from(b) - f32::from(a))).round() as u8;
        Self(channel(self.0, other.0), channel(self.1, other.1), channel(self.2, other.2))
    }

    /// Whether white text is easier to read on it than dark text.
    pub fn is_dark(self) -> bool {
        0.299 * f32::from(self.0) + 0.587 * f32::from(self.1) + 0.114 * f32::from(self.2) < 128.0
    }
}

impl From<Colour> for Color {
    fn from(Colour(red, green, blue): Colour) -> Self {
        Self::from_rgba8(red, green, blue, 255)
    }
}

// ColorBrewer (Brewer 2002): RdBu reversed, Blues and Oranges from white.
const DIVERGING: [Colour; 9] = [
    Colour(33, 102, 172),
    Colour(67, 147, 195),
    Colour(146, 197, 222),
    Colour(209, 229, 240),
    Colour(247, 247, 247),
    Colour(253, 219, 199),
    Colour(244, 165, 130),
    Colour(214, 96, 77),
    Colour(178, 24, 43),
];
const BLUES: [Colour; 6] = [
    Colour(255, 255, 255),
    Colour(222, 235, 247),
    Colour(158, 202, 225),
    Colour(107, 174, 214),
    Colour(49, 130, 189),
    Colour(8, 81, 156),
];
const ORANGES: [Colour; 5] =
    [Colour(255, 255, 255), Colour(254, 230, 206), Colour(253, 174, 107), Colour(241, 105, 19), Colour(217, 72, 1)];

/// Blue at -1, near white at 0, red at 1.
pub fn diverging(t: f32) -> Colour {
    ramp(&DIVERGING, (t + 1.0) / 2.0)
}

/// White at 0, dark blue at 1.
pub fn blues(t: f32) -> Colour {
    ramp(&BLUES, t)
}

/// White at 0, dark orange at 1.
pub fn oranges(t: f32) -> Colour {
    ramp(&ORANGES, t)
}

fn ramp(stops: &[Colour], t: f32) -> Colour {
    let position = t.clamp(0.0, 1.0) * (stops.len() - 1) as f32;
    let i = (position as usize).min(stops.len() - 2);
    stops[i].mix(stops[i + 1], position - i as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramps_reach_their_ends_and_their_middle() {
        assert_eq!([diverging(-1.0), diverging(0.0), diverging(1.0)], [DIVERGING[0], DIVERGING[4], DIVERGING[8]]);
        assert_eq!([diverging(-7.0), diverging(7.0)], [DIVERGING[0], DIVERGING[8]]);
        assert_eq!([blues(0.0), oranges(1.0)], [PAPER, ORANGES[4]]);
        // Not a number is black, which no ramp has: it must be seen.
        assert_eq!(diverging(f32::NAN), Colour(0, 0, 0));
    }

    #[test]
    fn text_is_white_on_dark_colours_only() {
        assert!(INK.is_dark() && FIRST.is_dark() && !PAPER.is_dark() && !GRID.is_dark());
    }
}
