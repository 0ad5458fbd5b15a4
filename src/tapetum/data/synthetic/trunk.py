"""Trunk, neck, skirts and coats: smooth tubes through ellipses, wide enough for the legs that move inside them."""

from __future__ import annotations

import itertools
import math

from tapetum.data.synthetic.limbs import leg_radius, limb_point
from tapetum.data.synthetic.materials import LOWER, SKIN, UPPER
from tapetum.data.synthetic.shapes import Finish, Part, Ring, Shapes
from tapetum.data.synthetic.skeleton import HIP_HEIGHT, KNEE_HEIGHT, Limb, Skeleton, Vector, along
from tapetum.data.synthetic.structure import Body, Clothes, Structure

_LEFT: Vector = (1.0, 0.0, 0.0)
# height, half-width, half-depth, what scales the width, share of the belly, share of the chest
_PROFILE = (
    (0.850, 0.040, 0.038, "neck", 0.0, 0.0),
    (0.837, 0.062, 0.046, "neck", 0.0, 0.0),
    (0.824, 0.086, 0.053, "shoulder", 0.0, 0.0),
    (0.803, 0.1060, 0.060, "shoulder", 0.0, 0.25),
    (0.750, 0.1040, 0.067, "shoulder", 0.05, 1.0),
    (0.705, 0.0930, 0.065, "shoulder", 0.25, 0.6),
    (0.650, 0.0830, 0.060, "shoulder", 0.85, 0.0),
    (0.600, 0.0800, 0.059, "hip", 1.0, 0.0),
    (0.555, 0.0880, 0.064, "hip", 0.7, 0.0),
    (0.515, 0.0950, 0.069, "hip", 0.25, 0.0),
    (0.475, 0.0930, 0.067, "hip", 0.0, 0.0),
)
_WAIST = 0.605
_UNDER = -0.012
"""Ease of what the upper garment covers: so far inside that it shows nowhere."""


