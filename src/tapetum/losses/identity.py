"""The identity loss: every training person is a class."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import RecipeError
from tapetum.losses.checks import check_rows


def identity_loss(logits: Tensor, person: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the classifier's logits against the persons' class labels.

    L = mean_i -sum_c t_ic log softmax(z_i)_c,  t_ic = (1 - smoothing) [c = y_i] + smoothing / C

    logits: (N, C); person: (N,) int64 in 0 ... C-1; smoothing: in [0, 1). Returns a scalar >= 0, which is 0 only
    without smoothing and in the limit of a certain and right answer; log C for equal logits.
    Raises InternalError for shapes that do not fit, RecipeError for a smoothing outside [0, 1).
    Source: the `CE` of METHODS 12; smoothing is that of Szegedy et al., 2016.
    """
    check_rows("identity_loss", logits, person)
    if not 0.0 <= smoothing < 1.0:
        raise RecipeError(f"identity_loss: smoothing is {smoothing}. Give a number from 0 to below 1.")
    return F.cross_entropy(logits, person, label_smoothing=smoothing)
