"""Integer arithmetic of the kernels against Python's, whose integers cannot wrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from rangli import money
from rangli.engine import arith, memory

Quotient = Callable[[int, int, int], int]
TWO63 = 2**63
EDGES = [0, 1, 2, 3, 9999, 10_000, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1, 2**32, 10**14, 2**60, 2**62 - 1, 2**62, TWO63 - 1]
NATURALS = st.one_of(st.sampled_from(EDGES), st.integers(0, TWO63 - 1), st.integers(0, 2**33))
DIVISORS = st.one_of(st.sampled_from([edge for edge in EDGES if 0 < edge <= 2**62]), st.integers(1, 2**62), st.integers(1, 2**33))
SIGNED = st.one_of(st.sampled_from([*EDGES, *(-edge for edge in EDGES), -TWO63]), st.integers(-TWO63, TWO63 - 1))


@njit
def mul_div(a: int, b: int, c: int) -> int:
    """The fast one, as a kernel calls it."""
    return arith.mul_div(a, b, c)


@njit
def mul_div_portable(a: int, b: int, c: int) -> int:
    """The portable one, as a kernel calls it."""
    return arith.mul_div_portable(a, b, c)


@njit
def mul_less(a: int, b: int, c: int, d: int) -> bool:
    """The comparison of products, as a kernel calls it."""
    return arith.mul_less(a, b, c, d)


@njit
def div_rem(a: int, b: int) -> tuple[int, int]:
    """Quotient and remainder, as a kernel calls them."""
    return arith.div(a, b), arith.rem(a, b)


@njit
def write_word(out: np.ndarray, at: int, word: int) -> None:
    """A word into bytes, as a kernel calls it."""
    memory.put_word(out, at, word)


@njit
def words(a: int, b: int, bits: int) -> tuple[int, int, int, int]:
    """What works on 64 bits: sum, product, shift, rotation."""
    return arith.wrap_add(a, b), arith.wrap_mul(a, b), arith.shift_right(a, bits), arith.rotate_left(a, bits)


def signed(word: int) -> int:
    """The int64 with the same 64 bits."""
    return (word + TWO63) % 2**64 - TWO63


@pytest.mark.parametrize("quotient", [mul_div, mul_div_portable], ids=["fast", "portable"])
@given(a=NATURALS, b=NATURALS, c=DIVISORS)
def test_a_product_is_divided_in_full(quotient: Quotient, a: int, b: int, c: int) -> None:
    """Pool x points passes 2^63 at order 367; a quotient that does not fit into 63 bits is -1 and never a wrong number."""
    expected = a * b // c

    assert (expected if expected < TWO63 else -1) == quotient(a, b, c)
    assert expected == money.mul_div(a, b, c)


@pytest.mark.parametrize("quotient", [mul_div, mul_div_portable], ids=["fast", "portable"])
@pytest.mark.parametrize(
    ("a", "b", "c", "expected"),
    [
        (TWO63 - 1, 1, 1, TWO63 - 1),
        (TWO63 - 1, TWO63 - 1, 2**62, -1),
        (2**62, 2, 1, -1),
        (2**62, 4, 1, -1),
        (2**62, 2**62, 1, -1),
        (TWO63 - 1, 2**62, 2**62, TWO63 - 1),
        (2**32, 2**32, 2, -1),
        (2**32, 2**32, 4, 2**62),
        (0, TWO63 - 1, 1, 0),
    ],
)
def test_where_63_bits_end(quotient: Quotient, a: int, b: int, c: int, expected: int) -> None:
    """The last quotient that fits and the first that does not, in the high word, in the 64th bit and in both."""
    assert expected == quotient(a, b, c)


@given(a=NATURALS, b=NATURALS, c=NATURALS, d=NATURALS)
def test_products_are_compared_in_full(a: int, b: int, c: int, d: int) -> None:
    """Exit prices are compared as fractions; a rounded price would let the wrong member out."""
    assert (a * b < c * d) == mul_less(a, b, c, d)
    assert not mul_less(a, b, b, a)
    assert (a > 0 and b > 0) == mul_less(a, max(b - 1, 0), a, b)


@given(a=NATURALS, b=st.one_of(DIVISORS, st.just(TWO63 - 1)))
def test_quotient_and_remainder_are_pythons(a: int, b: int) -> None:
    """The only division of the engine besides mul_div."""
    assert divmod(a, b) == div_rem(a, b)


@given(a=SIGNED, b=SIGNED, bits=st.integers(1, 63))
def test_sixty_four_bits_wrap_as_unsigned_words_do(a: int, b: int, bits: int) -> None:
    """The hashes are defined on unsigned words; the kernels hold the same bits in signed ones."""
    word = a % 2**64
    rotated = (word << bits | word >> (64 - bits)) % 2**64

    assert (signed(a + b), signed(a * b), word >> bits, signed(rotated)) == words(a, b, bits)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 5))
def test_a_word_is_written_with_its_highest_byte_first(word: int, at: int) -> None:
    """PostgreSQL's rows are in this order; bytes beside the word stay as they were."""
    out = np.full(16, 7, np.uint8)
    write_word(out, at, word)

    assert bytes([7] * at) + word.to_bytes(8, "big", signed=True) + bytes([7] * (8 - at)) == out.tobytes()
