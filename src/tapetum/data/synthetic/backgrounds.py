"""What stands behind people: one panorama per camera, wall above and floor below. Nothing here depends on a person.

Cameras of the same room share the layout (where doors, posters and windows are); every camera draws its own
reflectances, so a poster that is dark in colour may be bright in near-infrared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tapetum.data.synthetic.cameras import Camera
from tapetum.data.synthetic.noise import mottle, smooth_field
from tapetum.data.synthetic.random_keys import Stream
from tapetum.data.synthetic.views import View

HEIGHT, WIDTH = 416, 1536
FLOOR = 236
"""Row of the panorama where the wall meets the floor."""
_CROP = 256.0
"""A crop of zoom 1 spans this many rows."""

Planes = NDArray[np.float32]


@dataclass(frozen=True)
class _Patch:
    """A rectangle on the wall: rows from `top` to `bottom`, columns from `left` on, and what it is."""

    kind: str
    left: int
    top: int
    width: int
    bottom: int


def backdrop(view: View) -> Planes:
    """The background of one picture, (3, H, W) linear colour or (1, H, W) for infrared."""
    scene = panorama(view.camera)
    height, width = view.framing.height, view.framing.width
    step = np.float32(_CROP / (view.zoom * height))
    ys = np.arange(height, dtype=np.float32) - np.float32(view.ground * height)
    rows = np.clip(np.floor(ys * step) + FLOOR, 0, HEIGHT - 1).astype(np.int64)
    columns = np.floor(np.arange(width, dtype=np.float32) * step + np.float32(view.backdrop * WIDTH))
    places = rows[:, None] * WIDTH + columns.astype(np.int64) % WIDTH
    planes: Planes = np.take(scene.reshape(len(scene), -1), places, axis=1)
    return planes


@lru_cache(maxsize=16)
def panorama(camera: Camera) -> Planes:
    """The whole background of a camera, (3 or 1, HEIGHT, WIDTH), linear reflectance."""
    tones = Stream("backdrop", camera.name)
    channels = 3 if camera.band == "rgb" else 1
    scene = np.empty((channels, HEIGHT, WIDTH), np.float32)
    wall = _tone(tones, channels, 0.30, 0.55, 0.12)
    scene[:, :FLOOR] = wall[:, None, None]
    layout = _indoor_layout(camera.room) if camera.indoor else _outdoor_layout(camera.room)
    for patch in layout:
        _paint(scene, patch, tones)
    if camera.indoor:
        scene[:, FLOOR - 9 : FLOOR] = _tone(tones, channels, 0.08, 0.2, 0.1)[:, None, None]
    _paint_floor(scene, camera, tones)
    dirt = smooth_field((HEIGHT, WIDTH), (14, 40), "dirt", camera.name)
    dirt += np.float32(0.5) * smooth_field((HEIGHT, WIDTH), (60, 200), "dirt-fine", camera.name)
    scene *= np.float32(0.70) + np.float32(0.4) * dirt
    return scene


def _tone(tones: Stream, channels: int, low: float, high: float, colour: float) -> Planes:
    """A random reflectance, with a random tint of the given strength when there are three channels."""
    value = tones.uniform(low, high)
    tints = [tones.uniform(-colour, colour) for _ in range(3)]
    shades = [value * (1.0 + tint) for tint in tints]
    return np.array(shades[:channels] if channels == 3 else [value], np.float32)


def _indoor_layout(room: str) -> list[_Patch]:
    stream = Stream("layout", room)
    patches = []
    left = 0.0
    while left < WIDTH - 60:
        kind = stream.choice({"door": 0.25, "poster": 0.3, "glass": 0.2, "pillar": 0.15, "shelf": 0.1})
        width = {"door": 74, "poster": 60, "glass": 150, "pillar": 34, "shelf": 110}[kind]
        wide = int(width * stream.uniform(0.8, 1.25))
        top, bottom = {
            "door": (40, FLOOR),
            "poster": (int(stream.uniform(50, 95)), int(stream.uniform(130, 165))),
            "glass": (30, FLOOR - int(stream.uniform(8, 70))),
            "pillar": (0, FLOOR),
            "shelf": (int(stream.uniform(80, 150)), FLOOR),
        }[kind]
        patches.append(_Patch(kind, int(left), top, wide, bottom))
        left += wide + stream.uniform(10, 70)
    return patches


def _outdoor_layout(room: str) -> list[_Patch]:
    stream = Stream("layout", room)
    patches = []
    left = 0.0
    while left < WIDTH - 100:
        kind = stream.choice({"hedge": 0.26, "facade": 0.34, "fence": 0.16, "trunk": 0.12, "car": 0.12})
        width = {"hedge": 200, "facade": 240, "fence": 150, "trunk": 30, "car": 190}[kind]
        wide = int(width * stream.uniform(0.8, 1.3))
        top, bottom = {
            "hedge": (int(stream.uniform(60, 150)), FLOOR + 4),
            "facade": (0, FLOOR),
            "fence": (int(stream.uniform(110, 150)), FLOOR),
            "trunk": (0, FLOOR + 5),
            "car": (int(stream.uniform(130, 150)), FLOOR + 8),
        }[kind]
        patches.append(_Patch(kind, int(left), top, wide, bottom))
        left += wide * stream.uniform(0.75, 1.15)
    return patches


def _paint(scene: Planes, patch: _Patch, tones: Stream) -> None:
    channels = scene.shape[0]
    area = scene[:, patch.top : patch.bottom, patch.left : patch.left + patch.width]
    tall, wide = area.shape[1:]
    ground = _tone(tones, channels, 0.05, 0.5, 0.3)[:, None, None]
    detail = _tone(tones, channels, 0.05, 0.6, 0.3)[:, None, None]
    rows, columns = np.arange(tall)[:, None], np.arange(wide)[None, :]
    area[:] = ground
    if patch.kind in ("door", "poster", "glass"):
        _frame(area, 4 if patch.kind == "poster" else 5, detail)
        if patch.kind == "poster":
            print_ = mottle()[rows * 2 % 256, (columns * 2 + patch.left) % 256]
            area[:, 8:-8, 8:-8] += ((detail - ground) * print_)[:, 8:-8, 8:-8] * np.float32(0.6)
        elif patch.kind == "glass":
            sheen = (np.floor((rows + columns) / 46) % 3 == 0).astype(np.float32)
            area *= 1 + np.float32(0.35) * sheen
            area[:, :, wide // 2 - 2 : wide // 2 + 2] = detail
        else:
            area[:, tall // 2 : tall // 2 + 7, wide - 14 : wide - 9] = detail
    elif patch.kind == "pillar":
        area *= (np.float32(1.15) - np.float32(0.5) * np.abs(columns / np.float32(wide) - np.float32(0.4)))[None]
    elif patch.kind == "shelf":
        area[:] = np.where(
            (rows % 34 < 4)[None],
            ground,
            detail * (np.float32(0.4) + np.float32(0.9) * mottle()[rows // 34 * 40 % 256, columns * 3 % 256]),
        )
    else:
        _paint_outdoor(area, patch, ground, detail)


def _paint_outdoor(area: Planes, patch: _Patch, ground: Planes, detail: Planes) -> None:
    tall, wide = area.shape[1:]
    rows, columns = np.arange(tall)[:, None], np.arange(wide)[None, :]
    if patch.kind == "hedge":
        leaves = mottle()[(rows * 2 + patch.left) % 256, columns * 2 % 256]
        area[:] = ground * (np.float32(0.35) + np.float32(0.75) * leaves)
        ragged = mottle()[7, columns[0] * 2 % 256] * 14
        area[:] = np.where((rows < ragged[None, :])[None], detail * np.float32(0.8) + np.float32(0.1), area)
    elif patch.kind == "facade":
        bricks = ((rows % 9 < 1) | ((columns + (rows // 9 % 2) * 9) % 18 < 1)).astype(np.float32)
        area *= 1 - np.float32(0.22) * bricks
        window = (rows % 104 > 22) & (rows % 104 < 84) & (columns % 76 > 16) & (columns % 76 < 60)
        bar = (columns % 76 > 36) & (columns % 76 < 40)
        area[:] = np.where((window & ~bar)[None], detail * np.float32(0.35), area)
    elif patch.kind == "fence":
        gap = (columns % 13 > 4) & (rows > 7) & (rows < tall - 6)
        area[:] = np.where(gap[None], detail, ground)
    elif patch.kind == "trunk":
        bark = mottle()[rows % 256, columns * 5 % 256]
        area *= np.float32(0.5) + np.float32(0.5) * bark
    else:
        cabin = (rows < tall * 0.45) & ((columns < wide * 0.18) | (columns > wide * 0.8))
        glass = (rows > tall * 0.08) & (rows < tall * 0.4) & (columns > wide * 0.24) & (columns < wide * 0.74)
        wheel_rows = rows > tall * 0.74
        wheels = wheel_rows & ((np.abs(columns - wide * 0.2) < 17) | (np.abs(columns - wide * 0.8) < 17))
        area[:] = np.where(wheels[None], np.float32(0.03), np.where(glass[None], np.float32(0.07), area))
        area[:] = np.where(cabin[None], detail, area)


def _frame(area: Planes, width: int, tone: Planes) -> None:
    area[:, :width] = tone
    area[:, :, :width] = tone
    area[:, :, -width:] = tone


def _paint_floor(scene: Planes, camera: Camera, tones: Stream) -> None:
    """Tiles or paving in perspective, brighter towards the camera, blotched outdoors."""
    floor = scene[:, FLOOR:]
    tall = HEIGHT - FLOOR
    tone = _tone(tones, scene.shape[0], 0.22, 0.42, 0.10)[:, None, None]
    below = np.arange(tall, dtype=np.float32)[:, None]
    columns = np.arange(WIDTH, dtype=np.float32)[None, :]
    away = np.float32(70.0) / (below + np.float32(26.0))
    size = np.float32(tones.uniform(2.2, 3.6))
    cross = away * size * 2
    # Joints run towards a vanishing point that repeats every 512 columns.
    sideways = (columns % 512 - 256) * away * size / np.float32(110.0)
    joints = (cross - np.floor(cross) < 0.07 * away) | (sideways - np.floor(sideways) < 0.05 * away)
    floor[:] = tone * (np.float32(0.88) + np.float32(0.0012) * below)
    floor *= 1 - np.float32(0.28) * joints.astype(np.float32)
    if not camera.indoor:
        stains = mottle()[(np.floor(away * 60)).astype(np.int64) % 256, np.arange(WIDTH)[None, :] % 256]
        floor *= np.float32(0.82) + np.float32(0.25) * stains
        floor[:, :7] *= np.float32(1.25)
        floor[:, 7:11] *= np.float32(0.6)
