"""Calibration: knots by hand, a known curve found again, and honesty about persons that were fitted on."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tapetum.errors import DataError, EmbeddingError
from tapetum.evaluation import calibration
from tapetum.evaluation.calibration import Calibration, by_probability, by_score, cross_fitted, fit_calibration
from tapetum.evaluation.diagnosis import TopAnswers


def answers(person, score, right) -> TopAnswers:
    return TopAnswers(np.array(person), np.array(score, dtype=float), np.array(right, dtype=bool))


def logistic(score):
    return 1 / (1 + np.exp(-(12 * np.asarray(score) - 6)))


@pytest.fixture(scope="module")
def known() -> TopAnswers:
    """20,000 answers of 400 persons, right as often as a known curve says."""
    random = np.random.default_rng(0)
    score = random.uniform(0, 1, 20_000)
    return TopAnswers(random.integers(0, 400, 20_000), score, random.uniform(size=20_000) < logistic(score))


def test_straight_lines_between_knots_and_level_outside():
    curve = Calibration((0.2, 0.4), (0.1, 0.9), 7)
    assert curve.probability(np.array([[-1.0, 0.2], [0.25, 1.0]])).tolist() == [[0.1, 0.1], [pytest.approx(0.3), 0.9]]


def test_a_known_curve_is_found_again(known):
    score = np.linspace(0, 1, 21)
    fitted = fit_calibration(known)
    assert fitted.answers == 20_000
    assert len(fitted.scores) <= 57
    assert fitted.probability(score) == pytest.approx(logistic(score), abs=0.02)


def test_knots_follow_the_curve_also_where_it_is_steep():
    # Right exactly from 0.5 on: the curve climbs within a hair, and its knots must lie there.
    score = np.linspace(0, 1, 2001)
    steep = fit_calibration(answers(np.arange(2001), score, score >= 0.5))
    slope, offset = calibration._logistic(answers(np.arange(2001), score, score >= 0.5), score.mean(), score.std())
    exact = 1 / (1 + np.exp(-(slope * (score - score.mean()) / score.std() + offset)))
    assert np.abs(steep.probability(score) - exact).max() < 0.001
    assert np.isfinite(slope)


@pytest.mark.parametrize(
    ("score", "right", "expected"),
    [
        ([0.3, 0.3, 0.3], [1, 0, 1], 3 / 5),  # all alike
        ([0.1, 0.5, 0.9], [1, 1, 1], 4 / 5),  # always right
        ([0.1, 0.5], [0, 0], 1 / 4),  # always wrong
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 3 / 6),  # the higher the worse
    ],
)
def test_scores_that_tell_nothing_give_one_level(score, right, expected):
    fitted = fit_calibration(answers(range(len(score)), score, right))
    assert fitted.probability(np.array([-1.0, 0.0, 1.0])) == pytest.approx([expected] * 3)


def test_a_calibration_comes_back_from_json(known):
    fitted = fit_calibration(known)
    assert Calibration.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({}, "this is no calibration. Expected the lists 'score' and 'probability'"),
        ({"score": ["x"], "probability": [0.5], "answers": 1}, "this is no calibration"),
        ({"score": 3, "probability": [0.5], "answers": 1}, "this is no calibration"),
        ({"score": [], "probability": [], "answers": 1}, "of 0 scores and 0 probabilities is no curve"),
        ({"score": [0.1, 0.1], "probability": [0.2, 0.3], "answers": 1}, "is no curve. Expected as many of each"),
        ({"score": [0.1, 0.2], "probability": [0.3, 0.2], "answers": 1}, "is no curve"),
        ({"score": [0.1, 0.2], "probability": [0.3, 1.2], "answers": 1}, "is no curve"),
        ({"score": [0.1, math.nan], "probability": [0.3, 0.4], "answers": 1}, "is no curve"),
        ({"score": [0.1], "probability": [math.nan], "answers": 1}, "is no curve"),
        ({"score": [0.1], "probability": [0.3, 0.4], "answers": 1}, "of 1 scores and 2 probabilities is no curve"),
    ],
)
def test_what_is_no_calibration_is_refused(value, sentence):
    with pytest.raises(EmbeddingError, match=sentence):
        Calibration.from_json(value)


def test_no_answer_is_refused():
    with pytest.raises(DataError, match="a calibration needs answers, and there is none"):
        fit_calibration(answers([], [], []))


def test_an_answer_is_never_judged_by_a_curve_of_its_person():
    # Turning all of one person's answers over must change nothing for that person, and something for others.
    random = np.random.default_rng(1)
    person, score = random.integers(0, 12, 400), random.uniform(size=400)
    right = random.uniform(size=400) < logistic(score)
    before = cross_fitted(TopAnswers(person, score, right))
    turned = cross_fitted(TopAnswers(person, score, np.where(person == 5, ~right, right)))
    assert np.array_equal(before[person == 5], turned[person == 5])
    assert not np.array_equal(before, turned)


def test_folds_by_hand():
    # Two persons, one curve each from the other: 1 of 1 right gives (1 + 1) / (1 + 2), 0 of 2 gives 1 / 4.
    found = cross_fitted(answers([8, 3, 3], [0.5, 0.6, 0.7], [1, 0, 0]))
    assert found.tolist() == pytest.approx([1 / 4, 2 / 3, 2 / 3])
    assert cross_fitted(answers([8, 8], [0.5, 0.6], [1, 0])) is None


def test_the_seed_deals_the_persons(known):
    first, again, other = (cross_fitted(known, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_bins_of_probability_by_hand():
    # Promised 0.12 and 0.18: one of two right, kept 0.5 against 0.15. Promised 1.0: both right, in the last bin.
    # ECE = 2/5 * 0.35 + 2/5 * 0 + 1/5 * 0.5 = 0.24.
    found = by_probability(
        answers([1, 2, 1, 1, 3], [0.1, 0.3, 0.8, 0.9, 0.5], [1, 0, 1, 1, 0]), np.array([0.12, 0.18, 1.0, 1.0, 0.5])
    )
    assert found.promised == pytest.approx([0.15, 0.5, 1.0])
    assert found.kept == pytest.approx([0.5, 0.0, 1.0])
    assert found.score == pytest.approx([0.2, 0.5, 0.85])
    assert found.answers.tolist() == [2, 1, 2]
    assert found.persons.tolist() == [2, 1, 1]
    assert found.ece() == pytest.approx(0.24)


def test_bins_of_score_hold_equally_many_answers(known):
    found = by_score(known, logistic(known.score))
    assert found.answers == pytest.approx([2000] * 10, abs=1)
    assert (np.diff(found.score) > 0).all()
    assert found.kept == pytest.approx(found.promised, abs=0.05)
    together = by_score(answers(range(20), [0.5] * 20, [1] * 20), np.full(20, 0.5))
    assert together.answers.tolist() == [20]


def test_bars_hold_the_spread_between_persons():
    # 50 of 100 persons are always right, 50 never: the share's deviation is 0.05, however many answers each gives.
    person = np.repeat(np.arange(100), 40)
    found = by_probability(answers(person, [0.5] * 4000, person < 50), np.full(4000, 0.5))
    assert found.kept.tolist() == [0.5]
    assert (found.low[0], found.high[0]) == pytest.approx((0.5 - 1.96 * 0.05, 0.5 + 1.96 * 0.05), abs=0.02)


def test_a_good_and_a_boastful_curve_are_told_apart(known):
    assert by_probability(known, cross_fitted(known)).ece() < 0.02
    assert by_probability(known, np.sqrt(logistic(known.score))).ece() > 0.05
