"""The application: FastAPI as the frame, with the routes of our own table and the doors of the console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from rangli.web.console.frame import Frame
from rangli.web.console.house import DOORS
from rangli.web.desk import Desk
from rangli.web.front import Doorway, Front, refuse_route
from rangli.web.openapi import document
from rangli.web.page import page
from rangli.web.proxies import Proxies
from rangli.web.routes import ROUTES

if TYPE_CHECKING:
    from rangli.service import Service


def application(service: Service, *, open_metrics: bool = True, proxies: Proxies = ()) -> FastAPI:
    """The app.

    open_metrics : False lets only keys with the scope ``read`` see /metrics
    proxies      : whose word counts for whom and by which way a request comes
    """
    desk = Desk(service, open_metrics=open_metrics, proxies=proxies)
    desk.document = msgspec.json.encode(document())
    desk.page = page()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    app = FastAPI(title="Rangli", version=version("rangli"), openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.desk = desk
    app.router.redirect_slashes = False
    for route in ROUTES:
        app.add_route(route.path, Doorway(desk, route), methods=[route.method])  # type: ignore[arg-type]
    Frame(DOORS).hang(app, desk)
    app.add_exception_handler(HTTPException, refuse_route)
    app.add_middleware(Front, desk)
    return app
