"""Edges in place of colours: what an RGB and an infrared picture of the same clothes have in common."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)
EDGE_FLOOR = 0.09  # the gradient that counts as noise in normalised pictures: 0.02 of [0, 1]


class EdgeFront(nn.Module):
    """Four unsigned gradients of the grey picture, divided by the gradient energy around them. Nothing is learned.

    y_k = |G_x cos a_k + G_y sin a_k| / sqrt(mean over the window of (G_x^2 + G_y^2) + floor^2),  a_k = 0, 45, 90, 135°

    where G is the central difference. Unsigned, because what is brighter in RGB may be darker in infrared; locally
    normalised, because contrast differs too. window: side of the square neighbourhood, odd (the border's values repeat
    outside); floor: the gradient that counts as noise, in units of the picture's values (0.02 suits [0, 1]).
    forward: (N, 3, H, W) -> (N, 4, H, W), >= 0, zero on flat pictures, the same for 1 - x as for x.
    Differentiable. Source: SYNTHETIC 3, "edge input".
    """

    channels: ClassVar[int] = 4
    luma: Tensor
    turns: Tensor

    def __init__(self, window: int = 9, floor: float = 0.02) -> None:
        super().__init__()
        self.window = window
        self.floor = floor
        angles = [k * math.pi / 4 for k in range(self.channels)]
        turns = torch.tensor([[math.cos(angle), math.sin(angle)] for angle in angles])
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("turns", turns, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 4, H, W)."""
        grey = (images * self.luma).sum(dim=1, keepdim=True)  # (N, 1, H, W)
        padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
        across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
        down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
        gradient = torch.cat([across, down], dim=1)  # (N, 2, H, W)
        energy = gradient.square().sum(dim=1, keepdim=True)  # (N, 1, H, W)
        edges = torch.einsum("kc,nchw->nkhw", self.turns, gradient).abs()  # (N, 4, H, W)
        return edges / (self._around(energy) + self.floor**2).sqrt()

    def _around(self, energy: Tensor) -> Tensor:
        """Mean over the window; down then across, several times faster than torch's pooling of a single channel."""
        padded = F.pad(energy, (self.window // 2,) * 4, mode="replicate")
        return padded.unfold(2, self.window, 1).mean(-1).unfold(3, self.window, 1).mean(-1)
