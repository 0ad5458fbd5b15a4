from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from feature_trees import own_table, spread, sysu_files

from tapetum.core import Modality
from tapetum.errors import EmbeddingError
from tapetum.evaluation.crop_rows import CropRow
from tapetum.evaluation.features import Features
from tapetum.evaluation.matching import match
from tapetum.evaluation.reference import Place, find_reference

RGB, IR = Modality.RGB, Modality.IR
SOURCE = Path("v.npy")


def named(path, person=None, camera=None, modality=None, time=None):
    return CropRow(path, person, camera, modality, time)


def features(rows, **record):
    return Features(spread(len(rows)), rows, SOURCE, record)


@pytest.fixture
def sysu(tmp_path):
    return find_reference({}, Place(root=sysu_files(tmp_path / "sysu")), SOURCE)


def rows_of_split(reference, split):
    return [named(reference.dataset.crops[row].path) for row in reference.dataset.rows(split)]


def test_the_dataset_says_whose_each_vector_is_in_any_order(sysu):
    rows = rows_of_split(sysu, "test")
    given = features(rows)
    found = match(given, sysu)
    assert found.vectors is given.vectors  # a large file is not copied
    assert [crop.path for crop in found.crops] == [row.path for row in rows]
    assert found.crops[0] == sysu.dataset.crops[sysu.dataset.rows("test")[0]]
    assert (found.declared, found.notes) == (None, ())
    turned = match(Features(given.vectors[::-1], rows[::-1], SOURCE), sysu)
    assert turned.crops == found.crops
    np.testing.assert_array_equal(turned.vectors, found.vectors)


def test_images_of_other_splits_take_no_part_and_this_is_said(sysu):
    rows = [*rows_of_split(sysu, "train"), *rows_of_split(sysu, "test")]
    given = features(rows)
    found = match(given, sysu)
    np.testing.assert_array_equal(found.vectors, given.vectors[24:])
    assert {crop.person for crop in found.crops} == {2, 5, 7}
    assert found.notes == ("24 of 60 vectors took no part: not of the split 'test'",)


def test_paths_below_the_root_may_be_absolute(sysu):
    rows = [named(f"{sysu.root}/{row.path}") for row in rows_of_split(sysu, "test")]
    assert match(features(rows), sysu).crops[0].path == "cam1/0002/0001.jpg"


def test_missing_images_are_counted_and_the_first_is_named(sysu):
    rows = rows_of_split(sysu, "test")
    with pytest.raises(EmbeddingError) as caught:
        match(features(rows[2:]), sysu)
    assert str(caught.value) == (
        "v.npy has no vector of cam1/0002/0001.jpg (2 images of the split 'test' are missing). Embed all of them."
    )
    with pytest.raises(EmbeddingError, match=r"36 images .* It holds the split 'train'\. Embed all of them"):
        match(features(rows_of_split(sysu, "train"), split="train"), sysu)
    # Broken pictures that `embed --skip-broken` has left out are missing from a public protocol all the same.
    with pytest.raises(EmbeddingError, match=r"no vector of cam1/0002/0001\.jpg"):
        match(features(rows[1:], left_out=[rows[0].path]), sysu)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (named("cam1/0002/0003.jpg"), "v.npy: row 1 is of cam1/0002/0003.jpg, which sysu_mm01 in"),
        (named("cam1/0002/0001.jpg", person=5), "row 1 (cam1/0002/0001.jpg) says person 5, and sysu_mm01 says 2."),
        (named("cam1/0002/0001.jpg", camera="2"), "says camera 2, and sysu_mm01 says 1. Correct the table, or leave"),
        (named("cam1/0002/0001.jpg", modality=IR), "says modality ir, and sysu_mm01 says rgb"),
    ],
)
def test_rows_that_the_dataset_does_not_know(sysu, row, words):
    with pytest.raises(EmbeddingError) as caught:
        match(features([row, *rows_of_split(sysu, "test")[1:]]), sysu)
    assert words in str(caught.value)


def test_what_the_table_says_rightly_is_no_reason(sysu):
    rows = rows_of_split(sysu, "test")
    rows[0] = named(rows[0].path, 2, "1", RGB, datetime(2024, 5, 1))
    assert len(match(features(rows), sysu).crops) == 36


