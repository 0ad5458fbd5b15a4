"""A teacher's soft labels: a student that should believe what the teacher believes."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import InternalError

Direction = Literal["teacher_student", "student_teacher"]


def soft_label_loss(logits: Tensor, soft: Tensor, direction: Direction = "teacher_student") -> Tensor:
    """Divergence between the teacher's soft labels q and the student's prediction p = softmax(logits).

    teacher_student:  L = mean_i sum_c q_ic log(q_ic / p_ic)      KL(q | p), DG-Net
    student_teacher:  L = mean_i sum_c p_ic log(p_ic / q_ic)      KL(p | q), as the deck prints it

    logits: (N, C); soft: q, (N, C), rows of probabilities that sum to 1. No gradient runs into q. Probabilities count
    as at least 1e-8 inside the logarithm of KL(p | q), which would be infinite where q is 0.
    Returns a scalar >= 0; zero exactly when p = q. Half precision is widened to float32.
    Raises InternalError for anything but two (N, C) with N at least 1. Source: METHODS 9.2, 9.4.
    """
    if logits.ndim != 2 or logits.shape != soft.shape or len(logits) == 0:
        raise InternalError(
            f"soft_label_loss: got shapes {tuple(logits.shape)} and {tuple(soft.shape)}. Expected two (N, C)."
        )
    wide = torch.promote_types(logits.dtype, torch.float32)
    log_p, q = F.log_softmax(logits.to(wide), dim=1), soft.detach().to(wide)
    if direction == "teacher_student":
        return F.kl_div(log_p, q, reduction="batchmean")
    return (log_p.exp() * (log_p - q.clamp(min=1e-8).log())).sum(dim=1).mean()
