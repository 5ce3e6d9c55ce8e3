"""Who guesses waits: after some failures each further one doubles how long nothing is heard from a name or an address.

In memory and bounded: a restart forgets it, and what has not failed for longest makes room. What is asked is counted before it
is answered, so that a thousand guesses at once are not a thousand guesses for one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from threading import Lock
from typing import Final, NamedTuple

from rangli.errors import SignInTooOften
from rangli.money import mul_div
from rangli.service.clock import MICRO_PER_SECOND, Clock

FREE: Final = {"name": 4, "address": 20}
"""Failures that cost no wait; an office behind one address has many people."""
WAIT_SECONDS_MAX: Final = 60
"""Some 1,400 guesses a day, and nobody is kept out of his own account for long."""
FORGOTTEN_SECONDS: Final = 3_600
DOORS_MAX: Final = 10_000
NETWORK_BITS: Final = 64
"""Of an IPv6 address: who has one has all of its network."""

Door = tuple[str, str]
"""What is guessed at, by FREE, and its name."""


class Failures(NamedTuple):
    """What a door has seen."""

    number: int
    until: int
    """Nothing is heard before."""
    at: int


class Waits:
    """The failures by door."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures: OrderedDict[Door, Failures] = OrderedDict()

    def charge(self, doors: Iterable[Door]) -> None:
        """Count an attempt at each, as if it failed. Raises SignInTooOften, and counts nothing, while one of them waits."""
        with self._lock:
            now = self._clock()
            seen = {door: self._seen(door, now) for door in doors}
            wait = max(failures.until for failures in seen.values()) - now
            if wait > 0:
                raise SignInTooOften(mul_div(wait + MICRO_PER_SECOND - 1, 1, MICRO_PER_SECOND))
            for door, failures in seen.items():
                number = failures.number + 1
                over = number - FREE[door[0]]
                seconds = min(1 << min(over - 1, 30), WAIT_SECONDS_MAX) if over > 0 else 0
                self._keep(door, Failures(number, now + seconds * MICRO_PER_SECOND, now))

    def give_back(self, doors: Iterable[Door]) -> None:
        """The attempt at each was none."""
        with self._lock:
            for door in doors:
                if door in self._failures:
                    number = self._failures[door].number - 1
                    self._keep(door, Failures(number, 0, self._failures[door].at))

    def forgive(self, door: Door) -> None:
        """Forget the failures at a door."""
        with self._lock:
            self._failures.pop(door, None)

    def _seen(self, door: Door, now: int) -> Failures:
        """What a door has seen that is not forgotten; a clock that was set back makes nobody wait."""
        failures = self._failures.get(door, Failures(0, 0, now))
        return failures if 0 <= now - failures.at < FORGOTTEN_SECONDS * MICRO_PER_SECOND else Failures(0, 0, now)

    def _keep(self, door: Door, failures: Failures) -> None:
        self._failures[door] = failures
        self._failures.move_to_end(door)
        if len(self._failures) > DOORS_MAX:
            self._failures.popitem(last=False)


def doors_of(name: str, address: str) -> list[Door]:
    """What somebody at an address guesses at who says he is somebody."""
    return [("name", name), ("address", network_of(address))] if address else [("name", name)]


def network_of(address: str) -> str:
    """The address, or the network of an IPv6 one.

    >>> network_of("203.0.113.7"), network_of("2001:db8::1:2:3:4"), network_of("testclient")
    ('203.0.113.7', '2001:db8::', 'testclient')
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> NETWORK_BITS << NETWORK_BITS))
    return str(found)
