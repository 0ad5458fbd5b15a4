import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
from feature_trees import spread, write_lists, write_npy, write_own

from tapetum.core import Crop, Modality
from tapetum.errors import EmbeddingError
from tapetum.evaluation.features import read_features

CROPS = [Crop(f"{name}.jpg", number, "1", Modality.RGB) for number, name in enumerate("abcde")]
PATHS = [crop.path for crop in CROPS]
THIRDS = spread(5, 3) / 3


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("float64", "float64"),
        ("float32", "float32"),
        ("float16", "float32"),
        (">f8", "float64"),
        ("int8", "float64"),
        ("uint16", "float64"),
    ],
)
def test_vectors_keep_every_bit(tmp_path, given, used):
    vectors = (THIRDS if np.dtype(given).kind == "f" else 9 * np.abs(THIRDS)).astype(given)
    found = read_features(write_npy(tmp_path / "v.npy", vectors, CROPS))
    assert found.vectors.dtype.name == used
    np.testing.assert_array_equal(found.vectors.astype(np.float64), vectors.astype(np.float64))
    assert [row.path for row in found.rows] == PATHS
    assert found.record == {}


@pytest.mark.parametrize(
    ("kind", "used"),
    [
        (pa.list_(pa.float64()), "float64"),
        (pa.large_list(pa.float64()), "float64"),
        (pa.list_(pa.float64(), 3), "float64"),
        (pa.list_(pa.float32()), "float32"),
        (pa.list_(pa.int16()), "float64"),
    ],
)
def test_lists_of_any_writer(tmp_path, kind, used):
    whole = pa.types.is_integer(kind.value_type)
    values = np.round(9 * THIRDS).astype(int) if whole else THIRDS.astype(used)
    found = read_features(write_lists(tmp_path / "v.parquet", values.tolist(), kind, PATHS))
    assert found.vectors.dtype == used
    np.testing.assert_array_equal(found.vectors, values)


def test_a_file_of_several_batches_is_put_together_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("tapetum.evaluation.features._ROWS_AT_ONCE", 2)
    found = read_features(write_lists(tmp_path / "v.parquet", THIRDS.tolist(), pa.list_(pa.float64()), PATHS))
    np.testing.assert_array_equal(found.vectors, THIRDS)
    broken = THIRDS.tolist()
    broken[3] = [1.0, np.inf, 0.0]
    with pytest.raises(EmbeddingError, match=r"row 4 \(d\.jpg\) has a value that is not finite"):
        read_features(write_lists(tmp_path / "v.parquet", broken, pa.list_(pa.float64()), PATHS))
    broken[3] = [1.0, 2.0]
    with pytest.raises(EmbeddingError, match=r"row 4 \(d\.jpg\) has not 3 numbers, as others have"):
        read_features(write_lists(tmp_path / "v.parquet", broken, pa.list_(pa.float64()), PATHS))


def test_what_embed_writes_is_read_with_its_record(tmp_path):
    vectors = write_own(tmp_path / "e.parquet", CROPS, dataset="folder", fingerprint="abc")
    found = read_features(tmp_path / "e.parquet")
    assert (found.vectors.dtype, found.record) == (np.float32, {"dataset": "folder", "fingerprint": "abc"})
    np.testing.assert_array_equal(found.vectors, vectors)
    assert found.rows[2] == ("c.jpg", 2, "1", Modality.RGB, None, None)


def test_an_archive_with_columns_of_its_own_or_a_table(tmp_path):
    columns = {"path": np.array(PATHS), "person": np.arange(5), "modality": np.array(["ir"] * 5)}
    np.savez(tmp_path / "a.npz", features=THIRDS, scale=np.float64(2), **columns)
    found = read_features(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.vectors, THIRDS)
    assert found.rows[4] == ("e.jpg", 4, None, Modality.IR, None, None)
    np.savez_compressed(tmp_path / "b.npz", THIRDS)
    (tmp_path / "names.csv").write_text("path\n" + "\n".join(PATHS))
    assert [row.path for row in read_features(tmp_path / "b.npz", tmp_path / "names.csv").rows] == PATHS


