"""The exact store by hand, and its bound on rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from store_rows import ranked_by_hand, row, rows, unit_vectors

from tapetum.core import Modality
from tapetum.errors import RecipeError
from tapetum.gallery import exact_store
from tapetum.gallery.exact_store import ExactStore, best_of
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter, GalleryStore


def test_cosines_by_hand(tmp_path: Path) -> None:
    store: GalleryStore = ExactStore(Segments.create(tmp_path, 2))
    # Against (2, 0): (0.6, 0.8) -> 0.6; (1, 0) -> 1; (0.8, 0.6) -> 0.8; (-1, 0) -> -1; (0, 1) -> 0.
    vectors = np.array([[0.6, 0.8], [1, 0], [0.8, 0.6], [-1, 0], [0, 1]], dtype=np.float32)
    store.add([row(n) for n in range(1, 6)], vectors, [None] * 5)
    asked = np.array([[2, 0], [0, -3]], dtype=np.float32)
    first, second = store.search(asked, 5, Filter())
    assert first.ids.tolist() == [2, 3, 1, 5, 4]
    np.testing.assert_allclose(first.scores, [1, 0.8, 0.6, 0, -1], atol=1e-7)
    assert second.ids.tolist() == [2, 4, 3, 1, 5]  # against (0, -1): 0 and 0 by id, -0.6, -0.8, -1
    np.testing.assert_allclose(second.scores, [0, 0, -0.6, -0.8, -1], atol=1e-7)
    (some,) = store.search(asked[:1], 2, Filter(without=frozenset({2}), cameras=frozenset("1")), approximate=True)
    assert (some.ids.tolist(), some.how) == ([3, 1], "exact")


@pytest.mark.parametrize("block", [3, 512])
def test_a_filter_changes_nothing_in_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(exact_store, "_BLOCK", block)
    monkeypatch.setattr(exact_store, "_RESCORED_AT_ONCE", 4)
    segments = Segments.create(tmp_path, 12)
    store = ExactStore(segments)
    vectors = unit_vectors(240, 12)
    vectors[100:140] = vectors[0]  # forty equal rows
    for start in range(0, 240, 40):
        store.add(rows(40, start + 1), vectors[start : start + 40], [None] * 40)
    store.delete(list(range(7, 240, 11)))
    kept = {crop.id: (crop, vector) for part in segments.parts() for crop, vector in zip(*part, strict=True)}
    queries = np.concatenate([vectors[:1], unit_vectors(3, 12, seed=2)])
    for among in (
        Filter(),
        Filter(modalities=frozenset({Modality.RGB})),
        Filter(cameras=frozenset("35"), without=frozenset(range(100, 120))),
        Filter(persons=frozenset({0, 5, 6})),
        Filter(cameras=frozenset("9")),
    ):
        for k in (1, 10, 300):
            for query, answer in zip(queries, store.search(queries, k, among), strict=True):
                assert answer.ids.tolist() == [number for number, _ in ranked_by_hand(kept, query, k, among)]


def test_rows_that_float32_cannot_tell_apart_are_ranked_by_float64(tmp_path: Path) -> None:
    store = ExactStore(Segments.create(tmp_path, 256))
    near = np.repeat(unit_vectors(1, 256), 64, axis=0)
    for at in range(64):  # each differs from the next in the last bits of one value
        near[at, at] = np.nextafter(near[at, at], np.float32(2))
    query = unit_vectors(1, 256, seed=5)
    store.add([row(n + 1) for n in range(64)], near, [None] * 64)
    (answer,) = store.search(query, 5, Filter())
    wide = near.astype(np.float64) @ query[0].astype(np.float64) / np.linalg.norm(near.astype(np.float64), axis=1)
    assert answer.ids.tolist() == (np.argsort(-wide, kind="stable")[:5] + 1).tolist()


def test_the_best_of_some_rows_equal_ones_by_id() -> None:
    ids, scores = best_of(np.array([5, 9, 2, 7]), np.array([0.5, 0.9, 0.5, 0.5]), 3)
    assert (ids.tolist(), scores.tolist()) == ([9, 2, 5], [0.9, 0.5, 0.5])


def test_times_with_a_zone_are_refused() -> None:
    from datetime import UTC, datetime

    with pytest.raises(RecipeError, match="has a time zone"):
        Filter(since=datetime(2024, 1, 1, tzinfo=UTC))
