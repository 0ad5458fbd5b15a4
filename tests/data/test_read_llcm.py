"""LLCM: the official lists, cameras out of file names, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import draw, llcm_tree, plant, replace_in

from tapetum.core import Crop, Modality
from tapetum.data import llcm
from tapetum.data.findings import Notes
from tapetum.errors import DataError


@pytest.fixture(scope="module")
def official_tree(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("llcm")
    (root / "idx").symlink_to(shared / "data/llcm/idx")
    lists = [root / "idx" / f"{split}_{kind}.txt" for split in ("train", "test") for kind in ("vis", "nir")]
    paths = (line.split()[0] for path in lists for line in path.read_text().splitlines())
    plant(root, paths, draw(root / "picture.jpg", colour=True))
    return root


def test_official_lists(official_tree: Path) -> None:
    survey = llcm.survey(official_tree, notes := Notes(strict=False))
    assert notes.findings == []
    counts = survey.counts()
    assert {cell: counts[cell] for cell in survey.official} == dict(survey.official)
    dataset = survey.dataset()
    assert (len(dataset.rows("train")), len(dataset.rows("test"))) == (16946 + 13975, 8680 + 7166)
    assert (len(dataset.persons("train")), len(dataset.persons("test"))) == (713, 351)
    cameras = {
        modality: sorted({crop.camera for crop in dataset.crops if crop.modality is modality}) for modality in Modality
    }
    # No near-infrared image comes from camera 3.
    assert cameras == {Modality.RGB: list("123456789"), Modality.IR: list("12456789")}


def test_camera_person_and_order(tmp_path: Path) -> None:
    dataset = llcm.read(llcm_tree(tmp_path))
    assert dataset.crops[0] == Crop("vis/0250/0250_c03_s183650_f3_vis.jpg", 250, "3", Modality.RGB)
    assert dataset.crops[-1] == Crop("nir/0891/0891_c06_s183650_f6_nir.jpg", 891, "6", Modality.IR)
    assert dataset.persons("train") == [7, 250]
    assert all(crop.time is None for crop in dataset.crops)


def test_validation_persons(tmp_path: Path) -> None:
    dataset = llcm.read(llcm_tree(tmp_path), val_persons=1)
    assert sorted(dataset.persons("train") + dataset.persons("val")) == [7, 250]
    assert dataset.options == {"val_persons": 1}


@pytest.mark.parametrize("camera", ["c10", "c00", "x03"])
def test_camera_that_should_not_exist(tmp_path: Path, camera: str) -> None:
    llcm_tree(tmp_path)
    name = "vis/0007/0007_c03_s183650_f3_vis.jpg"
    (tmp_path / name).rename(tmp_path / name.replace("c03", camera))
    replace_in(tmp_path / "idx/train_vis.txt", name, name.replace("c03", camera))
    with pytest.raises(DataError, match=f"0007_{camera}_s183650_f3_vis.jpg has a name or a camera that"):
        llcm.read(tmp_path)


def test_missing_image_and_list(tmp_path: Path) -> None:
    llcm_tree(tmp_path)
    (tmp_path / "nir/0007/0007_c05_s183650_f5_nir.jpg").unlink()
    with pytest.raises(DataError, match=r"train_nir.txt line 3 names nir/0007/0007_c05"):
        llcm.read(tmp_path)
    (tmp_path / "idx/train_vis.txt").unlink()
    with pytest.raises(DataError, match=r"has no idx/train_vis.txt. Expected the LLCM root \(vis, nir, idx\)"):
        llcm.read(tmp_path)


def test_labels_that_disagree_with_the_folders(tmp_path: Path) -> None:
    listed = llcm_tree(tmp_path) / "idx/train_vis.txt"
    replace_in(listed, "0250_c05_s183650_f5_vis.jpg 0", "0250_c05_s183650_f5_vis.jpg 1")
    llcm.survey(tmp_path, notes := Notes(strict=False))
    assert [(finding.severity, finding.path) for finding in notes.findings] == [("warning", str(listed))]
    assert "several labels to one person: 250" in notes.findings[0].sentence
    listed.write_text(listed.read_text().replace(" 0\n", " 1\n"))
    llcm.survey(tmp_path, notes := Notes(strict=False))
    assert [finding.sentence[:31] for finding in notes.findings] == ["gives one label to several pers"]
