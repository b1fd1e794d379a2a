#!/usr/bin/env python3
"""Writes the reference values of the special functions, and of every smooth row's third and fourth derivative, beside this
file: special_unary.tsv, special_binary.tsv, special_parametric.tsv, higher_unary.tsv, higher_binary.tsv, higher_parametric.tsv.

The functions are mpmath's, the derivatives central differences of them with hundreds of digits: nothing here has seen the
library's rows. The units say where a result is a difference of larger terms: there an ulp is one of the largest term.
"""

import pathlib
import random

import mpmath
from arithmetic import columns, differentiate, show
from elementary import BINARY, RANDOM, RANDOM_PAIRS, UNARY
from mpmath import mpf

HERE = pathlib.Path(__file__).parent
rng = random.Random(2)
# Functions whose derivatives are as small as 1e-304 of them.
DEEP = {"log_sigmoid", "log_add_exp", "log_add_exp_share", "log_sub_exp", "log_sub_exp_ratio"}

exp, log, sqrt, pi, psi = mpmath.exp, mpmath.log, mpmath.sqrt, mpmath.pi, mpmath.psi

# Functions that are polynomials in an argument: some derivatives are 0.
POLYNOMIALS = {"square", "one_minus_square", "xlogy", "xlog1py", "div_zero"}


def is_polynomial(name):
    return name in POLYNOMIALS or name.startswith("Powi")


def uniform(lo, hi, n=8):
    return [rng.uniform(lo, hi) for _ in range(n)]


def signed(points):
    return [s * x for x in points for s in (1.0, -1.0)]


def sinc(x):
    return mpf(1) if x == 0 else mpmath.sinpi(x) / (pi * x)


def norm_pdf(x):
    return exp(-x * x / 2) / sqrt(2 * pi)


def norm_cdf(x):
    return mpmath.erfc(-x / sqrt(mpf(2))) / 2


def mills(x):
    return norm_pdf(x) / norm_cdf(x)


def excess(x):
    return mills(x) + x


def variance(x):
    return 1 - mills(x) * excess(x)


def mills_unit(x):
    return mills(x) * max(excess(x) ** 2, variance(x), one_in_the_middle(x))


def one_in_the_middle(x):
    """What the variance is subtracted from where the continued fraction would be long."""
    return mpf(x > -2.5)


def ln_gamma(x):
    return mpmath.loggamma(x) if x > 0 else log(abs(mpmath.gamma(x)))


def psi_unit(n, x):
    """The larger term of the recurrence or of the reflection."""
    if x < 0:
        return abs(psi(n, 1 - x)) + abs(psi(n, x))
    return 1 / x if n == 0 and x < 10 else mpf(0)


def ln_gamma_unit(x):
    return abs(ln_gamma(-x)) if x < -0.5 else mpf(0)


def gamma_slope_unit(x):
    return abs(mpmath.gamma(x)) * (psi_unit(0, x) + abs(psi(0, x)))


def height(x):
    """Of the waves of Bessel functions."""
    return sqrt(2 / (pi * abs(x))) if abs(x) > 1 else mpf(0)


def sinc_unit(n):
    return lambda x: pi**n / (1 + abs(pi * x)) if abs(x) > 0.3 else mpf(0)


def round_even(x):
    return mpmath.nint(x)


def polygamma(n):
    return lambda x: psi(n, x)


def bessel(function, n):
    # Negative orders come with an imaginary part of rounding errors.
    return lambda x: mpmath.re(function(n, x))


def derivative_of_sinc(n):
    return lambda x: sinc_series(n, x)


def sinc_series(n, x):
    # sinc(x) is the integral of cos(pi x t) over t from 0 to 1, differentiated term by term.
    total, k = mpf(0), (n + 1) // 2
    while True:
        term = (-1) ** k * pi ** (2 * k) * mpf(x) ** (2 * k - n) / ((2 * k + 1) * mpmath.factorial(2 * k - n))
        total += term
        k += 1
        if k > abs(x) * 4 + n + 5 and abs(term) <= mpmath.eps * abs(total):
            return total


ZERO = lambda x: mpf(0)  # noqa: E731
WIDE = [1e-5, 0.3, 1.0, 1.4616321449683622, 2.0, 2.5, 7.0, 9.9, 10.1, 23.0, 24.3, 100.0, 1e5]
POLES = [-0.3, -0.5, -1.5, -2.457024, -5.25, -9.75, -30.3]
WAVES = signed([1e-8, 0.1, 1.4, 1.6, 2.404825557695773, 7.0, 20.3, 29.9, 30.1, 45.0, 1e3])

