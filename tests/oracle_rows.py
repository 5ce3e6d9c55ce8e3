"""A row of the journal in PostgreSQL's binary COPY form, as plain Python from the manual's page on COPY; it imports nothing.

A row is told as the list of its sixteen values: numbers, text, bytes, and lists of numbers.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any, Final

COLUMNS: Final = {
    "programme": "i", "position": "q", "kind": "h", "plan": "i", "at": "q", "key": "text", "request": "bytes", "facts": "q[]",
    "party": "i[]", "source": "i[]", "destination": "i[]", "amount": "q[]", "code": "h[]", "source_before": "i[]",
    "destination_before": "i[]", "hash": "bytes",
}  # fmt: skip
"""Each column's type, by the letters of ``struct``."""
OID: Final = {"h": 21, "i": 23, "q": 20}
HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL: Final = b"\xff\xff"


def field(kind: str, value: Any) -> bytes:  # noqa: ANN401 (as many types as a row has)
    """One field: its length and its bytes."""
    if kind == "text":
        body = value.encode()
    elif kind == "bytes":
        body = value
    elif kind.endswith("[]"):
        letter = kind[0]
        elements = b"".join(field(letter, each) for each in value)
        dimension = struct.pack(">ii", len(value), 1) if value else b""
        body = struct.pack(">iii", 1 if value else 0, 0, OID[letter]) + dimension + elements
    else:
        body = struct.pack(">" + kind, value)
    return struct.pack(">i", len(body)) + body


def row(values: list[Any]) -> bytes:
    """A whole row."""
    return struct.pack(">h", len(values)) + b"".join(
        field(kind, value) for kind, value in zip(COLUMNS.values(), values, strict=True)
    )


def values(data: bytes) -> list[Any] | None:
    """What a row says; None when the bytes are no row of these columns."""
    try:
        return _values(data)
    except (struct.error, ValueError):
        return None


def _values(data: bytes) -> list[Any]:
    (count,) = struct.unpack_from(">h", data)
    at, found = 2, []
    for kind in COLUMNS.values():
        (size,) = struct.unpack_from(">i", data, at)
        body = data[at + 4 : at + 4 + size] if size >= 0 else b""
        at += 4 + size
        if kind == "text":
            found.append(body.decode())
        elif kind == "bytes":
            found.append(body)
        elif kind.endswith("[]"):
            found.append(_elements(kind[0], body))
        else:
            found += struct.unpack(">" + kind, body)
    if row(found) != data or count != len(found):  # every number, flag and length is as it must be
        raise ValueError
    return found


def _elements(letter: str, body: bytes) -> list[int]:
    if len(body) == struct.calcsize(">iii"):
        return []
    (count,) = struct.unpack_from(">i", body, 12)
    wide = 4 + struct.calcsize(">" + letter)
    if count < 0 or len(body) != 20 + count * wide:
        raise ValueError
    return [struct.unpack_from(">" + letter, body, 24 + wide * k)[0] for k in range(count)]


def chained(rows: list[list[Any]], head: bytes = bytes(32)) -> list[bytes]:
    """The hashes that rows must have: SHA-256 of the one before and of the row's bytes up to its own."""
    hashes = []
    for each in rows:
        head = hashlib.sha256(head + row([*each[:-1], bytes(32)])[:-32]).digest()
        hashes.append(head)
    return hashes
