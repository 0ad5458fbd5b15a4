"""The queries' side of a count: those that have a match, in blocks that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tapetum.core import IntArray
from tapetum.evaluation.columns import Columns
from tapetum.evaluation.families import Family
from tapetum.evaluation.ranking import BoolArray


@dataclass(frozen=True)
class Asked:
    """Queries, sorted by group and person, each with one match at least in the family's columns.

    place: where they stand among the family's queries; rows: rows of the table; group: None when no pair is hidden.
    first, last: the columns of the query's person are first ... last - 1; matches: how many of them count.
    """

    place: IntArray
    rows: IntArray
    group: IntArray | None
    first: IntArray
    last: IntArray
    matches: IntArray

    def __len__(self) -> int:
        return len(self.place)

    def part(self, part: slice | IntArray) -> Asked:
        """Some of the queries."""
        group = None if self.group is None else self.group[part]
        return Asked(self.place[part], self.rows[part], group, self.first[part], self.last[part], self.matches[part])

    def runs(self) -> Iterator[tuple[int, int]]:
        """(start, stop) of queries in a row that have the same matches."""
        change = np.diff(self.first) != 0
        if self.group is not None:
            change |= np.diff(self.group) != 0
        return self._between(change)

    def group_runs(self) -> Iterator[tuple[int, int]]:
        """(start, stop) of queries in a row from which the same columns are hidden."""
        return iter(()) if self.group is None else self._between(np.diff(self.group) != 0)

    def _between(self, change: BoolArray) -> Iterator[tuple[int, int]]:
        return pairwise([0, *(np.flatnonzero(change) + 1).tolist(), len(self)])


def asked(family: Family, persons: IntArray, columns: Columns) -> Asked:
    """The queries of a family that have a match."""
    person = persons[family.query]
    first, last = (np.searchsorted(columns.person, person, side) for side in ("left", "right"))
    matches = last - first
    order = np.argsort(person, kind="stable")
    if family.query_group is not None and columns.group is not None:
        matches = matches - _hidden_matches(person, family.query_group, columns.person, columns.group)
        order = np.lexsort((person, family.query_group))
    order = order[matches[order] > 0]
    return Asked(np.arange(len(person)), family.query, family.query_group, first, last, matches).part(order)


def _hidden_matches(person: IntArray, group: IntArray, their_person: IntArray, their_group: IntArray) -> IntArray:
    """(Q,): how many columns are of the query's person and of its group."""
    persons, groups = (
        np.unique(np.concatenate(sides), return_inverse=True)[1]
        for sides in ((person, their_person), (group, their_group))
    )
    name = np.unique(persons * (groups.max() + 1) + groups, return_inverse=True)[1]
    counts: IntArray = np.bincount(name[len(person) :], minlength=len(name))[name[: len(person)]]
    return counts


def blocks(queries: Asked, rows: int, numbers: int) -> Iterator[Asked]:
    """Blocks of at most `rows` queries, and of at most `numbers` matches unless a query alone has more."""
    start, total = 0, np.concatenate([[0], np.cumsum(queries.matches)])
    while start < len(queries):
        fits = int(np.searchsorted(total, total[start] + numbers, side="right")) - 1
        stop = min(max(fits, start + 1), start + rows)
        yield queries.part(slice(start, stop))
        start = stop
