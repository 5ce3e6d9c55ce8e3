"""Order requests as columns: checked by the same compiled readers as order files, and their parties resolved to holders."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from rangli.errors import FieldRefused, RangliError
from rangli.files import parse
from rangli.files.orders import FIELDS, NAMES, rejected
from rangli.files.settling import KIND_OF_MEANING, MEANING_OF_COLUMN, kind_and_name
from rangli.ledger.accounts import KIND_NAMES, NAME_BYTES_MAX
from rangli.money import mul_div, print_percent
from rangli.service.requests import OrderRequest
from rangli.settle import Programme
from rangli.store import rows
from rangli.store.rows import Bytes, Ints

OPTIONAL: Final = NAMES[2:]
SHOWN_LETTERS: Final = 60
_PLAIN_LETTERS: Final = mul_div(NAME_BYTES_MAX, 1, 4)
_pack: Final = msgspec.msgpack.Encoder().encode


class Checked(NamedTuple):
    """Orders as columns; those refused have zeros."""

    requests: Sequence[OrderRequest]
    key_ends: Ints
    keys: Bytes
    facts: Ints
    """(n, 6) as rows.FACTS[ORDER], the number 0."""
    digests: list[bytes]
    """SHA-256 of what was asked."""
    refusals: dict[int, RangliError]

    def row_of(self, i: int) -> dict[str, str]:
        """What was asked in row i, field by field."""
        return msgspec.structs.asdict(self.requests[i])


def check(requests: Sequence[OrderRequest], range_bp: tuple[int, int]) -> Checked:
    """Read every field of these orders; the first fault of a row refuses it."""
    count = len(requests)
    requests, unreadable = _readable(requests)
    columns = {
        "order_id": _texts([r.order_id for r in requests]),
        "paid_at": _texts([r.paid_at for r in requests]),
        "amount": _texts([r.amount for r in requests]),
        "concession": _texts([r.concession for r in requests]),
        "voucher": _texts([r.voucher for r in requests]),
    }
    status = {name: np.zeros(count, np.int8) for name in columns}
    facts = np.zeros((6, count), np.int64)
    parse.check_names(*columns["order_id"], 0, status["order_id"])
    parse.parse_instant_texts(*columns["paid_at"], facts[5], facts[4], status["paid_at"])
    parse.parse_yuan_texts(*columns["amount"], facts[1], status["amount"])
    parse.parse_percent_texts(*columns["concession"], facts[2], status["concession"])
    parse.parse_yuan_or_nothing_texts(*columns["voucher"], facts[3], status["voucher"])
    status["amount"][(status["amount"] == parse.OK) & (facts[1] == 0)] = parse.OUT_OF_RANGE
    outside = (facts[2] < range_bp[0]) | (facts[2] > range_bp[1])
    status["concession"][(status["concession"] == parse.OK) & outside] = parse.OUT_OF_RANGE
    refusals: dict[int, RangliError] = {}
    bounds = "–".join(print_percent(bp) for bp in range_bp)
    for field in [name for name in FIELDS if name in columns]:
        for i in np.flatnonzero(status[field] != parse.OK).tolist():
            if i not in refusals:
                refusals[i] = _refusal(requests[i], field, int(status[field][i]), bounds)
    refusals.update(unreadable)
    ends, data = columns["order_id"]
    day, instant, paid, bp, voucher = (facts[k].tolist() for k in (4, 5, 1, 2, 3))
    del day
    sha256 = hashlib.sha256
    digests = [
        sha256(_pack(
            (rows.ORDER, r.order_id, at, fen, rate, used, r.consumer, r.merchant, *_parties(r))
        )).digest()
        for r, at, fen, rate, used in zip(requests, instant, paid, bp, voucher, strict=True)
    ]  # fmt: skip
    return Checked(requests, ends.astype(np.int64), data, np.ascontiguousarray(facts.T), digests, refusals)


def _parties(r: OrderRequest) -> tuple[str, ...]:
    """Names of the other parties in the form in which they are compared."""
    parties = r.referrer, r.referrer2, r.recruiter, r.agent_district, r.agent_city, r.agent_province, r.agent_region
    if ":" in "".join(parties):
        return tuple(same_name(field, name) for field, name in zip(OPTIONAL, parties, strict=True))
    return parties


def same_name(field: str, text: str) -> str:
    """A party's name in the form in which it is shown and compared: without its kind where the column says it."""
    if not text or field not in MEANING_OF_COLUMN:
        return text
    meaning = MEANING_OF_COLUMN[field]
    kind, name = kind_and_name(meaning, text)
    return name if kind == KIND_OF_MEANING[meaning] else f"{KIND_NAMES[kind]}:{name}"


def order_digest(
    order_id: str, paid_at_ns: int, paid_fen: int, concession_bp: int, voucher_fen: int, names: Sequence[str]
) -> bytes:
    """SHA-256 of an order's facts, its names in the order of NAMES."""
    return hashlib.sha256(_pack((rows.ORDER, order_id, paid_at_ns, paid_fen, concession_bp, voucher_fen, *names))).digest()


