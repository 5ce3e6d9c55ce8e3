"""The lab: what a plan does before it goes live. Runs in the background, what they came to, and plans side by side.

Everything here is a job of the service, kept with its documents: a page shows what was asked, and how to come to the same again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Final

import msgspec

from rangli.errors import FileRefused, InputRefused, JobNotFound, NotFound, RangliError
from rangli.lab import load_scenario, scenario_text
from rangli.lab.prospectus.method import parameters
from rangli.lab.scenario import Scenario
from rangli.lab.values import differences, values_of
from rangli.money import mul_div
from rangli.plan import load, presets
from rangli.service.clock import MICRO_PER_SECOND, rfc3339
from rangli.service.work import lab
from rangli.service.work.jobs import DONE, JobView
from rangli.service.work.report import Report
from rangli.web.console import choosing, claims, pictures
from rangli.web.console.call import Call, Shown
from rangli.web.console.choosing import Chosen
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Filter, Listing, Row, Slice, Want, by_count, by_time, by_words, turns
from rangli.web.console.pictures import CLAIMS, COMPARE, KINDS, PROSPECTUS, RUN, STATES, TABS
from rangli.web.console.shelf import By, shelved
from rangli.web.console.states import LAWFUL
from rangli.web.console.words import Link, in_beijing

REFRESH: Final = (b"hx-refresh", b"true")
YAML: Final = "application/yaml; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"


# ---------------------------------------------------------------- runs


def home(call: Call) -> Shown:
    """What was run, what is running, and a form to begin."""
    options = choosing.plan_options(call, call.query.get("plan", ""))
    return call.listing(
        _runs(call), "lab/home.html", tabs=TABS, plans=options, plan=call.query.get("plan", ""), busy=_busy(call),
        scenarios=choosing.scenario_options(call), keeping=call.service.jobs.is_keeping, states=STATES, seed=lab.SEED,
    )  # fmt: skip


def busy(call: Call) -> Shown:
    """Jobs that are not over, asked for again and again; when there are none any more, the page is loaded anew."""
    if not call.is_part:
        return call.go("/lab")
    jobs = _busy(call)
    shown = call.show("lab/busy.html", busy=jobs, states=STATES)
    return shown if jobs else shown._replace(headers=(REFRESH,))


def _visible(call: Call, view: JobView) -> bool:
    """Whether a job is the lab's and the member may see every programme that it is about."""
    return view.kind in KINDS and all(choosing.sees(call, name) for name in view.programme.split(","))


def _busy(call: Call) -> list[JobView]:
    return [view for view in call.service.jobs.list() if not view.is_over and _visible(call, view)]


def _runs(call: Call) -> Listing:
    """Jobs of the lab as a table."""
    return Listing(
        name="lab-runs",
        zh="运行过的",
        en="What was run",
        columns=(
            Column("subject", "方案与场景", "Plan and scenario", "link"),
            Column("kind", "种类", "Kind"),
            Column("state", "状态", "State", "state"),
            Column("by", "由谁", "By"),
            Column("asked_at", "开始于", "Asked at", "time"),
            Column("seconds", "用时(秒)", "Seconds", "count"),
        ),
        filters=(
            Filter("q", "方案、场景或人", "Plan, scenario or person"),
            Filter("kind", "种类", "Kind", "choice", tuple((code, *words) for code, words in KINDS.items())),
            Filter("state", "状态", "State", "choice", tuple((state.code, state.zh, state.en) for state in STATES.values())),
        ),
        sorts=tuple(RUN_SORTS),
        fetch=lambda want: _fetched(call, want),
        empty=("还没有运行过什么。", "Nothing has been run yet."),
    )


def _fetched(call: Call, want: Want) -> Slice:
    wanted = want.filters.get("q", "").lower()
    found = [
        view
        for view in call.service.jobs.list()
        if _visible(call, view)
        and want.filters.get("kind", view.kind) == view.kind
        and want.filters.get("state", view.state) == view.state
        and wanted in f"{view.subject} {view.by}".lower()
    ]
    return shelved(found, want, RUN_SORTS, lambda view: view.id, partial(_run_row, call))


def _run_row(call: Call, view: JobView) -> Row:
    return {
        "subject": Link(view.subject, f"/lab/runs/{view.id}"),
        "kind": call.t(*KINDS[view.kind]),
        "state": STATES[view.state],
        "by": view.by,
        "asked_at": rfc3339(view.asked_at),
        "seconds": _seconds(view),
    }


