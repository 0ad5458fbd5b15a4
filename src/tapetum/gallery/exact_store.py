"""The exact store: NumPy over the memory-mapped segments; every admitted row is compared, nothing is built.

    score(q, g) = <q, g> / (|q| |g|)        cosine

A float32 product tells which rows can be among the k best, by the usual bound on its rounding; their scores are then
summed in float64, each row by itself, so that equal vectors get equal scores wherever they stand. Equal scores are
listed by ascending id.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.errors import RecipeError
from tapetum.gallery.search import cosine, unit_query
from tapetum.gallery.segment_files import Segment
from tapetum.gallery.segments import UNIT_WITHIN, Segments
from tapetum.gallery.store import Answer, Filter, GalleryRow

_BLOCK = 512
"""Rows gathered at a time, so that they are still in the processor's cache when they are multiplied."""
_RESCORED_AT_ONCE = 4_096
_THREADS = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="tapetum-search")
"""Segments are looked through side by side; a few threads take all that the memory can deliver."""
_WORTH_THREADS = 50_000


class ExactStore:
    """A GalleryStore that is its segments and nothing else."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        if segments.manifest.forgetting:
            self.compact()

    def add(self, rows: Sequence[GalleryRow], vectors: VectorArray, thumbnails: Sequence[bytes | None]) -> None:
        """Append to the segments."""
        self._segments.add(rows, vectors, thumbnails)

    def delete(self, ids: Sequence[int]) -> int:
        """Hide in the segments."""
        return self._segments.delete(ids)

    def forget(self, ids: Sequence[int]) -> int:
        """Hide in the segments, then rewrite those."""
        gone = self._segments.delete(ids, forgetting=bool(self._segments.places(ids)))
        self.compact()
        return gone

    def compact(self) -> int:
        """Rewrite the segments that hold deleted rows."""
        return self._segments.compact()

    def rebuild(self) -> None:
        """There is no index."""

    def search(self, queries: VectorArray, k: int, among: Filter, *, approximate: bool = False) -> list[Answer]:
        """Compare every admitted row; `approximate` changes nothing."""
        units = unit_queries(queries, self._segments.dimension, k)
        return search_segments(self._segments.view, units, k, among)

    def count(self, among: Filter) -> int:
        """Rows of the segments that are admitted."""
        return self._segments.count(among)

    def close(self) -> None:
        """Nothing is held."""


def unit_queries(queries: VectorArray, dimension: int, k: int) -> FloatArray:
    """(Q, D) queries of unit length. Raises RecipeError for a k below 1, EmbeddingError for queries that do not fit."""
    if k < 1:
        raise RecipeError(f"k is {k}, and at least one answer must be asked for. Give a number from 1 upwards.")
    units = [unit_query(query, dimension) for query in queries]
    return np.stack(units) if units else np.empty((0, dimension))


def search_segments(view: Sequence[Segment], units: FloatArray, k: int, among: Filter) -> list[Answer]:
    """The k nearest admitted rows of these segments for each query (Q, D) of unit length, float64."""
    queries = units.astype(np.float32)

    def look(segment: Segment) -> tuple[Segment, IntArray, VectorArray]:
        places = np.flatnonzero(segment.admitted(among))
        return segment, places, _rough(segment, places, queries)

    many = sum(len(segment.ids) for segment in view) >= _WORTH_THREADS
    parts = list(_THREADS.map(look, view) if many else map(look, view))
    return [
        _best([(segment, places, scores[number]) for segment, places, scores in parts], unit, k)
        for number, unit in enumerate(units)
    ]


def best_of(ids: IntArray, scores: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    """The k best of some rows, equal scores by ascending id."""
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order]


def _rough(segment: Segment, places: IntArray, queries: VectorArray) -> VectorArray:
    """(Q, n): float32 products of the queries with the rows at these ascending places."""
    products = np.empty((len(queries), len(places)), dtype=np.float32)
    gathered = np.empty((_BLOCK, queries.shape[1]), dtype=np.float32)
    for start in range(0, len(places), _BLOCK):
        part = places[start : start + _BLOCK]
        if part[-1] - part[0] == len(part) - 1:  # they stand together: no copy
            block = segment.vectors[part[0] : part[-1] + 1]
        else:
            block = np.take(segment.vectors, part, axis=0, out=gathered[: len(part)], mode="clip")
        for query, found in zip(queries, products[:, start : start + _BLOCK], strict=True):
            # Not by BLAS: its threads wait for one another at every block, and a busy machine keeps them waiting.
            np.einsum("ij,j->i", block, query, out=found)
    return products


def _best(parts: Sequence[tuple[Segment, IntArray, VectorArray]], unit: FloatArray, k: int) -> Answer:
    # |q . g computed - q . g| <= n u |q| |g| with u = 2^-24; both sides of a comparison err, and so may both lengths.
    slack = np.float32((len(unit) + 4) * 2.0**-23 * 1.01 + 2 * UNIT_WITHIN)
    floor = _kth([rough for _, _, rough in parts], k) - slack
    ids, scores = [np.empty(0, np.int64)], [np.empty(0)]
    for segment, places, rough in parts:
        near = places[rough >= floor]
        for start in range(0, len(near), _RESCORED_AT_ONCE):
            part = near[start : start + _RESCORED_AT_ONCE]
            ids.append(segment.ids[part])
            scores.append(cosine(segment.vectors[part], unit))
    return Answer(*best_of(np.concatenate(ids), np.concatenate(scores), k), "exact")


def _kth(parts: Sequence[VectorArray], k: int) -> np.float32:
    """The k-th largest of all figures, or minus infinity where there are fewer."""
    best = np.empty(0, dtype=np.float32)
    for figures in parts:
        better = figures if len(best) < k else figures[figures > best.min()]
        best = np.concatenate([best, better])
        if len(best) > k:
            best = np.partition(best, len(best) - k)[len(best) - k :]
    return best.min() if len(best) == k else np.float32(-np.inf)
