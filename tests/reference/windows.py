#!/usr/bin/env python3
"""Writes the reference values of what works on the windows of images and volumes: windows.txt beside this file, in the format of
tensors.py."""

import random

import torch.nn.functional as nn
from tensors import write

rng = random.Random(11)
IMAGES = [[(1, 2, 3, 4)], [(2, 1, 2, 3)], [(1, 1, 1, 1)]]


def interpolate(size, mode, **options):
    return lambda x: nn.interpolate(x, size=size, mode=mode, **options)


CASES = [
    # name, operands' shapes, function
    ("conv_transpose2d", [[(2, 2, 2, 3), (2, 3, 2, 2)], [(1, 1, 1, 1), (1, 1, 1, 1)], [(0, 2, 2, 2), (2, 1, 2, 2)]], nn.conv_transpose2d),
    ("conv_transpose2d strided", [[(1, 2, 2, 3), (2, 1, 3, 2)], [(2, 1, 1, 2), (1, 2, 2, 3)]],
     lambda x, w: nn.conv_transpose2d(x, w, stride=(2, 3), padding=(1, 0), output_padding=(1, 2))),
    ("conv_transpose2d dilated", [[(2, 4, 2, 2), (4, 2, 2, 2)]],
     lambda x, w: nn.conv_transpose2d(x, w, stride=2, dilation=(2, 1), groups=2)),
    ("conv_transpose1d", [[(2, 2, 4), (2, 3, 3)]], lambda x, w: nn.conv_transpose1d(x, w, stride=2, padding=1, output_padding=1)),
    ("adaptive_avg_pool2d 2 3", [[(1, 2, 5, 4)], [(2, 1, 4, 6)], [(1, 1, 1, 1)], [(0, 2, 5, 4)]], lambda x: nn.adaptive_avg_pool2d(x, (2, 3))),
    ("adaptive_avg_pool2d 1", IMAGES, lambda x: nn.adaptive_avg_pool2d(x, 1)),
    ("adaptive_max_pool2d 2 3", [[(1, 2, 5, 4)], [(2, 1, 4, 6)], [(1, 1, 1, 1)]], lambda x: nn.adaptive_max_pool2d(x, (2, 3))),
    ("adaptive_max_pool2d 1", IMAGES, lambda x: nn.adaptive_max_pool2d(x, 1)),
    ("adaptive_avg_pool1d 3", [[(2, 2, 7)], [(1, 2, 6)]], lambda x: nn.adaptive_avg_pool1d(x, 3)),
    ("adaptive_max_pool1d 3", [[(2, 2, 7)], [(1, 2, 6)]], lambda x: nn.adaptive_max_pool1d(x, 3)),
    ("interpolate nearest 5 3", IMAGES, interpolate((5, 3), "nearest")),
    ("interpolate bilinear 5 3", IMAGES, interpolate((5, 3), "bilinear")),
    ("interpolate corners 5 3", IMAGES, interpolate((5, 3), "bilinear", align_corners=True)),
    ("interpolate bilinear 2 1", [[(1, 1, 5, 4)], [(0, 1, 5, 4)]], interpolate((2, 1), "bilinear")),
    ("interpolate corners 1 2", [[(1, 1, 5, 4)]], interpolate((1, 2), "bilinear", align_corners=True)),
    ("pixel_shuffle", [[(1, 8, 2, 1)], [(2, 4, 1, 2)]], lambda x: nn.pixel_shuffle(x, 2)),
    ("pixel_unshuffle", [[(1, 1, 4, 2)], [(2, 2, 2, 2)]], lambda x: nn.pixel_unshuffle(x, 2)),
    ("unfold", [[(1, 2, 3, 4)], [(2, 1, 2, 3)]], lambda x: nn.unfold(x, (2, 3))),
    ("unfold strided", [[(1, 2, 3, 4)], [(2, 1, 2, 3)]], lambda x: nn.unfold(x, (2, 1), dilation=(2, 1), padding=(1, 2), stride=(1, 2))),
    ("fold", [[(1, 4, 9)]], lambda x: nn.fold(x, (4, 5), 2, padding=1, stride=2)),
    ("fold dilated", [[(1, 4, 8)]], lambda x: nn.fold(x, (3, 4), 2, dilation=(1, 2), padding=(1, 0))),
    ("conv3d", [[(1, 2, 3, 2, 2), (2, 2, 2, 2, 1)], [(1, 1, 1, 1, 1), (1, 1, 1, 1, 1)], [(0, 2, 2, 2, 2), (2, 2, 2, 1, 1)]], nn.conv3d),
    ("conv3d strided", [[(2, 1, 3, 2, 3), (2, 1, 2, 1, 2)]],
     lambda x, w: nn.conv3d(x, w, stride=(2, 1, 1), padding=(1, 0, 2), dilation=(1, 1, 2))),
    ("conv3d groups", [[(1, 4, 3, 2, 2), (4, 2, 2, 1, 2)]], lambda x, w: nn.conv3d(x, w, padding=1, dilation=(2, 1, 1), groups=2)),
]

