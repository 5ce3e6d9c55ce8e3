"""Drafts: a plan is written, proposed by one member and approved by another, and what is activated is what was proposed.

    begin ─▶ open ─▶ propose ─▶ proposed ─▶ approve, by another member ─▶ activated, in the journal with both names
              ▲                   │  │
              └── save, withdraw ─┘  └─▶ send back ─▶ returned ─▶ save

A draft is locked while it is changed, and a programme while one of its drafts is activated: of two who do it at once one is told.
The id of an activation is made of the draft and of what was proposed: however often it is tried, it counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rangli.errors import (
    DraftClosed,
    DraftMoved,
    DraftNotFound,
    FieldRefused,
    OwnProposal,
    PlanFaulty,
    PlanUnfit,
    RangliError,
    RequestConflict,
    SignOffMissing,
)
from rangli.plan import CompiledPlan, check, compile_plan, judge, load, verdict
from rangli.service.clock import Clock, rfc3339
from rangli.service.people.staff import ROLES, Member, Staff
from rangli.service.requests import ActivationRequest, Signature
from rangli.service.settling.approval import LETTERS_MAX, REAL, SIGNERS, admit
from rangli.service.views import PlanView
from rangli.settle import Programme
from rangli.store import drafts as store
from rangli.store.database import Connection, Database
from rangli.store.drafts import DraftRow

if TYPE_CHECKING:
    from rangli.service.running import Running

TITLE_LETTERS_MAX: Final = 100
DOCUMENT_LETTERS_MAX: Final = 1_000_000
LAST: Final = 2**62
"""Before this number are all drafts."""
UNASKED: Final = "未要求 · none asked for"
"""The opinion of who signs for a plan that the law does not leave to people."""
STATUS_WORDS: Final = {
    "open": ("编辑中", "being written"),
    "proposed": ("待批准", "waiting for approval"),
    "returned": ("已退回", "sent back"),
    "activated": ("已启用", "activated"),
    "withdrawn": ("已作废", "given up"),
}
"""Every status: Chinese, English."""


class Said(msgspec.Struct, frozen=True):
    """What somebody did with a draft, and what he said."""

    what: str
    """saved (the last time only), proposed, withdrawn, returned or approved."""
    name: str
    at: str
    reason: str = ""
    opinion: str = ""
    digest: str = ""
    """Of the document that it was said of; empty for saved."""


class DraftView(msgspec.Struct, frozen=True):
    """A draft as members see it."""

    number: int
    programme: str
    document: str
    """Empty in a list."""
    based_on: int
    title: str
    author: str
    created_at: str
    changed_at: str
    revision: int
    status: str
    """One of STATUS_WORDS."""
    proposed_by: str
    proposed_at: str
    digest: str
    """SHA-256 of the document that was proposed, in hex; empty when none is."""
    said: list[Said]
    activated_at: str
    plan_number: int | None
    """The version of the plan that it became."""

    @property
    def is_editable(self) -> bool:
        """Whether it can still be changed."""
        return self.status not in {"activated", "withdrawn"}

    def last(self, what: str) -> Said | None:
        """The last time that this was done."""
        return next((said for said in reversed(self.said) if said.what == what), None)


class ProgrammeLine(msgspec.Struct, frozen=True):
    """A programme in a list of them."""

    name: str
    channel: str
    created_at: str
    plan: str
    version: str
    plan_number: int
    orders: int
    role: str
    """What its settler does here."""


class Drafts:
    """The drafts of a service's programmes. All methods may be called from any thread.

    Every one that changes something raises ScopeRefused or ProgrammeNotFound for a member who may not.
    """

    def __init__(self, database: Database, clock: Clock, staff: Staff, running: Callable[[str], Running]) -> None:
        self._database = database
        self._clock = clock
        self._staff = staff
        self._running = running

    # ------------------------------------------------------------ questions

    def programmes(self, seen: frozenset[str] | None) -> list[ProgrammeLine]:
        """The programmes that a member may see (None: all), newest first, in one question to the database."""
        with self._database.reading() as connection:
            rows = [row for row in store.versions(connection) if seen is None or row.programme in seen]
        by_name: dict[str, dict[int, store.VersionRow]] = {}
        for row in rows:
            by_name.setdefault(row.programme, {})[row.plan_number] = row
        return [self._line(versions) for versions in reversed(by_name.values())]

    def _line(self, versions: dict[int, store.VersionRow]) -> ProgrammeLine:
        """A programme with the version that is active."""
        last = versions[max(versions)]
        running = self._running(last.programme)
        published = running.settler.published
        with published.lock:
            number, orders = published.plan, published.orders
        active = versions.get(number, last)
        return ProgrammeLine(
            active.programme, active.channel, rfc3339(active.created_at), active.plan, active.version, active.plan_number, orders,
            running.role,
        )  # fmt: skip

    def get(self, programme: str, number: int) -> DraftView:
        """A draft. Raises DraftNotFound."""
        with self._database.reading() as connection:
            return _view(_found(connection, programme, number))

    def list(
        self, programme: str, before: int = LAST, limit: int = 100, *, status: str = "", after: int | None = None
    ) -> list[DraftView]:  # fmt: skip
        """A programme's drafts before a number, newest first; or after one, oldest first."""
        beyond, oldest_first = (before, False) if after is None else (after, True)
        with self._database.reading() as connection:
            rows = store.drafts(connection, programme, beyond, limit, status, oldest_first=oldest_first)
        return [_view(row) for row in rows]

    def approvers(self, programme: str) -> tuple[str, ...]:
        """Members who may propose and approve there."""
        return tuple(
            member.name
            for member in self._staff.members()
            if not member.ended_at and "plans" in ROLES[member.role] and programme in (member.programmes or [programme])
        )

    def needs_two(self, programme: str) -> bool:
        """Whether another member has to approve: always on a real channel, in the sandbox as soon as there is one."""
        return self._running(programme).view().channel == REAL or len(self.approvers(programme)) >= SIGNERS

    def needs_opinion(self, programme: str, compiled: CompiledPlan) -> bool:
        """Whether the law leaves the plan to people, who then name a legal opinion."""
        return self._running(programme).view().channel == REAL and verdict(judge(compiled)) == "sign-off"

    def unfit(self, programme: str, compiled: CompiledPlan) -> PlanUnfit | None:
        """Why the programme cannot go over to this plan: what its state means hangs on the present one."""
        try:
            Programme(load(_active(self._running(programme)).document), bytes(32)).adopt(compiled)
        except PlanUnfit as refusal:
            return refusal
        return None

    # ------------------------------------------------------------ writing

    def begin(self, by: Member, programme: str, document: str, title: str = "") -> DraftView:
        """A new draft. Raises FieldRefused."""
        by.require("plans", programme)
        _check_texts(title=(title, 0, TITLE_LETTERS_MAX), document=(document, 0, DOCUMENT_LETTERS_MAX))
        based_on = self._running(programme).view().plan_number
        now = self._clock()
        with self._database.reading() as connection:
            number = store.insert(
                connection, programme=programme, document=document, based_on=based_on, title=title.strip(), author=by.name,
                created_at=now, changed_at=now, status="open",
            )  # fmt: skip
            return _view(_found(connection, programme, number))

    def save(self, by: Member, programme: str, number: int, revision: int, document: str, title: str) -> DraftView:
        """The draft with another document or title, which ends a proposal; what is the same already is left as it is.

        Raises DraftMoved when somebody saved after this revision, DraftClosed, FieldRefused or DraftNotFound.
        """
        _check_texts(title=(title, 0, TITLE_LETTERS_MAX), document=(document, 0, DOCUMENT_LETTERS_MAX))
        with self._changing(by, programme, number) as (connection, row):
            _insist(row, "open", "returned", "proposed")
            if (row.document, row.title) == (document, title.strip()):
                return _view(row)
            _insist_on(row, revision)
            saved = [said for said in row.signatures if said["what"] != "saved"]
            return self._changed(
                connection, row, document=document, title=title.strip(), revision=row.revision + 1, changed_at=self._clock(),
                status="open", proposed_by=None, proposed_at=None, digest=None,
                signatures=[*saved, self._said("saved", by)],
            )  # fmt: skip

    def give_up(self, by: Member, programme: str, number: int) -> DraftView:
        """The draft is of no use any more; it stays to be read. Raises DraftClosed or DraftNotFound."""
        with self._changing(by, programme, number) as (connection, row):
            _insist(row, "open", "returned", "proposed")
            return self._changed(connection, row, status="withdrawn", signatures=[*row.signatures, self._said("withdrawn", by)])

    # ------------------------------------------------------------ four eyes

    def propose(self, by: Member, programme: str, number: int, revision: int, reason: str, opinion: str = "") -> DraftView:
        """The draft as it stands, for another member to approve.

        Raises DraftMoved when it is not what the member looked at, PlanFaulty, PlanRefused when the law forbids it on the
        programme's channel, PlanUnfit, FieldRefused for what is missing, DraftClosed or DraftNotFound.
        """
        running = self._running(programme)
        with self._changing(by, programme, number) as (connection, row):
            _insist(row, "open", "returned")
            _insist_on(row, revision)
            compiled = _compiled(row.document)
            if row.document == _active(running).document:
                raise FieldRefused(
                    "document", "与现行版本完全相同,没有可启用的", "it is the active version itself; there is nothing to activate"
                )
            refused = self.unfit(programme, compiled)
            if refused is not None:
                raise refused
            signature = self._signature(by, programme, compiled, reason, opinion)
            view = running.view()
            with suppress(SignOffMissing):  # another signature is what it is proposed for
                admit(compiled, view.channel, view.hold_seconds, [signature])
            digest = digest_of(row.document)
            said = self._said("proposed", by, signature, digest)
            return self._changed(
                connection, row, status="proposed", proposed_by=by.name, proposed_at=self._clock(), digest=digest,
                signatures=[*row.signatures, said],
            )  # fmt: skip

    def send_back(self, by: Member, programme: str, number: int, digest: str, reason: str) -> DraftView:
        """What was proposed goes back, with words. Raises DraftMoved, DraftClosed, FieldRefused or DraftNotFound."""
        _check_texts(reason=(reason, 1, LETTERS_MAX))
        with self._changing(by, programme, number) as (connection, row):
            _insist(row, "proposed")
            _insist_on_digest(row, digest)
            said = self._said("returned", by, Signature(by.name, reason.strip(), ""), digest)
            return self._changed(
                connection, row, status="returned", proposed_by=None, proposed_at=None, digest=None,
                signatures=[*row.signatures, said],
            )  # fmt: skip

    def approve(
        self, by: Member, programme: str, number: int, digest: str, active: int, reason: str, opinion: str = ""
    ) -> DraftView:  # fmt: skip
        """Activate what was proposed, to the letter, with the names of who proposed and who approves.

        digest : of the document that the member looked at
        active : the version that it was compared with

        Raises OwnProposal, DraftMoved when either is no longer so, whatever an activation is refused for, FieldRefused for what
        is missing, DraftClosed or DraftNotFound.
        """
        running = self._running(programme)
        with self._changing(by, programme, number, activating=running.number) as (connection, row):
            _insist(row, "proposed")
            _insist_on_digest(row, digest)
            now = running.view().plan_number
            if now != active:
                raise DraftMoved(
                    f"您看时现行的是第 {active} 版,现在已是第 {now} 版;请重新比较后再批准",
                    f"version {active} was active when you looked, and now {now} is; compare again, then approve",
                )
            signed = self._signed(by, row, reason, opinion)
            request = ActivationRequest(f"draft-{number}-{digest[:16]}", row.document, signed)
            position = _activated(running, request)
            version = next(plan for plan in reversed(running.plans()) if plan.position == position)
            approved = self._said("approved", by, signed[-1], digest)
            return self._changed(
                connection, row, status="activated", activated_at=self._clock(), plan_number=version.number,
                signatures=[*row.signatures, approved],
            )  # fmt: skip

    def _signed(self, by: Member, row: DraftRow, reason: str, opinion: str) -> tuple[Signature, ...]:
        """Who signs: the proposer and the approver, or he who is the only one. Raises OwnProposal, DraftClosed, FieldRefused."""
        proposed = next(said for said in reversed(row.signatures) if said["what"] == "proposed")
        first = Signature(proposed["name"], proposed["reason"], proposed["opinion"])
        if _same(by.name, first.name):
            if self.needs_two(row.programme):
                others = [name for name in self.approvers(row.programme) if not _same(name, by.name)]
                raise OwnProposal(
                    f"{by.name} 不能批准自己的提案;请由另一位成员批准({'、'.join(others) or '先请所有者添加一位'})",
                    f"{by.name} cannot approve a proposal of his own; let another member do it"
                    f" ({', '.join(others) or 'an owner has to add one first'})",
                )
            return (first,)
        if first.name not in self.approvers(row.programme):
            raise DraftClosed(
                f"提案人 {first.name} 已没有方案权限;请重新提案",
                f"{first.name}, who proposed it, may not do so any more; let it be proposed again",
            )
        return first, self._signature(by, row.programme, _compiled(row.document), reason, opinion)

    def _signature(self, by: Member, programme: str, compiled: CompiledPlan, reason: str, opinion: str) -> Signature:
        """A member's name under the plan. Raises FieldRefused."""
        return signature(by.name, reason, opinion, is_asked=self.needs_opinion(programme, compiled))

    # ------------------------------------------------------------ inside

    @contextmanager
    def _changing(self, by: Member, programme: str, number: int, activating: int = 0) -> Iterator[tuple[Connection, DraftRow]]:
        """The draft, nobody else changing it meanwhile; nor, with ``activating``, activating another of its programme."""
        by.require("plans", programme)
        with self._database.reading() as connection, connection.transaction():
            if activating:
                store.lock_activations(connection, activating)
            yield connection, _found(connection, programme, number, locked=True)

    def _changed(self, connection: Connection, row: DraftRow, **changes: Any) -> DraftView:  # noqa: ANN401 (columns)
        """The draft with these columns set."""
        store.update(connection, row.number, **changes)
        return _view(row._replace(**changes))

    def _said(self, what: str, by: Member, signature: Signature | None = None, digest: str = "") -> dict[str, Any]:
        """A line of what was done with a draft."""
        reason, opinion = (signature.reason, signature.opinion) if signature else ("", "")
        return {
            "what": what,
            "name": by.name,
            "at": rfc3339(self._clock()),
            "reason": reason,
            "opinion": opinion,
            "digest": digest,
        }


