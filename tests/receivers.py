"""A server on loopback that takes down what it is sent, for tests of what we tell others."""

from __future__ import annotations

import _socket
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec
import pytest

PATIENCE_SECONDS = 20


class Request(NamedTuple):
    """What a receiver was sent."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def positions(self) -> list[int]:
        """The decisions in it."""
        return [decision["position"] for decision in msgspec.json.decode(self.body)["data"]["decisions"]]


class Receiver:
    """A server on loopback that takes down what it is sent, and answers as it is told to."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: dict[str, int] = {}
        """Status by path; 200 where there is none."""
        self.patience = threading.Event()
        """Until it is set, ``/slow`` does not answer."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Request(self.path, headers, body))
                if self.path == "/slow":
                    receiver.patience.wait(PATIENCE_SECONDS)
                self.send_response(receiver.answers.get(self.path, 200))
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """An address of this receiver."""
        return f"http://{host}:{self.port}{path}"

    def to(self, path: str) -> list[Request]:
        """What came to a path."""
        return [request for request in self.requests if request.path == path]

    def close(self) -> None:
        """Stop listening."""
        self.patience.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def eventually(is_so: Callable[[], Any]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.01)


@contextmanager
def loopback() -> Iterator[None]:
    """Sockets may connect to servers of the test's own; everybody else stays out of reach."""

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        assert address[0] == "127.0.0.1", f"a test wanted to reach {address}"
        _socket.socket.connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield
