"""Results with their single queries, made from the numbers of a test: what `tapetum evaluate` would have written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tapetum.evaluation.query_results import QueryResults, query_results_path, write_query_results

CHANCE = {"r1": 0.01, "r5": 0.05, "r10": 0.1, "r20": 0.2, "mAP": 0.03, "mINP": 0.02}
FACTS = {
    "protocol": "sysu_mm01",
    "draw": "official",
    "dataset": "sysu_mm01",
    "distance": "euclidean",
    "cmc": "identities",
}


def write_run(
    folder: Path,
    hits: Sequence[Sequence[int]] = ((1, 2, 1, 12), (1, 1, 30, 7)),
    *,
    record: Mapping[str, Any] | None = None,
    setting: Mapping[str, Any] | None = None,
    names: Sequence[str] = ("all_single",),
    paths: Sequence[str] = ("cam3/0001/0001.jpg", "cam3/0001/0002.jpg", "cam6/0002/0001.jpg", "cam6/0003/0001.jpg"),
    **facts: Any,
) -> Path:
    """Write results.json and its queries into `folder`; every setting has the same trials.

    hits: for each trial the ranks of each query's hit; its AP is 1 / rank and its INP 1 / (2 rank). The person of a
    query is read from its path. record: of the embeddings; setting: what replaces parts of each setting; facts: what
    replaces those of FACTS.
    """
    ranks = np.array(hits)
    figures = _figures(ranks)
    each = {
        "trials": [{"valid_queries": len(row), "queries": len(row) + 1, "gallery": 40} for row in ranks],
        "mean": {name: float(values.mean()) for name, values in figures.items()},
        "std": {name: float(values.std()) for name, values in figures.items()},
        "chance": CHANCE,
        **(setting or {}),
    }
    made = {} if record is None else {"embeddings_record": dict(record)}
    folder.mkdir(parents=True, exist_ok=True)
    results = {**FACTS, "notes": [], "made": made, **facts, **dict.fromkeys(names, each)}
    (folder / "results.json").write_text(json.dumps(results))
    _write_queries(folder / "results.json", ranks, paths, names)
    return folder


def _figures(ranks: np.ndarray) -> dict[str, np.ndarray]:
    """Each figure in each trial."""
    curve = {f"r{rank}": (ranks <= rank).mean(axis=1) for rank in (1, 5, 10, 20)}
    return {**curve, "mAP": (1 / ranks).mean(axis=1), "mINP": (0.5 / ranks).mean(axis=1)}


def _write_queries(results: Path, ranks: np.ndarray, paths: Sequence[str], names: Sequence[str]) -> None:
    trials, queries = ranks.shape
    every = [(name, trial, place) for name in names for trial in range(trials) for place in range(queries)]
    hit = np.array([ranks[trial, place] for _, trial, place in every])
    asked = [paths[place] for _, _, place in every]
    columns = QueryResults(
        setting=np.array([name for name, _, _ in every], dtype=object),
        trial=np.array([trial for _, trial, _ in every]),
        query=np.array(asked, dtype=object),
        person=np.array([int(path.split("/")[1]) for path in asked]),
        camera=np.array([path.split("/")[0] for path in asked], dtype=object),
        modality=np.array(["ir"] * len(every), dtype=object),
        ap=1 / hit,
        inp=0.5 / hit,
        hit=hit,
    )
    write_query_results(query_results_path(results), columns)