def test_one_image_under_two_names_is_found(sysu):
    rows = rows_of_split(sysu, "test")
    with pytest.raises(EmbeddingError, match=r"v\.npy has 2 vectors of cam1/0002/0001\.jpg"):
        match(features([*rows, named(f"{sysu.root}/{rows[0].path}")]), sysu)


ROWS = [
    ("q.jpg", 1, "1", "ir", "query"),
    ("r.jpg", 2, "1", "rgb", "query"),
    ("a.jpg", 1, "2", "rgb", "gallery"),
    ("b.jpg", 2, "2", "ir", "gallery"),
    ("c.jpg", "", "2", "ir", "gallery"),
    ("t.jpg", 3, "2", "ir", "train"),
]


def own(tmp_path, rows=ROWS):
    return find_reference({}, Place("folder", own_table(tmp_path, rows)), SOURCE)


def test_own_data_with_query_and_gallery(tmp_path):
    reference = own(tmp_path)
    found = match(features([named(f"{name}.jpg") for name in "brtaqc"]), reference)
    asked, answered = ([found.crops[row].path for row in side] for side in found.declared)
    assert (asked, answered) == (["q.jpg", "r.jpg"], ["a.jpg", "b.jpg"])
    assert found.notes == (
        "1 of 6 vectors took no part: nobody knows whom their images show",
        "1 of 6 vectors took no part: not of the split 'test'",
    )
    with pytest.raises(EmbeddingError, match=r"no vector of b\.jpg \(1 images of the split 'test' are missing\)"):
        match(features([named(path) for path in ("r.jpg", "a.jpg", "q.jpg")]), reference)


def test_own_pictures_that_were_broken_are_noted(tmp_path):
    found = match(features([named(path) for path in ("r.jpg", "a.jpg", "q.jpg")], left_out=["b.jpg"]), own(tmp_path))
    assert found.notes == ("1 broken pictures were left out when embedding (b.jpg ...)",)
    assert found.declared == ([1, 2], [0])


def test_own_data_without_declared_queries_is_the_split_that_was_embedded(tmp_path):
    rows = [(path, person, camera, light, "test" if split == "query" else split) for path, person, camera, light, split
            in ROWS if split != "gallery"]  # fmt: skip
    reference = own(tmp_path, rows)
    assert len(match(features([named("q.jpg"), named("r.jpg")], split="test"), reference).crops) == 2
    assert len(match(features([named("t.jpg")], split="train"), reference).crops) == 1
    assert match(features([named("q.jpg"), named("r.jpg")]), reference).declared is None


def test_one_picture_for_both_modalities_must_say_which(tmp_path):
    (tmp_path / "val" / "all_imgs" / "001").mkdir(parents=True)
    (tmp_path / "train" / "002").mkdir(parents=True)
    for camera in "12":
        (tmp_path / "val" / "all_imgs" / "001" / f"{camera}_1.png").touch()
        (tmp_path / "train" / "002" / f"{camera}_1.png").touch()
    place = Place("pku_reid_74", tmp_path, {"folds": 2, "val_persons": 0})
    reference = find_reference({}, place, SOURCE)
    tested = reference.dataset.rows("test")
    rows = [named(reference.dataset.crops[row].path, modality=reference.dataset.crops[row].modality) for row in tested]
    assert len(match(features(rows), reference).crops) == 4
    with pytest.raises(EmbeddingError, match=r"stands for two modalities\. Add the column 'modality'"):
        match(features([named(rows[0].path)]), reference)


def lists_only(tmp_path, lists=("train", "val", "test")):
    (tmp_path / "exp").mkdir()
    for name in lists:
        (tmp_path / "exp" / f"{name}_id.txt").write_text({"train": "1,3", "val": "4", "test": "2,5,7"}[name])
    return find_reference({}, Place("sysu_mm01", tmp_path), SOURCE)