def test_a_folder_is_the_official_matlab_form(tmp_path):
    for camera in range(1, 7):
        cell = np.empty((1, 1), dtype=object)
        cell[0, 0] = np.ones((2, 3)) * camera
        scipy.io.savemat(tmp_path / f"f_cam{camera}.mat", {"feature": cell})
    found = read_features(tmp_path)
    assert found.vectors.shape == (12, 3)
    assert found.rows[5] == ("cam3/0001/0002.jpg", 1, "3", Modality.IR, None, None)


def broken_npy(folder, name):
    """A file for each way in which vectors cannot be used."""
    path, vectors = folder / "v.npy", THIRDS.copy()
    if name == "nan":
        vectors[2, 1] = np.nan
    elif name == "half too large":
        vectors = np.full((5, 3), np.inf, dtype=np.float16)
    elif name == "rows":
        vectors = vectors[:4]
    elif name == "one row too many":
        vectors = np.concatenate([vectors, vectors[:1]])
    elif name == "too large":
        vectors[2, 0] = -1e160
    elif name == "flat":
        vectors = vectors[:, 0]
    elif name == "empty":
        vectors = vectors[:, :0]
    elif name == "complex":
        vectors = vectors.astype(np.complex128)
    elif name == "bool":
        vectors = vectors > 0
    elif name == "text":
        vectors = vectors.astype(str)
    elif name == "long double":
        vectors = vectors.astype(np.longdouble)
    elif name == "records":
        vectors = np.zeros(5, dtype=[("a", "f4"), ("b", "f4")])
    return write_npy(path, vectors, CROPS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nan", r"v\.npy: the vector of row 3 \(c\.jpg\) has a value that is not finite"),
        ("too large", r"row 3 \(c\.jpg\) has a value that is not finite or is too large\. Compute it again\."),
        ("half too large", r"row 1 \(a\.jpg\) has a value that is not finite"),
        ("rows", r"v\.npy has 4 vectors, and its table 5 rows"),
        ("one row too many", r"v\.npy has 6 vectors, and its table 5 rows"),
        ("flat", r"holds float64 of shape \(5,\). Expected \(number, dimensions\)"),
        ("empty", r"holds vectors of the shape \(5, 0\)"),
        ("complex", "holds complex128"),
        ("bool", "holds bool"),
        ("text", "holds <U"),
        ("long double", "holds float128"),
        ("records", "holds .*'a'"),
    ],
)
def test_vectors_that_cannot_be_used(tmp_path, name, words):
    if name == "long double" and np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("long double is float64 here")
    with pytest.raises(EmbeddingError, match=words):
        read_features(broken_npy(tmp_path, name))


def test_pickles_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    trap = np.array([Trap(), 1], dtype=object)
    np.save(tmp_path / "v.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "v.npz", trap)
    (tmp_path / "v.csv").write_text("path\na\nb\n")
    for name in ("v.npy", "v.npz"):
        with pytest.raises(
            EmbeddingError, match=rf"{name} cannot be read as numbers .*pickled objects are never loaded"
        ):
            read_features(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["v.npy", "v.npz"])
@pytest.mark.parametrize("content", [b"", b"no numbers at all", b"PK\x03\x04 and nothing", b"\x93NUMPY\x01\x00\x00"])
def test_damaged_numpy_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "v.csv").write_text("path\na\n")
    with pytest.raises(EmbeddingError, match=f"{name} cannot be read as numbers") as caught:
        read_features(tmp_path / name)
    assert "allow_pickle" not in str(caught.value)  # NumPy's own advice


def test_a_truncated_numpy_file(tmp_path):
    path = write_npy(tmp_path / "v.npy", THIRDS, CROPS)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(EmbeddingError, match=r"v\.npy cannot be read as numbers"):
        read_features(path)


