"""Open every image of a dataset and say which are broken, or are not what they are said to be."""

from __future__ import annotations

import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tapetum.core import Crop, Modality
from tapetum.data.findings import Finding, Notes
from tapetum.data.interrupts import interrupts_held

Progress = Callable[[int, int], None]
"""Told how many images are done, and of how many."""

Item = tuple[Path, frozenset[Modality]]
"""An image and the modalities it stands for; both, where a colour image also serves as pseudo-infrared."""

_CHUNK = 64
_READABLE_MODES = {Modality.RGB: ("RGB",), Modality.IR: ("RGB", "L")}
# Mean over an image of max - min of its three channels, of 255. A grey image saved as JPEG has 0. Of 1,184 daylight
# crops (PKU-Reid-74) one in a hundred stays below 4.6, one in twenty below 12.
_GREY_SPREAD = 0.5
_COLOURED_SPREAD = 12.0


def images_of(root: Path, crops: Iterable[Crop]) -> list[Item]:
    """Every image of a dataset once, in the order of its crops."""
    modalities: dict[str, set[Modality]] = defaultdict(set)
    for crop in crops:
        modalities[crop.path].add(crop.modality)
    return [(root / path, frozenset(found)) for path, found in modalities.items()]


def open_all(items: list[Item], workers: int, progress: Progress | None = None) -> list[Finding]:
    """Decode every image in `workers` processes (1: in this one) and give what is wrong with each.

    At any time each worker holds one decoded image, and a few hundred paths wait.
    """
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    findings: list[Finding] = []
    done = 0
    for chunk, found in zip(chunks, _opened(chunks, workers), strict=True):
        findings.extend(found)
        done += len(chunk)
        if progress:
            progress(done, len(items))
    return findings


def _opened(chunks: list[list[Item]], workers: int) -> Iterator[list[Finding]]:
    if workers <= 1 or len(chunks) <= 1:
        yield from map(_open_chunk, chunks)
        return
    # Pillow's decoders keep Python's lock, so threads would gain nothing. A few chunks at a time bound what waits.
    wave = workers * 4
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for start in range(0, len(chunks), wave):
            with interrupts_held():  # the pool starts its processes here
                opened = pool.map(_open_chunk, chunks[start : start + wave])
            yield from opened


def _open_chunk(items: list[Item]) -> list[Finding]:
    notes = Notes(strict=False)
    for path, modalities in items:
        _open(path, modalities, notes)
    return notes.findings


def _open(path: Path, modalities: frozenset[Modality], notes: Notes) -> None:
    try:
        if path.stat().st_size == 0:
            notes.error(path, "is empty (0 bytes). Copy it again.")
            return
        with Image.open(path) as image:
            image.load()
            _note_mode(path, image, modalities, notes)
    except UnidentifiedImageError:
        notes.error(path, "is not an image in any known format. Copy it again, or remove it.")
    except PermissionError:
        notes.error(path, "cannot be read: permission denied. Give read access to it.")
    except FileNotFoundError:
        notes.error(path, "does not exist. Restore it, or take it out of the list.")
    except Exception as error:  # decoders tell of broken data in many ways (OSError, SyntaxError, struct.error ...)
        notes.error(path, f"is broken or cut off ({str(error).rstrip('.')}). Copy it again.")


def _note_mode(path: Path, image: Image.Image, modalities: frozenset[Modality], notes: Notes) -> None:
    for modality in sorted(modalities):
        allowed = _READABLE_MODES[modality]
        if image.mode not in allowed:
            notes.error(
                path,
                f"has mode {image.mode}, and {modality} images have {' or '.join(allowed)}. Convert it to 8-bit RGB.",
            )
            return
    if image.mode != "RGB" or len(modalities) > 1:
        return
    spread = _channel_spread(image)
    if Modality.RGB in modalities and spread < _GREY_SPREAD:
        notes.warning(path, "is an rgb image without any colour. Is it an infrared one?")
    if Modality.IR in modalities and spread > _COLOURED_SPREAD:
        notes.warning(path, f"is an ir image in colour (channels {spread:.0f} of 255 apart). Is it an rgb one?")


def _channel_spread(image: Image.Image) -> float:
    """Mean over the pixels of max - min of the three channels, 0 to 255, taken on a reduced image to be quick."""
    pixels = np.asarray(image.reduce(4)).astype(np.int16)  # (h, w, 3)
    return float((pixels.max(axis=2) - pixels.min(axis=2)).mean())
