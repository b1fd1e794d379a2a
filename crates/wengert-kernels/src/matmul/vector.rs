//! The vectors a product's micro-kernel is written over, one type for each level and width.

#![expect(unsafe_code, reason = "vector intrinsics and loads through pointers")]

use crate::Float;
use crate::dispatch::{Level, simd_level};

/// A register of floats.
///
/// # Safety
/// The methods may be called only where the processor has the instructions of the type, and, to become those
/// instructions, from code that is inlined into a function compiled for them. Pointers must be valid for the lanes
/// touched; they need no alignment.
pub(crate) trait Vector: Copy {
    /// The element.
    type Element: Float;
    /// Elements in a register.
    const LANES: usize;
    /// Rows of the largest tile with two vectors a row whose accumulators, operands and broadcast fit the registers.
    const TILE_ROWS: usize;

    /// All lanes `x`.
    unsafe fn splat(x: Self::Element) -> Self;
    /// All lanes from memory.
    unsafe fn load(p: *const Self::Element) -> Self;
    /// The first `n` lanes from memory, the others zero.
    unsafe fn load_first(p: *const Self::Element, n: usize) -> Self;
    /// All lanes to memory.
    unsafe fn store(self, p: *mut Self::Element);
    /// The first `n` lanes to memory.
    unsafe fn store_first(self, p: *mut Self::Element, n: usize);
    /// All lanes to memory around the caches. The pointer must be aligned to a whole vector, and
    /// [`order_stores`](Vector::order_stores) follow before anyone reads.
    #[inline(always)]
    unsafe fn store_around(self, p: *mut Self::Element) {
        // SAFETY: passed on.
        unsafe { self.store(p) }
    }
    /// Makes what went around the caches precede what is written from now on.
    #[inline(always)]
    fn order_stores() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 processor has the instruction.
        unsafe {
            core::arch::x86_64::_mm_sfence();
        }
    }
    /// `self * b + c` lane by lane.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// `self * b` lane by lane.
    unsafe fn mul(self, b: Self) -> Self;
    /// The transpose of a matrix of `rows <= LANES` rows at `source + i * stride` and `LANES` columns: row `j` of the
    /// transpose, `rows` elements, goes to `target + j * target_stride`.
    unsafe fn transpose(
        source: *const Self::Element,
        stride: usize,
        rows: usize,
        target: *mut Self::Element,
        target_stride: usize,
    );

    /// Does some work in a function of its own, compiled for the instructions of the type.
    ///
    /// # Safety
    /// As for the work.
    unsafe fn apart<W: Work<Self>>(work: W);

    /// Stores all lanes, or the first `n` if they are fewer.
    ///
    /// # Safety
    /// As for [`store_first`](Vector::store_first).
    #[inline(always)]
    unsafe fn store_up_to(self, p: *mut Self::Element, n: usize) {
        // SAFETY: the caller promises the instructions and `n` elements.
        unsafe { if n == Self::LANES { self.store(p) } else { self.store_first(p, n) } }
    }
}

/// Work written over vectors, which [`Vector::apart`] does in a function of its own.
pub(crate) trait Work<V> {
    /// Does the work.
    ///
    /// # Safety
    /// As for [`Vector`], and what the fields say.
    unsafe fn run(self);
}

/// Does some work with the vectors of a level.
///
/// # Safety
/// What the work's fields say holds.
pub(crate) unsafe fn at_level<F: Float, W>(level: Level, work: W)
where
    W: Work<F::Portable> + Work<F::Avx2> + Work<F::Avx512>,
{
    // SAFETY: `simd_level` found the instructions; the rest is passed on.
    unsafe {
        match level.min(simd_level()) {
            Level::Avx512 => F::Avx512::apart(work),
            Level::Avx2 => F::Avx2::apart(work),
            Level::Portable => F::Portable::apart(work),
        }
    }
}

/// Statements for each lane of a [`Plain`] vector, two or four. Written out: as a loop every use takes the compiler a
/// dozen passes to unroll, and products and transforms have thousands.
macro_rules! each_lane {
    ($lanes:ident: $i:ident => $body:expr) => {{
        const { assert!($lanes == 2 || $lanes == 4) };
        each_lane!(@ $i 0 $body);
        each_lane!(@ $i 1 $body);
        if $lanes == 4 {
            each_lane!(@ $i 2 $body);
            each_lane!(@ $i 3 $body);
        }
    }};
    (@ $i:ident $lane:literal $body:expr) => {{
        let $i = $lane;
        $body;
    }};
}

/// Asks for a cache line that is soon needed.
#[inline(always)]
pub(crate) fn prefetch<F>(place: *const F) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which any address may be given.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// The vector without intrinsics: the compiler finds whatever 128-bit instructions the target has.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Plain<F, const LANES: usize>(pub(crate) [F; LANES]);

