"""The overview: today's figures, orders as they pass, the seal, and the law's guards; of all programmes, and of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rangli.errors import FieldRefused, NotSettling, RangliError
from rangli.money import print_micro, print_yuan
from rangli.plan.law import VERDICTS
from rangli.service.people.acts import COMMAND_LINE
from rangli.service.watching.meters import UNMEASURED, watched
from rangli.service.watching.passing import passing
from rangli.service.watching.today import Day, together
from rangli.service.work.seal import AMBER, GREEN, GREY, RED, SealView
from rangli.web.console.call import OK, Call, Shown
from rangli.web.console.door import COOKIE, Door
from rangli.web.console.states import DECISIONS, LAWFUL, SETTLERS
from rangli.web.console.words import Amount, Link, State, grouped, shown

if TYPE_CHECKING:
    from rangli.service import Running

GAP: Final = timedelta(milliseconds=250)
"""Between two events of the live stream."""
AWAY: Final = timedelta(seconds=2)
"""Before a programme that is settled elsewhere is asked again."""
POSITION_DIGITS_MAX: Final = 10
EVENT_STREAM: Final = b"text/event-stream"
NOT_STORED: Final = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))

TONES: Final = {GREEN: "good", AMBER: "wait", RED: "bad", GREY: "plain"}
SEALS: Final = {
    GREEN: State(GREEN, "账目相符", "Verified", "good"),
    AMBER: State(AMBER, "须再核验", "Verify again", "wait"),
    RED: State(RED, "账目不符", "Not as it should be", "bad"),
    GREY: State(GREY, "未核验", "Never verified", "plain"),
}


def programmes_of(call: Call) -> list[Running]:
    """The programmes that the member may see, oldest first."""
    seen = call.member.programmes
    return [call.service.running(name) for name in call.service.health().programmes if seen is None or name in seen]


# ---------------------------------------------------------------- figures


def figures(day: Day, lang: str) -> list[dict[str, str]]:
    """The day's figures as a page shows them: a key for the live stream, words, and text with its unit."""
    told: list[tuple[str, str, str, str]] = [
        ("orders", "订单", "Orders", grouped(str(day.orders))),
        ("turnover", "营业额", "Turnover", _yuan(print_yuan(day.turnover_fen), lang)),
        ("concession", "让利", "Concession", _yuan(print_micro(day.concession_micro), lang)),
        ("given", "返还消费者", "Given back to consumers", _yuan(print_micro(day.given_micro), lang)),
        ("surplus", "平台盈余", "Platform surplus", _yuan(print_micro(day.surplus_micro), lang)),
    ]
    if day.vouchers_micro:
        amount = shown(Amount(print_micro(day.vouchers_micro), "VOUCHER"), lang)
        told.insert(4, ("vouchers", "返还的抵用券", "Given back in vouchers", amount))
    if day.refunds:
        told.append(("refunds", "退款笔数", "Refunds", grouped(str(day.refunds))))
        told.append(("refunded", "退款额", "Refunded", _yuan(print_yuan(day.refunded_fen), lang)))
    return [{"key": key, "zh": zh, "en": en, "text": text} for key, zh, en, text in told]


def _yuan(text: str, lang: str) -> str:
    return shown(Amount(text), lang)


def by_hour(day: Day, call: Call) -> dict[str, Any]:
    """The day by hour, as a chart and as a table."""
    hours = [f"{hour:02d}:00" for hour in range(len(day.hours))]
    turnover = [print_yuan(hour.turnover_fen) for hour in day.hours]
    so_far = 1 + max((hour for hour, of in enumerate(day.hours) if of.orders), default=0)
    option = {
        "legend": {"top": 0},
        "xAxis": {"type": "category", "data": hours},
        "yAxis": [{"type": "value", "minInterval": 1}, {"type": "value", "splitLine": {"show": False}}],
        "series": [
            {"name": call.t("订单", "Orders"), "type": "bar", "data": [hour.orders for hour in day.hours]},
            {"name": call.t("营业额(元)", "Turnover (yuan)"), "type": "line", "yAxisIndex": 1, "data": turnover[:so_far]},
        ],
    }
    rows = [[hour, str(of.orders), Amount(text)] for hour, of, text in zip(hours, day.hours, turnover, strict=True)]
    return {"option": option, "rows": [row for row in rows if row[1] != "0"]}


# ---------------------------------------------------------------- pages


def front(call: Call) -> Shown:
    """All programmes that the member may see."""
    running = programmes_of(call)
    if not running:
        return call.show("overview/nothing.html")
    days = call.service.today.of_all(running)
    seals = call.service.seal.of_all(running)
    day = together(days.values())
    return call.show(
        "overview/front.html", day=day, figures=figures(day, call.lang), hours=by_hour(day, call),
        rows=[_row(one, days[one.name], seals[one.name]) for one in running],
    )  # fmt: skip


