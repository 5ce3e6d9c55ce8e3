"""The desk: what every endpoint has at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from rangli.web.asked import Asked
from rangli.web.feed import Watch
from rangli.web.figures import Traffic
from rangli.web.gate import Gate, Meter
from rangli.web.intake import Intake
from rangli.web.log import Log
from rangli.web.proxies import Proxies

if TYPE_CHECKING:
    from rangli.service import Running, Service

THREADS: Final = 16
"""For questions, which wait for the database."""

P = ParamSpec("P")
T = TypeVar("T")


class Desk:
    """The service, the gate, the log, and the threads that ask the service."""

    def __init__(self, service: Service, *, open_metrics: bool = True, proxies: Proxies = ()) -> None:
        self.service = service
        self.open_metrics = open_metrics
        """Whether figures are shown without a key."""
        self.proxies = proxies
        """Who may say for whom a request is."""
        self.document = self.page = b""
        """The OpenAPI document and the page of /docs; the application makes them."""
        self.gate = Gate(service.access, self.ask)
        self.meter = Meter()
        self.log = Log(service.clock)
        self.traffic = Traffic()
        self._threads = ThreadPoolExecutor(THREADS, "rangli web")
        self._intakes: dict[str, Intake] = {}
        self._watches: dict[str, Watch] = {}
        self._stopping = False

    async def ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what may wait in a thread, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: question(*args, **kwargs))

    async def admit(self, asked: Asked, scope: str, programme: str | None) -> None:
        """Let the request in. Raises KeyRefused, ScopeRefused, or Fault when its key asks too often."""
        grant = await self.gate.grant(asked.header(b"authorization"))
        grant.require(scope, programme)
        self.meter.charge(grant)
        asked.grant = grant

    def charge_rows(self, asked: Asked, rows: int) -> None:
        """What a batch costs its key beyond a request."""
        assert asked.grant is not None
        self.meter.charge_rows(asked.grant, rows)

    async def running(self, programme: str) -> Running:
        """The programme of this name. Raises ProgrammeNotFound."""
        return await self.ask(self.service.running, programme)

    async def intake(self, programme: str) -> Intake:
        """Where requests of this programme go. Raises ProgrammeNotFound."""
        known = self._intakes.get(programme)
        if known is None:
            known = self._intakes[programme] = Intake(await self.running(programme))
        return known

    def watch(self, running: Running) -> Watch:
        """Who wakes the readers of this programme's feed."""
        if running.name not in self._watches:
            self._watches[running.name] = Watch(running, stopped=self._stopping)
        return self._watches[running.name]

    def end_feeds(self) -> None:
        """Let every feed end, so that a server that stops does not wait for them."""
        self._stopping = True
        for watch in self._watches.values():
            watch.stop()

    def close(self) -> None:
        """Write the rest of the log, and let the threads go."""
        self.end_feeds()
        self.log.flush()
        self._threads.shutdown(wait=False)