# name: points, function, units of value, first and second derivative (None: the result itself)
UNARY_SPECIAL = {
    "exp2": (signed([1e-20, 0.3, 7.5, 300.3]) + uniform(-20, 20), lambda x: mpf(2) ** x, None),
    "sinpi": (signed([1e-20, 0.1, 0.25, 0.499, 0.75, 1.0, 1e3 + 0.3, 1e10 + 0.25]) + uniform(-9, 9), mpmath.sinpi, None),
    "cospi": (signed([1e-20, 0.1, 0.25, 0.499, 0.75, 0.5, 1e3 + 0.3, 1e10 + 0.25]) + uniform(-9, 9), mpmath.cospi, None),
    "sinc": (signed([1e-10, 1e-4, 0.1, 0.4, 1.0, 1.5, 100.25]) + [0.0] + uniform(-6, 6), sinc, (ZERO, sinc_unit(1), sinc_unit(2))),
    "logit": ([1e-200, 1e-9, 0.1, 0.25, 0.4, 0.6, 0.5 + 1e-12, 0.75, 0.9, 1 - 1e-9, 1 - 2.0**-53] + uniform(0, 1), lambda x: log(x / (1 - x)), (ZERO, ZERO, lambda x: max(1 / x**2, 1 / (1 - x) ** 2))),
    "log_sigmoid": (signed([1e-20, 1.0, 5.0, 36.75, 100.0, 700.0]) + uniform(-20, 20), lambda x: -mpmath.log1p(exp(-x)), None),
    "erf": (signed([1e-20, 1e-8, 0.3, 0.5, 0.51, 1.0, 3.0, 5.5]) + uniform(-4, 4), mpmath.erf, None),
    "erfc": (signed([1e-8, 0.3, 0.5, 0.51, 1.0, 3.0, 5.0]) + [8.1, 13.0, 20.0, 26.0] + uniform(-1, 10), mpmath.erfc, None),
    "erf_inv": (signed([1e-20, 1e-8, 0.3, 0.5, 0.51, 0.9, 0.999, 1 - 1e-9, 1 - 2.0**-53]) + uniform(-1, 1), mpmath.erfinv, None),
    "erf_inv_slope": (signed([1e-8, 0.3, 0.5, 0.51, 0.9, 0.999, 1 - 1e-9, 1 - 2.0**-53]) + uniform(-1, 1), lambda x: sqrt(pi) / 2 * exp(mpmath.erfinv(x) ** 2), None),
    "gaussian": (signed([1e-20, 0.3, 0.7, 3.0, 10.25, 26.1]) + uniform(-5, 5), lambda x: exp(-x * x), (ZERO, ZERO, lambda x: max(4 * x * x, mpf(2)) * exp(-x * x))),
    "norm_pdf": (signed([1e-20, 0.3, 0.999, 3.0, 10.25, 37.1]) + uniform(-5, 5), norm_pdf, (ZERO, ZERO, lambda x: max(x * x, mpf(1)) * norm_pdf(x))),
    "norm_cdf": (signed([1e-20, 0.3, 0.71, 0.73, 3.0, 8.1]) + [-10.25, -20.0, -37.4] + uniform(-5, 5), norm_cdf, None),
    "log_norm_cdf": (signed([1e-20, 0.3, 0.71, 1.1, 2.4, 2.6, 3.0, 8.1]) + [-20.0, -38.6, -1e3, -1e5, 20.0] + uniform(-5, 5), lambda x: log(norm_cdf(x)) if x < 1 else mpmath.log1p(-norm_cdf(-x)), None),
    "inverse_mills": (signed([1e-20, 0.3, 0.71, 1.1, 2.4, 2.6, 3.0, 8.1]) + [-20.0, -38.6, -1e3, 20.0] + uniform(-5, 5), mills, (ZERO, ZERO, mills_unit)),
    "inverse_mills_slope": (signed([1e-20, 0.3, 0.71, 1.1, 2.4, 2.6, 3.0, 8.1]) + [-20.0, -38.6, -1e3, 20.0] + uniform(-5, 5), lambda x: -mills(x) * excess(x), (ZERO, mills_unit, lambda x: mills_unit(x) * max(excess(x), mills(x)))),
    "mills_excess": (signed([1e-20, 0.3, 0.71, 1.1, 2.4, 2.6, 3.0, 8.1]) + [-20.0, -38.6, -1e3, 20.0] + uniform(-5, 5), excess, (ZERO, one_in_the_middle, mills_unit)),
    "mills_variance": (signed([1e-20, 0.3, 0.71, 1.1, 2.4, 2.6, 3.0, 8.1]) + [-20.0, -38.6, -1e3, 20.0] + uniform(-5, 5), variance, (one_in_the_middle, mills_unit, lambda x: mills_unit(x) * max(excess(x), mills(x)))),
    "gamma": ([1e-5, 0.3, 1.0, 1.4616321449683622, 2.5, 7.0, 22.9, 24.1, 100.0, 170.0] + POLES + [-100.3] + uniform(0, 10), mpmath.gamma, (ZERO, gamma_slope_unit, ZERO)),
    "ln_gamma": (WIDE + [1e-200, 1e200, 1 - 1e-9, 2 + 1e-9] + POLES + uniform(0, 12), ln_gamma, (ln_gamma_unit, lambda x: psi_unit(0, x), lambda x: psi_unit(1, x))),
    "digamma": (WIDE + [1e-100] + POLES + uniform(0, 12), polygamma(0), tuple((lambda n: lambda x: psi_unit(n, x))(n) for n in range(3))),
    "trigamma": (WIDE + [1e-60] + POLES + uniform(0, 12), polygamma(1), tuple((lambda n: lambda x: psi_unit(n, x))(n) for n in range(1, 4))),
    "bessel_j0": (WAVES + uniform(-30, 30), bessel(mpmath.besselj, 0), (height,) * 3),
    "bessel_j1": (WAVES + [0.0] + uniform(-30, 30), bessel(mpmath.besselj, 1), (height,) * 3),
    "bessel_i0": (signed([1e-8, 0.1, 1.4, 1.6, 7.0, 29.9, 30.1, 300.0, 700.0]) + uniform(-9, 9), bessel(mpmath.besseli, 0), None),
    "bessel_i1": (signed([1e-8, 0.1, 1.4, 1.6, 7.0, 29.9, 30.1, 300.0, 700.0]) + [0.0] + uniform(-9, 9), bessel(mpmath.besseli, 1), None),
}
STEPS = {"floor": mpmath.floor, "ceil": mpmath.ceil, "round_ties_even": round_even, "trunc": lambda x: mpmath.floor(x) if x >= 0 else mpmath.ceil(x)}
STEP_POINTS = signed([0.2, 0.5, 1.0, 1.5, 2.5, 0.49999999999999994, 2.0**52 + 1, 1e300, 7.9])


