"""What a score of this gallery means, learnt from crops whose persons are known and which the same model embedded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tapetum.core import Modality, Protocol
from tapetum.embedding_table import EmbeddingTable, read_embeddings
from tapetum.errors import DataError, EmbeddingError, InputError
from tapetum.evaluation.calibration import fit_calibration
from tapetum.evaluation.diagnosis import counting_queries, persons_of, top_answers
from tapetum.evaluation.protocols import between_modalities, protocol_for
from tapetum.run_folder import EMBEDDINGS


def calibration_of(evaluation: Path, fingerprint: str) -> dict[str, Any]:
    """The calibration of first answers: `Calibration.to_json`, and "from": dataset, setting and persons.

    evaluation: a run with its embeddings, or a file of embeddings of persons that the model was not trained on. The
    first setting of their dataset's protocol is asked, as on a run's page.
    Raises EmbeddingError for another model's vectors, DataError where no query has an answer.
    """
    path = evaluation / EMBEDDINGS if evaluation.is_dir() else evaluation
    table = read_embeddings(path)
    if table.record.get("fingerprint") != fingerprint:
        raise EmbeddingError(
            f"{path} was made by model {table.record.get('fingerprint', 'nobody knows which')}, and the gallery's is"
            f" {fingerprint}. Embed persons with known labels with that model."
        )
    protocol = _protocol(table)
    persons = persons_of(table)
    setting = next(iter(protocol.settings))
    trials = [trial for trial in protocol.settings[setting] if counting_queries(trial, persons).any()]
    if not trials:
        raise DataError(f"{path}: no crop has another of the same person to be found. Give crops with known persons.")
    calibration = fit_calibration(top_answers(table, trials))
    asked = {"dataset": table.record.get("title", "unknown"), "setting": setting, "persons": len(set(persons) - {-1})}
    return {**calibration.to_json(), "from": asked}


def calibration_beside(run: Path, fingerprint: str) -> dict[str, Any] | None:
    """The calibration that a run's own embeddings give; None where it has none that can serve."""
    if not (run / EMBEDDINGS).is_file():
        return None
    try:
        return calibration_of(run, fingerprint)
    except InputError:
        return None


def _protocol(table: EmbeddingTable) -> Protocol:
    """The dataset's own protocol; where its lists are not at hand, infrared asks and RGB answers."""
    try:
        root = Path(str(table.record["root"]))
        return protocol_for(str(table.record["dataset"]), table.crops, root=root)
    except (InputError, KeyError):
        return between_modalities(table.crops, Modality.IR)
