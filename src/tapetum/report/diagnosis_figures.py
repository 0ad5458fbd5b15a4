"""Pictures of a diagnosis: persons, scores, what a score means, and maps of the embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tapetum.core import FloatArray, IntArray, Modality
from tapetum.evaluation.calibration import Bins
from tapetum.evaluation.diagnosis import PersonResult, ScoreHistogram
from tapetum.evaluation.ranking import BoolArray
from tapetum.report.figures import COLOURS, INK, axes, inline_svg, legend
from tapetum.report.strips import LIGHT

_RIGHT, _WRONG, _PROMISED = COLOURS[2], COLOURS[1], COLOURS[0]
_MARKERS = "osD^vPX"
_DRAWN_BINS = 50
_FEW = 10


def person_figure(persons: Sequence[PersonResult]) -> Markup:
    """The mAP of every person, the worst first, and their mean, dotted."""
    average = 100 * np.array([result.mAP for result in persons])
    figure, plot = axes("persons, the worst first", "mAP, %")
    plot.stairs(average, np.arange(len(average) + 1), color=COLOURS[0], fill=True, alpha=0.35, linewidth=0)
    plot.stairs(average, np.arange(len(average) + 1), color=COLOURS[0], linewidth=1.8, label="one person")
    plot.axhline(average.mean(), color=INK, alpha=0.6, linestyle=":", linewidth=1.4, label="mean over persons")
    plot.set_xlim(0, len(average))
    plot.set_ylim(0, 100)
    legend(figure, columns=2)
    low, middle, high = np.quantile(average, [0, 0.5, 1])
    words = f"mAP of {len(average)} persons: from {low:.1f} % to {high:.1f} %, half of them below {middle:.1f} %."
    return inline_svg(figure, "persons", words)


def score_figure(scores: ScoreHistogram) -> Markup:
    """The scores of right and of wrong pairs, each as shares of its own number."""
    used = np.flatnonzero(scores.right + scores.wrong)
    width = max(1, -(-(used[-1] + 1 - used[0]) // _DRAWN_BINS))
    starts = np.arange(used[0], used[-1] + 1, width)
    edges = np.append(scores.edges[starts], scores.edges[min(starts[-1] + width, len(scores.edges) - 1)])
    figure, plot = axes("score (cosine)", "share of the pairs, %")
    kinds = (("right pairs", scores.right, _RIGHT, "-"), ("wrong pairs", scores.wrong, _WRONG, "--"))
    for words, counts, colour, dash in kinds:
        share = 100 * np.add.reduceat(counts, starts) / max(1, counts.sum())
        plot.stairs(share, edges, color=colour, fill=True, alpha=0.2, linewidth=0)
        plot.stairs(share, edges, color=colour, linestyle=dash, linewidth=1.8, label=words)
    plot.set_ylim(bottom=0)
    legend(figure, columns=2)
    middle = scores.median_right()
    words = f"Scores of right and wrong pairs. Half of the right pairs reach {middle:.2f}, and so do"
    return inline_svg(figure, "scores", f"{words} {100 * scores.wrong_above(middle):.1f} % of the wrong pairs.")


def meaning_figure(bins: Bins) -> Markup:
    """How often the first answer is right at a score, beside what curves of other persons promise for it."""
    figure, plot = axes("score of the first answer", "right, %")
    plot.plot(bins.score, 100 * bins.promised, color=_PROMISED, linewidth=1.8, label="promised")
    _kept(plot, bins.score, bins)
    plot.set_ylim(0, 100)
    legend(figure, columns=2)
    pairs = zip(bins.score, bins.kept, strict=True)
    spoken = "; ".join(f"at {score:.2f}: {100 * kept:.0f} %" for score, kept in pairs)
    return inline_svg(figure, "meaning", f"How often the first answer is right, by its score. {spoken}")


def reliability_figure(bins: Bins) -> Markup:
    """Promised against kept; the dotted diagonal is where every promise is kept."""
    figure, plot = axes("promised: right, %", "kept: right, %")
    plot.plot([0, 100], [0, 100], color=INK, alpha=0.6, linestyle=":", linewidth=1.4, label="as promised")
    _kept(plot, 100 * bins.promised, bins)
    plot.set_xlim(0, 100)
    plot.set_ylim(0, 100)
    legend(figure, columns=2)
    pairs = zip(bins.promised, bins.kept, strict=True)
    spoken = "; ".join(f"promised {100 * promised:.0f} %, kept {100 * kept:.0f} %" for promised, kept in pairs)
    return inline_svg(figure, "reliability", f"Reliability of the promised probability. {spoken}")


def _kept(plot: Axes, place: FloatArray, bins: Bins) -> None:
    """A dot and the bar of its uncertainty for each bin; hollow where so few persons are behind it that a bar errs."""
    bars = 100 * np.stack([bins.kept - bins.low, bins.high - bins.kept]).clip(0)
    for few, face, words in ((False, _RIGHT, "kept"), (True, "none", f"kept, under {_FEW} persons")):
        here = (bins.persons < _FEW) == few
        if here.any():
            plot.errorbar(
                place[here],
                100 * bins.kept[here],
                bars[:, here],
                fmt="o",
                color=_RIGHT,
                markerfacecolor=face,
                markersize=5,
                elinewidth=1.4,
                label=words,
                clip_on=False,  # a dot at 0 or 100 % is drawn whole
            )


def person_map(places: FloatArray, person: IntArray, chosen: Sequence[int]) -> Markup:
    """The map with some persons coloured, each with a marker of its own, and all others in grey."""
    figure, plot = _map_axes()
    others = ~np.isin(person, chosen)
    _dots(plot, places[others], INK, "o", "others", 0.22)
    for number, colour, marker in zip(chosen, COLOURS, _MARKERS, strict=False):
        _dots(plot, places[person == number], colour, marker, str(number), 0.95)
    legend(figure, columns=4, fontsize=10)
    named = ", ".join(map(str, chosen))
    words = f"Map of {len(places)} crops; persons {named} coloured, {len(np.unique(person[others]))} others grey."
    return inline_svg(figure, "map-persons", words)


def modality_map(places: FloatArray, infrared: BoolArray) -> Markup:
    """The same map, coloured by modality."""
    figure, plot = _map_axes()
    _dots(plot, places[~infrared], COLOURS[0], "o", LIGHT[Modality.RGB], 0.6)
    _dots(plot, places[infrared], COLOURS[1], "^", LIGHT[Modality.IR], 0.6)
    legend(figure, columns=4, fontsize=10)
    words = f"Map of {len(places)} crops: {int((~infrared).sum())} visible, {int(infrared.sum())} infrared."
    return inline_svg(figure, "map-modalities", words)


def _map_axes() -> tuple[Figure, Axes]:
    """Axes without numbers: places on a map have none that mean anything."""
    figure, plot = axes("", "", size=(4.8, 4.4))
    plot.set(xticks=[], yticks=[], aspect="equal")
    plot.grid(visible=False)
    plot.spines[:].set_visible(False)
    return figure, plot


def _dots(plot: Axes, places: FloatArray, colour: str, marker: str, words: str, alpha: float) -> None:
    if len(places):
        plot.plot(*places.T, marker, color=colour, alpha=alpha, ms=4.5, mew=0, label=words)
