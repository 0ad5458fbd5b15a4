"""Pictures for the page: one style for every curve, drawn so that it reads on light and on dark paper.

A figure becomes SVG text inside the page: words and axes take the page's own ink (`currentColor`), lines take colours
of middle lightness. matplotlib's object-oriented interface only: nothing here touches pyplot's global state.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

Dash = str | tuple[int, tuple[int, ...]]

COLOURS = ("#2f81f7", "#d9730d", "#2da44e", "#a371f7", "#d6409f", "#8a8d00", "#0f9fb5")  # at least 3:1 on both papers
DASHES: tuple[Dash, ...] = ("-", "--", "-.", (0, (4, 1, 1, 1, 1, 1)))  # dotted is kept for chance and for marks
INK = "#010101"  # stands for the page's ink until the SVG is written
_RANKS = (1, 5, 10, 20)


def axes(xlabel: str, ylabel: str, size: tuple[float, float] = (4.8, 3.3)) -> tuple[Figure, Axes]:
    """A figure of the page's style with one pair of axes; size in inches, such that a phone shows it hardly scaled."""
    figure = Figure(figsize=size, layout="constrained")
    figure.patch.set_alpha(0)
    plot = figure.add_subplot()
    plot.patch.set_alpha(0)
    plot.spines[["top", "right"]].set_visible(False)
    plot.spines[["left", "bottom"]].set_color(INK)
    plot.tick_params(colors=INK, labelsize=11)
    plot.set_xlabel(xlabel, color=INK, fontsize=12)
    plot.set_ylabel(ylabel, color=INK, fontsize=12)
    plot.grid(axis="y", color=INK, alpha=0.15, linewidth=0.8)
    plot.set_axisbelow(True)
    return figure, plot


def legend(figure: Figure, columns: int, fontsize: float = 11) -> None:
    """Name a figure's lines above its axes, where they hide no curve."""
    figure.legend(
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        fontsize=fontsize,
        labelcolor=INK,
        handlelength=1.8,
        borderpad=0,
        borderaxespad=0.2,
        columnspacing=1.4,
    )


def inline_svg(figure: Figure, name: str, label: str) -> Markup:
    """A figure as an SVG element for an HTML page.

    name: letters and hyphens, different for every figure of a page (it keeps their inner names apart).
    label: what a reader who cannot see the picture is told.
    The same figure gives the same text: no date, no random name.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "svg.id": None}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\b(id="|xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", text)
    head = f'<svg role="img" aria-label="{html.escape(label)}"'
    return Markup(text.replace("<svg", head, 1))  # noqa: S704  (matplotlib escapes its text; the label is escaped here)


def picture_uri(picture: Image.Image, height: int = 192, quality: int = 82) -> str:
    """A picture as a JPEG inside a `data:` address, scaled down to a height in pixels (never up)."""
    scale = min(1.0, height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(buffer, format="JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def cmc_figure(
    settings: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str], name: str = "cmc"
) -> Markup | None:
    """The cumulative match curves of all settings to rank 20, their spread over trials, and chance, dotted.

    settings: setting -> {"mean": {"cmc": ...}, "trials": [{"cmc": ...}], "chance": {...}}, fractions in [0, 1].
    titles: setting -> its words. Returns None when no setting has a curve.
    """
    drawn = {key: value for key, value in settings.items() if value.get("mean", {}).get("cmc")}
    if not drawn:
        return None
    figure, plot = axes("rank", "right person found, %", size=(5.4, 4.0))
    for index, (key, setting) in enumerate(drawn.items()):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        _draw_cmc(plot, setting, colour, dash, titles[key])
    plot.plot([], [], color=INK, alpha=0.6, linestyle=":", linewidth=1.2, label="chance, same colour")
    plot.set_xlim(1, 20)
    plot.set_xticks(_RANKS)
    plot.set_ylim(0, 100)
    legend(figure, columns=2, fontsize=10)
    words = "; ".join(f"{titles[key]}: {_spoken(value['mean']['cmc'])}" for key, value in drawn.items())
    return inline_svg(figure, name, f"Cumulative match curves. {words}")


def _draw_cmc(plot: Axes, setting: Mapping[str, Any], colour: str, dash: Dash, title: str) -> None:
    mean = 100 * np.asarray(setting["mean"]["cmc"][:20], dtype=np.float64)
    ranks = np.arange(1, len(mean) + 1)
    plot.plot(ranks, mean, color=colour, linestyle=dash, linewidth=2, label=title)
    curves = [trial["cmc"][:20] for trial in setting.get("trials", ()) if len(trial.get("cmc", ())) >= len(mean)]
    if len(curves) > 1:
        spread = 100 * np.std(np.asarray(curves, dtype=np.float64), axis=0)
        plot.fill_between(ranks, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
    chance = setting.get("chance", {})
    known = [rank for rank in _RANKS if f"r{rank}" in chance]
    plot.plot(known, [100 * chance[f"r{rank}"] for rank in known], color=colour, linestyle=":", linewidth=1.2)


def _spoken(cmc: Sequence[float]) -> str:
    return ", ".join(f"{100 * cmc[rank - 1]:.1f} % within rank {rank}" for rank in _RANKS if rank <= len(cmc))
