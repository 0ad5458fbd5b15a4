"""Ray-casting solids into a depth buffer, with parallel rays along z.

A frustum or an ellipsoid is a quadric: with q = (X, Y, Z) from its centre, q'Qq + 2 g'q + h = 0 is quadratic in Z, so
    Z = -b - sqrt(disc),   b linear and disc quadratic in (X, Y),
and the coefficients are found once per solid. All solids' pieces of picture rows are then laid end to end in flat
arrays: a person has some sixty solids of a few hundred pixels, and a NumPy call for each would cost more than its work.
Where disc < 0 the root is NaN, which no comparison lets through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray
from tapetum.data.synthetic.projection import Solids, cross, length
from tapetum.data.synthetic.shapes import Kind

FAR = np.float32(1e6)
_FLAT = 0.02
"""A frustum seen more nearly along its axis than its own slope is left to the solids at its ends."""


@dataclass(frozen=True)
class Frames:
    """Axes of every solid (P, 3), and for smooth shading the front and travel vectors and the slope at both ends.

    Neighbours in a tube share the averages at the ring between them. slope: radius change per length, (P,).
    axis_length in pixels. ratio: half-width over half-depth, (P,).
    """

    left: FloatArray
    front: FloatArray
    travel: FloatArray
    fronts: tuple[FloatArray, FloatArray]
    travels: tuple[FloatArray, FloatArray]
    slopes: tuple[FloatArray, FloatArray]
    slope: FloatArray
    axis_length: FloatArray
    ratio: FloatArray


@dataclass(frozen=True)
class Hits:
    """The depth buffer of the picture (H, W) in pixels, `FAR` where nothing is, and the row of the solid there."""

    depth: NDArray[np.float32]
    solid: NDArray[np.int16]


def solid_frames(solids: Solids) -> Frames:
    """Axes and smooth-shading vectors of a person's solids."""
    left, front, travel = solids.axes
    a0, b0, a1, b1 = solids.radii
    span = np.maximum(length(solids.end - solids.start), 1e-6)
    slope = np.where(solids.column("kind") == Kind.FRUSTUM, (a1 - a0) / span, 0.0)
    linked = solids.column("linked") > 0
    # The deeper of both ends decides, so that what a ring was made to hold stays inside.
    ratio = np.minimum(a0 / np.maximum(b0, 1e-9), a1 / np.maximum(b1, 1e-9))
    return Frames(
        left,
        front,
        travel,
        _shared(front, linked),
        _shared(travel, linked),
        _shared(slope, linked),
        slope,
        span,
        np.where(solids.column("kind") == Kind.FRUSTUM, ratio, 1.0),
    )


