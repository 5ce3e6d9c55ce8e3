"""Statements oldest first: from an account's first entry on, each with what the account held after it.

What the account held before a page comes with the cursor, for adding it up from the beginning would take longer with every page.
So that nobody can put a balance of his own on a page, a cursor ends with a tag that this process alone can write. Its key is new
at each start: a database that was restored in between may say otherwise of the same positions, and a cursor of before is refused.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final, NamedTuple

from rangli.errors import FieldRefused
from rangli.ledger.accounts import Accounts
from rangli.money import mul_div
from rangli.service.clock import rfc3339
from rangli.service.looking.browsing import Looked
from rangli.service.looking.chains import Chains
from rangli.service.looking.ranked import START
from rangli.service.looking.reading import PAGE_MAX, entry_view
from rangli.service.views import EntryView
from rangli.store import browse
from rangli.store.database import Database

_KEY_BYTES: Final = 32


class Place(NamedTuple):
    """A place in a statement: a line of a decision, whether it is the account's or not, and what that held before."""

    position: int = 1
    line: int = 1
    held_micro: int = 0


class Forward:
    """The statements of one programme's accounts."""

    def __init__(self, database: Database, programme: int) -> None:
        self._database = database
        self._number = programme
        self._chains = Chains(programme)
        self._key = secrets.token_bytes(_KEY_BYTES)

    def page(self, account: int, accounts: Accounts, moment: tuple[int, int], cursor: str, limit: int) -> Looked:
        """A page of entries. Raises FieldRefused.

        moment : the last decision that touched the account, as things stand, and the one after which the statement is wanted
        """
        limit = max(1, min(limit, PAGE_MAX))
        place, (last, upto) = self._place(account, cursor), (moment[0], min(moment))
        if place.position > upto:
            return Looked([])
        with self._database.reading() as connection:
            reach = self._chains.reach(connection, account, last, (place.position, upto), limit + 1)
            if reach.is_waiting:
                return Looked([], cursor or START, percent=reach.percent, is_waiting=True)
            legs = browse.legs(connection, self._number, account, reach.positions, place[:2], limit + 1)
            is_short = len(legs) < limit and reach.stop < upto
            looked_at = browse.instant(connection, self._number, reach.stop) if is_short else 0
        held_micro = place.held_micro
        entries: list[EntryView] = []
        for leg in legs[:limit]:
            held_micro += leg.gained(account)
            entries.append(entry_view(leg, account, accounts, held_micro))
        if len(legs) > limit:
            return Looked(entries, self._cursor(account, Place(*legs[limit][:2], held_micro)))
        if reach.stop == upto:
            return Looked(entries)
        following = self._cursor(account, Place(reach.stop + 1, held_micro=held_micro))
        looked = Looked(entries, following)
        return looked._replace(upto=rfc3339(looked_at), percent=mul_div(100, reach.stop, upto)) if is_short else looked

    def _cursor(self, account: int, place: Place) -> str:
        """What ``_place`` reads."""
        text = ".".join(map(str, place))
        return f"{text}.{self._tag(account, text)}"

    def _place(self, account: int, cursor: str) -> Place:
        """The place that a cursor of ours is. Raises FieldRefused."""
        if cursor in ("", START):
            return Place()
        text, _, tag = cursor.rpartition(".")
        if not hmac.compare_digest(tag.encode("utf-8", "replace"), self._tag(account, text).encode()):
            raise FieldRefused(
                "cursor",
                "不是这份对账单给出的游标,或是服务重启之前的;请从第一页开始",
                "is no cursor of this statement, or one of before a restart; begin with the first page",
            )
        return Place(*map(int, text.split(".")))

    def _tag(self, account: int, text: str) -> str:
        """What nobody else can write under a place in the account's statement."""
        return hmac.digest(self._key, f"{account} {text}".encode("utf-8", "replace"), "sha256").hex()
