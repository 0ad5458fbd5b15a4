import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tapetum.core import Trial
from tapetum.evaluation.families import families
from tapetum.evaluation.ranking import gallery_factor, pair_distances, query_factor, sorted_columns


def everything(count):
    return np.arange(count)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([1e-12, 1e-16, 1e-3]))
def test_near_and_equal_distances_are_sorted_by_the_exact_distance(seed, dimensions, noise):
    # Gallery vectors of almost or exactly equal distance: a matrix product alone cannot tell them apart.
    random = np.random.default_rng(seed)
    queries = random.standard_normal((3, dimensions))
    gallery = random.standard_normal(dimensions) * (1 + noise * random.integers(-3, 4, (40, 1)))
    found = sorted_columns(
        query_factor(queries, everything(3), "euclidean"), gallery_factor(gallery, everything(40), "euclidean"), None
    )
    distances = cdist(queries, gallery)  # summed left to right, as the rule says
    np.testing.assert_array_equal(found, np.argsort(distances, axis=1, kind="stable"))


@pytest.mark.parametrize("seed", range(10))
def test_gallery_vectors_much_closer_than_the_products_rounding(seed):
    # |q| = 1000 and |q - g| near 0.0001: the product errs by more than the whole squared distance.
    random = np.random.default_rng(seed)
    query = random.standard_normal((1, 1024)) * 1000 / 32
    gallery = query + 1e-4 / 32 * random.uniform(0.9, 1.1, (4, 1)) * random.standard_normal((4, 1024))
    found = sorted_columns(
        query_factor(query, everything(1), "euclidean"), gallery_factor(gallery, everything(4), "euclidean"), None
    )
    np.testing.assert_array_equal(found, np.argsort(cdist(query, gallery), axis=1))


def test_distances_are_summed_left_to_right():
    # From the left 2^53 + 1 + ... + 1 stays 2^53, since each 1 is lost; from the right the 64 ones count.
    large, ones = [2.0**26.5], [1.0] * 64
    queries, gallery = np.zeros((1, 65)), np.array([large + ones, ones + large])
    factors = query_factor(queries, everything(1), "euclidean"), gallery_factor(gallery, everything(2), "euclidean")
    left, right = pair_distances(*factors, np.array([0, 0]), np.array([0, 1]))
    assert left < right


def test_hidden_pairs_come_last():
    queries, gallery = np.zeros((2, 1)), np.array([[1.0], [2.0], [3.0]])
    hidden = np.array([[True, False, False], [False, False, False]])
    factors = query_factor(queries, everything(2), "euclidean"), gallery_factor(gallery, everything(3), "euclidean")
    assert sorted_columns(*factors, hidden).tolist() == [[1, 2, 0], [0, 1, 2]]


def test_unit_length_under_cosine():
    factor = query_factor(np.array([[3.0, 4.0]]), everything(1), "cosine")
    assert factor[0] == pytest.approx([0.6, 0.8, 1.0, 1.0])


def test_trials_share_a_product_when_one_order_serves_all():
    persons = np.array([1, 1, 2, 2])
    query = np.array([0])
    # Rows 0 and 1 are of one person and may swap; rows 0 and 2 are not and may not.
    same = families([Trial(query, np.array([0, 1, 2])), Trial(query, np.array([1, 0, 3]))], persons)
    assert [family.numbers for family in same] == [(0, 1)]
    assert sorted(same[0].columns.tolist()) == [0, 1, 2, 3]
    # No trial stands in the table's order, yet they agree: rows 2 and 3 before row 0.
    agreed = families([Trial(query, np.array([2, 0])), Trial(query, np.array([3, 0, 1]))], np.array([1, 1, 2, 3]))
    assert [family.numbers for family in agreed] == [(0, 1)]
    place = {row: column for column, row in enumerate(agreed[0].columns.tolist())}
    assert place[2] < place[0]
    assert place[3] < min(place[0], place[1])
    against = families([Trial(query, np.array([0, 2])), Trial(query, np.array([2, 0]))], persons)
    assert [family.numbers for family in against] == [(0,), (1,)]
    apart = families([Trial(query, np.array([0])), Trial(np.array([1]), np.array([0]))], persons)
    assert [family.numbers for family in apart] == [(0,), (1,)]


def test_trials_that_group_a_row_differently_stay_apart():
    query, gallery = np.array([0]), np.array([1, 2])
    trials = [Trial(query, gallery, np.array([5]), np.array(groups)) for groups in ((5, 6), (6, 5))]
    assert [family.numbers for family in families(trials, np.array([1, 1, 2]))] == [(0,), (1,)]
