"""Tiles of fixed noise, made once per process: folds of cloth, grain of sensors, dirt of walls.

Every picture looks up its own places in them, so no noise is drawn per pixel and per picture.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tapetum.data.synthetic.random_keys import normal_field, random_field

TILE = 256
_GRAIN = 1 << 19


def smooth_field(shape: tuple[int, int], cells: tuple[int, int], *key: str | int) -> NDArray[np.float32]:
    """Random values on a grid of cells, blended smoothly in between, in [0, 1]; wraps around at all borders."""
    grid = random_field(cells, *key)
    rows, row_share = _places(shape[0], cells[0])
    columns, column_share = _places(shape[1], cells[1])
    below, right = (rows + 1) % cells[0], (columns + 1) % cells[1]
    upper = grid[rows][:, columns] * (1 - column_share) + grid[rows][:, right] * column_share
    lower = grid[below][:, columns] * (1 - column_share) + grid[below][:, right] * column_share
    blended = upper * (1 - row_share[:, None]) + lower * row_share[:, None]
    return blended.astype(np.float32, copy=False)


def _places(count: int, cells: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    place = np.arange(count, dtype=np.float32) * np.float32(cells / count)
    cell = np.floor(place)
    share = place - cell
    eased: NDArray[np.float32] = share * share * (3 - 2 * share)
    return cell.astype(np.int64), eased


@lru_cache(maxsize=1)
def fold_slopes() -> NDArray[np.float32]:
    """Slopes of cloth (2, TILE, TILE), across and along the garment: slanted folds. Rows run along the garment."""
    height = smooth_field((TILE, TILE), (10, 6), "folds", 1)
    height = height + 0.55 * smooth_field((TILE, TILE), (26, 10), "folds", 2)
    # Ridges: the crease where two slopes meet is what a fold looks like.
    height = np.abs(height - np.float32(0.78))
    across = (np.roll(height, -2, axis=1) - np.roll(height, 2, axis=1)) * np.float32(6.0)
    along = (np.roll(height, -2, axis=0) - np.roll(height, 2, axis=0)) * np.float32(6.0)
    return np.stack((across, along))


@lru_cache(maxsize=1)
def mottle() -> NDArray[np.float32]:
    """Coarse and fine blotches (TILE, TILE) in [0, 1]: printed cloth, dirt, leaves."""
    coarse = smooth_field((TILE, TILE), (20, 20), "mottle", 1)
    return np.clip((coarse * 0.7 + 0.3 * smooth_field((TILE, TILE), (48, 48), "mottle", 2) - 0.5) * 5 + 0.5, 0, 1)


@lru_cache(maxsize=1)
def grain() -> NDArray[np.float32]:
    """Sensor noise: normal values in one long row, mean 0 and deviation 1."""
    return normal_field(_GRAIN, "grain")


def grain_window(shape: tuple[int, int], place: int) -> NDArray[np.float32]:
    """A stretch of the grain as a picture (H, W), starting where `place` (any number) says; it repeats if need be."""
    count = shape[0] * shape[1]
    start = place % _GRAIN
    if start + count <= _GRAIN:
        return grain()[start : start + count].reshape(shape)
    return np.take(grain(), np.arange(start, start + count), mode="wrap").reshape(shape)