def test_members_that_are_not_one_table_of_vectors(tmp_path):
    np.savez(tmp_path / "a.npz", one=THIRDS, two=THIRDS)
    with pytest.raises(EmbeddingError, match=r"a\.npz has 2 members of shape .* among one, two\. Expected one"):
        read_features(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", v=THIRDS, path=np.array(PATHS), person=np.ones((5, 1, 1)))
    with pytest.raises(EmbeddingError, match="the member 'person' is no column"):
        read_features(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", v=THIRDS, path=np.array(PATHS))
    (tmp_path / "t.csv").write_text("path\na\n")
    with pytest.raises(EmbeddingError, match=r"c\.npz holds path itself\. Leave the table .*t\.csv out"):
        read_features(tmp_path / "c.npz", tmp_path / "t.csv")


def test_the_table_beside(tmp_path):
    path = write_npy(tmp_path / "v.npy", THIRDS, CROPS)
    (tmp_path / "v.tsv").write_text("path\na\n")
    with pytest.raises(EmbeddingError, match="has 2 tables beside it .* or name one with --table"):
        read_features(path)
    (tmp_path / "v.tsv").unlink()
    (tmp_path / "v.csv").unlink()
    with pytest.raises(EmbeddingError, match=r"has no table beside it .* Put v\.csv or v\.tsv or v\.parquet there"):
        read_features(path)


def test_an_image_twice_is_named_with_both_rows(tmp_path):
    twice = [*CROPS[:4], CROPS[1]]
    with pytest.raises(EmbeddingError, match=r"rows 2 and 5 are both of b\.jpg\. Give one vector per image"):
        read_features(write_npy(tmp_path / "v.npy", THIRDS, twice))
    # One picture may stand for both modalities, as in PKU-Reid-74.
    both = [*CROPS[:4], Crop("b.jpg", 1, "1", Modality.IR)]
    assert len(read_features(write_npy(tmp_path / "v.npy", THIRDS, both, ("path", "modality"))).rows) == 5


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"path": PATHS}, "has no column 'vector'. Expected lists of numbers there; found path"),
        ({"path": PATHS, "vector": [1.0] * 5}, "the column 'vector' holds double"),
        ({"path": PATHS, "vector": [["x"]] * 5}, "v.parquet holds object of shape (5, 1)"),
        ({"path": PATHS, "vector": [[1.0, None]] * 5}, "the vector of row 1 (a.jpg) has not 2 numbers"),
        (
            {"path": PATHS, "vector": [[1.0], None, [1.0], [2.0], [3.0]]},
            "the vector of row 2 (b.jpg) has not 1 numbers",
        ),
        ({"vector": [[1.0]] * 5}, "has no column 'path'"),
        ({"path": [], "vector": []}, "v.parquet holds vectors of the shape (0, 0)"),
    ],
)
def test_parquet_files_that_hold_no_features(tmp_path, table, words):
    pq.write_table(pa.table(table), tmp_path / "v.parquet")
    with pytest.raises(EmbeddingError) as caught:
        read_features(tmp_path / "v.parquet")
    assert words in str(caught.value)


def test_other_files_and_tables_too_many(tmp_path):
    with pytest.raises(EmbeddingError, match=r"none\.npy does not exist"):
        read_features(tmp_path / "none.npy")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(EmbeddingError, match=r"a\.txt holds no features\. Expected \.parquet"):
        read_features(tmp_path / "a.txt")
    with pytest.raises(EmbeddingError, match=r"is a folder without \*_cam1\.mat"):
        read_features(tmp_path)
    write_own(tmp_path / "e.parquet", CROPS)
    with pytest.raises(EmbeddingError, match=r"e\.parquet says itself whose its vectors are"):
        read_features(tmp_path / "e.parquet", tmp_path / "a.txt")
    whole = (tmp_path / "e.parquet").read_bytes()
    (tmp_path / "e.parquet").write_bytes(whole[:200])
    with pytest.raises(EmbeddingError, match="is not a readable Parquet file"):
        read_features(tmp_path / "e.parquet")


@pytest.mark.parametrize("record", ["[1]", "{"])
def test_a_record_that_is_none(tmp_path, record):
    table = pa.table({"path": PATHS, "vector": THIRDS.tolist()}).replace_schema_metadata({b"tapetum": record})
    pq.write_table(table, tmp_path / "v.parquet")
    with pytest.raises(EmbeddingError, match="Make it again with `tapetum embed`"):
        read_features(tmp_path / "v.parquet")
    pq.write_table(table.replace_schema_metadata({b"tapetum": json.dumps({"a": 1})}), tmp_path / "v.parquet")
    assert read_features(tmp_path / "v.parquet").record == {"a": 1}
