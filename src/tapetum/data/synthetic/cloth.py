"""Cloth: its folds (relief, in every band) and its printed or woven patterns (appearance)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapetum.data.synthetic.materials import INNER, LOWER, UPPER, Pattern
from tapetum.data.synthetic.noise import TILE, fold_slopes, mottle
from tapetum.data.synthetic.random_keys import Stream
from tapetum.data.synthetic.shapes import Part
from tapetum.data.synthetic.structure import Structure
from tapetum.data.synthetic.surface import Pixels, Surface, add_relief

_Rows = NDArray[np.int64]
_QUILT = 0.034
"""Height of one quilted row of a puffer jacket, in body heights."""


def add_folds(surface: Surface, structure: Structure, seed: int) -> None:
    """Folds of all cloth, and the quilting of puffers: relief, so every band sees them."""
    clothes = structure.clothes
    material = surface.material
    cloth = np.flatnonzero((material == UPPER) | (material == INNER) | (material == LOWER))
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
        place = surface.v[cloth] * np.float32(1.0 / _QUILT)
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
        both: Pixels = (first + second) * np.float32(0.5)
        return both
    if pattern.kind == "logo":
        return _logo(surface, rows, pattern)
    if pattern.kind == "noise":
        scale = np.float32(6.0 / pattern.pitch)
        u_place = np.floor(arc * scale + np.float32(pattern.phase * TILE)).astype(np.int64) % TILE
        v_place = np.floor(v * scale).astype(np.int64) % TILE
        blotches: Pixels = mottle()[v_place, u_place]
        return blotches
    return np.zeros(len(rows), np.float32)


def _stripes(place: Pixels, pattern: Pattern, pixel: float) -> Pixels:
    turns = place * np.float32(1.0 / pattern.pitch) + np.float32(pattern.phase)
    wave = np.abs((turns - np.floor(turns)) * 2 - 1)  # 0 in the middle of a stripe, 1 between two
    sharp = min(max(0.5 * pattern.pitch / pixel, 1.0), 12.0)
    stripe = np.clip((np.float32(pattern.share) - wave) * np.float32(sharp) + np.float32(0.5), 0, 1)
    # Repeats of less than three pixels would only alias: they fade into their mean.
    seen = min(max(pattern.pitch / pixel / 2.0 - 1.0, 0.0), 1.0)
    softened: Pixels = stripe * np.float32(seen) + np.float32((1.0 - seen) * pattern.share)
    return softened


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
    drawn: Pixels = (inside & ~hole).astype(np.float32)
    return drawn
