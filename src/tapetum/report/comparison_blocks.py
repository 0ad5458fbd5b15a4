"""Which rows may stand together: blocks of what was measured by one rule on one data, and what must be said of them.

Generated people are another dataset than the one whose layout they have. Published results join the block of their own
dataset and setting; where no run was tested on that dataset, they stand in a block that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tapetum.report.comparison_inputs import Run, Setting
from tapetum.report.published import Published, published_results
from tapetum.report.tables import WITHOUT_CHOICE, is_without_choice

_ASKED = {"ir-to-rgb": "infrared → RGB", "rgb-to-ir": "RGB → infrared", "declared": "declared queries"}
_HITS = {"identities": "hits among persons", "images": "hits among images"}


@dataclass(frozen=True)
class Entry:
    """One run's row."""

    run: Run
    figures: Setting


@dataclass(frozen=True)
class Block:
    """Rows that may be compared, as far as the remarks do not say otherwise.

    data: the dataset's title.   rule: how it was measured, in words; "" where only published results stand.
    """

    data: str
    rule: str
    setting: str
    entries: tuple[Entry, ...]
    published: tuple[Published, ...]
    remarks: tuple[str, ...] = ()


def blocks_of(runs: Sequence[Run], setting: str, wanted: Sequence[Published] | None) -> list[Block]:
    """The blocks of one setting, in the order of the runs; last what was published on data of which no run is."""
    here: dict[tuple[str, str], list[Entry]] = {}
    for run in runs:
        if setting in run.settings:
            entry = Entry(run, run.settings[setting])
            here.setdefault((run.data, _rule(entry)), []).append(entry)
    blocks = []
    for (data, rule), entries in here.items():
        rows = [row for row in _rows(entries, wanted) if (row.dataset, row.setting) == (_measured(entries[0]), setting)]
        remarks = _block_remarks(entries, rows)
        blocks.append(Block(data, rule, setting, tuple(entries), tuple(rows), tuple(remarks)))
    measured = {_measured(entries[0]) for entries in here.values()}
    for dataset in dict.fromkeys(entry.run.dataset for entries in here.values() for entry in entries):
        rows = [row for row in wanted or () if (row.dataset, row.setting) == (dataset, setting)]
        if rows and dataset not in measured:
            remark = f"different data: no run here was tested on {dataset}, so that none compares with these"
            blocks.append(Block(dataset, "", setting, (), tuple(rows), (remark,)))
    return blocks


def _rows(entries: Sequence[Entry], wanted: Sequence[Published] | None) -> list[Published]:
    if wanted is not None:
        return list(wanted)
    methods = [entry.run.method for entry in entries if entry.run.method is not None]
    return [row for row in published_results() if any(row.is_of(method) for method in methods)]


def _measured(entry: Entry) -> str:
    """The dataset that a published result must be of to stand beside this; generated people have none.

    Nobody publishes SYSU-MM01 with RGB queries; what says its direction by its setting is not meant here.
    """
    facts = entry.run.facts
    usual = facts.protocol == facts.dataset and facts.direction != "rgb-to-ir"
    return facts.dataset if usual else ""


def _rule(entry: Entry) -> str:
    """By what the row was measured: rows of another rule stand in another block."""
    facts, figures = entry.run.facts, entry.figures
    drawn = [] if facts.draw == "none" else [f"draw {facts.draw}"]
    asked = [_ASKED[facts.direction]] if facts.direction in _ASKED else []
    counts = f"{figures.span('valid_queries')} of {figures.span('queries')} queries, gallery {figures.span('gallery')}"
    hits = _HITS.get(facts.cmc, f"hits by {facts.cmc}")
    return ", ".join([f"protocol {facts.protocol}", *drawn, *asked, hits, counts])


def _block_remarks(entries: Sequence[Entry], rows: Sequence[Published]) -> list[str]:
    remarks = []
    figures = [entry.figures for entry in entries]
    counts = {len(found.trials) for found in figures}
    if len(counts) > 1:
        remarks.append("the numbers of trials differ: a single trial can lie points away from a mean over ten")
    if rows and any(len(found.trials) == 1 or not found.is_whole for found in figures):
        remarks.append("published: means over all trials; a single trial does not compare with them")
    if any(is_without_choice(len(found.trials), found.std.model_dump()) for found in figures):
        remarks.append(WITHOUT_CHOICE)
    roots = {root for entry in entries for root in entry.run.roots}
    if len(roots) > 1:
        remarks.append(f"embedded from {', '.join(sorted(roots))}: one data only if these hold the same pictures")
    for note in dict.fromkeys(note for entry in entries for note in entry.run.facts.notes):
        remarks.append(note)
    return remarks
