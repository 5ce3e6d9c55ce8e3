"""What tests of the console's pages about plans share: programmes, drafts, and visitors who write them."""

from __future__ import annotations

import re
from html import unescape
from itertools import count

from console_worlds import ConsoleSite, Page, Visitor
from service_worlds import changed

from rangli.plan import preset_text
from rangli.service.people.acts import ActFilter, ActView
from rangli.service.people.drafts import digest_of

LAWFUL = preset_text("weituanbao-lawful")
OTHER = changed(LAWFUL, ("rate: 1% of amount", "rate: 0.5% of amount"))
SILENT = changed(LAWFUL, ("  order_max: 1000\n", ""))
BOASTING = changed(LAWFUL, ("law:\n", "claims: [稳赚不赔]\nlaw:\n"))
_numbers = count(1)
DRAFTING = "drafting"
"""A programme in whose drafts tests write without activating any."""


def programme(console: ConsoleSite, plan: str = LAWFUL, channel: str = "sandbox") -> str:
    """A programme that no other test uses."""
    return console.service.create(f"plans-{next(_numbers)}", plan, channel=channel).name


def drafting(console: ConsoleSite) -> str:
    """A programme for drafts that are never activated."""
    if DRAFTING not in [view.name for view in console.service.programmes()]:
        console.service.create(DRAFTING, LAWFUL)
    return DRAFTING


_known: dict[tuple[str, str], Visitor] = {}


def visitor_of(console: ConsoleSite, who: str) -> Visitor:
    """A visitor that the tests of this module share, by role and perhaps a number: signing in takes long on purpose."""
    if (console.url, who) not in _known:
        _known[console.url, who] = console.visitor(who.rstrip("12"))
    return _known[console.url, who]


def begun(visitor: Visitor, name: str, source: str = "active", title: str = "") -> str:
    """The address of a new draft."""
    page = visitor.post(f"/p/{name}/drafts", **{"from": source, "title": title})
    assert 303 == page.status, page.words
    return page.headers["location"].removeprefix("/console")


def saved(visitor: Visitor, where: str, document: str, revision: int = 1, title: str = "") -> Page:
    """The draft with this document."""
    return visitor.post(where, document=document, revision=str(revision), title=title)


def proposed(visitor: Visitor, name: str, document: str = OTHER, opinion: str = "") -> tuple[str, str]:
    """The address of a draft that waits for approval, and its digest."""
    where = begun(visitor, name)
    saved(visitor, where, document)
    page = visitor.post(f"{where}/propose", revision="2", reason="half a percent", opinion=opinion)
    assert 303 == page.status, page.words
    return where, digest_of(document)


def looked(visitor: Visitor, draft: str, document: str, **fields: str) -> Page:
    """What is shown while one types."""
    page = visitor.post(f"{draft}/look", part=True, document=document, **({"act": "text"} | fields))
    assert 200 == page.status, page.words
    return page


def asked(console: ConsoleSite, visitor: Visitor, path: str) -> int:
    """How many questions a page puts to the database, besides that for the session, which is remembered for a while."""
    made = console.statements(lambda: visitor.get(path))
    return len([statement for statement in made if statement and "session" not in statement])


def document_in(page: Page) -> str:
    """The document that a page's textarea has."""
    found = re.search(r'<textarea id="document"[^>]*>\n(.*?)</textarea>', page.text, re.DOTALL)
    assert found is not None
    return unescape(found[1])


def acts(console: ConsoleSite, visitor: Visitor, name: str) -> list[ActView]:
    """What was done with a programme's drafts, oldest first."""
    staff = console.service.staff
    return staff.acts(staff.member(visitor.token), ActFilter(programme=name), 0, 100)[::-1]
