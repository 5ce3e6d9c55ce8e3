"""The plans that ship with the product, and the way from a name or a text to a plan that can settle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources

from rangli.errors import PlanFaulty, PlanNotFound
from rangli.plan.check import check
from rangli.plan.compile import CompiledPlan, compile_plan
from rangli.plan.document import nearest
from rangli.plan.override import override

_SUFFIX = ".yaml"


def presets() -> list[str]:
    """The names of the plans that ship with the product."""
    files = resources.files("rangli.plan").joinpath("presets").iterdir()
    return sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX))


def preset_text(name: str) -> str:
    """The document of a preset. Raises PlanNotFound."""
    known = presets()
    if name not in known:
        zh, en = nearest(name, known)
        raise PlanNotFound(
            f"没有名为 {name!r} 的方案{zh};现有:{', '.join(known)}",
            f"there is no plan {name!r}{en}; there are {', '.join(known)}",
        )
    return resources.files("rangli.plan").joinpath("presets", f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def load(name_or_text: str, changes: Sequence[str] = ()) -> CompiledPlan:
    """The compiled plan of a preset's name or of a document's text, with these changes made.

    Raises PlanNotFound, PlanFaulty with every problem, or InputRefused for a change that leads nowhere.
    """
    is_name = re.fullmatch(r"[\w.-]*", name_or_text) is not None
    text = override(preset_text(name_or_text) if is_name else name_or_text, changes)
    plan, problems = check(text)
    if plan is None:
        raise PlanFaulty(problems)
    return compile_plan(plan)
