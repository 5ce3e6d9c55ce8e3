"""Rows of the journal: what we write is what PostgreSQL stores, what it gives back, and what is hashed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import oracle_rows
import psycopg
import pytest
import service_worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from service_worlds import House, connected

from rangli.ledger.transfers import Transfers
from rangli.store import journal, rows, sha
from rangli.store.database import Connection
from rangli.store.rows import Decisions

house = service_worlds.house
url = service_worlds.url
MANY = settings(max_examples=min(40, settings.default.max_examples))  # type: ignore[union-attr]

INT2, INT4, INT8 = (st.integers(-(2**bits), 2**bits - 1) for bits in (15, 31, 63))
EDGES = (0, 1, -1, 127, 128, 255, 256, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
ACCOUNTS = 40
KEYS = st.one_of(
    st.sampled_from(["", "订单-1", "é", "𝄞", "\x01\x7f", "'\"\\,\t\n{}", "x" * 200]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9),
)


class Drawn(NamedTuple):
    """Some decisions of one kind, as drawn, and the last positions before them."""

    kind: int
    plan: int
    first: int
    rows: list[tuple[int, str, bytes, list[int], list[int], list[tuple[int, int, int, int]]]]
    """At, key, request, facts, party, legs."""
    last: list[int]


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """Any kind, any numbers that the columns hold, no legs or many."""
    facts = draw(st.integers(0, rows.FACTS_WIDE))
    parties = draw(st.integers(0, rows.PARTY_WIDE))
    wide = st.one_of(st.sampled_from(EDGES), INT8)
    narrow = st.one_of(st.sampled_from([edge for edge in EDGES if abs(edge) < 2**31]), INT4)
    account = st.integers(0, ACCOUNTS - 1)
    leg = st.tuples(account, account, wide, st.integers(-128, 127))
    row = st.tuples(
        wide,
        KEYS,
        st.binary(min_size=32, max_size=32),
        st.lists(wide, min_size=facts, max_size=facts),
        st.lists(narrow, min_size=parties, max_size=parties),
        st.lists(leg, max_size=5),
    )
    first = draw(st.one_of(st.just(1), st.integers(1, 2**31 - 10)))
    last = draw(st.lists(st.integers(0, first - 1), min_size=ACCOUNTS, max_size=ACCOUNTS))
    return Drawn(draw(INT2), draw(INT4), first, draw(st.lists(row, min_size=1, max_size=4)), last)


def decisions(some: Drawn) -> Decisions:
    """As columns."""
    keys = [row[1].encode() for row in some.rows]
    legs = [leg for row in some.rows for leg in row[5]]
    columns = [[leg[k] for leg in legs] for k in range(4)]
    return Decisions(
        some.kind,
        some.plan,
        np.array([row[0] for row in some.rows], np.int64),
        np.cumsum([0, *map(len, keys)]).astype(np.int64),
        np.frombuffer(b"".join(keys), np.uint8),
        np.frombuffer(b"".join(row[2] for row in some.rows), np.uint8).reshape(-1, 32),
        np.array([row[3] for row in some.rows], np.int64).reshape(len(some.rows), -1),
        np.array([row[4] for row in some.rows], np.int32).reshape(len(some.rows), -1),
        Transfers(
            np.zeros(len(legs), np.int32),
            np.array(columns[0], np.int32),
            np.array(columns[1], np.int32),
            np.array(columns[2], np.int64),
            np.array(columns[3], np.int8),
        ),
        np.cumsum([0, *(len(row[5]) for row in some.rows)]).astype(np.int64),
    )


def told(some: Drawn, programme: int, head: bytes) -> tuple[list[list[Any]], list[int]]:
    """The rows that must come out, by the oracle, and the last positions after them."""
    last = list(some.last)
    out: list[list[Any]] = []
    for position, (at, key, request, facts, party, legs) in enumerate(some.rows, some.first):
        source, destination, amount, code = ([leg[k] for leg in legs] for k in range(4))
        before = [last[account] for account in source], [last[account] for account in destination]
        for account in (*source, *destination):
            last[account] = position
        out.append(
            [
                programme,
                position,
                some.kind,
                some.plan,
                at,
                key,
                request,
                facts,
                party,
                source,
                destination,
                amount,
                code,
                *before,
                b"",
            ]
        )
    for row, digest in zip(out, oracle_rows.chained(out, head), strict=True):
        row[-1] = digest
    return out, last


def written(some: Drawn, programme: int, head: bytes) -> tuple[bytes, np.ndarray, np.ndarray, list[bytes]]:
    """The bytes of these rows, where each ends, the last positions after them, and the hashes."""
    last = np.array(some.last, np.int32)
    data, ends = rows.encode(decisions(some), programme, some.first, last)
    hashes = sha.chain(data, ends, head)
    room = rows.HASH_BYTES
    return data[room:].tobytes(), ends - room, last, [bytes(one) for one in hashes]


# ---------------------------------------------------------------- against the oracle


@MANY
@given(drawn(), st.integers(1, 2**31 - 1), st.binary(min_size=32, max_size=32))
def test_the_bytes_are_the_manuals(some: Drawn, programme: int, head: bytes) -> None:
    """Every field of every row, the accounts' chains and the hashes, by an encoder that was written from the manual."""
    expected, last = told(some, programme, head)
    data, ends, last_after, hashes = written(some, programme, head)

    assert b"".join(map(oracle_rows.row, expected)) == data
    assert np.cumsum([0, *(len(oracle_rows.row(row)) for row in expected)]).tolist() == ends.tolist()
    assert last == last_after.tolist()
    assert [row[-1] for row in expected] == hashes
    assert rows.size_of(decisions(some)) >= len(data)


