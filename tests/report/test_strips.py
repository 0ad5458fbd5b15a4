"""Ranked strips: the colours and marks that say right, wrong and unknown, read back from the picture's pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tapetum.core import Crop, Modality
from tapetum.errors import OutputError
from tapetum.gallery.search import Hit
from tapetum.report.strips import Strip, draw_strips, open_crop, same_person, write_strips

GREEN, RED, GREY, BLUE = (26, 127, 55), (207, 34, 46), (110, 119, 129), (10, 88, 202)
ORANGE = (240, 160, 30)
LEFT, STEP, FIRST = 16, 134, 190  # the query's left edge, from tile to tile, the first answer's left edge


def crop(person: int | None, path: str = "face.png", camera: str = "2") -> Crop:
    return Crop(path, person, camera, Modality.RGB)


def strip(*persons: int | None, path: str = "face.png") -> Strip:
    hits = [Hit(rank, rank, crop(person, path), 0.9 - rank / 10) for rank, person in enumerate(persons, start=1)]
    return Strip(Crop("face.png", 7, "3", Modality.IR), hits)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 80), ORANGE).save(tmp_path / "face.png")
    return tmp_path


def frame(picture: Image.Image, left: int, top: int = 16) -> tuple[int, ...]:
    return picture.getpixel((left + 1, top + 100))


def badge(picture: Image.Image, left: int) -> np.ndarray:
    """The 24 x 24 pixels of a tile's mark, in grey: what a reader who sees no colour sees."""
    return np.asarray(picture.crop((left + 93, 21, left + 117, 45)).convert("L"), dtype=float)


def test_frames_say_right_wrong_and_unknown(root):
    picture = draw_strips([strip(7, 8, None)], root)
    assert frame(picture, LEFT) == BLUE
    assert [frame(picture, FIRST + index * STEP) for index in range(3)] == [GREEN, RED, GREY]


def test_marks_differ_without_colour(root):
    picture = draw_strips([strip(7, 8, None, 7)], root)
    right, wrong, unknown, again = (badge(picture, FIRST + index * STEP) for index in range(4))
    assert np.array_equal(right, again)
    for one, other in ((right, wrong), (right, unknown), (wrong, unknown)):
        assert np.abs(one - other).max() > 100
    # A cross is its own mirror image; a tick is not.
    assert np.abs(wrong - wrong[:, ::-1])[6:18, 6:18].mean() < 12 < np.abs(right - right[:, ::-1])[6:18, 6:18].mean()


def test_every_answer_is_grey_when_the_query_is_unknown(root):
    hits = strip(7, 8).hits
    picture = draw_strips([Strip(Crop("face.png", None, "", Modality.RGB), hits)], root)
    assert [frame(picture, FIRST + index * STEP) for index in range(2)] == [GREY, GREY]


def test_the_crop_is_shown_in_its_own_shape(root):
    # 40 x 80 has the tile's shape and fills it; 20 x 80 is half as wide: 28 of 112 pixels stay empty at each side.
    Image.new("RGB", (20, 80), ORANGE).save(root / "narrow.png")
    full, narrow = (draw_strips([strip(7, path=path)], root) for path in ("face.png", "narrow.png"))
    inner = FIRST + 5
    assert full.getpixel((inner + 2, 130)) == ORANGE
    assert narrow.getpixel((inner + 26, 130)) == (234, 238, 242)
    assert narrow.getpixel((inner + 30, 130)) == ORANGE


def test_a_missing_picture_is_a_box_and_the_rest_is_drawn(root):
    (root / "broken.png").write_bytes((root / "face.png").read_bytes()[:40])
    (root / "empty.jpg").touch()
    hits = [
        Hit(i, i, crop(7, path), 0.5) for i, path in enumerate(["gone.png", "broken.png", "empty.jpg", "face.png"], 1)
    ]
    picture = draw_strips([Strip(crop(7), hits)], root)
    middles = [picture.getpixel((FIRST + index * STEP + 61, 200)) for index in range(4)]
    assert middles[3] == ORANGE
    assert ORANGE not in middles[:3]
    assert [frame(picture, FIRST + index * STEP) for index in range(4)] == [GREEN] * 4


def test_text_of_any_length_stays_inside_its_tile(root):
    hit = Hit(1, 0, Crop("face.png", 10**18, "a camera with a very long name indeed", Modality.RGB), -0.25)
    picture = draw_strips([Strip(crop(7), [hit, hit])], root)
    gap = np.asarray(picture.crop((FIRST + 123, 16, FIRST + STEP - 1, picture.height)))
    assert (gap == 255).all()


def test_strips_are_stacked_and_as_wide_as_the_longest(root):
    one, two = draw_strips([strip(7, 8, 9)], root), draw_strips([strip(7), strip(8, 9, 7)], root)
    assert two.width == one.width
    assert two.height == 2 * one.height - 2 * 16 + 12
    second = 16 + one.height - 2 * 16 + 12
    assert [frame(two, FIRST + index * STEP, second) for index in range(3)] == [RED, RED, GREEN]
    assert frame(two, FIRST) == GREEN


def test_a_query_without_answers_is_drawn(root):
    assert frame(draw_strips([strip()], root), LEFT) == BLUE
    with pytest.raises(ValueError, match="no strip"):
        draw_strips([], root)


def test_written_as_png_the_same_each_time(root):
    for name in ("a.png", "b.png"):
        write_strips(root / "new" / name, [strip(7, 8)], root)
    written = sorted(path.name for path in (root / "new").iterdir())
    assert written == ["a.png", "b.png"]
    assert (root / "new/a.png").read_bytes() == (root / "new/b.png").read_bytes()
    with Image.open(root / "new/a.png") as picture:
        assert picture.format == "PNG"
    with pytest.raises(OutputError, match="is a folder"):
        write_strips(root / "new", [strip(7)], root)


@pytest.mark.parametrize(("query", "answer", "said"), [(1, 1, True), (1, 2, False), (None, 1, None), (1, None, None)])
def test_same_person(query, answer, said):
    assert same_person(crop(query), crop(answer)) is said
    assert same_person(crop(None), crop(None)) is None


def test_open_crop_turns_a_picture_upright(root):
    # EXIF orientation 6: the camera lay on its side, 80 x 40 is to be shown as 40 x 80.
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40), ORANGE).save(root / "turned.jpg", exif=exif)
    assert open_crop(root, crop(1, "turned.jpg")).size == (40, 80)
    Image.new("L", (40, 80), 9).save(root / "grey.png")
    assert open_crop(root, crop(1, "grey.png")).mode == "RGB"
    assert open_crop(root, crop(1, "none.png")) is None
    assert open_crop(root / "elsewhere", crop(1, str(root / "face.png"))).size == (40, 80)  # absolute stays absolute
