"""What a search of a gallery means: crops of one person fused to one query, feedback, folding of one track's frames.

    q  = unit(mean_i unit(q_i))                                      several crops of one person (fused)
    q' = unit(q + mean_r unit(g_r) - w mean_n unit(g_n)),  w = 1/4   after marks: right crops r, wrong crops n (Rocchio)

Wrong crops do not answer again. A hit is folded into a better one of the same camera and modality whose time differs by
at most the given seconds and whose vector's cosine with it is at least 0.9: frames of one walk past a camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np

from tapetum.core import FloatArray, Modality, VectorArray
from tapetum.errors import RecipeError
from tapetum.gallery.search import unit_query
from tapetum.gallery.segment_files import Segment
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Answer, Filter, GalleryRow, GalleryStore, How

_WRONG_WEIGHT = 0.25
_SAME_TRACK = 0.9
_MORE = 4
_LOOKED_AT = 16_384
"""Where folding leaves fewer answers than asked for, no more rows than this are looked at for others."""


@dataclass(frozen=True)
class Question:
    """One search.

    vectors: (n, D) of one person's crops, n >= 0; ids: crops of the gallery that ask beside them and do not answer.
    right, wrong: ids that an operator has marked.   fold: frames of one track closer in time than this count once.
    Raises RecipeError when nothing asks or k is below 1.
    """

    vectors: VectorArray
    k: int = 10
    among: Filter = field(default_factory=Filter)
    ids: tuple[int, ...] = ()
    right: tuple[int, ...] = ()
    wrong: tuple[int, ...] = ()
    fold: timedelta | None = None
    approximate: bool = False

    def __post_init__(self) -> None:
        if len(self.vectors) == 0 and not self.ids:
            raise RecipeError("nothing asks. Give a picture, or the id of a crop of the gallery.")
        if self.k < 1:
            raise RecipeError(
                f"k is {self.k}, and at least one answer must be asked for. Give a number from 1 upwards."
            )


@dataclass(frozen=True, slots=True)
class GalleryHit:
    """One answer: rank from 1, cosine in [-1, 1]; folded: ids of frames of the same track that stand behind it."""

    rank: int
    row: GalleryRow
    score: float
    folded: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reply:
    """The ranked answers, and whether every admitted crop was compared ("exact") or an index was asked."""

    hits: tuple[GalleryHit, ...]
    how: How


def ask(store: GalleryStore, segments: Segments, question: Question) -> Reply:
    """Search a gallery. Raises GalleryError for an id that does not live, EmbeddingError for other dimensions."""
    query = _query(segments, question).astype(np.float32)
    hidden = question.among.without | set(question.ids) | set(question.wrong)
    among = replace(question.among, without=frozenset(hidden))
    wanted = question.k
    while True:
        answer = store.search(query[None], wanted, among, approximate=question.approximate)[0]
        hits = _hits(segments, answer, question.fold)
        if len(hits) >= question.k or len(answer.ids) < wanted or wanted >= _LOOKED_AT:
            return Reply(tuple(replace(hit, rank=rank) for rank, hit in enumerate(hits[: question.k], 1)), answer.how)
        wanted *= _MORE


def _query(segments: Segments, question: Question) -> FloatArray:
    asked = [*question.vectors, *segments.vectors(question.ids)]
    query = _mean(asked, segments.dimension)
    if question.right:
        query = query + _mean(segments.vectors(question.right), segments.dimension)
    if question.wrong:
        query = query - _WRONG_WEIGHT * _mean(segments.vectors(question.wrong), segments.dimension)
    return unit_query(query, segments.dimension)


def _mean(vectors: Sequence[VectorArray] | VectorArray, dimension: int) -> FloatArray:
    mean: FloatArray = np.mean([unit_query(vector, dimension) for vector in vectors], axis=0)
    return mean


def _hits(segments: Segments, answer: Answer, fold: timedelta | None) -> list[GalleryHit]:
    places = segments.places(answer.ids.tolist())
    rows = _rows(places)
    hits: list[GalleryHit] = []
    heads: dict[tuple[str, str | None, Modality], list[int]] = {}  # view -> the hits that show it
    for number, score in zip(answer.ids.tolist(), answer.scores.tolist(), strict=True):
        row = rows[number]
        same_view = heads.setdefault((row.camera, row.site, row.modality), [])
        head = next((at for at in same_view if _one_track(hits[at].row, row, places, fold)), None)
        if head is None:
            same_view.append(len(hits))
            hits.append(GalleryHit(len(hits) + 1, row, score))
        else:
            hits[head] = replace(hits[head], folded=(*hits[head].folded, number))
    return hits


def _rows(places: Mapping[int, tuple[Segment, int]]) -> dict[int, GalleryRow]:
    """id -> what is known about it; each segment is read once."""
    wanted: dict[str, list[int]] = {}
    segments = {segment.name: segment for segment, _ in places.values()}
    for segment, place in places.values():
        wanted.setdefault(segment.name, []).append(place)
    return {row.id: row for name, at in wanted.items() for row in segments[name].rows(np.array(at))}


def _one_track(
    better: GalleryRow, row: GalleryRow, places: Mapping[int, tuple[Segment, int]], fold: timedelta | None
) -> bool:
    """Whether two rows of one view show the same walk past the camera."""
    if fold is None or row.time is None or better.time is None or abs(better.time - row.time) > fold:
        return False
    first, second = (segment.vectors[place] for segment, place in (places[better.id], places[row.id]))
    return float(first @ second) >= _SAME_TRACK
