"""The intake: requests become decisions here, one by one and in batches. The hot path of the API.

Single requests that arrive in the same turn of the event loop go to the settler together, so a thousand clients with one order
each cost it hardly more than one client with a thousand.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

import msgspec

from rangli.errors import FieldRefused, RangliError
from rangli.service.requests import ID_FIELD, OrderRequest, Request
from rangli.service.views import Answer
from rangli.web.asked import JSON, NDJSON, Asked, Reply, decode
from rangli.web.bodies import Row
from rangli.web.problems import Fault, problem_of, refusal_of

if TYPE_CHECKING:
    from rangli.service import Running
    from rangli.web.desk import Desk

Outcome = Answer | RangliError

ROWS_MAX: Final = 20_000
BATCH_BYTES_MAX: Final = 32 * 2**20

CREATED: Final = 201
OK: Final = 200
ACCEPTED: Final = 202

encoder: Final = msgspec.json.Encoder()


def status_of(answer: Answer) -> int:
    """202 while an order is held, 200 for what had been answered before, 201 for what is new."""
    return ACCEPTED if answer.status == "held" else OK if answer.repeated else CREATED


class Intake:
    """Gathers what is asked of one programme in one turn of the event loop, and submits it as one batch."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self._waiting: list[tuple[Request, asyncio.Future[Outcome]]] = []

    def ask(self, request: Request) -> asyncio.Future[Outcome]:
        """The answer to come."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._submit, loop)
        answer: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append((request, answer))
        return answer

    def _submit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand in what waits; its answers come back to the loop in one call."""
        waiting, self._waiting = self._waiting, []
        answers = [answer for _, answer in waiting]
        try:
            asked = self.running.submit([request for request, _ in waiting])
        except Exception as fault:  # noqa: BLE001 - each caller gets it, and the front tells a refusal from a mistake
            _fail(answers, fault)
        else:
            asked.add_done_callback(lambda done: loop.call_soon_threadsafe(_give, answers, done))


def _give(answers: list[asyncio.Future[Outcome]], done: Future[list[Outcome]]) -> None:
    """Each caller its answer."""
    fault = done.exception()
    if fault is not None:
        _fail(answers, fault)
        return
    for answer, outcome in zip(answers, done.result(), strict=True):
        if not answer.done():
            answer.set_result(outcome)


def _fail(answers: list[asyncio.Future[Outcome]], fault: BaseException) -> None:
    """Each caller the same refusal."""
    for answer in answers:
        if not answer.done():
            answer.set_exception(fault)


# ---------------------------------------------------------------- one


class Decide:
    """The endpoint of one kind of request."""

    def __init__(self, kind: type[Request]) -> None:
        self.decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(kind)
        self._id_field = ID_FIELD[kind]

    async def __call__(self, desk: Desk, asked: Asked) -> Reply:
        """Decode, submit, wait until it is durable, answer."""
        intake = await desk.intake(asked.param("programme"))
        request = await asked.decoded(self.decoder)
        key = asked.header(b"idempotency-key")
        if key and key != getattr(request, self._id_field):
            raise FieldRefused(
                "Idempotency-Key",
                f"与 {self._id_field} 不同;请求的编号就是幂等键,两者必须相同,或不发送此请求头",
                f"it differs from {self._id_field}; a request's id is its idempotency key, so send the same, or not this header",
            )
        outcome = await intake.ask(request)
        if isinstance(outcome, RangliError):
            raise outcome
        return Reply(status_of(outcome), encoder.encode(outcome))


# ---------------------------------------------------------------- many

Good = list[OrderRequest]
Bad = dict[int, RangliError | Fault]

_one: Final = msgspec.json.Decoder(OrderRequest)
_array: Final = msgspec.json.Decoder(list[OrderRequest])
_raw_array: Final = msgspec.json.Decoder(list[msgspec.Raw])


def read_rows(body: bytes, media_type: bytes) -> tuple[int, Good, Bad]:
    """How many rows there are, the orders among them, and what is wrong with the others by row, from 0.

    All rows are decoded at once; only if that fails, each by itself. Raises Fault when the whole is no JSON or has too many rows.
    """
    try:
        good = _one.decode_lines(body) if media_type == NDJSON else _array.decode(body)
    except (ValueError, RecursionError):
        return _read_each(_pieces(body, media_type))
    return _limited(len(good)), good, {}


def _pieces(body: bytes, media_type: bytes) -> list[bytes] | list[msgspec.Raw]:
    """Each row's bytes. Empty lines are no rows."""
    if media_type == NDJSON:
        return [line for line in body.split(b"\n") if line.strip()]
    try:
        return _raw_array.decode(body)
    except (ValueError, RecursionError) as fault:
        raise refusal_of(fault, ()) from None


def _read_each(pieces: list[bytes] | list[msgspec.Raw]) -> tuple[int, Good, Bad]:
    """The rows one by one."""
    count = _limited(len(pieces))
    good: Good = []
    bad: Bad = {}
    for index, piece in enumerate(pieces):
        try:
            good.append(decode(_one, piece))
        except (RangliError, Fault) as refusal:
            bad[index] = refusal
    return count, good, bad


def _limited(count: int) -> int:
    """The number of rows, if a batch may have so many."""
    if count > ROWS_MAX:
        raise Fault("body_too_large", f"{ROWS_MAX} rows")
    return count


def write_rows(count: int, outcomes: list[Outcome], bad: Bad, media_type: bytes) -> bytes:
    """One ``Row`` for each row that came, in its order and in the form it came in."""
    left = iter(outcomes)
    rows = [_row(index + 1, bad.get(index) or next(left)) for index in range(count)]
    return encoder.encode_lines(rows) if media_type == NDJSON else encoder.encode(rows)


def _row(number: int, outcome: Outcome | Fault) -> Row:
    """What became of one row."""
    if isinstance(outcome, Answer):
        return Row(number, status_of(outcome), answer=outcome)
    problem = problem_of(outcome)
    return Row(number, problem.status, problem=problem)


async def decide_batch(desk: Desk, asked: Asked) -> Reply:
    """The endpoint of many orders at once; reading and writing them happens beside the event loop."""
    intake = await desk.intake(asked.param("programme"))
    media_type = asked.media_type(JSON, NDJSON)
    body = await asked.body(BATCH_BYTES_MAX)
    count, good, bad = await desk.ask(read_rows, body, media_type)
    desk.charge_rows(asked, count)
    outcomes = await asyncio.wrap_future(intake.running.submit(good)) if good else []
    return Reply(OK, await desk.ask(write_rows, count, outcomes, bad, media_type), media_type)
