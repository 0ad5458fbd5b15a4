"""SYSU-MM01: a tree of the real shape gives the published counts; a broken one is refused by name."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from dataset_trees import draw, plant, sysu_tree

from tapetum.core import Crop, Modality
from tapetum.data import sysu_mm01
from tapetum.data.findings import Notes
from tapetum.data.survey import Cell, Count, Survey
from tapetum.errors import DataError


@pytest.fixture(scope="module")
def official(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """A walk through the real lists and all 44,745 images of the real dataset, each a hard link to one picture."""
    root = tmp_path_factory.mktemp("sysu")
    picture = draw(root / "picture.jpg", colour=True)
    with (shared / "data/sysu_mm01/image_counts.csv").open() as opened:
        cells = list(csv.DictReader(opened))
    paths = (
        f"cam{cell['cam']}/{int(cell['id']):04d}/{n:04d}.jpg"
        for cell in cells
        for n in range(1, int(cell["n_images"]) + 1)
    )
    plant(root, paths, picture)
    shutil.copytree(shared / "data/sysu_mm01/exp", root / "exp")
    survey = sysu_mm01.survey(root, notes := Notes(strict=False))
    assert not notes.findings
    return survey


def test_official_shape_gives_the_published_counts(official: Survey) -> None:
    dataset = official.dataset()
    sizes = {split: (len(dataset.rows(split)), len(dataset.persons(split))) for split in dataset.splits}
    # 20,284 + 9,929; 1,974 + 1,980; 22,258 + 11,909; 6,775 + 3,803
    assert sizes == {"train": (30213, 296), "val": (3954, 99), "trainval": (34167, 395), "test": (10578, 96)}
    assert len(dataset.crops) == 44745
    per_camera = {
        split: [sum(dataset.crops[row].camera == camera for row in dataset.rows(split)) for camera in "123456"]
        for split in ("train", "val", "test")
    }
    assert per_camera == {
        "train": [4721, 5753, 5929, 4821, 4989, 4000],
        "val": [0, 0, 1980, 990, 984, 0],
        "test": [1374, 1565, 1883, 1918, 1918, 1920],
    }


def test_official_shape_equals_the_table_cell_by_cell(official: Survey) -> None:
    assert official.counts() == sysu_mm01.OFFICIAL_COUNTS


def test_the_table_by_hand() -> None:
    counts = sysu_mm01.OFFICIAL_COUNTS
    tested = [counts[Cell("test", camera, sysu_mm01.CAMERA_MODALITY[camera])] for camera in "123456"]
    assert [count.images for count in tested] == [1374, 1565, 1883, 1918, 1918, 1920]
    assert [count.persons for count in tested] == [56, 56, 93, 94, 95, 96]
    assert counts[Cell("trainval", None, Modality.RGB)] == Count(22258, 395)
    assert counts[Cell("val", None, Modality.IR)] == Count(1980, 99)
    assert Cell("val", "1", Modality.RGB) not in counts


def test_order_modality_and_places(tmp_path: Path) -> None:
    dataset = sysu_mm01.read(sysu_tree(tmp_path))
    assert dataset.crops[0] == Crop("cam1/0001/0001.jpg", 1, "1", Modality.RGB)
    assert dataset.crops[-1] == Crop("cam6/0010/0002.jpg", 10, "6", Modality.IR)
    assert [crop.path for crop in dataset.crops] == sorted(crop.path for crop in dataset.crops)
    assert {crop.camera for crop in dataset.crops if crop.modality is Modality.IR} == {"3", "6"}
    assert [dataset.location(camera) for camera in "123456"] == ["1", "2", "2", "4", "5", "6"]
    assert dataset.persons("trainval") == [1, 2, 3, 4]


def test_numbers_beyond_four_digits_order_by_value(tmp_path: Path) -> None:
    folder = sysu_tree(tmp_path) / "cam1" / "0001"
    for number in ("9999", "10000"):
        draw(folder / f"{number}.jpg", colour=True)
    paths = [crop.path for crop in sysu_mm01.read(tmp_path).crops if crop.path.startswith("cam1/0001")]
    assert [Path(path).stem for path in paths] == ["0001", "0002", "9999", "10000"]


@pytest.mark.parametrize("split", ["train", "val", "test", "available"])
def test_mat_lists_equal_text_lists(shared: Path, tmp_path: Path, split: str) -> None:
    exp = shared / "data/sysu_mm01/exp"
    (tmp_path / "exp").mkdir()
    shutil.copy(exp / f"{split}_id.mat", tmp_path / "exp")
    expected = [int(token) for token in (exp / f"{split}_id.txt").read_text().split(",")]
    assert sysu_mm01.read_ids(tmp_path, split) == expected


def test_ids_need_no_images(tmp_path: Path) -> None:
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "test_id.txt").write_text("6, 10,17\n")
    assert sysu_mm01.read_ids(tmp_path, "test") == [6, 10, 17]


def test_missing_list_is_told_as_promised(tmp_path: Path) -> None:
    (sysu_tree(tmp_path) / "exp" / "test_id.txt").unlink()
    with pytest.raises(DataError) as told:
        sysu_mm01.read(tmp_path)
    assert str(told.value) == (
        f"{tmp_path} has no exp/test_id.txt. Expected the SYSU-MM01 root (cam1 ... cam6, exp)."
        " Give the path of that folder."
    )


def test_missing_root(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist. Expected the SYSU-MM01 root"):
        sysu_mm01.read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "told"),
    [("6,ten", "holds 'ten', which is no identity"), ("\n", "names no identity"), ("0,1", "holds '0'")],
)
def test_malformed_list(tmp_path: Path, text: str, told: str) -> None:
    (sysu_tree(tmp_path) / "exp" / "test_id.txt").write_text(text)
    with pytest.raises(DataError, match=told):
        sysu_mm01.read(tmp_path)


def test_broken_mat_list(tmp_path: Path) -> None:
    lists = sysu_tree(tmp_path) / "exp"
    (lists / "val_id.txt").unlink()
    (lists / "val_id.mat").write_bytes(b"MATLAB 5.0 MAT-file, cut off")
    with pytest.raises(DataError, match=r"val_id.mat cannot be read as a Matlab file"):
        sysu_mm01.read(tmp_path)


def test_refuses_shared_persons(tmp_path: Path) -> None:
    (sysu_tree(tmp_path) / "exp" / "val_id.txt").write_text("4,6,10")
    with pytest.raises(DataError, match="has persons in both 'val' and 'test': 6, 10"):
        sysu_mm01.read(tmp_path)


def test_generated_people_are_called_so(tmp_path: Path) -> None:
    root = sysu_tree(tmp_path)
    assert sysu_mm01.read(root).title == "sysu_mm01"
    (root / "synth.json").write_text("{}")
    assert sysu_mm01.read(root).title == "generated people in sysu_mm01's layout"
    assert sysu_mm01.read(root).without("test").generated
