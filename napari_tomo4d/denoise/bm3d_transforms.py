"""Cosine transforms of blocks of 8 x 8 pixels in explicit vector code.

LLVM does not find vectors in loops this short, and would reload everything for fear that
arrays overlap. Here a block stays in eight registers from its pixels to its coefficients,
which makes the transforms several times faster.

Numba keeps compiled kernels until their own file changes: after a change of this one, remove
those of `bm3d_kernels` from ``__pycache__``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from scipy import fft

Ir = Any
"""A type or value of LLVM, or what builds it: llvmlite has no type hints."""

BLOCK = 8
"""Pixels along an edge of a block."""

COSINES = fft.dct(np.eye(BLOCK), axis=0, norm="ortho")
"""Orthonormal transform (coefficient, pixel) along one axis, type II."""

WINDOW = np.kaiser(BLOCK, 1.5)
"""Weight of a block's pixels along one axis: less at its edges, where it is least certain."""

_FLOAT, _INDEX, _LANE = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_ROW = ir.VectorType(_FLOAT, BLOCK)
_FAST = ("fast",)


def _constant(values: Ir) -> Ir:
    return ir.Constant(_ROW, [float(v) for v in np.broadcast_to(values, BLOCK)])


def _splat(builder: Ir, value: Ir) -> Ir:
    empty = ir.Constant(_ROW, ir.Undefined)
    one = builder.insert_element(empty, value, _LANE(0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(_LANE, BLOCK), [0] * BLOCK))


def _rows(builder: Ir, base: Ir, start: Ir, stride: Ir) -> list[Ir]:
    """Return pointers to eight rows of eight values, `stride` values apart."""
    pointers = []
    for _ in range(BLOCK):
        pointers.append(builder.bitcast(builder.gep(base, [start]), _ROW.as_pointer()))
        start = builder.add(start, stride)
    return pointers


def _load(builder: Ir, pointer: Ir) -> Ir:
    value = builder.load(pointer)
    # blocks start at any pixel, not at multiples of the vector
    value.align = 4
    return value


def _store(builder: Ir, value: Ir, pointer: Ir) -> None:
    builder.store(value, pointer).align = 4


def _weighted_sum(builder: Ir, weights: Ir, vectors: Ir) -> Ir:
    total = None
    for weight, vector in zip(weights, vectors, strict=True):
        product = builder.fmul(_constant(weight), vector, flags=_FAST)
        total = product if total is None else builder.fadd(total, product, flags=_FAST)
    return total


def _forward(builder: Ir, v: list[Ir]) -> list[Ir]:
    """Transform across vectors; even cosines are symmetric, odd ones antisymmetric."""
    half = range(BLOCK // 2)
    sums = [builder.fadd(v[i], v[-1 - i], flags=_FAST) for i in half]
    differences = [builder.fsub(v[i], v[-1 - i], flags=_FAST) for i in half]
    return [
        _weighted_sum(builder, COSINES[k, : BLOCK // 2], differences if k % 2 else sums)
        for k in range(BLOCK)
    ]


def _inverse(builder: Ir, v: list[Ir]) -> list[Ir]:
    half = range(BLOCK // 2)
    even = [_weighted_sum(builder, COSINES[::2, i], v[::2]) for i in half]
    odd = [_weighted_sum(builder, COSINES[1::2, i], v[1::2]) for i in half]
    first = [builder.fadd(e, o, flags=_FAST) for e, o in zip(even, odd, strict=True)]
    last = [builder.fsub(e, o, flags=_FAST) for e, o in zip(even, odd, strict=True)]
    return first + last[::-1]


def _transposed(builder: Ir, v: list[Ir]) -> list[Ir]:
    """Swap vectors and lanes: three perfect shuffles turn one index into the other."""
    masks = [
        ir.Constant(
            ir.VectorType(_LANE, BLOCK),
            [first + i // 2 + BLOCK * (i % 2) for i in range(BLOCK)],
        )
        for first in (0, BLOCK // 2)
    ]
    for _ in range(3):
        v = [
            builder.shuffle_vector(v[i], v[i + BLOCK // 2], mask)
            for i in range(BLOCK // 2)
            for mask in masks
        ]
    return v


def _data(context: Ir, builder: Ir, signature: Ir, args: Ir, i: int) -> Ir:
    return context.make_array(signature.args[i])(context, builder, args[i]).data


def _cosine_transform(typingctx: Ir, image: Ir, start: Ir, stride: Ir, blocks: Ir, into: Ir) -> Ir:
    """Transform the block at ``image[start]`` and store it at ``blocks[into : into + 64]``.

    `start`, `into` and `stride`, the length of a row of the image, count elements from the
    beginning of the arrays' data, whatever their shape; nothing is checked. The
    coefficient of frequency ky, kx is the one numbered ``8 kx + ky``, which saves a transposition.

    Parameters
    ----------
    image, blocks : float32 arrays, contiguous
    start, stride, into : int
    """
    i8 = types.int64
    signature = types.void(image, i8, i8, blocks, i8)

    def codegen(context: Ir, builder: Ir, signature: Ir, args: Ir) -> Ir:
        source, target = (_data(context, builder, signature, args, i) for i in (0, 3))
        v = [_load(builder, p) for p in _rows(builder, source, args[1], args[2])]
        v = _forward(builder, _transposed(builder, _forward(builder, v)))
        for value, pointer in zip(v, _rows(builder, target, args[4], _INDEX(BLOCK)), strict=True):
            _store(builder, value, pointer)
        return context.get_dummy_value()

    return signature, codegen


def _add_inverse(
    typingctx: Ir,
    blocks: Ir,
    first: Ir,
    total: Ir,
    weights: Ir,
    start: Ir,
    stride: Ir,
    scale: Ir,
    weight: Ir,
) -> Ir:
    """Turn the coefficients at ``blocks[first]`` back and add the block to an image.

    `total` gains `scale` times `WINDOW` times the block, and `weights` gains `weight` times
    `WINDOW`, both from the element `start` on. Counting is as in `cosine_transform`.

    Parameters
    ----------
    blocks, total, weights : float32 arrays, contiguous
    first, start, stride : int
    scale, weight : float32
    """
    i8, f4 = types.int64, types.float32
    signature = types.void(blocks, i8, total, weights, i8, i8, f4, f4)

    def codegen(context: Ir, builder: Ir, signature: Ir, args: Ir) -> Ir:
        source, total, weights = (_data(context, builder, signature, args, i) for i in (0, 2, 3))
        v = [_load(builder, p) for p in _rows(builder, source, args[1], _INDEX(BLOCK))]
        v = _inverse(builder, _transposed(builder, _inverse(builder, v)))
        scale, weight = (_splat(builder, a) for a in args[6:8])
        ones = [_constant(1.0)] * BLOCK
        for base, factor, values in ((total, scale, v), (weights, weight, ones)):
            for r, pointer in enumerate(_rows(builder, base, args[4], args[5])):
                window = builder.fmul(_constant(WINDOW[r] * WINDOW), factor, flags=_FAST)
                share = builder.fmul(window, values[r], flags=_FAST)
                _store(builder, builder.fadd(_load(builder, pointer), share, flags=_FAST), pointer)
        return context.get_dummy_value()

    return signature, codegen


cosine_transform: Ir = intrinsic(_cosine_transform)
add_inverse: Ir = intrinsic(_add_inverse)
