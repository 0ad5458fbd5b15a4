"""Small trees of empty files in the datasets' layouts, and features of any system for them, for tests of reading."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tapetum.core import Crop
from tapetum.embedding_table import EmbeddingTable, write_embeddings

SYSU_IDS = {"train": (1, 3), "val": (4,), "test": (2, 5, 7)}


def touch(root: Path, paths: Iterable[str]) -> None:
    """Empty files: what reads a dataset's layout does not open its pictures."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def sysu_files(root: Path) -> Path:
    """Three test persons, two of train, one of val; two images in each of the six cameras."""
    (root / "exp").mkdir(parents=True)
    for split, persons in SYSU_IDS.items():
        (root / "exp" / f"{split}_id.txt").write_text(",".join(map(str, persons)) + "\n")
    every = sorted(person for persons in SYSU_IDS.values() for person in persons)
    touch(root, (f"cam{c}/{p:04d}/{n:04d}.jpg" for c in "123456" for p in every for n in (1, 2)))
    return root


def regdb_files(root: Path) -> Path:
    """Twelve persons; trial t tests persons t, t + 1 and t + 2, two images of each kind."""
    (root / "idx").mkdir(parents=True)
    paths = {
        (kind, person): [f"{kind}/{person}/x_{kind[0].lower()}_{n}_{person}.bmp" for n in (1, 2)]
        for kind in ("Visible", "Thermal")
        for person in range(1, 13)
    }
    touch(root, (path for found in paths.values() for path in found))
    for trial in range(1, 11):
        test = range(trial, trial + 3)
        for kind in ("Visible", "Thermal"):
            for split, persons in (("test", test), ("train", [p for p in range(1, 13) if p not in test])):
                lines = [f"{path} {label}\n" for label, p in enumerate(persons) for path in paths[kind, p]]
                (root / "idx" / f"{split}_{kind.lower()}_{trial}.txt").write_text("".join(lines))
    return root


def own_table(root: Path, rows: Sequence[tuple[str, int | str, str, str, str]]) -> Path:
    """A table of own crops (path, person, camera, modality, split) and its empty files."""
    touch(root, (row[0] for row in rows))
    with (root / "crops.csv").open("w", newline="") as opened:
        csv.writer(opened).writerows([("path", "person", "camera", "modality", "split"), *rows])
    return root / "crops.csv"


def spread(count: int, dimensions: int = 4, seed: int = 0) -> np.ndarray:
    """(count, dimensions) float64 that differ from one another."""
    return np.random.default_rng(seed).standard_normal((count, dimensions))


def write_table(path: Path, crops: Sequence[Crop], columns: Sequence[str] = ("path", "person", "camera", "modality")):
    """A .csv that says these columns of each crop."""
    with path.open("w", newline="") as opened:
        csv.writer(opened).writerows([columns, *([getattr(crop, name) for name in columns] for crop in crops)])
    return path


def write_npy(path: Path, vectors: np.ndarray, crops: Sequence[Crop], columns: Sequence[str] = ("path",)) -> Path:
    """A .npy with its table beside it."""
    np.save(path, vectors)
    write_table(path.with_suffix(".csv"), crops, columns)
    return path


def write_lists(path: Path, vectors: Sequence[Sequence[float]], kind: pa.DataType, paths: Sequence[str]) -> Path:
    """A Parquet file of another writer: a list column and the paths."""
    pq.write_table(pa.table({"path": list(paths), "vector": pa.array(vectors, kind)}), path)
    return path


def write_own(path: Path, crops: Sequence[Crop], seed: int = 0, **record: object) -> np.ndarray:
    """What `tapetum embed` writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    vectors = spread(len(crops), seed=seed).astype(np.float32)
    write_embeddings(path, EmbeddingTable(vectors, tuple(crops), record))
    return vectors
