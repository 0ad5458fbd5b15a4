"""Trials that ask the same queries are ranked together: one matrix product over the union of their galleries."""

from __future__ import annotations

import graphlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tapetum.core import IntArray, Trial
from tapetum.evaluation.ranking import BoolArray


@dataclass(frozen=True)
class Family:
    """Trials with the same queries, over one row of gallery columns.

    numbers: which trials they are, (T,) places in the list that was given.
    query, query_group: as in Trial; columns: (U,) rows of the table, each once, in an order that breaks ties in every
    trial as its own gallery does; column_group: (U,) or None; member: (U, T), which trial holds which column.
    """

    numbers: tuple[int, ...]
    query: IntArray
    query_group: IntArray | None
    columns: IntArray
    column_group: IntArray | None
    member: BoolArray

    @property
    def pairs(self) -> int:
        """How many pairs of a query and a column there are."""
        return len(self.query) * len(self.columns)


def families(trials: Sequence[Trial], persons: IntArray) -> list[Family]:
    """Put trials with equal queries together, as far as one order of columns serves all their galleries."""
    alike: dict[tuple[bytes, bytes | None], list[int]] = {}
    for number, trial in enumerate(trials):
        group = None if trial.query_group is None else trial.query_group.tobytes()
        alike.setdefault((trial.query.tobytes(), group), []).append(number)
    found: list[Family] = []
    for numbers in alike.values():
        together = _family(trials, numbers, persons)
        # One gallery alone always has an order: its own.
        found.extend([together] if together else [_alone(trials, number) for number in numbers])
    return found


def _alone(trials: Sequence[Trial], number: int) -> Family:
    trial = trials[number]
    member = np.ones((len(trial.gallery), 1), dtype=bool)
    return Family((number,), trial.query, trial.query_group, trial.gallery, trial.gallery_group, member)


def _family(trials: Sequence[Trial], numbers: Sequence[int], persons: IntArray) -> Family | None:
    if len(numbers) == 1:
        return _alone(trials, numbers[0])
    columns = _common_order([trials[number].gallery for number in numbers], persons)
    if columns is None:
        return None
    order = np.argsort(columns)
    member = np.zeros((len(columns), len(numbers)), dtype=bool)
    first = trials[numbers[0]]
    column_group = None if first.query_group is None else np.empty(len(columns), dtype=np.int64)
    for place, trial in enumerate(trials[number] for number in numbers):
        held = order[np.searchsorted(columns, trial.gallery, sorter=order)]
        if column_group is not None and trial.gallery_group is not None:
            if (column_group[held] != trial.gallery_group)[member[held].any(axis=1)].any():
                return None  # two trials put one row into different groups
            column_group[held] = trial.gallery_group
        member[held, place] = True
    return Family(tuple(numbers), first.query, first.query_group, columns, column_group, member)


def _common_order(galleries: Sequence[IntArray], persons: IntArray) -> IntArray | None:
    """One order of all galleries' rows that agrees with each of them; None when they contradict each other.

    Neighbours of one person may swap: they hit or miss together, so no figure tells their tie.
    """
    if all(_stands_in_table_order(gallery, persons) for gallery in galleries):
        return np.unique(np.concatenate(galleries))  # the usual case, and quicker
    sorter: graphlib.TopologicalSorter[int | tuple[int, int]] = graphlib.TopologicalSorter()
    for number, gallery in enumerate(galleries):
        runs = np.split(gallery, np.flatnonzero(np.diff(persons[gallery])) + 1)
        for place, run in enumerate(run.tolist() for run in runs):
            # The pair (number, place) stands after run `place` and before the next: edges stay as few as rows.
            sorter.add((number, place), *run)
            for row in run if place else ():
                sorter.add(row, (number, place - 1))
    try:
        return np.array([node for node in sorter.static_order() if isinstance(node, int)], dtype=np.int64)
    except graphlib.CycleError:
        return None


def _stands_in_table_order(gallery: IntArray, persons: IntArray) -> bool:
    """Whether the rows of each run of one person are all below those of the next run."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(persons[gallery])) + 1])
    lowest, highest = np.minimum.reduceat(gallery, starts), np.maximum.reduceat(gallery, starts)
    return bool((highest[:-1] < lowest[1:]).all())
