"""The head that reads a person from a pooled code, as DG-Net has it."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class Identified(NamedTuple):
    """What a head makes of a picture: vector (N, D) before the norm, feature (N, D) after it, logits (N, C)."""

    vector: Tensor
    feature: Tensor
    logits: Tensor


class IdentityHead(nn.Module):
    """Linear layer and batch norm, which is the feature that ranks; then dropout and a linear classifier.

    forward: (N, inputs) -> `Identified`; triplet losses read the vector before the norm. Unlike `EmbeddingHead`, both
    layers have biases and nothing bends between them: two heads 2048 -> 512 -> 395 have 2,505,494 parameters.
    Starts with classifier weights of deviation 0.001. Source: METHODS 9.1.
    """

    def __init__(self, inputs: int, dimension: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, dimension)
        self.norm = nn.BatchNorm1d(dimension)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(dimension, classes)
        nn.init.kaiming_normal_(self.project.weight, mode="fan_out", nonlinearity="linear")
        nn.init.zeros_(self.project.bias)
        nn.init.normal_(self.classifier.weight, std=0.001)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: Tensor) -> Identified:
        """(N, inputs) -> vector (N, dimension), feature (N, dimension), logits (N, classes)."""
        vector = self.project(features)
        feature = self.norm(vector)
        return Identified(vector, feature, self.classifier(self.dropout(feature)))