CASES += [
    ("conv2d", [[(2, 2, 3, 4), (3, 2, 2, 2)], [(1, 1, 1, 1), (1, 1, 1, 1)], [(0, 2, 3, 3), (2, 2, 2, 1)]], nn.conv2d),
    ("conv2d strided", [[(1, 4, 4, 3), (2, 2, 3, 2)]], lambda x, w: nn.conv2d(x, w, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)),
    ("conv1d", [[(2, 2, 5), (3, 2, 3)], [(1, 1, 1), (1, 1, 1)], [(0, 2, 5), (1, 2, 1)]], nn.conv1d),
    ("conv1d strided", [[(2, 2, 6), (4, 1, 2)]], lambda x, w: nn.conv1d(x, w, stride=2, padding=1, dilation=2, groups=2)),
    ("max_pool2d", [[(2, 1, 4, 5)], [(1, 1, 3, 2)], [(0, 1, 3, 3)], [(1, 1, 1, 1)]], lambda x: nn.max_pool2d(x, (2, 1), padding=(1, 0))),
    ("max_pool2d overlapping", [[(1, 2, 4, 5)]], lambda x: nn.max_pool2d(x, 3, stride=(1, 2), padding=1)),
    ("avg_pool2d", [[(2, 1, 4, 5)], [(1, 1, 3, 2)], [(0, 1, 3, 3)], [(1, 1, 1, 1)]], lambda x: nn.avg_pool2d(x, (2, 1), padding=(1, 0))),
    ("avg_pool2d overlapping", [[(1, 2, 4, 5)]], lambda x: nn.avg_pool2d(x, 3, stride=(1, 2), padding=1)),
]
CASES += [
    ("conv1d bias", [[(2, 2, 5), (3, 2, 3), (3,)], [(1, 1, 1), (1, 1, 1), (1,)]], nn.conv1d),
    ("conv1d bias strided", [[(2, 2, 6), (4, 1, 2), (4,)]], lambda x, w, b: nn.conv1d(x, w, b, stride=2, padding=1, dilation=2, groups=2)),
    ("conv3d bias", [[(1, 2, 3, 2, 2), (2, 2, 2, 2, 1), (2,)], [(0, 2, 2, 2, 2), (2, 2, 2, 1, 1), (2,)]], nn.conv3d),
    ("conv3d bias strided", [[(2, 2, 3, 2, 2), (2, 1, 2, 1, 2), (2,)]],
     lambda x, w, b: nn.conv3d(x, w, b, stride=(2, 1, 1), padding=(1, 0, 2), dilation=(1, 1, 2), groups=2)),
]
# More shapes: no elements, one element.
EDGES = {
    "conv_transpose1d": [[(1, 1, 1), (1, 1, 3)], [(0, 2, 4), (2, 1, 3)]],
    "adaptive_max_pool2d 2 3": [[(0, 2, 5, 4)]],
    "adaptive_avg_pool1d 3": [[(1, 1, 1)], [(0, 2, 4)]],
    "adaptive_max_pool1d 3": [[(1, 1, 1)], [(0, 2, 4)]],
    "interpolate nearest 5 3": [[(0, 1, 2, 2)]],
    "interpolate corners 5 3": [[(0, 1, 2, 2)]],
    "pixel_shuffle": [[(1, 4, 1, 1)]],
    "pixel_unshuffle": [[(1, 1, 2, 2)]],
    "unfold": [[(1, 1, 2, 3)]],
    "unfold strided": [[(1, 1, 3, 1)]],
    "conv3d strided": [[(1, 1, 1, 1, 1), (1, 1, 2, 1, 2)]],
}

write("windows.txt", rng, CASES, EDGES)