PARAMETRIC = {
    "Powi(0)": ([0.5, -2.0, 1e100], lambda x: mpf(1), None),
    "Powi(1)": ([0.5, -2.0, 1e100], lambda x: x, None),
    "Powi(2)": ([0.5, -2.0, 1e100], lambda x: x**2, None),
    "Powi(3)": ([0.5, -2.0, 1e90], lambda x: x**3, None),
    "Powi(-2)": ([0.5, -2.0, 1e50], lambda x: x**-2, None),
    **{f"Polygamma({n})": (WIDE + POLES, polygamma(n), tuple((lambda n: lambda x: psi_unit(n, x))(n + k) for k in range(3))) for n in (0, 2, 3, 4, 5)},
    **{f"BesselJ({n})": (WAVES, bessel(mpmath.besselj, n), (height,) * 3) for n in (2, 3, -1, 7)},
    **{f"BesselI({n})": (signed([1e-8, 0.1, 1.4, 1.6, 7.0, 29.9, 30.1, 300.0, 700.0]), bessel(mpmath.besseli, n), None) for n in (2, 3, -1, 7)},
    **{f"SincDerivative({n})": (signed([1e-10, 1e-4, 0.1, 0.4, 1.0, 1.5, 20.25]) + [0.0] + uniform(-4, 4), derivative_of_sinc(n), tuple(sinc_unit(n + k) for k in range(3))) for n in (1, 2, 3, 4)},
}
BOUNDED = {
    "Clamp(-1.0, 1.0)": (lambda x: min(max(x, mpf(-1)), mpf(1)), lambda x: mpf(abs(x) < 1)),
    "Clamp(-0.95, inf)": (lambda x: max(x, mpf(-0.95)), lambda x: mpf(x > -0.95)),
    "Clamp(1.0, 2.0)": (lambda x: min(max(x, mpf(1)), mpf(2)), lambda x: mpf(1 < x < 2)),
    "Inside(-1.0, 1.0)": (lambda x: mpf(abs(x) < 1), lambda x: mpf(0)),
    "Inside(1.0, 2.0)": (lambda x: mpf(1 < x < 2), lambda x: mpf(0)),
    "Heaviside(0.5)": (lambda x: mpf(x > 0), lambda x: mpf(0)),
    "Heaviside(1.0)": (lambda x: mpf(x > 0), lambda x: mpf(0)),
}


