"""The attribute encoder of one light: what a person looks like and what the moment added, in four segments."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.generator import PARTS

STYLE, POSE, ILLUMINATION = (0, 2), 1, 3  # which segments say what


class AttributeEncoder(nn.Module):
    """Picture -> attribute code a: a trunk's mean over all places, cut into four segments.

    Segments 0 and 2 are the style, which belongs to the person; 1 is the pose and 3 the illumination, which belong to
    the picture. `length`: S of a segment (ResNet-50: 512).
    forward: normalised pictures (N, 3, H, W) -> (N, S, 4). 23,508,032 parameters with ResNet-50.
    Raises RecipeError for trunks and weights that cannot be had. Source: METHODS 7, attribute encoder.
    """

    def __init__(self, name: str = "resnet50", weights: str = "none", width: int = 64) -> None:
        super().__init__()
        trunk = build_trunk(TrunkSettings(name, share_from="stem", weights=weights, width=width))
        self.trunk, self.length = trunk.shared, trunk.channels // PARTS
        self.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, S, 4)."""
        pooled = self.trunk(pictures.contiguous(memory_format=torch.channels_last)).mean(dim=(2, 3))
        a: Tensor = pooled.unflatten(1, (PARTS, self.length)).transpose(1, 2)
        return a


def assembled(style: Tensor, pose: Tensor, illumination: Tensor) -> Tensor:
    """A code whose style, pose and illumination come from three codes, which may be the same. (N, S, 4) each."""
    sources = [style] * PARTS
    sources[POSE], sources[ILLUMINATION] = pose, illumination
    return torch.stack([source[:, :, place] for place, source in enumerate(sources)], dim=2)


def style_of(a: Tensor) -> Tensor:
    """What belongs to the person: (N, S, 4) -> (N, 2 S)."""
    return torch.cat([a[:, :, place] for place in STYLE], dim=1)


def excluded_of(a: Tensor) -> Tensor:
    """What belongs to the picture, pose and illumination: (N, S, 4) -> (N, 2 S)."""
    return torch.cat([a[:, :, place] for place in (POSE, ILLUMINATION)], dim=1)
