"""The promises of a settlement, asked of its transfers by code that shares nothing with the engine that wrote them."""

from __future__ import annotations

from rangli.files.promises.claims import Claims, read_claims
from rangli.files.promises.examination import check_promises
from rangli.files.promises.faults import Broken, Findings

__all__ = ["Broken", "Claims", "Findings", "check_promises", "read_claims"]
