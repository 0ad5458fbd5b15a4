"""The stage from a run's folder to its page: gather what the run holds, and write the page about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapetum.core import Protocol
from tapetum.embedding_table import EmbeddingTable, read_embeddings
from tapetum.errors import InputError, RunError
from tapetum.evaluation.protocols import protocol_for
from tapetum.outputs import check_place
from tapetum.report.page import ReportedRun, write_report
from tapetum.run_folder import EMBEDDINGS, LOG, RECORD, RESULTS, read_record, read_run_recipe


def report_run(run: Path, output: Path, *, queries: int = 6, seed: int = 0) -> tuple[Mapping[str, Any] | None, Path]:
    """Write the page about `run` to `output`; returns the run's results (None before `tapetum evaluate`) and the page.

    Raises RunError for a folder that is no run, or results of other embeddings.
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
    )
    return results, write_report(output, reported, queries=queries, seed=seed)


def _protocol(table: EmbeddingTable | None, results: Mapping[str, Any] | None) -> Protocol | None:
    """The protocol that the results were made by; None where its lists are no longer to be had."""
    if table is None:
        return None
    draw = results["draw"] if results is not None and results["draw"] == "agw" else "official"
    try:
        root = Path(str(table.record["root"]))
        return protocol_for(str(table.record["dataset"]), table.crops, root=root, draw=draw)
    except InputError:
        return None


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
