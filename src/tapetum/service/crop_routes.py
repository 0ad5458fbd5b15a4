"""/api/crops: what is known about one crop, its thumbnail, and new crops; /api/gallery: what there is."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Form, Path, Request, Response, UploadFile

from tapetum.core import VectorArray
from tapetum.gallery.ingest import add_picture
from tapetum.gallery.pictures import Arrival, Picture
from tapetum.gallery.segment_files import Segment
from tapetum.service.access import Caller, guarded
from tapetum.service.context import Service, caller_of, service_of
from tapetum.service.messages import MOST_ANSWERS, MOST_PICTURES, Added, CropAnswer, CropFields, GalleryAnswer, Limits
from tapetum.service.overview import count_gallery
from tapetum.service.refusals import Refused, no_such_crop, problems

router = APIRouter(prefix="/api", route_class=guarded("search"))
ingest_router = APIRouter(prefix="/api", route_class=guarded("ingest"))
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}
CropNumber = Annotated[int, Path(ge=1, le=2**63 - 1, description="The crop's id.")]


@router.get("/gallery", responses=problems(401))
async def gallery(request: Request) -> GalleryAnswer:
    """What the gallery holds, and how much one request may bring."""
    service = service_of(request)
    return await service.searching.run(_gallery, service)


@router.get("/crops/{number}", responses=problems(401, 404, 422))
async def crop(request: Request, number: CropNumber) -> CropAnswer:
    """What is known about one crop."""
    service = service_of(request)
    return await service.searching.run(_crop, service, number)


@router.get("/crops/{number}/thumbnail", response_class=Response, responses={**problems(401, 404, 422), **_JPEG})
async def thumbnail(request: Request, number: CropNumber) -> Response:
    """The small JPEG of one crop."""
    service = service_of(request)
    picture = await service.searching.run(thumbnail_of, service, number)
    if picture is None:
        raise Refused(404, f"crop {number} came in without a picture, so that there is no thumbnail.")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


class CropForm(CropFields):
    """A new crop as it is sent: multipart/form-data."""

    picture: UploadFile


@ingest_router.post("/crops", responses=problems(401, 415, 422))
async def add_crop(request: Request, form: Annotated[CropForm, Form(media_type="multipart/form-data")]) -> Added:
    """Take one picture into the gallery; a picture whose bytes came before is not taken twice."""
    service = service_of(request)
    pictures, vectors = await service.embed_uploads([form.picture], form.modality)
    return await service.changing.run(_add, service, caller_of(request), form, pictures[0], vectors[0])


def _add(service: Service, caller: Caller, form: CropForm, picture: Picture, vector: VectorArray) -> Added:
    # A client's words name nothing on disk: the path is made from the picture's own bytes.
    arrival = Arrival(f"upload:{picture.content}", form.camera, form.modality, None, form.site, form.time)
    number, duplicate = add_picture(service.gallery, arrival, picture, vector)
    known = {"id": number, "duplicate": duplicate, "camera": form.camera, "site": form.site, "modality": form.modality}
    try:
        service.audit.append("ingest", who=caller.name, role=caller.role, **known)
    except BaseException:  # what cannot be logged is not done
        if not duplicate:
            service.gallery.store.delete([number])
        raise
    return Added(id=number, duplicate=duplicate)


def _gallery(service: Service) -> GalleryAnswer:
    counts, facts, limits = count_gallery(service.gallery.segments), service.gallery.facts, service.settings.limits
    return GalleryAnswer(
        **counts,
        model=facts.fingerprint,
        dimension=facts.dimension,
        engine=facts.engine,
        calibrated=facts.calibration is not None,
        limits=Limits(bytes=limits.bytes, pixels=limits.pixels, pictures=MOST_PICTURES, k=MOST_ANSWERS),
    )


def _crop(service: Service, number: int) -> CropAnswer:
    segment, place = _place(service, number)
    row = segment.rows(np.array([place]))[0]
    known = {name: getattr(row, name) for name in ("id", "path", "person", "camera", "site", "modality", "time")}
    return CropAnswer(**known, thumbnail=thumbnail_path(segment, place))


def thumbnail_of(service: Service, number: int) -> bytes | None:
    """The small JPEG of one living row. Raises Refused (404)."""
    segment, place = _place(service, number)
    return segment.thumbnail(place)


def thumbnail_path(segment: Segment, place: int) -> str | None:
    """Where the API has the thumbnail of one row; None where the row has none."""
    has_one = segment.table["thumbnail"][place].is_valid
    return f"/api/crops/{segment.ids[place]}/thumbnail" if has_one else None


def _place(service: Service, number: int) -> tuple[Segment, int]:
    found = service.gallery.segments.places([number]).get(number)
    if found is None:
        raise no_such_crop(number)
    return found
