"""Holds: an order captured settles when its hold has passed, under the plan of its capture, unless it was refunded before."""

from __future__ import annotations

import pytest
import service_worlds
from service_worlds import (
    MARKET,
    NOON,
    SEASON,
    TIGHT,
    changed,
    connected,
    done,
    journal_of,
    known,
    order,
    orders,
    reason,
    running,
)

from rangli.errors import HeldOrder
from rangli.service import Running
from rangli.service.clock import SetClock, rfc3339
from rangli.service.requests import ActivationRequest, InjectionRequest, RefundRequest
from rangli.service.settling import batch, settler
from rangli.service.settling.verify import verify

house = service_worlds.house
url = service_worlds.url

HOUR = 3_600
DAY = 86_400
MICRO = 1_000_000


@pytest.fixture
def clock() -> SetClock:
    """Noon; a test lets it go on."""
    return SetClock(NOON)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held orders are looked at more often than twice a second."""
    monkeypatch.setattr(settler, "HOLDS_SECONDS", 0.02)


def settle_due(programme: Running) -> None:
    """Let the settler look at its held orders: a request makes it look at once."""
    done(programme.do([InjectionRequest(f"look {programme.position()} {programme._reading._clock()}", "0.01")]))


def kinds(programme: Running) -> list[tuple[str, str]]:
    """What was decided about whom, without the looks."""
    return [(each.kind, each.id) for each in journal_of(programme) if each.kind not in ("injection", "activation")]


def test_an_order_is_held_and_settles_when_it_is_due(url: str, clock: SetClock) -> None:
    """Not a microsecond earlier; until then nothing of it is in the books, and its answer says when it will be."""
    with running(url, MARKET, clock=clock, hold_seconds=DAY) as programme:
        [held] = done(programme.do([order("o")]))
        view = programme.order("o")

        assert ("held", None, "", rfc3339(NOON + DAY * MICRO)) == (held.status, held.position, held.hash, held.settles_at)
        assert ("held", None, "100.00") == (view.status, view.position, view.facts["amount"] + ".00")
        assert rfc3339(NOON + DAY * MICRO) in view.zh[0]
        assert 1 == programme.position()
        clock.micro = NOON + DAY * MICRO - 1
        settle_due(programme)
        assert [] == kinds(programme)
        clock.micro += 1
        settle_due(programme)
        assert [("order", "o")] == kinds(programme)
        assert "settled" == programme.order("o").status
        again = done(programme.do([order("o")]))[0]
        assert ("done", True, 3) == (again.status, again.repeated, again.position)


def test_a_due_order_settles_without_anybody_asking(url: str, clock: SetClock) -> None:
    """A quiet shop's orders settle too."""
    with running(url, MARKET, clock=clock, hold_seconds=HOUR) as programme:
        done(programme.do([order("o")]))
        clock.advance(HOUR)

        assert 2 == programme.wait(1, 10)


def test_orders_settle_in_the_order_of_their_capture(url: str, clock: SetClock) -> None:
    """As they came, whatever their ids, and before what is asked in the moment in which they are due."""
    with running(url, MARKET, clock=clock, hold_seconds=HOUR) as programme:
        done(programme.do([order("z"), order("a"), order("m")]))
        clock.advance(60)
        done(programme.do([order("b")]))
        clock.advance(HOUR)
        done(programme.do([order("late"), RefundRequest("r", "a", "10")]))

        assert [("order", "z"), ("order", "a"), ("order", "m"), ("order", "b"), ("refund", "r")] == kinds(programme)
        assert "held" == programme.order("late").status


def test_a_whole_refund_inside_the_hold_cancels_the_order(url: str, clock: SetClock) -> None:
    """No money has moved and none does: written as an amount or left out, and in the batch of the order itself."""
    with running(url, MARKET, clock=clock, hold_seconds=HOUR) as programme:
        asked = [order("a"), order("b"), RefundRequest("ra", "a"), RefundRequest("rb", "b", "100")]
        answers = done(programme.do(asked))
        clock.advance(HOUR)
        settle_due(programme)

        assert ["held", "held", "cancelled", "cancelled"] == [answer.status for answer in answers]
        assert [("cancellation", "ra"), ("cancellation", "rb")] == kinds(programme)
        assert ["cancelled"] * 2 == [programme.order(name).status for name in "ab"]
        assert all(not decision.transfers for decision in journal_of(programme) if decision.kind == "cancellation")
        again = done(programme.do(asked))
        assert [("cancelled", True)] * 4 == [(answer.status, answer.repeated) for answer in again]
        assert answers[2].position == again[2].position


