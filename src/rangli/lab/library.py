"""The scenarios that ship with the product, and the way from a name or a text to a scenario that can run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final

from rangli.errors import InputRefused, ScenarioNotFound
from rangli.lab.parts import Scenario
from rangli.lab.scenario import changed, read
from rangli.plan import CompiledPlan, load
from rangli.plan.document import nearest

_SUFFIX: Final = ".yaml"


def scenarios() -> list[str]:
    """The names of the scenarios that ship with the product."""
    files = resources.files("rangli.lab").joinpath("scenarios").iterdir()
    return sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX))


def scenario_text(name: str) -> str:
    """The document of a scenario that ships. Raises ScenarioNotFound."""
    known = scenarios()
    if name not in known:
        zh, en = nearest(name, known)
        raise ScenarioNotFound(
            f"没有名为 {name!r} 的场景{zh};现有:{', '.join(known)}",
            f"there is no scenario {name!r}{en}; there are {', '.join(known)}",
        )
    return resources.files("rangli.lab").joinpath("scenarios", f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def load_scenario(name_or_text: str, values: Mapping[str, str] | None = None) -> Scenario:
    """The scenario of a name or of a document's text, with these values in their places.

    Raises ScenarioNotFound, ScenarioFaulty with every problem, or InputRefused for a path that leads nowhere.
    """
    is_name = re.fullmatch(r"[\w.-]*", name_or_text) is not None
    return read(changed(scenario_text(name_or_text) if is_name else name_or_text, values or {}))


def meant_for(scenario: Scenario, changes: Sequence[str] = ()) -> CompiledPlan:
    """The plan that a scenario was written for, with further changes. Raises InputRefused when it names none."""
    if scenario.plan is None:
        raise InputRefused(
            f"场景 {scenario.name} 没有写为哪个方案而设;请指明方案",
            f"the scenario {scenario.name} was written for no plan in particular; name one",
        )
    return load(scenario.plan.name, [*scenario.plan.changes, *changes])
