import functools
import json
import shutil

import numpy as np
import pytest
from feature_trees import own_table, sysu_files, write_npy, write_own
from test_sysu_protocol import MINI, assert_golden, counting, crops_of, write_permutations

from tapetum.core import Crop, Modality
from tapetum.data.sysu_mm01 import read
from tapetum.embedding_table import EmbeddingTable, write_embeddings
from tapetum.errors import EmbeddingError, OutputError, RecipeError
from tapetum.evaluation.evaluate import evaluate, evaluate_embeddings, evaluate_features
from tapetum.evaluation.protocols import query_gallery
from tapetum.evaluation.query_results import read_query_results
from tapetum.evaluation.reference import Place
from tapetum.evaluation.reranking import ReRanking, score_reranked
from tapetum.evaluation.rules import Rules
from tapetum.evaluation.sysu_protocol import sysu_mm01

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
        "protocol", "draw", "direction", "dataset", "distance", "cmc", "notes",
        "all_single", "all_multi", "indoor_single", "indoor_multi", "made",
    ]  # fmt: skip
    assert (results["protocol"], results["draw"], results["distance"]) == ("sysu_mm01", "official", "euclidean")
    assert (results["direction"], results["notes"]) == ("ir-to-rgb", [])  # the permutations count every image
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
    place = Place("sysu_mm01", tmp_path / "root")
    results = evaluate_features([data / "golden"], tmp_path / "results.json", place=place)
    assert_golden(
        json.loads((tmp_path / "results.json").read_text()), json.loads((data / "golden" / "results.json").read_text())
    )
    assert (results["made"]["features"], results["made"]["dimensions"]) == (str(data / "golden"), 8)


def test_own_data_with_declared_query_and_gallery(tmp_path):
    rows = [("a", 1, "1", "rgb", "query"), ("b", 1, "1", "ir", "gallery"), ("c", 2, "1", "ir", "gallery"),
            ("d", 2, "1", "rgb", "query")]  # fmt: skip
    own_table(tmp_path, rows)
    crops = [Crop(name, person, camera, Modality(light)) for name, person, camera, light, _ in rows]
    record = {"dataset": "folder", "root": str(tmp_path), "options": {"table": "crops.csv"}, "split": "test"}
    write_own(tmp_path / "e.parquet", crops[::-1], **record)
    results = evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "r.json")
    assert (results["dataset"], results["protocol"], results["draw"]) == ("folder", "query_gallery", "none")
    assert (results["all"]["trials"][0]["queries"], results["all"]["trials"][0]["gallery"]) == (2, 2)
    assert (results["all"]["std"]["mAP"], results["direction"]) == (0, "declared")
    write_own(tmp_path / "e.parquet", crops[1:], **record)
    with pytest.raises(EmbeddingError, match=r"no vector of a \(1 images of the split 'test' are missing\)"):
        evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "r.json")


def test_what_could_not_be_checked_is_said(tmp_path):
    crops = [Crop("a", 1, "1", IR), Crop("b", 1, "2", RGB)]
    write_own(tmp_path / "e.parquet", crops, dataset="folder", root=str(tmp_path / "gone"))
    results = evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "r.json")
    assert results["notes"] == [
        "no column 'split' declares query and gallery: one modality asks, the other answers",
        f"whether images of folder are missing was not checked: {tmp_path / 'gone'} is no longer there",
    ]


@pytest.fixture
def tree(root):
    """The SYSU-MM01 root of the other tests, with its images."""
    for path in root.rglob("*.txt"):
        path.unlink()
    (root / "exp" / "rand_perm_cam.mat").rename(root / "kept.mat")
    (root / "exp").rmdir()
    sysu_files(root)
    write_permutations(root / "exp" / "rand_perm_cam.mat", counting(dict.fromkeys(COUNTS, 2)))
    return root


