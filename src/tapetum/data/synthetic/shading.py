"""Light on the visible surface: ambient and a main light for colour, a lamp at the lens for near-infrared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapetum.data.synthetic.cloth import add_folds, pattern_share
from tapetum.data.synthetic.garments import dress
from tapetum.data.synthetic.identity import Identity
from tapetum.data.synthetic.materials import heat_table
from tapetum.data.synthetic.raster import FAR, Hits
from tapetum.data.synthetic.surface import Pixels, Surface, unit_normals
from tapetum.data.synthetic.views import Light


def occlusion(hits: Hits, at: NDArray[np.int64], reach: int, height: float) -> Pixels:
    """How open each visible pixel lies, 0.3 ... 1: neighbours nearer to the camera, `reach` pixels off, darken it."""
    tall, wide = hits.depth.shape
    padded = np.full((tall + 2 * reach, wide + 2 * reach), FAR, np.float32)
    padded[reach : reach + tall, reach : reach + wide] = hits.depth
    closed = np.zeros(hits.depth.shape, np.float32)
    scale, bias = np.float32(1.0 / (0.035 * height)), np.float32(0.012 * height)
    short = (reach * 2) // 3
    for down, right in ((-reach, 0), (reach, 0), (0, -reach), (0, reach), (-short, -short), (-short, short)):
        near = padded[reach + down : reach + down + tall, reach + right : reach + right + wide]
        closed += np.clip((hits.depth - near - bias) * scale, 0, 1)
    return (1 - closed * np.float32(0.7 / 6.0)).ravel()[at]


def prepare(surface: Surface, identity: Identity) -> Pixels:
    """Overlays, folds and unit normals: all that every band shares. Returns the factor of light of `dress`."""
    shade = dress(surface, identity.structure)
    unit_normals(surface)
    add_folds(surface, identity.structure, identity.person)
    unit_normals(surface)
    return shade


def _lambert(surface: Surface, light: Light) -> Pixels:
    x, y, z = light.direction
    size = np.sqrt(np.float32(x * x + y * y + z * z))
    nx, ny, nz = surface.normal
    facing = (nx * np.float32(x) - ny * np.float32(y) - nz * np.float32(z)) / size
    # Half-Lambert keeps some form in the shadow; the sky is brighter than the floor.
    wrapped = np.clip(facing * np.float32(0.75) + np.float32(0.25), 0, 1)
    sky = np.float32(0.78) - np.float32(0.22) * ny
    lit: Pixels = np.float32(light.ambient) * sky + np.float32(1.25 - light.ambient) * wrapped
    return lit


def colour_light(surface: Surface, identity: Identity, light: Light, shade: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Linear red, green and blue of every visible pixel."""
    looks = identity.appearance
    share = _patterns(surface, identity)
    bright = _lambert(surface, light) * shade * np.float32(light.exposure)
    channels = []
    for channel in range(3):
        ground = np.array([colour[channel] for colour in looks.colours], np.float32)[surface.material]
        second = np.array([colour[channel] for colour in looks.seconds], np.float32)[surface.material]
        ground += (second - ground) * share
        channels.append(ground * bright * np.float32(light.tint[channel]))
    return channels[0], channels[1], channels[2]


def lamp_light(surface: Surface, identity: Identity, light: Light, shade: Pixels) -> Pixels:
    """Near-infrared: the lamp stands at the lens, so a surface is as bright as it faces the camera."""
    reflects = identity.near_infrared
    facing = -surface.normal[2]
    ground = np.array(reflects.grounds, np.float32)[surface.material]
    second = np.array(reflects.seconds, np.float32)[surface.material]
    ground += (second - ground) * _patterns(surface, identity)
    lit = np.float32(0.14) + np.float32(0.86) * facing * (np.float32(0.55) + np.float32(0.45) * facing)
    return ground * lit * shade * np.float32(light.exposure * 1.05)


def heat(surface: Surface, identity: Identity) -> Pixels:
    """Thermal infrared: warmth by material, a little less where the surface turns away; no pattern shows."""
    table = np.array(heat_table(identity.structure.clothes.upper), np.float32)
    return table[surface.material] * (np.float32(0.82) - np.float32(0.18) * surface.normal[2])


def _patterns(surface: Surface, identity: Identity) -> Pixels:
    share = np.zeros(len(surface.at), np.float32)
    for material, pattern in enumerate(identity.appearance.patterns):
        if pattern.kind != "plain":
            rows = np.flatnonzero(surface.material == material)
            share[rows] = pattern_share(surface, rows, pattern)
    return share
