"""Which rows are painted: of different persons, all kinds drawn, and opposites across the light."""

from __future__ import annotations

import torch

from tapetum.data.row_drawing import across, draw_rows

PERSON = torch.tensor([5, 5, 5, 2, 2, 9])


def test_so_many_persons_and_so_many_of_each():
    torch.manual_seed(0)
    for _ in range(20):
        rows = draw_rows(PERSON, 2, 2)
        shown = PERSON[rows].tolist()
        assert len(set(rows.tolist())) == len(rows)
        assert len(set(shown)) == 2
        assert all(shown.count(person) == min(2, PERSON.tolist().count(person)) for person in shown)
        assert sorted(shown, key=shown.index) == shown  # a person's rows stand together


def test_never_more_than_there_are():
    assert sorted(draw_rows(PERSON, 10, 10).tolist()) == [0, 1, 2, 3, 4, 5]


def test_every_row_has_its_turn_and_one_seed_draws_the_same():
    torch.manual_seed(1)
    drawn = torch.cat([draw_rows(PERSON, 1, 1) for _ in range(100)])
    assert set(drawn.tolist()) == {0, 1, 2, 3, 4, 5}
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        found.append(draw_rows(PERSON, 2, 1).tolist())
    assert found[0] == found[1]


def test_across_exchanges_the_halves():
    assert across(torch.tensor([[1, 2], [3, 4], [5, 6], [7, 8]])).tolist() == [[5, 6], [7, 8], [1, 2], [3, 4]]
