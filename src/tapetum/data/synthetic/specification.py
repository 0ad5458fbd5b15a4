"""What a synthetic dataset is made from: a frozen specification, and the presets that have a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from tapetum.errors import RecipeError

GENERATOR_VERSION = 1
"""Raised with every change that alters a pixel or an attribute; written into `synth.json`."""

_STRICT = ConfigDict(extra="forbid")
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Strength = Annotated[float, Field(ge=0.0, le=4.0)]


@checked_dataclass(frozen=True, config=_STRICT)
class Factors:
    """How identities differ from each other.

    spread: multiplies the deviation of every body and clothing measure.
    flat: 0 keeps the everyday shares of hair styles, clothes and bags, 1 makes all equally likely.
    pattern: chance that the upper or inner garment has a pattern. pattern_nir: that it survives in near-infrared.
    nir_visible: 0 draws near-infrared reflectances independently of the visible ones, 1 copies the visible luminance.
    """

    spread: Strength = 1.6
    flat: Probability = 0.5
    pattern: Probability = 0.7
    pattern_nir: Probability = 0.8
    nir_visible: Probability = 0.0


@checked_dataclass(frozen=True, config=_STRICT)
class Nuisance:
    """How pictures of one person differ from each other.

    yaw_sd: degrees around the camera's main headings; yaw_any: chance of any heading at all.
    jitter: deviation of the crop's borders, as a share of its height. occluder, bystander: chances.
    noise, blur, resolution: multiply each camera's sensor noise, blur and crop height.
    habit_keep: chance that a person's arm habit (phone, pocket, strap) shows in a picture.
    """

    yaw_sd: Annotated[float, Field(ge=0.0, le=180.0)] = 15.0
    yaw_any: Probability = 0.05
    jitter: Annotated[float, Field(ge=0.0, le=0.1)] = 0.02
    occluder: Probability = 0.05
    bystander: Probability = 0.03
    noise: Strength = 0.5
    blur: Strength = 0.5
    resolution: Annotated[float, Field(ge=0.3, le=4.0)] = 1.1
    habit_keep: Probability = 0.95


@checked_dataclass(frozen=True, config=_STRICT)
class SynthesisSpec:
    """Everything that decides the bytes of a synthetic dataset.

    seed: of the dataset; another seed gives other people. train, val, test: numbers of persons, in this order of ids.
    per_camera: images per person and camera ("sysu", six cameras), or per person and band ("regdb").
    mode: "sysu" (RGB and near-infrared, SYSU-MM01's folders) or "regdb" (RGB and thermal, RegDB's folders).
    truth: "none"; "parts": part maps and keypoints; "all": also depth and the parameters of each view.
    missing_camera: chance that a person was not seen by a camera (at least one RGB and one infrared camera stay).
    Raises RecipeError (through `SynthesisSpec.parse`) or pydantic's ValidationError for values out of range.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    train: Annotated[int, Field(ge=1, le=9000)] = 200
    val: Annotated[int, Field(ge=0, le=9000)] = 25
    test: Annotated[int, Field(ge=1, le=9000)] = 100
    per_camera: Annotated[int, Field(ge=1, le=999)] = 4
    factors: Factors = field(default_factory=Factors)
    nuisance: Nuisance = field(default_factory=Nuisance)
    mode: Literal["sysu", "regdb"] = "sysu"
    truth: Literal["none", "parts", "all"] = "none"
    missing_camera: Annotated[float, Field(ge=0.0, le=0.8)] = 0.0

    def __post_init__(self) -> None:
        if self.persons > 9999:
            raise ValueError(
                f"{self.persons} persons are asked for, and folders have four digits. Ask for 9999 at most."
            )

    @property
    def persons(self) -> int:
        """How many persons the dataset has; their ids are 1 ... persons."""
        return self.train + self.val + self.test

    def split_ids(self) -> dict[str, range]:
        """The ids of each split: first train, then val, then test."""
        first_val, first_test = 1 + self.train, 1 + self.train + self.val
        return {
            "train": range(1, first_val),
            "val": range(first_val, first_test),
            "test": range(first_test, 1 + self.persons),
        }

    def to_json(self) -> dict[str, Any]:
        """The specification as plain values, complete: `parse` reads it back."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    @staticmethod
    def parse(values: Mapping[str, Any]) -> SynthesisSpec:
        """Read plain values. Raises RecipeError naming the first field that is unknown or out of range."""
        try:
            return _ADAPTER.validate_python(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "specification"
            raise RecipeError(f"synthetic dataset: {where} = {first['input']!r}: {first['msg']}.") from error


_ADAPTER = TypeAdapter(SynthesisSpec)


_EVERYDAY = Factors(spread=1.0, flat=0.0, pattern=0.35, pattern_nir=0.4)
_HARSH = Nuisance(
    yaw_sd=25.0,
    yaw_any=0.25,
    jitter=0.04,
    occluder=0.2,
    bystander=0.1,
    noise=1.0,
    blur=1.0,
    resolution=1.0,
    habit_keep=0.8,
)

PRESETS: Mapping[str, SynthesisSpec] = {
    "tiny": SynthesisSpec(train=8, val=0, test=4, per_camera=2),
    "small": SynthesisSpec(),
    "wide": SynthesisSpec(train=100, val=25, test=100, per_camera=10),
    "medium": SynthesisSpec(train=296, val=99, test=96, per_camera=12),
    "hard-small": SynthesisSpec(factors=_EVERYDAY, nuisance=_HARSH),
}
"""tiny: for tests. small: the demo. wide: few persons, many images. medium: SYSU-MM01's numbers of persons.
hard-small: as small, with everyday clothes (few patterns), any heading, and more occlusion, noise and blur."""
