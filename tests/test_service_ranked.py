"""The first few by value: against plain sorting, with many ties, in any pieces, page after page."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rangli.errors import FieldRefused
from rangli.money import MICRO_MAX
from rangli.service.looking import ranked
from rangli.service.looking.ranked import START, Piece, Rank, rank_of

Values = list[int]
VALUES = st.lists(st.integers(-3, 3) | st.sampled_from([-MICRO_MAX, MICRO_MAX]), max_size=60)
"""Few values, so that most are equal; and the largest that money can be."""


def plainly(values: Values, *, is_falling: bool) -> list[Rank]:
    """Sorted by value, then by number; or backwards."""
    return sorted((Rank(value, number) for number, value in enumerate(values)), reverse=is_falling)


def in_pieces(values: Values, size: int) -> list[Piece]:
    """The values and their numbers, so many at a time, the last piece first: in which order they come does not matter."""
    numbers = np.arange(len(values))
    starts = reversed(range(0, len(values), size))
    return [(np.array(values[first : first + size], np.int64), numbers[first : first + size]) for first in starts]


@given(
    values=VALUES, count=st.integers(1, 70), size=st.integers(1, 9), is_falling=st.booleans(),
    after=st.none() | st.builds(Rank, st.integers(-4, 4), st.integers(0, 70)),
)  # fmt: skip
def test_the_first_few_are_those_that_sorting_puts_first(
    *, values: Values, count: int, size: int, is_falling: bool, after: Rank | None
) -> None:
    """After any place, whether anything stands there or not."""
    rest = [
        rank
        for rank in plainly(values, is_falling=is_falling)
        if after is None or (rank < after if is_falling else rank > after)
    ]  # fmt: skip

    assert rest[:count] == ranked.ranked(in_pieces(values, size), count, after, is_falling=is_falling)
    if after is not None:
        whole = np.array(values, np.int64), np.arange(len(values))
        assert len(rest) == ranked.beyond(whole, after, is_falling=is_falling)


@given(values=VALUES, limit=st.sampled_from([1, 3, 100]), size=st.integers(1, 9), is_falling=st.booleans())
def test_pages_joined_are_all_of_them_in_order(*, values: Values, limit: int, size: int, is_falling: bool) -> None:
    """Nothing is skipped or comes twice where a page was cut in the middle of equal values."""
    found: list[int] = []
    cursor = START
    while cursor:
        numbers, cursor = ranked.page(in_pieces(values, size), limit, cursor, is_falling=is_falling)
        assert len(numbers) == limit or not cursor
        found += numbers

    assert [rank.number for rank in plainly(values, is_falling=is_falling)] == found


def test_what_comes_and_goes_between_two_pages_disturbs_nothing_else() -> None:
    """The cursor is a place, which stays where it is when what stood there has gone."""
    values = {number: number % 3 for number in range(30)}

    def page(cursor: str) -> tuple[list[int], str]:
        piece = np.array(list(values.values()), np.int64), np.array(list(values), np.int64)
        return ranked.page([piece], 4, cursor, is_falling=True)

    first, cursor = page("")
    stayed = sorted((Rank(value, number) for number, value in values.items()), reverse=True)[4:]
    del values[first[-1]], values[first[0]]
    values[99] = 5
    found: list[int] = []
    while cursor:
        numbers, cursor = page(cursor)
        found += numbers

    assert [rank.number for rank in stayed] == found


def test_a_place_is_read_as_it_was_written() -> None:
    """The largest debt and the largest balance too."""
    for rank in (Rank(0, 0), Rank(-MICRO_MAX, 2**31), Rank(MICRO_MAX, 1)):
        assert rank == rank_of(rank.cursor())
    assert rank_of("") is rank_of(START) is None


@pytest.mark.parametrize(
    "cursor", ["1", "1.2.3", "-1.-2", "+1.2", " 1.2", "1.2\n", "x.y", "٣.1", "9223372036854775807.1", f"1.{'9' * 19}"]
)
def test_what_is_no_place_is_refused(cursor: str) -> None:
    """A cursor of another order, or of nobody's making."""
    with pytest.raises(FieldRefused, match="cursor"):
        rank_of(cursor)