def digest(kind: int, *facts: str | int) -> bytes:
    """SHA-256 of any other request's facts."""
    return hashlib.sha256(_pack((kind, *facts))).digest()


def _texts(texts: list[str]) -> tuple[NDArray[np.int32], Bytes]:
    """Texts as one run of bytes and where each begins."""
    parts = [text.encode() for text in texts]
    ends = np.zeros(len(parts) + 1, np.int32)
    np.cumsum([len(part) for part in parts], out=ends[1:])
    return ends, np.frombuffer(b"".join(parts), np.uint8)


_NOTHING: Final = OrderRequest("", "", "", "", "", "")


def _readable(requests: Sequence[OrderRequest]) -> tuple[Sequence[OrderRequest], dict[int, RangliError]]:
    """The requests, without those that hold what is no text for a database: a NUL, or half of a surrogate pair."""
    whole = "".join([text for r in requests for text in _fields_of(r)])
    if "\0" not in whole and not _has_surrogates(whole):
        return requests, {}
    kept, refusals = list(requests), {}
    for i, request in enumerate(requests):
        fault = unreadable_field(request)
        if fault is not None:
            kept[i], refusals[i] = _NOTHING, fault
    return kept, dict(refusals)


def _fields_of(r: OrderRequest) -> tuple[str, ...]:
    return (
        r.order_id, r.paid_at, r.merchant, r.consumer, r.amount, r.concession, r.voucher, r.referrer, r.referrer2, r.recruiter,
        r.agent_district, r.agent_city, r.agent_province, r.agent_region,
    )  # fmt: skip


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def unreadable_field(request: msgspec.Struct) -> FieldRefused | None:
    """The refusal of a request with a field that no database holds."""
    for field, text in msgspec.structs.asdict(request).items():
        if isinstance(text, str) and ("\0" in text or _has_surrogates(text)):
            return FieldRefused(field, "含 NUL 或不成对的代理字符;请去掉", "holds a NUL or half of a surrogate pair; take it out")
    return None


def _refusal(request: OrderRequest, field: str, status: int, bounds: str) -> FieldRefused:
    """Why a field is refused, in the words of order files."""
    text: str = getattr(request, field)
    reason = rejected(0, request.order_id[:SHOWN_LETTERS], field, text[:SHOWN_LETTERS], status, bounds)
    return FieldRefused(field, reason.zh, reason.en)


# ---------------------------------------------------------------- parties


class Names:
    """Names to holder numbers of one programme. Nothing is numbered for an order that is refused."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self._known: dict[str, dict[str, int]] = {meaning: {} for meaning in MEANING_OF_COLUMN.values()}

    def party(self, requests: Sequence[OrderRequest]) -> tuple[NDArray[np.int32], dict[int, RangliError]]:
        """(n, ORDER_PARTIES) holder numbers, new ones given row by row; -1 for none and in rows that are refused."""
        party = np.full((len(NAMES), len(requests)), -1, np.int32)
        new: list[tuple[int, int, str]] = []
        for column, field in enumerate(NAMES):
            known = self._known[MEANING_OF_COLUMN[field]]
            names = [getattr(r, field) for r in requests]
            if column >= len(NAMES) - len(OPTIONAL) and not any(names):
                continue
            numbers = [known.get(name, -1) for name in names]
            party[column] = numbers
            new += [
                (row, column, names[row])
                for row, number in enumerate(numbers)
                if number < 0 and (names[row] or field not in OPTIONAL)
            ]
        refusals: dict[int, RangliError] = {}
        for row, column, name in sorted(new):
            if row not in refusals:
                fault = _name_fault(NAMES[column], name)
                if fault is not None:
                    refusals[row] = fault
        for row, column, name in sorted(new):
            if row not in refusals:
                party[column, row] = self._number(MEANING_OF_COLUMN[NAMES[column]], name)
        for row in refusals:
            party[:, row] = -1
        return np.ascontiguousarray(party.T), refusals

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

    def _number(self, meaning: str, name: str) -> int:
        known = self._known[meaning]
        number = known.get(name)
        if number is None:
            number = known[name] = self.programme.holder(*kind_and_name(meaning, name))
        return number


def _name_fault(field: str, name: str) -> FieldRefused | None:
    """Why a text is no name."""
    if len(name) <= _PLAIN_LETTERS and name.isalnum():  # no space, no colon, and four bytes a letter at most
        return None
    data = name.encode()
    status = np.zeros(1, np.int8)
    ends = np.array([0, len(data)], np.int32)
    parse.check_names(ends, np.frombuffer(data, np.uint8), int(field in OPTIONAL), status)
    if status[0] == parse.OK:
        return None
    reason = rejected(0, "", field, name[:SHOWN_LETTERS], int(status[0]), "")
    return FieldRefused(field, reason.zh, reason.en)
