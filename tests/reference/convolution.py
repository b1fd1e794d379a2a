#!/usr/bin/env python3
"""Writes the reference values of convolutions and poolings: convolution.tsv beside this file.

Needs PyTorch (`pip install torch`). Operands are multiples of 1/8 from a short formula, which the test repeats, so that
convolutions are exact in double precision and the file stays small.

With `L = sum v y y` and `M = sum u dL/dx + sum s dL/dw`, a row has the op, the shapes and settings, then
y, dL/dx, dL/dw, dM/dx, dM/dw. Poolings have no w: its shape is the window's, and the gradients for it are missing. With a bias
`b` there is `sum r dL/db` in `M`, and the gradients for it come last.
"""

import pathlib

import torch
import torch.nn.functional as nn

HERE = pathlib.Path(__file__).parent


def operand(shape, k):
    n = 1
    for d in shape:
        n *= d
    numbers = [((7 * i * i + 3 * i + 5 * k) % 23 - 11) / 8 for i in range(n)]
    return torch.tensor(numbers, dtype=torch.float64).reshape(shape)


def show(x):
    if isinstance(x, torch.Tensor):
        x = [repr(v).removesuffix(".0") for v in x.detach().flatten().tolist()]
    return " ".join(map(str, x))


rows = []


def case(op, x_shape, w_shape, stride, padding, dilation=(1, 1), groups=1):
    x = operand(x_shape, 1).requires_grad_()
    inputs = [x]
    if op == "conv2d":
        inputs.append(operand(w_shape, 2).requires_grad_())
        y = nn.conv2d(x, inputs[1], None, stride, padding, dilation, groups)
    elif op == "conv2d_with_bias":
        inputs += [operand(w_shape, 2).requires_grad_(), operand(w_shape[:1], 3).requires_grad_()]
        y = nn.conv2d(x, inputs[1], inputs[2], stride, padding, dilation, groups)
    elif op.startswith("conv2d_max_pool2d"):
        inputs += [operand(w_shape, 2).requires_grad_(), operand(w_shape[:1], 3).requires_grad_()]
        pooled = (2, 2, 0) if op == "conv2d_max_pool2d" else (3, 2, 1)
        y = nn.max_pool2d(nn.conv2d(x, inputs[1], inputs[2], stride, padding, dilation, groups), *pooled)
    elif op == "max_pool2d":
        y = nn.max_pool2d(x, w_shape, stride, padding)
    else:
        y = nn.avg_pool2d(x, w_shape, stride, padding)
    loss = (operand(y.shape, 3) * y * y).sum()
    first = torch.autograd.grad(loss, inputs, create_graph=True)
    second = sum((operand(g.shape, 4 + k) * g).sum() for k, g in enumerate(first))
    second = torch.autograd.grad(second, inputs)
    columns = [[op], x_shape, w_shape, stride, padding, dilation, [groups], y.shape, y]
    for k in range(len(inputs)):
        columns += [first[k]]
    for k in range(len(inputs)):
        columns += [second[k]]
    rows.append("\t".join(map(show, columns)))


case("conv2d", (2, 3, 4, 5), (4, 3, 3, 3), (1, 1), (1, 1))
case("conv2d", (1, 2, 5, 4), (3, 2, 2, 3), (1, 1), (0, 2))
case("conv2d", (2, 4, 5, 5), (6, 2, 3, 2), (2, 1), (1, 0), groups=2)
case("conv2d", (1, 3, 6, 6), (3, 1, 2, 2), (1, 2), (0, 1), groups=3)
case("conv2d", (1, 2, 7, 8), (2, 2, 3, 3), (1, 2), (2, 1), (3, 2))
case("conv2d", (2, 3, 5, 5), (17, 3, 1, 1), (3, 2), (0, 0))
case("conv2d", (1, 1, 3, 3), (2, 1, 2, 2), (1, 1), (3, 2))
case("max_pool2d", (2, 2, 4, 6), (2, 2), (2, 2), (0, 0))
case("max_pool2d", (1, 2, 5, 7), (3, 2), (1, 2), (1, 1))
case("max_pool2d", (1, 1, 6, 6), (3, 3), (2, 2), (1, 1))
case("max_pool2d", (1, 2, 7, 7), (2, 1), (3, 4), (0, 0))
case("avg_pool2d", (2, 2, 4, 6), (2, 2), (2, 2), (0, 0))
case("avg_pool2d", (1, 2, 5, 7), (3, 2), (1, 2), (1, 1))
case("avg_pool2d", (1, 1, 6, 6), (3, 3), (2, 2), (1, 1))
case("conv2d_with_bias", (2, 3, 4, 5), (4, 3, 3, 3), (1, 1), (1, 1))
case("conv2d_with_bias", (2, 4, 5, 5), (6, 2, 3, 2), (2, 1), (1, 0), groups=2)
case("conv2d_with_bias", (1, 2, 7, 8), (2, 2, 3, 3), (1, 2), (2, 1), (3, 2))
case("conv2d_max_pool2d", (2, 3, 4, 6), (4, 3, 3, 3), (1, 1), (1, 1))
case("conv2d_max_pool2d", (1, 4, 7, 6), (4, 2, 2, 2), (1, 1), (1, 0), groups=2)
case("conv2d_max_pool2d", (1, 2, 9, 8), (3, 2, 3, 3), (1, 2), (2, 1), (3, 2))
case("conv2d_max_pool2d overlapping", (2, 2, 6, 7), (3, 2, 3, 2), (1, 1), (1, 0))
(HERE / "convolution.tsv").write_text("\n".join(rows) + "\n")