def density(a, x):
    return x ** (a - 1) * exp(-x) / mpmath.gamma(a)


def lower(a, x):
    return mpmath.gammainc(a, 0, x, regularized=True)


def log_unit(a, x):
    return max(abs(log(x)), abs(psi(0, a)))


def power_unit(a, x):
    return max(abs(a - 1) / x, mpf(1))


def density_units(a, x):
    y, m, n = density(a, x), log_unit(a, x), power_unit(a, x)
    return (0, y * m, y * n, y * (m**2 + psi(1, a)), y * (m * n + 1 / x), y * (n**2 + abs(a - 1) / x**2))


def cumulative_units(a, x):
    y = density(a, x)
    return (0, 0, 0, 0, y * log_unit(a, x), y * power_unit(a, x))


def digamma_unit(*x):
    return max(max(abs(psi(0, x)), psi_unit(0, x)) for x in x)


def beta_units(a, b):
    y = mpmath.beta(a, b)
    da, db, d = digamma_unit(a, a + b), digamma_unit(b, a + b), psi(1, a + b)
    return (0, y * da, y * db, y * (da**2 + psi(1, a) + d), y * (da * db + d), y * (db**2 + psi(1, b) + d))


def ln_beta(a, b):
    return ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)


def ln_beta_units(a, b):
    d = psi(1, a + b)
    value = max(abs(ln_gamma(a)), abs(ln_gamma(b)), abs(ln_gamma(a + b))) if max(a, b) < 10 else 0
    return (value, digamma_unit(a, a + b), digamma_unit(b, a + b), psi(1, a) + d, d, psi(1, b) + d)


def share(a, b):
    return 1 / (1 + exp(b - a))


def ratio(a, b):
    return 1 / mpmath.expm1(a - b)


def largest(a, b):
    return (max(abs(a), abs(b)), 0, 0, 0, 0, 0)


def share_units(a, b):
    s, t = share(a, b), share(b, a)
    return (0, 0, 0, s * t, s * t, s * t)


