"""A run's folder: begun once, gone on with, and never mixed with another run's."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from tapetum.core import Crop, Dataset, Modality
from tapetum.errors import OutputError, RunError
from tapetum.run_folder import begin, data_fingerprint, finish, is_begun, read_record, read_run_recipe
from tiny_recipe import tiny_recipe


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    crops = (Crop("a.jpg", 1, "1", Modality.RGB), Crop("b.jpg", 1, "3", Modality.IR))
    return Dataset("sysu_mm01", tmp_path / "data", crops, {"train": (0, 1)})


@pytest.fixture
def run(tmp_path, dataset):
    begin(tmp_path / "run", tiny_recipe(), dataset)
    return tmp_path / "run"


def test_a_run_is_begun_with_recipe_and_record(run, dataset):
    record = read_record(run)
    assert (record["finished"], record["dataset"], record["seed"]) == (False, "sysu_mm01", 0)
    assert record["data"] == data_fingerprint(dataset)
    assert read_run_recipe(run)["method"] == "two_stream"
    assert is_begun(run, tiny_recipe(), dataset)


def test_beginning_again_keeps_the_record_and_sweeps_half_written_files(run, dataset):
    before = (run / "run.json").read_bytes()
    (run / ".last.ckpt.part").write_text("half")
    begin(run, tiny_recipe(), dataset)
    assert (run / "run.json").read_bytes() == before
    assert not (run / ".last.ckpt.part").exists()


def test_free_and_missing_folders_are_not_begun(tmp_path, dataset):
    assert not is_begun(tmp_path / "missing", tiny_recipe(), dataset)
    (tmp_path / "free").mkdir()
    assert not is_begun(tmp_path / "free", tiny_recipe(), dataset)
    (tmp_path / "free" / "run.json").write_text("{}")  # cut off between the record and the recipe
    (tmp_path / "free" / ".recipe.yaml.1.part").write_text("")
    assert not is_begun(tmp_path / "free", tiny_recipe(), dataset)


def test_the_data_may_move_and_not_change(run, dataset, tmp_path):
    assert is_begun(run, tiny_recipe(data={"dataset": "sysu_mm01", "root": str(tmp_path)}), dataset)
    for other in (replace(dataset, crops=dataset.crops[::-1]), replace(dataset, splits={"train": (0,)})):
        with pytest.raises(RunError, match="holds a run of other data. Give another --output"):
            is_begun(run, tiny_recipe(), other)


def test_a_recipe_from_before_a_setting_was_there_is_the_same_run(run, dataset):
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    del recipe["augmentation"]["border"]
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert is_begun(run, tiny_recipe(), dataset)
    with pytest.raises(RunError, match="holds a run of another recipe"):
        is_begun(run, tiny_recipe(augmentation={"padding": 1, "border": "edge"}), dataset)
    (run / "recipe.yaml").write_text(yaml.safe_dump({**recipe, "gone": 1}))
    with pytest.raises(RunError, match="holds a run of another recipe"):
        is_begun(run, tiny_recipe(), dataset)


def test_another_recipe_and_other_things_in_the_way_are_refused(run, dataset, tmp_path):
    with pytest.raises(RunError, match="run holds a run of another recipe. Give another --output, or remove that"):
        is_begun(run, tiny_recipe(seed=1), dataset)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is a file. Give the folder of a run with --output"):
        is_begun(tmp_path / "file", tiny_recipe(), dataset)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("")
    with pytest.raises(OutputError, match="letters exists, and is neither empty nor a run"):
        is_begun(tmp_path / "letters", tiny_recipe(), dataset)


@pytest.mark.parametrize("text", ["a: [", "", "- 1", "seed: 0"])
def test_a_damaged_recipe_is_named(run, dataset, text):
    (run / "recipe.yaml").write_text(text)
    with pytest.raises(RunError, match=r"recipe.yaml (cannot be read|is no recipe). Remove the folder and train again"):
        is_begun(run, tiny_recipe(), dataset)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "3"])
def test_a_damaged_record_is_named(run, dataset, text):
    (run / "run.json").write_text(text)
    with pytest.raises(RunError, match=r"run.json (cannot be read|is no record of a run). Remove the folder and train"):
        is_begun(run, tiny_recipe(), dataset)


def test_finishing_says_what_was_selected_and_which_model_it_is(run):
    finish(run, {"epoch": 4, "mAP": 0.5}, "00aa")
    record = json.loads((run / "run.json").read_text())
    assert (record["finished"], record["fingerprint"]) == (True, "00aa")
    assert record["selected"] == {"epoch": 4, "mAP": 0.5}
    assert record["versions"], "how the run was made is kept"


def test_the_recipe_as_it_was_run_can_be_run(run):
    raw = yaml.safe_load((run / "recipe.yaml").read_text())
    assert tiny_recipe(**raw) == tiny_recipe()
