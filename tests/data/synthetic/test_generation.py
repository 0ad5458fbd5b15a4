"""Datasets on disk: same bytes for any number of workers and after any interruption, and the public layouts."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from tapetum.data.synthetic import PRESETS, SynthesisSpec, generate, read_manifest
from tapetum.data.synthetic import generation as generation_module
from tapetum.data.synthetic.pictures import camera_numbers
from tapetum.errors import OutputError

SPEC = SynthesisSpec(train=2, val=1, test=2, per_camera=2, truth="all", seed=4)


def _files(root: Path) -> dict[str, bytes]:
    """All files but the record, whose command line and versions may differ."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "synth.json"
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "made"
    generate(SPEC, out, workers=1)
    return out


def test_two_workers_write_the_same_bytes(made: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    manifest = generate(SPEC, tmp_path / "two", workers=2, progress=lambda done, all_: calls.append((done, all_)))
    assert _files(tmp_path / "two") == _files(made)
    assert manifest == read_manifest(made)
    assert calls == [(done, 5) for done in range(6)]


def test_the_layout_is_that_of_sysu_mm01(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == [
        "attributes.csv", *(f"cam{number}" for number in range(1, 7)), "exp", "synth.json", "truth",
    ]  # fmt: skip
    for number in range(1, 7):
        assert [path.name for path in sorted((made / f"cam{number}").iterdir())] == [f"{p:04d}" for p in range(1, 6)]
        assert [path.name for path in sorted((made / f"cam{number}" / "0003").iterdir())] == ["0001.jpg", "0002.jpg"]
    assert (made / "exp" / "train_id.txt").read_text() == "1,2\n"
    assert (made / "exp" / "val_id.txt").read_text() == "3\n"
    assert (made / "exp" / "test_id.txt").read_text() == "4,5\n"
    # The common reader takes camera and id from fixed places of the path's end.
    path = str(made / "cam3" / "0005" / "0002.jpg")
    assert (int(path[-15]), int(path[-13:-9])) == (3, 5)


def test_every_picture_opens_and_has_its_truth(made: Path) -> None:
    pictures = sorted(made.glob("cam*/*/*.jpg"))
    assert len(pictures) == 60
    for path in pictures:
        relative = path.relative_to(made)
        with Image.open(path) as picture, Image.open((made / "truth" / "parts" / relative).with_suffix(".png")) as part:
            assert picture.mode == "RGB"
            assert part.size == picture.size
            labels = np.asarray(part)
            assert labels.max() <= 14
        with Image.open((made / "truth" / "depth" / relative).with_suffix(".png")) as depth:
            # 0 where nobody is; 32768 is the body's middle, 10000 steps are a body height.
            levels = np.asarray(depth).astype(int)
            assert ((levels > 0) == ((labels > 0) & (labels < 14))).all()
            assert abs(np.median(levels[levels > 0]) - 32768) < 2500
        keypoints = json.loads((made / "truth" / "keypoints" / f"{relative.parts[1]}.json").read_text())
        assert len(keypoints[relative.as_posix()]) == 15
        views = json.loads((made / "truth" / "views" / f"{relative.parts[1]}.json").read_text())
        assert views[relative.as_posix()]["camera"] == relative.parts[0]


def test_the_gallery_draw_has_the_official_form(made: Path) -> None:
    file = made / "exp" / "rand_perm_cam.mat"
    assert b"Created on" not in file.read_bytes()[:116]  # where scipy writes the time of day
    cells = loadmat(file)["rand_perm_cam"]
    assert cells.shape == (6, 1)
    for camera in range(6):
        assert cells[camera, 0].shape == (5, 1)
        for person in range(5):
            draw = cells[camera, 0][person, 0]
            assert draw.shape == (10, 2)
            assert draw.dtype == np.uint8
            assert (np.sort(draw, axis=1) == [1, 2]).all()
    first = [tuple(map(int, cells[camera, 0][person, 0][:, 0])) for camera in range(6) for person in range(5)]
    assert len(set(first)) > 20  # every cell has its own draw


def test_attributes_tell_the_structure_and_nothing_else(made: Path) -> None:
    with (made / "attributes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["person"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["split"] for row in rows] == ["train", "train", "val", "test", "test"]
    assert {"upper", "lower", "hair", "headwear", "carried", "shoulder", "hood_down", "open_front"} <= set(rows[0])
    assert not {"gender", "profile", "sex", "A", "B"} & {value for row in rows for value in (*row, *row.values())}


class _StopError(Exception):
    pass


def test_an_interrupted_generation_goes_on(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise _StopError

    out = tmp_path / "resumed"
    with pytest.raises(_StopError):
        generate(SPEC, out, workers=1, progress=stop)
    assert read_manifest(out) is None
    # A run killed between putting folders in place and marking the person leaves them: they are made anew.
    (out / "cam1" / "0003").mkdir(parents=True)
    (out / "cam1" / "0003" / "0001.jpg").write_bytes(b"broken")
    (out / ".progress" / "0004.part").mkdir()
    drawn: list[int] = []
    original = generation_module.draw_album
    monkeypatch.setattr(
        generation_module, "draw_album", lambda spec, person: (drawn.append(person), original(spec, person))[1]
    )
    generate(SPEC, out, workers=1)
    assert drawn == [3, 4, 5]
    assert _files(out) == _files(made)


def test_a_complete_dataset_is_left_alone_and_another_is_refused(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    manifest = generate(SPEC, made, workers=1)
    assert manifest.images == 60
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before
    with pytest.raises(OutputError, match=r"another synthetic dataset \(seed 4"):
        generate(replace(SPEC, seed=5), made)


def test_a_folder_with_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(OutputError, match="not empty"):
        generate(SPEC, tmp_path)
    with pytest.raises(OutputError, match="is a file"):
        generate(SPEC, tmp_path / "holiday.jpg")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "holiday.jpg"]


def test_a_beginning_of_another_dataset_is_refused(tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        raise _StopError

    with pytest.raises(_StopError):
        generate(SPEC, tmp_path, workers=1, progress=stop)
    with pytest.raises(OutputError, match="beginning of another"):
        generate(replace(SPEC, train=3), tmp_path, workers=1)


@pytest.fixture
def regdb(tmp_path: Path) -> Iterator[Path]:
    generate(SynthesisSpec(train=2, val=0, test=2, per_camera=2, mode="regdb"), tmp_path / "regdb", workers=1)
    return tmp_path / "regdb"


def test_regdb_mode_has_regdbs_lists_and_thermal_pictures(regdb: Path) -> None:
    assert sorted(path.name for path in regdb.iterdir()) == [
        "Thermal",
        "Visible",
        "attributes.csv",
        "idx",
        "synth.json",
    ]
    assert len(list((regdb / "idx").iterdir())) == 40
    for trial in range(1, 11):
        lists = {
            (split, band): [line.split() for line in (regdb / "idx" / f"{split}_{band}_{trial}.txt").open()]
            for split in ("train", "test")
            for band in ("visible", "thermal")
        }
        persons = {key: {path.split("/")[1] for path, _ in lines} for key, lines in lists.items()}
        assert persons["train", "visible"] == persons["train", "thermal"]
        assert not persons["train", "visible"] & persons["test", "visible"]
        for lines in lists.values():
            assert [label for _, label in lines] == ["0", "0", "1", "1"]
            for path, _ in lines:
                with Image.open(regdb / path) as picture:
                    assert (picture.size, picture.format) == ((64, 128), "BMP")


def test_missing_cameras_leave_a_colour_and_an_infrared_one() -> None:
    spec = replace(PRESETS["small"], missing_camera=0.8)
    seen = [camera_numbers(spec, person) for person in range(1, 200)]
    assert all(set(cameras) & {1, 2, 4, 5} and set(cameras) & {3, 6} for cameras in seen)
    assert np.mean([len(cameras) for cameras in seen]) < 3
    assert camera_numbers(PRESETS["small"], 1) == [1, 2, 3, 4, 5, 6]


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(generation_module, "write_person", full)
    with pytest.raises(OutputError, match="No space left"):
        generate(SPEC, tmp_path / "full", workers=1)
