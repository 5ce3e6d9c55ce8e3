"""Tables whose rows are all in memory: put in order by any column, and paged.

A cursor is the place of the last row that was shown, its key and its name. So rows that come and go between two pages disturb no
other: none is skipped, none comes twice.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from rangli.errors import FieldRefused
from rangli.web.console.listing import NO_CURSOR, Row, Slice, Sort, Want

T = TypeVar("T")
Key = str | int
By = Mapping[Sort, Callable[[T], Key]]
"""What each order goes by. All keys of one order are of one type."""


def shelved(found: Iterable[T], want: Want, by: By[T], name: Callable[[T], str], row: Callable[[T], Row]) -> Slice:
    """The page that is wanted; ``name`` tells things apart whose keys are equal, ``row`` draws one. Raises FieldRefused."""
    sort, key = next((sort, key) for sort, key in by.items() if sort.code == want.sort)

    def place(one: T) -> tuple[Key, str]:
        return key(one), name(one)

    rest = sorted(found, key=place, reverse=sort.is_falling)
    if want.cursor and rest:
        after = _place_of(want.cursor, type(key(rest[0])))
        rest = [one for one in rest if (place(one) < after if sort.is_falling else place(one) > after)]
    following = _cursor_of(place(rest[want.limit - 1])) if len(rest) > want.limit else ""
    return Slice([row(one) for one in rest[: want.limit]], following)


def _cursor_of(place: tuple[Key, str]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _place_of(cursor: str, kind: type[Key]) -> tuple[Key, str]:
    """What ``_cursor_of`` was given. Raises FieldRefused."""
    try:
        data = urlsafe_b64decode(cursor + "=" * (-len(cursor) & 3))
        return msgspec.json.decode(data, type=tuple[kind, str])  # type: ignore[valid-type]
    except ValueError as fault:  # of base64 or of msgspec
        raise FieldRefused(*NO_CURSOR) from fault
