"""The gate: whose key it is, what it may do, and how often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final

from rangli.errors import KeyRefused
from rangli.money import mul_div
from rangli.service.people.access import Access, Grant
from rangli.web.problems import Fault

SCOPES: Final = {
    "read": ("查看项目、订单、账户、决定", "see programmes, orders, accounts and decisions"),
    "orders": ("提交订单与退款", "hand in orders and refunds"),
    "money": ("卖积分、注资、关账", "sell points, inject funds, close periods"),
    "plans": ("启用方案的新版本", "activate versions of the plan"),
    "admin": ("新建项目,管理密钥与 webhook", "create programmes, keep keys and webhooks"),
}
"""Scope -> what its holder may do, in Chinese and English. None contains another."""

NANO: Final = 10**9
REMEMBERED_NANO: Final = NANO
"""How long a key that was let in is let in without asking again; a revocation in this process ends it at once."""
REMEMBERED_MAX: Final = 10_000
ROWS_PER_REQUEST: Final = 1_000
"""Rows of a batch that count as one more request."""

Now = Callable[[], int]


class Gate:
    """Lets keys in. A key that was let in a moment ago costs one hash, and no thread is asked."""

    def __init__(
        self, access: Access, ask: Callable[[Callable[[str], Grant], str], Awaitable[Grant]], now: Now = time.monotonic_ns
    ) -> None:
        self._access = access
        self._ask = ask
        """Calls what may wait for the database, beside the event loop."""
        self._now = now
        self._known: dict[bytes, tuple[Grant, int]] = {}
        """A key's hash -> what it may do, and until when that holds."""
        self._asking: dict[bytes, asyncio.Future[Grant]] = {}

    async def grant(self, authorization: str) -> Grant:
        """What the key in an Authorization header may do. Raises KeyRefused."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise KeyRefused
        digest = sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and self._now() < known[1]:
            return known[0]
        asking = self._asking.get(digest)
        if asking is None:
            asking = self._asking[digest] = asyncio.ensure_future(self._ask(self._access.grant, token))
            asking.add_done_callback(lambda asked: self._remember(digest, asked))
        return await asyncio.shield(asking)

    def _remember(self, digest: bytes, asked: asyncio.Future[Grant]) -> None:
        """Keep what was answered to all who asked for this key at the same time."""
        del self._asking[digest]
        if asked.cancelled() or asked.exception() is not None:
            self._known.pop(digest, None)
            return
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[digest] = (asked.result(), self._now() + REMEMBERED_NANO)

    def forget(self) -> None:
        """Ask again for every key."""
        self._known.clear()


class Meter:
    """How often each key may ask: a bucket of two seconds' requests each, which fills at the key's own pace.

    A request is let in while there is anything in the bucket and takes what it costs, so a large batch is paid for afterwards.
    """

    def __init__(self, now: Now = time.monotonic_ns) -> None:
        self._now = now
        self._buckets: dict[str, tuple[int, int]] = {}
        """Key's id -> (what is in the bucket, in requests by NANO; since when)."""

    def charge(self, grant: Grant) -> None:
        """Take the cost of a request. Raises Fault when the bucket is empty."""
        now, full = self._now(), 2 * grant.per_second * NANO
        held, since = self._buckets.get(grant.key_id, (full, now))
        held = min(full, held + (now - since) * grant.per_second)
        if held <= 0:
            wait_seconds = str(mul_div(-held, 1, grant.per_second * NANO) + 1)
            retry_after = (b"retry-after", wait_seconds.encode())
            raise Fault("rate_limited", str(grant.per_second), wait_seconds, headers=(retry_after,))
        self._buckets[grant.key_id] = (held - NANO, now)

    def charge_rows(self, grant: Grant, rows: int) -> None:
        """Take the cost of a batch's rows beyond what its request cost; never refuses."""
        held, since = self._buckets[grant.key_id]
        self._buckets[grant.key_id] = (held - mul_div(rows, NANO, ROWS_PER_REQUEST), since)
