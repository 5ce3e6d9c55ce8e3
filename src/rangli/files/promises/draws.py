"""The draws again, in plain Python: docs/rules.md, section 3, read a second time and written anew for a sample of orders."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from rangli.money import mul_div

_WORD: Final = 2**64 - 1
_HALF: Final = 2**32 - 1
_SMALL: Final = 2**31


def day_secret(secret: bytes, day: int) -> bytes:
    """The secret of a day (days since 1970-01-01)."""
    return hmac.new(secret, day_text(day).encode(), hashlib.sha256).digest()


def day_text(day: int) -> str:
    """A day as 2026-01-05."""
    return str(np.datetime64(day, "D"))


def commitment(secret_of_day: bytes) -> str:
    """What was published before the day."""
    return hashlib.sha256(secret_of_day).hexdigest()


def order_key(secret_of_day: bytes, order_id: str) -> int:
    """SipHash-2-4 of the order's id under the first 16 bytes of the day's secret."""
    low, high = (int.from_bytes(secret_of_day[at : at + 8], "little") for at in (0, 8))
    a, b, c, d = low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573
    message = order_id.encode()
    padding = bytes(7 - (len(message) & 7)) + bytes([len(message) & 255])
    padded = message + padding
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        a, b, c, d = _mixed(_mixed((a, b, c, d ^ word)))
        a ^= word
    a, b, c, d = _mixed(_mixed(_mixed(_mixed((a, b, c ^ 255, d)))))
    return a ^ b ^ c ^ d


def _mixed(state: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """One SipRound."""
    a, b, c, d = state
    a, c = (a + b) & _WORD, (c + d) & _WORD
    b, d = _turned(b, 13) ^ a, _turned(d, 16) ^ c
    a = _turned(a, 32)
    c, a = (c + b) & _WORD, (a + d) & _WORD
    b, d = _turned(b, 17) ^ c, _turned(d, 21) ^ a
    return a, b, _turned(c, 32), d


def _turned(word: int, bits: int) -> int:
    """The word's 64 bits turned left."""
    return ((word << bits) | (word >> (64 - bits))) & _WORD


def draws(key: int) -> Iterator[int]:
    """Draw 1, 2, 3, … of an order: SplitMix64."""
    while True:
        key = (key + 0x9E3779B97F4A7C15) & _WORD
        z = ((key ^ (key >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
        yield z ^ (z >> 31)


def uniform(drawn: Iterator[int], n: int) -> int:
    """A number from 0 to n - 1, by rejection."""
    if n <= _SMALL:
        least = 2**32 - n * mul_div(2**32, 1, n)
        product = (next(drawn) >> 32) * n
        while product & _HALF < least:
            product = (next(drawn) >> 32) * n
        return product >> 32
    mask = (1 << (n - 1).bit_length()) - 1
    x = (next(drawn) >> 2) & mask
    while x >= n:
        x = (next(drawn) >> 2) & mask
    return x


def packets(key: int, issue: int, room: list[int]) -> list[int]:
    """The packets of an order, oldest lot first: ``issue`` fen cut into as many parts as there are lots with this much room."""
    drawn = draws(key)
    chosen: set[int] = set()
    for j in range(issue - len(room) + 1, issue):
        t = 1 + uniform(drawn, j)
        chosen.add(j if t in chosen else t)
    cuts = [0, *sorted(chosen), issue]
    parts = [after - before for before, after in pairwise(cuts)]
    got = [min(part, most) for part, most in zip(parts, room, strict=True)]
    left = issue - sum(got)
    for i, most in enumerate(room):
        more = min(left, most - got[i])
        got[i] += more
        left -= more
    return got
