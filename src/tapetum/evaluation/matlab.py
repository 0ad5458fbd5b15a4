"""Matlab files: the official form of SYSU-MM01 features, `feature{person}(image, :)` in one file per camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from tapetum.core import Crop, FloatArray
from tapetum.data.sysu_mm01 import CAMERA_MODALITY
from tapetum.errors import DataError, EmbeddingError


def load_matlab(path: Path, key: str) -> NDArray[Any]:
    """One variable of a .mat file. Raises DataError for a file or variable that is missing or cannot be read."""
    if not path.is_file():
        raise DataError(f"{path} does not exist. Expected a Matlab file with the variable '{key}'.")
    try:
        variables = scipy.io.loadmat(path)
    except NotImplementedError as error:
        raise DataError(
            f"{path} is a Matlab 7.3 (HDF5) file. Save it with `save(..., '-v7')` in Matlab or Octave."
        ) from error
    except Exception as error:  # scipy raises whatever a broken byte leads to: TypeError, ValueError, zlib.error ...
        raise DataError(f"{path} is not a readable Matlab file. Save it again with `save(..., '-v7')`.") from error
    if key not in variables:
        names = [name for name in variables if not name.startswith("__")]
        raise DataError(f"{path} has no variable '{key}'. Found: {', '.join(sorted(names)) or 'none'}.")
    found: NDArray[Any] = variables[key]
    return found


def as_cells(value: NDArray[Any], path: Path) -> list[NDArray[Any]]:
    """A 1 x N or N x 1 cell array as a list. Raises DataError for anything else."""
    if value.dtype != object or value.size != max(value.shape, default=0):
        raise DataError(f"{path} holds {value.dtype} of shape {value.shape}. Expected a cell array, 1 x N or N x 1.")
    return [np.asarray(cell) for cell in value.ravel()]


def read_matlab_features(folder: Path) -> tuple[FloatArray, tuple[Crop, ...]]:
    """Read `*_cam1.mat` ... `*_cam6.mat`: (N, D) float64 vectors, and the crops they stand for.

    Row i of cell `id` is image i of person `id`; its crop is `cam<camera>/<id>/<i>.jpg`, four digits each.
    Raises EmbeddingError naming file, cell and row: a missing or second file, other dimensions, a non-finite value.
    """
    vectors: list[FloatArray] = []
    crops: list[Crop] = []
    for camera, modality in CAMERA_MODALITY.items():
        path = _file_of(folder, camera)
        for person, values in enumerate(as_cells(load_matlab(path, "feature"), path), start=1):
            if values.size == 0:
                continue
            vectors.append(_checked(values, path, person))
            if vectors[-1].shape[1] != vectors[0].shape[1]:
                raise EmbeddingError(
                    f"{path}: feature{{{person}}} has {vectors[-1].shape[1]} dimensions, and {crops[0].path} has"
                    f" {vectors[0].shape[1]}. Give all features the same length."
                )
            names = (f"cam{camera}/{person:04d}/{image:04d}.jpg" for image in range(1, len(values) + 1))
            crops.extend(Crop(name, person, camera, modality) for name in names)
    if not vectors:
        raise EmbeddingError(f"{folder}: all cells of all cameras are empty. Expected feature{{id}}(image, :).")
    return np.concatenate(vectors), tuple(crops)


def _file_of(folder: Path, camera: str) -> Path:
    found = sorted(folder.glob(f"*_cam{camera}.mat"))
    if len(found) != 1:
        several = f" ({', '.join(path.name for path in found)})" if found else ""
        raise EmbeddingError(
            f"{folder} has {len(found)} files *_cam{camera}.mat{several}. Expected one for each camera 1 ... 6."
        )
    return found[0]


def _checked(values: NDArray[Any], path: Path, person: int) -> FloatArray:
    """One cell as float64; a float32 value keeps its exact value."""
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise EmbeddingError(
            f"{path}: feature{{{person}}} is {values.dtype} of shape {values.shape}. Expected images x dimensions."
        )
    broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(broken):
        raise EmbeddingError(
            f"{path}: feature{{{person}}} has a value that is not finite in row {broken[0] + 1}. Compute it again."
        )
    return values.astype(np.float64)