def _seconds(view: JobView) -> str:
    """How long it ran, to the second above; empty for one that never ended or began."""
    return str(-mul_div(view.began_at - view.ended_at, 1, MICRO_PER_SECOND)) if view.began_at and view.ended_at else ""


RUN_SORTS: Final[By[JobView]] = {
    **dict.fromkeys(by_time("asked_at"), lambda view: view.asked_at),
    **dict.fromkeys(by_words("subject", "方案与场景", "plan and scenario"), lambda view: view.subject),
    **dict.fromkeys(by_words("kind", "种类", "kind"), lambda view: list(KINDS).index(view.kind)),
    **dict.fromkeys(by_words("state", "状态", "state"), lambda view: list(STATES).index(view.state)),
    **dict.fromkeys(by_words("by", "由谁", "person"), lambda view: view.by),
    **dict.fromkeys(
        turns("seconds", ("longest", "用时从长到短", "Longest first"), ("shortest", "用时从短到长", "Shortest first")),
        lambda view: int(_seconds(view) or -1),
    ),
}


# ---------------------------------------------------------------- beginning


def begin(call: Call) -> Shown:
    """Start a run of a plan in a scenario, or write its prospectus."""
    what = call.field("make", "run")
    try:
        plan, asked = choosing.chosen(call, call.field("plan")), choosing.asked(call)
        load(plan.document)
        lab.check_size(load_scenario(asked.scenario), asked.replications)
    except InputRefused as refusal:
        return _scenario_page(call, call.field("scenario", "default"), refusal)
    subject = f"{plan.shown} × {asked.shown}"
    arguments: dict[str, object] = {
        "plan": plan.document, "scenario": asked.scenario, "replications": asked.replications, "seed": asked.seed,
    }  # fmt: skip
    if what == "prospectus":
        date = in_beijing(rfc3339(call.service.clock()))[:10]
        arguments |= {"date": date, "command": _prospectus_command(plan.document, asked.scenario, arguments, date)}
        return _started(call, PROSPECTUS, lab.prospectus, arguments, subject, plan.programme)
    return _started(call, RUN, lab.run, arguments, subject, plan.programme)


def _started(call: Call, kind: str, function: Any, arguments: dict[str, object], subject: str, programme: str) -> Shown:  # noqa: ANN401 -- as Jobs.start has them
    """Start a job that is kept, and lead to its page."""
    number = call.service.jobs.start(
        kind, function, arguments, programme=programme, by=call.member.name, subject=subject, keep=True
    )
    call.note(f"{kind}.started", number, subject=subject)
    return call.go(f"/lab/runs/{number}")


def _refs(plans: Sequence[str], scenario: str) -> tuple[list[str], str]:
    """What a command names these documents by: those that ship by name, others as the files that can be saved here."""
    names = [Chosen(plan, "").preset or _plan_file(place, len(plans)) for place, plan in enumerate(plans)]
    return names, choosing.shipped_scenario(scenario) or "scenario.yaml"


def _plan_file(place: int, count: int) -> str:
    return "plan.yaml" if count == 1 else f"plan-{place + 1}.yaml"


def _prospectus_command(plan: str, scenario: str, how: dict[str, object], date: str) -> str:
    (name,), where = _refs([plan], scenario)
    options = {
        "scenario": where,
        "replications": how["replications"],
        "seed": how["seed"],
        "date": date,
        "out": "prospectus.html",
    }
    return lab.again("prospectus", [name], options)


# ---------------------------------------------------------------- one of them


def _job(call: Call) -> JobView:
    """The job of the address. Raises JobNotFound, also for one that the member may not see."""
    view = call.service.jobs.get(call.param("job"))
    if view.kind not in KINDS or not _visible(call, view):
        raise JobNotFound("没有这个任务", "there is no such job")
    return view


def one_run(call: Call) -> Shown:
    """A job of the lab: how far it is, or what it came to."""
    view = _job(call)
    facts: dict[str, Any] = {
        "view": view, "state": STATES[view.state], "kind": KINDS[view.kind], "tabs": TABS, "seconds": _seconds(view),
        "asked_at": rfc3339(view.asked_at), "asked": _asked(view),
    }  # fmt: skip
    if view.state != DONE:
        return call.show("lab/unfinished.html", **facts)
    return _FINISHED[view.kind](call, view, facts)


