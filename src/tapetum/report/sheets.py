"""Sheets of small pictures in rows and columns with words at the edges: PNG files, and the same within the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from tapetum.outputs import atomic_file

_TILE = 128  # height of a tile, pixels
_GAP, _WIDE_GAP, _MARGIN = 4, 16, 10
_LETTERS = 13  # height of a letter, pixels
_PAPER, _INK, _EMPTY = "#ffffff", "#1f2328", "#eaeef2"


@dataclass(frozen=True)
class Sheet:
    """Pictures in rows and columns.

    name: of its file, without the ending. alt: what a reader who cannot see it is told.
    columns, rows: the words above and at the left. tiles: row by row (3, H, W) in [0, 1], None for an empty place.
    wide_columns, wide_rows: columns and rows that stand apart from the one before.
    """

    name: str
    alt: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    tiles: tuple[tuple[Tensor | None, ...], ...]
    wide_columns: frozenset[int] = frozenset()
    wide_rows: frozenset[int] = frozenset()


def draw_sheet(sheet: Sheet) -> Image.Image:
    """The sheet as an RGB picture. Each tile is scaled to one height, small ones in visible steps of a pixel."""
    faces = [[None if tile is None else _face(tile) for tile in row] for row in sheet.tiles]
    wide = max(face.width for row in faces for face in row if face is not None)
    font = ImageFont.load_default(_LETTERS)
    left = _MARGIN + max((_width(words, font) for words in sheet.rows), default=0) + 8
    top = _MARGIN + max((words.count("\n") + 1 for words in sheet.columns), default=0) * (_LETTERS + 4) + 4
    across = _places(left, len(sheet.columns), wide, sheet.wide_columns)
    down = _places(top, len(sheet.rows), _TILE, sheet.wide_rows)
    canvas = Image.new("RGB", (across[-1] + wide + _MARGIN, down[-1] + _TILE + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for x, words in zip(across, sheet.columns, strict=True):
        draw.multiline_text((x + wide / 2, top - 6), words, fill=_INK, font=font, anchor="md", align="center")
    for y, words, row in zip(down, sheet.rows, faces, strict=True):
        draw.multiline_text((left - 8, y + _TILE / 2), words, fill=_INK, font=font, anchor="rm", align="right")
        for x, face in zip(across, row, strict=True):
            if face is None:
                draw.rectangle((x, y, x + wide - 1, y + _TILE - 1), fill=_EMPTY)
            else:
                canvas.paste(face, (x, y))
    return canvas


def write_sheet(folder: Path, sheet: Sheet) -> Path:
    """Draw a sheet into `folder` as `<name>.png`, atomically. Raises OutputError where it cannot be written."""
    path = folder / f"{sheet.name}.png"
    picture = draw_sheet(sheet)
    with atomic_file(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
    return path


def sheet_uri(sheet: Sheet) -> tuple[str, int, int]:
    """A sheet as a JPEG inside a `data:` address, and its width and height in pixels."""
    picture = draw_sheet(sheet)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=90, optimize=True)
    coded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/jpeg;base64,{coded}", picture.width, picture.height


def _face(tile: Tensor) -> Image.Image:
    pixels = (tile.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    picture = Image.fromarray(pixels)
    kind = Image.Resampling.NEAREST if picture.height < _TILE else Image.Resampling.LANCZOS
    return picture.resize((max(1, round(picture.width * _TILE / picture.height)), _TILE), kind)


def _places(start: int, count: int, size: int, wide: frozenset[int]) -> Sequence[int]:
    """Where each of `count` tiles begins."""
    places = [start]
    for index in range(1, count):
        places.append(places[-1] + size + (_WIDE_GAP if index in wide else _GAP))
    return places


def _width(words: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> int:
    return max(round(font.getlength(line)) for line in words.split("\n"))
