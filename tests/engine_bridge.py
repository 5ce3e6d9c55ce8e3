"""The bridge: the same orders through the engine and through the oracle, and all that the two know told in the same words."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np
import oracle
import oracle_orders
from engine_worlds import FIRST_DAY, SECRET, Action, Asked, Injection, PlanFacts, Sale, document, meaning
from oracle import Order, Plan, RowRefused, Transfer

from rangli.engine import state as columns
from rangli.engine.draw import siphash_strings
from rangli.engine.out import STATUS_NAMES, Orders
from rangli.errors import Refused
from rangli.ledger.accounts import AGENT, CONSUMER, KIND_NAMES, MERCHANT, POCKETS, VOUCHERS
from rangli.ledger.transfers import UNIT_NAMES, UNIT_OF_CODE, Transfers, code_name
from rangli.plan import CompiledPlan, check, compile_plan
from rangli.settle import Chunk, Programme

EPOCH: Final = date(1970, 1, 1)
SETTLED: Final = "settled"
ROLES: Final = ("referrer", "referrer2", "recruiter", "agent_district", "agent_city", "agent_province", "agent_region")
MICRO_MAX: Final = 2**60


class Written(NamedTuple):
    """What one order or operation wrote."""

    reason: str
    """``settled``, or why it was refused."""
    before: list[Transfer]
    """Releases that came before it."""
    lines: list[Transfer]


class ClosedLot(NamedTuple):
    """A lot of packets that is done."""

    order_id: str
    wallet: str
    pot: str
    paid_fen: int
    packets: int
    received_fen: int


class Facts(NamedTuple):
    """All that a programme knows, by name. Pots are balances."""

    balances: dict[tuple[str, str], int]
    closed: set[ClosedLot]
    queues: dict[str, list[tuple[str, str, int, int, int | None]]]
    """Per pot: order, wallet, paid, room and packets left of each open lot, oldest first."""
    price: Fraction
    members: list[tuple[str, int, int, int]]
    """Who, points, limit, paid out, by number, without those that have none of the three."""
    period: tuple[int, int | None, int, int, int | None]
    """Number, opened on, inflow, last inflow, closed on (None unless its release waits)."""
    points: list[tuple[str, int, int, int]]
    """Holder, period, points and released of each open lot."""


def compiled(facts: PlanFacts) -> CompiledPlan:
    """The plan through its document."""
    plan, problems = check(document(facts))
    assert plan is not None, (document(facts), [problem.en for problem in problems])
    return compile_plan(plan)


# ---------------------------------------------------------------- the oracle


class Asking:
    """The oracle at work. It goes first, since what an order may use of its vouchers depends on what was settled before."""

    def __init__(self, plan: PlanFacts | Plan) -> None:
        self.programme = oracle.Programme(meaning(plan) if isinstance(plan, PlanFacts) else plan, SECRET)
        self.offset_bp = self.programme.plan.get("offset_bp", 0)
        self.day = FIRST_DAY
        self.count = 0

    def order(self, asked: Asked) -> Order:
        """The order that was asked for, with an id, a day and its vouchers."""
        self.day += timedelta(days=asked.days_ahead)
        self.count += 1
        consumer, merchant, *others = asked.names
        assert consumer is not None
        assert merchant is not None
        held = max(0, self.programme.balances().get((f"consumer:{oracle.encoded(consumer)}:vouchers", "VOUCHER"), 0))
        most = min(held // 10_000, max(0, asked.paid_fen) * self.offset_bp // 10_000)
        voucher_fen = most + 1 if asked.voucher_permille > 1000 else most * asked.voucher_permille // 1000
        parties = dict(zip(ROLES, others, strict=True))
        order_id = f"单-{self.count}"
        return Order(
            order_id, self.day, asked.paid_fen, asked.concession_bp, merchant, consumer, voucher_fen=voucher_fen, **parties
        )

    def settle(self, order: Order) -> Written:
        """One order. The releases of its day come even if it is then refused; only a settled order moves the day reached."""
        programme = self.programme
        before: list[Transfer] = []
        reached = programme.state.reached
        if reached is not None:
            programme._pass_days(order.day)
            before = programme._take_written()
        unchanged = copy.deepcopy(programme.state) if self._passes_a_limit(order) else None
        try:
            settled = programme.settle(order)
        except RowRefused as refused:
            reason = refused.reason
        else:
            if unchanged is None:
                return Written(SETTLED, before, settled.order)
            reason, programme.state = "limit_reached", unchanged
        programme.state.reached = reached
        return Written(reason, before, [])

    def _passes_a_limit(self, order: Order) -> bool:
        """Whether anything would pass its limit if the whole concession went into it (docs/rules.md, section 2)."""
        plan, state = self.programme.plan, self.programme.state
        concession = order.paid_fen * order.concession_bp
        grown: list[int | Fraction] = []
        if "packets" in plan:
            grown.append(state.balances[oracle_orders.cash_account(plan, order, "packets"), "CNY"] + concession)
        if "pool" in plan:
            terms, pool = plan["pool"], self.programme.pool_state()
            value = concession * terms["mint_bp"] // 10_000
            per_pool, per_supply = (pool.pool, pool.supply) if pool.supply else pool.last_price
            exit_bp, by_value = terms.get("exit_bp", 0), terms.get("exit_basis") == "mint_value"
            added = value * exit_bp // 10_000 if by_value else order.paid_fen * exit_bp
            limit = pool.members.get(order.consumer, (0, 0, 0))[1] if terms.get("exit_scope") != "order" else 0
            grown += [pool.pool + concession, pool.supply + value * per_supply // per_pool, limit + added]
        if "release" in plan:
            rate = plan["release"]["rate"]
            rate = rate if isinstance(rate, Fraction) else Fraction(rate, 10_000)
            stretch = max(Fraction(1), Fraction(max(rate.numerator, rate.denominator), 4))  # 2^62 over the greater term, as 2^60
            points = [oracle_orders.linear(entry, order.paid_fen, order.concession_bp) for entry in plan["points"]]
            promised = sum(self._promise(lot.points) - lot.released for lot in state.point_lots if lot.open)
            inflow = (state.inflows or [0])[-1] + concession
            grown += [inflow * stretch, (promised + sum(self._promise(each) + 1 for each in points)) * stretch]
            grown.append((sum(lot.points for lot in state.point_lots if lot.open) + sum(points)) * stretch)
            grown.append(state.balances[oracle_orders.DIVIDEND, "CNY"] + concession)
        return any(micro > MICRO_MAX for micro in grown)

    def _promise(self, points: int) -> int:
        """All that points may release."""
        return int(points * self.programme.plan["release"]["multiple_bp"] // 10_000)

    def points_for(self, sale: Sale) -> int:
        """How many points a sale is about."""
        held = self.programme.balances().get((f"consumer:{oracle.encoded(sale.consumer)}:points", "POINT"), 0)
        return held + 1 if sale.permille > 1000 else -(-held * sale.permille // 1000)

    def facts(self) -> Facts:
        """What it knows."""
        programme, state = self.programme, self.programme.state
        closed = {
            ClosedLot(
                lot.order_id, _wallet(lot.consumer), _pot(lot.merchant, lot.tier), lot.paid_fen, lot.packets, lot.received_fen
            )
            for lot in programme.lots()
            if not lot.open
        }
        queues = {
            _pot(*queue): [(lot.order_id, _wallet(lot.consumer), lot.paid_fen, lot.room_fen, lot.left) for lot in lots]
            for queue, lots in state.queues.items()
        }
        period = programme.period_state()
        return Facts(
            {account: amount for account, amount in programme.balances().items() if amount},
            closed,
            {pot: lots for pot, lots in queues.items() if lots},
            programme.price() if programme.plan.get("pool") else Fraction(1),
            [
                (each.consumer, each.points, each.limit, each.out)
                for each in state.members.values()
                if each.points or each.limit or each.out
            ],
            (period.number, _days(period.opened), period.inflow, period.last_inflow, _days(period.closed_on)),
            [(lot.holder, lot.period, lot.points, lot.released) for lot in programme.point_lots() if lot.open],
        )


def _wallet(consumer: str) -> str:
    return f"consumer:{oracle.encoded(consumer)}:wallet"


def _pot(merchant: str, tier: int) -> str:
    return f"programme:packets:{oracle.encoded(merchant)}:{tier}"


def _days(day: date | None) -> int | None:
    return None if day is None else (day - EPOCH).days


# ---------------------------------------------------------------- the engine


class Engine:
    """The engine at work, told the same orders."""

    def __init__(self, plan: CompiledPlan, programme: Programme | None = None) -> None:
        self.programme = programme or Programme(plan, SECRET)
        self.settled_ids: list[str] = []
        self.closed: list[ClosedLot] = []
        self.balances: Counter[tuple[str, str]] = Counter()
        self.watch: Callable[[], None] = lambda: None
        """Called after every chunk."""

    def batch(self, orders: Sequence[Order]) -> Orders:
        """Orders as columns; names become numbers row by row, in the order of the parties."""
        party = np.array([self._parties(order) for order in orders], np.int32).reshape(len(orders), 2 + len(ROLES))
        return Orders(
            paid_fen=_column(order.paid_fen for order in orders),
            concession_bp=_column(order.concession_bp for order in orders),
            voucher_fen=_column(order.voucher_fen for order in orders),
            day=_column((order.day - EPOCH).days for order in orders),
            key=self._keys(orders),
            party=party,
        )

    def _parties(self, order: Order) -> list[int]:
        programme = self.programme
        numbers = [programme.holder(CONSUMER, order.consumer), programme.holder(MERCHANT, order.merchant)]
        for role in ROLES:
            name = getattr(order, role)
            kind, colon, bare = (name or "").partition(":")
            if name is None:
                numbers.append(-1)
            elif colon and kind in KIND_NAMES:
                numbers.append(programme.holder(KIND_NAMES.index(kind), bare))
            else:
                numbers.append(programme.holder(CONSUMER if role.startswith("referrer") else AGENT, name))
        return numbers

    def _keys(self, orders: Sequence[Order]) -> np.ndarray:
        """SipHash of the ids under the secrets of their days, as Arrow strings."""
        ids = [order.order_id.encode() for order in orders]
        offsets = np.cumsum([0, *map(len, ids)]).astype(np.int32)
        days = sorted({(order.day - EPOCH).days for order in orders})
        keys = np.array([self.programme.sip_key(day) for day in days], np.int64).reshape(len(days), 2)
        row = _column(days.index((order.day - EPOCH).days) for order in orders)
        out = np.empty(len(orders), np.int64)
        siphash_strings(offsets, np.frombuffer(b"".join(ids), np.uint8), row, keys, out)
        return out

    def settle(self, orders: Sequence[Order]) -> list[Written]:
        """A batch of orders, whole."""
        batch = self.batch(orders)
        status = np.full(len(orders), 99, np.uint8)
        before: list[list[Transfer]] = [[] for _ in orders]
        lines: list[list[Transfer]] = [[] for _ in orders]
        done = 0
        for chunk in self.programme.run(batch, status):
            start, upto = chunk.settled
            assert done <= start <= upto
            self.settled_ids += [orders[i].order_id for i in range(done, upto) if status[i] == 0]
            done = max(done, upto)
            for order, line in zip(chunk.transfers.order.tolist(), self.read(chunk.transfers), strict=True):
                (before[start] if order < 0 else lines[order]).append(line)
            self.closed += [self._closed_lot(row) for row in chunk.closed.tolist()]
            self.watch()
        assert done == len(orders)
        return [Written(STATUS_NAMES[status[i]], before[i], lines[i]) for i in range(len(orders))]

    def read(self, transfers: Transfers) -> list[Transfer]:
        """Transfers by name, added to the balances."""
        path = self.programme.accounts.path
        read = [
            Transfer(path(source), path(destination), amount, UNIT_NAMES[UNIT_OF_CODE[code]], code_name(code))
            for _, source, destination, amount, code in zip(*(column.tolist() for column in transfers), strict=True)
        ]
        for each in read:
            self.balances[each.source, each.unit] -= each.amount
            self.balances[each.destination, each.unit] += each.amount
        return read

    def _closed_lot(self, row: list[int]) -> ClosedLot:
        path = self.programme.accounts.path
        return ClosedLot(self.settled_ids[row[0]], path(row[1]), path(row[2]), *row[3:])

    # ------------------------------------------------------------ sales and injections

    def sell(self, consumer: str, points: int) -> Written:
        """A voluntary sale."""
        return self._operation(lambda: self.programme.sell(consumer, points))

    def inject(self, micro: int) -> Written:
        """Funds for the pool."""
        return self._operation(lambda: self.programme.inject(micro))

    def _operation(self, operation: Callable[[], Chunk]) -> Written:
        try:
            written = Written(SETTLED, [], self.read(operation().transfers))
        except Refused as refused:
            return Written(refused.code, [], [])
        self.watch()
        return written

    # ------------------------------------------------------------ what it knows

    def facts(self) -> Facts:
        """What it knows, after its state's own pots, vouchers and supply have been compared with the books."""
        self._check_state_against_books()
        pool = self.programme.state.pool
        price = columns.price_pair(pool) if pool is not None else (1, 1)
        balances = {account: amount for account, amount in self.balances.items() if amount}
        return Facts(balances, set(self.closed), self._queues(), Fraction(*price), self._members(), *self._release())

    def _check_state_against_books(self) -> None:
        path, state, balances = self.programme.accounts.path, self.programme.state, self.balances
        assert len(self.closed) == len(set(self.closed))
        for holder, micro in enumerate(state.holdings.vouchers.tolist()):
            if micro:
                assert micro == balances[path(holder * POCKETS + VOUCHERS), "VOUCHER"]
        if state.queues is not None:
            for row in state.queues.rows[: int(state.queues.used[columns.QUEUES_USED])].tolist():
                assert row[columns.POT] == balances[path(row[columns.POT_ACCOUNT]), "CNY"]
        if state.pool is not None:
            assert state.pool.totals[columns.POOL_MICRO] == balances["programme:pool", "CNY"]
            assert state.pool.totals[columns.SUPPLY] == -balances["programme:points", "POINT"]
        if state.release is not None:
            assert state.release.clock[columns.DIVIDEND_MICRO] == balances["programme:dividend", "CNY"]

    def _queues(self) -> dict[str, list[tuple[str, str, int, int, int | None]]]:
        queues, path = self.programme.state.queues, self.programme.accounts.path
        if queues is None:
            return {}
        never = self.programme.terms.packets.exit_packets == 2**31
        told = {}
        for row in queues.rows[: int(queues.used[columns.QUEUES_USED])].tolist():
            first = row[columns.START] + row[columns.HEAD]
            lots = queues.lots[first : first + row[columns.OPEN]].tolist()
            if lots:
                told[path(row[columns.POT_ACCOUNT])] = [
                    (self.settled_ids[order], path(wallet), paid, room, None if never else left)
                    for order, wallet, paid, room, left in lots
                ]
        return told

    def _members(self) -> list[tuple[str, int, int, int]]:
        pool, terms = self.programme.state.pool, self.programme.terms.pool
        if pool is None:
            return []
        told = []
        for row in pool.members.tolist():
            facts = row[columns.MEMBER_POINTS], row[columns.MEMBER_LIMIT], row[columns.MEMBER_OUT]
            if any(facts):
                name = self.programme.accounts.holders[row[columns.MEMBER_HOLDER]].name
                told.append((row[columns.MEMBER_NUMBER], (name, *facts)))
        assert not terms.by_order or told == sorted(told)
        return [facts for _, facts in sorted(told)]

    def _release(self) -> tuple[Any, Any]:
        release, holders = self.programme.state.release, self.programme.accounts.holders
        if release is None:
            return (0, None, 0, 0, None), []
        clock = release.clock.tolist()
        opened = None if clock[columns.OPENED_ON] == columns.NEVER else clock[columns.OPENED_ON]
        closed_on = clock[columns.CLOSED_ON] if clock[columns.WAITING] >= 0 else None
        period = clock[columns.PERIOD], opened, clock[columns.INFLOW], clock[columns.LAST_INFLOW], closed_on
        lots = [
            (
                holders[lot[columns.RELEASE_HOLDER]].prefix(),
                lot[columns.RELEASE_PERIOD],
                lot[columns.RELEASE_POINTS],
                lot[columns.RELEASE_DONE],
            )
            for lot in release.lots[: clock[columns.RELEASE_USED]].tolist()
        ]
        return period, lots


