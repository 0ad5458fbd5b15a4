"""The pictures of one person: which there are, and rendering them all into memory."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from tapetum.data.synthetic.cameras import CAMERAS, REGDB_CAMERAS
from tapetum.data.synthetic.identity import make_identity
from tapetum.data.synthetic.random_keys import Stream
from tapetum.data.synthetic.rendering import Truth, render, render_image
from tapetum.data.synthetic.specification import SynthesisSpec
from tapetum.data.synthetic.views import sample_view


@dataclass(frozen=True)
class Album:
    """One person's files: path within the dataset -> content, and the SHA-256 of all pixels before compression."""

    files: dict[PurePosixPath, bytes]
    pixels: str
    images: int


def camera_numbers(spec: SynthesisSpec, person: int) -> list[int]:
    """The cameras (1 ...) that saw a person. Some colour and some infrared camera always did."""
    cameras = CAMERAS if spec.mode == "sysu" else REGDB_CAMERAS
    numbers = range(1, len(cameras) + 1)
    if spec.missing_camera == 0:
        return list(numbers)
    stream = Stream(spec.seed, "seen", person)
    seen = {number for number in numbers if not stream.chance(spec.missing_camera)}
    for colour in (True, False):
        band = [number for number in numbers if (cameras[number - 1].band == "rgb") is colour]
        spare = band[int(stream.uniform(0, len(band)))]
        if not seen.intersection(band):
            seen.add(spare)
    return sorted(seen)


def picture_path(spec: SynthesisSpec, person: int, camera: int, index: int) -> PurePosixPath:
    """Where a picture lies in the dataset. RegDB's names carry the band and the person, SYSU-MM01's only numbers."""
    if spec.mode == "sysu":
        return PurePosixPath(f"cam{camera}/{person:04d}/{index:04d}.jpg")
    band, letter = (("Visible", "v"), ("Thermal", "t"))[camera - 1]
    return PurePosixPath(f"{band}/{person}/{letter}_{index:05d}_{person}.bmp")


def draw_album(spec: SynthesisSpec, person: int) -> Album:
    """Render all pictures of a person, with the truth that the specification asks for."""
    files: dict[PurePosixPath, bytes] = {}
    digest = hashlib.sha256()
    keypoints: dict[str, Any] = {}
    views: dict[str, Any] = {}
    identity = make_identity(spec, person)
    count = 0
    for camera, index in _pictures(spec, person):
        view = sample_view(spec, identity, camera, index)
        path = picture_path(spec, person, camera, index)
        if spec.truth == "none":
            image = render_image(identity, view)
        else:
            image, truth = render(identity, view)
            files |= _truth_files(spec, path, truth)
            keypoints[str(path)] = _plain_keypoints(truth)
            views[str(path)] = asdict(view) | {"camera": view.camera.name}
        digest.update(image.tobytes())
        files[path] = _encoded(image, path.suffix, view.quality)
        count += 1
    if spec.truth != "none":
        files[PurePosixPath(f"truth/keypoints/{person:04d}.json")] = _json(keypoints)
    if spec.truth == "all":
        files[PurePosixPath(f"truth/views/{person:04d}.json")] = _json(views)
    return Album(files, digest.hexdigest(), count)


def _pictures(spec: SynthesisSpec, person: int) -> Iterator[tuple[int, int]]:
    for camera in camera_numbers(spec, person):
        for index in range(1, spec.per_camera + 1):
            yield camera, index


def _encoded(image: np.ndarray[Any, np.dtype[np.uint8]], suffix: str, quality: int) -> bytes:
    stream = io.BytesIO()
    if suffix == ".jpg":
        Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    else:
        Image.fromarray(image).save(stream, "BMP")
    return stream.getvalue()


def _truth_files(spec: SynthesisSpec, path: PurePosixPath, truth: Truth) -> dict[PurePosixPath, bytes]:
    files = {PurePosixPath("truth/parts") / path.with_suffix(".png"): _png(truth.part)}
    if spec.truth == "all":
        # 16 bits: 32768 is the body's middle, 10000 steps are a body height, 0 is nothing.
        levels = np.where(np.isnan(truth.depth), np.float32(-3.2768), np.clip(truth.depth, -3.2, 3.2))
        depth = np.floor(levels * np.float32(10000.0) + np.float32(32768.5)).astype(np.uint16)
        files[PurePosixPath("truth/depth") / path.with_suffix(".png")] = _png(depth)
    return files


def _png(values: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


def _plain_keypoints(truth: Truth) -> dict[str, list[float | bool]]:
    return {name: [round(point.x, 2), round(point.y, 2), point.visible] for name, point in truth.keypoints.items()}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=0) + "\n").encode()
