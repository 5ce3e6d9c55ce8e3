"""Verify: a journal that is what it should be passes, and whatever is changed in it, or beside it, is found and located."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
import service_worlds
from service_worlds import (
    MARKET,
    NOON,
    SEASON,
    SECRET,
    House,
    changed,
    connected,
    done,
    journal_of,
    opened,
    order,
    orders,
    running,
)

from rangli.errors import Broken, ProgrammeNotFound
from rangli.service.clock import SetClock
from rangli.service.requests import ActivationRequest, ClosingRequest, InjectionRequest, RefundRequest, SaleRequest
from rangli.service.settling import standing
from rangli.service.settling import verify as verifying
from rangli.service.settling.verify import APART_ROWS, Verified, verify
from rangli.store.database import Database
from rangli.store.rows import KIND_NAMES

house = service_worlds.house
url = service_worlds.url
DAY = 86_400
PROGRAMMES = {"market": 1, "season": 2, "held": 3}


class World(NamedTuple):
    """A database that nobody uses, in which every kind of decision was made."""

    house: House
    url: str
    at: dict[tuple[str, str], int]
    """Programme and kind -> the position of the first such decision after the first checkpoint."""
    last: dict[str, int]
    middle: dict[str, int]
    """Position of the checkpoint in the middle."""


@pytest.fixture(scope="module")
def world(house: House) -> Iterator[World]:
    """Three programmes, closed once in between, so that each has a checkpoint in the middle and one at the end."""
    clock = SetClock(NOON)
    with house.database() as url:
        middle = {}
        with opened(url, clock) as service:
            service.create("market", MARKET, secret=SECRET)
            service.create("season", SEASON, secret=SECRET)
            service.create("held", MARKET, secret=SECRET, hold_seconds=DAY)
            for name in ("market", "season"):
                done(service.running(name).do(orders(range(6))))
            done(service.running("market").do([RefundRequest("r0", "o5", "20")]))
            done(service.running("held").do([*orders(range(3)), RefundRequest("r0", "o0")]))
            clock.advance(DAY)
            done(service.running("held").do(orders(range(3, 5))))
            middle = {name: service.running(name).position() for name in PROGRAMMES}
        with opened(url, clock) as service:
            after(service.running("market"))
            done(
                service.running("season").do(
                    [
                        ClosingRequest("c1", "2026-01-20"),
                        *orders(range(6, 9), paid_at="2026-01-20"),
                        RefundRequest("r1", "o7"),
                        order("v", consumer="c1", paid_at="2026-02-01", voucher="0.01"),
                        ActivationRequest("a1", changed(SEASON, ("5% of concession", "4% of concession"))),
                        *orders(range(9, 12), paid_at="2026-02-02"),
                    ]
                )
            )
            done(service.running("held").do([RefundRequest("r1", "o3"), *orders(range(5, 7))]))
            clock.advance(DAY)
            done(service.running("held").do([order("late")]))
            last = {name: service.running(name).position() for name in PROGRAMMES}
            at = {
                (name, decision.kind): decision.position
                for name in PROGRAMMES
                for decision in reversed(journal_of(service.running(name)))
                if decision.position > middle[name]
            }
        yield World(house, url, at, last, middle)


def after(market: service_worlds.Running) -> None:
    """What happens in the market after its first checkpoint."""
    done(
        market.do(
            [
                *orders(range(6, 9)),
                RefundRequest("r1", "o1", "10"),
                RefundRequest("r2", "o6"),
                RefundRequest("r3", "o1"),
                SaleRequest("s1", "c2", "0.5"),
                InjectionRequest("i1", "12.34"),
                ActivationRequest("a1", changed(MARKET, ("pays: 80%", "pays: 70%"))),
                *orders(range(9, 12)),
                SaleRequest("s2", "c2", "0.5"),
                RefundRequest("r4", "o8"),
            ]
        )
    )


def verified(url: str, name: str, since: int = 0) -> Verified:
    """Verify it."""
    with Database(url) as database:
        return verify(database, name, since=since)


def found(world: World, name: str, *statements: str, since: int = 0) -> Broken:
    """What verify says of a copy in which something was changed."""
    with world.house.database(like=world.url) as url:
        with connected(url) as connection:
            for statement in statements:
                assert connection.execute(statement.encode()).rowcount, "the statement changes something"
        return broken(url, name, since)


def broken(url: str, name: str, since: int = 0) -> Broken:
    """What verify says of a database in which something is not as it should be."""
    with pytest.raises(Broken) as said:
        verified(url, name, since)
    assert said.value.zh.startswith(f"第 {said.value.position} 条决定:")
    assert said.value.en.startswith(f"decision {said.value.position}: ")
    return said.value


def located(world: World, name: str, position: int, column: str, changes: list[str]) -> list[tuple[str, int]]:
    """Where verify finds each change of a column of a row, which is put back in between. What changes nothing is passed over."""
    where = f"WHERE programme = {PROGRAMMES[name]} AND position = {position}"
    places = []
    with world.house.database(like=world.url) as url, connected(url) as connection:
        connection.execute(f"CREATE TABLE kept AS SELECT * FROM journal {where}".encode())
        for change in changes:
            connection.execute(f"UPDATE journal SET {change} {where}".encode())
            differs = f"SELECT 1 FROM journal JOIN kept USING (programme, position) WHERE journal.{column} <> kept.{column}"
            if connection.execute(differs.encode()).fetchone():
                places.append((change, broken(url, name).position))
            connection.execute(f"DELETE FROM journal {where}".encode())
            connection.execute("INSERT INTO journal SELECT * FROM kept")
        verified(url, name)
    return places


# ---------------------------------------------------------------- clean


@pytest.mark.parametrize("name", PROGRAMMES)
def test_what_the_service_wrote_verifies(world: World, name: str) -> None:
    """From the first decision, and from every checkpoint on; each time the same head and the same state."""
    whole = verified(world.url, name)
    parts = [verified(world.url, name, since) for since in range(1, world.last[name] + 1)]

    assert (0, world.last[name], 2) == (whole.since, whole.position, whole.checkpoints)
    assert {(whole.head, whole.state_hash, whole.position)} == {(part.head, part.state_hash, part.position) for part in parts}
    assert {0, world.middle[name], world.last[name]} == {part.since for part in parts}
    assert all(part.since <= since for since, part in enumerate(parts, 1))


def test_the_world_has_every_kind_of_decision(world: World) -> None:
    """Else a kind could be changed without anybody noticing."""
    assert {*KIND_NAMES[1:]} == {kind for _, kind in world.at}


def test_verify_counts_what_it_saw(world: World) -> None:
    """Orders, transfers and progress, so that an auditor sees that nothing was passed over."""
    seen: list[int] = []
    with Database(world.url) as database, connected(world.url) as connection:
        told = verify(database, "market", progress=seen.append)
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE kind = 1), sum(cardinality(amount)), count(*) FROM journal WHERE programme = 1"
        ).fetchone()

    assert row == (told.orders, told.transfers, sum(seen))
    assert told.position == sum(seen)


def test_a_programme_that_is_not_there_is_not_verified(world: World) -> None:
    """A typing error must not read as "verified"."""
    with pytest.raises(ProgrammeNotFound):
        verified(world.url, "markt")


def test_an_empty_programme_verifies(url: str) -> None:
    """Its plan's activation is its first decision."""
    with running(url, MARKET):
        pass

    assert (1, 0) == (verified(url, "w").position, verified(url, "w").orders)


