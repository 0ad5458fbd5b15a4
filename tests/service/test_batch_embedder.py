"""The embedder thread: who waits together is embedded together, and the line has an end."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest

from tapetum.core import Modality
from tapetum.service.embedder import BatchEmbedder
from tapetum.service.refusals import Refused

PATIENCE = 10


class Model:
    """Gives each picture its first pixel as a vector; waits for `go` before each batch."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, Modality]] = []
        self.go, self.begun = threading.Event(), threading.Semaphore(0)

    def __call__(self, pixels, modality):
        self.batches.append((len(pixels), modality))
        self.begun.release()
        assert self.go.wait(PATIENCE)
        if (pixels == 255).any():
            raise ValueError("white")
        return pixels[:, 0, 0, :1].astype(np.float32)


def pictures(*values: int):
    return np.stack([np.full((3, 2, 1), value, np.uint8) for value in values])


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def embedder(model):
    made = BatchEmbedder(model, batch=4, waiting=6)
    yield made
    model.go.set()
    made.close()


def test_those_who_wait_go_together_in_their_modality_and_get_their_own(embedder, model):
    first = embedder.submit(pictures(1), Modality.RGB)
    assert model.begun.acquire(timeout=PATIENCE)  # the model is busy with it; the next ones wait
    rgb = [embedder.submit(pictures(2, 3), Modality.RGB), embedder.submit(pictures(4), Modality.RGB)]
    infrared = embedder.submit(pictures(5), Modality.IR)
    late = embedder.submit(pictures(6), Modality.RGB)
    model.go.set()
    got = [future.result(PATIENCE).ravel().tolist() for future in (first, *rgb, infrared, late)]
    assert got == [[1], [2, 3], [4], [5], [6]]
    assert model.batches == [(1, Modality.RGB), (4, Modality.RGB), (1, Modality.IR)]


def test_a_batch_is_never_too_large(embedder, model):
    first = embedder.submit(pictures(1), Modality.RGB)
    assert model.begun.acquire(timeout=PATIENCE)
    rest = [embedder.submit(pictures(2, 3, 4), Modality.RGB), embedder.submit(pictures(5, 6), Modality.RGB)]
    model.go.set()
    assert [future.result(PATIENCE).ravel().tolist() for future in (first, *rest)] == [[1], [2, 3, 4], [5, 6]]
    assert [size for size, _ in model.batches] == [1, 3, 2]


def test_beyond_the_line_one_is_refused_at_once(embedder, model):
    embedder.submit(pictures(1), Modality.RGB)
    assert model.begun.acquire(timeout=PATIENCE)
    waiting = embedder.submit(pictures(*range(6)), Modality.RGB)
    with pytest.raises(Refused, match="6 pictures wait to be embedded") as refusal:
        embedder.submit(pictures(1), Modality.RGB)
    assert (refusal.value.status, refusal.value.retry_after) == (503, 1)
    model.go.set()
    assert waiting.result(PATIENCE).ravel().tolist() == list(range(6))
    assert embedder.submit(pictures(9), Modality.RGB).result(PATIENCE).item() == 9


def test_a_failing_batch_tells_those_in_it_and_the_others_go_on(embedder, model):
    model.go.set()
    with pytest.raises(ValueError, match="white"):
        embedder.submit(pictures(255), Modality.RGB).result(PATIENCE)
    assert embedder.submit(pictures(7), Modality.RGB).result(PATIENCE).item() == 7


def test_whoever_has_gone_away_is_passed_over(embedder, model):
    embedder.submit(pictures(1), Modality.RGB)
    assert model.begun.acquire(timeout=PATIENCE)
    gone, stays = embedder.submit(pictures(2), Modality.RGB), embedder.submit(pictures(3), Modality.RGB)
    assert gone.cancel()
    model.go.set()
    assert stays.result(PATIENCE).item() == 3
    with pytest.raises(CancelledError):
        gone.result(PATIENCE)
    assert sum(size for size, _ in model.batches) == 2


def test_an_embedder_that_ends_finishes_what_it_began_and_refuses_the_rest(model):
    embedder = BatchEmbedder(model, batch=4, waiting=6)
    first = embedder.submit(pictures(1), Modality.RGB)
    assert model.begun.acquire(timeout=PATIENCE)
    second = embedder.submit(pictures(2), Modality.IR)
    threading.Timer(0.1, model.go.set).start()
    embedder.close()
    assert first.result(PATIENCE).item() == 1
    with pytest.raises(Refused, match="stopping"):
        second.result(PATIENCE)
    with pytest.raises(Refused, match="stopping"):
        embedder.submit(pictures(3), Modality.IR)
