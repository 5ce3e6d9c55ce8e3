"""Serving: it listens where it is told, says so, and stops cleanly with every connection ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import httpx
import pytest
import web_worlds
from web_worlds import SHOP, Site, opened_port, served, until

from rangli.errors import AddressRefused
from rangli.service.clock import SetClock
from rangli.store.database import Database
from rangli.web.log import LINES_MAX, Log
from rangli.web.serving import listen

database = web_worlds.database
site = web_worlds.site

PROGRAM = """
import sys
from rangli.service import Service
from rangli.store.database import Database
from rangli.web import serve

with Database(sys.argv[1]) as database, Service.open(database) as service:
    serve(service, host="127.0.0.1", port=0, ready=lambda address: print(address, flush=True))
print("closed", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_the_process_goes_on_to_close_what_it_has(
    database: Database, number: signal.Signals
) -> None:
    """A server that dies of its signal leaves checkpoints unwritten and the embedded database running."""
    program = [sys.executable, "-W", "error", "-c", PROGRAM, database.url]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with opened_port(int(address.rpartition(":")[2])):
            answer = httpx.get(f"{address}/healthz")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)

    assert 200 == answer.status_code
    assert (0, "closed\n") == (process.returncode, out), err
    assert 1 == err.count('"/healthz"'), "what was still to be logged is written before the end"


def test_a_feed_ends_with_its_server_and_not_in_the_middle(site: Site) -> None:
    """A stop that waits for feeds would never come; one that cuts them looks like a fault to every reader."""
    lines: list[str] = []

    def read(url: str) -> None:
        with site.http() as http, http.stream("GET", f"{url}/v1/programmes/{SHOP}/feed") as stream:
            lines.extend(stream.iter_lines())
        lines.append("ended")

    with served(site.service) as (_, url):
        reader = threading.Thread(target=read, args=(url,))
        reader.start()
        until(lambda: bool(lines) or not reader.is_alive())
    reader.join(30)

    assert "ended" == lines[-1]
    assert lines[-2] == "", "the last event is whole"


def test_an_address_that_is_taken_is_refused() -> None:
    """Two services on one port: the second must not go on as if it listened."""
    with listen("127.0.0.1", 0) as taken, pytest.raises(AddressRefused, match="choose another"):
        listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(AddressRefused):
        listen("192.0.2.1", 0)  # an address for documents, which no machine has


def test_many_lines_are_written_at_once_and_in_order() -> None:
    """At thousands of requests a second nothing waits for the second to end."""
    written: list[str] = []
    log = Log(SetClock(0), written.append)
    log._planned = True
    for number in range(LINES_MAX + 1):
        log.request("GET", "/", 200, "0.1", str(number), "", "")

    assert 1 == len(written)
    assert [f'"request":"{number}"' in line for number, line in enumerate(written[0].splitlines())] == [True] * LINES_MAX
    log.flush()

    assert 2 == len(written)
    log.flush()

    assert 2 == len(written), "nothing is written when there is nothing"
