"""Maps: who is drawn, that neighbours stay neighbours, and that the same seed gives the same map."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tapetum.core import Crop, Modality
from tapetum.embedding_table import EmbeddingTable
from tapetum.evaluation.embedding_map import draw_crops, embedding_map


@pytest.fixture(scope="module")
def crowd() -> EmbeddingTable:
    """10 persons, 15 RGB and 4 infrared crops each, far apart by person; 5 crops of nobody known."""
    random = np.random.default_rng(0)
    crops, vectors = [], []
    for person in [*range(10), None]:
        count = 19 if person is not None else 5
        centre = np.zeros(16)
        centre[person if person is not None else 12] = 1
        for number in range(count):
            modality = Modality.IR if number >= 15 else Modality.RGB
            crops.append(Crop(f"{person}/{number}.jpg", person, "1", modality))
            vectors.append(centre + 0.05 * random.normal(size=16))
    return EmbeddingTable(np.array(vectors, dtype=np.float32), tuple(crops))


def test_persons_are_drawn_whole_up_to_twelve_of_each_modality(crowd):
    rows = draw_crops(crowd, 0)
    kinds = Counter((crowd.crops[row].person, crowd.crops[row].modality) for row in rows.tolist())
    assert len(set(rows.tolist())) == len(rows) == 10 * (12 + 4)
    assert set(kinds.values()) == {12, 4}
    assert None not in {person for person, _ in kinds}


def test_at_most_so_many_and_another_seed_draws_others(crowd):
    first, again, other = (draw_crops(crowd, seed, most=50) for seed in (0, 0, 1))
    assert len(first) == 48  # three persons of 16
    assert np.array_equal(first, again)
    assert {crowd.crops[row].person for row in first} != {crowd.crops[row].person for row in other}


def test_neighbours_on_the_map_are_of_one_person(crowd):
    rows = draw_crops(crowd, 0)
    places = embedding_map(crowd, rows, 0)
    assert places.shape == (160, 2)
    gaps = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(gaps, np.inf)
    person = np.array([crowd.crops[row].person for row in rows])
    assert (person[gaps.argmin(axis=1)] == person).mean() > 0.95
    assert np.array_equal(places, embedding_map(crowd, rows, 0))


def test_too_little_for_a_map(crowd):
    assert embedding_map(crowd, np.arange(9), 0) is None
    flat = EmbeddingTable(crowd.vectors[:, :1], crowd.crops)
    assert embedding_map(flat, np.arange(20), 0) is None
    unknown = EmbeddingTable(crowd.vectors[-5:], crowd.crops[-5:])
    assert len(draw_crops(unknown, 0)) == 0
