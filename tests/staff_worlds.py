"""Members of a console for tests: an owner whose password is GOOD, on a database of its own, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyotp
import pytest
import service_worlds
from argon2 import PasswordHasher

from rangli.service.clock import MICRO_PER_SECOND, SetClock
from rangli.service.people import codes, passwords
from rangli.service.people.acts import ActFilter, By
from rangli.service.people.staff import ActView, Member, Staff
from rangli.store.database import Database

house = service_worlds.house
url = service_worlds.url

NOON = 1_767_225_600_000_000
GOOD = "a-long-enough-secret"
HERE = "203.0.113.7"
OWNER = By("owner", "owner", HERE)


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed with little effort: what argon2 is worth is not what most tests are about."""
    monkeypatch.setattr(passwords, "PasswordHasher", partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A database with the programmes moudian and weituanbao."""
    with Database(url) as database:
        with database.reading() as connection:
            connection.execute("INSERT INTO programme VALUES (1, 'moudian', '\\x00', 0, 0), (2, 'weituanbao', '\\x00', 0, 0)")
        yield database


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands still until a test moves it."""
    return SetClock(NOON)


@pytest.fixture
def staff(database: Database, clock: SetClock, light: None) -> Staff:  # noqa: ARG001 (a fixture for what it does)
    """The members of that database: so far an owner, whose password is GOOD."""
    return with_owner(Staff(database, clock))


def with_owner(staff: Staff) -> Staff:
    """The same with an owner, whose password is GOOD."""
    name, password = staff.ensure_owner() or ("", "")
    assert password
    staff.change_password(name, "", GOOD)
    return staff


def signed_in(staff: Staff, name: str = "owner", password: str = GOOD, *, address: str = HERE, code: str = "") -> str:
    """The token of a new session."""
    return staff.sign_in(name, password, code, address=address, agent="Firefox")


def added(staff: Staff, name: str, role: str = "finance", programmes: list[str] | None = None) -> Member:
    """A member whose password is GOOD, signed in."""
    staff.add(OWNER, name, role, programmes)
    staff.change_password(name, "", GOOD)
    return staff.member(signed_in(staff, name))


def acts(staff: Staff, **want: str) -> list[ActView]:
    """What the owner reads of the audit log, oldest first."""
    return staff.acts(staff.member(signed_in(staff)), ActFilter(**want), 0, 100)[::-1]  # type: ignore[arg-type]


def with_codes(staff: Staff, clock: SetClock, name: str = "owner") -> pyotp.TOTP:
    """The member's authenticator, in use."""
    secret, uri = staff.begin_totp(name)
    assert secret in uri
    totp = pyotp.TOTP(secret)
    staff.confirm_totp(name, secret, totp.at(clock() // MICRO_PER_SECOND))
    clock.advance(codes.STEP_SECONDS)
    return totp


def code_now(totp: pyotp.TOTP, clock: SetClock, steps: int = 0) -> str:
    """The code that it shows now, or did some steps ago."""
    return totp.at(clock() // MICRO_PER_SECOND + steps * codes.STEP_SECONDS)
