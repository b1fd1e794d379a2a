#!/usr/bin/env python3
"""Writes the reference values of normalisations, attention and losses: neural_ops.txt beside this file, in the format of
tensors.py."""

import random

import torch
import torch.nn.functional as nn
from tensors import write
from torch.nn.attention import SDPBackend, sdpa_kernel

rng = random.Random(8)


def constant(values):
    return torch.tensor(values, dtype=torch.float64)


def attend(q, k, v, **options):
    with sdpa_kernel(SDPBackend.MATH):
        return nn.scaled_dot_product_attention(q, k, v, **options)


def layer(*last):
    return lambda x, w=None, b=None: nn.layer_norm(x, last or x.shape[-1:], w, b, EPSILON)


def signs(n):
    return constant([1.0, -1.0, -1.0, 1.0, 1.0][:n])


def targets(shape):
    return constant([((5 * k) % 9 - 4) / 2 for k in range(torch.Size(shape).numel())]).reshape(shape)


def beside(kink):
    """No difference from its target is at a kink of the loss."""
    return lambda y: ((y - targets(y.shape)).abs() != kink).all()


def probabilities(shape):
    p = constant([(3 * k) % 5 for k in range(torch.Size(shape).numel())]).reshape(shape)
    return p / p.sum(-1, keepdim=True)


def truth(shape):
    return constant([(3 * k) % 5 / 4 for k in range(torch.Size(shape).numel())]).reshape(shape)


# Large, so that derivatives of nearly constant rows keep their digits.
EPSILON = 0.1
MASK = torch.tensor([[True, False, True], [False, False, True]])
ATTENTION = [[(2, 3), (3, 3), (3, 2)], [(2, 2, 3), (2, 3, 3), (2, 3, 1)], [(1, 2, 2, 4), (1, 2, 3, 4), (1, 2, 3, 3)]]
CLASSES = [[(3, 4)], [(1, 4)]]
LABELS = torch.tensor([3, 0, 2])
WEIGHTS = constant([0.5, 2, 1, 0.25])


def labels(x):
    return LABELS[: len(x)]


