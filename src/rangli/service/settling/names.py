"""Parties' names to holder numbers of one programme: a table in memory, looked up by a kernel.

A name in a column of a meaning (a bare name means a consumer here, an agent there) is hashed with SipHash under a key that nobody
outside knows, so nobody can make names that meet; and a hit counts only when the bytes are the same.
"""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rangli.errors import FieldRefused, RangliError
from rangli.files import parse
from rangli.files.orders import NAMES, rejected
from rangli.files.settling import KIND_OF_MEANING, MEANING_OF_COLUMN, kind_and_name
from rangli.ledger.accounts import KIND_NAMES, PLAIN_LETTERS_MAX
from rangli.service.requests import OrderRequest
from rangli.service.settling.packed import (
    NAME_BEGIN,
    NAME_KIND,
    NAME_STOP,
    NAME_WIDE,
    NONE,
    NUMBER_SHIFT,
    PLACE_OF_NAME,
    UNKNOWN,
    Packed,
    enter,
    look_up,
)
from rangli.settle import Programme
from rangli.store.rows import Bytes, Ints

OPTIONAL: Final = NAMES[2:]
SHOWN_LETTERS: Final = 60
MEANINGS: Final = tuple(KIND_OF_MEANING)
MEANING_OF_NAME: Final = np.array([MEANINGS.index(MEANING_OF_COLUMN[name]) for name in NAMES], np.int64)
"""Which meaning each of NAMES has."""
_REQUIRED: Final = np.array([name not in OPTIONAL for name in NAMES])
_SLOTS_MIN: Final = 1 << 12
_BYTES_MIN: Final = 1 << 16


def same_name(field: str, text: str) -> str:
    """A party's name in the form in which it is shown and compared: without its kind where the column says it."""
    if not text or field not in MEANING_OF_COLUMN:
        return text
    meaning = MEANING_OF_COLUMN[field]
    kind, name = kind_and_name(meaning, text)
    return name if kind == KIND_OF_MEANING[meaning] else f"{KIND_NAMES[kind]}:{name}"


def no_member(consumer: str) -> FieldRefused:
    """The refusal of a sale for a consumer whom no order has named."""
    shown = repr(consumer[:SHOWN_LETTERS])
    return FieldRefused(
        "consumer",
        f"没有会员 {shown};请写订单里消费者的全名",
        f"there is no member {shown}; write the consumer's whole name as orders have it",
    )


