"""Which rows should have settled: those of the order file that the plan allows, less the rejects that give a true reason."""

from __future__ import annotations

import csv
from array import array
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rangli.files.orders import OrderRows, Reject
from rangli.files.promises.faults import Findings
from rangli.money import AMOUNT_FEN_MAX, BP_PER_ONE, mul_div
from rangli.plan.parts import Plan
from rangli.plan.terms import Ints

FILE: Final = "rejects.csv"
OUT_OF_RANGE: Final = "concession_out_of_range"
AMOUNT: Final = "amount_out_of_range"
OVER_LIMIT: Final = "vouchers_over_limit"
UNCHECKED: Final = ("vouchers_short", "limit_reached")
"""Reasons that depend on the state; the re-derivation looks at them."""


class Refusals:
    """The rows of rejects.csv, met one by one as the order file is read."""

    def __init__(self, path: Path, plan: Plan, findings: Findings) -> None:
        self.plan = plan
        self.findings = findings
        self.codes: list[str] = []
        self._row, self._code = _listed(path, self.codes, findings)
        self._met = 0

    def __len__(self) -> int:
        return len(self._row)

    def settled(self, rows: OrderRows, unread: list[Reject]) -> Ints:
        """Places of the accepted rows of a batch that should have settled; ``unread`` are those that could not be read."""
        for one, code in zip(unread, self._reason(np.array([one.row for one in unread], np.int64)).tolist(), strict=True):
            if code < 0 or self.codes[code] != one.code:
                self._broken(one.row, f"应以 {one.code} 列出", f"it should be listed as {one.code}")
        reason = self._reason(rows.row)
        self._met += len(unread) + int((reason >= 0).sum())
        allowed = dict.fromkeys(UNCHECKED, np.ones(len(rows.row), np.bool_))
        allowed[OUT_OF_RANGE] = self._out_of_range(rows)
        allowed[AMOUNT] = (rows.paid_fen < 1) | (rows.paid_fen > AMOUNT_FEN_MAX)
        allowed[OVER_LIMIT] = self._over_limit(rows)
        for i in np.flatnonzero(reason >= 0).tolist():
            code = self.codes[reason[i]]
            if code not in allowed or not allowed[code][i]:
                self._broken(int(rows.row[i]), f"被以 {code} 拒绝,但这不成立", f"it is refused as {code}, which is not so")
        wrong = allowed[OUT_OF_RANGE] | allowed[AMOUNT] | allowed[OVER_LIMIT]
        for i in np.flatnonzero(wrong & (reason < 0)).tolist():
            self._broken(int(rows.row[i]), "应当被拒绝,却未列出", "it should have been refused and is not listed")
        return np.flatnonzero(~wrong & (reason < 0))

    def _reason(self, row: Ints) -> NDArray[np.int8]:
        """The place in ``codes`` of the reason for which each row is listed, -1 where it is not."""
        if not len(self._row):
            return np.full(len(row), -1, np.int8)
        nearest = np.minimum(np.searchsorted(self._row, row), len(self._row) - 1)
        return np.where(self._row[nearest] == row, self._code[nearest], np.int8(-1))

    def _out_of_range(self, rows: OrderRows) -> NDArray[np.bool_]:
        """Whether the concession is outside the plan's range."""
        concession = self.plan.concession
        outside: NDArray[np.bool_] = (rows.concession_bp < concession.bp_min) | (rows.concession_bp > concession.bp_max)
        return outside

    def _over_limit(self, rows: OrderRows) -> NDArray[np.bool_]:
        """Whether more vouchers are used than the plan lets an order use."""
        offset_bp = self.plan.offset.vouchers_bp if self.plan.offset else 0
        over = np.zeros(len(rows.row), np.bool_)
        for i in np.flatnonzero(rows.voucher_fen).tolist():
            over[i] = rows.voucher_fen[i] > mul_div(int(rows.paid_fen[i]), offset_bp, BP_PER_ONE)
        return over

    def _broken(self, row: int, zh: str, en: str) -> None:
        """A row of the order file that is wrongly refused or wrongly not."""
        self.findings.add("refusals", f"orders, row {row}", zh, en)

    def finish(self) -> None:
        """Every row that is listed was met."""
        self.findings.check("refusals", len(self._row))
        if self._met != len(self._row):
            more = len(self._row) - self._met
            self.findings.add("refusals", FILE, f"多列了 {more} 行", f"{more} rows too many are listed")


def _listed(path: Path, codes: list[str], findings: Findings) -> tuple[Ints, NDArray[np.int8]]:
    """Rows and codes (as places in ``codes``), by row."""
    row, code = array("q"), array("b")
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for number, line in enumerate(csv.DictReader(file), 1):
            digits, reason = line.get("row") or "", (line.get("reason") or "").partition(":")[0]
            if not (digits.isascii() and digits.isdecimal() and len(digits) < len("9" * 18)):
                findings.add("refusals", f"{FILE}, row {number}", "行号不是数字", "the row is not a number")
                continue
            if reason not in codes and len(codes) < np.iinfo(np.int8).max:
                codes.append(reason)
            row.append(int(digits))
            code.append(codes.index(reason) if reason in codes else 0)
    rows, of = np.array(row, np.int64), np.array(code, np.int8)
    by_row = np.argsort(rows, kind="stable")
    return rows[by_row], of[by_row]
