"""Torture: the service and its database are killed at random under load, and nothing acknowledged may be lost or doubled.

``make torture SEED=7 KILLS=200``. Clients send orders and refunds over HTTP and repeat each request until it is answered;
meanwhile the service, the database or both get ``kill -9`` at random moments and are started again. At the end every answer that
was given must be in the journal once, repeated requests must get the first answer, and ``verify`` must find nothing. A failure
says the seed that replays it: the same requests and kinds of kills in the same order (the moments are the machine's).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec

from rangli.store.server import EmbeddedServer

PROGRAMME = "torture"
CLIENTS = 4
BATCH = 25
ANSWER_SECONDS = 120


# ---------------------------------------------------------------- the service, in a process of its own


def serve(folder: Path, port: int) -> None:
    """The API on this port until it is killed."""
    from rangli.service import Service
    from rangli.store.database import Database
    from rangli.web.serving import Server, listen

    server = started(folder)
    with listen("127.0.0.1", port) as socket, Database(server.url, server.revive) as database:
        service = Service.open(database, checkpoint_every=500)
        if PROGRAMME not in [view.name for view in service.programmes()]:
            service.create(PROGRAMME, "weituanbao", secret=bytes(32))
        token = folder.parent.joinpath("token")
        if not token.exists():
            secret, _ = service.access.create("torture", ["orders", "read"], per_second=100_000)
            token.write_text(secret)
        service.wait_ready(60)
        Server(service, ready=lambda: print("ready", flush=True)).run([socket])
        service.close()
    server.stop()


def started(folder: Path) -> EmbeddedServer:
    """The embedded server; it may have been killed a moment ago, while it was starting."""
    from rangli.errors import ServerRefused

    for attempt in range(20):
        try:
            return EmbeddedServer.start(folder)
        except ServerRefused:
            if attempt == 19:
                raise
            time.sleep(0.2)
    raise AssertionError


# ---------------------------------------------------------------- clients


class Client(threading.Thread):
    """Sends its own requests, each until it is answered, and remembers the answers."""

    def __init__(self, number: int, seed: int, port: int, token: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.answers: dict[tuple[str, str], tuple[int, str]] = {}
        self.orders: list[dict[str, str]] = []
        self.refunds: list[dict[str, str]] = []
        self.faults: list[str] = []
        self._draw = random.Random(f"{seed} {number}")
        self._address = f"http://127.0.0.1:{port}/v1/programmes/{PROGRAMME}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._stop_asked = stop
        self._http = httpx.Client(timeout=30)

    def run(self) -> None:
        """Batches of orders, now and then a refund of one of them, now and then the same request once more."""
        try:
            while not self._stop_asked.is_set():
                what = self._draw.random()
                if what < 0.7 or not self.orders:
                    self._send_orders([self._order() for _ in range(self._draw.randint(1, BATCH))])
                elif what < 0.9:
                    self._refund()
                else:
                    self._repeat()
        except Exception as fault:  # noqa: BLE001 - shown at the end
            self.faults.append(repr(fault))
        finally:
            self._http.close()

    def _order(self) -> dict[str, str]:
        draw = self._draw
        order = {
            "order_id": f"{self.number}-{len(self.orders)}",
            "paid_at": "2026-01-05 12:00:00",
            "merchant": f"店{draw.randrange(20)}",
            "consumer": f"客{draw.randrange(200)}",
            "amount": f"{draw.randint(1, 300)}.{draw.randint(10, 99)}",
            "concession": "20%",
            "referrer": f"客{draw.randrange(200)}",
        }
        self.orders.append(order)
        return order

    def _send_orders(self, orders: list[dict[str, str]]) -> None:
        for order, row in zip(orders, self._post("orders:batch", orders), strict=True):
            self._note("order", order["order_id"], row.get("answer", row))

    def _refund(self) -> None:
        known = {refund["order_id"] for refund in self.refunds}
        order = self._draw.choice(self.orders)
        if order["order_id"] not in known:
            refund = {"refund_id": f"r{self.number}-{len(self.refunds)}", "order_id": order["order_id"], "amount": "1.00"}
            self.refunds.append(refund)
            self._note("refund", refund["refund_id"], self._post("refunds", refund))

    def _repeat(self) -> None:
        order = self._draw.choice(self.orders)
        self._note("order", order["order_id"], self._post("orders", order))

    def _note(self, kind: str, key: str, answer: dict[str, Any]) -> None:
        """An answer; a second one to the same request must be the first."""
        if answer.get("position") is None:
            self.faults.append(f"{kind} {key}: {answer}")
            return
        now = answer["position"], answer["hash"]
        if self.answers.setdefault((kind, key), now) != now:
            self.faults.append(f"{kind} {key}: answered {self.answers[kind, key]} and then {now}")

    def _post(self, what: str, body: object) -> Any:  # noqa: ANN401 (whatever JSON it is)
        """Until it is answered."""
        until = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                answer = self._http.post(f"{self._address}/{what}", json=body, headers=self._headers)
                if answer.status_code < 300:
                    said = answer.json()
                    if not (isinstance(said, list) and any(row["status"] == 503 for row in said)):
                        return said
                elif answer.status_code not in (429, 500, 503):
                    raise AssertionError(f"{what}: {answer.status_code} {answer.text}")
                elif answer.status_code == 500:
                    self.faults.append(f"{what}: a 500: {answer.text}")
            time.sleep(0.05)
        raise AssertionError(f"{what} was not answered within {ANSWER_SECONDS} s")


# ---------------------------------------------------------------- killing


class Target:
    """The service and its database, killed and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.service: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the service, and wait until it serves."""
        command = [sys.executable, __file__, "--serve", str(self.folder), str(self.port)]
        log = self.folder.parent.joinpath("service.log").open("a")
        self.service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        assert self.service.stdout is not None
        assert self.service.stdout.readline() == "ready\n", self.folder.parent.joinpath("service.log").read_text()[-3000:]

    def kill(self, what: str) -> None:
        """``kill -9`` of the service, the database's parent process, all of the database's processes, or everything."""
        assert self.service is not None
        if what in ("database", "both"):
            with suppress(FileNotFoundError, IndexError, ValueError, ProcessLookupError):
                postmaster = self._postmaster()
                if postmaster in self._processes():  # it may have died before, and its number be another's by now
                    os.kill(postmaster, signal.SIGKILL)
        if what in ("all of the database", "both"):
            for pid in self._processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if what in ("service", "both"):
            self.service.kill()
            self._ended()
            self.start()

    def stop(self) -> None:
        """A clean stop."""
        assert self.service is not None
        self.service.terminate()
        self._ended()

    def _ended(self) -> None:
        """Wait for its end."""
        assert self.service is not None
        assert self.service.stdout is not None
        self.service.wait(30)
        self.service.stdout.close()

    def _postmaster(self) -> int:
        return int(self.folder.joinpath("cluster", "postmaster.pid").read_text().split()[0])

    def _processes(self) -> Iterator[int]:
        from databases import processes_in

        yield from processes_in(self.folder)


KINDS = ("service", "database", "all of the database", "both")


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder that the database's user can reach."""
    with tempfile.TemporaryDirectory(prefix="rangli-torture-") as name:
        Path(name).chmod(0o755)
        yield Path(name).joinpath("data")


