from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tapetum.core import Modality
from tapetum.errors import EmbeddingError
from tapetum.evaluation.crop_rows import crop_rows, read_crop_rows

RGB, IR = Modality.RGB, Modality.IR


@pytest.mark.parametrize(("name", "separator"), [("t.csv", ","), ("t.tsv", "\t")])
def test_text_is_read_as_it_is_meant(tmp_path, name, separator):
    rows = [
        ["Path", "person", "camera", "modality", "time", "split", "remark"],
        ["./a//1.jpg", "0007", "3", "Thermal", "2024-05-01T18:30:00+02:00", "Query", "x"],
        ["a\\2.jpg", "", " gate ", "rgb", "", "", ""],
        ["c.jpg", "12", "", "", "2024-05-01", "", ""],
    ]
    lines = [separator.join(row) for row in rows]
    (tmp_path / name).write_text("\ufeff" + "\n".join([lines[0], lines[1], "", *lines[2:]]) + "\n", encoding="utf-8")
    first, second, third = read_crop_rows(tmp_path / name)
    assert first == ("a/1.jpg", 7, "3", IR, datetime(2024, 5, 1, 16, 30), "query")
    assert second == ("a/2.jpg", None, "gate", RGB, None, None)
    assert third == ("c.jpg", 12, None, None, datetime(2024, 5, 1), None)


def test_typed_columns_of_a_parquet_file(tmp_path):
    columns = {
        "path": ["a", "b", "c"],
        "person": pa.array([3.0, float("nan"), None], pa.float64()),  # what pandas makes of whole numbers with holes
        "camera": pa.array([1, 2, 3], pa.int8()),
        "modality": pa.array(["ir", "rgb", "ir"]).dictionary_encode(),
        "time": pa.array([datetime(2024, 5, 1, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    rows = read_crop_rows(tmp_path / "t.parquet")
    assert rows == [
        ("a", 3, "1", IR, datetime(2024, 5, 1), None),
        ("b", None, "2", RGB, None, None),
        ("c", None, "3", IR, None, None),
    ]


def test_columns_that_are_not_there_say_nothing(tmp_path):
    assert crop_rows({"path": ["a"]}, tmp_path) == [("a", None, None, None, None, None)]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"person": [1]},
            "x has no column 'path'. Expected path, person, camera, modality, time, split; found person.",
        ),
        ({"path": ["a", "b"], "person": [1]}, "x: columns have different lengths (path 2, person 1)."),
        ({"path": ["a", ""]}, "x: row 2: path is ''. Expected the image's path. Correct the table."),
        ({"path": ["a"], "person": [-1]}, "x: row 1: person is -1. Expected a whole number from 0"),
        ({"path": ["a"], "person": [1.5]}, "x: row 1: person is 1.5. Expected a whole number"),
        ({"path": ["a"], "person": ["p1"]}, "x: row 1: person is 'p1'. Expected a whole number"),
        ({"path": ["a"], "person": [True]}, "x: row 1: person is True. Expected a whole number"),
        ({"path": ["a"], "camera": [1.5]}, "x: row 1: camera is 1.5. Expected the camera's name or number."),
        ({"path": ["a"], "modality": ["irr"]}, "x: row 1: modality is 'irr'. Did you mean 'ir'?"),
        ({"path": ["a"], "time": ["noon"]}, "x: row 1: time is 'noon'. Expected ISO 8601"),
        ({"path": ["a"], "time": [7]}, "x: row 1: time is 7. Expected ISO 8601"),
        ({"path": ["a"], "camera": [["1"]]}, "x: row 1: camera is ['1']."),
    ],
)
def test_values_of_no_use_are_named_with_their_row(tmp_path, columns, words):
    with pytest.raises(EmbeddingError) as caught:
        crop_rows(columns, tmp_path / "x")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"", "has no column 'path'"),
        ("t.csv", b"path,person\na\n", "row 1 has 1 cells for 2 columns"),
        ("t.csv", b"path,path\na,b\n", "has a column twice (path, path)"),
        ("t.csv", b"path\n\xff\xfe\n", "cannot be read as a table"),
        ("t.csv", b'path\n"a\n', "cannot be read as a table"),
        ("t.parquet", b"PAR1 or not", "is not a readable Parquet file"),
        ("t.xlsx", b"", "t.xlsx is no table. Expected .csv, .tsv, .parquet."),
    ],
)
def test_files_that_are_no_tables(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EmbeddingError) as caught:
        read_crop_rows(tmp_path / name)
    assert words in str(caught.value)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(EmbeddingError, match=r"none\.csv does not exist. Give the table"):
        read_crop_rows(tmp_path / "none.csv")


def test_numpy_columns_as_an_archive_holds_them(tmp_path):
    columns = {"path": np.array(["a", "b"]).tolist(), "person": np.array([1, 2], np.uint8).tolist()}
    assert [row.person for row in crop_rows(columns, tmp_path)] == [1, 2]
