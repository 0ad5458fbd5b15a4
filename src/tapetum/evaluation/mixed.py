"""The mixed gallery (PROTOCOLS section 6): RGB and infrared images in one gallery, and anything asks.

Every image asks, and all others answer; images of the query's own person at its own place (camera, or cameras that
share a place) do not count. The figures, by setting:
    any_to_any       every query, the mixed gallery, every right answer counts
    A_to_any_B       queries of A, the mixed gallery; right answers of B alone count, and those of the other modality
                     are taken out, neither right nor wrong
    A_to_B           queries of A, images of B alone answer: the same right answers, without the other modality's images
A system that prefers the query's own modality loses from A_to_B to A_to_any_B, for A other than B.
One setting is one trial. Its parts ask disjoint queries, since in A_to_any_B a pair's hiding depends on the query's
place and on the answer's modality at once; `joined` puts their results together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tapetum.core import Crop, IntArray, Modality, Protocol, Trial
from tapetum.errors import DataError
from tapetum.evaluation.draws import codes, rows_of
from tapetum.evaluation.metrics import TrialResult

NAME = "mixed"

_NOBODY = -1


def mixed(crops: Sequence[Crop], locations: Mapping[str, str]) -> tuple[Protocol, list[str]]:
    """The protocol, each setting a tuple of parts, and a note on every setting in which no query has a match.

    locations: camera -> place; a camera that is absent stands alone. Crops of unknown persons take no part.
    Raises DataError where no query has a match at all.
    """
    table = _Table(crops, locations)
    settings: dict[str, tuple[Trial, ...]] = {"any_to_any": (table.trial(table.rows, table.rows),)}
    pairs = [(asking, answering) for asking in Modality for answering in Modality]
    settings |= {f"{one}_to_any_{other}": table.in_mixed(one, other) for one, other in pairs}
    settings |= {f"{one}_to_{other}": (table.trial(table.of(one), table.of(other)),) for one, other in pairs}
    persons = np.array([-1 if crop.person is None else crop.person for crop in crops], dtype=np.int64)
    kept = {name: parts for name, parts in settings.items() if any(_has_match(part, persons) for part in parts)}
    if not kept:
        raise DataError("no person was seen in two places, so that no query has a match in the mixed gallery.")
    notes = [
        f"{name}: no query has a match (nobody was seen so in two places)" for name in settings if name not in kept
    ]
    return Protocol(NAME, "none", kept), notes


class _Table:
    """Places, persons and modalities of a table's rows."""

    def __init__(self, crops: Sequence[Crop], locations: Mapping[str, str]) -> None:
        places = [locations.get(crop.camera, crop.camera) for crop in crops]
        self.rows = rows_of(crops)
        self._place = codes(places)
        self._person = codes([crop.person for crop in crops])
        self._together = codes([crop.person for crop in crops], places)
        self._modality = np.array([crop.modality.value for crop in crops])

    def of(self, modality: Modality) -> IntArray:
        """The rows of one modality."""
        found: IntArray = self.rows[self._modality[self.rows] == modality]
        return found

    def trial(self, query: IntArray, gallery: IntArray) -> Trial:
        """Hidden: the query's own person at its own place."""
        return Trial(query, gallery, self._together[query], self._together[gallery])

    def in_mixed(self, asking: Modality, right: Modality) -> tuple[Trial, ...]:
        """One part per place of the queries. Hidden: the query's own person, there or in the other modality."""
        queries = self.of(asking)
        other = self._modality[self.rows] != right
        parts = []
        for place in dict.fromkeys(self._place[queries].tolist()):  # in the queries' order, not in the table's
            query = queries[self._place[queries] == place]
            hides = other | (self._place[self.rows] == place)
            group = np.where(hides, self._person[self.rows], _NOBODY)
            parts.append(Trial(query, self.rows, self._person[query], group))
        return tuple(parts)


def _has_match(part: Trial, persons: IntArray) -> bool:
    """Whether some query sees its person: who asks with a group, and answers in another."""
    if len(part.query) == 0 or len(part.gallery) == 0 or part.query_group is None or part.gallery_group is None:
        return False
    answered: dict[int, set[int]] = {}
    for person, group in np.unique(np.stack([persons[part.gallery], part.gallery_group], axis=1), axis=0).tolist():
        answered.setdefault(person, set()).add(group)
    asked = np.unique(np.stack([persons[part.query], part.query_group], axis=1), axis=0)
    return any(answered.get(person, set()) - {group} for person, group in asked.tolist())


def answerable(parts: Sequence[Trial], persons: IntArray) -> list[Trial]:
    """The parts in which at least one query has a match."""
    return [part for part in parts if _has_match(part, persons)]


def joined(results: Sequence[TrialResult], queries: int) -> TrialResult:
    """The results of a setting's answerable parts as those of one trial; queries: how many ask in all parts."""
    query, ap, inp, hit = (
        np.concatenate([getattr(result, name) for result in results]) for name in ("query", "ap", "inp", "hit")
    )
    count = len(query)
    curve = np.cumsum(np.bincount(hit - 1, minlength=len(results[0].cmc))) / count
    figures = curve, math.fsum(ap) / count, math.fsum(inp) / count
    return TrialResult(*figures, count, results[0].gallery, queries, query, ap, inp, hit)