impl<F: Float, const LANES: usize> Vector for Plain<F, LANES> {
    type Element = F;
    const LANES: usize = LANES;
    const TILE_ROWS: usize = 6;

    #[inline(always)]
    unsafe fn splat(x: F) -> Self {
        let mut y = Plain([F::ZERO; LANES]);
        each_lane!(LANES: i => y.0[i] = x);
        y
    }
    #[inline(always)]
    unsafe fn load(p: *const F) -> Self {
        // SAFETY: the caller promises LANES readable elements; the read asks for no alignment.
        Plain(unsafe { p.cast::<[F; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_first(p: *const F, n: usize) -> Self {
        let mut lanes = [F::ZERO; LANES];
        for (i, lane) in lanes.iter_mut().enumerate().take(n) {
            // SAFETY: the caller promises `n` readable elements.
            *lane = unsafe { *p.add(i) };
        }
        Plain(lanes)
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut F) {
        // SAFETY: the caller promises LANES writable elements; the write asks for no alignment.
        unsafe { p.cast::<[F; LANES]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut F, n: usize) {
        for (i, &lane) in self.0.iter().enumerate().take(n) {
            // SAFETY: the caller promises `n` writable elements.
            unsafe { *p.add(i) = lane };
        }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        let mut y = c;
        each_lane!(LANES: i => y.0[i] += self.0[i] * b.0[i]);
        y
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        let mut y = self;
        each_lane!(LANES: i => y.0[i] *= b.0[i]);
        y
    }
    #[inline(never)]
    unsafe fn apart<W: Work<Self>>(work: W) {
        // SAFETY: passed on.
        unsafe { work.run() }
    }
    #[inline(always)]
    unsafe fn transpose(source: *const F, stride: usize, rows: usize, target: *mut F, target_stride: usize) {
        for i in 0..LANES {
            for j in 0..rows {
                // SAFETY: the caller promises `rows` rows of LANES elements on both sides.
                unsafe { *target.add(i * target_stride + j) = *source.add(j * stride + i) };
            }
        }
    }
}

/// A float with a vector for each level.
pub(crate) trait VectorFloat: Sized {
    /// The vector of [`Level::Portable`](crate::Level::Portable).
    type Portable: Vector<Element = Self>;
    /// The vector of [`Level::Avx2`](crate::Level::Avx2).
    type Avx2: Vector<Element = Self>;
    /// The vector of [`Level::Avx512`](crate::Level::Avx512).
    type Avx512: Vector<Element = Self>;
}

#[cfg(not(target_arch = "x86_64"))]
impl VectorFloat for f32 {
    type Portable = Plain<f32, 4>;
    type Avx2 = Plain<f32, 4>;
    type Avx512 = Plain<f32, 4>;
}
#[cfg(not(target_arch = "x86_64"))]
impl VectorFloat for f64 {
    type Portable = Plain<f64, 2>;
    type Avx2 = Plain<f64, 2>;
    type Avx512 = Plain<f64, 2>;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Plain, Vector, VectorFloat, Work};
    use core::arch::x86_64::*;

    impl VectorFloat for f32 {
        type Portable = Plain<f32, 4>;
        type Avx2 = __m256;
        type Avx512 = __m512;
    }
    impl VectorFloat for f64 {
        type Portable = Plain<f64, 2>;
        type Avx2 = __m256d;
        type Avx512 = __m512d;
    }

    macro_rules! common {
        ($f:ident, $lanes:literal, $rows:literal, $features:literal, $set1:ident $loadu:ident $storeu:ident $stream:ident $fmadd:ident $mul:ident) => {
            type Element = $f;
            const LANES: usize = $lanes;
            const TILE_ROWS: usize = $rows;
            #[inline(always)]
            unsafe fn splat(x: $f) -> Self {
                // SAFETY: the caller promises the instructions.
                unsafe { $set1(x) }
            }
            #[inline(always)]
            unsafe fn load(p: *const $f) -> Self {
                // SAFETY: the caller promises the instructions and the elements.
                unsafe { $loadu(p) }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $f) {
                // SAFETY: the caller promises the instructions and the elements.
                unsafe { $storeu(p, self) }
            }
            #[inline(always)]
            unsafe fn store_around(self, p: *mut $f) {
                // SAFETY: the caller promises the instructions, the elements and their alignment.
                unsafe { $stream(p.cast(), self) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: the caller promises the instructions.
                unsafe { $fmadd(self, b, c) }
            }
            #[inline(always)]
            unsafe fn mul(self, b: Self) -> Self {
                // SAFETY: the caller promises the instructions.
                unsafe { $mul(self, b) }
            }
            #[inline(never)]
            #[target_feature(enable = $features)]
            unsafe fn apart<W: Work<Self>>(work: W) {
                // SAFETY: passed on.
                unsafe { work.run() }
            }
        };
    }

    impl Vector for __m512 {
        // 28 accumulators, two vectors of the right operand and one broadcast: 31 of 32 registers.
        common!(f32, 16, 14, "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl", _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_stream_ps _mm512_fmadd_ps _mm512_mul_ps);
        #[inline(always)]
        unsafe fn load_first(p: *const f32, n: usize) -> Self {
            // SAFETY: the caller promises the instructions; masked lanes are not touched.
            unsafe { _mm512_maskz_loadu_ps(((1u32 << n) - 1) as u16, p) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f32, n: usize) {
            // SAFETY: as above.
            unsafe { _mm512_mask_storeu_ps(p, ((1u32 << n) - 1) as u16, self) }
        }
        #[inline(always)]
        unsafe fn transpose(source: *const f32, stride: usize, rows: usize, target: *mut f32, target_stride: usize) {
            // SAFETY: the caller promises the instructions, `rows` rows of 16 here and 16 of `rows` there.
            unsafe {
                // 4 x 4 blocks in place within 128-bit quarters, then the quarters change places.
                let mut r: [__m512; 16] = load_rows(source, stride, rows);
                for i in 0..4 {
                    let [a, b, c, d] = [r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]];
                    let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
                    let (ef, gh) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
                    r[4 * i] = _mm512_shuffle_ps::<0x44>(ab, cd);
                    r[4 * i + 1] = _mm512_shuffle_ps::<0xee>(ab, cd);
                    r[4 * i + 2] = _mm512_shuffle_ps::<0x44>(ef, gh);
                    r[4 * i + 3] = _mm512_shuffle_ps::<0xee>(ef, gh);
                }
                // Column 4 q + j of the result is quarter q of r[j], r[4 + j], r[8 + j], r[12 + j].
                for j in 0..4 {
                    let [a, b, c, d] = [r[j], r[4 + j], r[8 + j], r[12 + j]];
                    let (even_ab, odd_ab) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
                    let (even_cd, odd_cd) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
                    let columns = [
                        _mm512_shuffle_f32x4::<0x88>(even_ab, even_cd),
                        _mm512_shuffle_f32x4::<0x88>(odd_ab, odd_cd),
                        _mm512_shuffle_f32x4::<0xdd>(even_ab, even_cd),
                        _mm512_shuffle_f32x4::<0xdd>(odd_ab, odd_cd),
                    ];
                    for (q, column) in columns.into_iter().enumerate() {
                        column.store_up_to(target.add((4 * q + j) * target_stride), rows);
                    }
                }
            }
        }
    }

    impl Vector for __m512d {
        common!(f64, 8, 14, "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl", _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_stream_pd _mm512_fmadd_pd _mm512_mul_pd);
        #[inline(always)]
        unsafe fn load_first(p: *const f64, n: usize) -> Self {
            // SAFETY: the caller promises the instructions; masked lanes are not touched.
            unsafe { _mm512_maskz_loadu_pd(((1u32 << n) - 1) as u8, p) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f64, n: usize) {
            // SAFETY: as above.
            unsafe { _mm512_mask_storeu_pd(p, ((1u32 << n) - 1) as u8, self) }
        }
        #[inline(always)]
        unsafe fn transpose(source: *const f64, stride: usize, rows: usize, target: *mut f64, target_stride: usize) {
            // SAFETY: the caller promises the instructions, `rows` rows of 8 here and 8 of `rows` there.
            unsafe {
                let mut r: [__m512d; 8] = load_rows(source, stride, rows);
                for i in 0..4 {
                    let [a, b] = [r[2 * i], r[2 * i + 1]];
                    r[2 * i] = _mm512_unpacklo_pd(a, b);
                    r[2 * i + 1] = _mm512_unpackhi_pd(a, b);
                }
                // Column 2 q + j of the result is quarter q of r[j], r[2 + j], r[4 + j], r[6 + j].
                for j in 0..2 {
                    let [a, b, c, d] = [r[j], r[2 + j], r[4 + j], r[6 + j]];
                    let (even_ab, odd_ab) = (_mm512_shuffle_f64x2::<0x88>(a, b), _mm512_shuffle_f64x2::<0xdd>(a, b));
                    let (even_cd, odd_cd) = (_mm512_shuffle_f64x2::<0x88>(c, d), _mm512_shuffle_f64x2::<0xdd>(c, d));
                    let columns = [
                        _mm512_shuffle_f64x2::<0x88>(even_ab, even_cd),
                        _mm512_shuffle_f64x2::<0x88>(odd_ab, odd_cd),
                        _mm512_shuffle_f64x2::<0xdd>(even_ab, even_cd),
                        _mm512_shuffle_f64x2::<0xdd>(odd_ab, odd_cd),
                    ];
                    for (q, column) in columns.into_iter().enumerate() {
                        column.store_up_to(target.add((2 * q + j) * target_stride), rows);
                    }
                }
            }
        }
    }

    impl Vector for __m256 {
        // 12 accumulators, two vectors of the right operand and one broadcast: 15 of 16 registers.
        common!(f32, 8, 6, "avx2,fma", _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_stream_ps _mm256_fmadd_ps _mm256_mul_ps);
        #[inline(always)]
        unsafe fn load_first(p: *const f32, n: usize) -> Self {
            // SAFETY: the caller promises the instructions; masked lanes are not touched.
            unsafe { _mm256_maskload_ps(p, first_words(n)) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f32, n: usize) {
            // SAFETY: as above.
            unsafe { _mm256_maskstore_ps(p, first_words(n), self) }
        }
        #[inline(always)]
        unsafe fn transpose(source: *const f32, stride: usize, rows: usize, target: *mut f32, target_stride: usize) {
            // SAFETY: the caller promises the instructions, `rows` rows of 8 here and 8 of `rows` there.
            unsafe {
                let mut r: [__m256; 8] = load_rows(source, stride, rows);
                for i in 0..2 {
                    let [a, b, c, d] = [r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]];
                    let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
                    let (ef, gh) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
                    r[4 * i] = _mm256_shuffle_ps::<0x44>(ab, cd);
                    r[4 * i + 1] = _mm256_shuffle_ps::<0xee>(ab, cd);
                    r[4 * i + 2] = _mm256_shuffle_ps::<0x44>(ef, gh);
                    r[4 * i + 3] = _mm256_shuffle_ps::<0xee>(ef, gh);
                }
                for j in 0..4 {
                    _mm256_permute2f128_ps::<0x20>(r[j], r[4 + j]).store_up_to(target.add(j * target_stride), rows);
                }
                for j in 0..4 {
                    _mm256_permute2f128_ps::<0x31>(r[j], r[4 + j])
                        .store_up_to(target.add((4 + j) * target_stride), rows);
                }
            }
        }
    }

    impl Vector for __m256d {
        common!(f64, 4, 6, "avx2,fma", _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_stream_pd _mm256_fmadd_pd _mm256_mul_pd);
        #[inline(always)]
        unsafe fn load_first(p: *const f64, n: usize) -> Self {
            // SAFETY: the caller promises the instructions; masked lanes are not touched.
            unsafe { _mm256_maskload_pd(p, first_doubles(n)) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f64, n: usize) {
            // SAFETY: as above.
            unsafe { _mm256_maskstore_pd(p, first_doubles(n), self) }
        }
        #[inline(always)]
        unsafe fn transpose(source: *const f64, stride: usize, rows: usize, target: *mut f64, target_stride: usize) {
            // SAFETY: the caller promises the instructions, `rows` rows of 4 here and 4 of `rows` there.
            unsafe {
                let [a, b, c, d]: [__m256d; 4] = load_rows(source, stride, rows);
                let (ab, cd) = (_mm256_unpacklo_pd(a, b), _mm256_unpacklo_pd(c, d));
                let (ef, gh) = (_mm256_unpackhi_pd(a, b), _mm256_unpackhi_pd(c, d));
                _mm256_permute2f128_pd::<0x20>(ab, cd).store_up_to(target, rows);
                _mm256_permute2f128_pd::<0x20>(ef, gh).store_up_to(target.add(target_stride), rows);
                _mm256_permute2f128_pd::<0x31>(ab, cd).store_up_to(target.add(2 * target_stride), rows);
                _mm256_permute2f128_pd::<0x31>(ef, gh).store_up_to(target.add(3 * target_stride), rows);
            }
        }
    }

    /// `N` vectors, `stride` apart; past the last of `rows`, that one again.
    #[inline(always)]
    unsafe fn load_rows<V: Vector, const N: usize>(source: *const V::Element, stride: usize, rows: usize) -> [V; N] {
        // SAFETY: passed on. No closure: it would be compiled without the instructions of the caller.
        unsafe {
            let mut r = [V::load(source); N];
            for (i, r) in r.iter_mut().enumerate() {
                *r = V::load(source.add(i.min(rows - 1) * stride));
            }
            r
        }
    }

    /// All ones in the first `n` of eight 32-bit lanes.
    #[inline(always)]
    unsafe fn first_words(n: usize) -> __m256i {
        // SAFETY: called for AVX2 vectors only, whose caller promises the instructions.
        unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
    }

    /// All ones in the first `n` of four 64-bit lanes.
    #[inline(always)]
    unsafe fn first_doubles(n: usize) -> __m256i {
        // SAFETY: called for AVX2 vectors only, whose caller promises the instructions.
        unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
    }
}
