"""The oracle: docs/rules.md as plain Python, to be read beside that page clause by clause. It imports nothing of the package.

The meaning of a plan
---------------------
The oracle reads no plan documents. It takes what a plan *means*, as a dict; only ``concession`` and ``shares`` are required::

    concession        (600, 3000)             lowest and highest concession, bp
    shares            a list, in the order of the plan, of
                        to             consumer, merchant, referrer, referrer2, recruiter, agent.district, agent.city,
                                       agent.province, agent.region, packets, pool, dividend, platform, or a fund's name
                        of, rate       "amount" or "concession", and bp of it; or, for a sliding rate of the amount,
                        of, from, upto "amount", (concession bp, rate bp), (concession bp, rate bp)
                        else           who takes it when the party is not there; default "platform"
                        as             "cash" (default) or "vouchers"
                        differential   True: minus what agents of lower rank took; default False
    packets           per_order 20; tiers_fen [10000, 20000, 50000] (inclusive upper bounds, the last tier has none);
                      merchant_tiers {merchant: tiers_fen}; exit_packets 20 or None (never); exit_received_bp 10000;
                      own_orders "count" or "skip"
    pool              mint_bp 7000; pays_bp 8000; opening_price (1, 1) (yuan, points); exit_bp 12000 or 0 (never);
                      exit_scope "member" or "order"; exit_basis "spend" or "mint_value"
    points            a list of to ("consumer" or "merchant") with of, rate or of, from, upto as for shares
    release           rate Fraction(1, 200), or bp as an int; of "growth" or "balance"; growth_bp 11500 or 0 (never);
                      days 30; extended 40 or 0 (never); multiple_bp 50000; pays "vouchers" or "cash"
    bonus             a list of to, amount_fen, once_per ("merchant" or "consumer")
    offset_bp         share of an order that vouchers may pay; default 0
    packets_borne_by  "merchant" (default) or "platform"
    funds             names of funds

A plan has a pool or a release, not both. That its shares fit into the concession is for the plan check; here it is asserted.
State is kept where people would look for it: pots, pool, supply and reserve *are* account balances.

Sections 1 and 2 of the page are in oracle_orders.py, the draws and the cut of section 3 in oracle_draws.py, what a
programme remembers in oracle_state.py, and what it does is here.
"""

from __future__ import annotations

import copy
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from oracle_draws import commitment, cut, day_secret, draws, siphash24, uniform
from oracle_orders import (
    AMOUNT_FEN_MAX,
    BP,
    DIVIDEND,
    FUNDING,
    MICRO_MAX,
    MICRO_PER_FEN,
    POINTS,
    POOL,
    RESERVE,
    SURPLUS,
    UNITS,
    VOUCHERS,
    Leg,
    Order,
    Plan,
    Transfer,
    cash_account,
    encoded,
    holder_of,
    linear,
    share_legs,
    tier_of,
)
from oracle_state import Lot, Member, PeriodState, PointLot, PoolState, Record, State

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Lot",
    "Order",
    "PeriodState",
    "Plan",
    "PointLot",
    "PoolState",
    "Programme",
    "RowRefused",
    "Settlement",
    "Transfer",
    "commitment",
    "cut",
    "day_secret",
    "draws",
    "encoded",
    "reversed_of",
    "siphash24",
    "uniform",
]


class Settlement(NamedTuple):
    """What one order wrote: the releases that its day brought about, and its own transfers."""

    before: list[Transfer]
    order: list[Transfer]


