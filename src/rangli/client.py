"""A client for the API: typed, thin, and safe to let try again, for a request's own id makes it count once.

>>> from rangli.client import Client
>>> shop = Client("http://127.0.0.1:8000", "rl_...").programme("shop")

``shop.submit(request)`` hands in any request and gives its answer, ``shop.submit_orders`` a batch, ``shop.stream_orders`` as many
orders as there are. Whatever the service refuses is an ApiRefused. When it cannot be reached, is not ready or asks for patience,
the same request is sent again, ever more slowly, until ``patience_seconds`` are over.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import count, islice
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    OrderRequest,
    RefundRequest,
    Request,
    SaleRequest,
    Signature,
)
from rangli.service.views import (
    Answer,
    BalanceView,
    DecisionView,
    DrawView,
    EntryView,
    OrderView,
    PlanView,
    ProgrammeView,
    StatementView,
    TrialBalanceView,
)

PLACE: Final[dict[type[Request], str]] = {
    OrderRequest: "orders",
    RefundRequest: "refunds",
    SaleRequest: "sales",
    InjectionRequest: "injections",
    ClosingRequest: "closings",
    ActivationRequest: "plans",
}
"""Where each kind of request is handed in."""

ROWS: Final = 5_000
"""Orders of one batch of a stream; the service takes at most 20,000."""
PAGE: Final = 500
ANSWER_SECONDS: Final = 60
PATIENCE_SECONDS: Final = 60
_WAIT_MS: Final = 50
_WAIT_MS_MAX: Final = 5_000
_DOUBLINGS_MAX: Final = 10
_PASSING: Final = {429, 502, 503, 504}
"""Statuses of what may go well a moment later."""
_REFUSED: Final = 400

T = TypeVar("T")


class Problem(msgspec.Struct, frozen=True):
    """What the service says of a refusal (RFC 9457)."""

    status: int
    code: str
    zh: str
    en: str
    field: str = ""
    """The field at fault, if it is one."""
    reason: str = ""
    """Why an order is refused."""
    position: int | None = None
    problems: list[dict[str, Any]] = []
    """The faults of a plan document."""


class ApiRefused(Exception):
    """The service refused; nothing has changed."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.en)
        self.problem = problem
        self.status = problem.status
        self.code = problem.code
        self.field = problem.field
        self.zh = problem.zh
        self.en = problem.en


Outcome = Answer | ApiRefused


class _Row(msgspec.Struct, frozen=True):
    """One row of a batch's reply."""

    answer: Answer | None = None
    problem: Problem | None = None


