"""The bounds of rounding hold against exact fractions, wherever the vectors lie."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.evaluation.points import pieces, placed
from tapetum.evaluation.ranking import left_to_right

ROWS = np.arange(12)


@st.composite
def clouds(draw):
    """(12, D) vectors around a point near or far, of any size."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    scale = draw(st.sampled_from([1.0, 1e-6, 1e-25, 1e25] + ([1e-160, 1e100] if kind is np.float64 else [])))
    offset = draw(st.sampled_from([0.0, 1.0, 1e4]))
    return ((offset + random.standard_normal((12, draw(st.sampled_from([1, 2, 40, 129, 300]))))) * scale).astype(kind)


def square(vector):
    return sum(Fraction(value) ** 2 for value in vector.tolist())


def exact_near(points, query, answer):
    """(scale d)^2 - |q|^2, in fractions."""
    sides = (points.vectors[row].tolist() for row in (query, answer))
    apart = sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(*sides, strict=True))
    return Fraction(points.scale) ** 2 * apart - square(points.moved(ROWS[[query]])[0])


@settings(max_examples=60, deadline=None)
@given(clouds())
def test_products_err_no_more_than_their_bounds(vectors):
    points = placed(vectors, ROWS, "euclidean")
    query, answer = ROWS[:1], ROWS[1:2]
    true = exact_near(points, 0, 1)
    lengths = points.lengths[:1], points.lengths[1:2]
    answered = np.square(points.moved(answer)).sum()
    near = answered - 2 * points.products(query, answer)[0]
    assert abs(Fraction(float(near)) - true) <= Fraction(points.error(*lengths).item())
    single = np.float32(0)
    for one, other in zip(points.split(query), points.split(answer), strict=True):
        single += one[0] @ (other[0] * np.float32(-2))
    single += np.float32(answered)
    assert single.dtype == np.float32
    assert abs(Fraction(float(single)) - true) <= Fraction(points.single_error(*lengths).item())


@settings(max_examples=60, deadline=None)
@given(clouds(), st.sampled_from(["euclidean", "cosine"]))
def test_lengths_are_rounded_up_and_fit_into_float32(vectors, distance):
    if distance == "cosine" and np.abs(vectors).max() < 1e-100:
        return  # as good as zero: refused
    points = placed(vectors, ROWS, distance)
    for length, moved in zip(points.lengths, points.moved(ROWS), strict=True):
        assert square(moved) <= Fraction(float(length)) ** 2
        assert length < 2.0**51


def test_a_far_cloud_is_moved_to_zero_and_a_near_one_is_left():
    cloud = np.random.default_rng(0).standard_normal((12, 8)).astype(np.float32)
    assert placed(cloud, ROWS, "euclidean").unmoved
    points = placed(cloud + 100, ROWS, "euclidean")
    assert points.lengths.max() < 10
    assert placed(cloud * np.float32(2**-70), ROWS, "euclidean").lengths.max() == pytest.approx(
        placed(cloud * np.float32(2**-90), ROWS, "euclidean").lengths.max(), rel=1e-3
    )


def test_distances_are_those_of_the_given_vectors():
    # Moving would lose the difference: 1e8 + 1 and 1e8 + 2 are one float32 number, but not one float64 number.
    vectors = 1e8 + np.array([[0.0], [1.0], [3.0]])
    points = placed(vectors, np.arange(3), "euclidean")
    assert points.distances(np.array([0, 0, 1]), np.array([1, 2, 2])).tolist() == [1.0, 3.0, 2.0]
    random = np.random.default_rng(1).standard_normal((4, 70))
    points = placed(random, np.arange(4), "euclidean")
    np.testing.assert_array_equal(
        points.distances(np.array([0, 2]), np.array([1, 3])), left_to_right(random[[0, 2]] - random[[1, 3]])
    )


def test_pieces_cover_everything_once():
    assert [(part.start, part.stop) for part in pieces(7, 3)] == [(0, 3), (3, 6), (6, 7)]
    assert list(pieces(0, 3)) == []
