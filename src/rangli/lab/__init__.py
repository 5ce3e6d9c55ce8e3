"""The lab: what a plan does, before it goes live. It runs the very engine that settles live orders, and counts the truth.

scenario ─▶ world (a month of events) ─▶ economy (settle.Programme) ─▶ truths ─▶ Result

Names are brought here when somebody asks for them, so that a list of scenarios does not load the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

_HOME: Final = {
    "Promise": "equal",
    "Simulation": "equal",
    "check_order": "equal",
    "promises": "equal",
    "simulate": "equal",
    "Cohort": "truths",
    "Flow": "truths",
    "Month": "truths",
    "PERCENTILES": "truths",
    "Result": "truths",
    "tables": "truths",
    "Scenario": "parts",
    "load_scenario": "library",
    "scenario_text": "library",
    "scenarios": "library",
}

__all__ = [
    "PERCENTILES",
    "Cohort",
    "Flow",
    "Month",
    "Promise",
    "Result",
    "Scenario",
    "Simulation",
    "check_order",
    "load_scenario",
    "promises",
    "run",
    "scenario_text",
    "scenarios",
    "simulate",
    "tables",
]

if TYPE_CHECKING:
    from rangli.lab.equal import Promise, Simulation, check_order, promises, simulate
    from rangli.lab.library import load_scenario, scenario_text, scenarios
    from rangli.lab.parts import Scenario
    from rangli.lab.truths import PERCENTILES, Cohort, Flow, Month, Result, tables
    from rangli.plan import CompiledPlan
else:

    def __getattr__(name: str) -> object:
        """One of those, from where it is (PEP 562)."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"rangli.lab.{_HOME[name]}"), name)


def run(
    plan: CompiledPlan | str | None,
    scenario: Scenario | str = "default",
    replication: int = 0,
    seed: int = 7,
    *,
    changes: Sequence[str] = (),
    values: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """All truths of one run of a scenario under a plan, each given as it is, by name, or as a document's text.

    plan             None for the plan that the scenario was written for
    changes, values  to a plan or scenario given by name or text: ``["pool.mint=50%"]``, ``{"consumers.churn": "20%"}``
    progress         is told of each month that is done
    """
    from rangli.lab.economy import run as run_compiled  # noqa: PLC0415  the engine, for whoever runs something
    from rangli.lab.library import load_scenario, meant_for  # noqa: PLC0415
    from rangli.plan import load  # noqa: PLC0415

    where = load_scenario(scenario, values) if isinstance(scenario, str) else scenario
    if plan is None:
        return run_compiled(meant_for(where, changes), where, replication, seed, progress)
    return run_compiled(load(plan, changes) if isinstance(plan, str) else plan, where, replication, seed, progress)
