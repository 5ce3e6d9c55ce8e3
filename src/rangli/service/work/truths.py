"""The three truths of a plan, as a job: the lab runs it in a scenario and answers in the words of a prospectus."""

from __future__ import annotations

from typing import Any, Final

from rangli.lab import load_scenario
from rangli.lab.prospectus.study import study
from rangli.lab.prospectus.truths import rows
from rangli.lab.prospectus.words import first_lines
from rangli.plan import load
from rangli.plan.parts import Words
from rangli.service.work.worker import Progress

SCENARIO: Final = "default"
REPLICATIONS: Final = 1


def truths(progress: Progress, document: str, scenario: str = SCENARIO) -> dict[str, Any]:
    """What a plan comes to in a scenario: the three lines and the table behind them. Raises PlanFaulty."""
    compiled, world = load(document), load_scenario(scenario)
    total = world.months * REPLICATIONS
    done = 0

    def month(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total, f"第 {done} 个月,共 {total} 个月", f"month {done} of {total}")

    progress(0, total, "准备模拟", "preparing")
    found = study(compiled, world, REPLICATIONS, progress=month)
    return {
        "version": compiled.version,
        "scenario": {"name": world.name, **_words(world.title)},
        "months": world.months,
        "orders": found.middle.orders,
        "lines": [
            {"key": line.key, "question": _words(line.question), "answer": _words(line.plain), "detail": _words(line.detail)}
            for line in first_lines(found)
        ],
        "rows": [{"name": _words(row.name), "value": _words(row.median), "meaning": _words(row.meaning)} for row in rows(found)],
    }


def _words(words: Words) -> dict[str, str]:
    return {"zh": words.zh, "en": words.en}
