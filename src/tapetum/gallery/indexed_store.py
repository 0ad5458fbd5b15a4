"""A store with an index beside its segments: the index takes the first look, the segments have the last word.

    index:     the rows whose rough score is among the highest; each rough score is within `error` of the cosine
    segments:  their cosines in float64, the k best, equal scores by ascending id
    proof:     k-th best cosine > lowest rough score listed + error, so that no row unlisted can be among the k best;
               while it does not hold, four times as many rows are listed, and at last the segments are compared in full

So an exact answer is that of the exact store, to the last digit. Beyond a million rows, or where a caller allows it, an
unfiltered search asks the index for its approximate look and scores what it lists from the segments, without the proof.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.errors import GalleryError, OutputError
from tapetum.gallery.exact_store import best_of, search_segments, unit_queries
from tapetum.gallery.search import cosine
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Answer, Filter, GalleryRow
from tapetum.gallery.vector_index import IndexUnusableError, VectorIndex, catch_up
from tapetum.outputs import write_json

_LOG = logging.getLogger(__name__)
EXACT_UP_TO = 1_000_000
_MORE, _MOST = 32, 16_384
"""Rows listed beyond k at first, and the longest list; a longer one would cost more than comparing every row."""
_APPROXIMATE_TIMES, _APPROXIMATE_AT_LEAST = 10, 200
_FLUSHED_EVERY = 20_000


class _DisagreementError(IndexUnusableError):
    """A rough score differs from the cosine by more than the index errs."""


class IndexedStore:
    """A GalleryStore over segments and an index that follows them.

    state: the file that says up to which generation of the segments the index is on disk.
    An index that is missing, behind or damaged is mended when the store is opened. One that fails later is left alone
    until the next opening, and the segments answer.
    """

    def __init__(self, segments: Segments, index: VectorIndex, state: Path, *, exact_up_to: int = EXACT_UP_TO) -> None:
        self._segments = segments
        self._index = index
        self._usable = False
        self._state = state
        self._exact_up_to = exact_up_to
        self._unflushed = 0
        self._era = 0
        self._holed = True  # whether the index may hold bytes of rows that live no more
        if segments.manifest.forgetting:
            self.compact()
        else:
            self._open()

    def add(self, rows: Sequence[GalleryRow], vectors: VectorArray, thumbnails: Sequence[bytes | None]) -> None:
        """Append to the segments, then to the index."""
        with self._segments.changing:
            replacing = any(row.id < self._segments.manifest.next_id for row in rows)
            self._segments.add(rows, vectors, thumbnails)
            self._holed |= replacing
            self._follow(lambda: self._index.put(rows, vectors), len(rows))

    def delete(self, ids: Sequence[int]) -> int:
        """Hide in the segments, then remove from the index."""
        with self._segments.changing:
            gone = self._segments.delete(ids)
            self._holed |= gone > 0
            self._follow(lambda: self._index.drop(np.asarray(ids, dtype=np.int64)), gone)
            return gone

    def forget(self, ids: Sequence[int]) -> int:
        """Hide in the segments, remove the index, rewrite the segments, and make the index anew."""
        with self._segments.changing:
            gone = self._segments.delete(ids, forgetting=bool(self._segments.places(ids)))
            self.compact()
            return gone

    def compact(self) -> int:
        """Rewrite the segments that hold deleted rows; the index is made anew, for it may hold their bytes too."""
        manifest = self._segments.manifest
        if not (self._holed or manifest.forgetting or any(entry.deleted for entry in manifest.entries)):
            return 0
        with self._segments.changing:
            self._discard()
            try:
                self._index.clear()
            except IndexUnusableError as error:
                raise GalleryError(
                    f"{self._state.parent} cannot be emptied ({error}). Mend that, and run it again."
                ) from error
            gone = self._segments.compact()
            self.rebuild()
            return gone

    def rebuild(self) -> None:
        """Make the index anew."""
        with self._segments.changing:
            self._discard()
            try:
                self._index.clear()
                for rows, vectors in self._segments.parts():
                    self._index.put(rows, vectors)
                self._index.settle()
                self._holed = False
                self._checkpoint()
                self._usable = True
            except (IndexUnusableError, OutputError) as error:
                self._give_up(error)

    def search(self, queries: VectorArray, k: int, among: Filter, *, approximate: bool = False) -> list[Answer]:
        """The index takes the first look where it can; every answer is scored from the segments."""
        units = unit_queries(queries, self._segments.dimension, k)
        answers = [self._ask(unit, k, among, approximate) for unit in units]
        left = [number for number, answer in enumerate(answers) if answer is None]
        found = iter(search_segments(self._segments.view, units[left], k, among) if left else ())
        return [answer or next(found) for answer in answers]

    def count(self, among: Filter) -> int:
        """Rows of the segments that are admitted; where all are, those of the index, so that a difference is seen."""
        if among == Filter() and self._usable:
            with suppress(IndexUnusableError):
                return len(self._index)
        return self._segments.count(among)

    def close(self) -> None:
        """Have the index on disk, and let go of it."""
        with self._segments.changing:
            if self._usable:
                with suppress(IndexUnusableError, OutputError):  # the next opening mends it
                    self._checkpoint()
            self._usable = False
            with suppress(IndexUnusableError):
                self._index.close()

    def _open(self) -> None:
        """Use the index that is there; bring it up to the segments, or make it anew."""
        (generation, holed), now = self._recorded(), self._segments.manifest.generation
        try:
            if generation is None or generation > now:
                raise IndexUnusableError("there is no index of these segments")
            self._index.load()
            self._holed = holed or generation < now
            if generation < now:
                catch_up(self._index, self._segments, generation)
                self._checkpoint()
            if len(self._index) != len(self._segments):
                raise IndexUnusableError("the index has other rows than the segments")
            self._usable = True
        except (IndexUnusableError, OutputError):
            self.rebuild()

    def _recorded(self) -> tuple[int | None, bool]:
        with suppress(OSError, ValueError, KeyError, TypeError):
            state = json.loads(self._state.read_text(encoding="utf-8"))
            return int(state["generation"]), bool(state["holed"])
        return None, True

    def _checkpoint(self) -> None:
        self._index.flush()
        write_json(self._state, {"generation": self._segments.manifest.generation, "holed": self._holed})
        self._unflushed = 0

    def _discard(self) -> None:
        """From here on the index counts for nothing, after a crash too."""
        self._usable = False
        self._era += 1
        try:
            self._state.unlink(missing_ok=True)
        except OSError as error:
            raise GalleryError(f"{self._state} cannot be removed: {error.strerror}. Give permission for it.") from error

    def _follow(self, change: Callable[[], None], rows: int) -> None:
        if not self._usable or rows == 0:
            return
        try:
            change()
            self._unflushed += rows
            if self._unflushed >= _FLUSHED_EVERY:
                self._index.settle()
                self._checkpoint()
        except (IndexUnusableError, OutputError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._usable = False
        _LOG.warning("the gallery's index cannot be used (%s); every search compares the segments", error)

    def _ask(self, unit: FloatArray, k: int, among: Filter, approximate: bool) -> Answer | None:
        """The index's answer; None where the segments have to give it."""
        if not self._usable or not self._index.handles(among):
            return None
        era = self._era
        try:
            answer = self._look(unit, k, among, approximate)
        except _DisagreementError:
            return self._look_again(unit, k, among, approximate)
        except IndexUnusableError as error:
            if era == self._era:
                self._give_up(error)
            return None
        return answer if era == self._era else None  # what was asked may have been half of a new index

    def _look(self, unit: FloatArray, k: int, among: Filter, approximate: bool) -> Answer | None:
        allowed = among.everything and (approximate or len(self._segments) > self._exact_up_to)
        if allowed and self._index.approximates():
            return self._approximate(unit, k, among)
        return self._exact(unit, k, among)

    def _look_again(self, unit: FloatArray, k: int, among: Filter, approximate: bool) -> Answer | None:
        """Ask when no change is under way, for the index follows the segments a moment later; then it must agree."""
        with self._segments.changing:
            try:
                return self._look(unit, k, among, approximate) if self._usable else None
            except IndexUnusableError as error:
                with suppress(GalleryError):
                    self._discard()
                self._give_up(error)
                return None

    def _exact(self, unit: FloatArray, k: int, among: Filter) -> Answer | None:
        limit = 2 * k + len(among.without) + _MORE
        while limit <= _MOST:
            listed, rough = self._index.nearest(unit, limit, among, approximate=False)
            ids, scores, figures = self._scored(listed, rough, unit, among)
            if (np.abs(figures - scores) > self._index.error).any():
                raise _DisagreementError("its figures are not those of the segments")
            ids, scores = best_of(ids, scores, k)
            if len(listed) < limit or (len(ids) == k and scores[-1] > rough.min() + self._index.error):
                return Answer(ids, scores, "exact")
            limit *= 4
        return None

    def _approximate(self, unit: FloatArray, k: int, among: Filter) -> Answer | None:
        limit = max(_APPROXIMATE_TIMES * k, _APPROXIMATE_AT_LEAST) + len(among.without)
        while limit <= _APPROXIMATE_TIMES * _MOST:
            listed, rough = self._index.nearest(unit, limit, among, approximate=True)
            ids, scores, _ = self._scored(listed, rough, unit, among)
            if len(ids) >= k or len(listed) < limit:
                return Answer(*best_of(ids, scores, k), "approximate")
            limit *= 4
        return None

    def _scored(
        self, listed: IntArray, rough: VectorArray, unit: FloatArray, among: Filter
    ) -> tuple[IntArray, FloatArray, VectorArray]:
        """Ids, cosines and rough scores of the listed rows that live and are not kept out."""
        kept = ~np.isin(listed, np.fromiter(among.without, dtype=np.int64))
        order = np.argsort(listed[kept])
        wanted, figures = listed[kept][order], rough[kept][order]
        ids, scores, roughly = [np.empty(0, np.int64)], [np.empty(0)], [np.empty(0, np.float32)]
        for segment in self._segments.view:
            places = segment.places(wanted)
            if len(places):
                ids.append(segment.ids[places])
                scores.append(cosine(segment.vectors[places], unit))
                roughly.append(figures[np.searchsorted(wanted, segment.ids[places])])
        return np.concatenate(ids), np.concatenate(scores), np.concatenate(roughly)
