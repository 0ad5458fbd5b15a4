"""Decoding: exact pixels by hand, the same with and without simplejpeg, and one sentence for every broken file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tapetum.core import Modality
from tapetum.data import decoding
from tapetum.data.decoding import decode, read_picture
from tapetum.errors import DataError

SIZE = (16, 8)


def picture(height: int = 24, width: int = 12, seed: int = 0) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (6, 3, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height))


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def without_simplejpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_SIMPLEJPEG", None)


def test_rgb_planes_come_in_order(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.new("RGB", (5, 9), (10, 20, 30)))
    pixels = decode(path, Modality.RGB, SIZE)
    assert pixels.shape == (3, 16, 8)
    assert pixels.dtype == np.uint8
    assert pixels.flags["C_CONTIGUOUS"]
    assert [np.unique(plane).tolist() for plane in pixels] == [[10], [20], [30]]


def test_infrared_is_luminance_in_three_channels(tmp_path: Path) -> None:
    # ITU-R 601: .299 * 200 + .587 * 100 + .114 * 50 = 59.8 + 58.7 + 5.7 = 124.2
    path = saved(tmp_path / "a.png", Image.new("RGB", (5, 9), (200, 100, 50)))
    pixels = decode(path, Modality.IR, SIZE)
    assert pixels.shape == (3, 16, 8)
    assert np.unique(pixels).tolist() == [124]


def test_halving_averages_with_the_triangle(tmp_path: Path) -> None:
    # Antialiased bilinear to half the width: weights 1/8 3/8 3/8 1/8 inside; at the border 3/7 3/7 1/7.
    row = np.array([[0, 0, 0, 255, 255, 255, 255, 255]], dtype=np.uint8).repeat(2, axis=0)
    path = saved(tmp_path / "a.png", Image.fromarray(row))
    halved = decode(path, Modality.IR, (2, 4))[0, 0]
    # 0 and 0 and 0; (0 + 0 + 3 * 255 + 255) / 8 = 127.5; then all 255
    assert halved.tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("modality", list(Modality))
def test_both_decoders_give_the_same_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subsampling: int, modality: Modality
) -> None:
    if decoding._SIMPLEJPEG is None:
        pytest.skip("simplejpeg is not installed")
    path = saved(tmp_path / "a.jpg", picture(61, 27), quality=80, subsampling=subsampling)
    fast = decoding._with_simplejpeg(path.read_bytes(), modality)
    assert fast is not None
    monkeypatch.setattr(decoding, "_SIMPLEJPEG", None)
    np.testing.assert_array_equal(fast, read_picture(path, modality))


def test_a_jpeg_with_another_name_is_read_by_its_content(tmp_path: Path) -> None:
    jpeg = saved(tmp_path / "a.jpg", picture())
    renamed = tmp_path / "b.png"
    renamed.write_bytes(jpeg.read_bytes())
    np.testing.assert_array_equal(read_picture(jpeg, Modality.RGB), read_picture(renamed, Modality.RGB))


def test_exif_turns_the_picture_upright(tmp_path: Path) -> None:
    sideways = Image.new("RGB", (32, 16), "black")
    sideways.paste("white", (0, 0, 16, 16))  # white on the left; turned by a quarter clockwise it is on top
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.jpg", sideways, exif=exif, quality=95)
    upright = read_picture(path, Modality.RGB)
    assert upright.shape == (32, 16, 3)
    assert upright[2].min() > 250
    assert upright[-3].max() < 5


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_is_scaled_by_its_type(tmp_path: Path, suffix: str) -> None:
    # 65535 / 255 = 257: 0, 1 * 257, 128 * 257, 65535; and 128.4999 * 257 = 33024 rounds down
    values = np.array([[0, 257, 32896, 65535, 33024]], dtype=np.uint16)
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(values))
    assert read_picture(path, Modality.IR).tolist() == [[0, 1, 128, 255, 128]]
    assert read_picture(path, Modality.RGB)[0, 2].tolist() == [128, 128, 128]


def test_palette_transparency_and_cmyk(tmp_path: Path) -> None:
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    palette = red.convert("P", palette=Image.Palette.ADAPTIVE)
    transparent = Image.new("RGBA", (4, 4), (255, 0, 0, 7))
    files = [
        saved(tmp_path / "p.png", palette),
        saved(tmp_path / "t.png", palette, transparency=bytes([0] * 4)),
        saved(tmp_path / "a.png", transparent),
        saved(tmp_path / "c.jpg", red.convert("CMYK"), quality=95),
        saved(tmp_path / "c.tiff", red.convert("CMYK")),
    ]
    for path in files:
        assert np.abs(read_picture(path, Modality.RGB)[1, 1].astype(int) - (255, 0, 0)).max() <= 2, path


def test_a_grey_picture_of_an_rgb_camera_has_three_channels(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        path = saved(tmp_path / name, Image.new("L", (4, 4), 77))
        assert np.unique(read_picture(path, Modality.RGB)).tolist() == [77]
        assert read_picture(path, Modality.RGB).shape == (4, 4, 3)


def test_missing_empty_and_foreign_files_are_named(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.jpg", tmp_path / "text.jpg"
    empty.touch()
    text.write_text("not a picture")
    wide = saved(tmp_path / "wide.tiff", Image.fromarray(np.full((2, 2), 70000, dtype=np.int32)))
    floats = saved(tmp_path / "floats.tiff", Image.fromarray(np.full((2, 2), 0.5, dtype=np.float32)))
    for path, words in [
        (tmp_path / "none.jpg", "does not exist"),
        (tmp_path, "cannot be read: Is a directory"),
        (empty, "is empty (0 bytes)"),
        (text, "is not a picture"),
        (wide, "values from 70000 to 70000"),
        (floats, "floating-point"),
    ]:
        with pytest.raises(DataError) as caught:
            read_picture(path, Modality.IR)
        assert str(path) in str(caught.value)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_truncated_picture_is_named(tmp_path: Path, kind: str) -> None:
    data = encoded(picture(100, 50), kind)
    path = tmp_path / "cut"
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(DataError, match=r"cut is damaged: .* Copy the picture again"):
        decode(path, Modality.RGB, SIZE)


@pytest.mark.usefixtures("without_simplejpeg")
def test_a_truncated_jpeg_is_named_by_pillow_alone(tmp_path: Path) -> None:
    test_a_truncated_picture_is_named(tmp_path, "JPEG")


def test_a_picture_of_absurd_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "big.jpg", picture(40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)  # Pillow refuses twice this number
    with pytest.raises(DataError, match=r"big\.jpg is damaged: Image size \(1600 pixels\) exceeds limit"):
        read_picture(path, Modality.RGB)


ORIGINALS = [encoded(picture(), kind) for kind in ("JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(original=st.sampled_from(ORIGINALS), place=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.booleans())
@pytest.mark.filterwarnings("ignore")
def test_damage_gives_pixels_or_one_sentence(
    tmp_path: Path, original: bytes, place: int, value: int, cut: bool
) -> None:
    place %= len(original)
    damaged = original[:place] if cut else original[:place] + bytes([value]) + original[place + 1 :]
    path = tmp_path / "damaged"
    path.write_bytes(damaged)
    said = ""
    try:
        assert decode(path, Modality.IR, SIZE).shape == (3, *SIZE)
    except DataError as error:
        said = str(error)
    assert not said or str(path) in said
    assert "\n" not in said