class Client:
    """A service at an address, asked with a key. Close it, or use it in a ``with``."""

    def __init__(
        self, url: str, key: str, *, patience_seconds: int = PATIENCE_SECONDS, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._patience_seconds = patience_seconds
        headers = {"authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=ANSWER_SECONDS, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def programme(self, name: str) -> ProgrammeClient:
        """One programme; whether it is there shows when it is asked."""
        return ProgrammeClient(self, name)

    def programmes(self) -> list[ProgrammeView]:
        """The programmes that the key is for."""
        return self.get("/v1/programmes", list[ProgrammeView])

    def create(
        self, name: str, plan: str, *, hold_seconds: int | None = None, channel: str = "sandbox", signed: Sequence[Signature] = ()
    ) -> ProgrammeView:  # fmt: skip
        """A new programme under a preset or a plan document. Tried once: a second attempt would find the programme there."""
        new = {"name": name, "plan": plan, "hold_seconds": hold_seconds, "channel": channel, "signed": signed}
        body = msgspec.json.encode(new)
        return _decoded(_checked(self._http.post("/v1/programmes", content=body, headers=_JSON)), ProgrammeView)

    def get(self, path: str, kind: type[T], **query: str | int | None) -> T:
        """What stands at a path."""
        asked = {name: value for name, value in query.items() if value is not None}
        return _decoded(self.send("GET", path, params=asked), kind)

    def send(self, method: str, path: str, **rest: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Ask until there is an answer that a later attempt would not change. Raises ApiRefused, or httpx.TransportError."""
        end = time.monotonic() + self._patience_seconds
        for attempt in count():
            try:
                response = self._http.request(method, path, **rest)
            except httpx.TransportError:
                if time.monotonic() >= end:
                    raise
                time.sleep(_wait(attempt))
                continue
            if response.status_code not in _PASSING or time.monotonic() >= end:
                return _checked(response)
            time.sleep(_wait(attempt, response.headers.get("retry-after", "")))
        raise AssertionError

    def events(self, path: str, after: int) -> Iterator[DecisionView]:
        """The events at a path, from now on; a feed that ends goes on where it ended."""
        for attempt in count():
            try:
                headers = {"last-event-id": str(after)}
                with self._http.stream("GET", path, headers=headers) as response:
                    if response.status_code >= _REFUSED:
                        response.read()
                        _checked(response)
                    for line in response.iter_lines():
                        if line.startswith("data:"):
                            decision = msgspec.json.decode(line.removeprefix("data:"), type=DecisionView)
                            after = decision.position
                            yield decision
            except httpx.TransportError:
                pass
            except ApiRefused as refused:
                if refused.status not in _PASSING:
                    raise
            time.sleep(_wait(min(attempt, 3)))


class ProgrammeClient:
    """One programme of a service."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._path = f"/v1/programmes/{_segment(name)}"
        self.name = name

    # ------------------------------------------------------------ handing in

    def submit(self, request: Request) -> Answer:
        """Hand in a request. The answer comes once it is durable, and is the same however often it is asked."""
        path = f"{self._path}/{PLACE[type(request)]}"
        return _decoded(self._client.send("POST", path, content=msgspec.json.encode(request), headers=_JSON), Answer)

    def submit_orders(self, orders: Sequence[OrderRequest]) -> list[Outcome]:
        """Hand in up to 20,000 orders at once; each has its own answer or refusal, in their order."""
        body = msgspec.json.Encoder().encode_lines(orders)
        response = self._client.send("POST", f"{self._path}/orders:batch", content=body, headers=_NDJSON)
        rows = msgspec.json.Decoder(_Row).decode_lines(response.content)
        assert len(rows) == len(orders), "one row for each order"
        return [_outcome(row) for row in rows]

    def stream_orders(self, orders: Iterable[OrderRequest], rows: int = ROWS) -> Iterator[tuple[OrderRequest, Outcome]]:
        """Hand in as many orders as there are, a batch at a time; each comes back with what became of it."""
        source = iter(orders)
        while batch := list(islice(source, rows)):
            yield from zip(batch, self.submit_orders(batch), strict=True)

    # ------------------------------------------------------------ asking

    def view(self) -> ProgrammeView:
        """The programme as it stands."""
        return self._client.get(self._path, ProgrammeView)

    def plans(self) -> list[PlanView]:
        """The versions of its plan."""
        return self._client.get(f"{self._path}/plans", list[PlanView])

    def order(self, order_id: str) -> OrderView:
        """An order, what was done with it and why."""
        return self._client.get(f"{self._path}/orders/{_segment(order_id)}", OrderView)

    def draw(self, order_id: str) -> DrawView:
        """What anyone needs to draw an order's packets again."""
        return self._client.get(f"{self._path}/draws/{_segment(order_id)}", DrawView)

    def balance(self, account: str, *, at: int | None = None) -> BalanceView:
        """What an account holds, or held after decision ``at``."""
        return self._client.get(f"{self._path}/accounts/{_segment(account)}", BalanceView, at=at)

    def entries(self, account: str, *, page: int = PAGE) -> Iterator[EntryView]:
        """An account's whole statement, newest first, fetched page by page."""
        cursor: str | None = None
        while cursor != "":
            path = f"{self._path}/accounts/{_segment(account)}/entries"
            statement = self._client.get(path, StatementView, cursor=cursor, limit=page)
            yield from statement.entries
            cursor = statement.next

    def trial_balance(self) -> TrialBalanceView:
        """The sum of all balances by unit, and each institution's balance."""
        return self._client.get(f"{self._path}/trial-balance", TrialBalanceView)

    def decisions(self, after: int = 0, *, page: int = PAGE) -> Iterator[DecisionView]:
        """The journal from a position to its present end, fetched page by page."""
        while decisions := self._client.get(f"{self._path}/decisions", list[DecisionView], after=after, limit=page):
            yield from decisions
            after = decisions[-1].position

    def feed(self, after: int = 0) -> Iterator[DecisionView]:
        """Each decision as soon as it is durable, for ever, across interruptions."""
        return self._client.events(f"{self._path}/feed", after)


# ---------------------------------------------------------------- on the wire

_JSON: Final = {"content-type": "application/json"}
_NDJSON: Final = {"content-type": "application/x-ndjson"}


def _segment(name: str) -> str:
    """A name as one part of a path, whatever is in it; dots alone would be taken for a step up."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _checked(response: httpx.Response) -> httpx.Response:
    """The response, if it is no refusal."""
    if response.status_code < _REFUSED:
        return response
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except ValueError:
        status = response.status_code
        problem = Problem(
            status,
            "no_problem",
            f"应答为 {status},且不是问题说明;中间可能有代理",
            f"the answer is {status} and no problem; is a proxy between?",
        )
    raise ApiRefused(problem)


def _decoded(response: httpx.Response, kind: type[T]) -> T:
    """The body as a struct."""
    return msgspec.json.decode(response.content, type=kind)


def _outcome(row: _Row) -> Outcome:
    """The answer or the refusal of a row."""
    if row.problem is not None:
        return ApiRefused(row.problem)
    assert row.answer is not None
    return row.answer


def _wait(attempt: int, retry_after: str = "") -> float:
    """Seconds until the next attempt: twice as long each time, up to a limit, and by chance, so that not all come at once."""
    most = min(_WAIT_MS << min(attempt, _DOUBLINGS_MAX), _WAIT_MS_MAX)
    asked = int(retry_after) * 1000 if retry_after.isascii() and retry_after.isdigit() else 0
    return timedelta(milliseconds=asked + secrets.randbelow(most) + 1).total_seconds()
