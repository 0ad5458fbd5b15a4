"""The structure encoder E_s of DG-Net: a shallow, high-resolution network on the grey picture, with ASPP."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.errors import RecipeError
from tapetum.nets.convolution import SLOPE, ConvBlock, DilatedBlock, ResidualBlock, draw_kaiming, set_slope

STRIDE = 4  # pixels of the picture to one place of the code


class StructureEncoder(nn.Module):
    """Grey picture -> structure code s: what is where, at a quarter of the resolution.

    in_channels: 1 (grey), more with edges. width: b, channels of the first convolution (published: 16).
    dilations: of ASPP's three branches (published: 3, 6, 9; 1, 2, 3 for 64 x 32 pictures).
    norm: of every layer (published: "instance"). slope: of every leaky ReLU (published: 0.2).
    Layers, for pictures (in_channels, H, W):

        3 x 3, stride 2              b,  H/2 x W/2      4 residual blocks             4b, H/4 x W/4
        3 x 3, 3 x 3                2b,  H/2 x W/2      ASPP: 1 x 1 beside three of   8b, H/4 x W/4
        3 x 3, stride 2             4b,  H/4 x W/4        (1 x 1, dilated 3 x 3), 2b each; then 1 x 1

    forward: (N, in_channels, H, W) -> (N, 8b, H/4, W/4). 380,544 parameters for grey and b = 16.
    Raises RecipeError for sizes that are no multiples of 4 or too small for the dilations. Source: METHODS 9.1.
    """

    def __init__(
        self,
        in_channels: int = 1,
        width: int = 16,
        dilations: Sequence[int] = (3, 6, 9),
        norm: str = "instance",
        slope: float = SLOPE,
    ) -> None:
        super().__init__()
        self.channels, self.dilations = 8 * width, tuple(dilations)
        self.body = nn.Sequential(
            ConvBlock(in_channels, width, 3, stride=2, norm=norm),
            ConvBlock(width, 2 * width, 3, norm=norm),
            ConvBlock(2 * width, 2 * width, 3, norm=norm),
            ConvBlock(2 * width, 4 * width, 3, stride=2, norm=norm),
            *(ResidualBlock(4 * width, norm) for _ in range(4)),
        )
        self.near = ConvBlock(4 * width, 2 * width, 1, norm=norm, active=False)
        self.far = nn.ModuleList(
            nn.Sequential(
                ConvBlock(4 * width, 2 * width, 1, norm=norm),
                DilatedBlock(2 * width, 2 * width, dilation, norm),
            )
            for dilation in dilations
        )
        branches = 1 + len(self.dilations)
        self.fuse = ConvBlock(branches * 2 * width, self.channels, 1, norm=norm, active=False)
        set_slope(self, slope)
        draw_kaiming(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, 8b, H/4, W/4)."""
        check_size(pictures, self.dilations)
        maps = self.body(pictures)
        s: Tensor = self.fuse(torch.cat([self.near(maps), *(branch(maps) for branch in self.far)], dim=1))
        return s


def grey(pictures: Tensor) -> Tensor:
    """The mean of the channels: (N, 3, H, W) -> (N, 1, H, W)."""
    return pictures.mean(dim=1, keepdim=True)


def sketch(pictures: Tensor) -> Tensor:
    """The grey picture at a structure code's size, each value a mean of 4 x 4: (N, 3, H, W) -> (N, 1, H/4, W/4).

    For painters whose structure code is read from edges, which do not say which side of them is bright.
    """
    return F.avg_pool2d(grey(pictures), STRIDE)


def check_size(pictures: Tensor, dilations: Sequence[int] = (1,)) -> None:
    """Refuse pictures whose structure code would not come back to their size, or is too small for its convolutions.

    Raises RecipeError: multiples of 4, and a code that is larger than the largest dilation on both sides.
    """
    height, width = pictures.shape[2:]
    if height % STRIDE or width % STRIDE:
        raise RecipeError(
            f"image: {height} x {width} pixels; a generator paints multiples of {STRIDE}."
            f" Set height and width to multiples of {STRIDE}, such as"
            f" {max(height // STRIDE, 1) * STRIDE} x {max(width // STRIDE, 1) * STRIDE}."
        )
    least = STRIDE * (max(dilations) + 1)
    if min(height, width) < least:
        raise RecipeError(
            f"image: {height} x {width} pixels are too few for the dilations {', '.join(map(str, dilations))}, which"
            f" need {least} on each side. Take larger images, or --set settings.dilations=[1,2,3]."
        )
