"""Where pixels come from: decoded anew each time, or from a memory-mapped file that holds every crop decoded once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tapetum.core import Crop
from tapetum.data.decoding import Pixels, decode
from tapetum.errors import DataError
from tapetum.outputs import atomic_file

_VERSION = 1  # raise it when `decode` gives other pixels: old files are then left aside
_CHUNK = 256


@dataclass(frozen=True)
class Decoder:
    """Row of `crops` -> its pixels, uint8 (3, H, W), decoded from the file under `root`; raises DataError."""

    root: Path
    crops: Sequence[Crop]
    size: tuple[int, int]

    def __call__(self, row: int) -> Pixels:
        """Decode one crop."""
        crop = self.crops[row]
        return decode(self.root / crop.path, crop.modality, self.size)


@dataclass
class PixelCache:
    """Row -> its pixels, uint8 (3, H, W), from a file that `build_cache` made; processes share its pages.

    places: row -> place in the file.
    """

    path: Path
    places: Mapping[int, int]
    _pixels: Pixels | None = field(default=None, init=False, repr=False)

    def __call__(self, row: int) -> Pixels:
        """Read one crop. The result is a view of the file and cannot be written to."""
        if self._pixels is None:
            self._pixels = self._opened()
        crop: Pixels = self._pixels[self.places[row]]
        return crop

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pixels": None}  # a worker maps the file itself instead of being sent its bytes

    def _opened(self) -> Pixels:
        try:
            pixels: Pixels = np.load(self.path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path} is no readable cache of pixels. Delete it; it is made again.") from error
        return pixels


def build_cache(source: Decoder, rows: Sequence[int], folder: Path) -> PixelCache:
    """The cache of some rows of `source` in `folder`, decoded now by all cores unless it is there already.

    The file's name is a fingerprint of each crop's path, modality, bytes and time of change, and of the image size, so
    that a changed picture makes a new file; files may be deleted at any time. They take 3 x H x W bytes per crop.
    Raises DataError for the first picture that cannot be decoded, OutputError when the file cannot be written.
    """
    cache = PixelCache(folder / f"pixels-{_fingerprint(source, rows)}.npy", {row: at for at, row in enumerate(rows)})
    if not cache.path.is_file():
        with atomic_file(cache.path) as temporary:
            _write(source, rows, temporary)
    return cache


def _write(source: Decoder, rows: Sequence[int], path: Path) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(rows), 3, *source.size)}
    with path.open("wb") as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), _CHUNK):
            for pixels in pool.map(source, rows[start : start + _CHUNK]):
                file.write(pixels.data)  # not through a memory map, where a full disk would kill the process


def _fingerprint(source: Decoder, rows: Sequence[int]) -> str:
    digest = hashlib.sha256(json.dumps([_VERSION, source.size]).encode())
    for crop in (source.crops[row] for row in rows):
        path = source.root / crop.path
        try:
            facts = path.stat()
        except OSError as error:
            raise DataError(
                f"{path} cannot be read: {error.strerror}. Put it there or take it out of the list."
            ) from error
        digest.update(json.dumps([str(path), crop.modality, facts.st_size, facts.st_mtime_ns]).encode())
    return digest.hexdigest()[:16]
