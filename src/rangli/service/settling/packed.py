"""Order requests as MessagePack, and kernels over those bytes: no order of a large batch is taken apart in Python.

    requests ─▶ msgspec, one call ─▶ bytes ─▶ where each text stands ─▶ columns to parse, names to look up, facts to hash

A text is ``data[begin:stop]``. The facts of an order are hashed in MessagePack too (docs/journal.md), and written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from rangli.engine.draw import siphash
from rangli.engine.kernel import kernel
from rangli.engine.memory import fetch
from rangli.files.orders import NAMES
from rangli.service.requests import OrderRequest
from rangli.store import rows, sha
from rangli.store.rows import Bytes, Ints

TEXTS: Final = OrderRequest.__struct_fields__
PLACE_OF_NAME: Final = np.array([TEXTS.index(name) for name in NAMES], np.int64)
"""Which field each party's name is."""
_KEY_BYTES: Final = np.array([1 + len(name) for name in TEXTS], np.int64)
"""What stands before each text: the field's name after one byte of length."""
_LIST_HEAD: Final = 5
"""At most as many bytes say how many requests there are."""
_FIXED_MAX: Final = 16
_ELEMENTS: Final = 6 + len(NAMES)
"""Of an order's facts: kind, id, instant, paid, concession, voucher, and the names."""
_SHORT: Final = 32
"""Texts of fewer bytes have their length in one byte."""
NO_TEXT: Final = -1
NONE: Final = -1
"""No holder."""
UNKNOWN: Final = -2
"""A name that has no number yet."""
# Columns of a table of names.
NAME_HASH: Final = 0
NAME_BEGIN: Final = 1
NAME_STOP: Final = 2
NAME_KIND: Final = 3
NAME_WIDE: Final = 4
NUMBER_SHIFT: Final = 8
MEANING_MASK: Final = (1 << NUMBER_SHIFT) - 1

assert all(len(name) < _SHORT for name in TEXTS)
assert max(len(TEXTS), _ELEMENTS) < _FIXED_MAX, "a map or an array with its length in its first byte"

pack: Final = msgspec.msgpack.Encoder().encode


class Packed(NamedTuple):
    """Requests as bytes; text f of request i is ``data[begin[f, i]:stop[f, i]]``, texts as in TEXTS."""

    data: Bytes
    begin: Ints
    stop: Ints

    def column(self, field: str) -> tuple[NDArray[np.int32], Bytes]:
        """One field's texts in a run, and where each begins."""
        place = TEXTS.index(field)
        ends, out = rows.texts_of(self.data, self.begin[place], self.stop[place])
        return ends.astype(np.int32), out

    def rows_with(self, byte: bytes, fields: Ints, elsewhere: str = "") -> NDArray[np.bool_]:
        """Which requests hold this byte in one of these fields.

        elsewhere : a field where it is to be expected; when there are no more of it in all, nobody need look row by row
        """
        there = self.column(elsewhere)[1].tobytes().count(byte) if elsewhere else 0
        if self.data.tobytes().count(byte) == there:
            return np.zeros(self.begin.shape[1], np.bool_)
        out = np.empty(self.begin.shape[1], np.bool_)
        holding(self.data, self.begin, self.stop, fields, byte[0], out)
        return out

    def has_nul(self) -> bool:
        """Whether any text holds a NUL. Heads hold some too, so a kernel looks closer when there is any."""
        return b"\0" in self.data[_LIST_HEAD:].tobytes() and bool(self.rows_with(b"\0", np.arange(len(TEXTS))).any())


def packed(requests: Sequence[OrderRequest]) -> Packed | None:
    """The requests as bytes; None when a field is no text, or holds half of a surrogate pair."""
    try:
        data = np.frombuffer(pack(requests), np.uint8)
    except (UnicodeEncodeError, TypeError, OverflowError):
        return None
    begin = np.empty((len(TEXTS), len(requests)), np.int64)
    stop = np.empty((len(TEXTS), len(requests)), np.int64)
    return Packed(data, begin, stop) if find_texts(data, _KEY_BYTES, begin, stop) == len(data) else None


