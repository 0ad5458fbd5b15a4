"""What is true of generated pictures: pose, body, clothes and colours, drawn again from the dataset's own record.

The generator draws everything from keyed streams, so the truth of a picture follows from `synth.json`, the person, the
camera and the picture's number; no file of truth is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapetum.core import Crop, FloatArray, Modality
from tapetum.data.synthetic import Identity, SynthesisSpec, View, make_identity, read_manifest, sample_view
from tapetum.data.synthetic.materials import HAIR, LOWER, SKIN, UPPER
from tapetum.data.synthetic.pictures import camera_numbers, picture_path
from tapetum.data.synthetic.random_keys import cosine, sine
from tapetum.data.synthetic.specification import GENERATOR_VERSION
from tapetum.errors import InputError

_Look = tuple[Identity, View]


@dataclass(frozen=True)
class Target:
    """One true thing about N pictures.

    group, name: words. values: (N, k) numbers, or (N,) kinds as words. light: the pictures that it can be seen in.
    """

    group: str
    name: str
    values: FloatArray | NDArray[np.str_]
    light: Modality | None = None

    @property
    def is_kind(self) -> bool:
        """Whether it is one of several kinds, and no number."""
        return self.values.ndim == 1


def synthetic_truth(root: Path, crops: Sequence[Crop]) -> list[Target] | None:
    """What is true of `crops` of the dataset at `root`; None where it was not generated, or by another generator."""
    try:
        manifest = read_manifest(root)
    except InputError:
        return None
    if manifest is None or manifest.generator != GENERATOR_VERSION:
        return None
    looks = _looks(manifest.spec, crops)
    return None if looks is None else _targets(manifest.spec, looks, crops)


def _looks(spec: SynthesisSpec, crops: Sequence[Crop]) -> list[_Look] | None:
    """Who and how each crop shows; None where one is no picture of this dataset."""
    places: dict[str, tuple[int, int, int]] = {}
    for person in sorted({crop.person for crop in crops if crop.person is not None}):
        for camera in camera_numbers(spec, person):
            for index in range(1, spec.per_camera + 1):
                places[str(picture_path(spec, person, camera, index))] = person, camera, index
    if any(crop.path not in places for crop in crops):
        return None
    identities = {person: make_identity(spec, person) for person, _, _ in places.values()}
    found = [places[crop.path] for crop in crops]
    return [(identities[p], sample_view(spec, identities[p], camera, index)) for p, camera, index in found]


def _targets(spec: SynthesisSpec, looks: Sequence[_Look], crops: Sequence[Crop]) -> list[Target]:
    numbers = [
        Target(group, name, np.array([read(*look) for look in looks], dtype=np.float64), light)
        for group, name, light, read in _NUMBERS
        if spec.mode == "sysu" or group != _REFLECTANCE
    ]
    kinds = [Target(group, name, np.array([str(read(*look)) for look in looks])) for group, name, read in _KINDS]
    light = Target("light", "visible or infrared", np.array([str(crop.modality) for crop in crops]))
    order = ("pose", "body shape", "attributes", _COLOUR, _REFLECTANCE)
    return [*sorted([*numbers, *kinds], key=lambda target: order.index(target.group)), light]


def _step(_: Identity, view: View) -> list[float]:
    """How far the legs are apart: 0 for one who stands, up to about 1."""
    return [abs(sine(view.phase)) * view.stride if view.walking else 0.0]


def _measure(name: str) -> Callable[[Identity, View], list[float]]:
    return lambda identity, _: [getattr(identity.structure.body, name)]


def _colour(material: int) -> Callable[[Identity, View], list[float]]:
    """The ground colour as a screen shows it: square roots of linear red, green and blue."""
    return lambda identity, _: [value**0.5 for value in identity.appearance.colours[material]]


def _reflectance(material: int) -> Callable[[Identity, View], list[float]]:
    return lambda identity, _: [identity.near_infrared.grounds[material]]


_COLOUR, _REFLECTANCE = "visible colour", "infrared reflectance"
_NUMBERS: tuple[tuple[str, str, Modality | None, Callable[[Identity, View], list[float]]], ...] = (
    ("pose", "heading", None, lambda _, view: [sine(view.yaw), cosine(view.yaw)]),
    ("pose", "step", None, _step),
    *(
        ("body shape", words, None, _measure(name))
        for name, words in (
            ("build", "build"), ("belly", "belly"), ("shoulder", "shoulders"), ("hip", "hips"), ("leg", "leg length"),
            ("head", "head size"), ("stoop", "stoop"),
        )
    ),
    *(
        (_COLOUR, words, Modality.RGB, _colour(material))
        for material, words in ((UPPER, "upper garment"), (LOWER, "lower garment"), (HAIR, "hair"), (SKIN, "skin"))
    ),
    *(
        (_REFLECTANCE, words, Modality.IR, _reflectance(material))
        for material, words in ((UPPER, "upper garment"), (LOWER, "lower garment"))
    ),
)  # fmt: skip
_KINDS: tuple[tuple[str, str, Callable[[Identity, View], Any]], ...] = (
    ("pose", "walks or stands", lambda _, view: view.walking),
    ("attributes", "upper garment", lambda identity, _: identity.structure.clothes.upper),
    ("attributes", "lower garment", lambda identity, _: identity.structure.clothes.lower),
    ("attributes", "hair", lambda identity, _: identity.structure.hair),
    ("attributes", "headwear", lambda identity, _: identity.structure.headwear),
    ("attributes", "carried", lambda identity, _: identity.structure.carried),
)
