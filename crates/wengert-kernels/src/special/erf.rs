//! The error function and its relatives: complement, inverse, normal distribution.
//!
//! Everything rests on the scaled complement `exp(x^2) erfc(x)`, which is tame: polynomials on pieces of `x >= 1/2` and
//! a polynomial in `1/x^2` beyond 8; in the middle `erf` itself is a polynomial. The coefficients are Chebyshev fits
//! with 50 digits, rounded (`tests/reference/coefficients.py`); each is within 1.2e-16 of its function, most within
//! 5e-17. The Gaussian factor takes what the rounding of the square lost as a factor of its own, so that tails keep
//! their digits down to the subnormals.

use core::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

/// `sqrt(pi)/2`.
const SQRT_PI_HALF: f64 = 0.886_226_925_452_758;
/// `1/sqrt(2 pi)`.
const INV_SQRT_2PI: f64 = 0.398_942_280_401_432_7;
/// `sqrt(2/pi)`.
const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;

/// A polynomial on an interval.
struct Piece {
    end: f64,
    middle: f64,
    powers: [f64; 17],
}

/// `erf(x)/x - 1` in powers of `x^2`, for `|x| <= 1/2`.
const CENTRE: [f64; 12] = [
    0.1283791670955126,
    -0.37612638903183754,
    0.11283791670955126,
    -0.026866170645131242,
    0.005223977625441806,
    -0.0008548327023363943,
    0.00012055332969230665,
    -1.4925649162903559e-5,
    1.6462038363970583e-6,
    -1.636264690374604e-7,
    1.4721521176389801e-8,
    -1.0958654538847351e-9,
];

/// The scaled complement in powers of `x - middle`, up to `end`.
const PIECES: [Piece; 6] = [
    Piece {
        end: 1.0,
        middle: 0.75,
        powers: [
            0.5069376502931449,
            -0.3679726916557954,
            0.2309581315512983,
            -0.1298360619948811,
            0.06679054252756873,
            -0.03189726203968045,
            0.01428919866593539,
            -0.006051532297346454,
            0.00243763736079733,
            -0.000938512054126988,
            0.00034675066079882706,
            -0.0001233545973934497,
            4.237254464835813e-5,
            -1.4084645276562734e-5,
            4.5426255554213065e-6,
            -1.4588542973779605e-6,
            4.4454451280847605e-7,
        ],
    },
    Piece {
        end: 1.75,
        middle: 1.375,
        powers: [
            0.3432958898621254,
            -0.18431546997466777,
            0.08986211864695719,
            -0.04050337122340118,
            0.017084991607390358,
            -0.006804603105287626,
            0.002576220779200762,
            -0.0009320855814750552,
            0.00032365077638853314,
            -0.00010823682778385708,
            3.496502300438936e-5,
            -1.0938283816318301e-5,
            3.3208707890193137e-6,
            -9.79429726284813e-7,
            2.8161461092590827e-7,
            -8.258426484142557e-8,
            2.2575386293583425e-8,
        ],
    },
    Piece {
        end: 3.0,
        middle: 2.375,
        powers: [
            0.22050569220490668,
            -0.08097712912220591,
            0.02818501053966761,
            -0.009358486060331612,
            0.002979303073191973,
            -0.0009130565045503831,
            0.00027026462491113167,
            -7.747943520001343e-5,
            2.1562742231926367e-5,
            -5.837309220839863e-6,
            1.5398217929587165e-6,
            -3.9643918073058033e-7,
            9.973362273003891e-8,
            -2.4457687715793552e-8,
            5.898132711453004e-9,
            -1.5277074636466052e-9,
            3.532676723257981e-10,
        ],
    },
    Piece {
        end: 4.25,
        middle: 3.625,
        powers: [
            0.15028972247426936,
            -0.03877867915705971,
            0.009717010529927907,
            -0.0023696773240473802,
            0.0005634651151281041,
            -0.00013084651268270995,
            2.9715502217076834e-5,
            -6.607947763857723e-6,
            1.4404229018884977e-6,
            -3.080920978676631e-7,
            6.471774809003243e-8,
            -1.3362193002592455e-8,
            2.7135573314073115e-9,
            -5.414889150417279e-10,
            1.0660438653876306e-10,
            -2.1994755195737698e-11,
            4.199915252853692e-12,
        ],
    },
    Piece {
        end: 6.0,
        middle: 5.125,
        powers: [
            0.10809973724654746,
            -0.020356860318401043,
            0.0037708281147421233,
            -0.000687577486898457,
            0.0001234967471938102,
            -2.1862663011771026e-5,
            3.8168664189367115e-6,
            -6.574921781073184e-7,
            1.1180475506353853e-7,
            -1.877616886788295e-8,
            3.1153653010498505e-9,
            -5.109214979350656e-10,
            8.284209389731627e-11,
            -1.3247996937790617e-11,
            2.1022010336563856e-12,
            -3.57907007369971e-13,
            5.554945760921228e-14,
        ],
    },
    Piece {
        end: 8.0,
        middle: 7.0,
        powers: [
            0.07980005432915294,
            -0.011178406487371504,
            0.0015512089175523983,
            -0.00021329604300314602,
            2.9068308265191802e-5,
            -3.927154058706684e-6,
            5.260766180457128e-7,
            -6.989078077431387e-8,
            9.210288328732478e-9,
            -1.204169130201329e-9,
            1.562204162794206e-10,
            -2.0114440886368855e-11,
            2.570636466377088e-12,
            -3.255229560932843e-13,
            4.100921229412203e-14,
            -5.487246173684636e-15,
            6.811408383676445e-16,
        ],
    },
];