CASES = [
    # name, operands' shapes, function
    ("layer_norm", [[(2, 3)], [(3, 1)], [(2, 2, 4)], [(0, 3)], [(5,)]], layer()),
    ("layer_norm w b", [[(2, 3), (3,), (3,)], [(3, 1), (1,), (1,)], [(2, 2, 4), (4,), (4,)], [(0, 3), (3,), (3,)]], layer()),
    ("layer_norm 2 axes", [[(2, 3, 4), (3, 4)]], layer(3, 4)),
    ("rms_norm", [[(2, 3)], [(3, 1)], [(2, 2, 4)], [(5,)]], lambda x: nn.rms_norm(x, x.shape[-1:], None, EPSILON)),
    ("rms_norm w", [[(2, 3), (3,)], [(2, 2, 4), (4,)]], lambda x, w: nn.rms_norm(x, x.shape[-1:], w, EPSILON)),
    ("batch_norm", [[(4, 3)], [(2, 1)], [(2, 3, 2)], [(2, 2, 3, 2)]], lambda x: nn.batch_norm(x, None, None, training=True, eps=EPSILON)),
    ("batch_norm w b", [[(4, 3), (3,), (3,)], [(2, 2, 3, 2), (2,), (2,)]],
     lambda x, w, b: nn.batch_norm(x, None, None, w, b, True, eps=EPSILON)),
    ("batch_norm with", [[(4, 3), (3,), (3,)], [(1, 3, 2), (3,), (3,)], [(0, 3), (3,), (3,)]],
     lambda x, w, b: nn.batch_norm(x, constant([1.0, -0.5, 0.25]), constant([0.5, 2, 0]), w, b, eps=EPSILON)),
    ("group_norm 2 w b", [[(2, 4), (4,), (4,)], [(2, 4, 3), (4,), (4,)], [(1, 2, 3, 2), (2,), (2,)]],
     lambda x, w, b: nn.group_norm(x, 2, w, b, EPSILON)),
    ("instance_norm w b", [[(2, 3, 4), (3,), (3,)], [(1, 2, 3, 2), (2,), (2,)]],
     lambda x, w, b: nn.instance_norm(x, weight=w, bias=b, eps=EPSILON)),
    ("normalize -1", [[(2, 3)], [(1, 3)], [(2, 3, 2)]], lambda x: nn.normalize(x, dim=-1)),
    ("normalize 0", [[(2, 3)], [(0, 3)]], lambda x: nn.normalize(x, dim=0)),
    ("masked_softmax", [[(2, 3)], [(4, 2, 3)]], lambda x: x.masked_fill(~MASK, -torch.inf).softmax(-1)),
    ("attention", ATTENTION, attend),
    ("attention causal", ATTENTION, lambda q, k, v: attend(q, k, v, is_causal=True)),
    ("attention mask scale", ATTENTION, lambda q, k, v: attend(q, k, v, attn_mask=MASK, scale=0.7)),
    ("huber", [[(2, 3)], [(5,)]], lambda y: nn.huber_loss(y, targets(y.shape), delta=0.75), beside(0.75)),
    ("smooth_l1", [[(2, 3)], [(5,)]], lambda y: nn.smooth_l1_loss(y, targets(y.shape), beta=1.5), beside(1.5)),
    ("smooth_l1 0", [[(2, 3)]], lambda y: nn.smooth_l1_loss(y, targets(y.shape), beta=0.0), beside(0)),
    ("kl_divergence", [[(2, 3)], [(3, 5)]], lambda y: nn.kl_div(y, probabilities(y.shape), reduction="batchmean")),
    ("hinge", [[(5,)], [(1,)]], lambda y: (1 - signs(len(y)) * y).relu().mean(), lambda y: (signs(len(y)) * y != 1).all()),
    ("triplet_margin", [[(3, 2), (3, 2), (3, 2)], [(1, 4), (1, 4), (1, 4)]],
     lambda a, p, n: nn.triplet_margin_loss(a, p, n, margin=0.5, eps=0.0)),
    ("cosine_embedding", [[(3, 2), (3, 2)], [(5, 4), (5, 4)]],
     lambda a, b: nn.cosine_embedding_loss(a, b, signs(len(a)), margin=0.1)),
    ("nll", CLASSES, lambda y: nn.nll_loss(y, labels(y))),
    ("cross_entropy smoothing", CLASSES, lambda y: nn.cross_entropy(y, labels(y), label_smoothing=0.2)),
    ("cross_entropy weights", CLASSES, lambda y: nn.cross_entropy(y, labels(y), WEIGHTS)),
    ("cross_entropy all", CLASSES, lambda y: nn.cross_entropy(y, labels(y), WEIGHTS, ignore_index=0, label_smoothing=0.2)),
    ("cross_entropy probabilities", CLASSES,
     lambda y: nn.cross_entropy(y, probabilities(y.shape), WEIGHTS, label_smoothing=0.2)),
]


def heads(x, causal):
    """Two heads on [.., l, 3 * features]: queries, keys and values side by side."""
    q, k, v = (part.unflatten(-1, (2, -1)).transpose(-3, -2) for part in x.chunk(3, -1))
    return attend(q, k, v, is_causal=causal).transpose(-3, -2).flatten(-2)


def lstm(x, weight, h, c):
    """Rows [h | c] of every step, from what reaches the gates."""
    rows = []
    for step in x:
        i, f, g, o = (step + h @ weight.T).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        rows.append(torch.cat([h, c], -1))
    return torch.stack(rows)


