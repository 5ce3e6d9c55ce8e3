"""Webhooks: telling other servers what was decided. At least once, in the journal's order, from the moment they asked for it.

An endpoint's position is the last decision that stands in one of its messages. A message is the next few decisions of the kinds
it wants: it is written down together with the new position, and only then sent, again and again until a 2xx answers it. So
nothing is lost by a crash, the same message has the same id and body at every attempt, and what follows waits its turn.

Attempts are seconds apart at first and hours at last; after some three days the endpoint is paused and shows why, and at once
when it answers 410 Gone. ``redeliver`` sends a message that is still kept again, before what is new, and wakes a paused endpoint.

Of several processes one delivers a programme's messages: the one that holds its advisory lock. Messages name people, since
receivers must know them; the log names endpoints by their ids and nobody else.
"""

from __future__ import annotations

import logging
import re
import secrets
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Thread
from typing import Final

import httpx
import msgspec
import psycopg

from rangli.errors import DeliveryNotFound, FieldRefused, ProgrammeNotFound, RangliError, WebhookNotFound
from rangli.money import mul_div
from rangli.service import endpoint
from rangli.service.clock import MICRO_PER_SECOND, Clock, rfc3339
from rangli.service.endpoint import Message
from rangli.service.views import DecisionView
from rangli.store import journal, people
from rangli.store.database import Connection, Database
from rangli.store.people import DeliveryRow, WebhookRow
from rangli.store.rows import KIND_NAMES

Read = Callable[[str, int, int], list[DecisionView]]
"""(programme, after, limit): how decisions are read."""

DECISIONS_MAX: Final = 100
"""Decisions of one message, ..."""
TRANSFERS_MAX: Final = 2_048
"""... and their transfers, unless the first has more: some 400 kB, which receivers commonly accept."""
ENDPOINTS_MAX: Final = 32
"""Endpoints of one programme."""
KEPT: Final = 1_000
"""Delivered messages of an endpoint that can be looked at and sent again."""
WAIT_SECONDS: Final = 5
WAIT_SECONDS_MAX: Final = 3 * 3_600
TRYING_SECONDS: Final = 3 * 86_400
POLL_SECONDS: Final = 1
_GATHER_SECONDS: Final = timedelta(milliseconds=50).total_seconds()
"""What is decided meanwhile goes into the same message."""
_SENDERS: Final = 4
_TURNS: Final = 20
"""Messages to one endpoint before others have their turn."""
_DOUBLINGS_MAX: Final = 30
_DELIVERING: Final = 0x52414E49
"""Advisory lock of whoever delivers a programme's messages; its second half is the programme's number."""
_DELIVERY: Final = re.compile(r"msg_([0-9a-f]{16})_([0-9]{1,18})")
_GONE: Final = "status 410"

_log = logging.getLogger("rangli.webhooks")


# ---------------------------------------------------------------- what is shown, and what is sent


class WebhookView(msgspec.Struct, frozen=True):
    """An endpoint as its administrator sees it."""

    id: str
    url: str
    kinds: list[str]
    """Of decisions; an empty list means all."""
    position: int
    """The last decision that stands in one of its messages or that it does not want."""
    created_at: str
    paused_at: str
    """Empty while it is told."""
    zh: str
    en: str
    """Why it is paused."""
    secret: str = ""
    """What messages to it are signed with; shown only when it is added."""


class DeliveryView(msgspec.Struct, frozen=True):
    """A message and what became of it."""

    id: str
    """The header ``webhook-id``, the same at every attempt."""
    first: int
    last: int
    """Its decisions are those between these positions that the endpoint wants."""
    asked_at: str
    """When it was written, or last asked for again."""
    attempts: int
    tried_at: str
    """Empty before the first attempt."""
    delivered_at: str
    """Empty until it is taken."""
    due_at: str
    """When it is sent next; empty once it is taken."""
    zh: str
    en: str
    """Why the last attempt failed."""


class Told(msgspec.Struct, frozen=True):
    """The heart of a message."""

    programme: str
    decisions: list[DecisionView]


