import functools
import io
import json
import shutil

import numpy as np
import pytest
from rich.console import Console
from test_sysu_protocol import MINI, assert_golden, counting, crops_of, write_permutations

from tapetum.core import Crop, Dataset, Modality
from tapetum.embedding_table import EmbeddingTable, write_embeddings
from tapetum.errors import EmbeddingError, RecipeError
from tapetum.evaluation.evaluate import evaluate, evaluate_embeddings, evaluate_matlab_features
from tapetum.evaluation.protocols import query_gallery, regdb
from tapetum.evaluation.sysu_protocol import sysu_mm01
from tapetum.report.tables import render_results, results_markdown

COUNTS = {(camera, person): 3 for camera in "123456" for person in (2, 5, 7)}
RGB, IR = Modality.RGB, Modality.IR


@pytest.fixture
def root(tmp_path):
    write_permutations(tmp_path / "sysu" / "exp" / "rand_perm_cam.mat", counting(COUNTS))
    (tmp_path / "sysu" / "exp" / "test_id.txt").write_text("2,5,7\n")
    return tmp_path / "sysu"


def embedded(path, root, crops, **record):
    vectors = np.random.default_rng(0).standard_normal((len(crops), 5)).astype(np.float32)
    write_embeddings(path, EmbeddingTable(vectors, tuple(crops), {"dataset": "sysu_mm01", "root": str(root), **record}))
    return vectors


def test_results_hold_what_the_page_says(root, tmp_path):
    vectors = embedded(tmp_path / "e.parquet", root, crops_of(COUNTS), fingerprint="abc")
    results = evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert list(results) == [
        "protocol", "draw", "dataset", "distance", "cmc", "notes",
        "all_single", "all_multi", "indoor_single", "indoor_multi", "made",
    ]  # fmt: skip
    assert (results["protocol"], results["draw"], results["distance"]) == ("sysu_mm01", "official", "euclidean")
    assert results["made"]["embeddings_record"]["fingerprint"] == "abc"
    setting = results["all_multi"]
    assert len(setting["trials"]) == 10
    assert {"cmc", "mAP", "mINP", "valid_queries", "gallery", "queries"} == set(setting["trials"][0])
    assert (setting["trials"][0]["queries"], setting["trials"][0]["gallery"]) == (18, 36)
    for part in ("mean", "std"):
        assert set(setting[part]) == {"cmc", "r1", "r5", "r10", "r20", "mAP", "mINP"}
    assert set(setting["chance"]) == {"r1", "r5", "r10", "r20", "mAP", "mINP"}
    again = evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "agw.json", draw="agw", distance="cosine")
    assert [key for key in again if key.endswith(("single", "multi"))] == ["all_single", "indoor_single"]
    assert (again["draw"], again["distance"]) == ("agw", "cosine")
    assert vectors.dtype == np.float32


def test_generated_people_are_called_so_in_the_results(root, tmp_path):
    embedded(tmp_path / "e.parquet", root, crops_of(COUNTS), title="generated people in sysu_mm01's layout")
    results = evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "results.json")
    assert (results["dataset"], results["protocol"]) == ("generated people in sysu_mm01's layout", "sysu_mm01")


def test_mean_and_spread_over_trials():
    # r1 over ten trials as NumPy says it: divided by ten, not nine.
    results = mini_results()
    for name in ("all_single", "indoor_multi"):
        setting = results[name]
        for key in ("mAP", "mINP"):
            values = [trial[key] for trial in setting["trials"]]
            assert setting["mean"][key] == pytest.approx(sum(values) / 10)
            assert setting["std"][key] == pytest.approx((sum((v - sum(values) / 10) ** 2 for v in values) / 10) ** 0.5)
        for rank in (1, 5, 10, 20):
            values = [trial["cmc"][rank - 1] for trial in setting["trials"]]
            assert setting["mean"][f"r{rank}"] == setting["mean"]["cmc"][rank - 1] == pytest.approx(sum(values) / 10)
            assert setting["std"][f"r{rank}"] == pytest.approx(float(np.std(values)))


@functools.cache
def mini_results():
    golden = json.loads(MINI.read_text())
    cells = [(c, int(p), rows) for c, of in golden["features"].items() for p, rows in of.items()]
    permutations = {(c, int(p)): np.array(v) for c, of in golden["permutations"].items() for p, v in of.items()}
    crops = crops_of({(c, p): len(rows) for c, p, rows in cells})
    vectors = np.array([row for _, _, rows in cells for row in rows], dtype=np.float32)
    return evaluate(vectors, crops, sysu_mm01(crops, golden["test_ids"], permutations), dataset="sysu_mm01")


