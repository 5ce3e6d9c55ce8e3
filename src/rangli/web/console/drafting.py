"""Drafts: the editor with document and form side by side, and the way from a draft to the active plan by two members."""

from __future__ import annotations

from typing import Any, Final

from rangli.errors import (
    DraftClosed,
    DraftMoved,
    FieldRefused,
    GuardsRefused,
    InputRefused,
    OwnProposal,
    PlanFaulty,
    PlanNotFound,
    PlanUnfit,
    Problem,
    RangliError,
)
from rangli.plan import CompiledPlan, check, compile_plan, preset_text, presets
from rangli.plan import form as forms
from rangli.plan.form import Control, Group, Option
from rangli.service.people.drafts import LAST, STATUS_WORDS, DraftView, digest_of
from rangli.web.console.call import Call, Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Filter, Listing, Slice, Want, by_time, number_of
from rangli.web.console.planparts import ask_lab, compared, numbered, shown_parts
from rangli.web.console.plans import active_of, tabs_of
from rangli.web.console.programmes import cards
from rangli.web.console.words import Link, State
from rangli.web.problems import problem_of

TONES: Final = {"open": "plain", "proposed": "wait", "returned": "bad", "activated": "good", "withdrawn": "plain"}
SAID_WORDS: Final = {
    "saved": ("保存", "saved it"),
    "proposed": ("提案", "proposed it"),
    "returned": ("退回", "sent it back"),
    "approved": ("批准", "approved it"),
    "withdrawn": ("作废", "gave it up"),
}
COLUMNS: Final = (
    Column("number", "草案", "Draft", "link"),
    Column("title", "标题", "Title"),
    Column("status", "状态", "State", "state"),
    Column("author", "起草人", "Author"),
    Column("proposed", "提案人", "Proposed by"),
    Column("changed", "修改于", "Changed", "time"),
    Column("based", "起于版本", "From version", "count"),
    Column("became", "成为版本", "Became version", "count"),
)
FILTERS: Final = (Filter("status", "状态", "State", "choice", tuple((code, *words) for code, words in STATUS_WORDS.items())),)
IN_PLACE: Final = (DraftMoved, DraftClosed, FieldRefused, OwnProposal, PlanFaulty, GuardsRefused, PlanUnfit)
"""Refusals that are shown on the page where one stands."""


def status_of(draft: DraftView) -> State:
    """Where a draft stands, in words."""
    return State(draft.status, *STATUS_WORDS[draft.status], TONES[draft.status])


def _draft(call: Call) -> DraftView:
    """The draft of the address. Raises DraftNotFound."""
    text = call.param("number")
    return call.service.drafts.get(call.programme, int(text[:20]) if text.isascii() and text.isdigit() else -1)


def _number(text: str) -> int:
    """A number of a form; 0 for what is none."""
    return int(text[:18]) if text.isascii() and text.isdigit() else 0


def _path(call: Call, draft: DraftView, more: str = "") -> str:
    return f"/p/{call.segment(call.programme)}/drafts/{draft.number}{more}"


def _text(call: Call) -> str:
    """The document of the form, to the letter; browsers send a line's end as two."""
    return call.form.get("document", [""])[0].replace("\r\n", "\n")


# ---------------------------------------------------------------- the list


def drafts(call: Call) -> Shown:
    """The programme's drafts, and what a new one can be begun from."""

    def fetch(want: Want) -> Slice:
        cursor, status = number_of(want.cursor), want.filters.get("status", "")
        after = cursor if want.sort == "oldest" else None
        found = call.service.drafts.list(call.programme, cursor or LAST, want.limit + 1, status=status, after=after)
        rows = [_row(call, one) for one in found[: want.limit]]
        return Slice(rows, str(found[want.limit - 1].number) if len(found) > want.limit else "")

    listing = Listing(
        "drafts", "草案", "Drafts", COLUMNS, fetch, FILTERS, by_time("number"), ("还没有草案。", "There are no drafts yet.")
    )
    sources = [("active", call.t("现行版本", "the active version"))]
    sources += [(f"preset:{card.name}", f"{call.t(card.title.zh, card.title.en)} ({card.name})") for card in cards()]
    return call.listing(listing, "plans/drafts.html", tabs=tabs_of(call), sources=sources)


def _row(call: Call, draft: DraftView) -> dict[str, object]:
    """A draft as a row."""
    return {
        "number": Link(f"#{draft.number}", _path(call, draft)),
        "title": draft.title,
        "status": status_of(draft),
        "author": draft.author,
        "proposed": draft.proposed_by,
        "changed": draft.changed_at,
        "based": draft.based_on,
        "became": draft.plan_number or "",
    }


def begin(call: Call) -> Shown:
    """A new draft of the active plan, of an earlier version, of another draft or of a plan that ships."""
    source, _, name = call.field("from", "active").partition(":")
    draft = call.service.drafts.begin(call.member, call.programme, _source(call, source, name), call.field("title"))
    call.note("draft.begin", str(draft.number), source=call.field("from", "active"), digest=digest_of(draft.document))
    return call.go(_path(call, draft))


