"""A painter whose codes are known by hand: structure is a picture less its mean colour, appearance the mean colour."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.core import Crop, Modality
from tapetum.methods.method import Pictures
from tapetum.report.shown_crops import Shown


class Toy:
    """Paints structure + appearance, so that a swap keeps every edge and takes the other's mean colour exactly."""

    def codes(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        mean = pictures.images.mean(dim=(2, 3))
        return pictures.images - mean[:, :, None, None], mean

    def paint(self, structure: Tensor, appearance: Tensor, modality: Modality) -> Tensor:
        return (structure + appearance[:, :, None, None]).clamp(0, 1)


def shown(light: Modality, persons: list[int], size: tuple[int, int] = (16, 12)) -> Shown:
    """Pictures around grey, each person another pattern and each picture another level."""
    generator = torch.Generator().manual_seed(len(persons))
    patterns = {p: torch.rand(3, *size, generator=generator) for p in sorted(set(persons))}
    levels = torch.linspace(0.3, 0.6, len(persons)).tolist()
    images = torch.stack([level + 0.2 * (patterns[p] - 0.5) for level, p in zip(levels, persons, strict=True)])
    crops = tuple(Crop(f"{light}/{n}.png", p, "1", light) for n, p in enumerate(persons))
    return Shown(Pictures(images, light), crops)
