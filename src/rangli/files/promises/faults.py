"""Faults: the ways in which each promise can be broken, and the few of them that are kept to be shown.

A compiled check notes a fault by its number here, with the place and with what was expected and found; ``Examination`` puts that
into words. Of each promise the first few are listed and the rest is counted.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

LISTED: Final = 4
"""Faults of one promise that are listed."""


class Broken(NamedTuple):
    """One broken promise."""

    promise: str
    where: str
    """File and row, or order and line."""
    zh: str
    en: str

    def message(self, lang: str) -> str:
        """The text in ``lang`` ("zh" or "en")."""
        return self.zh if lang == "zh" else self.en


class Fault(NamedTuple):
    """One way to break a promise; {expected} and {found} stand for numbers, or for accounts where ``of_accounts``."""

    promise: str
    zh: str
    en: str
    of_accounts: bool = False


# Numbers of faults, as the compiled checks write them; they index FAULTS.
(
    LINE_NUMBER,
    CODE_OUT_OF_PLACE,
    AMOUNT_REFUSED,
    UNIT_MIXED,
    BALANCE_PAST_LIMIT,
    OVERDRAWN,
    POT_OVERDRAWN,
    DIVIDEND_OVERDRAWN,
    POOL_OVERDRAWN,
    VOUCHERS_OVERDRAWN,
    VOUCHERS_UNBACKED,
    VOUCHERS_USED,
    CONCESSION_SUM,
    CONCESSION_OF_ANOTHER,
    SHARE_DIFFERS,
    BONUS_DIFFERS,
    POINTS_DIFFER,
    PACKET_NOT_WHOLE,
    PACKET_SOURCE,
    PACKET_ELSEWHERE,
    PACKETS_TOO_FEW,
    PACKETS_TOO_MANY,
    LOT_PACKETS,
    LOT_RECEIVED,
    ISSUE_DIFFERS,
) = (np.int64(number) for number in range(25))

FAULTS: Final = (
    Fault("orders", "行号为 {found},应为 {expected}", "the line's number is {found}, it should be {expected}"),
    Fault("orders", "这种代码的转账不应出现在这里", "a transfer of this code has no place here"),
    Fault("balanced", "金额 {found} 不在 1 至 {expected} 之间", "the amount {found} is not between 1 and {expected}"),
    Fault(
        "balanced",
        "账户、单位、代码三者的单位不一致,或账户不存在",
        "the units of the accounts, of the line and of its code differ, or there is no such account",
    ),
    Fault("balanced", "余额 {found} 超过上限 {expected}", "the balance {found} passes the limit {expected}"),
    Fault("balanced", "账户透支,余额 {found}", "the account is overdrawn, its balance is {found}"),
    Fault("pots", "红包池透支,余额 {found}", "the pot is overdrawn, its balance is {found}"),
    Fault("funded", "分红池透支,余额 {found}", "the dividend pot is overdrawn, its balance is {found}"),
    Fault("price", "盈利池透支,余额 {found}", "the pool is overdrawn, its balance is {found}"),
    Fault("backed", "消费券或券储备透支,余额 {found}", "vouchers or their reserve are overdrawn, the balance is {found}"),
    Fault(
        "backed",
        "流通的消费券为 {expected},储备为 {found}",
        "vouchers in circulation come to {expected}, the reserve behind them to {found}",
    ),
    Fault("backed", "用券与订单不符:应为 {expected}", "the vouchers used are not the order's, {expected}"),
    Fault(
        "concession",
        "从商家让利账户转出 {found},应为实付 × 让利 = {expected}",
        "{found} leaves the merchant's concession account, paid x concession is {expected}",
    ),
    Fault("concession", "这一行动用了别家商户的让利账户", "the line takes from another merchant's concession account"),
    Fault(
        "shares",
        "份额行不是方案规定的那一行:应为金额 {expected},实为 {found}(或收付账户、代码不对)",
        "the share line is not the plan's: {expected} expected, {found} found (or its accounts or code are wrong)",
    ),
    Fault("bonus", "一次性奖励应为 {expected},实为 {found}", "the bonus should be {expected}, it is {found}"),
    Fault("points", "赠送的积分应为 {expected},实为 {found}", "the points earned should be {expected}, they are {found}"),
    Fault("pots", "红包 {found} 微元不是整分或不足一分", "a packet of {found} micro is not of whole fen, or less than one"),
    Fault(
        "pots",
        "红包出自 {found},应出自 {expected}",
        "the packet comes from {found}, it should come from {expected}",
        of_accounts=True,
    ),
    Fault(
        "oldest_first",
        "红包给了 {found},排在前面的是 {expected}",
        "the packet goes to {found}, the lot that waits longest is that of {expected}",
        of_accounts=True,
    ),
    Fault("oldest_first", "应发 {expected} 个红包,实发 {found} 个", "{expected} packets are due, there are {found}"),
    Fault("packets_at_most", "只应发 {expected} 个红包,实发 {found} 个", "only {expected} packets are due, there are {found}"),
    Fault(
        "packets_at_most", "一笔订单收到第 {found} 个红包,至多 {expected} 个", "a lot gets packet {found} of at most {expected}"
    ),
    Fault(
        "never_above_paid", "一笔订单共收到 {found} 分,至多 {expected} 分", "a lot has received {found} fen of at most {expected}"
    ),
    Fault(
        "pots",
        "本单应发红包共 {expected} 微元,实发 {found}",
        "the order's packets should come to {expected} micro, they come to {found}",
    ),
)


class Findings:
    """Broken promises and how often each was checked."""

    def __init__(self) -> None:
        self.checked: dict[str, int] = {}
        self._listed: list[Broken] = []
        self._count: dict[str, int] = {}

    def check(self, promise: str, times: int) -> None:
        """The promise was looked at so many more times."""
        self.checked[promise] = self.checked.get(promise, 0) + times

    def add(self, promise: str, where: str, zh: str, en: str) -> None:
        """The promise is broken here."""
        self._count[promise] = self._count.get(promise, 0) + 1
        if self._count[promise] <= LISTED:
            self._listed.append(Broken(promise, where, zh, en))

    def count(self, promise: str, more: int) -> None:
        """It is broken in so many more places, of which nothing is listed."""
        self._count[promise] = self._count.get(promise, 0) + more

    def broken(self) -> list[Broken]:
        """What is listed, promise by promise, and after each promise how many more there are."""
        rows: list[Broken] = []
        for promise, count in self._count.items():
            mine = [one for one in self._listed if one.promise == promise]
            rows += mine
            if count > len(mine):
                more = count - len(mine)
                rows.append(Broken(promise, "…", f"另有 {more} 处", f"and {more} more"))
        return rows
