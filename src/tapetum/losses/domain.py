"""Telling two domains apart, place by place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import InternalError


def domain_loss(scores: Tensor, domain: Tensor) -> Tensor:
    """Binary cross-entropy of every place's score against its picture's domain; each domain weighs one half.

    L = mean over the domains d present of mean over pictures i of d and places u of log(1 + e^(-(2 d_i - 1) z_iu))

    scores: z, (N, ...), before any activation, high for domain 1; domain: (N,) of 0 and 1, any dtype. Returns a scalar
    >= 0; log 2 at scores 0, towards 0 for sure and right ones. With as many pictures of each domain it is the plain
    mean. Half precision is widened to float32. Raises InternalError for shapes that do not fit.
    Source: METHODS 8, feature discriminator.
    """
    if domain.ndim != 1 or scores.ndim < 1 or len(scores) != len(domain) or len(domain) == 0:
        raise InternalError(
            f"domain_loss: got scores of shape {tuple(scores.shape)} and domains of shape {tuple(domain.shape)}."
            " Expected (N, ...) and (N,) with N at least 1."
        )
    wide = scores.to(torch.promote_types(scores.dtype, torch.float32)).reshape(len(scores), -1)  # (N, places)
    sign = (2 * domain.to(wide.dtype) - 1)[:, None]
    each = F.softplus(-sign * wide).mean(dim=1)  # (N,)
    return torch.stack([each[domain == kind].mean() for kind in torch.unique(domain)]).mean()
