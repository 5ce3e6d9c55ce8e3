"""Today's figures: they agree with the journal to the micro, follow it without reading it again, and stay cheap."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import pytest
import service_worlds as worlds
from service_worlds import MARKET, NOON, SEASON, done, journal_of, micro, order, orders

from rangli.money import parse_yuan
from rangli.service import Running
from rangli.service.clock import SetClock
from rangli.service.requests import ClosingRequest, InjectionRequest, RefundRequest, SaleRequest
from rangli.service.views import DecisionView
from rangli.service.watching import today
from rangli.service.watching.today import Today, together

house, url = worlds.house, worlds.url

HOUR: Final = 3600
GIVEN: Final = {"consumer", "packet", "sale", "exit", "release", "takeback"}


def given(decisions: Iterable[DecisionView], pocket: str, names: set[str]) -> int:
    """What went into such pockets of consumers under these names and their reversals, less what came out, from texts."""
    total = 0
    for line in (line for decision in decisions for line in decision.transfers):
        if line.code.removeprefix("refund.") in names:
            total += micro(line.amount) * (is_consumers(line.destination, pocket) - is_consumers(line.source, pocket))
    return total


def is_consumers(path: str, pocket: str) -> bool:
    """Whether an account is this pocket of a consumer."""
    return path.startswith("consumer:") and path.endswith(f":{pocket}")


def figures(running: Running, since: int = 0) -> dict[str, int]:
    """The day's figures, from the texts of all decisions after a position."""
    decisions = [decision for decision in journal_of(running) if decision.position > since]
    bought = [decision for decision in decisions if decision.kind == "order"]
    refunded = [decision for decision in decisions if decision.kind == "refund"]
    lines = [line for decision in decisions for line in decision.transfers]
    surplus = Counter[str]()
    for line in lines:
        surplus[line.destination] += micro(line.amount)
        surplus[line.source] -= micro(line.amount)
    return {
        "orders": len(bought),
        "turnover_fen": sum(parse_yuan(str(one.facts["amount"])) for one in bought),
        "concession_micro": sum(
            parse_yuan(str(one.facts["amount"])) * 100 * int(str(one.facts["concession"]).removesuffix("%")) for one in bought
        ),
        "given_micro": given(decisions, "wallet", GIVEN),
        "vouchers_micro": given(decisions, "vouchers", {"voucher"}),
        "surplus_micro": surplus["platform:surplus"],
        "refunds": len(refunded),
        "refunded_fen": sum(parse_yuan(str(one.facts["amount"])) for one in refunded),
    }


def told(day: today.Day) -> dict[str, int]:
    """The same figures, as the service has them."""
    return {name: getattr(day, name) for name in figures_of_nothing()}


def figures_of_nothing() -> dict[str, int]:
    """A quiet day."""
    names = "orders turnover_fen concession_micro given_micro vouchers_micro surplus_micro refunds refunded_fen"
    return dict.fromkeys(names.split(), 0)


def days(running: Running, clock: SetClock) -> Today:
    """Figures that have counted nothing yet."""
    return Today(running._database, clock)


