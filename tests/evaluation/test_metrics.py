from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_reference import slow_trial

from tapetum.core import Trial
from tapetum.errors import DataError, EmbeddingError
from tapetum.evaluation import metrics
from tapetum.evaluation.metrics import score_trials


def line(*places):
    """Vectors on a line: distances are differences that a reader can see."""
    return np.array(places, dtype=np.float32)[:, None]


def rows(*numbers):
    return np.array(numbers, dtype=np.int64)


def one(vectors, persons, trial, **options):
    return score_trials(vectors, rows(*persons), [trial], **options)[0]


def test_ranking_by_hand():
    # Query of person 7 at 0; the gallery in order of distance is 3 3 7 9 7 9: hits at ranks 3 and 5.
    # AP = (1/3 + 2/5) / 2 = 11/30, INP = 2/5. Persons counted once: 3 7 9, so the hit is the second of three.
    vectors = line(0, 5, 3, 1, 6, 2, 4)
    persons = (7, 7, 7, 3, 9, 3, 9)
    trial = Trial(rows(0), rows(1, 2, 3, 4, 5, 6))
    result = one(vectors, persons, trial)
    assert result.mAP == pytest.approx(11 / 30, abs=1e-15)
    assert result.mINP == pytest.approx(2 / 5, abs=1e-15)
    assert result.cmc.tolist() == [0, 1, 1]
    assert (result.valid_queries, result.queries, result.gallery) == (1, 1, 6)
    # The ordinary CMC counts images: the hit is the third of six.
    assert one(vectors, persons, trial, cmc="images").cmc.tolist() == [0, 0, 1, 1, 1, 1]


def test_means_are_over_queries():
    # Query 0 (person 1 at 0) sees 1 2: AP 1. Query 1 (person 2 at 0) sees 1 2: AP 1/2. CMC_1 = 1/2.
    result = one(line(0, 0, 1, 2), (1, 2, 1, 2), Trial(rows(0, 1), rows(2, 3)))
    assert result.mAP == 0.75
    assert result.mINP == 0.75
    assert result.cmc.tolist() == [0.5, 1]


def test_ties_stand_in_gallery_order():
    vectors, persons = line(0, 1, -1), (1, 2, 1)
    assert one(vectors, persons, Trial(rows(0), rows(1, 2))).mAP == 0.5
    assert one(vectors, persons, Trial(rows(0), rows(2, 1))).mAP == 1.0


def test_hidden_pairs_neither_hit_nor_miss():
    # The gallery in order of distance: 2 (hidden), 1 (hidden match), 2, 1. What is left: 2 1, AP = 1/2.
    vectors, persons = line(0, 1, 2, 3, 4), (1, 2, 1, 2, 1)
    trial = Trial(rows(0), rows(1, 2, 3, 4), rows(5), rows(5, 5, 6, 6))
    result = one(vectors, persons, trial)
    assert (result.mAP, result.mINP) == (0.5, 0.5)
    assert result.cmc.tolist() == [0, 1]


def test_queries_without_a_match_are_left_out():
    # Person 9 is not in the gallery, and person 3's only image is hidden: one query of three counts.
    vectors, persons = line(0, 0, 0, 1, 2), (1, 9, 3, 1, 3)
    trial = Trial(rows(0, 1, 2), rows(3, 4), rows(0, 0, 7), rows(1, 7))
    result = one(vectors, persons, trial)
    assert (result.valid_queries, result.queries) == (1, 3)
    assert result.mAP == 1.0
    nobody = replace(trial, query=rows(1), query_group=rows(0))
    with pytest.raises(DataError, match="none of 1 queries has a match"):
        one(vectors, persons, nobody)


def test_perfect_features_give_one():
    persons = np.repeat(np.arange(6), 4)
    vectors = np.eye(6, dtype=np.float32)[persons]
    result = score_trials(vectors, persons, [Trial(np.arange(0, 24, 4), np.setdiff1d(np.arange(24), [0, 4]))])[0]
    assert (result.mAP, result.mINP) == (1, 1)
    assert result.cmc.tolist() == [1] * 6


def test_cosine_ranks_by_angle():
    # By distance the short wrong vector is nearer to (1, 0); by angle the long right one is.
    vectors = np.array([[1, 0], [9, 1], [1, 1]], dtype=np.float32)
    trial = Trial(rows(0), rows(1, 2))
    assert one(vectors, (1, 1, 2), trial).mAP == 0.5
    assert one(vectors, (1, 1, 2), trial, distance="cosine").mAP == 1.0


@pytest.mark.parametrize(
    ("value", "distance", "words"),
    [
        (np.nan, "euclidean", "row 2"),
        (np.inf, "euclidean", "row 2"),
        (1e200, "euclidean", "row 2"),
        (0, "cosine", "zero"),
    ],
)
def test_vectors_that_cannot_be_compared(value, distance, words):
    vectors = np.array([[1.0], [1.0], [value]])
    with pytest.raises(EmbeddingError, match=words):
        one(vectors, (1, 1, 1), Trial(rows(0), rows(1, 2)), distance=distance)


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        (Trial(rows(0), rows(1, 1)), "row 1 twice"),
        (Trial(rows(0), rows(5)), "outside"),
        (Trial(rows(0), rows(), None, None), "0 gallery images"),
        (Trial(rows(0), rows(1), rows(1), None), "one side"),
    ],
)
def test_trials_that_cannot_be_evaluated(trial, words):
    with pytest.raises(DataError, match=words):
        one(line(0, 1, 2), (1, 1, 1), trial)


