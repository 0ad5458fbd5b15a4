"""Linear probes: what can be read from a code by the simplest reader there is, of persons that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tapetum.core import FloatArray, IntArray

FOLDS = 5
FEWEST = 10  # persons, for probes to say anything
_IN_KIND = 5  # persons that a kind needs to be asked for
_INNER = 3
_DIRECTIONS = 100
_ALPHAS = tuple(10.0**power for power in range(7))


@dataclass(frozen=True)
class Folds:
    """Codes made ready for probes: for each fold the rows fitted on, the rows asked, and all codes (N, k) reduced.

    person: (N,), who is never on both sides of a fold.
    """

    person: IntArray
    parts: tuple[tuple[IntArray, IntArray, FloatArray], ...]


def make_folds(codes: FloatArray, person: IntArray) -> Folds:
    """Deal the persons to five folds, and bring codes (N, D) to at most 100 directions.

    Codes are standardised and turned to their principal directions as the fitting rows of each fold say. Raises
    ValueError with fewer than ten persons.
    """
    if len(np.unique(person)) < FEWEST:
        raise ValueError(f"{len(np.unique(person))} persons are too few for probes")
    parts = []
    for fitted, asked in GroupKFold(FOLDS).split(codes, groups=person):
        parts.append((fitted, asked, _reduced(codes, fitted)))
    return Folds(person, tuple(parts))


def _reduced(codes: FloatArray, fitted: IntArray) -> FloatArray:
    """All codes in the directions of the fitting rows; zeros where their code never changes."""
    alive = codes[:, codes[fitted].std(axis=0) > 0]
    if alive.shape[1] == 0:
        return np.zeros((len(codes), 1))
    few = min(_DIRECTIONS, len(fitted) - 1, alive.shape[1])
    reduced: FloatArray = make_pipeline(StandardScaler(), PCA(few, random_state=0)).fit(alive[fitted]).transform(alive)
    return reduced


def read_numbers(folds: Folds, values: FloatArray) -> FloatArray:
    """R^2 of ridge regression for each column of `values` (N, K): 1 is perfect, 0 a guess of the mean, (K,).

    Persons whom the probe was fitted on are never asked; each column's ridge is chosen among the fitting persons. An
    answer outside of the values fitted counts as the nearest of them, so that one strange code cannot decide the score.
    Below 0 it is worse than the guess. A column that never changes gets 0.
    """
    missed, guessed = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for fitted, asked, codes in folds.parts:
        alphas = _chosen_ridge(codes[fitted], values[fitted], folds.person[fitted])
        missed += _missed(alphas, (codes[fitted], values[fitted]), (codes[asked], values[asked]))
        guessed += np.square(values[asked] - values[fitted].mean(axis=0)).sum(axis=0)
    known = guessed > 0
    scores: FloatArray = np.where(known, 1 - missed / np.where(known, guessed, 1), 0.0)
    return scores


def _chosen_ridge(codes: FloatArray, values: FloatArray, person: IntArray) -> FloatArray:
    """For each column of `values` the ridge that misses least on persons who were left out: (K,)."""
    missed = np.zeros((len(_ALPHAS), values.shape[1]))
    for fitted, asked in GroupKFold(_INNER).split(codes, groups=person):
        for place, alpha in enumerate(_ALPHAS):
            alphas = np.full(values.shape[1], alpha)
            missed[place] += _missed(alphas, (codes[fitted], values[fitted]), (codes[asked], values[asked]))
    chosen: FloatArray = np.array(_ALPHAS)[missed.argmin(axis=0)]
    return chosen


def _missed(
    alphas: FloatArray, fitted: tuple[FloatArray, FloatArray], asked: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Squared errors of a ridge regression, a sum for each column: (K,). No answer leaves the range of those fitted."""
    probe = Ridge(alphas, solver="cholesky").fit(*fitted)
    answers = probe.predict(asked[0]).reshape(asked[1].shape).clip(fitted[1].min(axis=0), fitted[1].max(axis=0))
    error: FloatArray = np.square(asked[1] - answers).sum(axis=0)
    return error


def read_kinds(folds: Folds, kinds: NDArray[np.str_]) -> tuple[float, float] | None:
    """Balanced accuracy of linear discriminant analysis on `kinds` (N,), and that of a guess, 1 / number of kinds.

    Kinds that fewer than five persons have are not asked for; None where fewer than two are left. Persons whom the
    probe was fitted on are never asked.
    """
    persons = {kind: len(np.unique(folds.person[kinds == kind])) for kind in np.unique(kinds).tolist()}
    asked_for = np.array(sorted(kind for kind, count in persons.items() if count >= _IN_KIND))
    if len(asked_for) < 2:
        return None
    counts = np.isin(kinds, asked_for)
    said = kinds.copy()
    for fitted, asked, codes in folds.parts:
        fitted, asked = fitted[counts[fitted]], asked[counts[asked]]
        seen = np.unique(kinds[fitted])
        if len(seen) < 2:  # all persons of the other kinds are asked
            said[asked] = seen
        elif len(asked):
            probe = LinearDiscriminantAnalysis(
                solver="lsqr", shrinkage="auto", priors=np.full(len(seen), 1 / len(seen))
            )
            said[asked] = probe.fit(codes[fitted], kinds[fitted]).predict(codes[asked])
    return float(balanced_accuracy_score(kinds[counts], said[counts])), 1 / len(asked_for)
