"""A painter of one light: a content map in the style of a vector, at twice the map's sides."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.errors import InternalError
from tapetum.nets.convolution import SLOPE, ConvBlock, draw_kaiming, reflected
from tapetum.nets.generator import UpsamplingBlock, styled

BLOCKS = 2


class StyleDecoder(nn.Module):
    """Content map c and style s -> picture in [-1, 1].

    content: C, channels of c (published: 256). style: S, length of s (published: 128). hidden: of the MLP (published:
    256), S -> hidden -> hidden -> 8 C, whose output is scale and shift of the four AdaIN. Layers, for c of (C, h, w):

        2 residual blocks: 3 x 3, AdaIN, leaky ReLU, 3 x 3, AdaIN, added     C,    h x w
        nearest x 2, 5 x 5, layer norm, leaky ReLU                           C/2, 2h x 2w
        7 x 7, hyperbolic tangent                                            3,   2h x 2w

    forward: c (N, C, h, w), s (N, S) -> (N, 3, 2h, 2w). 3,823,875 parameters, 625,152 in the MLP.
    Raises InternalError for codes that do not fit. Source: METHODS 6, decoders.
    """

    def __init__(self, content: int = 256, style: int = 128, hidden: int = 256) -> None:
        super().__init__()
        self.style = nn.Sequential(
            nn.Linear(style, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, BLOCKS * 4 * content),
        )  # fmt: skip
        self.blocks = nn.ModuleList(_StyledBlock(content) for _ in range(BLOCKS))
        self.paint = nn.Sequential(
            UpsamplingBlock(content, content // 2), ConvBlock(content // 2, 3, 7, active=False), nn.Tanh()
        )
        draw_kaiming(self)

    def forward(self, c: Tensor, s: Tensor) -> Tensor:
        """c (N, C, h, w), s (N, S) -> (N, 3, 2h, 2w)."""
        if c.ndim != 4 or s.ndim != 2 or len(c) != len(s):
            raise InternalError(
                f"StyleDecoder: got c of shape {tuple(c.shape)} and s of shape {tuple(s.shape)}."
                " Expected (N, C, h, w) and (N, S)."
            )
        maps = c
        for block, part in zip(self.blocks, self.style(s).chunk(BLOCKS, dim=1), strict=True):
            maps = block(maps, part)
        picture: Tensor = self.paint(maps)
        return picture


class _StyledBlock(nn.Module):
    """x + AdaIN(conv(lrelu(AdaIN(conv(x))))); style (N, 4 C): scale and shift of the first AdaIN, then the second's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3) for _ in range(2))

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        g_1, b_1, g_2, b_2 = style.chunk(4, dim=1)
        inner = F.leaky_relu(styled(self.first(reflected(maps, 1)), g_1, b_1), SLOPE, inplace=True)
        changed: Tensor = maps + styled(self.second(reflected(inner, 1)), g_2, b_2)
        return changed


def enlarged(pictures: Tensor) -> Tensor:
    """Twice the sides, bilinear: what a decoder painted, at the size that encoders read. (N, 3, h, w) -> 2h x 2w."""
    return F.interpolate(pictures, scale_factor=2, mode="bilinear", align_corners=False)


def halved(pictures: Tensor) -> Tensor:
    """Half the sides, each pixel the mean of four: what a decoder should paint. (N, 3, 2h, 2w) -> (N, 3, h, w)."""
    return F.avg_pool2d(pictures, 2)
