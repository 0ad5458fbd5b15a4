"""The generator G of DG-Net: paints a picture from a structure code, in the style that an appearance code says."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.errors import InternalError
from tapetum.nets.convolution import SLOPE, ConvBlock, draw_kaiming, norm_layer, reflected

PARTS = 4  # parts of an appearance code, top to bottom; each one drives a residual block


class Generator(nn.Module):
    """Structure code s and appearance code a -> picture, in units of the normalised pictures (no tanh).

    code: channels C of s (published: 128). appearance: channels A of a (published: 2048). style: hidden width of the
    two MLPs of each block (published: 512). Layers, for s of (C, h, w):

        4 AdaIN residual blocks, block i styled by part i of a      C,    h x w
        nearest x 2, 5 x 5, layer norm, leaky ReLU                  C/2, 2h x 2w
        nearest x 2, 5 x 5, layer norm, leaky ReLU                  C/4, 4h x 4w
        3 x 3 twice, leaky ReLU                                     C/4, 4h x 4w
        1 x 1                                                       3,   4h x 4w

    forward: s (N, C, h, w), a (k N, A, 4) -> (k N, 3, 4h, 4w): row i of every N rows of `a` with row i of `s`, so that
    a structure in several appearances shares what does not depend on them. 13,000,131 parameters, 11,544,576 of them
    in the MLPs. Raises InternalError for codes that do not fit. Source: METHODS 9.1.
    """

    def __init__(self, code: int = 128, appearance: int = 2048, style: int = 512) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(AdaINBlock(code, appearance, style) for _ in range(PARTS))
        self.paint = nn.Sequential(
            UpsamplingBlock(code, code // 2),
            UpsamplingBlock(code // 2, code // 4),
            ConvBlock(code // 4, code // 4, 3),
            ConvBlock(code // 4, code // 4, 3),
            ConvBlock(code // 4, 3, 1, active=False),
        )
        draw_kaiming(self)

    def forward(self, s: Tensor, a: Tensor) -> Tensor:
        """s (N, C, h, w), a (k N, A, 4) -> (k N, 3, 4h, 4w)."""
        if a.ndim != 3 or a.shape[2] != PARTS or len(a) % len(s):
            raise InternalError(
                f"Generator: got s of shape {tuple(s.shape)} and a of shape {tuple(a.shape)}."
                f" Expected (N, C, h, w) and (k N, A, {PARTS})."
            )
        maps = s
        for block, part in zip(self.blocks, a.unbind(dim=2), strict=True):
            maps = block(maps, part)
        picture: Tensor = self.paint(maps)
        return picture


class AdaINBlock(nn.Module):
    """x + AdaIN(conv(lrelu(AdaIN(conv(x))))), with AdaIN(x; g, b) = g (x - mean) / deviation + b.

    g and b of both norms come from an MLP each (appearance -> style -> style -> 2 C), used as they come out (no + 1).
    forward: maps (N, C, h, w), part (k N, appearance) -> (k N, C, h, w). Source: METHODS 9.1.
    """

    def __init__(self, channels: int, appearance: int, style: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3) for _ in range(2))
        self.scale, self.shift = (_style_mlp(appearance, style, 2 * channels) for _ in range(2))

    def forward(self, maps: Tensor, part: Tensor) -> Tensor:
        """maps (N, C, h, w), part (k N, appearance) -> (k N, C, h, w)."""
        copies = len(part) // len(maps)
        (g_1, g_2), (b_1, b_2) = (mlp(part).chunk(2, dim=1) for mlp in (self.scale, self.shift))
        inner = _repeated(self.first(reflected(maps, 1)), copies)  # convolved once for all appearances
        inner = F.leaky_relu(styled(inner, g_1, b_1), SLOPE, inplace=True)
        return _repeated(maps, copies) + styled(self.second(reflected(inner, 1)), g_2, b_2)


class UpsamplingBlock(nn.Module):
    """Nearest-neighbour doubling, then a 5 x 5 convolution, layer norm and leaky ReLU, at a third of that cost.

    Each doubled pixel is one of four copies, so for each of the four places of a copy the 5 x 5 taps fall on 3 x 3
    pixels of the small map: its taps are summed and the small map is convolved once with four kernels of 3 x 3.
    The border repeats the outermost pixels. forward: (N, inputs, h, w) -> (N, outputs, 2h, 2w).
    outputs (25 inputs + 3) parameters. Source: METHODS 9.1; the four kernels are ours and change no value.
    """

    falls: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(inputs, outputs, 5)
        self.norm = norm_layer("layer", outputs)
        # falls[p, t, k]: tap k of an output row of parity p falls on row t - 1 beside its own in the small map.
        falls = [
            [[1.0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
            [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]],
        ]
        self.register_buffer("falls", torch.tensor(falls), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, 2h, 2w)."""
        kernels = torch.einsum("pak,qbl,oikl->opqiab", self.falls, self.falls, self.convolve.weight)
        small = F.pad(maps, (1, 1, 1, 1), mode="replicate")
        bias = self.convolve.bias
        four = F.conv2d(small, kernels.flatten(0, 2), None if bias is None else bias.repeat_interleave(4))
        return F.leaky_relu(self.norm(F.pixel_shuffle(four, 2)), SLOPE, inplace=True)


def styled(maps: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """AdaIN: each map to mean 0 and deviation 1, then times its scale, plus its shift. (N, C, h, w), (N, C), (N, C)."""
    folded = maps.reshape(1, -1, *maps.shape[2:])  # every picture's every channel is a group: one fused operation
    scale, shift = (given.to(maps.dtype).reshape(-1) for given in (scale, shift))
    return F.group_norm(folded, folded.shape[1], scale, shift).view_as(maps)


def _repeated(maps: Tensor, copies: int) -> Tensor:
    return maps if copies == 1 else maps.repeat(copies, 1, 1, 1)


def _style_mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )
