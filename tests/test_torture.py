"""A short lane of the torture: a few kills under load, each time the tests run. ``make torture`` is the long one."""

from __future__ import annotations

from receivers import loopback
from torture import KINDS, torture


def test_nothing_acknowledged_is_lost_or_doubled_by_kills() -> None:
    """Service and database killed with -9 while orders stream in; all answers are in the journal once and it verifies."""
    with loopback():
        counts = torture(seed=3, kills=4, say=lambda _: None)

    assert 4 == sum(counts[kind] for kind in KINDS)
    assert counts["answers"] > 20
