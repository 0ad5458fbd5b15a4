"""The stage `evaluate`: embeddings, or another system's features, in; results.json out.

Results are a plain dict: one key per setting ("all_single" ...), each with
    trials   [{"cmc": [...], "mAP", "mINP", "valid_queries", "gallery", "queries"}, ...]
    mean     {"cmc": [...], "r1", "r5", "r10", "r20", "mAP", "mINP"} over the trials
    std      the same keys: the spread of these trials around their mean (divided by n, not n - 1; 0 for one trial)
    chance   {"r1", "r5", "r10", "r20", "mAP", "mINP"}: what guessing gets on the same trials
and beside them "protocol", "draw", "dataset", "distance", "cmc", "notes" and "made". Figures are fractions in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from tapetum.core import Crop, Dataset, FloatArray, Protocol
from tapetum.embedding_table import read_embeddings
from tapetum.errors import EmbeddingError, RecipeError, did_you_mean
from tapetum.evaluation.chance import RANKS, chance
from tapetum.evaluation.matlab import read_matlab_features
from tapetum.evaluation.metrics import TrialResult, score_trials
from tapetum.evaluation.protocols import cmc_rule, protocol_for
from tapetum.evaluation.ranking import Distance
from tapetum.outputs import check_place, made_by, write_json

Results = dict[str, Any]


def evaluate(
    vectors: NDArray[np.floating],
    crops: Sequence[Crop],
    protocol: Protocol,
    *,
    dataset: str,
    distance: Distance = "euclidean",
) -> Results:
    """Score every setting of a protocol from one set of vectors; returns results without "made".

    vectors: (N, D), row i of crops[i]. All trials that ask the same queries share one matrix product.
    Raises EmbeddingError or DataError for vectors or trials that cannot be evaluated, RecipeError for the distance.
    """
    if distance not in get_args(Distance):
        raise RecipeError(f"no distance is called '{distance}'. {did_you_mean(distance, get_args(Distance))}")
    persons = np.array([-1 if crop.person is None else crop.person for crop in crops], dtype=np.int64)
    every = [trial for trials in protocol.settings.values() for trial in trials]
    rule = cmc_rule(protocol)
    scored = iter(score_trials(vectors, persons, every, distance=distance, cmc=rule))
    settings = {}
    for name, trials in protocol.settings.items():
        found = [next(scored) for _ in trials]
        settings[name] = {**_summary(found), "chance": chance(trials, persons, rule)}
    facts = {"protocol": protocol.name, "draw": protocol.draw, "dataset": dataset, "distance": distance, "cmc": rule}
    return {**facts, "notes": _notes(protocol), **settings}


def _summary(found: Sequence[TrialResult]) -> dict[str, Any]:
    trials = [
        {
            "cmc": result.cmc.tolist(),
            "mAP": result.mAP,
            "mINP": result.mINP,
            "valid_queries": result.valid_queries,
            "gallery": result.gallery,
            "queries": result.queries,
        }
        for result in found
    ]
    # Galleries of one setting may differ by a person in own data: the shorter curve has reached its end, 1.
    longest = max(len(result.cmc) for result in found)
    curves = np.stack([np.pad(result.cmc, (0, longest - len(result.cmc)), mode="edge") for result in found])
    single = np.array([[result.mAP, result.mINP] for result in found])
    return {
        "trials": trials,
        "mean": _figures(curves.mean(axis=0), single.mean(axis=0)),
        "std": _figures(curves.std(axis=0), single.std(axis=0)),
    }


def _figures(curve: FloatArray, single: FloatArray) -> dict[str, Any]:
    ranks = {f"r{rank}": float(curve[min(rank, len(curve)) - 1]) for rank in RANKS}
    return {"cmc": curve.tolist(), **ranks, "mAP": float(single[0]), "mINP": float(single[1])}


def _notes(protocol: Protocol) -> list[str]:
    notes = []
    if protocol.name == "regdb":
        notes.append("one of RegDB's ten trials: not comparable with a mean over ten trials and models")
    if protocol.name == "sysu_mm01" and protocol.draw == "agw":
        notes.append("galleries drawn by seed (agw), not by the official permutations: single-shot only")
    if protocol.name == "llcm":
        notes.append("LLCM's images changed after publication: compare only with results on the same images")
    return notes


def evaluate_embeddings(
    embeddings: Path,
    output: Path,
    *,
    dataset: Dataset | None = None,
    draw: str = "official",
    permutations: Path | None = None,
    distance: Distance = "euclidean",
) -> Results:
    """Evaluate a table of embeddings by its dataset's protocol and write results.json.

    dataset: as it lies on disk now; None: the name and root in the table's record are taken. Own data that declares
    the splits query and gallery needs it.
    """
    check_place(output)
    table = read_embeddings(embeddings)
    if all(crop.person is None for crop in table.crops):
        raise EmbeddingError(
            f"{embeddings} holds {len(table.crops)} crops of persons whom nobody knows, so that no answer can be called"
            " right. Search them with `tapetum search`, or embed a table that names the persons."
        )
    name = dataset.name if dataset else table.record.get("dataset")
    if not name:
        raise EmbeddingError(f"{embeddings} does not say which dataset it is of. Make it again with `tapetum embed`.")
    recorded = table.record.get("root")
    root = dataset.root if dataset else Path(recorded) if recorded else None
    protocol = protocol_for(
        name, table.crops, root=root, draw=draw, permutations=permutations, declared=_declared(dataset, table.crops)
    )
    title = dataset.title if dataset else str(table.record.get("title", name))
    results = evaluate(table.vectors, table.crops, protocol, dataset=title, distance=distance)
    results["made"] = made_by(embeddings=str(embeddings), embeddings_record=dict(table.record), draw=draw)
    write_json(output, results)
    return results


def _declared(dataset: Dataset | None, crops: Sequence[Crop]) -> tuple[list[int], list[int]] | None:
    """The table's rows of the splits query and gallery; None when the dataset declares none."""
    if dataset is None or not {"query", "gallery"} <= set(dataset.splits):
        return None
    row_of = {crop.path: row for row, crop in enumerate(crops)}
    sides: list[list[int]] = []
    for split in ("query", "gallery"):
        paths = [dataset.crops[row].path for row in dataset.rows(split) if dataset.crops[row].person is not None]
        missing = [path for path in paths if path not in row_of]
        if missing:
            raise EmbeddingError(
                f"no embedding of {missing[0]} ({len(missing)} of {len(paths)} in the split '{split}'). Embed the"
                " split 'test', which holds both."
            )
        sides.append([row_of[path] for path in paths])
    return sides[0], sides[1]


def evaluate_matlab_features(
    folder: Path,
    root: Path,
    output: Path,
    *,
    draw: str = "official",
    permutations: Path | None = None,
    distance: Distance = "euclidean",
) -> Results:
    """Evaluate SYSU-MM01 features of any system, in the official Matlab form, and write results.json.

    root needs nothing but `exp`: the test ids and, for the official draw, rand_perm_cam.mat.
    """
    check_place(output)
    vectors, crops = read_matlab_features(folder)
    protocol = protocol_for("sysu_mm01", crops, root=root, draw=draw, permutations=permutations)
    results = evaluate(vectors, crops, protocol, dataset="sysu_mm01", distance=distance)
    results["made"] = made_by(features=str(folder), root=str(root), draw=draw)
    write_json(output, results)
    return results
