"""The file of single queries beside results.json: `results.json` -> `results.queries.parquet`.

One row per setting, trial and valid query (one that has a match), in the order of the trials:
    setting string, trial int16 (its place in the setting's list of trials, from 0), query string (the crop's path),
    person int64, camera string, modality string, ap float64, inp float64, hit int32 (rank of the hit, from 1).
The schema's metadata holds one JSON record under `tapetum`: fingerprint (the model's; null where nobody knows),
dataset, protocol, draw, distance, cmc.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tapetum.core import Crop, FloatArray, IntArray
from tapetum.errors import RunError
from tapetum.evaluation.metrics import TrialResult
from tapetum.outputs import atomic_file

Texts = NDArray[np.object_]
"""(N,) of str."""

_METADATA_KEY = b"tapetum"
_COLUMNS = {
    "setting": pa.string(),
    "trial": pa.int16(),
    "query": pa.string(),
    "person": pa.int64(),
    "camera": pa.string(),
    "modality": pa.string(),
    "ap": pa.float64(),
    "inp": pa.float64(),
    "hit": pa.int32(),
}


@dataclass(frozen=True)
class QueryResults:
    """The columns of the file, (N,) each, and its record.

    ap, inp: fractions in (0, 1]; hit: rank of the hit, counted from 1 as the record's "cmc" rule says.
    """

    setting: Texts
    trial: IntArray
    query: Texts
    person: IntArray
    camera: Texts
    modality: Texts
    ap: FloatArray
    inp: FloatArray
    hit: IntArray
    record: Mapping[str, Any] = field(default_factory=dict)


def query_results_path(results: Path) -> Path:
    """Where the single queries of a file of results stand: `results.queries.parquet` beside `results.json`."""
    return results.with_name(f"{results.stem}.queries.parquet")


def collect_queries(
    scored: Mapping[str, Sequence[TrialResult]], crops: Sequence[Sequence[Crop]], record: Mapping[str, Any]
) -> QueryResults:
    """The single queries of every setting's trials.

    crops: for each trial of a setting the table that its rows name; one table alone serves all trials.
    """
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _COLUMNS}
    for setting, trials in scored.items():
        for number, result in enumerate(trials):
            table = crops[number] if len(crops) > 1 else crops[0]
            asked = [table[row] for row in result.query.tolist()]
            parts["setting"].append(_texts([setting] * len(asked)))
            parts["trial"].append(np.full(len(asked), number, dtype=np.int64))
            parts["query"].append(_texts([crop.path for crop in asked]))
            parts["person"].append(np.array([crop.person for crop in asked], dtype=np.int64))
            parts["camera"].append(_texts([crop.camera for crop in asked]))
            parts["modality"].append(_texts([crop.modality.value for crop in asked]))
            for name, values in (("ap", result.ap), ("inp", result.inp), ("hit", result.hit)):
                parts[name].append(values)
    return QueryResults(**{name: np.concatenate(found) for name, found in parts.items()}, record=record)


def _texts(values: Sequence[str]) -> Texts:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def write_query_results(path: Path, queries: QueryResults) -> None:
    """Write the single queries to `path` as Parquet, atomically."""
    with atomic_file(path) as temporary:
        fill_query_results(temporary, queries)


def fill_query_results(opened: Path, queries: QueryResults) -> None:
    """The same into a file that the caller has opened with `atomic_file`, together with another one."""
    columns = {name: pa.array(getattr(queries, name), kind) for name, kind in _COLUMNS.items()}
    record = json.dumps(dict(queries.record)).encode()
    pq.write_table(pa.table(columns).replace_schema_metadata({_METADATA_KEY: record}), opened)


def read_query_results(path: Path) -> QueryResults:
    """Read a file of single queries. Raises RunError for a missing, truncated or foreign file."""
    if not path.is_file():
        raise RunError(f"{path} does not exist. `tapetum evaluate` writes it beside the results: evaluate again.")
    try:
        table = pq.read_table(path)
        record = json.loads((table.schema.metadata or {}).get(_METADATA_KEY, b"null"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read as Parquet. Make it again with `tapetum evaluate`.") from error
    kinds = {column.name: column.type for column in table.schema}
    wrong = [name for name, kind in _COLUMNS.items() if kinds.get(name) != kind or table[name].null_count]
    if wrong or not isinstance(record, dict):
        raise RunError(
            f"{path} holds no single queries: columns {', '.join(wrong) or '(record)'} are missing or of another kind."
            " Make it again with `tapetum evaluate`."
        )
    columns = {name: table[name].to_numpy() for name in _COLUMNS}
    counted = {name: columns[name].astype(np.int64) for name in ("trial", "hit")}
    return QueryResults(**{**columns, **counted}, record=record)
