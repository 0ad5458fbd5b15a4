"""The stage from a run's folder to its page: gather what the run holds, and write the page about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapetum.core import Modality, Protocol
from tapetum.data.catalogue import read_dataset
from tapetum.data.sysu_mm01 import LOCATIONS
from tapetum.embedding_table import EmbeddingTable, read_embeddings
from tapetum.errors import InputError, RunError
from tapetum.evaluation.mixed import NAME as MIXED
from tapetum.evaluation.mixed import mixed
from tapetum.evaluation.protocols import between_modalities, protocol_for, sysu
from tapetum.evaluation.query_results import QueryResults, query_results_path, read_query_results
from tapetum.outputs import check_place
from tapetum.report.look import Look, paints
from tapetum.report.page import ReportedRun, write_report
from tapetum.run_folder import EMBEDDINGS, LOG, RECORD, RESULTS, read_record, read_run_recipe


def report_run(
    run: Path, output: Path, *, queries: int = 6, seed: int = 0, look: Look | None = None
) -> tuple[Mapping[str, Any] | None, Path]:
    """Write the page about `run` to `output`; returns the run's results (None before `tapetum evaluate`) and the page.

    look: how a generative run is looked at; its pictures become PNG files too, in a folder beside the page.
    Raises RunError for a folder that is no run, or results of other embeddings, and what `look_at` raises.
    """
    check_place(output)
    if not (run / RECORD).is_file():
        raise RunError(f"{run} has no {RECORD}. Give the folder of a run that `tapetum train` has written.")
    record, recipe = read_record(run), read_run_recipe(run)
    results = _read_results(run / RESULTS) if (run / RESULTS).is_file() else None
    table = read_embeddings(run / EMBEDDINGS) if (run / EMBEDDINGS).is_file() else None
    _check_origin(run, record, results, table)
    log = run / LOG
    reported = ReportedRun(
        title=f"{recipe['method']} on {record.get('title', record['dataset'])}",
        record={**record, "recipe": recipe},
        results=results,
        log=log if log.is_file() else None,
        table=table,
        protocol=_protocol(table, results),
        queries=_read_queries(run, record) if results is not None else None,
        painting=_painting(run, str(recipe["method"]), table, look or Look(seed=seed), output),
    )
    return results, write_report(output, reported, queries=queries, seed=seed)


def _painting(
    run: Path, method: str, table: EmbeddingTable | None, look: Look, output: Path
) -> Mapping[str, Any] | None:
    """What the page shows of a generative run, whose sheets are also written beside it; None for other methods."""
    if not paints(method, look):
        return None
    from tapetum.report.painting import look_at  # it takes seconds, and other methods need nothing of it
    from tapetum.report.painting_view import painting_view
    from tapetum.report.sheets import write_sheet

    painting = look_at(run, table, look)
    folder = output.with_name(f"{output.stem}_pictures")
    for sheet in painting.sheets:
        write_sheet(folder, sheet)
    return painting_view(painting, folder.name)


def _protocol(table: EmbeddingTable | None, results: Mapping[str, Any] | None) -> Protocol | None:
    """The protocol that the results were made by; None where its lists are no longer to be had."""
    if table is None:
        return None
    made = results or {}
    draw = "agw" if made.get("draw") == "agw" else "official"
    try:
        name, root = str(table.record["dataset"]), Path(str(table.record["root"]))
        if made.get("protocol") == MIXED:
            return mixed(table.crops, LOCATIONS)[0] if name == "sysu_mm01" else None
        if made.get("direction") == "rgb-to-ir":
            if name == "sysu_mm01":
                return sysu(table.crops, root=root, draw=draw, asking=Modality.RGB)
            return between_modalities(table.crops, Modality.RGB)
        declared = _declared(table, root) if made.get("direction") == "declared" else None
        return protocol_for(name, table.crops, root=root, draw=draw, declared=declared)
    except InputError:
        return None


def _declared(table: EmbeddingTable, root: Path) -> tuple[list[int], list[int]]:
    """The table's rows of own data's queries and gallery, as the data at `root` declares them."""
    dataset = read_dataset(str(table.record["dataset"]), root, **dict(table.record.get("options", {})))
    places = {(crop.path, crop.modality): row for row, crop in enumerate(table.crops) if crop.person is not None}
    asked = {side: [dataset.crops[row] for row in dataset.rows(side)] for side in ("query", "gallery")}
    query, gallery = (
        [places[crop.path, crop.modality] for crop in crops if (crop.path, crop.modality) in places]
        for crops in asked.values()
    )
    return query, gallery


def _read_queries(run: Path, record: Mapping[str, Any]) -> QueryResults | None:
    """The single queries beside the results; None for results of a time before they were written."""
    path = query_results_path(run / RESULTS)
    if not path.is_file():
        return None
    read = read_query_results(path)
    fingerprints = {record.get("fingerprint"), read.record.get("fingerprint")} - {None}
    if len(fingerprints) > 1:
        raise RunError(f"{path} was made from the embeddings of another model than {run} holds. Evaluate again.")
    return read


def _check_origin(
    run: Path, record: Mapping[str, Any], results: Mapping[str, Any] | None, table: EmbeddingTable | None
) -> None:
    """The embeddings must be this run's, and the results those of the embeddings, where each says what it is of."""
    if table is None:
        return
    trained = record.get("fingerprint")
    if trained is not None and table.record.get("fingerprint") != trained:
        raise RunError(f"{run / EMBEDDINGS} was made by another model than {run} holds. Run `tapetum embed` again.")
    source = None if results is None else results["made"].get("embeddings_record")
    if source is not None and source != table.record:
        raise RunError(f"{run / RESULTS} was made from other embeddings than {EMBEDDINGS}. Evaluate again.")


def _read_results(path: Path) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(read, dict) and {"protocol", "draw", "dataset", "made"} <= set(read):
            return read
    except ValueError as error:
        raise RunError(f"{path} is not JSON. Make it again with `tapetum evaluate`.") from error
    raise RunError(f"{path} holds no results. Make it again with `tapetum evaluate`.")