def _asked(view: JobView) -> dict[str, Any]:
    """What a job was asked, as its page shows it."""
    given = view.arguments
    if "scenario" not in given:
        return {}
    scenario = str(given["scenario"])
    name = choosing.shipped_scenario(scenario)
    base = name or load_scenario(scenario).name
    is_known = base in choosing.shipped()
    return {
        "scenario": base,
        "changes": differences(scenario_text(base), scenario) if is_known and not name else [],
        "replications": given["replications"],
        "seed": given["seed"],
    }


def progress(call: Call) -> Shown:
    """How far a job is, asked for again and again; once it is over, the page is loaded anew and asks no more."""
    view = _job(call)
    if not call.is_part:
        return call.go(f"/lab/runs/{view.id}")
    shown = call.show("lab/progress.html", view=view, state=STATES[view.state])
    return shown._replace(headers=(REFRESH,)) if view.is_over else shown


def cancel(call: Call) -> Shown:
    """Let a job be."""
    view = call.service.jobs.cancel(_job(call).id)
    call.note("lab.cancelled", view.id, subject=view.subject)
    return call.go(f"/lab/runs/{view.id}")


def _read(view: JobView, kind: Any) -> Any:  # noqa: ANN401 -- the kind's own
    """What a job came to. Raises FileRefused for what another version has kept in another shape."""
    try:
        return msgspec.convert(view.result, kind)
    except msgspec.ValidationError as fault:
        raise FileRefused(
            "这份结果由另一版本的 Rangli 写成,读不出来;请用同样的参数再运行一次",
            "this result was written by another version of Rangli and cannot be read; run it again with the same arguments",
        ) from fault


def _run_shown(call: Call, view: JobView, facts: dict[str, Any]) -> Shown:
    report: Report = _read(view, Report)
    (plan,), scenario = _refs([str(view.arguments["plan"])], str(view.arguments["scenario"]))
    seed, count = view.arguments["seed"], view.arguments["replications"]
    commands = [
        lab.again("simulate", [plan], {"scenario": scenario, "replication": report.middle, "seed": seed}),
        lab.again("prospectus", [plan], {"scenario": scenario, "replications": count, "seed": seed, "out": "prospectus.html"}),
    ]
    shown: dict[str, Any] = {
        "report": report,
        "verdict": LAWFUL[report.verdict],
        "gets": pictures.who_gets(report.nets, call),
        "charts": [pictures.over_time(chart, call) for chart in report.charts],
        "tables": pictures.tables(report, call),
        "commands": commands,
        "files": [name for name in (plan, scenario) if name.endswith(".yaml")],
        "verdicts": LAWFUL,
    }
    return call.show("lab/run.html", **facts, **shown)


def _prospectus_shown(call: Call, view: JobView, facts: dict[str, Any]) -> Shown:
    data = str(view.result).encode()
    (plan,), scenario = _refs([str(view.arguments["plan"])], str(view.arguments["scenario"]))
    shown: dict[str, Any] = {
        "bytes": len(data),
        "digest": sha256(data).hexdigest(),
        "date": view.arguments["date"],
        "commands": [view.arguments["command"]],
        "files": [name for name in (plan, scenario) if name.endswith(".yaml")],
    }
    return call.show("lab/prospectus.html", **facts, **shown)


def _comparison_shown(call: Call, view: JobView, facts: dict[str, Any]) -> Shown:
    found: lab.Comparison = _read(view, lab.Comparison)
    names = [(report.title.zh, report.plan) for report in found.reports]
    if len(set(names)) < len(names):  # versions of one plan
        names = [(f"{place}. {zh}", f"{place}. {name}") for place, (zh, name) in enumerate(names, 1)]
    plans, scenario = _refs(_texts(view.arguments["plans"]), str(view.arguments["scenario"]))
    guards = [[one.guard, call.t(one.check.zh, one.check.en), *(LAWFUL[v] for v in one.verdicts)] for one in found.guards]
    shown: dict[str, Any] = {
        "found": found,
        "verdicts": LAWFUL,
        "gets": pictures.side_by_side(found, names, call),
        "truths": pictures.sides(found.truths, ("实情", "Truth"), names, call),
        "guards": ([*pictures.GUARD, *((zh, en, "state") for zh, en in names)], guards),
        "commands": [view.arguments["command"]],
        "files": [name for name in (*plans, scenario) if name.endswith(".yaml")],
    }
    return call.show("lab/comparison.html", **facts, **shown)


def _claims_shown(call: Call, _view: JobView, _facts: dict[str, Any]) -> Shown:
    return call.go("/lab/claims")


