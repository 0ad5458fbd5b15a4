"""Stacks of linear layers and ReLUs, and a decoder that adds up what two of them make."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


def mlp(widths: Sequence[int], *, last_relu: bool) -> nn.Sequential:
    """Linear layers from each of `widths` to the next, a ReLU after each; after the last only with `last_relu`.

    (N, widths[0]) -> (N, widths[-1]). Sum over the layers of (from + 1) x to parameters; PyTorch's own first weights.
    512, 1024, 2048, 512, 256: 3,804,928. Source: METHODS 4.1.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*(layers if last_relu else layers[:-1]))


class AdditiveDecoder(nn.Module):
    """D(m, s) = D_m(m) + D_s(s): two stacks of the same layout, one for each code, whose outputs are summed.

    widths: from the code to the vector (256, 512, 2048, 512: 2,231,296 parameters in each half). `rest` is D_m,
    `identity` is D_s; as the sum has no cross terms, the halves of many pairs can be made once and added in any
    combination. forward: two (N, widths[0]) -> (N, widths[-1]). Source: METHODS 4.1.
    """

    def __init__(self, widths: Sequence[int], *, last_relu: bool) -> None:
        super().__init__()
        self.rest = mlp(widths, last_relu=last_relu)
        self.identity = mlp(widths, last_relu=last_relu)

    def forward(self, *, m: Tensor, s: Tensor) -> Tensor:
        """Two codes (N, C) -> (N, D)."""
        decoded: Tensor = self.rest(m) + self.identity(s)
        return decoded
