"""The appearance encoder E_a of DG-Net: a residual network whose maximum over four parts says what the clothes are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import EDGE_FLOOR, EdgeFront
from tapetum.nets.generator import PARTS
from tapetum.nets.pooling import Strips, global_pooling


class AppearanceEncoder(nn.Module):
    """Picture -> maps, and from these the appearance code a and the pooled vector that identity heads read.

    name, weights, width: of the trunk; both lights go through the same one. `channels`: A of its maps (ResNet-50:
    2048). edges: four edge maps stand beside the colours. strips: of the maps that identity heads read, each pooled by
    itself (published: 1); `length`: of what they read.
    forward: normalised pictures (N, 3, H, W) -> maps (N, A, H/16, W/16). 23,508,032 parameters with ResNet-50.
    Raises RecipeError for trunks and weights that cannot be had. Source: METHODS 9.1.
    """

    def __init__(
        self,
        name: str = "resnet50",
        weights: str = "none",
        width: int = 64,
        *,
        edges: bool = False,
        strips: int = 1,
    ) -> None:
        super().__init__()
        self.front = EdgeFront(floor=EDGE_FLOOR) if edges else None
        channels = 3 if self.front is None else 3 + EdgeFront.channels
        trunk = build_trunk(TrunkSettings(name, "stem", weights, width, in_channels=channels))
        self.trunk, self.channels = trunk.shared, trunk.channels
        self.parts = Strips(strips, global_pooling("max"))
        self.length = strips * self.channels
        # The faster layout for trunks with batch norm; for instance norm on a CPU it is the slower one.
        self.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, A, h, w)."""
        if self.front is not None:
            pictures = torch.cat([pictures, self.front(pictures)], dim=1)
        maps: Tensor = self.trunk(pictures.contiguous(memory_format=torch.channels_last))
        return maps

    @staticmethod
    def code(maps: Tensor) -> Tensor:
        """a: the maximum over each quarter of the height, top to bottom. (N, A, h, w) -> (N, A, 4)."""
        return F.adaptive_max_pool2d(maps, (PARTS, 1)).flatten(2)

    def pooled(self, maps: Tensor) -> Tensor:
        """What identity heads read: the maximum over the map, or over each strip. (N, A, h, w) -> (N, strips x A)."""
        strips: Tensor = self.parts(maps)
        return strips.flatten(1)
