"""Batches of vectors: the very rows that batches of pictures show."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tapetum.core import Crop, Dataset, Modality
from tapetum.data.sampling import BatchShape, PersonSampler, Share
from tapetum.data.vector_loading import VectorLoader

SHAPE = BatchShape(persons=2, crops=2, steps=3)


@pytest.fixture
def dataset() -> Dataset:
    crops = [Crop(f"{p}{m}{n}", p, m, m) for p in (10, 20, 30, 40) for m in Modality for n in range(3)]
    return Dataset("tiny", Path("root"), tuple(crops), {"train": tuple(range(len(crops)))})


def test_a_batch_holds_the_vectors_of_the_rows_that_are_drawn(dataset):
    vectors = torch.arange(2 * len(dataset.crops)).reshape(-1, 2).float()
    loader = VectorLoader(PersonSampler(dataset, "train", SHAPE, 5), vectors)
    loader.set_epoch(1)
    batches = list(loader)
    assert len(batches) == len(loader) == 3
    for batch in batches:
        for side, modality in ((batch.rgb, Modality.RGB), (batch.ir, Modality.IR)):
            crops = [dataset.crops[int(row[0]) // 2] for row in side]
            assert side.shape == (4, 2)
            assert {crop.modality for crop in crops} == {modality}
            assert [dataset.persons("train").index(crop.person) for crop in crops] == batch.person.tolist()


def test_epochs_differ_and_come_back(dataset):
    def drawn(epoch: int) -> torch.Tensor:
        sampler = PersonSampler(dataset, "train", SHAPE, 5, Share(0, 1))
        loader = VectorLoader(sampler, torch.arange(len(dataset.crops))[:, None])
        loader.set_epoch(epoch)
        return torch.cat([batch.rgb for batch in loader])

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(0), drawn(1))
