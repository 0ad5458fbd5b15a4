"""Linear probes: they find what is in a code, nothing in noise, and never ask about persons that they know."""

from __future__ import annotations

import numpy as np
import pytest

from tapetum.report.probes import make_folds, read_kinds, read_numbers

PERSONS = np.repeat(np.arange(30), 4)
RNG = np.random.default_rng(0)
NUMBER = RNG.normal(size=(120, 2))
OF_PERSON = RNG.normal(size=30)[PERSONS][:, None]
KIND = np.array(["hat", "cap", "none"])[RNG.integers(0, 3, 30)][PERSONS]
NOISE = RNG.normal(size=(120, 12))
CODE = np.concatenate([NUMBER @ [[1.0, 2.0], [-1.0, 0.5]], OF_PERSON, 3.0 * (KIND == "hat")[:, None], NOISE], axis=1)
CODE = np.concatenate([CODE, 3.0 * (KIND == "cap")[:, None]], axis=1)
KNOWING, IGNORANT = make_folds(CODE, PERSONS), make_folds(NOISE, PERSONS)


def test_nobody_is_on_both_sides_and_everybody_is_asked_once():
    asked = np.concatenate([part[1] for part in KNOWING.parts])
    assert sorted(asked.tolist()) == list(range(120))
    for fitted, asked, codes in KNOWING.parts:
        assert not set(PERSONS[fitted]) & set(PERSONS[asked])
        assert codes.shape == (120, 17)


def test_numbers_in_the_code_are_read_and_others_are_not():
    both = np.concatenate([NUMBER, OF_PERSON], axis=1)
    assert (read_numbers(KNOWING, both) > 0.98).all()
    assert (read_numbers(IGNORANT, both) < 0.15).all()
    assert read_numbers(KNOWING, both)[2] == pytest.approx(read_numbers(KNOWING, OF_PERSON)[0]), "each on its own"


def test_one_strange_code_does_not_decide_the_score():
    strange = NUMBER.copy()
    strange[0] *= 1e6  # read as it is, its answer would be a million times too large
    score = read_numbers(make_folds(strange, PERSONS), NUMBER)
    assert ((score > -1) & (score < 1)).all()


def test_a_code_that_only_names_persons_says_nothing_of_new_ones():
    names = np.eye(30)[PERSONS]
    assert read_numbers(make_folds(names, PERSONS), OF_PERSON)[0] < 0.05


def test_a_number_that_never_changes_cannot_be_read():
    assert read_numbers(KNOWING, np.ones((120, 1))).tolist() == [0]


def test_kinds_in_the_code_are_read_beside_a_guess():
    right, guess = read_kinds(KNOWING, KIND)
    assert guess == pytest.approx(1 / 3)
    assert right > 0.99
    assert abs(read_kinds(IGNORANT, KIND)[0] - 1 / 3) < 0.2


def test_a_common_kind_is_worth_no_more_than_a_rare_one():
    # Always guessing the common one of two kinds is right for 25 of 30 persons; balanced, it is one half.
    kind = np.where(PERSONS < 5, "rare", "common")
    right, guess = read_kinds(IGNORANT, kind)
    assert guess == 0.5
    assert abs(right - 0.5) < 0.25


def test_a_fold_may_hold_all_persons_of_a_kind():
    rare = np.unique(PERSONS[KNOWING.parts[0][1]])  # of these the first fold's probe has seen nobody
    right, guess = read_kinds(KNOWING, np.where(np.isin(PERSONS, rare), "rare", "common"))
    assert guess == 0.5
    assert right <= 0.5


def test_rare_kinds_are_not_asked_for():
    kind = np.where(PERSONS < 2, "rare", KIND)
    assert read_kinds(KNOWING, kind)[1] == pytest.approx(1 / 3)
    assert read_kinds(KNOWING, np.where(PERSONS < 4, "rare", "common")) is None


def test_too_few_persons_are_refused():
    with pytest.raises(ValueError, match="9 persons are too few"):
        make_folds(NOISE[:36], PERSONS[:36])


def test_a_dead_code_is_no_error():
    dead = make_folds(np.ones((120, 5)), PERSONS)
    assert read_numbers(dead, NUMBER).max() < 0.01
    assert read_kinds(dead, KIND)[0] == pytest.approx(1 / 3, abs=0.15)


def test_the_same_every_time():
    again = make_folds(CODE, PERSONS)
    assert read_numbers(again, NUMBER).tolist() == read_numbers(KNOWING, NUMBER).tolist()
