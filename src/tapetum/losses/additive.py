"""The additive identity: a vector is the sum of its parts, such as what shows the person and what shows the light."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.errors import InternalError, RecipeError


def additive_loss(whole: Tensor, *parts: Tensor, power: int = 2) -> Tensor:
    """How far each row of `whole` is from the sum of the same rows of all `parts`.

    L = mean_i |x_i - (p_1i + p_2i + ...)|,  with |.| the sum over columns of absolute values to the power 1 or 2

    whole: (N, D); parts: one or more of (N, D). power: 2, the squared Euclidean length (SDL: x = u + v), or 1, the sum
    of absolute differences (embedding disentangling: the decoder's identity half + its rest half). Gradients run into
    the whole and into every part; at power 1 the gradient of an entry that fits exactly is zero. Half precision is
    widened to float32. Returns a scalar >= 0; zero exactly when every row is the sum of its parts.
    Raises InternalError for no parts and for shapes that differ, RecipeError for another power.
    Source: METHODS 5 (SDL, disentanglement) and METHODS 4.1 (L_simple, L_cross).
    """
    if whole.ndim != 2 or len(whole) == 0 or not parts or any(part.shape != whole.shape for part in parts):
        shapes = [tuple(given.shape) for given in (whole, *parts)]
        raise InternalError(
            f"additive_loss: got shapes {shapes}. Expected a whole and one or more parts, all (N, D) with N at least 1."
        )
    if power not in (1, 2):
        raise RecipeError(f"additive_loss: power is {power}. Give 1 (absolute) or 2 (squared).")
    widened = [given.to(torch.promote_types(given.dtype, torch.float32)) for given in (whole, *parts)]
    error = widened[0] - torch.stack(widened[1:]).sum(dim=0)  # (N, D)
    return (error.square() if power == 2 else error.abs()).sum(dim=1).mean()