SHAPES = [(0.1, 0.01), (0.3, 1.5), (1.0, 0.5), (2.5, 2.0), (2.5, 7.0), (9.0, 30.0), (20.0, 15.0), (100.0, 103.0), (100.0, 60.0), (300.0, 390.0)]
LOGS = [(0.0, 0.0), (1.0, 1.0), (-0.7, -0.68), (1e4, 1e4 - 3.0), (300.0, -300.3), (-300.3, 300.0), (1e-9, 40.0)]
LOG_DIFFERENCES = [(1.0, 0.9999999), (5.0, 4.5), (0.1, -3.0), (300.0, -300.3), (0.0, -40.0), (1e4, 1e4 - 3.0)]
BETAS = [(1e-3, 2.0), (0.5, 0.5), (1.0, 7.0), (9.5, 9.9), (3.0, 25.0), (25.0, 40.0), (300.0, 350.5), (4.0, 1e6), (60.0, 1e5)]
BINARY_SPECIAL = {
    "log_add_exp": (LOGS + list(zip(uniform(-5, 5), uniform(-5, 5))), lambda a, b: log(exp(a) + exp(b)), largest),
    "log_add_exp_share": (LOGS + list(zip(uniform(-5, 5), uniform(-5, 5))), share, share_units),
    "log_sub_exp": (LOG_DIFFERENCES + list(zip(uniform(0, 5), uniform(-5, 0))), lambda a, b: log(exp(a) - exp(b)), lambda a, b: (max(abs(a), abs(log(-mpmath.expm1(b - a)))), 0, 0, 0, 0, 0)),
    "log_sub_exp_ratio": (LOG_DIFFERENCES + list(zip(uniform(0, 5), uniform(-5, 0))), ratio, None),
    "xlogy": ([(1e-100, 1e-100), (0.3, 1 + 1e-10), (-5.0, 1e10), (1e50, 0.2)] + list(zip(uniform(-3, 3), uniform(0, 5))), lambda a, b: a * log(b), None),
    "xlog1py": ([(1e-100, 1e-10), (0.3, -1 + 1e-10), (-5.0, 1e10), (1e50, 0.2)] + list(zip(uniform(-3, 3), uniform(-1, 5))), lambda a, b: a * mpmath.log1p(b), None),
    "xlogy_slope": ([(1e-100, 1e-100), (0.3, 1 + 1e-10), (-5.0, 1e10)] + list(zip(uniform(-3, 3), uniform(0, 5))), lambda a, b: log(b), None),
    "xlog1py_slope": ([(1e-100, 1e-10), (0.3, -1 + 1e-10), (-5.0, 1e10)] + list(zip(uniform(-3, 3), uniform(-1, 5))), lambda a, b: mpmath.log1p(b), None),
    "div_zero": ([(1e-50, 0.7), (-0.3, -3.0), (5.0, 1e50), (1e50, -1e-50)] + list(zip(uniform(-3, 3), uniform(0.1, 3))), lambda a, b: a / b, None),
    "beta": (BETAS + list(zip(uniform(0, 9), uniform(0, 20))), mpmath.beta, beta_units),
    "ln_beta": (BETAS + [(1e10, 3.0), (1e5, 1e7)] + list(zip(uniform(0, 9), uniform(0, 20))), ln_beta, ln_beta_units),
    "gamma_p": (SHAPES + list(zip(uniform(0, 9), uniform(0, 9))), lower, cumulative_units),
    "gamma_q": (SHAPES + [(1e-5, 0.3), (0.01, 1.2)] + list(zip(uniform(0, 9), uniform(0, 9))), lambda a, x: mpmath.gammainc(a, x, regularized=True), cumulative_units),
    "gamma_density": (SHAPES + list(zip(uniform(0, 9), uniform(0, 9))), density, density_units),
}
for k in range(1, 5):
    # The K-th derivative of P in the shape, whose own derivatives are mixed ones of P.
    BINARY_SPECIAL[f"gamma_p_shape{k}"] = (SHAPES, k, None)
FLAT = {  # value, da, db; second derivatives are 0
    "fmax": (max, lambda a, b: mpf(a > b), lambda a, b: mpf(a < b)),
    "fmin": (min, lambda a, b: mpf(a < b), lambda a, b: mpf(a > b)),
    "fmax_share": (lambda a, b: mpf(a > b), lambda a, b: mpf(0), lambda a, b: mpf(0)),
    "copysign": (lambda a, b: abs(a) * (1 if b > 0 else -1), lambda a, b: mpmath.sign(a) * (1 if b > 0 else -1), lambda a, b: mpf(0)),
    "fmod": (lambda a, b: a - b * towards_zero(a / b), lambda a, b: mpf(1), lambda a, b: -towards_zero(a / b)),
    "remainder": (lambda a, b: a - b * mpmath.floor(a / b), lambda a, b: mpf(1), lambda a, b: -mpmath.floor(a / b)),
}
FLAT_POINTS = [(x, y) for x in (1e-3, 0.3, -5.0, 7.25, -1e3) for y in (-0.01, 0.7, -3.0, 2.5)]


def towards_zero(x):
    return STEPS["trunc"](x)


def write(name, header, lines):
    (HERE / name).write_text("\n".join(["# " + header, *lines]) + "\n")


def line(name, arguments, results, units):
    units = units or [0] * len(results)
    return "\t".join([name, *map(show, arguments), *columns(results, units)])


def first_two(table):
    for name, (points, f, units) in table.items():
        for x in points:
            exact = mpf(x)
            digits = 500 if name in DEEP else 100
            results = [f(exact), *(differentiate(f, (exact,), (n,), digits, is_polynomial(name)) for n in (1, 2))]
            yield line(name, [x], results, [unit(exact) for unit in units] if units else None)


def write_unary():
    lines = list(first_two(UNARY_SPECIAL))
    lines += [line(name, [x], [f(mpf(x)), mpf(0), mpf(0)], None) for name, f in STEPS.items() for x in STEP_POINTS]
    write("special_unary.tsv", "function\tx\ty\tdy/dx\td2y/dx2\t[units of the three]", lines)
    lines = list(first_two(PARAMETRIC))
    points = signed([0.2, 0.99, 1.5, 3.0])
    lines += [line(name, [x], [f(mpf(x)), d(mpf(x)), mpf(0)], None) for name, (f, d) in BOUNDED.items() for x in points]
    write("special_parametric.tsv", "function\tx\ty\tdy/dx\td2y/dx2\t[units of the three]", lines)


