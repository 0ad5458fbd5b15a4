"""The visible surface, pixel by pixel: where on which garment a pixel lies, and which way it faces.

Deferred: the depth buffer says which solid is seen; everything here happens once per visible pixel, in flat arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapetum.core import FloatArray
from tapetum.data.synthetic.projection import Solids
from tapetum.data.synthetic.raster import Frames, Hits
from tapetum.data.synthetic.shapes import Kind

Pixels = NDArray[np.float32]
Vectors = tuple[Pixels, Pixels, Pixels]
Vectors3 = tuple[Vectors, Vectors, Vectors]


@dataclass
class Surface:
    """The visible pixels of a person, N of them, in reading order.

    at: flat places in the picture. solid: row of the solid. material, part: as in `shapes` (overlays change them).
    axes: the solid's left and travel vectors there.
    normal: three (N,) arrays, right, down, away; of unit length once `unit_normals` was called.
    side: place around the garment, -2 ... 2: 0 is the middle of the front, -1 and 1 the sides, 2 and -2 the back.
    arc: the same in body heights along the cloth. v: place along the garment, in body heights.
    across: place along the solid's left in body heights. front: positive on the front half. pixel: body heights of one
    pixel here.
    """

    at: NDArray[np.int64]
    solid: NDArray[np.int64]
    material: NDArray[np.int64]
    part: NDArray[np.int64]
    normal: list[Pixels]
    axes: tuple[Vectors, Vectors]
    side: Pixels
    arc: Pixels
    v: Pixels
    across: Pixels
    front: Pixels
    pixel: float


def see_surface(solids: Solids, frames: Frames, hits: Hits) -> Surface:
    """The surface that the depth buffer shows."""
    width = hits.solid.shape[1]
    at = np.flatnonzero(hits.solid.ravel() >= 0)
    solid = hits.solid.ravel()[at].astype(np.int64)
    table = _gather(_shading_table(solids, frames), solid)
    rows = at // width
    q = (
        (at - rows * width).astype(np.float32) - table["x"],
        rows.astype(np.float32) - table["y"],
        hits.depth.ravel()[at] - table["z"],
    )
    axes = (_vector(table, "l"), _vector(table, "f"), _vector(table, "w"))
    a, b, w = place = _dot(q, axes[0]), _dot(q, axes[1]), _dot(q, axes[2])
    share = np.clip(w * table["per_length"], 0, 1)
    normal = _normals(table, place, share, axes)
    _face_boxes(normal, solids, solid, place, axes)
    side = _side(a * table["per_a"], b * table["per_b"])
    return Surface(
        at,
        solid,
        solids.column("material").astype(np.int64)[solid],
        solids.column("part").astype(np.int64)[solid],
        normal,
        (axes[0], axes[2]),
        side,
        arc=side * table["quarter"],
        v=table["v0"] + table["dv"] * np.where(table["per_length"] > 0, share, w),
        across=a * table["per_scale"],
        front=b,
        pixel=1.0 / float(solids.scale[0]),
    )


def _vector(table: dict[str, Pixels], name: str) -> Vectors:
    return table[f"{name}0"], table[f"{name}1"], table[f"{name}2"]


def _normals(table: dict[str, Pixels], place: Vectors, share: Pixels, axes: Vectors3) -> list[Pixels]:
    """The quadric's gradient, with front vector and slope blended along the tube so that no ring shows."""
    a, b, w = place
    fronts = (_vector(table, "f0"), _vector(table, "f1"))
    slope = table["s0"] + (table["s1"] - table["s0"]) * share
    along = w * table["one_w"] - slope * (table["r0"] + table["dr"] * share)
    one_a, one_b = a * table["one_a"], b * table["one_b"]
    return [
        axes[0][i] * one_a + (fronts[0][i] + (fronts[1][i] - fronts[0][i]) * share) * one_b + axes[2][i] * along
        for i in range(3)
    ]


