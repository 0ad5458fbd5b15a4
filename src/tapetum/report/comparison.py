"""The stage `compare`: files of results in; one comparison out, which the formats beside this file write.

Our own figures, re-ranked ones, and published ones have columns of their own; rows that were not measured alike stand
in blocks of their own (`comparison_blocks.py`). Each further run is tested against the first, query by query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tapetum.errors import RecipeError, did_you_mean
from tapetum.report.comparison_blocks import Block, blocks_of
from tapetum.report.comparison_inputs import Run, read_runs
from tapetum.report.comparison_pairs import Pairs, Progress, Resampling, find_differences
from tapetum.report.published import Published, published_of

METRICS = ("r1", "r5", "r10", "r20", "mAP", "mINP")


@dataclass(frozen=True)
class Choice:
    """What to compare.

    settings: names; empty: all.   metrics: the columns, of METRICS.   tested: the metrics of the paired test.
    published: names of methods, "all", or "none"; empty: those of the runs' own methods.
    """

    settings: Sequence[str] = ()
    metrics: Sequence[str] = ("r1", "r10", "r20", "mAP", "mINP")
    tested: Sequence[str] = ("r1", "mAP")
    published: Sequence[str] = ()
    resampling: Resampling = field(default_factory=Resampling)


def choice_of(
    settings: Sequence[str] | None,
    metrics: Sequence[str] | None,
    published: Sequence[str] | None,
    resamples: int,
    seed: int,
) -> Choice:
    """A choice from what was asked for, None where nothing was.

    Metrics that are named, in whatever case, are both shown and tested.
    """
    plain = Choice(tuple(settings or ()), published=tuple(published or ()), resampling=Resampling(resamples, seed))
    spelled = {name.lower(): name for name in METRICS}
    named = tuple(spelled.get(name.lower(), name) for name in metrics or ())
    return replace(plain, metrics=named, tested=named) if named else plain


@dataclass(frozen=True)
class Comparison:
    """Everything that a format writes. metrics: the columns of our own figures."""

    blocks: tuple[Block, ...]
    pairs: Pairs
    metrics: tuple[str, ...]
    remarks: tuple[str, ...]


def compare(given: Sequence[str], choice: Choice, progress: Progress | None = None) -> Comparison:
    """Read the results and set them side by side; every further run is tested against the first.

    Raises RunError for results that cannot be read, RecipeError for an unknown setting, metric or published method.
    """
    for name in (*choice.metrics, *choice.tested):
        if name not in METRICS:
            raise RecipeError(f"no metric is called '{name}'. {did_you_mean(name, METRICS)}")
    wanted = _published(choice.published)
    runs = read_runs(given)
    settings = _settings(runs, choice.settings)
    blocks = [block for setting in settings for block in blocks_of(runs, setting, wanted)]
    pairs = find_differences(runs, settings, choice.tested, choice.resampling, progress)
    return Comparison(tuple(blocks), pairs, tuple(choice.metrics), tuple(_remarks(runs, blocks, choice.published)))


def _published(names: Sequence[str]) -> list[Published] | None:
    """The rows asked for; None: each run's own method's."""
    return published_of(name for name in names if name != "none") if names else None


def _settings(runs: Sequence[Run], names: Sequence[str]) -> list[str]:
    known = list(dict.fromkeys(name for run in runs for name in run.settings))
    for name in names:
        if name not in known:
            raise RecipeError(f"none of the results has the setting '{name}'. {did_you_mean(name, known)}")
    return [name for name in known if name in names] if names else known


def _remarks(runs: Sequence[Run], blocks: Sequence[Block], asked: Sequence[str]) -> list[str]:
    """What must be said of the whole table."""
    entries = [entry for block in blocks for entry in block.entries]
    remarks = ["in percent"]
    if any(len(entry.figures.trials) > 1 for entry in entries):
        remarks.append("±: standard deviation over the trials, which are draws of the gallery, not repeated trainings")
    shown = [row for block in blocks for row in block.published]
    if shown:
        remarks.append("published: as printed, not measured here; draw, trials and training are their authors'")
    for name in asked:
        if name not in ("all", "none") and not any(row.is_of(name) for row in shown):
            remarks.append(f"nothing of {name} is published on these data and settings, as far as the table knows")
    for run in runs:
        if run.facts.dataset != run.dataset:
            remarks.append(f"{run.facts.dataset}: no published number compares with theirs")
    for entry in entries:
        reranked = entry.figures.reranked
        if reranked is not None:
            how = f"k1 {reranked.k1}, k2 {reranked.k2}, weight {reranked.weight:g}"
            remarks.append(f"{entry.run.name}, re-ranked: k-reciprocal, {how}")
    return list(dict.fromkeys(remarks))
