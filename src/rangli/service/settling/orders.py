"""Order requests as columns, checked by the compiled readers of order files, and the digests by which requests are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from rangli.errors import FieldRefused, RangliError
from rangli.files import parse
from rangli.files.orders import FIELDS, NAMES, rejected
from rangli.money import print_percent
from rangli.service.requests import OrderRequest, Signature
from rangli.service.settling.names import OPTIONAL, SHOWN_LETTERS, same_name
from rangli.service.settling.packed import PLACE_OF_NAME, TEXTS, Facts, Packed, digests_of, packed
from rangli.store import rows
from rangli.store.rows import Bytes, Ints

_pack: Final = msgspec.msgpack.Encoder().encode


class Checked(NamedTuple):
    """Orders as columns; those refused have zeros."""

    requests: Sequence[OrderRequest]
    packed: Packed
    key_ends: Ints
    keys: Bytes
    facts: Ints
    """(n, 6) as rows.FACTS[ORDER], the number 0."""
    digests: Bytes
    """(n, 32) SHA-256 of what was asked."""
    refusals: dict[int, RangliError]

    def digest(self, i: int) -> bytes:
        """The one of order i."""
        return bytes(self.digests[i])


def check(requests: Sequence[OrderRequest], range_bp: tuple[int, int]) -> Checked:
    """Read every field of these orders; the first fault of a row refuses it."""
    count = len(requests)
    requests, texts, has_colon, unreadable = _readable(requests)
    columns = {name: texts.column(name) for name in ("order_id", "paid_at", "amount", "concession", "voucher")}
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
    ends, keys = columns["order_id"]
    numbers = np.ascontiguousarray(facts.T)
    place, name = TEXTS.index("order_id"), PLACE_OF_NAME
    ids, names = (texts.begin[place], texts.stop[place]), (texts.begin[name], texts.stop[name])
    digests = digests_of(Facts(texts.data, ids, numbers, texts.data, names))
    for i in np.flatnonzero(has_colon).tolist():
        digests[i] = np.frombuffer(_digest_of(requests[i], numbers[i].tolist()), np.uint8)
    return Checked(requests, texts, ends.astype(np.int64), keys, numbers, digests, refusals)


def _digest_of(r: OrderRequest, facts: Sequence[int]) -> bytes:
    """The digest of an order with a party's kind before its name: the kind goes where the column says it."""
    names = [same_name(field, getattr(r, field)) if field in OPTIONAL else getattr(r, field) for field in NAMES]
    return order_digest(r.order_id, facts[5], facts[1], facts[2], facts[3], names)


def order_digest(
    order_id: str, paid_at_ns: int, paid_fen: int, concession_bp: int, voucher_fen: int, names: Sequence[str]
) -> bytes:
    """SHA-256 of an order's facts, its names in the order of NAMES."""
    return digest(rows.ORDER, order_id, paid_at_ns, paid_fen, concession_bp, voucher_fen, *names)


def digest(kind: int, *facts: str | int) -> bytes:
    """SHA-256 of any other request's facts."""
    return hashlib.sha256(_pack((kind, *facts))).digest()


_NOTHING: Final = OrderRequest("", "", "", "", "", "")
_OPTIONAL_PLACES: Final = PLACE_OF_NAME[len(NAMES) - len(OPTIONAL) :]


def _readable(
    requests: Sequence[OrderRequest],
) -> tuple[Sequence[OrderRequest], Packed, NDArray[np.bool_], dict[int, RangliError]]:
    """The requests, without those that hold what is no text for a database; and which have a party's kind before its name."""
    texts = packed(requests)
    if texts is not None and not texts.has_nul():
        return requests, texts, texts.rows_with(b":", _OPTIONAL_PLACES, elsewhere="paid_at"), {}
    faults = {i: fault for i, request in enumerate(requests) if (fault := unreadable_field(request)) is not None}
    requests = [_NOTHING if i in faults else request for i, request in enumerate(requests)]
    texts = packed(requests)
    assert texts is not None
    return requests, texts, texts.rows_with(b":", _OPTIONAL_PLACES, elsewhere="paid_at"), dict(faults)


def unreadable_field(request: msgspec.Struct) -> FieldRefused | None:
    """The refusal of a request with a field that no database holds: no text, a NUL in it, or half of a surrogate pair."""
    for field, text in _texts(request):
        if not isinstance(text, str):
            return FieldRefused(field, "不是文本;请写成文本", "is no text; write it as one")
        if "\0" in text or _has_surrogates(text):
            return FieldRefused(field, "含 NUL 或不成对的代理字符;请去掉", "holds a NUL or half of a surrogate pair; take it out")
    return None


def _texts(request: msgspec.Struct) -> Iterator[tuple[str, object]]:
    """Every field with its text; of a list of parts, each part's texts under the list's name."""
    for field, value in msgspec.structs.asdict(request).items():
        if field != "signed":
            yield field, value
            continue
        for part in value if isinstance(value, tuple | list) else (None,):
            yield from ((field, text) for _, text in _texts(part)) if isinstance(part, Signature) else ((field, None),)


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _refusal(request: OrderRequest, field: str, status: int, bounds: str) -> FieldRefused:
    """Why a field is refused, in the words of order files."""
    text: str = getattr(request, field)
    reason = rejected(0, request.order_id[:SHOWN_LETTERS], field, text[:SHOWN_LETTERS], status, bounds)
    return FieldRefused(field, reason.zh, reason.en)
