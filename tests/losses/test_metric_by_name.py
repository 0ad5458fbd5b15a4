"""The metric losses by name: each one is the loss that it names."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import RecipeError
from tapetum.losses.hetero_centre import hetero_centre_triplet
from tapetum.losses.metric import metric_loss
from tapetum.losses.triplet import batch_hard_triplet, weighted_triplet


def test_each_name_is_its_loss():
    torch.manual_seed(0)
    rgb, ir, person = torch.randn(4, 3), torch.randn(4, 3), torch.tensor([0, 0, 1, 1])
    both, twice = torch.cat([rgb, ir]), torch.cat([person, person])
    assert metric_loss("batch_hard", rgb, ir, person, 0.5) == batch_hard_triplet(both, twice, 0.5)
    assert metric_loss("weighted", rgb, ir, person) == weighted_triplet(both, twice)
    assert metric_loss("hetero_centre", rgb, ir, person, None) == hetero_centre_triplet(rgb, ir, person, None)


def test_another_name_is_refused():
    with pytest.raises(RecipeError, match="no metric loss is called 'none'"):
        metric_loss("none", torch.zeros(2, 2), torch.zeros(2, 2), torch.tensor([0, 1]))
