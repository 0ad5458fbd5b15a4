"""The paired test against numbers by hand, against SciPy, and on drawn worlds whose truth is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tapetum.errors import DataError
from tapetum.evaluation.paired_test import paired_test


def one_trial(difference, unit=None, **options):
    """The test of (N,) differences in one trial; every answer is its own unit unless told."""
    values = np.asarray(difference, dtype=np.float64)[:, None]
    names = np.arange(len(values)) if unit is None else np.asarray(unit)
    return paired_test(values, np.zeros(len(values), dtype=np.int64), names, **options)


def test_two_queries_by_hand():
    # Differences 1/10 and 3/10. Drawn twice with replacement, their mean is 1/10, 2/10, 2/10 or 3/10: a quarter each,
    # so that 95 % of the means reach from end to end. Flipped, their sum is 4, 2, -2 or -4 tenths: half are as far out.
    found = one_trial([0.1, 0.3])
    assert found.difference[0] == pytest.approx(0.2)
    assert (found.low[0], found.high[0]) == pytest.approx((0.1, 0.3))
    assert found.p[0] == pytest.approx(0.5, abs=0.02)
    assert (found.units, found.resamples, found.seed) == (2, 10_000, 0)


def test_the_mean_is_over_queries_then_over_trials():
    # Trial 5 has two answers, trial 9 one: (0.2 + 0.4) / 2 = 0.3 and 0.9 have the mean 0.6, not 1.5 / 3 = 0.5.
    found = paired_test(np.array([[0.2], [0.4], [0.9]]), np.array([5, 5, 9]), np.array([1, 2, 1]))
    assert found.difference[0] == pytest.approx(0.6)
    # Query 1 alone: D = 0.05 + 0.45 on the weight 1/4 + 1/2, so 2/3. Query 2 alone: 0.4.
    assert (found.low[0], found.high[0]) == pytest.approx((0.4, 2 / 3))


def test_all_answers_of_a_unit_are_drawn_together():
    # Persons 7 and 8 with the means 0.2 and -0.4: nothing between 0.2, -0.4 and their weighted mean can be drawn.
    found = one_trial([0.1, 0.3, -0.4], unit=[7, 7, 8])
    assert found.difference[0] == pytest.approx(0)
    assert (found.low[0], found.high[0]) == pytest.approx((-0.4, 0.2))
    assert found.units == 2


def test_identical_runs_do_not_differ():
    found = paired_test(np.zeros((6, 2)), np.zeros(6, dtype=int), np.arange(6))
    for values in (found.difference, found.low, found.high):
        assert values.tolist() == [0, 0]
    assert found.p.tolist() == [1, 1]


def test_the_interval_is_scipys():
    difference = np.random.default_rng(4).normal(0.02, 0.3, (50, 2))
    found = paired_test(difference, np.zeros(50, dtype=int), np.arange(50), resamples=999, seed=3)
    for place in range(2):
        rng = np.random.default_rng(3)
        expected = stats.bootstrap(
            (difference[:, place],), np.mean, n_resamples=999, method="percentile", vectorized=True, rng=rng
        ).confidence_interval
        assert (found.low[place], found.high[place]) == pytest.approx(tuple(expected), abs=1e-12)


def test_the_p_value_is_that_of_all_flips():
    difference = np.array([0.9, -0.1, 0.4, 0.3, -0.2, 0.6, 0.5, 0.1])
    signs = np.array(list(itertools.product((-1, 1), repeat=8)))
    exact = np.mean(np.abs(signs @ difference) >= difference.sum() - 1e-12)
    scipys = stats.permutation_test((difference,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert exact == pytest.approx(scipys.pvalue)
    assert one_trial(difference).p[0] == pytest.approx(exact, abs=0.01)
    # What is never reached by chance is not impossible: 1 of 1 + 99.
    assert one_trial(np.full(60, 0.1), resamples=99).p[0] == pytest.approx(1 / 100)


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 2), st.integers(0, 4)), min_size=5, max_size=25),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_swapping_the_systems_mirrors_everything_and_order_means_nothing(rows, random):
    rows = [*rows, (0.5, 0, 5), (-0.25, 0, 6)]  # at least two units
    value, trial, unit = (np.array(column) for column in zip(*rows, strict=True))
    found = paired_test(value[:, None], trial, unit, resamples=200)
    swapped = paired_test(-value[:, None], trial, unit, resamples=200)
    assert swapped.difference == pytest.approx(-found.difference, abs=1e-12)
    assert (swapped.low, swapped.high) == (
        pytest.approx(-found.high, abs=1e-12),
        pytest.approx(-found.low, abs=1e-12),
    )
    assert swapped.p == pytest.approx(found.p)
    order = random.sample(range(len(rows)), len(rows))
    again = paired_test(value[order][:, None], trial[order], unit[order], resamples=200)
    assert again.difference == pytest.approx(found.difference, abs=1e-12)
    assert (again.low, again.high) == (pytest.approx(found.low, abs=1e-12), pytest.approx(found.high, abs=1e-12))


def test_intervals_cover_the_truth_as_often_as_they_say():
    # 300 worlds of 80 independent queries with a true difference of 0.1: 95 % of the intervals, give or take 3 sigma.
    rng, truth, covered, false_alarms = np.random.default_rng(1), 0.1, 0, 0
    for world in range(300):
        difference = rng.normal(truth, 0.4, 80)
        found = one_trial(difference, resamples=400, seed=world)
        covered += found.low[0] <= truth <= found.high[0]
        false_alarms += one_trial(difference - truth, resamples=400, seed=world).p[0] <= 0.05
    assert 0.90 < covered / 300 < 0.985
    assert 0.015 < false_alarms / 300 < 0.09


def test_where_pictures_of_a_person_are_alike_only_persons_cover_the_truth():
    # 40 persons with a difference of their own, 10 pictures each that show little more.
    rng, person, covered = np.random.default_rng(2), np.repeat(np.arange(40), 10), {"queries": 0, "persons": 0}
    for world in range(150):
        difference = rng.normal(0, 0.3, 40)[person] + rng.normal(0, 0.1, 400)
        for name, unit in (("queries", None), ("persons", person)):
            found = one_trial(difference, unit, resamples=300, seed=world)
            covered[name] += found.low[0] <= 0 <= found.high[0]
    assert covered["persons"] / 150 > 0.87
    assert covered["queries"] / 150 < 0.7


def test_one_unit_is_refused():
    with pytest.raises(DataError, match="at least two"):
        one_trial([0.1, 0.2], unit=[3, 3])
