"""The gate and the meter: who is let in, how often, and what that costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rangli.errors import KeyRefused
from rangli.service.people.access import SCOPES as ACCESS_SCOPES
from rangli.service.people.access import Grant
from rangli.web.gate import NANO, REMEMBERED_NANO, SCOPES, Gate, Meter
from rangli.web.problems import Fault

SLOW = Grant("k1", "till", frozenset({"read"}), None, 2)


class Hand:
    """A clock that a test moves."""

    nano = 10**15

    def __call__(self) -> int:
        """The time."""
        return self.nano


class Keys:
    """An access that counts how often it is asked; the one key is ``good``."""

    asked = 0

    def grant(self, token: str) -> Grant:
        """What the key may do."""
        self.asked += 1
        if token == "good":  # noqa: S105  (not a password: a name in this test)
            return SLOW
        raise KeyRefused


async def _ask(question: Callable[[str], Grant], token: str) -> Grant:
    """As a thread would, a turn of the loop later."""
    await asyncio.sleep(0)
    return question(token)


def test_every_scope_is_explained() -> None:
    """The documents list what the gate knows; a scope that keys may have and the list lacks cannot be understood."""
    assert list(ACCESS_SCOPES) == list(SCOPES)


def test_a_key_is_asked_for_once_a_second_however_many_use_it() -> None:
    """A hundred tills with one key must not be a hundred questions to the database."""
    keys, clock = Keys(), Hand()
    gate = Gate(keys, _ask, clock)

    async def crowd() -> list[Grant]:
        return await asyncio.gather(*[gate.grant("Bearer good") for _ in range(100)])

    assert [SLOW] * 100 == asyncio.run(crowd())
    assert 1 == keys.asked
    clock.nano += REMEMBERED_NANO
    asyncio.run(crowd())

    assert 2 == keys.asked


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic good", "good", "Bearer bad", "bearer good good", "Bearer \xff"]
)
def test_whatever_is_no_key_is_refused_and_not_remembered(header: str) -> None:
    """A wrong key that becomes right (it was just issued) is let in at once, and wrong ones fill no memory."""
    gate = Gate(Keys(), _ask, Hand())
    with pytest.raises(KeyRefused):
        asyncio.run(gate.grant(header))

    assert {} == gate._known
    assert {} == gate._asking


def test_the_scheme_is_read_whatever_its_case() -> None:
    """RFC 9110: the names of schemes have no case."""
    assert SLOW == asyncio.run(Gate(Keys(), _ask, Hand()).grant("bEARER good"))


def test_a_revoked_key_is_forgotten_at_once() -> None:
    """Who revokes a key here does so because something is wrong now."""
    keys = Keys()
    gate = Gate(keys, _ask, Hand())
    asyncio.run(gate.grant("Bearer good"))
    gate.forget()
    asyncio.run(gate.grant("Bearer good"))

    assert 2 == keys.asked


def charged(meter: Meter, times: int) -> int:
    """How many of so many requests are let in."""
    passed = 0
    for _ in range(times):
        try:
            meter.charge(SLOW)
        except Fault:
            continue
        passed += 1
    return passed


def test_a_key_may_ask_as_often_as_its_pace_and_twice_that_at_once() -> None:
    """A till that was silent has something saved; one that never stops goes at its pace."""
    clock = Hand()
    meter = Meter(clock)

    assert 4 == charged(meter, 100)
    clock.nano += NANO

    assert 2 == charged(meter, 100)
    clock.nano += 3600 * NANO

    assert 4 == charged(meter, 100), "an hour of silence saves no more than two seconds"


def test_a_large_batch_is_let_in_and_paid_for_afterwards() -> None:
    """Refusing it would send its rows again, and they cost no less then."""
    clock = Hand()
    meter = Meter(clock)
    meter.charge(SLOW)
    meter.charge_rows(SLOW, 20_000)
    with pytest.raises(Fault) as refused:
        meter.charge(SLOW)

    assert ("2", "9") == refused.value.facts, "17 requests are owed, at two a second"
    assert ((b"retry-after", b"9"),) == refused.value.headers
    clock.nano += 9 * NANO
    meter.charge(SLOW)
