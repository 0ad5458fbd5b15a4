"""Where a system is right and where it is wrong: by pair of cameras, by person, and by score. Numbers only.

A score is the cosine of two vectors, as in a search. Hidden pairs of a trial have no part in anything here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray, IntArray, Trial
from tapetum.embedding_table import EmbeddingTable
from tapetum.evaluation.chance import chance
from tapetum.evaluation.metrics import CmcRule, score_trials
from tapetum.evaluation.ranking import BoolArray, Distance, measure_into

_PAIRS_AT_ONCE = 2**22
_BINS = 2000  # of the width 0.001
_HIDDEN = -2.0  # below every cosine


@dataclass(frozen=True)
class CameraPair:
    """Queries of one camera before the gallery images of one camera alone; figures are means over the trials.

    queries: how many different ones count. r1, mAP and their chance are fractions in [0, 1].
    """

    query: str
    gallery: str
    queries: int
    r1: float
    mAP: float  # noqa: N815 (the field's own spelling, as in results.json)
    chance_r1: float
    chance_mAP: float  # noqa: N815


@dataclass(frozen=True)
class PersonResult:
    """One person as a query: how many different queries count, and the means over them and over the trials."""

    person: int
    queries: int
    r1: float
    mAP: float  # noqa: N815


@dataclass(frozen=True)
class TopAnswers:
    """The answer with the highest score to each query that counts, in all trials: (A,) each.

    person: who was asked for; score: the cosine, in [-1, 1]; right: whether the answer shows that person.
    """

    person: IntArray
    score: FloatArray
    right: BoolArray


@dataclass(frozen=True)
class ScoreHistogram:
    """How many right and how many wrong pairs have a score in each bin; edges: (B + 1,) from -1 to 1, counts: (B,)."""

    edges: FloatArray
    right: IntArray
    wrong: IntArray

    def median_right(self) -> float:
        """The score that half of the right pairs reach, to the width of a bin."""
        above = np.cumsum(self.right[::-1])[::-1]
        return float(self.edges[np.flatnonzero(2 * above >= above[0])[-1]])

    def wrong_above(self, score: float) -> float:
        """The share of wrong pairs that reach an edge of the bins; NaN without wrong pairs."""
        first = int(np.searchsorted(self.edges[:-1], score))
        total = int(self.wrong.sum())
        return float(self.wrong[first:].sum() / total) if total else float("nan")


def persons_of(table: EmbeddingTable) -> IntArray:
    """(N,): the persons of a table's rows, -1 where nobody knows."""
    return np.array([-1 if crop.person is None else crop.person for crop in table.crops], dtype=np.int64)


def camera_pairs(
    table: EmbeddingTable, trials: Sequence[Trial], *, distance: Distance, cmc: CmcRule
) -> list[CameraPair]:
    """The figures of every pair of a query camera and a gallery camera between which a query has a match."""
    persons, cameras = persons_of(table), np.array([crop.camera for crop in table.crops])
    asked: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        for one in np.unique(cameras[trial.query]):
            for other in np.unique(cameras[trial.gallery]):
                part = _between(trial, cameras[trial.query] == one, cameras[trial.gallery] == other)
                if counting_queries(part, persons).any():
                    asked.setdefault((str(one), str(other)), []).append(part)
    every = [part for parts in asked.values() for part in parts]
    scored = iter(score_trials(table.vectors, persons, every, distance=distance, cmc=cmc) if every else ())
    found = []
    for (one, other), parts in sorted(asked.items()):
        results = [next(scored) for _ in parts]
        guess = chance(parts, persons, cmc)
        queries = len(np.unique(np.concatenate([result.query for result in results])))
        r1, average = (float(np.mean([x.cmc[0] for x in results])), float(np.mean([x.mAP for x in results])))
        found.append(CameraPair(one, other, queries, r1, average, guess["r1"], guess["mAP"]))
    return found


