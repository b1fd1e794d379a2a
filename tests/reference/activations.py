#!/usr/bin/env python3
"""Writes the reference values of the activations of neural networks, and of slopes of them that are functions of their own:
activations.tsv beside this file.

The functions are the textbook formulas in numbers of 60 digits, the derivatives of the smooth ones central differences of
them with hundreds of digits; those of the pieces of the others are given.
"""

import pathlib

import mpmath
from arithmetic import columns, differentiate, show
from mpmath import mp, mpf

HERE = pathlib.Path(__file__).parent
exp, sqrt, pi, tanh = mpmath.exp, mpmath.sqrt, mpmath.pi, mpmath.tanh

SMOOTH_POINTS = [s * x for x in (1e-20, 1e-8, 0.3, 0.7, 1.3, 2.0, 3.1, 5.25, 9.5, 20.0) for s in (1, -1)] + [0.0]


def logistic(x):
    return 1 / (1 + exp(-x))


def bell(x):
    return logistic(x) * logistic(-x)


def density(x):
    return exp(-x * x / 2) / sqrt(2 * pi)


def gelu_tanh(x):
    with mpmath.workdps(mp.dps + 400):  # the digits that the sum cancels in the left tail
        return x / 2 * (1 + tanh(sqrt(2 / pi) * (x + mpf("0.044715") * x**3)))


def gate(x):
    return tanh(mpmath.log1p(exp(x)))


def gelu_tanh_units(x):
    v = 2 * sqrt(2 / pi) * (x + mpf("0.044715") * x**3)
    slope, bend = (differentiate(lambda x: 2 * sqrt(2 / pi) * (x + mpf("0.044715") * x**3), (x,), (n,)) for n in (1, 2))
    lost, b = max(1, abs(v)), bell(v)
    first = max(logistic(v), abs(x) * slope * b)
    second = b * max(2 * slope, abs(x * bend), abs(x) * slope**2)
    return (abs(gelu_tanh(x)) * lost, first * lost, second * lost)


def gate_slope(x):
    return 4 * exp(x) * (1 + exp(x)) / (exp(2 * x) + 2 * exp(x) + 2) ** 2


SMOOTH = {
    # name: function, units of value, first and second derivative
    "gelu": (lambda x: x * mpmath.ncdf(x), lambda x: (0, max(mpmath.ncdf(x), abs(x) * density(x)), max(2, x * x) * density(x))),
    "gelu_tanh": (gelu_tanh, gelu_tanh_units),
    "silu": (lambda x: x * logistic(x), lambda x: (0, max(logistic(x), abs(x) * bell(x)), max(2, abs(x)) * bell(x))),
    "mish": (lambda x: x * gate(x), lambda x: (0, max(gate(x), abs(x) * gate_slope(x)), max(2, 3 * abs(x)) * gate_slope(x))),
    "tanh_softplus": (gate, lambda x: (0, 0, 3 * gate_slope(x))),
    "tanh_slope": (lambda x: 1 / mpmath.cosh(x) ** 2, lambda x: (0, 0, 4 / mpmath.cosh(x) ** 2 * max(tanh(x) ** 2, bell(2 * x) * 2))),
    "sigmoid_slope": (bell, lambda x: (0, 0, bell(x) * max(tanh(x / 2) ** 2, 2 * bell(x)))),
}

SCALE, ALPHA = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")
ZERO, ONE = (lambda x: mpf(0)), (lambda x: mpf(1))


def exponential(alpha, width, scale=1):
    below = [lambda x: scale * alpha * mpmath.expm1(x / width)] + [
        (lambda n: lambda x: scale * alpha * exp(x / width) / width**n)(n) for n in (1, 2)
    ]
    return [(-mpmath.inf, 0, below), (0, mpmath.inf, [lambda x: scale * x, lambda x: mpf(scale), ZERO])]


PIECES = {
    # name: intervals with value, first and second derivative; a kink belongs to the interval before it
    "selu": exponential(ALPHA, mpf(1), SCALE),
    "Elu(1.0)": exponential(mpf(1), mpf(1)),
    "Elu(0.5)": exponential(mpf("0.5"), mpf(1)),
    "Celu(1.0)": exponential(mpf(1), mpf(1)),
    "Celu(0.5)": exponential(mpf("0.5"), mpf("0.5")),
    "LeakyRelu(0.01)": [(-mpmath.inf, 0, [lambda x: mpf(0.01) * x, lambda x: mpf(0.01), ZERO]), (0, mpmath.inf, [lambda x: x, ONE, ZERO])],
    "LeakyRelu(0.2)": [(-mpmath.inf, 0, [lambda x: mpf(0.2) * x, lambda x: mpf(0.2), ZERO]), (0, mpmath.inf, [lambda x: x, ONE, ZERO])],
    "relu6": [(-mpmath.inf, 0, [ZERO] * 3), (0, 6, [lambda x: x, ONE, ZERO]), (6, mpmath.inf, [lambda x: mpf(6), ZERO, ZERO])],
    "hard_tanh": [(-mpmath.inf, -1, [lambda x: mpf(-1), ZERO, ZERO]), (-1, 1, [lambda x: x, ONE, ZERO]), (1, mpmath.inf, [ONE, ZERO, ZERO])],
    "hard_sigmoid": [(-mpmath.inf, -3, [ZERO] * 3), (-3, 3, [lambda x: (x + 3) / 6, lambda x: mpf(1) / 6, ZERO]), (3, mpmath.inf, [ONE, ZERO, ZERO])],
    "hard_swish": [(-mpmath.inf, -3, [ZERO] * 3), (-3, 3, [lambda x: x * (x + 3) / 6, lambda x: x / 3 + 0.5, lambda x: mpf(1) / 3]), (3, mpmath.inf, [lambda x: x, ONE, ZERO])],
}
PIECE_POINTS = [s * x for x in (1e-20, 1e-3, 0.4, 0.99, 1.01, 1.5, 2.9, 2.999999, 3.1, 5.9, 6.1, 40.0, 700.0) for s in (1, -1)]

lines = []


def add(name, x, results, units):
    lines.append("\t".join([name, show(x), *columns(results, units)]))


for name, (f, units) in SMOOTH.items():
    for x in map(mpf, SMOOTH_POINTS):
        add(name, float(x), [f(x), *(differentiate(f, (x,), (n,), 500) for n in (1, 2))], units(x))
for name, pieces in PIECES.items():
    for x in map(mpf, PIECE_POINTS):
        [functions] = [functions for low, high, functions in pieces if low < x <= high]
        unit = (0, mpf(1) / 2 if name == "hard_swish" and abs(x) < 3 else 0, 0)
        add(name, float(x), [f(x) for f in functions], unit)
(HERE / "activations.tsv").write_text("# function\tx\ty\tdy/dx\td2y/dx2\t[units of the three]\n" + "\n".join(lines) + "\n")
