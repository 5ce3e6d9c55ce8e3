"""Files: orders in, settlements out, and their audit. Here are the names of what a settlement's directory holds."""

from __future__ import annotations

from typing import Final

TRANSFERS: Final = "transfers.parquet"
LOTS: Final = "lots.parquet"
BALANCES: Final = "balances.csv"
REJECTS: Final = "rejects.csv"
SUMMARY: Final = "summary.json"
PLAN: Final = "plan.yaml"
