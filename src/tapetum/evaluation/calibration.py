"""What a score means: how often the first answer is right at this score.

    p(s) = 1 / (1 + exp(-(a s + b)))        logistic calibration (Platt, 1999); s is the cosine of query and answer

Two numbers can be learnt from few persons; a free curve follows the persons it was fitted on. p holds for first answers
to queries whose person is in the gallery, from galleries like those it was fitted on: a larger one has more strangers
who look alike.

Answers of one person resemble each other, so that a curve must not be judged on persons it was fitted on.
`cross_fitted` deals the persons to folds and gives each answer the probability of a curve that never saw its person.
With bins b of n_b answers, mean probability p_b and share of right answers o_b,
    ECE = sum_b n_b / n |o_b - p_b|          expected calibration error, in [0, 1], 0 when every bin keeps its word
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray, IntArray
from tapetum.errors import DataError, EmbeddingError
from tapetum.evaluation.diagnosis import TopAnswers

FOLDS = 5
_LOGITS = np.linspace(-7, 7, 57)  # knots: straight lines between them stray from the curve by less than 0.001
_DRAWS = 1000


@dataclass(frozen=True)
class Calibration:
    """Knots of a curve from score to probability: straight lines between them, level outside.

    scores: ascending, each once; probabilities: never falling, in [0, 1]; answers: how many it was fitted on.
    Raises EmbeddingError for anything else.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    answers: int

    def __post_init__(self) -> None:
        scores, probabilities = np.array(self.scores, dtype=np.float64), np.array(self.probabilities, dtype=np.float64)
        fits = len(scores) == len(probabilities) > 0 and np.isfinite(scores).all()
        if not (fits and (np.diff(scores) > 0).all() and (np.diff(probabilities, prepend=0, append=1) >= 0).all()):
            raise EmbeddingError(
                f"a calibration of {len(scores)} scores and {len(probabilities)} probabilities is no curve. Expected as"
                " many of each, scores ascending, probabilities in [0, 1] and never falling."
            )

    def probability(self, score: NDArray[np.floating]) -> FloatArray:
        """How probably a first answer of these scores is right; an array of the same shape, in [0, 1]."""
        return np.asarray(np.interp(score, self.scores, self.probabilities))

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {"score": list(self.scores), "probability": list(self.probabilities), "answers": self.answers}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """The calibration that `to_json` wrote. Raises EmbeddingError for other content."""
        try:
            scores, probabilities = (tuple(float(x) for x in value[name]) for name in ("score", "probability"))
            return cls(scores, probabilities, int(value["answers"]))
        except (KeyError, TypeError, ValueError) as error:
            raise EmbeddingError(
                "this is no calibration. Expected the lists 'score' and 'probability', and the number 'answers'."
            ) from error


@dataclass(frozen=True)
class Bins:
    """Promised against kept in B bins of answers, (B,) each; a bin without answers is left out.

    score, promised: mean score and mean probability; kept: the share of right answers; low, high: the middle 95 % of
    that share when the persons are drawn again and again; answers, persons: how many are in the bin.
    """

    score: FloatArray
    promised: FloatArray
    kept: FloatArray
    low: FloatArray
    high: FloatArray
    answers: IntArray
    persons: IntArray

    def ece(self) -> float:
        """The expected calibration error over these bins."""
        return float(np.abs(self.kept - self.promised) @ self.answers / self.answers.sum())


def fit_calibration(answers: TopAnswers) -> Calibration:
    """The logistic regression of right on score, as knots between -1 and 1.

    Level, at (r + 1) / (n + 2) for r of n answers right, where scores tell nothing: all alike, all answers right or all
    wrong, or higher scores right less often. Raises DataError without an answer.
    """
    number, right = len(answers.score), int(answers.right.sum())
    if number == 0:
        raise DataError("a calibration needs answers, and there is none. Give queries whose person is in the gallery.")
    mean, spread = float(answers.score.mean()), float(answers.score.std())
    slope, offset = (0.0, 0.0) if spread == 0 or right in (0, number) else _logistic(answers, mean, spread)
    if slope <= 0:
        return Calibration((mean,), ((right + 1) / (number + 2),), number)
    scores = mean + spread * (_LOGITS - offset) / slope
    scores = np.unique(np.clip(scores, -1, 1))
    probabilities = 1 / (1 + np.exp(-(slope * (scores - mean) / spread + offset)))
    return Calibration(tuple(scores.tolist()), tuple(probabilities.tolist()), number)


def _logistic(answers: TopAnswers, mean: float, spread: float) -> tuple[float, float]:
    """Slope and offset over standardised scores; scikit-learn's penalty keeps the slope finite."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit((answers.score[:, None] - mean) / spread, answers.right)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def cross_fitted(answers: TopAnswers, seed: int = 0, folds: int = FOLDS) -> FloatArray | None:
    """(A,): the probability of each answer from the curve of the other folds' persons; None with less than two persons.

    Persons are dealt to the folds at random by `seed`.
    """
    names, place = np.unique(answers.person, return_inverse=True)
    if len(names) < 2:
        return None
    dealt = np.random.default_rng(seed).permutation(len(names)) % min(folds, len(names))
    fold = dealt[place]
    found = np.empty(len(fold))
    for number in np.unique(fold):
        held = fold == number
        others = TopAnswers(answers.person[~held], answers.score[~held], answers.right[~held])
        found[held] = fit_calibration(others).probability(answers.score[held])
    return found


def by_probability(answers: TopAnswers, probability: FloatArray, bins: int = 10) -> Bins:
    """Bins of equal width of the promised probability."""
    return _binned(answers, probability, np.minimum((probability * bins).astype(np.int64), bins - 1))


def by_score(answers: TopAnswers, probability: FloatArray, bins: int = 10) -> Bins:
    """Bins of nearly equal numbers of answers, by score; equal scores stay together."""
    borders = np.quantile(answers.score, np.arange(1, bins) / bins)
    return _binned(answers, probability, np.searchsorted(borders, answers.score, side="right"))


def _binned(answers: TopAnswers, probability: FloatArray, place: IntArray) -> Bins:
    _, place = np.unique(place, return_inverse=True)
    names, person = np.unique(answers.person, return_inverse=True)
    shape = len(names), int(place.max()) + 1
    cell = person * shape[1] + place
    each, right = (
        np.bincount(cell, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)
        for weights in (None, answers.right.astype(np.float64))
    )
    count = each.sum(axis=0)
    score, promised = (np.bincount(place, weights=values) / count for values in (answers.score, probability))
    drawn = np.random.default_rng(0).multinomial(shape[0], np.full(shape[0], 1 / shape[0]), size=_DRAWS)
    with np.errstate(invalid="ignore"):  # a draw may leave a bin empty
        low, high = np.nanquantile((drawn @ right) / (drawn @ each), [0.025, 0.975], axis=0)
    kept = right.sum(axis=0) / count
    return Bins(score, promised, kept, low, high, count.astype(np.int64), (each > 0).sum(axis=0))
