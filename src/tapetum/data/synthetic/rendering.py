"""One picture and its truth: people, background, occluders, then the sensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tapetum.data.synthetic import shading
from tapetum.data.synthetic.backgrounds import Planes, backdrop
from tapetum.data.synthetic.body import build_person
from tapetum.data.synthetic.cameras import Band
from tapetum.data.synthetic.identity import Identity, make_identity
from tapetum.data.synthetic.projection import Projection
from tapetum.data.synthetic.raster import Hits, cast, solid_frames
from tapetum.data.synthetic.sensor import develop
from tapetum.data.synthetic.shapes import Part
from tapetum.data.synthetic.skeleton import Skeleton, Vector, along, pose
from tapetum.data.synthetic.specification import Factors, SynthesisSpec
from tapetum.data.synthetic.surface import Surface, see_surface
from tapetum.data.synthetic.views import Occluder, View, sized


@dataclass(frozen=True)
class Keypoint:
    """A joint in the picture: x to the right and y down, in pixels. visible: in the crop with nothing before it."""

    x: float
    y: float
    visible: bool


@dataclass(frozen=True)
class Truth:
    """What is known about a picture.

    part: (H, W) uint8 labels of `Part`; the person's visible pixels and occluders, by-standers count as background.
    depth: (H, W) float32, distance along the view in body heights from the body's middle (negative: nearer); NaN beside
    the person. keypoints: by name, "left_" and "right_" are the person's own.
    """

    part: NDArray[np.uint8]
    depth: NDArray[np.float32]
    keypoints: Mapping[str, Keypoint]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W): the visible pixels of the person, with what it carries."""
        return (self.part > Part.BACKGROUND) & (self.part < Part.OCCLUDER)


@dataclass(frozen=True)
class _Figure:
    """A person drawn into a depth buffer."""

    hits: Hits
    surface: Surface
    shade: NDArray[np.float32]
    projection: Projection
    skeleton: Skeleton
    identity: Identity


def render(
    identity: Identity, view: View, modality: Band | None = None, size: tuple[int, int] | None = None
) -> tuple[NDArray[np.uint8], Truth]:
    """Draw one picture, (H, W, 3) uint8, and its truth.

    modality: another band than the camera's, at the same place and time. size: (height, width) instead of the view's.
    The truth does not depend on the band nor on the person's appearance.
    """
    if size is not None:
        view = sized(view, *size)
    if modality is not None:
        view = replace(view, camera=replace(view.camera, band=modality))
    light, part, figure = _scene(identity, view)
    return develop(light, view), _truth(figure, part)


def render_image(identity: Identity, view: View) -> NDArray[np.uint8]:
    """The picture that `render` draws, without its truth."""
    return develop(_scene(identity, view)[0], view)


def _scene(identity: Identity, view: View) -> tuple[Planes, NDArray[np.uint8], _Figure]:
    """Linear light, the part map, and the main person."""
    figure = _figure(identity, view, view.yaw)
    light = _scene_light(view)
    _ground_shadow(light, figure)
    part = np.zeros(figure.hits.depth.shape, np.uint8)
    part.ravel()[figure.surface.at] = figure.surface.part
    other = _bystander(identity, view)
    if other is not None and other[1]:
        _lay(light, other[0], view)
    _lay(light, figure, view)
    if other is not None and not other[1]:
        _lay(light, other[0], view)
        part.ravel()[other[0].surface.at] = Part.BACKGROUND
    if view.occluder is not None:
        _occlude(light, part, view.occluder, view)
    return light, part, figure


def _figure(identity: Identity, view: View, yaw: float, shift: float = 0.0) -> _Figure:
    size = view.framing.height, view.framing.width
    skeleton = pose(identity.structure, view)
    table = build_person(identity.structure, skeleton)
    projection = Projection(view, yaw)
    solids = projection.fit(table, view, shift)
    frames = solid_frames(solids)
    hits = cast(solids, frames, size)
    surface = see_surface(solids, frames, hits)
    shade = shading.prepare(surface, identity)
    shade *= shading.occlusion(hits, surface.at, max(round(size[0] / 60), 2), projection.scale)
    return _Figure(hits, surface, shade, projection, skeleton, identity)


def _scene_light(view: View) -> Planes:
    light = backdrop(view)
    camera = view.camera
    if camera.band == "rgb":
        gains = np.array(view.light.tint, np.float32) * np.float32(view.light.exposure)
        return light * gains[:, None, None]
    if camera.band == "nir":
        return light * np.float32((0.55 if camera.indoor else 0.35) * view.light.exposure)
    return np.float32(0.17) + np.float32(0.10) * light


