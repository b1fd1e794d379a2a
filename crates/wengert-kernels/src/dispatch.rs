//! Which instructions a loop may use: decided once per process, compiled three times.
//!
//! A loop is written once, as the body of a [`Kernel`], and compiled for three sets of instructions. The compiler
//! vectorises it for each; what the body calls is `#[inline(always)]`, so that it is compiled with the loop's
//! instructions and not with the crate's. Every level computes with the same tree of sums, but only the upper two fuse
//! multiplication and addition, so the last bit may differ between machines. It never differs on one machine.

#![expect(unsafe_code, reason = "calling a function compiled for instructions that were detected at run time")]

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

/// A loop together with its operands, to be compiled for every [`Level`].
///
/// `run` must be `#[inline(always)]`, and so must everything it calls that is to be vectorised.
pub(crate) trait Kernel {
    /// What the loop returns.
    type Output;
    /// The loop. `FMA` says whether `a * b + c` in one rounding is an instruction; where it is not, `mul_add` would be a
    /// library call.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// Runs a loop at the given level, or at the highest the processor has if that is lower.
#[inline]
pub(crate) fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn avx2<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<true>()
        }
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        fn avx512<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<true>()
        }
        match level.min(simd_level()) {
            // SAFETY: `simd_level` found these instructions on this processor, and the minimum cannot exceed it.
            Level::Avx512 => return unsafe { avx512(kernel) },
            // SAFETY: as above.
            Level::Avx2 => return unsafe { avx2(kernel) },
            Level::Portable => {}
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = level;
    kernel.run::<false>()
}

/// Declares a function whose body is compiled for every [`Level`]; its first argument is the level.
///
/// In the body `FMA` is the constant of [`Kernel::run`]. Borrowed arguments name the lifetime `'a`.
///
/// ```ignore
/// kernel! {
///     fn scale_loop<F: Float>(y: &'a mut [F], c: F) {
///         for y in y { *y *= c; }
///     }
/// }
/// ```
macro_rules! kernel {
    ($(
        $(#[$attr:meta])*
        $vis:vis fn $name:ident<$($g:ident: $bound:path),*>($($x:ident: $t:ty),* $(,)?) -> $out:ty $body:block
    )*) => { $(
        $(#[$attr])*
        #[inline]
        $vis fn $name<'a, $($g: $bound),*>(level: $crate::dispatch::Level, $($x: $t),*) -> $out {
            struct Operands<'a, $($g: $bound),*> {
                $($x: $t,)*
                generics: core::marker::PhantomData<(&'a (), $($g),*)>,
            }
            impl<'a, $($g: $bound),*> $crate::dispatch::Kernel for Operands<'a, $($g),*> {
                type Output = $out;
                #[inline(always)]
                fn run<const FMA: bool>(self) -> $out {
                    let Operands { $($x,)* generics: _ } = self;
                    $body
                }
            }
            $crate::dispatch::dispatch(level, Operands::<'a, $($g),*> { $($x,)* generics: core::marker::PhantomData })
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