def signature(name: str, reason: str, opinion: str, *, is_asked: bool) -> Signature:
    """A name under a plan, with a legal opinion if one is asked for. Raises FieldRefused."""
    _check_texts(reason=(reason, 1, LETTERS_MAX), opinion=(opinion, 1 if is_asked else 0, LETTERS_MAX))
    return Signature(name, reason.strip(), opinion.strip() or UNASKED)


def digest_of(document: str) -> str:
    """SHA-256 of a document, in hex."""
    return sha256(document.encode()).hexdigest()


# ---------------------------------------------------------------- rows and checks


def _found(connection: Connection, programme: str, number: int, *, locked: bool = False) -> DraftRow:
    """Raises DraftNotFound."""
    row = store.draft(connection, programme, number, locked=locked) if 0 <= number < LAST else None
    if row is None:
        raise DraftNotFound(f"项目 {programme} 没有第 {number} 号草案", f"{programme} has no draft {number}")
    return row


def _view(row: DraftRow) -> DraftView:
    """The draft with its instants as text."""
    times = {name: rfc3339(at) if at is not None else "" for name, at in row._asdict().items() if name.endswith("_at")}
    facts = {name: fact for name, fact in row._asdict().items() if name not in {"signatures", *times}}
    said = msgspec.convert(row.signatures, list[Said])
    return DraftView(**{**facts, **times, "said": said, "proposed_by": row.proposed_by or "", "digest": row.digest or ""})


