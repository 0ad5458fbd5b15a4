"""What is the cluster store's own: where the cluster is, what goes there, and what happens when it fails."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient
from store_rows import START, row, rows, unit_vectors

from tapetum.core import Modality
from tapetum.errors import GalleryError
from tapetum.gallery import cluster_store
from tapetum.gallery.cluster_store import open_cluster_store
from tapetum.gallery.exact_store import ExactStore
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter

D = 16


@pytest.fixture
def client() -> QdrantClient:
    return QdrantClient(":memory:")


@pytest.fixture
def segments(tmp_path: Path) -> Segments:
    return Segments.create(tmp_path, D)


def test_without_an_address_it_says_what_to_set(
    segments: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAPETUM_QDRANT_URL", raising=False)
    with pytest.raises(GalleryError, match="Set TAPETUM_QDRANT_URL"):
        open_cluster_store(segments, tmp_path / "index")


def test_only_what_filters_ask_for_goes_to_the_cluster(
    segments: Segments, tmp_path: Path, client: QdrantClient
) -> None:
    store = open_cluster_store(segments, tmp_path / "index", client)
    store.add([row(1, 2, 7, 1), row(2, 5)], unit_vectors(2, D), [b"jpeg", None])
    (name,) = [collection.name for collection in client.get_collections().collections]
    assert name == (tmp_path / "index" / "collection").read_text().strip()
    assert name.startswith("tapetum-")
    points = client.retrieve(name, [1, 2], with_payload=True)
    # One minute after 2024-02-29 23:59:59.999999, in microseconds since 1970.
    told = {"camera": "2", "site": "hall", "modality": "ir", "person": 7, "time": 1_709_251_259_999_999}
    assert [point.payload for point in points] == [told, {"camera": "5", "modality": "rgb"}]


def test_the_cluster_is_asked_with_the_filter(
    segments: Segments, tmp_path: Path, client: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_cluster_store(segments, tmp_path / "index", client)
    store.add(rows(200), unit_vectors(200, D), [None] * 200)
    expected = [
        (among, ExactStore(segments).search(unit_vectors(1, D, seed=3), 5, among)[0].ids.tolist())
        for among in (
            Filter(),
            Filter(cameras=frozenset("25"), modalities=frozenset({Modality.IR})),
            Filter(since=START, until=START.replace(minute=0, second=0, hour=0, day=1, month=3, microsecond=0)),
            Filter(persons=frozenset({1, 2, 3, 4}), without=frozenset({4, 5})),
            Filter(sites=frozenset()),
        )
    ]
    monkeypatch.setattr("tapetum.gallery.indexed_store.search_segments", lambda *_: [])  # they do not answer for it
    for among, ids in expected:
        assert store.search(unit_vectors(1, D, seed=3), 5, among)[0].ids.tolist() == ids
    assert len(expected[2][1]) == 1  # the row at START alone is before midnight
    assert expected[4][1] == []


def test_two_galleries_share_a_cluster(tmp_path: Path, client: QdrantClient) -> None:
    stores = []
    for name in ("one", "two"):
        segments = Segments.create(tmp_path / name, D)
        stores.append(open_cluster_store(segments, tmp_path / name / "index", client))
    stores[0].add([row(1)], unit_vectors(1, D), [None])
    assert [store.count(Filter()) for store in stores] == [1, 0]


def test_a_collection_that_is_gone_is_filled_again(segments: Segments, tmp_path: Path, client: QdrantClient) -> None:
    store = open_cluster_store(segments, tmp_path / "index", client)
    store.add(rows(50), unit_vectors(50, D), [None] * 50)
    store.close()
    client.delete_collection(client.get_collections().collections[0].name)
    again = open_cluster_store(segments, tmp_path / "index", client)
    assert len(again._index) == 50


def test_a_cluster_that_fails_leaves_the_segments_to_answer(
    segments: Segments,
    tmp_path: Path,
    client: QdrantClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = open_cluster_store(segments, tmp_path / "index", client)
    store.add(rows(50), unit_vectors(50, D), [None] * 50)
    query = unit_vectors(1, D, seed=3)
    before = store.search(query, 5, Filter())[0].ids.tolist()

    def down(*_: object, **__: object) -> None:
        raise ConnectionError("connection refused")

    monkeypatch.setattr(client, "query_points", down)
    with caplog.at_level(logging.WARNING):
        assert store.search(query, 5, Filter())[0].ids.tolist() == before
    assert "connection refused" in caplog.text
    monkeypatch.setattr(client, "delete_collection", down)
    with pytest.raises(GalleryError, match="cannot be emptied .*connection refused"):
        store.forget([1])  # its vector is still in the cluster, and this is told
    assert store.count(Filter()) == 49
    monkeypatch.undo()
    again = open_cluster_store(Segments.open(tmp_path), tmp_path / "index", client)
    assert again._index.ids().tolist() == list(range(2, 51))


def test_the_bound_holds_for_what_the_client_computes(segments: Segments, tmp_path: Path, client: QdrantClient) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store = open_cluster_store(segments, tmp_path / "index", client)
        store.add(rows(300), unit_vectors(300, D), [None] * 300)
        unit = unit_vectors(1, D, seed=8)[0].astype(np.float64)
        unit /= np.linalg.norm(unit)
        ids, rough = store._index.nearest(unit, 300, Filter(), approximate=False)
    assert np.abs(rough - unit_vectors(300, D)[ids - 1].astype(np.float64) @ unit).max() < store._index.error < 3e-5


def test_an_http_cluster_is_asked_where_the_environment_says(
    segments: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, object] = {}

    def made(**options: object) -> QdrantClient:
        given.update(options)
        return QdrantClient(":memory:")

    monkeypatch.setenv("TAPETUM_QDRANT_URL", "http://cluster:6333")
    monkeypatch.setenv("TAPETUM_QDRANT_API_KEY", "secret")
    monkeypatch.setattr(cluster_store, "QdrantClient", made)
    open_cluster_store(segments, tmp_path / "index")
    assert given == {"url": "http://cluster:6333", "api_key": "secret"}
    assert "secret" not in "".join(path.read_text() for path in (tmp_path / "index").iterdir())
