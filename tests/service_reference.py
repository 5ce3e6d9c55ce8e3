"""What a service must say and write: the same requests to the oracle, and those it accepts to ``settle.Programme`` directly.

Drawn actions become requests here, and each comes with what the oracle made of it. A refusal of the oracle's leaves everything as
it was, and so must the service's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from random import Random
from typing import Final, NamedTuple

import numpy as np
from engine_bridge import EPOCH, Asking, Engine
from engine_worlds import Action, Asked, Injection, PlanFacts, Sale, action_of, document, meaning
from oracle import Order, Plan, RowRefused, Transfer
from service_worlds import SECRET

from rangli.ledger.transfers import Transfers
from rangli.money import print_micro, print_percent, print_yuan
from rangli.plan import CompiledPlan, check, compile_plan
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    OrderRequest,
    RefundRequest,
    Request,
    SaleRequest,
)
from rangli.settle import Programme, Settled

# ---------------------------------------------------------------- plans


class Version(NamedTuple):
    """A version of a plan: what its designer writes, and what the oracle takes it to mean."""

    document: str
    meaning: Plan

    @classmethod
    def of(cls, facts: PlanFacts) -> Version:
        """From drawn facts."""
        return cls(document(facts), meaning(facts))

    def compiled(self) -> CompiledPlan:
        """As the engine takes it."""
        plan, problems = check(self.document)
        assert plan is not None, problems
        return compile_plan(plan)


def milder(facts: PlanFacts) -> PlanFacts:
    """A version that may follow: shares halved, a pool that pays less, other bounds of the concession."""
    low, high = facts.concession
    shares = tuple(share._replace(rate=share.rate._replace(bp=share.rate.bp // 2)) for share in facts.shares)
    pool = facts.pool and facts.pool._replace(pays_bp=1 + facts.pool.pays_bp // 2)
    return facts._replace(shares=shares, pool=pool, concession=(low, low + (high - low) // 2))


def _shares(of: str, **rates: int) -> list[Plan]:
    return [{"to": to.replace("_", "."), "of": of, "rate": rate} for to, rate in rates.items()]


ZENGZHI: Final[Plan] = {
    "concession": (2000, 2000),
    "shares": [
        *_shares("amount", pool=1600, referrer=30, referrer2=20, recruiter=50, agent_district=10),
        *({**share, "differential": True} for share in _shares("amount", agent_city=20, agent_province=30)),
    ],
    "pool": {"mint_bp": 7000, "pays_bp": 8000, "exit_bp": 12_000},
}
YUNLIANHUI: Final[Plan] = {
    "concession": (1600, 1600),
    "shares": _shares("concession", dividend=10_000),
    "points": _shares("amount", consumer=10_000, merchant=1600),
    "release": {"rate": 5, "of": "balance", "growth_bp": 0, "days": 1, "extended": 0, "multiple_bp": 10_000, "pays": "cash"},
}
ZHONGDIAN: Final[Plan] = {
    "concession": (300, 2000),
    "shares": _shares("concession", dividend=4000, referrer=500, recruiter=1000),
    "points": _shares("concession", consumer=7000, merchant=3000),
    "release": {"rate": Fraction(1, 200), "growth_bp": 11_500, "days": 30, "extended": 40, "multiple_bp": 50_000},
    "offset_bp": 10_000,
}
PAIDUI: Final[Plan] = {
    "concession": (1000, 3000),
    "shares": _shares("concession", packets=8000),
    "packets": {"per_order": 1, "tiers_fen": [], "exit_packets": None, "exit_received_bp": 10_000},
}


# ---------------------------------------------------------------- actions


class Back(NamedTuple):
    """A refund of one of the settled orders: a part of what is left, 1000 for all, 1001 for more."""

    which: int
    permille: int


class Begun(NamedTuple):
    """A day that has begun, so many days ahead."""

    days: int


class Turn(NamedTuple):
    """Another version of the plan takes over."""

    version: int


Doing = Action | Back | Begun | Turn

AMOUNTS: Final = (
    lambda chance: chance.choice((10_000, 100, 20_000)),
    lambda chance: chance.randint(1, 5),
    lambda chance: chance.randint(1, 10**6),
)
"""Orders alike, tiny, anything; far from every limit, which has tests of its own."""


def doing_of(number: int, facts: PlanFacts, amounts: int) -> Doing:
    """What a number stands for."""
    chance = Random(number)
    kind = chance.randrange(16)
    if kind < 3:
        return Back(chance.randrange(10**6), chance.choice((1000, 1000, 333, 1, 1001)))
    if kind == 3:
        return Begun(chance.choice((0, 1, 30, 2, -1, 31)))
    if kind == 4:
        return Turn(chance.randrange(2))
    action = action_of(number, facts, AMOUNTS[amounts])
    if isinstance(action, Asked):
        names = tuple(name and name.replace("\x85", "\x85.") for name in action.names)  # the intake takes no blank at the end
        return action._replace(names=names)
    if isinstance(action, Injection):
        return Injection(max(10_000, action.micro - action.micro % 10_000))  # it is asked for in fen
    return action


# ---------------------------------------------------------------- the oracle


class Said(NamedTuple):
    """A request, and what the oracle made of it."""

    request: Request
    reason: str
    """Why it is refused, in a word; empty when it is done."""
    before: list[Transfer]
    """Releases that come before it."""
    lines: list[Transfer]
    version: int
    """The plan version under which it is decided."""
    order: Order | None = None


class Reference:
    """The oracle, told the same requests."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self.versions = versions
        self.asking = Asking(versions[0].meaning)
        self.version = 0
        self.said: list[Said] = []
        self._version_of: dict[str, int] = {}
        self._count = 0

    def act(self, doing: Doing) -> None:
        """Say what becomes of it, unless it is about nothing."""
        said = self._said(doing)
        if said is not None:
            self.said.append(said)

    def _said(self, doing: Doing) -> Said | None:
        self._count += 1
        if isinstance(doing, Asked):
            return self._order(self.asking.order(doing))
        if isinstance(doing, Back):
            return self._refund(doing, f"退{self._count}")
        programme = self.asking.programme
        if isinstance(doing, Sale):
            points = self.asking.points_for(doing)
            request: Request = SaleRequest(f"sale {self._count}", doing.consumer, print_micro(points))
            return self._tried(request, lambda: programme.sell(doing.consumer, points)) if points else None
        if isinstance(doing, Injection):
            request = InjectionRequest(f"注{self._count}", print_yuan(doing.micro // 10_000))
            return self._tried(request, lambda: programme.inject(doing.micro)) if programme.plan.get("pool") else None
        if isinstance(doing, Begun):
            self.asking.day += timedelta(days=doing.days)
            if programme.plan.get("release") and programme.state.opened is not None:
                programme._pass_days(self.asking.day)
            return Said(
                ClosingRequest(f"c{self._count}", self.asking.day.isoformat()), "", programme._take_written(), [], self.version
            )
        self.version = doing.version
        self._take(self.version)
        return Said(ActivationRequest(f"版本{self._count}", self.versions[self.version].document), "", [], [], self.version)

    def _take(self, version: int) -> None:
        self.asking.programme.plan = self.versions[version].meaning
        self.asking.offset_bp = self.asking.programme.plan.get("offset_bp", 0)

    def _tried(self, request: Request, act) -> Said:  # type: ignore[no-untyped-def]  # noqa: ANN001 (what the oracle does)
        try:
            return Said(request, "", [], act(), self.version)
        except RowRefused as refused:
            return Said(request, refused.reason, [], [], self.version)

    def _order(self, order: Order) -> Said:
        request = request_of(order)
        try:
            settled = self.asking.programme.settle(order)
        except RowRefused as refused:
            return Said(request, refused.reason, [], [], self.version)
        self._version_of[order.order_id] = self.version
        return Said(request, "", settled.before, settled.order, self.version, order)

    def _refund(self, back: Back, refund_id: str) -> Said | None:
        if not self._version_of:
            return None
        order_id = list(self._version_of)[back.which % len(self._version_of)]
        record = self.asking.programme.state.records[order_id]
        left = record.order.paid_fen - record.refunded_fen
        fen = left + 1 if back.permille > 1000 or not left else max(1, left * back.permille // 1000)
        request = RefundRequest(refund_id, order_id, "" if back.permille == 1000 else print_yuan(fen))
        version = self._version_of[order_id]
        self._take(version)
        said = self._tried(request, lambda: self.asking.programme.refund(order_id, fen))
        self._take(self.version)
        return said._replace(version=version)


def request_of(order: Order) -> OrderRequest:
    """An order in words."""
    parties = {
        name: getattr(order, name) or ""
        for name in ("referrer", "referrer2", "recruiter", "agent_district", "agent_city", "agent_province", "agent_region")
    }
    return OrderRequest(
        order.order_id,
        f"{order.day} 12:00:00",
        order.merchant,
        order.consumer,
        print_yuan(order.paid_fen),
        print_percent(order.concession_bp),
        print_yuan(order.voucher_fen) if order.voucher_fen else "",
        **parties,
    )


def reference(versions: Sequence[Version], doings: Iterable[Doing]) -> Reference:
    """The oracle after all of this."""
    made = Reference(versions)
    for doing in doings:
        made.act(doing)
    return made


# ---------------------------------------------------------------- settle.Programme, directly


class Direct:
    """``settle.Programme`` at work on what was accepted, one by one."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self.plans = [version.compiled() for version in versions]
        self.engine = Engine(self.plans[0], Programme(self.plans[0], SECRET))
        self._settled: dict[str, Settled] = {}
        self._received: dict[int, int] = {}

    def act(self, said: Said) -> list[Transfer]:
        """What it writes, releases and all."""
        programme, request = self.engine.programme, said.request
        programme.adopt(self.plans[said.version])
        if isinstance(request, OrderRequest):
            assert said.order is not None
            return self._order(said.order)
        if isinstance(request, RefundRequest):
            settled = self._settled[request.order_id]
            settled.received_fen = self._received.get(settled.number, settled.received_fen)
            fen = settled.paid_fen - settled.refunded_fen if not request.amount else _fen(request.amount)
            return self.engine.read(programme.refund(settled, fen).transfers)
        if isinstance(request, SaleRequest):
            return self.engine.read(programme.sell(request.consumer, _micro(request.points)).transfers)
        if isinstance(request, InjectionRequest):
            return self.engine.read(programme.inject(_fen(request.amount) * 10_000).transfers)
        if isinstance(request, ClosingRequest):
            day = (date.fromisoformat(request.on) - EPOCH).days
            return [line for chunk in programme.close(day) for line in self.engine.read(chunk.transfers)]
        return []

    def _order(self, order: Order) -> list[Transfer]:
        programme = self.engine.programme
        batch, number = self.engine.batch([order]), programme.order_count
        status = np.zeros(1, np.uint8)
        read: list[Transfer] = []
        own: list[Transfers] = []
        for chunk in programme.run(batch, status):
            read += self.engine.read(chunk.transfers)
            self._received |= {row[0]: row[5] for row in chunk.closed.tolist()}
            own.append(Transfers(*(column[chunk.transfers.order == 0].copy() for column in chunk.transfers)))
        assert status[0] == 0
        legs = Transfers(*(np.concatenate(columns) for columns in zip(*own, strict=True)))
        self._settled[order.order_id] = Settled.of(programme, batch, 0, number, legs)
        return read


def _fen(yuan: str) -> int:
    return int(Fraction(yuan) * 100)


def _micro(points: str) -> int:
    return int(Fraction(points) * 10**6)


def direct(versions: Sequence[Version], said: Iterable[Said]) -> Direct:
    """The engine after what was accepted, each step compared with the oracle's."""
    made = Direct(versions)
    for each in said:
        if not each.reason:
            assert each.before + each.lines == made.act(each), each.request
    return made
