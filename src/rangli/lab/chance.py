"""Chance of the lab: every draw is a function of (seed, replication, what, when, who), and of nothing that happened before.

    key    = the first 16 bytes of SHA-256("rangli lab", seed, replication)
    word   = SipHash-2-4(key, what + when x 256, who)         one word for a person, a month of his, or a visit
    draw i = SplitMix64(word, i)                              as for the packets of a real order (engine.draw)

So two scenarios that differ in one thing draw the same for all else (common random numbers): consumer 7 pays the same at his
third visit whether others stay or leave. Amounts are log-normal by a table of quantiles, made of integers alone: the same
on every machine.
"""

from __future__ import annotations

import hashlib
from functools import cache
from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rangli.engine.arith import shift_right, wrap_add, wrap_mul
from rangli.engine.draw import draw_next, sip_key, sip_round
from rangli.engine.kernel import kernel
from rangli.money import BP_PER_ONE, mul_div

# What a word is drawn for.
PERSON, MONTH_OF, VISIT, SHOP, ACTOR, SELLER = range(6)

QUANTILES: Final = 4096
"""Entries of a table of amounts; a draw's first QUANTILE_BITS choose one."""
QUANTILE_BITS: Final = 12
assert QUANTILES == 1 << QUANTILE_BITS

ALWAYS: Final = 2**32
"""The threshold of what is certain."""

# The constants of SipHash-2-4 and the step of SplitMix64, as the signed numbers with the same bits.
_SIP: Final = tuple(int.from_bytes(word, "big") for word in (b"somepseu", b"dorandom", b"lygenera", b"tedbytes"))
_S0, _S1, _S2, _S3 = _SIP
_LENGTH: Final = 16 << 56
_STEP: Final = 0x9E3779B97F4A7C15 - 2**64


def lab_key(seed: int, replication: int) -> tuple[int, int]:
    """The key of one run."""
    return sip_key(hashlib.sha256(f"rangli lab {seed} {replication}".encode()).digest())


def threshold(rate_bp: int) -> int:
    """What the upper half of a draw stays below with this probability: 0 never, ALWAYS always."""
    return mul_div(rate_bp, ALWAYS, BP_PER_ONE)


# ---------------------------------------------------------------- draws


@kernel
def word_of(key, what, when, who):
    """SipHash-2-4 of 16 bytes: what + when x 256, and who, as little-endian words.

    key : (int64, int64)     what : one of the names above     when, who : 0 .. 2**55
    """
    k0, k1 = key
    v0 = k0 ^ _S0
    v1 = k1 ^ _S1
    v2 = k0 ^ _S2
    v3 = k1 ^ _S3
    for part in (np.int64(what) | (np.int64(when) << 8), np.int64(who), np.int64(_LENGTH)):
        v3 ^= part
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0 ^= part
    v2 ^= 255
    for _ in range(4):
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@kernel
def draw(word, i):
    """Draw i of a word, any int64."""
    z, _ = draw_next(wrap_add(word, wrap_mul(i, _STEP)))
    return z


@kernel
def happens(z, limit):
    """Whether what has this threshold happens at this draw; what happens at a low rate also happens at a higher one."""
    return shift_right(z, 32) < limit


@kernel
def below(z, n):
    """A number of 0 .. n-1 from a draw, 1 <= n < 2**31; no number is likelier than another by more than n in 2**32."""
    return (shift_right(z, 32) * n) >> 32


@kernel
def leaning(z, n, lean):
    """A number of 0 .. n-1 as ``below``, leaning to the low ones: the lowest part p of them gets p ** (1 / lean) of the draws."""
    u = shift_right(z, 33)
    power = u
    for _ in range(lean - 1):
        power = (power * u) >> 31
    return (power * n) >> 31


# ---------------------------------------------------------------- log-normal amounts, in integers alone

_BITS: Final = 96
_ONE: Final = 1 << _BITS
_TWO_PI_BITS: Final = 0x6487ED5110B4611A62633145C06E0E68948127044533E63A0105DF531D89CD91
"""2 pi x 2**252."""
_FACTOR_BITS: Final = 40
_HALF: Final = 1 << (_FACTOR_BITS - 1)
_NEAR: Final = 1 << 32
"""A Newton step this small, 2**-64, has doubled its right bits past all that is kept."""


def _times(a: int, b: int) -> int:
    """The product of two fixed-point numbers."""
    return a * b >> _BITS


def _over(a: int, b: int) -> int:
    """The quotient of two fixed-point numbers."""
    return mul_div(a, _ONE, b)


def _exp(x: int) -> int:
    """e to the x, x >= 0, by the series of x / 2**16 squared sixteen times."""
    small = x >> 16
    term = total = _ONE
    for n in range(1, 40):
        term = mul_div(_times(term, small), 1, n)
        total += term
    for _ in range(16):
        total = _times(total, total)
    return total


def _root(x: int) -> int:
    """The square root of a fixed-point number."""
    return isqrt(x << _BITS)


@cache
def _quantiles() -> tuple[int, ...]:
    """The upper half of the normal law's quantiles at (i + 1/2) / QUANTILES, ascending, in fixed point.

    Newton on the series  P(z) = 1/2 + density(z) x (z + z^3/3 + z^5/15 + ...).
    """
    root_two_pi = _root(_TWO_PI_BITS >> (252 - _BITS))
    found, z = [], 0
    for i in range(QUANTILES >> 1):
        wanted = mul_div(2 * i + 1, _ONE, 2 * QUANTILES)
        step = _ONE
        while abs(step) >= _NEAR:
            square = _times(z, z)
            term, total, odd = z, z, 1
            while term > 1 << 16:
                odd += 2
                term = mul_div(_times(term, square), 1, odd)
                total += term
            inverse_density = _times(root_two_pi, _exp(square >> 1))
            step = _times(wanted, inverse_density) - total
            z += step
        found.append(z)
    return tuple(found)


@cache
def _factors(sigma_bp: int) -> tuple[int, ...]:
    """e to the (sigma x quantile) for all quantiles, ascending, x 2**_FACTOR_BITS."""
    upper = [_exp(mul_div(z, sigma_bp, BP_PER_ONE)) for z in _quantiles()]
    lower = [_over(_ONE, factor) for factor in reversed(upper)]
    return tuple(factor >> (_BITS - _FACTOR_BITS) for factor in (*lower, *upper))


def log_normal_fen(median_fen: int, sigma_bp: int, fen_min: int, fen_max: int) -> NDArray[np.int64]:
    """The amounts of a log-normal law at its QUANTILES quantiles, each rounded to the fen and kept between the bounds."""
    amounts = [median_fen * factor + _HALF >> _FACTOR_BITS for factor in _factors(sigma_bp)]
    return np.array([min(max(amount, fen_min), fen_max) for amount in amounts], np.int64)


def listed_fen(amounts_fen: tuple[int, ...]) -> NDArray[np.int64]:
    """A table of QUANTILES entries in which each of these amounts stands equally often, or once more than another."""
    return np.array([amounts_fen[mul_div(i, len(amounts_fen), QUANTILES)] for i in range(QUANTILES)], np.int64)