class Facts(NamedTuple):
    """What is hashed of orders, texts as places in bytes."""

    keys: Bytes
    key: tuple[Ints, Ints]
    """(n,) where each id begins, and where it ends."""
    numbers: Ints
    """(n, 6) as rows.FACTS[ORDER]; the order's number and day are not hashed."""
    names: Bytes
    name: tuple[Ints, Ints]
    """(NAMES, n) where each party's name begins, and where it ends."""


def digests_of(facts: Facts) -> Bytes:
    """(n, 32) SHA-256 of the facts of each order."""
    (key_begin, key_stop), (begin, stop) = facts.key, facts.name
    lengths = int((key_stop - key_begin).sum()) + int((stop - begin).sum())
    out = np.empty(lengths + len(key_begin) * (2 + 5 * (1 + len(NAMES)) + 4 * 9), np.uint8)
    ends = np.empty(len(key_begin) + 1, np.int64)
    size = write_facts(facts.keys, key_begin, key_stop, facts.numbers, facts.names, begin, stop, out, ends)
    return sha.digests(out[:size], ends)


# ---------------------------------------------------------------- reading


@kernel
def _text(data, at):
    """Where the text whose head is at ``at`` begins, and where it ends; NO_TEXT twice when none is there."""
    head = np.int64(data[at])
    if 0xA0 <= head < 0xC0:  # noqa: PLR2004 -- fixstr
        return at + 1, at + 1 + (head & 31)
    if not 0xD9 <= head <= 0xDB:  # noqa: PLR2004 -- str 8, 16, 32
        return NO_TEXT, NO_TEXT
    width = 1 << (head - 0xD9)
    size = np.int64(0)
    for k in range(width):
        size = (size << 8) | np.int64(data[at + 1 + k])
    return at + 1 + width, at + 1 + width + size


@kernel
def find_texts(data, key_bytes, begin, stop):
    """Write where every text of an array of maps stands; the end of what was read, or NO_TEXT.

    data : as msgspec writes a list of requests     key_bytes : int64 (fields,) to skip before each text
    begin, stop : int64 (fields, n) written
    """
    head = np.int64(data[0])
    at = np.int64(1) if head < 0xA0 else np.int64(3) if head == 0xDC else np.int64(5)  # noqa: PLR2004 -- fixarray, array 16, array 32
    for i in range(begin.shape[1]):
        at += 1
        for f in range(begin.shape[0]):
            begin[f, i], stop[f, i] = _text(data, at + key_bytes[f])
            at = stop[f, i]
            if at == NO_TEXT:
                return at
    return at


@kernel
def holding(data, begin, stop, fields, byte, out):
    """Write which orders hold this byte in one of these fields. fields : int64 (k,)     out : bool (n,) written."""
    for i in range(begin.shape[1]):
        found = False
        for f in fields:
            for k in range(begin[f, i], stop[f, i]):
                found |= data[k] == byte
        out[i] = found


# ---------------------------------------------------------------- writing


@kernel
def _put_number(out, at, value):
    """A number that is not negative, as short as it can be; where the next byte goes."""
    if value < 128:  # noqa: PLR2004
        out[at] = value
        return at + 1
    power = 0
    while power < 3 and value >> (8 << power) != 0:  # noqa: PLR2004 -- one, two, four or eight bytes
        power += 1
    width = 1 << power
    out[at] = 0xCC + power
    for k in range(width):
        out[at + 1 + k] = (value >> (8 * (width - 1 - k))) & 255
    return at + 1 + width


@kernel
def _put_text(out, at, data, begin, stop):
    """A text; where the next byte goes."""
    size = stop - begin
    if size < _SHORT:
        out[at] = 0xA0 | size
        at += 1
    else:
        power = 0 if size < 1 << 8 else 1 if size < 1 << 16 else 2
        width = 1 << power
        out[at] = 0xD9 + power
        for k in range(width):
            out[at + 1 + k] = (size >> (8 * (width - 1 - k))) & 255
        at += 1 + width
    for k in range(size):
        out[at + k] = data[begin + k]
    return at + size


