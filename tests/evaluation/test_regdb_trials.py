import json
from pathlib import Path

import pytest
from feature_trees import regdb_files, spread, write_npy, write_own

from tapetum.data.regdb import read
from tapetum.errors import EmbeddingError
from tapetum.evaluation.evaluate import evaluate_features
from tapetum.evaluation.reference import Place
from tapetum.evaluation.regdb_trials import trial_notes

SAME = {"dataset": "regdb", "split": "test", "method": "two_stream", "height": 288, "width": 144}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return regdb_files(tmp_path_factory.mktemp("regdb"))


def crops_of(root, trial):
    dataset = read(root, trial=trial)
    return [dataset.crops[row] for row in dataset.rows("test")]


def own_file(folder, data, trial, model=None, **record):
    path = folder / f"trial{trial}" / "e.parquet"
    facts = {**SAME, "root": str(data), "options": {"trial": trial, "val_persons": 0}, **record}
    write_own(path, crops_of(data, trial), seed=trial, fingerprint=model or f"model-{trial}", **facts)
    return path


def test_ten_files_are_one_result_of_ten_trials(root, tmp_path):
    files = [own_file(tmp_path, root, trial) for trial in range(1, 11)]
    results = evaluate_features(files, tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == results
    alone = [evaluate_features([path], path.with_name("r.json")) for path in files]
    for name in ("visible_to_thermal", "thermal_to_visible"):
        setting = results[name]
        assert [trial["trial"] for trial in setting["trials"]] == list(range(1, 11))
        assert setting["trials"] == [one[name]["trials"][0] for one in alone]
        values = [one[name]["mean"]["mAP"] for one in alone]
        assert setting["mean"]["mAP"] == pytest.approx(sum(values) / 10, abs=1e-15)
        assert setting["chance"] == pytest.approx(alone[0][name]["chance"])
        assert (setting["trials_in_all"], alone[0][name]["trials_in_all"]) == (10, 10)
    assert results["notes"] == ["mean of ten trials, each with a model of its own"]
    assert alone[2]["notes"] == ["one trial of ten (trial 3): not comparable with ten-trial means"]
    made = results["made"]
    assert made["embeddings"] == [str(path) for path in files]
    assert [record["fingerprint"] for record in made["embeddings_record"]] == [f"model-{t}" for t in range(1, 11)]
    assert made["options"] == {"val_persons": 0}


def test_neither_the_order_of_the_files_nor_that_of_their_rows_matters(root, tmp_path):
    files = [own_file(tmp_path, root, trial) for trial in (1, 2, 3)]
    one = evaluate_features(files, tmp_path / "one.json")
    assert one["notes"] == ["3 trials of ten (1, 2, 3): not comparable with ten-trial means"]
    turned = evaluate_features(files[::-1], tmp_path / "other.json")
    for name in ("visible_to_thermal", "thermal_to_visible", "notes"):
        assert one[name] == turned[name]
    queries = [(tmp_path / f"{name}.queries.parquet").read_bytes() for name in ("one", "other")]
    assert queries[0] == queries[1]


def test_features_of_another_system_are_told_by_their_images(root, tmp_path):
    files = []
    for trial in (4, 2):
        crops = crops_of(root, trial)
        files.append(write_npy(tmp_path / f"t{trial}.npy", spread(len(crops), seed=trial), crops))
    results = evaluate_features(files, tmp_path / "r.json", place=Place(root=root))
    assert [trial["trial"] for trial in results["visible_to_thermal"]["trials"]] == [2, 4]
    assert results["notes"] == ["2 trials of ten (2, 4): not comparable with ten-trial means"]
    assert results["made"]["features"] == [str(files[1]), str(files[0])]


def test_images_of_several_trials_must_say_which(root, tmp_path):
    crops = sorted({crop for trial in (4, 5) for crop in crops_of(root, trial)}, key=lambda crop: crop.path)
    path = write_npy(tmp_path / "v.npy", spread(len(crops)), crops)
    with pytest.raises(
        EmbeddingError, match=r"v\.npy holds the test images of trials 4, 5\. Name the trial with --opt"
    ):
        evaluate_features([path], tmp_path / "r.json", place=Place(root=root))
    results = evaluate_features([path], tmp_path / "r.json", place=Place(root=root, options={"trial": 5}))
    assert results["notes"] == [
        "one trial of ten (trial 5): not comparable with ten-trial means",
        "4 of 16 vectors took no part: not of the split 'test'",
    ]
    few = write_npy(tmp_path / "few.npy", spread(11), crops_of(root, 7)[1:])
    with pytest.raises(EmbeddingError, match=r"few\.npy has no vector of Visible/7/x_v_1_7\.bmp \(1 images"):
        evaluate_features([few], tmp_path / "r.json", place=Place(root=root))


def test_one_trial_of_which_nobody_knows_which(root, tmp_path):
    crops = crops_of(root, 1)
    path = write_npy(tmp_path / "v.npy", spread(12), crops, ("path", "person", "camera", "modality"))
    results = evaluate_features([path], tmp_path / "r.json", place=Place("regdb"))
    assert results["notes"][0] == "one trial of ten: not comparable with ten-trial means"
    assert "trial" not in results["visible_to_thermal"]["trials"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "agw"}, r"trial2/e\.parquet was made with method agw, and .*trial1/e\.parquet with two_stream"),
        ({"height": 256}, r"trial2/e\.parquet was made with height 256"),
        ({"model": "model-1"}, r"trial2/e\.parquet and .*trial1/e\.parquet come from one model"),
        ({"options": {"trial": 1}, "root": "/gone"}, r"trial2/e\.parquet and .*trial1/e\.parquet are both of trial 1"),
        ({"dataset": "llcm", "root": "/gone"}, r"trial2/e\.parquet is no known trial of RegDB"),
        ({"options": {}, "root": "/gone"}, r"trial2/e\.parquet is no known trial of RegDB"),
    ],
)
def test_files_that_are_no_trials_of_one_kind_of_model(root, tmp_path, change, words):
    files = [own_file(tmp_path, root, 1), own_file(tmp_path, root, 2, **change)]
    with pytest.raises(EmbeddingError, match=words):
        evaluate_features(files, tmp_path / "r.json")
    assert not list(tmp_path.glob("r.*"))


def test_one_file_twice(root, tmp_path):
    path = own_file(tmp_path, root, 2)
    with pytest.raises(EmbeddingError, match=r"e\.parquet and .*e\.parquet are both of trial 2\. Give each trial once"):
        evaluate_features([path, path], tmp_path / "r.json")


def test_other_dimensions_and_a_table_for_several(root, tmp_path):
    for trial, dimensions in ((1, 4), (2, 3)):
        write_npy(tmp_path / f"{trial}.npy", spread(12, dimensions), crops_of(root, trial))
    files = [tmp_path / "1.npy", tmp_path / "2.npy"]
    with pytest.raises(EmbeddingError, match=r"2\.npy has 3 dimensions, and .*1\.npy 4"):
        evaluate_features(files, tmp_path / "r.json", place=Place(root=root))
    with pytest.raises(EmbeddingError, match=r"1\.csv cannot be the table of 2 files"):
        evaluate_features(files, tmp_path / "r.json", place=Place(root=root), table=tmp_path / "1.csv")


def test_what_fewer_than_ten_trials_say():
    assert trial_notes([None]) == ["one trial of ten: not comparable with ten-trial means"]
    assert trial_notes([7]) == ["one trial of ten (trial 7): not comparable with ten-trial means"]
