#!/usr/bin/env python3
"""Writes the reference values of the elementary functions: unary.tsv and binary.tsv beside this file.

Every number is computed with 60 digits and rounded once, to the nearest double.
The formulas here are the textbook ones; they share nothing with the library's rows. At moderate points each derivative is
also compared with mpmath's numerical differentiation of the function, so a slip in a formula stops the script.

A column of units follows the results where a result is the difference of larger terms: there an ulp is one of the
largest term. Points whose results would be subnormal are given only to functions whose tail is the point of having them.
"""

import pathlib
import random

import mpmath
from arithmetic import columns, show
from mpmath import mp, mpf

HERE = pathlib.Path(__file__).parent


def uniform(lo, hi, n):
    return [rng.uniform(lo, hi) for _ in range(n)]


def signed(points):
    return [s * x for x in points for s in (1.0, -1.0)]


TINY = [1e-300, 1e-150, 3e-20, 1.7e-8]
HUGE = [1e5, 1.3e20, 1e150]
BELOW_ONE = [0.9, 1 - 1e-3, 1 - 1e-10, 1 - 2.0**-53]
ABOVE_ONE = [1.1, 1 + 1e-3, 1 + 1e-10, 1 + 2.0**-52]

sqrt, exp, log = mpmath.sqrt, mpmath.exp, mpmath.log
sin, cos, tan, sinh, cosh, tanh = mpmath.sin, mpmath.cos, mpmath.tan, mpmath.sinh, mpmath.cosh, mpmath.tanh


def cbrt(x):
    return mpmath.cbrt(x) if x >= 0 else -mpmath.cbrt(-x)


def logistic(x):
    return 1 / (1 + exp(-x))


def bell(x):
    """The logistic function's slope."""
    return exp(-abs(x)) / (1 + exp(-abs(x))) ** 2


def logistic_second_unit(x):
    # s(x) s(-x) (s(-x) - s(x))
    return bell(x) * max(logistic(x), logistic(-x))


ZERO = lambda x: mpf(0)

