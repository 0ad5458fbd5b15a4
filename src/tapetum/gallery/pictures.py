"""What a gallery takes from a picture: its pixels at the model's size, a thumbnail, and a hash of its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image
from torch.utils.data import Dataset as TorchDataset

from tapetum.core import Modality
from tapetum.data.decoding import Pixels, picture_in, resized
from tapetum.data.loading import made_by_workers
from tapetum.errors import DataError
from tapetum.gallery.embedder import BATCH

THUMBNAIL = (96, 192)
"""Width and height in pixels that a thumbnail fits into."""
_QUALITY = 75
_HASH_BYTES = 16


@dataclass(frozen=True)
class Picture:
    """content: BLAKE2b-128 of the bytes, in hex. pixels: uint8 (3, H, W), empty where no size was asked for.

    thumbnail: a small JPEG.
    """

    content: str
    pixels: Pixels
    thumbnail: bytes

    @classmethod
    def of(cls, content: str, whole: Pixels, size: tuple[int, int] | None) -> Self:
        """From a decoded picture, (h, w) or (h, w, 3), for a model's size = (H, W), or for none."""
        return cls(content, np.empty((3, 0, 0), np.uint8) if size is None else resized(whole, size), _thumbnail(whole))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A crop that comes in, as `GalleryRow` tells it; path: its file, absolute."""

    path: str
    camera: str
    modality: Modality
    person: int | None = None
    site: str | None = None
    time: datetime | None = None


def content_of(data: bytes) -> str:
    """What tells two pictures apart: BLAKE2b-128 of their bytes, in hex."""
    return hashlib.blake2b(data, digest_size=_HASH_BYTES).hexdigest()


def picture_of(data: bytes, name: str, modality: Modality, size: tuple[int, int] | None) -> Picture:
    """The picture in these bytes, for a model's size = (H, W), or for none. Raises DataError, calling it `name`."""
    return Picture.of(content_of(data), picture_in(data, name, modality), size)


def read_bytes(path: str) -> bytes:
    """The bytes of a picture's file. Raises DataError."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist. Put the picture there or take it out of the list.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. Give permission or leave it out.") from error


def batches_of(arrivals: Sequence[Arrival], places: Sequence[int]) -> list[list[int]]:
    """These places in batches for the model, each of one modality."""
    return [
        rows[start : start + BATCH]
        for rows in ([place for place in places if arrivals[place].modality is m] for m in Modality)
        for start in range(0, len(rows), BATCH)
    ]


def read_pictures(
    arrivals: Sequence[Arrival], batches: Sequence[Sequence[int]], size: tuple[int, int] | None, workers: int
) -> Iterator[list[Picture | DataError]]:
    """For each batch of places in `arrivals` its pictures, or what is wrong with them, read by `workers` processes."""
    return made_by_workers(_Reader(arrivals, size), batches, workers)


class _Reader(TorchDataset[list[Picture | DataError]]):
    """Places -> pictures."""

    def __init__(self, arrivals: Sequence[Arrival], size: tuple[int, int] | None) -> None:
        self._arrivals, self._size = arrivals, size

    def __getitem__(self, places: Sequence[int]) -> list[Picture | DataError]:
        return [self._read(self._arrivals[place]) for place in places]

    def _read(self, one: Arrival) -> Picture | DataError:
        try:
            return picture_of(read_bytes(one.path), one.path, one.modality, self._size)
        except DataError as error:
            return error


def _thumbnail(whole: Pixels) -> bytes:
    image = Image.fromarray(whole)
    image.thumbnail(THUMBNAIL, Image.Resampling.BILINEAR)
    written = BytesIO()
    image.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
