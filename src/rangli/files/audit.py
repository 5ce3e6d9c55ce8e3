"""The audit of a directory that ``settle_file`` wrote, in two halves that share nothing but the order file.

* ``again``: the orders settled once more, and every row of every file compared.
* ``promises``: what the plan promises, asked of the transfers themselves by code that knows nothing of the engine.

The first finds whatever differs from what the engine does. The second would also find what the engine does wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rangli.errors import FileRefused
from rangli.files import BALANCES, LOTS, PLAN, REJECTS, TRANSFERS
from rangli.files.again import settle_again
from rangli.files.orders import OrderFile
from rangli.files.promises import Broken, Claims, Findings, check_promises, read_claims
from rangli.files.settling import Run, sha256_of
from rangli.plan import CompiledPlan, check, compile_plan

__all__ = ["AuditReport", "Broken", "audit"]

Progress = Callable[[int], None]


class AuditReport(NamedTuple):
    """What an audit found."""

    ok: bool
    checked: dict[str, int]
    """Per promise, how many times it was looked at."""
    broken: list[Broken]
    """The first few of each promise, and after them how many more there are."""


def audit(directory: Path, orders: Path | None = None, *, progress: Progress | None = None) -> AuditReport:
    """Settle the orders again, compare, and check every promise.

    orders   : the order file; by default where summary.json says that it was
    progress : called with how much of the order file's ``OrderFile.rows`` is done, both halves together
    Raises FileRefused when a file is missing or cannot be read as what it should be.
    """
    claims, written = read_claims(directory)
    for name in (TRANSFERS, LOTS, BALANCES, REJECTS, PLAN):
        if not (directory / name).is_file():
            raise FileRefused(f"{directory} 里没有 {name}", f"there is no {name} in {directory}")
    path = orders or Path(claims.orders_file)
    if not path.is_file():
        raise FileRefused(f"没有订单文件 {path};请指明它在哪里", f"there is no order file {path}; say where it is")
    source = OrderFile(path)
    findings = Findings()
    _check_orders_file(path, claims, findings)
    compiled = _plan(directory, claims, findings)
    if compiled is not None:
        half = _halved(progress)
        settle_again(directory, Run(compiled, source, bytes.fromhex(claims.secret)), written, findings, half)
        check_promises(directory, compiled.plan, claims, source, findings, half)
    broken = findings.broken()
    return AuditReport(not broken, findings.checked, broken)


def _check_orders_file(path: Path, claims: Claims, findings: Findings) -> None:
    """The orders are those that were settled."""
    digest = sha256_of(path)
    findings.check("orders_file", 1)
    if digest != claims.orders_sha256:
        zh = f"订单文件的 SHA-256 是 {digest},结算时是 {claims.orders_sha256 or '(未记录)'}"
        en = f"the SHA-256 of the order file is {digest}, it was {claims.orders_sha256 or '(not recorded)'} when it was settled"
        findings.add("orders_file", path.name, zh, en)


def _plan(directory: Path, claims: Claims, findings: Findings) -> CompiledPlan | None:
    """The plan of the directory, if it is one; it should be the one that was settled under."""
    plan, problems = check((directory / PLAN).read_text(encoding="utf-8", errors="replace"))
    findings.check("plan", 1)
    if plan is None:
        first = problems[0]
        findings.add("plan", f"{PLAN}, line {first.line}, {first.where}", first.zh, first.en)
        return None
    compiled = compile_plan(plan)
    if (compiled.plan.name, compiled.version) != (claims.plan, claims.version):
        zh = f"方案是 {compiled.plan.name} {compiled.version},结算时是 {claims.plan} {claims.version}"
        en = f"the plan is {compiled.plan.name} {compiled.version}, it was {claims.plan} {claims.version} when it was settled"
        findings.add("plan", PLAN, zh, en)
    return compiled


def _halved(progress: Progress | None) -> Progress:
    """Progress of two passes as that of one."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        before, done = done, done + more
        if progress is not None:
            progress((done >> 1) - (before >> 1))

    return advance
