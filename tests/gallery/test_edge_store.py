"""What is the Edge store's own: the proof behind its exact answers, the approximate look, and an index that fails."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from store_rows import rows, unit_vectors

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.errors import GalleryError
from tapetum.gallery import edge_store, indexed_store
from tapetum.gallery.edge_store import EdgeIndex, open_edge_store
from tapetum.gallery.exact_store import ExactStore
from tapetum.gallery.indexed_store import IndexedStore
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter
from tapetum.gallery.vector_index import IndexUnusableError

D = 32
N = 600
NEAR = unit_vectors(1, D, seed=9)


def crowd(count: int = N, spread: float = 0.02) -> VectorArray:
    """Half of the vectors are anywhere, half so near to one another that half precision cannot tell them apart."""
    vectors = unit_vectors(count, D).astype(np.float64)
    vectors[::2] = NEAR[0] + spread * vectors[::2]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def segments(tmp_path: Path) -> Segments:
    return Segments.create(tmp_path, D)


def filled(segments: Segments, tmp_path: Path, vectors: VectorArray) -> IndexedStore:
    store = open_edge_store(segments, tmp_path / "index")
    store.add(rows(len(vectors)), vectors, [None] * len(vectors))
    return store


def same(store: IndexedStore, segments: Segments, k: int = 10, among: Filter = Filter()) -> None:  # noqa: B008
    """The answers are those of the exact store, to the last digit."""
    queries = np.concatenate([NEAR, unit_vectors(3, D, seed=4)])
    for ours, theirs in zip(
        store.search(queries, k, among), ExactStore(segments).search(queries, k, among), strict=True
    ):
        assert ours.ids.tolist() == theirs.ids.tolist()
        assert ours.scores.tolist() == theirs.scores.tolist()
        assert ours.how == "exact"


@pytest.mark.parametrize("spread", [0.02, 0.0005, 0.0])
def test_answers_are_exact_where_half_precision_cannot_tell_rows_apart(
    segments: Segments, tmp_path: Path, spread: float
) -> None:
    store = filled(segments, tmp_path, crowd(spread=spread))
    for k in (1, 10, 100, 2 * N):
        same(store, segments, k)
    same(store, segments, 10, Filter(without=frozenset(range(1, 200))))
    same(store, segments, 10, Filter(cameras=frozenset("2")))
    store.close()


def test_the_index_errs_by_less_than_it_says(segments: Segments, tmp_path: Path) -> None:
    vectors = crowd()
    filled(segments, tmp_path, vectors).close()
    index = EdgeIndex(tmp_path / "index" / "edge", D)
    index.load()
    query = NEAR[0].astype(np.float64)
    query /= np.linalg.norm(query)
    ids, rough = index.nearest(query, N, Filter(), approximate=False)
    cosines = vectors.astype(np.float64) @ query / np.linalg.norm(vectors.astype(np.float64), axis=1)
    errors = np.abs(rough - cosines[ids - 1])
    assert sorted(ids.tolist()) == list(range(1, N + 1))
    assert 1e-6 < errors.max() < index.error < 0.0021  # half precision it is, and within 2^-9 and a little
    assert index.ids().tolist() == list(range(1, N + 1))
    index.close()
    with pytest.raises(IndexUnusableError, match="not open"):
        index.ids()


def test_the_list_grows_until_the_proof_holds_and_the_segments_answer_where_it_cannot(
    segments: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(segments, tmp_path, crowd(spread=0.0))  # 300 equal rows
    asked: list[int] = []
    nearest = EdgeIndex.nearest

    def noted(
        self: EdgeIndex, unit: FloatArray, limit: int, among: Filter, *, approximate: bool
    ) -> tuple[IntArray, VectorArray]:
        asked.append(limit)
        return nearest(self, unit, limit, among, approximate=approximate)

    monkeypatch.setattr(EdgeIndex, "nearest", noted)
    store.search(NEAR, 10, Filter())
    assert asked == [52, 208, 832]  # 2 k + 32, times four: 832 lists all 600
    monkeypatch.setattr(indexed_store, "_MOST", 100)
    same(store, segments)


@pytest.fixture
def settled(segments: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IndexedStore:
    """A store whose 5,000 vectors are there in four bits too."""
    monkeypatch.setattr(edge_store, "_SETTLED_FROM", 1_000)
    store = filled(segments, tmp_path, unit_vectors(5_000, D))
    store.rebuild()
    return store


def test_the_approximate_look_says_so_and_finds_nearly_all(settled: IndexedStore, segments: Segments) -> None:
    queries = unit_vectors(50, D, seed=5)
    exact = settled.search(queries, 10, Filter())
    roughly = settled.search(queries, 10, Filter(), approximate=True)
    assert {answer.how for answer in exact} == {"exact"}
    assert {answer.how for answer in roughly} == {"approximate"}
    found = [len(set(a.ids.tolist()) & set(b.ids.tolist())) for a, b in zip(exact, roughly, strict=True)]
    assert sum(found) >= 0.99 * 500
    by_id = {crop.id: vector for part in segments.parts() for crop, vector in zip(*part, strict=True)}
    for query, answer in zip(queries, roughly, strict=True):  # scored from the segments, not from four bits
        cosines = [float(by_id[number].astype(float) @ query.astype(float)) for number in answer.ids.tolist()]
        np.testing.assert_allclose(answer.scores, cosines, rtol=0, atol=1e-6)
        assert answer.scores.tolist() == sorted(answer.scores.tolist(), reverse=True)
    same(settled, segments)  # the exact look does not use the four bits


def test_beyond_its_bound_it_answers_approximately_and_with_a_filter_exactly(
    settled: IndexedStore, segments: Segments, tmp_path: Path
) -> None:
    settled.close()
    store = open_edge_store(segments, tmp_path / "index", exact_up_to=4_999)
    (answer,) = store.search(NEAR, 5, Filter())
    assert answer.how == "approximate"
    (answer,) = store.search(NEAR, 5, Filter(without=frozenset(answer.ids.tolist())))
    assert answer.how == "approximate"
    same(store, segments, 5, Filter(cameras=frozenset("3")))
    store.delete(list(range(1, 3)))
    same(store, segments, 5)  # 4,998 rows are few again


def test_the_index_is_used_again_after_closing(
    segments: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(segments, tmp_path, crowd()).close()
    monkeypatch.setattr(EdgeIndex, "clear", lambda self: pytest.fail("the index was made anew"))
    same(open_edge_store(Segments.open(tmp_path), tmp_path / "index"), segments)


def remove_index(index: Path) -> None:
    shutil.rmtree(index)


def remove_state(index: Path) -> None:
    (index / "edge.json").unlink()


def damage_state(index: Path) -> None:
    (index / "edge.json").write_text("{")


def be_of_the_future(index: Path) -> None:
    (index / "edge.json").write_text('{"generation": 99, "holed": false}')


def damage_config(index: Path) -> None:
    (index / "edge" / "edge_config.json").write_text("{}")


def lose_segment(index: Path) -> None:
    shutil.rmtree(next((index / "edge" / "segments").iterdir()))


@pytest.mark.parametrize(
    "harm", [remove_index, remove_state, damage_state, be_of_the_future, damage_config, lose_segment]
)
def test_a_missing_or_damaged_index_is_made_anew(
    segments: Segments, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    filled(segments, tmp_path, crowd()).close()
    harm(tmp_path / "index")
    store = open_edge_store(segments, tmp_path / "index")
    assert store._usable
    same(store, segments)
    store.close()


def test_figures_that_are_not_those_of_the_segments_are_noticed(
    segments: Segments, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = filled(segments, tmp_path, crowd())
    store._index.put(rows(2), -crowd()[:2])  # the index has other vectors for rows 1 and 2
    with caplog.at_level(logging.WARNING):
        same(store, segments, 2 * N)
    assert "its figures are not those of the segments" in caplog.text
    store.close()
    again = open_edge_store(segments, tmp_path / "index")
    assert again._usable
    same(again, segments, 2 * N)


def test_an_index_that_fails_in_use_leaves_the_segments_to_answer(
    segments: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = filled(segments, tmp_path, crowd())
    monkeypatch.setattr(edge_store, "_ROOM", 1 << 60)  # no disk has so much room
    with caplog.at_level(logging.WARNING):
        store.add(rows(10, N + 1), unit_vectors(10, D, seed=7), [None] * 10)
    assert "no room for 10 more rows" in caplog.text
    assert len(segments) == N + 10
    same(store, segments)
    assert store.delete([1, 2]) == 2
    same(store, segments)
    store.close()
    monkeypatch.undo()
    again = open_edge_store(Segments.open(tmp_path), tmp_path / "index")
    assert len(again._index) == N + 8
    same(again, segments)


def test_forgotten_vectors_leave_the_index_s_files(segments: Segments, tmp_path: Path) -> None:
    vectors = crowd()
    store = filled(segments, tmp_path, vectors)
    kept, gone = vectors[4].astype("<f2").tobytes(), vectors[5].astype("<f2").tobytes()

    def bytes_of_index() -> bytes:
        store._index.flush()
        return b"".join(path.read_bytes() for path in (tmp_path / "index" / "edge").rglob("*") if path.is_file())

    store.delete([6])
    there = bytes_of_index()
    assert kept in there
    assert gone in there  # marked, but not removed: this is what `forget` is for
    assert store.forget([7]) == 1
    there = bytes_of_index()
    assert kept in there
    assert gone not in there
    assert vectors[6].astype("<f2").tobytes() not in there
    assert store.compact() == 0
    store.add(rows(5, first=5), vectors[100:105], [None] * 5)  # rows 5 ... 9 anew; 6 and 7 live again
    store.compact()
    assert kept not in bytes_of_index()
    same(store, segments)
    store.close()


def test_a_forgetting_that_was_cut_short_is_completed_at_the_next_opening(segments: Segments, tmp_path: Path) -> None:
    filled(segments, tmp_path, crowd()).close()
    assert segments.delete([3], forgetting=True) == 1  # and here the process is killed
    opened = Segments.open(tmp_path)
    assert opened.manifest.forgetting
    store = open_edge_store(opened, tmp_path / "index")
    assert not opened.manifest.forgetting
    assert crowd()[2].tobytes() not in b"".join(p.read_bytes() for p in (tmp_path / "segments").glob("*.vectors"))
    assert len(store._index) == N - 1
    same(store, opened)


def test_an_index_that_cannot_be_emptied_is_told_where_rows_are_forgotten(
    segments: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(segments, tmp_path, crowd())

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(edge_store.shutil, "rmtree", refuse)
    with pytest.raises(GalleryError, match="index cannot be emptied .*Permission denied"):
        store.forget([3])
    assert store.count(Filter()) == N - 1
    same(store, segments)
    monkeypatch.undo()
    store.close()
    open_edge_store(Segments.open(tmp_path), tmp_path / "index").close()
    assert crowd()[2].tobytes() not in b"".join(p.read_bytes() for p in (tmp_path / "segments").glob("*.vectors"))


def test_searches_and_changes_go_on_side_by_side(segments: Segments, tmp_path: Path) -> None:
    vectors = unit_vectors(900, D, seed=6)
    store = filled(segments, tmp_path, crowd())

    def search(_: int) -> bool:
        (answer,) = store.search(NEAR, 10, Filter())
        return len(answer.ids) == 10 and answer.how == "exact"

    with ThreadPoolExecutor(3) as pool:
        found = pool.map(search, range(60))
        for at in range(0, 900, 100):
            store.add(rows(100, N + 1 + at), vectors[at : at + 100], [None] * 100)
            store.delete([N + 1 + at])
        assert all(found)
    same(store, segments)
    store.close()


def test_a_search_between_the_two_halves_of_a_change_waits_for_the_second(
    segments: Segments, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = crowd()
    store = filled(segments, tmp_path, vectors)
    with ThreadPoolExecutor(1) as pool:
        with segments.changing:  # row 1 gets another vector in the segments; the index still has the old one
            segments.add(rows(1), -vectors[:1], [None])
            looked = pool.submit(store.search, vectors[:1], 2, Filter())
            store._index.put(rows(1), -vectors[:1])
        assert 1 not in looked.result()[0].ids.tolist()
    assert caplog.text == ""
    same(store, segments)
    assert store._usable


def test_an_index_that_is_made_anew_meanwhile_does_not_answer(
    segments: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(segments, tmp_path, crowd())
    nearest = EdgeIndex.nearest

    def half_made(
        self: EdgeIndex, unit: FloatArray, limit: int, among: Filter, *, approximate: bool
    ) -> tuple[IntArray, VectorArray]:
        store.rebuild()
        ids, rough = nearest(self, unit, limit, among, approximate=approximate)
        return ids[:1], rough[:1]

    monkeypatch.setattr(EdgeIndex, "nearest", half_made)
    same(store, segments)
