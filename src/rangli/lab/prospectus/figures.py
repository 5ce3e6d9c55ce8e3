"""Numbers as a prospectus prints them: rounded for reading, grouped by thousands, with the unit in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rangli.money import BP_PER_ONE, MICRO_PER_YUAN, mul_div, print_ratio
from rangli.plan.parts import Words

MINUS: Final = "−"
NONE: Final = Words("无", "none")


class Spread(NamedTuple):
    """One figure of several runs: the middle one (of two, the lesser), the least and the most. None is more than any number."""

    median: int | None
    least: int | None
    most: int | None


def spread(values: Iterable[int | None]) -> Spread:
    """The spread of at least one value.

    >>> spread([3, None, 1])
    Spread(median=3, least=1, most=None)
    """
    ranked = sorted(values, key=lambda value: (value is None, value or 0))
    return Spread(ranked[(len(ranked) - 1) >> 1], ranked[0], ranked[-1])


def nearest(num: int, den: int, places: int) -> str:
    """num / den to the nearest of its last decimal, halves away from zero, thousands apart; for reading, never for booking.

    >>> nearest(12_345_678, 1000, 1), nearest(-1, 8, 2), nearest(-1, 8, 0)
    ('12,345.7', '−0.13', '0')
    """
    unit = 2 * 10**places
    text = print_ratio(abs(num) * unit + den, den * unit, places)
    whole, dot, decimals = text.partition(".")
    sign = MINUS if num < 0 and text.strip("0.") else ""
    return f"{sign}{int(whole):,}{dot}{decimals}"


def percent(part: int, whole: int) -> str:
    """A part of a whole with one decimal. What is there is never shown as nothing, nor what is missing as all.

    >>> percent(1, 8), percent(1, 100_000), percent(99_999, 100_000), percent(0, 5), percent(1, 0)
    ('12.5%', '<0.1%', '>99.9%', '0.0%', '–')
    """
    if not whole:
        return "–"
    shown = nearest(part * 100, whole, 1)
    if part > 0 and shown == "0.0":
        return "<0.1%"
    if part < whole and shown == "100.0":
        return ">99.9%"
    return f"{shown}%"


def percent_of_bp(bp: int) -> str:
    """Basis points as a percentage with one decimal.

    >>> percent_of_bp(1525), percent_of_bp(0)
    ('15.3%', '0.0%')
    """
    return percent(bp, BP_PER_ONE)


def count(number: int) -> str:
    """A number with its thousands apart."""
    return f"{MINUS if number < 0 else ''}{abs(number):,}"


def yuan(micro: int) -> str:
    """Whole yuan and fen.

    >>> yuan(1_234_567_890), yuan(-45_123)
    ('1,234.57', '−0.05')
    """
    return nearest(micro, MICRO_PER_YUAN, 2)


def of_hundred(micro: int, of_micro: int) -> str:
    """Yuan of each 100 yuan of something, to the fen.

    >>> of_hundred(42, 1000)
    '4.20'
    """
    return nearest(micro * 100, max(of_micro, 1), 2)


_LARGE: Final = (
    ((10**8, "亿"), (10**4, "万"), (1, "")),
    ((10**9, "bn"), (10**6, "m"), (10**3, "k"), (1, "")),
)


def large(micro: int) -> Words:
    """An amount in yuan by its order of magnitude, without the word for yuan.

    >>> large(31_403_973_754_843), large(5_000_000)
    (Words(zh='3,140.4 万', en='31.4 m'), Words(zh='5', en='5'))
    """
    zh, en = (_scaled(micro, scales) for scales in _LARGE)
    return Words(zh, en)


def _scaled(micro: int, scales: Sequence[tuple[int, str]]) -> str:
    size, word = next((scale for scale in scales if abs(micro) >= scale[0] * MICRO_PER_YUAN), scales[-1])
    return f"{nearest(micro, size * MICRO_PER_YUAN, 1).removesuffix('.0')} {word}".strip()


# ---------------------------------------------------------------- axes


def step_of(most: int, steps: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50 … of which so many steps reach the greatest value.

    >>> step_of(83, 4), step_of(0, 4), step_of(4547, 5)
    (50, 1, 1000)
    """
    step, factors = 1, (2, 5, 10)
    while step * steps < most:
        power = 10 ** (len(str(step)) - 1)
        step = next(factor * power for factor in factors if factor * power > step)
    return step


def ticks(most: int, steps: int = 4) -> list[int]:
    """Round numbers from 0 to the first that is not below the greatest value.

    >>> ticks(83), ticks(0)
    ([0, 50, 100], [0, 1])
    """
    step = step_of(most, steps)
    return [step * number for number in range(max(-mul_div(-most, 1, step), 1) + 1)]
