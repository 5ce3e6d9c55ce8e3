"""The draws and the cut of section 3 of docs/rules.md: SipHash-2-4, SplitMix64, uniform numbers, Floyd's sampling."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = 2**64 - 1


def siphash24(key16: bytes, data: bytes) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012)."""
    k0, k1 = int.from_bytes(key16[:8], "little"), int.from_bytes(key16[8:16], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotated(x: int, bits: int) -> int:
        return (x << bits | x >> (64 - bits)) & MASK

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[2] = (v[2] + v[3]) & MASK
            v[1] = rotated(v[1], 13) ^ v[0]
            v[3] = rotated(v[3], 16) ^ v[2]
            v[0] = rotated(v[0], 32)
            v[2] = (v[2] + v[1]) & MASK
            v[0] = (v[0] + v[3]) & MASK
            v[1] = rotated(v[1], 17) ^ v[2]
            v[3] = rotated(v[3], 21) ^ v[0]
            v[2] = rotated(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def day_secret(secret: bytes, day: date) -> bytes:
    """The secret of a day."""
    return hmac.new(secret, day.isoformat().encode(), hashlib.sha256).digest()


def commitment(secret_of_day: bytes) -> bytes:
    """What is published before the day."""
    return hashlib.sha256(secret_of_day).digest()


def draws(key: int) -> Iterator[int]:
    """The draws of an order, number 1 first: SplitMix64, 64 bits each."""
    state = key
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        yield z ^ z >> 31


def uniform(drawn: Iterator[int], n: int) -> int:
    """A whole number 0 <= x < n, each equally likely; takes at least one draw, even for n = 1."""
    if n <= 2**31:
        while True:
            product = (next(drawn) >> 32) * n
            if product % 2**32 >= 2**32 % n:
                return product // 2**32
    while True:
        x = (next(drawn) >> 2) & ((1 << (n - 1).bit_length()) - 1)
        if x < n:
            return x


def cut(drawn: Iterator[int], issue: int, parts: int) -> list[int]:
    """``issue`` as ``parts`` positive parts, every composition equally likely (Floyd's sampling of the cut points)."""
    chosen: set[int] = set()
    for j in range(issue - parts + 1, issue):
        t = 1 + uniform(drawn, j)
        chosen.add(j if t in chosen else t)
    edges = [0, *sorted(chosen), issue]
    return [edges[i + 1] - edges[i] for i in range(parts)]
