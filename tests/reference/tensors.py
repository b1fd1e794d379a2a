"""Operands, weights and the file format of the reference values of tensor ops, for the scripts beside this file.

A case has operands x, the result y, the gradient g of `sum w y`, the gradient h of `sum v g` and its derivative t by w, which is
the Jacobian of y times v, in double precision, with the weights w and v given below; the test computes them again. Operands are
distinct multiples of 1/16, so that the file stays small and nothing is tied. Every op has a case whose operands are constant along
an axis, which the test expands. Needs PyTorch (`pip install torch`).
"""

import pathlib

import numpy
import torch

HERE = pathlib.Path(__file__).parent


def operand(rng, shape):
    n = int(numpy.prod(shape))
    values = rng.sample([k / 16 for k in range(-32, 33) if k != 0], n)
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def weights(n, step, modulus, divisor):
    return torch.tensor([((step * k + 3) % modulus - modulus // 2) / divisor for k in range(n)], dtype=torch.float64)


def show(letter, x):
    x = x.detach() + torch.zeros(x.shape, dtype=torch.float64)  # autograd has zeros without storage
    numbers = " ".join(repr(float(v) + 0.0).removesuffix(".0") for v in x.flatten().tolist())
    return f"{letter} {','.join(map(str, x.shape))}: {numbers}".rstrip()


def constant_axis(shape):
    """The first axis of more than one entry."""
    return next((axis for axis, n in enumerate(shape) if n > 1), None)


def expanded(rng, shape, axis):
    """An operand that repeats its entry along an axis."""
    axis = constant_axis(shape) if axis is None else axis % len(shape)
    if axis is None:
        return operand(rng, shape)
    narrow = [1 if k == axis else n for k, n in enumerate(shape)]
    return operand(rng, narrow).expand(shape).contiguous()


def differentiable(y, x):
    """Numbers and truths no gradient reaches are added to a zero that one does."""
    return y if y.requires_grad else y.to(torch.float64) + sum((0 * x).sum() for x in x)


def write(file, rng, cases, edges={}, tied={}):
    """Writes the cases: name, lists of operands' shapes, function, and perhaps which operands will do.

    `edges` has more shapes by name: operands of no axes, of no elements, of one. `tied` has the axis along which a name's operands
    may be constant, where it is not the first of the operands of most axes, and "never" where there is none without ties.
    """
    lines = []

    def case(name, f, x):
        x = [x.requires_grad_() for x in x]
        y = differentiable(f(*x), x)
        w = weights(y.numel(), 7, 11, 4).requires_grad_()
        g = torch.autograd.grad((y.reshape(-1) * w).sum(), x, create_graph=True)
        s = sum((g.reshape(-1) * weights(g.numel(), 5, 13, 8)).sum() for g in g)
        h = [None] * (len(x) + 1)
        if s.requires_grad:
            h = torch.autograd.grad(s, [*x, w], allow_unused=True)
        *h, t = [torch.zeros_like(x) if h is None else h for x, h in zip([*x, w], h)]
        lines.append(f"= {name}")
        lines.extend([show("x", v) for v in x] + [show("y", y)] + [show("g", v) for v in g] + [show("h", v) for v in h])
        lines.append(show("t", t.reshape(y.shape)))

    for name, operands, f, *fits in cases:
        for shapes in operands + edges.get(name, []):
            x = [operand(rng, shape) for shape in shapes]
            while not all(fit(*x) for fit in fits):
                x = [operand(rng, shape) for shape in shapes]
            case(name, f, x)
        if tied.get(name) != "never":
            shapes = max((s for s in operands if constant_axis(s[0]) is not None and 0 not in s[0]), key=lambda s: len(s[0]))
            x = [expanded(rng, shape, tied.get(name)) for shape in shapes]
            while not all(fit(*x) for fit in fits):
                x = [expanded(rng, shape, tied.get(name)) for shape in shapes]
            case(name, f, x)
    assert not (edges.keys() | tied.keys()) - {name for name, *_ in cases}
    (HERE / file).write_text("\n".join(lines) + "\n")
