"""From the person's frame to pixels: heading, the camera's tilt, perspective, and where the person lies in the crop.

Perspective is applied to every end of every solid (its place and its size), and the rays are parallel: close to the
true picture for a person some body heights away, and each solid stays a quadric.

Pixel frame: x right, y down, z away from the camera, all in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapetum.core import FloatArray
from tapetum.data.synthetic.random_keys import cosine, sine
from tapetum.data.synthetic.shapes import COLUMNS, Kind, Part
from tapetum.data.synthetic.views import View


@dataclass(frozen=True)
class Solids:
    """A person's solids in pixels, P rows.

    start, end: (P, 3) ends of the axes. axes: left, front and travel (w) unit vectors, each (P, 3), at right angles,
    front = w x left. scale: (P,) pixels per body height. a0, b0, a1, b1: (P,) half-widths. bounds: the rectangle around
    each, left, top, right, bottom, each (P,). table: the rows in the person's frame, for everything else.
    """

    start: FloatArray
    end: FloatArray
    axes: tuple[FloatArray, FloatArray, FloatArray]
    scale: FloatArray
    radii: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
    bounds: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
    table: FloatArray

    def column(self, name: str) -> FloatArray:
        """One column of the person's table by its name in `COLUMNS`."""
        return self.table[:, COLUMNS[name]]

    def placed(self, factor: float, x: float, y: float) -> Solids:
        """The same solids `factor` times as large, then moved."""
        shift = np.array([x, y, 0.0])
        left, top, right, bottom = (bound * factor for bound in self.bounds)
        a0, b0, a1, b1 = (radius * factor for radius in self.radii)
        return Solids(
            self.start * factor + shift,
            self.end * factor + shift,
            self.axes,
            self.scale * factor,
            (a0, b0, a1, b1),
            (left + x, top + y, right + x, bottom + y),
            self.table,
        )


class Projection:
    """The mapping of one view; `fit` sets scale and place so that the person fills the crop as the framing says."""

    def __init__(self, view: View, yaw: float) -> None:
        self._turn = cosine(yaw), sine(yaw)
        self._tilt = cosine(view.pitch), sine(view.pitch)
        self._distance = view.camera.distance
        self.scale, self.x, self.y = 1.0, 0.0, 0.0

    def rotated(self, vectors: FloatArray) -> FloatArray:
        """Directions or points (N, 3) of the person's frame, seen from the camera: right, down, away."""
        cos_yaw, sin_yaw = self._turn
        cos_tilt, sin_tilt = self._tilt
        x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
        right = x * cos_yaw + z * sin_yaw
        near = z * cos_yaw - x * sin_yaw
        up = y * cos_tilt - near * sin_tilt
        return np.stack((right, -up, -(y * sin_tilt + near * cos_tilt)), axis=1)

    def points(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Points (N, 3) in pixels, and how many pixels a body height measures there (N,)."""
        seen = self.rotated(points - np.array([0.0, 0.5, 0.0]))
        size = self._distance / (self._distance + seen[:, 2]) * self.scale
        placed = seen * size[:, None]
        placed[:, 0] += self.x
        placed[:, 1] += self.y
        return placed, size

    def fit(self, table: FloatArray, view: View, shift: float = 0.0) -> Solids:
        """Choose scale and place from the person's extent, and give its solids there. shift: sideways, in widths."""
        framing = view.framing
        unplaced = self._solids(table)
        _, top, _, bottom = unplaced.bounds
        person = unplaced.column("part") != Part.BAG  # a bag does not move the crop's upper border
        highest = float(top[person].min())
        self.scale = framing.height * (1.0 - framing.top - framing.bottom) / (float(bottom.max()) - highest)
        self.x = framing.width * (0.5 + framing.shift + shift)
        self.y = framing.height * framing.top - highest * self.scale
        return unplaced.placed(self.scale, self.x, self.y)

    def _solids(self, table: FloatArray) -> Solids:
        """All solids of a person's table, before scale and place."""
        count = len(table)
        ends, sizes = self.points(np.concatenate((table[:, 0:3], table[:, 3:6])))
        start, end, size0, size1 = ends[:count], ends[count:], sizes[:count], sizes[count:]
        turned = self.rotated(np.concatenate((table[:, 6:9], table[:, 3:6] - table[:, 0:3])))
        whole = table[:, COLUMNS["kind"]] != Kind.FRUSTUM
        # The second point of an ellipsoid or a box is a direction: perspective must not bend it.
        end[whole] = start[whole] + turned[count:][whole]
        size1[whole] = size0[whole]
        first = COLUMNS["a0"]
        radii = (
            table[:, first] * size0,
            table[:, first + 1] * size0,
            table[:, first + 2] * size1,
            table[:, first + 3] * size1,
        )
        axes = _local_axes(end - start, turned[:count])
        bounds = _extents((start, end), axes, radii, table[:, COLUMNS["kind"]])
        return Solids(start, end, axes, size0, radii, bounds, table)


def _extents(
    ends: tuple[FloatArray, FloatArray],
    axes: tuple[FloatArray, FloatArray, FloatArray],
    radii: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    kind: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The rectangle around every solid: left, top, right, bottom."""
    frustum, box = (kind == Kind.FRUSTUM)[:, None], (kind == Kind.BOX)[:, None]
    left, front, travel = (axis[:, :2] for axis in axes)
    a0, b0, a1, b1 = (radius[:, None] for radius in radii)
    flat0, flat1 = a0 * left, b0 * front
    third = np.where(frustum, 0.0, a1) * travel
    reach0 = np.sqrt(flat0 * flat0 + flat1 * flat1 + third * third)
    reach0 = np.where(box, np.abs(flat0) + np.abs(flat1) + np.abs(third), reach0)
    flat2, flat3 = a1 * left, b1 * front
    reach1 = np.where(frustum, np.sqrt(flat2 * flat2 + flat3 * flat3), reach0)
    first, last = ends[0][:, :2], np.where(frustum, ends[1][:, :2], ends[0][:, :2])
    low = np.minimum(first - reach0, last - reach1)
    high = np.maximum(first + reach0, last + reach1)
    return low[:, 0], low[:, 1], high[:, 0], high[:, 1]


def _local_axes(travel: FloatArray, towards_left: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Left, front and travel unit vectors from the axis and a vector that is roughly to the left of it."""
    w = travel / np.maximum(length(travel), 1e-9)[:, None]
    left = towards_left - dot(towards_left, w)[:, None] * w
    # A limb that points along its own left has no left: any direction across it will do.
    lost = length(left) < 0.05
    if lost.any():
        left[lost] = np.stack((-w[lost, 1], w[lost, 0] + 1e-6, np.zeros(int(lost.sum()))), axis=1)
        left = left - dot(left, w)[:, None] * w
    left = left / length(left)[:, None]
    return left, cross(w, left), w


def dot(first: FloatArray, second: FloatArray) -> FloatArray:
    """Row by row; plain products and sums, which round alike everywhere."""
    return first[:, 0] * second[:, 0] + first[:, 1] * second[:, 1] + first[:, 2] * second[:, 2]


def length(vectors: FloatArray) -> FloatArray:
    """Of each row."""
    return np.sqrt(dot(vectors, vectors))


def cross(first: FloatArray, second: FloatArray) -> FloatArray:
    """Row by row."""
    x1, y1, z1 = first[:, 0], first[:, 1], first[:, 2]
    x2, y2, z2 = second[:, 0], second[:, 1], second[:, 2]
    return np.stack((y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2), axis=1)
