"""Pairs of a batch whose structures and appearances are exchanged: two persons, the same light or two lights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tapetum.errors import RecipeError


@dataclass(frozen=True)
class Pairs:
    """Which rows are exchanged with which. Rows are those of both lights together, RGB first: 0 ... 2N - 1.

    row: (2M,), the pictures a_1 ... a_M, then b_1 ... b_M; a_i and b_i show different persons.
    partner: (2M,), another picture of the same person in the same light as `row`; the same one where there is no other.
    other: (2M,) places in `row`: picture i's opposite in its pair. The swap of place i has the structure of `row[i]`
    and the appearance of `row[other[i]]`.
    """

    row: Tensor
    partner: Tensor
    other: Tensor


def draw_pairs(person: Tensor, cross_modality: float = 0.5, persons: int | None = None) -> Pairs:
    """As many pairs as persons, drawn from torch's generator: each person is once an a and once a b.

    person: (N,) labels of the batch, the same for both lights. cross_modality: the share of pairs of two lights; the
    others are half RGB, half infrared. persons: how many of the batch's persons; None: all. Raises RecipeError for a
    single person. Source: METHODS 9.4, sampler.
    """
    labels = torch.unique(person)
    order = torch.randperm(len(labels), device=person.device)[:persons]
    count = len(order)
    if count < 2:
        raise RecipeError("pairs of different persons are exchanged: set batch.persons to at least 2.")
    shift = int(torch.randint(1, count, ()))
    first = torch.rand(count, device=person.device) < 0.5  # a is infrared
    crossing = torch.rand(count, device=person.device) < cross_modality
    infrared = torch.cat([first, first ^ crossing])
    shown = torch.cat([labels[order], labels[order.roll(shift)]])  # (2M,)
    chosen = _two_of_each(person, shown)  # (2M, 2) crops
    rows = chosen + len(person) * infrared[:, None]
    return Pairs(rows[:, 0], rows[:, 1], torch.arange(2 * count, device=person.device).roll(count))


def _two_of_each(person: Tensor, shown: Tensor) -> Tensor:
    """Two different crops of each wanted person, in a random order; twice the same one where it has only one."""
    own = person[None, :] == shown[:, None]  # (2M, N)
    drawn = torch.rand(own.shape, device=person.device).masked_fill(~own, -1)
    found = drawn.topk(min(2, drawn.shape[1]), dim=1)
    second = torch.where(found.values[:, -1] >= 0, found.indices[:, -1], found.indices[:, 0])
    return torch.stack([found.indices[:, 0], second], dim=1)