# name: (points, value, first, second, unit of the second derivative or None)
UNARY = {
    "negated": (signed(TINY + HUGE), lambda x: -x, lambda x: mpf(-1), ZERO, None),
    "recip": (signed([1e-100, 1e-3, 0.7, 3.0, 1e100]), lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3, None),
    "sqrt": ([1e-200, 1e-20, 0.3, 2.0, 1e10, 1e200], sqrt, lambda x: 1 / (2 * sqrt(x)), lambda x: -1 / (4 * sqrt(x) ** 3), None),
    "cbrt": (signed([1e-180, 1e-20, 0.3, 2.0, 1e10, 1e180]), cbrt, lambda x: 1 / (3 * cbrt(x) ** 2), lambda x: -2 / (9 * cbrt(x) ** 5), None),
    "square": (signed([1e-150, 1e-10, 0.3, 7.0, 1e150]), lambda x: x * x, lambda x: 2 * x, lambda x: mpf(2), None),
    "exp": (signed(TINY + [1e-3, 1.0, 30.0, 300.0, 700.0]) + [-720.0, -740.0], exp, exp, exp, None),
    "exp_m1": (signed(TINY + [1e-3, 1.0, 37.0, 300.0, 700.0]), mpmath.expm1, exp, exp, None),
    "ln": ([1e-150, 1e-5, 0.3, 2.0, 1e10, 1e150] + BELOW_ONE + ABOVE_ONE, log, lambda x: 1 / x, lambda x: -1 / x**2, None),
    "ln_1p": (signed(TINY) + [-b for b in BELOW_ONE] + [1.0, 1e10, 1e150], mpmath.log1p, lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2, None),
    "log2": ([1e-150, 1e-5, 0.3, 8.0, 1e10, 1e150] + BELOW_ONE + ABOVE_ONE, lambda x: log(x) / log(mpf(2)), lambda x: 1 / (x * log(mpf(2))), lambda x: -1 / (x**2 * log(mpf(2))), None),
    "log10": ([1e-150, 1e-5, 0.3, 1000.0, 1e10, 1e150] + BELOW_ONE + ABOVE_ONE, lambda x: log(x) / log(mpf(10)), lambda x: 1 / (x * log(mpf(10))), lambda x: -1 / (x**2 * log(mpf(10))), None),
    "sin": (signed(TINY + [0.5, 3.141592653589793, 100.0, 1e10, 1e22, 1e300]), sin, cos, lambda x: -sin(x), None),
    "cos": (signed(TINY + [0.5, 1.5707963267948966, 100.0, 1e10, 1e22, 1e300]), cos, lambda x: -sin(x), lambda x: -cos(x), None),
    "tan": (signed(TINY + [0.5, 1.5, 1.57, 1.5707963267948966, 3.141592653589793, 100.0, 1e10, 1e22]), tan, lambda x: 1 + tan(x) ** 2, lambda x: 2 * tan(x) * (1 + tan(x) ** 2), None),
    "asin": (signed(TINY + [0.5] + BELOW_ONE), mpmath.asin, lambda x: 1 / sqrt(1 - x * x), lambda x: x / sqrt(1 - x * x) ** 3, None),
    "acos": (signed(TINY + [0.5] + BELOW_ONE), mpmath.acos, lambda x: -1 / sqrt(1 - x * x), lambda x: -x / sqrt(1 - x * x) ** 3, None),
    "atan": (signed(TINY + [0.5, 1.0, 7.0, 1e5, 1e20, 1e100]), mpmath.atan, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2, None),
    "sinh": (signed(TINY + [1e-3, 1.0, 30.0, 300.0, 700.0]), sinh, cosh, sinh, None),
    "cosh": (signed(TINY + [1e-3, 1.0, 30.0, 300.0, 700.0]), cosh, sinh, cosh, None),
    "tanh": (signed(TINY + [1e-3, 0.5, 1.0, 5.0, 10.25, 19.5, 20.0, 50.0, 300.0, 350.0]), tanh, lambda x: 1 / cosh(x) ** 2, lambda x: -2 * tanh(x) / cosh(x) ** 2, lambda x: 8 * logistic_second_unit(2 * x)),
    "asinh": (signed(TINY + [0.5, 1.0, 7.0, 1e5, 1e20, 1e100]), mpmath.asinh, lambda x: 1 / sqrt(1 + x * x), lambda x: -x / sqrt(1 + x * x) ** 3, None),
    "acosh": (ABOVE_ONE + [2.0, 7.0, 1e5, 1e20, 1e100], mpmath.acosh, lambda x: 1 / sqrt(x * x - 1), lambda x: -x / sqrt(x * x - 1) ** 3, None),
    "atanh": (signed(TINY + [0.5] + BELOW_ONE), mpmath.atanh, lambda x: 1 / (1 - x * x), lambda x: 2 * x / (1 - x * x) ** 2, None),
    "sigmoid": (signed(TINY + [1e-3, 1.0, 5.0, 36.75, 100.0, 700.0]) + [-720.0, -740.0], logistic, bell, lambda x: -bell(x) * tanh(x / 2), logistic_second_unit),
    "softplus": (signed(TINY + [1e-3, 1.0, 5.0, 20.5, 36.75, 100.0, 700.0]) + [-720.0, -740.0, 1e4], lambda x: log(1 + exp(x)) if x > 0 else mpmath.log1p(exp(x)), logistic, bell, None),
    "abs": (signed(TINY + HUGE), abs, mpmath.sign, ZERO, None),
    "relu": (signed(TINY + HUGE), lambda x: max(x, mpf(0)), lambda x: mpf(x > 0), ZERO, None),
    "sign": (signed(TINY + HUGE), mpmath.sign, ZERO, ZERO, None),
    "step": (signed(TINY + HUGE), lambda x: mpf(x > 0), ZERO, ZERO, None),
    "one_minus_square": (signed(TINY + [0.5] + BELOW_ONE + [7.0, 1e150]), lambda x: 1 - x * x, lambda x: -2 * x, lambda x: mpf(-2), None),
    "non_negative": (TINY + HUGE, lambda x: x, lambda x: mpf(1), ZERO, None),
}
RANDOM = {  # intervals for points of full length
    "recip": (-3, 3), "sqrt": (0, 9), "cbrt": (-9, 9), "square": (-9, 9), "exp": (-20, 20), "exp_m1": (-5, 5), "ln": (0, 9),
    "ln_1p": (-1, 9), "log2": (0, 9), "log10": (0, 9), "sin": (-20, 20), "cos": (-20, 20), "tan": (-20, 20), "asin": (-1, 1),
    "acos": (-1, 1), "atan": (-5, 5), "sinh": (-5, 5), "cosh": (-5, 5), "tanh": (-5, 5), "asinh": (-5, 5), "acosh": (1, 9),
    "one_minus_square": (-2, 2), "atanh": (-1, 1), "sigmoid": (-20, 20), "softplus": (-20, 20),
}