def _column(values: Iterable[int]) -> np.ndarray:
    return np.array(list(values), np.int64)


# ---------------------------------------------------------------- both


class Concrete(NamedTuple):
    """What was done in the end: an order, or a sale of so many points, or an injection; and what the oracle wrote."""

    action: Order | tuple[str, int] | int
    written: Written


def ask(plan: PlanFacts | Plan, actions: Sequence[Action]) -> tuple[Asking, list[Concrete]]:
    """The oracle after all actions, and what it said to each."""
    asking = Asking(plan)
    done: list[Concrete] = []
    for action in actions:
        if isinstance(action, Asked):
            order = asking.order(action)
            done.append(Concrete(order, asking.settle(order)))
            continue
        if isinstance(action, Sale):
            points = asking.points_for(action)
            if points == 0:
                continue
            concrete: tuple[str, int] | int = (action.consumer, points)
        else:
            assert isinstance(action, Injection)
            concrete = action.micro
        try:
            lines = asking.programme.sell(*concrete) if isinstance(concrete, tuple) else asking.programme.inject(concrete)
            done.append(Concrete(concrete, Written(SETTLED, [], lines)))
        except RowRefused as refused:
            done.append(Concrete(concrete, Written(refused.reason, [], [])))
    return asking, done


def tell(engine: Engine, actions: Sequence[Order | tuple[str, int] | int], cuts: Callable[[int], int]) -> list[Written]:
    """The engine's answers; orders that stand side by side go in batches, ``cuts`` saying how large the next one is."""
    written: list[Written] = []
    at = 0
    while at < len(actions):
        action = actions[at]
        if isinstance(action, Order):
            size = max(1, cuts(at))
            batch: list[Order] = []
            for each in actions[at : at + size]:
                if not isinstance(each, Order):
                    break
                batch.append(each)
            written += engine.settle(batch)
            at += len(batch)
        else:
            written.append(engine.sell(*action) if isinstance(action, tuple) else engine.inject(action))
            at += 1
    return written
