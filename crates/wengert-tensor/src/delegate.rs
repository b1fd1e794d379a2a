//! Operations that others are made of, and whose errors are said of those: of the operation that was called, and of the
//! shapes it was given.
//!
//! Sequences are images one entry high. What is refused of the images is refused of the sequences, under another name.

use crate::error::ShapeError;
use crate::shape::Shape;

/// The shape `[a, b, 1, l]` of a sequence, or of its filters, `[a, b, l]`.
#[doc(hidden)]
pub fn one_high(op: &'static str, shape: &Shape, expected: &'static str) -> Result<Shape, ShapeError> {
    match **shape {
        [a, b, l] => Ok(Shape::from([a, b, 1, l])),
        _ => Err(ShapeError::Rank { op, shape: shape.clone(), expected }),
    }
}

impl ShapeError {
    /// The same of operation `called`, which is made of the one that failed. Shapes stay: they are those of the part.
    #[doc(hidden)]
    #[must_use]
    pub fn called(mut self, called: &'static str) -> Self {
        match &mut self {
            ShapeError::Setting { op, .. }
            | ShapeError::Channels { op, .. }
            | ShapeError::TransposedChannels { op, .. }
            | ShapeError::Groups { op, .. }
            | ShapeError::ChannelGroups { op, .. }
            | ShapeError::Window { op, .. }
            | ShapeError::Empty { op, .. }
            | ShapeError::Rank { op, .. }
            | ShapeError::Unequal { op, .. }
            | ShapeError::TooLarge { op, .. }
            | ShapeError::Memory { op, .. } => *op = called,
            // Convolutions, poolings and what they are made of refuse nothing else.
            _ => {}
        }
        self
    }

    /// The same of operation `called` on sequences, which were made images one entry high: without that axis.
    #[doc(hidden)]
    #[must_use]
    pub fn of_sequences(self, called: &'static str) -> Self {
        let mut error = self.called(called);
        match &mut error {
            ShapeError::Channels { x, weight, .. } | ShapeError::TransposedChannels { x, weight, .. } => {
                flatten(x);
                flatten(weight);
            }
            ShapeError::Window { axis, shape, .. } => {
                flatten(shape);
                *axis -= 1;
            }
            ShapeError::Groups { weight: shape, .. }
            | ShapeError::ChannelGroups { shape, .. }
            | ShapeError::Empty { shape, .. }
            | ShapeError::TooLarge { shape, .. }
            | ShapeError::Memory { shape, .. } => flatten(shape),
            _ => {}
        }
        error
    }
}

/// Takes the axis away that [`one_high`] added.
fn flatten(shape: &mut Shape) {
    if let [a, b, 1, l] = **shape {
        *shape = Shape::from([a, b, l]);
    }
}