class Body(msgspec.Struct, frozen=True):
    """A message as receivers get it."""

    type: str
    """decisions"""
    timestamp: str
    """When the last of them was made."""
    data: Told


WebhookViews = list[WebhookView]
DeliveryViews = list[DeliveryView]


class Webhooks:
    """The endpoints of a database's programmes, and the thread that tells them. All methods may be called from any thread."""

    def __init__(self, database: Database, clock: Clock, read: Read, *, private_allowed: bool = False) -> None:
        self._database = database
        self._clock = clock
        self._read = read
        self._private_allowed = private_allowed
        """Whether endpoints may be at private and loopback addresses."""
        self._context = ssl.create_default_context()
        self._locks: Connection | None = None
        self._ours: dict[int, str] = {}
        """The programmes whose lock we hold: number and name."""
        self._told: frozenset[str] = frozenset()
        """The programmes whose decisions somebody waits for."""
        self._busy: set[tuple[int, str]] = set()
        self._woken = Event()
        self._stopping = Event()
        self._thread: Thread | None = None

    # ------------------------------------------------------------ administration

    def add(self, programme: str, url: str, kinds: Iterable[str] = ()) -> WebhookView:
        """Tell this URL of what is decided from now on. Raises FieldRefused, ProgrammeNotFound."""
        endpoint.check_url(url, private_allowed=self._private_allowed)
        row = WebhookRow(
            programme=0,
            id=secrets.token_hex(8),
            url=url,
            kinds=_kind_numbers(kinds),
            secret=endpoint.SECRET_PREFIX + b64encode(secrets.token_bytes(32)).decode(),
            position=0,
            created_at=self._clock(),
        )
        with self._database.reading() as connection, connection.transaction():
            row = row._replace(programme=_number(connection, programme))
            if len(people.webhooks(connection, row.programme)) >= ENDPOINTS_MAX:
                raise FieldRefused(
                    "url",
                    f"每个项目至多 {ENDPOINTS_MAX} 个接收地址;请先删除一个",
                    f"a programme has at most {ENDPOINTS_MAX} webhooks; remove one first",
                )
            row = people.insert_webhook(connection, row)
        self._woken.set()
        return msgspec.structs.replace(_view(row), secret=row.secret)

    def list(self, programme: str) -> WebhookViews:
        """The endpoints of a programme, oldest first. Raises ProgrammeNotFound."""
        with self._database.reading() as connection:
            return [_view(row) for row in people.webhooks(connection, _number(connection, programme))]

    def remove(self, programme: str, webhook_id: str) -> None:
        """Tell an endpoint nothing more, and forget what it was told. Raises WebhookNotFound, ProgrammeNotFound."""
        with self._database.reading() as connection:
            if not people.remove_webhook(connection, _number(connection, programme), webhook_id):
                raise _no_webhook(webhook_id)

    def deliveries(self, programme: str, webhook_id: str, limit: int = 100) -> DeliveryViews:
        """The newest messages to an endpoint, newest first. Raises WebhookNotFound, ProgrammeNotFound."""
        with self._database.reading() as connection:
            number = _number(connection, programme)
            if people.webhook(connection, number, webhook_id) is None:
                raise _no_webhook(webhook_id)
            return [_delivery_view(row) for row in people.deliveries(connection, number, webhook_id, max(limit, 0))]

    def redeliver(self, programme: str, delivery_id: str) -> None:
        """Send a message again, now, and wake its endpoint if it is paused. Raises DeliveryNotFound, ProgrammeNotFound."""
        match = _DELIVERY.fullmatch(delivery_id)
        with self._database.reading() as connection, connection.transaction():
            number = _number(connection, programme)
            if match is None or not people.ask_again(connection, number, match[1], int(match[2]), self._clock()):
                raise DeliveryNotFound(
                    f"没有编号为 {delivery_id} 的推送,或已不再保留;每个接收地址保留最近 {KEPT} 次",
                    f"there is no delivery {delivery_id}, or it is no longer kept: the last {KEPT} of an endpoint are",
                )
            people.pause(connection, number, match[1], None, "")
        self._woken.set()

    # ------------------------------------------------------------ the thread

    def start(self) -> None:
        """Begin to deliver, in the background."""
        assert self._thread is None
        self._stopping.clear()
        self._thread = Thread(target=self._run, name="rangli webhooks", daemon=True)
        self._thread.start()

    def notify(self, programme: str) -> None:
        """There is something new in a programme's journal. It costs nothing; if it is forgotten the thread finds out itself."""
        if programme in self._told:
            self._woken.set()

    def stop(self) -> None:
        """Finish the attempts that are being made, and no more."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        """Look for what is due, and let it be sent, until we stop."""
        with ThreadPoolExecutor(_SENDERS, "rangli webhook") as senders:
            while not self._stopping.is_set():
                try:
                    self._look(senders)
                except (psycopg.Error, RangliError) as fault:
                    _log.warning("no messages are sent for now: %s", type(fault).__name__)
                    self._let_go()
                if self._woken.wait(POLL_SECONDS):
                    self._stopping.wait(_GATHER_SECONDS)
                    self._woken.clear()
        self._let_go()

    def _look(self, senders: ThreadPoolExecutor) -> None:
        """Hand every endpoint that is due, and not being served, to a sender."""
        if self._locks is None:
            self._locks = self._database.connect()
        awaiting = people.awaiting(self._locks)
        self._told = frozenset(awaiting.values())
        for number in awaiting.keys() - self._ours.keys():
            if people.try_lock(self._locks, _DELIVERING, number):
                self._ours[number] = awaiting[number]
        for number, webhook_id in people.due(self._locks, self._ours, self._clock()):
            if (number, webhook_id) not in self._busy:
                self._busy.add((number, webhook_id))
                senders.submit(self._serve, number, webhook_id)

    def _let_go(self) -> None:
        """Give up our locks, so that another process may deliver."""
        self._ours = {}
        if self._locks is not None:
            self._locks.close()
            self._locks = None

    # ------------------------------------------------------------ a sender

    def _serve(self, number: int, webhook_id: str) -> None:
        """Send an endpoint what is due, as long as it takes it and it is its turn."""
        try:
            with endpoint.client(self._context) as sender:
                turns = 0
                while turns < _TURNS and not self._stopping.is_set() and self._deliver(sender, number, webhook_id):
                    turns += 1
            if turns == _TURNS:
                self._woken.set()
        except Exception as fault:  # noqa: BLE001 -- a sender that dies in silence would never be noticed; the next look tries again
            _log.warning("webhook %s is not served for now: %s", webhook_id, type(fault).__name__)
        finally:
            self._busy.discard((number, webhook_id))

    def _deliver(self, sender: httpx.Client, number: int, webhook_id: str) -> bool:
        """Try to deliver the next message of an endpoint; whether it was taken."""
        name = self._ours.get(number)
        with self._database.reading() as connection:
            row = people.webhook(connection, number, webhook_id)
            if name is None or row is None or row.paused_at is not None:
                return False
            delivery = people.next_delivery(connection, number, webhook_id) or self._write(connection, row)
        now = self._clock()
        if delivery is None or delivery.due_at > now:
            return False
        decisions = self._read(name, delivery.first - 1, delivery.last - delivery.first + 1)
        if not decisions or decisions[-1].position != delivery.last:
            return False  # not to be read here yet
        message = _message(name, row, delivery, decisions)
        seconds = mul_div(now, 1, MICRO_PER_SECOND)
        headers = {
            "webhook-id": message.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": endpoint.signature(row.secret, message, seconds),
        }
        fault = endpoint.post(sender, row.url, message, headers, private_allowed=self._private_allowed)
        self._note(delivery, fault)
        return fault == ""

    def _write(self, connection: Connection, row: WebhookRow) -> DeliveryRow | None:
        """Write an endpoint's next message down; None if there is nothing for it."""
        head = journal.head(connection, row.programme)
        page = people.next_page(connection, row, head, DECISIONS_MAX, TRANSFERS_MAX)
        if page is None:
            people.advance(connection, row, head)
            return None
        now = self._clock()
        delivery = DeliveryRow(row.programme, row.id, *page, asked_at=now, due_at=now)
        with connection.transaction():
            if not people.advance(connection, row, delivery.last):
                return None
            people.insert_delivery(connection, delivery)
            people.forget_deliveries(connection, row.programme, row.id, KEPT)
        return delivery

    def _note(self, delivery: DeliveryRow, fault: str) -> None:
        """Keep what became of an attempt, and pause an endpoint that is given up."""
        now = self._clock()
        after = delivery._replace(attempts=delivery.attempts + 1, tried_at=now, fault=fault)
        if fault:
            after = after._replace(due_at=now + wait_micro(after.attempts))
            _log.info("webhook %s, attempt %d: %s", delivery.webhook, after.attempts, fault)
        else:
            after = after._replace(delivered_at=now)
        given_up = fault == _GONE or after.due_at > delivery.asked_at + TRYING_SECONDS * MICRO_PER_SECOND
        with self._database.reading() as connection, connection.transaction():
            people.tried(connection, after)
            if fault and given_up:
                people.pause(connection, delivery.programme, delivery.webhook, now, fault)
                _log.warning("webhook %s is paused: %s", delivery.webhook, fault)


