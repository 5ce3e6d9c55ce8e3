"""What the API takes and gives beyond the service's own requests and views."""

from __future__ import annotations

from typing import Annotated

import msgspec

from rangli.service.live import HOLD_SECONDS_MAX
from rangli.service.people.access import PER_SECOND, PER_SECOND_MAX, KeyView
from rangli.service.requests import Signature
from rangli.service.settling.approval import SANDBOX
from rangli.service.views import Answer
from rangli.web.problems import Problem

PAGE_MAX = 1000

Position = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)]


class NewProgramme(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A programme to create. The plan is a preset's name or a plan document (YAML)."""

    name: str
    plan: str
    hold_seconds: Annotated[int, msgspec.Meta(ge=0, le=HOLD_SECONDS_MAX)] | None = None
    """How long an order is held before it settles; the plan's own days when it is not given."""
    channel: str = SANDBOX
    """``sandbox``, or ``real``: money moves, and no plan that the law refuses runs."""
    signed: tuple[Signature, ...] = ()
    """Who signs for the plan; on a real channel two people, when a guard asks for a sign-off."""


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to issue. Without programmes it is for all of them."""

    name: str
    scopes: list[str]
    programmes: list[str] | None = None
    per_second: Annotated[int, msgspec.Meta(ge=1, le=PER_SECOND_MAX)] = PER_SECOND
    """Requests a second."""


class IssuedKey(KeyView, frozen=True, kw_only=True):
    """A new key. Its token, which requests carry, is shown in this answer and never again."""

    token: str


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to send signed decisions. Without kinds it gets all of them."""

    url: str
    kinds: list[str] = []


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a row of a batch: its number from 1, the status it would have had alone, and an answer or a problem."""

    row: int
    status: int
    answer: Answer | None = None
    problem: Problem | None = None


class Alive(msgspec.Struct, frozen=True):
    """The process runs."""

    status: str = "ok"


# ---------------------------------------------------------------- queries


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No query."""


class At(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The position at which to ask; the present one when it is not given."""

    at: Position | msgspec.UnsetType = msgspec.UNSET


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The page after a cursor; the first one when it is empty."""

    cursor: str = ""
    limit: Limit = 100


class After(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes after a position."""

    after: Position = 0
    limit: Limit = 100


class Since(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the feed starts."""

    after: Position = 0


class Newest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest so many."""

    limit: Limit = 100
