#!/usr/bin/env python3
"""Writes the reference values of whole layers: layers.txt beside this file.

Needs PyTorch (`pip install torch`). Parameters and operands are multiples of 1/16 from a short formula, which the test repeats: a case
has the result y, then the gradient of `sum w y` for x and for every parameter under its name, in double precision.
"""

import pathlib

import torch
import torch.nn as nn

HERE = pathlib.Path(__file__).parent
lines = []


def numbers(shape, k):
    n = torch.Size(shape).numel()
    values = [((7 * i * i + 3 * i + 5 * k) % 23 - 11) / 16 for i in range(n)]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def show(name, x):
    text = " ".join(repr(float(v) + 0.0).removesuffix(".0") for v in x.detach().flatten().tolist())
    lines.append(f"{name} {','.join(map(str, x.shape))}: {text}")


def case(name, module, x, f):
    module = module.double().eval()
    parameters = sorted(module.named_parameters())
    with torch.no_grad():
        for k, (_, parameter) in enumerate(parameters):
            parameter.copy_(numbers(parameter.shape, k + 1))
    x = numbers(x, 0).requires_grad_()
    y = f(module, x)
    loss = (y * numbers(y.shape, 9)).sum()
    gradients = torch.autograd.grad(loss, [x] + [parameter for _, parameter in parameters])
    lines.append(f"= {name}")
    show("y", y)
    for label, gradient in zip(["x"] + [name for name, _ in parameters], gradients):
        show(label, gradient)


def block(**options):
    return nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True, norm_first=True, **options)


causal = lambda l: torch.triu(torch.full((l, l), -torch.inf, dtype=torch.float64), 1)  # noqa: E731
case("multi_head_attention", nn.MultiheadAttention(4, 2, batch_first=True), (2, 3, 4), lambda m, x: m(x, x, x)[0])
case("multi_head_attention of others", nn.MultiheadAttention(4, 2, batch_first=True), (2, 3, 4), lambda m, x: m(x, 2 * x[:, 1:], x[:, 1:] - 1)[0])
case("transformer_block", block(), (2, 3, 4), lambda m, x: m(x))
case("transformer_block gelu causal", block(activation="gelu"), (2, 3, 4), lambda m, x: m(x, src_mask=causal(3)))
case("group_norm", nn.GroupNorm(2, 4), (2, 4, 3), lambda m, x: m(x))
case("layer_norm", nn.LayerNorm([3, 2]), (2, 3, 2), lambda m, x: m(x))
case("rms_norm", nn.RMSNorm([3, 2], eps=1e-5), (2, 3, 2), lambda m, x: m(x))


def states(m, x, *state):
    y, state = m(x, state if len(state) > 1 else state[0])
    return torch.cat([y.flatten() for y in (y, *(state if isinstance(state, tuple) else [state]))])


case("conv_transpose2d", nn.ConvTranspose2d(2, 4, (3, 2), stride=2, padding=1, output_padding=(1, 0), groups=2), (2, 2, 3, 2), lambda m, x: m(x))
case("conv3d", nn.Conv3d(2, 3, (2, 1, 2), stride=(1, 2, 1), padding=(1, 0, 1)), (1, 2, 3, 3, 2), lambda m, x: m(x))
case("lstm", nn.LSTM(3, 2, batch_first=True), (2, 5, 3), lambda m, x: m(x)[0])
case("lstm of 2 layers", nn.LSTM(3, 2, 2, batch_first=True), (2, 3, 3), lambda m, x: states(m, x, numbers((2, 2, 2), 3), numbers((2, 2, 2), 4)))
case("lstm without bias", nn.LSTM(1, 3, bias=False, batch_first=True), (1, 1, 1), lambda m, x: m(x)[0])
case("gru", nn.GRU(3, 2, batch_first=True), (2, 5, 3), lambda m, x: m(x)[0])
case("gru of 2 layers", nn.GRU(3, 2, 2, batch_first=True), (2, 3, 3), lambda m, x: states(m, x, numbers((2, 2, 2), 3)))
case("gru without bias", nn.GRU(1, 3, bias=False, batch_first=True), (1, 1, 1), lambda m, x: m(x)[0])
both = {"batch_first": True, "bidirectional": True}
case("lstm in both directions", nn.LSTM(3, 2, 2, **both), (2, 3, 3), lambda m, x: states(m, x, numbers((4, 2, 2), 3), numbers((4, 2, 2), 4)))
case("gru in both directions", nn.GRU(3, 2, 2, **both), (2, 3, 3), lambda m, x: states(m, x, numbers((4, 2, 2), 3)))
case("gru in both directions from zeros", nn.GRU(2, 3, bias=False, **both), (2, 4, 2), lambda m, x: m(x)[0])
case("rnn", nn.RNN(3, 2, 2, batch_first=True), (2, 5, 3), lambda m, x: states(m, x, numbers((2, 2, 2), 3)))
case("rnn in both directions", nn.RNN(2, 3, bias=False, **both), (2, 4, 2), lambda m, x: m(x)[0])
(HERE / "layers.txt").write_text("\n".join(lines) + "\n")
