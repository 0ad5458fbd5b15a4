"""Random erasing inside a method, for losses that read erased pictures beside others that read them whole."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tapetum.data.transforms import Augmentation, erased_box


def erased(pictures: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Normalised pictures, each with this probability with a rectangle of zeros (the mean colour), and which have one.

    (N, 3, H, W) -> (N, 3, H, W), (N,) bool; the pictures given stay as they are. Rectangles as in training
    (`transforms.Augmentation`: 2 to 40 % of the picture), drawn from torch's generator. Source: METHODS 9.2.
    """
    hit = torch.rand(len(pictures)) < probability
    changed = pictures.clone() if bool(hit.any()) else pictures
    rng = np.random.default_rng(int(torch.randint(2**63 - 1, ())))
    for place in hit.nonzero().flatten().tolist():
        rows, columns = erased_box(tuple(pictures.shape[2:]), Augmentation(), rng)
        changed[place, :, rows, columns] = 0
    return changed, hit.to(pictures.device)