def write_binary():
    orders = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]
    lines = []
    for name, (points, f, units) in BINARY_SPECIAL.items():
        for point in points:
            exact = [mpf(x) for x in point]
            if isinstance(f, int):
                if f > 2 and exact[0] > 100:
                    continue
                results = [differentiate(lower, exact, (i + f, j)) for i, j in orders]
                y, m = density(*exact), log_unit(*exact) + sqrt(psi(1, exact[0]))
                n = power_unit(*exact)
                size = abs(results[0])
                of = [size, size * m, y * m**f, size * m**2, y * m ** (f + 1), y * m**f * n]
                units = lambda *_: of  # noqa: E731
            else:
                digits = 500 if name in DEEP else 100
                results = [differentiate(f, exact, order, digits, is_polynomial(name)) if sum(order) else f(*exact) for order in orders]
            lines.append(line(name, point, results, units(*exact) if units else None))
    for name, (f, *slopes) in FLAT.items():
        for a, b in FLAT_POINTS:
            exact = (mpf(a), mpf(b))
            lines.append(line(name, (a, b), [f(*exact), *(g(*exact) for g in slopes), *[mpf(0)] * 3], None))
    write("special_binary.tsv", "function\ta\tb\ty\tdy/da\tdy/db\td2y/da2\td2y/dadb\td2y/db2\t[units of the six]", lines)


# Third and fourth derivatives. A result's unit is the size of the function's derivatives near the point: what is left of
# digits after as many differentiations is an absolute accuracy.
ROUGH = {"abs", "relu", "sign", "step"}
MIDDLE = {"recip": (0.5, 3), "ln": (0.5, 4), "sqrt": (0.5, 4), "cbrt": (0.5, 4), "acosh": (1.5, 4), "tan": (-1, 1), "asin": (-0.8, 0.8),
          "acos": (-0.8, 0.8), "atanh": (-0.8, 0.8), "ln_1p": (-0.5, 3), "log2": (0.5, 4), "log10": (0.5, 4), "logit": (0.1, 0.9),
          "erf_inv": (-0.8, 0.8), "erf_inv_slope": (-0.8, 0.8), "gamma": (0.5, 4), "ln_gamma": (0.5, 4), "digamma": (0.5, 4), "trigamma": (0.5, 4)}
SPEEDS = (1.0, 0.75)


def neighbourhood(f, x, n):
    """The largest n-th derivative in steps of a tenth around x."""
    return max(abs(differentiate(f, (x + mpf(k) / 20,), (n,))) for k in (-1, 0, 1))


def write_higher():
    header = "\td3y/dx3\td4y/dx4\t[units of the two]"
    smooth = {name: row[1] for name, row in UNARY.items() if name not in ROUGH} | {name: row[1] for name, row in UNARY_SPECIAL.items()}

    def of(name, f, points):
        for x in points:
            yield line(name, [x], [differentiate(f, (mpf(x),), (n,), 100, is_polynomial(name)) for n in (3, 4)], [neighbourhood(f, mpf(x), n) for n in (3, 4)])

    lines = [text for name, f in smooth.items() for text in of(name, f, uniform(*MIDDLE.get(name, (-2, 2)), 4))]
    write("higher_unary.tsv", "function\tx" + header, lines)
    lines = [text for name, row in PARAMETRIC.items() for text in of(name, row[1], uniform(0.5, 3, 4))]
    write("higher_parametric.tsv", "function\tx" + header, lines)

    smooth = {name: row[1] for name, row in BINARY.items() if name not in ("maximum", "minimum", "wins")}
    smooth |= {name: row[1] for name, row in BINARY_SPECIAL.items() if not isinstance(row[1], int)}
    lines = []
    for name, f in smooth.items():
        for a, b in zip(uniform(1.5, 3, 3), uniform(0.5, 1.2, 3)):
            along = lambda t: f(mpf(a) + t * SPEEDS[0], mpf(b) + t * SPEEDS[1])  # noqa: E731, B023
            results = [differentiate(along, (mpf(0),), (n,)) for n in (3, 4)]
            lines.append(line(name, (a, b), results, [neighbourhood(along, mpf(0), n) for n in (3, 4)]))
    write("higher_binary.tsv", "function\ta\tb, moving with speeds 1 and 3/4" + header, lines)


if __name__ == "__main__":
    write_unary()
    write_binary()
    write_higher()
