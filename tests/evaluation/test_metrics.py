from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from slow_reference import slow_trial

from tapetum.core import Trial
from tapetum.errors import DataError, EmbeddingError
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


def grid(random, count):
    """Few values in each dimension: many equal distances and equal vectors."""
    return random.integers(0, random.choice([2, 4, 1000]), (count, random.integers(1, 10)))


def close(random, count):
    """Rays from one point: distances that differ by less than a float32 product errs, some by less than a float64's."""
    ray = random.standard_normal(random.integers(1, 65))
    return ray * (1 + random.choice([1e-5, 1e-9, 1e-15]) * random.integers(-9, 10, (count, 1)))


def far(random, count):
    """A cloud far from zero, as activations behind a ReLU are."""
    return 1000 + random.standard_normal((count, random.integers(1, 65)))


def collapsed(random, count):
    """All vectors the same, but for a few."""
    vectors = np.tile(random.standard_normal(random.integers(1, 65)), (count, 1))
    vectors[random.integers(0, count, 3)] *= random.choice([1.0, 1 + 1e-7, 2.0])
    return vectors


def lengthy(random, count):
    """Lengths from a millionth to a million."""
    return random.standard_normal((count, random.integers(1, 65))) * 10.0 ** random.integers(-6, 7, (count, 1))


SCALES = {np.float32: (1.0, 1 / 3, 1e-9, 1e-25, 1e6, 1e25), np.float64: (1.0, 0.1, 1e-12, 1e-100, 1e-160, 1e100)}


