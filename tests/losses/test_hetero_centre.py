"""HC-Tri and HC: values by hand, a slow twin, grouping by label, zero cases, gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.hetero_centre import hetero_centre_distance, hetero_centre_triplet, person_centres

# On a line: person 0 has RGB rows 0, 2 and infrared rows 3, 5; person 1 has 6, 8 and 8, 10.
# Centres: RGB 1 and 7, infrared 4 and 9.
RGB = torch.tensor([[0.0], [2.0], [6.0], [8.0]], dtype=torch.float64)
IR = torch.tensor([[3.0], [5.0], [8.0], [10.0]], dtype=torch.float64)
PERSON = torch.tensor([0, 0, 1, 1])


def random_batch(seed, persons=4, crops=3, dimension=5):
    generator = torch.Generator().manual_seed(seed)
    rgb, ir = torch.randn(2, persons * crops, dimension, generator=generator, dtype=torch.float64)
    return rgb, ir, torch.arange(persons).repeat_interleave(crops) * 10


def test_centres_by_hand():
    centres, labels = person_centres(torch.tensor([[4.0, 1.0], [0.0, 0.0], [6.0, 3.0]]), torch.tensor([9, 2, 9]))
    assert labels.tolist() == [2, 9]
    assert centres.tolist() == [[0, 0], [5, 2]]


def test_value_by_hand():
    # Counterparts at 3 3 2 2; nearest foreign centres at 6 3 3 5: differences -3 0 -1 -3, with margin 2: 0 2 1 0.
    assert hetero_centre_triplet(RGB, IR, PERSON, 2.0).item() == pytest.approx(0.75, abs=1e-12)


def test_soft_margin_by_hand():
    expected = sum(math.log1p(math.exp(x)) for x in (-3, 0, -1, -3)) / 4
    assert hetero_centre_triplet(RGB, IR, PERSON, None).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slow_twin(seed):
    rgb, ir, person = random_batch(seed)
    centres = [
        (label, light, features[person == label].mean(dim=0))
        for light, features in enumerate((rgb, ir))
        for label in sorted(set(person.tolist()))
    ]
    total = 0.0
    for label, light, centre in centres:
        counterpart = [math.dist(centre, c) for y, m, c in centres if y == label and m != light]
        foreign = [math.dist(centre, c) for y, _, c in centres if y != label]
        total += max(0.0, 1.5 + counterpart[0] - min(foreign))
    assert hetero_centre_triplet(rgb, ir, person, 1.5).item() == pytest.approx(total / len(centres), rel=1e-12)


def test_zero_once_centres_stand_apart_by_the_margin():
    rgb = torch.tensor([[-1.0], [1.0], [4.0], [6.0]])  # centres 0 and 5, whatever the spread around them
    assert hetero_centre_triplet(rgb, rgb + 0.5, PERSON, 4.0).item() == 0
    # Counterparts at 0.5; the inner centres 0.5 and 5 have a foreign one at 4.5, the outer ones at 5: 0.25 from two.
    assert hetero_centre_triplet(rgb, rgb + 0.5, PERSON, 4.25).item() == pytest.approx(0.25 * 2 / 4)


def test_equal_rows_cost_the_margin():
    rows = torch.ones(4, 3, requires_grad=True)
    loss = hetero_centre_triplet(rows, rows, PERSON, 0.3)
    loss.backward()
    assert loss.item() == pytest.approx(0.3)
    assert torch.isfinite(rows.grad).all()


def test_gradient():
    rgb, ir, person = random_batch(5, persons=3, crops=2, dimension=3)
    assert torch.autograd.gradcheck(
        lambda a, b: hetero_centre_triplet(a, b, person, 3.0), (rgb.requires_grad_(), ir.requires_grad_())
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(12)), st.permutations(range(12)))
def test_rows_are_grouped_by_label_and_not_by_position(seed, order, order_ir):
    rgb, ir, person = random_batch(seed)
    expected = hetero_centre_triplet(rgb, ir, person, 1.0).item()
    shuffled = hetero_centre_triplet(
        rgb[list(order)], ir[list(order_ir)], person[list(order)], 1.0, person_ir=person[list(order_ir)]
    )
    assert shuffled.item() == pytest.approx(expected, rel=1e-9)


def test_the_two_sides_may_differ_in_number():
    # The second RGB view doubles each row: the centres stay.
    doubled = hetero_centre_triplet(RGB.repeat(2, 1), IR, PERSON.repeat(2), 2.0, person_ir=PERSON)
    assert doubled.item() == pytest.approx(0.75, abs=1e-12)


def test_bad_batches():
    with pytest.raises(InternalError, match=r"RGB rows show persons \[0, 1\], infrared rows \[0, 2\]"):
        hetero_centre_triplet(RGB, IR, PERSON, person_ir=torch.tensor([0, 0, 2, 2]))
    with pytest.raises(InternalError, match=r"\(3, 1\).*\(4,\)"):
        hetero_centre_triplet(RGB, IR[:3], PERSON)
    with pytest.raises(RecipeError, match="at least 2 persons"):
        hetero_centre_triplet(RGB, IR, torch.zeros(4, dtype=torch.int64))


def test_distance_by_hand():
    # Centres 1 and 4, 7 and 9: squares 9 and 4, summed over the persons; a margin of 5 leaves 4 and 0.
    assert hetero_centre_distance(RGB, IR, PERSON).item() == pytest.approx(13)
    assert hetero_centre_distance(RGB, IR, PERSON, 5.0).item() == pytest.approx(4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_distance_slow_twin_with_persons_of_different_sizes(seed):
    rgb, ir, _ = random_batch(seed)
    person = torch.tensor([2, 2, 2, 2, 2, 2, 7, 7, 7, 7, 4, 4])
    person_ir = torch.tensor([4, 7, 2, 4, 7, 2, 4, 4, 4, 4, 4, 4])
    total = 0.0
    for label in (2, 4, 7):
        a, b = rgb[person == label].mean(dim=0), ir[person_ir == label].mean(dim=0)
        total += max(0.0, sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist(), strict=True)) - 0.5)
    found = hetero_centre_distance(rgb, ir, person, 0.5, person_ir=person_ir)
    assert found.item() == pytest.approx(total, rel=1e-12)


def test_distance_is_zero_for_equal_centres_and_within_the_margin():
    rgb = torch.tensor([[-1.0], [1.0], [4.0], [6.0]])  # centres 0 and 5, whatever the spread around them
    assert hetero_centre_distance(rgb, torch.tensor([[0.0], [0.0], [5.0], [5.0]]), PERSON).item() == 0
    assert hetero_centre_distance(rgb, rgb + 0.5, PERSON, 0.25).item() == 0
    assert hetero_centre_distance(rgb, rgb + 0.5, PERSON, 0.05).item() == pytest.approx(0.4)


def test_distance_gradient_also_at_zero():
    rgb, ir, person = random_batch(6, persons=3, crops=2, dimension=3)
    assert torch.autograd.gradcheck(
        lambda a, b: hetero_centre_distance(a, b, person, 0.1), (rgb.requires_grad_(), ir.requires_grad_())
    )
    rows = torch.ones(4, 3, requires_grad=True)
    hetero_centre_distance(rows, rows, PERSON).backward()
    assert rows.grad.tolist() == torch.zeros(4, 3).tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(12)), st.permutations(range(12)))
def test_distance_groups_rows_by_label_and_not_by_position(seed, order, order_ir):
    rgb, ir, person = random_batch(seed)
    expected = hetero_centre_distance(rgb, ir, person, 0.1).item()
    shuffled = hetero_centre_distance(
        rgb[list(order)], ir[list(order_ir)], person[list(order)], 0.1, person_ir=person[list(order_ir)]
    )
    assert shuffled.item() == pytest.approx(expected, rel=1e-9)


def test_distance_refuses_persons_of_one_light():
    with pytest.raises(InternalError, match=r"hetero_centre_distance: RGB rows show persons \[0, 1\]"):
        hetero_centre_distance(RGB, IR, PERSON, person_ir=torch.tensor([0, 0, 2, 2]))
