"""PKU-Reid-74: folds over identities, and every picture once as RGB and once as pseudo-infrared."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import draw

from tapetum.core import Crop, Modality
from tapetum.data import pku_reid_74
from tapetum.errors import DataError, RecipeError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for person in range(1, 9):
        folder = "train" if person < 6 else "val/all_imgs"
        for camera in (1, 2):
            draw(tmp_path / folder / f"{person:03d}" / f"{camera:02d}_1.png", colour=True)
    draw(tmp_path / "val/query/007/01_1.png", colour=True)  # leaks; not to be read
    return tmp_path


def test_real_images(shared: Path) -> None:
    dataset = pku_reid_74.read(shared / "data/pku_reid_74")
    assert len(dataset.crops) == 2 * 1184
    assert len(dataset.persons("all")) == 74
    sizes = [len(pku_reid_74.read(dataset.root, fold).persons("test")) for fold in range(4)]
    assert sizes == [19, 19, 18, 18]
    assert not any("query" in crop.path or "gallery" in crop.path for crop in dataset.crops)


def test_every_picture_twice(root: Path) -> None:
    dataset = pku_reid_74.read(root, val_persons=1)
    half = len(dataset.crops) // 2
    assert half == 16
    assert dataset.crops[0] == Crop("train/001/01_1.png", 1, "1", Modality.RGB)
    assert [crop.path for crop in dataset.crops[:half]] == [crop.path for crop in dataset.crops[half:]]
    assert {crop.modality for crop in dataset.crops[half:]} == {Modality.IR}
    assert dataset.band == "pseudo-infrared (grey)"


def test_folds_share_nobody_and_miss_nobody(root: Path) -> None:
    folds = [pku_reid_74.read(root, fold, folds=3, val_persons=2) for fold in range(3)]
    tested = [person for dataset in folds for person in dataset.persons("test")]
    assert sorted(tested) == list(range(1, 9))
    for dataset in folds:
        assert len(dataset.persons("val")) == 2
        everyone = dataset.persons("train") + dataset.persons("val") + dataset.persons("test")
        assert sorted(everyone) == list(range(1, 9))


@pytest.mark.parametrize(("fold", "folds"), [(4, 4), (-1, 4), (0, 1), (0, 75)])
def test_fold_out_of_range(root: Path, fold: int, folds: int) -> None:
    with pytest.raises(RecipeError, match=f"fold {fold} of {folds} does not exist"):
        pku_reid_74.read(root, fold, folds)


def test_name_in_another_form(root: Path) -> None:
    draw(root / "train/001/03_1.png", colour=True)
    with pytest.raises(DataError, match=r"03_1.png is not named <camera>_<orientation>.png"):
        pku_reid_74.read(root)


def test_missing_folder(root: Path) -> None:
    (root / "train").rename(root / "training")
    with pytest.raises(DataError, match=r"has no train. Expected the PKU-Reid-74 root \(train, val/all_imgs\)"):
        pku_reid_74.read(root)
