"""Vectors as their distance is defined, and the same vectors moved so that products of them err little.

A product gives |g|^2 - 2 q g = d^2 - |q|^2 up to a rounding error with a known bound. The bounds hold for any order of
summation (fused or not), so for any linear algebra: n roundings of a sum of terms t err by at most n u sum |t|, u being
half the distance from 1 to the next number (N. J. Higham, Accuracy and Stability of Numerical Algorithms, chapter 3).
A sum over pieces of p dimensions, added up one after the other, has p + D / p roundings in place of D.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.evaluation.ranking import Distance, left_to_right, measure_into

_UNIT = 2.0**-53
_SINGLE_UNIT = 2.0**-24
_PIECE = 128  # dimensions in one float32 product: a tenth slower than one of all, and a tenth of its error at 2,048
_NUMBERS_AT_ONCE = 2**21
_PAIRED_AT_ONCE = 2**17  # the numbers of some pairs: they stay in the cache
_SAMPLE = 1024
_USUAL = 2.0**20
_LARGEST = 2.0**50
_SCALES = 500  # powers of two whose square is still a float64 number
_SMALLEST_QUICK = 2.0**-60  # a float32 sum of squares from here on lost none of them


@dataclass(frozen=True)
class Points:
    """Rows of (N, D) vectors, moved by -shift and multiplied by `scale`, a power of two: no order of distances changes.

    lengths: (N,) of the moved vectors, rounded up; zero for rows that were not placed.
    """

    vectors: NDArray[np.floating]
    distance: Distance
    shift: FloatArray | None
    scale: float
    lengths: FloatArray

    @property
    def dimensions(self) -> int:
        """D."""
        return int(self.vectors.shape[1])

    @property
    def unmoved(self) -> bool:
        """Whether the moved vectors are the given ones."""
        return self.distance == "euclidean" and self.shift is None and self.scale == 1

    def exact(self, rows: IntArray) -> FloatArray:
        """(R, D) float64: the vectors whose distance is meant."""
        found = np.empty((len(rows), self.dimensions))
        measure_into(found, self.vectors, rows, self.distance)
        return found

    def moved(self, rows: IntArray) -> FloatArray:
        """(R, D) float64: each value is rounded twice at most."""
        found = self.exact(rows) if self.distance == "cosine" else _taken(self.vectors, rows).astype(np.float64)
        if self.shift is not None:
            found -= self.shift
        if self.scale != 1:
            found *= self.scale
        return found

    def squares(self, rows: IntArray) -> FloatArray:
        """(R,): |v|^2 of the moved vectors, to D float32 roundings. Raises EmbeddingError as `placed` says."""
        if self.unmoved and self.vectors.dtype == np.float32:
            given = _taken(self.vectors, rows)
            with np.errstate(over="ignore", invalid="ignore"):
                quick = np.einsum("ij,ij->i", given, given)
            if ((quick > _SMALLEST_QUICK) & (quick < np.inf)).all():
                found: FloatArray = quick.astype(np.float64)
                return found
        moved = self.moved(rows) if self.shift is not None else self.exact(rows)
        squares: FloatArray = np.einsum("ij,ij->i", moved, moved)
        return squares

    def split(self, rows: IntArray) -> list[VectorArray]:
        """The moved vectors in float32 pieces (R, 128), perhaps views: each value is rounded once more."""
        vectors = _taken(self.vectors, rows) if self.unmoved else self.moved(rows)
        single = vectors.astype(np.float32, copy=False)
        return [single[:, part] for part in pieces(self.dimensions, _PIECE)]

    def error(self, query: FloatArray, gallery: FloatArray) -> FloatArray:
        """How far a float64 product of moved vectors of these lengths can stand from (scale d)^2 - |q|^2, d as defined.

        The product has D + 4 roundings of |g|^2 + 2 |q| |g|; d^2 has D + 3 of itself, the root that tells two d apart
        counts as 3 more, and a square too small for float64 is lost. All fit into (|q| + |g|)^2.
        """
        lost = self.dimensions * (2.0**-1070 * self.scale**2 + 2.0**-1000)
        bound: FloatArray = _UNIT * (2 * self.dimensions + 32) * np.square(query + gallery) + lost
        return bound

    def single_error(self, query: FloatArray, gallery: FloatArray) -> FloatArray:
        """The same for a float32 product in pieces: the vectors' own rounding, the sums', and values too small."""
        roundings = min(self.dimensions, _PIECE) + -(-self.dimensions // _PIECE) + 4
        cross = 2 * roundings * query * gallery + 2 * np.square(gallery)
        lost = 2.0**-120 * self.dimensions * (1 + query + gallery)
        bound: FloatArray = 1.02 * _SINGLE_UNIT * cross + lost + self.error(query, gallery)
        return bound

    def distances(self, queries: IntArray, gallery: IntArray) -> FloatArray:
        """d of the pairs of rows (queries[i], gallery[i]), as `ranking` defines it."""
        found = np.empty(len(queries))
        for part in pieces(len(queries), max(1, _PAIRED_AT_ONCE // self.dimensions)):
            found[part] = left_to_right(self.exact(queries[part]) - self.exact(gallery[part]))
        return found

    def products(self, queries: IntArray, gallery: IntArray) -> FloatArray:
        """q g of the moved vectors of the pairs of rows (queries[i], gallery[i]), in float64."""
        found = np.empty(len(queries))
        for part in pieces(len(queries), max(1, _PAIRED_AT_ONCE // self.dimensions)):
            rows = queries[part], gallery[part]
            sides = [self.vectors[side] if self.unmoved else self.moved(side) for side in rows]
            np.einsum("ij,ij->i", *sides, dtype=np.float64, out=found[part])
        return found


def placed(vectors: NDArray[np.floating], rows: IntArray, distance: Distance) -> Points:
    """Points whose moved vectors are neither far from zero nor too large or small, as far as these rows allow.

    Raises EmbeddingError for a value that is not finite or too large to square, and for a vector of length zero under
    "cosine".
    """
    parts = [rows[part] for part in pieces(len(rows), max(1, _NUMBERS_AT_ONCE // vectors.shape[1]))]
    lengths = np.zeros(len(vectors))
    given = Points(vectors, distance, None, 1.0, lengths)
    squares = np.concatenate([given.squares(part) for part in parts])
    apart = -(-len(rows) // _SAMPLE)
    centre = given.exact(rows[::apart]).mean(axis=0)
    if centre @ centre > 0.5 * squares[::apart].mean():
        given = replace(given, shift=centre)
        squares = np.concatenate([given.squares(part) for part in parts])
    measured = np.sqrt(squares + vectors.shape[1] * 2.0**-1070)  # squares too small for float64 are lost
    points = replace(given, scale=_scale(float(np.median(measured)), float(measured.max())))
    lengths[rows] = points.scale * measured * (1 + vectors.shape[1] * 2 * _SINGLE_UNIT)
    return points


def _scale(usual: float, largest: float) -> float:
    """A power of two that brings these lengths to where float32 numbers neither overflow nor vanish."""
    if 1 / _USUAL < usual < _USUAL and largest < _LARGEST:
        return 1.0
    wanted = max(usual, largest / _LARGEST)
    return float(2.0 ** -np.clip(np.frexp(wanted)[1], -_SCALES, _SCALES))


def _taken(vectors: NDArray[np.floating], rows: IntArray) -> NDArray[np.floating]:
    """vectors[rows], which is no copy where the rows follow each other."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and (np.diff(rows) == 1).all():
        return vectors[rows[0] : rows[-1] + 1]
    return vectors[rows]


def pieces(length: int, largest: int) -> Iterator[slice]:
    """Slices of at most `largest` that cover 0 ... length."""
    for start in range(0, length, largest):
        yield slice(start, min(start + largest, length))
