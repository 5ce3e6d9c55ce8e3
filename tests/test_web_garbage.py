"""What a full collection leaves is set aside, and looked at again after an hour."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from rangli.web.garbage import THOROUGH_SECONDS, Aside


class Ring:
    """Garbage as soon as nobody else holds it, which only the collector sees."""

    def __init__(self, ended: list[str], name: str) -> None:
        self.me = self
        self.ended = ended
        self.name = name

    def __del__(self) -> None:
        self.ended.append(self.name)


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def watch() -> Iterator[Watch]:
    """The clock of an Aside that has begun; everything is as it was afterwards."""
    watch = Watch()
    aside = Aside(watch)
    aside.start()
    yield watch
    aside.stop()


@pytest.mark.usefixtures("watch")
def test_what_survives_a_full_collection_is_not_looked_at_by_the_next() -> None:
    """Or every full collection would look through all that a programme has."""
    kept: list[object] = []
    assert any(one is kept for one in gc.get_objects())
    gc.collect()

    assert not any(one is kept for one in gc.get_objects())


@pytest.mark.usefixtures("watch")
def test_garbage_that_comes_is_collected() -> None:
    """Setting aside is for what lives."""
    ended: list[str] = []
    Ring(ended, "young")
    gc.collect()

    assert ended == ["young"]


def test_garbage_that_was_set_aside_is_collected_after_an_hour(watch: Watch) -> None:
    """Nothing leaks for ever."""
    ended: list[str] = []
    ring = Ring(ended, "set aside")
    gc.collect()
    del ring
    gc.collect()
    assert ended == []
    watch.now = THOROUGH_SECONDS
    gc.collect()

    assert ended == ["set aside"]


def test_after_the_end_nothing_is_aside() -> None:
    """A server in a thread of someone's process leaves the collector as it found it."""
    aside, called = Aside(), list(gc.callbacks)
    aside.start()
    aside.stop()

    assert called == gc.callbacks
    assert gc.get_freeze_count() == 0
