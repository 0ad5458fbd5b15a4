"""The solids a person is built from: elliptic cone frusta, ellipsoids and boxes, collected as rows of one table.

A tube is a chain of frusta through rings: its rings go from top to bottom (or from heel to toe), so that the cross
product of the direction of travel and `left` always points to the front (or up, for a foot): a pattern, a zip or a
strap cannot turn up on the back.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tapetum.core import FloatArray
from tapetum.data.synthetic.skeleton import Vector, along


class Part(enum.IntEnum):
    """Labels of the part map, in the order of its palette."""

    BACKGROUND = 0
    FACE = 1
    HAIR = 2
    HEADWEAR = 3
    NECK = 4
    TORSO = 5
    UPPER_ARM = 6
    FOREARM = 7
    HAND = 8
    HIPS = 9
    THIGH = 10
    SHIN = 11
    FOOT = 12
    BAG = 13
    OCCLUDER = 14


class Kind(enum.IntEnum):
    """What a row of the table is."""

    FRUSTUM = 0
    ELLIPSOID = 1
    BOX = 2


COLUMNS = {
    name: place
    for place, name in enumerate(
        (
            *("x0", "y0", "z0", "x1", "y1", "z1", "left_x", "left_y", "left_z", "a0", "b0", "a1", "b1", "v0", "v1"),
            *("low", "high", "clip_a", "clip_b", "clip_w", "kind", "material", "part", "linked"),
        )
    )
}
"""x0 ... z1: both ends of a frustum's axis (for others: centre, and centre plus the unit axis w). a: half-width along
left, b: along the front, at both ends (for others a0, b0 and a1 = half-length along w). v: place along the garment, for
patterns. low, high: which share of a frustum's axis is solid, or which range of clip . (local place / radii) of an
ellipsoid. linked: 1 when the frustum goes on from the row before."""


@dataclass(frozen=True)
class Ring:
    """A cross-section of a tube: centre, half-width to the left, half-depth to the front, and place along the cloth."""

    centre: Vector
    a: float
    b: float
    v: float


@dataclass(frozen=True)
class Finish:
    """What a solid is made of and counts as."""

    material: int
    part: Part


class Shapes:
    """A table under construction."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []

    def table(self) -> FloatArray:
        """All rows so far, (P, len(COLUMNS))."""
        return np.array(self._rows, np.float64)

    def tube(self, rings: Sequence[Ring], left: Vector, finishes: Sequence[Finish] | Finish) -> None:
        """A chain of frusta through the rings; one finish for all, or one for each piece between two rings."""
        linked = 0.0
        for place in range(len(rings) - 1):
            upper, lower = rings[place], rings[place + 1]
            finish = finishes if isinstance(finishes, Finish) else finishes[place]
            self._rows.append(
                (
                    *upper.centre,
                    *lower.centre,
                    *left,
                    *(upper.a, upper.b, lower.a, lower.b, upper.v, lower.v),
                    *(0.0, 1.0, 0.0, 0.0, 1.0),
                    *(Kind.FRUSTUM, finish.material, finish.part, linked),
                )
            )
            linked = 1.0

    def ellipsoid(
        self,
        centre: Vector,
        axes: tuple[Vector, Vector],
        radii: Vector,
        finish: Finish,
        keep: tuple[float, float, float, float] | None = None,
    ) -> None:
        """An ellipsoid. axes: its left and its downward (or forward) unit vector. radii: left, front, along the second.

        keep = (l, f, w, limit): only where l, f, w dotted with the place in units of the radii is at most `limit`.
        """
        clip = keep if keep is not None else (0.0, 0.0, 0.0, 1.0)
        self._solid(Kind.ELLIPSOID, centre, axes, radii, finish, clip)

    def box(self, centre: Vector, axes: tuple[Vector, Vector], halves: Vector, finish: Finish) -> None:
        """A box. axes: its left and downward unit vectors. halves: half its extent to the left, front and down."""
        self._solid(Kind.BOX, centre, axes, halves, finish, (0.0, 0.0, 0.0, 1.0))

    def _solid(
        self,
        kind: Kind,
        centre: Vector,
        axes: tuple[Vector, Vector],
        radii: Vector,
        finish: Finish,
        clip: tuple[float, float, float, float],
    ) -> None:
        left, down = axes
        self._rows.append(
            (
                *centre,
                *along(centre, down, 1.0),
                *left,
                *(radii[0], radii[1], radii[2], radii[2], centre[1], centre[1]),
                *(-9.0, clip[3], clip[0], clip[1], clip[2]),
                *(kind, finish.material, finish.part, 0.0),
            )
        )
