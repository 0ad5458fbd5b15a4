"""AP, INP and the rank of the hit for every query of a family, by blocks that bound the memory and share the work.

A block is some queries, for one thread; it meets the gallery tile by tile. Neither changes a result: what the counting
takes from a float32 product is certain, and the counts are whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.evaluation.asked import Asked, asked, blocks
from tapetum.evaluation.columns import Columns, columns_of
from tapetum.evaluation.counting import CountArray, Problem, Tally
from tapetum.evaluation.families import Family
from tapetum.evaluation.matches import matches_of
from tapetum.evaluation.points import Points, pieces, placed
from tapetum.evaluation.ranking import BoolArray, Distance

_QUERIES_AT_ONCE = 1024
_COLUMNS_AT_ONCE = 2**15  # counts of a tile are added up in 16 bits
_PRODUCT = (256, 512)  # a product of float32 pieces and their sum, in the cache
_COUNTED_AT_ONCE = 2**17
_MATCHES_AT_ONCE = 2**20


@dataclass(frozen=True)
class Table:
    """vectors: (N, D); persons: (N,); distance: by which they are ranked."""

    vectors: NDArray[np.floating]
    persons: IntArray
    distance: Distance


@dataclass(frozen=True)
class Work:
    """How to work: pairs and threads at once, and whom to tell how many pairs are done. No result depends on it."""

    pairs: int
    threads: int
    done: Callable[[int], None]

    @property
    def queries(self) -> int:
        """Queries in a block: half as many as columns in a tile, so that both sides of the product are reused."""
        return max(1, min(_QUERIES_AT_ONCE, int(self.pairs**0.5) // 2))

    @property
    def columns(self) -> int:
        """Columns in a tile."""
        return max(1, min(_COLUMNS_AT_ONCE, self.pairs // self.queries))


@dataclass(frozen=True)
class Scores:
    """Per query (Q,), or per query and trial (Q, T): AP, INP, and the hit's rank from 1.

    A rank of 0 says that there is no match; AP and INP then mean nothing.
    """

    ap: FloatArray
    inp: FloatArray
    hit: IntArray

    def of(self, trial: int) -> Scores:
        """(Q, T) -> (Q,): those of one trial."""
        return Scores(self.ap[:, trial], self.inp[:, trial], self.hit[:, trial])

    def put(self, place: IntArray, found: Scores) -> None:
        """Write the scores of some queries to their places."""
        self.ap[place], self.inp[place], self.hit[place] = found.ap, found.inp, found.hit

    @staticmethod
    def joined(parts: Sequence[Scores]) -> Scores:
        """The scores of several parts of the queries, one after the other."""
        return Scores(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("ap", "inp", "hit")))


def score_family(family: Family, table: Table, *, persons_too: bool, work: Work) -> Scores:
    """Score the queries of a family in each of its trials, (Q, T).

    persons_too: a hit's rank counts persons, not images. Raises EmbeddingError for vectors that cannot be compared.
    """
    points = placed(table.vectors, np.concatenate([family.query, family.columns]), table.distance)
    columns = columns_of(family, table.persons, points)
    queries = asked(family, table.persons, columns)
    shape = (len(family.query), family.member.shape[1])
    scores = Scores(np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64))
    if len(queries):
        _fill(scores, queries, Problem(points, columns, persons_too), work)
    work.done((len(family.query) - len(queries)) * len(columns))
    return scores


def _fill(scores: Scores, queries: Asked, problem: Problem, work: Work) -> None:
    parts = list(_shared_out(queries, problem, work))
    # Each thread multiplies on its own: threads inside of the products would wait for each other.
    with _linear_algebra().limit(limits=1, user_api="blas"), ThreadPoolExecutor(work.threads) as pool:
        for part, found in zip(parts, pool.map(lambda part: _score_block(part, problem, work), parts), strict=True):
            scores.put(part.place, found)
            work.done(len(part) * len(problem.columns))


def _shared_out(queries: Asked, problem: Problem, work: Work) -> Iterator[Asked]:
    """Blocks of the queries: as many for each thread, and no more queries or matches than memory shall hold."""
    rounds = -(-len(queries) // (work.threads * work.queries))
    rows = -(-len(queries) // (work.threads * rounds))
    return blocks(queries, rows, _MATCHES_AT_ONCE // problem.columns.member.shape[1])


def threads_of_linear_algebra() -> int:
    """As many as matrix products use: the processors, or what OMP_NUM_THREADS and its like say."""
    return max((info["num_threads"] for info in _linear_algebra().info() if info["user_api"] == "blas"), default=1)


@cache
def _linear_algebra() -> ThreadpoolController:
    return ThreadpoolController()


def _score_block(queries: Asked, problem: Problem, work: Work) -> Scores:
    points, columns = problem.points, problem.columns
    matches = matches_of(queries, columns, points)
    # Counting goes by fewer queries than the product, so that its intermediate numbers stay in the cache.
    rows = max(1, _COUNTED_AT_ONCE // min(work.columns, len(columns)))
    groups = list(pieces(len(queries), rows))
    tallies = [Tally(problem, queries.part(group), matches.part(group.start, group.stop)) for group in groups]
    vectors = points.split(queries.rows)
    for tile in pieces(len(columns), work.columns):
        near = _near(vectors, tile, points, columns)
        for group, tally in zip(groups, tallies, strict=True):
            tally.add(near[group], tile)
    return Scores.joined([_scores(tally) for tally in tallies])


def _near(queries: list[VectorArray], tile: slice, points: Points, columns: Columns) -> VectorArray:
    """(R, U): |g|^2 - 2 q g in float32, summed in pieces as `Points.single_error` says."""
    near = np.empty((len(queries[0]), tile.stop - tile.start), dtype=np.float32)
    for part in pieces(near.shape[1], _PRODUCT[1]):
        inside = slice(tile.start + part.start, tile.start + part.stop)
        gallery = [piece * np.float32(-2) for piece in points.split(columns.rows[inside])]
        squares = columns.squares[inside].astype(np.float32)
        for some in pieces(len(near), _PRODUCT[0]):
            total = queries[0][some] @ gallery[0].T
            more = np.empty_like(total)
            for query, piece in zip(queries[1:], gallery[1:], strict=True):
                total += np.matmul(query[some], piece.T, out=more)
            np.add(total, squares, out=near[some, part])
    return near


def _scores(tally: Tally) -> Scores:
    """(R, T): what the counts of some queries mean."""
    start, present = tally.start, tally.present
    row = np.repeat(np.arange(len(start) - 1), np.diff(start))
    nth = _counted(present, start[row], np.arange(1, len(row) + 1))
    # The gaps of a query are one more than its matches; a match stands behind its own gap and those before it.
    wrong = _counted(tally.gaps, (start[:-1] + np.arange(len(start) - 1))[row], np.arange(1, len(row) + 1) + row)
    return _averaged(present, nth, nth + wrong, start[:-1], tally.persons)


def _counted(numbers: CountArray | BoolArray, first: IntArray, last: IntArray) -> CountArray:
    """(P, T): sums of numbers[first[i] : last[i]]."""
    total = np.zeros((len(numbers) + 1, numbers.shape[1]), dtype=np.int32)
    np.cumsum(numbers, axis=0, dtype=np.int32, out=total[1:])
    found: CountArray = total[last] - total[first]
    return found


def _averaged(
    present: BoolArray, nth: CountArray, ranks: CountArray, starts: IntArray, before: IntArray | None
) -> Scores:
    """AP, INP and hit of queries whose matches begin at `starts`; before: persons nearer than the trial's first match.

    present, nth, ranks: (M, T), whether a match is in the trial, which of its query's matches it is, and its rank.
    """
    total = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    precision = np.add.reduceat(np.where(present, nth / np.maximum(ranks, 1), 0.0), starts, axis=0)
    last = np.maximum.reduceat(np.where(present, ranks, 0), starts, axis=0)
    first = np.minimum.reduceat(np.where(present, ranks, np.iinfo(np.int32).max), starts, axis=0)
    hit = first if before is None else before + 1
    return Scores(precision / np.maximum(total, 1), total / np.maximum(last, 1), np.where(total > 0, hit, 0))
