"""Gradient reversal: what comes after learns to tell, what comes before learns that it cannot be told."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * grad, None


def reverse_gradient(x: Tensor, strength: float = 1.0) -> Tensor:
    """x itself; its gradient comes back times -strength. Source: Ganin and Lempitsky, 2015; METHODS 10.4."""
    turned: Tensor = _Reversed.apply(x, strength)
    return turned


class ReversedClassifier(nn.Module):
    """A classifier that learns to tell classes from vectors, behind reversed gradients: its input learns to hide them.

    Linear, batch norm, ReLU, linear; hidden: width in between. forward: (N, inputs) -> logits (N, classes); the
    gradient in the vectors is that of forgetting, times `strength`. Source: METHODS 10.4, item 5, and 10.5.
    """

    def __init__(self, inputs: int, classes: int, hidden: int | None = None, strength: float = 1.0) -> None:
        super().__init__()
        hidden = hidden or inputs
        self.strength = strength
        self.classify = nn.Sequential(
            nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, classes)
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """(N, inputs) -> (N, classes)."""
        logits: Tensor = self.classify(reverse_gradient(vectors, self.strength))
        return logits
