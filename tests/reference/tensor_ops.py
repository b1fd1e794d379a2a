#!/usr/bin/env python3
"""Writes the reference values of tensor ops: tensor_ops.txt beside this file, in the format of tensors.py."""

import random

import numpy
import torch
from tensors import write

rng = random.Random(4)


def padded(x, axis, sides, mode):
    return x.index_select(axis, torch.from_numpy(numpy.pad(numpy.arange(x.shape[axis]), sides, mode)))


def index(values, shape=None):
    values = torch.tensor(values)
    return values if shape is None else values.reshape(shape)


VECTORS = [(4,), (1,), (0,), (5,)]
MATRICES = [(2, 3), (3, 1), (0, 3), (2, 0), (3, 4), (2, 3, 4), (2, 0, 3)]
FULL = [(2, 3), (3, 1), (3, 4), (2, 3, 4)]
ALL = [(), (1,), (5,), (2, 3), (2, 3, 2)]
einsum = lambda formula: lambda *x: torch.einsum(formula, *x)
inf = float("inf")
MASK = index([[True, False, True], [False, False, True]])
LONG = index([[0, 3, 0, 1, 0, 0, 3], [4, 4, 4, 4, 4, 4, 4]])


def scatter_reduce(how, include_self):
    # Row 1 receives nothing, and column 0 everything at one place.
    return lambda x, s: x.scatter_reduce(0, index_of(x, 0, [[0, 2], [0, 0], [0, 2]], s.shape), s, how, include_self=include_self)


def index_of(x, axis, values, shape):
    """The first of the values, for an operand of any size."""
    return index(values)[tuple(slice(n) for n in shape)] % x.shape[axis]


def untied(axis):
    return lambda x: all(len(sums.unique()) == len(sums) for sums in x.abs().sum(axis).reshape(-1, x.shape[-3 - axis]))


def lone(x):
    """Whether one element alone is the largest in magnitude."""
    return (x.abs() == x.abs().max()).sum() == 1


def distinct(*x):
    values = torch.cat([x.flatten() for x in x])
    return len(values.unique()) == len(values)


