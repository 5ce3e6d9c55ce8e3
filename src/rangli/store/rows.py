"""Rows of the journal, as PostgreSQL's binary COPY writes them. These bytes are what is stored, hashed and verified.

A row is the number of its fields, and each field is its length and its bytes, integers big-endian. An array is the number of its
dimensions, a flag, the type of its elements, their number, the first index, and each element with its length; an empty one has no
dimensions. (PostgreSQL's manual, "COPY", "Binary Format"; ``array_send`` in its source.)
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rangli.engine.kernel import kernel
from rangli.engine.memory import put_word
from rangli.ledger.transfers import Transfers

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

# Kinds of decisions.
ORDER: Final = 1
REFUND: Final = 2
SALE: Final = 3
INJECTION: Final = 4
CLOSING: Final = 5
ACTIVATION: Final = 6
CANCELLATION: Final = 7
RELEASE: Final = 8
KIND_NAMES: Final = ("", "order", "refund", "sale", "injection", "closing", "activation", "cancellation", "release")

FACTS: Final[dict[int, tuple[str, ...]]] = {
    ORDER: ("number", "paid_fen", "concession_bp", "voucher_fen", "day", "paid_at_ns"),
    REFUND: ("order_position", "number", "refund_fen", "before_fen", "received_fen"),
    SALE: ("points_micro",),
    INJECTION: ("amount_micro",),
    CLOSING: ("day",),
    ACTIVATION: ("plan",),
    CANCELLATION: ("refund_fen",),
    RELEASE: ("period", "released_micro", "held_micro", "part"),
}
"""What the facts of each kind are, in their order."""

LEGS_MAX: Final = 1 << 14
"""Legs of one row; a longer release takes several."""

COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TAIL: Final = b"\xff\xff"

FIELDS: Final = 16
HASH_BYTES: Final = 32
_HASH_FIELD: Final = 4 + HASH_BYTES
_OID_INT2: Final = 21
_OID_INT4: Final = 23
_OID_INT8: Final = 20
_LOW_4: Final = 0xFFFFFFFF
_LOW_2: Final = 0xFFFF
_ARRAY_HEAD: Final = 20
_EMPTY_ARRAY: Final = 12
_FIXED: Final = 2 + (4 + 4) + (4 + 8) + (4 + 2) + (4 + 4) + (4 + 8)
"""The number of fields, and the fields before the key."""


class Decisions(NamedTuple):
    """Decisions of one kind under one plan, one after another."""

    kind: int
    plan: int
    at: Ints
    """(n,) microseconds since 1970."""
    key_ends: Ints
    """(n + 1,) where each key begins in ``keys``, and where the last one ends."""
    keys: Bytes
    request: Bytes
    """(n, 32)"""
    facts: Ints
    """(n, FACTS[kind])"""
    party: NDArray[np.int32]
    """(n, parties)"""
    legs: Transfers
    leg_ends: Ints
    """(n + 1,) where the legs of each begin, and where the last one's end."""

    @property
    def count_rows(self) -> int:
        """How many decisions."""
        return len(self.at)


def size_of(decisions: Decisions) -> int:
    """The bytes of these rows."""
    rows, legs = decisions.count_rows, int(decisions.leg_ends[-1] - decisions.leg_ends[0])
    keys = int(decisions.key_ends[-1] - decisions.key_ends[0])
    arrays = 8 * (4 + _ARRAY_HEAD) + 12 * decisions.facts.shape[1] + 8 * decisions.party.shape[1]
    return rows * (_FIXED + 4 + _HASH_FIELD + arrays + _HASH_FIELD) + keys + legs * (4 * 8 + 12 + 6)


def encode(decisions: Decisions, programme: int, first_position: int, last: NDArray[np.int32]) -> tuple[Bytes, Ints]:
    """HASH_BYTES of room, the rows with their hashes still zero, and where each begins; at last the end. ``last`` goes forward.

    last : int32 (accounts,)   the last decision that touched each account, 0 for none; written
    """
    out = np.empty(HASH_BYTES + size_of(decisions), np.uint8)
    ends = np.empty(decisions.count_rows + 1, np.int64)
    legs = decisions.legs
    size = encode_rows(
        np.array([programme, decisions.kind, decisions.plan, first_position], np.int64),
        (decisions.at, decisions.key_ends, decisions.keys, decisions.request, decisions.facts, decisions.party),
        (legs.source, legs.destination, legs.amount, legs.code, decisions.leg_ends),
        last,
        out,
        ends,
    )
    return out[:size], ends


