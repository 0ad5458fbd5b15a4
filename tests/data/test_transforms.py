"""Augmentation: each operation by hand on crops that a reader can check, and bounds by hypothesis."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from tapetum.core import Modality
from tapetum.data.transforms import (
    Augmentation,
    augment,
    centred,
    erased_box,
    luminance,
    normalise,
    shifted,
    tone_curve,
    uncentred,
)

NOTHING = {"padding": 0, "flip": 0.0, "erasing": 0.0}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(height: int = 12, width: int = 6, seed: int = 0) -> np.ndarray:
    return rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8)


def test_the_defaults_are_the_fields() -> None:
    assert Augmentation().model_dump() == {
        "padding": 10,
        "border": "black",
        "flip": 0.5,
        "erasing": 0.5,
        "erasing_area": (0.02, 0.4),
        "erasing_aspect": 0.3,
        "grayscale": 0.0,
        "channel_exchange": 0.0,
        "tone": 0.0,
    }


@pytest.mark.parametrize("wrong", [{"flipp": 0.5}, {"flip": 1.5}, {"padding": -1}, {"erasing_area": (0.4, 0.02)}])
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Augmentation.model_validate(wrong)


def test_shift_by_hand() -> None:
    image = np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8)
    assert shifted(image, 1, 0).tolist() == [[[0, 0, 0], [1, 2, 3]]]
    assert shifted(image, -1, -1).tolist() == [[[5, 6, 0], [0, 0, 0]]]
    assert shifted(image, 0, 2).tolist() == [[[0, 0, 1], [0, 0, 4]]]


@given(down=st.integers(-9, 9), right=st.integers(-9, 9))
def test_a_shift_is_a_window_of_the_padded_crop(down: int, right: int) -> None:
    image = noise(5, 4)
    padded = np.pad(image, ((0, 0), (9, 9), (9, 9)))
    np.testing.assert_array_equal(shifted(image, down, right), padded[:, 9 - down : 14 - down, 9 - right : 13 - right])


def test_a_border_may_repeat_the_outermost_pixels() -> None:
    image = np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8)
    assert shifted(image, 1, 0, "edge").tolist() == [[[1, 2, 3], [1, 2, 3]]]
    assert shifted(image, -1, -1, "edge").tolist() == [[[5, 6, 6], [5, 6, 6]]]
    assert shifted(image, 0, 9, "edge").tolist() == [[[1, 1, 1], [4, 4, 4]]]
    source = np.random.default_rng(0).integers(1, 256, (3, 6, 5)).astype(np.uint8)
    settings = Augmentation(padding=3, border="edge", flip=0, erasing=0)
    assert all((augment(source, Modality.RGB, settings, np.random.default_rng(k)) > 0).all() for k in range(20))


def test_random_crops_reach_every_place_of_the_padding() -> None:
    image = np.zeros((3, 9, 9), dtype=np.uint8)
    image[:, 4, 4] = 255
    source, settings_ = rng(), Augmentation(padding=2, flip=0, erasing=0)
    found = {tuple(np.argwhere(augment(image, Modality.IR, settings_, source)[0])[0].tolist()) for _ in range(400)}
    assert found == {(y, x) for y in range(2, 7) for x in range(2, 7)}


def test_nothing_asked_nothing_changed() -> None:
    image = noise()
    for modality in Modality:
        np.testing.assert_array_equal(augment(image, modality, Augmentation(**NOTHING), rng()), image)


def test_flip_mirrors_left_and_right() -> None:
    image = noise()
    flipped = augment(image, Modality.RGB, Augmentation(**NOTHING | {"flip": 1.0}), rng())
    np.testing.assert_array_equal(flipped, image[:, :, ::-1])


def test_the_crop_handed_in_stays_as_it_is() -> None:
    image = noise()
    image.setflags(write=False)
    everything = Augmentation(padding=1, flip=1, erasing=1, grayscale=1, channel_exchange=1, tone=1)
    for modality in Modality:
        augment(image, modality, everything, rng())
        augment(image, modality, Augmentation(**NOTHING | {"erasing": 1.0}), rng())


def test_luminance_is_pillows() -> None:
    image = noise(64, 64)
    expected = np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L"))
    np.testing.assert_array_equal(luminance(image), expected)


def test_tone_curve_goes_through_its_levels() -> None:
    curve = tone_curve(np.array([0.0, 255, 100, 100, 0, 51]))
    assert curve[[0, 51, 102, 153, 204, 255]].tolist() == [0, 255, 100, 100, 0, 51]
    # Straight in between: grey 10 lies 10/51 of the way from 0 to 255 = 50; 225 lies 21/51 from 0 to 51 = 21.
    assert curve[[10, 120, 225]].tolist() == [50, 100, 21]


def test_tone_makes_equal_grey_values_equal_in_both_modalities() -> None:
    image = np.stack([np.arange(256, dtype=np.uint8).reshape(16, 16)] * 3)
    for modality in Modality:
        toned = augment(image, modality, Augmentation(**NOTHING | {"tone": 1.0}), rng(3))
        levels = rng(3)
        levels.random(4)  # top, left, flip and tone itself are drawn before
        np.testing.assert_array_equal(toned[1].reshape(-1), tone_curve(levels.random(6) * 255))
        assert (toned[0] == toned[1]).all()
        assert (toned[0] == toned[2]).all()
        steps = np.sign(np.diff(toned[0].reshape(-1).astype(int)))
        assert {-1, 1} <= set(steps.tolist())  # it rises and falls


def test_tone_reads_the_luminance_of_colours() -> None:
    image = noise()
    toned = augment(image, Modality.RGB, Augmentation(**NOTHING | {"tone": 1.0}), rng(3))
    levels = rng(3)
    levels.random(4)
    np.testing.assert_array_equal(toned, np.stack([tone_curve(levels.random(6) * 255)[luminance(image)]] * 3))


def test_channel_exchange_repeats_each_channel_a_third_of_the_time() -> None:
    image, source = noise(), rng()
    exchange = Augmentation(**NOTHING | {"channel_exchange": 1.0})
    counts = np.zeros(3, dtype=int)
    for _ in range(300):
        changed = augment(image, Modality.RGB, exchange, source)
        chosen = [c for c in range(3) if (changed == image[c]).all()]
        assert len(chosen) == 1
        counts[chosen[0]] += 1
    assert counts.min() >= 70


def test_grayscale_is_luminance_in_three_channels() -> None:
    image = noise()
    grey = augment(image, Modality.RGB, Augmentation(**NOTHING | {"grayscale": 1.0}), rng())
    np.testing.assert_array_equal(grey, np.stack([luminance(image)] * 3))


def test_infrared_has_neither_grayscale_nor_channel_exchange() -> None:
    image = noise()
    both = Augmentation(**NOTHING | {"grayscale": 1.0, "channel_exchange": 1.0})
    np.testing.assert_array_equal(augment(image, Modality.IR, both, rng()), image)


def test_erasing_fills_one_rectangle_with_the_mean() -> None:
    image = np.zeros((3, 40, 20), dtype=np.uint8)
    for seed in range(50):
        erased = augment(image, Modality.RGB, Augmentation(**NOTHING | {"erasing": 1.0}), rng(seed))
        rows, columns = np.nonzero(erased[0])
        box = erased[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        # round(255 * (.485, .456, .406)) = round(123.675, 116.28, 103.53)
        assert [np.unique(plane).tolist() for plane in box] == [[124], [116], [104]]
        assert box[0].size == len(rows)


def test_the_erased_value_is_about_zero_once_normalised() -> None:
    image = np.zeros((3, 40, 20), dtype=np.uint8)
    erased = augment(image, Modality.RGB, Augmentation(**NOTHING | {"erasing": 1.0}), rng())
    normal = normalise(torch.from_numpy(erased)[None] / 255)
    inside = normal[:, :, torch.from_numpy(erased[0] > 0)]
    assert inside.abs().max() < 0.01


@settings(max_examples=300, deadline=None)
@given(width=st.integers(16, 150), slimness=st.floats(1.5, 3), seed=st.integers(0, 2**32), least=st.floats(0.02, 0.3))
def test_erased_boxes_keep_area_and_aspect(width: int, slimness: float, seed: int, least: float) -> None:
    height = round(slimness * width)
    wanted = Augmentation(erasing_area=(least, 0.4))
    rows, columns = erased_box((height, width), wanted, rng(seed))
    tall, wide = rows.stop - rows.start, columns.stop - columns.start
    assert 0 <= rows.start <= rows.stop <= height
    assert 0 <= columns.start <= columns.stop <= width
    # Sides are rounded to whole pixels: each may be half a pixel off.
    assert (tall - 0.5) * (wide - 0.5) <= 0.4 * height * width
    assert (tall + 0.5) * (wide + 0.5) >= least * height * width
    assert (tall + 0.5) / (wide - 0.5) >= 0.3
    assert (tall - 0.5) / (wide + 0.5) <= 1 / 0.3


def test_a_rectangle_that_cannot_fit_is_not_erased() -> None:
    whole = Augmentation(erasing_area=(1.0, 1.0))
    assert erased_box((30, 10), whole, rng()) == (slice(0, 0), slice(0, 0))


def test_each_probability_is_kept() -> None:
    image, source = noise(), rng()
    for name in ("flip", "erasing", "grayscale", "channel_exchange", "tone"):
        settings_ = Augmentation(**NOTHING | {name: 0.3})
        changed = sum(not np.array_equal(augment(image, Modality.RGB, settings_, source), image) for _ in range(1000))
        assert 250 <= changed <= 350, name  # 0.3 within 3.5 standard deviations


def test_the_same_seed_makes_the_same_crop() -> None:
    image = noise(40, 20)
    everything = Augmentation(grayscale=0.3, channel_exchange=0.3, tone=0.3)
    first, again, other = (augment(image, Modality.RGB, everything, rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_normalise_by_hand() -> None:
    # Red .485 + .229 is one deviation above the mean; green 0 is .456 / .224 = 2.035714 below; blue .406 is the mean.
    images = torch.tensor([0.714, 0.0, 0.406]).view(1, 3, 1, 1).expand(2, 3, 2, 2)
    expected = torch.tensor([1.0, -2.035714, 0.0]).view(1, 3, 1, 1).expand(2, 3, 2, 2)
    torch.testing.assert_close(normalise(images), expected)


def test_centred_and_back() -> None:
    images = torch.tensor([0.0, 0.25, 1.0])
    assert centred(images).tolist() == [-1, -0.5, 1]
    torch.testing.assert_close(uncentred(centred(images)), images)
