"""The table of attributes: classes in alphabetical order, what is unknown, and broken tables."""

from __future__ import annotations

import pytest

from tapetum.data.attributes import read_attributes
from tapetum.errors import DataError


def test_classes_by_hand(tmp_path):
    table = tmp_path / "attributes.csv"
    table.write_text(
        "person,split,bag,hat\n3,train,rucksack,cap\n1,train,none,\n9,test,trolley,cap\n4,train,handbag,hood\n"
    )
    found = read_attributes(table, [1, 3, 4, 7])
    # Of persons 1, 3, 4: handbag 0, none 1, rucksack 2; person 9's trolley is not theirs. Nobody knows person 7.
    assert found["bag"].tolist() == [1, 2, 0, -1]
    assert found["hat"].tolist() == [-1, 0, 1, -1]
    assert set(found) == {"split", "bag", "hat"}


def test_broken_tables_are_named(tmp_path):
    table = tmp_path / "attributes.csv"
    with pytest.raises(DataError, match=r"attributes.csv cannot be read as a table"):
        read_attributes(table, [1])
    table.write_text("id,bag\n1,none\n")
    with pytest.raises(DataError, match="no column 'person'"):
        read_attributes(table, [1])
    table.write_text("person,bag\nanna,none\n")
    with pytest.raises(DataError, match="'anna' is no person"):
        read_attributes(table, [1])