/// `x` times the scaled complement in powers of `1/x^2`, from 8 on.
const TAIL: [f64; 10] = [
    0.5641895835477563,
    -0.28209479177387453,
    0.42314218765313183,
    -1.0578554628098449,
    3.702491472744577,
    -16.66057448672644,
    91.53972990498953,
    -586.5240186310999,
    3933.1437972155836,
    -19269.359025840087,
];

/// A polynomial as its first coefficient, which dominates, and the sum of the rest.
fn polynomial(coefficients: &[f64], x: f64) -> (f64, f64) {
    let Some((first, rest)) = coefficients.split_first() else { return (0.0, 0.0) };
    (*first, x * rest.iter().rev().fold(0.0, |sum, c| sum * x + c))
}

/// `exp(s x^2)` but for a factor close to 1, and by how much that differs from 1: what the rounding of the square lost.
fn exp_square_parts(x: f64, s: f64) -> (f64, f64) {
    let square = x * x;
    let e = (s * square).exp();
    (e, if e > 0.0 && e < f64::INFINITY { s * x.mul_add(x, -square) } else { 0.0 })
}

fn exp_square(x: f64, s: f64) -> f64 {
    let (e, rest) = exp_square_parts(x, s);
    if rest == 0.0 { e } else { e + e * rest }
}

/// `exp(-x^2)`.
pub(crate) fn gaussian(x: f64) -> f64 {
    exp_square(x, -1.0)
}

/// `exp(z^2) erfc(z) (1 + factor)` for `z >= 1/2`, the product `z = scale x` not rounded: `scale` comes in two parts.
fn scaled_erfc(x: f64, scale: [f64; 2], factor: f64) -> f64 {
    let z = scale[0] * x;
    let low = x * scale[1];
    // The last sum takes all corrections in, so that there is one rounding.
    match PIECES.iter().find(|piece| z <= piece.end) {
        Some(piece) => {
            let (first, rest) = polynomial(&piece.powers, x.mul_add(scale[0], -piece.middle) + low);
            first + (rest + (first + rest) * factor)
        }
        None if z < f64::INFINITY => {
            let (first, rest) = polynomial(&TAIL, (1.0 / z) / z);
            let low = (x.mul_add(scale[0], -z) + low) / z;
            (first + (rest + (first + rest) * (factor - low))) / z
        }
        None => 1.0 / z,
    }
}

/// `z = x`.
const UNIT: [f64; 2] = [1.0, 0.0];
/// `z = x/sqrt(2)`.
const INV_SQRT_2: [f64; 2] = [FRAC_1_SQRT_2, -4.833_646_656_726_457e-17];

/// The error function.
pub(crate) fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a <= 0.5 {
        let (first, rest) = polynomial(&CENTRE, x * x);
        x + x * (first + rest)
    } else {
        (1.0 - upper(a)).copysign(x)
    }
}

/// `erfc(x)` for `x >= 1/2`; NaN for NaN.
fn upper(x: f64) -> f64 {
    let (e, factor) = exp_square_parts(x, -1.0);
    if e == 0.0 { 0.0 } else { e * scaled_erfc(x, UNIT, factor) }
}

/// The complementary error function `1 - erf(x)`, with its digits in the tail.
pub(crate) fn erfc(x: f64) -> f64 {
    if x > 0.5 {
        upper(x)
    } else if x < -0.5 {
        2.0 - upper(-x)
    } else {
        1.0 - erf(x)
    }
}

/// The standard normal density.
pub(crate) fn norm_pdf(x: f64) -> f64 {
    INV_SQRT_2PI * exp_square(x, -0.5)
}

/// `P(X <= -x)` for `x sqrt(2) >= 1`.
///
/// By the exponential of `-x^2/2` itself: in `erfc(x/sqrt(2))` the rounding of the quotient would cost 1000 ulp at 38.
fn norm_tail(x: f64) -> f64 {
    let (e, factor) = exp_square_parts(x, -0.5);
    if e == 0.0 { 0.0 } else { 0.5 * e * scaled_erfc(x, INV_SQRT_2, factor) }
}

