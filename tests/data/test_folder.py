"""Own crops: folders and tables are read, and everything else is refused with the first offending place."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_trees import draw

from tapetum.core import Crop, Modality
from tapetum.data import folder
from tapetum.data.crop_table import MODALITIES
from tapetum.data.findings import Notes
from tapetum.errors import DataError, RecipeError

HEADER = "path,person,camera,modality,time,split\n"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        draw(tmp_path / name, colour=True)
    return tmp_path


def write(root: Path, text: str, name: str = "crops.csv") -> Path:
    (root / name).write_text(text)
    return root / name


def test_folder_by_modality_and_person(tmp_path: Path) -> None:
    for path in ("rgb/7/x_c3_1.jpg", "rgb/7/c12s1_9.jpg", "rgb/0008/plain.jpg", "ir/7/y_c4.png", "ir/8/arc5_c.png"):
        draw(tmp_path / path, colour=path.startswith("rgb"))
    dataset = folder.read(tmp_path)
    assert dataset.crops == (
        Crop("ir/7/y_c4.png", 7, "4", Modality.IR),
        Crop("ir/8/arc5_c.png", 8, "2", Modality.IR),
        Crop("rgb/0008/plain.jpg", 8, "1", Modality.RGB),
        Crop("rgb/7/c12s1_9.jpg", 7, "12", Modality.RGB),
        Crop("rgb/7/x_c3_1.jpg", 7, "3", Modality.RGB),
    )
    assert dataset.splits == {"train": (0, 1, 2, 3, 4), "trainval": (0, 1, 2, 3, 4), "all": (0, 1, 2, 3, 4)}
    carved = folder.read(tmp_path, val_persons=1)
    assert sorted(carved.persons("train") + carved.persons("val")) == [7, 8]


def test_folder_by_split(tmp_path: Path) -> None:
    for split, person in (("train", 1), ("val", 2), ("query", 3), ("gallery", 3), ("gallery", 4)):
        for modality in ("rgb", "ir"):
            draw(tmp_path / split / modality / str(person) / f"{split}.jpg", colour=modality == "rgb")
    dataset = folder.read(tmp_path)
    assert {split: dataset.persons(split) for split in dataset.splits} == {
        "train": [1],
        "val": [2],
        "trainval": [1, 2],
        "query": [3],
        "gallery": [3, 4],
        "test": [3, 4],
        "all": [1, 2, 3, 4],
    }


def test_table(pictures: Path) -> None:
    rows = [
        "a.jpg,5,door,Visible,2024-05-01T18:30:00,train",
        "b.jpg,5,yard,thermal,2024-05-01T20:30:00+02:00,train",
        "c.jpg,6,door,rgb,,query",
        f"{pictures}/d.jpg,,yard,LWIR,,gallery",
    ]
    table = write(pictures, "\ufeff" + HEADER + "\n".join(rows) + "\n\n")
    dataset = folder.read(table)
    assert dataset.crops == (
        Crop("a.jpg", 5, "door", Modality.RGB, datetime(2024, 5, 1, 18, 30)),
        Crop("b.jpg", 5, "yard", Modality.IR, datetime(2024, 5, 1, 18, 30)),  # told in UTC
        Crop("c.jpg", 6, "door", Modality.RGB),
        Crop(f"{pictures}/d.jpg", None, "yard", Modality.IR),
    )
    assert dataset.rows("test") == (2, 3)
    assert (dataset.root, dataset.band) == (pictures, "thermal")
    again = folder.read(dataset.root, table=str(dataset.options["table"]))
    assert again == dataset


def test_tsv_and_parquet_equal_csv(pictures: Path) -> None:
    text = "path,person,camera,modality\na.jpg,5,1,nir\nb.jpg,,2,rgb\n"
    expected = folder.read(write(pictures, text)).crops
    assert folder.read(write(pictures, text.replace(",", "\t"), "crops.tsv")).crops == expected
    # pandas writes whole numbers with gaps as floats.
    columns = {"path": ["a.jpg", "b.jpg"], "person": [5.0, float("nan")], "camera": [1, 2], "modality": ["nir", "rgb"]}
    pq.write_table(pa.table(columns), pictures / "crops.parquet")
    assert folder.read(pictures / "crops.parquet").crops == expected


def test_parquet_times(pictures: Path) -> None:
    columns = {"path": ["a.jpg"], "person": [5], "camera": ["1"], "modality": ["ir"], "time": [datetime(2024, 5, 1, 6)]}
    pq.write_table(pa.table(columns), pictures / "crops.parquet")
    assert folder.read(pictures / "crops.parquet").crops[0].time == datetime(2024, 5, 1, 6)


@pytest.mark.parametrize("word", sorted(MODALITIES))
def test_every_word_for_a_modality(pictures: Path, word: str) -> None:
    table = write(pictures, f"path,person,camera,modality\na.jpg,1,1,{word}\n")
    assert folder.read(table).crops[0].modality is MODALITIES[word]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("b.jpg,1,1,rbg,,", "line 3: modality is 'rbg'. Did you mean 'rgb'?"),
        ("b.jpg,ann,1,rgb,,", "line 3: person is 'ann'. Expected a whole number from 0"),
        ("b.jpg,-1,1,rgb,,", "line 3: person is '-1'"),
        ("b.jpg,1.5,1,rgb,,", "line 3: person is '1.5'"),
        ("b.jpg,1,,rgb,,", "line 3: camera is empty"),
        (",1,1,rgb,,", "line 3: path is empty"),
        ("b.jpg,1,1,rgb,yesterday,", "line 3: time is 'yesterday'. Expected ISO 8601"),
        ("b.jpg,1,1,rgb,,trian", "line 3: split is 'trian'. Did you mean 'train'?"),
        ("b.jpg,,1,rgb,,train", "line 3: person is empty in split 'train'"),
        ("e.jpg,1,1,rgb,,", "line 3 names e.jpg, which does not exist"),
        ("a.jpg,1,1,rgb,,", r"line 3 names a.jpg again \(first in line 2\)"),
        ("b.jpg,1,1,rgb", "line 3 has 4 cells for 6 columns"),
        ('"b.jpg,1,1,rgb,,', r"cannot be read as a table \(unexpected end of data\)"),
    ],
)
def test_offending_row(pictures: Path, row: str, told: str) -> None:
    table = write(pictures, f"{HEADER}a.jpg,1,1,rgb,,\n{row}\n")
    with pytest.raises(DataError, match=told) as raised:
        folder.read(table)
    assert str(raised.value).startswith(str(table))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("path,person,modality", r"line 1: the columns camera are missing \(given: path, person, modality\)"),
        ("path;person;camera;modality", "line 1: the columns path, person, camera, modality are missing"),
        ("path,person,camera,modality,splits", "no column is called 'splits'. Did you mean 'split'?"),
        ("path,person,camera,modality,path", "line 1: a column stands there twice"),
        ("path,person,camera,modality", "has no row of crops"),
        ("", r"the columns .* are missing \(given: nothing\)"),
    ],
)
def test_offending_header(tmp_path: Path, header: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        folder.read(write(tmp_path, header + "\n"))


def test_foreign_column_is_a_warning(pictures: Path) -> None:
    folder.survey(write(pictures, "path,person,camera,modality,weather\na.jpg,1,1,rgb,rain\n"), notes := Notes(False))
    assert "has a column 'weather', which is not used." in {finding.sentence for finding in notes.findings}


def test_broken_files(tmp_path: Path) -> None:
    (tmp_path / "crops.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        folder.read(tmp_path / "crops.parquet")
    (tmp_path / "crops.csv").write_bytes(b"path,person\xff")
    with pytest.raises(DataError, match="Save it as UTF-8 text"):
        folder.read(tmp_path / "crops.csv")


def test_person_in_train_and_gallery(pictures: Path) -> None:
    table = write(pictures, HEADER + "a.jpg,1,1,rgb,,train\nb.jpg,1,1,rgb,,gallery\n")
    with pytest.raises(DataError, match="has persons in both 'train' and 'test': 1"):
        folder.read(table)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("rgb/ann/1.jpg", "rgb/ann is no person's folder. Name each person's folder by a number"),
        ("photos/1/1.jpg", "photos has no place here. Expected rgb/<person>/<image>"),
        ("train/night/1/1.jpg", "train/night has no place here"),
    ],
)
def test_offending_folder(tmp_path: Path, path: str, told: str) -> None:
    draw(tmp_path / path, colour=True)
    with pytest.raises(DataError, match=told):
        folder.read(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no crop. Expected rgb/<person>/<image>"):
        folder.read(tmp_path)
    with pytest.raises(DataError, match=r"nowhere does not exist"):
        folder.read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"x.txt is neither a folder nor a table"):
        folder.read(write(tmp_path, "", "x.txt"))


def test_validation_persons_need_an_undeclared_val(pictures: Path) -> None:
    table = write(pictures, HEADER + "a.jpg,1,1,rgb,,train\nb.jpg,2,1,rgb,,val\n")
    with pytest.raises(RecipeError, match="val_persons is 1, and these crops have a split val already"):
        folder.read(table, val_persons=1)
    table = write(pictures, HEADER + "a.jpg,1,1,rgb,,query\n")
    with pytest.raises(RecipeError, match="no split train to take them from"):
        folder.read(table, val_persons=1)


def test_unlabelled(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "deeper/c.jpg"):
        draw(tmp_path / name, colour=False)
    (tmp_path / "notes.txt").write_text("not an image")
    dataset = folder.read_unlabelled(tmp_path, Modality.IR, "9")
    assert dataset.crops == (Crop("a.jpg", None, "9", Modality.IR), Crop("b.png", None, "9", Modality.IR))
    assert dataset.rows("all") == (0, 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        folder.read_unlabelled(tmp_path / "empty", Modality.IR, "9")
    with pytest.raises(DataError, match="nowhere is not a folder. Give the folder that holds the pictures"):
        folder.read_unlabelled(tmp_path / "nowhere", Modality.IR, "9")
