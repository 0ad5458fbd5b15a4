"""The stage from pictures to ranked lists: embed the queries with the gallery's own model, and search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tapetum.core import Crop, Modality, VectorArray
from tapetum.embedding import embed_crops
from tapetum.embedding_table import read_embeddings
from tapetum.errors import DataError, EmbeddingError, RecipeError, did_you_mean
from tapetum.gallery.search import Hit, search
from tapetum.model_file import load_model, read_description

_AMONG = {"rgb": {Modality.RGB}, "ir": {Modality.IR}, "all": set(Modality)}


def search_pictures(
    queries: Sequence[Path], gallery: Path, model: Path, *, modality: Modality, among: str = "rgb", top: int = 10
) -> tuple[list[tuple[Crop, list[Hit]]], Path]:
    """Rank the gallery for each picture; returns [(query, hits, best first)] and the root of the gallery's pictures.

    A query that is itself a crop of the gallery is known by its path: its person and camera are told, and it does not
    answer itself. Raises EmbeddingError when another model made the gallery, DataError for a picture that is broken.
    """
    if among not in _AMONG:
        raise RecipeError(f"--among {among} names no crops. {did_you_mean(among, _AMONG)}")
    for path in queries:
        if not path.is_file():
            state = "is a folder" if path.is_dir() else "does not exist"
            raise DataError(f"{path} {state}. Give the paths of the pictures to look for.")
    table = read_embeddings(gallery)
    made_with, given = table.record.get("fingerprint", "nobody knows which"), read_description(model).fingerprint
    if made_with != given:
        raise EmbeddingError(
            f"{gallery} was made by model {made_with}, and {model} holds {given}. Run `tapetum embed` again, or pass"
            " --model with the run that made it."
        )
    root = Path(str(table.record.get("root", "")))
    known = {str((root / crop.path).resolve()): row for row, crop in enumerate(table.crops)}
    rows = [known.get(str(path.resolve())) for path in queries]
    crops = [
        Crop(str(path.resolve()), None, "?", modality)
        if row is None
        else replace(table.crops[row], path=str(path.resolve()))
        for path, row in zip(queries, rows, strict=True)
    ]
    hidden = np.array([crop.modality not in _AMONG[among] for crop in table.crops], dtype=bool)
    if len(hidden) and hidden.all():
        raise RecipeError(f"--among {among}: {gallery} holds no such crop. Pass --among all.")
    vectors = _embed(crops, model)
    answers = []
    for crop, row, vector in zip(crops, rows, vectors, strict=True):
        own = hidden.copy()
        if row is not None:
            own[row] = True
        answers.append((crop, search(vector, table, top, own)))
    return answers, root


def _embed(crops: Sequence[Crop], model: Path) -> VectorArray:
    method, description = load_model(model)
    found = embed_crops(method, crops, Path(), (description.height, description.width), workers=0)
    if found.broken:
        raise DataError(found.broken[0][1])
    return found.vectors
