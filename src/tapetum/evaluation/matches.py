"""The matches of some queries in exact order, and how far each of them stands.

"Near" below is (scale d)^2 - |q|^2 of the moved vectors: for one query it is in the order of d.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapetum.core import FloatArray, IntArray
from tapetum.evaluation.asked import Asked
from tapetum.evaluation.columns import Columns
from tapetum.evaluation.points import Points, pieces

_COLUMNS_AT_ONCE = 1024


@dataclass(frozen=True)
class Matches:
    """The M matches of R queries, query by query, nearest first, ties in the gallery's order.

    row, column: (M,), which query and which column.   start: (R + 1,), the matches of query r are start[r] ... - 1.
    near: (M,), ascending in each query, not further than `error` (R,) from the truth.
    """

    row: IntArray
    column: IntArray
    start: IntArray
    near: FloatArray
    error: FloatArray

    def part(self, first: int, last: int) -> Matches:
        """The matches of the queries first ... last - 1."""
        inside = slice(self.start[first], self.start[last])
        start = self.start[first : last + 1] - self.start[first]
        return Matches(self.row[inside] - first, self.column[inside], start, self.near[inside], self.error[first:last])


def matches_of(queries: Asked, columns: Columns, points: Points) -> Matches:
    """The matches of some queries."""
    column, near = (np.empty(queries.matches.sum(), dtype=kind) for kind in (np.int64, np.float64))
    starts = np.concatenate([[0], np.cumsum(queries.matches)])
    for first, last in queries.runs():
        own = _own(queries, first, columns)
        moved = points.moved(queries.rows[first:last])
        inside = slice(starts[first], starts[last])
        near[inside] = _near(moved, own, columns, points).ravel()
        column[inside] = np.tile(own, last - first)
    row = np.repeat(np.arange(len(queries)), queries.matches)
    order = np.lexsort((near, row))
    furthest = np.maximum.reduceat(columns.lengths[column], starts[:-1])
    matches = Matches(row, column[order], starts, near[order], points.error(points.lengths[queries.rows], furthest))
    _settle(matches, queries, columns, points)
    return matches


def _own(queries: Asked, query: int, columns: Columns) -> IntArray:
    """The columns that match a query."""
    own = slice(queries.first[query], queries.last[query])
    if queries.group is None or columns.group is None:
        return np.arange(own.start, own.stop)
    seen: IntArray = own.start + np.flatnonzero(columns.group[own] != queries.group[query])
    return seen


def _near(moved: FloatArray, own: IntArray, columns: Columns, points: Points) -> FloatArray:
    values = np.empty((len(moved), len(own)))
    for part in pieces(len(own), _COLUMNS_AT_ONCE):
        gallery = points.moved(columns.rows[own[part]])
        np.subtract(columns.squares[own[part]], 2 * (moved @ gallery.T), out=values[:, part])
    return values


def _settle(matches: Matches, queries: Asked, columns: Columns, points: Points) -> None:
    """Sort each run of matches that stand too close to be told apart by d itself, in place.

    The sorted values stay: the n-th of them is as close to the n-th of the true ones as any to its own.
    """
    close = (np.diff(matches.near) <= 2 * matches.error[matches.row[1:]]) & (np.diff(matches.row) == 0)
    if not close.any():
        return
    places = np.flatnonzero(np.append(close, False) | np.append(False, close))
    run = np.cumsum(np.append(True, ~close))[places]
    column = matches.column[places]
    distances = exact(queries.rows, matches.row[places], column, columns, points)
    matches.column[places] = column[np.lexsort((columns.place[column], distances, run))]


def exact(rows: IntArray, query: IntArray, column: IntArray, columns: Columns, points: Points) -> FloatArray:
    """d of the pairs (query[i], column[i]); rows: the queries' rows of the table. Equal vectors are measured once."""
    if columns.original is None:
        return points.distances(rows[query], columns.rows[column])
    pairs, inverse = np.unique(query * len(columns.rows) + columns.original[column], return_inverse=True)
    once = points.distances(rows[pairs // len(columns.rows)], columns.rows[pairs % len(columns.rows)])
    return once[inverse]