def _lay(light: Planes, figure: _Figure, view: View) -> None:
    """Put the visible surface of a person over what is there."""
    surface, identity = figure.surface, figure.identity
    if view.camera.band == "rgb":
        planes = shading.colour_light(surface, identity, view.light, figure.shade)
        for plane, values in zip(light, planes, strict=True):
            plane.ravel()[surface.at] = values
    elif view.camera.band == "nir":
        light[0].ravel()[surface.at] = shading.lamp_light(surface, identity, view.light, figure.shade)
    else:
        gain = np.float32(view.light.exposure)
        light[0].ravel()[surface.at] = shading.heat(surface, identity) * gain


def _ground_shadow(light: Planes, figure: _Figure) -> None:
    """A soft dark patch on the floor under the feet."""
    tall, wide = light.shape[1:]
    feet = figure.projection.points(np.array([leg.end for leg in figure.skeleton.legs]))[0].tolist()
    scale = figure.projection.scale
    x = (feet[0][0] + feet[1][0]) / 2
    y = max(feet[0][1], feet[1][1]) + 0.015 * scale
    reach = 0.13 * scale + abs(feet[0][0] - feet[1][0]) / 2
    top = min(max(int(y - 0.12 * scale), 0), tall)
    down = (np.arange(top, tall, dtype=np.float32) - np.float32(y)) * np.float32(1.0 / (0.055 * scale))
    right = (np.arange(wide, dtype=np.float32) - np.float32(x)) * np.float32(1.0 / reach)
    dark = np.clip(1 - (down * down)[:, None] - (right * right)[None, :], 0, 1)
    light[:, top:] *= 1 - np.float32(0.5) * dark


def _bystander(identity: Identity, view: View) -> tuple[_Figure, bool] | None:
    other = view.bystander
    if other is None:
        return None
    stranger = make_identity(SynthesisSpec(seed=identity.seed, factors=Factors()), other.person)
    moved = replace(view, phase=other.phase)
    return _figure(stranger, moved, other.yaw, other.shift), other.behind


def _occlude(light: Planes, part: NDArray[np.uint8], occluder: Occluder, view: View) -> None:
    """Lay a bench, a pillar or a rail over the picture."""
    tall, wide = part.shape
    across = round(wide * (0.12 + 0.25 * occluder.reach))
    cover = {
        "bottom": np.s_[round(tall * (0.86 - 0.2 * occluder.reach)) :, :],
        "left": np.s_[:, :across],
        "right": np.s_[:, wide - across :],
        "rail": np.s_[
            round(tall * (0.5 + 0.2 * occluder.reach)) : round(tall * (0.5 + 0.2 * occluder.reach))
            + max(tall // 40, 3),
            :,
        ],
    }[occluder.kind]
    strength = 0.55 if view.camera.band == "nir" else 1.0
    for plane, gain in zip(light, view.light.tint, strict=False):
        plane[cover] = np.float32(occluder.tone * gain * strength * view.light.exposure)
        edge = plane[cover]
        edge[:1] *= np.float32(1.4)
        edge[:, :1] *= np.float32(1.3)
    part[cover] = Part.OCCLUDER


def _truth(figure: _Figure, part: NDArray[np.uint8]) -> Truth:
    seen = (part > Part.BACKGROUND) & (part < Part.OCCLUDER)
    scale = np.float32(1.0 / figure.projection.scale)
    depth = np.where(seen, figure.hits.depth * scale, np.float32(np.nan)).astype(np.float32)
    points = _joints(figure.skeleton)
    placed, sizes = figure.projection.points(np.array(list(points.values())))
    keypoints = {}
    for name, place, size in zip(points, placed.tolist(), sizes.tolist(), strict=True):
        keypoints[name] = Keypoint(place[0], place[1], _visible(place, 0.1 * size, seen, figure.hits.depth))
    return Truth(part, depth, keypoints)


def _visible(place: list[float], depth: float, seen: NDArray[np.bool_], surface: NDArray[np.float32]) -> bool:
    """A joint inside the body is visible when the surface before it is the joint's own: not much nearer than it."""
    tall, wide = seen.shape
    if not (0 <= place[0] < wide and 0 <= place[1] < tall):
        return False
    column, row = int(place[0]), int(place[1])
    return bool(seen[row, column]) and place[2] - float(surface[row, column]) < depth


def _joints(skeleton: Skeleton) -> dict[str, Vector]:
    points: dict[str, Vector] = {
        "head_top": (skeleton.head[0], skeleton.head[1] + 0.06, skeleton.head[2]),
        "nose": along(skeleton.head, skeleton.face, 0.055),
        "neck": skeleton.neck,
    }
    for side, arm, leg in zip(("left", "right"), skeleton.arms, skeleton.legs, strict=True):
        points |= {
            f"{side}_shoulder": arm.root,
            f"{side}_elbow": arm.middle,
            f"{side}_wrist": arm.end,
            f"{side}_hip": leg.root,
            f"{side}_knee": leg.middle,
            f"{side}_ankle": leg.end,
        }
    return points