_FINISHED: Final = {RUN: _run_shown, PROSPECTUS: _prospectus_shown, COMPARE: _comparison_shown, CLAIMS: _claims_shown}


def _texts(value: object) -> list[str]:
    return msgspec.convert(value, list[str])


def saved(call: Call) -> Shown:
    """A file of a job: its documents, what it came to, or the page that it wrote. Raises NotFound for any other name."""
    view, name = _job(call), call.param("file")
    given = view.arguments
    plans = _texts(given["plans"]) if "plans" in given else [str(given["plan"])] if "plan" in given else []
    texts = {_plan_file(place, len(plans)): (YAML, plan) for place, plan in enumerate(plans)}
    if "scenario" in given:
        texts["scenario.yaml"] = (YAML, str(given["scenario"]))
    if view.state == DONE and view.kind == PROSPECTUS:
        texts["prospectus.html"] = (HTML, str(view.result))
    elif view.state == DONE and view.kind == COMPARE:
        texts["comparison.html"] = (HTML, _read(view, lab.Comparison).page)
    elif view.state == DONE:
        texts["result.json"] = (JSON, msgspec.json.format(msgspec.json.encode(view.result), indent=1).decode())
    if name not in texts:
        raise NotFound("没有这个文件", "there is no such file")
    kind, text = texts[name]
    return call.send_file(name, kind, text.encode())


# ---------------------------------------------------------------- scenarios


def scenario_list(call: Call) -> Shown:
    """The scenarios that ship."""
    listing = Listing(
        name="scenarios",
        zh="场景",
        en="Scenarios",
        columns=(
            Column("title", "场景", "Scenario", "link"),
            Column("about", "问的是什么", "What it asks"),
            Column("months", "月数", "Months", "count"),
            Column("orders", "至多几笔订单", "Orders at most", "count"),
            Column("plan", "为哪个方案而写", "Written for"),
        ),
        filters=(Filter("q", "名称或说明", "Name or words"),),
        sorts=tuple(SCENARIO_SORTS),
        fetch=lambda want: shelved(
            _scenarios(call, want), want, SCENARIO_SORTS, lambda one: one[0], partial(_scenario_row, call)
        ),
    )
    return call.listing(listing, "lab/scenarios.html", tabs=TABS)


def _scenarios(call: Call, want: Want) -> list[Shipped]:
    """Those of some words."""
    words = want.filters.get("q", "").lower()
    return [(name, one) for name, one in choosing.shipped().items() if words in f"{name} {' '.join(_told(call, one))}".lower()]


def _told(call: Call, one: Scenario) -> tuple[str, str]:
    """What a scenario is called, and what it asks."""
    return call.t(one.title.zh, one.title.en), call.t(one.about.zh, one.about.en) if one.about else ""


def _scenario_row(call: Call, shipped: Shipped) -> Row:
    name, one = shipped
    title, about = _told(call, one)
    return {
        "title": Link(f"{title} · {name}", f"/lab/scenarios/{name}"), "about": about, "months": str(one.months),
        "orders": str(choosing.expected(one)), "plan": _written_for(one),
    }  # fmt: skip


def _written_for(one: Scenario) -> str:
    return one.plan.name if one.plan else ""


Shipped = tuple[str, Scenario]
"""Name and scenario."""
SCENARIO_SORTS: Final[By[Shipped]] = {
    **dict.fromkeys(by_words("title", "名称", "name"), lambda one: one[0]),
    **dict.fromkeys(by_count("orders", "订单", "orders"), lambda one: choosing.expected(one[1])),
    **dict.fromkeys(by_count("months", "月数", "months"), lambda one: one[1].months),
    **dict.fromkeys(by_words("plan", "为哪个方案而写", "plan"), lambda one: _written_for(one[1])),
}


def scenario(call: Call) -> Shown:
    """One scenario: what it asks, its values, its document; and a run of it."""
    return _scenario_page(call, call.param("scenario"))


