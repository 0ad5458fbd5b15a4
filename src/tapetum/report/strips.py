"""Ranked strips as pictures: the query at the left, its answers in order, each framed and marked.

A frame is green with a tick for the same person, red with a cross for another, grey with a question mark where nobody
knows. The mark says the same as the colour, for readers who cannot tell green from red.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from tapetum.core import Crop, Modality
from tapetum.gallery.search import Hit
from tapetum.outputs import atomic_file

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

LIGHT = {Modality.RGB: "visible", Modality.IR: "infrared"}

_FRAMES = {True: "#1a7f37", False: "#cf222e", None: "#6e7781"}
_QUERY_FRAME = "#0a58ca"
_INK, _FAINT, _PAPER, _EMPTY = "#1f2328", "#57606a", "#ffffff", "#eaeef2"
_FACE = (112, 224)  # width and height of a picture, pixels; crops of people are one to two or narrower
_BORDER, _GAP, _MARGIN, _AFTER_QUERY = 5, 12, 16, 20
_LINE = 21  # height of a line of text, pixels
_PICTURE_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # what Pillow raises on bad files


@dataclass(frozen=True)
class Strip:
    """One query and its answers, best first."""

    query: Crop
    hits: Sequence[Hit]


def same_person(query: Crop, answer: Crop) -> bool | None:
    """Whether two crops show the same person; None where one of the two is unknown."""
    if query.person is None or answer.person is None:
        return None
    return query.person == answer.person


def open_crop(root: Path, crop: Crop) -> Image.Image | None:
    """The crop's picture in RGB, upright; None when the file is missing or cannot be decoded."""
    try:
        with Image.open(root / crop.path) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except _PICTURE_ERRORS:
        return None


def draw_strips(strips: Sequence[Strip], root: Path) -> Image.Image:
    """Strips one above another in one RGB picture, each as wide as the longest needs.

    root: the folder that relative crop paths start from. A crop that cannot be read is drawn as a box with its path.
    Raises ValueError for an empty list.
    """
    if not strips:
        raise ValueError("no strip to draw")
    tile = _tile_size()
    longest = max(len(strip.hits) for strip in strips)
    width = 2 * _MARGIN + (1 + longest) * (tile[0] + _GAP) - _GAP + (2 * _AFTER_QUERY if longest else 0)
    height = 2 * _MARGIN + len(strips) * (tile[1] + _GAP) - _GAP
    canvas = Image.new("RGB", (width, height), _PAPER)
    for index, strip in enumerate(strips):
        _draw_strip(canvas, strip, root, _MARGIN + index * (tile[1] + _GAP))
    return canvas


def write_strips(path: Path, strips: Sequence[Strip], root: Path) -> None:
    """Draw strips into a PNG at `path`, atomically. Raises OutputError where it cannot be written."""
    picture = draw_strips(strips, root)
    with atomic_file(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)


def _tile_size() -> tuple[int, int]:
    return _FACE[0] + 2 * _BORDER, _FACE[1] + 2 * _BORDER + 3 * _LINE + 6


def _draw_strip(canvas: Image.Image, strip: Strip, root: Path, top: int) -> None:
    step = _tile_size()[0] + _GAP
    query = strip.query
    camera = f"cam {query.camera}, " if query.camera else ""
    lines = ["query", f"{camera}{LIGHT[query.modality]}", *([] if query.person is None else [f"person {query.person}"])]
    _draw_tile(canvas, (_MARGIN, top), _face(root, query), _QUERY_FRAME, lines)
    first = _MARGIN + step + 2 * _AFTER_QUERY
    rule = _MARGIN + step - _GAP + (_GAP + 2 * _AFTER_QUERY) // 2
    if strip.hits:
        line = (rule, top, rule, top + _FACE[1] + 2 * _BORDER)
        ImageDraw.Draw(canvas).line(line, fill="#d0d7de", width=2)
    for index, hit in enumerate(strip.hits):
        place = (first + index * step, top)
        right = same_person(query, hit.crop)
        person = "person unknown" if hit.crop.person is None else f"person {hit.crop.person}"
        lines = [f"{hit.rank}.   {hit.score:.2f}", f"cam {hit.crop.camera}", person]
        _draw_tile(canvas, place, _face(root, hit.crop), _FRAMES[right], lines)
        _draw_mark(canvas, (place[0] + _BORDER + _FACE[0] - 12, place[1] + _BORDER + 12), right)


def _draw_tile(canvas: Image.Image, place: tuple[int, int], face: Image.Image, frame: str, lines: list[str]) -> None:
    left, top = place
    draw = ImageDraw.Draw(canvas)
    outer = (left, top, left + _FACE[0] + 2 * _BORDER - 1, top + _FACE[1] + 2 * _BORDER - 1)
    draw.rectangle(outer, fill=frame)
    canvas.paste(face, (left + _BORDER, top + _BORDER))
    y = outer[3] + 6
    for index, line in enumerate(lines):
        font = _font(17 if index == 0 else 15)
        draw.text((left + 2, y), _shortened(line, font), fill=_INK if index == 0 else _FAINT, font=font)
        y += _LINE


def _draw_mark(canvas: Image.Image, centre: tuple[int, int], right: bool | None) -> None:
    """A round badge with a tick, a cross or a question mark, drawn from lines so that no font has to have them."""
    x, y = centre
    large = Image.new("RGBA", (96, 96))  # drawn at four times the size and scaled down: smooth edges
    draw = ImageDraw.Draw(large)
    draw.ellipse((4, 4, 92, 92), fill=_FRAMES[right], outline="white", width=7)
    if right is None:
        draw.text((48, 50), "?", fill="white", font=_font(62), anchor="mm")
    elif right:
        draw.line([(27, 50), (42, 65), (70, 33)], fill="white", width=11, joint="curve")
    else:
        draw.line([(32, 32), (64, 64)], fill="white", width=11)
        draw.line([(64, 32), (32, 64)], fill="white", width=11)
    badge = large.resize((24, 24), Image.Resampling.LANCZOS)
    canvas.paste(badge, (x - 12, y - 12), badge)


def _face(root: Path, crop: Crop) -> Image.Image:
    """The picture of one tile, (112, 224), the crop in its own shape upon a light ground."""
    picture = open_crop(root, crop)
    return _placeholder(crop.path) if picture is None else ImageOps.pad(picture, _FACE, color=_EMPTY)


def _placeholder(path: str) -> Image.Image:
    box = Image.new("RGB", _FACE, _EMPTY)
    draw = ImageDraw.Draw(box)
    draw.line([(0, 0), _FACE], fill="#d0d7de", width=1)
    draw.line([(0, _FACE[1]), (_FACE[0], 0)], fill="#d0d7de", width=1)
    font = _font(12)
    lines = ["no picture:", *_wrapped(path, font)]
    draw.multiline_text((_FACE[0] / 2, _FACE[1] / 2), "\n".join(lines), fill=_INK, font=font, anchor="mm")
    return box


def _wrapped(path: str, font: Font) -> list[str]:
    """A path broken wherever it would leave the tile; of a very long one, the end (it tells files apart)."""
    lines = [""]
    for letter in path:
        if font.getlength(lines[-1] + letter) > _FACE[0] - 8:
            lines.append("")
        lines[-1] += letter
    return lines[-10:]


def _shortened(line: str, font: Font) -> str:
    if font.getlength(line) <= _FACE[0] + _BORDER:
        return line
    while line and font.getlength(line + "…") > _FACE[0] + _BORDER:
        line = line[:-1]
    return line + "…"


@cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)