@kernel
def write_facts(keys, key_begin, key_stop, numbers, names, begin, stop, out, ends):
    """Write the facts of orders as they are hashed; the number of bytes. Arguments as in ``Facts``.

    out : uint8 written     ends : int64 (n + 1,) written
    """
    at = np.int64(0)
    ends[0] = 0
    for i in range(key_begin.shape[0]):
        out[at] = 0x90 | _ELEMENTS
        out[at + 1] = rows.ORDER
        at = _put_text(out, at + 2, keys, key_begin[i], key_stop[i])
        at = _put_number(out, at, numbers[i, 5])
        at = _put_number(out, at, numbers[i, 1])
        at = _put_number(out, at, numbers[i, 2])
        at = _put_number(out, at, numbers[i, 3])
        for c in range(begin.shape[0]):
            at = _put_text(out, at, names, begin[c, i], stop[c, i])
        ends[i + 1] = at
    return at


# ---------------------------------------------------------------- names


@kernel
def look_up(data, begin, stop, some, place, meaning, required, sip, known, hashed, party):
    """Write the holder number of every party: NONE for an empty name that may be, UNKNOWN for one that the table does not hold.

    data, begin, stop : as in ``Packed``     some : int64 (n,) which orders     place, meaning, required : (NAMES,)
    sip : int64 (MEANINGS, 2)     known : _Table     hashed : int64 (n, NAMES) scratch     party : int32 (n, NAMES) written

    Three times over them all, so that what the next round needs of the table is on its way from memory meanwhile.
    """
    slots, texts, names = known
    mask = slots.shape[0] - 1
    for k in range(some.shape[0]):
        for c in range(place.shape[0]):
            start, end = begin[place[c], some[k]], stop[place[c], some[k]]
            party[k, c] = UNKNOWN if required[c] or end > start else NONE
            if end > start:
                hashed[k, c] = siphash(data, start, end, sip[meaning[c], 0], sip[meaning[c], 1])
                fetch(slots, hashed[k, c] & mask)
    for k in range(some.shape[0]):
        for c in range(place.shape[0]):
            if party[k, c] == UNKNOWN and stop[place[c], some[k]] > begin[place[c], some[k]]:
                fetch(names, np.int64(slots[hashed[k, c] & mask]) - 1)
    for k in range(some.shape[0]):
        for c in range(place.shape[0]):
            start, end = begin[place[c], some[k]], stop[place[c], some[k]]
            if end == start:
                continue
            at = hashed[k, c] & mask
            while slots[at] != 0:
                name = slots[at] - 1
                first = names[name, NAME_BEGIN]
                kind = names[name, NAME_KIND]
                is_same = names[name, NAME_HASH] == hashed[k, c] and kind & MEANING_MASK == meaning[c]
                if is_same and names[name, NAME_STOP] - first == end - start:
                    same = 0
                    while same < end - start and texts[first + same] == data[start + same]:
                        same += 1
                    if same == end - start:
                        party[k, c] = kind >> NUMBER_SHIFT
                        break
                at = (at + 1) & mask


@kernel
def enter(sip, known, first, upto):
    """Hash the names from ``first`` to before ``upto`` and give each a slot.

    sip : int64 (MEANINGS, 2)     known : _Table, written
    """
    slots, texts, names = known
    mask = slots.shape[0] - 1
    for name in range(first, upto):
        key = names[name, NAME_KIND] & MEANING_MASK
        names[name, NAME_HASH] = siphash(texts, names[name, NAME_BEGIN], names[name, NAME_STOP], sip[key, 0], sip[key, 1])
        at = names[name, NAME_HASH] & mask
        while slots[at] != 0:
            at = (at + 1) & mask
        slots[at] = name + 1
