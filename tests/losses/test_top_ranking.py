"""BDTR's ranking losses: values by hand, slow twins, a second opinion, zero cases, grouping by label, gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.top_ranking import cross_modality_ranking, intra_modality_ranking

LOSSES = [cross_modality_ranking, intra_modality_ranking]

# On a line, one row of each person and light: RGB of persons 0 1 2 at 0, 4, 10, infrared at 1, 2, 8.
# Distances of RGB (down) from infrared (across): 1 2 8 / 3 2 4 / 9 8 2.
RGB = torch.tensor([[0.0], [4.0], [10.0]], dtype=torch.float64)
IR = torch.tensor([[1.0], [2.0], [8.0]], dtype=torch.float64)
PERSON = torch.tensor([0, 1, 2])


def random_batch(seed, persons=4, crops=3, dimension=5):
    generator = torch.Generator().manual_seed(seed)
    rgb, ir = torch.randn(2, persons * crops, dimension, generator=generator, dtype=torch.float64)
    return rgb, ir, torch.arange(persons).repeat_interleave(crops) * 10


def hardest(anchor, others, person, persons):
    """Places of the farthest row of the anchor's person and of the nearest row of another one."""
    distance = [math.dist(anchor, other) for other in others]
    farthest = max((d, j) for j, d in enumerate(distance) if persons[j] == person)[1]
    nearest = min((d, j) for j, d in enumerate(distance) if persons[j] != person)[1]
    return farthest, nearest


def test_cross_by_hand():
    # RGB anchors, positive less nearest negative: 1-2, 2-3, 2-8 = -1 -1 -6; with margin 2: 1 1 0.
    # Infrared anchors: 1-3, 2-2, 2-4 = -2 0 -2; with margin 2: 0 2 0. The two means add: 2/3 + 2/3.
    assert cross_modality_ranking(RGB, IR, PERSON, 2.0).item() == pytest.approx(4 / 3, abs=1e-12)


def test_intra_by_hand():
    # RGB anchors 0 1 2 compare infrared rows (0, 1), (1, 0), (2, 1), which are 1, 1, 6 apart;
    # infrared anchors compare RGB rows (0, 1), (1, 0), (2, 1): 4, 4, 6. Margin 2: (1 + 1 + 0) / 3 + 0.
    assert intra_modality_ranking(RGB, IR, PERSON, 2.0).item() == pytest.approx(2 / 3, abs=1e-12)
    # Margin 5: (4 + 4 + 0) / 3 + (1 + 1 + 0) / 3.
    assert intra_modality_ranking(RGB, IR, PERSON, 5.0).item() == pytest.approx(10 / 3, abs=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("crops", [1, 3])
def test_slow_twins(seed, crops):
    rgb, ir, person = random_batch(seed, crops=crops)
    cross = intra = 0.0
    for anchors, others in ((rgb, ir), (ir, rgb)):
        for a, y in zip(anchors, person, strict=True):
            p, n = hardest(a, others, y, person)
            cross += max(0.0, 0.5 + math.dist(a, others[p]) - math.dist(a, others[n])) / len(person)
            intra += max(0.0, 3.0 - math.dist(others[p], others[n])) / len(person)
    assert cross_modality_ranking(rgb, ir, person, 0.5).item() == pytest.approx(cross, rel=1e-12)
    assert intra_modality_ranking(rgb, ir, person, 3.0).item() == pytest.approx(intra, rel=1e-12)
    assert cross > 0.1
    assert intra > 0.1


def test_cross_agrees_with_pytorch_metric_learning():
    rgb, ir, person = random_batch(3)
    distance = LpDistance(normalize_embeddings=False)
    oracle = TripletMarginLoss(margin=0.5, distance=distance, reducer=MeanReducer())
    miner = BatchHardMiner(distance=distance)
    others = person.clone()  # of the same object it would leave the diagonal out
    expected = sum(
        oracle(a, person, miner(a, person, b, others), ref_emb=b, ref_labels=others) for a, b in ((rgb, ir), (ir, rgb))
    )
    assert cross_modality_ranking(rgb, ir, person, 0.5).item() == pytest.approx(expected.item(), rel=1e-9)


def test_zero_once_persons_stand_apart():
    rgb = torch.tensor([[0.0], [5.0]])
    person = torch.tensor([3, 8])
    # Positives coincide, the nearest negative is 5 away, and so are the two rows of a light.
    assert cross_modality_ranking(rgb, rgb, person, 5.0).item() == 0
    assert intra_modality_ranking(rgb, rgb, person, 5.0).item() == 0
    assert cross_modality_ranking(rgb, rgb, person, 5.5).item() == pytest.approx(1.0)
    assert intra_modality_ranking(rgb, rgb, person, 5.5).item() == pytest.approx(1.0)


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_rows_cost_both_margins_and_have_finite_gradients(loss):
    rows = torch.ones(3, 2, requires_grad=True)
    found = loss(rows, rows, PERSON, 0.3)
    found.backward()
    assert found.item() == pytest.approx(0.6)
    assert torch.isfinite(rows.grad).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 30.0, 1e6])