def test_verify_holds_while_the_service_goes_on(url: str) -> None:
    """An audit of a live programme sees it at one moment, not the journal of one and the refunds of a later one."""
    with running(url, MARKET) as programme:
        done(programme.do(orders(range(20))))
        told = []

        def meanwhile(_: int) -> None:
            number = len(told) + 100
            done(programme.do([*orders(range(number, number + 5)), RefundRequest(f"r{number}", f"o{number}")]))
            told.append(1)

        with Database(url) as database:
            position = verify(database, "w", progress=meanwhile).position

        assert told
        assert 21 == position < programme.position()


def test_a_release_of_many_legs_takes_several_rows(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row grows without bound, and the parts verify and replay as one release."""
    monkeypatch.setattr(standing, "LEGS_MAX", 3)
    with running(url, SEASON) as programme:
        done(programme.do(orders(range(6))))
        done(programme.do([order("next", paid_at="2026-01-20")]))
        parts = [decision for decision in journal_of(programme) if decision.kind == "release"]
        state_hash = programme.state_hash()

    assert list(range(len(parts))) == [part.facts["part"] for part in parts]
    assert len(parts) > 2
    assert {3} == {len(part.transfers) for part in parts[:-1]}
    assert state_hash == verified(url, "w").state_hash
    with running(url, SEASON) as programme:
        assert state_hash == programme.state_hash()


# ---------------------------------------------------------------- a changed row

CHANGES = {
    "kind": ["kind # 1::int2", "9", "0", "32767"],
    "plan": ["plan # 1", "plan + 2", "-1"],
    "at": ["at # 1", "0"],
    "key": ["key || 'x'", "''", "'字'"],
    "request": ["set_byte(request, 31, get_byte(request, 31) # 1)", "''", "request || '\\x00'"],
    "facts": ["facts || 0::int8", "'{}'"],
    "party": ["party || 0", "'{}'"],
    "source": ["source || 0", "'{}'"],
    "destination": ["destination || 0", "'{}'"],
    "amount": ["amount || 1::int8", "'{}'"],
    "code": ["code || 1::int2", "'{}'"],
    "source_before": ["source_before || 0", "'{}'"],
    "destination_before": ["destination_before || 1", "'{}'"],
    "hash": ["set_byte(hash, 0, get_byte(hash, 0) # 128)", "set_byte(hash, 31, get_byte(hash, 31) # 1)", "'\\x00'"],
}
"""What becomes of a column: a bit more, nothing, too much."""
ARRAYS = {
    "facts": "int8", "party": "int4", "source": "int4", "destination": "int4", "amount": "int8", "code": "int2",
    "source_before": "int4", "destination_before": "int4",
}  # fmt: skip
"""The columns that are arrays, and the types of their elements."""
NUMBERS = {
    "int2": ("{} # 1::int2", "-1", "32767"),
    "int4": ("{} # 1", "{} + 8", "-1", "2147483647", "1000000"),
    "int8": ("{} # 1::int8", "{} + 10000", "-1", "(2 ^ 62)::int8", "1000000"),
}
"""What becomes of an element, by its type; the last ones are numbers that no kernel may be given."""
CHANGED = ("order", "refund", "sale", "injection", "closing", "activation", "cancellation", "release")


def home(kind: str) -> str:
    """The programme in which a kind of decision is changed."""
    return {"closing": "season", "release": "season", "cancellation": "held"}.get(kind, "market")


def check_located(world: World, kind: str, column: str, changes: list[str]) -> None:
    """Each change is found at the row itself; of a closing whose time was changed also at the releases that came with it."""
    name = home(kind)
    position = world.at[name, kind]
    first = world.at["season", "release"] if (kind, column) == ("closing", "at") else position

    assert [] == [place for place in located(world, name, position, column, changes) if not first <= place[1] <= position]


@pytest.mark.parametrize(("kind", "column"), [(kind, column) for kind in CHANGED for column in CHANGES])
def test_a_changed_column_of_any_row_is_found_and_located(world: World, kind: str, column: str) -> None:
    """Every column of every kind of decision; of orders and refunds in every way."""
    changes = CHANGES[column] if kind in ("order", "refund") else CHANGES[column][:1]
    check_located(world, kind, column, [f"{column} = {change}" for change in changes])


WITH_ELEMENTS = {
    **{("order", column): ("1", "5", "cardinality({})") for column in ARRAYS},
    ("order", "facts"): ("1", "2", "3", "4", "5", "6"),
    ("order", "party"): ("1", "2", "3", "5"),
    **{("refund", column): ("1", "cardinality({})") for column in ARRAYS},
    ("refund", "facts"): ("1", "2", "3", "4", "5"),
    **{("release", column): ("1", "cardinality({})") for column in ARRAYS if column != "party"},
    ("sale", "party"): ("1",),
    **{(kind, "facts"): ("1",) for kind in ("sale", "injection", "closing", "activation", "cancellation")},
}
"""Which elements of which arrays are changed."""


@pytest.mark.parametrize(("kind", "column"), WITH_ELEMENTS)
def test_a_changed_element_of_any_array_is_found_and_located(world: World, kind: str, column: str) -> None:
    """By one, and to numbers that are nobody's: found before a kernel reads what is not there or a period never ends."""
    elements = [f"{column}[{element.format(column)}]" for element in WITH_ELEMENTS[kind, column]]
    changes = [f"{element} = {change.format(element)}" for element in elements for change in NUMBERS[ARRAYS[column]]]
    check_located(world, kind, column, changes)


def test_what_changed_after_a_checkpoint_is_found_from_there(world: World) -> None:
    """``since`` begins at the checkpoint and sees all that came after it; what came before is not its business."""
    middle = world.middle["market"]
    change = "UPDATE journal SET amount[1] = amount[1] + 1 WHERE programme = 1 AND position = {}"
    for position in (middle + 1, world.last["market"]):
        assert position == found(world, "market", change.format(position), since=middle).position
    with world.house.database(like=world.url) as url:
        with connected(url) as connection:
            connection.execute(change.format(middle).encode())

        assert middle == verified(url, "market", middle).since
        assert middle == broken(url, "market").position


# ---------------------------------------------------------------- rows that are gone, or that came


@pytest.mark.parametrize("apart_rows", [0, APART_ROWS])
def test_a_deleted_row_is_found_and_located(world: World, monkeypatch: pytest.MonkeyPatch, apart_rows: int) -> None:
    """The first, any, and the last: that the journal went further is known from what is kept beside it; whoever reads it."""
    monkeypatch.setattr(verifying, "APART_ROWS", apart_rows)
    for position in (1, 2, world.at["market", "refund"], world.last["market"] - 1, world.last["market"]):
        said = found(world, "market", f"DELETE FROM journal WHERE programme = 1 AND position = {position}")

        assert position == said.position


def test_a_journal_cut_off_is_found(world: World) -> None:
    """Whoever takes away the last decisions takes away money; checkpoint, holders, lots or ids still tell of them."""
    for beside in ("", "checkpoint", "balances"):
        also = [f"DELETE FROM {table} WHERE programme = 1 AND position > 14" for table in ("checkpoint", "balances") if beside]
        said = found(world, "market", "DELETE FROM journal WHERE programme = 1 AND position > 14", *also)

        assert said.position in (0, 15)


def test_swapped_rows_are_found_and_located(world: World) -> None:
    """Two orders in each other's place, with all that is in them."""
    first = world.at["market", "order"]
    said = found(
        world,
        "market",
        f"UPDATE journal SET position = -1 WHERE programme = 1 AND position = {first}".replace("-1", "100000"),
        f"UPDATE journal SET position = {first} WHERE programme = 1 AND position = {first + 1}",
        f"UPDATE journal SET position = {first + 1} WHERE programme = 1 AND position = 100000",
    )

    assert first == said.position


def test_a_row_of_another_programme_is_found(world: World) -> None:
    """A programme's chain begins with itself."""
    position = world.last["market"] + 1
    said = found(
        world,
        "market",
        f"INSERT INTO journal SELECT 1, {position}, {COLUMNS} FROM journal WHERE programme = 3 AND position = 2",
    )

    assert position == said.position


def test_a_repeated_row_is_found(world: World) -> None:
    """A decision that is there twice would count twice."""
    position = world.last["market"] + 1
    said = found(
        world,
        "market",
        f"INSERT INTO journal SELECT 1, {position}, {COLUMNS} FROM journal WHERE programme = 1 AND position = {position - 1}",
    )

    assert position == said.position


COLUMNS = "kind, plan, at, key, request, facts, party, source, destination, amount, code, source_before, destination_before, hash"


# ---------------------------------------------------------------- what is kept beside the journal

BESIDE = {
    "a consumer renamed": ("market", "UPDATE holder SET name = 'c99' WHERE programme = 1 AND name = 'c1'", 3),
    "a merchant renamed": ("market", "UPDATE holder SET name = '别家' WHERE programme = 1 AND name = '面馆'", 2),
    "a referrer renamed": ("season", "UPDATE holder SET name = '阿姨2' WHERE programme = 2 AND name = '阿姨'", 2),
    "a recruiter renamed": ("market", "UPDATE holder SET name = '老王2' WHERE programme = 1 AND name = '老王'", 2),
    "a pot renamed": (
        "market",
        "UPDATE holder SET name = name || 'x' WHERE programme = 1 AND name LIKE 'programme:packets:%'",
        None,
    ),
    "a fund renamed": (
        "market",
        "UPDATE holder SET name = name || 'x' WHERE programme = 1 AND name LIKE 'programme:fund:%'",
        None,
    ),
    "two consumers' names exchanged": (
        "market",
        "UPDATE holder SET name = CASE name WHEN 'c1' THEN 'c2' ELSE 'c1' END WHERE programme = 1 AND name IN ('c1', 'c2')",
        3,
    ),
    "a consumer made an agent": ("market", "UPDATE holder SET kind = 2 WHERE programme = 1 AND name = 'c1'", None),
    "a merchant made a consumer": ("market", "UPDATE holder SET kind = 0 WHERE programme = 1 AND name = '面馆'", None),
    "a consumer of no kind": ("market", "UPDATE holder SET kind = 9 WHERE programme = 1 AND name = 'c1'", None),
    "a consumer of no name": ("market", "UPDATE holder SET name = '' WHERE programme = 1 AND name = 'c1'", None),
    "a holder taken out": ("market", "DELETE FROM holder WHERE programme = 1 AND name = 'c1'", None),
    "the last holder taken out": (
        "market",
        "DELETE FROM holder WHERE programme = 1 AND number = (SELECT max(number) FROM holder WHERE programme = 1)",
        None,
    ),
    "a holder put in": (
        "market",
        "INSERT INTO holder SELECT 1, max(number) + 1, 0, 'new', 3 FROM holder WHERE programme = 1",
        None,
    ),
    "a holder of later": (
        "market",
        "UPDATE holder SET since = 1000 WHERE programme = 1 AND number = (SELECT max(number) FROM holder WHERE programme = 1)",
        None,
    ),
    "a lot's packets": ("market", "UPDATE lot SET packets = packets + 1 WHERE programme = 1", None),
    "a lot's money": ("market", "UPDATE lot SET received_fen = received_fen + 1 WHERE programme = 1", None),
    "a lot taken out": ("market", "DELETE FROM lot WHERE programme = 1 AND number = 1", None),
    "a lot put in": ("market", "INSERT INTO lot VALUES (1, 11, 4, 100)", None),
    "what was refunded": ("market", "UPDATE refunded SET refunded_fen = refunded_fen - 1 WHERE programme = 1", None),
    "what a refunded lot had received": (
        "market",
        "UPDATE refunded SET received_fen = received_fen + 1 WHERE programme = 1",
        None,
    ),
    "where it was refunded": ("market", "UPDATE refunded SET positions = positions[2:] WHERE programme = 1", None),
    "a refund taken out": ("market", "DELETE FROM refunded WHERE programme = 1 AND number = 6", None),
    "a refund put in": ("market", "INSERT INTO refunded VALUES (1, 2, 1, -1, '{}')", None),
    "a plan's words": (
        "market",
        "UPDATE plan SET document = replace(document, '0.5%', '0.6%') WHERE programme = 1 AND number = 1",
        None,
    ),
    "a plan that is none": ("market", "UPDATE plan SET document = '[' WHERE programme = 1 AND number = 2", None),
    "a plan's version": ("market", "UPDATE plan SET version = 'x' WHERE programme = 1 AND number = 2", None),
    "a plan's name": ("market", "UPDATE plan SET name = 'x' WHERE programme = 1 AND number = 2", None),
    "a plan taken out": ("market", "DELETE FROM plan WHERE programme = 1 AND number = 2", 17),
    "the first plan taken out": ("market", "DELETE FROM plan WHERE programme = 1 AND number = 1", None),
    "plans exchanged": ("market", "UPDATE plan SET number = 3 WHERE programme = 1 AND number = 2", 17),
    "the secret": ("market", "UPDATE programme SET secret = set_byte(secret, 0, get_byte(secret, 0) # 1) WHERE number = 1", None),
    "a balance": ("market", "UPDATE balances SET books = set_byte(books, 200, get_byte(books, 200) # 1) WHERE programme = 1", 8),
    "a last position": ("market", "UPDATE balances SET last = set_byte(last, 0, get_byte(last, 0) # 1) WHERE programme = 1", 8),
    "a checkpoint's state": (
        "market",
        "UPDATE checkpoint SET bytes = set_byte(bytes, 900, get_byte(bytes, 900) # 1) WHERE programme = 1",
        8,
    ),
    "a checkpoint's head": (
        "market",
        "UPDATE checkpoint SET head = set_byte(head, 0, get_byte(head, 0) # 1) WHERE programme = 1",
        8,
    ),
    "a checkpoint's hash": ("market", "UPDATE checkpoint SET state = 'x' || substr(state, 2) WHERE programme = 1", 8),
    "a checkpoint cut off": ("market", "UPDATE checkpoint SET bytes = substr(bytes, 1, 1000) WHERE programme = 1", 8),
    "a checkpoint of no length": ("market", "UPDATE checkpoint SET bytes = '' WHERE programme = 1", 8),
    "an id": ("market", "UPDATE key_block SET hashes = set_byte(hashes, 17, get_byte(hashes, 17) # 1) WHERE programme = 1", None),
    "an id taken out": (
        "market",
        "UPDATE key_block SET hashes = overlay(hashes PLACING decode(repeat('00', 8), 'hex') FROM 9) WHERE first = 1",
        2,
    ),
    "half an id": ("market", "UPDATE key_block SET hashes = substr(hashes, 1, 12) WHERE programme = 1", None),
    "ids moved": ("market", "UPDATE key_block SET first = first + 1 WHERE programme = 1 AND first > 1", None),
}
"""What is changed: the programme, the statement, and the decision at which it shows when there is one."""


@pytest.mark.parametrize("what", BESIDE)
def test_what_is_changed_beside_the_journal_is_found(world: World, what: str) -> None:
    """Names, lots, refunds, plans, balances, checkpoints and ids follow from the journal; another one of them is a lie."""
    name, statement, position = BESIDE[what]
    said = found(world, name, statement)

    assert position in (None, said.position), said
