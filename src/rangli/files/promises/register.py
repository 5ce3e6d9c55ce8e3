"""The auditor's own register: a number for each account path that occurs, and what the path says of the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rangli.engine.kernel import kernel
from rangli.files.promises import faults as f
from rangli.files.promises.lines import Book, Ints, Numbers, hash_texts
from rangli.ledger.accounts import KIND_NAMES
from rangli.ledger.transfers import CNY, CODE_NAMES, POINT, UNIT_NAMES, UNIT_OF_CODE, VOUCHER

NO_ACCOUNT: Final = -1
"""In place of a unit: no path of ours."""
MAY_OWE: Final = -1
"""In place of a fault: the balance is meant to be negative."""

SURPLUS: Final = "platform:surplus"
FUNDING: Final = "platform:funding"
POOL: Final = "programme:pool"
DIVIDEND: Final = "programme:dividend"
RESERVE: Final = "programme:reserve"
POINTS_ISSUER: Final = "programme:points"
VOUCHER_ISSUER: Final = "programme:vouchers"


class Nature(NamedTuple):
    """What an account is."""

    unit: int
    overdraft: int
    """The fault of a negative balance, or MAY_OWE."""


_INSTITUTIONS: Final = {
    SURPLUS: Nature(CNY, MAY_OWE),
    FUNDING: Nature(CNY, MAY_OWE),
    POOL: Nature(CNY, int(f.POOL_OVERDRAWN)),
    DIVIDEND: Nature(CNY, int(f.DIVIDEND_OVERDRAWN)),
    RESERVE: Nature(CNY, int(f.VOUCHERS_OVERDRAWN)),
    POINTS_ISSUER: Nature(POINT, MAY_OWE),
    VOUCHER_ISSUER: Nature(VOUCHER, MAY_OWE),
}
_POCKETS: Final = {
    "wallet": Nature(CNY, int(f.OVERDRAWN)),
    "points": Nature(POINT, int(f.OVERDRAWN)),
    "vouchers": Nature(VOUCHER, int(f.VOUCHERS_OVERDRAWN)),
    "concession": Nature(CNY, MAY_OWE),
    "income": Nature(CNY, int(f.OVERDRAWN)),
}
_NOTHING: Final = Nature(NO_ACCOUNT, int(f.OVERDRAWN))
_POT: Final = Nature(CNY, int(f.POT_OVERDRAWN))
_FUND: Final = Nature(CNY, int(f.OVERDRAWN))


def nature(path: str) -> Nature:
    """What the path says (docs/rules.md, section 1)."""
    match path.split(":"):
        case [kind, _, pocket] if kind in KIND_NAMES:
            return _POCKETS.get(pocket, _NOTHING)
        case ["programme", "packets", _, _]:
            return _POT
        case ["programme", "fund", _]:
            return _FUND
    return _INSTITUTIONS.get(path, _NOTHING)


class Texts(NamedTuple):
    """Different texts, each with a number: their bytes one after another, and a hash table of their numbers."""

    data: NDArray[np.uint8]
    offsets: Ints
    hashes: Ints
    slots: Numbers
    """Open addressing; -1 for an empty slot, and always at least half of them are."""
    used: Ints
    """(1,) how many."""


@kernel
def find_or_add(offsets: Numbers, data: NDArray[np.uint8], hashes: Ints, texts: Texts, out: Numbers) -> None:
    """The number of each of some texts, given now to those that are new; the caller has made room for all of them."""
    for i in range(out.shape[0]):
        start, size = np.int64(offsets[i]), np.int64(offsets[i + 1] - offsets[i])
        slot = slot_of(hashes[i], texts.slots)
        while True:
            number = np.int64(texts.slots[slot])
            if number < 0:
                number = texts.used[0]
                texts.used[0] = number + 1
                texts.slots[slot] = number
                texts.hashes[number] = hashes[i]
                at = texts.offsets[number]
                texts.offsets[number + 1] = at + size
                for k in range(size):
                    texts.data[at + k] = data[start + k]
                break
            if texts.hashes[number] == hashes[i] and is_same(texts, number, data, start, size):
                break
            slot = (slot + 1) & (texts.slots.shape[0] - 1)
        out[i] = number


@kernel
def slot_of(hashed: int, slots: Numbers) -> int:
    """The first slot in which a text of this hash may be."""
    mixed: int = (hashed ^ (hashed >> 19) ^ (hashed >> 41)) & (slots.shape[0] - 1)
    return mixed


@kernel
def is_same(texts: Texts, number: int, data: NDArray[np.uint8], start: int, size: int) -> bool:
    """Whether a text is the one with this number, byte by byte."""
    at = texts.offsets[number]
    if texts.offsets[number + 1] - at != size:
        return False
    k = 0
    while k < size and texts.data[at + k] == data[start + k]:
        k += 1
    return k == size


@kernel
def seat(texts: Texts) -> None:
    """Put all texts into the empty hash table."""
    for number in range(texts.used[0]):
        slot = slot_of(texts.hashes[number], texts.slots)
        while texts.slots[slot] >= 0:
            slot = (slot + 1) & (texts.slots.shape[0] - 1)
        texts.slots[slot] = number


def with_room(texts: Texts, more: int, more_bytes: int) -> Texts:
    """The texts with room for more of them."""
    size, used = int(texts.used[0]) + more, int(texts.offsets[texts.used[0]])
    texts = texts._replace(
        data=longer(texts.data, used + more_bytes), offsets=longer(texts.offsets, size + 1), hashes=longer(texts.hashes, size)
    )
    if len(texts.slots) < 2 * size:
        texts = texts._replace(slots=np.full(1 << (4 * size).bit_length(), -1, np.int32))
        seat(texts)
    return texts


class Register:
    """Numbers for paths, in order of first appearance, and the balances of these accounts."""

    def __init__(self) -> None:
        none = np.zeros(0, np.int64)
        self._texts = Texts(np.zeros(0, np.uint8), np.zeros(1, np.int64), none, np.full(64, -1, np.int32), np.zeros(1, np.int64))
        self._known = 0
        self._book = Book(
            balance=none,
            unit=np.zeros(0, np.int8),
            overdraft=np.zeros(0, np.int8),
            is_concession=np.zeros(0, np.bool_),
            touched=np.zeros(0, np.bool_),
            unit_of_code=UNIT_OF_CODE,
            by_code=np.zeros((len(CODE_NAMES), 2), np.int64),
        )

    def __len__(self) -> int:
        return int(self._texts.used[0])

    def number(self, path: str) -> int:
        """The number of a path, given now if it is new."""
        return int(self.numbers(pa.array([path], pa.string()))[0])

    def numbers(self, paths: pa.StringArray) -> Numbers:
        """The numbers of many paths."""
        offsets, data = bytes_of(paths)
        out = np.empty(len(paths), np.int32)
        self._texts = with_room(self._texts, len(paths), int(offsets[-1] - offsets[0]))
        find_or_add(offsets, data, hashes_of(paths), self._texts, out)
        return out

    def path(self, number: int) -> str:
        """The path of a number."""
        first, last = self._texts.offsets[number : number + 2].tolist()
        return self._texts.data[first:last].tobytes().decode()

    def paths(self) -> pa.LargeStringArray:
        """All paths in order of their numbers."""
        count = len(self)
        offsets, data = self._texts.offsets[: count + 1], self._texts.data
        return pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))

    def book(self) -> Book:
        """The balances of all accounts so far, which the compiled checks write."""
        count = len(self)
        if self._known < count:
            at = slice(self._known, count)
            book = self._book = _with_room(self._book, count)
            paths = self.paths().slice(self._known).to_pylist()
            natures = [nature(path) for path in paths]
            book.unit[at] = [one.unit for one in natures]
            book.overdraft[at] = [one.overdraft for one in natures]
            book.is_concession[at] = [path.endswith(":concession") for path in paths]
            self._known = count
        return self._book

    def balances(self) -> Iterator[tuple[str, str, int]]:
        """Path, unit and balance of every account that a transfer touched, by path."""
        book, paths = self.book(), self.paths()
        shown = book.touched[: self._known] & (book.unit[: self._known] != NO_ACCOUNT)
        touched = np.flatnonzero(shown)
        for account in touched[pc.sort_indices(paths.take(pa.array(touched))).to_numpy()].tolist():
            yield paths[account].as_py(), UNIT_NAMES[book.unit[account]], int(book.balance[account])

    def sum_of(self, unit: int) -> int:
        """What all accounts of a unit come to."""
        book = self.book()
        return sum(book.balance[book.unit == unit].tolist())


def _with_room(book: Book, size: int) -> Book:
    """The book with at least so many accounts, grown by doubling."""
    if len(book.unit) >= size:
        return book
    return book._replace(
        balance=longer(book.balance, size),
        unit=longer(book.unit, size, NO_ACCOUNT),
        overdraft=longer(book.overdraft, size),
        is_concession=longer(book.is_concession, size),
        touched=longer(book.touched, size),
    )


def longer(array: NDArray[Any], size: int, fill: int = 0) -> NDArray[Any]:
    """The array with at least ``size`` rows, grown by doubling."""
    have = len(array)
    if have >= size:
        return array
    grown = np.full((max(size, 2 * have, 64), *array.shape[1:]), fill, array.dtype)
    grown[:have] = array
    return grown


def bytes_of(texts: pa.StringArray) -> tuple[Numbers, NDArray[np.uint8]]:
    """The offsets and bytes of an Arrow string array; a null has none."""
    if not len(texts):
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    if texts.null_count:
        texts = texts.fill_null("")
    _, offsets, data = texts.buffers()
    bytes_ = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    return np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1], bytes_


def hashes_of(texts: pa.StringArray) -> Ints:
    """62 bits of each text."""
    out = np.empty(len(texts), np.int64)
    hash_texts(*bytes_of(texts), out)
    return out
