"""Where a system is right and wrong: small tables whose every figure can be told by hand, and slow loops."""

from __future__ import annotations

import numpy as np
import pytest

from tapetum.core import Crop, Modality, Trial
from tapetum.embedding_table import EmbeddingTable
from tapetum.errors import EmbeddingError
from tapetum.evaluation import diagnosis
from tapetum.evaluation.chance import chance
from tapetum.evaluation.diagnosis import (
    camera_pairs,
    counting_queries,
    person_results,
    persons_of,
    score_histogram,
    top_answers,
)
from tapetum.evaluation.metrics import score_trials


def table(rows, degrees) -> EmbeddingTable:
    """rows: (person, camera); degrees: the direction of each vector on a circle."""
    crops = tuple(Crop(f"{number}.jpg", person, camera, Modality.RGB) for number, (person, camera) in enumerate(rows))
    angles = np.radians(np.asarray(degrees, dtype=float))
    return EmbeddingTable(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32), crops)


ROWS = [(7, "3"), (9, "3"), (7, "1"), (9, "1"), (9, "10"), (7, "10"), (3, "10")]
CROPS = table(ROWS, [0, 50, 10, 20, 30, 60, 1])
ONE = Trial(np.array([0, 1]), np.arange(2, 7))


def test_camera_pairs_by_hand():
    # Camera 1 holds 7 at 10 and 9 at 20 degrees. Query 7 at 0 has 7 first: AP 1; query 9 at 50 has 9 first: AP 1.
    # Camera 10 holds 9 at 30, 7 at 60, 3 at 1. Query 7 at 0: 3, 9, 7, AP 1/3; query 9 at 50: 7, 9, AP 1/2.
    first, second = camera_pairs(CROPS, [ONE], distance="euclidean", cmc="identities")
    assert (first.query, first.gallery, first.queries, first.r1, first.mAP) == ("3", "1", 2, 1.0, 1.0)
    assert (second.query, second.gallery, second.queries, second.r1) == ("3", "10", 2, 0.0)
    assert second.mAP == pytest.approx((1 / 3 + 1 / 2) / 2)
    # One right image of two, and of three: E[AP] = (1 + 1/2) / 2 and (1 + 1/2 + 1/3) / 3.
    assert (first.chance_r1, second.chance_r1) == pytest.approx((1 / 2, 1 / 3))
    assert (first.chance_mAP, second.chance_mAP) == pytest.approx((3 / 4, 11 / 18))


def test_pairs_that_are_hidden_or_without_a_match_are_left_out():
    # Camera 1 is hidden from both queries; in camera 10 the second trial has nobody whom they ask for.
    groups = np.array([1, 1]), np.array([1, 1, 2, 2, 2])
    trials = [Trial(ONE.query, ONE.gallery, *groups), Trial(np.array([0, 1]), np.array([6]))]
    (pair,) = camera_pairs(CROPS, trials, distance="cosine", cmc="images")
    assert (pair.gallery, pair.queries) == ("10", 2)
    assert pair.mAP == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert camera_pairs(CROPS, trials[1:], distance="cosine", cmc="images") == []


def test_camera_pairs_are_trials_of_their_own():
    random = np.random.default_rng(0)
    rows = [(int(p), str(c)) for p, c in zip(random.integers(0, 8, 120), random.integers(1, 4, 120), strict=True)]
    crops = EmbeddingTable(random.normal(size=(120, 6)).astype(np.float32), table(rows, range(120)).crops)
    persons, cameras = persons_of(crops), np.array([camera for _, camera in rows])
    trials = [Trial(np.arange(40), random.permutation(np.arange(40, 120))[:60]) for _ in range(3)]
    for pair in camera_pairs(crops, trials, distance="euclidean", cmc="identities"):
        alone = [
            Trial(
                trial.query[cameras[trial.query] == pair.query], trial.gallery[cameras[trial.gallery] == pair.gallery]
            )
            for trial in trials
        ]
        results = [score_trials(crops.vectors, persons, [part])[0] for part in alone]
        assert pair.mAP == pytest.approx(np.mean([result.mAP for result in results]))
        assert pair.r1 == pytest.approx(np.mean([result.cmc[0] for result in results]))
        assert pair.queries == len(set(np.concatenate([result.query for result in results]).tolist()))
        assert pair.chance_mAP == pytest.approx(chance(alone, persons, "identities")["mAP"])


