"""Money as it stands: accounts, the priced pool over time, vouchers and what backs them, and the queues of red packets."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

import msgspec
import numpy as np

from rangli.engine.packets import cap_fen
from rangli.engine.state import (
    HEAD,
    LOT_ORDER,
    OPEN,
    POT,
    START,
    price_pair,
)
from rangli.errors import FieldRefused
from rangli.ledger import Books, unit_of_account
from rangli.ledger.accounts import (
    DIVIDEND,
    POCKET_BITS,
    POCKETS,
    POINT_ISSUER,
    POOL,
    RESERVE,
    VOUCHER_ISSUER,
)
from rangli.ledger.books import FIXED
from rangli.ledger.transfers import (
    BACKING,
    REFUND,
    RELEASE,
    UNIT_NAMES,
    VOUCHER_OUT,
    VOUCHER_PAID,
    VOUCHER_SPENT,
)
from rangli.money import mul_div, print_micro, print_ratio, print_yuan
from rangli.service.clock import Clock, rfc3339
from rangli.service.looking import ranked
from rangli.service.looking.browsing import LARGEST, NEWEST, OLDEST, SMALLEST, Looked
from rangli.service.looking.forward import Forward
from rangli.service.looking.holdings import AccountsWanted, Holdings
from rangli.service.looking.reading import Place, Reading
from rangli.service.looking.stretches import Stretches
from rangli.service.settling.recovery import Recovered
from rangli.service.settling.settler import Settler
from rangli.service.views import BalanceView, StatementView
from rangli.store import browse, journal
from rangli.store.browse import Kept
from rangli.store.database import Connection, Database
from rangli.store.rows import Ints

RECENT: Final = 5_000
"""Decisions at the end of the journal in which every change of the pool is looked at; before them, at each checkpoint."""
STEPS: Final = 500
"""Down an account's chain in one statement."""
WALKS_MAX: Final = 4
"""So many statements are walked before everything in between is added up instead."""
SAMPLES_MAX: Final = 200
"""Points of the pool's chart: half of them recent."""
_BEHIND_VOUCHERS: Final = (VOUCHER_ISSUER, RESERVE, DIVIDEND, POINT_ISSUER)
NEVER_BY_COUNT: Final = 1 << 31
"""As many packets close a lot in a plan that closes it by what it received."""
LOTS_MAX: Final = 200
"""Open lots of one queue that are shown."""
LONGEST: Final = "longest"
SHORTEST: Final = "shortest"
QUEUE_SORTS: Final = (LONGEST, SHORTEST, OLDEST, NEWEST, LARGEST, SMALLEST)
"""By open lots; by how long the oldest of these has waited; by pot; each both ways."""
NOBODY: Final = 1 << 31
"""After every order's number, for a queue in which none waits."""


class PoolSample(msgspec.Struct, frozen=True):
    """The pool after a decision."""

    position: int
    at: str
    pool: str
    supply: str
    price: str
    """Yuan a point, six decimals, cut off; empty while there are no points."""


class PoolView(msgspec.Struct, frozen=True):
    """The priced pool now and over time."""

    now: PoolSample
    mint_bp: int
    pays_bp: int
    samples: list[PoolSample]
    """Oldest first: at the checkpoints, then the changes of the last RECENT decisions, thinned out."""


class VouchersView(msgspec.Struct, frozen=True):
    """Vouchers of a programme, and what stands behind them; sums since its beginning."""

    outstanding: str
    """In people's hands now."""
    reserve: str
    """Cash in the reserve now, which stands behind them one to one."""
    dividend: str
    """Cash in the dividend pot, which is not released yet."""
    points: str
    """Points that wait for their release."""
    issued: str
    set_aside: str
    """Cash set aside for them by orders."""
    released: str
    """Cash that releases moved behind them, or into wallets."""
    spent: str
    paid_to_shops: str
    is_backed: bool
    """Whether the reserve holds as much as is outstanding."""
    counted: int
    """Decisions that the sums since the beginning are over."""
    position: int


class TierView(msgspec.Struct, frozen=True):
    """All queues of one tier."""

    tier: int
    upto: str
    """The largest order of it in yuan, in shops without tiers of their own; empty for the last tier."""
    queues: int
    """Shops whose queue has an open lot."""
    lots: int
    pot: str
    oldest_at: str
    """When the order with the oldest open lot was settled; empty without any."""
    oldest_position: int | None


