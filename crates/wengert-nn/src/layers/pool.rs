//! Pooling layers.

use super::no_parameters;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use wengert_core::{TensorFloat, TensorVar};
use wengert_tensor::{Pair, Pooling};

macro_rules! pooling_layers {
    ($( $(#[$doc:meta])* $Layer:ident: $method:ident; )*) => { $(
        $(#[$doc])*
        ///
        /// Shapes: `x: [n, c, h, w]`, output `[n, c, oh, ow]` with `oh = (h + 2 padding - kernel) / stride + 1`. No
        /// parameters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $Layer(pub(super) Pooling);

        no_parameters!($Layer);

        impl $Layer {
            /// Windows of this size, side by side.
            #[must_use]
            pub fn new(kernel: impl Into<Pair>) -> Self {
                $Layer(Pooling::new(kernel))
            }

            /// The same layer with windows this far apart.
            #[must_use]
            pub fn stride(self, stride: impl Into<Pair>) -> Self {
                $Layer(self.0.stride(stride))
            }

            /// The same layer with so many places on every side of the images, fewer than a window has.
            #[must_use]
            pub fn padding(self, padding: impl Into<Pair>) -> Self {
                $Layer(self.0.padding(padding))
            }
        }

        impl<F: TensorFloat> Layer<F> for $Layer {
            #[track_caller]
            fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
                Ok(x.$method(&self.0)?)
            }
        }
    )* };
}

pooling_layers! {
    /// The largest element of each window; the first of equals receives the gradient.
    ///
    /// # Examples
    /// ```
    /// use wengert_nn::{Layer, MaxPool2d};
    /// use wengert_tensor::Tensor;
    ///
    /// let images = Tensor::<f32>::zeros([10, 3, 28, 28]);
    /// assert_eq!(*MaxPool2d::new(2).predict(&images)?.shape(), [10, 3, 14, 14]);
    /// assert_eq!(*MaxPool2d::new(3).stride(2).padding(1).predict(&images)?.shape(), [10, 3, 14, 14]);
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    MaxPool2d: try_max_pool2d;
    /// The mean of each window; places outside the images count, as zeros.
    AvgPool2d: try_avg_pool2d;
}

macro_rules! adaptive_layers {
    ($( $(#[$doc:meta])* $Layer:ident: $method:ident; )*) => { $(
        $(#[$doc])*
        ///
        /// Shapes: `x: [n, c, h, w]`, output `[n, c, oh, ow]` whatever `h` and `w`. No parameters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $Layer([usize; 2]);

        no_parameters!($Layer);

        impl $Layer {
            /// So many windows, `[vertical, horizontal]`, that share the images out as evenly as possible.
            #[must_use]
            pub fn new(output: impl Into<Pair>) -> Self {
                $Layer(output.into().0)
            }
        }

        impl<F: TensorFloat> Layer<F> for $Layer {
            #[track_caller]
            fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
                Ok(x.$method(self.0)?)
            }
        }
    )* };
}

adaptive_layers! {
    /// The largest element of each of a given number of windows; the first of equals receives the gradient.
    AdaptiveMaxPool2d: try_adaptive_max_pool2d;
    /// The mean of each of a given number of windows. With one window it is the global mean.
    ///
    /// # Examples
    /// ```
    /// use wengert_nn::{AdaptiveAvgPool2d, Layer};
    /// use wengert_tensor::Tensor;
    ///
    /// for size in [7, 13, 40] {
    ///     let images = Tensor::<f32>::zeros([10, 3, size, size]);
    ///     assert_eq!(*AdaptiveAvgPool2d::new(6).predict(&images)?.shape(), [10, 3, 6, 6]);
    /// }
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    AdaptiveAvgPool2d: try_adaptive_avg_pool2d;
}
