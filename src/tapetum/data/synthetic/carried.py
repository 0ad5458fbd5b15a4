"""Bags and suitcases. Straps over the chest are drawn with the trunk's surface, not here."""

from __future__ import annotations

from tapetum.data.synthetic.materials import BAG, BAG2
from tapetum.data.synthetic.shapes import Finish, Part, Ring, Shapes
from tapetum.data.synthetic.skeleton import Skeleton, Vector, along
from tapetum.data.synthetic.structure import Structure
from tapetum.data.synthetic.trunk import trunk_point, trunk_section

_LEFT: Vector = (1.0, 0.0, 0.0)
_DOWN: Vector = (0.0, -1.0, 0.0)
_BAG, _TRIM = Finish(BAG, Part.BAG), Finish(BAG2, Part.BAG)


def add_carried(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    """What the person carries, if anything."""
    kind = structure.carried
    if kind == "backpack":
        _add_backpack(shapes, skeleton, structure)
    elif kind == "handbag":
        _add_handbag(shapes, skeleton, structure)
    elif kind == "shoulder_bag":
        _add_shoulder_bag(shapes, skeleton, structure)
    elif kind == "suitcase":
        _add_suitcase(shapes, skeleton, structure)


def _side(structure: Structure) -> float:
    return -1.0 if structure.carried_right else 1.0


def _add_backpack(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    size = structure.carried_size
    depth = trunk_section(structure.body, 0.72)[1] + 0.008 * structure.clothes.loose
    a, b = 0.072 * size, 0.042 * size
    top, bottom = 0.785, 0.785 - 0.17 * size
    rings = []
    for height, width, thick in ((top, 0.86, 0.8), (0.3 * bottom + 0.7 * top, 1.0, 0.95), (bottom, 1.0, 1.05)):
        centre = along(trunk_point(skeleton, height), skeleton.front, -(depth + 0.75 * b))
        rings.append(Ring(centre, a * width, b * thick, height))
    shapes.tube(rings, _LEFT, _BAG)
    down = (-skeleton.lean[0], -skeleton.lean[1], -skeleton.lean[2])
    for ring, share in ((rings[0], 0.55), (rings[-1], 0.4)):
        shapes.ellipsoid(ring.centre, (_LEFT, down), (ring.a, ring.b, ring.b * share * 1.2), _BAG)
    pocket = along(along(rings[-1].centre, skeleton.front, -0.55 * b), skeleton.lean, 0.05 * size)
    shapes.ellipsoid(pocket, (_LEFT, down), (0.86 * a, 0.80 * b, 0.050 * size), _TRIM)


def _add_handbag(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    size = structure.carried_size
    arm = skeleton.arms[1 if structure.carried_right else 0]
    hand = along(arm.end, arm.tip, 0.06)
    outward = along(hand, _LEFT, _side(structure) * 0.012)
    centre = along(outward, _DOWN, 0.045 + 0.045 * size)
    shapes.box(centre, (_LEFT, _DOWN), (0.022 * size, 0.062 * size, 0.045 * size), _BAG)
    for shift in (-0.035 * size, 0.035 * size):
        corner = (centre[0], centre[1] + 0.043 * size, centre[2] + shift)
        rings = [Ring(outward, 0.0045, 0.0045, 0.0), Ring(corner, 0.0045, 0.0045, 0.0)]
        shapes.tube(rings, _LEFT, _TRIM)


def _add_shoulder_bag(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    size, side = structure.carried_size, _side(structure)
    half = trunk_section(structure.body, 0.515)[0] + 0.012 + 0.01 * structure.clothes.loose
    hip = trunk_point(skeleton, 0.505)
    centre = (hip[0] + side * (half + 0.020 * size), hip[1], hip[2] - 0.012)
    shapes.box(centre, (_LEFT, _DOWN), (0.024 * size, 0.066 * size, 0.050 * size), _BAG)
    flap = along(along(centre, _LEFT, side * 0.006 * size), _DOWN, -0.02 * size)
    shapes.box(flap, (_LEFT, _DOWN), (0.022 * size, 0.067 * size, 0.032 * size), _TRIM)


def _add_suitcase(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    size = structure.carried_size
    arm = skeleton.arms[1 if structure.carried_right else 0]
    hand = along(arm.end, arm.tip, 0.055)
    # Tilted back, its lower edge on the ground.
    up: Vector = (0.0, 0.927, 0.375)
    half = 0.098 * size
    centre = (hand[0], half * up[1] + 0.018, hand[2] - 0.135 * size)
    down = (-up[0], -up[1], -up[2])
    shapes.box(centre, (_LEFT, down), (0.068 * size, 0.040 * size, half), _BAG)
    top = along(centre, up, half)
    rings = [Ring(hand, 0.005, 0.005, 0.0), Ring(top, 0.005, 0.005, 0.0)]
    shapes.tube(rings, _LEFT, _TRIM)