class QueueLine(msgspec.Struct, frozen=True):
    """One shop's queue of one tier."""

    merchant: str
    tier: int
    lots: int
    pot: str
    pot_account: str
    oldest_at: str
    oldest_position: int | None


class LotLine(msgspec.Struct, frozen=True):
    """An open lot in its queue."""

    place: int
    order_id: str
    consumer: str
    paid: str
    packets: int
    packets_left: int | None
    """None: it closes by what it has received."""
    received: str
    room: str
    """What it may still receive."""


class _Queue(NamedTuple):
    """A queue between two commits."""

    merchant: int
    tier: int
    lots: int
    pot_micro: int
    pot_account: int
    oldest: int
    """Number of the order of its oldest open lot, -1 without any."""


class Money(Reading):
    """What a programme's money is and was, for one that this process settles."""

    def __init__(self, database: Database, settler: Settler, clock: Clock) -> None:
        super().__init__(database, settler, clock)
        self._sums: Stretches[Ints] = Stretches(database, self._load, lambda one, more: one + more)
        self._holdings = Holdings(settler.published)
        self._forward = Forward(database, self._number)
        self._samples: dict[int, tuple[int, int, int]] = {}
        """By the position of a checkpoint: when, pool and supply."""

    def close(self) -> None:
        """Read no further ahead."""
        self._sums.close()

    def wait_filled(self, seconds: float) -> bool:
        """Whether nothing is being read ahead, after at most so many seconds."""
        return self._sums.wait_filled(seconds)

    def _load(self, connection: Connection, after: int, upto: int) -> Ints:
        return browse.sums_by_code(connection, self._number, after, upto)

    # ------------------------------------------------------------ accounts

    def accounts(self, wanted: AccountsWanted, cursor: str = "", limit: int = 100) -> Looked:
        """A page of the accounts that were ever touched (``Holdings`` says what its cursor promises). Raises FieldRefused."""
        return self._holdings.page(self._recovered().standing.programme.accounts, wanted, cursor, limit)

    def statement_at(self, path: str, at: int, limit: int = 100) -> StatementView:
        """The first page of an account's statement as it stood after a decision. Raises AccountNotFound, FieldRefused."""
        then, micro, start = self._then(path, at)
        if not start:
            return StatementView(then.account, then.unit, then.balance, at, [], "")
        account, accounts = self._account(path)
        return StatementView(
            then.account, then.unit, then.balance, at, *self._page(account, accounts, Place(start, micro), limit)
        )

    def held_at(self, path: str, at: int) -> BalanceView:
        """What an account held after a decision. Raises AccountNotFound, FieldRefused."""
        return self._then(path, at)[0]

    def statement_forward(self, path: str, cursor: str = "", limit: int = 100, *, at: int | None = None) -> Looked:
        """A page of an account's statement oldest first, as it is or as it stood after a decision; it finds EntryView.

        Raises AccountNotFound, FieldRefused.
        """
        account, accounts = self._account(path)
        seen = self._settler.published
        with seen.lock:
            position, last = seen.position, int(seen.last[account]) if account < len(seen.last) else 0
        _check_moment(position if at is None else at, position)
        return self._forward.page(account, accounts, (last, position if at is None else at), cursor, limit)

    def _then(self, path: str, at: int) -> tuple[BalanceView, int, int]:
        """What an account held after a decision, also in micro, and the last one until then that touched it, 0 for none."""
        account, accounts = self._account(path)
        seen = self._settler.published
        with seen.lock:
            now, position = seen.books.balance_micro(account), seen.position
        _check_moment(at, position)
        micro, last = (self._walked_back(account, at) if account >= FIXED else None) or self._reckoned(account, at, now, position)
        return BalanceView(accounts.path(account), UNIT_NAMES[unit_of_account(account)], print_micro(micro), at), micro, last

    def _walked_back(self, account: int, at: int) -> tuple[int, int] | None:
        """What an account held after a decision, and the last one until then that touched it.

        It is a walk down the account's chain from the next checkpoint on; None when that is too far.
        """
        seen = self._settler.published
        with seen.lock:
            place = int(seen.last[account]) if account < len(seen.last) else 0
            held, position = seen.books.balance_micro(account), seen.position
        with self._database.reading() as connection:
            kept = browse.kept_after(connection, self._number, at)
            if kept is not None and kept.position <= position:
                held, place = _kept_of(kept, account)
            for _ in range(WALKS_MAX):
                for row, before in journal.walk(connection, self._number, account, place, STEPS) if place > at else ():
                    legs = zip(row.source, row.destination, row.amount, strict=True)
                    held -= sum(amount * ((to == account) - (giver == account)) for giver, to, amount in legs)
                    place = before
                    if place <= at:
                        break
                if place <= at:
                    return held, place
        return None

    def _reckoned(self, account: int, at: int, now: int, position: int) -> tuple[int, int]:
        """The same, by adding up everything between ``at`` and the nearest balance that is known."""
        with self._database.reading() as connection:
            before, after = (kept(connection, self._number, at) for kept in (browse.kept_before, browse.kept_after))
            start, held, last = (0, 0, 0) if before is None else (before.position, *_kept_of(before, account))
            stop, then = position, now
            if after is not None and after.position <= position:
                stop, then = after.position, _kept_of(after, account)[0]
            touched = browse.last_touch(connection, self._number, account, start, at) or last
            if at - start <= stop - at:
                return held + browse.gained(connection, self._number, account, start, at), touched
            return then - browse.gained(connection, self._number, account, at, stop), touched

    # ------------------------------------------------------------ the pool

    def has_pool(self) -> bool:
        """Whether the plan has a priced pool."""
        return self._recovered().standing.programme.terms.pool.mint_bp > 0

    def pool(self) -> PoolView:
        """The priced pool, for a plan that has one."""
        terms = self._recovered().standing.programme.terms.pool
        position, pool, supply, num, den = cast("tuple[int, int, int, int, int]", self._settler.ask(_pool_now).result())
        with self._database.reading() as connection:
            for where, at, held in browse.kept_first(connection, self._number, list(self._samples), SAMPLES_MAX):
                self._samples[where] = at, held.get(POOL * POCKETS, 0), -held.get(POINT_ISSUER * POCKETS, 0)
            start = max(0, position - RECENT)
            changes = browse.moves(connection, self._number, (POOL * POCKETS, POINT_ISSUER * POCKETS), start, position)
            at_now = browse.instant(connection, self._number, position)
        early = [_sample(where, *self._samples[where]) for where in sorted(self._samples) if where <= start]
        recent = []
        held_pool, held_supply = pool, supply
        for where, at, pool_gain, issuer_gain in reversed(changes):
            recent.append(_sample(where, at, held_pool, held_supply))
            held_pool, held_supply = held_pool - pool_gain, held_supply + issuer_gain
        half = SAMPLES_MAX >> 1
        samples = [*_thinned(early, half), *reversed(_thinned(recent, half))]
        now = PoolSample(position, rfc3339(at_now), print_micro(pool), print_micro(supply), print_ratio(num, den))
        return PoolView(now, terms.mint_bp, terms.pays_bp, samples)

    # ------------------------------------------------------------ vouchers

    def has_vouchers(self) -> bool:
        """Whether vouchers, or points that become vouchers or cash, are in the plan or in anyone's hands."""
        programme = self._recovered().standing.programme
        shares = any(share[-1] for share in programme.terms.shares.tolist())
        return bool(shares or programme.terms.release.rate_den or programme.terms.offset_bp)

    def sums(self) -> tuple[Ints, int, int]:
        """(codes, 2) how many transfers of each code there were and their sum in micro; over how many decisions, and of how many.

        What is not counted yet is counted meanwhile; a short journal is counted at once.
        """
        upto = self._settler.published.position
        total, counted = np.zeros((browse.CODE_ROOM, 2), np.int64), 0
        last = self._sums.number_of(upto)
        for number in range(last + 1):
            kept = self._sums.kept(number, upto)
            if kept is None and (last == 0 or self._sums.has_begun(number)):
                kept = self._sums.get(number, upto)
            if kept is None:
                self._sums.fill(upto)
            else:
                total = total + kept
                counted += min(self._sums.first_of(number + 1), upto + 1) - self._sums.first_of(number)
        return total, counted, upto

    def vouchers(self) -> VouchersView:
        """What was issued, released and spent, and what stands behind what is left."""
        self._recovered()
        sums, counted, upto = self.sums()
        seen = self._settler.published
        with seen.lock:
            held = {
                which: seen.books.balance_micro(which * POCKETS) for which in (VOUCHER_ISSUER, RESERVE, DIVIDEND, POINT_ISSUER)
            }

        def net(code: int) -> str:
            return print_micro(int(sums[code, 1] - sums[REFUND + code, 1]))

        return VouchersView(
            print_micro(-held[VOUCHER_ISSUER]), print_micro(held[RESERVE]), print_micro(held[DIVIDEND]),
            print_micro(-held[POINT_ISSUER]), net(VOUCHER_OUT), net(BACKING), net(RELEASE), net(VOUCHER_SPENT), net(VOUCHER_PAID),
            held[RESERVE] >= -held[VOUCHER_ISSUER], counted, upto,
        )  # fmt: skip

    # ------------------------------------------------------------ queues

    def has_queues(self) -> bool:
        """Whether the plan has red packets."""
        return self._recovered().standing.programme.terms.packets.per_order > 0

    def tiers(self) -> list[TierView]:
        """The queues of red packets, all shops together, by tier."""
        bounds = self._recovered().standing.programme.terms.packets.tiers_fen[0]
        queues = self._queues()
        oldest = {
            tier: min((queue.oldest for queue in queues if queue.tier == tier and queue.lots), default=-1)
            for tier in sorted({queue.tier for queue in queues})
        }
        places = self._places([number for number in oldest.values() if number >= 0])
        out = []
        for tier, number in oldest.items():
            mine = [queue for queue in queues if queue.tier == tier]
            at, position = places.get(number, ("", None))
            pot = print_micro(sum(queue.pot_micro for queue in mine))
            upto = print_yuan(int(bounds[tier - 1])) if tier <= len(bounds) else ""
            lots = [queue.lots for queue in mine if queue.lots]
            out.append(TierView(tier, upto, len(lots), sum(lots), pot, at, position))
        return out

    def queues(self, merchant: str = "", tier: str = "", cursor: str = "", limit: int = 100, *, sort: str = LONGEST) -> Looked:
        """A page of queues that hold anything, in one of QUEUE_SORTS. Raises FieldRefused.

        By waiting, those in which nobody waits come last, both ways. Queues move while one pages, as balances do (``Holdings``).
        """
        assert sort in QUEUE_SORTS
        accounts = self._recovered().standing.programme.accounts
        if tier and not (tier.isascii() and tier.isdigit() and len(tier) <= 2):  # noqa: PLR2004 -- two digits
            raise FieldRefused("tier", "应为档位的序号,如 1", "it must be the number of a tier, as 1")
        some = [
            queue
            for queue in self._queues()
            if (queue.lots or queue.pot_micro)
            and (not tier or queue.tier == int(tier))
            and (not merchant or accounts.holders[queue.merchant].name == merchant)
        ]
        by_pot = {queue.pot_account: queue for queue in some}
        values = np.array([_sorted_by(queue, sort) for queue in some], np.int64), np.array([*by_pot], np.int64)
        found, following = ranked.page([values], limit, cursor, is_falling=sort in (LONGEST, NEWEST, LARGEST))
        page = [by_pot[account] for account in found]
        places = self._places([queue.oldest for queue in page if queue.oldest >= 0])
        lines = [
            QueueLine(
                accounts.holders[queue.merchant].name, queue.tier, queue.lots, print_micro(queue.pot_micro),
                accounts.path(queue.pot_account), *places.get(queue.oldest, ("", None)),
            )
            for queue in page
        ]  # fmt: skip
        return Looked(lines, following)

    def lots(self, merchant: str, tier: int) -> list[LotLine]:
        """The open lots of one queue, the head first, at most LOTS_MAX."""
        recovered = self._recovered()
        holders = recovered.standing.programme.accounts.holders
        packets = recovered.standing.programme.terms.packets
        found = cast("Ints", self._settler.ask(lambda now: _open_lots(now, merchant, tier)).result())
        numbers = found[:, LOT_ORDER].tolist()
        with self._database.reading() as connection:
            positions = browse.positions_of(connection, self._number, self._spread(), numbers)
            lines = browse.lines(connection, self._number, list(positions.values()))
        out = []
        for place, (number, wallet, paid_fen, room_fen, left) in enumerate(found.tolist(), 1):
            received = print_yuan(int(cap_fen(packets, paid_fen)) - room_fen)
            places_left = left if packets.exit_packets < NEVER_BY_COUNT else None
            key, consumer = lines[positions[number]].key, holders[wallet >> POCKET_BITS].name
            counts = packets.exit_packets - left, places_left
            out.append(LotLine(place, key, consumer, print_yuan(paid_fen), *counts, received, print_yuan(room_fen)))
        return out

    def _spread(self) -> tuple[int, int]:
        """The journal's last position, and how many of its decisions are no orders."""
        seen = self._settler.published
        with seen.lock:
            return seen.position, seen.position - seen.orders

    def _queues(self) -> list[_Queue]:
        """Every queue that has ever been used, between two commits."""
        return cast("list[_Queue]", self._settler.ask(_queues_now).result())

    def _places(self, numbers: list[int]) -> dict[int, tuple[str, int]]:
        """When orders of these numbers were settled, and where."""
        if not numbers:
            return {}
        with self._database.reading() as connection:
            positions = browse.positions_of(connection, self._number, self._spread(), numbers)
            lines = browse.lines(connection, self._number, list(positions.values()))
        return {number: (rfc3339(lines[position].at), position) for number, position in positions.items()}


