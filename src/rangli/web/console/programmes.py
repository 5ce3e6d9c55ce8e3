"""Programmes: those that a member may see, and a new one under one of the plans that ship."""

from __future__ import annotations

from contextlib import suppress
from functools import cache, partial
from typing import Final, NamedTuple

from rangli.errors import (
    FieldRefused,
    GuardsRefused,
    PlanFaulty,
    ProgrammeExists,
    RangliError,
    SignInRefused,
    SignInTooOften,
    SignOffMissing,
)
from rangli.plan import CompiledPlan, judge, load, presets, verdict
from rangli.plan.parts import Words
from rangli.service.people.drafts import ProgrammeLine, signature
from rangli.service.people.staff import ROLES as MEMBER_SCOPES
from rangli.service.requests import Signature
from rangli.service.settling.approval import CHANNELS, REAL, SECONDS_PER_DAY, admit
from rangli.service.views import ProgrammeView
from rangli.web.console.call import Call, Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Filter, Listing, Slice, Want, by_count, by_time, by_words
from rangli.web.console.shelf import By, shelved
from rangli.web.console.states import SETTLERS
from rangli.web.console.words import Link, State

DAYS_MAX: Final = 400
ENTERED: Final = ("name", "plan", "channel", "hold_days", "reason", "opinion", "other", "other_reason", "other_opinion")
"""Fields of the form that are shown again after a refusal; a password and its code are not among them."""
CHANNEL_STATES: Final = {
    "sandbox": State("sandbox", "沙箱", "sandbox", "plain"),
    "real": State("real", "真实通道", "real channel", "wait"),
}
VERDICT_STATES: Final = {
    "ok": State("ok", "真实通道可启用", "a real channel may run it", "good"),
    "sign-off": State("sign-off", "真实通道须两人签字", "a real channel asks two people to sign", "wait"),
    "refuse": State("refuse", "真实通道不得启用", "no real channel runs it", "bad"),
}
COLUMNS: Final = (
    Column("name", "项目", "Programme", "link"),
    Column("plan", "方案", "Plan", "link"),
    Column("number", "版本", "Version", "count"),
    Column("channel", "通道", "Channel", "state"),
    Column("orders", "已结算订单", "Orders settled", "count"),
    Column("state", "状态", "State", "state"),
    Column("created", "建立于", "Created", "time"),
)
FILTERS: Final = (
    Filter("name", "项目名", "Name"),
    Filter(
        "channel",
        "通道",
        "Channel",
        "choice",
        tuple((code, CHANNEL_STATES[code].zh, CHANNEL_STATES[code].en) for code in CHANNELS),
    ),
)

SORTS: Final[By[ProgrammeLine]] = {
    **dict.fromkeys(by_time("created"), lambda line: line.created_at),
    **dict.fromkeys(by_words("name", "项目名", "name"), lambda line: line.name),
    **dict.fromkeys(by_words("plan", "方案", "plan"), lambda line: line.plan),
    **dict.fromkeys(by_count("orders", "订单", "orders"), lambda line: line.orders),
    **dict.fromkeys(by_words("state", "状态", "state"), lambda line: [*SETTLERS, line.role].index(line.role)),
}


class Preset(NamedTuple):
    """A plan that ships, as a card."""

    name: str
    title: Words
    about: Words
    state: State
    """What the law says of it."""


@cache
def cards() -> tuple[Preset, ...]:
    """Every plan that ships: those that a real channel may run first."""
    made = []
    for name in presets():
        compiled = load(name)
        about = compiled.plan.about or compiled.plan.title
        made.append(Preset(name, compiled.plan.title, about, VERDICT_STATES[verdict(judge(compiled))]))
    return tuple(sorted(made, key=lambda card: (list(VERDICT_STATES).index(card.state.code), card.name)))


# ---------------------------------------------------------------- the list


def programmes(call: Call) -> Shown:
    """The programmes that the member may see."""
    lines = call.service.drafts.programmes(call.member.programmes)

    def fetch(want: Want) -> Slice:
        wanted = [
            line
            for line in lines
            if want.filters.get("name", "").casefold() in line.name.casefold()
            and want.filters.get("channel", line.channel) == line.channel
        ]
        return shelved(wanted, want, SORTS, lambda line: line.name, partial(_row, call))

    empty = ("还没有项目。", "There are no programmes yet.")
    listing = Listing("programmes", "项目", "Programmes", COLUMNS, fetch, FILTERS, tuple(SORTS), empty)
    return call.listing(listing, "plans/programmes.html")


def _row(call: Call, line: ProgrammeLine) -> dict[str, object]:
    """A programme as a row."""
    path = f"/p/{call.segment(line.name)}"
    return {
        "name": Link(line.name, path),
        "plan": Link(line.plan, f"{path}/plan"),
        "number": line.plan_number,
        "channel": CHANNEL_STATES[line.channel],
        "orders": line.orders,
        "state": SETTLERS.get(line.role, State(line.role, line.role, line.role)),
        "created": line.created_at,
    }


