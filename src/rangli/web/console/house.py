"""The house: every section's doors in one place. A section adds its own here."""

from __future__ import annotations

from typing import Final

from rangli.web.console import (
    acts,
    drafting,
    frame,
    integrations,
    lab,
    members,
    money,
    operations,
    orders,
    overview,
    plans,
    programmes,
    signing,
    treasury,
)
from rangli.web.console.door import Door

DOORS: Final[tuple[Door, ...]] = (
    *frame.DOORS,
    *signing.DOORS,
    *members.DOORS,
    *acts.DOORS,
    *overview.DOORS,
    *operations.DOORS,
    *integrations.DOORS,
    *lab.DOORS,
    *orders.DOORS,
    *money.DOORS,
    *treasury.DOORS,
    *programmes.DOORS,
    *plans.DOORS,
    *drafting.DOORS,
)
"""All that there is to open."""
