//! The loops, compiled once per float, in this crate.
//!
//! A generic function is compiled in the crate that uses it, again in each, at that crate's optimisation level. The
//! loops are large, a few hundred of them at three levels, and worth nothing unoptimised; so the public functions,
//! which stay generic and thin, reach them through this trait, whose implementations for `f32` and `f64` are not
//! generic.

use crate::conv::{self, pass::Pass};
use crate::dispatch::Level;
use crate::elementwise::{self, Operand};
use crate::lstm::{self, Cell, CellBars};
use crate::matmul::{self, MatRef, blocked::Product};
use crate::normalize::{self, Standard};
use crate::optimizer::{self, Coefficients, Sgd};
use crate::pool::{self, Pool2d, Span};
use crate::reduce::{self, Extreme, Term};
use crate::rows::{self, Arithmetic};
use crate::softmax;
use crate::{Binary, Parametric, Unary};

macro_rules! compiled {
    ($( fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? = $generic:path; )*) => {
        /// The loops of this crate for one float. Private, so that it seals [`Float`](crate::Float).
        pub(crate) trait Compiled: Sized {
            $(
                #[doc = concat!("`", stringify!($generic), "`")]
                #[allow(clippy::too_many_arguments, reason = "operands of a loop")]
                fn $name($($arg: $ty),*) $(-> $out)?;
            )*
        }
        impl Compiled for f32 {
            $( fn $name($($arg: $ty),*) $(-> $out)? { $generic($($arg),*) } )*
        }
        impl Compiled for f64 {
            $( fn $name($($arg: $ty),*) $(-> $out)? { $generic($($arg),*) } )*
        }
    };
}

