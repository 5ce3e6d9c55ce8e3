"""The console over a long journal: what a page of a hundred rows takes on the server, alone and during a burst of orders.

The journal is settled by the service itself; pages are asked for over HTTP by one reader, as a browser would.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from io import StringIO
from itertools import pairwise
from time import perf_counter
from typing import Final, NamedTuple
from urllib.parse import quote

import httpx

from bench import report
from bench.live import PROGRAMME, data_folder, orders, serving, settle
from bench.live import TINY as TINY_ORDERS
from bench.live import Sizes as Orders
from bench.timing import Spread, stolen
from rangli.service import Running, Service
from rangli.service.looking.browsing import LARGEST, OrdersWanted
from rangli.service.people.staff import By
from rangli.web.console.door import COOKIE
from rangli.web.serving import Server, listen

PAGE_SECONDS: Final = 0.15
READ_SECONDS: Final = 600
BURST: Final = 10_000
"""Orders a second."""


class Sizes(NamedTuple):
    """How much."""

    orders: int = 2_000_000
    batch: int = 10_000
    visits: int = 15
    burst_seconds: int = 8


TINY: Final = Sizes(2_000, 500, 2, 2)


class Reader:
    """Somebody who may see everything."""

    def __init__(self, service: Service, url: str) -> None:
        staff, by = service.staff, By("bench", "owner", "")
        password = staff.add(by, "reader", "owner")
        staff.change_password("reader", password, "a password of no use elsewhere")
        token = staff.sign_in("reader", "a password of no use elsewhere", address="127.0.0.1", agent="bench")
        self.http = httpx.Client(base_url=f"{url}/console", cookies={COOKIE: token}, timeout=60)

    def seconds(self, path: str) -> float:
        """How long a page takes. The asking side is some two milliseconds of it."""
        start = perf_counter()
        response = self.http.get(path)
        taken = perf_counter() - start
        assert response.status_code == 200, (path, response.status_code, response.text[:300])
        return taken

    def next_pages(self, path: str, count: int) -> str:
        """The address that so many clicks on "next page" lead to."""
        for _ in range(count):
            text = self.http.get(path).text
            at = text.find('rel="next" href="')
            if at < 0:
                return path
            path = text[at + len('rel="next" href="') :].split('"', 1)[0].replace("&amp;", "&").removeprefix("/console")
        return path


@contextmanager
def console(service: Service) -> Iterator[Reader]:
    """The service behind a server in a thread of its own."""
    ready = threading.Event()
    with listen("127.0.0.1", 0) as door, redirect_stderr(StringIO()):  # its log
        server = Server(service, ready=ready.set)
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        ready.wait()
        reader = Reader(service, f"http://127.0.0.1:{door.getsockname()[1]}")
        try:
            yield reader
        finally:
            reader.http.close()
            server.should_exit = True
            thread.join()


def pages(reader: Reader, running: Running, last: int) -> dict[str, str]:
    """What is looked at: name -> address. The journal is in memory by then, as it is once somebody has searched."""
    base = f"/p/{PROGRAMME}"
    while running.browsing.orders(OrdersWanted(sort=LARGEST)).is_waiting:
        running.browsing.wait_filled(READ_SECONDS)
    shop, person = quote("店7"), quote("客77")
    order_id = 2026010500000000 + last - 5
    return {
        "orders, newest first": f"{base}/orders",
        "orders, five pages on": reader.next_pages(f"{base}/orders", 5),
        "orders of a shop": f"{base}/orders?merchant={shop}",
        "orders of a consumer": f"{base}/orders?consumer={person}",
        "orders, largest first": f"{base}/orders?sort=largest",
        "orders, largest first, five pages on": reader.next_pages(f"{base}/orders?sort=largest", 5),
        "orders of a shop, smallest first": f"{base}/orders?merchant={shop}&sort=smallest",
        "settled orders, largest first": f"{base}/orders?status=settled&sort=largest",
        "one order": f"{base}/orders/{order_id}",
        "accounts": f"{base}/accounts",
        "accounts by balance": f"{base}/accounts?sort=largest",
        "accounts by balance, by name": f"{base}/accounts?kind=consumer&name={quote('客7')}&sort=largest",
        "accounts by last decision": f"{base}/accounts?sort=latest",
        "a shop's statement": f"{base}/accounts/{quote('merchant:店7:concession', safe='')}",
        "the platform's statement": f"{base}/accounts/{quote('platform:surplus', safe='')}",
        "a shop's statement, oldest first": f"{base}/accounts/{quote('merchant:店7:concession', safe='')}?sort=oldest",
        "an agent's statement, oldest first": f"{base}/accounts/{quote('agent:商务7:wallet', safe='')}?sort=oldest",
        "the platform's statement, oldest first": f"{base}/accounts/{quote('platform:surplus', safe='')}?sort=oldest",
        "the platform's statement, oldest first, five pages on": reader.next_pages(
            f"{base}/accounts/{quote('platform:surplus', safe='')}?sort=oldest", 5
        ),
        "journal": f"{base}/journal",
        "overview": base,
    }


def measure(sizes: Sizes, tick: report.Tick, *, tiny: bool) -> report.Section:
    """The table."""
    drawn = TINY_ORDERS if tiny else Orders()
    with ExitStack() as stack:
        service, running, _ = stack.enter_context(serving(stack.enter_context(data_folder())))
        for first in range(0, sizes.orders, sizes.batch):
            settle(running, orders(sizes.batch, first, drawn), sizes.batch)
        tick(f"{sizes.orders:,} orders")
        share = stack.enter_context(stolen())
        reader = stack.enter_context(console(service))
        there = pages(reader, running, sizes.orders)
        alone = {name: Spread.of([reader.seconds(path) for _ in range(sizes.visits)]) for name, path in there.items()}
        tick("pages")
        burst, meanwhile = _burst(running, reader, there, sizes, drawn)
        tick("burst")
        worst = max(spread.median for spread in alone.values())
        return report.Section(
            f"Pages of the console over {sizes.orders:,} orders",
            f"A hundred rows a page, asked for over HTTP from the same process; medians of {sizes.visits} visits (most)."
            f" During the burst {BURST:,} orders a second are handed in, and {burst.rate:,.0f} settled.",
            ("page", "alone", "during a burst"),
            [(name, _waits(alone[name]), _waits(meanwhile[name])) for name in there],
            [
                report.verdict(f"Target: a page < {report.seconds(PAGE_SECONDS)}", is_met=worst < PAGE_SECONDS),
                burst.told(),
                f"The host gave {share():.0%} of the processor time that was wanted meanwhile to others.",
            ],
        )


class Burst(NamedTuple):
    """What the live page got meanwhile, a second."""

    rate: float
    events: float
    kilobytes: float
    silence: float

    def told(self) -> str:
        """In a sentence."""
        return (
            f"The live page during the burst: {self.events:.1f} events and {self.kilobytes:.1f} kB a second, the longest silence"
            f" {report.seconds(self.silence)}."
        )


def _burst(
    running: Running, reader: Reader, there: dict[str, str], sizes: Sizes, drawn: Orders
) -> tuple[Burst, dict[str, Spread]]:
    """Orders at a pace, a reader of the live page, and visits to the pages."""
    stop, settled, arrived = threading.Event(), [0], [(perf_counter(), 0)]
    per_batch = BURST // 10
    prepared = [orders(per_batch, sizes.orders + k * per_batch, drawn) for k in range(10 * sizes.burst_seconds)]

    def hand_in() -> None:
        began = perf_counter()
        for k, some in enumerate(prepared):
            if stop.wait(max(0.0, began + k / 10 - perf_counter())):
                break
            running.do(some)
            settled[0] += len(some)

    def watch() -> None:
        with reader.http.stream("GET", f"/p/{PROGRAMME}/live") as response:
            for part in response.iter_bytes():
                arrived.append((perf_counter(), len(part)))
                if stop.is_set():
                    break

    threads = [threading.Thread(target=task) for task in (hand_in, watch)]
    began = perf_counter()
    for thread in threads:
        thread.start()
    meanwhile: dict[str, list[float]] = {name: [] for name in there}
    while threads[0].is_alive():
        for name, path in there.items():
            meanwhile[name].append(reader.seconds(path))
    seconds = perf_counter() - began
    stop.set()
    running.do(orders(1, sizes.orders + len(prepared) * per_batch, drawn))  # the watcher sees that it is over
    for thread in threads:
        thread.join()
    silence = max(b - a for (a, _), (b, _) in pairwise(arrived))
    sizes_of = [size for _, size in arrived]
    burst = Burst(settled[0] / seconds, len(arrived) / seconds, sum(sizes_of) / 1000 / seconds, silence)
    return burst, {name: Spread.of(waits) for name, waits in meanwhile.items()}


def _waits(spread: Spread) -> str:
    return f"{report.seconds(spread.median)} ({report.seconds(spread.most)})"


def main() -> None:
    """Measure, show, and perhaps record."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing about speed, to see that it works")
    parser.add_argument("--write", action="store_true", help="record the results in bench/RESULTS.md")
    asked = parser.parse_args()
    terminal = report.terminal()
    terminal.print(report.machine())
    with report.progress(terminal) as bar:
        task = bar.add_task("console", total=3)
        section = measure(
            TINY if asked.tiny else Sizes(), lambda step: bar.update(task, advance=1, description=step), tiny=asked.tiny
        )
    report.show(terminal, section)
    if asked.write:
        assert not asked.tiny, "tiny sizes say nothing"
        report.write("console", "The console", "python -m bench.console --write", [section])


if __name__ == "__main__":
    main()
