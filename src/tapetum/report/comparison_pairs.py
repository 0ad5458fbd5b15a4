"""Two runs on the same queries: read their single queries, pair them one by one, and test the differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tapetum.core import FloatArray, IntArray
from tapetum.errors import InputError, RunError
from tapetum.evaluation.paired_test import PairedTest, paired_test
from tapetum.evaluation.query_results import QueryResults, Texts, query_results_path, read_query_results
from tapetum.report.comparison_inputs import Run

Progress = Callable[[int, int], None]

_SAME = 1e-9  # means of the same numbers in another order


@dataclass(frozen=True)
class Interval:
    """What the test says over one kind of unit: low, high in percentage points; p of no difference."""

    low: float
    high: float
    p: float
    units: int


@dataclass(frozen=True)
class Difference:
    """`first` - `second` in one setting and metric, in percentage points.

    persons: None where all queries are of one person, so that there is nothing to draw.
    """

    first: str
    second: str
    setting: str
    metric: str
    value: float
    queries: Interval
    persons: Interval | None


@dataclass(frozen=True)
class Resampling:
    """How often to draw (0: no test), and by which seed."""

    resamples: int = 10_000
    seed: int = 0


@dataclass(frozen=True)
class Pairs:
    """All differences, and a sentence for each pair of runs (or setting of theirs) that cannot be paired."""

    differences: tuple[Difference, ...]
    refused: tuple[str, ...]
    resampling: Resampling


@dataclass(frozen=True)
class _Answers:
    """One setting's single queries, ordered by trial and query. values: (N, M), fractions."""

    trial: IntArray
    query: Texts
    person: IntArray
    values: FloatArray


def find_differences(
    runs: Sequence[Run],
    settings: Sequence[str],
    metrics: Sequence[str],
    resampling: Resampling,
    progress: Progress | None = None,
) -> Pairs:
    """Test the first run against each other one, in every setting that both have."""
    found: list[Difference] = []
    refused: dict[str, None] = {}  # each sentence once
    jobs = [(other, setting) for other in runs[1:] for setting in settings] if resampling.resamples else []
    for done, (other, setting) in enumerate(jobs):
        if progress is not None:
            progress(done, len(jobs))
        try:
            found.extend(_test(runs[0], other, setting, metrics, resampling))
        except InputError as error:
            refused[f"{runs[0].name} and {other.name} are not paired: {str(error).rstrip('.')}"] = None
    if progress is not None and jobs:
        progress(len(jobs), len(jobs))
    return Pairs(tuple(found), tuple(refused), resampling)


def _test(one: Run, other: Run, setting: str, metrics: Sequence[str], resampling: Resampling) -> list[Difference]:
    """The differences in one setting; none where only one of the two runs has it."""
    if setting not in one.settings or setting not in other.settings:
        return []
    _check_rules(one, other, setting)
    a, b = (_answers(run, setting, metrics) for run in (one, other))
    _check_queries(a, b, setting)
    difference = 100 * (a.values - b.values)
    tests = []
    for names in (a.query, a.person):
        unit = np.unique(names, return_inverse=True)[1]
        many = unit.max() > 0
        tests.append(paired_test(difference, a.trial, unit, **vars(resampling)) if many else None)
    queries, persons = tests
    if queries is None:
        raise RunError(f"{setting} has a single query.")
    return [
        Difference(
            one.name,
            other.name,
            setting,
            metric,
            float(queries.difference[place]),
            _interval(queries, place),
            None if persons is None else _interval(persons, place),
        )
        for place, metric in enumerate(metrics)
    ]


def _interval(test: PairedTest, place: int) -> Interval:
    return Interval(float(test.low[place]), float(test.high[place]), float(test.p[place]), test.units)


def _check_rules(one: Run, other: Run, setting: str) -> None:
    """The two must have been asked and judged alike. Raises RunError otherwise."""
    a, b = one.facts, other.facts
    told = {
        "data": (one.data, other.data),
        "protocol": (a.protocol, b.protocol),
        "draw": (a.draw, b.draw),
        "direction": (a.direction, b.direction),
        "rule of hits": (a.cmc, b.cmc),
        f"number of trials in {setting}": (len(one.settings[setting].trials), len(other.settings[setting].trials)),
    }
    for what, (mine, theirs) in told.items():
        if mine != theirs:
            raise RunError(f"the {what} is '{mine}' in one and '{theirs}' in the other.")
    levels = [run.settings[setting].chance.model_dump() for run in (one, other)]
    galleries = [[trial.gallery for trial in run.settings[setting].trials] for run in (one, other)]
    if galleries[0] != galleries[1] or any(abs(levels[0][name] - levels[1][name]) > _SAME for name in levels[0]):
        raise RunError(f"their galleries differ in {setting}.")


def _answers(run: Run, setting: str, metrics: Sequence[str]) -> _Answers:
    """Raises RunError for a file of single queries that is missing, broken or of other results."""
    path = query_results_path(run.path)
    queries = read_query_results(path)
    rows = np.flatnonzero(queries.setting == setting)
    rows = rows[np.lexsort([queries.query[rows].astype(str), queries.trial[rows]])]
    trial, values = queries.trial[rows], _values(queries, rows, metrics)
    mean = run.settings[setting].mean
    numbers = range(len(run.settings[setting].trials))
    for place, metric in enumerate(metrics):
        each = [values[trial == number, place] for number in numbers]
        if not all(map(len, each)) or abs(np.mean([part.mean() for part in each]) - getattr(mean, metric)) > _SAME:
            raise RunError(f"{path} is not of {run.path.name}. Evaluate again: both are written together.")
    return _Answers(trial, queries.query[rows], queries.person[rows], values)


def _values(queries: QueryResults, rows: IntArray, metrics: Sequence[str]) -> FloatArray:
    of_name = {"mAP": queries.ap, "mINP": queries.inp}
    columns = [of_name[name] if name in of_name else queries.hit <= int(name[1:]) for name in metrics]
    return np.stack([np.asarray(column[rows], dtype=np.float64) for column in columns], axis=1)


def _check_queries(one: _Answers, other: _Answers, setting: str) -> None:
    """Raises RunError unless both answered the same queries of the same persons."""
    asked = [set(zip(a.trial.tolist(), a.query.tolist(), a.person.tolist(), strict=True)) for a in (one, other)]
    alone = sorted(asked[0] ^ asked[1])
    if alone:
        raise RunError(f"only one of them has the query {alone[0][1]} in {setting} ({len(alone)} such answers).")
