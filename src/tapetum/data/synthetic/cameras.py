"""The six cameras (SYSU-MM01's: 1, 2, 4, 5 colour, 3 and 6 near-infrared) and RegDB's pair of colour and heat.

What a camera fixes for all its pictures: band, room, height, the ways people walk past it, crop size, exposure, tint,
blur and noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Band = Literal["rgb", "nir", "thermal"]


@dataclass(frozen=True)
class Camera:
    """One camera.

    room: cameras with the same room share the layout of the background, not its reflectances. indoor: kind of room.
    pitch: degrees that it looks down. distance: in body heights. headings: main directions people face (0: towards it).
    size: mean height of a crop in pixels. exposure and tint (red, green, blue) multiply light.
    blur: in pixels at a height of 200. noise: deviation in grey levels of 255.
    """

    name: str
    band: Band
    room: str
    indoor: bool
    pitch: float
    distance: float
    headings: tuple[float, ...]
    size: float
    exposure: float
    tint: tuple[float, float, float]
    blur: float
    noise: float


CAMERAS = (
    Camera("cam1", "rgb", "hall", True, 13.0, 5.0, (0.0, 180.0, 35.0), 205.0, 1.05, (1.04, 1.00, 0.86), 0.7, 4.0),
    Camera("cam2", "rgb", "office", True, 17.0, 4.2, (-25.0, 150.0, 70.0), 215.0, 0.92, (0.98, 0.95, 1.04), 0.9, 4.5),
    Camera("cam3", "nir", "office", True, 15.0, 4.6, (20.0, 180.0, -75.0), 190.0, 1.00, (1.0, 1.0, 1.0), 0.9, 7.5),
    Camera("cam4", "rgb", "yard", False, 10.0, 7.5, (0.0, 180.0, -60.0), 180.0, 1.08, (0.96, 1.00, 0.97), 1.1, 4.0),
    Camera("cam5", "rgb", "gate", False, 8.0, 8.5, (80.0, -95.0, 15.0), 175.0, 0.95, (0.95, 0.98, 1.08), 1.0, 5.0),
    Camera("cam6", "nir", "lane", False, 12.0, 6.0, (0.0, 165.0, 85.0), 185.0, 0.95, (1.0, 1.0, 1.0), 1.1, 9.0),
)
REGDB_CAMERAS = (
    Camera("visible", "rgb", "yard", False, 10.0, 7.5, (0.0, 180.0, -60.0), 128.0, 1.08, (0.96, 1.0, 0.97), 0.8, 4.0),
    Camera("thermal", "thermal", "yard", False, 10.0, 7.5, (0.0, 180.0, -60.0), 128.0, 1.0, (1.0, 1.0, 1.0), 1.6, 5.0),
)
