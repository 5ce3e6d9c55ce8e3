"""The ids that have been used: found for ever, none lost while the table grows, and told apart by whoever asks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_draws import siphash24

from rangli.store import keys, rows
from rangli.store.keys import Keys, hash_of, hashes_of

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
HASHES = st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)), max_size=60)


def runs(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Texts as one run of bytes and where each begins."""
    parts = [text.encode() for text in texts]
    return np.cumsum([0, *map(len, parts)]).astype(np.int64), np.frombuffer(b"".join(parts), np.uint8)


@given(st.lists(IDS, max_size=8), st.sampled_from(range(1, len(rows.KIND_NAMES))))
def test_an_ids_hash_is_its_siphash_under_its_kinds_key(texts: list[str], kind: int) -> None:
    """The blocks in the database hold these hashes, so they may never become others."""
    expected = [
        siphash24((2 * kind).to_bytes(8, "little") + (2 * kind + 1).to_bytes(8, "little"), text.encode()) for text in texts
    ]
    signed = [value - 2**64 if value >= 2**63 else value for value in expected]

    assert signed == hashes_of(kind, *runs(texts)).tolist()
    assert signed == [hash_of(kind, text) for text in texts]


def test_no_id_has_the_hash_that_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 stands for a decision without an id; an id that hashed to it would be forgotten."""
    monkeypatch.setattr(keys, "siphash_strings", lambda _ends, _data, _row, _keys, out: out.fill(0))

    assert 0 != hash_of(rows.ORDER, "a")


@given(st.lists(HASHES, max_size=6), st.integers(1, 2**30))
def test_every_hash_is_found_where_it_was_added(parts: list[list[int]], first: int) -> None:
    """Against a dictionary: the first position of each hash, all of them when several decisions share it, and none for others."""
    table = Keys()
    expected: dict[int, list[int]] = {}
    for part in parts:
        limited = [value for k, value in enumerate(part) if part[:k].count(value) < 2]
        table.add(np.array(limited, np.int64), first)
        for position, value in enumerate(limited, first):
            if value:
                expected.setdefault(value, []).append(position)
        first += len(limited)
    absent = [value for value in (7, -9, 2**63 - 1, -(2**63)) if value not in expected]
    asked = [*expected, *absent]

    assert [expected.get(value, [0])[0] for value in asked] == table.find(np.array(asked, np.int64)).tolist()
    assert [expected.get(value, []) for value in asked] == [sorted(table.candidates(value)) for value in asked]
    assert sum(map(len, expected.values())) == len(table)


def test_a_table_grows_and_keeps_what_it_has() -> None:
    """Ten thousand ids from a table of a few; at least half of the slots stay free, or looking up would slow down."""
    table = Keys()
    hashes = hashes_of(rows.ORDER, *runs([f"order-{k}" for k in range(10_000)]))
    for start in range(0, 10_000, 777):
        table.add(hashes[start : start + 777], 1 + start)

    assert [*range(1, 10_001)] == table.find(hashes).tolist()
    assert not table.find(hashes_of(rows.REFUND, *runs([f"order-{k}" for k in range(1000)]))).any()


def test_a_reader_finds_an_id_at_every_moment_of_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders are looked up by other threads while the settler adds ids; an empty new table would hide what is there."""
    table = Keys()
    hashes = hashes_of(rows.ORDER, *runs([f"order-{k}" for k in range(3000)]))
    table.add(hashes[:2000], 1)
    seen: list[list[int]] = []
    move = keys.move_keys

    def look(*tables: np.ndarray) -> None:
        seen.append(table.candidates(int(hashes[7])))
        move(*tables)
        seen.append(table.candidates(int(hashes[7])))

    monkeypatch.setattr(keys, "move_keys", look)
    table.add(hashes[2000:], 2001)

    assert [[8], [8]] == seen
    assert [8] == table.candidates(int(hashes[7]))
