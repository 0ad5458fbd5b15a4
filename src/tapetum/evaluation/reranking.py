"""Re-ranking with k-reciprocal encoding (Zhong, Zheng, Cao, Li, CVPR 2017, equations 2 to 12).

    N(p, k)  = the k nearest of all images, p itself before them
    R(p, k)  = {g in N(p, k) : p in N(g, k)}
    R*(p)    = R(p, k1) with every R(q, k1/2), q in R(p, k1), of which more than 2/3 lies in R(p, k1)
    V_p[g]   = exp(-d(p, g)) for g in R*(p), else 0; brought to the sum 1
    V_p      <- mean of V_g over p and its k2 - 1 nearest
    d_J(p, g) = 1 - sum min(V_p, V_g) / sum max(V_p, V_g)
    d*(p, g)  = (1 - weight) d_J(p, g) + weight d(p, g),    d(p, g) = squared distance / p's largest squared distance

The details are those of the authors' script, which published figures come from. It differs from the paper in four
points: (1) d is squared and divided by the row's largest, (2) "more than 2/3" is strict, (3) V sums to 1, (4) p counts
beside its k neighbours. A trial's neighbourhoods are those of all its queries and its gallery, each image once, hidden
pairs included, as in the published evaluations: hidden pairs are taken out of the final ranking only. Hence figures
with re-ranking use what a single query does not know, the other queries: they never stand in the main column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from tapetum.core import FloatArray, IntArray, Trial
from tapetum.errors import RecipeError
from tapetum.evaluation.metrics import CmcRule, Progress, TrialResult, counter, trial_result
from tapetum.evaluation.neighbours import ColumnSet, SingleArray, nearest, squared_distances, tiles
from tapetum.evaluation.points import Points, placed
from tapetum.evaluation.ranking import Distance
from tapetum.evaluation.reciprocal import encode, relative, shared_mass
from tapetum.evaluation.score_rows import score_rows
from tapetum.evaluation.scoring import Scores

_PAIRS_AT_ONCE = 2**21


@dataclass(frozen=True)
class ReRanking:
    """Settings of k-reciprocal re-ranking; the defaults are the paper's.

    k1: neighbours whose reciprocity counts, at least 1.   k2: rows that are averaged, 1 for none.
    weight: of the original distance (the paper's lambda), in [0, 1]; 1 keeps the original order.
    distance: what is re-ranked.   Raises RecipeError for a value out of range.
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3
    distance: Distance = "euclidean"

    def __post_init__(self) -> None:
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.weight <= 1:
            raise RecipeError(
                f"re-ranking with k1 {self.k1}, k2 {self.k2}, weight {self.weight} is not possible. Expected k1 and k2"
                " from 1 upwards and a weight in [0, 1]; the paper has 20, 6 and 0.3."
            )

    @property
    def listed(self) -> int:
        """How many neighbours must be known, an image itself among them."""
        return max(self.k1 + 1, self.k2)


@dataclass(frozen=True)
class _Family:
    """Trials that ask the same queries.

    numbers: which trials they are; asked: (Q,) the distinct queries; answered: of each trial, the rows of its gallery
    that do not ask. A trial's images are `asked`, then its `answered`.
    """

    numbers: tuple[int, ...]
    trials: tuple[Trial, ...]
    asked: IntArray
    answered: tuple[IntArray, ...]

    def rows(self) -> IntArray:
        """The distinct rows of all its images, ascending."""
        return np.unique(np.concatenate([self.asked, *self.answered]))

    def gallery(self) -> IntArray:
        """The distinct rows of all its galleries, ascending."""
        return np.unique(np.concatenate([trial.gallery for trial in self.trials]))

    def pairs(self) -> int:
        """How many distances are measured for it."""
        return len(self.rows()) ** 2 + len(self.trials[0].query) * len(self.gallery())


@dataclass(frozen=True)
class _Encoded:
    """V of a trial's queries (Q, N) and of its gallery (G, N), in the trial's order, and each query's farthest."""

    asked: csr_array
    answered: csc_array
    farthest: SingleArray


def score_reranked(
    vectors: NDArray[np.floating],
    persons: IntArray,
    trials: Sequence[Trial],
    *,
    settings: ReRanking,
    cmc: CmcRule,
    progress: Progress | None = None,
) -> list[TrialResult]:
    """Re-rank every trial and score it by the same definitions as `score_trials`; ties stand in gallery order.

    vectors: (N, D); persons: (N,); trials name rows of both. Memory grows with the number of images and not with its
    square. progress: told (pairs of images measured, pairs in all).
    Raises EmbeddingError for vectors that cannot be compared, DataError for a trial without a query that counts.
    """
    families = _families(trials)
    done = counter(progress, sum(family.pairs() for family in families))
    scores: dict[int, list[Scores]] = {number: [] for number in range(len(trials))}
    for family in families:
        query = family.trials[0].query
        for part, blocks in _reranked_blocks(vectors, family, settings, done):
            for number, trial, block in zip(family.numbers, family.trials, blocks, strict=True):
                if trial.query_group is not None and trial.gallery_group is not None:
                    block[trial.query_group[part, None] == trial.gallery_group] = np.inf
                scores[number].append(score_rows(block, persons[query[part]], persons[trial.gallery], cmc))
    return [
        trial_result(trial, Scores.joined(scores[number]), persons, cmc, f"trial {number}")
        for number, trial in enumerate(trials)
    ]


def reranked_distances(vectors: NDArray[np.floating], trial: Trial, settings: ReRanking) -> FloatArray:
    """d* of every query from every gallery image of one trial, (Q, G) in [0, 1]; hidden pairs have theirs too."""
    (family,) = _families([trial])
    return np.concatenate([blocks[0] for _, blocks in _reranked_blocks(vectors, family, settings, lambda pairs: None)])


def _families(trials: Sequence[Trial]) -> list[_Family]:
    alike: dict[bytes, list[int]] = {}
    for number, trial in enumerate(trials):
        alike.setdefault(trial.query.tobytes(), []).append(number)
    return [_family(numbers, [trials[number] for number in numbers]) for numbers in alike.values()]


def _family(numbers: Sequence[int], trials: Sequence[Trial]) -> _Family:
    asked, first = np.unique(trials[0].query, return_index=True)
    asked = asked[np.argsort(first)]
    answered = tuple(trial.gallery[~np.isin(trial.gallery, asked)] for trial in trials)
    return _Family(tuple(numbers), tuple(trials), asked, answered)


def _reranked_blocks(
    vectors: NDArray[np.floating], family: _Family, settings: ReRanking, done: Callable[[int], None]
) -> Iterator[tuple[slice, list[FloatArray]]]:
    """Parts of the queries, each with their distances d* (Q, G) from every trial's gallery."""
    points = placed(vectors, family.rows(), settings.distance)
    encoded = _encode_family(points, family, settings, done)
    query = family.trials[0].query
    union = family.gallery()
    columns = [np.searchsorted(union, trial.gallery) for trial in family.trials]
    for part in tiles(len(query), max(1, _PAIRS_AT_ONCE // len(union))):
        squared = squared_distances(points, query[part], union)
        blocks = []
        for images, column in zip(encoded, columns, strict=True):
            shared = shared_mass(images.asked[part], images.answered)
            original = relative(np.take(squared, column, axis=1), images.farthest[part, None])
            # The sum of max(V_p, V_g) is 2 less the sum of min(V_p, V_g), since each V sums to 1.
            jaccard = np.maximum(1 - shared / (2 - shared), 0)
            blocks.append((1 - settings.weight) * jaccard + settings.weight * original)
        yield part, blocks
        done(squared.size)


def _encode_family(points: Points, family: _Family, settings: ReRanking, done: Callable[[int], None]) -> list[_Encoded]:
    rows, count = family.rows(), len(family.asked)
    sets = [ColumnSet(family.asked, 0), *(ColumnSet(answered, count) for answered in family.answered)]
    among_asked, *lists = nearest(points, rows, sets, settings.listed, done)
    encoded = []
    for trial, answered, among_answered in zip(family.trials, family.answered, lists, strict=True):
        images = np.concatenate([family.asked, answered])
        at = np.searchsorted(rows, images)
        near = among_asked.merged(among_answered, at, min(settings.listed, len(images)))
        V = encode(points, images, near, settings.k1, settings.k2)
        by_row = np.argsort(images)
        asked, answering = (
            by_row[np.searchsorted(images, side, sorter=by_row)] for side in (trial.query, trial.gallery)
        )
        encoded.append(_Encoded(V[asked], V[answering].tocsc(), near.farthest[asked]))
    return encoded