def test_an_image_that_is_missing_is_missed_under_every_draw(tree, tmp_path):
    dataset = read(tree)
    crops = [dataset.crops[row] for row in dataset.rows("test")]
    path = write_npy(tmp_path / "v.npy", np.eye(36, 5), crops[1:] + crops[:1])
    for draw in ("official", "agw"):
        evaluate_features([path], tmp_path / "r.json", place=Place(root=tree), rules=Rules(draw=draw))
    write_npy(path, np.eye(35, 5), crops[1:])
    for rules in (Rules(), Rules(draw="agw"), Rules(protocol="mixed")):
        with pytest.raises(EmbeddingError, match=r"v\.npy has no vector of cam1/0002/0001\.jpg \(1 images"):
            evaluate_features([path], tmp_path / "again.json", place=Place(root=tree), rules=rules)
    assert not list(tmp_path.glob("again*"))


@pytest.mark.parametrize("kind", ["official", "agw", "rgb-to-ir", "mixed"])
def test_the_order_of_the_rows_changes_no_byte(tree, tmp_path, kind):
    dataset = read(tree)
    crops = [dataset.crops[row] for row in dataset.rows("trainval") + dataset.rows("test")]
    vectors = np.random.default_rng(7).integers(-1, 2, (len(crops), 2)).astype(np.float64)  # full of ties
    rules = {
        "official": Rules(),
        "agw": Rules(draw="agw", rerank=ReRanking(k1=4)),
        "rgb-to-ir": Rules(direction="rgb-to-ir"),
        "mixed": Rules(protocol="mixed"),
    }[kind]
    outputs = []
    for order in (np.arange(len(crops)), np.random.default_rng(8).permutation(len(crops))):
        path = write_npy(tmp_path / "v.npy", vectors[order], [crops[row] for row in order])
        results = evaluate_features([path], tmp_path / "r.json", place=Place(root=tree), rules=rules)
        del results["made"]
        outputs.append((json.dumps(results), (tmp_path / "r.queries.parquet").read_bytes()))
    assert outputs[0] == outputs[1]
    assert results["notes"][-1] == "36 of 72 vectors took no part: not of the split 'test'"


def test_the_single_queries_make_the_means(root, tmp_path):
    embedded(tmp_path / "e.parquet", root, crops_of(COUNTS), fingerprint="abc")
    results = evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "results.json")
    queries = read_query_results(tmp_path / "results.queries.parquet")
    assert queries.record == {
        "fingerprint": "abc", "dataset": "sysu_mm01", "protocol": "sysu_mm01", "draw": "official",
        "distance": "euclidean", "cmc": "identities",
    }  # fmt: skip
    for name in ("all_single", "indoor_multi"):
        for number, trial in enumerate(results[name]["trials"]):
            here = (queries.setting == name) & (queries.trial == number)
            assert here.sum() == trial["valid_queries"]
            assert queries.ap[here].mean() == pytest.approx(trial["mAP"], abs=1e-15)
            assert queries.inp[here].mean() == pytest.approx(trial["mINP"], abs=1e-15)
            assert (queries.hit[here] <= 2).mean() == pytest.approx(trial["cmc"][1], abs=1e-15)
    first = queries.query[0]
    assert (first, queries.person[0], queries.camera[0], queries.modality[0]) == ("cam3/0002/0001.jpg", 2, "3", "ir")


def test_both_files_are_written_or_none(root, tmp_path, monkeypatch):
    embedded(tmp_path / "e.parquet", root, crops_of(COUNTS))
    (tmp_path / "out").mkdir()

    def full(*_):
        raise OutputError("the disk is full")

    monkeypatch.setattr("tapetum.evaluation.evaluate.write_json", full)
    with pytest.raises(OutputError, match="full"):
        evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "out" / "r.json")
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "out" / "r.queries.parquet").mkdir()
    with pytest.raises(OutputError, match=r"r\.queries\.parquet is a folder"):
        evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "out" / "r.json")