# ---------------------------------------------------------------- writing


@kernel
def _put(out: Bytes, at: int, value: int, size: int) -> int:
    """An integer of ``size`` bytes, and anything up to eight; whoever goes on where the next byte goes, writes over it."""
    put_word(out, at, value << (8 * (8 - size)))
    return at + size


@kernel
def _put_array_head(out: Bytes, at: int, count: int, kind: int, size: int) -> int:
    """Length and head of an array field."""
    if count == 0:
        at = _put(out, at, _EMPTY_ARRAY, 4)
        at = _put(out, at, 0, 8)
        return _put(out, at, kind, 4)
    at = _put(out, at, _ARRAY_HEAD + count * (4 + size), 4)
    at = _put(out, at, 1, 4)
    at = _put(out, at, 0, 4)
    at = _put(out, at, kind, 4)
    at = _put(out, at, count, 4)
    return _put(out, at, 1, 4)


@kernel
def _put_int4s(out, at, values):
    """An int4[] field."""
    at = _put_array_head(out, at, values.shape[0], _OID_INT4, 4)
    for i in range(values.shape[0]):
        put_word(out, at, (4 << 32) | (np.int64(values[i]) & _LOW_4))
        at += 8
    return at


@kernel
def _put_int8s(out: Bytes, at: int, values: Ints) -> int:
    """An int8[] field."""
    at = _put_array_head(out, at, values.shape[0], _OID_INT8, 8)
    for i in range(values.shape[0]):
        put_word(out, _put(out, at, 8, 4), values[i])
        at += 12
    return at


@kernel
def _put_before(out, at, accounts, last):
    """An int4[] field: the last decision on each of these accounts."""
    at = _put_array_head(out, at, accounts.shape[0], _OID_INT4, 4)
    for i in range(accounts.shape[0]):
        put_word(out, at, (4 << 32) | np.int64(last[accounts[i]]))
        at += 8
    return at


@kernel
def _put_int2s(out, at, values):
    """An int2[] field."""
    at = _put_array_head(out, at, values.shape[0], _OID_INT2, 2)
    for i in range(values.shape[0]):
        put_word(out, at, (2 << 32) | (np.int64(values[i]) & _LOW_2) << 16)
        at += 6
    return at


@kernel
def encode_rows(fixed, heads, legs, last, out, ends):
    """Write the rows after HASH_BYTES of room; where they end.

    fixed : int64 (4,) programme, kind, plan, position of the first     heads, legs : as in ``encode``
    last  : int32 (accounts,) written     out : uint8 written     ends : int64 (n + 1,) written
    """
    when, key_ends, keys, request, facts, party = heads
    source, destination, amount, code, leg_ends = legs
    at = np.int64(HASH_BYTES)
    ends[0] = at
    for i in range(when.shape[0]):
        position = fixed[3] + i
        at = _put(out, at, FIELDS, 2)
        at = _put(out, _put(out, at, 4, 4), fixed[0], 4)
        at = _put(out, _put(out, at, 8, 4), position, 8)
        at = _put(out, _put(out, at, 2, 4), fixed[1], 2)
        at = _put(out, _put(out, at, 4, 4), fixed[2], 4)
        at = _put(out, _put(out, at, 8, 4), when[i], 8)
        at = _put(out, at, key_ends[i + 1] - key_ends[i], 4)
        for k in range(key_ends[i], key_ends[i + 1]):
            out[at] = keys[k]
            at += 1
        at = _put(out, at, HASH_BYTES, 4)
        for k in range(HASH_BYTES):
            out[at + k] = request[i, k]
        at += HASH_BYTES
        at = _put_int8s(out, at, facts[i])
        at = _put_int4s(out, at, party[i])
        a, b = leg_ends[i], leg_ends[i + 1]
        at = _put_int4s(out, at, source[a:b])
        at = _put_int4s(out, at, destination[a:b])
        at = _put_int8s(out, at, amount[a:b])
        at = _put_int2s(out, at, code[a:b])
        at = _put_before(out, at, source[a:b], last)
        at = _put_before(out, at, destination[a:b], last)
        for k in range(a, b):
            last[source[k]] = position
            last[destination[k]] = position
        at = _put(out, at, HASH_BYTES, 4)
        for k in range(HASH_BYTES):
            out[at + k] = 0
        at += HASH_BYTES
        ends[i + 1] = at
    return at


