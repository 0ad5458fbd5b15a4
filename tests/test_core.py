"""The words: a dataset keeps persons on one side of a split, and a view without the test split has no trace of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapetum.core import Crop, Dataset, Modality
from tapetum.errors import DataError

CROPS = tuple(
    Crop(f"{camera}/{person}.jpg", person, camera, Modality.RGB if camera == "1" else Modality.IR)
    for person in (5, 2, 9)
    for camera in ("1", "3")
)


def made(**splits: tuple[int, ...]) -> Dataset:
    return Dataset("own", Path("/pictures"), CROPS, splits, locations={"1": "hall", "3": "hall"})


def test_persons_of_a_split_are_sorted():
    assert made(train=(0, 1, 2), test=(4, 5)).persons("train") == [2, 5]


@pytest.mark.parametrize(("one", "other"), [("train", "test"), ("val", "test"), ("trainval", "test"), ("train", "val")])
def test_a_person_on_both_sides_is_refused_by_name(one, other):
    with pytest.raises(DataError, match=f"person 5 is in both '{one}' and '{other}'"):
        made(**{one: (0,), other: (1, 2)})


def test_trainval_may_hold_train_and_val():
    assert made(train=(0,), val=(2,), trainval=(0, 2), test=(4,)).persons("trainval") == [2, 5]


def test_unknown_split_names_the_known_ones():
    with pytest.raises(DataError, match="no split 'tset'. Did you mean 'test'"):
        made(train=(0,), test=(4,)).rows("tset")


def test_without_test_keeps_nothing_of_it():
    view = made(train=(0, 3), test=(4, 5)).without("test")
    assert [crop.person for crop in view.crops] == [5, 5, 2, 2]
    assert view.splits == {"train": (0, 3)}
    assert [view.crops[row].path for row in view.rows("train")] == ["1/5.jpg", "3/2.jpg"]
    with pytest.raises(DataError, match="no split 'test'"):
        view.rows("test")


def test_cameras_share_a_place_only_where_said():
    dataset = made(train=(0,))
    assert (dataset.location("1"), dataset.location("4")) == ("hall", "4")
