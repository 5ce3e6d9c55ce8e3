"""API keys: shown once, kept as a hash, bounded by scopes and programmes, revoked everywhere within seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rangli.errors import FieldRefused, KeyNotFound, KeyRefused, ProgrammeNotFound, ScopeRefused
from rangli.service.clock import SetClock
from rangli.service.people.access import CACHED_SECONDS, SCOPES, Access
from rangli.store.database import Connection, Database

NOON = 1_767_225_600_000_000


class CountingDatabase(Database):
    """A database that counts how often it is asked."""

    asked = 0

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The same, counted."""
        self.asked += 1
        with super().reading() as connection:
            yield connection


@pytest.fixture
def database(database_url: str) -> Iterator[CountingDatabase]:
    """A database with the programmes moudian and weituanbao."""
    with CountingDatabase(database_url) as database:
        database.migrate()
        with database.reading() as connection:
            connection.execute("INSERT INTO programme VALUES (1, 'moudian', '\\x00', 0, 0), (2, 'weituanbao', '\\x00', 0, 0)")
        yield database


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands still until a test moves it."""
    return SetClock(NOON)


@pytest.fixture
def access(database: CountingDatabase, clock: SetClock) -> Access:
    """The keys of that database."""
    return Access(database, clock)


def test_a_key_grants_what_it_was_made_for(access: Access) -> None:
    """Everything the web layer asks stands in the grant, so that it needs no further look."""
    token, view = access.create("till 7", ["orders", "read"], ["moudian"], per_second=50)
    grant = access.grant(token)

    assert (view.key_id, "till 7", {"read", "orders"}, {"moudian"}, 50) == (
        grant.key_id,
        grant.name,
        grant.scopes,
        grant.programmes,
        grant.per_second,
    )
    assert re.fullmatch(rf"rl_{view.key_id}_[A-Za-z0-9_-]{{43}}", token)


def test_no_token_stands_in_the_database(access: Access, database: CountingDatabase) -> None:
    """Whoever reads a backup must not be able to use what they find there."""
    token, _ = access.create("till 7", SCOPES)
    secret = token.rpartition("_")[2]
    with database.reading() as connection:
        rows = str(connection.execute("SELECT api_key::text, encode(digest, 'escape') FROM api_key").fetchall())

    assert "till 7" in rows
    assert token not in rows
    assert secret not in rows


def refusal_of(access: Access, token: str) -> str:
    """The text of a refused token."""
    with pytest.raises(KeyRefused) as refused:
        access.grant(token)
    return f"{refused.value.code} {refused.value.zh} {refused.value.en}"


def test_every_token_that_is_not_valid_is_refused_in_the_same_words(access: Access) -> None:
    """A different text for an unknown and a revoked key would tell a guesser which ids exist."""
    token, view = access.create("till 7", ["read"])
    revoked, revoked_view = access.create("till 8", ["read"])
    access.revoke(revoked_view.key_id)
    other = "A" if token[-1] != "A" else "B"
    wrong = [
        "",
        "rl_",
        "Bearer x",
        token[:-1],
        token + "A",
        token[:-1] + other,
        revoked,
        token.replace(view.key_id, "0" * 12),
        "密钥",
    ]

    assert 1 == len({refusal_of(access, text) for text in wrong})
    assert "till 7" == access.grant(token).name


def test_a_revoked_key_is_refused_at_once_here_and_within_seconds_elsewhere(
    access: Access, database: CountingDatabase, clock: SetClock
) -> None:
    """A stolen key must stop working while its owner watches."""
    elsewhere = Access(database, clock)
    token, view = access.create("till 7", ["read"])
    elsewhere.grant(token)
    access.revoke(view.key_id)

    assert refusal_of(access, token)
    clock.advance(CACHED_SECONDS)
    assert refusal_of(elsewhere, token)


def test_a_key_made_elsewhere_is_good_as_soon_as_it_is_used(access: Access, database: CountingDatabase, clock: SetClock) -> None:
    """``rangli`` makes a key in one process and the server is asked with it a moment later."""
    elsewhere = Access(database, clock)
    first, _ = access.create("till 7", ["read"])
    elsewhere.grant(first)
    clock.micro += 60_000
    second, _ = access.create("till 8", ["read"])

    assert "till 8" == elsewhere.grant(second).name


def test_neither_good_nor_false_keys_ask_the_database_each_time(access: Access, database: CountingDatabase) -> None:
    """A look at the table for each request would cost more than the request, and a flood of false keys would be an attack."""
    token, _ = access.create("till 7", ["read"])
    access.grant(token)
    before = database.asked
    for number in range(100):
        access.grant(token)
        refusal_of(access, f"rl_{number:012x}_{'A' * 43}")

    assert before == database.asked


def test_memory_is_not_trusted_when_the_clock_is_set_back(access: Access, database: CountingDatabase, clock: SetClock) -> None:
    """A machine whose clock jumps back an hour must not honour a revoked key for an hour."""
    elsewhere = Access(database, clock)
    token, view = access.create("till 7", ["read"])
    elsewhere.grant(token)
    access.revoke(view.key_id)
    clock.advance(-3_600)

    assert refusal_of(elsewhere, token)


def test_a_key_shows_when_it_was_last_used(access: Access, clock: SetClock) -> None:
    """Administrators revoke what nobody uses, and look for uses that should not have been."""
    token, _ = access.create("till 7", ["read"])
    unused = access.list()[0]
    clock.advance(1)
    access.grant(token)
    clock.advance(59)
    access.grant(token)
    used = access.list()[0]
    clock.advance(1)
    access.grant(token)

    assert "" == unused.last_used_at
    assert "2026-01-01T00:00:01.000000Z" == used.last_used_at
    assert "2026-01-01T00:01:01.000000Z" == access.list()[0].last_used_at


def test_keys_are_listed_with_everything_but_their_secrets(access: Access, clock: SetClock) -> None:
    """A list that leaves out the revoked ones cannot answer who had access last month."""
    _, first = access.create("till 7", ["read"], ["weituanbao", "moudian"])
    clock.advance(5)
    _, second = access.create("office", reversed(SCOPES))
    access.revoke(first.key_id)
    clock.advance(5)
    access.revoke(first.key_id)

    assert [("till 7", ["read"], ["moudian", "weituanbao"]), ("office", sorted(SCOPES), None)] == [
        (key.name, key.scopes, key.programmes) for key in access.list()
    ]
    assert ["2026-01-01T00:00:05.000000Z", ""] == [key.revoked_at for key in access.list()]
    assert second == access.list()[1]


def test_a_grant_says_what_is_missing(access: Access) -> None:
    """Who is refused must learn which scope to ask for, in both languages."""
    token, _ = access.create("till 7", ["read", "orders"], ["moudian"])
    grant = access.grant(token)
    grant.require("orders", "moudian")
    with pytest.raises(ScopeRefused, match="money") as scope:
        grant.require("money", "moudian")
    with pytest.raises(ScopeRefused, match="weituanbao") as programme:
        grant.require("read", "weituanbao")

    assert ("money", "weituanbao") == (scope.value.missing, programme.value.missing)
    assert "money" in scope.value.zh


def test_a_key_for_all_programmes_is_for_later_ones_too(access: Access) -> None:
    """A list of today's programmes would lock the office out of tomorrow's."""
    token, _ = access.create("office", ["read"])
    access.grant(token).require("read", "made-later")


WRONG = """
# name    scopes      programmes  per_second  field
  -       read        *           10          name
  long    read        *           10          name
  till    -           *           10          scopes
  till    read,write  *           10          scopes
  till    read        -           10          programmes
  till    read        *           0           per_second
  till    read        *           1000001     per_second
"""


@pytest.mark.parametrize("line", [line for line in WRONG.splitlines()[2:] if line])
def test_a_key_that_would_be_good_for_nothing_is_refused(access: Access, line: str) -> None:
    """A typing error in a scope must not make a key that is refused everywhere, or let in everywhere."""
    name, scopes, programmes, per_second, field = line.split()
    lists = {"-": [], "*": None}
    with pytest.raises(FieldRefused) as refused:
        access.create(
            {"-": " ", "long": "字" * 101}.get(name, name),
            lists.get(scopes, scopes.split(",")) or [],
            lists.get(programmes, []),
            int(per_second),
        )

    assert field == refused.value.field
    assert [] == access.list()


def test_what_is_not_there_is_named(access: Access) -> None:
    """A key for a programme that does not exist, and the end of a key that does not, are typing errors."""
    with pytest.raises(ProgrammeNotFound, match="nowhere"):
        access.create("till 7", ["read"], ["moudian", "nowhere"])
    with pytest.raises(KeyNotFound, match="0123"):
        access.revoke("0123")

    assert [] == access.list()