# PyTorch has no second derivative of the hard sigmoid and its product, which are written out.
CASES += [
    ("self_attention", [[(3, 6)], [(2, 2, 12)], [(1, 6)]], lambda x: heads(x, False)),
    ("self_attention causal", [[(2, 3, 6)], [(0, 2, 6)]], lambda x: heads(x, True)),
    ("lstm", [[(3, 2, 4), (4, 1), (2, 1), (2, 1)], [(2, 1, 8), (8, 2), (1, 2), (1, 2)], [(1, 1, 4), (4, 1), (1, 1), (1, 1)]], lstm),
    ("mse loss", [[(2, 3)], [()], [(1,)]], lambda y: nn.mse_loss(y, targets(y.shape))),
    ("l1", [[(2, 3)], [()], [(1,)]], lambda y: nn.l1_loss(y, targets(y.shape)), beside(0)),
    ("bce_with_logits", [[(2, 3)], [()], [(1,)]], lambda y: nn.binary_cross_entropy_with_logits(y, truth(y.shape))),
    ("gelu", [[(2, 3)], [()], [(0, 2)], [(1,)]], nn.gelu),
    ("gelu_tanh", [[(2, 3)], [()], [(0, 2)], [(1,)]], lambda x: nn.gelu(x, approximate="tanh")),
    ("silu", [[(2, 3)], [()], [(0, 2)], [(1,)]], nn.silu),
    ("mish", [[(2, 3)], [()], [(0, 2)], [(1,)]], nn.mish),
    ("elu 0.7", [[(2, 3)], [()], [(0, 2)], [(1,)]], lambda x: nn.elu(x, 0.7)),
    ("celu 0.5", [[(2, 3)], [()], [(0, 2)], [(1,)]], lambda x: nn.celu(x, 0.5)),
    ("selu", [[(2, 3)], [()], [(0, 2)], [(1,)]], nn.selu),
    ("leaky_relu 0.2", [[(2, 3)], [()], [(0, 2)], [(1,)]], lambda x: nn.leaky_relu(x, 0.2)),
    ("relu6", [[(2, 3)], [()], [(0, 2)], [(1,)]], lambda x: nn.relu6(5 * x)),
    ("hardtanh", [[(2, 3)], [()], [(0, 2)], [(1,)]], lambda x: nn.hardtanh(1.03 * x)),
    ("hardsigmoid", [[(2, 3)], [()], [(0, 2)], [(1,)]], lambda x: nn.relu6(3.1 * x + 3) / 6),
    ("hardswish", [[(2, 3)], [()], [(0, 2)], [(1,)]], lambda x: 3.1 * x * nn.relu6(3.1 * x + 3) / 6),
]
# More shapes: no axes, no elements, one element.
EDGES = {
    "rms_norm": [[(0, 3)], [(1,)]],
    "rms_norm w": [[(0, 3), (3,)], [(1, 1), (1,)]],
    "layer_norm 2 axes": [[(0, 3, 4), (3, 4)]],
    "batch_norm with": [[(1, 3), (3,), (3,)]],
    "group_norm 2 w b": [[(0, 4), (4,), (4,)]],
    "instance_norm w b": [[(1, 1, 2), (1,), (1,)]],
    "normalize -1": [[(0, 3)], [(1,)], [(2, 0)]],
    "masked_softmax": [[(0, 2, 3)], [(1, 2, 3)]],
    "attention": [[(0, 3), (2, 3), (2, 2)], [(1, 1), (1, 1), (1, 1)], [(0, 2, 3), (0, 3, 3), (0, 3, 2)], [(2, 3), (3, 3), (3, 0)]],
    "attention causal": [[(1, 1), (1, 1), (1, 1)], [(0, 2, 3), (0, 3, 3), (0, 3, 2)]],
    "attention mask scale": [[(0, 2, 3), (0, 3, 3), (0, 3, 2)]],
    "huber": [[(1,)], [()]],
    "smooth_l1": [[(1,)], [()]],
    "kl_divergence": [[(1, 2)]],
    "triplet_margin": [[(1, 1), (1, 1), (1, 1)]],
}

write("neural_ops.txt", rng, CASES, EDGES)
