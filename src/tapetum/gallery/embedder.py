"""A gallery's own model, ready to turn pixels into vectors of unit length."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch.nn import functional as F

from tapetum.core import Modality, VectorArray
from tapetum.data.decoding import Pixels
from tapetum.errors import GalleryError
from tapetum.methods.method import Embedder
from tapetum.model_file import DESCRIPTION, ModelDescription, load_model

BATCH = 64


class CropEmbedder:
    """Embeds crops with one model. Threads may share it.

    size: (height, width) of the pixels that it takes.   dimension: numbers in a vector.   fingerprint: of the model.
    """

    def __init__(self, model: Embedder, description: ModelDescription) -> None:
        self._model = model.eval()
        self.size = description.height, description.width
        self.fingerprint = description.fingerprint
        self.dimension = int(self.embed(np.zeros((1, 3, *self.size), np.uint8), Modality.RGB).shape[1])

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model of a run. Raises RunError for a folder without a whole one."""
        return cls(*load_model(folder))

    @classmethod
    def of_gallery(cls, folder: Path) -> Self:
        """The model that a gallery keeps. Raises GalleryError for a gallery of vectors alone."""
        if not (folder / "model" / DESCRIPTION).is_file():
            raise GalleryError(
                f"{folder} was made from vectors and has no model, so that it cannot embed a picture."
                " Make one with `tapetum index --model`."
            )
        return cls.load(folder / "model")

    @torch.inference_mode()
    def embed(self, pixels: Pixels, modality: Modality) -> VectorArray:
        """uint8 (N, 3, H, W) of one modality -> (N, D) float32.

        A batch is filled up to a power of two, 64 at most, so that one crop need not pay for 64.
        """
        parts = [self._batch(pixels[start : start + BATCH], modality) for start in range(0, len(pixels), BATCH)]
        return np.concatenate(parts)

    def _batch(self, pixels: Pixels, modality: Modality) -> VectorArray:
        filled = 1 << (len(pixels) - 1).bit_length()
        images = torch.from_numpy(pixels).to(torch.float32).div_(255)
        images = F.pad(images, (0, 0, 0, 0, 0, 0, 0, filled - len(images)))
        vectors: VectorArray = self._model.embed(images, modality)[: len(pixels)].float().cpu().numpy()
        return vectors