# Binary: value, da, db, daa, dab, dbb; units of the three second ones or None.
ONE = lambda a, b: mpf(1)
NONE = lambda a, b: mpf(0)
MINUS_ONE = lambda a, b: mpf(-1)


def r(a, b):
    return sqrt(a * a + b * b)


def larger(a, b):
    return mpf(a > b)


def smaller(a, b):
    return mpf(a < b)


PAIRS = [(x, y) for x in (1e-100, 0.3, 5.0, 1e100) for y in (-1e-100, 0.7, -3.0, 3e99)]
POINTS = [(1.3e-150, -2.1e-150), (0.3, -0.7), (1e-8, 3.0), (3.0, 1e-8), (-5.0, 5.0), (1e100, -1e99), (3.1e150, 2.7e150)]
POWERS = [(1e-170, 0.3), (1e-100, 1.1), (0.3, 500.0), (0.3, 0.3), (0.9, -0.1), (1.0, 0.3), (1 + 1e-10, 1e10), (1.1, 1e-20), (7.0, 3.0),
          (7.0, 2.0), (7.0, 1.0), (2.0, -0.7), (1e10, 10.1), (1e100, 1.7), (1e300, 0.3), (1e300, 1 / 3), (1e200, -0.2), (1e-130, 0.4)]
QUOTIENTS = [(x, y) for x in (1e-50, -0.3, 5.0, 1e50) for y in (1e-80, -0.7, 3.0, 1e80)]

quotient = (lambda a, b: a / b, lambda a, b: 1 / b, lambda a, b: -a / b**2, NONE, lambda a, b: -1 / b**2, lambda a, b: 2 * a / b**3, None)
product = (lambda a, b: a * b, lambda a, b: b, lambda a, b: a, NONE, ONE, NONE, None)


def power_ln_units(a, b):
    l, p = abs(log(a)), a**b
    return (
        p / a**2 * max(abs(b - 1), abs((b - 1) * b) * l, abs(b)),
        p / a * max(2 * l, abs(b) * l**2),
        p * l**3,
    )


BINARY = {
    "plus": (PAIRS, lambda a, b: a + b, ONE, ONE, NONE, NONE, NONE, None),
    "minus": (PAIRS, lambda a, b: a - b, ONE, MINUS_ONE, NONE, NONE, NONE, None),
    "times": (PAIRS, *product),
    "over": (QUOTIENTS, *quotient),
    "powf": (
        POWERS,
        lambda a, b: a**b,
        lambda a, b: b * a**b / a,
        lambda a, b: a**b * log(a),
        lambda a, b: b * (b - 1) * a**b / a**2,
        lambda a, b: a**b / a * (1 + b * log(a)),
        lambda a, b: a**b * log(a) ** 2,
        lambda a, b: (0, a**b / a * max(mpf(1), abs(b * log(a))), 0),
    ),
    "hypot": (
        POINTS,
        r,
        lambda a, b: a / r(a, b),
        lambda a, b: b / r(a, b),
        lambda a, b: b**2 / r(a, b) ** 3,
        lambda a, b: -a * b / r(a, b) ** 3,
        lambda a, b: a**2 / r(a, b) ** 3,
        lambda a, b: (1 / r(a, b), 0, 1 / r(a, b)),  # 1/r - a^2/r^3
    ),
    "atan2": (
        [(a, b) for a, b in POINTS if abs(a) < 1e140],
        lambda a, b: mpmath.atan2(a, b),
        lambda a, b: b / r(a, b) ** 2,
        lambda a, b: -a / r(a, b) ** 2,
        lambda a, b: -2 * a * b / r(a, b) ** 4,
        lambda a, b: (a**2 - b**2) / r(a, b) ** 4,
        lambda a, b: 2 * a * b / r(a, b) ** 4,
        lambda a, b: (0, 1 / r(a, b) ** 2, 0),
    ),
    "maximum": (PAIRS, max, larger, smaller, NONE, NONE, NONE, None),
    "minimum": (PAIRS, min, smaller, larger, NONE, NONE, NONE, None),
    "wins": (PAIRS, larger, NONE, NONE, NONE, NONE, NONE, None),
    "mul_zero": (PAIRS, *product),
    "div_or_zero": (QUOTIENTS, *quotient),
    "powf_less": (
        POWERS,
        lambda a, b: a**b / a,
        lambda a, b: (b - 1) * a**b / a**2,
        lambda a, b: a**b / a * log(a),
        lambda a, b: (b - 1) * (b - 2) * a**b / a**3,
        lambda a, b: a**b / a**2 * (1 + (b - 1) * log(a)),
        lambda a, b: a**b / a * log(a) ** 2,
        lambda a, b: (0, a**b / a**2 * max(mpf(1), abs((b - 1) * log(a))), 0),
    ),
    "powf_ln": (
        POWERS,
        lambda a, b: a**b * log(a),
        lambda a, b: a**b / a * (1 + b * log(a)),
        lambda a, b: a**b * log(a) ** 2,
        lambda a, b: a**b / a**2 * ((b - 1) * (1 + b * log(a)) + b),
        lambda a, b: a**b / a * (2 * log(a) + b * log(a) ** 2),
        lambda a, b: a**b * log(a) ** 3,
        power_ln_units,
    ),
}
FIRST_UNITS = {"powf_ln": lambda a, b: (a**b / a * max(mpf(1), abs(b * log(a))), 0)}
RANDOM_PAIRS = {
    "plus": (-3, 3, -3, 3), "minus": (-3, 3, -3, 3), "times": (-3, 3, -3, 3), "over": (-3, 3, 0.1, 3), "powf": (0.01, 9, -5, 5),
    "hypot": (-3, 3, -3, 3), "atan2": (-3, 3, -3, 3), "maximum": (-3, 3, -3, 3), "minimum": (-3, 3, -3, 3), "wins": (-3, 3, -3, 3),
    "mul_zero": (-3, 3, 0.1, 3), "div_or_zero": (-3, 3, 0.1, 3), "powf_less": (0.01, 9, -5, 5), "powf_ln": (0.01, 9, -5, 5),
}
UNSMOOTH = {"sign", "step", "abs", "relu", "maximum", "minimum", "wins"}


