//! Bodies that differ between the widths in constants alone.
//!
//! A module that takes them has the bounds of `exp` and the parts of `ln 2` for its float, the polynomials `exp_tail`
//! and `log_sum`, `tanh_of` and `tanh_slope_of`, and its cheapest conversion of an exponent, `float`.

/// The bodies for the float `$f`, whose bits are an `$i` or a `$u`.
macro_rules! shared_bodies {
    ($f:ident $i:ident $u:ident) => {
        /// Stored bits of the significand.
        const MANTISSA_BITS: $i = $f::MANTISSA_DIGITS as $i - 1;
        /// What is added to exponents.
        const BIAS: $i = $f::MAX_EXP as $i - 1;

        /// What brings the exponents of all finite results on either side of 1 among those of normal numbers.
        const LIFT: $i = 2 * MANTISSA_BITS;

        /// `a * b + c`, in one rounding where that is an instruction.
        #[inline(always)]
        pub(super) fn mul_add<const FMA: bool>(a: $f, b: $f, c: $f) -> $f {
            if FMA { a.mul_add(b, c) } else { a * b + c }
        }

        /// `2^n`, where that is normal.
        #[inline(always)]
        fn power_of_two(n: $i) -> $f {
            $f::from_bits((n.wrapping_add(BIAS) << MANTISSA_BITS) as $u)
        }

        /// `x = n ln 2 + r` with `|r| <= ln 2 / 2`: returns `n` twice and `r`.
        #[inline(always)]
        fn reduce<const FMA: bool>(x: $f) -> ($f, $i, $f) {
            let shifted = mul_add::<FMA>(x, LOG2_E, ROUND);
            let n = shifted - ROUND;
            let r = mul_add::<FMA>(n, -LN_2_HIGH, x);
            let r = mul_add::<FMA>(n, -LN_2_LOW, r);
            (n, shifted.to_bits().wrapping_sub(ROUND.to_bits()) as $i, r)
        }

        /// `e^x = 2^n p`: returns `p`, within 0.8 ulp, and `n`.
        #[inline(always)]
        fn parts_of_exp<const FMA: bool>(x: $f) -> ($f, $i) {
            let (steps, n, r) = reduce::<FMA>(x);
            // What the reduction and the sum 1 + r round away goes into the tail. Without it the error is 1 ulp, and
            // that of the sigmoid above 2.
            let rest = mul_add::<FMA>(steps, -LN_2_LOW, mul_add::<FMA>(steps, -LN_2_HIGH, x) - r);
            let sum = 1.0 + r;
            (sum + (mul_add::<FMA>(exp_tail::<FMA>(r), r * r, rest) + (r - (sum - 1.0))), n)
        }

        /// `e^x`, within 0.8 ulp.
        #[inline(always)]
        pub(super) fn exp<const FMA: bool>(x: $f) -> $f {
            // Beyond these the result is infinite or zero anyway. A NaN passes both comparisons and stays.
            let x = if x > EXP_MOST { EXP_MOST } else { x };
            let x = if x < EXP_LEAST { EXP_LEAST } else { x };
            let (p, n) = parts_of_exp::<FMA>(x);
            // Two factors, since 2^n alone would overflow before the result does and be zero where the result is
            // subnormal. The second is one of two constants.
            let lift = if x < 0.0 { LIFT } else { -LIFT };
            p * power_of_two(n.wrapping_add(lift)) * if x < 0.0 { power_of_two(-LIFT) } else { power_of_two(LIFT) }
        }

        /// `2^n p` for `n <= 0`, down to the subnormals.
        #[inline(always)]
        fn scaled_down(p: $f, n: $i) -> $f {
            p * power_of_two(n.wrapping_add(LIFT)) * power_of_two(-LIFT)
        }

        /// `e^x` for `x <= 0`, to the bit as [`exp`].
        #[inline(always)]
        pub(super) fn exp_fall<const FMA: bool>(x: $f) -> $f {
            let x = if x < EXP_LEAST { EXP_LEAST } else { x };
            let (p, n) = parts_of_exp::<FMA>(x);
            scaled_down(p, n)
        }

        /// `e^(-2|x|)`, within 1 ulp: `tanh` does not need the last bit.
        #[inline(always)]
        fn exp_for_tanh<const FMA: bool>(x: $f) -> $f {
            let x = -2.0 * x.abs();
            let x = if x < EXP_LEAST { EXP_LEAST } else { x };
            let (_, n, r) = reduce::<FMA>(x);
            scaled_down(mul_add::<FMA>(exp_tail::<FMA>(r), r * r, r) + 1.0, n)
        }

        /// `e^x` for `x <= 0`, within 1 ulp, and zero instead of what is within a few binades of the subnormals: a
        /// quarter faster than [`exp`], for sums that hold a 1.
        #[inline(always)]
        pub(super) fn exp_decay<const FMA: bool>(x: $f) -> $f {
            let clamped = if x < EXP_DECAY_LEAST { EXP_DECAY_LEAST } else { x };
            let (_, n, r) = reduce::<FMA>(clamped);
            let p = mul_add::<FMA>(exp_tail::<FMA>(r), r * r, r) + 1.0;
            // The result is normal, so its power of two goes straight into the exponent's bits. A NaN would not survive
            // that.
            let y = $f::from_bits(p.to_bits().wrapping_add((n << MANTISSA_BITS) as $u));
            let y = if x >= EXP_DECAY_LEAST { y } else { x };
            if x < EXP_DECAY_LEAST { 0.0 } else { y }
        }

        /// `e^x - 1`, within 2 ulp.
        #[inline(always)]
        pub(super) fn exp_m1<const FMA: bool>(x: $f) -> $f {
            let clamped = if x > EXP_MOST { EXP_MOST } else { x };
            let clamped = if clamped < EXP_M1_LEAST { EXP_M1_LEAST } else { clamped };
            let (n, exponent, r) = reduce::<FMA>(clamped);
            let p = mul_add::<FMA>(exp_tail::<FMA>(r), r * r, r);
            // 2^n (p + 1) - 1, computed as twice 2^(n-1) p + (2^(n-1) - 1/2) for the sake of the largest n.
            let scale = power_of_two(exponent.wrapping_sub(1));
            let y = 2.0 * mul_add::<FMA>(scale, p, scale - 0.5);
            let y = if n == 0.0 { p } else { y };
            if x == 0.0 { x } else { y }
        }

        /// `e = floor(log2 x)` roughly, and `x / 2^e - 1` with `x / 2^e` in `[sqrt(1/2), sqrt 2)`; `x` is positive and
        /// normal.
        #[inline(always)]
        fn split(x: $f) -> ($i, $f) {
            const SQRT_HALF: $i = (SQRT_2 / 2.0).to_bits() as $i;
            let bits = (x.to_bits() as $i).wrapping_sub(SQRT_HALF);
            let significand = (bits & ((1 << MANTISSA_BITS) - 1)).wrapping_add(SQRT_HALF);
            (bits >> MANTISSA_BITS, $f::from_bits(significand as $u) - 1.0)
        }

        /// `ln x`, within 1 ulp.
        #[inline(always)]
        pub(super) fn ln<const FMA: bool>(x: $f) -> $f {
            let subnormal = x < $f::MIN_POSITIVE;
            let scaled = if subnormal { x * ((1 as $u) << MANTISSA_BITS) as $f } else { x };
            let (e, f) = split(scaled);
            let e = float(e) - if subnormal { MANTISSA_BITS as $f } else { 0.0 };
            let y = log_sum::<FMA>(e, f);
            let y = if x < $f::INFINITY { y } else { x }; // +inf and NaN
            let y = if x == 0.0 { $f::NEG_INFINITY } else { y };
            if x < 0.0 { $f::NAN } else { y }
        }

        /// `ln(1 + x)` for `x` from 0 to 1, within 1.5 ulp: without the exponents of [`ln_1p`] and what it asks of its
        /// argument.
        #[inline(always)]
        pub(super) fn ln_1p_of_fraction<const FMA: bool>(x: $f) -> $f {
            // Halved from `sqrt 2` on, the sum with 1 is where the polynomial holds.
            let halved = x > SQRT_2 - 1.0;
            let (e, f) = if halved { (1.0, 0.5 * x - 0.5) } else { (0.0, x) };
            log_sum::<FMA>(e, f)
        }

        /// `1 / (1 + e^-x)`, within 2 ulp.
        #[inline(always)]
        pub(super) fn sigmoid<const FMA: bool>(x: $f) -> $f {
            crate::math::sigmoid_of(exp_fall::<FMA>(-x.abs()), x < 0.0, mul_add::<FMA>)
        }

        /// Its slope.
        #[inline(always)]
        pub(super) fn sigmoid_slope<const FMA: bool>(x: $f) -> $f {
            crate::math::sigmoid_slope_of(exp_fall::<FMA>(-x.abs()), mul_add::<FMA>)
        }

        /// `tanh x`, within 2 ulp.
        #[inline(always)]
        pub(super) fn tanh<const FMA: bool>(x: $f) -> $f {
            tanh_of::<FMA>(x, exp_for_tanh::<FMA>(x))
        }

        /// Its slope.
        #[inline(always)]
        pub(super) fn tanh_slope<const FMA: bool>(x: $f) -> $f {
            tanh_slope_of::<FMA>(x, exp_for_tanh::<FMA>(x))
        }
    };
}
pub(super) use shared_bodies;
