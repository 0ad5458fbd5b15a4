"""The stage from crops to vectors: a trained model and a list of crops in, a table of embeddings out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from tapetum.core import Crop, Dataset, Modality, VectorArray
from tapetum.data.loading import embedding_loader
from tapetum.embedding_table import EmbeddingTable, write_embeddings
from tapetum.errors import DataError
from tapetum.methods.method import Embedder
from tapetum.model_file import load_model
from tapetum.outputs import check_place, made_by
from tapetum.run_folder import RECORD, read_record

_BATCH = 64
_LOG = logging.getLogger(__name__)
ProgressCall = Callable[[int, int], None]


@dataclass(frozen=True)
class Embedded:
    """What came of embedding a list of crops.

    vectors: (M, D) float32 of unit length. rows: their M places in the list. broken: (place, sentence) of the rest.
    """

    vectors: VectorArray
    rows: list[int]
    broken: list[tuple[int, str]]


def embed_dataset(
    model: Path,
    dataset: Dataset,
    split: str,
    output: Path,
    *,
    skip_broken: bool = False,
    workers: int = 1,
    progress: ProgressCall | None = None,
) -> list[str]:
    """Embed one split of a dataset with a run's model into the file `output`.

    Returns one sentence per picture that was left out. Raises DataError for the first broken picture unless
    `skip_broken`, and for a split in which nothing can be embedded; then no file is written.
    """
    check_place(output)
    method, description = load_model(model)
    if (model / RECORD).is_file() and not read_record(model)["finished"]:
        _LOG.warning("%s is not trained to its end: these are the best weights so far", model)
    rows = dataset.rows(split)
    if not rows:
        filled = ", ".join(sorted(name for name in dataset.splits if dataset.splits[name])) or "none"
        raise DataError(f"split '{split}' of {dataset.root} holds no crop. Splits with crops: {filled}.")
    crops = [dataset.crops[row] for row in rows]
    size = (description.height, description.width)
    found = embed_crops(method, crops, dataset.root, size, workers=workers, progress=progress)
    if found.broken and not skip_broken:
        raise DataError(f"{found.broken[0][1]} ({len(found.broken)} such pictures; --skip-broken leaves them out.)")
    if not found.rows:
        raise DataError(f"all {len(rows)} pictures of {dataset.root} are broken, as {found.broken[0][1]}")
    record = made_by(
        fingerprint=description.fingerprint,
        method=description.method,
        height=description.height,
        width=description.width,
        dataset=dataset.name,
        title=dataset.title,
        root=str(dataset.root.resolve()),
        options=dict(dataset.options),
        split=split,
        left_out=[crops[place].path for place, _ in found.broken],
    )
    write_embeddings(output, EmbeddingTable(found.vectors, tuple(crops[row] for row in found.rows), record))
    return [sentence for _, sentence in found.broken]


def embed_crops(
    method: Embedder,
    crops: Sequence[Crop],
    root: Path,
    size: tuple[int, int],
    *,
    workers: int = 1,
    progress: ProgressCall | None = None,
) -> Embedded:
    """The embeddings of `crops`, in their order; `method` is put in evaluation mode and back.

    Every batch has the same shape (the last one is filled up), so that neither order nor number of crops changes a
    vector. Broken pictures are collected, not raised.
    """
    parts: list[tuple[list[int], VectorArray]] = []
    device = next(method.parameters()).device
    loader = embedding_loader(crops, root, size, _BATCH, workers, device)
    done = 0
    was_training = method.training
    method.eval()
    try:
        for places, images in loader:
            parts.append((places.tolist(), _embed_batch(method, images, crops[int(places[0])].modality)))
            done += len(places)
            if progress is not None:
                progress(done, len(crops))
    finally:
        method.train(was_training)
    broken = [(place, str(error)) for place, error in sorted(loader.failures.items())]
    rows = [row for part, _ in parts for row in part]
    order = np.argsort(rows, kind="stable")
    vectors = np.concatenate([part for _, part in parts])[order] if parts else np.empty((0, 0), np.float32)
    return Embedded(vectors, [rows[index] for index in order], broken)


@torch.inference_mode()
def _embed_batch(method: Embedder, images: torch.Tensor, modality: Modality) -> VectorArray:
    filled = F.pad(images, (0, 0, 0, 0, 0, 0, 0, _BATCH - len(images)))
    vectors: VectorArray = method.embed(filled, modality)[: len(images)].float().cpu().numpy()
    return vectors