def _row(running: Running, day: Day, seal: SealView) -> Sequence[object]:
    """A programme in the table of the front page."""
    money = (print_yuan(day.turnover_fen), *map(print_micro, (day.concession_micro, day.given_micro, day.surplus_micro)))
    there = Link(running.name, f"/p/{Call.segment(running.name)}")
    return (there, SETTLERS[running.role], SEALS[seal.tone], str(day.orders), *map(Amount, money))


def overview(call: Call) -> Shown:
    """One programme."""
    running = call.running
    day = call.service.today.of(running)
    law = watched(call.service.database, running)
    meters = [meter for meter in law.meters if meter.state != UNMEASURED]
    return call.show(
        "overview/overview.html", day=day, figures=figures(day, call.lang), hours=by_hour(day, call), law=law, meters=meters,
        role=SETTLERS[running.role], unmeasured=len(law.meters) - len(meters), lawful=LAWFUL,
        kinds={kind: call.t(state.zh, state.en) for kind, state in DECISIONS.items()},
        counts={verdict: sum(one.finding.verdict == verdict for one in law.findings) for verdict in VERDICTS},
        **seal_values(call),
    )  # fmt: skip


def seal_values(call: Call) -> dict[str, Any]:
    """What the seal's part of a page shows."""
    seal = call.service.seal.of(call.programme)
    return {"seal": seal, "seal_tone": TONES[seal.tone], "seal_state": SEALS[seal.tone], "whom": partial(whom, call)}


def whom(call: Call, asked_by: str) -> str:
    """For whom a verification was made: a member's name, or the command line in words."""
    return call.t("命令行", "command line") if asked_by == COMMAND_LINE.role else asked_by


def today_part(call: Call) -> Shown:
    """The day's figures alone, for whoever has no stream."""
    day = call.service.today.of(call.running)
    return call.show("overview/figures.html", day=day, figures=figures(day, call.lang))


def guarded(call: Call) -> Shown:
    """What the law's guards find in the active plan, and every meter."""
    law = watched(call.service.database, call.running)
    order = sorted(law.findings, key=lambda one: -VERDICTS.index(one.finding.verdict))
    return call.show("overview/guards.html", law=law, findings=order, lawful=LAWFUL)


# ---------------------------------------------------------------- the live stream


async def live(call: Call) -> Shown:
    """Orders as they pass, as server-sent events: one at a time, with the newest and a count of those left out."""
    running = await call.desk.ask(lambda: call.running)
    last = call.asked.header(b"last-event-id")
    if last and not (last.isascii() and last.isdigit() and len(last) <= POSITION_DIGITS_MAX):
        raise FieldRefused("Last-Event-ID", "应为决定的序号,如 42", "it must be the position of a decision, as 42")
    return Shown(OK, _events(call, running, int(last) if last else None), EVENT_STREAM, NOT_STORED)


async def _events(call: Call, running: Running, after: int | None) -> AsyncIterator[bytes]:
    """At most four events a second, however much is decided; they end with the session."""
    watch = call.desk.watch(running)
    yield b"retry: 2000\n\n"
    with watch.reading():
        while not watch.stopped and await call.desk.ask(_may_look, call):
            try:
                event, position = await call.desk.ask(_event, call, running, after)
            except NotSettling as refusal:
                yield _written("away", {"zh": refusal.zh, "en": refusal.en})
                await asyncio.sleep(AWAY.total_seconds())
                continue
            yield event
            after = position
            await asyncio.sleep(GAP.total_seconds())
            while not watch.stopped and not await watch.beyond(position):
                yield b": still here\n\n"
                if not await call.desk.ask(_may_look, call):
                    return


def _may_look(call: Call) -> bool:
    """Whether the session goes on, and still sees this programme."""
    try:
        call.service.staff.member(call.cookies.get(COOKIE, "")).require("read", call.programme)
    except RangliError:
        return False
    return True


def _event(call: Call, running: Running, after: int | None) -> tuple[bytes, int]:
    """What has come since, and the position up to which it goes."""
    found = passing(call.service.database, running, after)
    day = call.service.today.of(running)
    told = {
        "position": found.position,
        "left_out": found.left_out,
        "behind": day.behind,
        "figures": {one["key"]: one["text"] for one in figures(day, call.lang)},
        "rows": found.rows,
    }
    return f"id: {found.position}\n".encode() + _written("passing", told), found.position


def _written(name: str, told: object) -> bytes:
    """An event."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(told) + b"\n\n"


DOORS: Final[tuple[Door, ...]] = (
    Door("GET", "/", "read", front, "全部项目的总览", "All programmes"),
    Door("GET", "/p/{programme}", "read", overview, "项目总览", "A programme's overview"),
    Door("GET", "/p/{programme}/today", "read", today_part, "今日数字", "Today's figures"),
    Door("GET", "/p/{programme}/live", "read", live, "实时订单流", "Orders as they pass"),
    Door("GET", "/p/{programme}/guards", "read", guarded, "合规检查与敞口", "Guards and exposure"),
)
