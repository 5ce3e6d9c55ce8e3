"""Requests foreseen: what a preview shows is what is then decided, and nothing changes by looking; and how periods stand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import service_worlds
from service_worlds import MARKET, NOON, SEASON, House, changed, done, known, order, orders, running, saved

from rangli.errors import (
    AmountMalformed,
    FieldRefused,
    HeldOrder,
    LimitReached,
    OrderNotFound,
    PointsShort,
    RangliError,
    RefundTooLarge,
)
from rangli.money import parse_micro, parse_yuan, print_micro
from rangli.service import Running
from rangli.service.clock import SetClock
from rangli.service.looking.previews import Preview
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    RefundRequest,
    Request,
    SaleRequest,
    id_of,
)
from rangli.service.views import DecisionView, TransferView

house = service_worlds.house
url = service_worlds.url
DAY = 86_400
PAYS_CASH = changed(
    SEASON, ("multiple: 2, pays: vouchers", "multiple: 1, pays: cash"), ("offset: {vouchers: 100%}\n", ""), (", as: vouchers", "")
)
"""Releases go into wallets, and points end with them."""
BY_ORDER = changed(MARKET, ("exit: {at: 40%}", "exit: {at: 40%, scope: order}"))
"""Each order is a member of its own."""


# ---------------------------------------------------------------- refunds


REFUNDS = [("o3", ""), ("o12", "2"), ("o1", "0.01"), ("o20", "7.77"), ("o20", ""), ("o25", "1"), ("o38", "3.33"), ("o39", "")]


@pytest.mark.parametrize("plan", ["weituanbao", "moudian", "zengzhi", MARKET, SEASON], ids=lambda plan: plan[:10].strip())
def test_a_preview_is_what_the_refund_then_does_and_changes_nothing(house: House, plan: str) -> None:
    """Every transfer, in its order; the state's hash, the journal and every table are the same after a preview as before."""
    with house.database() as url, running(url, plan, checkpoint_every=10) as programme, service_worlds.connected(url) as look:
        for start in range(0, 40, 5):
            done(programme.do(orders(range(start, start + 5), merchant=f"店{start >> 4}")))
            saved(programme)
        for number, (order_id, amount) in enumerate(REFUNDS):
            before = known(programme, look)
            request = RefundRequest(f"r{number}", order_id, amount)
            preview = programme.previews.of(request)

            assert before == known(programme, look)
            refunded = done(programme.do([request]))[0]
            decision = programme.decisions(refunded.position - 1, 1)[0]
            assert decision.transfers == preview.transfers
            assert decision.facts["amount"] == preview.amount
            assert preview.transfers
            left = parse_yuan(programme.order(order_id).facts["amount"]) - parse_yuan(programme.order(order_id).refunded)
            assert left == parse_yuan(preview.left)


def test_a_held_order_can_only_be_cancelled_whole(url: str) -> None:
    """Nothing of it has been settled, so nothing is reversed."""
    with running(url, MARKET, hold_seconds=DAY) as programme:
        done(programme.do([order("h")]))

        preview = programme.previews.of(RefundRequest("r", "h"))
        assert ("100.00", "0.00", True, []) == (preview.amount, preview.left, preview.cancels, preview.transfers)
        with pytest.raises(HeldOrder):
            programme.previews.of(RefundRequest("r", "h", "5"))
        done(programme.do([RefundRequest("r", "h")]))
        with pytest.raises(HeldOrder):
            programme.previews.of(RefundRequest("r2", "h"))


# ---------------------------------------------------------------- sales, injections, closings


OF_POOL: Sequence[Request] = (
    SaleRequest("s1", "c2", "0.5"), InjectionRequest("i1", "12.34"), SaleRequest("s2", "c3", "0.000001"),
    RefundRequest("r1", "o9"), SaleRequest("s3", "c1", "1"), InjectionRequest("i2", "0.01"), InjectionRequest("i3", "5000"),
)  # fmt: skip
OF_PERIODS: Sequence[Request] = (
    ClosingRequest("c0", "2026-01-05"), ClosingRequest("c1", "2026-01-14"), ClosingRequest("c2", "2026-01-20"),
    RefundRequest("r1", "o9"), ClosingRequest("c3", "2026-06-01"),
)  # fmt: skip
LIVES = {
    "market": (MARKET, OF_POOL), "by order": (BY_ORDER, OF_POOL), "zengzhi": ("zengzhi", OF_POOL),
    "season": (SEASON, OF_PERIODS), "cash": (PAYS_CASH, OF_PERIODS), "moudian": ("moudian", OF_PERIODS),
}  # fmt: skip


def decided(programme: Running, request: Request) -> list[DecisionView]:
    """What the request came to: its decision, and before it the releases that came with it."""
    before = programme.position()
    answer = done(programme.do([request]))[0]
    made = programme.decisions(before, 1_000)
    assert (made[-1].position, made[-1].id) == (answer.position, id_of(request))
    return made


