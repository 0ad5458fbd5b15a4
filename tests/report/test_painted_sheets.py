"""The sheets of a painter whose codes are known: every tile is the one that its row and column say."""

from __future__ import annotations

import pytest
import torch
from toy_painter import Toy, shown

from tapetum.core import Modality
from tapetum.report.painted_sheets import painted_sheets


class Flat(Toy):
    """The same with a structure that is no map."""

    def codes(self, pictures):
        structure, appearance = super().codes(pictures)
        return structure.flatten(1), appearance

    def paint(self, structure, appearance, modality):
        return super().paint(structure.view(len(structure), 3, 16, 12), appearance, modality)


SHOWN = {light: shown(light, [5, 2, 9, 5, 2, 9]) for light in Modality}
SHEETS = {sheet.name: sheet for sheet in painted_sheets(Toy(), SHOWN)}


def pieces(tile):
    mean = tile.mean(dim=(1, 2))
    return tile - mean[:, None, None], mean


def test_there_is_a_sheet_of_each_kind_with_words_for_who_cannot_see_it():
    assert list(SHEETS) == ["reconstruction", "swaps", "interpolation", "structure", "edges"]
    for sheet in SHEETS.values():
        assert sheet.alt.endswith(".")
        assert len(sheet.rows) == len(sheet.tiles)
        assert {len(row) for row in sheet.tiles} == {len(sheet.columns)}


def test_a_structure_that_is_no_map_has_no_sheet():
    assert "structure" not in [sheet.name for sheet in painted_sheets(Flat(), SHOWN)]


def test_reconstruction_stands_below_its_input():
    above, below = SHEETS["reconstruction"].tiles
    assert len(above) == 12
    for real, painted in zip(above, below, strict=True):
        assert torch.allclose(real, painted, atol=1e-6)


def test_a_swap_has_its_rows_structure_and_its_columns_appearance():
    sheet = SHEETS["swaps"]
    assert sheet.rows[0] == "appearance"
    assert [words.replace("\n", " ") for words in sheet.columns[1:]] == [
        "5 visible", "2 visible", "9 visible", "5 infrared", "2 infrared", "9 infrared",
    ]  # fmt: skip
    given = sheet.tiles[0][1:]
    for row in sheet.tiles[1:]:
        for column, painted in enumerate(row[1:]):
            structure, mean = pieces(painted)
            assert torch.allclose(structure, pieces(row[0])[0], atol=1e-5)
            assert torch.allclose(mean, pieces(given[column])[1], atol=1e-5)
    for place in range(1, 4):
        assert not torch.equal(sheet.tiles[0][place], sheet.tiles[place][0]), "another picture of the same person"


def test_an_interpolation_goes_in_equal_steps_from_one_appearance_to_the_other():
    sheet = SHEETS["interpolation"]
    assert len(sheet.tiles) == 4
    for structure, start, *steps, end in sheet.tiles:
        means = torch.stack([pieces(step)[1] for step in steps])
        assert means[0].tolist() == pytest.approx(pieces(start)[1].tolist(), abs=1e-5)
        assert means[-1].tolist() == pytest.approx(pieces(end)[1].tolist(), abs=1e-5)
        assert torch.allclose(means.diff(dim=0), (means[-1] - means[0]) / 6, atol=1e-5)
        assert all(torch.allclose(pieces(step)[0], pieces(structure)[0], atol=1e-5) for step in steps)


def test_edges_of_a_swap_are_those_of_its_structure():
    for row in SHEETS["edges"].tiles:
        assert torch.allclose(row[1], row[3], atol=1e-3)
        assert torch.allclose(row[1], row[5], atol=1e-3)
        assert not torch.allclose(row[0], row[4], atol=1e-3)
