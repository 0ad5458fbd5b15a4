"""k-reciprocal encoding: each image as a sparse vector over the images that are neighbours both ways.

The equations stand in `reranking`. Everything here is sparse: memory grows with the number of images times the size of
a neighbourhood. Sums are taken in the order of columns, so that a row's value never depends on the rows beside it.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array, csr_array, vstack

from tapetum.core import FloatArray, IntArray
from tapetum.evaluation.neighbours import ABOVE_ZERO, Nearest, SingleArray, squared_pairs, tiles
from tapetum.evaluation.points import Points

_ROWS_AT_ONCE = 2**14
_PAIRS_AT_ONCE = 2**21


def encode(points: Points, rows: IntArray, near: Nearest, k1: int, k2: int) -> csr_array:
    """V of N images: (N, N) sparse, each row a distribution over the image's neighbourhood.

    rows: (N,) their rows of the table; near: their nearest, places counted among these N, at least max(k1 + 1, k2) of
    them where there are so many; k1, k2 as in the paper, k1 from 1 and k2 from 1.
    """
    places = near.places()
    half = int(np.around(k1 / 2))  # to the even number, as the authors' script does
    mutual, closer = _mutual(places[:, : k1 + 1]), _mutual(places[:, : half + 1])
    parts = []
    for part in tiles(len(rows), _ROWS_AT_ONCE):
        expanded = _expanded(mutual[part], closer)
        parts.append(_weighted(expanded, _squared(points, rows, near, expanded, part), near.farthest[part]))
    encoded: csr_array = vstack(parts, format="csr")
    if k2 > 1:
        encoded = _pattern(places[:, :k2], np.float64) @ encoded / min(k2, places.shape[1])
    return encoded


def _mutual(places: IntArray) -> csr_array:
    """R(., k) as a symmetric matrix of ones: pairs that have each other among their k nearest."""
    listed = _pattern(places, np.int32)
    mutual: csr_array = listed.multiply(listed.T.tocsr())
    return mutual


def _pattern(places: IntArray, kind: type[np.generic]) -> csr_array:
    """(N, N): one where a row lists a place; columns ascending."""
    count, listed = places.shape
    starts = np.arange(0, count * listed + 1, listed)
    ones = np.ones(count * listed, dtype=kind)
    return csr_array((ones, np.sort(places, axis=1).ravel(), starts), shape=(count, count))


def _expanded(mutual: csr_array, closer: csr_array) -> csr_array:
    """R* of some images: R(p, k1), and R(q, k1/2) of every q in it that lies in it by more than two thirds."""
    # closer is symmetric, so that this product counts |R(p, k1) and R(q, k1/2)|; q itself is in both.
    shared = mutual.multiply(mutual @ closer)
    sizes = np.diff(closer.indptr)
    shared.data = (3 * shared.data > 2 * sizes[shared.indices]).astype(np.int32)
    shared.eliminate_zeros()
    expanded = csr_array(mutual + shared @ closer)
    expanded.sort_indices()
    return expanded


def _squared(points: Points, rows: IntArray, near: Nearest, expanded: csr_array, part: slice) -> SingleArray:
    """The squared distance of every pair of R*: most stand in the list of the nearest, the others are measured."""
    count = expanded.shape[1]
    places = near.places()[part]
    order = np.argsort(places, axis=1)
    starts = np.arange(len(places), dtype=np.int64)[:, None] * count
    listed = (starts + np.take_along_axis(places, order, axis=1)).ravel()
    squared = np.take_along_axis(near.squared()[part], order, axis=1).ravel()
    owner = np.repeat(np.arange(len(places), dtype=np.int64), np.diff(expanded.indptr))
    wanted = owner * count + expanded.indices
    at = np.minimum(np.searchsorted(listed, wanted), len(listed) - 1)
    found = squared[at]
    missing = listed[at] != wanted
    found[missing] = squared_pairs(points, rows[part][owner[missing]], rows[expanded.indices[missing]])
    return found


def _weighted(expanded: csr_array, squared: SingleArray, farthest: SingleArray) -> csr_array:
    """V: exp(-d) over each row's columns, brought to the sum 1."""
    sizes = np.diff(expanded.indptr)  # no row is empty: an image is its own neighbour
    weights = np.exp(-relative(squared, np.repeat(farthest, sizes)))
    weights /= np.repeat(np.add.reduceat(weights, expanded.indptr[:-1]), sizes)
    return csr_array((weights, expanded.indices, expanded.indptr), shape=expanded.shape)


def relative(squared: SingleArray, farthest: SingleArray) -> FloatArray:
    """d: squared distances over the largest one, in [0, 1]; copies, which stand above zero, are at zero again."""
    found: FloatArray = np.where(squared > ABOVE_ZERO, squared, 0).astype(np.float64) / farthest
    return found


def shared_mass(asked: csr_array, answered: csc_array) -> FloatArray:
    """(Q, G): the sum of min(V_p, V_g) over all images, for Q rows and G rows given as (G, N) by columns.

    Only the columns that both rows have are looked at; they are added in ascending order.
    """
    found = np.empty((asked.shape[0], answered.shape[0]))
    partners = np.diff(answered.indptr)[asked.indices]  # how many of the G rows share each entry's column
    work = np.concatenate([[0], np.cumsum(partners)])[asked.indptr]
    start = 0
    while start < len(found):
        stop = max(start + 1, int(np.searchsorted(work, work[start] + _PAIRS_AT_ONCE, side="right")) - 1)
        found[start:stop] = _shared_mass(asked[start:stop], answered)
        start = stop
    return found


def _shared_mass(asked: csr_array, answered: csc_array) -> FloatArray:
    queries, answers = asked.shape[0], answered.shape[0]
    partners = np.diff(answered.indptr)[asked.indices]
    behind = np.cumsum(partners)
    # Entry e meets the entries of its column one after the other: their places in `answered`, laid end to end.
    shift = answered.indptr[asked.indices] - (behind - partners)
    met = np.arange(behind[-1] if len(behind) else 0) + np.repeat(shift, partners)
    owner = np.repeat(np.arange(queries), np.diff(asked.indptr))
    cells = np.repeat(owner * answers, partners) + answered.indices[met]
    least = np.minimum(np.repeat(asked.data, partners), answered.data[met])
    return np.bincount(cells, weights=least, minlength=queries * answers).reshape(queries, answers).astype(np.float64)
