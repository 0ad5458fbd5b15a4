"""The check goes to the end of a broken tree and tells of everything; each kind of fault has its tree here."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dataset_trees import SYSU_IDS, draw, llcm_tree, regdb_tree, replace_in, sysu_tree

from tapetum.core import Modality
from tapetum.data import check as checking
from tapetum.data.check import check
from tapetum.data.survey import Cell, Count
from tapetum.errors import DataError, RecipeError

COUNTS = "has other counts than sysu_mm01 as published. Its numbers compare with no paper's."


def found(root: Path, name: str = "sysu_mm01") -> list[tuple[str, str, str]]:
    """(severity, path under the root, sentence) of all findings but the one about other counts than published."""
    report = check(name, root, workers=1)
    places = [
        (each.severity.value, Path(each.path).relative_to(root).as_posix(), each.sentence) for each in report.findings
    ]
    return [place for place in places if "has other counts than" not in place[2]]


def test_whole_tree(tmp_path: Path) -> None:
    assert found(sysu_tree(tmp_path)) == []


Break = Callable[[Path], object]
FAULTS: list[tuple[Break, str, str, str]] = [
    (lambda root: (root / "exp/val_id.txt").unlink(), "error", ".", "has no exp/val_id.txt. Expected the SYSU-MM01"),
    (lambda root: shutil.rmtree(root / "cam5"), "error", ".", "has no cam5. Expected the SYSU-MM01 root"),
    (
        lambda root: (root / "cam7").mkdir(),
        "error",
        "cam7",
        "is a camera that SYSU-MM01 does not have (cam1 ... cam6).",
    ),
    (lambda root: (root / "cam1/0001/0002.jpg").write_bytes(b""), "error", "cam1/0001/0002.jpg", "is empty (0 bytes)."),
    (
        lambda root: draw(root / "cam2/0010/0002.jpg", colour=False, mode="L"),
        "error",
        "cam2/0010/0002.jpg",
        "has mode L, and rgb images have RGB.",
    ),
    (
        lambda root: draw(root / "cam3/0010/0002.jpg", colour=True),
        "warning",
        "cam3/0010/0002.jpg",
        "is an ir image in colour",
    ),
    (
        lambda root: (root / "exp/val_id.txt").write_text("4,6"),
        "error",
        "exp",
        "has persons in both 'val' and 'test': 6. Give each person to one split.",
    ),
    (
        lambda root: (root / "exp/train_id.txt").write_text("1,2,3,x"),
        "error",
        "exp/train_id.txt",
        "holds 'x', which is no identity.",
    ),
    (
        lambda root: (root / "exp/train_id.txt").write_text("1,2,3,2"),
        "warning",
        "exp/train_id.txt",
        "names identities more than once: 2.",
    ),
    (
        lambda root: (root / "exp/train_id.txt").write_text("1,2,3,55"),
        "warning",
        "exp/train_id.txt",
        "names persons without an image: 55.",
    ),
    (
        lambda root: (root / "exp/test_id.txt").write_text("6"),
        "warning",
        ".",
        "has persons whom no list in exp names: 10.",
    ),
    (
        lambda root: [shutil.rmtree(root / camera / "0002") for camera in ("cam3", "cam6")],
        "warning",
        ".",
        "has persons of 'train' with rgb images alone: 2.",
    ),
    (
        lambda root: (root / "cam4/0006/0001.jpg").rename(root / "cam4/0006/0003.jpg"),
        "warning",
        "cam4/0006",
        "has image 2 where 1 was expected. The official trials name images by number",
    ),
    (
        lambda root: draw(root / "cam4/0006/0002.png", colour=True),
        "error",
        "cam4/0006/0002.png",
        "has the number of 0002.jpg. Remove one of them.",
    ),
    (
        lambda root: draw(root / "cam4/0006/portrait.jpg", colour=True),
        "error",
        "cam4/0006/portrait.jpg",
        "is not named by its number.",
    ),
    (lambda root: (root / "cam4/person").mkdir(), "error", "cam4/person", "is no person's folder."),
    (
        lambda root: (root / "cam4/0006").rename(root / "cam4/6"),
        "error",
        "cam4/6",
        "is not named by four digits. Rename it to 0006.",
    ),
    (
        lambda root: (root / "cam4/0006/list.txt").touch(),
        "warning",
        "cam4/0006/list.txt",
        "is not an image and is left out.",
    ),
    (
        lambda root: draw(root / "cam4/0001.jpg", colour=True),
        "warning",
        "cam4/0001.jpg",
        "lies outside the persons' folders and is left out.",
    ),
]


@pytest.mark.parametrize(("damage", "severity", "path", "sentence"), FAULTS, ids=[fault[3][:40] for fault in FAULTS])
def test_each_fault_of_a_sysu_tree(tmp_path: Path, damage: Break, severity: str, path: str, sentence: str) -> None:
    damage(sysu_tree(tmp_path))
    told = [place for place in found(tmp_path) if place[:2] == (severity, path) and place[2].startswith(sentence)]
    assert len(told) == 1


def test_all_faults_at_once(tmp_path: Path) -> None:
    sysu_tree(tmp_path)
    (tmp_path / "exp/val_id.txt").unlink()
    (tmp_path / "cam7").mkdir()
    (tmp_path / "cam1/0001/0001.jpg").write_bytes(b"")
    whole = (tmp_path / "cam6/0010/0002.jpg").read_bytes()
    (tmp_path / "cam6/0010/0002.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cam2/0002/list.txt").touch()
    told = [(severity, path) for severity, path, _ in found(tmp_path)]
    assert told == [
        ("error", "."),
        ("error", "cam1/0001/0001.jpg"),
        ("error", "cam6/0010/0002.jpg"),
        ("error", "cam7"),
        ("warning", "."),  # without the list, person 4 is in no split
        ("warning", "cam2/0002/list.txt"),
    ]


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "._0001.jpg"):
        (sysu_tree(tmp_path) if not any(tmp_path.iterdir()) else tmp_path).joinpath("cam1/0001", name).touch()
    assert found(tmp_path) == []


def test_counts_beside_the_published_ones(tmp_path: Path) -> None:
    report = check("sysu_mm01", sysu_tree(tmp_path), workers=1)
    rows = {row.cell: row for row in report.rows}
    # Two pictures of each of the three training persons in each of six cameras.
    assert rows[Cell("train", "3", Modality.IR)][1:] == (Count(6, 3), Count(5929, 293))
    assert rows[Cell("train", None, Modality.RGB)][1:] == (Count(24, 3), Count(20284, 296))
    assert rows[Cell("val", "1", Modality.RGB)][1:] == (Count(2, 1), None)
    assert not rows[Cell("val", "1", Modality.RGB)].differs
    assert rows[Cell("train", "3", Modality.IR)].differs
    assert [(finding.severity, finding.sentence) for finding in report.findings] == [("warning", COUNTS)]
    assert report.opened == 12 * sum(map(len, SYSU_IDS.values()))
    assert (report.errors, len(report.warnings)) == ((), 1)


def test_rows_are_in_order(tmp_path: Path) -> None:
    report = check("sysu_mm01", sysu_tree(tmp_path), workers=1)
    train = [row.cell[1:] for row in report.rows if row.cell.split == "train"]
    assert [camera for camera, _ in train] == ["1", "2", "3", "4", "5", "6", None, None, None]
    assert [modality for _, modality in train[-3:]] == [Modality.RGB, Modality.IR, None]
    assert list(dict.fromkeys(row.cell.split for row in report.rows)) == ["train", "val", "trainval", "test"]


def test_crops_in_no_split_are_counted(tmp_path: Path) -> None:
    (sysu_tree(tmp_path) / "exp/test_id.txt").write_text("6")
    rows = {row.cell: row.found for row in check("sysu_mm01", tmp_path, workers=1).rows}
    assert rows[Cell("in no split", None, None)] == Count(12, 1)


def test_regdb(tmp_path: Path) -> None:
    assert found(regdb_tree(tmp_path), "regdb") == []
    draw(tmp_path / "Visible/9/extra.bmp", colour=True)
    (tmp_path / "Thermal/4/man_t_00001_4.bmp").unlink()
    replace_in(tmp_path / "idx/train_visible_1.txt", "Visible/2/man_v_00002_2.bmp 1", "Visible/2/man_v_00002_2.bmp")
    (tmp_path / "idx/test_visible_9.txt").unlink()
    replace_in(tmp_path / "idx/train_visible_8.txt", "Visible/1/", "Visible/77/")
    replace_in(tmp_path / "idx/train_visible_7.txt", "Visible/1/man_v_00001_1", "Visible/4/man_v_00001_4")
    told = [(severity, path, sentence.split(".")[0][:60]) for severity, path, sentence in found(tmp_path, "regdb")]
    assert told == [
        ("error", "idx/test_thermal_1.txt", "line 1 names Thermal/4/man_t_00001_4"),
        ("error", "idx/train_visible_1.txt", "line 4 is 'Visible/2/man_v_00002_2"),
        ("warning", ".", "has no idx/test_visible_9"),
        ("warning", ".", "has persons in both 'train' and 'test': 4"),
        ("warning", "Visible/2", "holds images that no list names: man_v_00002_2"),
        ("warning", "Visible/9", "holds images that no list names: extra"),
        ("warning", "idx/train_visible_8.txt", "line 1 names Visible/77/man_v_00001_1"),
        ("warning", "idx/train_visible_8.txt", "line 2 names Visible/77/man_v_00002_1"),
    ]


def test_regdb_without_a_folder_tells_it_once(tmp_path: Path) -> None:
    shutil.rmtree(regdb_tree(tmp_path) / "Thermal")
    told = [place for place in found(tmp_path, "regdb") if place[0] == "error"]
    assert [place[2][:16] for place in told] == ["has no Thermal. "]


def test_llcm(tmp_path: Path) -> None:
    assert found(llcm_tree(tmp_path), "llcm") == []
    name = "vis/0007/0007_c03_s183650_f3_vis.jpg"
    (tmp_path / name).rename(tmp_path / name.replace("c03", "c10"))
    replace_in(tmp_path / "idx/train_vis.txt", name, name.replace("c03", "c10"))
    replace_in(tmp_path / "idx/test_vis.txt", "vis/0891/0891_c03", "vis/0250/0250_c03")
    (tmp_path / "idx/test_nir.txt").unlink()
    told = [(severity, path) for severity, path, _ in found(tmp_path, "llcm")]
    assert ("error", name.replace("c03", "c10")) in told
    assert told.count(("error", ".")) == 2  # a list is missing, person 250 is in train and test
    assert ("warning", "vis/0891") in told  # his picture is in no list now
    assert ("warning", "nir/0891") in told


def test_folder_and_table(tmp_path: Path) -> None:
    for path in ("query/ir/1/a.jpg", "query/ir/2/b.jpg", "gallery/rgb/1/c.jpg"):
        draw(tmp_path / path, colour="rgb" in path)
    (tmp_path / "gallery/rgb/5").mkdir()
    (tmp_path / "gallery/rgb/ann").mkdir()
    assert [(severity, path) for severity, path, _ in found(tmp_path, "folder")] == [
        ("error", "gallery/rgb/ann"),
        ("warning", "."),  # query person 2 is not in the gallery
        ("warning", "gallery/rgb/5"),
    ]
    table = tmp_path / "crops.csv"
    table.write_text(
        "path,person,camera,modality\nquery/ir/1/a.jpg,x,1,ir\nnone.jpg,1,1,ir\ngallery/rgb/1/c.jpg,1,1,ir\n"
    )
    report = check("folder", table, workers=1)
    assert [(finding.severity, finding.sentence[:25]) for finding in report.findings] == [
        ("error", "line 2: person is 'x'. Ex"),
        ("error", "line 3 names none.jpg, wh"),
        ("warning", "has persons of 'train' wi"),
        ("warning", "is an ir image in colour "),
    ]


def test_pku_reid_74(shared: Path) -> None:
    report = check("pku_reid_74", shared / "data/pku_reid_74", workers=1)
    assert report.findings == ()
    assert report.opened == 1184
    assert {row.found for row in report.rows if row.cell == Cell("all", None, Modality.IR)} == {Count(1184, 74)}


def test_what_cannot_be_checked_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist. Expected the root of sysu_mm01"):
        check("sysu_mm01", tmp_path / "nowhere")
    with pytest.raises(RecipeError, match="no dataset is called 'sysu'"):
        check("sysu", tmp_path)
    with pytest.raises(RecipeError, match="regdb has no option 'trail'"):
        check("regdb", tmp_path, {"trail": 1})


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    checking.check("sysu_mm01", sysu_tree(tmp_path), workers=1, progress=lambda done, total: told.append((done, total)))
    assert told == [(64, 72), (72, 72)]
