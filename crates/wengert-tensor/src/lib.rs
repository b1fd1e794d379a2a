//! Tensors as plain values: shapes, strides, views, recycled storage.
//!
//! A [`Tensor`] is numbers in a rectangular arrangement, and a value like any other: cloning one shares its storage,
//! and writing to one never changes another. There is no graph here and no gradient; those are in `wengert-core`, which
//! builds on this. The names are those of NumPy and PyTorch.
//!
//! # Making tensors
//!
//! From nested arrays, vectors and iterators, filled, counted, random with a seed:
//! ```
//! use wengert_tensor::{Tensor, rng};
//!
//! let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
//! assert_eq!(*x.shape(), [2, 3]);
//! let w = Tensor::<f64>::normal([3, 2], 0.0, 0.1, &mut rng(7)); // the same numbers on every platform
//! assert_eq!(*x.matmul(&w).shape(), [2, 2]);
//! ```
//! The element types are `f32` and `f64`, and for labels, counts and masks `i32`, `i64`, `u32`, `u8` and `bool`.
//!
//! # Calculating
//!
//! Operators and elementary functions work element by element. Operands of different shapes are repeated to a common
//! one where they have one entry or no axis; aligned at the last axis, dimensions must be equal or 1. Reductions run
//! over everything or over axes, which [`keep`] leaves in place with one entry; negative axes count from the end:
//! ```
//! use wengert_tensor::{Tensor, keep};
//!
//! let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
//! let centred = &x - x.mean_axes(keep(0));
//! assert_eq!(centred.sum_axes(0).to_vec(), [0.0; 3]);
//! assert_eq!(x.argmax_axis(-1).to_vec(), [2, 2]);
//! assert_eq!(x.greater(2.5).select(&x, 0.0).sum(), 18.0);
//! ```
//!
//! With feature `linalg`: `cholesky`, `solve`, `inverse`, `det`, `lstsq`, `qr`, `eigh`, `svd`, `expm` and others, of a
//! matrix or of each of a batch.
//!
//! # Views
//!
//! Transposing, slicing with steps, flipping, broadcasting and most reshapes copy nothing: the result is the same
//! storage read in another order. Products read such operands where they are; element-by-element operations bring them
//! into order first. [`as_slice`](Tensor::as_slice) shows elements that are in order,
//! [`to_contiguous`](Tensor::to_contiguous) puts them there.
//! ```
//! use wengert_tensor::{Slice, Tensor};
//!
//! let x = Tensor::<i64>::arange(12).reshape([3, 4]);
//! let y = x.slice(1, Slice::from(..).step(-2)).t(); // every second column from the last, as rows
//! assert_eq!(y, Tensor::from([[3, 7, 11], [1, 5, 9]]));
//! assert!(y.shares_storage(&x));
//! ```
//!
//! # Mistakes
//!
//! What does not fit is a [`ShapeError`], which names the operation, the shapes, the axis or index, and what to do.
//! Methods called `try_x` return it; `x` panics with the same sentence at the line that called it, and operators do the
//! same. Requests beyond all memory are among these errors, not the end of the program.
//! ```
//! use wengert_tensor::Tensor;
//!
//! let (a, b) = (Tensor::<f32>::ones([2, 3]), Tensor::ones([2, 3]));
//! assert_eq!(
//!     a.try_matmul(&b).unwrap_err().to_string(),
//!     "matmul: inner dimensions differ: lhs [2, 3] contracts 3 entries, rhs [2, 3] contracts 2; transpose one side?",
//! );
//! ```
//!
//! # Storage
//!
//! Storage is aligned to cache lines, counts its owners, and goes back to a [`pool`] of idle buffers with the last of
//! them: programs that ask for the same sizes step after step allocate nothing. Memory is written in place when nobody
//! shares it (`+=`, [`add_scaled`](Tensor::add_scaled), [`make_mut`](Tensor::make_mut)) and copied first when somebody
//! does.
//!
//! # How it is built
//!
//! `shape`, `axis` and `layout` are arithmetic on numbers; `buffer` is the storage, and the only module with `unsafe`
//! in it; `tensor` puts a layout over a buffer. `walk` goes over several layouts at once in runs as long as possible,
//! `zip` lines up two operands for the kernels, and the loops themselves are those of `wengert-kernels`. The other
//! modules are operations by subject.

