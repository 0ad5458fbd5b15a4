"""A discriminator of feature maps behind reversed gradients: which domain each place of a map comes from."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from tapetum.nets.convolution import ConvBlock
from tapetum.nets.gradient_reversal import reverse_gradient


class MapDiscriminator(nn.Module):
    """3 x 3 convolutions with leaky ReLU(0.2), and a last one to a single score for each place.

    channels: C of the maps; widths: of the layers before the last (CASE-Net: 256, 128, 128). strength: of the reversed
    gradient. forward: (N, C, h, w) -> scores (N, 1, h, w), no activation; the gradient in the maps is that of
    forgetting, times `strength`. 738,945 parameters for C = 128. Source: METHODS 8, feature discriminator.
    """

    def __init__(self, channels: int, widths: Sequence[int] = (256, 128, 128), strength: float = 1.0) -> None:
        super().__init__()
        self.strength = strength
        inputs = [channels, *widths]
        layers = [ConvBlock(before, after, 3) for before, after in zip(inputs, widths, strict=False)]
        self.judge = nn.Sequential(*layers, ConvBlock(inputs[-1], 1, 3, active=False))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, 1, h, w)."""
        scores: Tensor = self.judge(reverse_gradient(maps, self.strength))
        return scores
