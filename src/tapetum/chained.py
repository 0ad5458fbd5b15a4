"""A method that goes on from a trained run: the run's frozen method makes vectors, the method reads them."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.core import Modality
from tapetum.errors import InternalError
from tapetum.methods.method import Embedder, Method


class Chained(Embedder):
    """embed(x) = method.embed((base.embed(x) - mean) / deviation): together they read images, as any model does.

    mean, deviation: (D,) buffers, those of the base's vectors of all training crops, both modalities alike.
    Raises InternalError for a method that reads images.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, base: Embedder, method: Method) -> None:
        super().__init__()
        if method.vector_length is None:
            raise InternalError(f"{type(method).__name__} reads images and goes on from no run.")
        self.base, self.method = base.requires_grad_(False), method
        self.register_buffer("mean", torch.zeros(method.vector_length))
        self.register_buffer("deviation", torch.ones(method.vector_length))

    def standardised(self, vectors: Tensor) -> Tensor:
        """The base's vectors as the method reads them: (B, D) -> (B, D)."""
        return (vectors - self.mean) / self.deviation

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> what the method makes of the base's vectors."""
        return self.method.embed(self.standardised(self.base.embed(images, modality)), modality)
