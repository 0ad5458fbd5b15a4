"""What stands on a trunk: the strip embedding and the batch-norm neck with its classifier."""

from __future__ import annotations

from torch import Tensor, nn

from tapetum.nets.pooling import Strips


class BNNeck(nn.Module):
    """Batch norm without a learned shift, then a linear classifier without bias.

    dimension: D of the pooled features; classes: C, the number of training persons.
    forward: features (N, D) -> (normalised (N, D), logits (N, C)). The triplet losses take the features as they come
    in, the identity loss the logits, and the search the normalised features.
    The norm's shift exists but stays zero, hence 2 D + D C parameters, D of them frozen (2048 -> 395: 4,096 + 808,960).
    Starts with scale 1 and classifier weights of deviation 0.001. Source: METHODS 12 (Luo et al., 2019).
    """

    def __init__(self, dimension: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dimension)
        self.norm.bias.requires_grad_(False)
        self.classifier = nn.Linear(dimension, classes, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, D) -> (N, D), (N, C)."""
        normalised = self.norm(features)
        return normalised, self.classifier(normalised)


class StripEmbedding(nn.Module):
    """One vector of the whole body that still knows what was high and what was low: strips -> one linear layer.

    channels: C of the map; strips: how many horizontal strips; dimension: D of the vector; pooling: of each strip.
    forward: (N, C, h, w) -> (N, D), to be followed by a `BNNeck` (hence no bias: the norm would take it away).
    The best head for small trunks trained from scratch: 8 strips, 256 dimensions (SYNTHETIC 3).
    """

    def __init__(self, channels: int, strips: int, dimension: int, pooling: nn.Module) -> None:
        super().__init__()
        self.strips = Strips(strips, pooling)
        self.project = nn.Linear(strips * channels, dimension, bias=False)
        nn.init.kaiming_normal_(self.project.weight, mode="fan_out", nonlinearity="linear")

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, D)."""
        projected: Tensor = self.project(self.strips(maps).flatten(1))  # (N, strips * C) -> (N, D)
        return projected


def vector_head(
    channels: int, pooling: nn.Module, strips: int = 1, dimension: int | None = None
) -> tuple[nn.Module, int]:
    """What turns maps (N, C, h, w) into vectors (N, D), and D.

    Plain pooling (D = C) for one strip and no dimension; else a `StripEmbedding` (D = `dimension`, or C without one).
    """
    if strips == 1 and dimension is None:
        return pooling, channels
    length = dimension or channels
    return StripEmbedding(channels, strips, length, pooling), length
