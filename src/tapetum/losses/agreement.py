"""Agreement of two sets of predictions: the same person should look like the same people in either light."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.hetero_centre import person_centres


def prediction_divergence(
    reference: Tensor, logits: Tensor, person_reference: Tensor, person: Tensor, temperature: float = 3.0
) -> Tensor:
    """Divergence of a person's mean prediction in one light from its mean prediction in the other.

    L = T^2 mean_i KL(softmax(a_i / T) | softmax(b_i / T)),  a_i, b_i: mean rows of `reference` and `logits` of person i

    reference: (N, C); logits: (M, C); person_reference: (N,), person: (M,) labels, rows in any order; temperature: T,
    > 0. Gradients run to both sides. Half precision is widened to float32. Returns a scalar >= 0; zero when both mean
    predictions of every person are the same soft-max. Raises InternalError for shapes that do not fit or persons seen
    on one side only, RecipeError for a temperature of 0 or less.
    Source: METHODS 12, CAJ's optional KL with T = 3; the means over a person's rows are ours, to group by label.
    """
    if temperature <= 0:
        raise RecipeError(
            f"prediction_divergence: the temperature is {temperature}. Give a number above 0 (3 is usual)."
        )
    a, persons_reference = person_centres(_wide(reference), person_reference)
    b, persons = person_centres(_wide(logits), person)
    if not torch.equal(persons_reference, persons) or a.shape != b.shape:
        raise InternalError(
            f"prediction_divergence: got {tuple(reference.shape)} of persons {persons_reference.tolist()} and"
            f" {tuple(logits.shape)} of persons {persons.tolist()}. Expected the same persons and classes."
        )
    target, found = (F.log_softmax(rows / temperature, dim=1) for rows in (a, b))
    return temperature**2 * F.kl_div(found, target, reduction="batchmean", log_target=True)


def _wide(rows: Tensor) -> Tensor:
    return rows.to(torch.promote_types(rows.dtype, torch.float32))
