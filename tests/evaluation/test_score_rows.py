"""Scores from given distances: by hand, and equal to the evaluation of vectors."""

from __future__ import annotations

import numpy as np
import pytest

from tapetum.core import Trial
from tapetum.errors import DataError
from tapetum.evaluation.metrics import trial_result
from tapetum.evaluation.score_rows import score_rows
from tapetum.evaluation.scoring import Scores


def test_two_queries_by_hand():
    # Query 7 sees persons 3 7 9 7 in order: hits at ranks 2 and 4, AP = (1/2 + 2/4) / 2 = 1/2, INP = 2/4.
    # Query 9 sees 3 3 7 (hidden: 7) 9: hit at rank 4 among images, AP = INP = 1/4; among persons 3 and 7 come before.
    names = np.array([7, 9, 3, 7, 3])
    distances = np.array([[0.2, 0.3, 0.1, 0.4, np.inf], [np.inf, 0.4, 0.1, 0.3, 0.2]])
    found = score_rows(distances, np.array([7, 9]), names, "images")
    assert found.ap.tolist() == [0.5, 0.25]
    assert found.inp.tolist() == [0.5, 0.25]
    assert found.hit.tolist() == [2, 4]
    assert score_rows(distances, np.array([7, 9]), names, "identities").hit.tolist() == [2, 3]


def test_ties_stand_in_gallery_order_also_at_zero():
    names = np.array([1, 2, 1])
    distances = np.array([[-0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    assert score_rows(distances, np.array([2, 2]), names, "images").hit.tolist() == [2, 2]


def test_hidden_answers_are_no_matches():
    found = score_rows(np.array([[np.inf, 0.1], [0.2, np.inf]]), np.array([5, 5]), np.array([5, 6]), "images")
    assert found.hit.tolist() == [0, 1]


def test_a_trials_figures_are_means_over_the_queries_that_count():
    persons = np.array([5, 6, 5, 6, 8])
    trial = Trial(np.array([0, 4, 1]), np.array([2, 3]))
    # 5 finds its image first; 8 has none; 6 finds its image second: AP 1 and 1/2.
    parts = [
        score_rows(np.array([[0.1, 0.2], [0.1, 0.2]]), persons[[0, 4]], persons[[2, 3]], "identities"),
        score_rows(np.array([[0.1, 0.2]]), persons[[1]], persons[[2, 3]], "identities"),
    ]
    found = trial_result(trial, Scores.joined(parts), persons, "identities", "trial 3")
    assert (found.mAP, found.mINP, found.valid_queries, found.gallery, found.queries) == (0.75, 0.75, 2, 2, 3)
    assert found.cmc.tolist() == [0.5, 1.0]
    assert found.query.tolist() == [0, 1]
    assert found.ap.tolist() == [1.0, 0.5]
    with pytest.raises(DataError, match="trial 3: none of 3 queries has a match in its gallery"):
        trial_result(
            trial,
            score_rows(np.full((3, 2), np.inf), persons[:3], persons[[2, 3]], "images"),
            persons,
            "images",
            "trial 3",
        )