# ---------------------------------------------------------------- a new one


def new(call: Call) -> Shown:
    """The form for a new programme."""
    return call.show("plans/new.html", cards=cards(), entered={"plan": cards()[0].name}, refused=None)


def create(call: Call) -> Shown:
    """A new programme, or the form again with what is wrong."""
    entered = {name: call.field(name) for name in ENTERED}
    try:
        view, signed = _created(call, entered)
    except (FieldRefused, PlanFaulty, GuardsRefused, ProgrammeExists) as refusal:
        return call.show_refused("plans/new.html", _at_its_field(refusal), cards=cards(), entered=entered)
    call.note(
        "programme.create", view.name, plan=view.plan, version=view.version, channel=view.channel,
        signed=[signature.name for signature in signed],
    )  # fmt: skip
    return call.go(f"/p/{call.segment(view.name)}/plan", f"项目 {view.name} 已建立。", f"{view.name} was created.")


def _created(call: Call, entered: dict[str, str]) -> tuple[ProgrammeView, tuple[Signature, ...]]:
    """The programme, and who signed for it. Raises what it is refused for."""
    if entered["plan"] not in presets():
        raise FieldRefused("plan", "请选一个方案", "choose a plan")
    compiled, hold_seconds = load(entered["plan"]), _hold_seconds(entered["hold_days"])
    held = compiled.plan.hold_days * SECONDS_PER_DAY if hold_seconds is None else hold_seconds
    with suppress(SignOffMissing):  # what nobody can sign for is said before anybody does
        admit(compiled, entered["channel"], held, ())
    signed = _signed(call, entered, compiled)
    view = call.service.create(
        entered["name"], entered["plan"], hold_seconds=hold_seconds, channel=entered["channel"], signed=signed
    )
    return view, signed


def _at_its_field(refusal: RangliError) -> RangliError:
    """What belongs to the name is shown there."""
    if isinstance(refusal, ProgrammeExists):
        return FieldRefused("name", refusal.zh, refusal.en)
    if isinstance(refusal, FieldRefused) and refusal.field == "hold_seconds":
        refusal.field = "hold_days"
    return refusal


def _hold_seconds(days: str) -> int | None:
    """Days as seconds; nothing for the plan's own. Raises FieldRefused."""
    if not days:
        return None
    if not (days.isascii() and days.isdigit() and int(days[:6]) <= DAYS_MAX):
        raise FieldRefused(
            "hold_days", f"应为 0 到 {DAYS_MAX} 的整数(天)", f"it must be a whole number of days from 0 to {DAYS_MAX}"
        )
    return int(days) * SECONDS_PER_DAY


def _signed(call: Call, entered: dict[str, str], compiled: CompiledPlan) -> tuple[Signature, ...]:
    """Who signs: on a real channel two members, as for each later version; the second shows who he is at the first one's side.

    Raises FieldRefused.
    """
    if entered["channel"] != REAL:
        return ()
    is_asked = verdict(judge(compiled)) == "sign-off"
    first = signature(call.member.name, entered["reason"], entered["opinion"], is_asked=is_asked)
    try:
        second = signature(entered["other"], entered["other_reason"], entered["other_opinion"], is_asked=is_asked)
    except FieldRefused as refusal:
        raise FieldRefused(f"other_{refusal.field}", refusal.zh, refusal.en) from refusal
    _vouched(call, second.name)
    return first, second


def _vouched(call: Call, name: str) -> None:
    """That another member stands here who may sign for plans. Raises FieldRefused."""
    if name == call.member.name:
        raise FieldRefused("other", "须是另一位成员;一个人不能签两次", "it must be another member; nobody signs twice")
    try:
        other = call.service.staff.vouch(
            name, call.secret("other_password"), call.field("other_code"), address=call.asked.address
        )
    except (SignInRefused, SignInTooOften) as refusal:
        raise FieldRefused("other_password", refusal.zh, refusal.en) from refusal
    if other.must_change:
        raise FieldRefused(
            "other",
            "此成员还在用一次性密码;请先登录并换成自己的",
            "he still has a one-time password; let him sign in and change it",
        )
    if "plans" not in MEMBER_SCOPES[other.role] or other.programmes is not None:
        raise FieldRefused(
            "other",
            "此成员不能为新项目的方案签字;须是所有者,或可见全部项目的运营",
            "he may not sign for a new programme's plan; it takes an owner, or somebody of operations who sees all of them",
        )


DOORS: Final = (
    Door("GET", "/programmes", "read", programmes, "项目", "Programmes"),
    Door("GET", "/programmes/new", "admin", new, "新建项目", "New programme"),
    Door("POST", "/programmes/new", "admin", create, "建立项目", "Create a programme"),
)
