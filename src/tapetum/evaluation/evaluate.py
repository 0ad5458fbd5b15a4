"""The stage `evaluate`: features of Tapetum or of another system in; results.json and the single queries out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapetum.core import Crop, Dataset, Protocol
from tapetum.data.regdb import TRIALS
from tapetum.errors import EmbeddingError
from tapetum.evaluation.features import Features, read_features
from tapetum.evaluation.matching import match
from tapetum.evaluation.metrics import CmcRule, score_trials
from tapetum.evaluation.protocols import cmc_rule
from tapetum.evaluation.query_results import collect_queries, fill_query_results, query_results_path
from tapetum.evaluation.ranking import Distance
from tapetum.evaluation.reference import Place, Reference, dataset_name, find_reference
from tapetum.evaluation.regdb_trials import check_together, place_of_trial, trial_notes
from tapetum.evaluation.reranking import ReRanking, score_reranked
from tapetum.evaluation.results import (
    Problem,
    Results,
    Scored,
    chance_of,
    gathered,
    mean_and_spread,
    name_trials,
    score,
    settings_of_scores,
)
from tapetum.evaluation.rules import Chosen, Rules, choose_protocol
from tapetum.outputs import atomic_file, check_place, made_by, write_json

ProgressCall = Callable[[int, int], None]


@dataclass(frozen=True)
class _Entry:
    """One file, read: its features, what they are of, and the protocol over them."""

    features: Features
    reference: Reference
    chosen: Chosen
    problem: Problem
    notes: tuple[str, ...]

    @property
    def trial(self) -> int | str | None:
        """Which of RegDB's trials it is; None elsewhere, or where nobody knows."""
        return self.reference.options.get("trial") if self.reference.name == "regdb" else None


def evaluate(
    vectors: NDArray[np.floating],
    crops: Sequence[Crop],
    protocol: Protocol,
    *,
    dataset: str,
    distance: Distance = "euclidean",
) -> Results:
    """Score every setting of a protocol from one set of vectors; returns results without "direction" and "made".

    vectors: (N, D), row i of crops[i]. All trials that ask the same queries share one matrix product.
    Raises EmbeddingError or DataError for vectors or trials that cannot be evaluated, RecipeError for the distance.
    """
    Rules(distance=distance)
    problem, rule = Problem(vectors, crops, protocol), cmc_rule(protocol)
    scored = score(problem, partial(score_trials, distance=distance, cmc=rule))
    facts = {"protocol": protocol.name, "draw": protocol.draw, "dataset": dataset, "distance": distance, "cmc": rule}
    return {**facts, "notes": [], **settings_of_scores(scored, [chance_of(problem, rule)])}


def evaluate_embeddings(
    embeddings: Path,
    output: Path,
    *,
    dataset: Dataset | None = None,
    draw: str = "official",
    permutations: Path | None = None,
    distance: Distance = "euclidean",
) -> Results:
    """The usual case: evaluate one file of `tapetum embed` by its own dataset's protocol and write results.json.

    dataset: as it was read already; None: it is read again, by what the file says of it.
    """
    rules = Rules(draw=draw, permutations=permutations, distance=distance)
    return evaluate_features([embeddings], output, place=Place(dataset=dataset), rules=rules)


def evaluate_features(
    sources: Sequence[Path],
    output: Path,
    *,
    place: Place | None = None,
    table: Path | None = None,
    rules: Rules | None = None,
    progress: ProgressCall | None = None,
) -> Results:
    """Evaluate features of any system; write results.json to `output`, and the single queries beside it.

    sources: one file, or a folder of Matlab features; several files are RegDB's trials, in any order.
    place: the dataset, as far as the features do not say it; table: whose the vectors of one .npy or .npz file are.
    progress: told (done, total) while ranking, and once more from 0 while re-ranking.
    Raises EmbeddingError, DataError or RecipeError naming what cannot be used; then nothing is written.
    """
    place, rules = place or Place(), rules or Rules()
    single = query_results_path(output)
    check_place(output)
    check_place(single)
    entries = _read(sources, place, table, rules)
    results, scored = _scored(entries, rules, progress)
    results["made"] = made_by(**_origin(entries, table))
    record = {key: results[key] for key in ("dataset", "protocol", "draw", "distance", "cmc")}
    queries = collect_queries(
        scored, [entry.problem.crops for entry in entries], {"fingerprint": _fingerprint(entries), **record}
    )
    with atomic_file(single) as opened:  # both files or none
        fill_query_results(opened, queries)
        write_json(output, results)
    return results