def test_re_ranked_figures_stand_apart(root, tmp_path):
    vectors = embedded(tmp_path / "e.parquet", root, crops_of(COUNTS))
    plain = evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "plain.json")
    how = ReRanking(k1=5, k2=2)
    seen = []
    results = evaluate_features(
        [tmp_path / "e.parquet"], tmp_path / "r.json", rules=Rules(rerank=how, distance="cosine"),
        progress=lambda *done: seen.append(done),
    )  # fmt: skip
    assert seen[-1][0] == seen[-1][1]
    for name in ("all_single", "indoor_multi"):
        assert "reranked" not in plain[name]
        found = results[name].pop("reranked")
        assert {key: found[key] for key in ("k1", "k2", "weight")} == {"k1": 5, "k2": 2, "weight": 0.3}
        assert set(found["mean"]) == set(found["std"]) == {"r1", "r5", "r10", "r20", "mAP", "mINP"}
    crops = crops_of(COUNTS)
    persons = np.array([crop.person for crop in crops])
    protocol = sysu_mm01(crops, [2, 5, 7], counting(COUNTS))
    expected = score_reranked(
        vectors, persons, protocol.settings["indoor_multi"], settings=ReRanking(5, 2, distance="cosine"),
        cmc="identities",
    )  # fmt: skip
    assert found["mean"]["mAP"] == pytest.approx(np.mean([trial.mAP for trial in expected]), abs=1e-12)
    assert found["std"]["r1"] == pytest.approx(np.std([trial.cmc[0] for trial in expected]), abs=1e-12)
    cosine = evaluate_features([tmp_path / "e.parquet"], tmp_path / "c.json", rules=Rules(distance="cosine"))
    assert cosine["indoor_multi"] == results["indoor_multi"], "the main figures know nothing of re-ranking"


def test_float64_is_evaluated_as_float64(tmp_path):
    # In float32 both RGB images are equally far, and "b" stands first by its path; in float64 "c" is nearer.
    crops = [Crop("a", 1, "1", IR), Crop("b", 2, "2", RGB), Crop("c", 1, "2", RGB)]
    vectors = np.array([[0.0], [1 + 1e-12], [1.0]])
    columns = ("path", "person", "camera", "modality")
    for kind, precision in ((np.float64, 1.0), (np.float32, 0.5)):
        path = write_npy(tmp_path / "v.npy", vectors.astype(kind), crops, columns)
        results = evaluate_features([path], tmp_path / "r.json", place=Place("folder"))
        assert results["all"]["mean"]["mAP"] == precision


def test_long_curves_are_cut_and_the_figures_are_not(monkeypatch, tmp_path):
    crops = [Crop("q", 1, "1", IR), *(Crop(f"{n:02d}", int(n == 30), "2", RGB) for n in range(31))]
    path = write_npy(tmp_path / "v.npy", np.arange(32.0)[:, None], crops, ("path", "person", "camera", "modality"))
    monkeypatch.setattr("tapetum.evaluation.results._LONGEST_CURVE", 25)
    results = evaluate_features([path], tmp_path / "r.json", place=Place("folder"))
    assert len(results["all"]["trials"][0]["cmc"]) == len(results["all"]["mean"]["cmc"]) == 25
    assert results["all"]["mean"]["mAP"] == pytest.approx(1 / 31)


def test_embeddings_of_unknown_origin(tmp_path):
    write_embeddings(tmp_path / "e.parquet", EmbeddingTable(np.ones((1, 2), np.float32), (Crop("a", 1, "1", RGB),)))
    with pytest.raises(EmbeddingError, match="does not say which dataset"):
        evaluate_embeddings(tmp_path / "e.parquet", tmp_path / "r.json")
    assert not (tmp_path / "r.json").exists()


def test_an_unknown_distance():
    crops = [Crop("a", 1, "1", RGB), Crop("b", 1, "2", IR)]
    with pytest.raises(RecipeError, match=r"no distance is called 'cosin'\. Did you mean 'cosine'"):
        evaluate(np.ones((2, 2)), crops, query_gallery(crops, [0], [1]), dataset="folder", distance="cosin")
