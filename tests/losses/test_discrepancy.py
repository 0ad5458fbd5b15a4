"""Margin MMD-ID: values by hand, a slow twin, grouping by label, zero cases, the gate, gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.errors import InternalError
from tapetum.losses.discrepancy import margin_discrepancy, person_discrepancies

PERSON = torch.tensor([0, 0, 1, 1])


def random_batch(seed, persons=4, crops=3, dimension=5):
    generator = torch.Generator().manual_seed(seed)
    rgb, ir = torch.randn(2, persons * crops, dimension, generator=generator, dtype=torch.float64)
    return rgb, ir + 0.5, torch.arange(persons).repeat_interleave(crops) * 10


def kernel(squared, bandwidth):
    return sum(math.exp(-squared / (bandwidth * 2**j)) for j in range(5))


def test_values_by_hand():
    # Person 0: RGB rows both at 0, infrared both at 3. Of the 12 ordered pairs 8 are 9 apart, squared: b = 72 / 12 / 4.
    # Person 1: RGB 0 and 2, infrared 0 and 2: the same two clouds.
    rgb = torch.tensor([[0.0], [0.0], [0.0], [2.0]])
    ir = torch.tensor([[3.0], [3.0], [2.0], [0.0]])
    apart = 2 * 5 - 2 * kernel(9, 1.5)
    assert person_discrepancies(rgb, ir, PERSON).tolist() == pytest.approx([apart, 0], abs=1e-5)
    assert margin_discrepancy(rgb, ir, PERSON).item() == pytest.approx(apart / 2, rel=1e-6)


def test_a_single_spread_cloud_by_hand():
    # RGB 0 and 1, infrared 0 and 2; squared distances of the pairs: 1, 0, 4, 1, 1, 4, each twice: b = 22 / 12 / 4.
    rgb, ir = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]])
    b = 22 / 12 / 4
    within = (5 + kernel(1, b)) / 2 + (5 + kernel(4, b)) / 2
    across = (kernel(0, b) + kernel(4, b) + kernel(1, b) + kernel(1, b)) / 4
    found = person_discrepancies(rgb, ir, torch.tensor([7, 7]))
    assert found.tolist() == pytest.approx([within - 2 * across], rel=1e-6)


@pytest.mark.parametrize(("rows", "most"), [(1, 6.1863), (4, 7.4652)])
def test_two_points_as_far_apart_as_can_be(rows, most):
    # b = K d^2 / (2K - 1) / 4, so that no distance gives more than this.
    expected = 10 - 2 * sum(math.exp(-4 * (2 * rows - 1) / rows / 2**j) for j in range(5))
    assert expected == pytest.approx(most, abs=1e-4)
    for distance in (1e-3, 1.0, 1e6):
        rgb, ir = torch.zeros(rows, 2), torch.tensor([[0.0, distance]]).repeat(rows, 1)
        found = person_discrepancies(rgb, ir, torch.zeros(rows, dtype=torch.int64))
        assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slow_twin_with_persons_of_different_sizes(seed):
    rgb, ir, person = random_batch(seed)
    person, person_ir = torch.tensor([5, 5, 5, 5, 9, 9, 2, 2, 2, 2, 2, 9]), person // 10
    person_ir = torch.tensor([2, 5, 9])[person_ir % 3]
    expected = []
    for label in (2, 5, 9):
        s, t = rgb[person == label].tolist(), ir[person_ir == label].tolist()
        points = s + t
        total = sum(math.dist(a, b) ** 2 for a in points for b in points)
        bandwidth = total / (len(points) * (len(points) - 1)) / 4

        def mean(a, b, bandwidth=bandwidth):
            return sum(kernel(math.dist(x, y) ** 2, bandwidth) for x in a for y in b) / (len(a) * len(b))

        expected.append(mean(s, s) + mean(t, t) - 2 * mean(s, t))
    found = person_discrepancies(rgb, ir, person, person_ir)
    assert found.tolist() == pytest.approx(expected, rel=1e-9)
    gate = sorted(expected)[1] - 1e-6  # two of the three are above it
    loss = margin_discrepancy(rgb, ir, person, gate, person_ir)
    assert loss.item() == pytest.approx(sum(sorted(expected)[1:]) / 3, rel=1e-9)


def test_below_the_gate_a_person_costs_nothing_and_above_it_the_whole_value():
    rgb, ir, person = random_batch(3)
    found = person_discrepancies(rgb, ir, person)
    largest = found.max().item()
    assert margin_discrepancy(rgb, ir, person, largest + 1e-9).item() == 0
    assert margin_discrepancy(rgb, ir, person, largest - 1e-9).item() == pytest.approx(largest / 4, rel=1e-12)
    assert margin_discrepancy(rgb, ir, person, 0.0).item() == pytest.approx(found.mean().item(), rel=1e-12)


def test_equal_clouds_are_zero_with_finite_gradients():
    rgb, _, person = random_batch(4)
    assert person_discrepancies(rgb, rgb[[1, 2, 0, *range(3, 12)]], person).tolist() == pytest.approx(
        [0] * 4, abs=1e-12
    )
    rows = torch.ones(4, 3, requires_grad=True)
    loss = margin_discrepancy(rows, rows, PERSON, 0.0)
    loss.backward()
    assert loss.item() == 0
    assert rows.grad.tolist() == torch.zeros(4, 3).tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_it_is_within_its_bounds_and_the_same_at_any_scale(seed, scale):
    rgb, ir, person = random_batch(seed)
    found = person_discrepancies(rgb, ir, person)
    assert ((found >= 0) & (found < 10)).all()
    moved = person_discrepancies(rgb * scale + 3, ir * scale + 3, person)
    assert moved.tolist() == pytest.approx(found.tolist(), rel=1e-7)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(12)), st.permutations(range(12)))
def test_rows_are_grouped_by_label_and_not_by_position(seed, order, order_ir):
    rgb, ir, person = random_batch(seed)
    expected = person_discrepancies(rgb, ir, person)
    shuffled = person_discrepancies(rgb[list(order)], ir[list(order_ir)], person[list(order)], person[list(order_ir)])
    assert shuffled.tolist() == pytest.approx(expected.tolist(), rel=1e-9)


def test_gradient_takes_the_bandwidth_as_given():
    rgb, ir, person = random_batch(5, persons=2, crops=2, dimension=3)
    rgb.requires_grad_()
    margin_discrepancy(rgb, ir, person, 0.0).backward()
    bandwidth = []
    for label in (0, 10):
        x = torch.cat([rgb[person == label], ir[person == label]]).detach()
        bandwidth.append(torch.pdist(x).square().mean().item() / 4)

    def with_given_bandwidth(a):
        total = a.new_zeros(())
        for label, b in zip((0, 10), bandwidth, strict=True):
            s, t = a[person == label], ir[person == label]

            def mean(x, y, b=b):
                squared = (x[:, None] - y[None, :]).square().sum(dim=2)
                return sum(torch.exp(-squared / (b * 2**j)) for j in range(5)).mean()

            total = total + mean(s, s) + mean(t, t) - 2 * mean(s, t)
        return total / 2

    again = rgb.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(with_given_bandwidth, again)
    with_given_bandwidth(again).backward()
    torch.testing.assert_close(rgb.grad, again.grad)


def test_bad_batches():
    rows = torch.rand(4, 2)
    with pytest.raises(InternalError, match=r"RGB rows show persons \[0, 1\], infrared rows \[0, 2\]"):
        person_discrepancies(rows, rows, PERSON, torch.tensor([0, 0, 2, 2]))
    with pytest.raises(InternalError, match=r"person_discrepancies: .*\(3, 2\).*\(4,\)"):
        margin_discrepancy(rows, rows[:3], PERSON)
