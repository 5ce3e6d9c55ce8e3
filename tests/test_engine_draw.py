"""Chance of the engine: published vectors, the oracle, and exact counts where everything can be counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from itertools import product
from math import comb, factorial

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rangli.engine import draw
from rangli.plan.terms import PER_ORDER_MAX

GOLDEN = 0x9E3779B97F4A7C15
MASK = 2**64 - 1
SEEDS = st.one_of(st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]), st.integers(-(2**63), 2**63 - 1))
SIZES = st.one_of(
    st.integers(1, 2**62),
    st.integers(1, 1000),
    st.builds(lambda bits, more: min(max(2**bits + more, 1), 2**62), st.integers(0, 62), st.integers(-1, 1)),
    st.integers(2**31 - 5, 2**31 + 5),
)


def signed(word: int) -> int:
    """The int64 with the same 64 bits."""
    return (word + 2**63) % 2**64 - 2**63


class Draws:
    """The oracle's draws of a seed, counted."""

    def __init__(self, seed: int) -> None:
        self.drawn = oracle.draws(seed % 2**64)
        self.count = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.count += 1
        return next(self.drawn)


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD), (8, 0x93F5F5799A932462), (15, 0xA129CA6149BE45E5)],
)
def test_siphash_gives_the_published_vectors(length: int, expected: int) -> None:
    """Key 00..0f, input 00, 01, …: the vectors of the paper and of its reference program."""
    low, high = draw.sip_key(bytes(range(32)))
    data = np.arange(3, 3 + length, dtype=np.uint8) - 3

    assert signed(expected) == draw.siphash(data, 0, length, low, high)


@given(texts=st.lists(st.binary(max_size=40), max_size=8), secret=st.binary(min_size=32, max_size=32), wide=st.booleans())
def test_every_string_of_a_column_has_the_siphash_of_the_oracle(texts: list[bytes], secret: bytes, wide: bool) -> None:  # noqa: FBT001 (drawn)
    """Wherever a string stands in the column, whatever its length, and under whichever day's key."""
    secrets = [secret, bytes(reversed(secret))]
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64 if wide else np.int32)
    rows = np.arange(len(texts)) & 1
    out = np.empty(len(texts), np.int64)
    keys = np.array([draw.sip_key(each) for each in secrets], np.int64)
    draw.siphash_strings(offsets, np.frombuffer(b"".join(texts), np.uint8), rows, keys, out)

    assert [signed(oracle.siphash24(secrets[i & 1][:16], text)) for i, text in enumerate(texts)] == out.tolist()


@given(secret=st.binary(min_size=32, max_size=32), day=st.dates())
def test_the_secret_of_a_day_and_its_commitment_are_the_oracles(secret: bytes, day: date) -> None:
    """What is published before the day must be what anyone recomputes after it."""
    of_day = draw.day_secret(secret, day.isoformat())

    assert oracle.day_secret(secret, day) == of_day
    assert oracle.commitment(of_day).hex() == draw.commitment(of_day) == sha256(of_day).hexdigest()


# ---------------------------------------------------------------- uniform numbers


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]),
        (1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]),
    ],
)
def test_draws_are_splitmix64_from_its_first_output_on(seed: int, expected: list[int]) -> None:
    """Draw 1 is the output after the first increment, as in everyone's SplitMix64."""
    actual = []
    for _ in expected:
        z, seed = draw.draw_next(seed)
        actual.append(z % 2**64)

    assert expected == actual


@given(seed=SEEDS, n=SIZES)
def test_a_uniform_number_is_the_oracles_and_uses_as_many_draws(seed: int, n: int) -> None:
    """Small and large n, around powers of two and around 2^31, where the way of drawing changes."""
    drawn = Draws(seed)
    x, after = draw.uniform(seed, n)

    assert 0 <= x < n
    assert oracle.uniform(drawn, n) == x
    assert signed(seed + drawn.count * GOLDEN) == after


def seed_before(z: int) -> int:
    """The seed whose next draw is z: SplitMix64 run backwards."""
    z ^= z >> 31 ^ z >> 62
    z = z * pow(0x94D049BB133111EB, -1, 2**64) & MASK
    z ^= z >> 27 ^ z >> 54
    z = z * pow(0xBF58476D1CE4E5B9, -1, 2**64) & MASK
    z ^= z >> 30 ^ z >> 60
    return signed(z - GOLDEN)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 20, 1000, 2**31 - 1, 2**31])
