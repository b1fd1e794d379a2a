#!/usr/bin/env python3
"""Writes the reference values of linear algebra: linalg.txt beside this file.

Needs PyTorch (`pip install torch`). `tensors.py` says what a case is; the functions make the operands regular, symmetric or
positive definite, and a case says which operands are well enough conditioned. Factors that are determined up to a sign have
Wengert's. Where PyTorch has no second derivative or a wrong one (least squares, the determinant of a singular matrix) the
function is written out.
"""

import random

import torch

from tensors import write

rng = random.Random(7)
L = torch.linalg


def regular(x):
    return x / 8 + torch.eye(x.shape[-1], dtype=torch.float64)


def definite(x):
    return regular(x) @ regular(x).mT


def symmetric(x):
    return (x + x.mT) / 2


def up(v):
    """The signs that make the entry of largest magnitude of each column positive."""
    largest = v.detach().abs().argmax(-2, keepdim=True)
    return v.detach().gather(-2, largest).sign()


def qr(a):
    q, r = L.qr(a)
    signs = r.detach().diagonal(dim1=-2, dim2=-1).sign()
    return torch.cat([q * signs.unsqueeze(-2), (r * signs.unsqueeze(-1)).mT], -2)


def eigh(a):
    w, v = L.eigh(a)
    return torch.cat([w.unsqueeze(-2), v * up(v)], -2)


def svd(a):
    u, s, v_t = L.svd(a, full_matrices=False)
    return torch.cat([s.unsqueeze(-2), u * up(u), v_t.mT * up(u)], -2)


def triangle(a, b, upper, transposed, unit):
    a = a.mT if transposed else a
    return L.solve_triangular(a, b, upper=upper != transposed, unitriangular=unit)


def gaps(a):
    s = L.svdvals(a)
    return s.shape[-1] < 2 or float((s[..., :-1] - s[..., 1:]).min()) > 0.3


def leibniz(a):
    """The determinant of a 3 x 3 matrix, term by term."""
    rows = a.unbind(-2)
    return sum(
        s * rows[0][..., i] * rows[1][..., j] * rows[2][..., k]
        for s, (i, j, k) in zip([1, -1, -1, 1, 1, -1], [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
    )


SQUARE = [[s] for s in [(1, 1), (2, 2), (4, 4), (2, 3, 3)]]
SYSTEMS = [[(1, 1), (1, 1)], [(3, 3), (3, 2)], [(2, 3, 3), (3, 1)], [(3, 3), (2, 3, 2)]]
LONG = [[s] for s in [(3, 3), (4, 2), (2, 3, 2)]]
WIDE = [[s] for s in [(2, 4), (2, 2, 3)]]
any_ = lambda *x: True

CASES = [
    # name, operands' shapes, function, which operands will do
    ("cholesky", SQUARE, lambda x: L.cholesky(definite(x)), any_),
    ("solve", SYSTEMS, lambda a, b: L.solve(regular(a), b), any_),
    ("solve a vector", [[(3, 3), (3,)]], lambda a, b: L.solve(regular(a), b), any_),
    ("solve_triangular lower", SYSTEMS, lambda a, b: triangle(regular(a), b, False, False, False), any_),
    ("solve_triangular upper", SYSTEMS[1:3], lambda a, b: triangle(regular(a), b, True, False, False), any_),
    ("solve_triangular lower transposed", SYSTEMS[1:], lambda a, b: triangle(regular(a), b, False, True, False), any_),
    ("solve_triangular upper unit", SYSTEMS[1:3], lambda a, b: triangle(a, b, True, False, True), any_),
    ("solve_triangular upper transposed unit", SYSTEMS[1:], lambda a, b: triangle(a, b, True, True, True), any_),
    ("inverse", SQUARE, lambda a: L.inv(regular(a)), any_),
    ("det", SQUARE, lambda a: L.det(regular(a)), any_),
    ("det of rank 2", [[(3, 2)]], lambda x: leibniz(x @ x.mT), any_),
    ("det of rank 1", [[(3, 1)]], lambda x: leibniz(x @ x.mT), any_),
    ("det of products", [[(3, 2), (2, 3)]], lambda a, b: leibniz(a @ b) + 2 * leibniz(a @ b + b.mT @ a.mT), any_),
    ("slogdet", SQUARE, lambda a: L.slogdet(regular(a)).logabsdet, any_),
    ("lstsq", [[(4, 2), (4, 2)], [(3, 3), (3, 1)], [(2, 4, 1), (4, 2)]],
     lambda a, b: L.solve(a.mT @ a, a.mT @ b), lambda a, b: float(L.cond(a).max()) < 3),
    ("lstsq a vector", [[(4, 2), (4,)]], lambda a, b: L.solve(a.mT @ a, a.mT @ b), lambda a, b: float(L.cond(a)) < 3),
    ("qr", LONG, qr, lambda a: float(L.cond(a).max()) < 5),
    ("r of a wide matrix", WIDE, lambda a: (lambda q, r: r * r.detach().diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-1))(*L.qr(a)),
     lambda a: float(L.cond(a[..., : a.shape[-2]]).max()) < 5),
    ("eigh", SQUARE, lambda x: eigh(symmetric(x)),
     lambda x: x.numel() == 0 or x.shape[-1] < 2 or float(L.eigvalsh(symmetric(x)).diff().min()) > 0.5),
    ("eigvalsh", SQUARE, lambda x: L.eigvalsh(symmetric(x)),
     lambda x: x.numel() == 0 or x.shape[-1] < 2 or float(L.eigvalsh(symmetric(x)).diff().min()) > 0.5),
    ("svd", LONG + WIDE + [[(1, 3)]], svd, lambda a: gaps(a) and float(L.svdvals(a).min()) > 0.4),
    ("svdvals", LONG + WIDE, lambda a: L.svdvals(a), lambda a: gaps(a) and float(L.svdvals(a).min()) > 0.4),
    ("expm", SQUARE, lambda a: L.matrix_exp(a), any_),
    ("expm of large matrices", [[(3, 3)]], lambda a: L.matrix_exp(4 * (a - a.mT)), any_),
    ("trace", SQUARE, lambda a: (a @ a).diagonal(dim1=-2, dim2=-1).sum(-1), any_),
]

# More shapes: no matrices, matrices of nothing, of one element.
NONE = [[(0, 2, 2)], [(0, 0)], [(2, 0, 0)]]
EDGES = {
    **{name: NONE for name in ["cholesky", "inverse", "det", "slogdet", "eigvalsh", "expm", "trace"]},
    "solve": [[(0, 2, 2), (0, 2, 1)], [(0, 0), (0, 2)], [(2, 2), (2, 0)]],
    "solve_triangular lower": [[(0, 2, 2), (0, 2, 1)], [(0, 0), (0, 2)], [(2, 2), (2, 0)]],
    "solve_triangular upper": [[(1, 1), (1, 1)]],
    "svd": [[(1, 1)]],
    "svdvals": [[(1, 1)], [(1, 3)]],
    "qr": [[(1, 1)], [(3, 1)]],
    "lstsq": [[(1, 1), (1, 1)]],
}
# Equal rows have no inverse, and equal entries no gap.
TIED = {"lstsq a vector": "never"}

write("linalg.txt", rng, CASES, EDGES, TIED)
