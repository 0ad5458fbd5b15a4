"""An identity code read from edges alone, by a residual network of its own: for small networks from scratch."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.errors import RecipeError
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import EdgeFront


class EdgeCode(nn.Module):
    """S = W mean over each strip of trunk(edges(x)), one W for all strips: what the light changes little.

    trunk: its settings; `share_from` is "stem", the channels are those of `EdgeFront`. length: L, rows of W, which has
    no bias. strips: n, horizontal strips, head to foot. forward: pictures (N, 3, H, W) in [0, 1] -> (N, L) for one
    strip, else (N, L, n, 1). Raises RecipeError for pictures with fewer rows of H / 16 than strips. Ours.
    """

    def __init__(self, trunk: TrunkSettings, length: int, strips: int = 1) -> None:
        super().__init__()
        self.strips = strips
        self.front = EdgeFront()
        self.trunk = build_trunk(replace(trunk, share_from="stem", in_channels=EdgeFront.channels))
        self.shorten = nn.Conv2d(self.trunk.channels, length, 1, bias=False)
        self.trunk.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, L) or (N, L, n, 1)."""
        maps = self.trunk.shared(self.front(pictures).contiguous(memory_format=torch.channels_last))
        if maps.shape[2] < self.strips:
            raise RecipeError(
                f"strips: S has {maps.shape[2]} rows, too few for {self.strips} strips. Use fewer, or taller images."
            )
        code: Tensor = self.shorten(F.adaptive_avg_pool2d(maps, (self.strips, 1)))
        return code.flatten(1) if self.strips == 1 else code
