"""Looking through a programme's orders and decisions, page by page.

    a question ─▶ days and cursor: two positions ─▶ columns in memory (``stretches``) ─▶ a page of positions ─▶ their rows, by key

A page asks the database a fixed number of questions, whatever the journal's length. What is not in memory yet is read as far as a
page may wait, and the page says how far it has looked. By time it can show what it has found so far; the largest order may be in
the last stretch that is read, so a page by amount is empty and waiting until all of them are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from rangli.errors import AmountMalformed, DecisionNotFound, FieldRefused
from rangli.files.orders import ANY_CONCESSION
from rangli.ledger import UNIT_NAMES
from rangli.ledger.accounts import CONSUMER, MERCHANT
from rangli.ledger.transfers import CNY, POINT
from rangli.money import AMOUNT_FEN_MAX, mul_div, parse_yuan, print_micro, print_percent, print_yuan
from rangli.service.clock import Clock, rfc3339
from rangli.service.looking import ranked
from rangli.service.looking.reading import BEIJING_MICRO, MICRO_PER_DAY, Reading
from rangli.service.looking.stretches import Stretches
from rangli.service.requests import OrderRequest
from rangli.service.settling.facts import day_of, day_text, instant_text, party_name
from rangli.service.settling.orders import check as check_orders
from rangli.service.settling.recovery import Recovered
from rangli.service.settling.settler import Settler
from rangli.service.views import DecisionView
from rangli.store import browse, journal, rows
from rangli.store.browse import Heads, HeldLine, Line
from rangli.store.database import Connection, Database
from rangli.store.keys import hash_of
from rangli.store.rows import HASH_BYTES, Ints

FRESH_MAX: Final = 2
"""Stretches that a page waits for."""
HELD_MAX: Final = 2_000
"""Held orders that a page looks at."""

NEWEST: Final = "newest"
OLDEST: Final = "oldest"
LARGEST: Final = "largest"
SMALLEST: Final = "smallest"
SORTS: Final = (NEWEST, OLDEST, LARGEST, SMALLEST)
"""How a list of orders can be sorted: by time, and by amount; of equal amounts the newest comes first when the largest does."""

SETTLED: Final = "settled"
HELD: Final = "held"
CANCELLED: Final = "cancelled"
REFUNDED: Final = "refunded"
PARTLY_REFUNDED: Final = "partly_refunded"
STATUSES: Final = (SETTLED, PARTLY_REFUNDED, REFUNDED, HELD, CANCELLED)
FIRST_DAY: Final = -1
LAST_DAY: Final = 1 << 24
"""Before and after every day that there is, counted from 1970-01-01."""

Mask = NDArray[np.bool_]
Match = Callable[[Heads], Mask]


class OrdersWanted(NamedTuple):
    """Which orders; whatever is empty narrows nothing."""

    order_id: str = ""
    """Exactly this one; the days do not matter then."""
    merchant: str = ""
    consumer: str = ""
    since: str = ""
    """Day in Beijing on which it was settled, or captured while it is held; the first one."""
    until: str = ""
    """The last one."""
    status: str = ""
    """One of STATUSES; empty: all that are in the journal."""
    least: str = ""
    most: str = ""
    sort: str = NEWEST
    """One of SORTS."""


class OrderLine(msgspec.Struct, frozen=True):
    """An order in a list."""

    order_id: str
    status: str
    paid_at: str
    decided_at: str
    """When it was settled; of a held or cancelled one when it was captured."""
    merchant: str
    consumer: str
    amount: str
    concession: str
    refunded: str
    plan_number: int
    position: int | None


class DecisionLine(msgspec.Struct, frozen=True):
    """A decision in a list."""

    position: int
    kind: str
    id: str
    decided_at: str
    plan_number: int
    amount: str
    """What it is about, in its unit; empty for a closing and an activation."""
    unit: str
    note: str
    """The day of a closing, the version of an activation, the period of a release."""
    transfers: int
    hash: str


class Looked(NamedTuple):
    """A page: what was found, where to go on, and how far it looked when it found less than a page."""

    found: list[Any]
    next: str = ""
    upto: str = ""
    """When the last decision was made that was looked at; empty when the page is full or everything has been."""
    percent: int = 100
    """Of what there is that has been looked at, or is in memory by now."""
    is_waiting: bool = False
    """Whether nothing can be shown before more has been read; ``next`` asks the same again, and each time less is missing."""


class Proof(msgspec.Struct, frozen=True):
    """A decision and its place in the chain of hashes."""

    decision: DecisionView
    before: str
    """Hash of the decision before, in hex."""
    row_bytes: int
    """Length of the row without its hash."""
    computed: str
    """SHA-256 of that hash and the row, computed now from what the database holds."""


class Browsing(Reading):
    """Lists over one programme that this process settles."""

    def __init__(self, database: Database, settler: Settler, clock: Clock) -> None:
        super().__init__(database, settler, clock)
        self._heads: Stretches[Heads] = Stretches(database, self._load, lambda one, more: np.concatenate([one, more]))

    def close(self) -> None:
        """Read no further ahead."""
        self._heads.close()

    def wait_filled(self, seconds: float) -> bool:
        """Whether nothing is being read ahead, after at most so many seconds."""
        return self._heads.wait_filled(seconds)

    def _load(self, connection: Connection, after: int, upto: int) -> Heads:
        return browse.heads(connection, self._number, after, upto)

    # ------------------------------------------------------------ orders

    def orders(self, wanted: OrdersWanted, cursor: str = "", limit: int = 100) -> Looked:
        """A page of orders. Raises FieldRefused."""
        assert wanted.sort in SORTS
        recovered = self._recovered()
        days = _days(wanted)
        if wanted.order_id:
            found = self._by_id(recovered, wanted.order_id)
            return Looked([line for line in found if _is_wanted(line, wanted)])
        if wanted.status in (HELD, CANCELLED):
            return self._held(wanted, days, cursor, limit)
        holders = self._holders(recovered, wanted)
        least, most = _amounts(wanted)
        if holders is None:
            return Looked([])
        low, high = self._between(days)
        refunded = self._refunded() if wanted.status else np.zeros((0, 2), np.int64)

        def match(heads: Heads) -> Mask:
            mask: Mask = (heads["kind"] == rows.ORDER) & (heads["paid_fen"] >= least) & (heads["paid_fen"] <= most)
            for name, holder in holders.items():
                mask &= heads[name] == holder
            return mask & _has_status(heads, wanted.status, refunded) if wanted.status else mask

        if wanted.sort in (LARGEST, SMALLEST):
            positions, looked = self._by_amount(low, high, match, cursor, limit, is_falling=wanted.sort == LARGEST)
        else:
            positions, looked = self._look(low, high, match, cursor, limit, oldest_first=wanted.sort == OLDEST)
        lines = self._lines(positions)
        return looked._replace(found=[self._order_line(recovered, lines[position]) for position in positions])

    def _by_id(self, recovered: Recovered, order_id: str) -> list[OrderLine]:
        """The order of exactly this id, settled or held."""
        candidates = recovered.keys.candidates(hash_of(rows.ORDER, order_id))
        lines = self._lines(candidates).values() if candidates else ()
        upto = self._settler.published.position
        found = [line for line in lines if line.kind == rows.ORDER and line.key == order_id and line.position <= upto]
        if found:
            return [self._order_line(recovered, found[0])]
        with self._database.reading() as connection:
            held = browse.one_held(connection, self._number, order_id)
        return [] if held is None else _held_lines([held])

    def _held(self, wanted: OrdersWanted, days: tuple[int, int], cursor: str, limit: int) -> Looked:
        """Orders that wait or were cancelled: the rows that a page may look at, and of them those that are wanted.

        Those that wait come by the time at which they settle, cancelled ones by their ids. They are in no journal: their amounts
        stand in their requests alone, and all of these would have to be read for every page that is sorted by them.
        """
        if wanted.sort in (LARGEST, SMALLEST):
            raise FieldRefused(
                "sort",
                "冻结中和已取消的订单不能按金额排列;请改选最新或最早的在前",
                "held and cancelled orders cannot be sorted by amount; choose newest or oldest first",
            )
        with self._database.reading() as connection:
            if wanted.status == CANCELLED:
                some = browse.held_by_id(connection, self._number, cursor, HELD_MAX)
            else:
                after = _due_place(cursor) if cursor else None
                some = browse.held(connection, self._number, after, HELD_MAX, newest_first=wanted.sort == NEWEST)
        found: list[OrderLine] = []
        for place, (held, line) in enumerate(zip(some, _held_lines(some), strict=True), 1):
            if line.status == wanted.status and days[0] <= _day_at(held.captured_at) <= days[1] and _is_wanted(line, wanted):
                found.append(line)
            if (len(found) == limit and place < len(some)) or place == HELD_MAX:
                following = held.order_id if wanted.status == CANCELLED else f"{held.due_at}.{held.sequence}"
                return Looked(found, following, "" if len(found) == limit else line.decided_at)
        return Looked(found)

    def _holders(self, recovered: Recovered, wanted: OrdersWanted) -> dict[str, int] | None:
        """Numbers of the shop and the consumer that are wanted; None when there is none of that name."""
        find = recovered.standing.programme.accounts.find
        holders = {
            name: find(kind, text)
            for name, kind, text in (("merchant", MERCHANT, wanted.merchant), ("consumer", CONSUMER, wanted.consumer))
            if text
        }
        return None if -1 in holders.values() else holders

    def _refunded(self) -> Ints:
        with self._database.reading() as connection:
            return browse.refunds(connection, self._number)

    def _lines(self, positions: Sequence[int]) -> dict[int, Line]:
        if not positions:
            return {}
        with self._database.reading() as connection:
            return browse.lines(connection, self._number, positions)

    def _order_line(self, recovered: Recovered, line: Line) -> OrderLine:
        """A settled order, for people."""
        _, paid_fen, concession_bp, _, _, paid_at_ns = line.facts
        holders = recovered.standing.programme.accounts.holders
        status = SETTLED if not line.refunded_fen else REFUNDED if line.refunded_fen == paid_fen else PARTLY_REFUNDED
        return OrderLine(
            line.key, status, instant_text(paid_at_ns), rfc3339(line.at), party_name("merchant", holders[line.party[1]]),
            party_name("consumer", holders[line.party[0]]), print_yuan(paid_fen), print_percent(concession_bp),
            print_yuan(line.refunded_fen), line.plan, line.position,
        )  # fmt: skip

    # ------------------------------------------------------------ decisions

    def journal(
        self, kinds: Collection[str] = (), days: tuple[str, str] = ("", ""), cursor: str = "", limit: int = 100, *,
        oldest_first: bool = False,
    ) -> Looked:  # fmt: skip
        """A page of decisions, of these kinds or (empty) of all, made from one day in Beijing to another. Raises FieldRefused."""
        self._recovered()
        low, high = self._between((_day("since", days[0], FIRST_DAY), _day("until", days[1], LAST_DAY)))
        numbers = [rows.KIND_NAMES.index(kind) for kind in kinds]

        def match(heads: Heads) -> Mask:
            return np.isin(heads["kind"], numbers) if numbers else np.ones(len(heads), np.bool_)

        positions, looked = self._look(low, high, match, cursor, limit, oldest_first=oldest_first)
        lines = self._lines(positions)
        return looked._replace(found=[_decision_line(lines[position]) for position in positions])

    def proof(self, position: int) -> Proof:
        """A decision, and its hash computed once more from the row that the database holds. Raises DecisionNotFound."""
        recovered = self._recovered()
        if not 1 <= position <= self._settler.published.position:
            raise DecisionNotFound(f"没有第 {position} 号决定", f"there is no decision {position}")
        with self._database.reading() as connection:
            found = {row.position: row for row in journal.after(connection, self._number, position - 2, position, 2)}
            before = bytes(found[position - 1].hash) if position > 1 else bytes(HASH_BYTES)
            decision = self._decision(recovered, connection, found[position])
            data = b"".join(block.tobytes() for block, _ in journal.scan(connection, self._number, position - 1, position))
        row = data[:-HASH_BYTES]
        return Proof(decision, before.hex(), len(row), hashlib.sha256(before + row).hexdigest())

    def position_at_end_of(self, day: str) -> int:
        """The last decision that was made on or before a day in Beijing. Raises FieldRefused."""
        return self._between((FIRST_DAY, _day("day", day, LAST_DAY)))[1]

    # ------------------------------------------------------------ looking

    def _between(self, days: tuple[int, int]) -> tuple[int, int]:
        """The first and the last position of the decisions that were made on these days, first and last."""
        head = self._settler.published.position
        if days == (FIRST_DAY, LAST_DAY):
            return 1, head
        instants = [day * MICRO_PER_DAY - BEIJING_MICRO for day in (days[0], days[1] + 1)]
        with self._database.reading() as connection:
            before, upto = browse.before_instants(connection, self._number, head, instants)
        return before + 1, upto

    def _look(
        self, low: int, high: int, match: Match, cursor: str, limit: int, *, oldest_first: bool
    ) -> tuple[list[int], Looked]:
        """The next positions that match, and the page that they will be on."""
        upto = self._settler.published.position
        if cursor and oldest_first:
            low = max(low, place_of(cursor, upto))
        elif cursor:
            high = min(high, place_of(cursor, upto))
        if low > high:
            return [], Looked([])
        order = range(self._heads.number_of(low), self._heads.number_of(high) + 1)
        found: list[int] = []
        fresh = 0
        for number in order if oldest_first else reversed(order):
            heads = self._heads.kept(number, upto)
            if heads is None:
                fresh += 1
                if fresh > FRESH_MAX:
                    return found, self._unfinished(number, upto, oldest_first=oldest_first)
                heads = self._heads.get(number, upto)
            some = np.flatnonzero(match(heads)) + self._heads.first_of(number)
            some = some[(some >= low) & (some <= high)]
            found += (some if oldest_first else some[::-1])[: limit + 1 - len(found)].tolist()
            if len(found) > limit:
                return found[:limit], Looked([], str(found[limit]))
        return found, Looked([])

    def _by_amount(
        self, low: int, high: int, match: Match, cursor: str, limit: int, *, is_falling: bool
    ) -> tuple[list[int], Looked]:
        """The next orders by what was paid, and their page; first every stretch from low to high has to be in memory."""
        upto = self._settler.published.position
        stretches = range(self._heads.number_of(low), self._heads.number_of(high) + 1) if low <= high else range(0)
        missing = [number for number in stretches if self._heads.kept(number, upto) is None]
        if len(missing) > FRESH_MAX:
            ranked.rank_of(cursor)  # one that is none of ours is refused before anybody waits
            return [], self._waiting(missing, len(stretches), upto, cursor)

        def amounts() -> Iterator[ranked.Piece]:
            for number in stretches:
                first, heads = self._heads.first_of(number), self._heads.get(number, upto)
                heads = heads[max(0, low - first) : high + 1 - first]
                some = np.flatnonzero(match(heads))
                yield heads["paid_fen"][some], some + max(first, low)

        found, following = ranked.page(amounts(), limit, cursor, is_falling=is_falling)
        return found, Looked([], following)

    def _waiting(self, missing: Sequence[int], total: int, upto: int, cursor: str) -> Looked:
        """A page that has to wait for these stretches: it reads the oldest of them, and a thread the newest meanwhile.

        Raises FieldRefused when memory has no room for all of them: they would be read again and again.
        """
        if sum(not self._heads.has_begun(number) for number in missing) > self._heads.room:
            raise FieldRefused(
                "sort",
                "这些天的流水太长,放不进内存,不能按金额排列;请用入账日缩小范围",
                "the journal of these days is longer than memory has room for and cannot be sorted by amount; narrow the days",
            )
        self._heads.fill(upto, missing[::-1])
        for number in missing[:FRESH_MAX]:
            self._heads.get(number, upto)
        percent = mul_div(100, total - len(missing) + FRESH_MAX, total)
        return Looked([], cursor or ranked.START, percent=percent, is_waiting=True)

    def _unfinished(self, number: int, upto: int, *, oldest_first: bool) -> Looked:
        """A page that has not found enough before it had to stop; the rest is read meanwhile."""
        self._heads.fill(upto)
        following = self._heads.first_of(number) if oldest_first else min(self._heads.first_of(number + 1) - 1, upto)
        with self._database.reading() as connection:
            at = browse.instant(connection, self._number, following)
        return Looked([], str(following), rfc3339(at), mul_div(100, self._heads.covered(upto), upto))


# ---------------------------------------------------------------- words and numbers


def _has_status(heads: Heads, status: str, refunded: Ints) -> Mask:
    """Which of these orders are settled without refund, refunded in part or wholly."""
    fen = np.zeros(len(heads), np.int64)
    if len(refunded):
        place = np.minimum(np.searchsorted(refunded[:, 0], heads["number"]), len(refunded) - 1)
        fen = np.where(refunded[place, 0] == heads["number"], refunded[place, 1], 0)
    is_refunded: Mask = fen > 0
    is_whole: Mask = is_refunded & (fen == heads["paid_fen"])
    if status == SETTLED:
        return np.logical_not(is_refunded)
    return is_whole if status == REFUNDED else is_refunded & ~is_whole


def _held_lines(some: Sequence[HeldLine]) -> list[OrderLine]:
    """Held or cancelled orders, for people."""
    asked = [msgspec.json.decode(held.request, type=OrderRequest) for held in some]
    facts = check_orders(asked, ANY_CONCESSION).facts.tolist() if asked else []
    return [
        OrderLine(
            order.order_id, CANCELLED if held.due_at is None else HELD, instant_text(paid_at_ns), rfc3339(held.captured_at),
            order.merchant, order.consumer, print_yuan(paid_fen), print_percent(concession_bp), "0.00", held.plan, None,
        )
        for held, order, (_, paid_fen, concession_bp, _, _, paid_at_ns) in zip(some, asked, facts, strict=True)
    ]  # fmt: skip


def _decision_line(line: Line) -> DecisionLine:
    """A decision, for people."""
    amount, note = "", ""
    facts = line.facts
    if line.kind in _FEN_FACT:
        amount = print_yuan(facts[_FEN_FACT[line.kind]])
    elif line.kind in (rows.SALE, rows.INJECTION):
        amount = print_micro(facts[0])
    elif line.kind == rows.CLOSING:
        note = day_text(facts[0])
    elif line.kind == rows.ACTIVATION:
        note = str(facts[0])
    else:
        amount, note = print_micro(facts[1]), str(facts[0])
    unit = UNIT_NAMES[POINT if line.kind == rows.SALE else CNY] if amount else ""
    kind, at = rows.KIND_NAMES[line.kind], rfc3339(line.at)
    return DecisionLine(line.position, kind, line.key, at, line.plan, amount, unit, note, line.transfers, bytes(line.hash).hex())


_FEN_FACT: Final = {rows.ORDER: 1, rows.REFUND: 2, rows.CANCELLATION: 0}
"""Which fact of a kind is the amount that it is about."""


def _day_at(micro: int) -> int:
    """The day in Beijing of an instant."""
    return mul_div(micro + BEIJING_MICRO, 1, MICRO_PER_DAY)


def _is_wanted(line: OrderLine, wanted: OrdersWanted) -> bool:
    """Whether an order that was found in another way is one of those wanted."""
    least, most = _amounts(wanted)
    return (
        wanted.status in ("", line.status)
        and wanted.merchant in ("", line.merchant)
        and wanted.consumer in ("", line.consumer)
        and least <= parse_yuan(line.amount) <= most
    )


def _amounts(wanted: OrdersWanted) -> tuple[int, int]:
    """The least and the most fen that are wanted. Raises FieldRefused."""
    return _fen("least", wanted.least, 0), _fen("most", wanted.most, AMOUNT_FEN_MAX)


def _fen(field: str, text: str, otherwise: int) -> int:
    try:
        return parse_yuan(text) if text else otherwise
    except AmountMalformed as fault:
        raise FieldRefused(field, fault.zh, fault.en) from fault


def _days(wanted: OrdersWanted) -> tuple[int, int]:
    """The first and the last day that are wanted. Raises FieldRefused."""
    return _day("since", wanted.since, FIRST_DAY), _day("until", wanted.until, LAST_DAY)


def _day(field: str, text: str, otherwise: int) -> int:
    try:
        return day_of(text) if text else otherwise
    except FieldRefused as fault:
        raise FieldRefused(field, fault.zh.removeprefix("on:"), fault.en.removeprefix("on: ")) from fault


def place_of(cursor: str, most: int) -> int:
    """The number that a cursor of ours is. Raises FieldRefused."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= len(str(most)) and int(cursor) <= most):
        raise FieldRefused("cursor", "不是本页给出的游标;请从第一页开始", "is no cursor of ours; begin with the first page")
    return int(cursor)


def _due_place(cursor: str) -> tuple[int, int]:
    """When an order settles and its sequence, as a cursor says it. Raises FieldRefused."""
    due, _, sequence = cursor.partition(".")
    return place_of(due, 1 << 62), place_of(sequence, 1 << 62)
