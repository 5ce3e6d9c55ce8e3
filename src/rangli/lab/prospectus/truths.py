"""The table of truths: each figure of the runs with its spread and what it means in one sentence (in full: docs/truths.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from rangli.lab.prospectus.figures import NONE, count, of_hundred, percent_of_bp, yuan
from rangli.lab.prospectus.study import (
    Study,
    back_bp,
    made_whole_bp,
    promised_bp,
    spent_micro,
    turnover_micro,
    vouchers_micro,
)
from rangli.lab.truths import Result
from rangli.money import BP_PER_ONE, mul_div
from rangli.plan.parts import Words

Show = Callable[[int], Words]


class Truth(NamedTuple):
    """One row: its key for programs, what it is, how it is read off a run, how it is shown, what it means."""

    key: str
    name: Words
    of: Callable[[Result], int | None]
    show: Show
    meaning: Words


class Row(NamedTuple):
    """A truth of a study, ready to be shown."""

    name: Words
    median: Words
    least: Words
    most: Words
    meaning: Words

    @property
    def varies(self) -> bool:
        """Whether the runs differ."""
        return self.least != self.most


def _same(text: str) -> Words:
    return Words(text, text)


def _percent(bp: int) -> Words:
    return _same(percent_of_bp(bp))


def _count(number: int) -> Words:
    return _same(count(number))


def _yuan(micro: int) -> Words:
    return Words(f"{yuan(micro)} 元", f"{yuan(micro)} yuan")


def _month(month: int) -> Words:
    return Words(f"第 {month} 月", f"month {month}")


def _times(bp: int) -> Words:
    return _same(of_hundred(bp, BP_PER_ONE * 100))


def _orders_whole_bp(result: Result) -> int:
    return mul_div(result.orders_made_whole, BP_PER_ONE, max(result.orders, 1))


def _vouchers_bp(result: Result) -> int:
    return mul_div(vouchers_micro(result), BP_PER_ONE, max(spent_micro(result), 1))


def _covered_bp(result: Result) -> int | None:
    last = result.months[-1]
    covered = last.promised_micro - last.uncovered_micro
    return mul_div(covered, BP_PER_ONE, last.promised_micro) if last.promised_micro else None


def _surplus_bp(result: Result) -> int:
    return mul_div(result.surplus_net_micro, BP_PER_ONE, max(turnover_micro(result), 1))


TRUTHS: Final = (
    Truth(
        "consumers_made_whole_bp",
        Words("收回全部现金的消费者", "Consumers made whole in cash"),
        made_whole_bp,
        _percent,
        Words(
            "作为顾客收回的现金不少于所花现金的人,占全部消费者。",
            "Whose cash back as a customer is at least the cash spent, of all.",
        ),
    ),
    Truth(
        "orders_made_whole_bp",
        Words("收回全部现金的订单", "Orders made whole in cash"),
        _orders_whole_bp,
        _percent,
        Words(
            "有红包的方案看每笔订单;没有的看下单的人是否收回。",
            "Under a plan with packets each order by itself; under any other those of consumers made whole.",
        ),
    ),
    Truth(
        "cash_back_bp",
        Words("现金收回率", "Cash back"),
        back_bp,
        _percent,
        Words(
            "消费者作为顾客收回的现金,占所花现金;推荐所得不算。",
            "Cash back to customers, of the cash spent; referral income apart.",
        ),
    ),
    Truth(
        "vouchers_bp",
        Words("消费券发放率", "Vouchers given"),
        _vouchers_bp,
        _percent,
        Words("发给消费者的券,占所花现金。", "Vouchers given to consumers, of the cash spent."),
    ),
    Truth(
        "promised_bp",
        Words("承诺 ÷ 拨备", "Promised ÷ set aside"),
        promised_bp,
        _times,
        Words(
            "订单新承诺的总额,除以为此拨出的总额;1.00 以上即多于有的。",
            "All that orders promised, over all that they set aside for it; above 1.00 is more than there is.",
        ),
    ),
    Truth(
        "covered_bp",
        Words("末月有钱支撑的承诺", "Promises covered at the end"),
        _covered_bp,
        _percent,
        Words(
            "已承诺未兑付的,有分红池或盈利池的钱对应的部分。",
            "Of what is promised and not yet given, what the dividend pot or the pool holds.",
        ),
    ),
    Truth(
        "unfunded_from",
        Words("承诺从何时起没有钱", "Unfunded from"),
        lambda result: result.unfunded_from,
        _month,
        Words(
            "从这个月到最后,每个月末承诺都多于能支撑的钱。",
            "The first month from which on every month ends with more promised than held.",
        ),
    ),
    Truth(
        "short_from",
        Words("从何时起发不足额", "Short from"),
        lambda result: result.short_from,
        _month,
        Words(
            "第一次把分红池发空、应发的没有发足的月份。",
            "The first month with a release that emptied the pot and gave less than was due.",
        ),
    ),
    Truth(
        "growth_needed_bp",
        Words("新客需要的增长", "Growth that a newcomer needs"),
        lambda result: result.growth_needed_bp,
        lambda bp: Words(f"每月 {percent_of_bp(bp)}", f"{percent_of_bp(bp)} a month"),
        Words(
            "末月来的人要收回本钱,此后每月至少的增长;“无”是多快也不行。",
            "The least monthly growth at which a newcomer of the last month is made whole; none: no growth does it.",
        ),
    ),
    Truth(
        "exits",
        Words("强制退出", "Forced exits"),
        lambda result: sum(month.exits for month in result.months),
        _count,
        Words(
            "积分市值达到退出线而被全部卖出的次数。", "How often all points of a member were sold because they reached the exit."
        ),
    ),
    Truth(
        "wash_micro",
        Words("自买自卖 100 元的代价", "Cost of a wash trade of 100 yuan"),
        lambda result: result.wash_micro,
        _yuan,
        Words(
            "一人身兼各种身份刷一笔 100 元的单,净付多少;负数是净赚。",
            "What one who holds every role pays net for an order of 100 yuan to himself; below zero he earns.",
        ),
    ),
    Truth(
        "surplus_gross_micro",
        Words("平台盈余,毛额", "Platform surplus, gross"),
        lambda result: result.surplus_gross_micro,
        _yuan,
        Words("平台所得的份额,减去退款。", "Its shares of all orders, less what refunds took."),
    ),
    Truth(
        "channel_fee_micro",
        Words("渠道手续费", "Channel fee"),
        lambda result: result.channel_fee_micro,
        _yuan,
        Words(
            "支付渠道按场景的费率收取,假定由平台承担。",
            "What the payment channel takes at the scenario's rate, borne by the platform.",
        ),
    ),
    Truth(
        "bounties_micro",
        Words("按人头的奖励", "Bounties"),
        lambda result: result.bounties_micro,
        _yuan,
        Words("一次性奖励,出自平台。", "One-off bonuses, out of the platform's."),
    ),
    Truth(
        "tax_micro",
        Words("税", "Tax"),
        lambda result: result.tax_micro,
        _yuan,
        Words(
            "把红包视为偶然所得并由平台承担时的个人所得税;是否如此没有定论。",
            "Income tax if packets are incidental income and the platform bears it; whether they are is open.",
        ),
    ),
    Truth(
        "surplus_net_micro",
        Words("平台盈余,净额", "Platform surplus, net"),
        lambda result: result.surplus_net_micro,
        _yuan,
        Words(
            "毛额减去手续费、奖励和税;经营成本不在其中。",
            "Gross less fee, bounties and tax; what it costs to run the business is not in it.",
        ),
    ),
    Truth(
        "surplus_net_bp",
        Words("净额占订单额", "Net surplus of turnover"),
        _surplus_bp,
        _percent,
        Words("净额除以订单总额。", "Net surplus over all orders."),
    ),
)


def rows(one: Study) -> list[Row]:
    """All truths of a study."""
    return [row_of(one, truth) for truth in TRUTHS]


def row_of(one: Study, truth: Truth) -> Row:
    """One of them."""
    shown = [NONE if value is None else truth.show(value) for value in one.spread(truth.of)]
    median, least, most = shown
    return Row(truth.name, median, least, most, truth.meaning)
