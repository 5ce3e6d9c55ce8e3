"""The API under load from another process: batches of NDJSON, and single orders over 64 connections.

The client speaks HTTP by hand over plain sockets, so that it takes as little as can be of the cores that it shares with the
server and the database; what remains of its share is part of what is measured.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

import msgspec

from bench import report
from bench.timing import Spread, stolen

BATCH_TARGET: Final = 12_000
SINGLE_TARGET: Final = 1_500
PACE: Final = SINGLE_TARGET
"""Single orders a second of callers who do not wait for each other: one stall of a tenth of a second is their p99."""
P99_SECONDS: Final = 0.05
CONNECTIONS: Final = 64
ROWS: Final = 2_000


class Sizes(NamedTuple):
    """How much."""

    batches: int = 60
    singles: int = 12_000
    rounds: int = 3


TINY: Final = Sizes(2, 200, 1)


class Rounds:
    """What each round measured."""

    def __init__(self) -> None:
        self.batch_rates: list[float] = []
        self.single_rates: list[float] = []
        self.flat: list[list[float]] = []
        self.paced: list[list[float]] = []
        self.bare: list[list[float]] = []


def measure(tick: report.Tick, *, tiny: bool) -> report.Section:
    """The table of both ways."""
    from bench.live import data_folder  # noqa: PLC0415 (it imports this module)

    sizes, found = TINY if tiny else Sizes(), Rounds()
    with ExitStack() as stack:
        folder = stack.enter_context(data_folder())
        port, key = stack.enter_context(_server("bench.http_load", folder))
        (bare,) = stack.enter_context(_server("bench.http_bare", folder))
        share = stack.enter_context(stolen())
        at, first = (int(port), key, int(bare)), 0
        for number in range(-1, sizes.rounds):
            warming = number < 0
            first = _round(sizes, first, at, Rounds() if warming else found, tiny=tiny, warming=warming)
            tick(f"round {number + 1}")
        return _section(sizes, found, share())


def _round(sizes: Sizes, first: int, at: tuple[int, str, int], found: Rounds, *, tiny: bool, warming: bool) -> int:
    """Batches, single orders flat out and paced, and the bare server paced; the number of the next order."""
    from bench.live import TINY as TINY_LIVE  # noqa: PLC0415
    from bench.live import Sizes as LiveSizes  # noqa: PLC0415
    from bench.live import orders  # noqa: PLC0415

    port, key, bare = at
    live, encode = TINY_LIVE if tiny else LiveSizes(), msgspec.json.Encoder().encode
    count = (3 if warming else sizes.batches) * ROWS
    lines = [encode(order) for order in orders(count, first, live)]
    bodies = [b"\n".join(lines[start : start + ROWS]) for start in range(0, count, ROWS)]
    first += count
    seconds, _ = asyncio.run(_load(port, _request(key, "orders:batch", "application/x-ndjson"), bodies, 2))
    found.batch_rates.append(count / seconds)
    count, request = 500 if warming else sizes.singles, _request(key, "orders", "application/json")
    for waits, to, pace in ((found.flat, port, 0), (found.paced, port, PACE), (found.bare, bare, PACE)):
        bodies = [encode(order) for order in orders(count, first, live)]
        first += count
        seconds, taken = asyncio.run(_load(to, request, bodies, CONNECTIONS, pace))
        waits.append(sorted(taken))
        if waits is found.flat:
            found.single_rates.append(count / seconds)
    return first


@contextmanager
def _server(module: str, folder: Path) -> Iterator[list[str]]:
    """A server of its own process, and what it says when it is ready."""
    command = [sys.executable, "-m", module, str(folder)]
    with subprocess.Popen(
        command, cwd=report.ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()
        server.communicate("stop\n")


def _section(sizes: Sizes, found: Rounds, stolen_share: float) -> report.Section:
    """The table."""
    batch, single = Spread.of(found.batch_rates), Spread.of(found.single_rates)
    p99, paced, bare = _p99(found.flat), _p99(found.paced), _p99(found.bare)
    return report.Section(
        "Over HTTP, from another process",
        f"`POST …/orders:batch`, {ROWS:,} rows of NDJSON a request, two at a time; `POST …/orders`, one order a request,"
        f" {CONNECTIONS} connections: each at the answer to the last, and {PACE:,} a second, each waiting from when it was due."
        " Beside it in the same rounds the least that answers after durability: a server that appends the request to a file,"
        f" syncs it and does nothing else. Client, server and database share the cores. Medians of {sizes.rounds} rounds.",
        ("way", "orders/s", "median wait", "p99"),
        [
            ("batches", f"**{report.count(batch.median)}** ({report.count(batch.least)}–{report.count(batch.most)})", "", ""),
            (
                "one at a time, as many as it takes",
                f"**{report.count(single.median)}** ({report.count(single.least)}–{report.count(single.most)})",
                *_waits(found.flat),
            ),
            (f"one at a time, {PACE:,} a second", report.count(PACE), *_waits(found.paced)),
            (f"a file and a sync, {PACE:,} a second", report.count(PACE), *_waits(found.bare)),
        ],
        [
            report.verdict(f"Target: {BATCH_TARGET:,} orders/s in batches", is_met=batch.median >= BATCH_TARGET),
            report.verdict(f"Target: {SINGLE_TARGET:,} single orders/s", is_met=single.median >= SINGLE_TARGET),
            report.verdict(
                f"Target: p99 below {P99_SECONDS * 1000:g} ms at {CONNECTIONS} connections", is_met=p99.median < P99_SECONDS
            ),
            f"At {PACE:,} a second p99 is {report.times(paced.median / bare.median)} that of a file and a sync.",
            f"The host gave {stolen_share:.0%} of the processor time that was wanted meanwhile to others.",
        ],
    )


def _p99(rounds: Sequence[list[float]]) -> Spread:
    """Of each round's waits, in order."""
    return Spread.of([waits[int(len(waits) * 0.99)] for waits in rounds])


