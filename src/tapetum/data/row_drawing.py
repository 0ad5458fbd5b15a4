"""Which rows of a batch are painted, where painting all of them would cost too much."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_rows(person: Tensor, persons: int, crops: int) -> Tensor:
    """Rows of so many persons of a batch, so many of each, drawn from torch's generator: places in 0 ... N - 1.

    person: (N,) labels, the same for both lights, so that a row stands for an RGB and an infrared picture of one
    person. All persons, or all crops of a person, where there are no more. Rows of one person stand together.
    """
    labels = torch.unique(person)
    chosen = labels[torch.randperm(len(labels), device=person.device)[:persons]]
    order = torch.randperm(len(person), device=person.device)
    return torch.cat([order[person[order] == label][:crops] for label in chosen])


def across(rows: Tensor) -> Tensor:
    """The halves exchanged: what stands beside each row in the other light, if rows are RGB first. (2N, ...)."""
    return rows.roll(len(rows) // 2, 0)