def _read(sources: Sequence[Path], place: Place, table: Path | None, rules: Rules) -> list[_Entry]:
    if table is not None and len(sources) > 1:
        raise EmbeddingError(f"{table} cannot be the table of {len(sources)} files. Put a table beside each of them.")
    entries = [_entry(read_features(source, table), place, rules) for source in sources]
    if len(entries) > 1:
        check_together([entry.features for entry in entries], [entry.trial for entry in entries])
    return sorted(entries, key=lambda entry: int(entry.trial or 0))


def _entry(features: Features, place: Place, rules: Rules) -> _Entry:
    if dataset_name(features.record, place, features.source) == "regdb":
        place = place_of_trial(features, place)
    reference = find_reference(features.record, place, features.source)
    matched = match(features, reference)
    chosen = choose_protocol(matched, reference, rules)
    notes = [*chosen.notes, *matched.notes]
    counted = chosen.protocol.draw == "official" and reference.root is not None  # the permutations count the images
    if reference.dataset is None and not counted:
        notes.append(f"whether images of {reference.name} are missing was not checked: {reference.unchecked}")
    problem = Problem(matched.vectors, matched.crops, chosen.protocol)
    return _Entry(features, reference, chosen, problem, tuple(notes))


def _scored(entries: Sequence[_Entry], rules: Rules, progress: ProgressCall | None) -> tuple[Results, Scored]:
    """Results without "made", and the trials behind them."""
    first = entries[0]
    protocol, rule = first.problem.protocol, cmc_rule(first.problem.protocol)
    scored = _over(entries, partial(score_trials, distance=rules.distance, cmc=rule), progress)
    settings = settings_of_scores(scored, [chance_of(entry.problem, rule) for entry in entries])
    notes = []
    if first.reference.name == "regdb":
        trials = [entry.trial for entry in entries]
        name_trials(settings.values(), trials, len(TRIALS))
        notes = trial_notes(trials)
    if rules.rerank is not None:
        _add_reranked(settings, entries, replace(rules.rerank, distance=rules.distance), rule, progress)
    notes += dict.fromkeys(note for entry in entries for note in entry.notes)
    facts = {"protocol": protocol.name, "draw": protocol.draw, "direction": first.chosen.direction}
    more = {"dataset": first.reference.title, "distance": rules.distance, "cmc": rule, "notes": notes}
    return {**facts, **more, **settings}, scored


def _over(entries: Sequence[_Entry], scorer: Callable[..., Any], progress: ProgressCall | None) -> Scored:
    """The scores of all entries' problems, which count as one in `progress`."""
    parts = []
    for number, entry in enumerate(entries):
        told = {} if progress is None else {"progress": partial(_advance, progress, number, len(entries))}
        parts.append(score(entry.problem, partial(scorer, **told)))
    return gathered(parts)


def _advance(progress: ProgressCall, before: int, problems: int, done: int, total: int) -> None:
    progress(before * total + done, problems * total)


def _add_reranked(
    settings: dict[str, Any], entries: Sequence[_Entry], how: ReRanking, rule: CmcRule, progress: ProgressCall | None
) -> None:
    scored = _over(entries, partial(score_reranked, settings=how, cmc=rule), progress)
    for name, results in scored.items():
        figures = mean_and_spread(results)
        plain = {part: {key: value for key, value in found.items() if key != "cmc"} for part, found in figures.items()}
        settings[name]["reranked"] = {**plain, **asdict(how)}


def _origin(entries: Sequence[_Entry], table: Path | None) -> dict[str, Any]:
    """What results.json says of the files and the data that it comes from."""
    own = bool(entries[0].features.record)
    files = [str(entry.features.source) for entry in entries]
    records = [dict(entry.features.record) for entry in entries]
    reference = entries[0].reference
    found: dict[str, Any] = {"embeddings" if own else "features": files if len(files) > 1 else files[0]}
    if own:
        found["embeddings_record"] = records if len(files) > 1 else records[0]
    if table is not None:
        found["table"] = str(table)
    return {
        **found,
        "dataset": reference.name,
        "root": None if reference.root is None else str(reference.root),
        "options": {
            name: value
            for name, value in reference.options.items()
            if all(entry.reference.options.get(name) == value for entry in entries)
        },
        "images": [len(entry.problem.crops) for entry in entries],
        "dimensions": entries[0].features.vectors.shape[1],
    }


def _fingerprint(entries: Sequence[_Entry]) -> str | None:
    """The models' fingerprints, joined; None where the features do not say them."""
    found = {str(entry.features.record["fingerprint"]) for entry in entries if "fingerprint" in entry.features.record}
    return ",".join(sorted(found)) or None
