"""CMC, mAP and mINP of trials, from vectors and identities alone (PROTOCOLS section 1, METHODS section 11).

For one query, hidden pairs dropped, the gallery sorted by distance with ties in gallery order, n matches at ranks r_i:
    AP  = 1/n sum_i i / r_i             over all images, nothing de-duplicated
    INP = n / r_n                       r_n is the rank of the last match
    CMC_k = 1 when the rank of the hit is at most k; the hit's rank counts
            "identities": the different persons up to the first match (SYSU-MM01, LLCM), or
            "images":     the images up to the first match (RegDB: the ordinary CMC)
A query without a match is left out. A trial's figure is the mean over the others.

Nothing is sorted for that: a match's rank is one more than the number of images before it, and these are counted.
The files, from the outside in:
    families   trials that ask the same queries are counted together
    scoring    blocks of queries on several threads, tiles of the gallery; counts become AP, INP and hits
    asked, columns      the queries' side and the gallery's side, in an order that makes the counting cheap
    matches    the matches of each query in exact order
    counting   how many images stand before each match, tile by tile
    windows    the table that tells from a float32 product between which two matches a pair stands
    points     what products of vectors err, at most; ranking: the exact distance
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray, IntArray, Trial
from tapetum.errors import DataError, EmbeddingError
from tapetum.evaluation.families import families
from tapetum.evaluation.ranking import Distance
from tapetum.evaluation.scoring import Scores, Table, Work, score_family, threads_of_linear_algebra

CmcRule = Literal["identities", "images"]
Progress = Callable[[int, int], None]

_PAIRS_AT_ONCE = 2**21  # about 100 MB of working memory in each thread


@dataclass(frozen=True)
class TrialResult:
    """One trial's figures, fractions in [0, 1].

    cmc: as long as the number of gallery identities ("identities") or of gallery images ("images").
    valid_queries: how many of `queries` have a match and count; gallery: the number of gallery images.
    query, ap, inp, hit: (V,) for the V valid queries, in the trial's order: the query's row of the table, its AP, its
    INP, and the rank of its hit, counted from 1 as the CMC rule says.
    """

    cmc: FloatArray
    mAP: float  # noqa: N815 (the field's own spelling, as in results.json)
    mINP: float  # noqa: N815
    valid_queries: int
    gallery: int
    queries: int
    query: IntArray
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
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[TrialResult]:
    """Evaluate every trial; trials that share their queries share one matrix product.

    vectors: (N, D); persons: (N,); trials name rows of both. pairs_at_once bounds the memory and changes no result.
    threads: as many as the linear algebra has unless said; it is held to one thread meanwhile, in the whole process.
    progress: told (pairs done, pairs in all).
    Raises EmbeddingError for vectors that cannot be compared, DataError for a trial that cannot be evaluated.
    """
    for number, trial in enumerate(trials):
        _check(trial, number, len(vectors))
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise EmbeddingError(f"vectors have the shape {vectors.shape}. Expected (number, dimensions).")
    table = Table(vectors, persons, distance)
    together = families(trials, persons)
    done = counter(progress, sum(family.pairs for family in together))
    work = Work(pairs_at_once, threads or threads_of_linear_algebra(), done)
    results: dict[int, TrialResult] = {}
    for family in together:
        scores = score_family(family, table, persons_too=cmc == "identities", work=work)
        for place, number in enumerate(family.numbers):
            results[number] = trial_result(trials[number], scores.of(place), persons, cmc, f"trial {number}")
    return [results[number] for number in range(len(trials))]


def counter(progress: Progress | None, total: int) -> Callable[[int], None]:
    """A function that is told how many pairs were done since it was last called, and tells `progress` the sum."""
    so_far = 0

    def done(pairs: int) -> None:
        nonlocal so_far
        so_far += pairs
        if progress is not None:
            progress(so_far, total)

    return done


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


def trial_result(trial: Trial, scores: Scores, persons: IntArray, cmc: CmcRule, what: str) -> TrialResult:
    """A trial's figures from its queries' scores (Q,). Raises DataError, naming `what`, where no query counts."""
    valid = scores.hit > 0
    count = int(valid.sum())
    if count == 0:
        raise DataError(f"{what}: none of {len(valid)} queries has a match in its gallery.")
    ap, inp, hit = scores.ap[valid], scores.inp[valid], scores.hit[valid]
    length = len(trial.gallery) if cmc == "images" else len(np.unique(persons[trial.gallery]))
    curve = np.cumsum(np.bincount(hit - 1, minlength=length)) / count
    # fsum rounds once, so that the order of the queries changes nothing.
    figures = curve, math.fsum(ap) / count, math.fsum(inp) / count
    return TrialResult(*figures, count, len(trial.gallery), len(valid), trial.query[valid], ap, inp, hit)
