"""The service: programmes that are live. One use case is one method; the only room with a clock.

Service.open(database) ─▶ one Settler a programme ─▶ Running: ask it to decide (submit, do), ask it questions (order, …)

They bring the engine and PostgreSQL with them, so they are imported when somebody asks for them: the client needs only what goes
over the wire (``requests``, ``views``) and starts without either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["Running", "Service"]

if TYPE_CHECKING:
    from rangli.service.live import Service
    from rangli.service.running import Running
else:

    def __getattr__(name: str) -> object:
        """One of those two, from where it is (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from rangli.service import live, running  # noqa: PLC0415  (the engine and PostgreSQL, for whoever wants them)

        return getattr(running if name == "Running" else live, name)