class Statements:
    """Statements that a client of the database sends."""

    def __init__(self) -> None:
        self.count = 0


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    """How many there are meanwhile, in this thread's questions."""
    seen = Statements()
    execute = psycopg.Connection.execute

    def noted(self: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401 (as psycopg has it)
        seen.count += 1
        return execute(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "execute", noted)
        yield seen


MARKET_DAY: Final = [
    *orders(range(12)),
    RefundRequest("r1", "o2", "10"),
    RefundRequest("r2", "o1", "30"),
    SaleRequest("s1", "c1", "0.5"),
    InjectionRequest("i1", "7.50"),
    *orders(range(12, 30), merchant="<script>alert(1)</script>", referrer="consumer:c1"),
    RefundRequest("r3", "o20", "20"),
]
SEASON_DAY: Final = [
    *orders(range(14), paid_at="2026-01-05 12:00:00"),
    ClosingRequest("c1", "2026-03-01"),
    RefundRequest("r1", "o3", "10"),
    order("v", consumer="c1", voucher="0.50"),
]


@pytest.mark.parametrize(("plan", "requests"), [(MARKET, MARKET_DAY), (SEASON, SEASON_DAY)], ids=["market", "season"])
def test_the_figures_are_those_of_the_journal_to_the_micro(url: str, plan: str, requests: list[Any]) -> None:
    """An operator compares them with the statements, and one fen of difference is a call to us."""
    clock = SetClock(NOON)
    with worlds.running(url, plan, clock=clock) as running:
        done(running.do(requests))
        day = days(running, clock).of(running)

        assert figures(running) == told(day)
        assert day.given_micro > 0 or day.vouchers_micro > 0
        assert ("2026-01-05", running.position(), 0) == (day.on, day.position, day.behind)
        assert (day.orders, day.turnover_fen) == (day.hours[12].orders, day.hours[12].turnover_fen)


def test_yesterday_is_not_counted_and_midnight_is_in_beijing(url: str) -> None:
    """The day of an operator in China begins at 16:00 UTC of the day before."""
    clock = SetClock(NOON)
    with worlds.running(url, MARKET, clock=clock) as running:
        done(running.do(orders(range(5))))
        clock.advance(12 * HOUR - 1)
        done(running.do(orders(range(5, 8))))
        before = running.position()
        clock.advance(1)
        followed = days(running, clock)
        quiet = followed.of(running)
        done(running.do(orders(range(8, 15))))
        clock.advance(5 * HOUR)
        done(running.do(orders(range(15, 17))))

        assert figures_of_nothing() == told(quiet)
        assert figures(running, since=before) == told(followed.of(running)) == told(days(running, clock).of(running))
        assert [7, 0, 0, 0, 0, 2] == [hour.orders for hour in followed.of(running).hours[:6]]


def test_a_day_that_is_followed_turns_into_the_next_one(url: str) -> None:
    """A page that stays open over midnight must not go on adding to yesterday."""
    clock = SetClock(NOON)
    with worlds.running(url, MARKET, clock=clock) as running:
        followed = days(running, clock)
        done(running.do(orders(range(6))))
        yesterday = followed.of(running)
        clock.advance(24 * HOUR)
        done(running.do(orders(range(6, 8))))
        day = followed.of(running)

        assert ("2026-01-05", 6) == (yesterday.on, yesterday.orders)
        assert ("2026-01-06", 2) == (day.on, day.orders)


def test_a_question_reads_only_so_much_and_says_what_is_left(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a day of two million orders the first page after a restart must come as soon as any other."""
    clock = SetClock(NOON)
    monkeypatch.setattr(today, "DECISIONS_MAX", 10)
    with worlds.running(url, MARKET, clock=clock) as running:
        done(running.do(orders(range(24))))
        followed = days(running, clock)
        seen = [followed.of(running) for _ in range(4)]

        assert [10, 20, 25, 25] == [day.position for day in seen]
        assert [15, 5, 0, 0] == [day.behind for day in seen]
        assert figures(running) == told(seen[-1])


def test_a_decision_of_many_transfers_is_counted_by_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release has sixteen thousand transfers; a hundred of them at once would hold a page up."""
    clock = SetClock(NOON)
    monkeypatch.setattr(today, "LEGS_MAX", 1)
    with worlds.running(url, MARKET, clock=clock) as running:
        done(running.do(orders(range(3))))
        followed = days(running, clock)
        positions = [followed.of(running).position for _ in range(4)]

        assert [1, 2, 3, 4] == positions
        assert figures(running) == told(followed.of(running))


def test_statements_stay_few_and_none_is_made_for_nothing_new(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pages a second are open on a live programme; what they ask must not grow with its day."""
    clock = SetClock(NOON)
    with worlds.opened(url, clock) as service:
        for name in ("a", "b", "c"):
            service.create(name, MARKET, secret=worlds.SECRET, hold_seconds=0)
            done(service.running(name).do(orders(range(3))))
        running = [service.running(name) for name in ("a", "b", "c")]
        followed = Today(service.database, clock)
        with counted(monkeypatch) as first:
            followed.of_all(running)
        with counted(monkeypatch) as again:
            followed.of_all(running)
        done(running[0].do(orders(range(3, 6))))
        with counted(monkeypatch) as more:
            found = followed.of_all(running)

        assert first.count <= 6
        assert (0, 5) == (again.count, max(5, more.count))
        assert 12 == together(found.values()).orders
        assert [6, 3, 3] == [found[name].orders for name in ("a", "b", "c")]


def test_the_first_figures_of_a_long_day_come_soon(url: str) -> None:
    """What is summed at once is bounded by time, too: a page has 150 ms for everything."""
    clock = SetClock(NOON)
    with worlds.running(url, "weituanbao", clock=clock) as running:
        done(running.do(orders(range(300))))
        followed = days(running, clock)
        began = time.perf_counter()
        day = followed.of(running)

        assert 300 == day.orders
        assert time.perf_counter() - began < 2
