//! Filters to the factors of the products, `G w GT`, and the adjoint back, `GT u G`.

#![expect(clippy::needless_range_loop, reason = "entries of small matrices, by row and column")]
#![expect(unsafe_code, reason = "vector loads and stores")]

use super::transform::{Filter, FilterAdjoint, Matrix, both_axes};
use super::weave::Weave;

/// Entries of a filter.
pub(super) const ENTRIES: usize = 9;

/// Filters of one group as a pass sees them.
#[derive(Clone, Copy)]
pub(super) struct Filters<'a> {
    /// Starts with the group's first filter.
    pub(super) w: &'a [f32],
    /// How far apart two filters of the pass lie, along its outputs and along its channels.
    pub(super) strides: [usize; 2],
    /// Whether filters are turned by half a turn: in the adjoint for the images they are.
    pub(super) turned: bool,
}

/// Packs the transformed filters of a panel: for each point and each of `channels`, `rows` output channels side by
/// side, the first of them `out`. Those from `outs` on are zeros.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector).
#[inline(always)]
pub(super) unsafe fn pack<V: Weave<Element = f32>, const T: usize>(
    filters: &Filters<'_>,
    channels: usize,
    [out, outs]: [usize; 2],
    packed: &mut [f32],
) where
    Filter: Matrix<3, T>,
{
    let rows = packed.len() / (T * T * channels);
    assert!(V::LANES <= 16, "the gathered filters have room for 16 lanes");
    for channel in 0..channels {
        for first in (0..rows).step_by(V::LANES) {
            let lanes = V::LANES.min(rows - first);
            let wanted = outs.saturating_sub(out + first).min(lanes);
            let mut gathered = [[0.0_f32; 16]; ENTRIES];
            for lane in 0..wanted {
                let start = (out + first + lane) * filters.strides[0] + channel * filters.strides[1];
                let filter = &filters.w[start..start + ENTRIES];
                for (entry, to) in gathered.iter_mut().enumerate() {
                    to[lane] = filter[if filters.turned { ENTRIES - 1 - entry } else { entry }];
                }
            }
            // SAFETY: the gathered rows hold 16 lanes; for a point and channel the panel holds `rows` elements.
            unsafe {
                let mut w = [[V::splat(0.0); 3]; 3];
                for i in 0..3 {
                    for j in 0..3 {
                        w[i][j] = V::load(gathered[3 * i + j].as_ptr());
                    }
                }
                let u = both_axes::<Filter, V, 3, T>(w);
                for i in 0..T {
                    for j in 0..T {
                        let at = ((i * T + j) * channels + channel) * rows + first;
                        u[i][j].store_up_to(packed[at..at + lanes].as_mut_ptr(), lanes);
                    }
                }
            }
        }
    }
}

/// Writes the filters of up to two vectors of output channels, `w_bar: [outs, channels, 3, 3]`, from their transformed
/// sums: channel `c` at point `p` lies at `sums + p * stride + c * 2 LANES`.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector). The sums must be readable for all points and channels.
#[inline(always)]
pub(super) unsafe fn unpack<V: Weave<Element = f32>, const T: usize>(
    sums: *const f32,
    stride: usize,
    channels: usize,
    w_bar: &mut [f32],
) where
    FilterAdjoint: Matrix<T, 3>,
{
    let across = 2 * V::LANES;
    let of_filter = channels * ENTRIES;
    for (half, w_bar) in w_bar.chunks_mut(V::LANES * of_filter).enumerate() {
        for channel in 0..channels {
            let mut entries = [[0.0_f32; 16]; ENTRIES];
            // SAFETY: by the contract above; the entries hold 16 lanes.
            unsafe {
                let mut u = [[V::splat(0.0); T]; T];
                for i in 0..T {
                    for j in 0..T {
                        u[i][j] = V::load(sums.add((i * T + j) * stride + channel * across + half * V::LANES));
                    }
                }
                let w = both_axes::<FilterAdjoint, V, T, 3>(u);
                for i in 0..3 {
                    for j in 0..3 {
                        w[i][j].store(entries[3 * i + j].as_mut_ptr());
                    }
                }
            }
            for (out, filter) in w_bar.chunks_exact_mut(of_filter).enumerate() {
                for (y, entry) in filter[channel * ENTRIES..][..ENTRIES].iter_mut().zip(&entries) {
                    *y = entry[out];
                }
            }
        }
    }
}
