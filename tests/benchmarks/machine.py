"""What this machine's processor and memory can do at best."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_LANES, _CHAINS = 16, 12


def _multiply_add_chains(typingctx: Any, count: Any) -> Any:
    """Independent chains of vector multiply-adds in registers, `count` times each."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector, index = ir.VectorType(ir.FloatType(), _LANES), ir.IntType(64)
        before = builder.block
        loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(index)
        k.add_incoming(index(0), before)
        factor, term = (ir.Constant(vector, [v] * _LANES) for v in (0.999, 0.001))
        sums = [builder.phi(vector) for _ in range(_CHAINS)]
        for i, total in enumerate(sums):
            product = builder.fmul(total, factor, flags=("contract",))
            total.add_incoming(ir.Constant(vector, [float(i)] * _LANES), before)
            total.add_incoming(builder.fadd(product, term, flags=("contract",)), loop)
        after = builder.add(k, index(1))
        k.add_incoming(after, loop)
        builder.cbranch(builder.icmp_signed("<", after, args[0]), loop, done)
        builder.position_at_end(done)
        result = sums[0]
        for total in sums[1:]:
            result = builder.fadd(result, total)
        return builder.extract_element(result, ir.IntType(32)(0))

    return types.float32(types.int64), codegen


_chains: Any = intrinsic(_multiply_add_chains)


@njit
def _run_chains(count):
    return _chains(count)


def multiply_adds_per_second() -> float:
    """Return the peak rate of single-precision multiply-adds of one thread."""
    _run_chains(10)
    count = 5_000_000
    return max(count * _LANES * _CHAINS / _seconds(lambda: _run_chains(count)) for _ in range(5))


def bytes_per_second() -> float:
    """Return the rate at which one thread reads and writes arrays larger than any cache."""
    source = np.ones(1 << 26, np.float32)
    target = np.zeros_like(source)
    best = min(_seconds(lambda: np.copyto(target, source)) for _ in range(5))
    return 2 * source.nbytes / best


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