def test_a_refund_that_was_used_for_a_cancellation_is_used_up(url: str, clock: SetClock) -> None:
    """Its id cannot refund another order, nor another part of this one."""
    with running(url, MARKET, clock=clock, hold_seconds=HOUR) as programme, connected(url) as connection:
        done(programme.do([order("a"), order("b"), RefundRequest("r", "a")]))
        before = known(programme, connection)
        refused = [programme.do([RefundRequest("r", *other)])[0] for other in (("b",), ("b", "100"), ("a", "100"), ("a", "1"))]

        assert ["request_conflict"] * 4 == [reason(answer) for answer in refused]
        assert ["order_id", "order_id", "amount", "amount"] == [getattr(answer, "field", "") for answer in refused]
        assert before == known(programme, connection)


def test_a_part_of_a_held_order_cannot_be_refunded_yet(url: str, clock: SetClock) -> None:
    """Refused, with when it can be; afterwards it can."""
    with running(url, MARKET, clock=clock, hold_seconds=HOUR) as programme:
        done(programme.do([order("o")]))
        for amount in ("0.01", "99.99", "100.01"):
            [refused] = programme.do([RefundRequest("r", "o", amount)])

            assert isinstance(refused, HeldOrder)
            assert rfc3339(NOON + HOUR * MICRO) in refused.en
            assert rfc3339(NOON + HOUR * MICRO) in refused.zh
            assert "100.00" in refused.en
        clock.advance(HOUR)
        assert ["done"] == [answer.status for answer in done(programme.do([RefundRequest("r", "o", "0.01")]))]


def test_a_cancelled_order_is_cancelled_once(url: str, clock: SetClock) -> None:
    """A second refund has nothing to refund."""
    with running(url, MARKET, clock=clock, hold_seconds=HOUR) as programme:
        answers = programme.do([order("o"), RefundRequest("r1", "o"), RefundRequest("r2", "o")])
        answers += programme.do([RefundRequest("r3", "o", "100")])

    assert ["", "", "order_held", "order_held"] == [reason(answer) for answer in answers]


def test_an_order_keeps_the_plan_of_its_capture(url: str, clock: SetClock) -> None:
    """Shares, the range of concessions and the part that vouchers may pay, whatever version has taken over since."""
    later = changed(MARKET, ("max: 30%", "max: 12%"), ("0.5% of amount", "0.1% of amount"))
    with running(url, MARKET, clock=clock, hold_seconds=HOUR) as programme:
        before = order("before", referrer="阿姨")
        first = done(programme.do([before]))[0]
        done(programme.do([ActivationRequest("next", later)]))
        repeated, refused, accepted = programme.do([before, order("o"), order("after", concession="12%", referrer="阿姨")])
        clock.advance(HOUR)
        settle_due(programme)
        shares = {name: programme.order(name) for name in ("before", "after")}

        assert [first.settles_at, "concession", "held"] == [repeated.settles_at, reason(refused), accepted.status]  # type: ignore[union-attr]
        assert [1, 2] == [view.plan_number for view in shares.values()]
        assert ["0.50", "0.10"] == [line.amount for view in shares.values() for line in view.transfers if line.code == "referrer"]
        verify(programme._database, "w")


def test_vouchers_are_held_to_the_plan_of_the_capture_too(url: str, clock: SetClock) -> None:
    """A version that lets vouchers pay less must not cancel what was captured before it."""
    with running(url, SEASON, clock=clock, hold_seconds=HOUR) as programme:
        done(programme.do([order("first", amount="10000")]))
        clock.advance(HOUR)
        look = ActivationRequest("same", SEASON)
        done(programme.do([look, order("second", paid_at="2026-01-20", amount="1")]))
        clock.advance(HOUR)
        done(programme.do([order("paid", paid_at="2026-01-20", amount="10", voucher="10")]))
        done(programme.do([ActivationRequest("less", changed(SEASON, ("vouchers: 100%", "vouchers: 50%")))]))
        clock.advance(HOUR)
        done(programme.do([ActivationRequest("look", SEASON)]))

        assert "settled" == programme.order("paid").status
        verify(programme._database, "w")


