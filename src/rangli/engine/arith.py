"""Integer arithmetic for kernels: the compiled twin of money.py. Nothing else in the engine divides.

Each function exists twice: as an LLVM intrinsic for compiled kernels, and as plain Python when the JIT is off
(``NUMBA_DISABLE_JIT=1``). Python integers cannot wrap, so the second form is also the check of the first.

Arguments are non-negative int64 unless said otherwise. Remainders stay with whoever pays: every quotient is floored.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, Final

from numba import config, njit, types
from numba.extending import intrinsic

from rangli.money import INT64_MAX

MASK32: Final = 0xFFFFFFFF
_TWO64: Final = 2**64
_HAS_WIDE_DIVISION: Final = platform.machine() in {"x86_64", "AMD64"}


if TYPE_CHECKING or config.DISABLE_JIT:

    def div(a: int, b: int) -> int:
        """⌊a / b⌋, b > 0."""
        return int(a) // int(b)

    def rem(a: int, b: int) -> int:
        """a mod b, b > 0."""
        return int(a) % int(b)

    def mul_div(a: int, b: int, c: int) -> int:
        """⌊a × b / c⌋ through a 128-bit product, 0 < c <= 2**62; -1 when it does not fit in 63 bits."""
        quotient = int(a) * int(b) // int(c)
        return quotient if quotient <= INT64_MAX else -1

    mul_div_portable = mul_div

    def mul_less(a: int, b: int, c: int, d: int) -> bool:
        """a × b < c × d, both products in 128 bits."""
        return int(a) * int(b) < int(c) * int(d)

    def wrap_add(a: int, b: int) -> int:
        """a + b modulo 2**64, as a signed number; any int64."""
        return _signed(int(a) + int(b))

    def wrap_mul(a: int, b: int) -> int:
        """a × b modulo 2**64, as a signed number; any int64."""
        return _signed(int(a) * int(b))

    def shift_right(a: int, bits: int) -> int:
        """The 64 bits of a, shifted right by 1..63 and filled with zeros; any int64."""
        return (int(a) % _TWO64) >> bits

    def rotate_left(a: int, bits: int) -> int:
        """The 64 bits of a, rotated left by 1..63; any int64."""
        word = int(a) % _TWO64
        return _signed((word << bits) | (word >> (64 - bits)))

    def place(n: int) -> int:
        """n, of which the caller knows that it is no negative number: a place in an array."""
        assert n >= 0
        return n

    def _signed(word: int) -> int:
        """The int64 with the same 64 bits."""
        word %= _TWO64
        return word - _TWO64 if word > INT64_MAX else word

else:
    from llvmlite import binding, ir

    _I64 = ir.IntType(64)
    _I128 = ir.IntType(128)
    _INT = types.int64

    def _binary(name: str, emit: Any, doc: str) -> Any:
        """An intrinsic of two int64 that becomes the one instruction which ``emit`` writes."""

        def typed(_context, a, b):
            def codegen(_context, builder, _signature, args):
                return emit(builder, *args)

            return _INT(_INT, _INT), codegen

        typed.__name__ = name
        typed.__doc__ = doc
        return intrinsic(typed)

    div = _binary("div", lambda b, x, y: b.udiv(x, y), "⌊a / b⌋, b > 0.")
    rem = _binary("rem", lambda b, x, y: b.urem(x, y), "a mod b, b > 0.")
    wrap_add = _binary("wrap_add", lambda b, x, y: b.add(x, y), "a + b modulo 2**64.")
    wrap_mul = _binary("wrap_mul", lambda b, x, y: b.mul(x, y), "a × b modulo 2**64.")
    shift_right = _binary("shift_right", lambda b, x, y: b.lshr(x, y), "a >> bits, filled with zeros.")
    rotate_left = _binary(
        "rotate_left",
        lambda b, x, y: b.or_(b.shl(x, y), b.lshr(x, b.sub(ir.Constant(_I64, 64), y))),
        "a rotated left by bits.",
    )

    @intrinsic
    def place(_context, n):
        """n, of which the caller knows that it is no negative number: spares Numba's looking for places counted from the end."""

        def codegen(_context, builder, _signature, args):
            assume = ir.FunctionType(ir.VoidType(), [ir.IntType(1)])
            known = builder.module.declare_intrinsic("llvm.assume", fnty=assume)
            builder.call(known, [builder.icmp_signed(">=", args[0], ir.Constant(_I64, 0))])
            return args[0]

        return _INT(_INT), codegen

    @intrinsic
    def _product(_context, a, b):
        """(high, low) words of the 128-bit product."""

        def codegen(context, builder, signature, args):
            wide = builder.mul(builder.zext(args[0], _I128), builder.zext(args[1], _I128))
            high = builder.trunc(builder.lshr(wide, ir.Constant(_I128, 64)), _I64)
            return context.make_tuple(builder, signature.return_type, (high, builder.trunc(wide, _I64)))

        return types.UniTuple(_INT, 2)(_INT, _INT), codegen

    @intrinsic
    def _wide_quotient(_context, high, low, c):
        """The quotient of (high, low) by c with the processor's own 128-by-64 division; high < c."""

        def codegen(_context, builder, _signature, args):
            pair = ir.LiteralStructType([_I64, _I64])
            division = ir.FunctionType(pair, [_I64, _I64, _I64])
            asm = ir.InlineAsm(division, "divq $4", "={ax},={dx},{ax},{dx},r,~{flags}", side_effect=False)
            return builder.extract_value(builder.call(asm, [args[1], args[0], args[2]]), 0)

        return _INT(_INT, _INT, _INT), codegen

    @intrinsic
    def mul_less(_context, a, b, c, d):
        """a × b < c × d, both products in 128 bits."""

        def codegen(_context, builder, _signature, args):
            a, b, c, d = (builder.zext(arg, _I128) for arg in args)
            return builder.icmp_unsigned("<", builder.mul(a, b), builder.mul(c, d))

        return types.boolean(_INT, _INT, _INT, _INT), codegen

    @njit(cache=True)
    def _bitwise_quotient(high, low, c):
        """The same by 64 shifts and subtractions, for processors without such a division; c <= 2**62."""
        for _ in range(64):
            high = (high << 1) | shift_right(low, 63)
            low <<= 1
            if high >= c:
                high -= c
                low |= 1
        return low

    @njit(cache=True)
    def mul_div_portable(a, b, c):
        """mul_div without the processor's help."""
        high, low = _product(a, b)
        if high >= c:
            return -1
        quotient = _bitwise_quotient(high, low, c)
        return quotient if quotient >= 0 else -1

    if _HAS_WIDE_DIVISION:
        binding.initialize_native_asmparser()

        @njit(cache=True)
        def mul_div(a, b, c):
            """⌊a × b / c⌋ through a 128-bit product; -1 when it does not fit in 63 bits."""
            high, low = _product(a, b)
            if high >= c:
                return -1
            quotient = _wide_quotient(high, low, c)
            return quotient if quotient >= 0 else -1

    else:
        mul_div = mul_div_portable
