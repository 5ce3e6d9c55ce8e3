"""The HTTP API: the only place that knows HTTP. ``application`` is the app, ``serve`` runs it in this process."""

from __future__ import annotations

from rangli.web.app import application
from rangli.web.proxies import proxies_of
from rangli.web.serving import listen, serve

__all__ = ["application", "listen", "proxies_of", "serve"]
