"""What is drawn on the garments' surface: straps, zips, collars, open fronts, faces (structure), patterns (appearance).

Overlays of structure change a pixel's material and part, so they show in every band and in the part map; they never
look at the appearance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapetum.data.synthetic.materials import BAG2, HAIR, INNER, SKIN, UPPER, Pattern
from tapetum.data.synthetic.noise import TILE, fold_slopes, mottle
from tapetum.data.synthetic.random_keys import Stream
from tapetum.data.synthetic.shapes import Part
from tapetum.data.synthetic.structure import Structure
from tapetum.data.synthetic.surface import Pixels, Surface, add_relief

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
    _face(surface, structure, shade)
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


def _face(surface: Surface, structure: Structure, shade: Pixels) -> None:
    face = np.flatnonzero(surface.part == Part.FACE)
    if len(face) == 0:
        return
    across, front = np.abs(surface.across[face]), surface.front[face] > 0
    # Heights of the features relative to the face's own lowest and highest pixel are stable in every view.
    rows = surface.v[face]
    eyes = front & (np.abs(across - 0.017) < 0.0065) & (np.abs(rows - rows.min() - 0.072) < 0.0045)
    mouth = front & (across < 0.012) & (np.abs(rows - rows.min() - 0.026) < 0.0035)
    shade[face[eyes]] *= 0.35
    shade[face[mouth]] *= 0.62


def add_folds(surface: Surface, structure: Structure, seed: int) -> None:
    """Folds of all cloth, and the quilting of puffers: relief, so every band sees them."""
    clothes = structure.clothes
    cloth = np.flatnonzero((surface.material >= UPPER) & (surface.material <= UPPER + 2))
    if len(cloth) == 0:
        return
    stream = Stream(seed, "folds")
    shift_u, shift_v = stream.uniform(0, TILE), stream.uniform(0, TILE)
    # A tile spans 0.62 body heights around and 0.8 along; parts are set apart so that sleeves differ from trunks.
    part = surface.part[cloth].astype(np.float32) * np.float32(37.0)
    u = np.floor(surface.arc[cloth] * np.float32(410.0) + part + np.float32(shift_u)).astype(np.int64) % TILE
    v = np.floor(surface.v[cloth] * np.float32(320.0) + part + np.float32(shift_v)).astype(np.int64) % TILE
    slopes = fold_slopes()
    strength = np.where(surface.part[cloth] == Part.TORSO, np.float32(clothes.drape), np.float32(0.6))
    strength = strength * np.float32(0.9)
    across, along = slopes[0][v, u] * strength, slopes[1][v, u] * strength
    if clothes.upper == "puffer":
        quilted = surface.material[cloth] == UPPER
        place = surface.v[cloth] * np.float32(1.0 / 0.034)
        wave = (place - np.floor(place)) * 2 - 1
        along = np.where(quilted, along * np.float32(0.3) - wave * wave * wave * np.float32(1.2), along)
    add_relief(surface, cloth, (across, along))


def pattern_share(surface: Surface, rows: _Rows, pattern: Pattern) -> Pixels:
    """How much of the pattern's second tone each of these pixels shows, 0 ... 1, softened at edges below a pixel."""
    v, arc = surface.v[rows], surface.arc[rows]
    if pattern.kind == "h-stripe":
        return _stripes(v, pattern, surface.pixel)
    if pattern.kind == "v-stripe":
        return _stripes(arc, pattern, surface.pixel)
    if pattern.kind == "check":
        first, second = _stripes(v, pattern, surface.pixel), _stripes(arc, pattern, surface.pixel)
        return (first + second) * np.float32(0.5)
    if pattern.kind == "logo":
        return _logo(surface, rows, pattern)
    if pattern.kind == "noise":
        scale = np.float32(6.0 / pattern.pitch)
        u_place = np.floor(arc * scale + np.float32(pattern.phase * TILE)).astype(np.int64) % TILE
        v_place = np.floor(v * scale).astype(np.int64) % TILE
        return mottle()[v_place, u_place]
    return np.zeros(len(rows), np.float32)


def _stripes(place: Pixels, pattern: Pattern, pixel: float) -> Pixels:
    turns = place * np.float32(1.0 / pattern.pitch) + np.float32(pattern.phase)
    wave = np.abs((turns - np.floor(turns)) * 2 - 1)  # 0 in the middle of a stripe, 1 between two
    sharp = min(max(0.5 * pattern.pitch / pixel, 1.0), 12.0)
    stripe = np.clip((np.float32(pattern.share) - wave) * np.float32(sharp) + np.float32(0.5), 0, 1)
    # Repeats of less than three pixels would only alias: they fade into their mean.
    seen = min(max(pattern.pitch / pixel / 2.0 - 1.0, 0.0), 1.0)
    return stripe * np.float32(seen) + np.float32((1.0 - seen) * pattern.share)


def _logo(surface: Surface, rows: _Rows, pattern: Pattern) -> Pixels:
    wide, tall = np.float32(0.03 + 0.045 * pattern.share), np.float32(0.02 + 0.6 * pattern.pitch)
    middle = np.float32(0.70 + 0.03 * pattern.phase)
    inside = (
        (surface.part[rows] == Part.TORSO)
        & (surface.front[rows] > 0)
        & (np.abs(surface.across[rows]) < wide)
        & (np.abs(surface.v[rows] - middle) < tall)
    )
    hole = (np.abs(surface.across[rows]) < wide * np.float32(0.45)) & (
        np.abs(surface.v[rows] - middle) < tall * np.float32(0.4)
    )
    return (inside & ~hole).astype(np.float32)


def hairline(surface: Surface) -> _Rows:
    """Pixels of hair, for its sheen."""
    return np.flatnonzero(surface.material == HAIR)