compiled! {
    fn unary_at(level: Level, op: Unary, x: &[Self], y: &mut [Self]) = elementwise::loops::unary_at;
    fn unary_vjp_at(level: Level, op: Unary, x: &[Self], y: &[Self], y_bar: &[Self], x_bar: &mut [Self])
        = elementwise::loops::unary_vjp_at;
    fn value_and_slope_at(level: Level, op: Unary, x: &[Self], y: &mut [Self], slope: &mut [Self])
        = elementwise::loops::value_and_slope_at;
    fn binary_at(level: Level, op: Binary, a: &[Self], b: &[Self], y: &mut [Self]) = elementwise::loops::binary_at;
    fn fused_at(level: Level, fused: elementwise::loops::Fused, x: [&[Self]; 4], y: &mut [Self]) = elementwise::loops::fused_at;
    fn left_vjp_at(level: Level, op: Binary, a: &[Self], b: &[Self], y: &[Self], y_bar: &[Self], a_bar: &mut [Self])
        = elementwise::loops::left_vjp_at;
    fn right_vjp_at(level: Level, op: Binary, a: &[Self], b: &[Self], y: &[Self], y_bar: &[Self], b_bar: &mut [Self])
        = elementwise::loops::right_vjp_at;
    fn parametric_at(op: Parametric, x: &[Self], y: &mut [Self]) = elementwise::loops::parametric_loop;
    fn parametric_vjp_at(op: Parametric, x: &[Self], y: &[Self], y_bar: &[Self], x_bar: &mut [Self])
        = elementwise::loops::parametric_vjp_loop;
    fn add_assign_at(level: Level, y: &mut [Self], x: &[Self]) = elementwise::loops::add_assign_loop;
    fn add_scaled_at(level: Level, y: &mut [Self], c: Self, x: &[Self]) = elementwise::loops::add_scaled_loop;
    fn scale_at(level: Level, y: &mut [Self], c: Self) = elementwise::loops::scale_loop;

    fn load_rows_at(level: Level, points: &[&[Self]], rows: &mut [Self]) = rows::load_at;
    fn narrow_rows_at(level: Level, op: Arithmetic, values: &mut [Self], results: &[u32], operands: &[u32])
        = rows::narrow;
    fn narrow_rows_vjp_at(
        level: Level, op: Arithmetic, active: u8, values: &[Self], results: &[u32], operands: &[u32], bars: &mut [Self],
        own: &[u32], places: &[u32],
    ) = rows::narrow_vjp;
    fn wide_rows_at(
        level: Level, op: Arithmetic, parts: usize, values: &mut [Self], results: &[u32], operands: &[u32],
    ) = rows::wide;
    fn wide_rows_vjp_at(
        level: Level, op: Arithmetic, parts: usize, active: u8, values: &[Self], results: &[u32], operands: &[u32],
        bars: &mut [Self], own: &[u32], places: &[u32],
    ) = rows::wide_vjp;
    fn careful_rows_vjp_at(
        op: Arithmetic, parts: usize, active: u8, values: &[Self], results: &[u32], operands: &[u32], bars: &mut [Self],
        own: &[u32], places: &[u32],
    ) = rows::short_parts_vjp::<Self, true>;

    fn product_at(level: Level, product: Product<'_, Self>) = matmul::blocked::at;
    fn pack_right_at(level: Level, b: MatRef<'_, Self>, sizes: [usize; 2], target: &mut [Self]) = matmul::blocked::pack_right;
    fn combine_rows_at(level: Level, x: &[Self], x_stride: usize, k: usize, rows: &[Self], stride: usize, y: &mut [Self])
        = matmul::gemv::combine_rows;
    fn dot_rows_at(level: Level, rows: &[Self], stride: usize, x: &[Self], alpha: Self, y: &mut [Self])
        = matmul::gemv::dot_rows;

    fn conv_pack_at(
        level: Level, pass: &Pass, w: &[Self], strides: [usize; 2], first: usize, packed: &mut [Self],
    ) = conv::product::pack_at;
    fn conv_product_at(level: Level, pass: &Pass, x: &[Self], packed: &[Self], part: conv::product::Part<'_, Self>)
        = conv::product::at;
    fn conv_weight_at(level: Level, pass: &Pass, x: &[Self], y_bar: &[Self], images: conv::weight::Images, w_bar: &mut [Self])
        = conv::weight::at;
    fn conv_add_sums_at(level: Level, sums: conv::pooled::Sums<'_, Self>) = conv::pooled::add_sums_at;
    fn turn_at(level: Level, rows: usize, x: &[Self], y: &mut [Self]) = conv::pooled::turn_at;

    fn max_planes_at(level: Level, pool: &Pool2d, spans: &[Span], x: &[Self], y: &mut [Self], at: &mut [u32])
        = pool::largest::max_planes;
    fn mean_plane_at(level: Level, pool: &Pool2d, spans: &[Span], x: &[Self], y: &mut [Self]) = pool::mean_plane;
    fn mean_plane_of_many_at(level: Level, pool: &Pool2d, spans: &[Span], x: &[Self], y: &mut [Self])
        = pool::mean_plane_of_many;
    fn mean_plane_adjoint_at(level: Level, pool: &Pool2d, spans: &[Span], y_bar: &[Self], x_bar: &mut [Self]) = pool::mean_plane_adjoint;

    fn block_sum_at(level: Level, term: Term, a: &[Self], b: &[Self]) -> f64 = reduce::block_sum_at;
    fn add_to_lanes_at(level: Level, x: &[Self], lanes: &mut [f64; reduce::LANES]) = reduce::add_to_lanes;
    fn add_rows_at(level: Level, term: Term, rows: &[Self], n: usize, stride: usize, sums: &mut [f64]) = reduce::add_rows_at;
    fn block_extreme_at(level: Level, extreme: Extreme, x: &[Self]) -> (Self, bool) = reduce::block_extreme_at;
    fn extreme_row_at(level: Level, extreme: Extreme, best: &mut [Self], row: &[Self]) = reduce::extreme_row_at;

    fn softmax_rows(level: Level, x: &[Self], n: usize, y: &mut [Self]) = softmax::rows::softmax;
    fn log_softmax_rows(level: Level, x: &[Self], n: usize, y: &mut [Self]) = softmax::rows::log_softmax;
    fn log_sum_exp_rows(level: Level, x: &[Self], n: usize, y: &mut [Self]) = softmax::rows::log_sum_exp;
    fn softmax_vjp_rows(level: Level, y: &[Self], y_bar: &[Self], n: usize, x_bar: &mut [Self])
        = softmax::rows::softmax_vjp;
    fn log_softmax_vjp_rows(level: Level, y: &[Self], y_bar: &[Self], n: usize, x_bar: &mut [Self])
        = softmax::rows::log_softmax_vjp;
    fn log_sum_exp_vjp_rows(level: Level, x: &[Self], n: usize, y_bar: &[Self], x_bar: &mut [Self])
        = softmax::rows::log_sum_exp_vjp;
    fn cross_entropy_rows(level: Level, x: &[Self], n: usize, labels: &[usize], loss: &mut [Self], stats: &mut [Self])
        = softmax::rows::cross_entropy;
    fn cross_entropy_vjp_rows(
        level: Level, x: &[Self], n: usize, labels: &[usize], stats: &[Self], y_bar: Operand<'_, Self>, x_bar: &mut [Self],
    ) = softmax::rows::cross_entropy_vjp;

    fn statistics_rows(level: Level, standard: Standard, x: &[Self], n: usize, stats: &mut [Self]) = normalize::rows::statistics;
    fn standardized_rows(
        level: Level, x: &[Self], n: usize, weight: &[Self], bias: &[Self], stats: &[Self], y: &mut [Self],
    ) = normalize::rows::apply;
    fn standardize_rows(
        level: Level, standard: Standard, x: &[Self], n: usize, weight: &[Self], bias: &[Self], y: &mut [Self], stats: &mut [Self],
    ) = normalize::rows::standardize;
    fn standardize_vjp_rows(
        level: Level, standard: Standard, x: &[Self], n: usize, weight: &[Self], stats: &[Self], y_bar: &[Self],
        x_bar: &mut [Self], sums: &mut [f64],
    ) = normalize::rows::standardize_vjp;
    fn masked_softmax_rows(level: Level, x: &mut [Self], n: usize, allowed: &[bool], stats: &mut [Self])
        = softmax::rows::masked_softmax;
    fn masked_softmax_again_rows(level: Level, x: &mut [Self], n: usize, allowed: &[bool], stats: &[Self])
        = softmax::rows::masked_softmax_again;

    fn lstm_cell_rows(level: Level, hidden: usize, before: Cell<'_, Self>, gates: &mut [Self], state: &mut [Self]) = lstm::cell_rows;
    fn lstm_cell_vjp_rows(
        level: Level, hidden: usize, before: Cell<'_, Self>, gates: &[Self], state: &[Self], bars: CellBars<'_, Self>, gates_bar: &mut [Self],
        c_bar: &mut [Self],
    ) = lstm::cell_vjp_rows;

    fn sgd_at(level: Level, s: Sgd<Self>, grad: &[Self], param: &mut [Self]) = optimizer::sgd_plain;
    fn sgd_momentum_at(
        level: Level, s: Sgd<Self>, keep: Self, take: Self, grad: &[Self], velocity: &mut [Self], param: &mut [Self],
    ) = optimizer::sgd_momentum;
    fn adam_at(
        level: Level, c: Coefficients<Self>, grad: &[Self], m: &mut [Self], v: &mut [Self], param: &mut [Self],
    ) = optimizer::adam_loop;
}
