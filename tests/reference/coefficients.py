#!/usr/bin/env python3
"""Prints the coefficients of the special functions' polynomials, with the error of each fit.

They stand in crates/wengert-kernels/src/special: Chebyshev fits of the error function and its scaled complement (erf.rs),
and the constants of the series for the gamma function and its derivatives (gamma.rs, polygamma.rs).
"""

import mpmath
from arithmetic import nearest
from mpmath import mp, mpf

mp.dps = 50
erf, erfc, exp, pi, sqrt, zeta = mpmath.erf, mpmath.erfc, mpmath.exp, mpmath.pi, mpmath.sqrt, mpmath.zeta


def fit(name, f, lo, hi, count):
    powers = mpmath.chebyfit(f, [mpf(lo), mpf(hi)], count)
    rounded = [mpf(nearest(c)) for c in powers]
    grid = [lo + (hi - lo) * mpf(k) / 400 for k in range(401)]
    error = max(abs(mpmath.polyval(rounded, x) - f(x)) / abs(f(x)) for x in grid)
    show(f"{name}, error {mpmath.nstr(error, 3)}", reversed(powers))


def show(name, numbers):
    print(name)
    for number in numbers:
        print("    ", repr(nearest(number)))


def centre(square):
    x = sqrt(mpf(square))
    return erf(x) / x - 1 if x else 2 / sqrt(pi) - 1


def scaled(x):
    return exp(x * x) * erfc(x)


def tail(u):
    u = mpf(u)
    if u < mpf("1e-4"):
        return sum((-1) ** k * mpmath.fac2(2 * k - 1) * (u / 2) ** k for k in range(12)) / sqrt(pi)
    return scaled(1 / sqrt(u)) / sqrt(u)


fit("erf(x)/x - 1 in x^2, to 1/4", centre, mpf(0), mpf("0.25"), 12)
for lo, hi in [(0.5, 1), (1, 1.75), (1.75, 3), (3, 4.25), (4.25, 6), (6, 8)]:
    middle, half = (mpf(lo) + hi) / 2, (mpf(hi) - lo) / 2
    fit(f"exp(x^2) erfc(x) in x - {middle}, to {hi}", lambda s: scaled(s + middle), -half, half, 17)  # noqa: B023
fit("x exp(x^2) erfc(x) in 1/x^2, from 8", tail, mpf(0), mpf(1) / 64, 10)
show("(-1)^k (zeta(k) - 1)/k from k = 2", [(-1) ** k * (zeta(k) - 1) / k for k in range(2, 29)])
show("1 - gamma", [1 - mpmath.euler])
bernoulli = [mpmath.bernoulli(2 * k) for k in range(1, 14)]
show("B_2k/(2k (2k - 1))", [b / (2 * k * (2 * k - 1)) for k, b in enumerate(bernoulli[:8], 1)])
show("B_2k/(2k)", [b / (2 * k) for k, b in enumerate(bernoulli[:8], 1)])
show("B_2k/(2k)!", [b / mpmath.factorial(2 * k) for k, b in enumerate(bernoulli, 1)])
