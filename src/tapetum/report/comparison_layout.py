"""The comparison as the words of one table: groups of columns, sections of rows. Every format for people writes this.

Ours, re-ranked, published: a figure stands in its own group of columns and in no other. Groups and published columns
without a figure are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tapetum.report.comparison import Comparison
from tapetum.report.comparison_blocks import Block, Entry
from tapetum.report.comparison_inputs import Figures
from tapetum.report.comparison_pairs import Difference, Interval
from tapetum.report.published import EVIDENCE, Published

Cell = tuple[str, str]
"""A figure in percent and its spread; each may be ""."""

TEST_COLUMNS = ("setting", "figure", "difference", "over queries", "p", "over persons", "p")

_OURS, _RERANKED, _PUBLISHED, _PUBLISHED_RERANKED = "ours", "ours, re-ranked", "published", "published, re-ranked"


@dataclass(frozen=True)
class Group:
    """Neighbouring columns under one title."""

    title: str
    figures: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A row. cells: group title -> figure -> cell.

    details: trials and distance of ours, year and evidence of a published one.   source: who prints it, and remarks.
    """

    kind: Literal["run", "chance", "published"]
    name: str
    details: str
    source: str
    cells: Mapping[str, Mapping[str, Cell]]

    def cell(self, group: str, figure: str) -> Cell:
        """What stands in one column."""
        return self.cells.get(group, {}).get(figure, ("", ""))


