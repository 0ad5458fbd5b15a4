"""Pairs: whom a pair shows, that partners share person and light, and the share of pairs of two lights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.data.pairing import draw_pairs
from tapetum.errors import RecipeError


@settings(max_examples=50, deadline=None)
@given(persons=st.integers(2, 6), crops=st.integers(1, 4), seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_who_is_paired_with_whom(persons, crops, seed, share):
    torch.manual_seed(seed)
    person = (7 + 3 * torch.arange(persons)).repeat_interleave(crops)[torch.randperm(persons * crops)]
    pairs = draw_pairs(person, share)
    both, infrared = person.repeat(2), torch.arange(2 * len(person)) >= len(person)
    y = both[pairs.row]
    assert len(pairs.row) == 2 * persons
    a, b = y.chunk(2)
    assert sorted(a.tolist()) == sorted(b.tolist()) == sorted(set(person.tolist()))  # once an a and once a b
    assert (a != b).all()
    assert torch.equal(both[pairs.partner], y)
    assert torch.equal(infrared[pairs.partner], infrared[pairs.row])
    assert (pairs.partner != pairs.row).all() == (crops > 1)
    assert torch.equal(pairs.other[pairs.other], torch.arange(2 * persons))
    assert torch.equal(y[pairs.other], torch.cat([b, a]))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_pairs_of_two_lights(share):
    torch.manual_seed(0)
    person, crossing, infrared = torch.arange(50), 0, 0
    for _ in range(40):
        light = draw_pairs(person, share).row >= 50
        one, other = light.chunk(2)
        crossing += int((one != other).sum())
        infrared += int(light.sum())
    # 2,000 pairs: two deviations of a fair coin's count are 45; of 4,000 lights 63 (more, since pairs agree).
    assert abs(crossing - share * 2000) <= (0 if share in (0, 1) else 90)
    assert abs(infrared - 2000) < 200


def test_some_persons_of_a_batch():
    torch.manual_seed(0)
    person, seen = torch.arange(8).repeat_interleave(2), set()
    for _ in range(40):
        pairs = draw_pairs(person, persons=3)
        a, b = person.repeat(2)[pairs.row].chunk(2)
        assert len(set(a.tolist())) == 3
        assert sorted(a.tolist()) == sorted(b.tolist())
        assert (a != b).all()
        seen |= set(a.tolist())
    assert seen == set(range(8))


def test_it_is_drawn_from_torchs_generator():
    person = torch.arange(8).repeat_interleave(3)
    torch.manual_seed(5)
    one = draw_pairs(person)
    torch.manual_seed(5)
    other = draw_pairs(person)
    assert torch.equal(one.row, other.row)
    assert torch.equal(one.partner, other.partner)
    assert not torch.equal(draw_pairs(person).row, one.row)


def test_one_person_is_no_pair():
    with pytest.raises(RecipeError, match="set batch.persons to at least 2"):
        draw_pairs(torch.zeros(4, dtype=torch.int64))
