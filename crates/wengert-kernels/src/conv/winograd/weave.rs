//! What the transforms need of a vector besides products: sums, and neighbours brought apart and together again.

#![expect(unsafe_code, reason = "vector intrinsics")]

use crate::Float;
use crate::matmul::vector::{Plain, Vector};

/// A vector that adds, and exchanges lanes with another.
pub(crate) trait Weave: Vector {
    /// `self + b` lane by lane.
    ///
    /// # Safety
    /// As for [`Vector`].
    unsafe fn add(self, b: Self) -> Self;
    /// `self - b` lane by lane.
    ///
    /// # Safety
    /// As for [`Vector`].
    unsafe fn sub(self, b: Self) -> Self;
    /// The lanes in the range from memory, the others zero; `p` is where lane 0 would lie.
    ///
    /// # Safety
    /// As for [`Vector`]; only the lanes in the range must be readable.
    unsafe fn load_lanes(p: *const Self::Element, from: usize, to: usize) -> Self;
    /// The lower half of the lanes from `p`, the upper half from `q`.
    ///
    /// # Safety
    /// As for [`Vector`].
    unsafe fn load_halves(p: *const Self::Element, q: *const Self::Element) -> Self;
    /// The lower half of the lanes to `p`, then the upper half to `q`.
    ///
    /// # Safety
    /// As for [`Vector`].
    unsafe fn store_halves(self, p: *mut Self::Element, q: *mut Self::Element);
    /// Of the lanes of `self` followed by those of `b`, the ones at even places, then those at odd places.
    ///
    /// # Safety
    /// As for [`Vector`].
    unsafe fn unweave(self, b: Self) -> [Self; 2];
    /// The inverse of [`unweave`](Weave::unweave): lanes of `self` and of `b` in turn.
    ///
    /// # Safety
    /// As for [`Vector`].
    unsafe fn weave(self, b: Self) -> [Self; 2];
}

