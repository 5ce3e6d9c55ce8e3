"""The priced pool from transfers alone: what each order minted, what each exit paid, and that the price never fell.

In plain Python, whose integers are as long as pool × supply needs. Prices are compared as fractions, by multiplying crosswise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from rangli.files.promises.faults import Findings
from rangli.files.promises.lines import Page
from rangli.files.promises.register import POINTS_ISSUER, POOL, Register
from rangli.ledger import transfers
from rangli.money import BP_PER_ONE, FEN_PER_YUAN, mul_div
from rangli.plan.parts import Pool

_MOVES: Final = (transfers.POOL, transfers.MINT, transfers.BURN, transfers.EXIT)


class Line(NamedTuple):
    """A transfer that concerns the pool."""

    code: int
    source: int
    destination: int
    amount: int


class Member:
    """What a member has since its last exit."""

    def __init__(self) -> None:
        self.points = 0
        self.limit = 0


class Price:
    """Pool, supply and members, kept up from the lines of orders."""

    def __init__(self, rules: Pool, register: Register, findings: Findings) -> None:
        self.rules = rules
        self.register = register
        self.findings = findings
        self.pool = 0
        self.supply = 0
        self.last = (rules.opening_price_fen, FEN_PER_YUAN)
        """The last price as pool and supply, for when nothing circulates."""
        self._pool_account = register.number(POOL)
        self._members: dict[int, Member] = {}

    def look_at(self, page: Page, where: Callable[[int], str]) -> None:
        """All orders of a page; ``where`` says where a group is."""
        lines, groups, facts, _ = page
        chosen = np.flatnonzero(np.isin(lines.code, _MOVES))
        group = np.repeat(np.arange(len(groups.start)), groups.stop - groups.start)[chosen]
        columns = (lines.code, lines.source, lines.destination, lines.amount)
        rows = [Line(*row) for row in zip(*(column[chosen].tolist() for column in columns), strict=True)]
        edges = np.flatnonzero(np.diff(group, prepend=-1, append=-1)).tolist()
        for first, last in pairwise(edges):
            g = int(group[first])
            order = int(groups.order[g])
            if order >= 0:
                for zh, en in self._faults(rows[first:last], int(facts.paid_fen[order]), int(facts.earner[order, 0])):
                    self.findings.add("price", where(g), zh, en)

    def _faults(self, rows: list[Line], paid_fen: int, points_account: int) -> Iterator[tuple[str, str]]:
        """What is wrong with the pool's lines of one order; the state moves on with the lines as they are."""
        share = sum(row.amount for row in rows if row.code == transfers.POOL and row.destination == self._pool_account)
        value = mul_div(share, self.rules.mint_bp, BP_PER_ONE)
        pool, supply = self._price()
        due = mul_div(value, supply, pool) if pool else 0
        moves = [row for row in rows if row.code != transfers.POOL]
        minted = moves.pop(0) if moves and moves[0].code == transfers.MINT else Line(transfers.MINT, -1, points_account, 0)
        self.findings.check("price", 1)
        if minted.amount != due or minted.destination != points_account:
            yield (
                f"铸出 {minted.amount} 微分,按单前价格应为 {due}",
                f"{minted.amount} micro-points minted, {due} at the price before",
            )
        self.pool += share
        self.supply += minted.amount
        member = self._members.setdefault(points_account, Member())
        member.points += minted.amount
        member.limit += self._limit(paid_fen, value)
        yield from self._not_below((pool, supply))
        while moves:
            burn = moves.pop(0)
            cash = moves.pop(0) if moves and moves[0].code == transfers.EXIT else Line(transfers.EXIT, -1, -1, 0)
            yield from self._exit(burn, cash)

    def _exit(self, burn: Line, cash: Line) -> Iterator[tuple[str, str]]:
        """What is wrong with one forced exit."""
        self.findings.check("price", 1)
        if burn.code != transfers.BURN or not 0 < burn.amount <= self.supply:
            yield "退出之前没有相应的销积分行", "an exit has no burn of points in circulation before it"
            return
        before = (self.pool, self.supply)
        due = mul_div(mul_div(burn.amount, *before), self.rules.pays_bp, BP_PER_ONE)
        if cash.amount != due:
            yield f"退出得 {cash.amount} 微元,按价应为 {due}", f"the exit pays {cash.amount} micro, {due} is what the price says"
        if cash.amount and self._owner(burn.source) != self._owner(cash.destination):
            yield "退出的钱没有给卖出积分的人", "the cash of the exit goes to another than whose points burn"
        yield from self._not_due(burn)
        if burn.amount == self.supply:
            self.last = before
        self.pool -= cash.amount
        self.supply -= burn.amount
        yield from self._not_below(before)

    def _not_due(self, burn: Line) -> Iterator[tuple[str, str]]:
        """Where members exit as a whole: an exit that sells something else than all points of one whose limit is reached."""
        if self.rules.exit is None or self.rules.exit.scope != "member":
            return
        member = self._members.pop(burn.source, Member())
        if burn.amount != member.points:
            yield (
                f"退出卖出 {burn.amount} 微分,会员有 {member.points}",
                f"the exit sells {burn.amount} of a member's {member.points}",
            )
        if member.points * self.pool < member.limit * self.supply:
            yield "会员未到封顶额就被强制退出", "a member is forced out before its limit is reached"

    def _not_below(self, before: tuple[int, int]) -> Iterator[tuple[str, str]]:
        """Whether the price is below that of before, crosswise."""
        now = self._price()
        if now[0] * before[1] < before[0] * now[1]:
            zh = f"价格从 {before[0]} ÷ {before[1]} 跌到 {now[0]} ÷ {now[1]}"
            yield zh, f"the price falls from {before[0]} / {before[1]} to {now[0]} / {now[1]}"

    def _price(self) -> tuple[int, int]:
        """The price as (pool, supply); the last one when nothing circulates."""
        return (self.pool, self.supply) if self.supply else self.last

    def _limit(self, paid_fen: int, value: int) -> int:
        """What an order adds to the sum at which its member is forced out."""
        if self.rules.exit is None:
            return 0
        if self.rules.exit.basis == "mint_value":
            return mul_div(value, self.rules.exit.at_bp, BP_PER_ONE)
        return paid_fen * self.rules.exit.at_bp

    def _owner(self, account: int) -> str:
        """The path of an account without its pocket."""
        return self.register.path(account).rpartition(":")[0]

    def finish(self) -> None:
        """The pool and the supply are those of the balances."""
        balance = self.register.book().balance
        for path, mine, sign in ((POOL, self.pool, 1), (POINTS_ISSUER, self.supply, -1)):
            if sign * balance[self.register.number(path)] != mine:
                zh, en = f"余额与逐单推算的 {mine} 不符", f"the balance is not {mine}, which the orders come to"
                self.findings.add("price", path, zh, en)
