"""Guards and meters of a live programme: as grave as the guards find them, and honest about what nothing measures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import service_worlds as worlds
from service_worlds import MARKET, NOON, SEASON, connected, done, orders

from rangli.plan import presets
from rangli.plan.guards import judge, verdict
from rangli.plan.law import VERDICTS, guards
from rangli.service import Service
from rangli.service.clock import SetClock
from rangli.service.requests import ClosingRequest
from rangli.service.settling import recovery
from rangli.service.watching.lag import lags
from rangli.service.watching.meters import UNMEASURED, Meter, watched
from rangli.service.watching.passing import LETTERS_MAX, PACKETS_MAX, ROWS_MAX, passing
from rangli.store import programmes
from rangli.store.database import Database

house, url = worlds.house, worlds.url


@pytest.fixture
def service(url: str) -> Iterator[Service]:
    """An empty service."""
    with worlds.opened(url, SetClock(NOON)) as service:
        yield service


def meters(service: Service, name: str) -> dict[str, Meter]:
    """By their English words."""
    return {meter.en: meter for meter in watched(service.database, service.running(name)).meters}


# ---------------------------------------------------------------- guards and meters


def test_the_findings_are_those_of_the_active_plan_and_no_meter_is_graver(service: Service) -> None:
    """A meter that contradicts the guard beside it makes both worthless."""
    for name in presets():
        service.create(name, name, secret=worlds.SECRET)
        with connected(service.database.url) as connection:
            row = programmes.plans(connection, service.running(name).number)[-1]
        found = watched(service.database, service.running(name))
        said = judge(recovery.compiled(row))

        assert list(said) == [one.finding for one in found.findings]
        for meter in found.meters:
            own = [one for one in said if one.guard == meter.guard]
            assert meter.state == UNMEASURED or not own or VERDICTS.index(meter.state) <= VERDICTS.index(verdict(own)), meter


def test_figures_of_the_plan_stand_beside_their_limits(service: Service) -> None:
    """These are the source's own numbers: 50 yuan for a merchant brought, one level of referrers, 30 % given up."""
    service.create("w", "weituanbao", secret=worlds.SECRET)
    found = meters(service, "w")

    assert ("1", "> 1 / > 2", "ok", 500) == _told(found["levels of referrers that are paid"])
    assert ("¥50.00", "> ¥0.00 / –", "sign-off", 0) == _told(found["paid by the head"])
    assert ("30%", "> 29.82% / > 30%", "sign-off", 1000) == _told(found["split off an order at most"])
    assert {"plan"} == {one.source for one in found.values() if one.guard and one.value}


def test_a_promise_without_funds_has_no_end_and_is_no_more_than_its_guard_says(service: Service) -> None:
    """The pool's price has no end without an exit."""
    service.create("m", MARKET.replace(", exit: {at: 40%}", ""), secret=worlds.SECRET, hold_seconds=0)
    found = meters(service, "m")

    assert ("∞", "refuse", 1000) == (
        found["benefit ÷ spend"].value,
        found["benefit ÷ spend"].state,
        found["benefit ÷ spend"].filled,
    )


def _told(meter: Meter) -> tuple[str, str, str, int]:
    return meter.value, meter.limit, meter.state, meter.filled


def test_what_nothing_measures_is_not_measured_and_never_fine(service: Service) -> None:
    """Each has its limit from the law, so that somebody who measures it knows what to compare it with."""
    service.create("z", "zengzhi", secret=worlds.SECRET)
    silent = [meter for meter in watched(service.database, service.running("z")).meters if meter.state == UNMEASURED]

    assert {"G2", "G8", "G10", "G11", "G12", "G13", "G15"} == {meter.guard for meter in silent}
    assert {("", 0, "")} == {(meter.value, meter.filled, meter.source) for meter in silent}
    assert all(meter.limit in {edge.text() for edge in guards().guard(meter.guard).thresholds.values()} for meter in silent)


