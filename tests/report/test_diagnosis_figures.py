"""Figures of a diagnosis: they say their numbers aloud and draw what they are given."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tapetum.evaluation.calibration import Bins
from tapetum.evaluation.diagnosis import PersonResult, ScoreHistogram
from tapetum.report.diagnosis_figures import (
    meaning_figure,
    modality_map,
    person_figure,
    person_map,
    reliability_figure,
    score_figure,
)

SVG = "{http://www.w3.org/2000/svg}"
BINS = Bins(
    *(np.array(pair) for pair in ([0.3, 0.6], [0.2, 0.9], [0.25, 0.8], [0.1, 0.7], [0.3, 0.9])),
    np.array([30, 10]),
    np.array([12, 4]),
)
PLACES = np.array([[0.0, 0], [1, 1], [2, 0], [3, 1]])


def words(svg) -> list[str]:
    return [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]


def spoken(svg) -> str:
    return ET.fromstring(svg).get("aria-label")


def uses(svg, place) -> int:
    """How many markers stand in the groups of lines, the legend's included."""
    return len(re.findall(rf'xlink:href="#{place}-m', svg))


def test_persons_are_told_from_the_worst_to_the_best():
    svg = person_figure([PersonResult(4, 2, 0.0, 0.1), PersonResult(7, 2, 0.5, 0.25), PersonResult(9, 1, 1.0, 0.9)])
    assert spoken(svg) == "mAP of 3 persons: from 10.0 % to 90.0 %, half of them below 25.0 %."
    assert {"one person", "mean over persons"} <= set(words(svg))


def test_scores_are_shares_of_their_own_kind():
    # Four right pairs, three of them at 0.5 or above; ten wrong ones, one of them there.
    edges = np.linspace(-1, 1, 5)
    svg = score_figure(ScoreHistogram(edges, np.array([0, 0, 1, 3]), np.array([0, 6, 3, 1])))
    assert spoken(svg).endswith("Half of the right pairs reach 0.50, and so do 10.0 % of the wrong pairs.")
    # The highest step is 75 % of the right pairs, and no bin of the empty lowest stretch is drawn.
    assert "60" in words(svg)
    assert "80" not in words(svg)
    assert "−1.0" not in words(svg)


def test_scores_of_a_gallery_without_strangers():
    svg = score_figure(ScoreHistogram(np.linspace(-1, 1, 3), np.array([0, 2]), np.array([0, 0])))
    assert "wrong pairs" in words(svg)


def test_what_a_score_means_is_said_in_words():
    assert spoken(meaning_figure(BINS)).endswith("at 0.30: 25 %; at 0.60: 80 %")
    assert spoken(reliability_figure(BINS)).endswith("promised 20 %, kept 25 %; promised 90 %, kept 80 %")


def test_bins_of_few_persons_are_hollow_and_named():
    assert "kept, under 10 persons" in words(reliability_figure(BINS))
    many = Bins(BINS.score, BINS.promised, BINS.kept, BINS.low, BINS.high, BINS.answers, np.array([12, 40]))
    assert "kept, under 10 persons" not in words(reliability_figure(many))


def test_every_crop_is_a_dot_of_the_map():
    svg = person_map(PLACES, np.array([5, 6, 5, 8]), [5, 6])
    assert uses(svg, "map-persons") == 4 + 3  # and one marker each in the legend
    assert {"5", "6", "others"} <= set(words(svg))
    assert spoken(svg) == "Map of 4 crops; persons 5, 6 coloured, 1 others grey."
    other = modality_map(PLACES, np.array([True, False, True, True]))
    assert uses(other, "map-modalities") == 4 + 2
    assert spoken(other) == "Map of 4 crops: 1 visible, 3 infrared."


@pytest.mark.parametrize("drawn", [lambda: modality_map(PLACES, np.ones(4, dtype=bool)), lambda: meaning_figure(BINS)])
def test_the_same_numbers_give_the_same_picture(drawn):
    assert drawn() == drawn()
