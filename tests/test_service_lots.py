"""Closed lots that no checkpoint has taken along yet."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rangli.service.settling.lots import ClosedLots

SOME = st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 20), st.integers(0, 2**40)), max_size=700)


@given(st.lists(st.one_of(SOME, st.integers(0, 900)), max_size=8))
def test_lots_are_here_until_they_are_forgotten(steps: list[list[tuple[int, int, int]] | int]) -> None:
    """Against a plain list: what was added and not forgotten, the newest first when one number comes twice."""
    lots, expected = ClosedLots(), []
    for step in steps:
        if isinstance(step, int):
            count = min(step, len(expected))
            lots.forget(count)
            del expected[:count]
        else:
            rows = [[number, 7, 8, 9, packets, received] for number, packets, received in step]
            lots.add([np.array(rows, np.int64).reshape(-1, 6)])
            expected += step
        before = lots.all()

        assert [list(row) for row in expected] == before.tolist()
        for number in (*{row[0] for row in expected[:5]}, 1501):
            found = [row[1:] for row in expected if row[0] == number]
            assert (found[-1] if found else None) == lots.find(number)
