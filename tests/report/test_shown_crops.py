"""Drawing crops by a seed: persons in turn, the same for the same seed, nobody of one light alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from toy_painter import shown

from tapetum.core import Crop, Modality
from tapetum.errors import InputError
from tapetum.report.shown_crops import draw_crops, in_batches, partners, read_shown

CROPS = [
    Crop(f"{light}/{person}/{n}.png", person, "1", light)
    for person in (3, 5, 8)
    for light in Modality
    for n in range(4 if light is Modality.RGB else 2)
] + [Crop("rgb/9.png", 9, "1", Modality.RGB), Crop("rgb/x.png", None, "1", Modality.RGB)]


def test_persons_stand_in_turn_and_in_one_order_in_both_lights():
    rgb, ir = (draw_crops(CROPS, light, 6, 0) for light in Modality)
    assert [c.person for c in rgb] == [c.person for c in ir]
    assert {c.person for c in rgb[:3]} == {c.person for c in rgb[3:]} == {3, 5, 8}
    assert len({c.path for c in rgb + ir}) == 12
    assert {c.modality for c in ir} == {Modality.IR}


def test_nobody_of_one_light_alone_and_nobody_unknown():
    assert {c.person for c in draw_crops(CROPS, Modality.RGB, 99, 0)} == {3, 5, 8}
    assert len(draw_crops(CROPS, Modality.RGB, 99, 0)) == 12


def test_a_seed_draws_the_same_and_another_one_others():
    drawn = [tuple(c.path for c in draw_crops(CROPS, Modality.RGB, 5, seed)) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 2


def test_partners_by_hand():
    same, other = partners(np.array([7, 9, 7, 4, 9]))
    assert same.tolist() == [2, 4, 0, -1, 1]
    assert other.tolist() == [1, 2, 3, 4, 0]
    assert [part.tolist() for part in partners(np.array([7, 7]))] == [[1, 0], [-1, -1]]
    assert [part.tolist() for part in partners(np.array([7]))] == [[-1], [-1]]


def test_batches_cover_every_row_once():
    assert [(s.start, s.stop) for s in in_batches(5, 2)] == [(0, 2), (2, 4), (4, 5)]
    assert in_batches(0) == []


def test_rows_are_taken_with_their_crops():
    side = shown(Modality.IR, [4, 6, 4])
    taken = side.take([2, 1])
    assert taken.person.tolist() == [4, 6]
    assert (taken.pictures.images[0] == side.pictures.images[2]).all()
    assert taken.crops[0] is side.crops[2]


def test_what_cannot_be_read_is_left_out(tmp_path):
    crops = [c for c in CROPS if c.modality is Modality.IR][:3]
    for crop in crops[1:]:
        (tmp_path / crop.path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 8), (51, 51, 51)).save(tmp_path / crop.path)
    found = read_shown(crops, Modality.IR, tmp_path, (8, 4))
    assert found.crops == tuple(crops[1:])
    assert found.pictures.images.shape == (2, 3, 8, 4)
    assert found.pictures.images.unique().tolist() == pytest.approx([0.2])
    with pytest.raises(InputError, match="none of the ir pictures can be read"):
        read_shown(crops[:1], Modality.IR, tmp_path, (8, 4))
