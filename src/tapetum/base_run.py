"""The trained run that a method goes on from (`tapetum train --from RUN`): its frozen model makes vectors of crops."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tapetum.console import progress_bar
from tapetum.core import Dataset, Modality, VectorArray
from tapetum.embedding import embed_crops
from tapetum.embedding_table import EmbeddingTable, read_embeddings, write_embeddings
from tapetum.errors import DataError, EmbeddingError, RecipeError
from tapetum.methods.method import Embedder, Method
from tapetum.model_file import ModelDescription, load_model
from tapetum.recipe import Recipe
from tapetum.run_folder import RECORD, data_fingerprint, read_record, read_run_recipe

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class BaseRun:
    """A run's folder, its model, ready to embed, and what the model is."""

    folder: Path
    model: Embedder
    description: ModelDescription

    @property
    def origin(self) -> dict[str, str]:
        """What a run that goes on from this one writes down of it."""
        return {"run": str(self.folder.resolve()), "fingerprint": self.description.fingerprint}

    def check(self, method: Method, recipe: Recipe, dataset: Dataset) -> None:
        """Raise RecipeError unless `method` reads this run's vectors; warn when their persons may be known already."""
        size = (self.description.height, self.description.width)
        with torch.inference_mode():
            length = self.model.embed(torch.zeros(1, 3, *size), Modality.RGB).shape[1]
        if method.vector_length is None:
            raise RecipeError(f"'{recipe.method}' learns from pictures, not from the vectors of a run. Drop --from.")
        if method.vector_length != length:
            raise RecipeError(
                f"{self.folder} makes vectors of {length} numbers, and '{recipe.method}' is set to"
                f" {method.vector_length}. Pass --set settings.vector_length={length}, or take another run."
            )
        self._warn_of_known_persons(recipe, dataset)

    def _warn_of_known_persons(self, recipe: Recipe, dataset: Dataset) -> None:
        """Persons that the run was trained on are easy for it: as validation or test persons they say too much."""
        if not (self.folder / RECORD).is_file():
            return
        if read_record(self.folder)["data"] != data_fingerprint(dataset):
            _LOG.warning("%s was trained on other data; make sure that its persons are not tested on", self.folder)
        learnt = read_run_recipe(self.folder).get("data", {}).get("split")
        if recipe.validation is not None and learnt == "trainval":
            _LOG.warning("%s was trained on the validation persons too: they cannot select well", self.folder)

    def vectors(self, dataset: Dataset, splits: Sequence[str], file: Path, workers: int) -> VectorArray:
        """(R, D): row i is the vector of `dataset.crops[i]`; not a number for crops of other splits than `splits`.

        They are kept in `file`, a table of embeddings, from which an interrupted run takes them again: the fingerprints
        of model and data say whether it is theirs. Raises DataError for a broken picture.
        """
        rows = sorted({row for split in splits for row in dataset.rows(split)})
        crops = tuple(dataset.crops[row] for row in rows)
        record = {"fingerprint": self.description.fingerprint, "data": data_fingerprint(dataset), "splits": [*splits]}
        table = None
        with suppress(EmbeddingError):  # not there yet
            table = read_embeddings(file)
        if table is None or table.record != record:
            size = (self.description.height, self.description.width)
            with progress_bar("embedding", "crops") as advance:
                found = embed_crops(self.model, crops, dataset.root, size, workers=workers, progress=advance)
            if found.broken:
                raise DataError(found.broken[0][1])
            table = EmbeddingTable(found.vectors, crops, record)
            write_embeddings(file, table)
        vectors = np.full((len(dataset.crops), table.vectors.shape[1]), np.nan, dtype=np.float32)
        vectors[rows] = table.vectors
        return vectors


def read_base(folder: Path) -> BaseRun:
    """The run to go on from. Raises RunError when the folder holds no finished or a damaged model."""
    return BaseRun(folder, *load_model(folder))
