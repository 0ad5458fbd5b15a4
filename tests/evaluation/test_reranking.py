"""k-reciprocal re-ranking: by hand, against a reading of the paper in loops, and the same however it is cut up."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_reranking import slow_reranking

from tapetum.core import Trial
from tapetum.errors import DataError, EmbeddingError, RecipeError
from tapetum.evaluation import neighbours, reciprocal, reranking
from tapetum.evaluation.metrics import score_trials
from tapetum.evaluation.reranking import ReRanking, reranked_distances, score_reranked

SMALL = ReRanking(k1=4, k2=2)


def people(seed, count, persons=6, dimensions=5, spread=0.7):
    """Vectors around one centre per person, and the persons."""
    random = np.random.default_rng(seed)
    names = random.integers(0, persons, count)
    return random.normal(size=(persons, dimensions))[names] + spread * random.normal(size=(count, dimensions)), names


def trial(queries, count):
    return Trial(np.arange(queries), np.arange(queries, count))


def distances(vectors, one, given_settings=SMALL):
    return reranked_distances(vectors, one, given_settings)


def test_two_pairs_on_a_line_by_hand():
    # Images at 0 (the query), 1, 3 and 3.5, k1 = k2 = 1: 0 and 1 are each other's nearest, 3 and 3.5 are too.
    # Squared distances from 0: 1, 9, 12.25, the largest 12.25; from 1: 1, 4, 6.25, the largest 6.25.
    # V_0 = (1, a) / (1 + a), a = exp(-1/12.25), and V_1 = (b, 1) / (1 + b), b = exp(-1/6.25); others share nothing.
    a, b = math.exp(-1 / 12.25), math.exp(-1 / 6.25)
    least = min(1 / (1 + a), b / (1 + b)) + min(a / (1 + a), 1 / (1 + b))
    most = max(1 / (1 + a), b / (1 + b)) + max(a / (1 + a), 1 / (1 + b))
    expected = [0.7 * (1 - least / most) + 0.3 / 12.25, 0.7 + 0.3 * 9 / 12.25, 0.7 + 0.3]
    vectors = np.array([[0.0], [1.0], [3.0], [3.5]])
    found = distances(vectors, trial(1, 4), ReRanking(k1=1, k2=1, weight=0.3))
    assert found[0] == pytest.approx(expected, abs=1e-7)


def test_two_rows_are_averaged_by_hand():
    # The same images with k2 = 2: V_0 and V_1 both become the mean of the two, so their Jaccard distance is 0.
    found = distances(np.array([[0.0], [1.0], [3.0], [3.5]]), trial(1, 4), ReRanking(k1=1, k2=2, weight=0.3))
    assert found[0] == pytest.approx([0.3 / 12.25, 0.7 + 0.3 * 9 / 12.25, 1.0], abs=1e-7)


@pytest.mark.parametrize(
    ("count", "queries", "given_settings"),
    [
        (60, 20, ReRanking(k1=6, k2=3)),
        (70, 30, ReRanking(k1=7, k2=1, weight=0.0)),
        (90, 40, ReRanking()),
        (12, 4, ReRanking()),  # fewer images than neighbours
        (30, 10, ReRanking(k1=2, k2=5)),
    ],
)
def test_distances_are_those_of_the_paper_read_in_loops(count, queries, given_settings):
    vectors, _ = people(count, count)
    one = trial(queries, count)
    k = given_settings
    slow = slow_reranking(vectors, one.query.tolist(), one.gallery.tolist(), k.k1, k.k2, k.weight)
    assert distances(vectors, one, given_settings) == pytest.approx(slow, abs=1e-6)


@given(
    grid=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=5, max_size=24),
    queries=st.integers(1, 4),
    k1=st.integers(1, 8),
    k2=st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_equal_vectors_and_equal_distances_stand_in_the_order_of_images(grid, queries, k1, k2):
    vectors = np.array(grid, dtype=np.float32)  # many vectors and distances are equal, and all are exact
    one = trial(queries, len(grid))
    slow = slow_reranking(vectors.astype(float), one.query.tolist(), one.gallery.tolist(), k1, k2, 0.3)
    found = distances(vectors, one, ReRanking(k1=k1, k2=k2))
    assert found == pytest.approx(slow, abs=1e-6)


@given(st.integers(0, 10**6), st.integers(6, 40), st.integers(6, 40), st.integers(30, 200))
@settings(max_examples=12, deadline=None)
def test_nothing_depends_on_tiles_or_parts(seed, rows, columns, pairs):
    vectors, names = people(seed, 48)
    vectors = np.round(vectors, 1)
    trials = [trial(20, 48), Trial(np.arange(20), np.arange(47, 25, -1))]
    whole = score_reranked(vectors, names, trials, settings=SMALL, cmc="identities")
    exact = [distances(vectors, one) for one in trials]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_TILE", (rows, columns))
        patch.setattr(reciprocal, "_ROWS_AT_ONCE", rows)
        patch.setattr(reciprocal, "_PAIRS_AT_ONCE", pairs)
        patch.setattr(reranking, "_PAIRS_AT_ONCE", pairs)
        cut = score_reranked(vectors, names, trials, settings=SMALL, cmc="identities")
        assert all(np.array_equal(one, distances(vectors, t)) for one, t in zip(exact, trials, strict=True))
    for one, other in zip(whole, cut, strict=True):
        assert (one.mAP, one.mINP) == (other.mAP, other.mINP)
        assert np.array_equal(one.ap, other.ap)
        assert np.array_equal(one.cmc, other.cmc)


def test_trials_are_scored_together_as_they_are_alone():
    vectors, names = people(3, 80)
    random = np.random.default_rng(0)
    trials = [Trial(np.arange(30), random.permutation(np.arange(30, 80))[:size]) for size in (50, 20, 33)]
    trials.append(trial(25, 80))  # other queries
    together = score_reranked(vectors, names, trials, settings=SMALL, cmc="images")
    for one, found in zip(trials, together, strict=True):
        (alone,) = score_reranked(vectors, names, [one], settings=SMALL, cmc="images")
        assert np.array_equal(alone.ap, found.ap)
        assert np.array_equal(alone.hit, found.hit)


def test_the_order_of_the_gallery_only_orders_ties():
    vectors, _ = people(4, 60)
    order = np.random.default_rng(1).permutation(np.arange(20, 60))
    mixed = distances(vectors, Trial(np.arange(20), order))
    assert mixed == pytest.approx(distances(vectors, trial(20, 60))[:, order - 20], abs=1e-12)


@pytest.mark.parametrize("cmc", ["images", "identities"])
def test_the_whole_weight_on_the_original_distance_gives_the_usual_figures(cmc):
    vectors, names = people(5, 200, persons=12)
    hidden = Trial(np.arange(70), np.arange(60, 200), np.arange(70) % 3, np.arange(140) % 4)
    (usual,) = score_trials(vectors, names, [hidden], cmc=cmc)
    (same,) = score_reranked(vectors, names, [hidden], settings=ReRanking(weight=1.0), cmc=cmc)
    assert (same.valid_queries, same.gallery, same.queries) == (usual.valid_queries, 140, 70)
    for name in ("cmc", "query", "ap", "inp", "hit"):
        assert getattr(same, name) == pytest.approx(getattr(usual, name), abs=1e-12), name


def test_hidden_pairs_are_neighbours_and_no_answers():
    # Hiding takes a pair out of the ranking and changes no distance: AP from slow distances without hidden columns.
    vectors, names = people(6, 50, persons=5)
    hidden = Trial(np.arange(15), np.arange(15, 50), np.arange(15) % 2, np.arange(35) % 3)
    slow = slow_reranking(vectors, list(range(15)), list(range(15, 50)), 4, 2, 0.3)
    expected = []
    for query in range(15):
        seen = [j for j in np.argsort(slow[query]) if hidden.gallery_group[j] != hidden.query_group[query]]
        ranks = [rank for rank, j in enumerate(seen, 1) if names[15 + j] == names[query]]
        if ranks:
            expected.append(np.mean([n / rank for n, rank in enumerate(ranks, 1)]))
    (found,) = score_reranked(vectors, names, [hidden], settings=SMALL, cmc="images")
    assert found.ap == pytest.approx(expected)
    assert found.mAP == pytest.approx(np.mean(expected))


def test_an_image_that_asks_and_answers_takes_part_once():
    vectors, _ = people(7, 40)
    everyone = np.arange(40)
    slow = slow_reranking(vectors, everyone.tolist(), everyone.tolist(), 4, 2, 0.3)
    found = distances(vectors, Trial(everyone, everyone))
    assert found == pytest.approx(slow, abs=1e-6)
    assert np.diag(found) == pytest.approx(0, abs=1e-12)


def test_many_copies_of_one_vector_are_no_trouble():
    vectors = np.ones((30, 3))
    found = distances(vectors, trial(5, 30), ReRanking(k1=3, k2=2))
    assert np.isfinite(found).all()
    assert np.isfinite(distances(np.zeros((1, 2)), Trial(np.array([0]), np.array([0])))).all()


def test_cosine_is_the_distance_of_unit_vectors():
    vectors, _ = people(8, 60)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    by_cosine = distances(vectors, trial(20, 60), ReRanking(k1=4, k2=2, distance="cosine"))
    assert by_cosine == pytest.approx(distances(unit, trial(20, 60)), abs=1e-6)


def test_memory_stays_below_one_matrix_of_all_pairs(monkeypatch):
    monkeypatch.setattr(neighbours, "_TILE", (256, 512))
    monkeypatch.setattr(reciprocal, "_PAIRS_AT_ONCE", 2**17)
    monkeypatch.setattr(reranking, "_PAIRS_AT_ONCE", 2**17)
    vectors, names = people(9, 3000, persons=300, dimensions=8)
    tracemalloc.start()
    score_reranked(vectors, names, [trial(1500, 3000)], settings=ReRanking(), cmc="images")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 3000 * 4 / 2, f"{peak / 1e6:.0f} MB"


def test_progress_reaches_its_end():
    vectors, names = people(10, 60)
    told = []
    trials = [trial(20, 60), trial(10, 60)]
    score_reranked(vectors, names, trials, settings=SMALL, cmc="images", progress=lambda *step: told.append(step))
    # All pairs among 60 images and 20 x 40 answers, then the same 60 images and 10 x 50 answers.
    assert told[-1] == (2 * 60 * 60 + 20 * 40 + 10 * 50,) * 2
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize("wrong", [{"k1": 0}, {"k2": 0}, {"weight": -0.1}, {"weight": 1.1}, {"weight": math.nan}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(
        RecipeError, match=r"is not possible. Expected k1 and k2 from 1 upwards and a weight in \[0, 1\]"
    ):
        ReRanking(**wrong)


def test_what_cannot_be_scored_is_refused():
    vectors, names = people(11, 20)
    with pytest.raises(DataError, match="trial 0: none of 5 queries has a match"):
        score_reranked(vectors, np.arange(20), [trial(5, 20)], settings=SMALL, cmc="images")
    vectors[7] = np.nan
    with pytest.raises(EmbeddingError, match="row 7 has a value that is not finite"):
        score_reranked(vectors, names, [trial(5, 20)], settings=SMALL, cmc="images")


@pytest.mark.parametrize("factor", [1e-25, 1e-3, 1e25])
def test_lengths_of_vectors_change_nothing(factor):
    vectors, _ = people(12, 40)
    assert distances(factor * vectors, trial(10, 40)) == pytest.approx(distances(vectors, trial(10, 40)), abs=1e-6)
