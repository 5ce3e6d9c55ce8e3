"""Memory for kernels: asking for it ahead, writing words into it, and calling what lies at an address.

As in ``arith``, each function exists twice: as an LLVM intrinsic for compiled kernels, and as plain Python when the JIT is off.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from numba import config, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

if TYPE_CHECKING or config.DISABLE_JIT:
    IS_COMPILED: bool = False

    def fetch(rows: NDArray[np.int64], at: int) -> None:
        """Nothing: without a compiler there is no memory to ask."""

    def put_word(out: NDArray[np.uint8], at: int, word: int) -> None:
        """The 64 bits of a word, any int64, as out[at:at + 8], the highest first; the caller knows that there is room."""
        out[at : at + 8] = list((int(word) & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big"))

    def address_of(array: NDArray[np.uint8]) -> int:
        """Where an array begins in memory: nobody may ask without a compiler."""
        raise NotImplementedError

    def call(function: int, a: int, b: int, c: int) -> None:
        """Call the C function at an address: nobody may without a compiler."""
        raise NotImplementedError

else:
    from llvmlite import ir

    IS_COMPILED = True
    _I64 = ir.IntType(64)
    _INT = types.int64

    @intrinsic
    def fetch(_context, rows, at):
        """Ask the memory for where row ``at`` of a table begins, and do not wait; a row past the end does no harm."""

        def codegen(context, builder, signature, args):
            view = context.make_array(rows)(context, builder, args[0])
            byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
            start = builder.gep(builder.bitcast(view.data, byte), [builder.mul(args[1], builder.extract_value(view.strides, 0))])
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            ask = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
            to_write, keep, data = word(1), word(3), word(1)
            builder.call(ask, [start, to_write, keep, data])
            return context.get_dummy_value()

        return types.void(rows, _INT), codegen

    @intrinsic
    def put_word(_context, out, at, word):
        """The 64 bits of a word as out[at:at + 8], the highest first: one store for what Numba would write byte by byte."""

        def codegen(context, builder, _signature, args):
            view = context.make_array(out)(context, builder, args[0])
            swap = builder.module.declare_intrinsic("llvm.bswap", [_I64], ir.FunctionType(_I64, [_I64]))
            value = builder.call(swap, [args[2]]) if sys.byteorder == "little" else args[2]
            place = builder.bitcast(builder.gep(view.data, [args[1]]), _I64.as_pointer())
            builder.store(value, place, align=1)
            return context.get_dummy_value()

        return types.void(out, _INT, _INT), codegen

    @intrinsic
    def address_of(_context, array):
        """Where an array begins in memory."""

        def codegen(context, builder, _signature, args):
            return builder.ptrtoint(context.make_array(array)(context, builder, args[0]).data, _I64)

        return _INT(array), codegen

    @intrinsic
    def call(_context, function, a, b, c):
        """Call the C function at an address with up to three words, be they numbers or addresses."""

        def codegen(context, builder, _signature, args):
            kind = ir.FunctionType(ir.IntType(32), [_I64, _I64, _I64])
            builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
            return context.get_dummy_value()

        return types.void(_INT, _INT, _INT, _INT), codegen
