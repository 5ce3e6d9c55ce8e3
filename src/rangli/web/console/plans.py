"""A programme's plan: the version that is active in words and figures, and every version there was with its differences."""

from __future__ import annotations

from typing import Final

from rangli.errors import FieldRefused, JobNotFound
from rangli.plan import CompiledPlan, load
from rangli.service.settling.approval import REAL
from rangli.service.views import PlanView
from rangli.web.console.call import Call, Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Listing, Slice, Want, by_time, by_words
from rangli.web.console.planparts import TRUTHS, ask_lab, compared, example, numbered, shown_parts
from rangli.web.console.programmes import CHANNEL_STATES
from rangli.web.console.shelf import By, shelved
from rangli.web.console.words import Link, State

COLUMNS: Final = (
    Column("number", "版本", "Version", "link"),
    Column("plan", "方案", "Plan"),
    Column("activated", "启用于", "Activated", "time"),
    Column("signed", "签字", "Signed by"),
    Column("version", "摘要", "Hash", "hash"),
    Column("position", "流水位置", "Journal position", "link"),
    Column("state", "状态", "State", "state"),
)
SORTS: Final[By[PlanView]] = {
    **dict.fromkeys(by_time("number"), lambda view: view.number),
    **dict.fromkeys(by_words("plan", "方案", "plan"), lambda view: view.name),
}
ACTIVE: Final = State("active", "现行", "active", "good")
PAST: Final = State("past", "已被取代", "replaced", "plain")


def active_of(call: Call) -> tuple[PlanView, CompiledPlan]:
    """The version that is active, and what it says."""
    view = call.running.plans()[-1]
    return view, load(view.document)


def tabs_of(call: Call) -> list[tuple[str, str, str]]:
    """The pages about a programme's plan."""
    path = f"/p/{call.segment(call.programme)}"
    return [
        (f"{path}/plan", "现行方案", "Active plan"),
        (f"{path}/drafts", "草案", "Drafts"),
        (f"{path}/versions", "版本与差异", "Versions"),
    ]


def plan(call: Call) -> Shown:
    """The active version."""
    view, compiled = active_of(call)
    programme = call.running.view()
    return call.show(
        "plans/plan.html", view=view, programme=programme, channel=CHANNEL_STATES[programme.channel], tabs=tabs_of(call),
        lines=numbered(view.document), is_real=programme.channel == REAL, **shown_parts(call, compiled, call.query),
    )  # fmt: skip


def example_part(call: Call) -> Shown:
    """The waterfall of another order."""
    _, compiled = active_of(call)
    return call.show("plans/waterfall.html", example=example(compiled, call.query))


def truths_begun(call: Call) -> Shown:
    """Let the lab run the active version."""
    view, compiled = active_of(call)
    return call.show("plans/truths.html", job=ask_lab(call, compiled, view.document, "plan"), compiled=compiled, again=None)


def truths_part(call: Call) -> Shown:
    """How far the lab is, or what it found. Raises JobNotFound."""
    view = call.service.jobs.get(call.param("job"))
    if (view.kind, view.programme) != (TRUTHS, call.programme):
        raise JobNotFound(f"没有任务 {view.id!r}", f"there is no job {view.id!r}")
    return call.show("plans/truths.html", job=view, compiled=None, again=None)


# ---------------------------------------------------------------- versions


def versions(call: Call) -> Shown:
    """Every version that was active, and how two of them differ."""
    plans = call.running.plans()
    path = f"/p/{call.segment(call.programme)}"
    newest = plans[-1].number

    def fetch(want: Want) -> Slice:
        return shelved(plans, want, SORTS, lambda view: str(view.number), lambda view: _row(path, view, newest))

    listing = Listing("versions", "版本", "Versions", COLUMNS, fetch, sorts=tuple(SORTS))
    return call.listing(listing, "plans/versions.html", tabs=tabs_of(call), plans=plans, pair=_pair(call, plans))


def _pair(call: Call, plans: list[PlanView]) -> dict[str, object] | None:
    """The two versions that are compared: those that are asked for, or the last two."""
    if len(plans) == 1:
        return None
    numbers = [call.query.get("from", str(plans[-2].number)), call.query.get("to", str(plans[-1].number))]
    found = [next((view for view in plans if str(view.number) == number), None) for number in numbers]
    before, after = found
    if before is None or after is None:
        known = "、".join(str(view.number) for view in plans)
        raise FieldRefused("from", f"没有这个版本;有 {known}", f"there is no such version; there are {known}")
    return {"before": before, "after": after, "compared": compared(before.document, after.document)}


def _row(path: str, view: PlanView, newest: int) -> dict[str, object]:
    """A version as a row."""
    return {
        "number": Link(str(view.number), f"{path}/versions/{view.number}"),
        "plan": view.name,
        "activated": view.activated_at,
        "signed": "、".join(one["name"] for one in view.signed),
        "version": view.version,
        "position": Link(str(view.position), f"{path}/journal/{view.position}"),
        "state": ACTIVE if view.number == newest else PAST,
    }


def version(call: Call) -> Shown:
    """One version: its document and who signed for it."""
    found = next((view for view in call.running.plans() if str(view.number) == call.param("number")), None)
    if found is None:
        raise FieldRefused("number", "没有这个版本", "there is no such version")
    return call.show("plans/version.html", view=found, lines=numbered(found.document), tabs=tabs_of(call))


DOORS: Final = (
    Door("GET", "/p/{programme}/plan", "read", plan, "现行方案", "The active plan"),
    Door("GET", "/p/{programme}/plan/example", "read", example_part, "示例订单", "An example order"),
    Door(
        "POST",
        "/p/{programme}/plan/truths",
        "read",
        truths_begun,
        "让实验室跑现行方案",
        "The lab runs the active plan",
        changes=False,
    ),
    Door("GET", "/p/{programme}/plan/truths/{job}", "read", truths_part, "实验室的进度", "How far the lab is"),
    Door("GET", "/p/{programme}/versions", "read", versions, "版本与差异", "Versions and differences"),
    Door("GET", "/p/{programme}/versions/{number}", "read", version, "一个版本", "One version"),
)