CASES = [
    # name, operands' shapes, function
    ("prod", [[s] for s in ALL + [(0,), (2, 0)]], lambda x: x.prod()),
    ("prod 0", [[s] for s in MATRICES], lambda x: x.prod(0)),
    ("prod keep -1", [[s] for s in MATRICES], lambda x: x.prod(-1, keepdim=True)),
    ("prod 0 2", [[(2, 3, 4)], [(3, 2, 1)]], lambda x: x.prod(2).prod(0)),
    ("prod of zeros", [[(4,)], [(5,)]], lambda x: (x * torch.tensor([1.0, 0, 1, 0, 1], dtype=torch.float64)[: len(x)]).prod()),
    ("variance", [[s] for s in ALL[2:]], lambda x: x.var(correction=1)),
    ("variance 0", [[s] for s in FULL], lambda x: x.var(0, correction=0)),
    ("variance keep -1", [[(2, 3)], [(2, 3, 4)]], lambda x: x.var(-1, correction=1, keepdim=True)),
    ("std", [[s] for s in ALL[2:]], lambda x: x.std(correction=1)),
    ("std -1", [[(2, 3)], [(3, 4)], [(0, 3)]], lambda x: x.std(-1, correction=0)),
    ("norm1", [[s] for s in ALL + [(0,)]], lambda x: torch.linalg.vector_norm(x, 1)),
    ("norm2", [[s] for s in ALL], lambda x: torch.linalg.vector_norm(x, 2)),
    ("norm2 0", [[s] for s in FULL], lambda x: torch.linalg.vector_norm(x, 2, 0)),
    ("norm inf", [[s] for s in ALL], lambda x: torch.linalg.vector_norm(x, inf), lone),
    ("norm 3 -1", [[s] for s in FULL], lambda x: torch.linalg.vector_norm(x, 3, -1)),
    ("norm 2.5 keep 0", [[s] for s in FULL], lambda x: torch.linalg.vector_norm(x, 2.5, 0, keepdim=True)),
    ("cumsum 0", [[s] for s in VECTORS + MATRICES], lambda x: x.cumsum(0)),
    ("cumsum -1", [[s] for s in MATRICES], lambda x: x.cumsum(-1)),
    ("cumprod 0", [[s] for s in VECTORS + MATRICES], lambda x: x.cumprod(0)),
    ("cumprod -1", [[s] for s in MATRICES], lambda x: x.cumprod(-1)),
    ("cumprod of zeros", [[(5,)]], lambda x: (x * torch.tensor([1.0, 0, 1, 0, 1], dtype=torch.float64)).cumprod(0)),
    ("cummax -1", [[s] for s in VECTORS + FULL], lambda x: x.cummax(-1).values),
    ("cummin 0", [[s] for s in FULL], lambda x: x.cummin(0).values),
    ("sort -1", [[s] for s in VECTORS + MATRICES], lambda x: x.sort(-1).values),
    ("sort descending 0", [[s] for s in FULL], lambda x: x.sort(0, descending=True).values),
    ("topk 2 0", [[(2, 3)], [(3, 4)], [(4,)]], lambda x: x.topk(2, 0).values),
    ("median", [[s] for s in ALL], lambda x: x.median()),
    ("median 0", [[s] for s in FULL], lambda x: x.median(0).values),
    ("quantile 0.3", [[s] for s in ALL], lambda x: x.quantile(0.3)),
    ("quantile 0.8 keep -1", [[s] for s in FULL], lambda x: x.quantile(0.8, -1, keepdim=True)),
    ("roll 0 2", [[s] for s in VECTORS + MATRICES], lambda x: x.roll(2, 0)),
    ("roll -1 -1", [[s] for s in FULL], lambda x: x.roll(-1, -1)),
    ("repeat 0 3", [[s] for s in VECTORS + FULL], lambda x: x.repeat_interleave(3, 0)),
    ("tile 2 1 3", [[s] for s in [()] + VECTORS + FULL], lambda x: x.tile(2, 1, 3)),
    ("chunk", [[(4,)], [(5,)]], lambda x: x[: (len(x) + 1) // 2].prod() * x[(len(x) + 1) // 2 :].sum()),
    ("unbind", [[(3, 2)]], lambda x: x.unbind(0)[0] * x.unbind(0)[2]),
    ("pad 1.5", [[s] for s in MATRICES], lambda x: torch.nn.functional.pad(x, (1, 2), value=1.5)),
    ("pad reflect", [[(2, 3)], [(3, 4)]], lambda x: padded(padded(x, 0, (1, 0), "reflect"), 1, (2, 1), "reflect")),
    ("pad replicate", [[s] for s in FULL], lambda x: padded(x, x.dim() - 1, (2, 1), "edge")),
    ("tril 0", [[s] for s in MATRICES], lambda x: x.tril()),
    ("triu 1", [[s] for s in MATRICES], lambda x: x.triu(1)),
    ("diag 1", [[(3,)], [(0,)], [(2, 3)], [(3, 3)]], lambda x: x.diag(1)),
    ("diag -1", [[(3,)], [(3, 2)]], lambda x: x.diag(-1)),
    ("diagonal 1 0 -1", [[s] for s in FULL], lambda x: x.diagonal(1, 0, -1)),
    ("meshgrid", [[(2,), (3,)], [(1,), (0,)]], lambda a, b: torch.mul(*torch.meshgrid(a, b, indexing="ij"))),
    ("gather", [[(3, 2)]], lambda x: x.gather(0, index_of(x, 0, [[0, 2], [2, 2], [1, 0], [2, 1]], (4, x.shape[1])))),
    ("take_along_axis", [[(3, 2)]], lambda x: torch.take_along_dim(x, index_of(x, 1, [[1], [0], [1]], x.shape), 1)),
    ("index_select 1", [[(2, 3)], [(2, 3, 2)]], lambda x: x.index_select(1, index_of(x, 1, [2, 0, 2, 2], (4,)))),
    ("scatter", [[(3, 2), (2, 2)]], lambda x, s: x.scatter(0, index_of(x, 0, [[0, 2], [1, 0]], s.shape), s)),
    ("scatter_add", [[(3, 2), (2, 2)]], lambda x, s: x.scatter_add(0, index_of(x, 0, [[0, 2], [0, 0]], s.shape), s)),
    ("select", [[(2, 3), (2, 3)], [(2, 1), (3,)], [(), (2, 3)]],
     lambda a, b: torch.where(index([[True, False, True], [False, False, True]]), a, b)),
    ("masked_fill", [[(2, 3)]], lambda x: x.masked_fill(index([[True, False, True], [False, False, True]]), 2.0)),
    ("dot", [[(4,), (4,)], [(0,), (0,)]], lambda a, b: a.dot(b)),
    ("outer", [[(2,), (3,)], [(1,), (0,)]], lambda a, b: torch.outer(a, b)),
    ("ij,jk->ik", [[(2, 3), (3, 4)], [(2, 0), (0, 3)]], einsum("ij,jk->ik")),
    ("bij,kbj->ibk", [[(2, 3, 4), (2, 2, 4)]], einsum("bij,kbj->ibk")),
    ("ij,ij,ij->j", [[(2, 3), (2, 3), (2, 3)]], einsum("ij,ij,ij->j")),
    ("iji->j", [[(3, 2, 3)]], einsum("iji->j")),
    ("ij,jk,kl->li", [[(2, 3), (3, 2), (2, 4)]], einsum("ij,jk,kl->li")),
    ("...ij,...jk->...ki", [[(2, 1, 2, 3), (2, 3, 2)]], einsum("...ij,...jk->...ki")),
    ("ij,k->", [[(2, 3), (2,)]], einsum("ij,k->")),
    ("masked_select", [[(2, 3)], [(3,)], [(2, 1)]], lambda x: x.masked_select(MASK)),
    ("masked_select none", [[(2, 3)]], lambda x: x.masked_select(MASK & ~MASK)),
    *(
        (f"scatter_reduce {how}{beside}", [[(3, 2), (3, 2)], [(4, 3), (3, 2)]], scatter_reduce(how, not beside), *([distinct] if "a" in how[0] else []))
        for how in ["sum", "prod", "mean", "amax", "amin"]
        for beside in ["", " without"]
    ),
    ("scatter_reduce prod 1", [[(2, 5), (2, 7)], [(1, 3), (1, 7)]], lambda x, s: x.scatter_reduce(1, LONG[: len(s)] % x.shape[1], s, "prod")),
    ("matrix_norm fro", [[s] for s in FULL + [(0, 2, 3)]], lambda x: torch.linalg.matrix_norm(x)),
    ("matrix_norm 1", [[s] for s in FULL + [(0, 2, 3)]], lambda x: torch.linalg.matrix_norm(x, 1), untied(-2)),
    ("matrix_norm inf", [[s] for s in FULL + [(0, 2, 3)]], lambda x: torch.linalg.matrix_norm(x, inf), untied(-1)),
    ("matrix_norm 2", [[s] for s in FULL + [(0, 2, 3)]], lambda x: torch.linalg.matrix_norm(x, 2)),
    ("matrix_norm nuc", [[s] for s in FULL + [(0, 2, 3), (2, 0)]], lambda x: torch.linalg.matrix_norm(x, "nuc")),
]

# More shapes: no axes, no elements, one element.
EDGES = {
    "std": [[(1, 2)]],
    "variance 0": [[(1, 1)], [(2, 0)]],
    "norm2 0": [[(2, 0)], [(1, 1)]],
    "norm 3 -1": [[(0, 3)], [(1, 1)]],
    "norm inf": [[(1, 1)]],
    "cummin 0": [[(1,)], [(0,)], [(2, 0)]],
    "cummax -1": [[(2, 0)], [(1, 1)]],
    "topk 2 0": [[(2,)], [(2, 0)]],
    "median 0": [[(2, 0)], [(1, 1)]],
    "quantile 0.8 keep -1": [[(1, 1)]],
    "chunk": [[(3,)]],
    "unbind": [[(3, 0)], [(3, 1)], [(3,)]],
    "roll -1 -1": [[(1, 1)]],
    "pad 1.5": [[(1,)], [(0,)]],
    "pad replicate": [[(1,)], [(0, 1)]],
    "tril 0": [[(1, 1)], [(0, 0)]],
    "triu 1": [[(1, 1)], [(0, 0)]],
    "diag 1": [[(1,)], [(1, 1)], [(0, 0)]],
    "diag -1": [[(1,)], [(0,)], [(1, 1)]],
    "diagonal 1 0 -1": [[(1, 1)], [(0, 0)]],
    "meshgrid": [[(1,), (1,)], [(0,), (0,)]],
    "gather": [[(3, 0)], [(1, 1)]],
    "take_along_axis": [[(0, 2)], [(1, 1)]],
    "index_select 1": [[(0, 3)], [(1, 1)]],
    "scatter": [[(3, 2), (0, 2)], [(3, 0), (2, 0)], [(1, 1), (1, 1)]],
    "scatter_add": [[(3, 2), (0, 2)], [(3, 0), (2, 0)], [(1, 1), (1, 1)]],
    "scatter_reduce prod": [[(3, 2), (0, 2)], [(3, 0), (2, 0)], [(1, 1), (1, 1)]],
    "scatter_reduce mean without": [[(3, 2), (0, 2)], [(1, 1), (1, 1)]],
    "scatter_reduce amax": [[(3, 2), (0, 2)], [(1, 1), (1, 1)]],
    "masked_fill": [[(3,)], [(2, 1)], [()]],
    "select": [[(), ()], [(1,), (1, 1)], [(3,), (2, 1)]],
    "dot": [[(1,), (1,)]],
    "outer": [[(1,), (1,)], [(0,), (2,)]],
    "ij,jk->ik": [[(1, 1), (1, 1)], [(0, 2), (2, 0)]],
    "bij,kbj->ibk": [[(0, 3, 4), (2, 0, 4)], [(1, 1, 1), (1, 1, 1)]],
    "ij,ij,ij->j": [[(0, 3), (0, 3), (0, 3)], [(1, 1), (1, 1), (1, 1)]],
    "iji->j": [[(0, 2, 0)], [(1, 1, 1)]],
    "ij,jk,kl->li": [[(2, 0), (0, 3), (3, 1)], [(1, 1), (1, 1), (1, 1)]],
    "...ij,...jk->...ki": [[(2, 3), (4, 3, 2)], [(0, 1, 2, 3), (2, 3, 2)], [(1, 1), (1, 1)]],
    "ij,k->": [[(0, 3), (2,)], [(1, 1), (1,)]],
    "masked_select": [[()], [(2, 2, 3)]],
    "matrix_norm fro": [[(1, 1)], [(0, 0)]],
    "matrix_norm 1": [[(1, 1)]],
    "matrix_norm inf": [[(1, 1)]],
    "matrix_norm 2": [[(1, 1)]],
    "matrix_norm nuc": [[(1, 1)]],
}
# What picks elements out of equal ones has no reference there.
TIED = {
    "variance": -1, "sort descending 0": -1, "topk 2 0": -1, "median": "never", "median 0": -1, "quantile 0.3": "never", "cummin 0": -1, "norm inf": "never",
    "matrix_norm inf": -1,
    **{f"scatter_reduce {how}{beside}": "never" for how in ["amax", "amin"] for beside in ["", " without"]},
}  # fmt: skip

write("tensor_ops.txt", rng, CASES, EDGES, TIED)
