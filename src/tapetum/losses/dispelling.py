"""The identity dispeller: a classifier that cannot tell who it is."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tapetum.errors import InternalError


def dispelling_loss(logits: Tensor) -> Tensor:
    """How far the classifier's answer is from the uniform one: the divergence KL(uniform | p).

    L = mean_i (1/C) sum_c log((1/C) / p_ic) = mean_i (logsumexp(z_i) - mean_c z_ic) - log C,   p = softmax(z)

    logits: z, (N, C). The gradient on a row's logits is (p - 1/C) / N: it neither vanishes for many classes nor grows
    without bound. Adding the same number to all logits of a row changes nothing. Half precision is widened to float32.
    Returns a scalar >= 0 (but for rounding); zero exactly when all logits of each row are equal.
    Raises InternalError for anything but (N, C) with N at least 1 and C at least 2.
    Source: METHODS 5, identity dispeller (Kansal et al., TCSVT 2020).
    """
    if logits.ndim != 2 or len(logits) == 0 or logits.shape[1] < 2:
        raise InternalError(
            f"dispelling_loss: got logits of shape {tuple(logits.shape)}."
            " Expected (N, C) with N at least 1 and C at least 2."
        )
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    surprise = wide.logsumexp(dim=1) - wide.mean(dim=1)  # (N,), at least log C
    return (surprise - math.log(logits.shape[1])).mean()