def _scenario_page(call: Call, name: str, refusal: RangliError | None = None) -> Shown:
    """The page, and after a refusal what was entered. Raises ScenarioNotFound."""
    document = scenario_text(name)
    one = choosing.shipped()[name]
    _, wrong = choosing.entered(call, document)
    plan = call.field("plan") or call.query.get("plan", "") or (f"preset:{one.plan.name}" if one.plan else "")
    with_plan = plan if refusal is None else ""
    values: dict[str, Any] = {
        "tabs": TABS, "name": name, "one": one, "document": document, "parameters": parameters(one), "plan": plan,
        "orders": choosing.expected(one), "plans": choosing.plan_options(call, with_plan), "wrong": wrong,
        "parts": choosing.by_part(values_of(document)), "before": choosing.VALUE,
        "replications": call.field("replications", "1"), "seed": call.field("seed", str(lab.SEED)),
    }  # fmt: skip
    if refusal is None:
        return call.show("lab/scenario.html", refused=None, **values)
    return call.show_refused("lab/scenario.html", refusal, **values)


# ---------------------------------------------------------------- side by side


def comparing(call: Call) -> Shown:
    """The form that sets plans side by side."""
    return _comparing(call)


def _comparing(call: Call, refusal: RangliError | None = None) -> Shown:
    codes = [call.field(name) or call.query.get(name, "") for name in _sides()]
    if refusal is None and not any(codes):
        codes[:2] = [f"preset:{presets()[-2]}", f"preset:{presets()[-1]}"]
    values: dict[str, Any] = {
        "tabs": TABS, "codes": codes, "plans": choosing.plan_options(call, *(codes if refusal is None else ())),
        "scenarios": choosing.scenario_options(call), "scenario": call.field("scenario", "default"),
        "replications": call.field("replications", "1"), "seed": call.field("seed", str(lab.SEED)), "least": lab.PLANS_MIN,
    }  # fmt: skip
    if refusal is None:
        return call.show("lab/comparing.html", refused=None, **values)
    return call.show_refused("lab/comparing.html", refusal, **values)


def _sides() -> list[str]:
    return [f"plan{number}" for number in range(1, lab.PLANS_MAX + 1)]


def _several(call: Call) -> list[Chosen]:
    """The plans that were chosen. Raises InputRefused for too few."""
    plans = [choosing.chosen(call, call.field(name), name) for name in _sides() if call.field(name)]
    if len(plans) < lab.PLANS_MIN:
        raise InputRefused(f"请选 {lab.PLANS_MIN} 到 {lab.PLANS_MAX} 个方案", f"choose {lab.PLANS_MIN} to {lab.PLANS_MAX} plans")
    return plans


def compare(call: Call) -> Shown:
    """Start a comparison."""
    try:
        plans, asked = _several(call), choosing.asked(call)
        for plan in plans:
            load(plan.document)
        lab.check_size(load_scenario(asked.scenario), asked.replications * len(plans))
    except InputRefused as refusal:
        return _comparing(call, refusal)
    texts = [plan.document for plan in plans]
    names, where = _refs(texts, asked.scenario)
    date = in_beijing(rfc3339(call.service.clock()))[:10]
    options = {"scenario": where, "replications": asked.replications, "seed": asked.seed, "date": date, "out": "comparison.html"}
    arguments: dict[str, object] = {
        "plans": texts, "scenario": asked.scenario, "replications": asked.replications, "seed": asked.seed, "date": date,
        "command": lab.again("compare", names, options),
    }  # fmt: skip
    subject = f"{' | '.join(plan.shown for plan in plans)} × {asked.shown}"
    programmes = ",".join(dict.fromkeys(plan.programme for plan in plans if plan.programme))
    return _started(call, COMPARE, lab.compare, arguments, subject, programmes)


DOORS: Final[tuple[Door, ...]] = (
    Door("GET", "/lab", "read", home, "实验室", "The lab"),
    Door("GET", "/lab/busy", "read", busy, "正在运行的", "What is running"),
    Door("POST", "/lab/runs", "plans", begin, "开始一次运行", "Start a run"),
    Door("GET", "/lab/runs/{job}", "read", one_run, "一次运行", "A run"),
    Door("GET", "/lab/runs/{job}/progress", "read", progress, "进度", "How far it is"),
    Door("POST", "/lab/runs/{job}/cancel", "plans", cancel, "取消", "Cancel"),
    Door("GET", "/lab/runs/{job}/files/{file}", "read", saved, "一次运行的文件", "A run's file"),
    Door("GET", "/lab/scenarios", "read", scenario_list, "场景", "Scenarios"),
    Door("GET", "/lab/scenarios/{scenario}", "read", scenario, "一个场景", "A scenario"),
    Door("GET", "/lab/compare", "read", comparing, "对比", "Compare"),
    Door("POST", "/lab/compare", "plans", compare, "开始对比", "Start a comparison"),
    *claims.DOORS,
)
