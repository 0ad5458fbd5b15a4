"""The comparison as CSV for programs: one row per run, setting and kind, in percent, nothing rounded.

kind      ours, ours re-ranked, chance, published, published re-ranked, difference over queries, difference over persons
figures   <figure>: the mean (a difference: its value); <figure>_sd over trials; <figure>_low, _high, _p of a difference
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from tapetum.report.comparison import METRICS, Comparison
from tapetum.report.comparison_blocks import Block, Entry
from tapetum.report.comparison_inputs import Figures
from tapetum.report.comparison_pairs import Pairs
from tapetum.report.published import Published

_FACTS = ("kind", "name", "dataset", "setting", "protocol", "draw", "hits", "distance")
_COUNTS = ("trials", "valid_queries", "queries", "gallery", "units")
_ORIGIN = ("year", "source", "evidence", "remark")
_PARTS = ("", "_sd", "_low", "_high", "_p")

_Row = dict[str, object]


def comparison_csv(comparison: Comparison) -> str:
    """The comparison as CSV; all metrics are written, whichever the other formats show."""
    columns = [*_FACTS, *_COUNTS, *(metric + part for metric in METRICS for part in _PARTS), *_ORIGIN]
    rows = [row for block in comparison.blocks for row in _block_rows(block)]
    rows.extend(_difference_rows(comparison.pairs))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    seen: list[_Row] = []  # a published row may stand beside two draws
    for row in rows:
        if row not in seen:
            writer.writerow(row)
            seen.append(row)
    return text.getvalue()


def _block_rows(block: Block) -> Iterator[_Row]:
    for entry in block.entries:
        facts, figures = _facts(entry, block.setting), entry.figures
        spread = figures.std if len(figures.trials) > 1 else None  # one trial has none
        yield {**facts, "kind": "ours", **_figures(figures.mean, spread)}
        if figures.reranked is not None:
            again = figures.reranked
            spread = again.std if spread is not None else None
            how = f"k1 {again.k1}, k2 {again.k2}, weight {again.weight}"
            yield {**facts, "kind": "ours re-ranked", **_figures(again.mean, spread), "remark": how}
        yield {**facts, "kind": "chance", **_figures(figures.chance, None)}
    yield from map(_published, block.published)


def _facts(entry: Entry, setting: str) -> _Row:
    facts, figures = entry.run.facts, entry.figures
    return {
        "name": entry.run.name,
        "dataset": entry.run.data,
        "setting": setting,
        "protocol": facts.protocol,
        "draw": facts.draw,
        "hits": facts.cmc,
        "distance": facts.distance,
        "trials": len(figures.trials),
        **{name: figures.span(name).replace(",", "") for name in ("valid_queries", "queries", "gallery")},
    }


def _figures(mean: Figures, spread: Figures | None) -> dict[str, float]:
    found = {name: mean.percent(name) for name in METRICS}
    return found if spread is None else {**found, **{f"{name}_sd": spread.percent(name) for name in METRICS}}


def _published(row: Published) -> _Row:
    return {
        "kind": "published re-ranked" if row.reranked else "published",
        "name": row.method,
        "dataset": row.dataset,
        "setting": row.setting,
        **row.figures,
        "year": row.year or "",
        "source": row.source,
        "evidence": row.evidence,
        "remark": row.remark,
    }


def _difference_rows(pairs: Pairs) -> list[_Row]:
    """One row per pair, setting and unit, its metrics side by side."""
    rows: dict[tuple[str, str, str], _Row] = {}
    how = f"{pairs.resampling.resamples} resamples, seed {pairs.resampling.seed}"
    for found in pairs.differences:
        name = f"{found.first} - {found.second}"
        for unit, interval in (("queries", found.queries), ("persons", found.persons)):
            if interval is not None:
                facts = {"kind": f"difference over {unit}", "name": name, "setting": found.setting, "remark": how}
                row = rows.setdefault((name, found.setting, unit), {**facts, "units": interval.units})
                parts: Mapping[str, float] = {"low": interval.low, "high": interval.high, "p": interval.p}
                row.update({found.metric: found.value} | {f"{found.metric}_{key}": parts[key] for key in parts})
    return list(rows.values())