def add_trunk(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    """The trunk in its garments, the neck, and a skirt or a coat's skirt."""
    clothes = structure.clothes
    _add_neck(shapes, skeleton, structure)
    _add_upper(shapes, skeleton, structure)
    if clothes.lower in ("skirt", "dress"):
        length = clothes.skirt_length * (HIP_HEIGHT - KNEE_HEIGHT)
        end = HIP_HEIGHT - length
        dress = clothes.lower == "dress" and clothes.upper in ("tee", "shirt")
        finish = Finish(UPPER if dress else LOWER, Part.HIPS)
        _add_skirt(shapes, skeleton, structure, (_WAIST, end, 0.004, clothes.flare * 0.05), finish)
    else:
        wide = {"slim": 0.003, "regular": 0.006, "wide": 0.009}[clothes.fit]
        # Where the upper garment covers the seat, the seat stays well inside it, and its top is not needed.
        heights = [row[0] for row in _PROFILE if 0.47 < row[0] < min(clothes.hem + 0.07, _WAIST)]
        rings = [
            _trunk_ring(skeleton, structure, height, wide if height < clothes.hem else _UNDER) for height in heights
        ]
        seat = _trunk_ring(skeleton, structure, 0.446, -0.010)
        shapes.tube([*rings, seat], _LEFT, Finish(LOWER, Part.HIPS))


def trunk_point(skeleton: Skeleton, height: float) -> Vector:
    """The trunk's centre at a height of the upright body: along the lean above the hips, straight down below."""
    if height >= HIP_HEIGHT:
        return along(skeleton.pelvis, skeleton.lean, height - HIP_HEIGHT)
    return skeleton.pelvis[0], skeleton.pelvis[1] + height - HIP_HEIGHT, skeleton.pelvis[2]


def trunk_section(body: Body, height: float) -> tuple[float, float, float]:
    """Half-width, half-depth and forward shift of the bare trunk at a height of the upright body."""
    place = min(max(height, _PROFILE[-1][0]), _PROFILE[0][0])
    upper, lower = next(pair for pair in itertools.pairwise(_PROFILE) if place >= pair[1][0])
    share = (place - lower[0]) / (upper[0] - lower[0])
    first, second = _section(body, upper), _section(body, lower)
    a, b, shift = (two + (one - two) * share for one, two in zip(first, second, strict=True))
    return a, b, shift


def _section(body: Body, row: tuple[float, float, float, str, float, float]) -> tuple[float, float, float]:
    _, width, depth, scale, belly, chest = row
    factor = {"neck": 0.5 + 0.5 * body.neck, "shoulder": body.shoulder, "hip": body.hip}[scale]
    girth = 1.0 + (0.05 if scale == "neck" else 0.10) * body.build
    bulge = 0.030 * belly * body.belly + 0.016 * chest * body.chest
    return width * factor * girth + 0.35 * belly * 0.03 * body.belly, depth * girth + 0.5 * bulge, 0.5 * bulge


def _trunk_ring(skeleton: Skeleton, structure: Structure, height: float, ease: float) -> Ring:
    a, b, shift = trunk_section(structure.body, height)
    centre = along(trunk_point(skeleton, height), skeleton.front, shift)
    return Ring(centre, a + ease, b + ease, height)


def _add_neck(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    thick = 0.033 * structure.body.neck * (1.0 + 0.04 * structure.body.build)
    top = along(skeleton.head, skeleton.face, -0.012)
    chin = (top[0], top[1] - 0.03, top[2])
    rings = [Ring(chin, thick, thick, 0.9), Ring(skeleton.neck, thick * 1.12, thick * 1.12, 0.84)]
    shapes.tube(rings, _LEFT, Finish(SKIN, Part.NECK))
    clothes = structure.clothes
    if clothes.upper in ("shirt", "jacket", "coat", "puffer"):
        height = {"shirt": 0.012, "jacket": 0.02, "coat": 0.022, "puffer": 0.03}[clothes.upper]
        collar = thick * 1.12 + 0.006 + 0.004 * clothes.loose
        low = trunk_point(skeleton, 0.832)
        high = along(low, skeleton.lean, 0.022 + height)
        rings = [Ring(high, collar, collar, 0.87), Ring(low, collar * 1.25, collar * 1.2, 0.84)]
        shapes.tube(rings, _LEFT, Finish(UPPER, Part.TORSO))
    if clothes.hood_down:
        hood = along(along(trunk_point(skeleton, 0.838), skeleton.front, -0.05), skeleton.lean, 0.008)
        down = (-skeleton.lean[0], -skeleton.lean[1], -skeleton.lean[2])
        shapes.ellipsoid(hood, (_LEFT, down), (0.078, 0.036, 0.047), Finish(UPPER, Part.TORSO))


def _ease(clothes: Clothes) -> float:
    """How far the upper garment stands off the body."""
    return 0.003 + 0.010 * clothes.loose + (0.008 if clothes.upper == "puffer" else 0.0)


def _add_upper(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    clothes = structure.clothes
    ease, end = _ease(clothes), clothes.hem
    chest = trunk_section(structure.body, 0.75)
    rings = []
    for height in [row[0] for row in _PROFILE if row[0] > max(end, 0.475) + 0.012] + [max(end, 0.475)]:
        ring = _trunk_ring(skeleton, structure, height, ease * min((0.875 - height) / 0.08, 1.0))
        # Loose cloth falls from the chest and bridges the waist.
        fall = 0.55 * min(clothes.loose, 1.0) if height < 0.75 else 0.0
        a = max(ring.a, ring.a + fall * (chest[0] + ease - ring.a))
        hung = Ring(ring.centre, a, max(ring.b, ring.b + fall * (chest[1] - ring.b)), height)
        rings.append(_over_legs(skeleton, structure, hung, ease))
    finish = Finish(UPPER, Part.TORSO)
    if end < 0.475:
        top = rings[-1]
        rings += _skirt_rings(skeleton, structure, (0.475, end, ease, 0.012 * clothes.loose), top)
    shapes.tube(rings, _LEFT, finish)


def _add_skirt(
    shapes: Shapes, skeleton: Skeleton, structure: Structure, cut: tuple[float, float, float, float], finish: Finish
) -> None:
    """cut: height of the upper and the lower edge, ease, and flare at the lower edge."""
    start, end, ease, flare = cut
    # Under the upper garment the skirt stays well inside.
    rings = [_trunk_ring(skeleton, structure, height, _UNDER) for height in (start, 0.555)]
    ring = _trunk_ring(skeleton, structure, 0.515, ease if structure.clothes.hem > 0.515 else _UNDER)
    rings.append(_over_legs(skeleton, structure, ring, ease) if structure.clothes.hem > 0.515 else ring)
    below = _skirt_rings(skeleton, structure, (0.515, end, ease, flare), rings[-1])
    shapes.tube([*rings, *below], _LEFT, finish)


def _skirt_rings(
    skeleton: Skeleton, structure: Structure, cut: tuple[float, float, float, float], top: Ring
) -> list[Ring]:
    start, end, ease, flare = cut
    count = max(2, min(7, int((start - end) / 0.035) + 1))
    rings = []
    for step in range(1, count + 1):
        share = step / count
        height = start + (end - start) * share
        rings.append(_leg_cover(skeleton, structure, height, ease + flare * share, top))
    return rings


def _over_legs(skeleton: Skeleton, structure: Structure, ring: Ring, ease: float) -> Ring:
    """A ring of the lower trunk, widened where the thighs swing out of it."""
    if ring.v > 0.53:
        return ring
    cover = _leg_cover(skeleton, structure, ring.v, ease, ring)
    front = max(ring.centre[2] + ring.b, cover.centre[2] + cover.b)
    back = min(ring.centre[2] - ring.b, cover.centre[2] - cover.b)
    middle = (ring.centre[0], ring.centre[1], (front + back) / 2.0)
    return Ring(middle, max(ring.a, cover.a), (front - back) / 2.0, ring.v)


def _leg_cover(skeleton: Skeleton, structure: Structure, height: float, ease: float, top: Ring) -> Ring:
    """The ellipse at a height of the upright body that holds both legs."""
    level = height + skeleton.pelvis[1] - HIP_HEIGHT
    xs, zs, thick = [], [], 0.0
    for leg in skeleton.legs:
        place, (x, _, z) = _leg_at(leg, level)
        xs.append(x)
        zs.append(z)
        thick = max(thick, 1.06 * leg_radius(structure, place) + 0.002)
    left, right, front, back = max(xs), min(xs), max(zs), min(zs)
    # Cloth hangs from the hips: it does not get much narrower on its way down.
    half_a, half_b = (left - right) / 2.0, (front - back) / 2.0
    a = max(half_a + thick + ease, top.a * 0.86 + 0.5 * ease)
    b = max(half_b + thick + ease, top.b * 0.9 + 0.5 * ease)
    # Legs that are apart both ways lie in the corners of that box: the ellipse must go around them.
    corner_a, corner_b = (half_a + 0.75 * thick) / a, (half_b + 0.75 * thick) / b
    wider = max(math.sqrt(corner_a * corner_a + corner_b * corner_b), 1.0)
    return Ring(((left + right) / 2.0, level, (front + back) / 2.0), a * wider, b * wider, height)


def _leg_at(leg: Limb, level: float) -> tuple[float, Vector]:
    """Where a leg crosses a level: 0 (hip) ... 2 (ankle), and the point of its centre line."""
    upper, lower, first = (leg.root, leg.middle, 0.0) if leg.middle[1] <= level else (leg.middle, leg.end, 1.0)
    share = min(max((upper[1] - level) / max(upper[1] - lower[1], 1e-3), 0.0), 1.0)
    return first + share, limb_point(leg, first + share)
