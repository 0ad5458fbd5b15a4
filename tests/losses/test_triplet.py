"""Triplet losses: values by hand, slow twins, pytorch-metric-learning as a second opinion, zero cases, gradients."""

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
from tapetum.losses.triplet import batch_hard_triplet, enhanced_triplet, pairwise_distance, weighted_triplet

LOSSES = [batch_hard_triplet, lambda f, y: batch_hard_triplet(f, y, None), weighted_triplet, enhanced_triplet]

# On a line, persons 0 0 1 1 at 0, 3, 1, 5: each row's positive is 3, 3, 4, 4 away, its negatives (1, 5), (2, 2),
# (1, 2), (5, 2).
LINE = torch.tensor([[0.0], [3.0], [1.0], [5.0]], dtype=torch.float64)
LINE_PERSON = torch.tensor([0, 0, 1, 1])


def softplus(x):
    return math.log1p(math.exp(x))


def random_batch(seed, persons=4, crops=3, dimension=5):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(persons * crops, dimension, generator=generator, dtype=torch.float64)
    person = torch.arange(persons).repeat_interleave(crops) * 10
    order = torch.randperm(len(person), generator=generator)
    return features[order], person[order]


def test_distance_by_hand():
    a = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    b = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 8.0]])
    assert pairwise_distance(a, b).tolist() == [[0, 3, 8], [5, 4, 5]]


def test_distance_of_equal_rows_has_a_zero_gradient():
    rows = torch.ones(3, 4, requires_grad=True)
    pairwise_distance(rows, rows).sum().backward()
    assert rows.grad.tolist() == torch.zeros(3, 4).tolist()


def test_distance_keeps_small_differences_far_from_the_origin():
    rows = torch.tensor([[10000.0, 0.0], [10000.0, 0.125]])
    assert pairwise_distance(rows, rows).tolist() == [[0, 0.125], [0.125, 0]]


