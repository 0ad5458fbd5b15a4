"""Attributes with missing labels: by hand, what is unknown counts nothing, errors."""

from __future__ import annotations

import math

import pytest
import torch

from tapetum.errors import RecipeError
from tapetum.losses.attributes import attribute_loss

LOGITS = {"bag": torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0], [5.0, -5.0]]), "hat": torch.zeros(3, 4)}
LABELS = {"bag": torch.tensor([0, 1, -1]), "hat": torch.tensor([-1, 2, -1]), "coat": torch.tensor([1, 1, 1])}


def test_by_hand():
    # bag: rows 0 and 1 known, -log 3/4 and -log 1/2; hat: row 1, log 4. The third row says nothing.
    bag = (-math.log(0.75) + math.log(2)) / 2
    assert attribute_loss(LOGITS, LABELS).item() == pytest.approx((bag + math.log(4)) / 2, rel=1e-6)


def test_unknown_rows_have_no_gradient():
    logits = {name: z.clone().requires_grad_() for name, z in LOGITS.items()}
    attribute_loss(logits, LABELS).backward()
    assert logits["bag"].grad[2].abs().max() == 0
    assert logits["bag"].grad[:2].abs().min() > 0


def test_an_attribute_nobody_knows_counts_nothing():
    unknown = {**LABELS, "hat": torch.full((3,), -1)}
    assert attribute_loss(LOGITS, unknown).item() == pytest.approx(
        attribute_loss({"bag": LOGITS["bag"]}, LABELS).item()
    )
    nothing = {name: torch.full((3,), -1) for name in LOGITS}
    z = {name: value.clone().requires_grad_() for name, value in LOGITS.items()}
    loss = attribute_loss(z, nothing)
    loss.backward()
    assert loss.item() == 0


def test_gradcheck_and_row_order():
    z = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([2, -1, 0, 1])
    assert torch.autograd.gradcheck(
        lambda z: attribute_loss({"a": z}, {"a": labels}).double(), (z,), eps=1e-3, atol=1e-3
    )
    order = torch.tensor([3, 1, 0, 2])
    one, other = attribute_loss({"a": z}, {"a": labels}), attribute_loss({"a": z[order]}, {"a": labels[order]})
    assert one.item() == pytest.approx(other.item(), rel=1e-6)


def test_attributes_without_labels_are_refused():
    with pytest.raises(RecipeError, match=r"no labels of 'hat' for 3 rows"):
        attribute_loss(LOGITS, {"bag": LABELS["bag"]})
    with pytest.raises(RecipeError, match=r"'bag' has 2 classes in the recipe and class 2 in the data"):
        attribute_loss({"bag": LOGITS["bag"]}, {"bag": torch.tensor([0, 2, -1])})