def test_vouchers_without_a_reserve_are_measured_on_the_books(service: Service) -> None:
    """One to one is what the plan says of them; the books say whether it is so."""
    service.create("s", SEASON, secret=worlds.SECRET, hold_seconds=0)
    running = service.running("s")
    done(running.do([*orders(range(14)), ClosingRequest("c", "2026-03-01")]))
    fine = meters(service, "s")["vouchers without a reserve"]
    reserve = running.settler.recovered.standing.programme.accounts.account("programme:reserve")  # type: ignore[union-attr]
    with running.settler.published.lock:
        running.settler.published.books.balance[reserve] -= 1_500_000
    short = meters(service, "s")["vouchers without a reserve"]

    assert ("¥0.00", "ok", "books") == (fine.value, fine.state, fine.source)
    assert ("¥1.50", "refuse", 1000) == (short.value, short.state, short.filled)


def test_a_standby_judges_the_plan_and_measures_no_books(service: Service) -> None:
    """The plan is in the database; the books are with the settler."""
    service.create("w", "weituanbao", secret=worlds.SECRET)
    standby = Service.open(Database(service.database.url), clock=service.clock)
    try:
        seen, here = watched(standby.database, standby.running("w")), watched(service.database, service.running("w"))
        backing = next(meter for meter in seen.meters if meter.en == "vouchers without a reserve")
    finally:
        standby.close()

    assert here.findings == seen.findings
    assert (UNMEASURED, "") == (backing.state, backing.value)


# ---------------------------------------------------------------- orders as they pass


def test_the_newest_decisions_come_first_with_a_count_of_the_rest(service: Service) -> None:
    """Of a burst one sees the end and knows the number."""
    service.create("w", "weituanbao", secret=worlds.SECRET, hold_seconds=0)
    running = service.running("w")
    first = passing(service.database, running, None)
    done(running.do(orders(range(50))))
    found = passing(service.database, running, first.position)
    none = passing(service.database, running, found.position)

    assert (1, ["activation"], 0) == (first.position, [row.kind for row in first.rows], first.left_out)
    assert (51, ROWS_MAX, 50 - ROWS_MAX) == (found.position, len(found.rows), found.left_out)
    assert [f"o{i}" for i in range(49, 29, -1)] == [row.id for row in found.rows]
    assert ([], 0) == (none.rows, none.left_out)


def test_names_and_packets_are_cut_to_what_a_row_can_show(service: Service) -> None:
    """An order may send a thousand packets to names of two hundred bytes."""
    service.create("w", "weituanbao", secret=worlds.SECRET, hold_seconds=0)
    running = service.running("w")
    done(running.do(orders(range(30), merchant="面" * 60)))
    newest = passing(service.database, running, None).rows[0]
    decided = running.decisions(30, 1)[0]
    packets = sorted((worlds.micro(line.amount) for line in decided.transfers if line.code == "packet"), reverse=True)

    assert LETTERS_MAX == len(newest.merchant)
    assert newest.merchant.endswith("…")
    assert packets[:PACKETS_MAX] == [worlds.micro(packet.yuan) for packet in newest.largest]
    assert (len(packets), sum(packets)) == (newest.packets, worlds.micro(newest.packets_yuan))


# ---------------------------------------------------------------- lag


def test_the_lag_says_what_a_restart_would_decide_again(url: str) -> None:
    """An operator reads here whether checkpoints are still kept."""
    with worlds.running(url, checkpoint_every=20) as running:
        done(running.do(orders(range(25))))
        worlds.saved(running)
        done(running.do(orders(range(25, 32))))
        (lag,) = lags(running._database, [running])

    assert ("settling", "", 33, 7, 0) == (lag.role, lag.fault, lag.position, lag.behind, lag.queued)
    assert [26] == [kept.position for kept in lag.checkpoints]
    assert lag.checkpoints[0].bytes > 0
    assert (32, 2, "2026-01-05T04:00:00.000000Z") == (lag.orders, lag.batches, lag.committed_at)
    assert lag.batch_ms


def test_a_programme_without_a_checkpoint_is_behind_by_its_whole_journal(service: Service) -> None:
    """None was kept yet."""
    service.create("w", MARKET, secret=worlds.SECRET, hold_seconds=0)
    (lag,) = lags(service.database, [service.running("w")])

    assert ([], 1, "") == (lag.checkpoints, lag.behind, lag.batch_ms)
