"""The file of embeddings: what goes in comes out, and what is broken is refused by name."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from tapetum.core import Crop, Modality
from tapetum.embedding_table import EmbeddingTable, read_embeddings, write_embeddings
from tapetum.errors import EmbeddingError

CROPS = (
    Crop("cam1/0001/0001.jpg", 1, "1", Modality.RGB, datetime(2026, 5, 4, 3, 2, 1)),
    Crop("cam3/0002/0001.jpg", None, "north gate", Modality.IR),
)
VECTORS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=np.float32)


def test_write_and_read_give_the_same(tmp_path):
    table = EmbeddingTable(VECTORS, CROPS, {"fingerprint": "abc", "options": {"trial": 3}})
    write_embeddings(tmp_path / "e.parquet", table)
    read = read_embeddings(tmp_path / "e.parquet")
    assert np.array_equal(read.vectors, VECTORS)
    assert read.vectors.dtype == np.float32
    assert read.crops == CROPS
    assert read.record == {"fingerprint": "abc", "options": {"trial": 3}}


def test_a_value_that_is_not_finite_names_its_crop():
    with pytest.raises(EmbeddingError, match="1 vectors .* first that of cam3/0002/0001.jpg"):
        EmbeddingTable(np.array([[1, 2], [3, np.inf]], dtype=np.float32), CROPS)


def test_numbers_of_crops_and_vectors_must_agree():
    with pytest.raises(EmbeddingError, match=r"2 crops need vectors of shape \(2, D\), given \(1, 3\)"):
        EmbeddingTable(VECTORS[:1], CROPS)


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", b"\x00" * 64])
def test_a_truncated_or_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "e.parquet"
    path.write_bytes(content)
    with pytest.raises(EmbeddingError, match="not a readable Parquet file"):
        read_embeddings(path)


def test_a_truncated_table_is_refused(tmp_path):
    path = tmp_path / "e.parquet"
    write_embeddings(path, EmbeddingTable(VECTORS, CROPS))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EmbeddingError, match="not a readable Parquet file"):
        read_embeddings(path)


def test_a_missing_file_names_the_command(tmp_path):
    with pytest.raises(EmbeddingError, match="does not exist. Give the file that `tapetum embed` has written"):
        read_embeddings(tmp_path / "none.parquet")
