"""Arms and legs: skin, sleeves, trousers, shoes. Smooth tubes through shoulder, elbow, wrist and hip, knee, ankle."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tapetum.data.synthetic.materials import LOWER, SHOE, SKIN, UPPER
from tapetum.data.synthetic.shapes import Finish, Part, Ring, Shapes
from tapetum.data.synthetic.skeleton import Limb, Skeleton, Vector, along
from tapetum.data.synthetic.structure import Clothes, Structure

_LEFT: Vector = (1.0, 0.0, 0.0)
# (place along the limb: 0 root, 1 elbow or knee, 2 wrist or ankle; radius in body heights)
_ARM = ((0.0, 0.0315), (0.42, 0.0280), (0.86, 0.0228), (1.0, 0.0222), (1.14, 0.0226), (1.4, 0.0232), (2.0, 0.0152))
_THIGH = ((0.0, 0.0525), (0.3, 0.0525), (0.6, 0.0470), (0.86, 0.0385), (1.0, 0.0360))
_LEG = (*_THIGH, (1.14, 0.0350), (1.38, 0.0375), (1.7, 0.0270), (2.0, 0.0205))
_ROUND = 0.14
"""The polyline root - middle - end is rounded within this share of a bone around the middle joint."""


@dataclass(frozen=True)
class _Sleeve:
    """Cloth around a limb from its root to `end`: extra radius there and above, and at least `floor` at the end."""

    end: float
    ease: float
    flare: float
    floor: float


def add_arms(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    """Both arms with sleeves and hands."""
    body, clothes = structure.body, structure.clothes
    girth = body.limb * (1.0 + 0.07 * body.build)
    loose = clothes.loose
    puffed = 0.010 if clothes.upper == "puffer" else 0.0
    flare = 0.006 * loose if clothes.upper in ("tee", "shirt") else 0.004 * loose
    sleeve = _Sleeve(clothes.sleeve, 0.002 + 0.0085 * loose + puffed, flare, 0.019)
    profile = [(place, radius * girth) for place, radius in _ARM]
    for arm in skeleton.arms:
        _add_limb(shapes, arm, profile, sleeve, (UPPER, Part.UPPER_ARM, Part.FOREARM))
        shoulder = _covered_radius(profile[0][1], sleeve, 0.0)
        down = _unit(arm.root, arm.middle)
        cap = Finish(UPPER, Part.UPPER_ARM)
        shapes.ellipsoid(arm.root, (_across(down), down), (shoulder, shoulder, shoulder), cap)
        hand = along(arm.end, arm.tip, 0.036)
        size = 0.85 + 0.15 * body.limb
        shapes.ellipsoid(
            hand, (_across(arm.tip), arm.tip), (0.0125 * size, 0.0200 * size, 0.044 * size), Finish(SKIN, Part.HAND)
        )


def add_legs(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    """Both legs with trousers (or bare, below skirts and shorts) and shoes."""
    body, clothes = structure.body, structure.clothes
    girth = _leg_girth(structure)
    profile = [(place, radius * girth) for place, radius in _LEG]
    sleeve = _trouser_leg(clothes)
    for leg in skeleton.legs:
        shown = _skirt_shows(clothes) if sleeve is None else 0.0
        _add_limb(shapes, leg, [knot for knot in profile if knot[0] >= shown], sleeve, (LOWER, Part.THIGH, Part.SHIN))
        if clothes.boots:
            _add_boot(shapes, leg, profile, sleeve)
        _add_shoe(shapes, leg, clothes, body.leg)


def _skirt_shows(clothes: Clothes) -> float:
    """From which place on a leg under a skirt can be seen, with a share to spare for steep views."""
    return max(clothes.skirt_length - 0.45, 0.0)


def leg_radius(structure: Structure, place: float) -> float:
    """The radius of a leg with its trousers at 0 (hip) ... 1 (knee) ... 2 (ankle)."""
    bare = radius_at(_LEG, place) * _leg_girth(structure)
    sleeve = _trouser_leg(structure.clothes)
    return bare if sleeve is None or place > sleeve.end else _covered_radius(bare, sleeve, place)


def _leg_girth(structure: Structure) -> float:
    return (0.35 + 0.65 * structure.body.limb) * (1.0 + 0.075 * structure.body.build)


def _trouser_leg(clothes: Clothes) -> _Sleeve | None:
    if clothes.lower in ("skirt", "dress"):
        return None
    if clothes.lower == "leggings":
        return _Sleeve(1.9, 0.001, 0.0, 0.0)
    wide = {"slim": 0.0, "regular": 0.5, "wide": 1.0}[clothes.fit]
    if clothes.lower == "shorts":
        return _Sleeve(clothes.shorts_length, 0.005 + 0.006 * wide, 0.004 + 0.012 * wide, 0.0)
    return _Sleeve(1.98, 0.003 + 0.007 * wide, 0.002 + 0.006 * wide, 0.025 + 0.022 * wide)


def limb_point(limb: Limb, place: float) -> Vector:
    """The point of a limb's centre line at 0 (root) ... 1 (middle) ... 2 (end), rounded at the middle joint."""
    if abs(place - 1.0) >= _ROUND:
        start, end, share = (limb.root, limb.middle, place) if place < 1.0 else (limb.middle, limb.end, place - 1.0)
        return _between(start, end, share)
    before, after = _between(limb.root, limb.middle, 1.0 - _ROUND), _between(limb.middle, limb.end, _ROUND)
    share = (place - 1.0 + _ROUND) / (2.0 * _ROUND)
    return _between(_between(before, limb.middle, share), _between(limb.middle, after, share), share)