@st.composite
def problems(draw):
    """Vectors of one of these kinds, persons, groups, and trials over the same queries."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(4, 30))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    vectors = draw(st.sampled_from([grid, close, far, collapsed, lengthy]))(random, count)
    vectors = (vectors * draw(st.sampled_from(SCALES[kind]))).astype(kind)
    persons = random.integers(0, draw(st.integers(1, 6)), count)
    query = random.choice(count, draw(st.integers(1, count)), replace=False)
    groups = random.integers(0, 4, count)
    grouped, ordered = draw(st.booleans()), draw(st.booleans())
    trials = []
    for _ in range(draw(st.integers(1, 6))):
        gallery = random.choice(count, random.integers(1, count + 1), replace=False)
        gallery = np.sort(gallery) if ordered else gallery
        trials.append(Trial(query, gallery, groups[query], groups[gallery]) if grouped else Trial(query, gallery))
    return vectors, persons, trials


def answerable(vectors, persons, trials, cmc="identities"):
    references = [slow_trial(vectors, persons, trial, cmc) for trial in trials]
    kept = [(trial, reference) for trial, reference in zip(trials, references, strict=True) if reference["valid"]]
    return [trial for trial, _ in kept], [reference for _, reference in kept]


def check_equal(results, references):
    for result, reference in zip(results, references, strict=True):
        assert result.valid_queries == reference["valid"]
        assert result.query.tolist() == reference["query"]
        assert result.hit.tolist() == reference["hit"]  # whole numbers: no rank is one off
        assert result.inp.tolist() == reference["inp"]
        np.testing.assert_allclose(result.ap, reference["ap"], atol=0, rtol=1e-14)
        np.testing.assert_allclose(result.cmc, reference["cmc"], atol=1e-12, rtol=0)
        assert result.mAP == pytest.approx(reference["mAP"], rel=1e-14)
        assert result.mINP == pytest.approx(reference["mINP"], rel=1e-14)


@settings(max_examples=120, deadline=None)
@given(problems(), st.sampled_from(["identities", "images"]), st.integers(1, 200), st.integers(1, 3))
def test_equal_to_the_slow_reference(problem, cmc, pairs_at_once, threads):
    vectors, persons, trials = problem
    trials, references = answerable(vectors, persons, trials, cmc)
    check_equal(
        score_trials(vectors, persons, trials, cmc=cmc, pairs_at_once=pairs_at_once, threads=threads), references
    )


@settings(max_examples=80, deadline=None)
@given(problems(), st.integers(1, 200))
def test_cosine_is_the_distance_of_unit_vectors(problem, pairs_at_once):
    vectors, persons, trials = problem
    unit = vectors.astype(np.float64)
    squares = np.einsum("ij,ij->i", unit, unit)
    assume((squares > 0).all())
    unit /= np.sqrt(squares)[:, None]
    trials, references = answerable(unit, persons, trials)
    check_equal(score_trials(vectors, persons, trials, distance="cosine", pairs_at_once=pairs_at_once), references)


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(1, 300), st.integers(1, 3), st.randoms(use_true_random=False))
def test_no_bit_depends_on_chunks_threads_or_query_order(problem, pairs_at_once, threads, shuffle):
    vectors, persons, trials = problem
    trials, _ = answerable(vectors, persons, trials)
    whole = score_trials(vectors, persons, trials, threads=1)
    order = list(range(len(trials[0].query))) if trials else []
    shuffle.shuffle(order)
    groups = [None if trial.query_group is None else trial.query_group[order] for trial in trials]
    turned = [
        replace(trial, query=trial.query[order], query_group=group) for trial, group in zip(trials, groups, strict=True)
    ]
    parts = score_trials(vectors, persons, turned, pairs_at_once=pairs_at_once, threads=threads)
    for result, other in zip(whole, parts, strict=True):
        assert (result.mAP, result.mINP, result.cmc.tolist()) == (other.mAP, other.mINP, other.cmc.tolist())
        mine, theirs = (
            sorted(zip(found.query.tolist(), found.ap.tolist(), found.hit.tolist(), strict=True))
            for found in (result, other)
        )
        assert mine == theirs


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 20.0]), st.integers(200, 20_000))
def test_many_dimensions_trials_and_tiles(seed, offset, pairs_at_once):
    # Long enough for pieces of the product, with more trials than bits in a number, persons that span tiles, and
    # centres so close that matches and others mix.
    random = np.random.default_rng(seed)
    persons = random.integers(0, 12, 160)
    centres = 0.2 * random.standard_normal((12, 700))
    vectors = (offset + centres[persons] + random.standard_normal((160, 700))).astype(np.float32)
    cameras = random.integers(0, 3, 160)
    trials = []
    for _ in range(66):
        gallery = np.sort(random.choice(np.arange(12, 160), 100, replace=False))
        trials.append(Trial(np.arange(12), gallery, cameras[:12], cameras[gallery]))
    results = score_trials(vectors, persons, trials, pairs_at_once=pairs_at_once)
    sample = [0, 65]
    check_equal([results[number] for number in sample], [slow_trial(vectors, persons, trials[n]) for n in sample])


def test_single_queries_by_hand():
    # Row 3 (person 2) finds its image behind one of person 1; row 0 (person 9) has none; row 1 finds its image first.
    vectors, persons = line(0, 0, 0, 3, 1, 2), (9, 1, 8, 2, 1, 2)
    vectors[3] = 1
    result = one(vectors, persons, Trial(rows(3, 0, 1), rows(4, 5)))
    assert result.query.tolist() == [3, 1]
    assert result.ap.tolist() == [0.5, 1.0]
    assert result.inp.tolist() == [0.5, 1.0]
    assert result.hit.tolist() == [2, 1]


def test_progress_counts_every_pair_once():
    told = []
    trials = [Trial(rows(0, 1), rows(2, 3)), Trial(rows(0, 1), rows(3)), Trial(rows(2), rows(0, 1))]
    score_trials(
        line(0, 1, 2, 3), rows(1, 2, 1, 2), trials[:1], progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (4, 4)
    told.clear()
    score_trials(
        line(0, 1, 2, 3),
        rows(1, 2, 1, 2),
        [trials[0], trials[2]],
        progress=lambda done, total: told.append((done, total)),
    )
    assert [total for _, total in told] == [6] * len(told)
    assert told == sorted(told)
    assert told[-1] == (6, 6)


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