# ---------------------------------------------------------------- asked of the settler


def _pool_now(recovered: Recovered) -> tuple[int, int, int, int, int]:
    """Position, the pool, its supply, and the price as a fraction."""
    standing = recovered.standing
    pool = standing.programme.state.pool
    assert pool is not None
    held = standing.books
    return standing.position, held.balance_micro(POOL * POCKETS), -held.balance_micro(POINT_ISSUER * POCKETS), *price_pair(pool)


def _queues_now(recovered: Recovered) -> list[_Queue]:
    """Every queue of every shop."""
    programme = recovered.standing.programme
    queues = programme.state.queues
    if queues is None:
        return []
    rows = queues.rows[: len(programme.pots)]
    first = rows[:, START] + rows[:, HEAD]
    oldest = np.full(len(rows), -1, np.int64)
    used = np.flatnonzero(rows[:, OPEN])
    oldest[used] = queues.lots[first[used], LOT_ORDER]
    facts = zip(programme.pots, rows[:, OPEN].tolist(), rows[:, POT].tolist(), oldest.tolist(), strict=False)
    return [_Queue(merchant, tier, lots, pot, holder * POCKETS, number) for (holder, merchant, tier), lots, pot, number in facts]


def _open_lots(recovered: Recovered, merchant: str, tier: int) -> Ints:
    """(n, 5) the open lots of a queue, oldest first; a copy."""
    programme = recovered.standing.programme
    queues = programme.state.queues
    if queues is not None:
        for row, (_, holder, its_tier) in zip(queues.rows, programme.pots, strict=False):
            if its_tier == tier and programme.accounts.holders[holder].name == merchant:
                first = int(row[START] + row[HEAD])
                return queues.lots[first : first + min(int(row[OPEN]), LOTS_MAX)].copy()
    return np.zeros((0, 5), np.int64)


