"""The API under load from another process: batches of NDJSON, and single orders over 64 connections.

The client speaks HTTP by hand over plain sockets, so that it takes as little as can be of the cores that it shares with the
server and the database; what remains of its share is part of what is measured.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

import msgspec

from bench import report
from bench.timing import Spread

BATCH_TARGET: Final = 12_000
SINGLE_TARGET: Final = 1_500
P99_SECONDS: Final = 0.05
CONNECTIONS: Final = 64
ROWS: Final = 2_000


class Sizes(NamedTuple):
    """How much."""

    batches: int = 60
    singles: int = 12_000
    rounds: int = 3


TINY: Final = Sizes(2, 200, 1)


def measure(tick: report.Tick, *, tiny: bool) -> report.Section:
    """The table of both ways."""
    from bench.live import TINY as TINY_LIVE  # noqa: PLC0415 (it imports this module)
    from bench.live import Sizes as LiveSizes  # noqa: PLC0415
    from bench.live import data_folder, orders  # noqa: PLC0415

    sizes, live = (TINY, TINY_LIVE) if tiny else (Sizes(), LiveSizes())
    with data_folder() as folder:
        command = [sys.executable, "-m", "bench.http_load", str(folder)]
        with subprocess.Popen(
            command, cwd=report.ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server:
            assert server.stdout is not None
            port, key = server.stdout.readline().split()
            first, batch_rates, single_rates, p99s, medians = 0, [], [], [], []
            encoder = msgspec.json.Encoder()
            for round_number in range(-1, sizes.rounds):
                count = (sizes.batches if round_number >= 0 else 3) * ROWS
                lines = [encoder.encode(order) for order in orders(count, first, live)]
                bodies = [b"\n".join(lines[at : at + ROWS]) for at in range(0, count, ROWS)]
                first += count
                taken = asyncio.run(_load(int(port), _request(key, "orders:batch", "application/x-ndjson"), bodies, 2))
                batch_rate = count / taken[0]
                count = sizes.singles if round_number >= 0 else 500
                bodies = [encoder.encode(order) for order in orders(count, first, live)]
                first += count
                request = _request(key, "orders", "application/json")
                seconds, waits = asyncio.run(_load(int(port), request, bodies, CONNECTIONS))
                if round_number >= 0:  # the first round warms up
                    waits.sort()
                    batch_rates.append(batch_rate)
                    single_rates.append(count / seconds)
                    p99s.append(waits[int(len(waits) * 0.99)])
                    medians.append(waits[len(waits) // 2])
                tick(f"round {round_number + 1}")
            server.communicate("stop\n")
    batch, single, p99 = Spread.of(batch_rates), Spread.of(single_rates), Spread.of(p99s)
    return report.Section(
        "Over HTTP, from another process",
        f"`POST …/orders:batch`, {ROWS:,} rows of NDJSON a request, two at a time; `POST …/orders`, one order a request,"
        f" {CONNECTIONS} connections. Client, server and database share the cores. Medians of {sizes.rounds} rounds.",
        ("way", "orders/s", "median wait", "p99"),
        [
            ("batches", f"**{report.count(batch.median)}** ({report.count(batch.least)}–{report.count(batch.most)})", "", ""),
            (
                "one at a time",
                f"**{report.count(single.median)}** ({report.count(single.least)}–{report.count(single.most)})",
                report.seconds(Spread.of(medians).median),
                f"{report.seconds(p99.median)} ({report.seconds(p99.least)}–{report.seconds(p99.most)})",
            ),
        ],
        [
            report.verdict(f"Target: {BATCH_TARGET:,} orders/s in batches", is_met=batch.median >= BATCH_TARGET),
            report.verdict(f"Target: {SINGLE_TARGET:,} single orders/s", is_met=single.median >= SINGLE_TARGET),
            report.verdict(f"Target: p99 below {P99_SECONDS * 1000:g} ms", is_met=p99.median < P99_SECONDS),
        ],
    )


def _request(key: str, what: str, kind: str) -> bytes:
    """The head of a request, up to its length."""
    return (
        f"POST /v1/programmes/bench/{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: "
    ).encode()


async def _load(port: int, head: bytes, bodies: Sequence[bytes], connections: int) -> tuple[float, list[float]]:
    """Send them all, each connection one after the other; seconds in all, and each request's."""
    coming = iter(bodies)
    waits: list[float] = []

    async def worker() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        for body in coming:
            started = perf_counter()
            writer.write(head + str(len(body)).encode() + b"\r\n\r\n" + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            lines = answer.split(b"\r\n")
            assert lines[0].split()[1] in (b"200", b"201", b"207"), answer
            length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length"))
            await reader.readexactly(length)
            waits.append(perf_counter() - started)
        writer.close()
        await writer.wait_closed()

    started = perf_counter()
    await asyncio.gather(*(worker() for _ in range(connections)))
    return perf_counter() - started, waits


def serve(folder: Path) -> None:
    """A service with one programme, until a line comes in; it prints its port and a key."""
    import threading  # noqa: PLC0415 (the parent needs none of these)

    from bench.live import PROGRAMME, serving  # noqa: PLC0415
    from rangli.service.access import PER_SECOND_MAX  # noqa: PLC0415
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
