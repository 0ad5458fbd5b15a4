"""Who comes before whom: the gallery sorted by distance, equal distances in the gallery's order.

The distance of a pair is d(q, g) = sqrt(sum_k (q_k - g_k)^2) in float64, summed from the first dimension to the last: a
function of the two vectors alone. One matrix product gives all distances up to a known rounding error, which depends
on the shape of the product and on the number of threads; the few neighbours that stand closer than this error are
sorted by d itself. So the order never depends on chunks, threads or the order of the queries, and equal vectors tie.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray, IntArray
from tapetum.errors import EmbeddingError

Distance = Literal["euclidean", "cosine"]
ColumnArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]

_EPSILON = 2.0**-52
_MANTISSA_BITS = 52
_LARGEST_SQUARE = 1e300
_SETTLED_AT_ONCE = 2**21  # numbers held while close pairs are measured


def query_factor(vectors: NDArray[np.floating], rows: IntArray, distance: Distance) -> FloatArray:
    """Rows of (N, D) vectors -> (Q, D + 2) float64: [q, |q|^2, 1]. Its product with `gallery_factor` is |q - g|^2.

    "cosine" brings every vector to unit length first. Raises EmbeddingError for a value that is not finite or too large
    to square, and for a vector of length zero under "cosine".
    """
    factor = np.empty((len(rows), vectors.shape[1] + 2))
    factor[:, -2] = measure_into(factor[:, :-2], vectors, rows, distance)
    factor[:, -1] = 1
    return factor


def gallery_factor(vectors: NDArray[np.floating], rows: IntArray, distance: Distance) -> FloatArray:
    """Rows of (N, D) vectors -> (G, D + 2) float64: [-2 g, 1, |g|^2]; errors as above."""
    factor = np.empty((len(rows), vectors.shape[1] + 2))
    factor[:, -1] = measure_into(factor[:, :-2], vectors, rows, distance)
    factor[:, :-2] *= -2
    factor[:, -2] = 1
    return factor


def measure_into(measured: FloatArray, vectors: NDArray[np.floating], rows: IntArray, distance: Distance) -> FloatArray:
    """Write the rows' vectors whose distance is meant to `measured` (R, D); returns (R,) |v|^2. Errors as above."""
    measured[:] = vectors[rows]
    squares: FloatArray = np.einsum("ij,ij->i", measured, measured)
    wrong = np.flatnonzero(~(squares < _LARGEST_SQUARE))
    if len(wrong):
        raise EmbeddingError(
            f"the vector of row {rows[wrong[0]]} has a value that is not finite or is too large. Embed it again."
        )
    if distance == "cosine":
        if not squares.all():
            raise EmbeddingError(f"the vector of row {rows[squares.argmin()]} is zero: it has no cosine.")
        measured /= np.sqrt(squares)[:, None]
        squares = np.einsum("ij,ij->i", measured, measured)
    return squares


def sorted_columns(queries: FloatArray, gallery: FloatArray, hidden: BoolArray | None) -> ColumnArray:
    """For each query the columns of the gallery, nearest first, equal distances in column order, hidden pairs last.

    queries: (Q, D + 2), gallery: (G, D + 2), as the two factors above make them; hidden: (Q, G) or None.
    Returns (Q, G) int32.
    """
    squared = np.abs(queries @ gallery.T)  # (Q, G); a rounding error below zero is no larger above it
    if hidden is not None:
        squared[hidden] = np.inf
    # Non-negative floats sort as their bits do. The column takes the place of the last bits, and is sorted along.
    column_bits = max(1, (len(gallery) - 1).bit_length())
    low = np.uint64(2**column_bits - 1)
    keys = squared.view(np.uint64)
    keys &= ~low
    keys |= np.arange(len(gallery), dtype=np.uint64)
    keys.sort(axis=1)
    columns = (keys & low).astype(np.int32)
    keys &= ~low
    with np.errstate(invalid="ignore"):  # infinity minus infinity: hidden pairs are close to nothing
        close = np.diff(squared, axis=1) <= _rounding(queries, gallery, column_bits)[:, None]
    if close.any():
        _settle(columns, close, queries, gallery)
    return columns


def _rounding(queries: FloatArray, gallery: FloatArray, column_bits: int) -> FloatArray:
    """(Q,): squared distances further apart than this are in the order of d, by the usual bound on a sum's rounding.

    With n terms, a product errs by at most 2 n u (|q| + |g|)^2 (u = epsilon / 2, squares included) and d^2 by n u of
    the same; two of each make 6 n u, and 8 n u leaves room for the sums' own last steps.
    """
    terms = queries.shape[1] + 6
    reach = np.square(np.sqrt(queries[:, -2]) + np.sqrt(gallery[:, -1].max()))
    bound: FloatArray = reach * (4 * terms * _EPSILON + 2.0 ** (column_bits - _MANTISSA_BITS))
    return bound


def _settle(columns: ColumnArray, close: BoolArray, queries: FloatArray, gallery: FloatArray) -> None:
    """Sort each run of close neighbours by (d, column), in place."""
    first = np.ones(columns.shape, dtype=bool)
    first[:, 1:] = ~close
    alone = first.copy()
    alone[:, :-1] &= first[:, 1:]
    rows, places = np.nonzero(~alone)
    runs = np.cumsum(first, dtype=np.int64).reshape(first.shape)[rows, places]
    found = columns[rows, places]
    distances = pair_distances(queries, gallery, rows, found)
    columns[rows, places] = found[np.lexsort((found, distances, runs))]


def pair_distances(
    queries: FloatArray, gallery: FloatArray, rows: IntArray, columns: IntArray | ColumnArray
) -> FloatArray:
    """d of the pairs (rows[i], columns[i]); queries and gallery as the two factors above make them."""
    distances = np.empty(len(rows))
    dimensions = queries.shape[1] - 2
    step = max(1, _SETTLED_AT_ONCE // dimensions)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        # -2 g divided by -2 is g to the last bit.
        difference = queries[rows[part], :dimensions] - gallery[columns[part], :dimensions] / -2
        distances[part] = left_to_right(difference)
    return distances


def left_to_right(differences: FloatArray) -> FloatArray:
    """(P, D) float64 q - g -> (P,) d: the definition itself."""
    summed = np.add.accumulate(np.square(differences), axis=1)  # from the first dimension to the last, unlike sum()
    distances: FloatArray = np.sqrt(summed[:, -1])
    return distances
