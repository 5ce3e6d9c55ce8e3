"""The door to every page: who may come in, what a form must carry, and what goes out with every answer.

    request ─▶ session ─▶ scope and programme ─▶ form (origin, token, once) ─▶ page in a thread ─▶ HTML

Without a session one is led to the sign-in. A refusal becomes a page; if the form would have changed something, it is in the
audit log.
"""

from __future__ import annotations

import hmac
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers as StarletteHeaders
from starlette.datastructures import UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.types import Receive, Scope, Send

from rangli.errors import ChangeWanted, RangliError, SessionEnded
from rangli.web.asked import Asked, Gone, Reply, send_reply
from rangli.web.console.call import SAID, Call, Sent, Shown, Upload
from rangli.web.front import stream
from rangli.web.problems import OURS, Fault, problem_of

if TYPE_CHECKING:
    from rangli.service.people.staff import Member
    from rangli.web.console.frame import Frame
    from rangli.web.desk import Desk
    from rangli.web.front import Passage

COOKIE: Final = "rangli_session"
FORM_BYTES_MAX: Final = 2**20
UPLOAD_BYTES_MAX: Final = 2**26
UNAUTHORIZED: Final = 401
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Everything comes from here, and nothing is written into a page that would run."""
GUARDED: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)
NOT_STORED: Final = (b"cache-control", b"no-store")
FORGET_SAID: Final = (b"set-cookie", SAID + b"=; Path=/console; Max-Age=0; HttpOnly; SameSite=Strict")

FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
SELF: Final = "self"

Page = Callable[[Call], Shown] | Callable[[Call], Awaitable[Shown]]


class Door(NamedTuple):
    """One method at one address of the console."""

    method: str
    path: str
    """Relative to the console."""
    scope: str
    """What the member's role must have, as API keys have it; SELF for any member, also one who must first change his password;
    empty for who is not signed in."""
    page: Page
    zh: str
    en: str
    changes: bool = True
    """Of a POST: whether it changes anything. A preview does not, and may be handed in as often as one likes."""
    upload: bool = False
    """Whether a file may come with it."""


class Doorstep:
    """One door as an ASGI application."""

    def __init__(self, frame: Frame, desk: Desk, door: Door) -> None:
        self._frame = frame
        self._desk = desk
        self._door = door

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        passage: Passage = scope["rangli.passage"]
        passage.route = "/console" + self._door.path
        asked = passage.asked
        member: Member | None = None
        call = Call(self._frame, self._desk, self._door, asked, None, Sent({}, {}))
        try:
            member = await self._member(asked)
            if self._door.scope:
                if member is None:
                    await _send(passage, send, self._to_sign_in(call))
                    return
                if self._door.scope != SELF:
                    member.require(self._door.scope, call.programme or None)
            sent = Sent({}, {}) if asked.method != "POST" else await self._form(asked, member)
            call = Call(self._frame, self._desk, self._door, asked, member, sent)
            call.said = ("", unquote(call.cookies.get(SAID.decode(), "")))
            shown = await self._ask(call)
        except ChangeWanted as wanted:
            shown = call.go("/me", wanted.zh, wanted.en)
        except (RangliError, Fault) as refusal:
            if isinstance(refusal, OURS):
                self._desk.log.trouble(passage.number, refusal)
            passage.code = refusal.code
            shown = await self._refused(call, asked, member, refusal)
        except Gone:
            return
        except Exception as mistake:  # noqa: BLE001 -- the last resort: logged, and the reader learns its number
            self._desk.log.mistake(passage.number, mistake)
            shown = self._frame.fault(call, problem_of(Fault("unexpected", passage.number)))
        if call.said[1]:
            shown = shown._replace(headers=(*shown.headers, FORGET_SAID))
        await _send(passage, send, shown)

    async def _ask(self, call: Call) -> Shown:
        """The page's answer; what is no coroutine may wait, and does so in a thread."""
        if inspect.iscoroutinefunction(self._door.page):
            shown: Shown = await self._door.page(call)
            return shown
        found = await self._desk.ask(self._door.page, call)
        assert isinstance(found, Shown)
        return found

    # ------------------------------------------------------------ who

    async def _member(self, asked: Asked) -> Member | None:
        """Who is signed in, if anyone is."""
        token = asked.cookies().get(COOKIE, "")
        if not token:
            return None
        with suppress(SessionEnded):
            return await self._desk.ask(self._desk.service.staff.member, token)
        return None

    def _to_sign_in(self, call: Call) -> Shown:
        """The sign-in page, which leads back here."""
        there = (
            f"/sign-in?next={call.segment(call.here().removeprefix('/console'))}" if call.asked.method == "GET" else "/sign-in"
        )
        shown = call.go(there)
        return shown if not call.is_part else shown._replace(status=UNAUTHORIZED)

    # ------------------------------------------------------------ what

    async def _form(self, asked: Asked, member: Member | None) -> Sent:
        """What was handed in. Raises Fault when it does not come from a page of ours, FormReplayed when it came before."""
        _check_origin(asked)
        sent = await _parsed(asked, UPLOAD_BYTES_MAX if self._door.upload else FORM_BYTES_MAX)
        if member is None:
            return sent
        token = asked.header(b"x-csrf-token") or sent.fields.get("csrf", [""])[0]
        if not hmac.compare_digest(token.encode(), member.csrf.encode()):
            raise Fault("form_foreign")
        if self._door.changes:
            await self._desk.ask(self._desk.service.staff.use_once, member.session, sent.fields.get("once", [""])[0])
        return sent

    async def _refused(self, call: Call, asked: Asked, member: Member | None, refusal: RangliError | Fault) -> Shown:
        """The refusal as a page."""
        known = Call(self._frame, self._desk, self._door, asked, member, Sent(call.form, {}))
        problem = problem_of(refusal)
        with suppress(RangliError):
            await self._desk.ask(known.note_refused, problem)
        return self._frame.fault(known, problem)


