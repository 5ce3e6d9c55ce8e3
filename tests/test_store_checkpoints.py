"""Programmes, their versions and their checkpoints, as the database keeps them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import service_worlds
from service_worlds import connected

from rangli.errors import Broken, ProgrammeExists
from rangli.store import journal, programmes
from rangli.store.database import Connection
from rangli.store.programmes import CHECKPOINTS_KEPT, Checkpoint, Passed, PlanRow, ProgrammeRow

NO_LOTS = np.zeros((0, 3), np.int64)

house = service_worlds.house
url = service_worlds.url


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A connection to an empty database."""
    with connected(url) as connection:
        yield connection


def checkpoint(position: int, size: int = 50) -> Checkpoint:
    """Some checkpoint."""
    state = bytes(k & 255 for k in range(size))
    return Checkpoint(
        position, 3, bytes([position] * 32), "ab" * 32, "名".encode(), state, b"books", np.array([1, 2**31 - 1], np.int32)
    )


def same(a: Checkpoint | None, b: Checkpoint | None) -> bool:
    """Whether two are equal, the array too."""
    return a is not None and b is not None and a[:-1] == b[:-1] and a.last.tolist() == b.last.tolist()


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 95])
def test_a_checkpoint_comes_back_as_it_was(connection: Connection, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """In as many parts as it needs, since a value of PostgreSQL has an end at a gigabyte."""
    monkeypatch.setattr(programmes, "PART_BYTES", 10)
    programmes.save(connection, 1, checkpoint(7, size), Passed(1, np.arange(7, dtype=np.int64), NO_LOTS))

    assert same(checkpoint(7, size), programmes.newest(connection, 1, 7))
    assert same(checkpoint(7, size), programmes.newest(connection, 1, 2**40))
    assert programmes.newest(connection, 1, 6) is None
    assert programmes.newest(connection, 2, 7) is None


def test_a_few_checkpoints_are_kept_and_all_balances(connection: Connection) -> None:
    """Checkpoints are large and only the newest are of use; balances are what a look into the past starts from."""
    for position in range(1, 8):
        programmes.save(connection, 1, checkpoint(position), Passed(position, np.array([position], np.int64), NO_LOTS))
        programmes.save(connection, 2, checkpoint(position), Passed(position, np.array([position], np.int64), NO_LOTS))
    newest = [programmes.newest(connection, 1, upto) for upto in range(8)]

    assert [None] * (8 - CHECKPOINTS_KEPT) + [5, 6, 7] == [found and found.position for found in newest]
    assert [None, *range(1, 8)] == [(programmes.books_before(connection, 1, at) or [None])[0] for at in range(8)]
    assert [(k, [k]) for k in range(1, 8)] == [
        (first, hashes.tolist()) for first, hashes in programmes.key_blocks(connection, 1, 9)
    ]
    assert 3 == len(programmes.key_blocks(connection, 1, 3))


def test_a_checkpoint_is_kept_whole_or_not_at_all(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """An accident in the middle leaves the one before, with its ids."""
    programmes.save(connection, 1, checkpoint(3), Passed(1, np.arange(3, dtype=np.int64), NO_LOTS))
    monkeypatch.setattr(programmes, "PART_BYTES", 10)
    connection.execute("ALTER TABLE balances ADD CONSTRAINT no_more CHECK (position < 5)")
    with pytest.raises(Exception, match="no_more"):
        programmes.save(connection, 1, checkpoint(6), Passed(4, np.arange(3, dtype=np.int64), NO_LOTS))

    assert same(checkpoint(3), programmes.newest(connection, 1, 99))
    assert 1 == len(programmes.key_blocks(connection, 1, 99))


def test_a_checkpoint_at_the_same_position_replaces_a_damaged_one(connection: Connection) -> None:
    """Whoever started from before it keeps it again."""
    for _ in range(2):
        programmes.save(connection, 1, checkpoint(3), Passed(1, np.arange(3, dtype=np.int64), NO_LOTS))
        connection.execute("UPDATE checkpoint SET bytes = '\\x00'")
        with pytest.raises(Broken) as broken:
            programmes.newest(connection, 1, 3)
        assert 3 == broken.value.position
    programmes.save(connection, 1, checkpoint(3), Passed(1, np.arange(3, dtype=np.int64), NO_LOTS))

    assert same(checkpoint(3), programmes.newest(connection, 1, 3))


def test_a_checkpoint_without_its_balances_is_not_whole(connection: Connection) -> None:
    """They were kept together."""
    programmes.save(connection, 1, checkpoint(3), Passed(1, np.arange(3, dtype=np.int64), NO_LOTS))
    connection.execute("DELETE FROM balances")
    with pytest.raises(Broken):
        programmes.newest(connection, 1, 3)


def test_ids_without_a_hash_need_no_block(connection: Connection) -> None:
    """A checkpoint right after another one has no new ids."""
    programmes.save(connection, 1, checkpoint(3), Passed(4, np.zeros(0, np.int64), NO_LOTS))

    assert [] == list(programmes.key_blocks(connection, 1, 99))


def test_lots_are_kept_with_their_checkpoint_or_not_at_all(connection: Connection) -> None:
    """A restart decides again what came after the checkpoint that it finds, and brings the lots that closed since."""
    some = np.array([[5, 20, 300], [2, 20, 100]], np.int64)
    programmes.save(connection, 1, checkpoint(3), Passed(1, np.arange(3, dtype=np.int64), some[1:]))
    connection.execute("ALTER TABLE balances ADD CONSTRAINT no_more CHECK (position < 5)")
    with pytest.raises(Exception, match="no_more"):
        programmes.save(connection, 1, checkpoint(6), Passed(4, np.arange(3, dtype=np.int64), some))
    alone = journal.all_lots(connection, 1).tolist()
    connection.execute("ALTER TABLE balances DROP CONSTRAINT no_more")
    programmes.save(connection, 1, checkpoint(6), Passed(4, np.arange(3, dtype=np.int64), some))

    assert [[2, 20, 100]] == alone
    assert [[2, 20, 100], [5, 20, 300]] == journal.all_lots(connection, 1).tolist()


def test_programmes_are_numbered_from_one_and_named_once(connection: Connection) -> None:
    """The number is part of every key, the name of every address."""
    numbers = [programmes.create(connection, name, bytes(32), 60, 5) for name in ("一", "two")]
    with pytest.raises(ProgrammeExists, match="two"):
        programmes.create(connection, "two", bytes(32), 0, 0)

    assert [1, 2] == numbers
    assert [ProgrammeRow(1, "一", bytes(32), 60, 5), ProgrammeRow(2, "two", bytes(32), 60, 5)] == programmes.programmes(
        connection
    )


def test_versions_of_a_plan_are_kept_in_order(connection: Connection) -> None:
    """As they were written, to the letter."""
    programmes.create(connection, "one", bytes(32), 0, 0)
    some = [PlanRow(number, "plan", f"v{number}", f"# 注释 {number}\n\ttext '\" \\ ") for number in (2, 1)]
    for plan in some:
        programmes.add_plan(connection, 1, plan)

    assert some[::-1] == programmes.plans(connection, 1)
    assert [] == programmes.plans(connection, 2)


def test_holders_come_with_the_decision_that_brought_them(connection: Connection) -> None:
    """A start reads those after its checkpoint, ``verify`` those of the decisions that it has read."""
    connection.execute(
        "INSERT INTO holder VALUES (1, 0, 3, 'platform:surplus', 0), (1, 9, 0, 'b', 7), (1, 8, 1, '面馆', 5), (2, 8, 0, 'x', 6)"
    )

    assert [(8, 1, "面馆", 5), (9, 0, "b", 7)] == programmes.holders(connection, 1, 4, 7)
    assert [(8, 1, "面馆", 5)] == programmes.holders(connection, 1, 4, 6)
    assert [(0, 3, "platform:surplus", 0)] == programmes.holders(connection, 1, -1, 0)
