"""The SQL of members: the schema refuses what the service never asks for, and questions are answered by their indexes."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import service_worlds
from service_worlds import connected

from rangli.store import staff
from rangli.store.database import Connection
from rangli.store.staff import OWNER, ActRow, MemberRow, SessionRow

house = service_worlds.house
url = service_worlds.url

NOON = 1_767_225_600_000_000
IDLE = 1_000
ANN = MemberRow("ann", "$argon2id$", False, None, 0, OWNER, None, "zh", NOON)  # noqa: FBT003
TOKEN = b"\1" * 32


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A database with the member ann."""
    with connected(url) as connection:
        assert staff.insert_member(connection, ANN)
        yield connection


def session(digest: bytes = TOKEN, *, member: str = "ann", at: int = NOON) -> SessionRow:
    """One of her sessions."""
    return SessionRow(digest, member, False, at, at, at + 10_000, None, "Firefox", "203.0.113.7")  # noqa: FBT003


def test_a_row_comes_back_as_it_went_in(connection: Connection) -> None:
    """Every column of each table."""
    ben = MemberRow("ben", "s", True, None, 0, "auditor", ["p", "q"], "zh", NOON + 1)  # noqa: FBT003
    staff.insert_member(connection, ben)
    staff.insert_session(connection, session())
    act = ActRow(1, NOON, "ann", "owner", "p", "what", "object", "done", {"a": [1, "二"]}, "::1")
    staff.insert_act(connection, act)

    assert [(ANN, NOON), (ben, None)] == [tuple(seen) for seen in staff.members(connection)]
    assert (session(), ANN) == staff.live(connection, TOKEN, NOON, IDLE)
    assert [act] == staff.acts(connection, {}, None, 0, 1 << 62, 1 << 62, 9)


def test_a_name_is_taken_once_and_an_owner_is_made_when_there_is_none(connection: Connection) -> None:
    """Whoever comes second is told so and changes nothing."""
    assert not staff.insert_member(connection, ANN._replace(role="auditor"))
    assert not staff.insert_first(connection, ANN._replace(name="owner"))
    staff.update_member(connection, "ann", role="auditor")
    assert not staff.insert_first(connection, ANN)
    assert staff.insert_first(connection, ANN._replace(name="owner"))

    assert ["owner"] == staff.owners(connection)


@pytest.mark.parametrize(
    ("change", "now"),
    [
        ("UPDATE session SET ended_at = 1", NOON), ("UPDATE member SET ended_at = 1", NOON), ("SELECT", NOON + IDLE),
        ("UPDATE session SET seen_at = ends_at", NOON + 10_000), ("DELETE FROM session", NOON),
    ],
)  # fmt: skip
def test_a_session_that_is_over_is_not_found(connection: Connection, change: str, now: int) -> None:
    """Ended, or its member; not used for too long, or too old."""
    staff.insert_session(connection, session())
    assert staff.live(connection, TOKEN, NOON + IDLE - 1, IDLE) is not None
    connection.execute(change.encode())

    assert None is staff.live(connection, TOKEN, now, IDLE)


def test_a_step_is_used_once_and_none_before_it(connection: Connection) -> None:
    """Two sign-ins with one code: one of them is first."""
    assert [True, False, False, True] == [staff.use_step(connection, "ann", step) for step in (5, 5, 4, 6)]


def test_a_form_is_used_once_and_goes_with_its_session(connection: Connection) -> None:
    """Also when the session's row is swept out."""
    staff.insert_session(connection, session())
    assert [True, False, True] == [staff.use_form(connection, TOKEN, once) for once in ("a", "a", "b")]
    staff.sweep(connection, NOON + 20_000, IDLE, 1)

    assert [] == connection.execute("TABLE form_used").fetchall() + connection.execute("TABLE session").fetchall()


def test_ending_all_sessions_but_one_leaves_its_forms(connection: Connection) -> None:
    """A form that was handed in stays handed in."""
    for number in (1, 2, 3):
        staff.insert_session(connection, session(bytes([number]) * 32))
        staff.use_form(connection, bytes([number]) * 32, "a")

    assert 2 == staff.end_sessions(connection, "ann", NOON, TOKEN)
    assert [(TOKEN, "a")] == connection.execute("TABLE form_used").fetchall()
    assert [TOKEN] == [row.digest for row in staff.sessions(connection, "ann", NOON, IDLE)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO session VALUES ('x', 'nobody', false, 0, 0, 0, null, '', '')",
        "INSERT INTO form_used VALUES ('no session', 'a')",
        "INSERT INTO act (at, member, role, what, outcome) VALUES (0, '', '', '', 'perhaps')",
        "INSERT INTO draft (programme, document, based_on, author, created_at, changed_at, status) SELECT '','',0,'',0,0,'x'",
        "INSERT INTO verification (programme, asked_by, began_at, outcome) VALUES ('', '', 0, 'x')",
        "DELETE FROM act",
        "UPDATE act SET what = 'nothing'",
        "TRUNCATE act",
        "INSERT INTO act OVERRIDING SYSTEM VALUE TABLE act ON CONFLICT (number) DO UPDATE SET what = 'nothing'",
    ],
)
def test_the_schema_refuses_what_must_not_be(connection: Connection, statement: str) -> None:
    """By other means than the service does: a mistake there is no damage here."""
    staff.insert_act(connection, ActRow(0, NOON, "ann", "owner", "", "what", "", "done", {}, ""))
    with pytest.raises(psycopg.errors.IntegrityError):
        connection.execute(statement.encode())

    assert [("what",)] == connection.execute("SELECT what FROM act").fetchall()


def test_the_kinds_of_acts_are_found_by_steps_through_an_index(connection: Connection) -> None:
    """A choice on a page must not read a million lines."""
    connection.execute(
        "INSERT INTO act (at, member, role, what, outcome) SELECT i, '', '', 'w' || i % 3, 'done' FROM generate_series(1, 9999) i"
    )
    connection.execute("VACUUM ANALYZE act")
    before = reads(connection)

    assert ["w0", "w1", "w2"] == staff.kinds(connection)
    assert reads(connection) == before


def reads(connection: Connection) -> int:
    """How often the whole of the table was read."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    (row,) = connection.execute("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'act'").fetchall()
    return int(row[0])