def test_distance_of_half_precision_is_taken_in_float32():
    rows = torch.tensor([[1.0], [4.0]], dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = pairwise_distance(rows, rows)
    assert found.dtype == torch.float32
    assert found.tolist() == [[0, 3], [3, 0]]


def test_distance_refuses_other_widths():
    with pytest.raises(InternalError, match=r"pairwise_distance: got shapes \(2, 3\) and \(2, 4\)"):
        pairwise_distance(torch.zeros(2, 3), torch.zeros(2, 4))


def test_batch_hard_by_hand():
    # Farthest positive less nearest negative: 3-1, 3-2, 4-1, 4-2 = 2 1 3 2; with margin 0.5 the mean is 2.5.
    assert batch_hard_triplet(LINE, LINE_PERSON, 0.5).item() == pytest.approx(2.5, abs=1e-12)


def test_batch_hard_by_hand_with_rows_beyond_the_margin():
    # Persons 0 0 1 1 at 0, 1, 3, 9: 1-3, 1-2, 6-2, 6-8 = -2 -1 4 -2; margin 1.5 leaves 0, 0.5, 5.5, 0.
    features = torch.tensor([[0.0], [1.0], [3.0], [9.0]])
    assert batch_hard_triplet(features, LINE_PERSON, 1.5).item() == pytest.approx(1.5, abs=1e-6)


def test_soft_margin_by_hand():
    expected = sum(softplus(x) for x in (2, 1, 3, 2)) / 4
    assert batch_hard_triplet(LINE, LINE_PERSON, None).item() == pytest.approx(expected, rel=1e-12)


def test_weighted_by_hand():
    # One positive each. Negatives at 1 and 5 weigh as e^-1 : e^-5, at 2 and 2 alike, and so on.
    def away(a, b):
        return (a * math.exp(-a) + b * math.exp(-b)) / (math.exp(-a) + math.exp(-b))

    expected = (softplus(3 - away(1, 5)) + softplus(3 - 2) + softplus(4 - away(1, 2)) + softplus(4 - away(5, 2))) / 4
    assert weighted_triplet(LINE, LINE_PERSON).item() == pytest.approx(expected, rel=1e-12)


def test_enhanced_by_hand():
    # As above, but log(1 + e^(x |x|)) of the difference x: with equal negatives at 2 and a positive at 3, x = 1.
    def away(a, b):
        return (a * math.exp(-a) + b * math.exp(-b)) / (math.exp(-a) + math.exp(-b))

    excess = [3 - away(1, 5), 3 - 2, 4 - away(1, 2), 4 - away(5, 2)]
    expected = sum(softplus(x * abs(x)) for x in excess) / 4
    assert enhanced_triplet(LINE, LINE_PERSON).item() == pytest.approx(expected, rel=1e-12)
    # Persons 0 0 1 1 at 0, 3, 9, 5: the positive is nearer than the negatives in rows 0 and 2 alone.
    excess = [3 - away(9, 5), 3 - away(6, 2), 4 - away(9, 6), 4 - away(5, 2)]
    assert [x > 0 for x in excess] == [False, True, False, True]
    expected = sum(softplus(x * abs(x)) for x in excess) / 4
    features = torch.tensor([[0.0], [3.0], [9.0], [5.0]], dtype=torch.float64)
    assert enhanced_triplet(features, LINE_PERSON).item() == pytest.approx(expected, rel=1e-12)


def test_the_cap_of_the_enhanced_triplet_bounds_the_loss_and_ends_the_gradient():
    # The squares of the four rows are 3.7, 1, 7.5 and 3.8: under a cap of 0.5 no row is left with a gradient.
    features = LINE.clone().requires_grad_()
    loss = enhanced_triplet(features, LINE_PERSON, 0.5)
    loss.backward()
    assert loss.item() == pytest.approx(softplus(0.5), rel=1e-12)
    assert features.grad.tolist() == [[0]] * 4
    # A cap of 2 leaves the second row its own: at 3, it has its positive at 0 and negatives at 1 and 5.
    assert enhanced_triplet(LINE, LINE_PERSON, 2.0).item() == pytest.approx((3 * softplus(2) + softplus(1)) / 4)
    features.grad = None
    enhanced_triplet(features, LINE_PERSON, 2.0).backward()
    assert features.grad[0].item() < 0 < features.grad[1:].abs().min().item()


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_without_a_cap_the_enhanced_triplet_grows_with_the_square(scale):
    # Persons on the short sides of a rectangle of 3 s x 4 s: positives at 4 s, negatives at 3 s (and 5 s).
    features = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [3.0, 4.0]], dtype=torch.float64) * scale
    person = torch.tensor([0, 1, 0, 1])
    near = 3 * scale + 2 * scale * math.exp(-2 * scale) / (1 + math.exp(-2 * scale))
    expected = (4 * scale - near) ** 2
    found = enhanced_triplet(features, person, cap=None)
    assert found.item() == pytest.approx(expected + math.log1p(math.exp(-expected)), rel=1e-9)
    assert enhanced_triplet(features, person).item() <= 88 + 1e-9


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_batch_hard_slow_twin(seed):
    features, person = random_batch(seed)
    total = 0.0
    for a in range(len(person)):
        distance = [math.dist(features[a], features[b]) for b in range(len(person))]
        positives = [distance[b] for b in range(len(person)) if b != a and person[b] == person[a]]
        negatives = [distance[b] for b in range(len(person)) if person[b] != person[a]]
        total += max(0.0, 0.3 + max(positives) - min(negatives))
    assert batch_hard_triplet(features, person, 0.3).item() == pytest.approx(total / len(person), rel=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weighted_and_enhanced_slow_twin(seed):
    features, person = random_batch(seed)
    total, enhanced = 0.0, 0.0
    for a in range(len(person)):
        toward, away = [0.0, 0.0], [0.0, 0.0]  # the weights' sum, and the weighted sum of distances
        for b in range(len(person)):
            d = math.dist(features[a], features[b])
            if b != a and person[b] == person[a]:
                toward = [toward[0] + math.exp(d), toward[1] + math.exp(d) * d]
            elif person[b] != person[a]:
                away = [away[0] + math.exp(-d), away[1] + math.exp(-d) * d]
        gap = away[1] / away[0] - toward[1] / toward[0]
        total += softplus(-gap)
        enhanced += softplus(-min(gap**2, 0.5) if gap >= 0 else min(gap**2, 0.5))
    assert weighted_triplet(features, person).item() == pytest.approx(total / len(person), rel=1e-12)
    assert enhanced_triplet(features, person, 0.5).item() == pytest.approx(enhanced / len(person), rel=1e-12)


@pytest.mark.parametrize("margin", [0.3, None])
def test_batch_hard_agrees_with_pytorch_metric_learning(margin):
    features, person = random_batch(3)
    distance = LpDistance(normalize_embeddings=False)
    oracle = TripletMarginLoss(
        margin=margin or 0.0, smooth_loss=margin is None, distance=distance, reducer=MeanReducer()
    )
    expected = oracle(features, person, BatchHardMiner(distance=distance)(features, person))
    assert batch_hard_triplet(features, person, margin).item() == pytest.approx(expected.item(), rel=1e-9)


def test_batch_hard_is_zero_once_persons_stand_apart_by_the_margin():
    features = torch.tensor([[0.0], [1.0], [2.5], [3.5]])
    assert batch_hard_triplet(features, LINE_PERSON, 0.5).item() == 0
    assert batch_hard_triplet(features, LINE_PERSON, 0.75).item() == pytest.approx((0 + 0.25 + 0.25 + 0) / 4)


def test_equal_rows_cost_the_margin_or_log_two():
    features = torch.ones(4, 3)
    assert batch_hard_triplet(features, LINE_PERSON, 0.3).item() == pytest.approx(0.3)
    assert weighted_triplet(features, LINE_PERSON).item() == pytest.approx(math.log(2))
    assert enhanced_triplet(features, LINE_PERSON).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("scale", [1.0, 15.0, 30.0, 1000.0, 1e6])
def test_weights_sum_to_one_at_any_scale(scale):
    # Corners of a rectangle, persons on its long sides: every row has its positive 3 s away, its negatives 4 s and 5 s.
    features = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [3.0, 4.0]], dtype=torch.float64) * scale
    away = 4 * scale + scale * math.exp(-scale) / (1 + math.exp(-scale))
    loss = weighted_triplet(features, LINE_PERSON)
    assert loss.item() == pytest.approx(math.log1p(math.exp(3 * scale - away)), rel=1e-9, abs=1e-300)
    # With the persons on the short sides the loss is as large as the distances, neither zero nor infinite.
    toward = weighted_triplet(features, torch.tensor([0, 1, 0, 1]))
    expected = 4 * scale - (3 * scale + 2 * scale * math.exp(-2 * scale) / (1 + math.exp(-2 * scale)))
    assert toward.item() == pytest.approx(math.log1p(math.exp(-expected)) + expected, rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient(loss):
    features, person = random_batch(4, persons=3, crops=2, dimension=3)
    assert torch.autograd.gradcheck(lambda f: loss(f, person), features.requires_grad_())


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_rows_give_finite_gradients(loss):
    features = torch.ones(4, 3, requires_grad=True)
    loss(features, LINE_PERSON).backward()
    assert torch.isfinite(features.grad).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(12)))
def test_rows_are_grouped_by_label_and_not_by_position(seed, order):
    features, person = random_batch(seed)
    for loss in LOSSES:
        expected = loss(features, person).item()
        assert loss(features[list(order)], person[list(order)]).item() == pytest.approx(expected, rel=1e-9)
        assert loss(features, 7 - person).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_bad_batches(loss):
    with pytest.raises(RecipeError, match=r"row 0 of the batch has no crop of another person.*at least 2 persons"):
        loss(torch.rand(3, 2), torch.tensor([5, 5, 5]))
    with pytest.raises(RecipeError, match=r"row 2 of the batch has no other crop of the same person.*at least 2 crops"):
        loss(torch.rand(3, 2), torch.tensor([5, 5, 6]))
    with pytest.raises(InternalError, match=r"\(3, 2\).*\(2,\)"):
        loss(torch.rand(3, 2), torch.tensor([5, 5]))
    with pytest.raises(InternalError, match="N at least 1"):
        loss(torch.rand(0, 2), torch.tensor([], dtype=torch.int64))