@kernel
def follow(
    source: NDArray[np.int32], destination: NDArray[np.int32], last: NDArray[np.int32], follower: NDArray[np.int32]
) -> None:
    """Bring the entries of these legs' accounts to those of ``last``.

    follower : int32, as long as ``last`` at least; written
    """
    for k in range(source.shape[0]):
        follower[source[k]] = last[source[k]]
        follower[destination[k]] = last[destination[k]]


# ---------------------------------------------------------------- reading


class Heads(NamedTuple):
    """What rows say before their legs, as columns; each row's facts and parties stand from ``i * FACTS_WIDE`` on."""

    position: Ints
    kind: Ints
    plan: Ints
    at: Ints
    key: Ints
    """(n, 2) where the key begins and ends in the bytes."""
    request: Ints
    """(n,) where the request's hash begins."""
    facts: Ints
    """(n, FACTS_WIDE)"""
    party: NDArray[np.int32]
    """(n, PARTY_WIDE), -1 where there is none"""
    legs: Ints
    """(n,) how many legs."""


FACTS_WIDE: Final = 6
PARTY_WIDE: Final = 9
FORM_WRONG: Final = -1
_STRETCH: Final = 1 << 12
"""Bytes that are compared without asking after each: many at a time."""


def decode_heads(data: Bytes, ends: Ints) -> Heads | None:
    """The heads of these rows; None when one has another form than ours."""
    rows = len(ends) - 1
    heads = Heads(
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        np.empty((rows, 2), np.int64),
        np.empty(rows, np.int64),
        np.zeros((rows, FACTS_WIDE), np.int64),
        np.full((rows, PARTY_WIDE), -1, np.int32),
        np.empty(rows, np.int64),
    )
    return heads if read_heads(data, ends, *heads) == rows else None


def texts_of(data: Bytes, begin: Ints, stop: Ints) -> tuple[Ints, Bytes]:
    """Where each of these texts begins in a run of them, at last the end; and the run."""
    ends = np.zeros(len(begin) + 1, np.int64)
    np.cumsum(stop - begin, out=ends[1:])
    out = np.empty(int(ends[-1]), np.uint8)
    gather(data, begin, stop, out)
    return ends, out


@kernel
def gather(data, begin, stop, out):
    """Write texts one after another. data : uint8     begin, stop : int64 (n,)     out : uint8 written."""
    at = np.int64(0)
    for i in range(begin.shape[0]):
        for k in range(begin[i], stop[i]):
            out[at] = data[k]
            at += 1


def well_formed(data: Bytes, ends: Ints) -> int:
    """How many of these rows, from the first, have our form."""
    return next((count for count in range(len(ends) - 1) if decode_heads(data, ends[count : count + 2]) is None), len(ends) - 1)


@kernel
def _get(data, at, size):
    """A signed integer of ``size`` bytes."""
    value = np.int64(data[at])
    if value > 127:  # noqa: PLR2004 -- the sign
        value -= 256
    for k in range(1, size):
        value = (value << 8) | np.int64(data[at + k])
    return value


@kernel
def _get_array(data, at, end, size, out):
    """An array field into ``out``; where the next field begins, or FORM_WRONG."""
    if at + 4 > end:
        return FORM_WRONG
    length = _get(data, at, 4)
    at += 4
    if length == _EMPTY_ARRAY:
        return at + length
    if length < _ARRAY_HEAD or at + length > end:
        return FORM_WRONG
    count = _get(data, at + 12, 4)
    if count > out.shape[0] or length != _ARRAY_HEAD + count * (4 + size):
        return FORM_WRONG
    at += _ARRAY_HEAD
    for k in range(count):
        out[k] = _get(data, at + 4, size)
        at += 4 + size
    return at


