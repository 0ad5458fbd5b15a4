"""The file that stands between embedding and everything after it: one vector per crop, in Parquet.

Columns: vector (fixed-size list of float32), path, person, camera, modality, time, in the order of the dataset.
The schema's metadata holds one JSON record under `tapetum`: model fingerprint, dataset, root, split, how it was made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tapetum.core import Crop, Modality, VectorArray
from tapetum.errors import EmbeddingError
from tapetum.outputs import atomic_file

_METADATA_KEY = b"tapetum"


@dataclass(frozen=True)
class EmbeddingTable:
    """Vectors and the crops they were made from.

    vectors: (N, D) float32, finite; row i belongs to crops[i].
    record: {"fingerprint": ..., "dataset": ..., "root": ..., "split": ..., ...}: where they come from.
    Raises EmbeddingError when vectors and crops do not fit or a vector has a value that is not finite.
    """

    vectors: VectorArray
    crops: tuple[Crop, ...]
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.crops):
            raise EmbeddingError(
                f"{len(self.crops)} crops need vectors of shape ({len(self.crops)}, D), given {self.vectors.shape}."
            )
        broken = np.flatnonzero(~np.isfinite(self.vectors).all(axis=1))
        if len(broken):
            first = self.crops[int(broken[0])].path
            raise EmbeddingError(
                f"{len(broken)} vectors hold values that are not finite, the first that of {first}. Embed it again."
            )


def write_embeddings(path: Path, table: EmbeddingTable) -> None:
    """Write a table of embeddings to `path` as Parquet, atomically."""
    dimension = table.vectors.shape[1]
    flat = pa.array(np.ascontiguousarray(table.vectors, dtype=np.float32).reshape(-1))
    columns = {
        "path": pa.array([crop.path for crop in table.crops], pa.string()),
        "person": pa.array([crop.person for crop in table.crops], pa.int64()),
        "camera": pa.array([crop.camera for crop in table.crops], pa.string()),
        "modality": pa.array([crop.modality.value for crop in table.crops], pa.string()),
        "time": pa.array([crop.time for crop in table.crops], pa.timestamp("us")),
        "vector": pa.FixedSizeListArray.from_arrays(flat, dimension),
    }
    arrow = pa.table(columns).replace_schema_metadata({_METADATA_KEY: json.dumps(dict(table.record)).encode()})
    with atomic_file(path) as temporary:
        pq.write_table(arrow, temporary)


def read_embeddings(path: Path) -> EmbeddingTable:
    """Read a table of embeddings. Raises EmbeddingError for a missing, truncated or foreign file."""
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise EmbeddingError(f"{path} {state}. Give the file that `tapetum embed` has written.")
    try:
        arrow = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise EmbeddingError(f"{path} is not a readable Parquet file. Make it again with `tapetum embed`.") from error
    wanted = {"path", "person", "camera", "modality", "time", "vector"}
    missing = sorted(wanted - set(arrow.column_names))
    if missing or not pa.types.is_fixed_size_list(arrow.schema.field("vector").type):
        raise EmbeddingError(
            f"{path} is no table of embeddings: columns {missing or ['vector']} are missing or of the wrong type."
        )
    vectors = arrow["vector"].combine_chunks()
    dimension = arrow.schema.field("vector").type.list_size
    flat = vectors.values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    try:
        return EmbeddingTable(flat.reshape(len(arrow), dimension), _crops(arrow), _record(arrow))
    except EmbeddingError as error:
        raise EmbeddingError(f"{path}: {error}") from error
    except ValueError as error:  # a modality, a record or a vector that is not there
        raise EmbeddingError(
            f"{path} is no table of embeddings: {error}. Make it again with `tapetum embed`."
        ) from error


def _crops(arrow: pa.Table) -> tuple[Crop, ...]:
    if not pa.types.is_integer(arrow.schema.field("person").type):
        raise ValueError("the column 'person' holds no whole numbers")
    if arrow["path"].null_count or arrow["camera"].null_count:
        raise ValueError("a path or a camera is missing")
    columns = (arrow[name].to_pylist() for name in ("path", "person", "camera", "modality", "time"))
    return tuple(
        Crop(place, person, camera, Modality(modality), time)
        for place, person, camera, modality, time in zip(*columns, strict=True)
    )


def _record(arrow: pa.Table) -> dict[str, Any]:
    record = json.loads((arrow.schema.metadata or {}).get(_METADATA_KEY, b"{}"))
    if not isinstance(record, dict):
        raise ValueError("its record holds no names")
    return record
