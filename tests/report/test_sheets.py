"""Sheets: every tile at its place, small ones without blur, and the file the same as the page's picture."""

from __future__ import annotations

import base64
import io

import pytest
import torch
from PIL import Image

from tapetum.report.sheets import Sheet, draw_sheet, sheet_uri, write_sheet

RED, BLUE = (torch.tensor(colour)[:, None, None].expand(3, 32, 16) for colour in ((1.0, 0, 0), (0, 0, 1.0)))
SHEET = Sheet("demo", "two tiles", ("left", "right\nlower"), ("one", "two"), ((RED, BLUE), (None, RED)), frozenset({1}))


def colours(picture: Image.Image) -> dict[tuple[int, int, int], int]:
    return {colour: count for count, colour in picture.getcolors(1 << 24)}


def test_each_tile_is_drawn_whole():
    found = colours(draw_sheet(SHEET))
    tile = 128 * 64
    assert found[255, 0, 0] == 2 * tile
    assert found[0, 0, 255] == tile
    assert found[234, 238, 242] == tile, "the empty place"


def test_a_wide_gap_is_wider():
    close = draw_sheet(Sheet("demo", "", SHEET.columns, SHEET.rows, SHEET.tiles))
    assert draw_sheet(SHEET).width - close.width == 12
    assert draw_sheet(SHEET).height == close.height


def test_pixels_of_small_pictures_stay_pixels():
    checks = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(16, 8)[None].expand(3, 32, 16)
    found = colours(draw_sheet(Sheet("demo", "", ("",), ("",), ((checks,),))))
    assert found[0, 0, 0] == 64 * 64
    assert sum(found.values()) - found[255, 255, 255] == 64 * 64, "nothing between black and white"


def test_file_and_page_hold_the_same_picture(tmp_path):
    path = write_sheet(tmp_path / "pictures", SHEET)
    assert path.name == "demo.png"
    uri, width, height = sheet_uri(SHEET)
    shown = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert shown.size == (width, height) == Image.open(path).size
    assert write_sheet(tmp_path / "again", SHEET).read_bytes() == path.read_bytes()


def test_values_out_of_range_are_no_error():
    draw_sheet(Sheet("demo", "", ("",), ("",), ((RED * 3 - 1,),)))
    with pytest.raises(ValueError, match="zip"):
        draw_sheet(Sheet("demo", "", ("", ""), ("",), ((RED,),)))