def test_vouchers_spent_meanwhile_cancel_the_order(url: str, clock: SetClock) -> None:
    """Two orders were captured with the same vouchers; the first to be due has them, and the other is shown as cancelled."""
    with running(url, SEASON, clock=clock, hold_seconds=HOUR) as programme:
        done(programme.do([order("first", amount="10000")]))
        clock.advance(HOUR)
        done(programme.do([order("second", paid_at="2026-01-20", amount="1")]))
        clock.advance(HOUR)
        done(programme.do([ActivationRequest("look", SEASON)]))
        held = programme.balance("consumer:张三:vouchers").balance
        asked = [order(name, paid_at="2026-01-20", amount=held, voucher=held) for name in ("one", "two")]
        done(programme.do(asked))
        clock.advance(HOUR)
        done(programme.do([ActivationRequest("look again", SEASON)]))

        assert ["settled", "cancelled"] == [programme.order(name).status for name in ("one", "two")]
        assert ["done", "cancelled"] == [answer.status for answer in done(programme.do(asked))]
        assert "0.00" == programme.balance("consumer:张三:vouchers").balance
        verify(programme._database, "w")


@pytest.mark.parametrize("known_names", [False, True])
def test_an_order_past_a_limit_is_cancelled_and_leaves_no_trace(url: str, clock: SetClock, *, known_names: bool) -> None:
    """When it is due, the books do not allow it: neither its names stay nor a release that its day would have brought."""
    with running(url, TIGHT, clock=clock, hold_seconds=HOUR) as programme:
        names = {} if known_names else {"consumer": "新人", "merchant": "新店", "referrer": "新友"}
        great = order("great", amount=service_worlds.GREAT, paid_at="2026-02-20", **names)
        done(programme.do([order("first"), great, order("last", paid_at="2026-02-21")]))
        clock.advance(HOUR)
        done(programme.do([order("more")]))
        state_hash = programme.state_hash()

        assert ["settled", "cancelled", "settled"] == [programme.order(name).status for name in ("first", "great", "last")]
        assert [
            ("order", "first"),
            ("release", ""),
            ("release", ""),
            ("release", ""),
            ("release", ""),
            ("order", "last"),
        ] == kinds(programme)
        assert all("新" not in name for (name,) in names_in(url))
        assert state_hash == verify(programme._database, "w").state_hash
    with running(url, TIGHT, clock=clock) as programme:
        assert state_hash == programme.state_hash()
        clock.advance(HOUR)
        done(programme.do([order("new", consumer="新人", merchant="新店")]))
        clock.advance(HOUR)
        done(programme.do([order("look")]))
        assert "settled" == programme.order("new").status


def names_in(url: str) -> list[tuple[str]]:
    """The register as the database has it."""
    with connected(url) as connection:
        return connection.execute("SELECT name FROM holder").fetchall()


def test_held_orders_outlive_a_restart(url: str, clock: SetClock) -> None:
    """They are in the database and nowhere else; those due meanwhile settle at the start."""
    with running(url, MARKET, clock=clock, hold_seconds=HOUR) as programme:
        done(programme.do([*orders(range(4)), RefundRequest("r", "o1")]))
    clock.advance(HOUR)
    with running(url, MARKET, clock=clock) as programme:
        assert 5 == programme.wait(4, 10)
        assert [("cancellation", "r"), ("order", "o0"), ("order", "o2"), ("order", "o3")] == kinds(programme)
        assert 0 == held_in(url)
        verify(programme._database, "w")


def held_in(url: str) -> int:
    """How many orders still wait."""
    with connected(url) as connection:
        row = connection.execute("SELECT count(*) FROM held WHERE due_at IS NOT NULL").fetchone()
        assert row is not None
        return int(row[0])


def test_holding_changes_nothing_but_the_time(url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same orders give the same state, held or not; and many that are due at once settle in several commits."""
    monkeypatch.setattr(batch, "STREAM_ROWS", 3)
    some = orders(range(12))
    with running(url, MARKET, name="once", clock=clock) as programme:
        done(programme.do(some))
        expected = programme.state_hash()
    with running(url, MARKET, name="held", clock=clock, hold_seconds=HOUR) as programme:
        done(programme.do(some))
        clock.advance(HOUR)

        assert 13 == programme.wait(12, 10)
        assert expected == programme.state_hash()


def test_other_facts_for_a_held_order_are_refused(url: str, clock: SetClock) -> None:
    """While it is held and after, by the name of the field; the order itself stays as it was."""
    with running(url, MARKET, clock=clock, hold_seconds=HOUR) as programme:
        answers = programme.do(
            [order("o", recruiter="王"), order("o", recruiter="李"), order("o", recruiter="agent:王", amount="100.00")]
        )
        answers += programme.do([order("o", amount="99")])
        clock.advance(HOUR)
        settle_due(programme)
        answers += programme.do([order("o", amount="99"), order("o", recruiter="王")])

    assert ["", "recruiter", "", "amount", "amount", ""] == [getattr(answer, "field", "") for answer in answers]
    assert ["", "request_conflict", "", "request_conflict", "request_conflict", ""] == [reason(answer) for answer in answers]
