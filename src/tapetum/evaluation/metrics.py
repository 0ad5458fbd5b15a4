"""CMC, mAP and mINP of trials, from vectors and identities alone (PROTOCOLS section 1, METHODS section 11).

For one query, hidden pairs dropped, the gallery sorted by distance with ties in gallery order, n matches at ranks r_i:
    AP  = 1/n sum_i i / r_i             over all images, nothing de-duplicated
    INP = n / r_n                       r_n is the rank of the last match
    CMC_k = 1 when the rank of the hit is at most k; the hit's rank counts
            "identities": the different persons up to the first match (SYSU-MM01, LLCM), or
            "images":     the images up to the first match (RegDB: the ordinary CMC)
A query without a match is left out. A trial's figure is the mean over the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tapetum.core import FloatArray, IntArray, Trial
from tapetum.errors import DataError, EmbeddingError
from tapetum.evaluation.families import Family, families
from tapetum.evaluation.ranking import (
    BoolArray,
    ColumnArray,
    Distance,
    gallery_factor,
    query_factor,
    sorted_columns,
)

CmcRule = Literal["identities", "images"]

_PAIRS_AT_ONCE = 2**21  # about 100 MB of working memory in each thread
_THREADS = 2


@dataclass(frozen=True)
class TrialResult:
    """One trial's figures, fractions in [0, 1].

    cmc: as long as the number of gallery identities ("identities") or of gallery images ("images").
    valid_queries: how many of `queries` have a match and count; gallery: the number of gallery images.
    """

    cmc: FloatArray
    mAP: float  # noqa: N815 (the field's own spelling, as in results.json)
    mINP: float  # noqa: N815
    valid_queries: int
    gallery: int
    queries: int


@dataclass(frozen=True)
class _Table:
    vectors: NDArray[np.floating]
    persons: IntArray
    distance: Distance


@dataclass(frozen=True)
class _Scores:
    """Per query and trial, (Q, T): AP, INP, and the hit's rank (0: no match, and AP and INP mean nothing)."""

    ap: FloatArray
    inp: FloatArray
    hit: IntArray


def score_trials(
    vectors: NDArray[np.floating],
    persons: IntArray,
    trials: Sequence[Trial],
    *,
    distance: Distance = "euclidean",
    cmc: CmcRule = "identities",
    pairs_at_once: int = _PAIRS_AT_ONCE,
) -> list[TrialResult]:
    """Evaluate every trial; trials that share their queries share one matrix product.

    vectors: (N, D); persons: (N,); trials name rows of both. pairs_at_once bounds the memory and changes no result.
    Raises EmbeddingError for vectors that cannot be compared, DataError for a trial that cannot be evaluated.
    """
    for number, trial in enumerate(trials):
        _check(trial, number, len(vectors))
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise EmbeddingError(f"vectors have the shape {vectors.shape}. Expected (number, dimensions).")
    table = _Table(vectors, persons, distance)
    results: dict[int, TrialResult] = {}
    for family in families(trials, persons):
        scores = _score_family(family, table, cmc, pairs_at_once)
        for place, number in enumerate(family.numbers):
            length = _cmc_length(trials[number], persons, cmc)
            results[number] = _summary(scores, place, trials[number], number, length)
    return [results[number] for number in range(len(trials))]


def _check(trial: Trial, number: int, rows: int) -> None:
    if len(trial.query) == 0 or len(trial.gallery) == 0:
        raise DataError(f"trial {number} has {len(trial.query)} queries and {len(trial.gallery)} gallery images.")
    if (trial.query_group is None) != (trial.gallery_group is None):
        raise DataError(f"trial {number} has groups on one side only. Give both or none.")
    named = np.concatenate([trial.query, trial.gallery])
    if named.min() < 0 or named.max() >= rows:
        raise DataError(f"trial {number} names a row outside of the table's {rows} rows.")
    unique, counts = np.unique(trial.gallery, return_counts=True)
    if len(unique) < len(trial.gallery):
        raise DataError(f"trial {number} has row {unique[counts.argmax()]} twice in its gallery.")


def _cmc_length(trial: Trial, persons: IntArray, cmc: CmcRule) -> int:
    return len(trial.gallery) if cmc == "images" else len(np.unique(persons[trial.gallery]))


def _summary(scores: _Scores, place: int, trial: Trial, number: int, length: int) -> TrialResult:
    hit = scores.hit[:, place]
    valid = hit > 0
    count = int(valid.sum())
    if count == 0:
        raise DataError(f"trial {number}: none of {len(hit)} queries has a match in its gallery.")
    # fsum rounds once, so that the order of the queries changes nothing.
    average, penalty = (math.fsum(values[valid, place]) / count for values in (scores.ap, scores.inp))
    curve = np.cumsum(np.bincount(hit[valid] - 1, minlength=length)) / count
    return TrialResult(curve, average, penalty, count, len(trial.gallery), len(hit))