def test_right_at_any_scale_of_distance(loss, scale):
    rgb, ir, person = random_batch(4)
    expected = scale * loss(rgb, ir, person, 2.0).item()
    assert loss(scale * rgb, scale * ir, person, scale * 2.0).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient(loss):
    rgb, ir, person = random_batch(5, persons=3, crops=2, dimension=3)
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, person, 3.0), (rgb.requires_grad_(), ir.requires_grad_()))


def test_intra_moves_the_rows_of_the_other_light_alone():
    rgb, ir = RGB.clone().requires_grad_(), IR.clone().requires_grad_()
    intra_modality_ranking(rgb, ir, PERSON, 2.0).backward()
    # Both pairs within the margin are infrared rows 0 and 1, at 1 and 2, each pushed twice by 1/3.
    assert ir.grad.flatten().tolist() == pytest.approx([2 / 3, -2 / 3, 0])
    assert rgb.grad.flatten().tolist() == [0, 0, 0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(12)), st.permutations(range(12)))
def test_rows_are_grouped_by_label_and_not_by_position(seed, order, order_ir):
    rgb, ir, person = random_batch(seed)
    for loss in LOSSES:
        expected = loss(rgb, ir, person, 2.0).item()
        shuffled = loss(
            rgb[list(order)], ir[list(order_ir)], person[list(order)], 2.0, person_ir=person[list(order_ir)]
        )
        assert shuffled.item() == pytest.approx(expected, rel=1e-9)
        assert loss(rgb, ir, 7 - person, 2.0).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_both_lights_count_alike(loss):
    rgb, ir, person = random_batch(6)
    assert loss(rgb, ir, person, 2.0).item() == pytest.approx(loss(ir, rgb, person, 2.0).item(), rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_two_sides_may_differ_in_number(loss):
    # Doubled RGB rows change no mean, no farthest and no nearest row.
    doubled = loss(RGB.repeat(2, 1), IR, PERSON.repeat(2), 2.0, person_ir=PERSON)
    assert doubled.item() == pytest.approx(loss(RGB, IR, PERSON, 2.0).item(), abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_is_taken_in_float32(loss):
    found = loss(RGB.bfloat16(), IR.bfloat16(), PERSON, 2.0)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(RGB, IR, PERSON, 2.0).item(), rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_bad_batches(loss):
    name = loss.__name__
    with pytest.raises(InternalError, match=rf"{name}: RGB rows show persons \[0, 1, 2\], infrared rows \[0, 2\]"):
        loss(RGB, IR, PERSON, person_ir=torch.tensor([0, 0, 2]))
    with pytest.raises(InternalError, match=rf"{name}: RGB rows show persons \[0\], infrared rows \[0, 1, 2\]"):
        loss(RGB, IR, torch.tensor([0, 0, 0]), person_ir=PERSON)
    with pytest.raises(InternalError, match=r"\(2, 1\).*\(3,\)"):
        loss(RGB, IR[:2], PERSON)
    with pytest.raises(RecipeError, match=rf"{name}: .*another person.*at least 2 persons"):
        loss(RGB, IR, torch.zeros(3, dtype=torch.int64))
