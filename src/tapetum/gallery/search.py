"""Exact search: every vector of a table is compared with the query, and the best are listed.

    score(q, g) = <q, g> / (|q| |g|)        cosine, in [-1, 1]

Sums are taken in float64, one row at a time in the same order, so that equal vectors get equal scores wherever they
stand; ties are listed in the order of the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapetum.core import Crop, FloatArray, VectorArray
from tapetum.embedding_table import EmbeddingTable
from tapetum.errors import EmbeddingError, RecipeError

_BLOCK = 1024  # rows held in float64 at a time: 4 MB at 512 values, so that the block stays in the cache


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: `rank` counts from 1, `row` is that of the gallery's table, `score` is the cosine in [-1, 1]."""

    rank: int
    row: int
    crop: Crop
    score: float


def search(
    query: VectorArray | FloatArray, gallery: EmbeddingTable, top: int, hidden: NDArray[np.bool_] | None = None
) -> list[Hit]:
    """The `top` rows of a gallery nearest to a query, best first; fewer when the gallery has fewer.

    query: (D,), of any length but zero.   hidden: (N,), True for rows that must not be listed (the query's own place).
    Returns an empty list when every row is hidden.
    Raises EmbeddingError for an empty gallery, for vectors of different dimensions, and for a vector without direction
    (all zero, or not finite); RecipeError when `top` is below 1.
    """
    if top < 1:
        raise RecipeError(f"top is {top}, and at least one answer must be asked for. Give a number from 1 upwards.")
    if len(gallery.crops) == 0:
        raise EmbeddingError(
            "the gallery holds no vector, so nothing can be found. Embed a split or folder with crops."
        )
    scores = _cosine(query, gallery)
    rows = np.arange(len(scores)) if hidden is None else np.flatnonzero(~_checked(hidden, len(scores)))
    best = rows[np.argsort(-scores[rows], kind="stable")[:top]]
    return [Hit(rank, int(row), gallery.crops[row], float(scores[row])) for rank, row in enumerate(best, start=1)]


def _cosine(query: VectorArray | FloatArray, gallery: EmbeddingTable) -> FloatArray:
    """The cosine of one query (D,) with every row of a gallery: (N,) in [-1, 1]. Raises EmbeddingError as `search`."""
    unit = unit_query(query, gallery.vectors.shape[1])
    scores = np.empty(len(gallery.vectors))
    for start in range(0, len(scores), _BLOCK):
        found = cosine(gallery.vectors[start : start + _BLOCK], unit)
        if np.isnan(found).any():
            crop = gallery.crops[start + int(np.argmax(np.isnan(found)))]
            raise EmbeddingError(f"the vector of {crop.path} is all zero and has no direction. Embed it again.")
        scores[start : start + _BLOCK] = found
    return scores


def cosine(vectors: VectorArray, unit: FloatArray) -> FloatArray:
    """The cosine of a few rows (N, D) with a query (D,) of unit length: (N,) in [-1, 1], NaN for a row of zeros.

    Each row is summed by itself in the same order: equal rows get equal figures wherever they stand.
    """
    wide = vectors.astype(np.float64)
    # A matrix product would be faster, but its last rows are summed in another order, which breaks ties at random.
    with np.errstate(invalid="ignore"):
        found: FloatArray = (wide * unit).sum(axis=1) / np.sqrt((wide * wide).sum(axis=1))
    return np.clip(found, -1.0, 1.0, out=found)


def unit_query(query: VectorArray | FloatArray, dimension: int) -> FloatArray:
    """A query as float64 of unit length. Raises EmbeddingError for another shape, and for one without direction."""
    if query.shape != (dimension,):
        raise EmbeddingError(
            f"the query has shape {query.shape} and the gallery holds vectors of {dimension} values."
            " Embed both with the same model."
        )
    wide = query.astype(np.float64)
    length = float(np.sqrt((wide * wide).sum()))
    if not 0.0 < length < np.inf:
        raise EmbeddingError(f"the query's vector has length {length} and no direction. Embed the picture again.")
    return np.asarray(wide / length)


def _checked(hidden: NDArray[np.bool_], rows: int) -> NDArray[np.bool_]:
    if hidden.shape != (rows,) or hidden.dtype != np.bool_:
        raise EmbeddingError(
            f"{rows} gallery rows need a mask of {rows} truth values, given {hidden.dtype} of shape {hidden.shape}."
        )
    return hidden
