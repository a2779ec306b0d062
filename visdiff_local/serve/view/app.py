"""The page's routes: rows of the gallery, thumbnails, enlarged pictures; the rest is NiceGUI's."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from visdiff_local.errors import InputError
from visdiff_local.results.folder import THUMBNAILS
from visdiff_local.serve.view.asking import Asker
from visdiff_local.serve.view.data import Gallery, Query
from visdiff_local.serve.view.pictures import LARGE, Locate, Thumbnails, draw

PAGE = 240
"""Rows of one answer at most."""
_READERS = 256
"""Pages whose queries are remembered; each reload of the browser is one."""
_KEPT_BY_THE_BROWSER = {"cache-control": "private, max-age=3600"}


@dataclass
class Desk:
    """What all pages of one server share."""

    gallery: Gallery
    other: Gallery | None
    asker: Asker | None
    thumbnails: Thumbnails
    queries: "OrderedDict[str, Query]" = field(default_factory=OrderedDict)

    def ask_for(self, reader: str, query: Query) -> None:
        """Remembers what this reader looks at."""
        self.queries[reader] = query
        self.queries.move_to_end(reader)
        while len(self.queries) > _READERS:
            self.queries.popitem(last=False)


def build(
    gallery: Gallery,
    other: Gallery | None,
    asker: Asker | None,
    *,
    locate: Locate,
    ready: Callable[[], None],
) -> FastAPI:
    """The application; :mod:`.server` puts the guard around it."""
    from visdiff_local.serve.view.page import draw_page

    desk = Desk(gallery, other, asker, Thumbnails(gallery.run_dir / THUMBNAILS, locate))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        ready()
        yield

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    routes = _Routes(desk)
    app.add_route("/rows", routes.rows)
    app.add_route("/thumb/{row:int}", routes.thumbnail)
    app.add_route("/image/{row:int}", routes.image)
    app.add_route("/health", routes.health)
    ui.run_with(
        app,
        root=lambda: draw_page(desk),
        title="visdiff-local view",
        dark=None,
        favicon="🔍",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=30,
    )
    return app


class _Routes:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def rows(self, request: Request) -> Response:
        """A part of the images that a reader's query shows."""
        asked = request.query_params
        query = self._desk.queries.get(asked.get("query", ""))
        try:
            start, count = int(asked.get("start", "0")), int(asked.get("count", "0"))
        except ValueError:
            return PlainTextResponse("start and count are numbers", 400)
        if query is None or start < 0 or not 0 < count <= PAGE:
            return PlainTextResponse("no such part", 404)

        def found() -> Any:
            rows = self._desk.gallery.order(query)[start : start + count]
            return self._desk.gallery.page(rows.tolist(), query.sort)

        return JSONResponse(await run_in_threadpool(found))

    async def thumbnail(self, request: Request) -> Response:
        return await self._picture(request, self._desk.thumbnails.small)

    async def image(self, request: Request) -> Response:
        return await self._picture(request, self._large)

    def _large(self, identity: str, path: str) -> bytes:
        return draw(identity, path, LARGE, self._desk.thumbnails.locate)

    async def _picture(self, request: Request, drawn: Callable[[str, str], bytes]) -> Response:
        gallery, row = self._desk.gallery, int(request.path_params["row"])
        if not 0 <= row < gallery.rows or not gallery.fact(row, "id"):
            return PlainTextResponse("no such image", 404)
        identity, path = gallery.fact(row, "id"), gallery.fact(row, "path")
        try:
            content = await run_in_threadpool(drawn, identity, path)
        except InputError as error:
            return PlainTextResponse(str(error), 404)
        return Response(content, media_type="image/jpeg", headers=_KEPT_BY_THE_BROWSER)
