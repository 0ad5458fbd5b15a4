"""Folding: frames of one walk past one camera count once, and a gallery of nothing else does not hold a search up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from tapetum.core import Modality
from tapetum.gallery import asking
from tapetum.gallery.asking import Question, ask
from tapetum.gallery.exact_store import ExactStore
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import GalleryRow

NOON = datetime(2026, 3, 1, 12)
ROW = GalleryRow(1, "1.jpg", None, "gate", "yard", Modality.RGB, NOON)
AHEAD = np.array([1, 0, 0, 0], np.float32)


def turned(degrees: float):
    """A vector of unit length that many degrees from AHEAD."""
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle), 0, 0], np.float32)


@pytest.fixture
def segments(tmp_path):
    return Segments.create(tmp_path, 4)


def asked(segments, rows, vectors, **question):
    ExactStore(segments).add(rows, np.stack(vectors), [None] * len(rows))
    return ask(ExactStore(segments), segments, Question(AHEAD[None], **question))


def test_what_is_folded_and_what_is_not(segments):
    # Within 10 s of the first frame, by the same camera, in the same light, at most 25.8 degrees (cosine 0.9) from it.
    rows = [
        ROW,
        replace(ROW, id=2, time=NOON + timedelta(seconds=10)),
        replace(ROW, id=3, time=NOON - timedelta(seconds=10)),
        replace(ROW, id=4, time=NOON + timedelta(seconds=11)),
        replace(ROW, id=5, camera="door"),
        replace(ROW, id=6, site="roof"),
        replace(ROW, id=7, modality=Modality.IR),
        replace(ROW, id=8, time=None),
        replace(ROW, id=9),
    ]
    angles = [0, 1, 2, 3, 4, 5, 6, 7, 27]
    reply = asked(segments, rows, [turned(angle) for angle in angles], k=9, fold=timedelta(seconds=10))
    assert {hit.row.id: hit.folded for hit in reply.hits} == {
        1: (2, 3), 4: (), 5: (), 6: (), 7: (), 8: (), 9: (),
    }  # fmt: skip
    assert [hit.rank for hit in reply.hits] == list(range(1, 8))


def test_without_folding_every_frame_is_a_hit(segments):
    reply = asked(segments, [ROW, replace(ROW, id=2)], [turned(0), turned(1)], k=9)
    assert [(hit.row.id, hit.folded) for hit in reply.hits] == [(1, ()), (2, ())]


def test_more_rows_are_looked_at_until_enough_walks_are_found(segments):
    rows = [replace(ROW, id=number) for number in range(1, 31)] + [replace(ROW, id=31, camera="door")]
    reply = asked(segments, rows, [turned(0)] * 30 + [turned(9)], k=2, fold=timedelta(seconds=10))
    assert [hit.row.id for hit in reply.hits] == [1, 31]
    assert reply.hits[0].folded == tuple(range(2, 31))


def test_a_gallery_of_one_walk_does_not_hold_a_search_up(segments, monkeypatch):
    monkeypatch.setattr(asking, "_LOOKED_AT", 8)
    rows = [replace(ROW, id=number) for number in range(1, 31)]
    reply = asked(segments, rows, [turned(0)] * 30, k=2, fold=timedelta(seconds=10))
    assert [(hit.row.id, hit.folded) for hit in reply.hits] == [(1, tuple(range(2, 9)))]  # 2 rows, then 8, no more