impl<F: Float, const LANES: usize> Weave for Plain<F, LANES> {
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        let mut y = self;
        for i in 0..LANES {
            y.0[i] += b.0[i];
        }
        y
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        let mut y = self;
        for i in 0..LANES {
            y.0[i] -= b.0[i];
        }
        y
    }
    #[inline(always)]
    unsafe fn load_lanes(p: *const F, from: usize, to: usize) -> Self {
        let mut lanes = [F::ZERO; LANES];
        for (i, lane) in lanes.iter_mut().enumerate().take(to).skip(from) {
            // SAFETY: the caller promises these elements.
            *lane = unsafe { *p.wrapping_add(i) };
        }
        Plain(lanes)
    }
    #[inline(always)]
    unsafe fn load_halves(p: *const F, q: *const F) -> Self {
        let mut lanes = [F::ZERO; LANES];
        for i in 0..LANES / 2 {
            // SAFETY: the caller promises half a vector at each place.
            (lanes[i], lanes[LANES / 2 + i]) = unsafe { (*p.add(i), *q.add(i)) };
        }
        Plain(lanes)
    }
    #[inline(always)]
    unsafe fn store_halves(self, p: *mut F, q: *mut F) {
        let (low, high) = self.0.split_at(LANES / 2);
        // SAFETY: the caller promises half a vector at each place.
        unsafe {
            p.copy_from_nonoverlapping(low.as_ptr(), LANES / 2);
            q.copy_from_nonoverlapping(high.as_ptr(), LANES / 2);
        }
    }
    #[inline(always)]
    unsafe fn unweave(self, b: Self) -> [Self; 2] {
        let mut y = [self, b];
        for i in 0..LANES / 2 {
            y[0].0[i] = self.0[2 * i];
            y[0].0[LANES / 2 + i] = b.0[2 * i];
            y[1].0[i] = self.0[2 * i + 1];
            y[1].0[LANES / 2 + i] = b.0[2 * i + 1];
        }
        y
    }
    #[inline(always)]
    unsafe fn weave(self, b: Self) -> [Self; 2] {
        let mut y = [self, b];
        for i in 0..LANES / 2 {
            y[0].0[2 * i] = self.0[i];
            y[0].0[2 * i + 1] = b.0[i];
            y[1].0[2 * i] = self.0[LANES / 2 + i];
            y[1].0[2 * i + 1] = b.0[LANES / 2 + i];
        }
        y
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Weave;
    use core::arch::x86_64::*;

    impl Weave for __m512 {
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            // SAFETY: the caller promises the instructions.
            unsafe { _mm512_add_ps(self, b) }
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            // SAFETY: as above.
            unsafe { _mm512_sub_ps(self, b) }
        }
        #[inline(always)]
        unsafe fn load_lanes(p: *const f32, from: usize, to: usize) -> Self {
            // SAFETY: as above; masked lanes are not touched.
            unsafe { _mm512_maskz_loadu_ps(((1u32 << to) - (1u32 << from)) as u16, p) }
        }
        #[inline(always)]
        unsafe fn load_halves(p: *const f32, q: *const f32) -> Self {
            // SAFETY: as above.
            unsafe { _mm512_insertf32x8::<1>(_mm512_castps256_ps512(_mm256_loadu_ps(p)), _mm256_loadu_ps(q)) }
        }
        #[inline(always)]
        unsafe fn store_halves(self, p: *mut f32, q: *mut f32) {
            // SAFETY: as above.
            unsafe {
                _mm256_storeu_ps(p, _mm512_castps512_ps256(self));
                _mm256_storeu_ps(q, _mm512_extractf32x8_ps::<1>(self));
            }
        }
        #[inline(always)]
        unsafe fn unweave(self, b: Self) -> [Self; 2] {
            // SAFETY: as above.
            unsafe {
                let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
                let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
                [_mm512_permutex2var_ps(self, even, b), _mm512_permutex2var_ps(self, odd, b)]
            }
        }
        #[inline(always)]
        unsafe fn weave(self, b: Self) -> [Self; 2] {
            // SAFETY: as above.
            unsafe {
                let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
                let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
                [_mm512_permutex2var_ps(self, low, b), _mm512_permutex2var_ps(self, high, b)]
            }
        }
    }

    impl Weave for __m256 {
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            // SAFETY: the caller promises the instructions.
            unsafe { _mm256_add_ps(self, b) }
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            // SAFETY: as above.
            unsafe { _mm256_sub_ps(self, b) }
        }
        #[inline(always)]
        unsafe fn load_lanes(p: *const f32, from: usize, to: usize) -> Self {
            // SAFETY: as above; masked lanes are not touched.
            unsafe {
                let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                let below = _mm256_cmpgt_epi32(_mm256_set1_epi32(to as i32), lanes);
                let before = _mm256_cmpgt_epi32(_mm256_set1_epi32(from as i32), lanes);
                _mm256_maskload_ps(p, _mm256_andnot_si256(before, below))
            }
        }
        #[inline(always)]
        unsafe fn load_halves(p: *const f32, q: *const f32) -> Self {
            // SAFETY: as above.
            unsafe { _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(q)) }
        }
        #[inline(always)]
        unsafe fn store_halves(self, p: *mut f32, q: *mut f32) {
            // SAFETY: as above.
            unsafe {
                _mm_storeu_ps(p, _mm256_castps256_ps128(self));
                _mm_storeu_ps(q, _mm256_extractf128_ps::<1>(self));
            }
        }
        #[inline(always)]
        unsafe fn unweave(self, b: Self) -> [Self; 2] {
            // SAFETY: as above.
            unsafe {
                // Halves first, since the shuffle below works within them.
                let low = _mm256_permute2f128_ps::<0x20>(self, b);
                let high = _mm256_permute2f128_ps::<0x31>(self, b);
                [_mm256_shuffle_ps::<0x88>(low, high), _mm256_shuffle_ps::<0xdd>(low, high)]
            }
        }
        #[inline(always)]
        unsafe fn weave(self, b: Self) -> [Self; 2] {
            // SAFETY: as above.
            unsafe {
                let (low, high) = (_mm256_unpacklo_ps(self, b), _mm256_unpackhi_ps(self, b));
                [_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high)]
            }
        }
    }
}