def _between(trial: Trial, query: BoolArray, gallery: BoolArray) -> Trial:
    """The part of a trial that these queries and these gallery images make."""
    groups = (trial.query_group, trial.gallery_group)
    kept = (None if group is None else group[side] for group, side in zip(groups, (query, gallery), strict=True))
    return Trial(trial.query[query], trial.gallery[gallery], *kept)


def counting_queries(trial: Trial, persons: IntArray) -> BoolArray:
    """(Q,): which queries have a match that is not hidden."""
    answered = Counter(persons[trial.gallery].tolist())
    asked = persons[trial.query].tolist()
    if trial.query_group is None or trial.gallery_group is None:
        return np.array([answered[person] > 0 for person in asked], dtype=np.bool_)
    hidden = Counter(zip(persons[trial.gallery].tolist(), trial.gallery_group.tolist(), strict=True))
    pairs = zip(asked, trial.query_group.tolist(), strict=True)
    return np.array([answered[person] > hidden[person, group] for person, group in pairs], dtype=np.bool_)


def person_results(person: IntArray, query: NDArray[np.generic], ap: FloatArray, hit: IntArray) -> list[PersonResult]:
    """The results of each person, the lowest mAP first, equal ones by number.

    person, query, ap, hit: (A,), one entry for each query that counts in each trial, as `TrialResult` has them; query
    tells the person's queries apart (a row, a path).
    """
    names, place = np.unique(person, return_inverse=True)
    count = np.bincount(place)
    average = np.bincount(place, weights=ap) / count
    first = np.bincount(place, weights=hit == 1) / count
    _, owner = np.unique(query, return_index=True)
    queries = np.bincount(place[owner], minlength=len(names))
    return [
        PersonResult(int(names[i]), int(queries[i]), float(first[i]), float(average[i]))
        for i in np.lexsort((names, average))
    ]


def score_histogram(table: EmbeddingTable, trial: Trial) -> ScoreHistogram:
    """The scores of all pairs of one trial that are not hidden."""
    persons = persons_of(table)
    edges = np.linspace(-1, 1, _BINS + 1)
    counts = np.zeros((2, _BINS), dtype=np.int64)
    for part, scores in _scores(table, trial):
        right = persons[trial.query[part], None] == persons[trial.gallery]
        for side, chosen in enumerate((~right & (scores > _HIDDEN), right & (scores > _HIDDEN))):
            counts[side] += np.histogram(scores[chosen], edges)[0]
    return ScoreHistogram(edges, counts[1], counts[0])


def top_answers(table: EmbeddingTable, trials: Sequence[Trial]) -> TopAnswers:
    """The best answer to each query that counts, in each trial; equal scores by the order of the gallery."""
    persons = persons_of(table)
    asked, best, right = [], [], []
    for trial in trials:
        counting = counting_queries(trial, persons)
        for part, scores in _scores(table, trial):
            column = scores.argmax(axis=1)[counting[part]]
            person = persons[trial.query[part]][counting[part]]
            asked.append(person)
            best.append(scores.max(axis=1)[counting[part]])
            right.append(persons[trial.gallery[column]] == person)
    return TopAnswers(np.concatenate(asked), np.concatenate(best), np.concatenate(right))


def _scores(table: EmbeddingTable, trial: Trial) -> Iterator[tuple[slice, FloatArray]]:
    """Some queries at a time: their cosines (q, G) with the gallery, -2 for hidden pairs."""
    gallery = unit_vectors(table, trial.gallery).T
    step = max(1, _PAIRS_AT_ONCE // len(trial.gallery))
    for start in range(0, len(trial.query), step):
        part = slice(start, start + step)
        scores = np.clip(unit_vectors(table, trial.query[part]) @ gallery, -1, 1)
        if trial.query_group is not None and trial.gallery_group is not None:
            scores[trial.query_group[part, None] == trial.gallery_group] = _HIDDEN
        yield part, scores


def unit_vectors(table: EmbeddingTable, rows: IntArray) -> FloatArray:
    """(R, D): these rows' vectors at length 1. Raises EmbeddingError for a vector of length zero."""
    found = np.empty((len(rows), table.vectors.shape[1]))
    measure_into(found, table.vectors, rows, "cosine")
    return found
