"""Heads that turn pooled features into an embedding of chosen length, with a classifier of persons behind it."""

from __future__ import annotations

from torch import Tensor, nn


class EmbeddingHead(nn.Module):
    """Linear layer and batch norm, which is the embedding; then LeakyReLU(0.1), dropout and a linear classifier.

    inputs: F of the pooled features; dimension: D of the embedding; classes: C, the number of training persons.
    forward: (N, F) -> (embedding (N, D), logits (N, C)). The linear layer has no bias, which the norm would take away:
    F D + 2 D + D C + C parameters (2048 -> 512 -> 395: 1,048,576 + 1,024 + 202,635).
    Starts with classifier weights of deviation 0.001. Source: METHODS 2.4, 5.
    """

    def __init__(self, inputs: int, dimension: int, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, dimension, bias=False)
        self.norm = nn.BatchNorm1d(dimension)
        self.classifier = nn.Sequential(nn.LeakyReLU(0.1), nn.Dropout(dropout), _classifier(dimension, classes))
        nn.init.kaiming_normal_(self.project.weight, mode="fan_out", nonlinearity="linear")

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, F) -> (N, D), (N, C)."""
        embedding = self.norm(self.project(features))
        return embedding, self.classifier(embedding)


class FullyConnectedHead(nn.Module):
    """AlexNet's last layers as BDTR has them: dropout, ReLU, fc7, ReLU, which is the embedding; then dropout and fc8.

    inputs: F, of fc6 after its norm; dimension: D of fc7 (BDTR: 1024, TONE: 2048); classes: C.
    forward: (N, F) -> (embedding (N, D), >= 0, logits (N, C)). F D + D + D C + C parameters (4096 -> 1024 -> 206:
    4,195,328 + 211,150). Starts with classifier weights of deviation 0.001. Source: METHODS 2.1.
    """

    def __init__(self, inputs: int, dimension: int, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        fc7 = nn.Linear(inputs, dimension)
        nn.init.kaiming_normal_(fc7.weight, nonlinearity="relu")
        nn.init.zeros_(fc7.bias)
        self.embed = nn.Sequential(nn.Dropout(dropout), nn.ReLU(), fc7, nn.ReLU())
        self.classifier = nn.Sequential(nn.Dropout(dropout), _classifier(dimension, classes))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, F) -> (N, D), (N, C)."""
        embedding = self.embed(features)
        return embedding, self.classifier(embedding)


def _classifier(dimension: int, classes: int) -> nn.Linear:
    layer = nn.Linear(dimension, classes)
    nn.init.normal_(layer.weight, std=0.001)
    nn.init.zeros_(layer.bias)
    return layer
