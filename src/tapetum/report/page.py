"""The stage from a run's results to one page: a single HTML file that holds its pictures and loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from tapetum.core import Crop, Protocol
from tapetum.embedding_table import EmbeddingTable
from tapetum.evaluation.query_results import QueryResults
from tapetum.outputs import atomic_file
from tapetum.report.curves import loss_figure, rate_figure, read_curves, validation_figure, watched_figure
from tapetum.report.diagnosis import diagnosis_view, subject_of
from tapetum.report.examples import Example, Examples, choose_examples
from tapetum.report.figures import cmc_figure, picture_uri
from tapetum.report.strips import LIGHT, open_crop, same_person
from tapetum.report.tables import RERANKED, has_reranked, notes_of, settings_of

METRICS = {"r1": "rank 1", "r5": "rank 5", "r10": "rank 10", "r20": "rank 20", "mAP": "mAP", "mINP": "mINP"}
SETTINGS = {
    "all_single": "All search, single-shot",
    "all_multi": "All search, multi-shot",
    "indoor_single": "Indoor search, single-shot",
    "indoor_multi": "Indoor search, multi-shot",
}
_MARKS = {True: "right", False: "wrong", None: "unknown"}


@dataclass(frozen=True)
class ReportedRun:
    """What a page is made from; a part that is None is left out of the page with a sentence.

    record: how the run was made (recipe, dataset, seed, versions, command ...), shown as it is.
    results: the content of `results.json`.   log: the run's `log.csv`.
    table, protocol: the embedded crops, and the trials that are diagnosed and whose first one the strips come from.
    queries: the single queries beside the results.
    painting: what a generative run paints (`painting_view.painting_view`); None for other methods, without a sentence.
    """

    title: str
    record: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] | None = None
    log: Path | None = None
    table: EmbeddingTable | None = None
    protocol: Protocol | None = None
    queries: QueryResults | None = None
    painting: Mapping[str, Any] | None = None


def write_report(output: Path, run: ReportedRun, *, queries: int = 6, seed: int = 0) -> Path:
    """Write the page to `output`, atomically, and return its path.

    queries: how many are shown of each kind (drawn by `seed`, and hardest).
    Raises OutputError where the page cannot be written. A missing log or picture is said on the page.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("page.html").render(_view(run, queries, seed))
    with atomic_file(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return output


def _view(run: ReportedRun, queries: int, seed: int) -> dict[str, Any]:
    results = run.results or {}
    settings = settings_of(results)
    titles = {key: _words(key) for key in settings}
    return {
        "title": run.title,
        "headline": _headline(settings, titles),
        "origin": {key: results[key] for key in ("dataset", "protocol", "draw", "distance") if key in results},
        "counts_images": results.get("cmc") == "images",
        "notes": notes_of(results),
        "metrics": METRICS,
        "settings": [_setting(titles[key], value) for key, value in settings.items()],
        "reranked": RERANKED if has_reranked(results) else (),
        "cmc": cmc_figure(settings, titles),
        "training": _training(run.log),
        "strips": _strips(run, queries, seed),
        "diagnosis": _diagnosis(run, next(iter(settings), None), seed),
        "painting": run.painting,
        "seed": seed,
        "facts": _facts(run.record),
        "details": _details({**run.record, "evaluation": results.get("made")}),
    }


def _words(setting: str) -> str:
    return SETTINGS.get(setting, setting.replace("_", " ").capitalize())


def _training(log: Path | None) -> dict[str, Markup]:
    """The figures that the log has values for, by name."""
    curves = {} if log is None else read_curves(log)
    drawn = {
        "Losses": loss_figure(curves),
        "Validation": validation_figure(curves),
        "Learning rate": rate_figure(curves),
        "Learned numbers": watched_figure(curves),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _headline(settings: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, Any] | None:
    """The first setting's rank 1 and mAP, for the top of the page; None without results."""
    for key, setting in settings.items():
        mean, chance = setting["mean"], setting.get("chance", {})
        cards = [(METRICS[name], mean[name], chance.get(name)) for name in ("r1", "mAP") if name in mean]
        return {"title": titles[key], "cards": cards, "valid": _span(setting, "valid_queries")}
    return None


def _setting(title: str, setting: Mapping[str, Any]) -> dict[str, Any]:
    chance = setting.get("chance", {})
    trials = len(setting.get("trials", ()))
    return {
        "title": title,
        "trials": trials,
        "gallery": _span(setting, "gallery"),
        "queries": _span(setting, "queries"),
        "valid": _span(setting, "valid_queries"),
        "values": _values(setting, trials),
        "reranked": _values(setting["reranked"], trials) if "reranked" in setting else None,
        "chance": {name: chance.get(name) for name in METRICS},
        "times": {name: _ratio(setting.get("mean", {}).get(name), chance.get(name)) for name in METRICS},
    }


def _values(figures: Mapping[str, Any], trials: int) -> dict[str, tuple[float | None, float | None]]:
    """Each metric's mean and spread; one trial has no spread, and "± 0.0" would read as certainty."""
    mean, std = figures.get("mean", {}), figures.get("std", {}) if trials != 1 else {}
    return {name: (mean.get(name), std.get(name)) for name in METRICS}


def _ratio(value: float | None, chance: float | None) -> float | None:
    return value / chance if value is not None and chance else None


def _span(setting: Mapping[str, Any], name: str) -> str | None:
    """A count over all trials: one number where they agree, else the smallest and the largest."""
    counts = [trial[name] for trial in setting.get("trials", ()) if name in trial]
    if not counts:
        return None
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _diagnosis(run: ReportedRun, first: str | None, seed: int) -> dict[str, Any]:
    """The diagnosis of the protocol's first setting; without a protocol, of the results' first one."""
    subject, setting = None, first or ""
    if run.table is not None and run.protocol is not None and any(run.protocol.settings.values()):
        setting = next(name for name, trials in run.protocol.settings.items() if trials)
        subject = subject_of(run.table, run.protocol, setting, (run.results or {}).get("distance", "euclidean"))
    return {"title": _words(setting), **diagnosis_view(subject, run.queries, setting, seed)}


def _strips(run: ReportedRun, queries: int, seed: int) -> dict[str, Any] | None:
    """The drawn and hardest queries of the protocol's first trial; None when there is nothing to take them from."""
    if run.table is None or run.protocol is None or not any(run.protocol.settings.values()):
        return None
    setting, trials = next((name, trials) for name, trials in run.protocol.settings.items() if trials)
    root = Path(str(run.table.record.get("root", "")))
    chosen: Examples = choose_examples(run.table, trials[0], queries, seed)
    return {
        "setting": _words(setting),
        "valid": chosen.valid,
        "drawn": [_strip(example, root) for example in chosen.drawn],
        "hardest": [_strip(example, root) for example in chosen.hardest],
    }


def _strip(example: Example, root: Path) -> dict[str, Any]:
    tiles = [
        {
            **_tile(hit.crop, root),
            "rank": hit.rank,
            "score": hit.score,
            "mark": _MARKS[same_person(example.query, hit.crop)],
        }
        for hit in example.hits
    ]
    return {"example": example, "query": _tile(example.query, root), "tiles": tiles}


def _tile(crop: Crop, root: Path) -> dict[str, Any]:
    picture = open_crop(root, crop)
    uri = None if picture is None else picture_uri(picture)
    return {"crop": crop, "light": LIGHT[crop.modality], "uri": uri}


def _facts(record: Mapping[str, Any]) -> dict[str, str]:
    """The record's plain values, each on a line of its own; versions as one line."""
    facts = {}
    for name, value in record.items():
        if name == "versions" and isinstance(value, Mapping):
            facts[name] = ", ".join(f"{package} {version}" for package, version in value.items())
        elif isinstance(value, str | int | float | Path):
            facts[name] = str(value)
        elif isinstance(value, Iterable) and not isinstance(value, Mapping):
            facts[name] = ", ".join(str(item) for item in value)
    return facts


def _details(record: Mapping[str, Any]) -> dict[str, str]:
    """The record's nested parts (a recipe, settings), each as YAML."""
    nested = {name: value for name, value in record.items() if isinstance(value, Mapping) and name != "versions"}
    return {name: yaml.safe_dump(_plain(value), sort_keys=False, allow_unicode=True) for name, value in nested.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
