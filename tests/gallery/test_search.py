"""Exact search, against angles that can be checked by hand and against a slow loop."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.core import Crop, Modality
from tapetum.embedding_table import EmbeddingTable
from tapetum.errors import EmbeddingError, RecipeError
from tapetum.gallery.search import search


def table(vectors) -> EmbeddingTable:
    vectors = np.asarray(vectors, dtype=np.float32)
    crops = tuple(Crop(f"cam1/{row:04d}.jpg", row, "1", Modality.RGB) for row in range(len(vectors)))
    return EmbeddingTable(vectors, crops)


def test_scores_by_hand():
    # Query (1, 0): the angles are 90, 0, 45 and 180 degrees; lengths (2, 5, sqrt 2, 1) must not matter.
    gallery = table([[0, 2], [5, 0], [1, 1], [-1, 0]])
    hits = search(np.array([1.0, 0.0]), gallery, top=3)
    assert [(hit.rank, hit.row) for hit in hits] == [(1, 1), (2, 2), (3, 0)]
    assert [hit.score for hit in hits] == pytest.approx([1.0, math.sqrt(0.5), 0.0], abs=1e-15)
    assert hits[0].crop is gallery.crops[1]


def test_query_length_does_not_change_the_score():
    gallery = table([[3, 4], [4, 3]])
    (short,), (long,) = (search(np.array([3, 4], np.float32) * scale, gallery, top=1) for scale in (0.01, 900))
    assert short.row == long.row == 0
    assert short.score == pytest.approx(1.0, abs=1e-12)
    assert long.score == pytest.approx(1.0, abs=1e-12)


def test_opposite_vector_scores_minus_one():
    assert search(np.array([-3.0, -4.0]), table([[3, 4]]), top=1)[0].score == pytest.approx(-1.0, abs=1e-12)


@pytest.mark.parametrize("dimension", [1, 13, 511, 512])
def test_ties_keep_the_order_of_the_table(dimension):
    # 1500 equal rows span two blocks, with a better row in the middle: it comes first, then 0, 1, 2, ...
    generator = np.random.default_rng(3)
    equal = np.abs(generator.normal(size=dimension)) + 0.1
    better = equal + 1 if dimension > 1 else equal
    query = better.copy()
    vectors = np.repeat(equal[None], 1500, axis=0)
    vectors[700] = better
    rows = [hit.row for hit in search(query, table(vectors), top=1500)]
    first = [700] if dimension > 1 else []
    assert rows == first + [row for row in range(1500) if row not in first]


@pytest.mark.parametrize("rows", [3, 7, 1023, 1031])
def test_equal_rows_get_equal_scores_wherever_they_stand(rows):
    # A matrix product gives two or three different sums here, and so another order than the table's.
    generator = np.random.default_rng(4)
    query, row = generator.normal(size=(2, 512))
    hits = search(query, table(np.repeat(row[None], rows, axis=0)), top=rows)
    assert len({hit.score for hit in hits}) == 1
    assert [hit.row for hit in hits] == list(range(rows))


def test_hidden_rows_are_not_listed():
    gallery = table([[1, 0], [1, 0.1], [1, 0.2]])
    hits = search(np.array([1.0, 0.0]), gallery, top=10, hidden=np.array([True, False, False]))
    assert [(hit.rank, hit.row) for hit in hits] == [(1, 1), (2, 2)]
    assert search(np.array([1.0, 0.0]), gallery, top=10, hidden=np.ones(3, dtype=bool)) == []


def test_top_larger_than_the_gallery_lists_all():
    assert len(search(np.array([1.0, 0.0]), table([[1, 0], [0, 1]]), top=10)) == 2


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(2, 9), st.integers(0, 10**6))
def test_equals_a_slow_loop(rows, dimension, seed):
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-2, 3, size=(rows, dimension)).astype(np.float32)  # small integers: many ties
    vectors[:, 0] = 1  # no row without direction
    query = generator.integers(-2, 3, size=dimension).astype(np.float64)
    query[1] = 1
    slow = []
    for row, vector in enumerate(vectors.tolist()):
        dot = sum(a * b for a, b in zip(query.tolist(), vector, strict=True))
        length = math.sqrt(sum(a * a for a in vector)) * math.sqrt(sum(a * a for a in query.tolist()))
        slow.append((-round(dot / length, 9), row))
    hits = search(query, table(vectors), top=rows)
    assert [hit.score for hit in hits] == pytest.approx([-score for score, _ in sorted(slow)], abs=1e-8)
    assert sorted(hit.row for hit in hits) == list(range(rows))


@pytest.mark.parametrize(
    ("query", "vectors", "top", "error", "words"),
    [
        ([1, 0, 0], [[1, 0]], 1, EmbeddingError, r"shape \(3,\).*2 values.*same model"),
        ([[1, 0]], [[1, 0]], 1, EmbeddingError, r"shape \(1, 2\)"),
        ([1, 0], np.empty((0, 2)), 1, EmbeddingError, "holds no vector"),
        ([1, 0], [[1, 0]], 0, RecipeError, "top is 0"),
        ([1, 0], [[1, 0]], -3, RecipeError, "top is -3"),
        ([0, 0], [[1, 0]], 1, EmbeddingError, "length 0.0"),
        ([float("nan"), 0], [[1, 0]], 1, EmbeddingError, "length nan"),
        ([1, 0], [[1, 0], [0, 0]], 1, EmbeddingError, r"cam1/0001\.jpg is all zero"),
    ],
)
def test_what_cannot_be_searched_is_said_in_one_line(query, vectors, top, error, words):
    with pytest.raises(error, match=words) as caught:
        search(np.asarray(query, dtype=np.float64), table(vectors), top)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hidden", [np.array([True]), np.array([0, 1])])
def test_a_mask_that_does_not_fit_is_refused(hidden):
    with pytest.raises(EmbeddingError, match="2 gallery rows need a mask"):
        search(np.array([1.0, 0.0]), table([[1, 0], [0, 1]]), 1, hidden)
