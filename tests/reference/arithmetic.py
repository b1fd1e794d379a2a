"""Numbers of 60 digits, rounded once, for the scripts beside this file. Needs mpmath (`pip install mpmath`)."""

import mpmath
from mpmath import mp, mpf

mp.dps = 60


def nearest(x):
    """The double nearest to x; mpmath's own conversion truncates."""
    x = mpf(x)
    if mpmath.isnan(x):
        return float("nan")
    if mpmath.isinf(x):
        return float("inf") if x > 0 else float("-inf")
    sign, man, exp, _ = x._mpf_
    man = -int(man) if sign else int(man)
    try:
        return man / (1 << -exp) if exp < 0 else float(man << exp)
    except OverflowError:
        return float("-inf") if man < 0 else float("inf")


def show(x):
    return repr(x).removesuffix(".0")


def columns(results, units):
    """The results as text, followed by the units if any is larger than its result."""
    text = [show(nearest(y)) for y in results]
    units = [max(abs(mpf(unit)), abs(y)) for unit, y in zip(units, results)]
    if any(unit > abs(y) for unit, y in zip(units, results)):
        text += [show(nearest(unit)) if unit > abs(y) else "0" for unit, y in zip(units, results)]
    return text


def differentiate(f, point, orders, digits=100, polynomial=False):
    """Partial derivative of f by central differences, with the digits that the differences cancel.

    Of a polynomial, what rounding leaves of a derivative that is 0 is made 0.
    """
    step = mpf(10) ** -35
    largest = mpf(0)
    with mpmath.workdps(digits + 40 * sum(orders)):
        steps = [step * (abs(x) if x else 1) for x in map(mpf, point)]

        def of_axis(axis, point):
            nonlocal largest
            if axis == len(orders):
                y = f(*point)
                largest = max(largest, abs(y))
                return y
            n, h = orders[axis], steps[axis]
            total = mpf(0)
            for k in range(n + 1):
                moved = list(point)
                moved[axis] += (mpf(n) / 2 - k) * h
                total += (-1) ** k * mpmath.binomial(n, k) * of_axis(axis + 1, moved)
            return total / h**n

        y = of_axis(0, [mpf(x) for x in point])
        for h, n in zip(steps, orders):
            largest /= (h / step) ** n
        return mpf(0) if polynomial and abs(y) < largest * mpf(10) ** (60 - digits) else +y