def _check_origin(asked: Asked) -> None:
    """That a form was sent by a page of ours: every browser says where a POST comes from. Raises Fault."""
    origin, host = asked.header(b"origin"), asked.header(b"host")
    if not host or urlsplit(origin).netloc != host:
        raise Fault("form_foreign")


async def _parsed(asked: Asked, bytes_max: int) -> Sent:
    """Fields and files of a form. Raises Fault."""
    kind = asked.header(b"content-type").partition(";")[0].strip().lower()
    if kind not in FORMS:
        raise Fault("content_type_unsupported", repr(kind[:60]), " / ".join(FORMS))
    body = await asked.body(bytes_max)

    async def parts() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    headers = StarletteHeaders({"content-type": asked.header(b"content-type")})
    try:
        if kind == FORMS[1]:
            parser = MultiPartParser(headers, parts(), max_files=4, max_fields=1_000, max_part_size=FORM_BYTES_MAX)
            found = await parser.parse()
        else:
            found = await FormParser(headers, parts()).parse()
    except (MultiPartException, ValueError) as fault:
        raise Fault("form_malformed", str(fault)) from fault
    fields: dict[str, list[str]] = {}
    uploads: dict[str, Upload] = {}
    for name, value in found.multi_items():
        if isinstance(value, UploadFile):
            if value.filename:
                uploads[name] = Upload(value.filename, await value.read())
        else:
            fields.setdefault(name, []).append(value)
    await found.close()
    return Sent(fields, uploads)


async def _send(passage: Passage, send: Send, shown: Shown) -> None:
    """Send a page with what guards it."""
    stored = () if any(name == b"cache-control" for name, _ in shown.headers) else (NOT_STORED,)
    reply = Reply(shown.status, shown.body, shown.media_type, (*GUARDED, *stored, *shown.headers))
    if isinstance(reply.body, bytes):
        await send_reply(send, reply)
    else:
        await stream(passage, send, reply, reply.body)