@kernel
def read_heads(data, ends, position, kind, plan, when, key, request, facts, party, legs):
    """Write the columns of ``Heads``; how many rows had the right form, from the first."""
    for i in range(ends.shape[0] - 1):
        at, end = ends[i], ends[i + 1]
        if end - at < _FIXED + 4 or _get(data, at, 2) != FIELDS:
            return i
        position[i] = _get(data, at + 14, 8)
        kind[i] = _get(data, at + 26, 2)
        plan[i] = _get(data, at + 32, 4)
        when[i] = _get(data, at + 40, 8)
        at += _FIXED
        length = _get(data, at, 4)
        if length < 0 or at + 4 + length + _HASH_FIELD > end:
            return i
        key[i, 0], key[i, 1] = at + 4, at + 4 + length
        at += 4 + length
        if _get(data, at, 4) != HASH_BYTES:
            return i
        request[i] = at + 4
        at = _get_array(data, at + _HASH_FIELD, end, 8, facts[i])
        if at == FORM_WRONG:
            return i
        at = _get_array(data, at, end, 4, party[i])
        if at == FORM_WRONG or at + 4 > end:
            return i
        is_empty = _get(data, at, 4) == _EMPTY_ARRAY
        if not is_empty and at + 4 + _ARRAY_HEAD > end:
            return i
        legs[i] = 0 if is_empty else _get(data, at + 16, 4)
    return ends.shape[0] - 1


@kernel
def shared_bytes(made: Bytes, read: Bytes) -> int:
    """How many bytes are the same from the first on, up to the end of the shorter."""
    size = min(made.shape[0], read.shape[0])
    at = np.int64(0)
    while at < size:
        mine, other = made[at : min(at + _STRETCH, size)], read[at : min(at + _STRETCH, size)]
        differs = np.uint8(0)
        for i in range(mine.shape[0]):
            differs |= mine[i] ^ other[i]
        if differs:
            break
        at += mine.shape[0]
    while at < size and made[at] == read[at]:
        at += 1
    return int(at)


def rows_of(data: Bytes) -> list[tuple[Any, ...]]:
    """Rows that were just written, as a ``journal.Row`` has them."""
    out = []
    at, view = 0, data.tobytes()
    while at < len(view):
        values: list[Any] = []
        at += 2
        for name in (
            "i4",
            "i8",
            "i2",
            "i4",
            "i8",
            "text",
            "bytes",
            "i8s",
            "i4s",
            "i4s",
            "i4s",
            "i8s",
            "i2s",
            "i4s",
            "i4s",
            "bytes",
        ):
            size = int.from_bytes(view[at : at + 4], "big")
            values.append(_value(name, view[at + 4 : at + 4 + size]))
            at += 4 + size
        out.append((*values[1:13], values[15]))
    return out


def _value(name: str, part: bytes) -> Any:  # noqa: ANN401 (as many types as a row has)
    """One field's value."""
    if name == "bytes":
        return part
    if name == "text":
        return part.decode()
    if not name.endswith("s"):
        return int.from_bytes(part, "big", signed=True)
    width = int(name[1])
    elements = range(_ARRAY_HEAD + 4, len(part), 4 + width)
    return [int.from_bytes(part[at : at + width], "big", signed=True) for at in elements]


# ---------------------------------------------------------------- lots and holders


_HOLDER_HEAD: Final = struct.Struct(">hiiiiihi")
_HOLDER_TAIL: Final = struct.Struct(">iq")


def encode_holders(programme: int, first: int, since: int, new: Sequence[tuple[int, str]]) -> bytes:
    """Rows of ``holder`` from kinds and names, numbered from ``first`` on, of decision ``since``."""
    head, tail = _HOLDER_HEAD.pack, _HOLDER_TAIL.pack(8, since)
    texts = [name.encode() for _, name in new]
    return b"".join(
        [
            head(5, 4, programme, 4, number, 2, kind, len(text)) + text + tail
            for number, (kind, _), text in zip(range(first, first + len(new)), new, texts, strict=True)
        ]
    )


_LOT_ROW: Final = 2 + (4 + 4) + (4 + 8) + (4 + 4) + (4 + 8)


def encode_lots(programme: int, closed: Ints) -> Bytes:
    """Rows of ``lot``. closed : (n, 3) order number, packets, received fen."""
    out = np.empty(len(closed) * _LOT_ROW, np.uint8)
    put_lots(programme, closed, out)
    return out


@kernel
def put_lots(programme: int, closed: Ints, out: Bytes) -> None:
    """Write them."""
    at = np.int64(0)
    for i in range(closed.shape[0]):
        at = _put(out, at, 4, 2)
        at = _put(out, _put(out, at, 4, 4), programme, 4)
        at = _put(out, _put(out, at, 8, 4), closed[i, 0], 8)
        at = _put(out, _put(out, at, 4, 4), closed[i, 1], 4)
        at = _put(out, _put(out, at, 8, 4), closed[i, 2], 8)
