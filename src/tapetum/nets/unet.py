"""The two halves of a U-Net: maps of a picture at falling resolution, and a picture from maps at rising resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.errors import InternalError, RecipeError
from tapetum.nets.convolution import SLOPE

Skips = Literal["none", "coarse", "all"]


class UNetEncoder(nn.Module):
    """Stages of two 3 x 3 convolutions; each stage after the first halves the resolution with its first one.

    widths: channels of the stages (METHODS 3.2: 32, 64, 128, 256, 256, which halve four times). Each convolution is
    followed by instance norm with learned scale and shift, and leaky ReLU(0.2); it has no bias of its own.
    forward: pictures (N, 3, H, W) -> the maps of every stage, finest first: (N, widths[k], H / 2^k, W / 2^k).
    9 (3 w_0 + w_0^2 + sum_k (w_k w_k+1 + w_k+1^2)) + 4 sum_k w_k parameters.
    Raises RecipeError for sizes that do not halve so often. Source: METHODS 3.2, stages.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        inputs = [3, *widths[:-1]]
        self.stages = nn.ModuleList(
            nn.Sequential(*_convolution(before, width, 2 if place else 1), *_convolution(width, width))
            for place, (before, width) in enumerate(zip(inputs, widths, strict=True))
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> [(N, w_0, H, W), (N, w_1, H/2, W/2), ...]."""
        check_halvings(pictures, len(self.stages) - 1)
        maps = []
        for stage in self.stages:
            pictures = stage(pictures)
            maps.append(pictures)
        return maps


class UNetDecoder(nn.Module):
    """The encoder's mirror: nearest-neighbour doubling, beside it the encoder's maps where `skips` says, two 3 x 3.

    widths: the encoder's. skips: which maps of the encoder it takes in (`taken`). The last layer is a 3 x 3
    convolution and tanh. forward: bottleneck (N, widths[-1], h, w), skips coarsest first -> (N, 3, H, W) in (-1, 1).
    Raises InternalError for a number of skips that is not its own. Source: METHODS 3.2, stages and skip connections.
    """

    def __init__(self, widths: Sequence[int], skips: Skips = "none") -> None:
        super().__init__()
        self.taken = taken(widths, skips)
        deep, shallow = list(widths[:0:-1]), list(widths[-2::-1])  # of a stage's input and of its output
        self.stages = nn.ModuleList(
            nn.Sequential(*_convolution(below + (own if place < len(self.taken) else 0), own), *_convolution(own, own))
            for place, (below, own) in enumerate(zip(deep, shallow, strict=True))
        )
        self.paint = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, bottleneck: Tensor, skips: Sequence[Tensor] = ()) -> Tensor:
        """(N, w_last, h, w) and the maps of the stages `taken` -> (N, 3, H, W)."""
        if len(skips) != len(self.taken):
            raise InternalError(f"UNetDecoder: got {len(skips)} skips. Expected {len(self.taken)}.")
        maps = bottleneck
        for place, stage in enumerate(self.stages):
            maps = F.interpolate(maps, scale_factor=2, mode="nearest")
            maps = stage(torch.cat([maps, skips[place]], dim=1) if place < len(skips) else maps)
        return torch.tanh(self.paint(maps))


def taken(widths: Sequence[int], skips: Skips) -> list[int]:
    """The places of the encoder's stages whose maps skip the bottleneck, coarsest first.

    "none"; "coarse": the two coarsest below the bottleneck; "all". Widths of five stages: [], [3, 2], [3, 2, 1, 0].
    """
    below = list(range(len(widths) - 2, -1, -1))
    return {"none": [], "coarse": below[:2], "all": below}[skips]


def check_halvings(pictures: Tensor, halvings: int) -> None:
    """Refuse pictures that do not come back to their size after so many halvings, or keep a single place.

    Raises RecipeError: multiples of 2^halvings, and two places left.
    """
    height, width = pictures.shape[2:]
    unit = 2**halvings
    if height % unit or width % unit or height * width == unit * unit:
        near = (max(round(side / unit), 1) * unit for side in (max(height, 2 * unit), width))
        raise RecipeError(
            f"image: {height} x {width} pixels cannot be halved {halvings} times and painted again. Set height and"
            f" width to multiples of {unit} (two places at least), such as {' x '.join(map(str, near))}, or give"
            " fewer settings.widths."
        )


def _convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    convolve = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolve.weight, a=SLOPE, nonlinearity="leaky_relu")
    # Group norm with a group for each channel: torch's fastest instance norm on a CPU.
    return [convolve, nn.GroupNorm(outputs, outputs), nn.LeakyReLU(SLOPE, inplace=True)]
