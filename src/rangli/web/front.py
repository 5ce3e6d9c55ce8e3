"""The front: every request passes here, and leaves with a reply, a number and a line in the log, whatever happened in between."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from itertools import count
from time import perf_counter
from typing import Final, NoReturn

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rangli.errors import RangliError
from rangli.web.asked import Asked, Gone, Reply, send_reply
from rangli.web.desk import Desk
from rangli.web.problems import HEADERS, MEDIA_TYPE, OURS, Fault, Problem, problem_of
from rangli.web.routes import Route

GONE: Final = 499
"""Logged when the client went away before it was answered."""
NOT_ALLOWED: Final = 405

Headers = tuple[tuple[bytes, bytes], ...]


class Passage:
    """One request on its way through: what the log says of it at the end."""

    __slots__ = ("asked", "code", "number", "route", "status")

    def __init__(self, asked: Asked, number: str) -> None:
        self.asked = asked
        self.number = number
        self.route = ""
        self.status = GONE
        self.code = ""


class Front:
    """The outermost part of the application: replies to refusals and mistakes, and takes note."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._prefix = secrets.token_hex(4)
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and catch whatever comes back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        passage = Passage(Asked(scope, receive, self._desk.proxies), f"{self._prefix}-{next(self._numbers):x}")
        scope["rangli.passage"] = passage
        # Routes match the path as it was sent, so a slash inside a name (%2F) divides nothing; Asked.param decodes the parts.
        scope["path"] = str(scope["raw_path"], "latin-1")

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                passage.status = message["status"]
                message["headers"].append((b"x-request-id", passage.number.encode()))
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except (RangliError, Fault) as refusal:
            if isinstance(refusal, OURS):
                self._desk.log.trouble(passage.number, refusal)
            await _refuse(noted, passage, refusal)
        except Gone:
            pass
        except Exception as mistake:  # noqa: BLE001 - the last resort: logged, and the client learns its number only
            self._desk.log.mistake(passage.number, mistake)
            if passage.status == GONE:
                await _refuse(noted, passage, Fault("unexpected", passage.number))
        finally:
            self._note(scope["method"], passage, perf_counter() - began)

    def _note(self, method: str, passage: Passage, seconds: float) -> None:
        """One line in the log, and one more in the figures."""
        grant = passage.asked.grant
        key, ms = "" if grant is None else grant.key_id, f"{seconds * 1000:.3f}"
        self._desk.log.request(method, passage.route, passage.status, ms, passage.number, key, passage.code)
        self._desk.traffic.note(passage.route, passage.status, seconds)


async def _refuse(send: Send, passage: Passage, refusal: RangliError | Fault) -> None:
    """Send the problem."""
    problem: Problem = problem_of(refusal)
    passage.code = problem.code
    own: Headers = refusal.headers if isinstance(refusal, Fault) else ()
    headers = (*HEADERS.get(problem.status, ()), *own)
    await send_reply(send, Reply(problem.status, msgspec.json.encode(problem), MEDIA_TYPE, headers))


class Doorway:
    """One route as an ASGI application: lets in who may, asks its endpoint, sends the reply."""

    def __init__(self, desk: Desk, route: Route) -> None:
        self._desk = desk
        self._route = route

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        passage: Passage = scope["rangli.passage"]
        passage.route = self._route.path
        asked = passage.asked
        if self._route.scope:
            programme = asked.param("programme") if "programme" in scope["path_params"] else None
            await self._desk.admit(asked, self._route.scope, programme)
            if scope["query_string"]:
                asked.query(self._route.query)
        reply = await self._route.endpoint(self._desk, asked)
        if isinstance(reply.body, bytes):
            await send_reply(send, reply)
        else:
            await stream(passage, send, reply, reply.body)


async def stream(passage: Passage, send: Send, reply: Reply, parts: AsyncIterator[bytes]) -> None:
    """Send a body part by part, until it ends or its client has gone."""
    headers = [(b"content-type", reply.media_type), *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    gone = asyncio.ensure_future(_gone(passage.asked.receive))
    part: asyncio.Future[bytes] | None = None
    try:
        while True:
            part = asyncio.ensure_future(anext(parts, b""))
            await asyncio.wait({part, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not part.done() or not part.result():
                break
            await send({"type": "http.response.body", "body": part.result(), "more_body": True})
    except RangliError as refusal:
        passage.code = refusal.code
    finally:
        for waiting in (gone, part):
            if waiting is not None and not waiting.done():
                waiting.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    """Until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def refuse_route(request: Request, fault: Exception) -> NoReturn:
    """What the router does not find, as a fault of ours; for a wrong method it names the right ones."""
    assert isinstance(fault, HTTPException)
    if fault.status_code != NOT_ALLOWED:
        raise Fault("route_not_found")
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE]
    allowed = ", ".join(sorted({method for route in routes for method in route.methods}))
    request.scope["rangli.passage"].route = routes[0].path
    raise Fault("method_not_allowed", request.method, allowed, headers=((b"allow", allowed.encode()),))
