"""Plans: documents that say who gets a concession, checked, explained, and compiled to the terms that the engine settles by."""

from __future__ import annotations

from rangli.plan.check import check
from rangli.plan.compile import CompiledPlan, compile_plan, version
from rangli.plan.explain import Explanation, Line, explain
from rangli.plan.library import load, preset_text, presets
from rangli.plan.override import override
from rangli.plan.parts import Plan
from rangli.plan.problems import PROBLEMS
from rangli.plan.schema import schema
from rangli.plan.vocabulary import reference_markdown

__all__ = [
    "PROBLEMS",
    "CompiledPlan",
    "Explanation",
    "Line",
    "Plan",
    "check",
    "compile_plan",
    "explain",
    "load",
    "override",
    "preset_text",
    "presets",
    "reference_markdown",
    "schema",
    "version",
]
