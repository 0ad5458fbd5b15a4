"""The figure of modality-specific nodes: one panel per network, one bar per stage, stacked shares of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tapetum.evaluation.modality_nodes import NodeCounts
from tapetum.outputs import atomic_file
from tapetum.report.figures import COLOURS, INK

_KINDS = {  # kind -> its words, its colour and its hatching, from the bottom of a bar to its top
    "rgb": ("RGB-specific", COLOURS[0], ""),
    "shared": ("shared", "#d0d7de", ""),
    "ir": ("infrared-specific", COLOURS[1], "////"),
    "silent": ("silent", "#ffffff", "...."),
}
_LEAST_LABEL = 0.06  # a thinner slice has no room for its number


def draw_nodes(networks: Mapping[str, Mapping[str, NodeCounts]]) -> Figure:
    """networks: title -> stage -> its counts. Raises ValueError for none."""
    if not networks:
        raise ValueError("no network to draw")
    figure = Figure(figsize=(0.8 + 3.4 * len(networks), 3.9), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(networks), sharey=True, squeeze=False)[0]
    for panel, (title, stages) in zip(panels, networks.items(), strict=True):
        _draw_panel(panel, title, stages)
    panels[0].set_ylabel("share of the stage's nodes, %", color=INK, fontsize=11)
    present = [kind for kind in _KINDS if any(getattr(c, kind) for s in networks.values() for c in s.values())]
    handles, labels = panels[0].get_legend_handles_labels()
    shown = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label in _words(present)]
    figure.legend(*zip(*shown, strict=True), loc="outside lower center", ncols=4, frameon=False, fontsize=10)
    return figure


def write_nodes(path: Path, networks: Mapping[str, Mapping[str, NodeCounts]]) -> None:
    """Draw the figure into a PNG at `path`, atomically. Raises OutputError where it cannot be written."""
    figure = draw_nodes(networks)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _draw_panel(panel: Axes, title: str, stages: Mapping[str, NodeCounts]) -> None:
    ground = [0.0] * len(stages)
    for kind, (words, colour, hatch) in _KINDS.items():
        shares = [100 * getattr(counts, kind) / counts.total for counts in stages.values()]
        bars = panel.bar(
            range(len(stages)), shares, bottom=ground, color=colour, hatch=hatch, edgecolor="white", label=words
        )
        if kind == "silent":
            for bar in bars:
                bar.set_edgecolor("#8b949e")
        for place, share in enumerate(shares):
            if share >= 100 * _LEAST_LABEL:
                _write_number(panel, place, ground[place] + share / 2, share)
        ground = [below + share for below, share in zip(ground, shares, strict=True)]
    panel.set_xticks(range(len(stages)), [f"{name}\n{counts.total}" for name, counts in stages.items()])
    panel.set_title(title, color=INK, fontsize=11)
    panel.set_ylim(0, 100)
    panel.tick_params(colors=INK, labelsize=10)
    panel.spines[["top", "right"]].set_visible(False)


def _write_number(panel: Axes, x: float, y: float, share: float) -> None:
    ground = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    panel.text(x, y, f"{share:.0f}", ha="center", va="center", fontsize=10, color=INK, bbox=ground)


def _words(kinds: list[str]) -> set[str]:
    return {_KINDS[kind][0] for kind in kinds}
