"""Plans: documents that say who gets a concession, checked, explained, judged by the law, compiled to terms."""

from __future__ import annotations

from rangli.plan.check import check
from rangli.plan.compile import CompiledPlan, compile_plan, version
from rangli.plan.explain import Explanation, Line, explain
from rangli.plan.guards import Finding, Meters, judge, verdict
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
    "Finding",
    "Line",
    "Meters",
    "Plan",
    "check",
    "compile_plan",
    "explain",
    "judge",
    "load",
    "override",
    "preset_text",
    "presets",
    "reference_markdown",
    "schema",
    "verdict",
    "version",
]