def radius_at(profile: Sequence[tuple[float, float]], place: float) -> float:
    """The radius of a limb at a place, linear between the profile's knots."""
    before = profile[0]
    for knot in profile[1:]:
        if place <= knot[0]:
            share = (place - before[0]) / (knot[0] - before[0])
            return before[1] + (knot[1] - before[1]) * share
        before = knot
    return before[1]


def _add_limb(
    shapes: Shapes,
    limb: Limb,
    profile: Sequence[tuple[float, float]],
    sleeve: _Sleeve | None,
    finish: tuple[int, Part, Part],
) -> None:
    material, upper, lower = finish
    end = sleeve.end if sleeve is not None else 0.0
    if sleeve is not None:
        covered = [place for place, _ in profile if place < end - 0.04] + [end]
        rings = [_ring(limb, place, _covered_radius(radius_at(profile, place), sleeve, place)) for place in covered]
        _add_tube(shapes, rings, covered, material, (upper, lower))
    if end < 1.95:
        start = max(end - 0.06, profile[0][0])
        bare = [start] + [place for place, _ in profile if place > max(end, start) + 0.02]
        rings = [_ring(limb, place, radius_at(profile, place)) for place in bare]
        _add_tube(shapes, rings, bare, SKIN, (upper, lower))


def _covered_radius(bare: float, sleeve: _Sleeve, place: float) -> float:
    share = min(place / sleeve.end, 1.0)
    hanging = sleeve.floor * min(max(2.0 * share - 1.0, 0.0), 1.0)
    # Cloth lies close at the seam of shoulder or hip.
    ease = sleeve.ease * min(0.5 + 1.5 * place, 1.0)
    return max(bare + ease, hanging) + sleeve.flare * share * share


def _add_tube(shapes: Shapes, rings: list[Ring], places: list[float], material: int, parts: tuple[Part, Part]) -> None:
    middles = [(first + second) / 2.0 for first, second in itertools.pairwise(places)]
    shapes.tube(rings, _LEFT, [Finish(material, parts[0] if middle < 1.0 else parts[1]) for middle in middles])


def _ring(limb: Limb, place: float, radius: float) -> Ring:
    # v measures along the limb in body heights, downward like the trunk's height.
    return Ring(limb_point(limb, place), radius, radius, 0.8 - 0.165 * place)


def _add_boot(shapes: Shapes, leg: Limb, profile: Sequence[tuple[float, float]], sleeve: _Sleeve | None) -> None:
    # Boots go over narrow trousers and bare legs, and hide under wide ones.
    ease = 0.006 if sleeve is None or sleeve.end < 1.5 or sleeve.floor < 0.03 else -0.004
    under = sleeve.ease if sleeve is not None and sleeve.end > 1.5 else 0.0
    places = [1.3, 1.5, 1.75, 2.0]
    rings = [_ring(leg, place, max(radius_at(profile, place), 0.027) + under + ease) for place in places]
    shapes.tube(rings, _LEFT, Finish(SHOE, Part.FOOT))


def _add_shoe(shapes: Shapes, leg: Limb, clothes: Clothes, length: float) -> None:
    forward, size = leg.tip, clothes.shoe * (0.4 + 0.6 * length)
    down_axis = forward
    left = _across_of(forward)
    finish = Finish(SHOE, Part.FOOT)
    sole = (leg.end[0], leg.end[1] - 0.021, leg.end[2])
    shapes.ellipsoid(along(sole, forward, 0.042), (left, down_axis), (0.0300, 0.0215, 0.076 * size), finish)
    shapes.ellipsoid(along(leg.end, forward, -0.006), (left, down_axis), (0.0255, 0.040, 0.034), finish)


def _between(start: Vector, end: Vector, share: float) -> Vector:
    return (
        start[0] + (end[0] - start[0]) * share,
        start[1] + (end[1] - start[1]) * share,
        start[2] + (end[2] - start[2]) * share,
    )


def _unit(start: Vector, end: Vector) -> Vector:
    x, y, z = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


def _across(down: Vector) -> Vector:
    """The unit vector nearest to the person's left that is at right angles to `down`."""
    x, y, z = 1.0 - down[0] * down[0], -down[0] * down[1], -down[0] * down[2]
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


def _across_of(forward: Vector) -> Vector:
    """The foot's left: horizontal, at right angles to its direction."""
    length = math.sqrt(forward[0] * forward[0] + forward[2] * forward[2])
    return forward[2] / length, 0.0, -forward[0] / length
