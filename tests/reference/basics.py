#!/usr/bin/env python3
"""Writes the reference values of what other ops are made of: basics.txt beside this file, in the format of tensors.py."""

import random

import torch
import torch.nn.functional as nn
from tensors import write

rng = random.Random(13)
# Broadcasting on either side, on both, from no axes, of nothing, of one element.
PAIRS = [
    [(2, 3), (2, 3)], [(3,), (2, 3)], [(2, 3), (3,)], [(2, 1), (1, 3)], [(3, 1, 2), (2, 1)], [(), (2, 3)], [(2, 3), ()], [(), ()],
    [(0, 3), (3,)], [(1,), (0,)], [(0, 1), (1, 3)], [(1,), (1,)], [(1, 1), (2, 3)],
]  # fmt: skip
COMPARED = [[(2, 3), (3,)], [(2, 1), (1, 3)], [(), (2, 3)], [(2, 3), ()], [(), ()], [(0, 3), (3,)], [(1,), (1,)], [(2, 3), (2, 3)]]
ALL = [[s] for s in [(2, 3), (2, 3, 2), (4,), (), (1,), (0,), (2, 0)]]
SOME = [[s] for s in [(2, 3), (2, 3, 2), (1, 1), (0, 3), (2, 0)]]
FULL = [[s] for s in [(2, 3), (2, 3, 2), (1, 1)]]


def untied(a, b):
    return not torch.isin(a, b).any()


def kept(f):
    return lambda x: f(x, -1, keepdim=True)


def two_ways(f):
    return lambda x: f(x, (0, 2))


