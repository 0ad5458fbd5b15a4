"""POST /api/search: pictures and crops in, a ranked list out."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, UploadFile
from pydantic import Field

from tapetum.core import Modality, VectorArray
from tapetum.gallery.asking import GalleryHit, Question, ask
from tapetum.gallery.picture_search import filter_facts
from tapetum.gallery.store import Filter
from tapetum.service.access import Caller, guarded
from tapetum.service.context import PastSearch, Service, caller_of, now, service_of
from tapetum.service.crop_routes import thumbnail_path
from tapetum.service.meaning import Meaning, meaning_of
from tapetum.service.messages import MOST_PICTURES, FoundCrop, SearchAnswer, SearchFields, Took
from tapetum.service.refusals import problems

router = APIRouter(prefix="/api", route_class=guarded("search"))
_AMONG = {"rgb": frozenset({Modality.RGB}), "ir": frozenset({Modality.IR}), "all": None}


class SearchForm(SearchFields):
    """A search as it is sent: multipart/form-data; a list is a field that comes several times."""

    picture: Annotated[list[UploadFile], Field(max_length=MOST_PICTURES)] = Field([], description="JPEG, PNG, WEBP.")


@router.post("/search", responses=problems(401, 404, 415, 422))
async def search(request: Request, form: Annotated[SearchForm, Form(media_type="multipart/form-data")]) -> SearchAnswer:
    """Rank the gallery for one person's pictures, for crops of the gallery (ids), or for both together.

    Several pictures and crops are fused to one query. The list says who it may be, never who it is.
    """
    service, began = service_of(request), time.perf_counter()
    pictures, vectors = await service.embed_uploads(form.picture, form.modality)
    hashes = [picture.content for picture in pictures]
    embed_ms = 1000 * (time.perf_counter() - began)
    return await service.searching.run(_answer, service, caller_of(request), form, hashes, vectors, embed_ms)


def _answer(
    service: Service,
    caller: Caller,
    form: SearchForm,
    hashes: Sequence[str],
    vectors: VectorArray,
    embed_ms: float,
) -> SearchAnswer:
    began, among, name = time.perf_counter(), _filter(form), uuid.uuid4().hex
    with service.removal.reading():  # to the end: what is remembered must not outlive a removal
        service.require([*form.ids, *form.right, *form.wrong])
        meaning = _meaning(service, form, len(hashes))
        reply = ask(service.gallery.store, service.gallery.segments, _question(form, among, vectors))
        hits = _found(service, reply.hits, meaning)
        search_ms = 1000 * (time.perf_counter() - began)
        asked = {**_asked(form, among, hashes), "how": reply.how}
        found = [hit.id for hit in hits]
        service.audit.append("search", who=caller.name, role=caller.role, search=name, **asked, found=found)
        service.searches.keep(PastSearch(name, caller, now(), asked, tuple(hits)))
    first = hits[0].score if hits else None
    right = None if first is None else meaning.probability(first)
    return SearchAnswer(
        search=name,
        how=reply.how,
        took=Took(embed_ms=round(embed_ms, 2), search_ms=round(search_ms, 2)),
        hits=hits,
        first_is_wrong=None if right is None else round(1 - right, 4),
        meaning=meaning.in_words(first),
    )


def _question(form: SearchForm, among: Filter, vectors: VectorArray) -> Question:
    fold = None if form.fold_seconds is None else timedelta(seconds=form.fold_seconds)
    marks = {"ids": tuple(form.ids), "right": tuple(form.right), "wrong": tuple(form.wrong)}
    return Question(vectors, form.k, among, fold=fold, approximate=form.approximate, **marks)


def _filter(form: SearchForm) -> Filter:
    return Filter(
        cameras=frozenset(form.cameras) or None,
        sites=frozenset(form.sites) or None,
        modalities=_AMONG[form.among],
        since=form.since,
        until=form.until,
    )


def _meaning(service: Service, form: SearchForm, pictures: int) -> Meaning:
    segments = service.gallery.segments
    modalities = {form.modality} if pictures else set()
    for segment, place in segments.places(form.ids).values():
        modalities.add(Modality(segment.table["modality"][place].as_py()))
    return meaning_of(service.gallery.facts.calibration, form, pictures + len(form.ids), modalities)


def _asked(form: SearchForm, among: Filter, hashes: Sequence[str]) -> dict[str, object]:
    """The query and the filter, for the log: hashes and ids, never a picture."""
    marks = {"ids": form.ids, "right": form.right, "wrong": form.wrong, "fold_seconds": form.fold_seconds}
    told = {"query": list(hashes), "modality": form.modality.value, **marks}
    return {**{name: value for name, value in told.items() if value}, "filter": filter_facts(among), "k": form.k}


def _found(service: Service, hits: Sequence[GalleryHit], meaning: Meaning) -> list[FoundCrop]:
    places = service.gallery.segments.places([hit.row.id for hit in hits])
    return [
        FoundCrop(
            rank=hit.rank,
            id=hit.row.id,
            score=round(hit.score, 6),
            probability=meaning.probability(hit.score),
            camera=hit.row.camera,
            site=hit.row.site,
            time=hit.row.time,
            modality=hit.row.modality,
            path=hit.row.path,
            thumbnail=thumbnail_path(*places[hit.row.id]),
            folded=list(hit.folded),
        )
        for hit in hits
    ]
