"""What a search means: fused queries, feedback, folding; by hand in two and three dimensions."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from tapetum.core import Modality
from tapetum.errors import EmbeddingError, GalleryError, RecipeError
from tapetum.gallery.asking import Question, ask
from tapetum.gallery.exact_store import ExactStore
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter, GalleryRow

NOON = datetime(2026, 5, 1, 12)


def row(number, camera="gate", seconds=None, modality=Modality.RGB):
    time = None if seconds is None else NOON + timedelta(seconds=seconds)
    return GalleryRow(number, f"{number}.jpg", None, camera, None, modality, time)


def at(*degrees):
    """Unit vectors in the plane."""
    angles = np.deg2rad(np.array(degrees, dtype=np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.fixture
def gallery(tmp_path):
    """Crops 1 ... 5 at 0, 20, 40, 60 and 90 degrees."""
    segments = Segments.create(tmp_path, 2)
    store = ExactStore(segments)
    store.add([row(number) for number in range(1, 6)], at(0, 20, 40, 60, 90), [None] * 5)
    return store, segments


def asked(gallery, **question):
    reply = ask(*gallery, Question(**{"vectors": at(0), "k": 2, **question}))
    return [hit.row.id for hit in reply.hits]


def test_ranks_and_scores_by_hand(gallery):
    reply = ask(*gallery, Question(at(31), k=3))
    assert [(hit.rank, hit.row.id) for hit in reply.hits] == [(1, 3), (2, 2), (3, 4)]  # 9, 11 and 29 degrees off
    assert [hit.score for hit in reply.hits] == pytest.approx([0.987688, 0.981627, 0.874620], abs=1e-6)
    assert reply.how == "exact"


def test_several_crops_ask_in_their_middle_whatever_their_lengths(gallery):
    assert asked(gallery, vectors=at(0, 82) * np.array([[1.0], [50.0]], np.float32)) == [3, 4]  # 41 degrees
    reply = ask(*gallery, Question(at(0, 80), k=1))
    assert reply.hits[0].score == pytest.approx(1, abs=1e-6)


def test_crops_of_the_gallery_ask_and_do_not_answer(gallery):
    assert asked(gallery, vectors=np.empty((0, 2), np.float32), ids=(1,)) == [2, 3]
    assert asked(gallery, vectors=at(0), ids=(5,), k=1) == [3]  # 45 degrees


def test_right_crops_pull_and_may_answer_again(gallery):
    # q' = (1, 0) + (0, 1): 45 degrees, so 40 before 60
    assert asked(gallery, right=(5,)) == [3, 4]


def test_wrong_crops_push_away_by_a_quarter_and_do_not_answer(gallery):
    # q' = (1, 0) - (0, 1) / 4: -14 degrees
    reply = ask(*gallery, Question(at(0), k=5, wrong=(5,)))
    assert [hit.row.id for hit in reply.hits] == [1, 2, 3, 4]
    assert reply.hits[0].score == pytest.approx(np.cos(np.arctan(1 / 4)), abs=1e-6)


def test_filters_and_hidden_rows(gallery):
    assert asked(gallery, among=Filter(without=frozenset({1, 2}))) == [3, 4]
    assert asked(gallery, among=Filter(cameras=frozenset({"door"}))) == []


@pytest.fixture
def tracks(tmp_path):
    """Rows that stand behind the best one, 1 (0 degrees, gate, 0 s), or not, each for one reason."""
    segments = Segments.create(tmp_path, 2)
    store = ExactStore(segments)
    rows = [
        row(1, seconds=0),
        row(2, seconds=5),  # the same walk
        row(3, seconds=11),  # too late
        row(4, "door", seconds=1),  # another camera
        row(5, seconds=2, modality=Modality.IR),
        row(6),  # no time
        row(7, seconds=-3),  # before, and too different: cos 26 degrees is 0.899
        row(8, seconds=-3),  # the same walk: cos 25 degrees is 0.906
    ]
    store.add(rows, at(0, 5, 6, 7, 8, 9, -26, -25), [None] * 8)
    return store, segments


def test_frames_of_one_walk_count_once(tracks):
    reply = ask(*tracks, Question(at(0), k=8, fold=timedelta(seconds=10)))
    folded = {hit.row.id: hit.folded for hit in reply.hits}
    assert folded == {1: (2, 8), 3: (), 4: (), 5: (), 6: (), 7: ()}
    assert [hit.rank for hit in reply.hits] == [1, 2, 3, 4, 5, 6]


def test_folding_asks_for_more_until_k_are_there(tracks):
    assert asked(tracks, k=2, fold=timedelta(seconds=10)) == [1, 3]
    assert asked(tracks, k=3, fold=timedelta(seconds=10)) == [1, 3, 4]
    assert asked(tracks, k=2) == [1, 2]


def test_what_cannot_be_asked(gallery):
    with pytest.raises(RecipeError, match="nothing asks"):
        Question(np.empty((0, 2), np.float32))
    with pytest.raises(RecipeError, match="k is 0"):
        Question(at(0), k=0)
    with pytest.raises(GalleryError, match="has the id 99"):
        asked(gallery, ids=(99,))
    with pytest.raises(EmbeddingError, match="shape"):
        asked(gallery, vectors=np.ones((1, 3), np.float32))
    with pytest.raises(EmbeddingError, match="no direction"):
        asked(gallery, vectors=np.zeros((1, 2), np.float32))
