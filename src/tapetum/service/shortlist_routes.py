"""POST /api/shortlist: chosen answers of a search as a file."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from tapetum.service.access import Caller, guarded
from tapetum.service.context import PastSearch, Service, caller_of, now, service_of
from tapetum.service.crop_routes import thumbnail_of
from tapetum.service.messages import FoundCrop, ShortlistAsked
from tapetum.service.refusals import Refused, problems
from tapetum.service.shortlist import shortlist_csv, shortlist_html

router = APIRouter(prefix="/api", route_class=guarded("search"))
_TEXT = {"schema": {"type": "string"}}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": _TEXT, "text/html": _TEXT}, "description": "The file."}
}
_ASKED = {"modality": "query_modality", "ids": "query_ids"}  # the answers have a modality and an id of their own
_CLOSED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@router.post("/shortlist", response_class=Response, responses={**problems(401, 404, 422), **_FILES})
async def shortlist(request: Request, asked: ShortlistAsked) -> Response:
    """Some answers of one of your last searches as CSV or HTML: who asked what of which gallery, when, and why."""
    service = service_of(request)
    text = await service.searching.run(_shortlist, service, caller_of(request), asked)
    name = f"shortlist-{asked.search[:8]}.{asked.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Security-Policy": _CLOSED}
    return Response(text, media_type=f"text/{asked.format}", headers=headers)


def _shortlist(service: Service, caller: Caller, asked: ShortlistAsked) -> str:
    with service.removal.reading():
        return _written(service, service.searches.find(asked.search, caller), asked)


def _written(service: Service, search: PastSearch, asked: ShortlistAsked) -> str:
    chosen = set(asked.ids)
    hits = [hit for hit in search.hits if hit.id in chosen]
    strange = chosen - {hit.id for hit in hits}
    if strange:
        raise Refused(422, f"crop {min(strange)} is no answer of search {search.name}. Choose among its answers.")
    told = {"search": search.name, "ids": sorted(chosen), "format": asked.format}
    service.audit.append("shortlist", who=search.caller.name, role=search.caller.role, **told)
    provenance = {
        "search": search.name,
        "searched": search.time.isoformat(),
        "written": now().isoformat(),
        "who": search.caller.name,
        "gallery": service.gallery.folder.resolve().name,
        "model": service.gallery.facts.fingerprint,
        **{_ASKED.get(name, name): value for name, value in search.asked.items()},
        "note": asked.note,
    }
    if asked.format == "csv":
        return shortlist_csv(hits, provenance)
    return shortlist_html(hits, [_thumbnail(service, hit) for hit in hits], provenance)


def _thumbnail(service: Service, hit: FoundCrop) -> bytes | None:
    try:
        return thumbnail_of(service, hit.id)
    except Refused:  # deleted since
        return None
