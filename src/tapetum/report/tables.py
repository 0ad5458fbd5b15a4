"""Results as tables: for the terminal and as Markdown, in percent, with all that a reader needs to compare them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

_FIGURES = ("r1", "r10", "r20", "mAP", "mINP")
_COUNTS = ("trials", "queries", "gallery")
_CMC = {
    "identities": "r1, r10, r20 count each person of the gallery once; mAP and mINP count every image",
    "images": "r1, r10, r20 count every image of the gallery, as mAP and mINP do",
}


def render_results(results: Mapping[str, Any]) -> Table:
    """The results of `evaluate` as a table for the terminal: one row per setting, and its chance level below it."""
    table = Table(title=Text(_title(results)), caption=Text("\n".join(_remarks(results))), box=box.SIMPLE_HEAD)
    table.caption_justify = "left"
    table.pad_edge, table.collapse_padding = False, True
    table.add_column("setting", no_wrap=True)
    for name in (*_FIGURES, *_COUNTS):
        table.add_column(name, justify="right", no_wrap=True, overflow="fold")  # never cut a number short
    for name, setting in settings_of(results).items():
        # Two lines a cell, so that 80 columns are enough.
        broken = [cell.replace(" ± ", "\n±").replace(" of", "\nof") for cell in (*_cells(setting), *_counts(setting))]
        table.add_row(name, *broken)
        table.add_row("  by chance", *_chance(setting), *("",) * len(_COUNTS), style="dim")
    return table


def results_markdown(results: Mapping[str, Any]) -> str:
    """The same table as Markdown, its title and remarks around it."""
    header = ["setting", *_FIGURES, *_COUNTS]
    rows = [header, ["---", *("---:" for _ in header[1:])]]
    for name, setting in settings_of(results).items():
        rows.append([name, *_cells(setting), *_counts(setting)])
        rows.append(["by chance", *_chance(setting), *("" for _ in _COUNTS)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    remarks = [f"- {remark}" for remark in _remarks(results)]
    return "\n".join([f"**{_title(results)}**", "", *lines, "", *remarks]) + "\n"


def settings_of(results: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The settings among the keys of results.json, in their order."""
    return {key: value for key, value in results.items() if isinstance(value, Mapping) and "trials" in value}


def _title(results: Mapping[str, Any]) -> str:
    drawn = "" if results["draw"] == "none" else f", draw {results['draw']}"
    return f"{results['dataset']}: protocol {results['protocol']}{drawn}, {results['distance']} distance, percent"


def _remarks(results: Mapping[str, Any]) -> list[str]:
    several = any(len(setting["trials"]) > 1 for setting in settings_of(results).values())
    spread = ["mean ± standard deviation over the trials"] if several else ["one trial: no spread is known"]
    valid = ["queries: those with a match in the gallery, of all (the others are left out); no re-ranking"]
    return [*spread, _CMC[results["cmc"]], *valid, *results.get("notes", ())]


def _cells(setting: Mapping[str, Any]) -> list[str]:
    mean, std = setting["mean"], setting["std"]
    if len(setting["trials"]) == 1:
        return [f"{100 * mean[name]:.2f}" for name in _FIGURES]
    return [f"{100 * mean[name]:.2f} ± {100 * std[name]:.2f}" for name in _FIGURES]


def _chance(setting: Mapping[str, Any]) -> list[str]:
    return [f"{100 * setting['chance'][name]:.2f}" for name in _FIGURES]


def _counts(setting: Mapping[str, Any]) -> list[str]:
    trials = setting["trials"]
    valid = _range([trial["valid_queries"] for trial in trials])
    return [
        str(len(trials)),
        f"{valid} of {_range([trial['queries'] for trial in trials])}",
        _range([trial["gallery"] for trial in trials]),
    ]


def _range(values: list[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"{min(values)} to {max(values)}"
