"""Decoding: a picture file becomes uint8 pixels of one size, the same pixels on every machine.

JPEG goes through `simplejpeg` where it is installed; everything else, and every JPEG that `simplejpeg` finds fault
with, goes through Pillow. The pixels are the same, `simplejpeg` is faster. Infrared is read as
luminance: a JPEG's own Y plane, else ITU-R 601. Resizing is Pillow's antialiased bilinear in every case. It is integer
arithmetic and thus the same everywhere; torchvision's is faster where the processor has AVX2, but its pixels depend on
the processor, so that embeddings made on two machines would differ.
"""

from __future__ import annotations

import importlib
import importlib.util
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tapetum.core import Modality
from tapetum.errors import DataError

Pixels = NDArray[np.uint8]

_SIMPLEJPEG: Any = importlib.import_module("simplejpeg") if importlib.util.find_spec("simplejpeg") else None
_JPEG_START = b"\xff\xd8\xff"
_EXIF_MARK = b"Exif\x00\x00"


def decode(path: Path, modality: Modality, size: tuple[int, int]) -> Pixels:
    """The picture at `path` as uint8 (3, H, W) for `size` = (H, W); infrared has three equal channels.

    Raises DataError naming the file and what is wrong with it, as `read_picture` does.
    """
    return resized(read_picture(path, modality), size)


def resized(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture (h, w) or (h, w, 3) as uint8 (3, H, W) for `size` = (H, W); grey gets three equal channels."""
    height, width = size
    scaled = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    pixels: Pixels = np.asarray(scaled)  # (H, W) or (H, W, 3)
    if pixels.ndim == 2:
        return np.repeat(pixels[None], 3, axis=0)  # (3, H, W)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (3, H, W)


def read_picture(path: Path, modality: Modality) -> Pixels:
    """The picture at its own size and upright: uint8 (h, w, 3) for RGB, (h, w) luminance for infrared.

    16-bit grey is scaled by the range of its type (65535 becomes 255); transparency is ignored; a grey RGB picture gets
    three equal channels; of several pages the first counts.
    Raises DataError when the file is missing, unreadable, empty, truncated or no picture.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist. Put the picture there or take it out of the list.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. Give permission or leave it out.") from error
    return picture_in(data, str(path), modality)


def picture_in(data: bytes, name: str, modality: Modality) -> Pixels:
    """The picture that these bytes hold, as `read_picture` gives it. name: what errors call it.

    Raises DataError when they are empty, damaged or no picture.
    """
    if not data:
        raise DataError(f"{name} is empty (0 bytes). Copy the picture again or leave it out.")
    pixels = _with_simplejpeg(data, modality)
    return _with_pillow(name, data, modality) if pixels is None else pixels


def _with_simplejpeg(data: bytes, modality: Modality) -> Pixels | None:
    """A plain, whole JPEG's pixels; None for whatever Pillow must judge."""
    if _SIMPLEJPEG is None or not data.startswith(_JPEG_START) or _EXIF_MARK in data:
        return None  # EXIF may ask for a turn, which Pillow does
    try:
        height, width, colours, _ = _SIMPLEJPEG.decode_jpeg_header(data)
        if colours not in ("YCbCr", "Gray") or height * width > (Image.MAX_IMAGE_PIXELS or 0):
            return None
        if modality is Modality.IR:
            grey: Pixels = _SIMPLEJPEG.decode_jpeg(data, colorspace="GRAY")[:, :, 0]
            return grey
        rgb: Pixels = _SIMPLEJPEG.decode_jpeg(data, colorspace="RGB")
    except ValueError:
        return None
    return rgb


def _with_pillow(name: str, data: bytes, modality: Modality) -> Pixels:
    wanted = "L" if modality is Modality.IR else "RGB"
    try:
        with Image.open(BytesIO(data)) as opened:
            if wanted == "L":
                opened.draft("L", None)  # a JPEG hands out its own Y plane
            image = _eight_bits(name, ImageOps.exif_transpose(opened))
            if "transparency" in image.info:
                image = image.convert("RGBA")  # a palette's transparent entries are not understood by "RGB"
            return np.asarray(image.convert(wanted))
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not a picture that Pillow knows. Replace it or leave it out.") from error
    except Exception as error:  # Pillow's readers raise errors of many kinds on damaged bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name} is damaged: {reason}. Copy the picture again or leave it out.") from error


def _eight_bits(name: str, image: Image.Image) -> Image.Image:
    """16-bit grey -> 8-bit grey, 0 ... 65535 to 0 ... 255, rounded; other modes as they are."""
    if image.mode == "F":
        raise DataError(f"{name} holds floating-point values without a range. Save it with 8 or 16 bits.")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise DataError(f"{name} holds values from {values.min()} to {values.max()}. Save it with 8 or 16 bits.")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
