"""Pictures, and galleries of them with a model of drawn weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tapetum.core import Modality
from tapetum.gallery.embedder import CropEmbedder
from tapetum.gallery.gallery import Engine, Gallery, facts_of_model
from tapetum.gallery.pictures import Arrival


def draw_picture(path: Path, seed: int) -> Path:
    """A picture of noise, 48 x 24; the same seed gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def draw_pictures(folder: Path, count: int, first: int = 0) -> list[Path]:
    """Pictures 000.png, 001.png ... with seeds from `first`."""
    return [draw_picture(folder / f"{number:03d}.png", first + number) for number in range(count)]


def arrivals_of(paths: Sequence[Path], modality: Modality = Modality.RGB, camera: str = "gate") -> list[Arrival]:
    """Crops of one camera."""
    return [Arrival(str(path), camera, modality) for path in paths]


def begin_gallery(folder: Path, run: Path, embedder: CropEmbedder, engine: Engine = "exact") -> Gallery:
    """An empty gallery with a run's model."""
    return Gallery.create(folder, facts_of_model(run, embedder.dimension, engine), run)


def everything_in(gallery: Gallery) -> list[tuple[int, str, str]]:
    """(id, name of the file, content) of every living row, by id."""
    return sorted((row.id, Path(row.path).name, row.content) for rows, _ in gallery.segments.parts() for row in rows)
