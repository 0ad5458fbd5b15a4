"""What every loss asks of its input, with one sentence for each way to get it wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.errors import InternalError, RecipeError


def check_rows(loss: str, features: Tensor, person: Tensor) -> None:
    """Refuse anything but features (N, D) with labels (N,), N >= 1. Raises InternalError."""
    if features.ndim != 2 or person.ndim != 1 or len(features) != len(person) or len(person) == 0:
        raise InternalError(
            f"{loss}: got features of shape {tuple(features.shape)} and labels of shape {tuple(person.shape)}."
            " Expected (N, D) and (N,) with N at least 1."
        )


def check_every_row_has(loss: str, mask: Tensor, partner: str, remedy: str) -> None:
    """Refuse a batch in which a row of the boolean `mask` (N, M) marks no partner. Raises RecipeError."""
    lonely = torch.nonzero(~mask.any(dim=1))
    if len(lonely):
        raise RecipeError(f"{loss}: row {int(lonely[0])} of the batch has no {partner} in it. {remedy}")
