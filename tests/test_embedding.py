"""Embedding: neither batch, order nor number of crops changes a vector; broken pictures are named."""

from __future__ import annotations

import json
import logging
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from small_model import small_method, write_model
from tapetum.core import Crop, Dataset, Modality
from tapetum.data.pixel_cache import Decoder
from tapetum.data.sysu_mm01 import read
from tapetum.embedding import embed_crops, embed_dataset
from tapetum.embedding_table import EmbeddingTable, read_embeddings, write_embeddings
from tapetum.errors import DataError, EmbeddingError, OutputError

SIZE = (32, 16)


@pytest.fixture(scope="module")
def dataset(tiny_sysu) -> Dataset:
    return read(tiny_sysu)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_model(folder)
    return folder


def test_order_and_number_of_crops_change_no_bit(dataset):
    # Every batch has the same shape and rows do not see each other, hence equality to the last bit.
    crops = [dataset.crops[row] for row in dataset.rows("train")]  # 64 RGB and 32 infrared crops
    whole = embed_crops(small_method(), crops, dataset.root, SIZE)
    assert whole.rows == list(range(96))
    assert whole.vectors.shape == (96, 32)
    assert np.linalg.norm(whole.vectors, axis=1) == pytest.approx(np.ones(96), abs=1e-6)
    order = np.random.default_rng(0).permutation(96)
    for chosen in (order, order[:70], order[:7], order[:1]):
        part = embed_crops(small_method(), [crops[row] for row in chosen], dataset.root, SIZE)
        assert np.array_equal(part.vectors, whole.vectors[chosen])


def test_workers_change_no_bit(dataset):
    crops = [dataset.crops[row] for row in dataset.rows("val")]
    alone, helped = (embed_crops(small_method(), crops, dataset.root, SIZE, workers=n) for n in (0, 2))
    assert np.array_equal(alone.vectors, helped.vectors)


def test_a_crop_is_seen_by_its_own_stream(dataset):
    crop = dataset.crops[dataset.rows("val")[0]]
    other = Crop(crop.path, crop.person, crop.camera, Modality.IR)
    rgb, ir = embed_crops(small_method(), [crop, other], dataset.root, SIZE).vectors
    assert not np.allclose(rgb, ir, atol=1e-3)


def test_the_method_is_left_as_it_was(dataset):
    method = small_method().train()
    crops = [dataset.crops[row] for row in dataset.rows("val")]
    seen: list[tuple[int, int]] = []
    found = embed_crops(method, crops, dataset.root, SIZE, progress=lambda done, total: seen.append((done, total)))
    assert method.training
    assert seen == [(24, 36), (36, 36)]
    assert np.array_equal(found.vectors, embed_crops(small_method(), crops, dataset.root, SIZE).vectors)


def test_a_split_becomes_a_table_with_its_record(dataset, model, tmp_path):
    assert embed_dataset(model, dataset, "test", tmp_path / "e.parquet", workers=0) == []
    table = read_embeddings(tmp_path / "e.parquet")
    assert table.crops == tuple(dataset.crops[row] for row in dataset.rows("test"))
    facts = {name: table.record[name] for name in ("method", "dataset", "split", "options", "left_out", "root")}
    assert facts == {
        "method": "two_stream", "dataset": "sysu_mm01", "split": "test", "options": {}, "left_out": [],
        "root": str(dataset.root.resolve()),
    }  # fmt: skip
    assert table.record["fingerprint"] == json.loads((model / "model.json").read_text())["fingerprint"]


