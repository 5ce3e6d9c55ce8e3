"""Who may come in: API keys with scopes, for some programmes or for all.

A token is ``rl_<key id>_<43 random characters>`` and is shown once; the table holds its SHA-256. (Nothing can be guessed of 256
random bits, so it needs no salt and no slow hash.) Live keys are read at most every ``CACHED_SECONDS`` and answered from memory
in between, so a revocation is known in every process after that time, and at once in the one that did it. A key that memory
lacks may have been made elsewhere a moment ago: it lets the table be read again, but no more than some twenty times a second,
so that false keys cost next to nothing however many come.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from hashlib import sha256
from threading import Lock
from typing import Final

import msgspec

from rangli.errors import FieldRefused, KeyNotFound, KeyRefused, ProgrammeNotFound, ScopeRefused
from rangli.service.clock import MICRO_PER_SECOND, Clock, rfc3339
from rangli.store import people
from rangli.store.database import Database
from rangli.store.people import KeyRow

SCOPES: Final = ("read", "orders", "money", "plans", "admin")
"""read: everything there is to see; orders: post and refund them; money: sales, injections, closings; plans: activate versions;
admin: programmes, keys, webhooks. None contains another."""
CACHED_SECONDS: Final = 2
"""How long a revoked key may still be let in by another process."""
NAME_LETTERS_MAX: Final = 100
PER_SECOND: Final = 1_000
PER_SECOND_MAX: Final = 1_000_000
_UNKNOWN_MICRO: Final = 50_000
"""How old the memory must be before an unknown key lets the table be read."""
_USED_SECONDS: Final = 60
"""How exact ``last_used_at`` is; a write for every request would cost more than the request."""
_TOKEN: Final = re.compile(r"rl_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class Grant(msgspec.Struct, frozen=True):
    """What the bearer of a key may do."""

    key_id: str
    name: str
    scopes: frozenset[str]
    programmes: frozenset[str] | None
    """None: all of them."""
    per_second: int

    def require(self, scope: str, programme: str | None = None) -> None:
        """Go on if the key has this scope and may see this programme. Raises ScopeRefused, which names what is missing."""
        if scope not in self.scopes:
            raise ScopeRefused(
                scope,
                f"密钥缺少权限 {scope};请换用有此权限的密钥,或请管理员另建",
                f"the key lacks the scope {scope}; use one that has it, or ask for one",
            )
        if programme is not None and self.programmes is not None and programme not in self.programmes:
            raise ScopeRefused(
                programme,
                f"密钥不能用于项目 {programme};请换用包含它的密钥,或请管理员另建",
                f"the key is not for the programme {programme}; use one that is, or ask for one",
            )


class KeyView(msgspec.Struct, frozen=True):
    """A key as its administrator sees it."""

    key_id: str
    name: str
    scopes: list[str]
    programmes: list[str] | None
    """None: all of them."""
    per_second: int
    created_at: str
    last_used_at: str
    """To the minute; empty when it was never used."""
    revoked_at: str
    """Empty while it is valid."""


KeyViews = list[KeyView]


class Access:
    """The API keys of a database. All methods may be called from any thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = Lock()
        self._live: dict[str, KeyRow] = {}
        self._read_at: int | None = None

    def grant(self, token: str) -> Grant:
        """What the bearer of this token may do. Raises KeyRefused, the same whatever is wrong."""
        match = _TOKEN.fullmatch(token)
        key = None if match is None else self._key(match[1])
        if key is None or not hmac.compare_digest(key.digest, _digest(token)):
            raise KeyRefused
        self._note_use(key)
        programmes = None if key.programmes is None else frozenset(key.programmes)
        return Grant(key.id, key.name, frozenset(key.scopes), programmes, key.per_second)

    def create(
        self, name: str, scopes: Iterable[str], programmes: Iterable[str] | None = None, per_second: int = PER_SECOND
    ) -> tuple[str, KeyView]:
        """A new key and its token, which is never shown again. Raises FieldRefused, ProgrammeNotFound."""
        key_id = secrets.token_hex(6)
        token = f"rl_{key_id}_{secrets.token_urlsafe(32)}"
        key = KeyRow(
            id=key_id,
            name=name,
            digest=_digest(token),
            scopes=sorted(set(scopes)),
            programmes=None if programmes is None else sorted(set(programmes)),
            per_second=per_second,
            created_at=self._clock(),
        )
        _check(key)
        with self._database.reading() as connection:
            for programme in key.programmes or ():
                if people.programme_number(connection, programme) is None:
                    raise ProgrammeNotFound(f"没有名为 {programme} 的项目", f"there is no programme {programme}")
            people.insert_key(connection, key)
        self._forget()
        return token, _view(key)

    def list(self) -> KeyViews:
        """All keys, oldest first, with those that were revoked."""
        with self._database.reading() as connection:
            return [_view(key) for key in people.keys(connection)]

    def revoke(self, key_id: str) -> None:
        """End a key for ever; again does no harm. Raises KeyNotFound."""
        with self._database.reading() as connection:
            if not people.revoke_key(connection, key_id, self._clock()):
                raise KeyNotFound(f"没有编号为 {key_id} 的密钥", f"there is no key {key_id}")
        self._forget()

    # ------------------------------------------------------------ memory

    def _key(self, key_id: str) -> KeyRow | None:
        """A live key, from memory or, if it is old or lacks the key, from the table."""
        return self._keys(CACHED_SECONDS * MICRO_PER_SECOND).get(key_id) or self._keys(_UNKNOWN_MICRO).get(key_id)

    def _keys(self, age_max_micro: int) -> dict[str, KeyRow]:
        """The live keys, read again if memory is older than this (or from the future: clocks are set back)."""
        with self._lock:
            now = self._clock()
            if self._read_at is None or not 0 <= now - self._read_at < age_max_micro:
                with self._database.reading() as connection:
                    self._live = {key.id: key for key in people.keys(connection, live=True)}
                self._read_at = now
            return self._live

    def _forget(self) -> None:
        """Let the next question read the table."""
        with self._lock:
            self._read_at = None

    def _note_use(self, key: KeyRow) -> None:
        """Keep when the key was last used, to the minute."""
        now = self._clock()
        if key.last_used_at is None or now - key.last_used_at >= _USED_SECONDS * MICRO_PER_SECOND:
            with self._lock:
                if key.id in self._live:  # it may have been revoked since
                    self._live[key.id] = key._replace(last_used_at=now)
            with self._database.reading() as connection:
                people.touch_key(connection, key.id, now)


