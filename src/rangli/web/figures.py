"""The figures: ``/metrics`` in Prometheus's text form, read from the settlers when asked, with a registry of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from rangli.service import Service

TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class Traffic:
    """Requests by route and status, and how long they took."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("rangli_http_requests", "HTTP requests answered.", ["route", "status"], registry=self.registry)
        self._seconds = Histogram("rangli_http_seconds", "Time to answer an HTTP request.", ["route"], registry=self.registry)
        self._of: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def note(self, route: str, status: int, seconds: float) -> None:
        """One more request."""
        known = self._of.get((route, status))
        if known is None:
            known = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._of[route, status] = known
        known[0].inc()
        known[1].observe(seconds)


COUNTED = {
    "orders": "Orders settled since this process started.",
    "refused": "Requests refused.",
    "repeated": "Requests that had been answered before.",
    "transfers": "Transfers written.",
    "batches": "Batches committed.",
    "failures": "Batches whose commit failed.",
    "checkpoints": "Checkpoints written.",
    "batch_seconds": "Time spent settling and committing batches.",
}
"""Counter of a settler -> what it counts."""


class Settlers(Collector):
    """The figures of every programme, by its name."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """One family for each figure. The database is not needed for them."""
        running = {name: self._service.running(name) for name in self._service.health().programmes}
        for name, what in COUNTED.items():
            counter = CounterMetricFamily(f"rangli_{name}", what, labels=["programme"])
            for programme, of in running.items():
                counter.add_metric([programme], getattr(of.figures, name))
            yield counter
        queued = GaugeMetricFamily("rangli_queued", "Requests that wait for the settler.", labels=["programme"])
        position = GaugeMetricFamily("rangli_position", "Decisions in the journal.", labels=["programme"])
        settling = GaugeMetricFamily(
            "rangli_settling", "1 where this process settles, 0 where it stands by.", labels=["programme"]
        )
        for programme, of in running.items():
            queued.add_metric([programme], of.figures.queued)
            position.add_metric([programme], of.position())
            settling.add_metric([programme], int(of.settler.role == "settling"))
        yield from (queued, position, settling)

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: registering asks the service nothing."""
        return iter(())


def exposition(service: Service, traffic: Traffic) -> bytes:
    """Everything as text."""
    settlers = CollectorRegistry()
    settlers.register(Settlers(service))
    return generate_latest(traffic.registry) + generate_latest(settlers)