@MANY
@given(drawn())
def test_following_the_accounts_of_the_legs_brings_all_that_writing_changed(some: Drawn) -> None:
    """Readers' last positions follow the settler's, and must not part from them."""
    legs, follower = decisions(some).legs, np.array(some.last, np.int32)
    last = written(some, 1, bytes(32))[2]
    rows.follow(legs.source, legs.destination, last, follower)

    assert last.tolist() == follower.tolist()


@MANY
@given(drawn())
def test_heads_are_what_was_written(some: Drawn) -> None:
    """Reading heads is the inverse of writing them."""
    data, ends, _, _ = written(some, 7, bytes(32))
    heads = rows.decode_heads(np.frombuffer(data, np.uint8), ends)

    assert heads is not None
    check_heads(heads, data, ends, [oracle_rows.values(data[a:b]) for a, b in pairwise(ends)])


def check_heads(heads: rows.Heads, data: bytes, ends: np.ndarray, expected: list[Any]) -> None:
    """Heads say what the oracle reads."""
    for i, row in enumerate(expected):
        numbers = [int(column[i]) for column in (heads.position, heads.kind, heads.plan, heads.at)]
        begin, end = heads.key[i].tolist()
        request = int(heads.request[i])

        assert row[1:5] == numbers
        assert (row[5].encode(), row[6]) == (data[begin:end], data[request : request + 32])
        assert ends[i] <= begin <= end <= request < request + 32 <= ends[i + 1]
        assert row[7] == heads.facts[i, : len(row[7])].tolist()
        assert row[8] == heads.party[i, : len(row[8])].tolist()
        assert [0] * (rows.FACTS_WIDE - len(row[7])) == heads.facts[i, len(row[7]) :].tolist()
        assert [-1] * (rows.PARTY_WIDE - len(row[8])) == heads.party[i, len(row[8]) :].tolist()
        assert len(row[9]) == heads.legs[i]


@MANY
@given(drawn())
def test_rows_just_written_read_like_rows_from_the_database(some: Drawn) -> None:
    """A refund in the batch of its order reads the order's row before PostgreSQL has it."""
    data, ends, _, _ = written(some, 7, bytes(32))
    expected = [oracle_rows.values(data[a:b]) for a, b in pairwise(ends)]

    assert [(*row[1:13], row[15]) for row in expected if row] == rows.rows_of(np.frombuffer(data, np.uint8))


# ---------------------------------------------------------------- malformed bytes


