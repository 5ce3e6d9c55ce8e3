"""The journal in PostgreSQL: rows go in whole or not at all, accounts are walked down, and people's views say what we say."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import psycopg
import pytest
import service_worlds
from service_worlds import MARKET, NOON, SEASON, connected, done, journal_of, opened, order, orders, transfers_of

from rangli.ledger import encode_name
from rangli.ledger.transfers import Transfers
from rangli.money import parse_micro
from rangli.service import Service
from rangli.service.clock import SetClock
from rangli.service.requests import ClosingRequest, RefundRequest
from rangli.store import journal, rows
from rangli.store.database import Connection
from rangli.store.journal import PARTITION_BITS, Appender, ensure_partition
from rangli.store.rows import Bytes, Decisions

house = service_worlds.house
url = service_worlds.url

ACCOUNTS = 12
EDGE = 1 << PARTITION_BITS
"""The first position of the second partition."""


class Written:
    """Random rows of one programme, and what they did to each account."""

    def __init__(self, first: int, count: int, seed: int = 1) -> None:
        chance = Random(seed)
        self.first, self.last = first, np.zeros(ACCOUNTS, np.int32)
        self.legs = [[self._leg(chance) for _ in range(chance.choice((0, 1, 3, 9)))] for _ in range(count)]

    @staticmethod
    def _leg(chance: Random) -> tuple[int, int, int]:
        return chance.randrange(ACCOUNTS), chance.randrange(ACCOUNTS), chance.randint(1, 10**9)

    def bytes(self, start: int, stop: int) -> Bytes:
        """Rows of a part of them, in order."""
        legs = [leg for some in self.legs[start:stop] for leg in some]
        count = stop - start
        columns = [np.array([leg[k] for leg in legs], np.int32 if k < 2 else np.int64) for k in range(3)]
        keys = [f"k{start + k}".encode() for k in range(count)]
        decisions = Decisions(
            rows.ORDER,
            1,
            np.zeros(count, np.int64),
            np.cumsum([0, *map(len, keys)]).astype(np.int64),
            np.frombuffer(b"".join(keys), np.uint8),
            np.zeros((count, 32), np.uint8),
            np.zeros((count, 6), np.int64),
            np.zeros((count, 9), np.int32),
            Transfers(np.zeros(len(legs), np.int32), columns[0], columns[1], columns[2], np.zeros(len(legs), np.int8)),
            np.cumsum([0, *map(len, self.legs[start:stop])]).astype(np.int64),
        )
        return rows.encode(decisions, 1, self.first + start, self.last)[0][rows.HASH_BYTES :]

    def touching(self, account: int) -> list[int]:
        """Positions of the decisions that touched an account, newest first."""
        return [p for p, some in self.numbered() if any(account in leg[:2] for leg in some)][::-1]

    def moved(self, account: int, after: int, upto: int) -> int:
        """What an account gained after one position up to another."""
        return sum(
            leg[2] * ((leg[1] == account) - (leg[0] == account))
            for p, some in self.numbered()
            if after < p <= upto
            for leg in some
        )

    def numbered(self) -> list[tuple[int, list[tuple[int, int, int]]]]:
        """Each row's legs with its position."""
        return list(enumerate(self.legs, self.first))


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A connection to an empty journal."""
    with connected(url) as connection:
        yield connection


def append(connection: Connection, some: Written, *cuts: int) -> None:
    """Append all of them, one transaction for each stretch between two cuts, in blocks of three rows."""
    with Appender(connection, 1) as appender:
        for start, stop in zip((0, *cuts), (*cuts, len(some.legs)), strict=True):
            appender.begin()
            appender.stream(some.first + start, [some.bytes(k, min(k + 3, stop)) for k in range(start, stop, 3)])
            appender.finish()
            appender.commit()


# ---------------------------------------------------------------- appending


@pytest.mark.parametrize("first", [1, EDGE - 9, EDGE - 20, EDGE - (1 << 17) - 9, 2**31 - 20])
def test_rows_are_read_back_across_partitions(connection: Connection, first: int) -> None:
    """A batch may end in another partition than it began in; positions go on without a seam."""
    some = Written(first, 19)
    append(connection, some, 4, 5, 12)
    found = b"".join(data.tobytes() for data, _ in journal.scan(connection, 1, first - 1, first + 18))
    again = Written(first, 19)

    assert again.bytes(0, 19).tobytes() == found
    assert first + 18 == journal.head(connection, 1)
    assert [*range(first + 3, first + 9)] == [row.position for row in journal.after(connection, 1, first + 2, first + 18, 6)]
    assert [*range(first + 10, first + 12)] == [row.position for row in journal.after(connection, 1, first + 9, first + 11, 99)]
    assert {first, first + 18} == set(journal.read(connection, 1, [first, first + 18, first + 19]))
    for account in range(ACCOUNTS):
        touched = some.touching(account)

        assert touched == [row.position for row, _ in journal.walk(connection, 1, account, touched[0], 100)]
        assert some.moved(account, first + 3, first + 15) == journal.moved(connection, 1, account, first + 3, first + 15)


def test_a_walk_is_as_long_as_it_may_be(connection: Connection) -> None:
    """Each step names the next, so a page can begin where the last one ended."""
    some = Written(1, 40)
    append(connection, some)
    touched = some.touching(3)
    walked = journal.walk(connection, 1, 3, touched[0], 5)

    assert touched[:5] == [row.position for row, _ in walked]
    assert touched[1:6] == [before for _, before in walked]
    assert touched[5:] == [row.position for row, _ in journal.walk(connection, 1, 3, walked[-1][1], 1000)]
    assert 0 == journal.walk(connection, 1, 3, touched[-1], 9)[0][1]


def test_what_is_rolled_back_was_never_there(connection: Connection) -> None:
    """In the middle of a COPY, after it, and before it; the next transaction goes through all the same."""
    some = Written(1, 9)
    with Appender(connection, 1) as appender:
        for ends in range(3):
            appender.begin()
            if ends:
                appender.stream(1, [Written(1, 9).bytes(0, 9)])
            if ends > 1:
                appender.finish()
            appender.rollback()
            assert 0 == journal.head(connection, 1)
        appender.begin()
        appender.stream(1, [some.bytes(0, 9)])
        appender.finish()
        appender.commit()

    assert 9 == journal.head(connection, 1)


def test_a_position_is_there_once(connection: Connection) -> None:
    """Whatever went wrong before: the database itself refuses a second row at a position."""
    append(connection, Written(1, 4))
    with pytest.raises(psycopg.errors.UniqueViolation):
        append(connection, Written(4, 2))

    assert connection.closed


def test_nobody_sees_a_row_before_its_commit(url: str) -> None:
    """A reader of the feed must not be told what may yet be undone."""
    with connected(url) as connection, connected(url) as reader, Appender(connection, 1) as appender:
        appender.begin()
        appender.stream(1, [Written(1, 9).bytes(0, 9)])
        appender.finish()
        assert (0, []) == (journal.head(reader, 1), journal.after(reader, 1, 0, 99, 99))
        appender.commit()
        assert 9 == journal.head(reader, 1)


def test_a_partition_is_vacuumed_when_the_next_one_comes(connection: Connection) -> None:
    """Vacuum writes its pages into the log once more: not while commits are waiting for that log."""
    for number in (7, 8):
        ensure_partition(connection, number << PARTITION_BITS)
    options = connection.execute(
        "SELECT relname, reloptions FROM pg_class WHERE relname IN ('journal_7', 'journal_8') ORDER BY relname"
    ).fetchall()

    assert [["toast_tuple_target=8160"], ["toast_tuple_target=8160", "autovacuum_vacuum_insert_threshold=-1"]] == [
        settings for _, settings in options
    ]


def test_programmes_share_a_partition_and_see_only_their_own(connection: Connection) -> None:
    """Every key begins with the programme."""
    append(connection, Written(1, 5))

    assert 0 == journal.head(connection, 2)
    assert [] == list(journal.scan(connection, 2, 0, 99))
    assert {} == journal.read(connection, 2, [1])
    assert 0 == journal.moved(connection, 2, 3, 0, 99)


def test_lots_are_found_by_their_orders(connection: Connection) -> None:
    """Those that have closed, and no others; all of them by number. What is there stays, whoever brings it again."""
    for some in ([[7, 4, 900], [3, 1, 2**40]], [[9, 2, 5], [7, 1, 1]]):
        with connection.transaction():
            journal.keep_lots(connection, 1, np.array(some, np.int64))

    assert {7: (4, 900)} == journal.lots(connection, 1, [7, 8])
    assert [[3, 1, 2**40], [7, 4, 900], [9, 2, 5]] == journal.all_lots(connection, 1).tolist()
    assert (0, 3) == journal.all_lots(connection, 2).shape


# ---------------------------------------------------------------- views

ODD = ("老王:面馆 100%", "tab\t|", "one\x85two", "del\x7f!", "𝄞%3A", "'quoted\" \\", "{a,b}")


@pytest.fixture(scope="module")
def service(house: service_worlds.House) -> Iterator[Service]:
    """Two programmes with odd names."""
    with house.database() as url, opened(url, SetClock(NOON)) as service:
        for name, plan in (("market", MARKET), ("season", SEASON)):
            service.create(name, plan)
            odd = [order(f"odd{k}", merchant=text, consumer=text, referrer=f"merchant:{text}") for k, text in enumerate(ODD)]
            done(service.running(name).do([*orders(range(5)), *odd, RefundRequest("r", "o1")]))
        done(service.running("season").do([ClosingRequest("c", "2026-01-20")]))
        yield service


@pytest.mark.parametrize("name", ["market", "season"])
def test_the_view_of_transfers_is_every_transfer(service: Service, name: str) -> None:
    """For people with psql: the same lines, in the same order, that the service tells; the accounts by their paths."""
    programme = service.running(name)
    with programme._database.reading() as connection:
        found = connection.execute(
            "SELECT t.position, t.line, t.key, source.path, destination.path, t.amount_micro, t.at FROM transfer t"
            " JOIN account source ON (source.programme, source.number) = (t.programme, t.source)"
            " JOIN account destination ON (destination.programme, destination.number) = (t.programme, t.destination)"
            " WHERE t.programme = %s ORDER BY t.position, t.line",
            [programme.number],
        ).fetchall()
    expected = [
        (decision.position, line.line, decision.id, line.source, line.destination, parse_micro(line.amount))
        for decision in journal_of(programme)
        for line in decision.transfers
    ]

    assert expected == [row[:6] for row in found]
    assert {1767585600} == {row[6].timestamp() for row in found}
    assert len(expected) == sum(len(transfers_of(decision)) for decision in journal_of(programme))


def test_the_view_of_accounts_has_every_path(service: Service) -> None:
    """Of every holder and institution, with whatever is in its name, spelled as everywhere else."""
    programme = service.running("market")
    accounts = programme.settler.recovered and programme.settler.recovered.standing.programme.accounts
    assert accounts is not None
    with programme._database.reading() as connection:
        found = connection.execute("SELECT number, path FROM account WHERE programme = %s", [programme.number]).fetchall()

    assert {f"consumer:{encode_name(text)}:wallet" for text in ODD} <= {path for _, path in found}
    assert [] == [(number, path) for number, path in found if accounts.path(number) != path]
    assert len(accounts) == len({number >> 3 for number, _ in found})


def test_balances_by_sql_are_the_services(service: Service) -> None:
    """An auditor who trusts nothing of ours adds up the view."""
    programme = service.running("season")
    with programme._database.reading() as connection:
        found = connection.execute(
            "SELECT a.path, sum(t.amount_micro * CASE WHEN t.destination = a.number THEN 1 ELSE -1 END)::int8 FROM transfer t"
            " JOIN account a ON a.programme = t.programme AND a.number IN (t.source, t.destination)"
            " WHERE t.programme = %s GROUP BY 1",
            [programme.number],
        ).fetchall()

    assert len(found) > 30
    assert [] == [path for path, amount in found if amount != service_worlds.micro(programme.balance(path).balance)]
