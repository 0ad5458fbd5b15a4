"""The appearance encoder E_a of DG-Net: a residual network whose maximum over four parts says what the clothes are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.generator import PARTS


class AppearanceEncoder(nn.Module):
    """Picture -> maps, and from these the appearance code a and the pooled vector that identity heads read.

    settings: of the trunk; both lights go through the same one. `channels`: A of its maps (ResNet-50: 2048).
    forward: normalised pictures (N, 3, H, W) -> maps (N, A, H/16, W/16). 23,508,032 parameters with ResNet-50.
    Raises RecipeError for trunks and weights that cannot be had. Source: METHODS 9.1.
    """

    def __init__(self, name: str = "resnet50", weights: str = "none", width: int = 64) -> None:
        super().__init__()
        trunk = build_trunk(TrunkSettings(name, share_from="stem", weights=weights, width=width))
        self.trunk, self.channels = trunk.shared, trunk.channels
        # The faster layout for trunks with batch norm; for instance norm on a CPU it is the slower one.
        self.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, A, h, w)."""
        maps: Tensor = self.trunk(pictures.contiguous(memory_format=torch.channels_last))
        return maps

    @staticmethod
    def code(maps: Tensor) -> Tensor:
        """a: the maximum over each quarter of the height, top to bottom. (N, A, h, w) -> (N, A, 4)."""
        return F.adaptive_max_pool2d(maps, (PARTS, 1)).flatten(2)

    @staticmethod
    def pooled(maps: Tensor) -> Tensor:
        """What identity heads read: the maximum over the whole map. (N, A, h, w) -> (N, A)."""
        return maps.amax(dim=(2, 3))
