"""Whether two systems that answered the same queries differ: a paired bootstrap and a sign-flip test.

    d_i = a_i - b_i                        answer i: one query in one trial
    w_i = 1 / (T n_t)                      T trials, n_t answers in the trial of i
    D   = sum_i w_i d_i                    the difference of the means over queries, then trials, as in results.json
    D*  = sum_u m_u D_u / sum_u m_u W_u    bootstrap: unit u, with its D_u = sum w d and W_u = sum w, drawn m_u times
    D+  = sum_u s_u D_u, s_u = -1 or 1     sign flips: if the systems do not differ, a and b may change places in a unit
    p   = (1 + #{|D+| >= |D|}) / (1 + resamples)
A unit is a query with all its trials, or a person with all their queries. Pictures of one person are alike, so that an
interval over queries speaks of these very persons, and one over persons of others of their kind.

SciPy's `bootstrap` draws the same resamples and gives the same interval, figure by figure; one product of counts serves
all figures here. SciPy's `permutation_test` takes over ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tapetum.core import FloatArray, IntArray
from tapetum.errors import DataError

CONFIDENCE = 0.95

_DRAWS_AT_ONCE = 2**17  # about a megabyte: larger tables of counts are slower
_ROUNDING = 1e-9  # a flip that only rounds differently is no smaller than what was seen


@dataclass(frozen=True)
class PairedTest:
    """How far A is above B, for M figures. difference, low, high, p: (M,); low ... high: the interval of CONFIDENCE."""

    difference: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    units: int
    resamples: int
    seed: int


@dataclass(frozen=True)
class _Units:
    """D_u, (U, M), and W_u, (U,)."""

    difference: FloatArray
    weight: FloatArray


def paired_test(
    difference: FloatArray, trial: IntArray, unit: IntArray, *, resamples: int = 10_000, seed: int = 0
) -> PairedTest:
    """Test the mean of (N, M) differences a - b of N answers.

    trial, unit: (N,), any whole numbers; equal ones belong together. When a and b change places, D changes its sign,
    the interval is mirrored at 0, and p stays.
    Raises DataError for fewer than two units: nothing can be drawn from one.
    """
    units = _gather(difference, trial, unit)
    count = len(units.weight)
    if count < 2:
        raise DataError(f"{count} unit to draw from. A paired test needs at least two queries, of two persons.")
    seen = units.difference.sum(axis=0)
    drawn = np.concatenate(list(_bootstrap(units, resamples, np.random.default_rng(seed))))  # (resamples, M)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    flips = _flips(units, resamples, np.random.default_rng(seed))
    beyond = sum(np.sum(np.abs(flipped) >= np.abs(seen) * (1 - _ROUNDING), axis=0) for flipped in flips)
    return PairedTest(seen, low, high, (1 + beyond) / (1 + resamples), count, resamples, seed)


def _gather(difference: FloatArray, trial: IntArray, unit: IntArray) -> _Units:
    _, place, answers = np.unique(trial, return_inverse=True, return_counts=True)
    weight = 1.0 / (len(answers) * answers[place])
    names, row = np.unique(unit, return_inverse=True)
    sums = np.zeros((len(names), difference.shape[1] + 1))
    np.add.at(sums, row, np.column_stack([weight[:, None] * difference, weight]))
    return _Units(sums[:, :-1], sums[:, -1])


def _bootstrap(units: _Units, resamples: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    count = len(units.weight)
    sums = np.column_stack([units.difference, units.weight])
    for rows in _batches(resamples, count):
        drawn = rng.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)  # m_u of each resample
        total = times @ sums
        yield total[:, :-1] / total[:, -1:]


def _flips(units: _Units, resamples: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    for rows in _batches(resamples, len(units.weight)):
        sign = 2.0 * rng.integers(0, 2, (rows, len(units.weight)), dtype=np.int8) - 1
        yield sign @ units.difference


def _batches(resamples: int, count: int) -> Iterator[int]:
    """How many resamples to draw at a time, so that memory stays bounded."""
    step = max(1, _DRAWS_AT_ONCE // count)
    for start in range(0, resamples, step):
        yield min(step, resamples - start)
