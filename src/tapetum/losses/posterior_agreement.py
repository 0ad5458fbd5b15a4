"""Agreement of predictions row by row: a generated picture should look like whomever its original looks like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import InternalError


def posterior_agreement(real: Tensor, generated: Tensor) -> Tensor:
    """Both divergences between the class posteriors of pictures and of their counterparts in the other light.

    L = mean_i KL(sg p_i | q_i) + KL(q_i | p_i),  p = softmax(real), q = softmax(generated)

    real, generated: logits (N, C), row i of both of one picture. sg: no gradient, so that the first divergence draws
    the counterpart's posterior alone, the second draws both. Half precision is widened to float32.
    Returns a scalar >= 0; zero exactly when p = q.
    Raises InternalError for anything but two (N, C) with N at least 1. Source: METHODS 6, L_align (JSIA).
    """
    if real.ndim != 2 or real.shape != generated.shape or len(real) == 0:
        raise InternalError(
            f"posterior_agreement: got shapes {tuple(real.shape)} and {tuple(generated.shape)}. Expected two (N, C)."
        )
    wide = torch.promote_types(torch.promote_types(real.dtype, generated.dtype), torch.float32)
    log_p, log_q = (F.log_softmax(logits.to(wide), dim=1) for logits in (real, generated))
    forward = F.kl_div(log_q, log_p.detach(), reduction="batchmean", log_target=True)
    return forward + F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
