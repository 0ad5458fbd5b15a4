"""From the scores of trials to what results.json holds: figures of each trial, their mean and spread, and chance.

Results are a plain dict: one key per setting ("all_single" ...), each with
    trials    [{"cmc": [...], "mAP", "mINP", "valid_queries", "gallery", "queries"}, ...]; RegDB's say "trial": 3 too,
              and "trials_in_all": 10 stands beside them
    mean      {"cmc": [...], "r1", "r5", "r10", "r20", "mAP", "mINP"} over the trials
    std       the same keys: the spread of these trials around their mean (divided by n, not n - 1; 0 for one trial)
    chance    {"r1", "r5", "r10", "r20", "mAP", "mINP"}: what guessing gets on the same trials
    reranked  only when asked for: {"mean": ..., "std": ..., "k1", "k2", "weight"}; never part of the above
and beside them "protocol", "draw", "direction", "dataset", "distance", "cmc", "notes" and "made". Figures are fractions
in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapetum.core import Crop, FloatArray, IntArray, Protocol, Trial
from tapetum.evaluation import mixed
from tapetum.evaluation.chance import RANKS, chance, joint_chance
from tapetum.evaluation.metrics import CmcRule, TrialResult

Results = dict[str, Any]
Scorer = Callable[[NDArray[np.floating], IntArray, Sequence[Trial]], list[TrialResult]]
Scored = dict[str, list[TrialResult]]
"""Setting -> its trials."""

_LONGEST_CURVE = 10_000  # places of a CMC curve that are written down: a gallery may hold a million images


@dataclass(frozen=True)
class Problem:
    """A table of vectors (N, D), row i of crops[i], and the protocol over its rows."""

    vectors: NDArray[np.floating]
    crops: Sequence[Crop]
    protocol: Protocol

    @property
    def persons(self) -> IntArray:
        """(N,); -1 where nobody knows."""
        return np.array([-1 if crop.person is None else crop.person for crop in self.crops], dtype=np.int64)


def score(problem: Problem, scorer: Scorer) -> Scored:
    """The results of every setting's trials; all trials are handed to the scorer at once, so that they share work."""
    persons, settings = problem.persons, problem.protocol.settings
    joint = problem.protocol.name == mixed.NAME
    asked = {name: mixed.answerable(parts, persons) if joint else list(parts) for name, parts in settings.items()}
    scored = iter(scorer(problem.vectors, persons, [trial for trials in asked.values() for trial in trials]))
    found = {name: [next(scored) for _ in trials] for name, trials in asked.items()}
    if not joint:
        return found
    numbers = {name: sum(len(part.query) for part in parts) for name, parts in settings.items()}
    return {name: [mixed.joined(parts, numbers[name])] for name, parts in found.items()}


def chance_of(problem: Problem, cmc: CmcRule) -> dict[str, dict[str, float]]:
    """What guessing gets in every setting of one problem."""
    guess = joint_chance if problem.protocol.name == mixed.NAME else chance
    return {name: guess(trials, problem.persons, cmc) for name, trials in problem.protocol.settings.items()}


def gathered(parts: Sequence[Scored]) -> Scored:
    """The trials of several problems, one after the other, under each setting."""
    return {name: [result for part in parts for result in part[name]] for name in parts[0]}


def settings_of_scores(scored: Scored, guesses: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """The settings of results.json. guesses: the chance of each problem, which all have equally many trials."""
    found: dict[str, Any] = {}
    for name, results in scored.items():
        each = [guess[name] for guess in guesses]
        guessed = {figure: float(np.mean([guess[figure] for guess in each])) for figure in each[0]}
        trials = [_trial(result) for result in results]
        found[name] = {"trials": trials, **mean_and_spread(results), "chance": guessed}
    return found


def _trial(result: TrialResult) -> dict[str, Any]:
    return {
        "cmc": result.cmc[:_LONGEST_CURVE].tolist(),
        "mAP": result.mAP,
        "mINP": result.mINP,
        "valid_queries": result.valid_queries,
        "gallery": result.gallery,
        "queries": result.queries,
    }


def mean_and_spread(results: Sequence[TrialResult]) -> dict[str, Any]:
    """{"mean": ..., "std": ...} over trials."""
    # Galleries of one setting may differ by a person: the shorter curve has reached its end, 1.
    longest = min(max(len(result.cmc) for result in results), _LONGEST_CURVE)
    curves = np.stack([_to_length(result.cmc, longest) for result in results])
    single = np.array([[result.mAP, result.mINP] for result in results])
    return {
        "mean": _figures(curves.mean(axis=0), single.mean(axis=0)),
        "std": _figures(curves.std(axis=0), single.std(axis=0)),
    }


def _to_length(curve: FloatArray, length: int) -> FloatArray:
    return np.pad(curve[:length], (0, max(0, length - len(curve))), mode="edge")


def _figures(curve: FloatArray, single: FloatArray) -> dict[str, Any]:
    ranks = {f"r{rank}": float(curve[min(rank, len(curve)) - 1]) for rank in RANKS}
    return {"cmc": curve.tolist(), **ranks, "mAP": float(single[0]), "mINP": float(single[1])}


def name_trials(settings: Iterable[dict[str, Any]], names: Sequence[int | str | None], in_all: int) -> None:
    """Write into each setting how many trials the dataset has, and into its trials which of them they are, if known."""
    for setting in settings:
        setting["trials_in_all"] = in_all
        for trial, name in zip(setting["trials"], names, strict=True):
            if name is not None:
                trial["trial"] = name
