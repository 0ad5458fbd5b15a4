"""What a person carries and wears, as classes, where somebody has said so."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import RecipeError


def attribute_loss(logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy of each attribute, over the rows where its label is known.

    L = mean over attributes k with a known row of (mean over rows i with l_ki >= 0 of -log softmax(z_ki)[l_ki])

    logits: attribute -> (N, classes of it); labels: attribute -> (N,) int64, -1 where nobody knows; attributes beyond
    those of `logits` are ignored. Returns a scalar >= 0; zero when no label is known, and then without gradient but
    defined. Raises RecipeError for attributes without labels and for classes beyond the logits'.
    Source: METHODS 10.5, attributes ("missing label masked").
    """
    losses = []
    for name, z in logits.items():
        if name not in labels or labels[name].shape != z.shape[:1]:
            raise RecipeError(
                f"attributes: the batch has no labels of '{name}' for {len(z)} rows. Name a table with such a column"
                " in data.attributes."
            )
        last = int(labels[name].max())
        if last >= z.shape[1]:
            raise RecipeError(
                f"attributes: '{name}' has {z.shape[1]} classes in the recipe and class {last} in the data."
                " Set its number of classes (settings.attributes) to what the table holds."
            )
        known = labels[name] >= 0
        if bool(known.any()):
            losses.append(F.cross_entropy(z[known].float(), labels[name][known]))
    if not losses:
        return torch.stack([z.float().sum() * 0 for z in logits.values()]).sum()
    return torch.stack(losses).mean()
