"""Serving: uvicorn in this process, until SIGTERM or SIGINT, and then a clean stop."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from rangli.errors import AddressRefused
from rangli.web.app import application
from rangli.web.garbage import Aside
from rangli.web.proxies import Proxies

if TYPE_CHECKING:
    from rangli.service import Service

STOP_SECONDS_MAX: Final = 10
"""How long a stop waits for answers that are on their way."""

LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": '{"level":"%(levelname)s","event":"server","what":"%(message)s"}'}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
    "loggers": {"uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False}},
}
"""What uvicorn itself has to say, which is little: each request has its line already."""


class Server(uvicorn.Server):
    """uvicorn, but it ends the feeds before it waits for answers, and gives control back after a signal."""

    def __init__(
        self,
        service: Service,
        *,
        open_metrics: bool = True,
        proxies: Proxies = (),
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = application(service, open_metrics=open_metrics, proxies=proxies)
        self._aside = Aside()
        self._ready = ready
        config = uvicorn.Config(
            self._app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=LOGGING,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so when it listens."""
        await super().startup(sockets)
        self._aside.start()
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """A feed never ends by itself."""
        self._app.state.desk.end_feeds()
        await super().shutdown(sockets)
        self._aside.stop()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A signal ends ``run``, and the process goes on to close what it has open."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises AddressRefused."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as fault:
        raise AddressRefused(
            f"无法在 {host}:{port} 上监听:{fault};请换一个地址或端口",
            f"cannot listen on {host}:{port}: {fault}; choose another address or port",
        ) from fault


def serve(
    service: Service,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None] | None = None,
    open_metrics: bool = True,
    proxies: Proxies = (),
) -> None:
    """Serve until SIGTERM or SIGINT. ``ready`` gets the address once it answers; port 0 is any free. Raises AddressRefused."""
    with listen(host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listening.getsockname()[1]}"
        server = Server(
            service, open_metrics=open_metrics, proxies=proxies, ready=lambda: ready(address) if ready else None
        )  # fmt: skip
        server.run([listening])