def told(lines: Sequence[TransferView]) -> list[tuple[str, ...]]:
    """Transfers without their place in a decision: a preview counts them through."""
    return [(line.source, line.destination, line.amount, line.unit, line.code, line.zh, line.en) for line in lines]


def summed(lines: Sequence[TransferView]) -> list[tuple[str, int, str, str]]:
    """What a preview sums up, summed up in plain Python."""
    units = {line.code: line.unit for line in lines}
    return [
        (code, len(some), print_micro(sum(some)), unit)
        for code, unit in sorted(units.items())
        for some in [[parse_micro(line.amount) for line in lines if line.code == code]]
    ]


@pytest.mark.parametrize(("plan", "life"), LIVES.values(), ids=list(LIVES))
def test_what_is_foreseen_is_what_is_then_decided(house: House, plan: str, life: Sequence[Request]) -> None:
    """Every transfer, the sums, the price, what is released; and looking changes nothing of state, journal and tables."""
    kinds = set()
    with house.database() as url, running(url, plan) as programme, service_worlds.connected(url) as look:
        done(programme.do(orders(range(30))))
        for request in life:
            before = known(programme, look)
            preview = programme.previews.of(request)

            assert before == known(programme, look)
            made = decided(programme, request)
            lines = [line for decision in made for line in decision.transfers]
            assert told(lines) == told(preview.transfers)
            assert len(lines) == preview.count
            assert list(range(1, len(lines) + 1)) == [line.line for line in preview.transfers]
            assert summed(lines) == sorted((one.code, one.count, one.amount, one.unit) for one in preview.sums)
            assert programme.previews.pool() == (preview.pool and preview.pool[1])
            assert [line.facts["released_micro"] for line in made[:-1]] == [parse_micro(one.released) for one in preview.releases]
            assert [line.facts["period"] for line in made[:-1]] == [one.period for one in preview.releases]
            kinds |= {line.code for line in lines}
    wanted = {"sale", "injection", "exit"} if life is OF_POOL else {"release"}
    assert wanted <= kinds


def test_a_closing_says_how_many_accounts_each_period_reaches(house: House) -> None:
    """People and shops, each once however many lots are theirs; whether they get vouchers or cash."""
    for plan in (SEASON, PAYS_CASH):
        with house.database() as url, running(url, plan) as programme:
            done(programme.do([*orders(range(30)), *orders(range(30, 34), paid_at="2026-01-16")]))
            preview = programme.previews.of(ClosingRequest("c", "2026-02-05"))
            made = decided(programme, ClosingRequest("c", "2026-02-05"))

            pockets = ("wallet", "vouchers")
            reached = [
                len({line.destination for line in one.transfers if line.destination.rpartition(":")[2] in pockets})
                for one in made[:-1]
            ]
            assert reached == [one.accounts for one in preview.releases]
            assert len(reached) > 1
            assert 5 < max(reached)


def test_a_long_closing_is_told_in_part_and_summed_up_whole(url: str) -> None:
    """A page shows so many lines; the sums are over all of them."""
    with running(url, SEASON) as programme:
        done(programme.do(orders(range(30))))
        request = ClosingRequest("c", "2026-03-01")
        whole, part = programme.previews.of(request), programme.previews.of(request, 7)

        assert whole.transfers[:7] == part.transfers
        assert (whole.count, whole.sums, whole.releases) == (part.count, part.sums, part.releases)
        assert 7 < whole.count == len(whole.transfers)
        assert [] == programme.previews.of(request, 0).transfers


def test_a_sale_says_what_the_member_has_left(url: str) -> None:
    """Exits that the sale brings about are counted too."""
    with running(url, MARKET) as programme:
        done(programme.do(orders(range(30))))
        for number, points in enumerate(("0.5", "0.000001", "1")):
            request = SaleRequest(f"s{number}", "c1", points)
            preview = programme.previews.of(request)
            done(programme.do([request]))

            assert programme.balance("consumer:c1:points").balance == preview.left
            assert parse_micro(points) == parse_micro(preview.amount)


def test_a_preview_is_decided_under_the_active_plan(url: str) -> None:
    """Also after somebody looked at an order of the version before it."""
    with running(url, MARKET) as programme:
        done(programme.do(orders(range(9))))
        done(programme.do([ActivationRequest("v2", changed(MARKET, ("pays: 80%", "pays: 50%")))]))
        programme.order("o1")
        request = SaleRequest("s", "c1", "1")
        preview = programme.previews.of(request)

        (decision,) = decided(programme, request)
        assert decision.plan_number == 2
        assert decision.transfers == preview.transfers