def _source(call: Call, source: str, name: str) -> str:
    """The document that a draft begins with. Raises PlanNotFound, FieldRefused or DraftNotFound."""
    if source == "preset" and name in presets():
        return preset_text(name)
    if source == "draft" and name.isascii() and name.isdigit():
        return call.service.drafts.get(call.programme, int(name[:20])).document
    plans = call.running.plans()
    if source == "active":
        return plans[-1].document
    found = next((view.document for view in plans if source == "version" and str(view.number) == name), None)
    if found is None:
        raise PlanNotFound("没有这个方案或版本", "there is no such plan or version")
    return found


# ---------------------------------------------------------------- the editor


def draft(call: Call) -> Shown:
    """The editor; of a draft that is activated or given up, its document."""
    found = _draft(call)
    if not (found.is_editable and call.may("plans")):
        return call.show("plans/read.html", draft=found, state=status_of(found), lines=numbered(found.document), **_frame(call))
    return call.show("plans/draft.html", **_editor(call, found, found.document, found.title), theirs=None, refused=None)


def save(call: Call) -> Shown:
    """Keep what was written; when somebody was sooner, both are shown and nothing is lost."""
    found, document, title = _draft(call), _text(call), call.field("title")
    revision = call.field("revision")
    try:
        saved = call.service.drafts.save(call.member, call.programme, found.number, _number(revision), document, title)
    except (DraftMoved, FieldRefused) as refusal:
        theirs = compared(found.document, document) if isinstance(refusal, DraftMoved) else None
        return call.show_refused("plans/draft.html", refusal, theirs=theirs, **_editor(call, found, document, title))
    call.note("draft.save", str(saved.number), revision=saved.revision, digest=digest_of(saved.document))
    if call.field("then") == "review":
        return call.go(_path(call, saved, "/review"))
    return call.go(_path(call, saved), f"已存为第 {saved.revision} 稿。", f"Saved as revision {saved.revision}.")


def _frame(call: Call) -> dict[str, Any]:
    return {"tabs": tabs_of(call), "said_words": SAID_WORDS}


def _editor(call: Call, found: DraftView, document: str, title: str) -> dict[str, Any]:
    """What the editor's template needs."""
    return {
        "draft": found,
        "state": status_of(found),
        "title": title,
        **_frame(call),
        **_looked(call, found, document),
        "act": "",
        "edit_refused": None,
    }


def _looked(call: Call, found: DraftView, document: str) -> dict[str, Any]:
    """All that is said of a document while it is written: form, problems, waterfall, guards, truths."""
    plan, problems = check(document)
    compiled = None if plan is None else compile_plan(plan)
    whole = forms.form(document)
    asked = {name: texts[-1] for name, texts in call.form.items()}
    parts: dict[str, Any] = {"example": None, "judged": None, "job": None, "compiled": None}
    if compiled is not None:
        parts = shown_parts(call, compiled, asked)
    return {
        "document": document,
        "form": whole,
        "options_of": _options(whole),
        "problems": [*problems, *_unfit(call, compiled)],
        "again": call.url(_path(call, found, "/truths")),
        "look": call.url(_path(call, found, "/look")),
        **parts,
    }


def _unfit(call: Call, compiled: CompiledPlan | None) -> list[Problem]:
    """That the programme cannot go over to this plan, if so."""
    refusal = None if compiled is None else call.service.drafts.unfit(call.programme, compiled)
    return [Problem(refusal.code, "", 0, refusal.zh, refusal.en)] if refusal is not None else []


def _options(whole: Group | None) -> Any:  # noqa: ANN401 (a function for the template)
    """The options of a control, with the funds that this document declares."""
    funds: list[str] = []
    if whole is not None:
        funds = next((one.value.split(", ") for one in forms.controls(whole) if one.name == "funds" and one.value), [])

    def options(control: Control) -> tuple[Option, ...]:
        return forms.with_funds(control, funds)

    return options


def look(call: Call) -> Shown:
    """While one types: the document with a control's change made, the form with the document's, and all that follows."""
    found, document, act = _draft(call), _text(call), call.field("act")
    edit_refused: RangliError | None = None
    try:
        document = _edited(call, document, act)
    except (InputRefused, PlanFaulty) as refusal:
        edit_refused = refusal
    is_redrawn = act not in {"put", "example"} or call.field("redraw") == "yes"
    return call.show(
        "plans/looked.html", **_looked(call, found, document), act=act, is_redrawn=is_redrawn,
        edit_refused=None if edit_refused is None else problem_of(edit_refused),
    )  # fmt: skip


def _edited(call: Call, document: str, act: str) -> str:
    """The document after one act in the form. Raises InputRefused or PlanFaulty."""
    value = call.form.get("value", [""])[0]
    match act:
        case "put":
            return forms.put(document, call.field("name"), value)
        case "add":
            return forms.add(document, call.field("place"), call.field("where"), value)
        case "remove":
            return forms.remove(document, call.field("where"))
        case _:
            return document


