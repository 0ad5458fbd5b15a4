"""RegDB: the official lists of all ten trials, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import draw, plant, regdb_tree, replace_in

from tapetum.core import Crop, Modality
from tapetum.data import regdb
from tapetum.data.findings import Notes
from tapetum.errors import DataError, RecipeError


@pytest.fixture(scope="module")
def official_tree(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("regdb")
    (root / "idx").symlink_to(shared / "data/regdb/idx")
    lists = [root / "idx" / f"{split}_{kind}_1.txt" for split in ("train", "test") for kind in ("visible", "thermal")]
    paths = (line.split()[0] for path in lists for line in path.read_text().splitlines())
    plant(root, paths, draw(root / "picture.bmp", colour=True))
    return root


@pytest.mark.parametrize("trial", range(1, 11))
def test_official_trial(official_tree: Path, trial: int) -> None:
    dataset = regdb.read(official_tree, trial)
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {
        "train": 4120,
        "trainval": 4120,
        "test": 4120,
    }
    assert sorted(dataset.persons("train") + dataset.persons("test")) == list(range(1, 413))
    kinds = [(crop.camera, crop.modality) for crop in (dataset.crops[row] for row in dataset.rows("test"))]
    assert kinds == [("1", Modality.RGB)] * 2060 + [("2", Modality.IR)] * 2060
    assert dataset.options == {"trial": trial, "val_persons": 0}
    assert dataset.band == "thermal"


def test_official_lists_are_without_a_finding(official_tree: Path) -> None:
    survey = regdb.survey(official_tree, notes := Notes(strict=False), trial=3)
    assert notes.findings == []
    assert {cell: survey.counts()[cell] for cell in survey.official} == dict(survey.official)


def test_trials_have_other_persons(official_tree: Path) -> None:
    first, second = (set(regdb.read(official_tree, trial).persons("test")) for trial in (1, 2))
    assert first != second


def test_person_is_the_folder_and_order_the_lists(tmp_path: Path) -> None:
    dataset = regdb.read(regdb_tree(tmp_path))
    # Label 0 of the test list is the person in folder 4.
    assert dataset.crops[dataset.rows("test")[0]] == Crop("Visible/4/man_v_00001_4.bmp", 4, "1", Modality.RGB)
    assert dataset.persons("train") == [1, 2, 3]


def test_validation_persons_come_out_of_train(tmp_path: Path) -> None:
    dataset = regdb.read(regdb_tree(tmp_path), val_persons=1)
    assert len(dataset.persons("val")) == 1
    assert sorted(dataset.persons("train") + dataset.persons("val")) == dataset.persons("trainval") == [1, 2, 3]
    assert dataset.persons("test") == [4, 5, 6]
    assert regdb.read(tmp_path, val_persons=1).persons("val") == dataset.persons("val")


@pytest.mark.parametrize("count", [-1, 3, 4])
def test_too_many_validation_persons(tmp_path: Path, count: int) -> None:
    with pytest.raises(RecipeError, match=f"val_persons is {count}, and 3 of the 3 persons"):
        regdb.read(regdb_tree(tmp_path), val_persons=count)


@pytest.mark.parametrize("trial", [0, 11])
def test_trial_out_of_range(tmp_path: Path, trial: int) -> None:
    with pytest.raises(RecipeError, match=f"trial is {trial}. RegDB has trials 1 to 10"):
        regdb.read(tmp_path, trial)


def test_missing_image_folder_and_list(tmp_path: Path) -> None:
    regdb_tree(tmp_path)
    (tmp_path / "Visible/2/man_v_00001_2.bmp").unlink()
    with pytest.raises(DataError, match=r"train_visible_1.txt line 3 names Visible/2/man_v_00001_2.bmp"):
        regdb.read(tmp_path)
    (tmp_path / "idx/test_thermal_1.txt").unlink()
    with pytest.raises(DataError, match=r"has no idx/test_thermal_1.txt. Expected the RegDB root"):
        regdb.read(tmp_path)
    (tmp_path / "Thermal").rename(tmp_path / "thermal_images")
    with pytest.raises(DataError, match=r"has no Thermal. Expected the RegDB root"):
        regdb.read(tmp_path)


def test_missing_list_of_another_trial_does_not_stop_the_reader(tmp_path: Path) -> None:
    (regdb_tree(tmp_path) / "idx/test_thermal_7.txt").unlink()
    assert len(regdb.read(tmp_path).crops) == 24
    regdb.survey(tmp_path, notes := Notes(strict=False))
    assert [finding.severity for finding in notes.findings] == ["warning"]
    assert notes.findings[0].sentence.endswith("Trial 7 cannot be read as it is.")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Visible/4/man_v_00001_4.bmp 0", "Visible/4/man_v_00001_4.bmp", "line 1 is 'Visible/4/man_v_00001_4.bmp'"),
        ("Visible/4/man_v_00002_4.bmp", "Visible/4/man_v_00001_4.bmp", r"line 2 names .* again \(first in line 1\)"),
        ("Visible/4/man_v_00001_4", "Thermal/4/man_t_00001_4", "line 1 names .*which Visible does not hold"),
        ("Visible/4/man_v_00001_4", "Visible/1/man_v_00001_1", "has persons in both 'train' and 'test': 1"),
    ],
)
def test_malformed_lines(tmp_path: Path, old: str, new: str, told: str) -> None:
    replace_in(regdb_tree(tmp_path) / "idx/test_visible_1.txt", old, new)
    with pytest.raises(DataError, match=told):
        regdb.read(tmp_path)
