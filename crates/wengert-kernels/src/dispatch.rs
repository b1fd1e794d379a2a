//! Which instructions a loop may use: decided once per process, compiled three times.
//!
//! A loop is written once, as the body of a `kernel!`, and compiled for three sets of instructions. The compiler
//! vectorises it for each; what the body calls is `#[inline(always)]`, so that it is compiled with the loop's
//! instructions and not with the crate's. Every level computes with the same tree of sums, but only the upper two fuse
//! multiplication and addition, so the last bit may differ between machines. It never differs on one machine.

use core::sync::atomic::{AtomicU8, Ordering};

/// A set of instructions the kernels are compiled for.
///
/// Ordered: a processor that has one level has those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What every processor of the target has: SSE2 on x86-64, NEON on aarch64.
    Portable,
    /// AVX2 and fused multiply-add: 256-bit vectors.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 512-bit vectors.
    Avx512,
}

impl Level {
    /// The levels this processor has, the lowest first.
    ///
    /// What a test walks to compare the levels on one machine.
    pub fn available() -> impl Iterator<Item = Level> {
        [Level::Portable, Level::Avx2, Level::Avx512].into_iter().filter(|&level| level <= simd_level())
    }

    fn detect() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match (fma, wide) {
                (true, true) => Level::Avx512,
                (true, false) => Level::Avx2,
                (false, _) => Level::Portable,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Level::Portable
    }
}

const UNKNOWN: u8 = u8::MAX;
static LEVEL: AtomicU8 = AtomicU8::new(UNKNOWN);

/// The highest level of this processor, which every kernel runs at.
#[inline]
pub fn simd_level() -> Level {
    // Relaxed is enough: a thread that still reads UNKNOWN finds the same answer again.
    match LEVEL.load(Ordering::Relaxed) {
        0 => Level::Portable,
        1 => Level::Avx2,
        2 => Level::Avx512,
        _ => detect_and_keep(),
    }
}

#[cold]
fn detect_and_keep() -> Level {
    let level = Level::detect();
    LEVEL.store(level as u8, Ordering::Relaxed);
    level
}

/// Whether a level gets loops of its own where others would do. On x86-64 the level below AVX2 does not: processors
/// without AVX2 are old, `exp` of the standard library is as fast as ours in 128 bits, and the loops are a third fewer.
pub(crate) const fn vectorised<const FMA: bool>() -> bool {
    FMA || !cfg!(target_arch = "x86_64")
}

/// Declares functions whose bodies are compiled for every [`Level`]; their first argument is the level they run at, or
/// the highest the processor has if that is lower.
///
/// In the body `FMA` says whether `a * b + c` in one rounding is an instruction; where it is not, `mul_add` would be a
/// library call. Borrowed arguments name the lifetime `'a`. What the body calls must be `#[inline(always)]` if it is to
/// be vectorised with it.
///
/// ```ignore
/// kernel! {
///     fn scale_loop<F: Float>(y: &'a mut [F], c: F) -> () {
///         for y in y { *y *= c; }
///     }
/// }
/// ```
// The operands are arguments of the compiled functions, not fields of a closure or a struct: only of arguments does the
// compiler know that a mutable slice overlaps no other, and without that every loop is compiled a second time, scalar.
macro_rules! kernel {
    ($(
        $(#[$attr:meta])*
        $vis:vis fn $name:ident<$($g:ident: $bound:path),*>($($x:ident: $t:ty),* $(,)?) -> $out:ty $body:block
    )*) => { $(
        $(#[$attr])*
        #[allow(clippy::too_many_arguments, reason = "operands of a loop")]
        $vis fn $name<'a, $($g: $bound),*>(level: $crate::dispatch::Level, $($x: $t),*) -> $out {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, clippy::extra_unused_type_parameters, reason = "operands of a loop")]
            fn body<'a, const FMA: bool, $($g: $bound),*>($($x: $t),*) -> $out $body

            #[cfg(target_arch = "x86_64")]
            {
                use $crate::dispatch::{Level, simd_level};
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "operands of a loop")]
                fn avx2<'a, $($g: $bound),*>($($x: $t),*) -> $out {
                    body::<true, $($g),*>($($x),*)
                }
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                #[allow(clippy::too_many_arguments, reason = "operands of a loop")]
                fn avx512<'a, $($g: $bound),*>($($x: $t),*) -> $out {
                    body::<true, $($g),*>($($x),*)
                }
                match level.min(simd_level()) {
                    Level::Avx512 => {
                        #[expect(unsafe_code, reason = "the instructions were detected")]
                        // SAFETY: `simd_level` found these instructions on this processor, and the minimum cannot
                        // exceed it.
                        return unsafe { avx512::<$($g),*>($($x),*) };
                    }
                    Level::Avx2 => {
                        #[expect(unsafe_code, reason = "the instructions were detected")]
                        // SAFETY: as above.
                        return unsafe { avx2::<$($g),*>($($x),*) };
                    }
                    Level::Portable => {}
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = level;
            body::<false, $($g),*>($($x),*)
        }
    )* };
}
pub(crate) use kernel;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_the_portable_one_is_always_there() {
        let levels: Vec<_> = Level::available().collect();
        assert_eq!(levels[0], Level::Portable);
        assert!(levels.is_sorted());
        assert_eq!(levels.last(), Some(&simd_level()));
    }

    kernel! {
        fn fused<F: Copy>(x: &'a [F]) -> (usize, bool) { (x.len(), FMA) }
    }

    #[test]
    fn only_levels_with_fused_instructions_fuse() {
        for level in Level::available() {
            assert_eq!(fused(level, &[1.0, 2.0]), (2, level != Level::Portable), "{level:?}");
        }
    }
}