def _digest(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()


def _check(key: KeyRow) -> None:
    """Refuse what would be no key. Raises FieldRefused."""
    if not 1 <= len(key.name.strip()) <= NAME_LETTERS_MAX:
        raise FieldRefused(
            "name",
            f"须为 1 至 {NAME_LETTERS_MAX} 个字,说明密钥由谁使用",
            f"must be 1 to {NAME_LETTERS_MAX} letters that say who uses it",
        )
    wrong = [scope for scope in key.scopes if scope not in SCOPES]
    if wrong or not key.scopes:
        known = ", ".join(SCOPES)
        raise FieldRefused(
            "scopes",
            f"{'、'.join(wrong) or '空'} 不是权限;可用的有 {known}",
            f"{', '.join(wrong) or 'nothing'} is no scope; there are {known}",
        )
    if key.programmes == []:
        raise FieldRefused("programmes", "不能为空列表;不写则可用于全部项目", "must not be empty; leave it out to mean all")
    if not 1 <= key.per_second <= PER_SECOND_MAX:
        raise FieldRefused("per_second", f"须在 1 至 {PER_SECOND_MAX} 之间", f"must be from 1 to {PER_SECOND_MAX}")


def _view(key: KeyRow) -> KeyView:
    """The key without its digest."""
    return KeyView(
        key_id=key.id,
        name=key.name,
        scopes=key.scopes,
        programmes=key.programmes,
        per_second=key.per_second,
        created_at=rfc3339(key.created_at),
        last_used_at="" if key.last_used_at is None else rfc3339(key.last_used_at),
        revoked_at="" if key.revoked_at is None else rfc3339(key.revoked_at),
    )
