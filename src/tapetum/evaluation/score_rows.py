"""AP, INP and the hit's rank from rows of distances that are already there, by the definitions of `metrics`.

`metrics` ranks vectors without writing their distances down; this is for distances that come from elsewhere.
"""

from __future__ import annotations

import numpy as np

from tapetum.core import FloatArray, IntArray
from tapetum.evaluation.metrics import CmcRule
from tapetum.evaluation.scoring import Scores


def score_rows(distances: FloatArray, asked: IntArray, names: IntArray, cmc: CmcRule) -> Scores:
    """Score the queries of persons `asked` (Q,) by their distances (Q, G) from a gallery of persons `names` (G,).

    distances: not below zero; infinity hides a pair. Those that differ by less than 2**-(52 - b) of themselves, for a
    gallery of 2**b images, count as equal, and equal distances stand in the gallery's order.
    """
    order = _order(distances)
    ranks = np.arange(1, len(names) + 1)
    visible = ranks <= np.isfinite(distances).sum(axis=1)[:, None]
    match = (names[order] == asked[:, None]) & visible
    seen = match.cumsum(axis=1)
    number = np.maximum(seen[:, -1], 1)
    first = match.argmax(axis=1)
    before = first if cmc == "images" else _persons_before(order, first, names)
    ap = (match * (seen / ranks)).sum(axis=1) / number
    inp = number / np.maximum((match * ranks).max(axis=1), 1)
    return Scores(ap, inp, np.where(match.any(axis=1), before + 1, 0))


def _order(distances: FloatArray) -> IntArray:
    """Columns by distance. Non-negative floats sort as their bits do; the column takes the place of the last bits."""
    low = np.uint64(2 ** max(1, (distances.shape[1] - 1).bit_length()) - 1)
    keys = (distances + 0.0).view(np.uint64) & ~low  # a zero below zero would stand last
    keys |= np.arange(distances.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    order: IntArray = (keys & low).astype(np.int64)
    return order


def _persons_before(order: IntArray, first: IntArray, names: IntArray) -> IntArray:
    """(Q,): how many different persons stand before the place `first`; hidden pairs stand behind all others."""
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(len(names))[None], axis=1)
    by_person = np.argsort(names, kind="stable")
    starts = np.unique(names[by_person], return_index=True)[1]
    nearest = np.minimum.reduceat(place[:, by_person], starts, axis=1)
    before: IntArray = np.sum(nearest < first[:, None], axis=1)
    return before
