"""TONE's contrastive loss: a value by hand, a slow twin, zero cases, grouping by label, gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.contrastive import contrastive_loss

# RGB of persons 0 1 2 at 0, 4, 10, infrared at 1, 2, 8: distances 1 2 8 / 3 2 4 / 9 8 2.
RGB = torch.tensor([[0.0], [4.0], [10.0]], dtype=torch.float64)
IR = torch.tensor([[1.0], [2.0], [8.0]], dtype=torch.float64)
PERSON = torch.tensor([0, 1, 2])


def random_batch(seed, persons=4, crops=3, dimension=5):
    generator = torch.Generator().manual_seed(seed)
    rgb, ir = torch.randn(2, persons * crops, dimension, generator=generator, dtype=torch.float64)
    return rgb, ir, torch.arange(persons).repeat_interleave(crops) * 10


def test_value_by_hand():
    # Positives 1 2 2: mean square 3. Others 2 8 3 4 9 8 with margin 4: 2 0 1 0 0 0, mean square 5/6. A quarter of both.
    assert contrastive_loss(RGB, IR, PERSON, 4.0).item() == pytest.approx((3 + 5 / 6) / 4, abs=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slow_twin(seed):
    rgb, ir, person = random_batch(seed)
    together, apart = [], []
    for v, y in zip(rgb, person, strict=True):
        for t, other in zip(ir, person, strict=True):
            d = math.dist(v, t)
            (together if y == other else apart).append(d**2 if y == other else max(0.0, 3.5 - d) ** 2)
    expected = 0.5 * (0.5 * sum(together) / len(together) + 0.5 * sum(apart) / len(apart))
    assert contrastive_loss(rgb, ir, person, 3.5).item() == pytest.approx(expected, rel=1e-12)
    assert sum(apart) > 1


def test_it_is_the_mean_over_draws_that_are_half_positive():
    rgb, ir, person = random_batch(3)
    generator = torch.Generator().manual_seed(0)
    distance = torch.cdist(rgb, ir)
    same = person[:, None] == person[None, :]
    drawn = {
        label: distance[same == label][torch.randint(int((same == label).sum()), (20_000,), generator=generator)]
        for label in (True, False)
    }
    losses = torch.cat([drawn[True] ** 2, (3.5 - drawn[False]).clamp(min=0) ** 2])
    expected = contrastive_loss(rgb, ir, person, 3.5).item()
    assert (0.5 * losses.mean()).item() == pytest.approx(expected, rel=0.02)


def test_zero_and_equal_rows():
    rows = torch.tensor([[0.0], [0.5], [1.0]])
    assert contrastive_loss(rows, rows, PERSON, 0.5).item() == 0
    same = torch.ones(3, 2, requires_grad=True)
    found = contrastive_loss(same, same, PERSON, 0.5)
    found.backward()
    assert found.item() == pytest.approx(0.25 / 4)
    assert torch.isfinite(same.grad).all()


@pytest.mark.parametrize("scale", [1e-3, 30.0, 1e6])
def test_right_at_any_scale_of_distance(scale):
    rgb, ir, person = random_batch(4)
    expected = scale**2 * contrastive_loss(rgb, ir, person, 3.0).item()
    assert contrastive_loss(scale * rgb, scale * ir, person, scale * 3.0).item() == pytest.approx(expected, rel=1e-9)


def test_gradient():
    rgb, ir, person = random_batch(5, persons=3, crops=2, dimension=3)
    assert torch.autograd.gradcheck(
        lambda a, b: contrastive_loss(a, b, person, 3.0), (rgb.requires_grad_(), ir.requires_grad_())
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(12)), st.permutations(range(12)))
def test_rows_are_grouped_by_label_and_not_by_position(seed, order, order_ir):
    rgb, ir, person = random_batch(seed)
    expected = contrastive_loss(rgb, ir, person, 3.0).item()
    shuffled = contrastive_loss(
        rgb[list(order)], ir[list(order_ir)], person[list(order)], 3.0, person_ir=person[list(order_ir)]
    )
    assert shuffled.item() == pytest.approx(expected, rel=1e-9)
    assert contrastive_loss(ir, rgb, person, 3.0).item() == pytest.approx(expected, rel=1e-9)


def test_bad_batches():
    with pytest.raises(InternalError, match=r"contrastive_loss: RGB rows show persons \[0, 1, 2\], infrared rows"):
        contrastive_loss(RGB, IR, PERSON, person_ir=torch.tensor([0, 1, 1]))
    with pytest.raises(RecipeError, match="at least 2 persons"):
        contrastive_loss(RGB, IR, torch.zeros(3, dtype=torch.int64))