def torture(seed: int, kills: int, say: Callable[[str], None] = print) -> Counter[str]:
    """Kill so many times; what was done, counted. Raises AssertionError with everything that was wrong."""
    import socket

    draw = random.Random(seed)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with workplace() as folder:
        target = Target(folder, port)
        target.start()
        stop = threading.Event()
        token = folder.parent.joinpath("token").read_text()
        clients = [Client(number, seed, port, token, stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        counts: Counter[str] = Counter()
        try:
            wait_for_answers(clients)  # a first start may have to compile
            for number in range(kills):
                time.sleep(draw.expovariate(2.0))
                kind = draw.choice(KINDS)
                target.kill(kind)
                counts[kind] += 1
                if (number + 1) % 10 == 0:
                    say(f"{number + 1} kills, {sum(len(client.answers) for client in clients)} answers")
            wait_for_answers(clients)
        finally:
            stop.set()
            for client in clients:
                client.join(ANSWER_SECONDS)
            target.stop()
        counts["answers"] = sum(len(client.answers) for client in clients)
        faults = [fault for client in clients for fault in client.faults]
        faults += check(folder, clients)
    assert not faults, f"seed {seed}, {kills} kills:\n" + "\n".join(faults[:20])
    return counts


def wait_for_answers(clients: list[Client]) -> None:
    """Until every client has had one more answer, or has something to tell."""
    until = time.monotonic() + ANSWER_SECONDS
    before = [len(client.answers) for client in clients]
    while any(len(client.answers) == count and not client.faults for client, count in zip(clients, before, strict=True)):
        assert time.monotonic() < until, f"not every client was answered within {ANSWER_SECONDS} s"
        time.sleep(0.05)


def check(folder: Path, clients: list[Client]) -> list[str]:
    """What the journal says of the answers that were given."""
    from rangli.service.settling.verify import verify
    from rangli.store import rows
    from rangli.store.database import Database

    faults = []
    server = started(folder)
    with Database(server.url) as database:
        verified = verify(database, PROGRAMME)
        with database.connect() as connection:
            query = "SELECT kind, key, position, encode(hash, 'hex') FROM journal WHERE key <> 'genesis'"
            found = connection.execute(query).fetchall()
    server.stop()
    journal = {(rows.KIND_NAMES[kind], key): (position, digest) for kind, key, position, digest in found}
    if len(journal) != len(found):
        faults.append("an id is in the journal twice")
    answered: dict[tuple[str, str], tuple[int, str]] = {}
    for client in clients:
        answered |= client.answers
    wrong = {key: answer for key, answer in answered.items() if journal.get(key) != answer}
    faults += [f"{key}: answered {answer}, in the journal {journal.get(key)}" for key, answer in wrong.items()]
    faults += [f"{key} is in the journal and was never answered" for key in journal.keys() - answered.keys()]
    if verified.position != len(found) + 1:
        faults.append(f"{verified.position} decisions, {len(found)} of them asked for")
    return faults


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--serve", nargs=2, metavar=("FOLDER", "PORT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(Path(asked.serve[0]), int(asked.serve[1]))
        return
    started_at = time.monotonic()
    counts = torture(asked.seed, asked.kills)
    print(f"nothing lost, nothing doubled: {msgspec.json.encode(counts).decode()} in {time.monotonic() - started_at:.0f} s")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
