"""Datasets are found by name, guessed by layout, and their options are checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dataset_trees import draw, llcm_tree, regdb_tree, sysu_tree

from tapetum.data import catalogue
from tapetum.errors import DataError, RecipeError


def test_names() -> None:
    assert {"folder", "llcm", "pku_reid_74", "regdb", "sysu_mm01"} <= set(catalogue.dataset_names())
    assert not {"check", "listing", "survey", "catalogue"} & set(catalogue.dataset_names())


@pytest.mark.parametrize("name", catalogue.dataset_names())
def test_every_dataset_refuses_an_empty_folder(tmp_path: Path, name: str) -> None:
    assert not catalogue.find_dataset(name).looks_like(tmp_path)
    with pytest.raises(DataError, match="Expected"):
        catalogue.read_dataset(name, tmp_path)


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"^no dataset is called 'sysu'. Did you mean 'sysu_mm01'. Known: folder, llcm"
    ):
        catalogue.read_dataset("sysu", tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("regdb", {"trail": 2}, "regdb has no option 'trail'. Did you mean 'trial'? Known: trial, val_persons."),
        ("sysu_mm01", {"trial": 2}, "sysu_mm01 has no option 'trial'. It has none."),
        ("regdb", {"trial": "two"}, "regdb: option trial is 'two'. Expected a whole number."),
    ],
)
def test_bad_options(tmp_path: Path, name: str, options: dict[str, int | str], told: str) -> None:
    with pytest.raises(RecipeError) as raised:
        catalogue.read_dataset(name, tmp_path, **options)
    assert str(raised.value) == told


def test_options_given_as_text_and_read_again(tmp_path: Path) -> None:
    dataset = catalogue.read_dataset("regdb", regdb_tree(tmp_path), trial="3", val_persons="1")
    assert dataset.options == {"trial": 3, "val_persons": 1}
    assert catalogue.read_dataset(dataset.name, dataset.root, **dataset.options) == dataset


def test_guess(tmp_path: Path) -> None:
    sysu_tree(tmp_path / "one")
    regdb_tree(tmp_path / "two")
    llcm_tree(tmp_path / "three")
    draw(tmp_path / "four/val/all_imgs/007/01_1.png", colour=True)
    draw(tmp_path / "five/query/ir/7/1.png", colour=False)
    (tmp_path / "six.csv").write_text("path,person,camera,modality\n")
    places = ("one", "two", "three", "four", "five", "six.csv")
    guessed = [catalogue.guess_dataset(tmp_path / place) for place in places]
    assert guessed == ["sysu_mm01", "regdb", "llcm", "pku_reid_74", "folder", "folder"]


def test_no_guess(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"shows the layout of no dataset. Name the dataset with --dataset: folder, llcm"
    ):
        catalogue.guess_dataset(tmp_path)
    regdb_tree(sysu_tree(tmp_path))
    with pytest.raises(DataError, match=r"shows the layouts of regdb and sysu_mm01. Name the dataset"):
        catalogue.guess_dataset(tmp_path)
    with pytest.raises(DataError, match="nowhere does not exist"):
        catalogue.guess_dataset(tmp_path / "nowhere")


def test_finding_a_dataset_loads_no_torch() -> None:
    # The command line must answer at once.
    code = (
        "import sys; from tapetum.data.catalogue import find_dataset; find_dataset('folder');"
        " sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