@st.composite
def damage(draw: st.DrawFn) -> tuple[bytes, np.ndarray]:
    """Rows of which bytes were changed, taken out or put in, or that end elsewhere."""
    data, ends, _, _ = written(draw(drawn()), 7, bytes(32))
    broken = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(broken) - 1))
        if draw(st.booleans()):
            broken[at] = draw(st.sampled_from([0, 1, 127, 128, 255, broken[at] ^ 1]))
        else:
            at = draw(st.sampled_from(ends.tolist()[:-1])) + draw(st.integers(0, 120))  # where the numbers and lengths stand
            broken[at : at + 4] = draw(st.sampled_from([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\0\0\0\x0c", b""]))
    cut = draw(st.sampled_from([0, 0, 0, 1, 4, 30, 200]))
    broken = broken[: max(0, len(broken) - cut)]
    return bytes(broken), np.minimum(ends, len(broken))


@MANY
@given(damage())
def test_damaged_bytes_are_refused_or_read_within_their_row(broken: tuple[bytes, np.ndarray]) -> None:
    """Whatever stands there: no index outside, no exception; and what is a row after all reads as one.

    (The lanes with checked indices and with plain Python are the ones that would notice a read outside.)
    """
    data, ends = broken
    heads = rows.decode_heads(np.frombuffer(data, np.uint8), ends)
    expected = [oracle_rows.values(data[a:b]) for a, b in pairwise(ends)]
    if all(row is not None and len(row[7]) <= rows.FACTS_WIDE and len(row[8]) <= rows.PARTY_WIDE for row in expected):
        assert heads is not None
        check_heads(heads, data, ends, expected)
    elif heads is not None:
        assert (ends[:-1] <= heads.key[:, 0]).all()
        assert (heads.key[:, 0] <= heads.key[:, 1]).all()
        assert (heads.key[:, 1] <= heads.request).all()
        assert (heads.request + 32 <= ends[1:]).all()


@pytest.mark.parametrize("legs", [[], [(1, 2, 3, 4)] * 3])
def test_a_row_that_is_cut_off_anywhere_is_refused_or_read_within_its_bytes(legs: list[tuple[int, int, int, int]]) -> None:
    """Each length from nothing to all: every check of a length stands before the read that it is for."""
    data, ends, _, _ = written(Drawn(1, 1, 1, [(0, "钥", bytes(32), [1, 2], [3], legs)], [0] * ACCOUNTS), 1, bytes(32))
    whole = rows.decode_heads(np.frombuffer(data, np.uint8), ends)
    read = [rows.decode_heads(np.frombuffer(data[:cut], np.uint8), np.array([0, cut], np.int64)) for cut in range(len(data))]

    assert whole is not None
    assert [None] * 150 == read[:150]
    assert {1} == {int(heads.position[0]) for heads in read if heads is not None}


@given(st.integers(0, 9_000), st.integers(0, 9_000), st.lists(st.integers(0, 8_999), max_size=3))
@MANY
def test_shared_bytes_end_at_the_first_that_differs(made: int, read: int, changed: list[int]) -> None:
    """Verify names the byte by it."""
    one = np.arange(made).astype(np.uint8)
    other = np.arange(read).astype(np.uint8)
    for place in changed:
        other[place : place + 1] ^= 0x40
    expected = next((k for k, (a, b) in enumerate(zip(one.tolist(), other.tolist(), strict=False)) if a != b), min(made, read))

    assert expected == rows.shared_bytes(one, other)


def test_no_rows_have_no_heads() -> None:
    """An empty block is no fault."""
    heads = rows.decode_heads(np.zeros(0, np.uint8), np.zeros(1, np.int64))

    assert heads is not None
    assert 0 == len(heads.position)


# ---------------------------------------------------------------- PostgreSQL


@pytest.fixture(params=service_worlds.SERVERS, scope="module")
def connection(request: pytest.FixtureRequest, _servers: Any) -> Iterator[Connection]:  # noqa: ANN401 (a fixture's)
    """A connection to a database with our schema, on each kind of server."""
    with service_worlds.house_on(_servers(request.param).url).database() as url, connected(url) as connection:
        yield connection


@MANY
@given(some=drawn(), programme=st.integers(1, 2**31 - 1))
def test_what_goes_in_is_stored_and_comes_out_again(connection: Connection, some: Drawn, programme: int) -> None:
    """The very bytes that were hashed, and in every column the values that an auditor selects."""
    data, ends, _, _ = written(some, programme, bytes(32))
    upto = some.first + len(some.rows)
    for position in (some.first, upto):
        journal.ensure_partition(connection, position)
    with connection.transaction(force_rollback=True):
        with connection.cursor().copy(f"COPY journal ({journal.COLUMNS}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.write(oracle_rows.HEAD + data + oracle_rows.TAIL)
        [(read, read_ends)] = journal.scan(connection, programme, some.first - 1, upto)
        selected = connection.execute("SELECT * FROM journal WHERE programme = %s ORDER BY position", [programme]).fetchall()

    assert data == read.tobytes()
    assert ends.tolist() == read_ends.tolist()
    assert told(some, programme, bytes(32))[0] == [list(row) for row in selected]


def test_lots_go_in_as_they_were(url: str) -> None:
    """The small table beside the journal, in the same form."""
    closed = np.array([[k, k % 21, value] for k, value in enumerate(EDGES[:9])], np.int64)
    with connected(url) as connection:
        with connection.cursor().copy("COPY lot (programme, number, packets, received_fen) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(oracle_rows.HEAD + rows.encode_lots(3, closed).tobytes() + oracle_rows.TAIL)
        found = connection.execute("TABLE lot").fetchall()

    assert [(3, k, k % 21, value) for k, value in enumerate(EDGES[:9])] == found


def test_postgresql_refuses_half_a_row(url: str, house: House) -> None:
    """A row that is cut off on its way is nobody's row."""
    assert house
    data, *_ = written(Drawn(1, 1, 1, [(0, "k", bytes(32), [1], [2], [(1, 2, 3, 4)])], [0] * ACCOUNTS), 1, bytes(32))
    with connected(url) as connection:
        journal.ensure_partition(connection, 1)
        with pytest.raises(psycopg.Error), connection.cursor().copy("COPY journal FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(oracle_rows.HEAD + data[:-5])

        assert 0 == journal.head(connection, 1)
