"""Augmentation of training crops, and the one place that normalises.

Augmentation works on uint8 crops (3, H, W) in NumPy with a generator handed in: nothing draws from a global state. It
is own code: `torchvision.transforms.v2` draws from torch's global generator and takes ten times as long for crop,
flip and erasing (`benchmarks/loading.py`).
Sources: random erasing, Zhong et al. 2020; channel exchange and channel-mean erasing, Ye et al. 2021 (CAJ).
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tapetum.core import Modality
from tapetum.data.decoding import Pixels

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_ERASED = np.array([round(255 * mean) for mean in IMAGENET_MEAN], dtype=np.uint8)  # about zero once normalised
_ERASING_ATTEMPTS = 100
_TONE_KNOTS = np.linspace(0, 255, 6)

Border = Literal["black", "edge"]
Probability = Annotated[float, Field(ge=0, le=1)]


class Augmentation(BaseModel):
    """What is done to training crops, in this order: crop, flip, tone, channel exchange, grayscale, erasing.

    The defaults are the field's common frame with random erasing; each probability is per crop. CAJ also changes the
    channels of infrared crops, which does nothing to grey ones and is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    padding: int = Field(
        default=10, ge=0, description="Pixels added on each side before a random crop of the old size."
    )
    border: Border = Field(default="black", description="What these show: black, or edge: the outermost pixels.")
    flip: Probability = Field(default=0.5, description="Probability of mirroring left and right.")
    erasing: Probability = Field(
        default=0.5,
        description="Probability of filling a rectangle with the ImageNet mean of each channel (CAJ's erasing too).",
    )
    erasing_area: tuple[Probability, Probability] = Field(
        default=(0.02, 0.4), description="Least and largest erased share of the crop (DEEN on SYSU-MM01: 0.2 and 0.8)."
    )
    erasing_aspect: float = Field(
        default=0.3, gt=0, le=1, description="Least height : width of the rectangle; the largest is its inverse."
    )
    grayscale: Probability = Field(
        default=0.0, description="RGB: probability of luminance in all three channels (DEEN: 0.5)."
    )
    channel_exchange: Probability = Field(
        default=0.0, description="RGB: probability of one random channel in all three (CAJ's second RGB view: 1)."
    )
    tone: Probability = Field(
        default=0.0,
        description="Both: probability of luminance sent through a random curve of 5 segments (synthetic people: 0.7).",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Augmentation:
        least, largest = self.erasing_area
        if not 0 < least <= largest:
            raise ValueError(f"erasing_area must be two rising shares above 0, given {least} and {largest}")
        return self


def augment(image: Pixels, modality: Modality, settings: Augmentation, rng: np.random.Generator) -> Pixels:
    """A changed copy of one crop: uint8 (3, H, W) -> uint8 (3, H, W); `image` itself stays as it is."""
    top, left = (int(rng.random() * (2 * settings.padding + 1)) for _ in range(2))
    changed = shifted(image, settings.padding - top, settings.padding - left, settings.border)
    if rng.random() < settings.flip:
        changed = changed[:, :, ::-1]
    if rng.random() < settings.tone:
        curve = tone_curve(rng.random(len(_TONE_KNOTS)) * 255)
        changed = np.repeat(curve[luminance(changed)][None], 3, axis=0)
    if modality is Modality.RGB and rng.random() < settings.channel_exchange:
        changed = np.repeat(changed[int(rng.random() * 3)][None], 3, axis=0)
    if modality is Modality.RGB and rng.random() < settings.grayscale:
        changed = np.repeat(luminance(changed)[None], 3, axis=0)
    if rng.random() < settings.erasing:
        rows, columns = erased_box(image.shape[1:], settings, rng)
        changed[:, rows, columns] = _ERASED[:, None, None]
    return changed


def shifted(image: Pixels, down: int, right: int, border: Border = "black") -> Pixels:
    """The crop moved by whole pixels: a padded crop's window. (3, H, W) -> a copy.

    Where nothing comes in it is black, or the crop's outermost row or column again.
    """
    height, width = image.shape[1:]
    if border == "edge":
        rows, columns = (np.clip(np.arange(n) - by, 0, n - 1) for n, by in ((height, down), (width, right)))
        return image[:, rows[:, None], columns]
    moved = np.zeros_like(image)
    moved[:, _inside(down, height), _inside(right, width)] = image[:, _inside(-down, height), _inside(-right, width)]
    return moved


def _inside(offset: int, length: int) -> slice:
    """Which of `length` places are still inside after a move by `offset`."""
    return slice(max(offset, 0), max(min(length + offset, length), 0))


def luminance(image: Pixels) -> Pixels:
    """ITU-R 601 luminance, rounded as Pillow rounds it: (3, H, W) -> (H, W)."""
    red, green, blue = image.astype(np.uint32)
    grey: Pixels = ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(np.uint8)
    return grey


def tone_curve(levels: NDArray[np.float64]) -> Pixels:
    """A look-up table (256,) through `levels` (6,) in [0, 255] at the grey values 0, 51, ..., 255, straight in between.

    Levels drawn freely make a curve that rises and falls: cloth that is dark in RGB and bright in infrared, and back.
    """
    return np.rint(np.interp(np.arange(256), _TONE_KNOTS, levels)).astype(np.uint8)


def erased_box(size: tuple[int, ...], settings: Augmentation, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns to erase in a crop of (H, W): area and aspect drawn evenly, again until it lies inside.

    Both slices are empty when no rectangle fits after 100 draws.
    """
    height, width = size
    least, largest = settings.erasing_area
    for _ in range(_ERASING_ATTEMPTS):
        area = (least + rng.random() * (largest - least)) * height * width
        aspect = settings.erasing_aspect + rng.random() * (1 / settings.erasing_aspect - settings.erasing_aspect)
        tall, wide = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if tall < height and wide < width:
            top, left = int(rng.random() * (height - tall + 1)), int(rng.random() * (width - wide + 1))
            return slice(top, top + tall), slice(left, left + wide)
    return slice(0, 0), slice(0, 0)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """(x - mean) / std with ImageNet's values: images (N, 3, H, W) in [0, 1] -> the same shape, as a trunk expects."""
    mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (images - mean) / std


def denormalise(pictures: torch.Tensor) -> torch.Tensor:
    """The inverse of `normalise`: what a generator painted -> images (N, 3, H, W), about in [0, 1]."""
    mean, std = (pictures.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return pictures * std + mean


def centred(images: torch.Tensor) -> torch.Tensor:
    """2 x - 1: images in [0, 1] -> the range [-1, 1] of painters that end in a hyperbolic tangent."""
    return 2 * images - 1


def uncentred(pictures: torch.Tensor) -> torch.Tensor:
    """The inverse of `centred`."""
    return (pictures + 1) / 2


def signed(images: torch.Tensor) -> torch.Tensor:
    """Images in [0, 1] -> pictures in [-1, 1], as networks read and paint them that do not start from ImageNet."""
    return 2 * images - 1


def unsigned(pictures: torch.Tensor) -> torch.Tensor:
    """The inverse of `signed`: pictures, about in [-1, 1] -> images, about in [0, 1]."""
    return (pictures + 1) / 2
