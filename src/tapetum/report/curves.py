"""Training curves from a run's log: losses, the validation scores that select, rates, watched numbers.

The log names a loss `<player>/<term>`, a score `val/<metric>`, a rate `learning_rate/<player>` and a number that
a method watches `watched/<name>`. It counts epochs from 0, and what is shown to a person counts them from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tapetum.core import FloatArray, IntArray
from tapetum.report.figures import COLOURS, DASHES, INK, axes, inline_svg, legend
from tapetum.training_log import read_log

_POINTS = 160  # a longer curve is drawn as the means of this many stretches
_RATE = "learning_rate/"
_WATCHED = "watched/"
_SCORES = {"val/mAP": "mAP", "val/r1": "rank 1"}


@dataclass(frozen=True)
class Curve:
    """One logged value over training. step (from 0), epoch (from 1), value: (N,), in the order of the log."""

    step: IntArray
    epoch: IntArray
    value: FloatArray


def read_curves(log: Path) -> dict[str, Curve]:
    """The curves of a `log.csv` by name, in the order of their first line; empty when there is no log."""
    rows: dict[str, list[tuple[int, int, float]]] = {}
    for step, epoch, name, value in read_log(log):
        rows.setdefault(name, []).append((step, epoch + 1, value))
    return {name: _curve(points) for name, points in rows.items()}


def selected_epoch(curves: Mapping[str, Curve]) -> int | None:
    """The epoch (from 1) whose weights are the run's model: the first with the highest validation mAP; None if none."""
    curve = curves.get("val/mAP")
    if curve is None or not np.isfinite(curve.value).any():
        return None
    return int(curve.epoch[np.nanargmax(curve.value)])


def loss_figure(curves: Mapping[str, Curve]) -> Markup | None:
    """All losses together, the total first; None when none was logged."""
    losses = _losses(curves)
    if not losses:
        return None
    figure, plot = axes("training step", "loss")
    names = sorted(losses, key=lambda name: (not name.endswith("total"), name))
    for index, name in enumerate(names):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        step, value = thinned(losses[name].step, losses[name].value, _POINTS)
        plot.plot(step, value, color=colour, linestyle=dash, linewidth=1.8, label=name)
    plot.set_ylim(bottom=min(0.0, plot.get_ylim()[0]))
    legend(figure, columns=3)
    return inline_svg(figure, "losses", f"Losses over training. {_ends({name: losses[name] for name in names})}")


def validation_figure(curves: Mapping[str, Curve]) -> Markup | None:
    """mAP and rank 1 on the validation persons, the selected epoch marked; None when nothing was validated."""
    scores = {words: curves[name] for name, words in _SCORES.items() if name in curves}
    if not scores:
        return None
    figure, plot = axes("epoch", "on validation persons, %")
    for index, (words, curve) in enumerate(scores.items()):
        (line,) = plot.plot(curve.epoch, 100 * curve.value, color=COLOURS[index], linewidth=1.8, label=words)
        line.set(linestyle=DASHES[index], marker="os"[index], markersize=4.5)
    plot.set_ylim(bottom=0)
    selected = selected_epoch(curves)
    if selected is not None:
        _mark(plot, selected)
    legend(figure, columns=2)
    spoken = "No epoch was selected." if selected is None else f"Selected epoch: {selected}."
    return inline_svg(figure, "validation", f"Validation scores over training. {spoken} {_ends(scores)}")


def rate_figure(curves: Mapping[str, Curve]) -> Markup | None:
    """The learning rate of every player; None when none was logged."""
    rates = _of_kind(curves, _RATE)
    if not rates:
        return None
    figure, plot = _drawn(rates, "learning rate")
    if len(rates) > 1:
        legend(figure, columns=2)
    plot.set_ylim(bottom=0)
    return inline_svg(figure, "learning-rate", f"Learning rate over training. {_ends(rates)}")


def watched_figure(curves: Mapping[str, Curve]) -> Markup | None:
    """The learned numbers that the method watches, such as Hi-CMD's share of shape; None when it watches none."""
    watched = _of_kind(curves, _WATCHED)
    if not watched:
        return None
    figure, _ = _drawn(watched, "learned number")
    legend(figure, columns=2)
    return inline_svg(figure, "watched", f"Learned numbers over training. {_ends(watched)}")


def _of_kind(curves: Mapping[str, Curve], kind: str) -> dict[str, Curve]:
    """The curves whose names begin so, by the rest of the name, in its order."""
    return {name.removeprefix(kind): curves[name] for name in sorted(curves) if name.startswith(kind)}


def _drawn(curves: Mapping[str, Curve], ylabel: str) -> tuple[Figure, Axes]:
    figure, plot = axes("training step", ylabel)
    for index, (name, curve) in enumerate(curves.items()):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        plot.plot(curve.step, curve.value, color=colour, linestyle=dash, linewidth=1.8, label=name)
    return figure, plot


def _losses(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """The losses by term; where several players have some, by player and term."""
    losses = {name: curve for name, curve in curves.items() if not name.startswith(("val/", _WATCHED, _RATE))}
    players = {name.partition("/")[0] for name in losses}
    return {name.partition("/")[2]: curve for name, curve in losses.items()} if len(players) == 1 else losses


def thinned(step: IntArray, value: FloatArray, points: int) -> tuple[FloatArray, FloatArray]:
    """A curve of at most `points` points: the means of as many stretches of nearly equal length, in order."""
    if len(step) <= points:
        return step.astype(np.float64), value
    parts = list(zip(np.array_split(step, points), np.array_split(value, points), strict=True))
    return np.array([s.mean() for s, _ in parts]), np.array([v.mean() for _, v in parts])


def _curve(points: list[tuple[int, int, float]]) -> Curve:
    step, epoch, value = zip(*points, strict=True)
    return Curve(np.array(step, dtype=np.int64), np.array(epoch, dtype=np.int64), np.array(value, dtype=np.float64))


def _mark(plot: Axes, epoch: int) -> None:
    plot.axvline(epoch, color="#8b949e", linestyle=":", linewidth=1.4)
    low, high = plot.get_xlim()
    before = epoch > (low + high) / 2  # the words stand on the side with more room
    plot.annotate(
        f"selected: epoch {epoch}",
        (epoch, 0.04),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if before else 5, 0),
        textcoords="offset points",
        ha="right" if before else "left",
        color=INK,
        fontsize=11,
    )


def _ends(curves: Mapping[str, Curve]) -> str:
    return "; ".join(f"{name}: from {curve.value[0]:.3g} to {curve.value[-1]:.3g}" for name, curve in curves.items())