# ---------------------------------------------------------------- numbers


def _sorted_by(queue: _Queue, sort: str) -> int:
    """The value that a queue has in this order."""
    if sort in (LONGEST, SHORTEST):
        return queue.lots
    if sort in (LARGEST, SMALLEST):
        return queue.pot_micro
    return NOBODY if sort == OLDEST and queue.oldest < 0 else queue.oldest


def _check_moment(at: int, position: int) -> None:
    """Raises FieldRefused for a decision that has not been made."""
    if not 0 <= at <= position:
        raise FieldRefused("at", f"应在 0 至 {position} 之间", f"it must be between 0 and {position}")


def _kept_of(kept: Kept, account: int) -> tuple[int, int]:
    """What an account held at kept balances, and the last decision before that touched it, 0 for none."""
    books = Books.thaw(kept.books)
    touched = books.touched()
    place = int(np.searchsorted(touched, account))
    last = int(kept.last[place]) if place < len(touched) and touched[place] == account else 0
    return books.balance_micro(account), last


def _sample(position: int, at: int, pool: int, supply: int) -> PoolSample:
    """The pool after a decision, in words."""
    price = print_ratio(pool, supply) if supply else ""
    return PoolSample(position, rfc3339(at), print_micro(pool), print_micro(supply), price)


def _thinned(samples: list[PoolSample], most: int) -> list[PoolSample]:
    """At most so many of them, evenly, the first and the last among them."""
    if len(samples) <= most:
        return samples
    return [samples[mul_div(k, len(samples) - 1, most - 1)] for k in range(most)]
