"""The gallery's side of a count: the columns of a family, person by person, and what the counting reads of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray, IntArray
from tapetum.evaluation.families import Family
from tapetum.evaluation.points import Points, pieces
from tapetum.evaluation.ranking import BoolArray

LaneArray = NDArray[np.int64]
BitArray = NDArray[np.uint64]

LANES = 4
"""Counts of 16 bits that are added up in one number of 64."""
BITS = 64

_AT_ONCE = 1024


@dataclass(frozen=True)
class Columns:
    """U columns of a family's gallery, sorted by person.

    rows: rows of the table; place: the order that breaks ties; person; group: None when no pair is hidden.
    member: (U, T), which trial holds which column; lanes: (U, ceil(T / 4)), the same with four trials in a number;
    bits: (U, ceil(T / 64)), the same with a bit for each trial.
    squares, lengths: |g|^2 and |g|, rounded up, of the moved vectors.
    original: the first column with the same vector; None when all differ.
    """

    rows: IntArray
    place: IntArray
    person: IntArray
    group: IntArray | None
    member: BoolArray
    lanes: LaneArray
    bits: BitArray
    squares: FloatArray
    lengths: FloatArray
    original: IntArray | None

    def __len__(self) -> int:
        return len(self.rows)

    def of_group(self, group: int, part: slice) -> IntArray:
        """The columns of `part` that are hidden from the queries of a group, counted from its start."""
        if self.group is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(self.group[part] == group)


def columns_of(family: Family, persons: IntArray, points: Points) -> Columns:
    """The columns of a family."""
    place = np.argsort(persons[family.columns], kind="stable")
    rows, member = family.columns[place], family.member[place]
    squares = np.concatenate([_squares(points, rows[part]) for part in pieces(len(rows), _AT_ONCE)])
    return Columns(
        rows,
        place,
        persons[rows],
        None if family.column_group is None else family.column_group[place],
        member,
        _packed(member.astype(np.uint16), LANES).view(np.int64),
        packed_bits(member),
        squares,
        points.lengths[rows],
        _originals(points, rows, squares),
    )


def packed_bits(flags: BoolArray) -> BitArray:
    """(K, T) -> (K, ceil(T / 64)): a bit for each."""
    return _packed(np.packbits(flags, axis=1, bitorder="little"), BITS // 8).view(np.uint64)


def _packed(values: NDArray[np.unsignedinteger], multiple: int) -> NDArray[np.unsignedinteger]:
    padded = np.zeros((len(values), -(-values.shape[1] // multiple) * multiple), dtype=values.dtype)
    padded[:, : values.shape[1]] = values
    return padded


def _squares(points: Points, rows: IntArray) -> FloatArray:
    moved = points.moved(rows)
    squares: FloatArray = np.einsum("ij,ij->i", moved, moved)
    return squares


def _originals(points: Points, rows: IntArray, squares: FloatArray) -> IntArray | None:
    """Collapsed embeddings hold one vector many times: what is measured for one of its columns holds for all."""
    _, inverse, counts = np.unique(squares, return_inverse=True, return_counts=True)
    suspects = np.flatnonzero(counts[inverse] > 1)
    first: dict[bytes, int] = {}
    original = np.arange(len(rows))
    for part in pieces(len(suspects), _AT_ONCE):
        for column, vector in zip(suspects[part].tolist(), points.exact(rows[suspects[part]]), strict=True):
            original[column] = first.setdefault(hashlib.blake2b(vector.tobytes(), digest_size=16).digest(), column)
    return None if len(first) == len(suspects) else original
