"""What persons wear and carry, from a table beside the pictures: class labels for attribute losses."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tapetum.core import IntArray
from tapetum.errors import DataError


def read_attributes(path: Path, persons: Sequence[int]) -> dict[str, IntArray]:
    """attribute -> (len(persons),) classes in the order of `persons`, -1 where nobody knows.

    path: a CSV file with a column `person` and one for each attribute; an empty cell, or no row: nobody knows.
    The classes of an attribute are its values in these persons' rows in alphabetical order, counted from 0.
    Raises DataError for a file that is not there or has no column `person`, and for a person that is no whole number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as a table of attributes. Mend data.attributes in the recipe."
        ) from error
    if not rows or "person" not in rows[0]:
        raise DataError(f"{path} has no column 'person'. Expected one row a person: person, then its attributes.")
    if wrong := next((row["person"] for row in rows if not (row["person"] or "").isdecimal()), None):
        raise DataError(f"{path}: '{wrong}' is no person. Give whole numbers in the column 'person'.")
    by_person = {int(row["person"]): row for row in rows}
    return {name: _classes([by_person.get(person, {}).get(name) for person in persons]) for name in _names(rows[0])}


def _names(row: dict[str, str]) -> list[str]:
    return [name for name in row if name not in (None, "person")]


def _classes(values: Sequence[str | None]) -> IntArray:
    place = {value: index for index, value in enumerate(sorted({value for value in values if value}))}
    return np.array([place[value] if value else -1 for value in values], dtype=np.int64)
