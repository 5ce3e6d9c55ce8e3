"""Chance that anyone can check: every draw is a function of (secret of the day, order id, number of the draw).

    day secret = HMAC-SHA256(secret, "2026-01-05")      commitment = SHA-256(day secret), published before the day
    order key  = SipHash-2-4(first 16 bytes of the day secret, order id)
    draw i     = SplitMix64(order key, i)

SipHash is a keyed hash made for this: without the day's secret nobody can tell one order's key from a random number, however
many others he has seen (Aumasson and Bernstein, 2012). SplitMix64 only stretches one order's key (Steele, Lea and Flood, 2014).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import numpy as np

from rangli.engine.arith import MASK32, place, rem, rotate_left, shift_right, wrap_add, wrap_mul
from rangli.engine.kernel import kernel

SECRET_BYTES: Final = 32

# Constants of the two algorithms, as the signed numbers with the same bits.
_GOLDEN: Final = 0x9E3779B97F4A7C15 - 2**64
_MIX1: Final = 0xBF58476D1CE4E5B9 - 2**64
_MIX2: Final = 0x94D049BB133111EB - 2**64
_SIP0: Final = 0x736F6D6570736575
_SIP1: Final = 0x646F72616E646F6D
_SIP2: Final = 0x6C7967656E657261
_SIP3: Final = 0x7465646279746573
_SMALL: Final = 2**31


def day_secret(secret: bytes, day: str) -> bytes:
    """The secret of one day (ISO date); it may be told after the day without giving away any other."""
    assert len(secret) == SECRET_BYTES
    return hmac.digest(secret, day.encode(), "sha256")


def commitment(secret_of_day: bytes) -> str:
    """What is published before the day: SHA-256 of the day's secret, in hex."""
    return hashlib.sha256(secret_of_day).hexdigest()


def sip_key(secret_of_day: bytes) -> tuple[int, int]:
    """The SipHash key of a day: two little-endian words as int64."""
    low, high = np.frombuffer(secret_of_day[:16], "<i8")
    return int(low), int(high)


@kernel
def sip_round(v0, v1, v2, v3):
    """One SipRound."""
    v0 = wrap_add(v0, v1)
    v1 = rotate_left(v1, 13) ^ v0
    v0 = rotate_left(v0, 32)
    v2 = wrap_add(v2, v3)
    v3 = rotate_left(v3, 16) ^ v2
    v0 = wrap_add(v0, v3)
    v3 = rotate_left(v3, 21) ^ v0
    v2 = wrap_add(v2, v1)
    v1 = rotate_left(v1, 17) ^ v2
    v2 = rotate_left(v2, 32)
    return v0, v1, v2, v3


@kernel
def siphash(data, start, stop, k0, k1):
    """SipHash-2-4 of data[start:stop] (uint8) under the key (k0, k1), as int64."""
    v0 = k0 ^ _SIP0
    v1 = k1 ^ _SIP1
    v2 = k0 ^ _SIP2
    v3 = k1 ^ _SIP3
    length = stop - start
    whole = stop - (length & 7)
    at = start
    while at < whole:
        at = place(at)
        word = (
            np.int64(data[at]) | (np.int64(data[at + 1]) << 8) | (np.int64(data[at + 2]) << 16) | (np.int64(data[at + 3]) << 24)
        )
        word |= (np.int64(data[at + 4]) << 32) | (np.int64(data[at + 5]) << 40)
        word |= (np.int64(data[at + 6]) << 48) | (np.int64(data[at + 7]) << 56)
        v3 ^= word
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0 ^= word
        at += 8
    word = np.int64(length & 255) << 56
    for j in range(stop - whole):
        word |= np.int64(data[whole + j]) << (8 * j)
    v3 ^= word
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    v0 ^= word
    v2 ^= 255
    for _ in range(4):
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@kernel
def siphash_strings(offsets, data, key_row, keys, out):
    """SipHash of each string of an Arrow string array.

    offsets : int32 or int64 (n + 1,)   as Arrow has them
    data    : uint8                     the bytes
    key_row : int64 (n,)                which row of ``keys`` each string uses
    keys    : int64 (k, 2)
    out     : int64 (n,)                written
    """
    for i in range(out.shape[0]):
        row = key_row[i]
        out[i] = siphash(data, offsets[i], offsets[i + 1], keys[row, 0], keys[row, 1])


@kernel
def draw_next(seed):
    """(draw, next seed): the next SplitMix64 output, any int64."""
    seed = wrap_add(seed, _GOLDEN)
    z = wrap_mul(seed ^ shift_right(seed, 30), _MIX1)
    z = wrap_mul(z ^ shift_right(z, 27), _MIX2)
    return z ^ shift_right(z, 31), seed


@kernel
def uniform(seed, n):
    """(x, next seed) with x uniform in 0 .. n-1, 1 <= n <= 2**62, by rejection (Lemire, 2019, for small n)."""
    if n <= _SMALL:
        z, seed = draw_next(seed)
        product = shift_right(z, 32) * n
        low = product & MASK32
        if low < n:
            floor = rem(2**32, n)
            while low < floor:
                z, seed = draw_next(seed)
                product = shift_right(z, 32) * n
                low = product & MASK32
        return product >> 32, seed
    mask = n - 1
    for bits in (1, 2, 4, 8, 16, 32):
        mask |= mask >> bits
    z, seed = draw_next(seed)
    x = shift_right(z, 2) & mask
    while x >= n:
        z, seed = draw_next(seed)
        x = shift_right(z, 2) & mask
    return x, seed


@kernel
def cut_points(seed, whole, count, points, cuts):
    """``count`` different points of 1 .. whole-1, ascending, every choice equally likely (Floyd's sampling).

    points : int64 (>= count,)   written; scratch
    cuts   : int64 (>= count,)   written; the answer

    Floyd draws one point of 1 .. j for j = whole-count .. whole-1 and takes j itself when the point is taken already. All draws
    are made first and sorted by counting, without a branch that a processor could mispredict (3 x the speed of inserting one by
    one); only when two are equal, or a draw was rejected, are they gone through in turn.
    """
    first = whole - count
    certain = whole <= _SMALL
    if certain:
        for k in range(count):
            n = first + k
            z, _ = draw_next(wrap_add(seed, wrap_mul(k, _GOLDEN)))
            product = shift_right(z, 32) * n
            certain &= (product & MASK32) >= n
            points[k] = (product >> 32) + 1
    if not certain:
        for k in range(count):
            x, seed = uniform(seed, first + k)
            points[k] = x + 1
    if not _sort_distinct(points, count, cuts):
        for k in range(1, count):
            taken = False
            for i in range(k):
                taken |= points[i] == points[k]
            if taken:
                points[k] = first + k
        _sort_distinct(points, count, cuts)


@kernel
def _sort_distinct(points, count, cuts):
    """Sort points (all >= 1) into cuts by counting the smaller ones; False when two are equal."""
    for k in range(count):
        cuts[k] = 0
    for k in range(count):
        point = points[k]
        rank = 0
        for i in range(count):
            rank += np.int64(points[i] < point)
        cuts[rank] = point
    distinct = True
    for k in range(count):
        distinct &= cuts[k] != 0
    return distinct
