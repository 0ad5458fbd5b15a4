"""What the structure draws on the surface: open fronts, necklines, zips, straps, hems, faces.

These overlays change a pixel's material and part, so they show in every band and in the part map; they never
look at the appearance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapetum.data.synthetic.materials import BAG2, INNER, SKIN, UPPER
from tapetum.data.synthetic.shapes import Part
from tapetum.data.synthetic.structure import Structure
from tapetum.data.synthetic.surface import Pixels, Surface

_TRUNK_TOP = 0.832
_Rows = NDArray[np.int64]


def dress(surface: Surface, structure: Structure) -> Pixels:
    """Lay the structure's overlays on the surface. Returns a factor of light (N,) for seams, buttons and hems."""
    shade = np.ones(len(surface.at), np.float32)
    trunk = np.flatnonzero((surface.part == Part.TORSO) & (surface.material == UPPER))
    _open_front(surface, trunk, structure)
    _neckline(surface, trunk, structure)
    _fastening(surface, trunk, structure, shade)
    _straps(surface, trunk, structure)
    _edges(surface, structure, shade)
    _face(surface, shade)
    return shade


def _open_front(surface: Surface, trunk: _Rows, structure: Structure) -> None:
    if not structure.clothes.open_front:
        return
    v = surface.v[trunk]
    half = 0.010 + 0.055 * np.clip((np.float32(0.83) - v) * np.float32(3.0), 0, 1)
    shown = trunk[(surface.front[trunk] > 0) & (np.abs(surface.across[trunk]) < half) & (v < 0.845)]
    surface.material[shown] = INNER


def _neckline(surface: Surface, trunk: _Rows, structure: Structure) -> None:
    clothes = structure.clothes
    depth = {"tee": 0.030, "shirt": 0.034, "jacket": 0.0, "coat": 0.0, "puffer": 0.0}[clothes.upper]
    if depth == 0.0:
        return
    slope = np.float32(0.35 if clothes.upper == "tee" else 0.62)
    fall = np.float32(_TRUNK_TOP + 0.012 - depth) + np.abs(surface.across[trunk]) * slope
    bare = trunk[(surface.front[trunk] > 0) & (surface.v[trunk] > fall)]
    surface.material[bare] = SKIN
    surface.part[bare] = Part.NECK


def _fastening(surface: Surface, trunk: _Rows, structure: Structure, shade: Pixels) -> None:
    clothes = structure.clothes
    if clothes.upper == "tee" or clothes.open_front:
        return
    half = max(0.0035, 0.7 * surface.pixel)
    line = trunk[(surface.front[trunk] > 0) & (np.abs(surface.across[trunk]) < half)]
    shade[line] *= 0.72 if clothes.upper == "shirt" else 0.45


def _straps(surface: Surface, trunk: _Rows, structure: Structure) -> None:
    v, across, front = surface.v[trunk], surface.across[trunk], surface.front[trunk]
    if structure.carried == "backpack":
        strap = (np.abs(np.abs(across) - 0.056) < 0.0105) & (v > 0.665) & ((front > 0) | (v > 0.79))
    elif structure.carried == "shoulder_bag":
        # From the shoulder on the other side, over chest and back, down to the bag.
        side = -1.0 if structure.carried_right else 1.0
        strap = np.abs(across * side + (v - 0.67) * 0.62) < 0.0095
    else:
        return
    rows = trunk[strap]
    surface.material[rows] = BAG2
    surface.part[rows] = Part.BAG


def _edges(surface: Surface, structure: Structure, shade: Pixels) -> None:
    """A darker seam at the lower edge of the upper garment, and the sole of the shoes."""
    hem = structure.clothes.hem
    upper = surface.material == UPPER
    seam = upper & (surface.part == Part.TORSO) & (np.abs(surface.v - (hem + 0.009)) < 0.0035)
    shade[seam] *= 0.78


def _face(surface: Surface, shade: Pixels) -> None:
    face = np.flatnonzero(surface.part == Part.FACE)
    if len(face) == 0:
        return
    across, front = np.abs(surface.across[face]), surface.front[face] > 0
    # The chin is the face's lowest pixel; eyes and mouth lie at fixed heights above it.
    above_chin = surface.v[face] - surface.v[face].min()
    eyes = front & (np.abs(across - 0.017) < 0.0065) & (np.abs(above_chin - 0.072) < 0.0045)
    mouth = front & (across < 0.012) & (np.abs(above_chin - 0.026) < 0.0035)
    shade[face[eyes]] *= 0.35
    shade[face[mouth]] *= 0.62
