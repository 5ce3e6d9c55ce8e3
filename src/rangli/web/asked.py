"""One HTTP request as an endpoint sees it, and one reply."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.types import Receive, Scope, Send

from rangli.errors import FieldRefused
from rangli.web.problems import Fault, refusal_of
from rangli.web.proxies import Proxies, client_of, is_https

if TYPE_CHECKING:
    from rangli.service.people.access import Grant

JSON: Final = b"application/json"
NDJSON: Final = b"application/x-ndjson"
BODY_BYTES_MAX: Final = 2**20

T = TypeVar("T", bound=msgspec.Struct)


class Gone(Exception):
    """The client went away before its request was whole; nobody waits for an answer."""


class Reply(NamedTuple):
    """What an endpoint answers; a body that comes bit by bit ends when its client goes or this process stops."""

    status: int
    body: bytes | AsyncIterator[bytes]
    media_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Asked:
    """One HTTP request. Only what an endpoint asks for is read and decoded."""

    __slots__ = ("_proxies", "_scope", "grant", "receive")

    def __init__(self, scope: Scope, receive: Receive, proxies: Proxies) -> None:
        """``proxies`` : whose word counts for whom and by which way a request comes."""
        self._scope = scope
        self._proxies = proxies
        self.receive = receive
        self.grant: Grant | None = None
        """Whose key it is; set when it was let in."""

    @property
    def method(self) -> str:
        """GET, POST, DELETE or HEAD."""
        method: str = self._scope["method"]
        return method

    def header(self, name: bytes) -> str:
        """A header's text; empty when it is not there."""
        for key, value in self._scope["headers"]:
            if key == name:
                return str(value, "latin-1").strip()
        return ""

    def _lines(self, name: bytes) -> str:
        """A header that may come in several lines, in one."""
        return ",".join(str(value, "latin-1") for key, value in self._scope["headers"] if key == name)

    @property
    def path(self) -> str:
        """The address as it was sent, without the query."""
        path: str = self._scope["path"]
        return path

    @property
    def address(self) -> str:
        """Whose request it is: an IP address. It is that of the connection, or of whom a trusted proxy names."""
        return client_of(self._peer, self._lines(b"x-forwarded-for"), self._proxies)

    @property
    def _peer(self) -> str:
        """Whose connection it is."""
        client = self._scope.get("client")
        return "" if client is None else str(client[0])

    @property
    def is_secure(self) -> bool:
        """Whether it came by https, here or to a trusted proxy."""
        is_here = self._scope.get("scheme") == "https"
        return is_here or is_https(self._peer, self._lines(b"x-forwarded-proto"), self._proxies)

    def cookies(self) -> dict[str, str]:
        """The cookies that came with it; of two with one name the first, which is the one of the longer path."""
        found: dict[str, str] = {}
        for pair in self.header(b"cookie").split(";"):
            name, _, value = pair.strip().partition("=")
            found.setdefault(name, value)
        return found

    def pairs(self) -> dict[str, str]:
        """The query as it was written; of two with one name the last. Raises Fault."""
        try:
            return dict(parse_qsl(self._scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict"))
        except ValueError:
            raise Fault("path_malformed") from None

    def has_param(self, name: str) -> bool:
        """Whether the path has this part."""
        return name in self._scope["path_params"]

    def param(self, name: str) -> str:
        """A part of the path, decoded. Slashes in names are written ``%2F``."""
        raw: str = self._scope["path_params"][name]
        if "%" not in raw and raw.isascii():
            return raw
        try:
            text = unquote(raw.encode("latin-1"), errors="strict")
        except UnicodeDecodeError:
            raise Fault("path_malformed") from None
        if "\0" in text:
            raise Fault("path_malformed")
        return text

    def query(self, kind: type[T]) -> T:
        """The query as this struct. Raises FieldRefused, also for a field that is unknown or given twice."""
        try:
            pairs = parse_qsl(self._scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict")
        except ValueError:
            raise Fault("path_malformed") from None
        fields = dict(pairs)
        if len(fields) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise FieldRefused(twice, "重复出现;请只写一次", "it is there more than once; write it once")
        try:
            return msgspec.convert(fields, kind, strict=False)
        except ValueError as fault:
            raise refusal_of(fault, kind.__struct_fields__) from None

    def media_type(self, *allowed: bytes) -> bytes:
        """The body's media type. Raises Fault when it is none of these, or not in UTF-8."""
        written = self.header(b"content-type")
        kind, _, rest = written.lower().partition(";")
        charset = rest.strip().removeprefix("charset=").strip('"')
        if kind.strip().encode() not in allowed or charset not in ("", "utf-8"):
            right = " / ".join(str(media_type, "ascii") for media_type in allowed)
            raise Fault("content_type_unsupported", repr(written[:60]), right, headers=((b"accept", b", ".join(allowed)),))
        return kind.strip().encode()

    async def body(self, bytes_max: int = BODY_BYTES_MAX) -> bytes:
        """The whole body. Raises Fault when it is larger, Gone when it does not come."""
        announced = self.header(b"content-length")
        if announced.isdigit() and int(announced) > bytes_max:
            raise _too_large(bytes_max)
        message = await self.receive()
        first = _part(message)
        if not message.get("more_body", False):
            if len(first) > bytes_max:
                raise _too_large(bytes_max)
            return first
        parts, size = [first], len(first)
        while message.get("more_body", False):
            message = await self.receive()
            parts.append(_part(message))
            size += len(parts[-1])
            if size > bytes_max:
                raise _too_large(bytes_max)
        return b"".join(parts)

    async def decoded(self, decoder: msgspec.json.Decoder[T], bytes_max: int = BODY_BYTES_MAX) -> T:
        """The JSON body as the decoder's struct. Raises FieldRefused or Fault."""
        self.media_type(JSON)
        return decode(decoder, await self.body(bytes_max))


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """The struct in these bytes. Raises FieldRefused, or Fault when they are no JSON."""
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError) as fault:
        raise refusal_of(fault, decoder.type.__struct_fields__) from None


def _part(message: Any) -> bytes:  # noqa: ANN401 - a message of ASGI
    """The bytes of one message."""
    if message["type"] == "http.disconnect":
        raise Gone
    part: bytes = message.get("body", b"")
    return part


def _too_large(bytes_max: int) -> Fault:
    """A body of more than this. The connection is closed, for the rest of the body would be taken for the next request."""
    return Fault("body_too_large", f"{bytes_max >> 10} KiB", headers=((b"connection", b"close"),))


async def send_reply(send: Send, reply: Reply, extra: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Send a reply whose body is there."""
    assert isinstance(reply.body, bytes)
    size = str(len(reply.body)).encode()
    headers = [(b"content-type", reply.media_type), (b"content-length", size), *reply.headers, *extra]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