def _waits(rounds: Sequence[list[float]]) -> tuple[str, str]:
    """Median and p99, for the table."""
    p99 = _p99(rounds)
    median = Spread.of([waits[len(waits) // 2] for waits in rounds]).median
    return report.seconds(median), f"{report.seconds(p99.median)} ({report.seconds(p99.least)}–{report.seconds(p99.most)})"


def _request(key: str, what: str, kind: str) -> bytes:
    """The head of a request, up to its length."""
    return (
        f"POST /v1/programmes/bench/{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: "
    ).encode()


async def _load(
    port: int, head: bytes, bodies: Sequence[bytes], connections: int, pace: int = 0
) -> tuple[float, list[float]]:  # fmt: skip
    """Send them all, each connection one after the other; seconds in all, and each request's.

    pace : so many a second, each waiting from when it was due, whether or not a connection was free then; 0: no pace
    """
    coming = enumerate(bodies)
    waits: list[float] = []

    async def worker() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        for number, body in coming:
            due = began + number / pace if pace else perf_counter()
            if due > perf_counter():
                await asyncio.sleep(due - perf_counter())
            writer.write(head + str(len(body)).encode() + b"\r\n\r\n" + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            lines = answer.split(b"\r\n")
            assert lines[0].split()[1] in (b"200", b"201", b"207"), answer
            length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length"))
            await reader.readexactly(length)
            waits.append(perf_counter() - due)
        writer.close()
        await writer.wait_closed()

    began = perf_counter()
    await asyncio.gather(*(worker() for _ in range(connections)))
    return perf_counter() - began, waits


def serve(folder: Path) -> None:
    """A service with one programme, until a line comes in; it prints its port and a key."""
    import threading  # noqa: PLC0415 (the parent needs none of these)

    from bench.live import PROGRAMME, serving  # noqa: PLC0415
    from rangli.service.people.access import PER_SECOND_MAX  # noqa: PLC0415
    from rangli.web.serving import Server, listen  # noqa: PLC0415

    with serving(folder) as (service, _, _), listen("127.0.0.1", 0) as socket:
        token, _ = service.access.create("load", ["orders"], [PROGRAMME], per_second=PER_SECOND_MAX)
        server = Server(service, ready=lambda: print(socket.getsockname()[1], token, flush=True))

        def wait() -> None:
            sys.stdin.readline()
            server.should_exit = True

        threading.Thread(target=wait, daemon=True).start()
        server.run([socket])


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
