"""Which plan, in which scenario: what a form of the lab asks, and the documents that its answers mean."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Final, NamedTuple

from rangli.errors import FieldRefused, RangliError
from rangli.lab import load_scenario, scenario_text, scenarios
from rangli.lab.scenario import Scenario, changed, check, orders_expected
from rangli.lab.values import Value, differences, values_of
from rangli.plan import check as check_plan
from rangli.plan import preset_text, presets
from rangli.plan.parts import Words
from rangli.service.work.lab import REPLICATIONS_MAX, SEED
from rangli.web.console.call import Call

VALUE: Final = "value:"
"""Before the path of a scenario's value, in the name of its field."""
SEED_MAX: Final = 10**9
PRESET, PLAN, DRAFT = "preset", "plan", "draft"

Options = list[tuple[str, str]]


class Chosen(NamedTuple):
    """A plan that was chosen."""

    document: str
    shown: str
    """What it is, in a line."""
    programme: str = ""

    @property
    def preset(self) -> str:
        """The name of the preset that it is; empty for any other document."""
        return next((name for name in presets() if preset_text(name) == self.document), "")


class Asked(NamedTuple):
    """What a form asked, as far as it could be read."""

    scenario: str
    """Its document, with the values that were changed."""
    shown: str
    replications: int
    seed: int

    @property
    def shipped(self) -> str:
        """The name of the scenario that it is; empty for a changed one."""
        return shipped_scenario(self.scenario)


def shipped_scenario(document: str) -> str:
    """The name of the scenario that ships with just this document, or empty."""
    return next((name for name in scenarios() if scenario_text(name) == document), "")


# ---------------------------------------------------------------- plans


def sees(call: Call, programme: str) -> bool:
    """Whether the member may see a programme; what belongs to none may be seen by all."""
    return not programme or call.member.programmes is None or programme in call.member.programmes


def plan_options(call: Call, *wanted: str) -> Options:
    """Presets and the active plans of all programmes that the member sees, and what is wanted besides."""
    own = [
        (f"{PLAN}:{name}", call.t(f"{name}(现行方案)", f"{name} (active plan)"))
        for name in call.service.health().programmes
        if sees(call, name)
    ]
    ready = [(f"{PRESET}:{name}", f"{call.t(*_said(_titles()[name]))} · {name}") for name in presets()]
    known = {code for code, _ in own + ready}
    more = []
    for code in wanted:
        if code and code not in known:
            with suppress(RangliError):  # what is not there, or not for him, is not offered
                more.append((code, chosen(call, code).shown))
    return [*more, *own, *ready]


@cache
def _titles() -> dict[str, Words]:
    plans = {name: check_plan(preset_text(name))[0] for name in presets()}
    return {name: plan.title for name, plan in plans.items() if plan is not None}


def _said(words: Words) -> tuple[str, str]:
    return words.zh, words.en


def chosen(call: Call, code: str, field: str = "plan") -> Chosen:
    """The plan of a code: ``preset:zengzhi``, ``plan:TOWN`` (active) or ``plan:TOWN:3``, ``draft:TOWN:7``.

    Raises FieldRefused, or what refuses the programme, its version or its draft.
    """
    kind, _, name = code.partition(":")
    if kind == PRESET and name in presets():
        return Chosen(preset_text(name), name)
    programme, _, number = name.partition(":")
    digits = number if number.isascii() and number.isdecimal() and len(number) < len(str(SEED_MAX)) else ""
    if kind == PLAN and programme and (digits or not number):
        call.member.require("read", programme)
        plans = call.service.running(programme).plans()
        plan = next((one for one in reversed(plans) if not number or one.number == int(digits)), None)
        if plan is not None:
            return Chosen(plan.document, call.t(f"{programme} 第 {plan.number} 版", f"{programme} v{plan.number}"), programme)
    if kind == DRAFT and programme and digits:
        call.member.require("read", programme)
        draft = call.service.drafts.get(programme, int(digits))
        return Chosen(draft.document, call.t(f"{programme} 草稿 {number}", f"{programme} draft {number}"), programme)
    raise FieldRefused(field, "请从列表中选一个方案", "choose a plan from the list")


# ---------------------------------------------------------------- scenarios


@cache
def shipped() -> dict[str, Scenario]:
    """Every scenario that ships, by name."""
    return {name: load_scenario(name) for name in scenarios()}


def scenario_options(call: Call) -> Options:
    """The scenarios that ship."""
    return [(name, f"{call.t(one.title.zh, one.title.en)} · {name}") for name, one in shipped().items()]


def asked(call: Call) -> Asked:
    """Scenario, replications and seed of a form. Raises FieldRefused, or ScenarioNotFound for an unknown scenario."""
    name = call.field("scenario", "default")
    document, wrong = entered(call, scenario_text(name))
    if wrong:
        path, (zh, en) = next(iter(wrong.items()))
        raise FieldRefused(VALUE + path, zh, en)
    how = whole(call, "replications", 1, 1, REPLICATIONS_MAX), whole(call, "seed", SEED, 0, SEED_MAX)
    is_changed = bool(differences(scenario_text(name), document))
    return Asked(document if is_changed else scenario_text(name), f"{name}{'*' if is_changed else ''}", *how)


def entered(call: Call, document: str) -> tuple[str, dict[str, tuple[str, str]]]:
    """The document with the values of the form, and what is wrong with them by path: Chinese, English."""
    was = {value.path: value.text for value in values_of(document)}
    now = {path: call.field(VALUE + path) for path in was if VALUE + path in call.form}  # a GET has no form, and nothing is new
    new = {path: text for path, text in now.items() if text != was[path]}
    empty = [path for path, text in new.items() if not text]
    if not new:
        return document, {}
    if empty:
        return document, dict.fromkeys(empty, ("为空;请填一个值", "is empty; write a value"))
    try:
        document = changed(document, {path: f'"{text}"' if _is_odd(text) else text for path, text in new.items()})
        _, problems = check(document)
    except RangliError as refusal:
        return document, dict.fromkeys(list(new)[:1], (refusal.zh, refusal.en))
    return document, {problem.where: (problem.zh, problem.en) for problem in reversed(problems)}


def _is_odd(text: str) -> bool:
    """Whether YAML would take it for something else than a value of one word."""
    return not all(letter.isalnum() or letter in ".%-" for letter in text)


def expected(scenario: Scenario) -> int:
    """How many orders there are at most."""
    return orders_expected(scenario)


def by_part(values: Iterable[Value]) -> dict[Words, list[Value]]:
    """Values of a scenario, by the part that they belong to."""
    parts: dict[Words, list[Value]] = {}
    for value in values:
        parts.setdefault(value.part, []).append(value)
    return parts


def whole(call: Call, name: str, default: int, low: int, high: int) -> int:
    """A whole number of a form. Raises FieldRefused."""
    text = call.field(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(high)) and low <= int(text) <= high):
        raise FieldRefused(name, f"应为 {low} 到 {high} 的整数", f"it must be a whole number from {low} to {high}")
    return int(text)