def truths_begun(call: Call) -> Shown:
    """Let the lab run what is being written, in place of what it was asked before."""
    found, document = _draft(call), _text(call)
    plan, _ = check(document)
    if plan is None:
        return call.show("plans/truths.html", job=None, compiled=None, again=call.url(_path(call, found, "/truths")))
    compiled = compile_plan(plan)
    job = ask_lab(call, compiled, document, f"draft {found.number}")
    return call.show("plans/truths.html", job=job, compiled=compiled, again=None)


# ---------------------------------------------------------------- four eyes


def review(call: Call) -> Shown:
    """What would change, what the law says of it, and the forms to propose, approve or send it back."""
    found = _draft(call)
    return call.show("plans/review.html", **_reviewed(call, found), refused=None)


def _reviewed(call: Call, found: DraftView) -> dict[str, Any]:
    """What the review's template needs."""
    active, _ = active_of(call)
    plan, problems = check(found.document)
    compiled = None if plan is None else compile_plan(plan)
    parts = (
        {"example": None, "judged": None, "job": None, "compiled": None} if compiled is None else shown_parts(call, compiled, {})
    )
    drafting = call.service.drafts
    return {
        "draft": found,
        "state": status_of(found),
        "active": active,
        "problems": [*problems, *_unfit(call, compiled)],
        "compared": compared(active.document, found.document),
        "needs_two": drafting.needs_two(call.programme),
        "needs_opinion": compiled is not None and drafting.needs_opinion(call.programme, compiled),
        "approvers": [name for name in drafting.approvers(call.programme) if name != found.proposed_by],
        "entered": {"reason": call.field("reason"), "opinion": call.field("opinion")},
        "again": None,
        **_frame(call),
        **parts,
    }


def propose(call: Call) -> Shown:
    """Let another member look at it."""
    found, revision = _draft(call), call.field("revision")
    try:
        draft = call.service.drafts.propose(
            call.member, call.programme, found.number, _number(revision), call.field("reason"),
            call.field("opinion"),
        )  # fmt: skip
    except IN_PLACE as refusal:
        return call.show_refused("plans/review.html", refusal, **_reviewed(call, found))
    call.note("draft.propose", str(draft.number), digest=draft.digest, reason=call.field("reason")[:500])
    return call.go(
        _path(call, draft, "/review"), "已提案,等待另一位成员批准。", "Proposed; it waits for another member's approval."
    )


def approve(call: Call) -> Shown:
    """Activate what was proposed."""
    found, active = _draft(call), call.field("active")
    try:
        draft = call.service.drafts.approve(
            call.member, call.programme, found.number, call.field("digest"), _number(active),
            call.field("reason"), call.field("opinion"),
        )  # fmt: skip
    except IN_PLACE as refusal:
        return call.show_refused("plans/review.html", refusal, **_reviewed(call, found))
    call.note("draft.approve", str(draft.number), digest=draft.digest, version=draft.plan_number, proposed_by=draft.proposed_by)
    return call.go(
        f"/p/{call.segment(call.programme)}/plan", f"第 {draft.plan_number} 版已启用。", f"Version {draft.plan_number} is active."
    )


def send_back(call: Call) -> Shown:
    """Send it back with words."""
    found = _draft(call)
    try:
        draft = call.service.drafts.send_back(
            call.member, call.programme, found.number, call.field("digest"), call.field("reason")
        )
    except IN_PLACE as refusal:
        return call.show_refused("plans/review.html", refusal, **_reviewed(call, found))
    call.note("draft.return", str(draft.number), digest=call.field("digest"), reason=call.field("reason")[:500])
    return call.go(_path(call, draft, "/review"), "已退回。", "Sent back.")


def give_up(call: Call) -> Shown:
    """It is of no use any more."""
    draft = call.service.drafts.give_up(call.member, call.programme, _draft(call).number)
    call.note("draft.give_up", str(draft.number), digest=digest_of(draft.document))
    return call.go(f"/p/{call.segment(call.programme)}/drafts", "草案已作废。", "The draft was given up.")


_AT: Final = "/p/{programme}/drafts"
DOORS: Final = (
    Door("GET", _AT, "read", drafts, "草案", "Drafts"),
    Door("POST", _AT, "plans", begin, "新草案", "A new draft"),
    Door("GET", f"{_AT}/{{number}}", "read", draft, "草案", "A draft"),
    Door("POST", f"{_AT}/{{number}}", "plans", save, "保存草案", "Save a draft"),
    Door("POST", f"{_AT}/{{number}}/look", "plans", look, "边写边看", "While one types", changes=False),
    Door("POST", f"{_AT}/{{number}}/truths", "plans", truths_begun, "让实验室跑草案", "The lab runs a draft", changes=False),
    Door("GET", f"{_AT}/{{number}}/review", "read", review, "审阅草案", "Review a draft"),
    Door("POST", f"{_AT}/{{number}}/propose", "plans", propose, "提案", "Propose a draft"),
    Door("POST", f"{_AT}/{{number}}/approve", "plans", approve, "批准并启用", "Approve and activate"),
    Door("POST", f"{_AT}/{{number}}/return", "plans", send_back, "退回", "Send back"),
    Door("POST", f"{_AT}/{{number}}/give-up", "plans", give_up, "作废", "Give up"),
)
