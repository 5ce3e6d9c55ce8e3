"""One call of a page: who asks for what, and the ways to answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from markupsafe import Markup

from rangli.errors import FieldRefused, RangliError
from rangli.web.console import listing as tables
from rangli.web.console.listing import Listing, Slice, wanted
from rangli.web.problems import Problem, problem_of

if TYPE_CHECKING:
    from rangli.service import Running, Service
    from rangli.service.people.staff import Member
    from rangli.web.asked import Asked
    from rangli.web.console.door import Door
    from rangli.web.console.frame import Frame
    from rangli.web.desk import Desk

ROOT: Final = "/console"
HTML: Final = b"text/html; charset=utf-8"
OK: Final = 200
SEE_OTHER: Final = 303
SAID: Final = b"rangli_said"
LANGUAGES: Final = ("zh", "en")
THEMES: Final = ("auto", "light", "dark")

Headers = tuple[tuple[bytes, bytes], ...]


class Upload(NamedTuple):
    """A file that came with a form."""

    filename: str
    data: bytes


class Shown(NamedTuple):
    """What a page answers."""

    status: int
    body: bytes | AsyncIterator[bytes]
    media_type: bytes = HTML
    headers: Headers = ()


class Sent(NamedTuple):
    """What came with a POST."""

    fields: dict[str, list[str]]
    uploads: dict[str, Upload]


class Call:
    """One request to the console, let in."""

    def __init__(self, frame: Frame, desk: Desk, door: Door, asked: Asked, member: Member | None, sent: Sent) -> None:
        self.frame = frame
        self.door = door
        self.desk = desk
        self.asked = asked
        self.service: Service = desk.service
        self._member = member
        self.form = sent.fields
        self._uploads = sent.uploads
        self.cookies = asked.cookies()
        self.query = asked.pairs()
        self.said: tuple[str, str] = ("", "")
        """What the page before wanted to be told here."""

    # ------------------------------------------------------------ who asks for what

    @property
    def member(self) -> Member:
        """Who is signed in; pages behind a scope have one."""
        assert self._member is not None
        return self._member

    @property
    def is_signed_in(self) -> bool:
        """Whether anyone is."""
        return self._member is not None

    @property
    def lang(self) -> str:
        """zh or en: as chosen on this device, or else by the member."""
        chosen = self.cookies.get("rangli_language", "") or (self._member.language if self._member else "")
        return chosen if chosen in LANGUAGES else LANGUAGES[0]

    @property
    def theme(self) -> str:
        """auto, light or dark: as chosen on this device."""
        chosen = self.cookies.get("rangli_theme", "")
        return chosen if chosen in THEMES else THEMES[0]

    @property
    def path(self) -> str:
        """The address, as it was sent, without the query."""
        return self.asked.path

    @property
    def is_part(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return self.asked.header(b"hx-request") == "true" and self.asked.header(b"hx-boosted") != "true"

    @property
    def programme(self) -> str:
        """The programme of the address; empty where there is none."""
        return self.asked.param("programme") if self.asked.has_param("programme") else ""

    @property
    def section(self) -> str:
        """The word after the programme in the address: orders, plan …; empty on its first page."""
        return "".join(self.path.split("/")[4:5])

    @property
    def running(self) -> Running:
        """The programme of the address. Raises ProgrammeNotFound."""
        return self.service.running(self.programme)

    @property
    def once(self) -> str:
        """What makes this form one and no other: the same when it is handed in again."""
        return self.field("once")

    def param(self, name: str) -> str:
        """A part of the address."""
        return self.asked.param(name)

    def field(self, name: str, default: str = "") -> str:
        """A field of the form, without the blanks around it."""
        return self.form.get(name, [default])[0].strip()

    def secret(self, name: str) -> str:
        """A password of the form as it was typed, with the blanks around it."""
        return self.form.get(name, [""])[0]

    def upload(self, name: str) -> Upload | None:
        """A file of the form, if one was chosen."""
        return self._uploads.get(name)

    def may(self, scope: str) -> bool:
        """Whether the member's role has this scope."""
        return self._member is not None and scope in self._member.scopes

    def t(self, zh: str, en: str) -> str:
        """The words in the reader's language."""
        return zh if self.lang == "zh" else en

    # ------------------------------------------------------------ addresses

    def url(self, path: str) -> str:
        """An address of the console; names in it are quoted by ``segment``."""
        return ROOT + path

    @staticmethod
    def segment(name: str) -> str:
        """A name as one part of an address."""
        return quote(name, safe="")

    def here(self, **changed: str) -> str:
        """This address with these parts of the query set, or left out when they are empty."""
        query = {name: text for name, text in {**self.query, **changed}.items() if text}
        return f"{self.path}?{urlencode(query)}" if query else self.path

    # ------------------------------------------------------------ answers

    def show(self, template: str, /, *, status: int = OK, **values: Any) -> Shown:  # noqa: ANN401 -- whatever a template shows
        """A page, or the part that its template is."""
        return Shown(status, self.frame.render(template, self, values).encode())

    def show_refused(self, template: str, refusal: RangliError, /, **values: Any) -> Shown:  # noqa: ANN401 -- as above
        """The same page again with the refusal in place. It gets ``refused``: the problem, with the field it is about."""
        problem = problem_of(refusal)
        self.note_refused(problem)
        return self.show(template, status=problem.status, refused=problem, **values)

    def go(self, path: str, zh: str = "", en: str = "") -> Shown:
        """Lead on to a page of the console, which is told these words."""
        headers: Headers = ((b"location", self.url(path).encode()),)
        if zh:
            said = quote(zh if self.lang == "zh" else en).encode()
            headers += ((b"set-cookie", SAID + b"=" + said + b"; Path=/console; Max-Age=60; HttpOnly; SameSite=Strict"),)
        if self.is_part:
            return Shown(OK, b"", HTML, ((b"hx-redirect", headers[0][1]), *headers[1:]))
        return Shown(SEE_OTHER, b"", HTML, headers)

    def send_file(self, name: str, media_type: str, data: bytes | AsyncIterator[bytes]) -> Shown:
        """A file to be saved under this name."""
        there = f"attachment; filename*=UTF-8''{quote(name, safe='')}".encode()
        return Shown(OK, data, media_type.encode(), ((b"content-disposition", there),))

    def listing(self, listing: Listing, template: str, /, **values: Any) -> Shown:  # noqa: ANN401 -- as above
        """A page around a table: the page, its table alone for htmx, or the table as a file (``?as=``).

        The template gets ``listing``: the table, drawn. A refused filter is shown at its field, over no rows.
        """
        refused = None
        try:
            want = wanted(listing, self.query)
            form = self.query.get("as", "")
            if form:
                name = "-".join(part for part in (self.programme, listing.name) if part)
                data = tables.saved(listing, want, form, self.lang)
                return self.send_file(f"{name}.{form}", tables.FORMATS[form], data)
            found = tables.page(listing, want)
        except FieldRefused as fault:
            want, found, refused = tables.Want({}, "", "", tables.PAGE), Slice([]), problem_of(fault)
        shown = {"of": listing, "want": want, "found": found, "refused": refused}
        drawn = Markup(self.frame.render("parts/listing.html", self, shown))  # noqa: S704 -- a template escaped it
        if self.is_part:
            return Shown(OK, drawn.encode())
        return self.show(template, status=OK if refused is None else refused.status, listing=drawn, **values)

    def note(self, what: str, object: str = "", **facts: Any) -> None:  # noqa: A002, ANN401 -- the word of the audit log
        """One line in the audit log: it was done."""
        self.service.staff.note(
            self.member.name, self.member.role, what, object, programme=self.programme, facts=facts, address=self.asked.address
        )

    def note_refused(self, problem: Problem) -> None:
        """One line in the audit log, if this was a form that would have changed something: it was refused, and why."""
        if self._member is None or self.asked.method != "POST" or not self.door.changes:
            return
        self.service.staff.note(
            self._member.name, self._member.role, f"POST {self.door.path}", problem.code, programme=self.programme[:100],
            outcome="refused", facts={"en": problem.en[:500]}, address=self.asked.address,
        )  # fmt: skip