/// The standard normal distribution function.
pub(crate) fn norm_cdf(x: f64) -> f64 {
    if x < -0.72 {
        norm_tail(-x)
    } else if x > 0.72 {
        1.0 - norm_tail(x)
    } else {
        0.5 + 0.5 * erf(x * FRAC_1_SQRT_2)
    }
}

/// `x norm_cdf(x)`, 0 at minus infinity.
pub(crate) fn gelu(x: f64) -> f64 {
    crate::Float::mul_zero(x, norm_cdf(x))
}

/// The logarithm of the standard normal distribution function, without underflow.
pub(crate) fn log_norm_cdf(x: f64) -> f64 {
    if x < -1.0 {
        (0.5 * scaled_erfc(-x, INV_SQRT_2, 0.0)).ln() - 0.5 * x * x
    } else if x <= 0.0 {
        norm_cdf(x).ln()
    } else {
        (-norm_cdf(-x)).ln_1p()
    }
}

/// The inverse Mills ratio `norm_pdf(x)/norm_cdf(x)`.
pub(crate) fn inverse_mills(x: f64) -> f64 {
    if x < -0.72 { SQRT_2_OVER_PI / scaled_erfc(-x, INV_SQRT_2, 0.0) } else { norm_pdf(x) / norm_cdf(x) }
}

/// The continued fraction `k/(t + (k + 1)/(t + ..))` of Laplace.
fn laplace_fraction(t: f64, k: u32) -> f64 {
    // Measured to be enough for 1e-16 from 2.5 on.
    let terms = 24 + (500.0 / (t * t)) as u32;
    (k..k + terms).rev().fold(0.0, |rest, k| f64::from(k) / (t + rest))
}

/// `inverse_mills(x) + x`, which is `1/(t + 2/(t + 3/(t + ..)))` at `x = -t`.
pub(crate) fn mills_excess(x: f64) -> f64 {
    if x < -2.5 { laplace_fraction(-x, 1) } else { inverse_mills(x) + x }
}

/// `-m (m + x)` with the inverse Mills ratio `m`.
pub(crate) fn inverse_mills_slope(x: f64) -> f64 {
    if x == f64::NEG_INFINITY {
        -1.0
    } else if x == f64::INFINITY {
        -0.0
    } else {
        -inverse_mills(x) * mills_excess(x)
    }
}

/// `1 - m (m + x)` with the inverse Mills ratio `m`: the variance of a normal variable known to be below `x`.
pub(crate) fn mills_variance(x: f64) -> f64 {
    if x < -2.5 {
        let (outer, inner) = (laplace_fraction(-x, 1), laplace_fraction(-x, 2));
        outer * (inner - outer)
    } else {
        1.0 + inverse_mills_slope(x)
    }
}

/// The inverse error function, and what its rounding left over.
///
/// Two or three steps of Halley's method from a start that is right to 1 in 400: Winitzki 2008, "A handy approximation
/// for the error function and its inverse", and in the middle the first terms of the Taylor series. Each step cubes the
/// error.
fn erf_inv_parts(x: f64) -> (f64, f64) {
    let a = x.abs();
    if a <= 0.5 {
        let s = a * a;
        let mut y = a * SQRT_PI_HALF * (1.0 + s * (PI / 12.0 + s * (7.0 * PI * PI / 480.0)));
        for _ in 0..2 {
            let step = (erf(y) - a) / (FRAC_2_SQRT_PI * gaussian(y));
            y -= step / (1.0 + y * step);
        }
        return (y.copysign(x), 0.0);
    }
    let q = 1.0 - a;
    if q <= 0.0 || q.is_nan() {
        let y = if q == 0.0 { f64::INFINITY } else { f64::NAN };
        return (y.copysign(x), 0.0);
    }
    const A: f64 = 0.147;
    let log = (q * (1.0 + a)).ln();
    let middle = 2.0 / (PI * A) + 0.5 * log;
    let mut y = ((middle * middle - log / A).sqrt() - middle).sqrt();
    let residual = |y: f64| (q - erfc(y)) / (FRAC_2_SQRT_PI * gaussian(y));
    for _ in 0..3 {
        let step = residual(y);
        y -= step / (1.0 + y * step);
    }
    let rest = -residual(y);
    (y.copysign(x), if x < 0.0 { -rest } else { rest })
}

/// The inverse error function: infinite at -1 and 1.
pub(crate) fn erf_inv(x: f64) -> f64 {
    erf_inv_parts(x).0
}

/// The slope of [`erf_inv`]: `sqrt(pi)/2 exp(y^2)`, with the exact `y`, not the rounded one.
pub(crate) fn erf_inv_slope(x: f64) -> f64 {
    let (y, rest) = erf_inv_parts(x);
    let slope = SQRT_PI_HALF * exp_square(y, 1.0);
    if rest == 0.0 { slope } else { slope + slope * (2.0 * y * rest) }
}