def wait_micro(attempts: int) -> int:
    """How long until the next attempt: doubling up to a limit, and up to as much again by chance, so that none keep step."""
    least = min(WAIT_SECONDS << min(attempts - 1, _DOUBLINGS_MAX), WAIT_SECONDS_MAX) * MICRO_PER_SECOND
    return least + secrets.randbelow(least)


# ---------------------------------------------------------------- from rows to views


def _message(name: str, row: WebhookRow, delivery: DeliveryRow, decisions: list[DecisionView]) -> Message:
    """The same bytes for the same delivery, whenever it is made."""
    wanted = [decision for decision in decisions if not row.kinds or KIND_NAMES.index(decision.kind) in row.kinds]
    body = Body("decisions", decisions[-1].decided_at, Told(name, wanted))
    return Message(_delivery_id(delivery), msgspec.json.encode(body))


def _delivery_id(row: DeliveryRow) -> str:
    return f"msg_{row.webhook}_{row.first}"


def _view(row: WebhookRow) -> WebhookView:
    """The endpoint without its secret."""
    zh, en = endpoint.fault_in_words(row.fault)
    kinds = [KIND_NAMES[kind] for kind in row.kinds]
    return WebhookView(row.id, row.url, kinds, row.position, rfc3339(row.created_at), _time(row.paused_at), zh, en)


