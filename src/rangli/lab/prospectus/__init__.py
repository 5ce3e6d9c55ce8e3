"""The prospectus: what an honest operator shows to merchants and consumers before a plan goes live, as one offline HTML file.

study (runs, law) ─▶ words, truths, gallery (charts) ─▶ page

It promises nothing: every figure says of what it is, and how to come to it again.
"""

from __future__ import annotations

from rangli.lab.parts import Scenario
from rangli.lab.prospectus.page import page
from rangli.lab.prospectus.study import Progress, Study, study
from rangli.plan import CompiledPlan

__all__ = ["Study", "page", "study", "write"]


def write(
    compiled: CompiledPlan,
    scenario: Scenario,
    replications: int = 3,
    seed: int = 7,
    *,
    date: str,
    command: str = "",
    progress: Progress | None = None,
) -> str:
    """The whole page: HTML in Chinese and English that asks nobody for anything.

    date     stands on it, as the caller has it: no clock is read, so the same arguments give the same bytes
    command  makes it again; by default that of the documents that ship
    progress is told of each month of each run that is done
    """
    return page(study(compiled, scenario, replications, seed, progress), date=date, command=command)
