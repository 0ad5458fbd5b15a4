"""Head: skull, jaw, hair and headwear."""

from __future__ import annotations

from tapetum.data.synthetic.materials import HAIR, HEADWEAR, SKIN, UPPER
from tapetum.data.synthetic.shapes import Finish, Part, Ring, Shapes
from tapetum.data.synthetic.skeleton import Skeleton, Vector, along
from tapetum.data.synthetic.structure import Structure
from tapetum.data.synthetic.trunk import trunk_point, trunk_section

_DOWN: Vector = (0.0, -1.0, 0.0)
_SKULL = (0.0475, 0.0585, 0.0640)


def add_head(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    """Skull and jaw, the hair style, and what is worn on it."""
    size = structure.body.head
    head, axes = skeleton.head, (skeleton.face_left, _DOWN)
    face = Finish(SKIN, Part.FACE)
    shapes.ellipsoid(head, axes, _scaled(_SKULL, size), face)
    jaw = along(along(head, _DOWN, 0.034 * size), skeleton.face, 0.013 * size)
    shapes.ellipsoid(jaw, axes, _scaled((0.0365, 0.0405, 0.0400), size), face)
    nose = along(along(head, _DOWN, 0.014 * size), skeleton.face, 0.057 * size)
    shapes.ellipsoid(nose, axes, _scaled((0.0065, 0.0090, 0.0130), size), face)
    hooded = structure.headwear == "hood"
    if not hooded:
        _add_hair(shapes, skeleton, structure)
    _add_headwear(shapes, skeleton, structure)


def _add_hair(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    style = structure.hair
    if style == "bald":
        return
    size, volume = structure.body.head, structure.hair_volume
    finish, axes = Finish(HAIR, Part.HAIR), (skeleton.face_left, _DOWN)
    covered = structure.headwear != "none"
    thick = 1.025 if style == "crew" or covered else 1.0 + 0.085 * volume
    top = along(along(skeleton.head, skeleton.face, -0.004 * size), _DOWN, -0.005 * size * thick)
    # The hairline: a slanted cut that frees the face in front and low.
    shapes.ellipsoid(top, axes, _scaled(_SKULL, size * thick), finish, (0.0, 0.80, 0.60, 0.18))
    back = along(skeleton.head, skeleton.face, -0.05 * size)
    if style in ("bob", "long"):
        around = along(along(skeleton.head, _DOWN, 0.022 * size), skeleton.face, -0.008 * size)
        radii = _scaled((0.0535, 0.0620, 0.0770), size * (0.65 + 0.35 * volume))
        shapes.ellipsoid(around, axes, radii, finish, (0.0, 1.0, 0.12, 0.22))
    if style == "long":
        _add_falling_hair(shapes, skeleton, structure, (0.056 * volume, 0.024), 0.06 + 0.14 * structure.hair_length)
    if style == "ponytail":
        _add_falling_hair(shapes, skeleton, structure, (0.019 * volume, 0.019), 0.05 + 0.13 * structure.hair_length)
    if style == "bun":
        bun = along(along(back, skeleton.face, -0.012 * size), _DOWN, -0.020 * size)
        shapes.ellipsoid(bun, axes, _scaled((0.027, 0.025, 0.026), volume), finish)


def _add_falling_hair(
    shapes: Shapes, skeleton: Skeleton, structure: Structure, section: tuple[float, float], length: float
) -> None:
    """Hair from the back of the head down over the back: a tube of the given half-width and half-depth."""
    a, b = section
    size = structure.body.head
    root = along(along(skeleton.head, skeleton.face, -0.040 * size), _DOWN, -0.01)
    nape = along(along(skeleton.head, _DOWN, 0.07 * size), skeleton.face, -0.050 * size)
    rings = [Ring(root, a * 0.8, b, 0.95), Ring(nape, a, b, 0.9)]
    for share, width in ((0.5, 0.95), (1.0, 0.6)):
        height = 0.868 - length * share
        _, depth, shift = trunk_section(structure.body, height)
        cloth = 0.004 + 0.009 * structure.clothes.loose
        behind = along(trunk_point(skeleton, height), skeleton.front, shift - depth - cloth - 0.4 * b)
        rings.append(Ring(behind, a * width, b * (1.0 - 0.4 * share), height))
    finish = Finish(HAIR, Part.HAIR)
    shapes.tube(rings, (1.0, 0.0, 0.0), finish)
    down = (-skeleton.lean[0], -skeleton.lean[1], -skeleton.lean[2])
    end = rings[-1]
    shapes.ellipsoid(end.centre, ((1.0, 0.0, 0.0), down), (end.a, end.b, end.a * 0.4), finish)


def _add_headwear(shapes: Shapes, skeleton: Skeleton, structure: Structure) -> None:
    kind = structure.headwear
    if kind == "none":
        return
    size, axes = structure.body.head, (skeleton.face_left, _DOWN)
    finish = Finish(UPPER if kind == "hood" else HEADWEAR, Part.HEADWEAR)
    if kind == "hood":
        centre = along(along(skeleton.head, skeleton.face, -0.012), _DOWN, 0.012)
        shapes.ellipsoid(centre, axes, _scaled((0.066, 0.076, 0.090), size), finish, (0.0, 1.0, 0.05, 0.48))
        return
    dome = along(along(skeleton.head, skeleton.face, -0.003), _DOWN, -0.010 * size)
    if kind == "beanie":
        shapes.ellipsoid(dome, axes, _scaled((0.0545, 0.0650, 0.0720), size), finish, (0.0, 0.35, 0.94, 0.10))
        return
    shapes.ellipsoid(dome, axes, _scaled((0.0525, 0.0640, 0.0640), size), finish, (0.0, 0.10, 0.99, -0.08))
    brim = along(along(skeleton.head, skeleton.face, 0.062 * size), _DOWN, -0.014 * size)
    shapes.ellipsoid(brim, axes, _scaled((0.042, 0.042, 0.0075), size), finish)


def _scaled(radii: Vector, factor: float) -> Vector:
    return radii[0] * factor, radii[1] * factor, radii[2] * factor