def test_every_value_of_a_small_uniform_has_the_same_number_of_draws(n: int) -> None:
    """2^32 // n each: the first and the last draw of a value are found and probed on both sides."""

    def value(upper: int) -> int | None:
        """The value of a draw with these upper bits, or None when it is rejected."""
        seed = seed_before(upper << 32)
        assert (signed(upper << 32), signed(seed + GOLDEN)) == draw.draw_next(seed)
        x, after = draw.uniform(seed, n)
        return int(x) if after == signed(seed + GOLDEN) else None

    for x in {0, n // 2, n - 1}:
        first = -(-(x * 2**32 + 2**32 % n) // n)
        last = first + 2**32 // n - 1

        assert (x, x) == (value(first), value(last))
        assert first == 0 or value(first - 1) != x
        assert last + 1 == 2**32 or value(last + 1) != x


@pytest.mark.parametrize("n", [2**31 + 1, 2**40, 2**40 + 1, 2**62 - 1, 2**62])
def test_a_large_uniform_masks_and_rejects(n: int) -> None:
    """Above 2^31: the upper 62 bits of a draw, masked to the bits of n - 1; n itself is the first that is rejected."""
    size = 2 ** (n - 1).bit_length()
    for upper in {0, n - 1, n, size - 1, 2**62 - 1}:
        seed = seed_before((upper << 2) & MASK)
        x, after = draw.uniform(seed, n)
        accepted = after == signed(seed + GOLDEN)

        assert (upper % 2**62 % size < n) == accepted
        assert not accepted or upper % 2**62 % size == x


# ---------------------------------------------------------------- cuts


def parts_of(seed: int, issue: int, parts: int) -> list[int]:
    """``issue`` cut into so many parts by the kernel."""
    points, cuts = np.zeros(PER_ORDER_MAX + 1, np.int64), np.zeros(PER_ORDER_MAX + 1, np.int64)
    draw.cut_points(seed, issue, parts - 1, points, cuts)
    return [int(part) for part in np.diff([0, *cuts[: parts - 1], issue])]


OFTEN_REJECTED = 2**32 // 3 + 1
ISSUES = st.one_of(
    st.integers(0, 30),
    st.integers(0, 3000),
    st.integers(OFTEN_REJECTED, OFTEN_REJECTED + 100),
    st.integers(2**31 - 200, 2**31 + 5),
    st.integers(0, 115 * 10**12),
)


@given(seed=SEEDS, parts=st.one_of(st.integers(1, 20), st.integers(1, PER_ORDER_MAX)), more=ISSUES)
def test_a_cut_is_floyds_as_the_page_has_it(seed: int, parts: int, more: int) -> None:
    """The kernel sorts all draws at once and goes back when two are equal or one is rejected; the outcome is the page's."""
    issue = parts + more

    assert oracle.cut(oracle.draws(seed % 2**64), issue, parts) == parts_of(seed, issue, parts)


@pytest.mark.parametrize("issue", [OFTEN_REJECTED, OFTEN_REJECTED + 19, 2**31 - 1, 2**31, 2**31 + 1])
def test_a_rejected_draw_inside_a_cut_is_drawn_again(issue: int) -> None:
    """Just above 2^32 / 3 every third draw is rejected, so that all later ones of the cut move up; at 2^31 the way changes."""
    for seed in range(-40, 40):
        assert oracle.cut(oracle.draws(seed % 2**64), issue, 20) == parts_of(seed, issue, 20)


@pytest.mark.parametrize(("issue", "parts"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (5, 4), (5, 5), (6, 3), (6, 4)])
def test_every_place_of_the_window_has_the_same_law(issue: int, parts: int) -> None:
    """All outcomes of the kernel's draws, each found by a seed, and counted.

    Every composition comes from the same number of outcomes, (parts - 1)!, and all outcomes are equally likely, so every
    place gets the same on average, to the fen: the sums over all outcomes are equal.
    """
    sizes = range(issue - parts + 1, issue)
    outcomes: dict[tuple[int, ...], list[int]] = {}
    for first in range(20_000):
        seed, drawn = first, []
        for n in sizes:
            x, seed = draw.uniform(seed, n)
            drawn.append(int(x))
        cut = parts_of(first, issue, parts)
        assert cut == outcomes.setdefault(tuple(drawn), cut)
        if len(outcomes) == factorial(issue - 1) // factorial(issue - parts):
            break
    counts = Counter(tuple(cut) for cut in outcomes.values())

    assert set(product(*map(range, sizes))) == outcomes.keys()
    assert {factorial(parts - 1)} == set(counts.values())
    assert comb(issue - 1, parts - 1) == len(counts)
    assert 1 == len({sum(cut[place] for cut in outcomes.values()) for place in range(parts)})
