"""The queries a report shows: average precision by hand and by a slow loop, and a choice that nobody can bend."""

import numpy as np
import pytest

from tapetum.core import Crop, Modality, Trial
from tapetum.embedding_table import EmbeddingTable
from tapetum.evaluation.metrics import score_trials
from tapetum.report.examples import choose_examples


def table(persons, vectors) -> EmbeddingTable:
    crops = tuple(Crop(f"{row}.jpg", person, "1", Modality.RGB) for row, person in enumerate(persons))
    return EmbeddingTable(np.asarray(vectors, dtype=np.float32), crops)


def on_arc(*degrees):
    return [(np.cos(np.radians(angle)), np.sin(np.radians(angle))) for angle in degrees]


def test_average_precision_by_hand():
    # Query 7 sees persons 3 7 9 7 in order of angle: right at ranks 2 and 4, AP = (1/2 + 2/4) / 2 = 1/2.
    crops = table([7, 3, 7, 9, 7], on_arc(0, 10, 20, 30, 40))
    (example,) = choose_examples(crops, Trial(np.array([0]), np.array([4, 3, 2, 1])), 3, seed=0).drawn
    assert example.average_precision == 0.5
    assert (example.first_right, example.right, example.answers) == (2, 2, 4)
    assert [hit.crop.path for hit in example.hits] == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]


def test_hidden_answers_do_not_count():
    # Group 5 hides the wrong person at rank 1: right at 1 and 3, AP = (1 + 2/3) / 2 = 5/6.
    crops = table([7, 3, 7, 9, 7], on_arc(0, 10, 20, 30, 40))
    trial = Trial(np.array([0]), np.array([1, 2, 3, 4]), np.array([5]), np.array([5, 1, 1, 1]))
    (example,) = choose_examples(crops, trial, 3, seed=0).drawn
    assert example.average_precision == pytest.approx(5 / 6)
    assert (example.first_right, example.right, example.answers) == (1, 2, 3)
    assert "1.jpg" not in [hit.crop.path for hit in example.hits]


def test_queries_that_cannot_be_answered_are_not_chosen():
    # Query 0 is known and has an answer, 1 is unknown, 2 has nobody in the gallery, 3's only picture is hidden.
    crops = table([7, None, 8, 9, 7, None, 9], on_arc(0, 10, 20, 30, 40, 50, 60))
    groups = np.array([0, 0, 0, 1]), np.array([2, 2, 1])
    examples = choose_examples(crops, Trial(np.arange(4), np.array([4, 5, 6]), *groups), 9, seed=0)
    assert examples.valid == 1
    assert [example.query.path for example in examples.drawn] == ["0.jpg"]
    assert [example.query.path for example in examples.hardest] == ["0.jpg"]


def slow_precision(crops, query, gallery):
    order = sorted(gallery, key=lambda row: (-float(crops.vectors[query] @ crops.vectors[row]), gallery.index(row)))
    right = [rank for rank, row in enumerate(order, 1) if crops.crops[row].person == crops.crops[query].person]
    return sum(place / rank for place, rank in enumerate(right, 1)) / len(right)


@pytest.fixture(scope="module")
def many():
    """600 queries of 20 persons against 40 rows: more than one block."""
    generator = np.random.default_rng(5)
    vectors = generator.normal(size=(640, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    persons = [*generator.integers(0, 20, 600).tolist(), *list(range(20)) * 2]
    return table(persons, vectors), Trial(np.arange(600), np.arange(600, 640))


def test_hardest_is_the_worst_query_of_each_of_the_worst_persons(many):
    crops, trial = many
    slow = [slow_precision(crops, query, trial.gallery.tolist()) for query in range(600)]
    worst = {}
    for query in sorted(range(600), key=lambda query: slow[query]):
        worst.setdefault(crops.crops[query].person, query)
    hardest = choose_examples(crops, trial, 7, seed=0).hardest
    assert [example.query.path for example in hardest] == [f"{query}.jpg" for query in list(worst.values())[:7]]
    assert [e.average_precision for e in hardest] == pytest.approx([slow[query] for query in list(worst.values())[:7]])


def test_shown_precisions_are_those_of_the_evaluation(many):
    crops, trial = many
    hidden = Trial(trial.query, trial.gallery, trial.query % 3, trial.gallery % 4)
    persons = np.array([crop.person for crop in crops.crops])
    (result,) = score_trials(crops.vectors, persons, [hidden], distance="cosine")
    examples = choose_examples(crops, hidden, 600, seed=0)
    assert examples.valid == result.valid_queries
    assert np.mean([example.average_precision for example in examples.drawn]) == pytest.approx(result.mAP, abs=1e-12)


def test_the_draw_depends_on_the_seed_alone(many):
    crops, trial = many
    first, again, other = (choose_examples(crops, trial, 6, seed) for seed in (0, 0, 1))
    paths = [[example.query.path for example in one.drawn] for one in (first, again, other)]
    assert paths[0] == paths[1] != paths[2]
    assert len(set(paths[0])) == 6
    assert first.hardest == other.hardest
    assert first.valid == 600
    assert all(len(example.hits) == 10 for example in first.drawn)