class Names:
    """Names to holder numbers of one programme. Nothing is numbered for an order that is refused."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self._known = _Table.of(_SLOTS_MIN, _BYTES_MIN)
        self._count = 0
        self._bytes = 0
        self._sip = np.frombuffer(secrets.token_bytes(16 * len(MEANINGS)), np.int64).reshape(-1, 2)

    def party(self, orders: Packed, some: Ints) -> tuple[NDArray[np.int32], dict[int, RangliError]]:
        """(n, NAMES) holder numbers of these orders, new ones given row by row; NONE also in rows that are refused.

        Refusals are by the row's place in ``some``.
        """
        party = np.empty((len(some), len(NAMES)), np.int32)
        hashed = np.empty(party.shape, np.int64)
        look_up(*orders, some, PLACE_OF_NAME, MEANING_OF_NAME, _REQUIRED, self._sip, self._known, hashed, party)
        row, column = np.nonzero(party == UNKNOWN)
        if not len(row):
            return party, {}
        names = _texts(orders, PLACE_OF_NAME[column], some[row])
        refusals = {} if _are_plain(names) else _name_faults(row.tolist(), names, column.tolist())
        here: dict[tuple[int, str], int] = {}
        numbers = []
        for k, name, meaning in zip(row.tolist(), names, MEANING_OF_NAME[column].tolist(), strict=True):
            number = NONE if k in refusals else here.get((meaning, name), UNKNOWN)
            if number == UNKNOWN:
                number = here[meaning, name] = self.programme.holder(*kind_and_name(MEANINGS[meaning], name))
            numbers.append(number)
        party[row, column] = numbers
        party[list(refusals)] = NONE
        if here:
            self._add(here)
        return party, refusals

    def find(self, field: str, name: str) -> int:
        """The holder that a name means in a field, or -1."""
        return self.programme.accounts.find(*kind_and_name(MEANING_OF_COLUMN[field], name))

    def fault(self, request: OrderRequest) -> FieldRefused | None:
        """The first of its parties' names that is none."""
        for field in NAMES:
            name: str = getattr(request, field)
            found = _name_fault(field, name) if name or field not in OPTIONAL else None
            if found is not None:
                return found
        return None

    def _add(self, numbers: dict[tuple[int, str], int]) -> None:
        """Names with their meanings and numbers, which the table does not hold yet."""
        texts = [name.encode() for _, name in numbers]
        data = np.frombuffer(b"".join(texts), np.uint8)
        ends = np.cumsum([0, *map(len, texts)])
        meanings = np.array([meaning for meaning, _ in numbers], np.int64)
        if self._bytes + len(data) > len(self._known.data) or 2 * (self._count + len(texts)) > len(self._known.slot):
            self._grow(self._count + len(texts), self._bytes + len(data))
        known = self._known
        known.data[self._bytes : self._bytes + len(data)] = data
        some = slice(self._count, self._count + len(texts))
        known.name[some, NAME_BEGIN], known.name[some, NAME_STOP] = ends[:-1] + self._bytes, ends[1:] + self._bytes
        known.name[some, NAME_KIND] = meanings + (np.array(list(numbers.values()), np.int64) << NUMBER_SHIFT)
        enter(self._sip, known, some.start, some.stop)
        self._count, self._bytes = some.stop, self._bytes + len(data)

    def _grow(self, names: int, size: int) -> None:
        """Room for so many names and bytes, at least half of the slots free."""
        old, slots, room = self._known, len(self._known.slot), len(self._known.data)
        while slots < 2 * names:
            slots *= 2
        while room < size:
            room *= 2
        known = _Table.of(slots, room)
        known.data[: self._bytes] = old.data[: self._bytes]
        known.name[: self._count] = old.name[: self._count]
        enter(self._sip, known, 0, self._count)
        self._known = known


class _Table(NamedTuple):
    """Names by hash. A slot holds the place of a name in ``name``, plus one; 0 is free."""

    slot: NDArray[np.int32]
    data: Bytes
    name: Ints
    """(n, 4) hash, where its bytes begin and end, and its holder's number above its meaning: all in one row of memory."""

    @classmethod
    def of(cls, slots: int, size: int) -> _Table:
        """An empty one; half as many names as slots."""
        return cls(np.zeros(slots, np.int32), np.zeros(size, np.uint8), np.zeros((slots >> 1, NAME_WIDE), np.int64))


def _texts(orders: Packed, field: Ints, order: Ints) -> list[str]:
    """The texts of these fields of these orders."""
    data = memoryview(orders.data)  # type: ignore[arg-type]  # NumPy's arrays are buffers
    places = zip(orders.begin[field, order].tolist(), orders.stop[field, order].tolist(), strict=True)
    return [str(data[begin:stop], "utf-8") for begin, stop in places]


def _are_plain(names: list[str]) -> bool:
    """Whether all are names whatever they are: letters and digits, no space, no colon, and four bytes a letter at most."""
    return "".join(names).isalnum() and 0 < min(map(len, names)) <= max(map(len, names)) <= PLAIN_LETTERS_MAX


def _name_faults(rows: list[int], names: list[str], fields: list[int]) -> dict[int, RangliError]:
    """The first fault of each row whose texts are not all names."""
    faults: dict[int, RangliError] = {}
    for k, name, field in zip(rows, names, fields, strict=True):
        fault = None if k in faults else _name_fault(NAMES[field], name)
        if fault is not None:
            faults[k] = fault
    return faults


def _name_fault(field: str, name: str) -> FieldRefused | None:
    """Why a text is no name."""
    if _are_plain([name]):
        return None
    data = name.encode()
    status = np.zeros(1, np.int8)
    ends = np.array([0, len(data)], np.int32)
    parse.check_names(ends, np.frombuffer(data, np.uint8), int(field in OPTIONAL), status)
    if status[0] == parse.OK:
        return None
    reason = rejected(0, "", field, name[:SHOWN_LETTERS], int(status[0]), "")
    return FieldRefused(field, reason.zh, reason.en)
