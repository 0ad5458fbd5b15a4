"""One vector from a map that shows shape and a vector that shows style, in a proportion that is learned."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.pooling import Strips, global_pooling
from tapetum.nets.resnet import RESNETS


class MixedFeature(nn.Module):
    """[w u / |u|, (1 - w) v / |v|]: u the map after layer2 and layer3 of a residual network, averaged; v the style.

    channels: C of the map; the network's width is what lets its layer2 read C. trunk, weights: of that network.
    strips: horizontal strips of the map averaged apart (published: 1). style: S, length of v.
    w (`share`) starts at 0.5 and is learned: towards 1 the vector lives on shape, towards 0 on style.
    forward: maps (N, C, h, w), style (N, S) -> (N, `length`). With ResNet-50: C = 256, `length` 1024 + S; 8,317,952
    parameters and w. Raises RecipeError for trunks and weights that cannot be had. Source: METHODS 7, HFL.
    """

    def __init__(self, channels: int, style: int, trunk: str, weights: str = "none", strips: int = 1) -> None:
        super().__init__()
        expansion = 4 if RESNETS[trunk].bottleneck else 1
        built = build_trunk(TrunkSettings(trunk, "stem", weights, width=channels // expansion))
        stages = dict(built.shared.named_children())
        self.deeper = nn.Sequential(stages["layer2"], stages["layer3"])
        self.pool = nn.Sequential(Strips(strips, global_pooling("average")), nn.Flatten())
        self.share = nn.Parameter(torch.tensor(0.5))
        self.length = strips * built.stage_channels["layer3"] + style
        self.to(memory_format=torch.channels_last)

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        """maps (N, C, h, w), style (N, S) -> (N, length)."""
        shape = self.pool(self.deeper(maps.contiguous(memory_format=torch.channels_last)))
        parts = [self.share * F.normalize(shape.float()), (1 - self.share) * F.normalize(style.float())]
        return torch.cat(parts, dim=1)