def _active(running: Running) -> PlanView:
    """The version that is active."""
    return running.plans()[-1]


def _compiled(document: str) -> CompiledPlan:
    """Raises PlanFaulty."""
    plan, problems = check(document)
    if plan is None:
        raise PlanFaulty(problems)
    return compile_plan(plan)


def _activated(running: Running, request: ActivationRequest) -> int:
    """Let it be activated; its position. What was activated before, by whoever, stays so. Raises what it is refused for."""
    (answer,) = running.do([request])
    if isinstance(answer, RequestConflict):
        for plan in reversed(running.plans()):
            if plan.document == request.plan:
                return plan.position
    if isinstance(answer, RangliError):
        raise answer
    assert answer.position is not None
    return answer.position


def _same(one: str, other: str) -> bool:
    """Whether two names are one person's, as an activation counts them."""
    return one.strip().casefold() == other.strip().casefold()


def _insist(row: DraftRow, *statuses: str) -> None:
    """Raises DraftClosed."""
    if row.status not in statuses:
        zh, en = STATUS_WORDS[row.status]
        by = next(
            (said["name"] for said in reversed(row.signatures) if said["what"] in {"approved", "proposed", "withdrawn"}), ""
        )
        raise DraftClosed(
            f"第 {row.number} 号草案{zh}({by or row.author}),不能这样做",
            f"draft {row.number} is {en} ({by or row.author}), so this cannot be done",
        )


def _insist_on(row: DraftRow, revision: int) -> None:
    """Raises DraftMoved."""
    if row.revision != revision:
        saved = next((said for said in reversed(row.signatures) if said["what"] == "saved"), None)
        by = saved["name"] if saved else row.author
        raise DraftMoved(
            f"您看的是第 {revision} 稿,{by} 已存为第 {row.revision} 稿;请比较两稿再存,什么都没有丢",
            f"you looked at revision {revision}, and {by} has saved {row.revision} since; compare the two, then save again;"
            " nothing is lost",
        )


def _insist_on_digest(row: DraftRow, digest: str) -> None:
    """That it is what the member looked at, and still what was proposed. Raises DraftMoved."""
    if row.digest != digest or digest_of(row.document) != digest:
        raise DraftMoved(
            "提案已不是您看的那一份;请重新打开再决定", "what is proposed is not what you looked at; open it again, then decide"
        )


def _check_texts(**texts: tuple[str, int, int]) -> None:
    """Each with its least and greatest length. Raises FieldRefused."""
    for field, (text, least, most) in texts.items():
        if "\0" in text or not least <= len(text.strip()) <= most:
            raise FieldRefused(field, f"应为 {least} 到 {most} 个字", f"it must have {least} to {most} letters")