def test_without_images_the_table_speaks(tmp_path):
    time = datetime(2024, 5, 1)
    rows = [named("x", 2, "3", IR, time), named("y", 2, "1", RGB), named("z", 3, "1", RGB)]
    given = features(rows)
    found = match(given, lists_only(tmp_path))
    assert [(crop.path, crop.person, crop.camera, crop.time) for crop in found.crops] == [
        ("x", 2, "3", time), ("y", 2, "1", None)
    ]  # fmt: skip
    np.testing.assert_array_equal(found.vectors, given.vectors[:2])
    assert found.notes == ("1 of 3 vectors took no part: their persons are not in the test list",)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            named("y", 2, "1"),
            "v.npy: row 2 (y) has no modality. Add it to the table, or pass --root with the dataset's",
        ),
        (named("y", 2, None, RGB), "row 2 (y) has no camera"),
        (named("y", 2, "7", RGB), "row 2 (y) is of camera '7'. Expected 1, 2, 3, 4, 5, 6."),
        (named("y", 2, "3", RGB), "row 2 (y) is called rgb, which camera 3 is not"),
        (named("y", 99, "1", RGB), "row 2 (y) is of person 99, whom no list in"),
    ],
)
def test_rows_that_the_lists_do_not_know(tmp_path, row, words):
    with pytest.raises(EmbeddingError) as caught:
        match(features([named("x", 2, "3", IR), row]), lists_only(tmp_path))
    assert words in str(caught.value)


def test_the_test_list_alone_cannot_tell_unknown_persons(tmp_path):
    found = match(features([named("x", 2, "3", IR), named("y", 99, "1", RGB)]), lists_only(tmp_path, ("test",)))
    assert found.notes == ("1 of 2 vectors took no part: their persons are not in the test list",)


def test_other_cameras_and_splits_without_images():
    regdb = find_reference({}, Place("regdb"), SOURCE)
    with pytest.raises(EmbeddingError, match="is called ir, which camera 1 is not"):
        match(features([named("x", 2, "1", IR)]), regdb)
    with pytest.raises(EmbeddingError, match=r"v\.npy holds the split 'train' of regdb\. Embed the split 'test'"):
        match(features([named("x", 2, "2", IR)], split="train"), regdb)
    llcm = find_reference({}, Place("llcm"), SOURCE)
    assert match(features([named("x", 2, "9", IR)]), llcm).crops[0].camera == "9"
    with pytest.raises(EmbeddingError, match="is of camera '10'"):
        match(features([named("x", 2, "10", IR)]), llcm)


DECLARED = [
    CropRow("q", 1, "1", IR, None, "query"),
    CropRow("g", 1, "2", RGB, None, "gallery"),
    CropRow("t", 2, "2", RGB, None, "train"),
    CropRow("n", None, "2", RGB, None, "gallery"),
    CropRow("p", 2, "1", IR, None, "query"),
]


def test_own_data_without_images_as_the_column_split_declares_it():
    folder = find_reference({}, Place("folder"), SOURCE)
    given = features(DECLARED)
    found = match(given, folder)
    asked, answered = ([found.crops[row].path for row in side] for side in found.declared)
    assert (asked, answered) == (["q", "p"], ["g"])
    for crop, vector in zip(found.crops, found.vectors, strict=True):
        np.testing.assert_array_equal(vector, given.vectors["qgtnp".index(crop.path)])
    assert found.notes == (
        "1 of 5 vectors took no part: of another split",
        "1 of 4 vectors took no part: nobody knows whom their images show",
    )
    test = [row._replace(split="test" if row.split == "query" else row.split) for row in DECLARED if row.path != "g"]
    found = match(features([row for row in test if row.person]), folder)
    assert ([crop.path for crop in found.crops], found.declared) == (["p", "q"], None)
    none = match(features([row._replace(split=None) for row in DECLARED]), folder)
    assert (len(none.crops), none.declared) == (5, None)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (DECLARED[1:4], "v.npy has rows of the split 'gallery' alone. Declare both query and gallery."),
        ([DECLARED[0]._replace(split="qury")], "v.npy: row 1 (q) is of the split 'qury'. Did you mean 'query'?"),
    ],
)
def test_splits_that_declare_nothing(rows, words):
    with pytest.raises(EmbeddingError) as caught:
        match(features(rows), find_reference({}, Place("folder"), SOURCE))
    assert words in str(caught.value)


def test_persons_whom_nobody_knows(tmp_path):
    folder = find_reference({}, Place("folder"), SOURCE)
    found = match(features([named("x", 2, "gate", IR), named("y", None, "gate", RGB)]), folder)
    assert found.notes == ("1 of 2 vectors took no part: nobody knows whom their images show",)
    with pytest.raises(EmbeddingError, match=r"v\.npy holds 1 crops of persons whom nobody knows"):
        match(features([named("y", None, "gate", RGB)]), folder)
