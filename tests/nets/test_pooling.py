"""Pooling: generalised means by hand, safety at the ends of the number range, strips."""

import pytest
import torch

from tapetum.errors import RecipeError
from tapetum.nets.pooling import GeneralisedMeanPooling, Strips, global_pooling

MAPS = torch.tensor(
    [[[[1.0, 2.0], [3.0, 4.0]], [[2.0, 2.0], [2.0, 2.0]]], [[[0.0, 0.0], [0.0, 6.0]], [[5.0, 0.0], [0.0, 0.0]]]]
)


def test_generalised_mean_by_hand():
    # p = 3: ((1 + 8 + 27 + 64) / 4)^(1/3) = 25^(1/3); a constant stays; one 6 in four: 54^(1/3); one 5: (125/4)^(1/3).
    found = GeneralisedMeanPooling(3.0)(MAPS)
    torch.testing.assert_close(found, torch.tensor([[25 ** (1 / 3), 2.0], [54 ** (1 / 3), (125 / 4) ** (1 / 3)]]))


def test_power_one_is_the_average_and_a_large_power_nears_the_maximum():
    torch.testing.assert_close(GeneralisedMeanPooling(1.0)(MAPS), global_pooling("average")(MAPS), atol=1e-5, rtol=0)
    torch.testing.assert_close(GeneralisedMeanPooling(1000.0)(MAPS), global_pooling("max")(MAPS), atol=0, rtol=2e-3)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e6, 1e30])
def test_large_powers_neither_overflow_nor_vanish(scale):
    maps = (MAPS[:1] * scale).requires_grad_()
    found = GeneralisedMeanPooling(10.0)(maps)
    expected = ((1 + 2**10 + 3**10 + 4**10) / 4) ** 0.1
    torch.testing.assert_close(found.detach() / scale, torch.tensor([[expected, 2.0]]))
    found.sum().backward()
    torch.testing.assert_close(maps.grad[0, 1], torch.full((2, 2), 0.25))


def test_a_dead_map_gives_the_floor_and_finite_gradients():
    maps = torch.zeros(2, 3, 2, 2, requires_grad=True)
    found = GeneralisedMeanPooling(3.0, learnable=True)(maps)
    found.sum().backward()
    torch.testing.assert_close(found.detach(), torch.full((2, 3), 1e-6))
    assert torch.isfinite(maps.grad).all()


def test_generalised_mean_gradient_in_map_and_power():
    maps = torch.rand(2, 3, 2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
    assert torch.autograd.gradcheck(GeneralisedMeanPooling(3.0), maps.requires_grad_())
    pooling = GeneralisedMeanPooling(3.0, learnable=True).double()
    assert list(dict(pooling.named_parameters())) == ["p"]

    def by_power(power):
        return torch.func.functional_call(pooling, {"p": power}, maps)

    assert torch.autograd.gradcheck(by_power, torch.tensor(2.5, dtype=torch.float64, requires_grad=True))


def test_half_precision_is_widened():
    found = GeneralisedMeanPooling(3.0)(MAPS.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, GeneralisedMeanPooling(3.0)(MAPS))


def test_average_and_maximum_by_hand():
    assert global_pooling("average")(MAPS).tolist() == [[2.5, 2.0], [1.5, 1.25]]
    assert global_pooling("max")(MAPS).tolist() == [[4.0, 2.0], [6.0, 5.0]]
    assert repr(global_pooling("gem", 10.0)) == "GeneralisedMeanPooling(p=10, learnable=False)"


def test_strips_by_hand():
    maps = torch.arange(8.0).view(1, 1, 4, 2)  # rows 0 1 | 2 3 | 4 5 | 6 7
    assert Strips(2, global_pooling("average"))(maps).tolist() == [[[1.5], [5.5]]]
    assert Strips(4, global_pooling("max"))(maps).tolist() == [[[1], [3], [5], [7]]]
    assert Strips(3, global_pooling("max"))(maps).tolist() == [[[3], [5], [7]]]


def test_strips_keep_rows_and_channels_apart():
    found = Strips(2, global_pooling("average"))(MAPS)
    assert found.tolist() == [[[1.5, 2.0], [3.5, 2.0]], [[0.0, 2.5], [3.0, 0.0]]]


def test_bad_settings():
    with pytest.raises(RecipeError, match=r"p is 0"):
        GeneralisedMeanPooling(0)
    with pytest.raises(RecipeError, match=r"no pooling is called 'gen'\. Did you mean 'gem'"):
        global_pooling("gen")
    with pytest.raises(RecipeError, match="strips: got 0"):
        Strips(0, global_pooling("gem"))
    with pytest.raises(RecipeError, match=r"2 rows, too few for 3 strips.*48 rows"):
        Strips(3, global_pooling("gem"))(MAPS)