CASES = [
    # name, operands' shapes, function
    ("add", PAIRS, torch.add),
    ("sub", PAIRS, torch.sub),
    ("mul", PAIRS, torch.mul),
    ("div", PAIRS, torch.div),
    ("maximum", PAIRS, torch.maximum, untied),
    ("minimum", PAIRS, torch.minimum, untied),
    ("atan2", PAIRS, torch.atan2),
    ("hypot", PAIRS, torch.hypot),
    ("powf", PAIRS, lambda a, b: (a * a).pow(b)),
    ("neg", ALL, torch.neg),
    ("affine", ALL, lambda x: 2.5 * x - 0.75),
    ("powi", ALL, lambda x: x**3),
    ("clamp", ALL, lambda x: x.clamp(-0.51, 0.77)),
    ("sum", ALL, torch.sum),
    ("sum 0", SOME, lambda x: x.sum(0)),
    ("sum keep -1", SOME, kept(torch.sum)),
    ("sum 0 2", [[(2, 3, 2)], [(0, 3, 2)], [(1, 1, 1)]], two_ways(torch.sum)),
    ("mean", [s for s in ALL if 0 not in s[0]], torch.mean),
    ("mean 0", [[(2, 3)], [(2, 0)], [(1, 1)]], lambda x: x.mean(0)),
    ("mean keep -1", FULL + [[(0, 3)]], kept(torch.mean)),
    ("mean 0 2", [[(2, 3, 2)], [(2, 0, 2)]], two_ways(torch.mean)),
    ("max", [s for s in ALL if 0 not in s[0]], torch.max),
    ("max 0", FULL + [[(2, 0)]], lambda x: x.amax(0)),
    ("max keep -1", FULL + [[(0, 3)]], kept(torch.amax)),
    ("min", [s for s in ALL if 0 not in s[0]], torch.min),
    ("min 0 2", [[(2, 3, 2)], [(2, 0, 2)]], two_ways(torch.amin)),
    ("log_sum_exp 0", FULL + [[(2, 0)]], lambda x: x.logsumexp(0)),
    ("log_sum_exp -1", FULL + [[(0, 3)], [(4,)]], lambda x: x.logsumexp(-1)),
    ("softmax 0", SOME, lambda x: x.softmax(0)),
    ("softmax -1", SOME + [[(4,)]], lambda x: x.softmax(-1)),
    ("log_softmax 0", SOME, lambda x: x.log_softmax(0)),
    ("log_softmax -1", SOME + [[(4,)]], lambda x: x.log_softmax(-1)),
    ("matmul", [
        [(2, 3), (3, 4)], [(3,), (3, 2)], [(2, 3), (3,)], [(3,), (3,)], [(2, 3), (4, 3, 2)], [(4, 2, 3), (3, 2)], [(2, 1, 2, 3), (3, 3, 2)],
        [(1, 1), (1, 1)], [(1,), (1,)], [(0, 3), (3, 2)], [(2, 0), (0, 3)], [(0,), (0,)], [(0, 2, 3), (3, 1)],
    ], torch.matmul),
    ("matmul_t a", [[(3, 2), (3, 4)], [(2, 3, 2), (3, 1)], [(0, 2), (0, 3)]], lambda a, b: a.mT @ b),
    ("matmul_t b", [[(2, 3), (4, 3)], [(2, 1, 3), (2, 3)], [(1, 1), (1, 1)]], lambda a, b: a @ b.mT),
    ("matmul_t a b", [[(3, 2), (4, 3)], [(2, 0), (3, 2)]], lambda a, b: a.mT @ b.mT),
    ("linear", [[(2, 3), (4, 3), (4,)], [(2, 2, 3), (1, 3), (1,)], [(1, 1), (1, 1), (1,)], [(0, 3), (2, 3), (2,)]], nn.linear),
    ("reshape", ALL, lambda x: x.reshape(-1, 1)),
    ("flatten_from", [[(2, 3, 2)], [(0, 2, 3)], [(1, 1, 1)]], lambda x: x.flatten(1)),
    ("unsqueeze", SOME, lambda x: x.unsqueeze(1)),
    ("squeeze", [[(2, 1, 3)], [(0, 1)], [(1, 1)]], lambda x: x.squeeze(1)),
    ("permute", [[(2, 3, 4)], [(2, 0, 3)], [(1, 1, 1)]], lambda x: x.permute(2, 0, 1)),
    ("transpose", SOME, lambda x: x.transpose(0, -1)),
    ("broadcast_to", [[(3, 1)], [()], [(1,)], [(3, 4)]], lambda x: x.broadcast_to(2, 3, 4)),
    ("broadcast_to nothing", [[(3, 1)], [()], [(1,)], [(3, 0)]], lambda x: x.broadcast_to(2, 3, 0)),
    ("sum_to", [[(2, 3, 4)], [(3, 1)], [(2, 3, 0)]], lambda x: x.sum(-1, keepdim=True).reshape(-1, 3, 1).sum(0)),
    ("flip", SOME, lambda x: x.flip(-1)),
    ("slice 0", SOME, lambda x: x[:1]),
    ("slice step", SOME + [[(5,)]], lambda x: x[..., 1::2]),
    ("slice backwards", SOME + [[(5,)]], lambda x: x.flip(-1)[..., ::2]),
    ("concat 0", [[(2, 3), (1, 3)], [(0, 3), (2, 3)], [(1,), (1,)], [(0,), (0,)]], lambda a, b: torch.cat([a, b, a], 0)),
    ("concat -1", [[(2, 3), (2, 1)], [(2, 0), (2, 1)], [(1, 1), (1, 1)]], lambda a, b: torch.cat([a, b], -1)),
    ("stack 1", [[(2, 3), (2, 3)], [(1,), (1,)], [(0, 2), (0, 2)]], lambda a, b: torch.stack([a, b, a], 1)),
    ("stack 0", [[(), ()], [(2,), (2,)]], lambda a, b: torch.stack([a, b], 0)),
    ("split", [[(3, 2)], [(3, 0)], [(3, 1)]], lambda x: x[:1] * x[1:].sum()),
    ("gather_rows", [[(4, 2)], [(4, 0)], [(4,)], [(4, 1)]], lambda x: x[[3, 0, 3]]),
    ("cross_entropy", [[(3, 4)], [(1, 4)]], lambda x: nn.cross_entropy(x, torch.tensor([3, 0, 3])[: len(x)])),
    ("mse", [[(2, 3), (2, 3)], [(1,), (1,)], [(), ()]], nn.mse_loss),
    ("argmax", FULL + [[()]], torch.argmax),
    ("argmin", FULL + [[()]], torch.argmin),
    ("argmax -1", FULL + [[(0, 3)]], lambda x: x.argmax(-1)),
    ("argmin 0", FULL + [[(2, 0)]], lambda x: x.argmin(0)),
    ("argsort -1", SOME, lambda x: x.argsort(-1)),
    ("places of topk", FULL + [[(2, 0)]], lambda x: x.topk(1, 0).indices),
    ("places of cummax", SOME, lambda x: x.cummax(-1).indices),
    ("count_nonzero", ALL, lambda x: torch.count_nonzero(x.relu())),
    ("count_nonzero 0", SOME, lambda x: torch.count_nonzero(x.relu(), 0)),
    ("all", ALL, lambda x: (x > -1.5).all()),
    ("any", ALL, lambda x: (x > 1.5).any()),
    ("all 0", SOME, lambda x: (x > -1).all(0)),
    ("any -1", SOME, lambda x: (x > 1).any(-1)),
    ("less", COMPARED, torch.lt),
    ("less_equal", COMPARED, torch.le),
    ("greater", COMPARED, torch.gt),
    ("greater_equal", COMPARED, torch.ge),
    ("equal", COMPARED, lambda a, b: torch.eq(a.round(), b.round())),
    ("not_equal", COMPARED, lambda a, b: torch.ne(a.round(), b.round())),
    ("one_hot", [[(3,)], [(1,)], [(0,)], [(2, 2)], [()]], lambda x: nn.one_hot((x > 0).to(torch.int64), 3)),
]
# What picks elements out of equal ones has no reference there.
TIED = {
    "max": "never", "min": "never", "min 0 2": 1, "max 0": -1, "argmax": "never", "argmin": "never", "argmin 0": -1,
    "places of topk": -1,
}  # fmt: skip

write("basics.txt", rng, CASES, tied=TIED)