@pytest.fixture
def pictures(tmp_path) -> Dataset:
    """Two whole pictures, an empty one, a cut one and one that is none."""
    rng = np.random.default_rng(0)
    for name in ("a.jpg", "b.jpg", "cut.jpg"):
        Image.fromarray(rng.integers(0, 256, (64, 32, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:900])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    names = ["cut.jpg", "a.jpg", "empty.jpg", "text.jpg", "b.jpg"]
    crops = tuple(Crop(name, None, "1", Modality.IR) for name in names)
    return Dataset("folder", tmp_path, crops, {"all": tuple(range(5)), "broken": (0, 2), "none": ()})


def test_broken_pictures_end_it_and_nothing_is_written(pictures, model, tmp_path):
    with pytest.raises(DataError, match=r"cut.jpg is damaged: .* \(3 such pictures; --skip-broken leaves them out"):
        embed_dataset(model, pictures, "all", tmp_path / "out" / "e.parquet", workers=0)
    assert not (tmp_path / "out").exists()


def test_broken_pictures_are_left_out_when_asked_and_named(pictures, model, tmp_path):
    left_out = embed_dataset(model, pictures, "all", tmp_path / "e.parquet", skip_broken=True, workers=0)
    assert [sentence.split("/")[-1].split()[0] for sentence in left_out] == ["cut.jpg", "empty.jpg", "text.jpg"]
    table = read_embeddings(tmp_path / "e.parquet")
    assert [crop.path for crop in table.crops] == ["a.jpg", "b.jpg"]
    assert table.record["left_out"] == ["cut.jpg", "empty.jpg", "text.jpg"]
    whole = [pictures.crops[1], pictures.crops[4]]
    assert np.array_equal(table.vectors, embed_crops(small_method(), whole, pictures.root, SIZE).vectors)


def test_a_split_of_nothing_is_said(pictures, model, tmp_path):
    with pytest.raises(DataError, match="split 'none' of .* holds no crop. Splits with crops: all, broken."):
        embed_dataset(model, pictures, "none", tmp_path / "e.parquet")
    with pytest.raises(DataError, match="all 2 pictures of .* are broken, as .*cut.jpg is damaged"):
        embed_dataset(model, pictures, "broken", tmp_path / "e.parquet", skip_broken=True, workers=0)
    assert not (tmp_path / "e.parquet").exists()


def test_a_place_that_cannot_be_written_is_said_before_the_work(dataset, model, tmp_path, monkeypatch):
    monkeypatch.setattr("tapetum.embedding.load_model", lambda _: pytest.fail("the work began"))
    with pytest.raises(OutputError, match="is a folder"):
        embed_dataset(model, dataset, "test", tmp_path)


def test_a_run_that_is_not_at_its_end_is_said(dataset, model, tmp_path, caplog):
    shutil.copytree(model, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text('{"finished": false, "data": "0", "dataset": "sysu_mm01"}')
    with caplog.at_level(logging.WARNING):
        embed_dataset(tmp_path / "run", dataset, "val", tmp_path / "e.parquet", workers=0)
    assert caplog.messages == [f"{tmp_path / 'run'} is not trained to its end: these are the best weights so far"]


def test_a_killed_worker_is_one_sentence(dataset, monkeypatch):
    monkeypatch.setattr(Decoder, "__call__", lambda *_: os._exit(9))
    crops = [dataset.crops[row] for row in dataset.rows("val")]
    with pytest.raises(DataError, match="a process that reads pictures is gone .*--workers 0"):
        embed_crops(small_method(), crops, dataset.root, SIZE, workers=1)


def damaged(table: pa.Table, name: str) -> pa.Table:
    rows = len(table)
    column = table.column_names.index
    return {
        "record": lambda: table.replace_schema_metadata({b"tapetum": b"{"}),
        "list": lambda: table.replace_schema_metadata({b"tapetum": b"[1]"}),
        "modality": lambda: table.set_column(column("modality"), "modality", pa.array(["x"] * rows)),
        "person": lambda: table.set_column(column("person"), "person", pa.array(["x"] * rows)),
        "path": lambda: table.set_column(column("path"), "path", pa.array([None] * rows, pa.string())),
    }[name]()


@pytest.mark.parametrize("name", ["record", "list", "modality", "person", "path"])
def test_a_damaged_table_is_named(tmp_path, name):
    crops = (Crop("a.jpg", 1, "1", Modality.RGB), Crop("b.jpg", None, "2", Modality.IR))
    path = tmp_path / "e.parquet"
    write_embeddings(path, EmbeddingTable(np.eye(2, dtype=np.float32), crops))
    assert read_embeddings(path).crops == crops
    pq.write_table(damaged(pq.read_table(path), name), path)
    with pytest.raises(EmbeddingError, match=r"e.parquet is no table of embeddings: .* Make it again with `tapetum"):
        read_embeddings(path)