def _shared(values: FloatArray, linked: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """The values at both ends of each solid: the mean with the neighbour's where a tube goes on, its own elsewhere."""
    first, last = values.copy(), values.copy()
    later = np.flatnonzero(linked)
    middle = (values[later] + values[later - 1]) * 0.5
    first[later] = middle
    last[later - 1] = middle
    return first, last


@dataclass(frozen=True)
class _Quadric:
    """Coefficients of Z and disc of every solid, and of the clip value t; each (P,)."""

    b: tuple[FloatArray, FloatArray, FloatArray]
    disc: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
    clip: tuple[FloatArray, FloatArray, FloatArray]
    middle: FloatArray
    half: FloatArray
    usable: NDArray[np.bool_]


def _quadrics(solids: Solids, frames: Frames) -> _Quadric:
    frustum = solids.column("kind") == Kind.FRUSTUM
    a0, b0, a1, _ = solids.radii
    k = frames.slope
    one_l = np.where(frustum, 1.0, 1.0 / (a0 * a0))
    one_f = np.where(frustum, frames.ratio * frames.ratio, 1.0 / (b0 * b0))
    one_w = np.where(frustum, -k * k, 1.0 / (a1 * a1))

    def q(i: int, j: int) -> FloatArray:
        left, front, travel = frames.left, frames.front, frames.travel
        return one_l * left[:, i] * left[:, j] + one_f * front[:, i] * front[:, j] + one_w * travel[:, i] * travel[:, j]

    pull = np.where(frustum, -a0 * k, 0.0)
    gx, gy, gz = (pull * frames.travel[:, i] for i in range(3))
    h = np.where(frustum, -a0 * a0, -1.0)
    usable = q(2, 2) > np.where(frustum, _FLAT, 0.0)
    over = 1.0 / np.where(usable, q(2, 2), 1.0)
    bx, by, b0 = q(0, 2) * over, q(1, 2) * over, gz * over
    disc = (
        bx * bx - q(0, 0) * over,
        2.0 * (bx * by - q(0, 1) * over),
        by * by - q(1, 1) * over,
        2.0 * (bx * b0 - gx * over),
        2.0 * (by * b0 - gy * over),
        b0 * b0 - h * over,
    )
    clip, middle, half = _clips(solids, frames, frustum)
    return _Quadric((bx, by, b0), disc, clip, middle, half, usable)


def _clips(
    solids: Solids, frames: Frames, frustum: NDArray[np.bool_]
) -> tuple[tuple[FloatArray, FloatArray, FloatArray], FloatArray, FloatArray]:
    """|clip . q - middle| must be at most half: a frustum's share of its axis, an ellipsoid's cut."""
    a0, b0, a1, b1 = solids.radii
    weights = (
        np.where(frustum, 0.0, solids.column("clip_a") / a0),
        np.where(frustum, 0.0, solids.column("clip_b") / b0),
        np.where(frustum, 1.0 / frames.axis_length, solids.column("clip_w") / a1),
    )
    x, y, z = (
        weights[0] * frames.left[:, i] + weights[1] * frames.front[:, i] + weights[2] * frames.travel[:, i]
        for i in range(3)
    )
    # At a bend the frusta of a tube reach into each other, so that no wedge stays open on its outer side.
    # The same closes the step where a frustum, of one ratio of width to depth, misses its ring's depth.
    grow = []
    for end, a, b in ((0, a0, b0), (1, a1, b1)):
        bend = length(cross(frames.travels[end], frames.travel))
        step = np.abs(a / frames.ratio - b)
        more = (np.maximum(a, b) * bend + 0.8 * step + 0.6) / frames.axis_length
        grow.append(np.where(frustum, np.minimum(more, 0.6), 0.0))
    low, high = solids.column("low") - grow[0], solids.column("high") + grow[1]
    return (x, y, z), (low + high) / 2, (high - low) / 2


def cast(solids: Solids, frames: Frames, size: tuple[int, int]) -> Hits:
    """Draw all solids. size: height and width of the picture."""
    hits = Hits(np.full(size, FAR, np.float32), np.full(size, -1, np.int16))
    window = _windows(solids, size)
    spans = _scanlines(solids, _quadrics(solids, frames), window)
    _cast_spans(hits, spans)
    for row in np.flatnonzero(solids.column("kind") == Kind.BOX).tolist():
        _cast_box(hits, solids, row, window[row].tolist())
    return hits


def _windows(solids: Solids, size: tuple[int, int]) -> NDArray[np.int64]:
    """The pixels around every solid, (P, 4): first column, end of columns, first row, end of rows."""
    height, width = size
    left, top, right, bottom = solids.bounds
    window = np.stack((left, right + 2, top, bottom + 2), axis=1)
    return np.clip(np.floor(window), 0, np.array([width, width, height, height])).astype(np.int64)


@dataclass(frozen=True)
class _Spans:
    """Pieces of picture rows, S of them, on which a solid may be seen.

    solid, row, first, count: which solid, which row, first column and number of columns, each (S,). x: the solid's
    centre. With X = column - x: disc = (a X + b) X + c, Z = p - q X - sqrt(disc), t = tx X + tz Z + u, |t| <= half.
    """

    solid: NDArray[np.int64]
    row: NDArray[np.int64]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    terms: dict[str, NDArray[np.float32]]


def _scanlines(solids: Solids, quadric: _Quadric, window: NDArray[np.int64]) -> _Spans:
    heights = np.where(quadric.usable, np.maximum(window[:, 3] - window[:, 2], 0), 0)
    solid = np.repeat(np.arange(len(heights)), heights)
    before = np.cumsum(heights) - heights
    row = np.arange(len(solid)) - before[solid] + window[solid, 2]
    x, y, z = solids.start[solid, 0], row - solids.start[solid, 1], solids.start[solid, 2]
    bx, by, b0 = (term[solid] for term in quadric.b)
    xx, xy, yy, dx, dy, d0 = (term[solid] for term in quadric.disc)
    tx, ty, tz = (term[solid] for term in quadric.clip)
    b, c = xy * y + dx, (yy * y + dy) * y + d0
    first, last = _roots(xx, b, c)
    first = np.maximum(np.floor(np.maximum(first + x, -1.0)).astype(np.int64), window[solid, 0])
    last = np.minimum(np.floor(np.minimum(last + x, 1e6)).astype(np.int64) + 2, window[solid, 1])
    seen = np.flatnonzero(last > first)
    terms = {
        "x": x,
        "a": xx,
        "b": b,
        "c": c,
        "p": z - b0 - by * y,
        "q": bx,
        "tx": tx,
        "tz": tz,
        "u": ty * y - quadric.middle[solid] - tz * z,
        "half": quadric.half[solid],
    }
    chosen = {name: term[seen].astype(np.float32) for name, term in terms.items()}
    return _Spans(solid[seen], row[seen], first[seen], (last - first)[seen], chosen)


def _roots(a: FloatArray, b: FloatArray, c: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Between which X the disc (a X + b) X + c is positive; everywhere when it opens upward, nowhere: first > last."""
    closed = a < -1e-4
    over = np.where(closed, 0.5 / np.where(closed, a, -1.0), 0.0)
    inner = b * b - 4.0 * a * c
    reach = np.sqrt(np.maximum(inner, 0.0)) * -over
    first = np.where(closed, -b * over - reach, -1e5)
    last = np.where(closed, np.where(inner < 0, -1e5, -b * over + reach), 1e5)
    return first, last


def _cast_spans(hits: Hits, spans: _Spans) -> None:
    span = np.repeat(np.arange(len(spans.count)), spans.count)
    before = np.cumsum(spans.count) - spans.count
    column = np.arange(len(span)) + np.take(spans.first - before, span)
    term = {name: np.take(values, span) for name, values in spans.terms.items()}
    x = column.astype(np.float32) - term["x"]
    with np.errstate(invalid="ignore"):
        depth = term["p"] - term["q"] * x - np.sqrt((term["a"] * x + term["b"]) * x + term["c"])
        t = term["tx"] * x + term["tz"] * depth + term["u"]
        inside = np.flatnonzero(np.abs(t) <= term["half"])
    depth, span = depth[inside], span[inside]
    at = column[inside] + np.take(spans.row * hits.depth.shape[1], span)
    nearest = hits.depth.reshape(-1)
    np.minimum.at(nearest, at, depth)
    front = np.flatnonzero(depth == nearest[at])
    hits.solid.reshape(-1)[at[front]] = np.take(spans.solid, span[front])


def _cast_box(hits: Hits, solids: Solids, row: int, window: list[int]) -> None:
    """Slab method: a ray enters the box where the last of its three pairs of faces is entered."""
    x0, x1, y0, y1 = window
    x = np.arange(x0, x1, dtype=np.float32) - np.float32(solids.start[row, 0])
    y = np.arange(y0, y1, dtype=np.float32) - np.float32(solids.start[row, 1])
    enter = np.full((len(y), len(x)), -FAR, np.float32)
    leave = np.full((len(y), len(x)), FAR, np.float32)
    for axes, half in zip(solids.axes, solids.radii, strict=False):
        ax, ay, az = axes[row].tolist()
        az = az if abs(az) > 1e-4 else 1e-4
        offset = (y * (ay / az))[:, None] + x * (ax / az)
        reach = abs(float(half[row]) / az)
        np.maximum(enter, -reach - offset, out=enter)
        np.minimum(leave, reach - offset, out=leave)
    depth = enter + np.float32(solids.start[row, 2])
    part = np.s_[y0:y1, x0:x1]
    nearer = (enter < leave) & (depth < hits.depth[part])
    np.copyto(hits.depth[part], depth, where=nearer)
    np.copyto(hits.solid[part], row, where=nearer)
