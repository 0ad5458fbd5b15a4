"""Loading for methods that read vectors: batches of the same shape, from a table of vectors in place of pictures."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tapetum.core import Batch, IntArray
from tapetum.data.sampling import PersonSampler


class VectorLoader:
    """One pass is one epoch of `Batch` with (N, D) vectors; `len` is its steps. `sampler` chooses epoch and first step.

    vectors: (R, D), row i of `dataset.crops[i]` of the dataset that the sampler draws from, on the device where the
    batches are wanted.
    """

    def __init__(self, sampler: PersonSampler, vectors: Tensor) -> None:
        self.sampler, self._vectors = sampler, vectors

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        for draw in self.sampler:
            yield Batch(self._of(draw.rgb), self._of(draw.ir), self._there(draw.person))

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass draws."""
        self.sampler.set_epoch(epoch)

    def _of(self, rows: IntArray) -> Tensor:
        return self._vectors[self._there(rows)]

    def _there(self, numbers: IntArray) -> Tensor:
        return torch.from_numpy(numbers).to(self._vectors.device)
