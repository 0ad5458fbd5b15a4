"""How many matches of its query stand before a value: read from a table, or searched where the table cannot tell.

Every match has a window: its near value plus and minus what a float32 product may err. The span of a query's windows is
cut into buckets. A value in a bucket that touches no window stands before or behind each match for certain. A bucket's
number is a monotone function of the value, in float32 as in numbers, so this holds whatever the rounding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.evaluation.matches import Matches

CodeArray = NDArray[np.int32]

UNSURE = -1

_MARGIN = 1 / 16  # of the span, on both sides: values outside of it fall into a bucket that touches no window
_FASTEST = 2.0**100  # buckets for a step of one: still a float32 number


class Windows:
    """The windows of R queries with `width` (R,): what a float32 product and the matches' own values may err together.

    A code is the number of matches before a value plus start[r] + r: the codes of query r are those from base[r] =
    start[r] + r to base[r] + (its matches). They count the gaps between matches, all queries after each other.
    """

    def __init__(self, matches: Matches, width: FloatArray, buckets: int) -> None:
        self.base: IntArray = matches.start[:-1] + np.arange(len(width))
        self._matches = matches
        self._buckets = buckets
        near, row = matches.near, matches.row
        first, last = near[matches.start[:-1]], near[matches.start[1:] - 1]
        span = last - first + 2 * width
        margin = span * _MARGIN
        scale = (
            first - width - margin,
            np.minimum(buckets / (span + 2 * margin), _FASTEST),
            buckets * np.arange(len(width)),
        )
        self._scale = np.stack(scale).astype(np.float32)[:, :, None]
        self._table = self._filled(_down(near - width[row]), _up(near + width[row]))
        self._key_origin = first - span
        self._key_pace = 1 / (3 * span)
        self._keys = self._key(row, near)

    def _filled(self, low: VectorArray, high: VectorArray) -> CodeArray:
        scale = self._scale[:, self._matches.row, 0]
        cells = len(self.base) * self._buckets
        begun = np.bincount(self._bucket(low, scale), minlength=cells)
        ended = np.bincount(self._bucket(high, scale), minlength=cells)
        passed = np.cumsum(ended) - ended
        table = np.where(np.cumsum(begun) == passed, passed, UNSURE).astype(np.int32).reshape(-1, self._buckets)
        table += np.where(table == UNSURE, 0, np.arange(len(self.base), dtype=np.int32)[:, None])
        return table.ravel()

    def _bucket(self, values: VectorArray, scale: VectorArray) -> IntArray:
        """Places in the table; scale: origin, pace and offset of each value."""
        with np.errstate(over="ignore"):
            found = values - scale[0]
            found *= scale[1]
        np.clip(found, 0, self._buckets - 1, out=found)
        found += scale[2]
        places: IntArray = found.astype(np.int64)
        return places

    def codes(self, near: VectorArray) -> CodeArray:
        """(R, U) near values of a float32 product -> codes, or UNSURE."""
        found = np.empty(near.shape, dtype=np.int32)
        self._table.take(self._bucket(near, self._scale), out=found, mode="clip")
        return found

    def between(self, row: IntArray, near: FloatArray, error: FloatArray) -> tuple[IntArray, IntArray]:
        """How many matches are before a value for certain, and how many at most; error: of the value and the matches.

        near: (P,) values of the queries row (P,).
        """
        start = self._matches.start[row]
        certain = np.searchsorted(self._keys, self._key(row, near - error), side="left") - start
        possible = np.searchsorted(self._keys, self._key(row, near + error), side="right") - start
        return certain, possible

    def _key(self, row: IntArray, values: FloatArray) -> FloatArray:
        """Monotone in the value, from row to row + 0.999: one search finds the place in its own query."""
        found = (values - self._key_origin[row]) * self._key_pace[row]
        np.clip(found, 0, 0.999, out=found)
        found += row
        return found


def _down(values: FloatArray) -> VectorArray:
    return np.nextafter(values.astype(np.float32), np.float32(-np.inf))


def _up(values: FloatArray) -> VectorArray:
    return np.nextafter(values.astype(np.float32), np.float32(np.inf))
