"""The nearest rows of one or several sets, found tile by tile: no matrix of all pairs is ever held.

A squared distance here is d^2 of `ranking`, rounded to float32. The matrix product behind it errs by a known bound; the
few pairs that stand so near to the border between two float32 numbers that the bound reaches across are measured alone.
So every value depends on its two vectors only, never on tiles or threads. Zero is kept for a row's distance from
itself: another row with the same vector stands behind, at the smallest number above zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray, IntArray
from tapetum.evaluation.points import Points

SingleArray = NDArray[np.float32]
KeyArray = NDArray[np.uint64]

_TILE = (1024, 4096)
"""Rows and columns of a tile: about 100 MB of working memory at 2,048 dimensions."""
ABOVE_ZERO: np.float32 = np.finfo(np.float32).tiny
"""What stands for no distance between two rows."""
_NOBODY = np.uint64(2**64 - 1)
_PLACE_BITS = np.uint64(32)


@dataclass(frozen=True)
class ColumnSet:
    """Rows of a table that may be neighbours, and the place that the first of them has among all candidates."""

    rows: IntArray
    first: int


@dataclass(frozen=True)
class Nearest:
    """Candidates of each of R rows.

    keys: (R, K), ascending: the bits of the squared distance above the candidate's place, so that equal distances stand
    in the order of places. farthest: (R,), the largest squared distance to any candidate of the set, above zero.
    """

    keys: KeyArray
    farthest: SingleArray

    def places(self) -> IntArray:
        """(R, K): where the candidates stand."""
        found: IntArray = (self.keys & np.uint64(2**32 - 1)).astype(np.int64)
        return found

    def squared(self) -> SingleArray:
        """(R, K): their squared distances."""
        return (self.keys >> _PLACE_BITS).astype(np.uint32).view(np.float32)

    def merged(self, other: Nearest, rows: IntArray, count: int) -> Nearest:
        """The `count` nearest of two sets together, for these rows of both lists."""
        keys = np.concatenate([self.keys[rows], other.keys[rows]], axis=1)
        keys.sort(axis=1)
        return Nearest(keys[:, :count], np.maximum(self.farthest[rows], other.farthest[rows]))


def squared_distances(points: Points, rows: IntArray, columns: IntArray) -> SingleArray:
    """(R, C): the squared distance of every row from every column, in the points' scale."""
    found = np.empty((len(rows), len(columns)), dtype=np.float32)
    for part, across, tile in _tiled(points, rows, columns):
        found[part, across] = tile
    return found


def squared_pairs(points: Points, rows: IntArray, columns: IntArray) -> SingleArray:
    """(P,): the squared distances of the pairs (rows[i], columns[i])."""
    squared = np.square(points.scale * points.distances(rows, columns)).astype(np.float32)
    np.maximum(squared, ABOVE_ZERO, out=squared)
    squared[rows == columns] = 0
    return squared


def _tiled(points: Points, rows: IntArray, columns: IntArray) -> Iterator[tuple[slice, slice, SingleArray]]:
    """Squared distances in pieces: (rows of the piece, columns of the piece, squared distances)."""
    for across in tiles(len(columns), _TILE[1]):
        gallery = points.moved(columns[across])
        for part in tiles(len(rows), _TILE[0]):
            tile, unsure = _rounded(points, points.moved(rows[part]), gallery)
            tile[unsure] = squared_pairs(points, rows[part][unsure[0]], columns[across][unsure[1]])
            yield part, across, tile


def _rounded(points: Points, queries: FloatArray, gallery: FloatArray) -> tuple[SingleArray, tuple[IntArray, ...]]:
    """(Q, G) squared distances of moved vectors, and the (row, column) of those that the product leaves open."""
    asked, answered = (np.einsum("ij,ij->i", side, side) for side in (queries, gallery))
    error = 2 * points.error(np.sqrt(asked), np.sqrt(answered.max()))[:, None]  # twice: |q|^2 is rounded, too
    product = queries @ gallery.T
    product *= -2
    product += answered
    product += asked[:, None] - error
    low = product.astype(np.float32)
    product += 2 * error
    found = product.astype(np.float32)
    return found, np.nonzero((low != found) | (found < ABOVE_ZERO))


def nearest(
    points: Points, rows: IntArray, sets: Sequence[ColumnSet], count: int, done: Callable[[int], None]
) -> list[Nearest]:
    """For each set its `count` nearest members to each row; one matrix product serves all sets.

    done: told how many pairs were measured since it was last called. A set with fewer members ends in keys of nobody.
    """
    union = np.unique(np.concatenate([members.rows for members in sets]))
    places = [np.searchsorted(union, members.rows) for members in sets]
    found = [Nearest(np.full((len(rows), count), _NOBODY), np.full(len(rows), ABOVE_ZERO)) for _ in sets]
    for part, across, tile in _tiled(points, rows, union):
        for members, place, best in zip(sets, places, found, strict=True):
            inside = np.flatnonzero((place >= across.start) & (place < across.stop))
            if len(inside):
                block = np.take(tile, place[inside] - across.start, axis=1)
                _keep_nearest(best, part, block, members.first + inside)
        done(tile.size)
    for best in found:
        best.keys.sort(axis=1)
    return found


def _keep_nearest(best: Nearest, part: slice, block: SingleArray, places: IntArray) -> None:
    keys = block.view(np.uint32).astype(np.uint64)  # non-negative floats stand in the order of their bits
    keys <<= _PLACE_BITS
    keys |= places.astype(np.uint64)
    count = best.keys.shape[1]
    joined = np.concatenate([best.keys[part], keys], axis=1)
    joined.partition(count - 1, axis=1)
    best.keys[part] = joined[:, :count]
    np.maximum(best.farthest[part], block.max(axis=1), out=best.farthest[part])


def tiles(length: int, largest: int) -> Iterator[slice]:
    """Slices of at most `largest`, of nearly equal length, that cover 0 ... length."""
    number = -(-length // largest)
    for piece in range(number):
        yield slice(length * piece // number, length * (piece + 1) // number)