def test_queries_that_count():
    persons = np.array([7, 9, 3, 7, 9])
    assert counting_queries(Trial(np.array([0, 1, 2]), np.array([3, 4])), persons).tolist() == [True, True, False]
    hidden = Trial(np.array([0, 1, 2]), np.array([3, 4]), np.array([5, 5, 5]), np.array([5, 6]))
    assert counting_queries(hidden, persons).tolist() == [False, True, False]


def test_persons_by_hand_worst_first():
    # Person 4: queries a (in two trials) and b, AP 0.1 0.3 0.8, first once of three times. Persons 8 and 2 have one
    # query each and the same AP: by number.
    found = person_results(
        np.array([8, 4, 4, 4, 2]),
        np.array(["d", "a", "a", "b", "c"]),
        np.array([0.5, 0.1, 0.3, 0.8, 0.5]),
        np.array([4, 3, 2, 1, 1]),
    )
    assert [(one.person, one.queries) for one in found] == [(4, 2), (2, 1), (8, 1)]
    assert [one.mAP for one in found] == pytest.approx([0.4, 0.5, 0.5])
    assert [one.r1 for one in found] == pytest.approx([1 / 3, 1, 0])


def test_histogram_by_hand():
    # Query 7 at 0 degrees: right at 10 and 60; query 9 at 50: right at 20 and 30. The other 6 of 10 pairs are wrong.
    found = score_histogram(CROPS, ONE)
    assert (found.right.sum(), found.wrong.sum()) == (4, 6)
    right = np.cos(np.radians([10, 60, 30, 20]))
    assert np.repeat(found.edges[:-1], found.right) == pytest.approx(np.sort(right), abs=0.001)
    # Half of the right pairs reach cos 20 = 0.940. Wrong pairs stand at 20, 30, 1 and 40, 10, 49 degrees: of these
    # cos 1, cos 10 and cos 20 reach the bin of cos 20.
    middle = found.median_right()
    assert middle == pytest.approx(np.cos(np.radians(20)), abs=0.001)
    assert found.wrong_above(middle) == pytest.approx(3 / 6)


def test_hidden_pairs_have_no_score():
    hidden = Trial(ONE.query, ONE.gallery, np.array([1, 2]), np.array([1, 1, 2, 2, 2]))
    found = score_histogram(CROPS, hidden)
    # Query 7 sees camera 10 alone: right at 60, wrong at 30 and 1. Query 9 sees camera 1: right at 30, wrong at 40.
    assert (found.right.sum(), found.wrong.sum()) == (2, 3)


def test_first_answers_by_hand():
    # Query 7 at 0 is answered by 3 at 1 degree, query 9 at 50 by 7 at 60: wrong. Without these two answers: right.
    found = top_answers(CROPS, [ONE, Trial(ONE.query, np.arange(2, 5))])
    assert found.person.tolist() == [7, 9, 7, 9]
    assert found.right.tolist() == [False, False, True, True]
    assert found.score == pytest.approx(np.cos(np.radians([1, 10, 10, 20])), abs=1e-6)


def test_first_answers_are_those_of_a_slow_loop(monkeypatch):
    monkeypatch.setattr(diagnosis, "_PAIRS_AT_ONCE", 150)  # several parts
    random = np.random.default_rng(1)
    rows = [(int(person), "1") for person in random.integers(0, 9, 80)]
    vectors = random.normal(size=(80, 5)).astype(np.float32)
    crops = EmbeddingTable(vectors, table(rows, range(80)).crops)
    trial = Trial(np.arange(30), np.arange(25, 80), np.arange(30) % 3, np.arange(55) % 2)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = []
    for i in range(30):
        seen = [row for j, row in enumerate(trial.gallery) if trial.gallery_group[j] != trial.query_group[i]]
        if any(rows[row][0] == rows[i][0] for row in seen):
            best = max(seen, key=lambda row: float(unit[i] @ unit[row]))
            expected.append((rows[i][0], float(unit[i] @ unit[best]), rows[best][0] == rows[i][0]))
    found = top_answers(crops, [trial])
    assert found.person.tolist() == [person for person, _, _ in expected]
    assert found.score == pytest.approx([score for _, score, _ in expected], abs=1e-6)
    assert found.right.tolist() == [right for _, _, right in expected]
    assert score_histogram(crops, trial).right.sum() > 0


def test_a_vector_without_direction_is_refused():
    crops = EmbeddingTable(np.zeros((7, 2), dtype=np.float32), CROPS.crops)
    with pytest.raises(EmbeddingError, match="row 2 is zero: it has no cosine"):
        score_histogram(crops, ONE)
