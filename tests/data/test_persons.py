"""Who is set aside for validation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tapetum.core import Crop, Modality
from tapetum.data.persons import by_lot, carve_validation, persons_of


def crops_of(persons: list[int], single: frozenset[int] = frozenset()) -> list[Crop]:
    """One RGB and one IR crop each, but only RGB for the `single` ones."""
    return [
        Crop(f"{person}_{modality}", person, "1", modality)
        for person in persons
        for modality in Modality
        if modality is Modality.RGB or person not in single
    ]


def test_the_lot_never_changes() -> None:
    # SHA-256 of "tapetum person 1" ... "tapetum person 6", sorted with sha256sum.
    assert by_lot(range(1, 7)) == [3, 1, 2, 4, 5, 6]


@given(st.lists(st.integers(0, 999), min_size=2, max_size=30, unique=True), st.data())
def test_carving(persons: list[int], data: st.DataObject) -> None:
    single = frozenset(data.draw(st.lists(st.sampled_from(persons), unique=True, max_size=len(persons) - 1)))
    crops = crops_of(persons, single)
    count = data.draw(st.integers(0, min(len(persons) - 1, len(persons) - len(single))))
    rows = list(range(len(crops)))
    splits = carve_validation(crops, rows, count)
    chosen = set(persons_of(crops, splits.get("val", [])))
    assert len(chosen) == count
    assert not chosen & single
    assert ("val" in splits) == (count > 0)
    assert sorted(splits["train"] + splits.get("val", [])) == splits["trainval"] == rows
    assert not chosen & set(persons_of(crops, splits["train"]))


def test_more_validation_persons_keep_the_first_ones() -> None:
    crops = crops_of(list(range(20)))
    rows = list(range(len(crops)))
    few, many = (set(persons_of(crops, carve_validation(crops, rows, count)["val"])) for count in (3, 8))
    assert few < many
