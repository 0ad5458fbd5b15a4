"""Which queries a report shows, chosen by rule and never by hand: some drawn at random, and the hardest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapetum.core import Crop, FloatArray, IntArray, Trial
from tapetum.embedding_table import EmbeddingTable
from tapetum.evaluation.ranking import gallery_factor, query_factor, sorted_columns
from tapetum.gallery.search import Hit, search

_BLOCK = 256  # queries ranked at a time


@dataclass(frozen=True)
class Example:
    """One query of a trial and its answers.

    average_precision: in (0, 1].   first_right: rank of the first right answer.
    right, answers: how many of the gallery's rows that count show the person, and how many count at all.
    """

    query: Crop
    hits: tuple[Hit, ...]
    average_precision: float
    first_right: int
    right: int
    answers: int


@dataclass(frozen=True)
class Examples:
    """The drawn and the hardest queries of one trial, and how many queries they were chosen from."""

    drawn: tuple[Example, ...]
    hardest: tuple[Example, ...]
    valid: int


def choose_examples(table: EmbeddingTable, trial: Trial, count: int, seed: int, top: int = 10) -> Examples:
    """Choose up to `count` queries at random by `seed`, and the worst query of each of the `count` worst persons.

    Worst is the lowest average precision, ties by the order of the trial. A query whose person is not in its gallery
    is not chosen: no answer to it could be right.
    """
    ranking = _Ranking(table, trial)
    precision = ranking.average_precision()
    valid = np.flatnonzero(np.isfinite(precision))
    drawn = np.random.default_rng(seed).permutation(valid)[:count]
    worst = valid[np.argsort(precision[valid], kind="stable")]
    hardest = _one_per_person(worst, ranking.query_person)[:count]
    return Examples(
        tuple(ranking.example(int(index), precision[index], top) for index in drawn),
        tuple(ranking.example(index, precision[index], top) for index in hardest),
        len(valid),
    )


class _Ranking:
    """The answers of one trial's gallery to its queries."""

    def __init__(self, table: EmbeddingTable, trial: Trial) -> None:
        self._trial = trial
        self._queries = _rows(table, trial.query)
        self._gallery = _rows(table, trial.gallery)
        self.query_person = _persons(self._queries)
        self._gallery_person = _persons(self._gallery)

    def example(self, index: int, precision: float, top: int) -> Example:
        """One query's strip; `index` counts the trial's queries, and the answers' rows count the trial's gallery."""
        hidden = self._hidden(np.array([index]))[0]
        ranked = search(self._queries.vectors[index], self._gallery, len(hidden), hidden)
        person = self.query_person[index]
        right = [hit.rank for hit in ranked if hit.crop.person == person]
        crop = self._queries.crops[index]
        return Example(crop, tuple(ranked[:top]), float(precision), right[0], len(right), len(ranked))

    def average_precision(self) -> FloatArray:
        """(Q,) in the trial's order: the mean of i / rank_i over the right answers; NaN where there is none."""
        found = np.full(len(self._queries.crops), np.nan)
        everyone = np.arange(len(self._gallery.crops))
        gallery = gallery_factor(self._gallery.vectors, everyone, "cosine")
        for start in range(0, len(found), _BLOCK):
            block = np.arange(start, min(start + _BLOCK, len(found)))
            hidden = self._hidden(block)
            order = sorted_columns(query_factor(self._queries.vectors, block, "cosine"), gallery, hidden)
            person = self.query_person[block, None]
            right = (self._gallery_person[None] == person) & (person >= 0) & ~hidden
            right = np.take_along_axis(right, order, axis=1)
            precision = right.cumsum(axis=1) / (everyone + 1)
            number = right.sum(axis=1)
            found[block] = np.where(number > 0, (precision * right).sum(axis=1) / np.maximum(number, 1), np.nan)
        return found

    def _hidden(self, block: IntArray) -> NDArray[np.bool_]:
        if self._trial.query_group is None or self._trial.gallery_group is None:
            return np.zeros((len(block), len(self._trial.gallery)), dtype=np.bool_)
        return np.equal(self._trial.query_group[block, None], self._trial.gallery_group[None])


def _rows(table: EmbeddingTable, rows: IntArray) -> EmbeddingTable:
    return EmbeddingTable(table.vectors[rows], tuple(table.crops[row] for row in rows))


def _persons(table: EmbeddingTable) -> IntArray:
    return np.array([-1 if crop.person is None else crop.person for crop in table.crops], dtype=np.int64)


def _one_per_person(order: Iterable[np.int64], persons: IntArray) -> list[int]:
    first: dict[int, int] = {}
    for index in order:
        first.setdefault(int(persons[index]), int(index))
    return list(first.values())