def test_matlab_features_need_nothing_but_exp(shared, tmp_path):
    data = shared / "data" / "sysu_mm01"
    (tmp_path / "root" / "exp").mkdir(parents=True)
    shutil.copy(data / "exp" / "test_id.mat", tmp_path / "root" / "exp")
    shutil.copy(data / "data_split" / "rand_perm_cam.mat", tmp_path / "root" / "exp")
    results = evaluate_matlab_features(data / "golden", tmp_path / "root", tmp_path / "results.json")
    assert_golden(
        json.loads((tmp_path / "results.json").read_text()), json.loads((data / "golden" / "results.json").read_text())
    )
    assert results["made"]["features"] == str(data / "golden")


def test_own_data_with_declared_query_and_gallery(tmp_path):
    crops = [Crop(name, person, "1", modality) for name, person, modality in
             (("a", 1, RGB), ("b", 1, IR), ("c", 2, IR), ("d", 2, RGB))]  # fmt: skip
    dataset = Dataset("folder", tmp_path, tuple(crops), {"query": (0, 3), "gallery": (1, 2)})
    embedded(tmp_path / "e.parquet", tmp_path, crops[::-1])
    results = evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "r.json", dataset=dataset)
    assert (results["dataset"], results["protocol"], results["draw"]) == ("folder", "query_gallery", "none")
    assert (results["all"]["trials"][0]["queries"], results["all"]["trials"][0]["gallery"]) == (2, 2)
    assert results["all"]["std"]["mAP"] == 0
    embedded(tmp_path / "e.parquet", tmp_path, crops[1:])
    with pytest.raises(EmbeddingError, match=r"no embedding of a \(1 of 2 in the split 'query'\)"):
        evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "r.json", dataset=dataset)


def test_embeddings_of_unknown_origin(tmp_path):
    write_embeddings(tmp_path / "e.parquet", EmbeddingTable(np.ones((1, 2), np.float32), (Crop("a", 1, "1", RGB),)))
    with pytest.raises(EmbeddingError, match="does not say which dataset"):
        evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "r.json")
    assert not (tmp_path / "r.json").exists()


def test_an_unknown_distance():
    crops = [Crop("a", 1, "1", RGB), Crop("b", 1, "2", IR)]
    with pytest.raises(RecipeError, match=r"no distance is called 'cosin'\. Did you mean 'cosine'"):
        evaluate(np.ones((2, 2)), crops, query_gallery(crops, [0], [1]), dataset="folder", distance="cosin")


def test_the_table_says_all_that_a_reader_must_know():
    results = mini_results()
    markdown = results_markdown(results)
    mean, std, chance = (results["indoor_single"][part] for part in ("mean", "std", "chance"))
    valid = results["indoor_single"]["trials"][0]
    row = next(line for line in markdown.splitlines() if line.startswith("| indoor_single"))
    assert f"| {100 * mean['r1']:.2f} ± {100 * std['r1']:.2f} |" in row
    assert row.endswith(f"| 10 | {valid['valid_queries']} of {valid['queries']} | {valid['gallery']} |")
    assert f"| {100 * chance['mAP']:.2f} |" in markdown.split(row)[1].splitlines()[1]
    for words in ("sysu_mm01", "official", "euclidean", "percent", "no re-ranking", "each person of the gallery once"):
        assert words in markdown
    table = render_results(results)
    with Console(width=80, file=io.StringIO(), record=True) as console:
        console.print(table)
    printed = console.export_text()
    assert "…" not in printed
    for text in (
        "100.00",
        f"{100 * mean['mAP']:.2f}",
        f"±{100 * std['mINP']:.2f}",
        "by chance",
        f"of {valid['queries']}",
    ):
        assert text in printed
    assert table.row_count == 8
    assert [column.header for column in table.columns][:6] == ["setting", "r1", "r10", "r20", "mAP", "mINP"]


def test_one_trial_shows_no_spread_and_says_so():
    crops = [Crop("a", 1, "1", RGB), Crop("b", 1, "2", IR), Crop("c", 2, "2", IR), Crop("d", 2, "1", RGB)]
    results = evaluate(np.array([[0.0], [1], [2], [3]]), crops, regdb(crops), dataset="regdb")
    markdown = results_markdown(results)
    assert "±" not in markdown
    assert "not comparable with a mean over ten trials" in markdown
    assert "every image of the gallery" in markdown