REFUSED: Sequence[tuple[str, Request, type[RangliError], str]] = (
    ("market", RefundRequest("no", "o1", "99999"), RefundTooLarge, "尚未退的部分"),
    ("market", RefundRequest("no", "zz"), OrderNotFound, "没有订单"),
    ("market", RefundRequest("no", "o1", "0"), FieldRefused, "为 0"),
    ("market", SaleRequest("no", "没有人", "1"), FieldRefused, "请写订单里消费者的全名"),
    ("market", SaleRequest("no", "c1", "999999"), PointsShort, "个积分,不能卖出"),
    ("market", SaleRequest("no", "c1", "0"), PointsShort, "不能卖出 0.00 个"),
    ("market", SaleRequest("no", "c1", "1.1234567"), AmountMalformed, "最多六位小数"),
    ("market", InjectionRequest("no", "0"), LimitReached, "应大于 0"),
    ("market", InjectionRequest("no", "-5"), AmountMalformed, "为负数"),
    ("market", InjectionRequest("no", "1.234"), AmountMalformed, "最多两位小数"),
    ("season", InjectionRequest("no", "5"), LimitReached, "没有盈利池"),
    ("season", SaleRequest("no", "c1", "1"), PointsShort, "不能卖出"),
    ("season", ClosingRequest("no", "tomorrow"), FieldRefused, "正确写法如 2026-01-05"),
)


def test_a_preview_refuses_what_the_request_would(house: House) -> None:
    """In the same words, and with what would be right."""
    for name, plan in (("market", MARKET), ("season", SEASON)):
        with house.database() as url, running(url, plan) as programme:
            done(programme.do(orders(range(9))))
            for _, request, refusal, words in [one for one in REFUSED if one[0] == name]:
                asked = programme.do([request])[0]
                with pytest.raises(refusal) as refused:
                    programme.previews.of(request)  # type: ignore[arg-type]  # all of these can be foreseen

                assert isinstance(asked, RangliError)
                assert (asked.zh, asked.en) == (refused.value.zh, refused.value.en)
                assert words in refused.value.zh


def test_a_preview_of_what_there_is_nothing_for_is_empty(url: str) -> None:
    """A closing before the first order releases nothing; a plan without a pool has no price."""
    with running(url, SEASON) as programme:
        preview = programme.previews.of(ClosingRequest("c", "2026-01-05"))

        expected = Preview(1, "", "", cancels=False, count=0, transfers=[], sums=[], pool=None, releases=[])
        assert expected == preview
        assert programme.previews.pool() is None


# ---------------------------------------------------------------- periods


def test_periods_are_told_as_they_stand(url: str) -> None:
    """Which is open, until when, what waits; day by day through the life of a plan."""
    clock = SetClock(NOON)
    with running(url, SEASON, clock=clock) as programme:
        view = programme.periods.view()
        assert (0, "", "", None, "", False) == (
            view.period, view.opened_on, view.ends_on, view.waiting, view.closed_on, view.is_due,
        )  # fmt: skip
        assert ("", "2026-01-05", "200%") == (view.since, view.until, view.growth)

        done(programme.do(orders(range(8))))
        view = programme.periods.view()
        assert ("2026-01-05", "2026-01-14", False, "2026-01-05") == (view.opened_on, view.ends_on, view.is_due, view.since)
        assert programme.balance("programme:dividend").balance == view.dividend
        assert programme.balance("programme:points").balance == f"-{view.points}"
        assert sum(parse_yuan(one.amount) for one in orders(range(8))) == 5 * parse_yuan(view.inflow)
        clock.advance(9 * DAY)
        assert not programme.periods.view().is_due
        clock.advance(DAY)
        assert programme.periods.view().is_due

        done(programme.do([ClosingRequest("c", "2026-01-15")]))
        view = programme.periods.view()
        assert (1, "2026-01-15", "2026-01-24", "2026-01-14") == (view.period, view.opened_on, view.ends_on, view.closed_on)
        assert (None, False, "0.00") == (view.waiting, view.is_due, view.inflow)
        done(programme.do(orders(range(8, 40), paid_at="2026-01-15")))
        view = programme.periods.view()
        assert (2, 1, "2026-01-15") == (view.period, view.waiting, view.closed_on)
        assert not view.is_due
        clock.advance(DAY)
        assert programme.periods.view().is_due


def test_people_close_on_days_that_have_come_and_are_not_over(url: str) -> None:
    """A day still to come would be the day of all orders until then; an order from the future moves the limit with it."""
    with running(url, SEASON) as programme:
        programme.periods.check("2020-01-01")
        done(programme.do(orders(range(8), paid_at="2026-01-03")))
        for on in ("2026-01-03", "2026-01-05"):
            programme.periods.check(on)
        for on, words in (("2026-01-06", "至迟写 2026-01-05"), ("2026-01-02", "2026-01-03 至 2026-01-05"), ("x", "不是日期")):
            with pytest.raises(FieldRefused) as refused:
                programme.periods.check(on)

            assert words in refused.value.zh
        done(programme.do([order("late", paid_at="2026-02-01")]))

        programme.periods.check("2026-02-01")
        with pytest.raises(FieldRefused, match="between 2026-02-01 and 2026-02-01"):
            programme.periods.check("2026-01-05")


def test_only_a_plan_that_releases_has_periods(house: House) -> None:
    """Others have nothing to close."""
    for plan, is_there in ((MARKET, False), (SEASON, True)):
        with house.database() as url, running(url, plan) as programme:
            assert is_there == programme.periods.are_there()
