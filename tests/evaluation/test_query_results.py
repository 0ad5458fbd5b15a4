import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tapetum.core import Crop, Modality, Trial
from tapetum.errors import RunError
from tapetum.evaluation.metrics import score_trials
from tapetum.evaluation.query_results import (
    collect_queries,
    query_results_path,
    read_query_results,
    write_query_results,
)

RGB, IR = Modality.RGB, Modality.IR
CROPS = (
    Crop("q/1.jpg", 1, "3", IR),
    Crop("q/2.jpg", 2, "6", IR),
    Crop("q/9.jpg", 9, "6", IR),
    Crop("g/2.jpg", 2, "1", RGB),
    Crop("g/1.jpg", 1, "1", RGB),
    Crop("g/1b.jpg", 1, "4", RGB),
)
# Distances on a line: query 1 at 0, query 2 at 10; gallery 2, 1, 1 at 1, 2, 5.
VECTORS = np.array([[0.0], [10.0], [3.0], [1.0], [2.0], [5.0]])


@pytest.fixture
def written(tmp_path):
    persons = np.array([crop.person for crop in CROPS])
    trials = [Trial(np.array([1, 0, 2]), np.array([3, 4, 5])), Trial(np.array([0]), np.array([3, 4]))]
    first, second = score_trials(VECTORS, persons, trials, cmc="images")
    record = {"fingerprint": None, "cmc": "images"}
    queries = collect_queries({"one": [first], "other": [first, second]}, [CROPS], record)
    path = query_results_path(tmp_path / "results.json")
    write_query_results(path, queries)
    return path


def test_the_columns_by_hand(written):
    assert written.name == "results.queries.parquet"
    table = pq.read_table(written)
    assert {field.name: str(field.type) for field in table.schema} == {
        "setting": "string", "trial": "int16", "query": "string", "person": "int64", "camera": "string",
        "modality": "string", "ap": "double", "inp": "double", "hit": "int32",
    }  # fmt: skip
    assert json.loads(table.schema.metadata[b"tapetum"]) == {"fingerprint": None, "cmc": "images"}
    # Query 9 has no match. Query 2 meets 1 1 2: rank 3. Query 1 meets 2 1 1: ranks 2 and 3; of two images, rank 2.
    assert table.to_pydict() == {
        "setting": ["one", "one", "other", "other", "other"],
        "trial": [0, 0, 0, 0, 1],
        "query": ["q/2.jpg", "q/1.jpg", "q/2.jpg", "q/1.jpg", "q/1.jpg"],
        "person": [2, 1, 2, 1, 1],
        "camera": ["6", "3", "6", "3", "3"],
        "modality": ["ir"] * 5,
        "ap": [1 / 3, (1 / 2 + 2 / 3) / 2, 1 / 3, (1 / 2 + 2 / 3) / 2, 1 / 2],
        "inp": [1 / 3, 2 / 3, 1 / 3, 2 / 3, 1 / 2],
        "hit": [3, 2, 3, 2, 2],
    }


def test_what_was_written_is_read(written):
    read = read_query_results(written)
    assert read.record == {"fingerprint": None, "cmc": "images"}
    assert read.hit.tolist() == [3, 2, 3, 2, 2]
    assert (read.trial.dtype, read.hit.dtype, read.ap.dtype) == (np.int64, np.int64, np.float64)
    assert read.query[read.setting == "other"].tolist() == ["q/2.jpg", "q/1.jpg", "q/1.jpg"]


def test_each_trial_may_have_a_table_of_its_own(tmp_path):
    (result,) = score_trials(VECTORS, np.array([1, 2, 9, 2, 1, 1]), [Trial(np.array([0]), np.array([4]))])
    renamed = tuple(Crop(f"b/{crop.path}", crop.person, crop.camera, crop.modality) for crop in CROPS)
    queries = collect_queries({"one": [result, result]}, [CROPS, renamed], {})
    assert queries.query.tolist() == ["q/1.jpg", "b/q/1.jpg"]


def test_what_is_no_file_of_queries(written, tmp_path):
    with pytest.raises(RunError, match=r"none\.parquet does not exist\. .*evaluate again"):
        read_query_results(tmp_path / "none.parquet")
    table = pq.read_table(written)
    for name, other in (
        ("trial, hit", table.drop_columns(["trial", "hit"])),
        ("ap", table.set_column(6, "ap", pa.nulls(5, pa.float64()))),
        (r"\(record\)", table.replace_schema_metadata({})),
    ):
        pq.write_table(other, tmp_path / "other.parquet")
        with pytest.raises(RunError, match=f"holds no single queries: columns {name} are missing"):
            read_query_results(tmp_path / "other.parquet")
    (tmp_path / "cut.parquet").write_bytes(written.read_bytes()[:300])
    with pytest.raises(RunError, match="cannot be read as Parquet"):
        read_query_results(tmp_path / "cut.parquet")
