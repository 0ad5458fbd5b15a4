"""Figures inside the page: they follow the page's ink, keep their names apart and say in words what they show."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from tapetum.report.figures import COLOURS, INK, axes, cmc_figure, inline_svg, legend, picture_uri


def drawn(name="one", label="two lines"):
    figure, plot = axes("rank", "found")
    plot.plot([1, 2, 3], [0, 5, 3], label="a < b & c")
    legend(figure, columns=2)
    return inline_svg(figure, name, label)


def test_words_take_the_ink_of_the_page():
    svg = drawn()
    assert INK not in svg
    assert "#000000" not in svg.split("</style>")[-1]
    assert svg.count("currentColor") > 5
    assert "DejaVu" not in svg


def test_svg_is_well_formed_and_says_what_it_shows():
    root = ET.fromstring(drawn(label='curves "A" & <B>'))
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'curves "A" & <B>'
    assert "a < b & c" in [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_inner_names_of_two_figures_differ():
    one, two = (set(re.findall(r'\bid="([^"]+)"', drawn(name))) for name in ("one", "two"))
    assert one
    assert not one & two
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', drawn("one")))
    assert used
    assert used <= one


def test_the_same_figure_gives_the_same_text():
    assert drawn() == drawn()


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("paper", ["#ffffff", "#0f1419"])
@pytest.mark.parametrize("colour", COLOURS)
def test_lines_are_seen_on_both_papers(colour, paper):
    high, low = sorted((luminance(colour), luminance(paper)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 3


@pytest.mark.parametrize(("size", "expected"), [((100, 400), (48, 192)), ((40, 80), (40, 80)), ((1, 1000), (1, 192))])
def test_pictures_are_scaled_down_and_never_up(size, expected):
    uri = picture_uri(Image.new("RGB", size, (200, 30, 30)))
    head, data = uri.split(",", 1)
    assert head == "data:image/jpeg;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.size == expected
    assert np.abs(np.array(picture.getpixel((0, 0))) - (200, 30, 30)).max() < 6


def test_cmc_figure_reads_its_numbers_aloud():
    curve = [0.25, 0.5, 0.5, 0.75, 0.8]
    settings = {"all_single": {"mean": {"cmc": curve}, "trials": [{"cmc": curve}], "chance": {"r1": 0.01, "r5": 0.05}}}
    svg = cmc_figure(settings, {"all_single": "All search"})
    assert "All search: 25.0 % within rank 1, 80.0 % within rank 5" in svg
    assert {"All search", "chance, same colour"} <= set(re.findall(r">([^<>\s][^<>]*)</text>", svg))


def test_cmc_band_is_one_standard_deviation():
    # Two trials at 20 % and 40 %: mean 30, deviation 10. Without a band, the figure holds one path less.
    flat = {"mean": {"cmc": [0.3] * 20}, "trials": [{"cmc": [0.2] * 20}, {"cmc": [0.4] * 20}]}
    banded = ET.fromstring(cmc_figure({"x": flat}, {"x": "x"}))
    band = next(e for e in banded.iter() if "FillBetweenPolyCollection" in e.get("id", ""))
    heights = {float(y) for e in band.iter() for y in re.findall(r"[ML] \S+ (\S+)", e.get("d", ""))}
    # The axis runs from 0 to 100 over the height of the plot; the band spans 20 of it.
    patch = next(e for e in banded.iter() if e.get("id", "").endswith("-patch_2"))
    plot = [float(y) for e in patch.iter() for y in re.findall(r"[ML] \S+ (\S+)", e.get("d", ""))]
    assert (max(heights) - min(heights)) / (max(plot) - min(plot)) == pytest.approx(0.20, abs=1e-3)
    single = cmc_figure({"x": {**flat, "trials": flat["trials"][:1]}}, {"x": "x"})
    assert "FillBetweenPolyCollection" not in single


def test_cmc_figure_without_a_curve():
    assert cmc_figure({}, {}) is None
    assert cmc_figure({"x": {"mean": {"r1": 0.1}}}, {"x": "x"}) is None
