"""A head per horizontal strip: each part of the body has an embedding and a classifier of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapetum.nets.pooling import Strips


class StripHeads(nn.Module):
    """s_k = ReLU(BN_k(W_k pool(strip k))), p_k = V_k s_k for strips k = 1 ... S, head to foot.

    channels: C of the map; strips: S; dimension: D of each s_k; classes: training persons; pooling: (N, C, h', w') ->
    (N, C). W_k is a 1 x 1 convolution on the pooled strip, that is, a linear layer, without bias as its norm follows;
    V_k has no bias either (ours, as in the common frame).
    forward: (N, C, h, w) -> parts (N, S, D), values >= 0, and logits (N, S, classes).
    Parameters: S (C D + 2 D + D classes). Starts as He et al., 2015, and classifiers with deviation 0.001.
    Source: METHODS 12, HC-Tri (Liu et al., TMM 2021), after PCB (Sun et al., 2018).
    """

    def __init__(self, channels: int, strips: int, dimension: int, classes: int, pooling: nn.Module) -> None:
        super().__init__()
        self.strips = Strips(strips, pooling)
        self.embeddings = nn.ModuleList(_embedding(channels, dimension) for _ in range(strips))
        self.classifiers = nn.ModuleList(_classifier(dimension, classes) for _ in range(strips))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, h, w) -> (N, S, D), (N, S, classes)."""
        pooled = self.strips(maps).unbind(dim=1)
        parts = [embedding(strip) for embedding, strip in zip(self.embeddings, pooled, strict=True)]
        logits = [classifier(part) for classifier, part in zip(self.classifiers, parts, strict=True)]
        return torch.stack(parts, dim=1), torch.stack(logits, dim=1)


def _embedding(channels: int, dimension: int) -> nn.Sequential:
    linear = nn.Linear(channels, dimension, bias=False)
    nn.init.kaiming_normal_(linear.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(linear, nn.BatchNorm1d(dimension), nn.ReLU())


def _classifier(dimension: int, classes: int) -> nn.Linear:
    linear = nn.Linear(dimension, classes, bias=False)
    nn.init.normal_(linear.weight, std=0.001)
    return linear
