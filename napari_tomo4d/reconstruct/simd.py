"""One inner loop in explicit vector code: a weighted sum of pairs of rows.

Both projection and back-projection come down to it. LLVM's own vectoriser reloads and
stores the sum for every term and checks each time whether arrays overlap; here the sum
stays in registers over the whole ray, which makes the projector two times faster.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

Ir = Any
"""A type or value of LLVM, or what builds it: llvmlite has no type hints."""

_FLOAT, _INDEX, _LANE = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_WIDEST = 16
_FAST = ("fast",)


def _add_weighted_pairs(
    typingctx: Ir,
    target: Ir,
    start: Ir,
    source: Ir,
    offsets: Ir,
    w0: Ir,
    w1: Ir,
    count: Ir,
    stride: Ir,
    scale: Ir,
    low: Ir,
    high: Ir,
    lanes: Ir,
) -> Ir:
    """Add ``sum_k w0[k] source[offsets[k]] + w1[k] source[offsets[k] + stride]`` to `target`.

    Each term is a row of `lanes` float32 values, and so is the sum, which is multiplied by
    `scale` and added to ``target[start : start + lanes]``, then limited to `low` and `high`.
    `start`, `offsets` and `stride` count elements from the beginning of the arrays' data,
    whatever their shape; nothing is checked.

    Parameters
    ----------
    target, source : float32 arrays
    start, count, stride : int
    offsets : int64 array, at least `count` long
    w0, w1 : float32 arrays, at least `count` long
    scale, low, high : float32
        Finite: the code is compiled for numbers only.
    count : int
        A multiple of ``64 / lanes`` up to 4: so many terms are added side by side.
    lanes : literal int
        1, 4 or a multiple of 16.
    """
    if not isinstance(lanes, types.IntegerLiteral):
        raise TypingError("lanes has to be a constant")
    width = min(lanes.literal_value, _WIDEST)
    n = lanes.literal_value // width
    # sums that do not wait for each other, to keep the processor's adders busy
    side = max(1, 4 // n)
    i8 = types.int64
    f4 = types.float32
    signature = types.void(target, i8, source, offsets, w0, w1, i8, i8, f4, f4, f4, lanes)
    vector = ir.VectorType(_FLOAT, width)

    def codegen(context: Ir, builder: Ir, signature: Ir, args: Ir) -> Ir:
        def data(i: int) -> Ir:
            return context.make_array(signature.args[i])(context, builder, args[i]).data

        def row(base: Ir, offset: Ir) -> list[Ir]:
            first = builder.bitcast(builder.gep(base, [offset]), vector.as_pointer())
            return [builder.gep(first, [_INDEX(k)]) for k in range(n)]

        def load(pointer: Ir) -> Ir:
            value = builder.load(pointer)
            # rows start at any element, not at multiples of the vector
            value.align = 4
            return value

        def splat(value: Ir) -> Ir:
            empty = ir.Constant(vector, ir.Undefined)
            one = builder.insert_element(empty, value, _LANE(0))
            return builder.shuffle_vector(
                one, empty, ir.Constant(ir.VectorType(_LANE, width), [0] * width)
            )

        def weight(base: Ir, index: Ir) -> Ir:
            return splat(builder.load(builder.gep(base, [index])))

        def limited(relation: str, value: Ir, limit: Ir) -> Ir:
            beyond = builder.fcmp_ordered(relation, value, limit, flags=_FAST)
            return builder.select(beyond, limit, value)

        def multiply_add(weight: Ir, pointers: list[Ir], sums: list[Ir]) -> list[Ir]:
            products = [builder.fmul(weight, load(p), flags=_FAST) for p in pointers]
            return [builder.fadd(s, p, flags=_FAST) for s, p in zip(sums, products, strict=True)]

        source_, offsets_, weights0, weights1 = data(2), data(3), data(4), data(5)
        count_, stride_ = args[6], args[7]
        zero = ir.Constant(vector, None)
        before = builder.block
        loop, done = builder.append_basic_block("pairs"), builder.append_basic_block("done")
        some = builder.icmp_signed(">", count_, _INDEX(0))
        builder.cbranch(some, loop, done)

        builder.position_at_end(loop)
        k = builder.phi(_INDEX)
        sums = [builder.phi(vector) for _ in range(2 * n * side)]
        added = []
        for i in range(side):
            term = builder.add(k, _INDEX(i))
            offset = builder.load(builder.gep(offsets_, [term]))
            first, second = row(source_, offset), row(source_, builder.add(offset, stride_))
            own = sums[2 * n * i : 2 * n * (i + 1)]
            added += multiply_add(weight(weights0, term), first, own[:n])
            added += multiply_add(weight(weights1, term), second, own[n:])
        after = builder.add(k, _INDEX(side))
        k.add_incoming(_INDEX(0), before)
        k.add_incoming(after, loop)
        for total, new in zip(sums, added, strict=True):
            total.add_incoming(zero, before)
            total.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", after, count_), loop, done)

        builder.position_at_end(done)
        totals = []
        for new in added:
            total = builder.phi(vector)
            total.add_incoming(zero, before)
            total.add_incoming(new, loop)
            totals.append(total)
        scale_, low_, high_ = (splat(value) for value in args[8:11])
        pointers = row(data(0), args[1])
        for i, pointer in enumerate(pointers):
            total = totals[i]
            for other in totals[i + n :: n]:
                total = builder.fadd(total, other, flags=_FAST)
            total = builder.fmul(scale_, total, flags=_FAST)
            value = builder.fadd(load(pointer), total, flags=_FAST)
            value = limited(">", limited("<", value, low_), high_)
            stored = builder.store(value, pointer)
            stored.align = 4
        return context.get_dummy_value()

    return signature, codegen


add_weighted_pairs: Ir = intrinsic(_add_weighted_pairs)
"""`_add_weighted_pairs` for use in compiled functions, which leave the first argument out."""
