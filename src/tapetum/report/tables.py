"""Results as tables: for the terminal and as Markdown, in percent, with all that a reader needs to compare them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

_FIGURES = ("r1", "r10", "r20", "mAP", "mINP")
RERANKED = ("r1", "mAP", "mINP")
_COUNTS = ("trials", "queries", "gallery")
_NAME_WIDTH = {False: 14, True: 13}  # columns for a setting's name, without and with re-ranking, out of 80
WITHOUT_CHOICE = "every trial draws the same images, so that ± 0.00 says nothing"
_ROUNDING = 1e-12  # of a mean of equal numbers
_DIRECTIONS = {"ir-to-rgb": ", infrared → RGB", "rgb-to-ir": ", RGB → infrared"}
_CMC = {
    "identities": "r1, r10, r20 count each person of the gallery once; mAP and mINP count every image",
    "images": "r1, r10, r20 count every image of the gallery, as mAP and mINP do",
}
_MIXED = (
    "A_to_any_B: queries of A, RGB and infrared images answer, right answers of B count (of the other modality they are"
    " taken out)",
    "A_to_B: queries of A, images of B alone answer",
)


def render_results(results: Mapping[str, Any]) -> Table:
    """The results of `evaluate` as a table for the terminal: one row per setting, and its chance level below it.

    80 columns are enough. Re-ranked figures stand in columns of their own, and the counts below the table then.
    """
    settings, reranked = settings_of(results), has_reranked(results)
    remarks = [*(_counted(settings) if reranked else []), *_remarks(results)]
    table = Table(title=Text(_title(results)), caption=Text("\n".join(remarks)), box=box.SIMPLE_HEAD)
    table.caption_justify = "left"
    table.pad_edge, table.collapse_padding = False, True
    table.add_column("setting", no_wrap=True)
    marked = ["│\n│\n│", *(f"re-\nranked\n{name}" for name in RERANKED)]
    for name in (*_FIGURES, *(marked if reranked else _COUNTS)):
        table.add_column(name, justify="right", no_wrap=True, overflow="fold")  # never cut a number short
    for name, setting in settings.items():
        more = ["│\n│", *_cells(setting["reranked"], setting, RERANKED)] if reranked else _counts(setting)
        # Two lines a cell, so that 80 columns are enough.
        broken = [cell.replace(" ± ", "\n±").replace(" of", "\nof") for cell in (*_cells(setting, setting), *more)]
        table.add_row(_broken_name(name, _NAME_WIDTH[reranked]), *broken)
        blank = ["│", *("",) * len(RERANKED)] if reranked else [""] * len(_COUNTS)
        table.add_row("  by chance", *_chance(setting), *blank, style="dim")
    return table


def results_markdown(results: Mapping[str, Any]) -> str:
    """The same table as Markdown, its title and remarks around it."""
    reranked = has_reranked(results)
    marked = [f"re-ranked {name}" for name in RERANKED] if reranked else []
    header = ["setting", *_FIGURES, *_COUNTS, *marked]
    rows = [header, ["---", *("---:" for _ in header[1:])]]
    for name, setting in settings_of(results).items():
        more = _cells(setting["reranked"], setting, RERANKED) if reranked else []
        rows.append([name, *_cells(setting, setting), *_counts(setting), *more])
        rows.append(["by chance", *_chance(setting), *("" for _ in (*_COUNTS, *marked))])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    remarks = [f"- {remark}" for remark in _remarks(results)]
    return "\n".join([f"**{_title(results)}**", "", *lines, "", *remarks]) + "\n"


def settings_of(results: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The settings among the keys of results.json, in their order."""
    return {key: value for key, value in results.items() if isinstance(value, Mapping) and "trials" in value}


def has_reranked(results: Mapping[str, Any]) -> bool:
    """Whether there are settings, and every one was scored with re-ranking as well."""
    settings = settings_of(results).values()
    return bool(settings) and all("reranked" in setting for setting in settings)


def notes_of(results: Mapping[str, Any]) -> list[str]:
    """What a reader of the results must know beside the figures: their notes, and a spread that says nothing."""
    settings = settings_of(results).items()
    alike = [name for name, found in settings if is_without_choice(len(found["trials"]), found.get("std", {}))]
    told = [f"{', '.join(alike)}: {WITHOUT_CHOICE}"] if alike else []
    return [*told, *results.get("notes", ())]


def is_without_choice(trials: int, std: Mapping[str, Any]) -> bool:
    """Whether several trials came out alike, since all draw the same images: nobody has more than are drawn."""
    spread = [value for name, value in std.items() if name != "cmc"]
    return trials > 1 and bool(spread) and max(spread) < _ROUNDING


def _title(results: Mapping[str, Any]) -> str:
    drawn = "" if results["draw"] == "none" else f", draw {results['draw']}"
    asked = _DIRECTIONS.get(results.get("direction", ""), "")
    return (
        f"{results['dataset']}: protocol {results['protocol']}{drawn}{asked}, {results['distance']} distance, percent"
    )


def _remarks(results: Mapping[str, Any]) -> list[str]:
    settings = settings_of(results)
    several = any(len(setting["trials"]) > 1 for setting in settings.values())
    spread = ["mean ± standard deviation over the trials"] if several else ["one trial: no spread is known"]
    plain = "queries: those with a match in the gallery, of all (the others are left out)"
    remarks = [*spread, _CMC[results["cmc"]], *(_MIXED if results["protocol"] == "mixed" else ())]
    if not has_reranked(results):
        return [*remarks, f"{plain}; no re-ranking", *notes_of(results)]
    how = next(iter(settings.values()))["reranked"]
    named = f"k1 {how['k1']}, k2 {how['k2']}, weight {how['weight']}"
    marked = f"re-ranked ({named}): uses the other queries too, so it is no rival of the figures left of it"
    return [*remarks, plain, marked, *notes_of(results)]


def _cells(figures: Mapping[str, Any], setting: Mapping[str, Any], names: tuple[str, ...] = _FIGURES) -> list[str]:
    mean, std = figures["mean"], figures["std"]
    if len(setting["trials"]) == 1:
        return [f"{100 * mean[name]:.2f}" for name in names]
    return [f"{100 * mean[name]:.2f} ± {100 * std[name]:.2f}" for name in names]


def _chance(setting: Mapping[str, Any]) -> list[str]:
    return [f"{100 * setting['chance'][name]:.2f}" for name in _FIGURES]


def _counts(setting: Mapping[str, Any]) -> list[str]:
    trials = setting["trials"]
    valid = _range([trial["valid_queries"] for trial in trials])
    in_all = setting.get("trials_in_all", len(trials))
    return [
        str(len(trials)) if in_all == len(trials) else f"{len(trials)} of {in_all}",
        f"{valid} of {_range([trial['queries'] for trial in trials])}",
        _range([trial["gallery"] for trial in trials]),
    ]


def _counted(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The counts as lines, where the table has no room for them."""
    lines = []
    for name, setting in settings.items():
        trials, queries, gallery = _counts(setting)
        lines.append(f"{name}: trials {trials}, queries {queries}, gallery {gallery}")
    return lines


def _broken_name(name: str, width: int) -> str:
    """A name that is too long in two lines, the first ending with an underscore."""
    if len(name) <= width:
        return name
    at = name.rfind("_", 0, width) + 1
    return f"{name[:at]}\n{name[at:]}" if at else name


def _range(values: list[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"{min(values)} to {max(values)}"