def _delivery_view(row: DeliveryRow) -> DeliveryView:
    zh, en = endpoint.fault_in_words(row.fault)
    return DeliveryView(
        id=_delivery_id(row),
        first=row.first,
        last=row.last,
        asked_at=rfc3339(row.asked_at),
        attempts=row.attempts,
        tried_at=_time(row.tried_at),
        delivered_at=_time(row.delivered_at),
        due_at=_time(row.due_at if row.delivered_at is None else None),
        zh=zh,
        en=en,
    )


def _time(micro: int | None) -> str:
    """A time, or an empty text for none."""
    return "" if micro is None else rfc3339(micro)


def _kind_numbers(kinds: Iterable[str]) -> list[int]:
    """The numbers of kinds of decisions. Raises FieldRefused."""
    asked = set(kinds)
    wrong = sorted(asked.difference(KIND_NAMES[1:]))
    if wrong:
        known = ", ".join(KIND_NAMES[1:])
        raise FieldRefused(
            "kinds",
            f"没有 {'、'.join(wrong)} 这种决定;可用的有 {known},不写则为全部",
            f"there is no kind {', '.join(wrong)}; there are {known}, and none means all",
        )
    return sorted(KIND_NAMES.index(kind) for kind in asked)


def _number(connection: Connection, programme: str) -> int:
    """The number of a programme. Raises ProgrammeNotFound."""
    number = people.programme_number(connection, programme)
    if number is None:
        raise ProgrammeNotFound(f"没有名为 {programme} 的项目", f"there is no programme {programme}")
    return number


def _no_webhook(webhook_id: str) -> WebhookNotFound:
    return WebhookNotFound(f"没有编号为 {webhook_id} 的接收地址", f"there is no webhook {webhook_id}")
