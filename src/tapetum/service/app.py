"""The HTTP service over one open gallery: the API under /api, the operators' page at /."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from tapetum.gallery.gallery import Gallery
from tapetum.service import admin_routes, crop_routes, search_routes, shortlist_routes
from tapetum.service.context import Service, ServiceSettings
from tapetum.service.gate import Gate
from tapetum.service.messages import MOST_IDS, MOST_PICTURES, Health
from tapetum.service.refusals import problems, say_problems

PAGE = Path(__file__).parent / "page"
_BEARER = HTTPBearer(auto_error=False, description="A key that `tapetum key add` gave out.")
_OPEN = APIRouter(prefix="/api")
_MOST_FIELDS = 5 * MOST_IDS + 100  # the lists of a search, and its other fields
_LONGEST_FIELD = 4_096  # bytes


@_OPEN.get("/health", responses=problems())
async def health() -> Health:
    """Whether the service is up; needs no key."""
    return Health()


def create_app(gallery: Gallery, settings: ServiceSettings | None = None) -> FastAPI:
    """The application over an open gallery, which stays its owner's to close.

    Raises RecipeError where it would answer others than this machine without a key.
    """
    service = Service(gallery, settings or ServiceSettings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="Tapetum",
        version=version("tapetum"),
        description="Find the same person by day and by night. A ranked list says who it may be, never who it is.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        form_limits={"max_fields": _MOST_FIELDS, "max_files": 2 * MOST_PICTURES, "max_part_size": _LONGEST_FIELD},
        lifespan=lifespan,
    )
    app.state.service = service
    say_problems(app)
    app.include_router(_OPEN)
    for router in (
        search_routes.router,
        crop_routes.router,
        crop_routes.ingest_router,
        shortlist_routes.router,
        admin_routes.router,
    ):
        app.include_router(router, dependencies=[Depends(_BEARER)])
    app.add_api_route("/", _page, include_in_schema=False)
    app.mount("/assets", StaticFiles(directory=PAGE, check_dir=False), name="assets")
    app.add_middleware(Gate, service=service)
    return app


async def _page() -> FileResponse:
    """The operators' page."""
    return FileResponse(PAGE / "index.html")
