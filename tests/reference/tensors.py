"""Operands, weights and the file format of the reference values of tensor ops, for the scripts beside this file.

A case has operands x, the result y, the gradient g of `sum w y` and the gradient h of `sum v g`, in double precision, with the
weights w and v given below; the test computes them again. Operands are distinct multiples of 1/16, so that the file stays small
and nothing is tied. Needs PyTorch (`pip install torch`).
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


def write(file, rng, cases):
    """Writes the cases: name, lists of operands' shapes, function, and perhaps which operands will do."""
    lines = []
    for name, operands, f, *fits in cases:
        for shapes in operands:
            x = [operand(rng, shape) for shape in shapes]
            while not all(fit(*x) for fit in fits):
                x = [operand(rng, shape) for shape in shapes]
            x = [x.requires_grad_() for x in x]
            y = f(*x)
            loss = (y.reshape(-1) * weights(y.numel(), 7, 11, 4)).sum()
            g = torch.autograd.grad(loss, x, create_graph=True)
            s = sum((g.reshape(-1) * weights(g.numel(), 5, 13, 8)).sum() for g in g)
            h = [None] * len(x)
            if s.requires_grad:
                h = torch.autograd.grad(s, x, allow_unused=True)
            h = [torch.zeros_like(x) if h is None else h for x, h in zip(x, h)]
            lines.append(f"= {name}")
            lines += [show("x", v) for v in x] + [show("y", y)] + [show("g", v) for v in g] + [show("h", v) for v in h]
    (HERE / file).write_text("\n".join(lines) + "\n")
