"""Putting a picture or a code together again: how far it is from what it should be."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.errors import InternalError


def reconstruction_loss(made: Tensor, target: Tensor, power: int = 1) -> Tensor:
    """The mean over all entries of |made - target|, or of its square.

    made, target: the same shape, pictures or codes. power: 1 (DG-Net, JSIA, Hi-CMD) or 2. Gradients run into both
    sides; at power 1 that of an entry that fits exactly is zero. Half precision is widened to float32.
    Returns a scalar >= 0; zero exactly when both are equal.
    Raises InternalError for shapes that differ and for another power. Source: METHODS 9.2, 3.1.
    """
    if made.shape != target.shape or power not in (1, 2):
        raise InternalError(
            f"reconstruction_loss: got shapes {tuple(made.shape)} and {tuple(target.shape)} and power {power}."
            " Expected equal shapes and power 1 or 2."
        )
    wide = torch.promote_types(torch.promote_types(made.dtype, target.dtype), torch.float32)
    difference = made.to(wide) - target.to(wide)
    return difference.abs().mean() if power == 1 else difference.square().mean()
