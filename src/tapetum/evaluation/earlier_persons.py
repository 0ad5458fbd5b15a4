"""How many different persons stand before the first match: what a hit counted among identities needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapetum.core import IntArray
from tapetum.evaluation.columns import BITS, BitArray, Columns, packed_bits
from tapetum.evaluation.matches import Matches
from tapetum.evaluation.ranking import BoolArray


class EarlierPersons:
    """The counts (R, T) of R queries, by query and trial; a person counts once, whatever the number of its images.

    Columns stand person by person, so a person is a run of columns, and only the last one of a tile can go on in the
    next. Trials are bits of a number: a person stands before the first match of those trials whose bit any of its
    columns sets.
    """

    def __init__(self, matches: Matches, present: BoolArray, columns: Columns) -> None:
        """present: (M, T), whether a trial holds a match."""
        self.counts: IntArray = np.zeros((len(matches.start) - 1, present.shape[1]), dtype=np.int64)
        self._columns = columns
        self._early = _early(matches.start, present)
        self._open: BitArray = np.zeros((len(self.counts), self._early.shape[1]), dtype=np.uint64)
        self._person: int | None = None

    def add(self, codes: NDArray[np.int32], tile: slice) -> None:
        """Count the persons of a tile; codes: (R, U), as `Windows` has them. Tiles come in order."""
        person = self._columns.person[tile]
        starts = np.concatenate([[0], np.flatnonzero(np.diff(person)) + 1])
        going_on = self._person == person[0]
        for word, (early, members) in enumerate(zip(self._early.T, self._columns.bits[tile].T, strict=True)):
            found = np.bitwise_or.reduceat(early.take(codes, mode="clip") & members, starts, axis=1)  # (R, persons)
            last = found[:, -1].copy()
            if going_on:
                if len(starts) == 1:
                    last |= self._open[:, word]
                found[:, 0] &= ~self._open[:, word]  # counted in the tile before
            self._open[:, word] = last
            self._count(found, word)
        self._person = int(person[-1])

    def _count(self, found: BitArray, word: int) -> None:
        for bit, counts in enumerate(self.counts.T[word * BITS : (word + 1) * BITS]):
            counts += ((found >> np.uint64(bit)) & np.uint64(1)).sum(axis=1, dtype=np.int64)


def _early(start: IntArray, present: BoolArray) -> BitArray:
    """(K, ceil(T / 64)) by code: in which trials none of the matches before it stands."""
    seen = np.concatenate([np.zeros((1, present.shape[1]), np.int32), np.cumsum(present, axis=0, dtype=np.int32)])
    row = np.repeat(np.arange(len(start) - 1), np.diff(start) + 1)
    match = np.arange(len(row)) - row
    return packed_bits(seen[match] == seen[start[row]])