def _score_family(family: Family, table: _Table, cmc: CmcRule, pairs_at_once: int) -> _Scores:
    gallery = gallery_factor(table.vectors, family.columns, table.distance)
    step = max(1, pairs_at_once // len(gallery))
    parts = [slice(start, start + step) for start in range(0, len(family.query), step)]
    with ThreadPoolExecutor(_THREADS) as pool:  # NumPy lets go of the interpreter while it works
        found = list(pool.map(lambda part: _score_part(family, table, gallery, part, cmc), parts))
    return _Scores(*(np.concatenate([getattr(part, name) for part in found]) for name in ("ap", "inp", "hit")))


def _score_part(family: Family, table: _Table, gallery: FloatArray, part: slice, cmc: CmcRule) -> _Scores:
    rows = family.query[part]
    asked = table.persons[rows]
    hidden = family.hidden(part)
    columns = sorted_columns(query_factor(table.vectors, rows, table.distance), gallery, hidden)
    match = asked[:, None] == table.persons[family.columns]
    if hidden is not None:
        match &= ~hidden
    scores = _score_matches(columns, np.take_along_axis(match, columns, axis=1), family.member)
    if cmc == "identities":
        scores.hit[:] = np.where(scores.hit > 0, _identity_ranks(columns, asked, family, table.persons), 0)
    return scores


def _score_matches(columns: ColumnArray, match: BoolArray, member: BoolArray) -> _Scores:
    """AP, INP and the first match's rank among images.

    columns, match: (Q, U), in sorted order; member: (U, T). The sorted columns of a query are cut after each match;
    counting the members of each cut in each trial is one product of a sparse matrix with `member`.
    """
    queries, width = columns.shape
    rows, places = np.nonzero(match)  # the matches of a query stand together, nearest first
    cuts = np.sort(np.concatenate([rows * width + places + 1, np.arange(1, queries + 1) * width]))
    ones = np.ones(columns.size, dtype=np.float32)
    pieces = csr_array((ones, columns.ravel(), np.concatenate([[0], cuts])), shape=(len(cuts), width))
    seen = np.cumsum(pieces @ member.astype(np.float32), axis=0, dtype=np.float64)
    # A query has one piece more than matches, and all its pieces together hold each gallery once.
    ranks = seen[np.arange(len(rows)) + rows] - rows[:, None] * member.sum(axis=0)  # (M, T)
    return _average(member[columns[rows, places]], ranks, rows, queries)


def _average(present: BoolArray, ranks: FloatArray, rows: IntArray, queries: int) -> _Scores:
    """present: (M, T), whether a match is in the trial's gallery; ranks: (M, T) among images; rows: (M,) its query."""
    shape = (queries, present.shape[1])
    scores = _Scores(np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64))
    asked, starts = np.unique(rows, return_index=True)
    if len(asked) == 0:
        return scores
    count: IntArray = np.cumsum(present, axis=0, dtype=np.int64)
    earlier: IntArray = (count - present)[starts]
    nth: IntArray = count - np.repeat(earlier, np.diff(np.append(starts, len(rows))), axis=0)
    total = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    precision = np.add.reduceat(np.where(present, nth / np.maximum(ranks, 1), 0.0), starts, axis=0)
    last = np.maximum.reduceat(np.where(present, ranks, 0.0), starts, axis=0)
    first = np.minimum.reduceat(np.where(present, ranks, np.inf), starts, axis=0)
    scores.ap[asked] = precision / np.maximum(total, 1)
    scores.inp[asked] = total / np.maximum(last, 1)
    scores.hit[asked] = np.where(total > 0, first, 0)
    return scores


def _identity_ranks(columns: ColumnArray, asked: IntArray, family: Family, persons: IntArray) -> IntArray:
    """(Q, T): the place of the asked person in the list of different persons; meaningless where there is no match.

    Hidden pairs stand behind all others, so they never come before a match.
    """
    place = np.empty_like(columns)
    np.put_along_axis(place, columns, np.arange(columns.shape[1], dtype=np.int32)[None], axis=1)
    place = np.ascontiguousarray(place.T)  # (U, Q)
    ranks = np.zeros((len(asked), family.member.shape[1]), dtype=np.int64)
    for trial, member in enumerate(family.member.T):
        here = np.flatnonzero(member)
        here = here[np.argsort(persons[family.columns[here]], kind="stable")]
        names, starts = np.unique(persons[family.columns[here]], return_index=True)
        nearest = np.minimum.reduceat(place[here], starts, axis=0)  # (persons, Q)
        own = np.minimum(np.searchsorted(names, asked), len(names) - 1)
        ranks[:, trial] = np.sum(nearest < nearest[own, np.arange(len(asked))], axis=0) + 1
    return ranks
