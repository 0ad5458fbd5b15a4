"""What a method learns from: pictures, or the vectors that the run it goes on from makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tapetum.base_run import BaseRun
from tapetum.chained import Chained
from tapetum.core import Dataset, IntArray, Modality, VectorArray
from tapetum.data.attributes import read_attributes
from tapetum.data.loading import Loading, TrainingLoader, training_loader
from tapetum.data.sampling import BatchShape, PersonSampler, Share
from tapetum.data.vector_loading import VectorLoader
from tapetum.embedding import embed_crops
from tapetum.errors import DataError, RecipeError
from tapetum.methods.method import Embedder, Method
from tapetum.recipe import Recipe
from tapetum.run_folder import BASE_VECTORS, PIXELS


class PictureData:
    """The crops of a dataset, decoded and augmented. cache: folder for decoded pixels; None: decode every time."""

    def __init__(self, method: Method, recipe: Recipe, dataset: Dataset, workers: int, cache: Path | None) -> None:
        self.model: Embedder = method  # what is saved
        self.facts: dict[str, Any] = {}  # what its description says beside the method's own facts
        self._recipe, self._dataset = recipe, dataset
        size = (recipe.image.height, recipe.image.width)
        table, persons = recipe.data.attributes, dataset.persons(recipe.data.split)
        attributes = None if table is None else read_attributes(dataset.root / table, persons)
        self._loading = Loading(size, _shape(recipe), recipe.augmentation, workers, cache, attributes)

    def loader(self, share: Share, device: torch.device) -> TrainingLoader:
        """Batches for one of several devices."""
        recipe = self._recipe
        return training_loader(self._dataset, recipe.data.split, self._loading, recipe.seed, share, device)

    def embedded(self, rows: Sequence[int]) -> VectorArray:
        """Embeddings of these rows of the dataset by the model as it is now. Raises DataError for a broken picture."""
        crops = [self._dataset.crops[row] for row in rows]
        found = embed_crops(self.model, crops, self._dataset.root, self._loading.size, workers=0)
        if found.broken:
            raise DataError(found.broken[0][1])
        return found.vectors


class VectorData:
    """Vectors of a dataset's crops, made once by the run that the method goes on from, and standardised.

    vectors: (R, D) as they are made, row i that of `dataset.crops[i]`, known for learnt and validation persons.
    """

    def __init__(self, method: Method, recipe: Recipe, dataset: Dataset, base: BaseRun, vectors: VectorArray) -> None:
        self.model = Chained(base.model, method)
        self.facts: dict[str, Any] = {"base": asdict(base.description)}
        self._recipe, self._dataset, self._method = recipe, dataset, method
        learnt = vectors[list(dataset.rows(recipe.data.split))].astype(np.float64)
        deviation = learnt.std(axis=0)
        deviation[deviation == 0] = 1  # of a dimension that says nothing
        self.model.mean.copy_(torch.from_numpy(learnt.mean(axis=0)))
        self.model.deviation.copy_(torch.from_numpy(deviation))
        self._vectors = self.model.standardised(torch.from_numpy(vectors))

    def loader(self, share: Share, device: torch.device) -> VectorLoader:
        """Batches for one of several devices."""
        recipe = self._recipe
        sampler = PersonSampler(self._dataset, recipe.data.split, _shape(recipe), recipe.seed, share)
        return VectorLoader(sampler, self._vectors.to(device))

    def embedded(self, rows: Sequence[int]) -> VectorArray:
        """Embeddings of these rows of the dataset by the model as it is now."""
        light = np.array([self._dataset.crops[row].modality for row in rows])
        places = [np.flatnonzero(light == modality) for modality in Modality]
        was_training = self._method.training
        self._method.eval()
        parts = [self._of(np.array(rows)[of], modality) for of, modality in zip(places, Modality, strict=True)]
        self._method.train(was_training)
        vectors: VectorArray = np.concatenate(parts)[np.argsort(np.concatenate(places))]
        return vectors

    @torch.inference_mode()
    def _of(self, rows: IntArray, modality: Modality) -> VectorArray:
        given = self._vectors[torch.from_numpy(rows)].to(next(self._method.parameters()).device)
        vectors: VectorArray = self._method.embed(given, modality).cpu().numpy()
        return vectors


TrainingData = PictureData | VectorData


def training_data(
    method: Method, recipe: Recipe, dataset: Dataset, base: BaseRun | None, output: Path, workers: int
) -> TrainingData:
    """What `method` learns from; what it decodes or embeds beforehand is kept in the run's folder until it is done.

    Raises RecipeError when a method that goes on from a run has none, or the other way round.
    """
    if base is None and method.vector_length is None:
        return PictureData(method, recipe, dataset, workers, output / PIXELS if recipe.data.cache else None)
    if base is None:
        raise RecipeError(f"'{recipe.method}' goes on from a trained run. Name it with --from RUN.")
    base.check(method, recipe, dataset)
    splits = [recipe.data.split, *(["val"] if recipe.validation is not None else [])]
    return VectorData(method, recipe, dataset, base, base.vectors(dataset, splits, output / BASE_VECTORS, workers))


def _shape(recipe: Recipe) -> BatchShape:
    return BatchShape(recipe.batch.persons, recipe.batch.crops, recipe.batch.steps_per_epoch)