@dataclass(frozen=True)
class Section:
    """A block of rows with its title and what must be said of it. groups: the columns that this block fills."""

    title: str
    rule: str
    groups: tuple[Group, ...]
    lines: tuple[Line, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class PairTable:
    """The paired test of two runs: rows of TEST_COLUMNS, and the first mAP (or first row) as a sentence."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    sentence: str


@dataclass(frozen=True)
class Sheet:
    """The whole table. pair_remarks: what the tests say and do not say, and which pairs could not be tested."""

    groups: tuple[Group, ...]
    sections: tuple[Section, ...]
    remarks: tuple[str, ...]
    pairs: tuple[PairTable, ...]
    pair_remarks: tuple[str, ...]


def sheet_of(comparison: Comparison) -> Sheet:
    """The words of a comparison."""
    sections = [_section(block, comparison.metrics) for block in comparison.blocks]
    groups = _groups([line for section in sections for line in section.lines], comparison.metrics)
    pairs = tuple(_pair_table(name, found, comparison) for name, found in _by_pair(comparison).items())
    remarks = (*comparison.remarks, *_evidence(comparison.blocks))
    return Sheet(groups, tuple(sections), remarks, pairs, tuple(_pair_remarks(comparison)))


def _groups(lines: Sequence[Line], metrics: Sequence[str]) -> tuple[Group, ...]:
    """The groups that these lines fill; of the published figures those alone that somebody gives."""
    found = []
    for title in (_OURS, _RERANKED, _PUBLISHED, _PUBLISHED_RERANKED):
        used = [name for name in metrics if any(line.cell(title, name)[0] for line in lines)]
        if used:
            found.append(Group(title, tuple(used)))
    return tuple(found)


def _section(block: Block, metrics: Sequence[str]) -> Section:
    distances = list(dict.fromkeys(entry.run.facts.distance for entry in block.entries))
    lines = (
        *(_run_line(entry, metrics, told=len(distances) == 1) for entry in block.entries),
        *_chance_lines(block.entries, metrics),
        *(_published_line(row, metrics) for row in block.published),
    )
    title = f"{block.data}, {block.setting}" if block.rule else f"published on {block.data}, {block.setting}"
    rule = f"{block.rule}, {distances[0]} distance" if len(distances) == 1 else block.rule
    return Section(title, rule, _groups(lines, metrics), lines, block.remarks)


def _run_line(entry: Entry, metrics: Sequence[str], *, told: bool) -> Line:
    """told: the block's rule says the distance already."""
    figures, number = entry.figures, len(entry.figures.trials)
    spread = None if number == 1 else figures.std
    cells = {_OURS: _cells(figures.mean, spread, metrics)}
    if figures.reranked is not None:
        again = figures.reranked
        cells[_RERANKED] = _cells(again.mean, None if number == 1 else again.std, metrics)
    trials = "one trial" if number == 1 else f"{number} trials"
    if not figures.is_whole:
        trials = f"{number} of {figures.trials_in_all} trials"
    return Line("run", entry.run.name, trials if told else f"{trials}, {entry.run.facts.distance}", "", cells)


def _cells(mean: Figures, spread: Figures | None, metrics: Sequence[str]) -> dict[str, Cell]:
    return {
        name: (f"{mean.percent(name):.2f}", "" if spread is None else f"{spread.percent(name):.2f}") for name in metrics
    }


def _chance_lines(entries: Sequence[Entry], metrics: Sequence[str]) -> list[Line]:
    """One line where all runs have one chance level (they do on the same galleries), else one for each run."""
    levels = [_cells(entry.figures.chance, None, metrics) for entry in entries]
    if all(level == levels[0] for level in levels[1:]):
        return [Line("chance", "by chance", "", "", {_OURS: level}) for level in levels[:1]]
    return [
        Line("chance", f"by chance: {entry.run.name}", "", "", {_OURS: level})
        for entry, level in zip(entries, levels, strict=True)
    ]


def _published_line(row: Published, metrics: Sequence[str]) -> Line:
    cells = {name: (value, "") for name, value in row.figures.items() if name in metrics}
    details = ", ".join([*([str(row.year)] if row.year else []), row.evidence])
    source = row.source + (f"; {row.remark}" if row.remark else "")
    group = _PUBLISHED_RERANKED if row.reranked else _PUBLISHED
    return Line("published", row.method, details, source, {group: cells})


def _evidence(blocks: Sequence[Block]) -> list[str]:
    used = {row.evidence for block in blocks for row in block.published}
    told = [f"{name}: {words}" for name, words in EVIDENCE.items() if name in used]
    return ["; ".join(told)] if told else []


def _by_pair(comparison: Comparison) -> dict[str, list[Difference]]:
    found: dict[str, list[Difference]] = {}
    for difference in comparison.pairs.differences:
        found.setdefault(f"{difference.first} − {difference.second}", []).append(difference)
    return found


def _pair_table(name: str, differences: Sequence[Difference], comparison: Comparison) -> PairTable:
    spoken = next((found for found in differences if found.metric == "mAP"), differences[0])
    resampling = comparison.pairs.resampling
    over = [f"{_span(spoken.queries)} over {spoken.queries.units:,} queries"]
    if spoken.persons is not None:
        over.append(f"{_span(spoken.persons)} over {spoken.persons.units:,} persons")
    sentence = (
        f"{name} = {_points(spoken.value)} {spoken.metric} in {spoken.setting}, 95 % interval {', '.join(over)}"
        f" ({resampling.resamples:,} resamples, seed {resampling.seed})"
    )
    return PairTable(name, tuple(_test_row(difference) for difference in differences), sentence)


def _test_row(found: Difference) -> tuple[str, ...]:
    cells = [found.setting, found.metric, _points(found.value)]
    for interval in (found.queries, found.persons):
        cells.extend(("–", "–") if interval is None else (_span(interval), _probability(interval.p)))
    return tuple(cells)


def _points(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # never "-0.00"


def _span(interval: Interval) -> str:
    return f"{_points(interval.low)} … {_points(interval.high)}"


def _probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _pair_remarks(comparison: Comparison) -> list[str]:
    pairs = comparison.pairs
    if not pairs.differences:
        return list(pairs.refused)
    drawn = f"{pairs.resampling.resamples:,} resamples, seed {pairs.resampling.seed}"
    return [
        f"percentage points, 95 % intervals of a paired bootstrap, p of sign flips: {drawn}",
        "over queries: for these very persons; over persons (pictures of one are alike): for others of their kind",
        "neither knows how far another training of the same method would have come out",
        *([f"{count} comparisons: small p come up by chance"] if (count := len(pairs.differences)) > 1 else []),
        *pairs.refused,
    ]
