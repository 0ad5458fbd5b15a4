"""The command `evaluate`: parses, calls the stage, prints. It stands apart from the other commands for its length."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tapetum import options
from tapetum.console import ProgressCall, progress_bar, show
from tapetum.errors import RecipeError

if TYPE_CHECKING:
    from tapetum.evaluation.ranking import Distance

_PATIENCE = 1.0  # seconds before a bar appears


def evaluate(
    features: options.EmbeddingsFiles = None,
    features_mat: options.MatlabFeatures = None,
    table: options.FeatureTable = None,
    root: options.DatasetRoot = None,
    dataset: options.DatasetName = None,
    option: options.ReaderOptions = None,
    protocol: options.ProtocolName = "standard",
    draw: options.DrawRule = "official",
    direction: options.DirectionName = None,
    permutations: options.Permutations = None,
    distance: options.DistanceName = "euclidean",
    rerank: options.ReRank = False,
    output: options.ResultsOutput = None,
) -> None:
    """Test features under the official protocol: CMC, mAP and mINP, mean and spread over trials, chance beside.

    Embeddings know their dataset; --root says where it lies now. Features of another system need a table that says
    which image each vector is, and --root (or --dataset). With --features-mat the root needs nothing but exp/ (the id
    lists and rand_perm_cam.mat).
    """
    from tapetum.evaluation.evaluate import evaluate_features
    from tapetum.evaluation.reference import Place
    from tapetum.evaluation.reranking import ReRanking
    from tapetum.evaluation.rules import Rules
    from tapetum.report.tables import render_results

    sources = _sources(features, features_mat, root)
    if features_mat is not None:
        options.refuse("--features-mat", {"--dataset": dataset, "--option": option, "--table": table})
    if option and root is None:
        raise RecipeError("--option says how to read the dataset. Pass --root as well.")
    rules = Rules(
        protocol=protocol,
        draw=draw,
        direction=direction,
        permutations=permutations,
        distance=cast("Distance", distance),
        rerank=ReRanking() if rerank else None,
    )
    target = output or _common_folder(sources) / "results.json"
    place = Place("sysu_mm01" if features_mat else dataset, root, options.reader_options(option))
    with progress_bar("ranking", "%") as bar:
        results = evaluate_features(sources, target, place=place, table=table, rules=rules, progress=_patient(bar))
    show(render_results(results))
    show(f"The results are in {target}.")


def _sources(features: Sequence[Path] | None, matlab: Path | None, root: Path | None) -> list[Path]:
    if features and matlab is None:
        return list(features)
    if matlab is not None and not features and root is not None:
        return [matlab]
    raise RecipeError("what shall be tested? Give a file of features, or --features-mat with --root.")


def _common_folder(sources: Sequence[Path]) -> Path:
    """The folder that holds all inputs; a folder of Matlab features is that folder."""
    folders = [source if source.is_dir() else source.parent for source in sources]
    return Path(os.path.commonpath(folders)) if len(set(folders)) > 1 else folders[0]


def _patient(bar: ProgressCall) -> ProgressCall:
    """A bar in percent that does not appear for what is done at once."""
    started = time.monotonic()

    def advance(done: int, total: int) -> None:
        if time.monotonic() - started > _PATIENCE:
            bar(100 * done // total, 100)

    return advance