def close(got, want, what):
    if abs(got - want) > mpf(10) ** -15 * (1 + abs(want)):
        raise SystemExit(f"{what}: the formula gives {got}, differentiation {want}")


def write_unary():
    lines = ["# function\tx\ty\tdy/dx\td2y/dx2\t[units of the three]"]
    for name, (points, f, first, second, unit) in UNARY.items():
        if name in RANDOM:
            middle = uniform(*RANDOM[name], 12)
            points = points + middle
            for x in middle:
                close(first(mpf(x)), mp.diff(f, mpf(x), h=mpf(10) ** -25), name)
                close(second(mpf(x)), mp.diff(first, mpf(x), h=mpf(10) ** -25), name)
        for x in points:
            exact = mpf(x)
            results = [f(exact), first(exact), second(exact)]
            units = [0, 0, unit(exact) if unit else 0]
            lines.append("\t".join([name, show(x), *columns(results, units)]))
    (HERE / "unary.tsv").write_text("\n".join(lines) + "\n")


def write_binary():
    lines = ["# function\ta\tb\ty\tdy/da\tdy/db\td2y/da2\td2y/dadb\td2y/db2\t[units of the six]"]
    for name, (points, f, *derivatives, units) in BINARY.items():
        alo, ahi, blo, bhi = RANDOM_PAIRS[name]
        middle = list(zip(uniform(alo, ahi, 12), uniform(blo, bhi, 12)))
        if name not in UNSMOOTH:
            for a, b in middle:
                point = (mpf(a), mpf(b))
                for order, g in zip([(1, 0), (0, 1), (2, 0), (1, 1), (0, 2)], derivatives):
                    close(g(*point), mp.diff(f, point, order, h=mpf(10) ** -20), f"{name} {order}")
        for a, b in points + middle:
            exact = (mpf(a), mpf(b))
            results = [f(*exact), *(g(*exact) for g in derivatives)]
            first = FIRST_UNITS[name](*exact) if name in FIRST_UNITS else (0, 0)
            second = units(*exact) if units else (0, 0, 0)
            lines.append("\t".join([name, show(a), show(b), *columns(results, [0, *first, *second])]))
    (HERE / "binary.tsv").write_text("\n".join(lines) + "\n")


rng = random.Random(1)
if __name__ == "__main__":
    write_unary()
    write_binary()