def test_vectors_of_no_dimension():
    with pytest.raises(EmbeddingError, match="shape"):
        one(np.zeros((2, 0)), (1, 1), Trial(rows(0), rows(1)))


@st.composite
def problems(draw):
    """Vectors on a coarse grid (many ties, equal vectors), persons, groups, and trials over the same queries."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    count, dimensions = draw(st.integers(4, 30)), draw(st.integers(1, 9))
    step = draw(st.sampled_from([1.0, 0.1, 1 / 3, 1e-9, 1e6]))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    vectors = (random.integers(0, draw(st.sampled_from([2, 4, 1000])), (count, dimensions)) * step).astype(kind)
    persons = random.integers(0, draw(st.integers(1, 6)), count)
    query = random.choice(count, draw(st.integers(1, count)), replace=False)
    groups = random.integers(0, 4, count)
    grouped, ordered = draw(st.booleans()), draw(st.booleans())
    trials = []
    for _ in range(draw(st.integers(1, 4))):
        gallery = random.choice(count, random.integers(1, count + 1), replace=False)
        gallery = np.sort(gallery) if ordered else gallery
        trials.append(Trial(query, gallery, groups[query], groups[gallery]) if grouped else Trial(query, gallery))
    return vectors, persons, trials


def answerable(vectors, persons, trials, cmc="identities"):
    references = [slow_trial(vectors, persons, trial, cmc) for trial in trials]
    kept = [(trial, reference) for trial, reference in zip(trials, references, strict=True) if reference["valid"]]
    return [trial for trial, _ in kept], [reference for _, reference in kept]


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from(["identities", "images"]), st.integers(1, 200))
def test_equal_to_the_slow_reference(problem, cmc, pairs_at_once):
    vectors, persons, trials = problem
    trials, references = answerable(vectors, persons, trials, cmc)
    results = score_trials(vectors, persons, trials, cmc=cmc, pairs_at_once=pairs_at_once)
    for result, reference in zip(results, references, strict=True):
        assert result.valid_queries == reference["valid"]
        np.testing.assert_allclose(result.cmc, reference["cmc"], atol=1e-12, rtol=0)
        assert result.mAP == pytest.approx(reference["mAP"], abs=1e-12)
        assert result.mINP == pytest.approx(reference["mINP"], abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(1, 300), st.sampled_from(["euclidean", "cosine"]), st.randoms(use_true_random=False))
def test_no_bit_depends_on_chunks_threads_or_query_order(problem, pairs_at_once, distance, shuffle):
    vectors, persons, trials = problem
    vectors = vectors + vectors.dtype.type(1)  # no vector of length zero
    trials, _ = answerable(vectors, persons, trials)
    whole = score_trials(vectors, persons, trials, distance=distance)
    order = list(range(len(trials[0].query))) if trials else []
    shuffle.shuffle(order)
    groups = [None if trial.query_group is None else trial.query_group[order] for trial in trials]
    turned = [
        replace(trial, query=trial.query[order], query_group=group) for trial, group in zip(trials, groups, strict=True)
    ]
    parts = score_trials(vectors, persons, turned, distance=distance, pairs_at_once=pairs_at_once)
    for result, other in zip(whole, parts, strict=True):
        assert (result.mAP, result.mINP, result.cmc.tolist()) == (other.mAP, other.mINP, other.cmc.tolist())


def test_one_thread_gives_the_same_bits(monkeypatch):
    random = np.random.default_rng(0)
    vectors, persons = random.standard_normal((400, 64)).astype(np.float32), random.integers(0, 20, 400)
    trial = Trial(np.arange(100), np.arange(100, 400))
    several = score_trials(vectors, persons, [trial], pairs_at_once=3000)[0]
    monkeypatch.setattr(metrics, "_THREADS", 1)
    alone = score_trials(vectors, persons, [trial])[0]
    assert (several.mAP, several.cmc.tolist()) == (alone.mAP, alone.cmc.tolist())


def test_gallery_order_changes_nothing_without_ties():
    random = np.random.default_rng(1)
    vectors, persons = random.standard_normal((200, 16)), random.integers(0, 15, 200)
    gallery = np.arange(60, 200)
    first, second = (
        score_trials(vectors, persons, [Trial(np.arange(60), rows)])[0]
        for rows in (gallery, random.permutation(gallery))
    )
    assert (first.mAP, first.mINP, first.cmc.tolist()) == (second.mAP, second.mINP, second.cmc.tolist())


def test_copies_in_the_gallery_tie_whatever_the_matrix_product_does():
    # 300 copies of one 257-dimensional vector among 300 others: a product's kernels may round a copy differently at the
    # edge of a block. As ties, the copies keep gallery order: the only right one, last in the gallery, comes last.
    random = np.random.default_rng(2)
    query = random.standard_normal(257).astype(np.float32)
    copy = query + 0.1 * random.standard_normal(257).astype(np.float32)
    others = random.standard_normal((300, 257)).astype(np.float32)
    vectors = np.vstack([query, *np.insert(others, np.arange(300), copy, axis=0)])
    persons = np.full(601, 2)
    persons[[0, 599]] = 1
    assert (vectors[599] == copy).all()
    assert score_trials(vectors, persons, [Trial(rows(0), np.arange(1, 601))])[0].mAP == pytest.approx(1 / 300)
