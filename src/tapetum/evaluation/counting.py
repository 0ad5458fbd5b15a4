"""How many columns of the gallery stand before each match: tile by tile, in every trial at once, without a sort.

A float32 product tells for almost every pair between which two matches of its query it stands. The few pairs that it
cannot tell are measured again in float64, and what is still open by d itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.evaluation.asked import Asked
from tapetum.evaluation.columns import Columns, LaneArray
from tapetum.evaluation.earlier_persons import EarlierPersons
from tapetum.evaluation.matches import Matches, exact
from tapetum.evaluation.points import Points
from tapetum.evaluation.ranking import BoolArray
from tapetum.evaluation.windows import UNSURE, CodeArray, Windows

CountArray = NDArray[np.int32]

_FEWEST_BUCKETS, _MOST_BUCKETS = 64, 4096


@dataclass(frozen=True)
class Problem:
    """What all queries of a family share. persons_too: whether the persons before the first match are counted."""

    points: Points
    columns: Columns
    persons_too: bool


class Tally:
    """The counts of R queries.

    gaps: (K, T), by Windows' codes: how many columns stand in the gap before each match, and behind the last one.
    start: (R + 1,), the matches of query r are start[r] ... start[r + 1] - 1; present: (M, T), which trial holds them.
    """

    def __init__(self, problem: Problem, queries: Asked, matches: Matches) -> None:
        self._problem, self._queries, self._matches = problem, queries, matches
        columns = problem.columns
        self._lengths: FloatArray = problem.points.lengths[queries.rows]
        furthest = np.full(len(queries), columns.lengths.max())
        width = problem.points.single_error(self._lengths, furthest) + matches.error
        self._windows = Windows(matches, width, _bucket_count(len(columns.rows), matches))
        self.present: BoolArray = columns.member[matches.column]
        trials = columns.member.shape[1]
        self.gaps: CountArray = np.zeros((len(matches.row) + len(queries), trials), dtype=np.int32)
        self.start = matches.start
        self._persons = EarlierPersons(matches, self.present, columns) if problem.persons_too else None

    def add(self, near: VectorArray, tile: slice) -> None:
        """Count the columns of a tile; near: (R, U), its float32 product, which is spoilt. Tiles come in order."""
        self._hide(near, tile)
        codes = self._windows.codes(near)
        unsure = np.flatnonzero(codes == UNSURE)
        if len(unsure):
            row, place = np.divmod(unsure, near.shape[1])
            codes.ravel()[unsure] = self._decide(row, place + tile.start, near.ravel()[unsure].astype(np.float64))
        self._count(codes, tile)
        if self._persons is not None:
            self._persons.add(codes, tile)

    @property
    def persons(self) -> IntArray | None:
        """(R, T), how many different persons stand before the trial's first match; None when they are not counted."""
        return None if self._persons is None else self._persons.counts

    def _hide(self, near: VectorArray, tile: slice) -> None:
        """Matches and hidden pairs stand behind everything: the former are no wrong answers, the latter none at all."""
        column = self._matches.column
        inside = (column >= tile.start) & (column < tile.stop)
        near[self._matches.row[inside], column[inside] - tile.start] = np.inf
        if self._queries.group is not None:
            for start, stop in self._queries.group_runs():
                hidden = self._problem.columns.of_group(int(self._queries.group[start]), tile)
                near[start:stop, hidden] = np.inf

    def _decide(self, row: IntArray, column: IntArray, near: FloatArray) -> IntArray:
        """Codes of single pairs with these near values of a float32 product."""
        points, columns = self._problem.points, self._problem.columns
        error = points.single_error(self._lengths[row], columns.lengths[column]) + self._matches.error[row]
        certain, possible = self._windows.between(row, near, error)
        left = np.flatnonzero(certain < possible)
        if len(left):
            certain[left] = self._decide_by_float64(row[left], column[left])
        codes: IntArray = self._windows.base[row] + certain
        return codes

    def _decide_by_float64(self, row: IntArray, column: IntArray) -> IntArray:
        """How many matches stand before each of these pairs."""
        points, columns = self._problem.points, self._problem.columns
        near = columns.squares[column] - 2 * points.products(self._queries.rows[row], columns.rows[column])
        error = points.error(self._lengths[row], columns.lengths[column]) + self._matches.error[row]
        return self._bisected(row, column, *self._windows.between(row, near, error))

    def _bisected(self, row: IntArray, column: IntArray, low: IntArray, high: IntArray) -> IntArray:
        """How many matches stand before each pair: from low to high, found by d, ties by place."""
        undecided = np.flatnonzero(low < high)
        if len(undecided) == 0:
            return low
        place = self._problem.columns.place
        distance = self._exact(row[undecided], column[undecided])
        while len(undecided):
            middle = (low[undecided] + high[undecided]) // 2
            match = self._matches.column[self._matches.start[row[undecided]] + middle]
            theirs = self._exact(row[undecided], match)
            before = (theirs < distance) | ((theirs == distance) & (place[match] < place[column[undecided]]))
            low[undecided] = np.where(before, middle + 1, low[undecided])
            high[undecided] = np.where(before, high[undecided], middle)
            still = low[undecided] < high[undecided]
            undecided, distance = undecided[still], distance[still]
        return low

    def _exact(self, row: IntArray, column: IntArray) -> FloatArray:
        return exact(self._queries.rows, row, column, self._problem.columns, self._problem.points)

    def _count(self, codes: CodeArray, tile: slice) -> None:
        if self.gaps.shape[1] == 1:  # a trial alone holds every column
            self.gaps[:, 0] += np.bincount(codes.ravel(), minlength=len(self.gaps)).astype(np.int32)
            return
        width = codes.shape[1]
        column = np.tile(np.arange(width, dtype=np.int32), len(codes))
        ones = np.ones(codes.size, dtype=np.int64)
        where = coo_array((ones, (codes.ravel(), column)), shape=(len(self.gaps), width))
        lanes: LaneArray = np.asarray(where @ self._problem.columns.lanes[tile])
        self.gaps += lanes.view(np.uint16)[:, : self.gaps.shape[1]]


def _bucket_count(columns: int, matches: Matches) -> int:
    """A balance: filling the table costs for each bucket, a pair in a bucket with a window for each match."""
    wanted = np.sqrt(4 * columns * len(matches.row) / len(matches.error))
    return int(2 ** np.clip(np.ceil(np.log2(wanted)), np.log2(_FEWEST_BUCKETS), np.log2(_MOST_BUCKETS)))