class RowRefused(Exception):
    """An order or operation that breaks a limit; nothing has changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# ---------------------------------------------------------------- 6. refunds: how much of each leg stands reversed


def reversed_of(legs: Sequence[int], total: int) -> list[int]:
    """Jefferson/D'Hondt: the lower quota, then one micro at a time to the greatest leg / (part + 1), ties to the earlier leg."""
    whole = sum(legs)
    if whole == 0:
        return [0 for _ in legs]
    parts = [leg * total // whole for leg in legs]
    while sum(parts) < total:
        best = max(range(len(legs)), key=lambda i: (Fraction(legs[i], parts[i] + 1), -i))
        parts[best] += 1
    return parts


# ---------------------------------------------------------------- the programme


class Programme:
    """One plan at work."""

    def __init__(self, plan: Plan, secret: bytes) -> None:
        assert not (plan.get("pool") and plan.get("release"))
        self.plan = plan
        self.secret = secret
        self.state = State()
        if plan.get("pool"):
            self.state.last_price = plan["pool"].get("opening_price", (1, 1))
        self._written: list[Transfer] = []

    def settle(self, order: Order) -> Settlement:
        """Settle one order, or raise RowRefused and change nothing."""
        assert order.order_id not in self.state.records
        paid, concession_bp, (lowest, highest) = order.paid_fen, order.concession_bp, self.plan["concession"]
        if not 1 <= paid <= AMOUNT_FEN_MAX:
            raise RowRefused("amount_out_of_range")
        if not lowest <= concession_bp <= highest:
            raise RowRefused("concession_out_of_range")
        if order.voucher_fen > paid * self.plan.get("offset_bp", 0) // BP:
            raise RowRefused("vouchers_over_limit")

        a_new_day = self.plan.get("release") and (self.state.reached is None or order.day > self.state.reached)
        saved = copy.deepcopy(self.state) if a_new_day else self.state
        if self.plan.get("release"):
            self._pass_days(order.day)
        before = self._take_written()
        legs = share_legs(self.plan, order)
        try:
            self._refuse_unless_it_fits(order, legs)
        except RowRefused:
            self.state = saved
            raise
        self._settle_lines(order, legs)
        return Settlement(before, self._take_written())

    def balances(self) -> dict[tuple[str, str], int]:
        """Every account that was ever touched, by path and unit."""
        return dict(self.state.balances)

    def lots(self) -> list[Lot]:
        """Every packet lot ever, oldest first."""
        return list(self.state.lots)

    def point_lots(self) -> list[PointLot]:
        """Every lot of points under a release, by number."""
        return list(self.state.point_lots)

    def period_state(self) -> PeriodState:
        """The open period."""
        inflows = self.state.inflows or [0]
        last = inflows[-2] if len(inflows) > 1 else 0
        return PeriodState(len(inflows) - 1, self.state.opened, inflows[-1], last, self.state.closed_on)

    def _held(self, account: str, unit: str = "CNY") -> int:
        return self.state.balances[account, unit]

    def _move(self, source: str, destination: str, amount: int, code: str) -> None:
        assert amount >= 0
        if amount > 0:
            unit = UNITS.get(code.removeprefix("refund."), "CNY")
            self.state.balances[source, unit] -= amount
            self.state.balances[destination, unit] += amount
            self._written.append(Transfer(source, destination, amount, unit, code))

    def _take_written(self) -> list[Transfer]:
        written, self._written = self._written, []
        return written

    # ------------------------------------------------------------ 2. one order, in this order of lines

    def _refuse_unless_it_fits(self, order: Order, legs: list[Leg]) -> None:
        vouchers = self._held(f"consumer:{encoded(order.consumer)}:vouchers", "VOUCHER")  # below 0 it is a debt
        if order.voucher_fen > 0 and order.voucher_fen * MICRO_PER_FEN > vouchers:
            raise RowRefused("vouchers_short")
        incoming: Counter[str] = Counter()
        for leg in legs:
            if leg.code in ("pot", "pool", "dividend"):
                incoming[leg.account] += leg.amount
        if any(self._held(pot) + amount > MICRO_MAX for pot, amount in incoming.items()):
            raise RowRefused("limit_reached")
        if self.plan.get("pool") and self.supply() + self._mintable(legs)[1] > MICRO_MAX:
            raise RowRefused("limit_reached")

    def _settle_lines(self, order: Order, legs: list[Leg]) -> None:
        consumer, merchant = f"consumer:{encoded(order.consumer)}", f"merchant:{encoded(order.merchant)}"
        record = self.state.records[order.order_id] = Record(order, legs)
        self._move(f"{consumer}:vouchers", VOUCHERS, order.voucher_fen * MICRO_PER_FEN, "voucher_spent")
        self._move(RESERVE, f"{merchant}:income", order.voucher_fen * MICRO_PER_FEN, "voucher_paid")
        mint_value, minted = self._mintable(legs) if self.plan.get("pool") else (0, 0)  # at the price of before
        for leg in legs:
            self._move(f"{merchant}:concession", leg.account, leg.amount, leg.code)
            if leg.vouchers is not None:
                self._move(VOUCHERS, leg.vouchers, leg.amount, "voucher")
        for index, bonus in enumerate(self.plan.get("bonus", [])):
            winner, once = holder_of(order, bonus["to"]), holder_of(order, bonus["once_per"])
            assert once is not None
            if winner is not None and (index, once) not in self.state.bonus_paid:
                self.state.bonus_paid.add((index, once))
                self._move(SURPLUS, f"{winner}:wallet", bonus["amount_fen"] * MICRO_PER_FEN, "bonus")
        if self.plan.get("packets"):
            self._hand_out_packets(order, record)
        if self.plan.get("pool"):
            self._mint(record, mint_value, minted)
        if self.plan.get("release"):
            self._earn_points(record)

    # ------------------------------------------------------------ 3. packets

    def _hand_out_packets(self, order: Order, record: Record) -> None:
        terms = self.plan["packets"]
        tier, per_order = tier_of(self.plan, order), terms["per_order"]
        pot = cash_account(self.plan, order, "packets")
        queue = self.state.queues.setdefault((order.merchant, tier), [])
        skip = terms.get("own_orders", "count") == "skip"
        window = [lot for lot in queue if not (skip and lot.consumer == order.consumer)][:per_order]  # 1
        issue = self._held(pot) * len(window) // per_order // MICRO_PER_FEN  # 2
        if issue > 0:
            lucky = window[: min(len(window), issue)]  # 3
            key = siphash24(day_secret(self.secret, order.day)[:16], order.order_id.encode())
            parts = cut(draws(key), issue, len(lucky))
            gets = [min(part, lot.room_fen) for part, lot in zip(parts, lucky, strict=True)]  # 4
            over = issue - sum(gets)
            for i, lot in enumerate(lucky):
                more = min(over, lot.room_fen - gets[i])
                gets[i] += more
                over -= more
            for lot, fen in zip(lucky, gets, strict=True):  # 5
                self._move(pot, f"consumer:{encoded(lot.consumer)}:wallet", fen * MICRO_PER_FEN, "packet")
                lot.packets += 1
                lot.received_fen += fen
                lot.room_fen -= fen
                if lot.left is not None:
                    lot.left -= 1
                if lot.left == 0 or lot.room_fen == 0:
                    lot.open = False
        room_fen = order.paid_fen * terms.get("exit_received_bp", BP) // BP  # 6
        lot = Lot(order.order_id, order.consumer, order.merchant, tier, order.paid_fen, room_fen, terms.get("exit_packets"))
        lot.open = room_fen > 0
        self.state.lots.append(lot)
        self.state.queues[order.merchant, tier] = [each for each in (*queue, lot) if each.open]
        record.lot = lot

    # ------------------------------------------------------------ 4. the priced pool

    def supply(self) -> int:
        """Points in circulation."""
        return -self._held(POINTS, "POINT")

    def price(self) -> Fraction:
        """Yuan per point; the last price when there are no points."""
        return Fraction(self._held(POOL), self.supply()) if self.supply() else Fraction(*self.state.last_price)

    def pool_state(self) -> PoolState:
        """The priced pool; a member is named by its consumer, or with exit scope order by its order."""
        members = {name: (each.points, each.limit, each.out) for name, each in self.state.members.items()}
        return PoolState(self._held(POOL), self.supply(), self.state.last_price, members)

    def sell(self, consumer: str, points: int) -> list[Transfer]:
        """A voluntary sale; with exit scope order, from the oldest order's points on, each order a sale by itself."""
        sellers = [each for each in self.state.members.values() if each.consumer == consumer]
        if points > sum(each.points for each in sellers):
            raise RowRefused("points_short")
        for member in sellers:
            part = min(points, member.points)
            points -= part
            if part > 0:
                member.points -= part
                member.out += self._sell(member, part, "sale")
                self._watch(member)
        self._cascade()
        return self._take_written()

    def inject(self, amount_micro: int) -> list[Transfer]:
        """Funds into the pool without minting."""
        if self._held(POOL) + amount_micro > MICRO_MAX:
            raise RowRefused("limit_reached")
        self._move(FUNDING, POOL, amount_micro, "injection")
        self._cascade()
        return self._take_written()

    def _mintable(self, legs: list[Leg]) -> tuple[int, int]:
        """The mint value of an order and the points it mints, at the price as it stands."""
        share = sum(leg.amount for leg in legs if leg.code == "pool")
        value = share * self.plan["pool"]["mint_bp"] // BP
        pool, supply = (self._held(POOL), self.supply()) if self.supply() else self.state.last_price
        return value, value * supply // pool

    def _mint(self, record: Record, value: int, minted: int) -> None:
        order, terms = record.order, self.plan["pool"]
        self._move(POINTS, f"consumer:{encoded(order.consumer)}:points", minted, "mint")
        name = order.order_id if terms.get("exit_scope", "member") == "order" else order.consumer
        member = self.state.members.setdefault(name, Member(len(self.state.members), name, order.consumer))
        exit_bp = terms.get("exit_bp", 0)
        by_spend = terms.get("exit_basis", "spend") == "spend"
        record.member, record.cycle, record.minted = member, member.cycle, minted
        record.limit_added = order.paid_fen * exit_bp if by_spend else value * exit_bp // BP
        member.points += minted
        member.limit += record.limit_added
        self._watch(member)
        self._cascade()

    def _sell(self, member: Member, points: int, code: str) -> int:
        """Burn the points and pay for them; returns what was paid."""
        value = points * self._held(POOL) // self.supply()
        paid = int(value * self.plan["pool"]["pays_bp"] // BP)
        self._note_price(points)
        self._move(f"consumer:{encoded(member.consumer)}:points", POINTS, points, "burn")
        self._move(POOL, f"consumer:{encoded(member.consumer)}:wallet", paid, code)
        return paid

    def _note_price(self, points: int) -> None:
        """When the last points are about to burn, the price of before is the last price."""
        if points == self.supply() > 0:
            self.state.last_price = (self._held(POOL), points)

    def _trigger(self, member: Member) -> Fraction:
        """The price at which the member is due."""
        return Fraction(member.limit - member.out, member.points)

    def _watch(self, member: Member) -> None:
        """Remember the trigger of a member whose points, limit or paid-out have changed."""
        if self.plan["pool"].get("exit_bp", 0) and member.points > 0:
            heappush(self.state.triggers, (self._trigger(member), member.number, member.name))

    def _cascade(self) -> None:
        """While any member is due, the one with the lowest trigger exits; of equal ones the lower number."""
        while self.state.triggers:
            trigger, _, name = self.state.triggers[0]
            member = self.state.members[name]
            if member.points == 0 or self._trigger(member) != trigger:
                heappop(self.state.triggers)
                continue
            if member.points * self._held(POOL) < (member.limit - member.out) * self.supply():
                return
            self._sell(member, member.points, "exit")
            member.points = member.limit = member.out = 0
            member.cycle += 1

    # ------------------------------------------------------------ 5. points and their release by period

    def _pass_days(self, day: date) -> None:
        """What the days up to this order's bring: (a) the release that waits, (b) periods that run out."""
        state = self.state
        if state.opened is None or state.reached is None:
            state.opened, state.reached, state.inflows = day, day, [0]
        today = state.reached = max(day, state.reached)
        if state.closed_on is not None and today > state.closed_on:  # (a)
            self._release(len(state.inflows) - 2)
            state.closed_on = None
        days = timedelta(days=self.plan["release"]["days"])
        while today >= state.opened + days:  # (b)
            self._release(len(state.inflows) - 1)
            state.inflows.append(0)
            state.opened += days

    def _earn_points(self, record: Record) -> None:
        order, terms, state = record.order, self.plan["release"], self.state
        period = len(state.inflows) - 1
        for entry in self.plan["points"]:
            points = linear(entry, order.paid_fen, order.concession_bp)
            holder = holder_of(order, entry["to"])
            assert holder is not None
            self._move(POINTS, f"{holder}:points", points, "mint")
            if points > 0:
                record.mints.append((self._lot_for(holder, period, points), points))
        state.inflows[-1] += order.paid_fen * order.concession_bp
        growth_bp, last = terms.get("growth_bp", 0), state.inflows[-2] if period > 0 else 0
        if growth_bp and last > 0 and state.closed_on is None and state.inflows[-1] * BP >= growth_bp * last:
            state.closed_on = state.opened = state.reached
            state.inflows.append(0)

    def _lot_for(self, holder: str, period: int, points: int) -> PointLot:
        """The lot that the points join: the holder's of this period, or of a balance plan the holder's."""
        by_balance = self.plan["release"].get("of", "growth") == "balance"
        for lot in self.state.point_lots:
            if lot.holder == holder and lot.open and (by_balance or lot.period == period):
                lot.points += points
                lot.left += points
                return lot
        self.state.point_lots.append(PointLot(holder, period, points, points))
        return self.state.point_lots[-1]

    def _due(self, lot: PointLot, period: int) -> int:
        """What a release owes the lot before the pot is asked."""
        terms = self.plan["release"]
        rate = terms["rate"] if isinstance(terms["rate"], Fraction) else Fraction(terms["rate"], BP)
        still = max(0, lot.points * terms["multiple_bp"] // BP - lot.released)
        if terms.get("of", "growth") == "balance":
            return int(still * rate)
        inflow, first = self.state.inflows[period], self.state.inflows[lot.period]
        return min(int(lot.points * rate * inflow / first), still) if first else 0

    def _release(self, period: int) -> None:
        """The release of a closed period."""
        terms = self.plan["release"]
        in_cash = terms.get("pays", "vouchers") == "cash"
        lots = [lot for lot in self.state.point_lots if lot.open and lot.period <= period]
        dues = [self._due(lot, period) for lot in lots]
        held, owed = self._held(DIVIDEND), sum(dues)
        if owed > held:
            dues = [due * held // owed for due in dues]
        if not in_cash:
            self._move(DIVIDEND, RESERVE, sum(dues), "release")
        for lot, due in zip(lots, dues, strict=True):
            lot.released += due
            if in_cash:
                self._move(DIVIDEND, f"{lot.holder}:wallet", due, "release")
                self._use_up(lot, min(due, lot.left), "burn")
            else:
                self._move(VOUCHERS, f"{lot.holder}:vouchers", due, "voucher")
            if lot.released >= lot.points * terms["multiple_bp"] // BP:
                lot.open = False
                self._use_up(lot, lot.left, "burn")
            elif terms.get("extended", 0) and period - lot.period + 1 >= terms["extended"]:
                lot.open = False
                self._use_up(lot, lot.left, "zeroed")

    def _use_up(self, lot: PointLot, points: int, code: str) -> None:
        lot.left -= points
        self._move(f"{lot.holder}:points", POINTS, points, code)

    # ------------------------------------------------------------ 6. refunds

    def refund(self, order_id: str, refund_fen: int) -> list[Transfer]:
        """Refund a part of an order, or all that is left of it; never more."""
        assert refund_fen > 0
        record = self.state.records[order_id]
        before, after = record.refunded_fen, record.refunded_fen + refund_fen
        if after > record.order.paid_fen:
            raise RowRefused("refund_too_large")
        record.refunded_fen = after

        def part(whole: int) -> int:
            """This refund's part of what is reversed in proportion: the floor in all now, less the floor in all before."""
            return whole * after // record.order.paid_fen - whole * before // record.order.paid_fen

        burned = min(part(record.minted), record.member.points) if record.member else 0
        worth = burned * self._held(POOL) // self.supply() if burned else 0
        self._note_price(burned)
        self._reverse_legs(record, before, after, worth)  # 1, 2
        if record.lot is not None:  # 3
            self._take_back_packets(record.lot, part(record.lot.received_fen))
        for lot, minted in record.mints:  # 4, with a release
            self._unearn(lot, part(minted))
        if record.member is not None:  # 4, with a pool
            self._unmint(record, record.member, burned, part(record.limit_added))
        self._return_vouchers(record.order, part(record.order.voucher_fen))  # 5
        if record.member is not None:  # 6
            self._cascade()
        return self._take_written()

    def _reverse_legs(self, record: Record, before_fen: int, after_fen: int, worth: int) -> None:
        """Each leg back to the merchant's concession; ``worth`` is the most that the pool gives."""
        merchant = f"merchant:{encoded(record.order.merchant)}"
        amounts = [leg.amount for leg in record.legs]
        old = reversed_of(amounts, before_fen * record.order.concession_bp)
        new = reversed_of(amounts, after_fen * record.order.concession_bp)
        bearer = SURPLUS if self.plan.get("packets_borne_by", "merchant") == "platform" else f"{merchant}:borne"
        for i, leg in enumerate(record.legs):
            amount, code = new[i] - old[i], f"refund.{leg.code}"
            giver = bearer if leg.code == "pot" else leg.account
            gives = amount
            if leg.code == "pool":
                gives = min(amount, worth)
                worth -= gives
            if leg.code == "dividend":
                gives = min(amount, self._held(DIVIDEND))
            rest = SURPLUS
            if leg.vouchers is not None:
                gives, rest = self._vouchers_back(leg.vouchers.removesuffix(":vouchers"), amount)
            self._move(giver, f"{merchant}:concession", gives, code)
            self._move(rest, f"{merchant}:concession", amount - gives, code)
            if leg.vouchers is not None:
                self._move(leg.vouchers, VOUCHERS, gives, "refund.voucher")

    def _vouchers_back(self, holder: str, amount: int) -> tuple[int, str]:
        """How many of its vouchers a holder can give back, and the wallet that owes the rest in cash."""
        return min(amount, self._held(f"{holder}:vouchers", "VOUCHER")), f"{holder}:wallet"

    def _take_back_packets(self, lot: Lot, fen: int) -> None:
        """The refunded order's own lot closes and gives back, in proportion, what it has received."""
        lot.open = False
        queue = self.state.queues[lot.merchant, lot.tier]
        self.state.queues[lot.merchant, lot.tier] = [each for each in queue if each.open]
        pot = f"programme:packets:{encoded(lot.merchant)}:{lot.tier}"
        self._move(f"consumer:{encoded(lot.consumer)}:wallet", pot, fen * MICRO_PER_FEN, "takeback")

    def _unmint(self, record: Record, member: Member, burned: int, limit: int) -> None:
        """Burn the member's points; the limit falls unless the cycle that this order belonged to has ended."""
        self._move(f"consumer:{encoded(member.consumer)}:points", POINTS, burned, "burn")
        member.points -= burned
        if member.cycle == record.cycle:
            member.limit -= limit
        self._watch(member)

    def _unearn(self, lot: PointLot, minted: int) -> None:
        """The lot shrinks; points of it that are gone already are not burned again, what they brought returns."""
        if minted == 0 or not lot.open:
            return
        gone = (lot.points - lot.left) * minted // lot.points
        returned = lot.released * minted // lot.points
        self._use_up(lot, minted - gone, "burn")
        lot.points -= minted
        lot.released -= returned
        backed = 0
        if self.plan["release"].get("pays", "vouchers") == "vouchers":
            backed, _ = self._vouchers_back(lot.holder, returned)
        self._move(RESERVE, DIVIDEND, backed, "refund.release")
        self._move(f"{lot.holder}:wallet", DIVIDEND, returned - backed, "refund.release")
        self._move(f"{lot.holder}:vouchers", VOUCHERS, backed, "refund.voucher")

    def _return_vouchers(self, order: Order, fen: int) -> None:
        """The part of the refund that vouchers had paid returns as vouchers, and the merchant gives the cash back."""
        consumer, merchant = f"consumer:{encoded(order.consumer)}", f"merchant:{encoded(order.merchant)}"
        self._move(VOUCHERS, f"{consumer}:vouchers", fen * MICRO_PER_FEN, "refund.voucher_spent")
        self._move(f"{merchant}:income", RESERVE, fen * MICRO_PER_FEN, "refund.voucher_paid")