def _shading_table(solids: Solids, frames: Frames) -> dict[str, FloatArray]:
    """What each pixel needs of its solid."""
    frustum = solids.column("kind") == Kind.FRUSTUM
    a0, b0, a1, b1 = solids.radii
    radius_a = np.where(frustum, (a0 + a1) / 2, a0)
    radius_b = np.where(frustum, (b0 + b1) / 2, b0)
    table = {
        "x": solids.start[:, 0],
        "y": solids.start[:, 1],
        "z": solids.start[:, 2],
        "per_length": np.where(frustum, 1.0 / frames.axis_length, 0.0),
        "one_a": np.where(frustum, 1.0, 1.0 / (a0 * a0)),
        "one_b": np.where(frustum, frames.ratio * frames.ratio, 1.0 / (b0 * b0)),
        "one_w": np.where(frustum, 0.0, 1.0 / (a1 * a1)),
        "s0": frames.slopes[0],
        "s1": frames.slopes[1],
        "r0": a0,
        "dr": np.where(frustum, a1 - a0, 0.0),
        "v0": solids.column("v0"),
        "dv": np.where(frustum, solids.column("v1") - solids.column("v0"), -1.0 / solids.scale),
        "per_a": 1.0 / radius_a,
        "per_b": 1.0 / radius_b,
        "per_scale": 1.0 / solids.scale,
        "quarter": _along_tubes(0.785 * (radius_a + radius_b) / solids.scale, solids.column("linked")),
    }
    for name, vectors in (("l", frames.left), ("f", frames.front), ("w", frames.travel)):
        table.update({f"{name}{i}": vectors[:, i] for i in range(3)})
    table.update({f"f{end}{i}": frames.fronts[end][:, i] for end in (0, 1) for i in range(3)})
    return table


def _along_tubes(values: FloatArray, linked: FloatArray) -> FloatArray:
    """The mean over each tube: a stripe that runs along a garment must not break from piece to piece."""
    tube = np.cumsum(linked == 0) - 1
    means: FloatArray = np.bincount(tube, values) / np.bincount(tube)
    spread: FloatArray = means[tube]
    return spread


def _gather(table: dict[str, FloatArray], solid: NDArray[np.int64]) -> dict[str, Pixels]:
    return {name: np.take(column.astype(np.float32), solid, mode="clip") for name, column in table.items()}


def _dot(first: Vectors, second: Vectors) -> Pixels:
    products: Pixels = first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
    return products


def _side(across: Pixels, front: Pixels) -> Pixels:
    """A measure of the angle around an axis that needs no arc tangent: |x| / (|x| + |z|), folded over at the back."""
    around = across / np.maximum(np.abs(across) + np.abs(front), np.float32(1e-6))
    folded: Pixels = np.where(front >= 0, around, np.where(across >= 0, 2 - around, -2 - around))
    return folded


def _face_boxes(
    normal: list[Pixels],
    solids: Solids,
    solid: NDArray[np.int64],
    place: Vectors,
    axes: Vectors3,
) -> None:
    """Give the pixels of boxes the normal of the face they lie on."""
    boxes = np.flatnonzero(solids.column("kind") == Kind.BOX)
    for row in boxes.tolist():
        pixels = np.flatnonzero(solid == row)
        halves = (solids.radii[0][row], solids.radii[1][row], solids.radii[2][row])
        shares = [place[k][pixels] * np.float32(1.0 / halves[k]) for k in range(3)]
        sizes = [np.abs(share) for share in shares]
        chosen = np.where(sizes[0] > np.maximum(sizes[1], sizes[2]), 0, np.where(sizes[1] > sizes[2], 1, 2))
        for i in range(3):
            facing = [np.where(shares[k] > 0, axes[k][i][pixels], -axes[k][i][pixels]) for k in range(3)]
            normal[i][pixels] = np.where(chosen == 0, facing[0], np.where(chosen == 1, facing[1], facing[2]))


def unit_normals(surface: Surface) -> None:
    """Make every normal of unit length, pointing towards the camera."""
    x, y, z = surface.normal
    over = 1.0 / np.sqrt(np.maximum(x * x + y * y + z * z, np.float32(1e-12)))
    over = np.where(z > 0, -over, over)
    surface.normal = [x * over, y * over, z * over]


def add_relief(surface: Surface, pixels: NDArray[np.int64], slopes: tuple[Pixels, Pixels]) -> None:
    """Tilt the unit normals of some pixels by the cloth's slopes across and along the garment."""
    left, travel = surface.axes
    for i in range(3):
        surface.normal[i][pixels] -= slopes[0] * left[i][pixels] + slopes[1] * travel[i][pixels]