mod adaptive_pool;
mod arithmetic;
mod attention;
mod axis;
mod buffer;
mod chain;
mod construct;
mod conv;
mod conv3d;
mod conv_transpose;
mod copy;
mod delegate;
mod diagonal;
mod einsum;
mod element;
mod elementary;
mod error;
mod index;
mod interpolate;
mod iter;
mod join;
mod lanes;
mod layout;
#[cfg(feature = "linalg")]
mod linalg;
mod linear;
mod lstm;
mod map;
mod masked;
mod matmul;
mod matrix_norm;
#[cfg(feature = "ndarray")]
mod ndarray;
mod normalize;
mod order;
mod pick;
mod pool2d;
mod print;
mod random;
mod reader;
mod rearrange;
mod reduce;
mod refusal;
mod resample;
mod scan;
mod scatter_reduce;
mod shape;
mod slice;
mod softmax;
mod statistics;
mod tensor;
mod unfold;
mod view;
mod walk;
mod zip;

pub use attention::Attention;
pub use axis::{Axes, Axis, keep};
pub use buffer::pool;
pub use conv::{Convolution, ConvolutionAlgorithm, Pair};
pub use conv_transpose::TransposedConvolution;
pub use conv3d::{Convolution3d, Triple};
pub use element::{Element, FloatElement, Numeric, Signed};
pub use error::ShapeError;
pub use interpolate::Interpolation;
pub use iter::Iter;
pub use layout::Strides;
#[cfg(feature = "linalg")]
pub use linalg::{LinalgError, Triangle};
pub use map::Cast;
pub use matrix_norm::MatrixNorm;
pub use pick::positions_along;
pub use pool2d::{Places, Pooling};
pub use rand::Rng;
pub use random::rng;
pub use reader::Reader;
pub use rearrange::Padding;
pub use scatter_reduce::Reduction;
pub use shape::Shape;
pub use slice::Slice;
pub use tensor::Tensor;
pub use unfold::Windows;

#[doc(hidden)]
pub use adaptive_pool::{Adaptive, largest_positions};
#[doc(hidden)]
pub use conv3d::Flattened;
#[doc(hidden)]
pub use delegate::one_high;
#[doc(hidden)]
pub use diagonal::triangle_mask;
#[doc(hidden)]
pub use einsum::{Contract, contract};
#[doc(hidden)]
pub use interpolate::{Shuffle, interpolated_shape};
#[cfg(feature = "linalg")]
#[doc(hidden)]
pub use linalg::{Factorize, Lu, check_right_side};
#[doc(hidden)]
pub use masked::masked_positions;
#[doc(hidden)]
pub use matmul::vector_product;
#[doc(hidden)]
pub use matrix_norm::check_matrix_norm;
#[doc(hidden)]
pub use normalize::{check_epsilon, check_groups, group_rows};
#[doc(hidden)]
pub use order::quantile_place;
#[doc(hidden)]
pub use pick::check_entries;
#[doc(hidden)]
pub use rearrange::{check_list, chunk_sizes, first_padded, padded_entries, tiled_shapes};
#[doc(hidden)]
pub use refusal::{refusable, refuse};
#[doc(hidden)]
pub use resample::Taps;
#[doc(hidden)]
pub use scatter_reduce::{count_positions, reduced_positions};
#[doc(hidden)]
pub use statistics::check_norm;

#[doc(hidden)]
pub use wengert_kernels::normalize::Standard;
pub use wengert_kernels::{Binary, Parametric, Unary};
