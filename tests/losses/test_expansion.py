"""DEEN's losses: values by hand, slow twins, grouping by label, zero cases, where the gradient stops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.expansion import centre_pair_mining, orthogonality


def random_batch(seed, persons=4, crops=3, dimension=5):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(4, persons * crops, dimension, generator=generator, dtype=torch.float64)
    return *rows, torch.arange(persons).repeat_interleave(crops) * 10


def line(*centres):
    """Two rows of each person, one unit to each side of its centre."""
    return torch.tensor([[c + side] for c in centres for side in (-1.0, 1.0)], dtype=torch.float64)


def test_pairs_by_hand():
    # Centres: v 0, 10; t 3, 16; v' 1, 12; t' 2, 15.
    v, t, new_v, new_t = line(0, 10), line(3, 16), line(1, 12), line(2, 15)
    # v' towards t: across 2 4, back 1 2; nearest foreign v' 11 11, v 10 10. With margin 8:
    # h(2-1) + (h(2-11) + h(2-10)) / 2 = 9 + (0 + 0) / 2 and h(4-2) + (h(4-11) + h(4-10)) / 2 = 10 + (1 + 2) / 2.
    # t' towards v: across 2 5, back 1 1; nearest foreign t' 13 13, t 13 13:
    # 9 + 0 and h(5-1) + (h(5-13) + h(5-13)) / 2 = 12 + 0.
    expected = ((9 + 11.5) / 2 + (9 + 12) / 2) / 2
    found = centre_pair_mining(v, t, new_v, new_t, torch.tensor([0, 0, 1, 1]), 8.0)
    assert found.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pairs_slow_twin_with_persons_of_different_sizes(seed):
    *parts, _ = random_batch(seed)
    person = torch.tensor([4, 4, 4, 4, 4, 1, 6, 6, 6, 1, 1, 2])
    labels = (1, 2, 4, 6)
    v, t, new_v, new_t = ({i: part[person == i].mean(dim=0).tolist() for i in labels} for part in parts)
    total = 0.0
    for other, own, new in ((t, v, new_v), (v, t, new_t)):
        for i in labels:
            across = math.dist(other[i], new[i])
            total += max(0, 0.2 + across - math.dist(own[i], new[i])) / 2 / 4
            for centres in (new, own):
                nearest = min(math.dist(centres[i], centres[j]) for j in labels if j != i)
                total += 0.5 * max(0, 0.2 + across - nearest) / 2 / 4
    assert centre_pair_mining(*parts, person).item() == pytest.approx(total, rel=1e-12)


def test_pairs_are_zero_once_new_centres_have_crossed_over():
    # v' stands on t and t' on v: across 0, back 5, persons 100 apart; a margin of 5 is just reached.
    v, t = line(0, 100), line(5, 105)
    person = torch.tensor([0, 0, 1, 1])
    assert centre_pair_mining(v, t, t, v, person, 5.0).item() == 0
    assert centre_pair_mining(v, t, t, v, person, 5.5).item() == pytest.approx(0.5)


def test_equal_rows_cost_twice_the_margin():
    rows = torch.ones(4, 3, requires_grad=True)
    loss = centre_pair_mining(rows, rows, rows, rows, torch.tensor([0, 0, 1, 1]), 0.2)
    loss.backward()
    assert loss.item() == pytest.approx(0.4)
    assert torch.isfinite(rows.grad).all()


def test_the_way_back_has_no_gradient():
    # Only the first hinge is open (margin 0.2): d(t, v') falls by moving v' to t; d(v, v') is taken as it is.
    v, t, new_v, new_t = (part.requires_grad_() for part in (line(0, 100), line(3, 103), line(1, 101), line(3, 103)))
    new_t = line(0, 100).requires_grad_()  # on v: its side of the loss is closed
    centre_pair_mining(v, t, new_v, new_t, torch.tensor([0, 0, 1, 1]), 0.2).backward()
    # 1/2 for the two sides, 1/2 for the mean of two persons, 1/2 for the mean of two rows.
    assert new_v.grad.flatten().tolist() == pytest.approx([-0.125] * 4)
    assert t.grad.flatten().tolist() == pytest.approx([0.125] * 4)
    assert v.grad.flatten().tolist() == [0] * 4


def test_pairs_gradient():
    *parts, person = random_batch(6, persons=3, crops=2, dimension=3)
    v, t, new_v, _ = parts
    far = v + 100  # makes the detached distances so large that no open hinge holds one
    assert torch.autograd.gradcheck(
        lambda t, new_v: centre_pair_mining(far, t, new_v, far, person, 3.0),
        (t.requires_grad_(), new_v.requires_grad_()),
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(12)))
def test_rows_are_grouped_by_label_and_not_by_position(seed, order):
    *parts, person = random_batch(seed)
    expected = centre_pair_mining(*parts, person, 1.0).item()
    shuffled = centre_pair_mining(*(part[list(order)] for part in parts), person[list(order)], 1.0)
    assert shuffled.item() == pytest.approx(expected, rel=1e-9)
    assert centre_pair_mining(*parts, 99 - person, 1.0).item() == pytest.approx(expected, rel=1e-9)


def test_orthogonality_by_hand_and_slow_twin():
    a, b = torch.tensor([[1.0, 2.0], [0.0, 3.0]]), torch.tensor([[4.0, 0.5], [7.0, 2.0]])
    assert orthogonality(a, b).item() == pytest.approx((4 + 1 + 0 + 6) / 2)
    x, y, *_ = random_batch(7)
    slow = sum(x[i, j] * y[i, j] for i in range(len(x)) for j in range(x.shape[1])) / len(x)
    assert orthogonality(x, y).item() == pytest.approx(slow.item(), rel=1e-12)
    assert torch.autograd.gradcheck(orthogonality, (x.requires_grad_(), y.requires_grad_()))


def test_orthogonality_is_zero_when_no_dimension_is_active_in_both():
    a = torch.tensor([[1.0, 0.0, 2.0], [0.0, 5.0, 0.0]])
    assert orthogonality(a, torch.tensor([[0.0, 3.0, 0.0], [1.0, 0.0, 1.0]])).item() == 0


def test_bad_batches():
    rows, person = torch.rand(4, 2), torch.tensor([0, 0, 1, 1])
    with pytest.raises(RecipeError, match="centre_pair_mining: .*at least 2 persons"):
        centre_pair_mining(rows, rows, rows, rows, torch.zeros(4, dtype=torch.int64))
    with pytest.raises(InternalError, match=r"\(3, 2\).*\(4,\)"):
        centre_pair_mining(rows, rows, rows[:3], rows, person)
    with pytest.raises(InternalError, match=r"orthogonality: got shapes \(4, 2\) and \(3, 2\)"):
        orthogonality(rows, rows[:3])
    with pytest.raises(InternalError, match="N at least 1"):
        orthogonality(rows[:0], rows[:0])
