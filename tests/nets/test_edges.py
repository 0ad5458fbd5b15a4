"""The edge front: values by hand, polarity, flat pictures, gradients."""

import pytest
import torch

from tapetum.nets.edges import EdgeFront

HALF = 2**-0.5


def grey(rows):
    return torch.tensor(rows).expand(1, 3, -1, -1)


@pytest.mark.parametrize(
    ("across", "down", "expected"),
    [
        (0.1, 0.0, [1, HALF, 0, HALF]),
        (0.0, 0.1, [0, HALF, 1, HALF]),
        (0.1, 0.1, [HALF, 1, HALF, 0]),
        (-0.1, 0.1, [HALF, 0, HALF, 1]),
    ],
)
def test_ramps_by_hand(across, down, expected):
    # On an even slope the energy around a point is the energy at it, so the inner pixels read |cos| of the angle.
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(7.0), indexing="ij")
    images = (across * x + down * y).expand(2, 3, -1, -1)
    maps = EdgeFront(window=3, floor=0.0)(images)
    assert maps.shape == (2, 4, 9, 7)
    torch.testing.assert_close(
        maps[:, :, 2:-2, 2:-2], torch.tensor(expected).view(1, 4, 1, 1).expand(2, 4, 5, 3), atol=1e-5, rtol=0
    )


def test_a_step_by_hand():
    # One row, 0 0 1 1: central differences 0 .5 .5 0; energy 0 .25 .25 0; mean of 3 inside .1667.
    maps = EdgeFront(window=3, floor=0.5)(grey([[0.0, 0.0, 1.0, 1.0]]))
    expected = 0.5 / (0.25 * 2 / 3 + 0.25) ** 0.5
    torch.testing.assert_close(maps[0, 0], torch.tensor([[0, expected, expected, 0]]))
    torch.testing.assert_close(maps[0, 1], maps[0, 0] * HALF)
    torch.testing.assert_close(maps[0, 2], torch.zeros(1, 4))


def test_flat_pictures_have_no_edges():
    assert EdgeFront()(torch.full((1, 3, 12, 6), 0.7)).abs().max().item() < 1e-5


def test_negatives_and_dimmed_pictures_look_alike():
    images = torch.rand(2, 3, 12, 8, generator=torch.Generator().manual_seed(0))
    maps = EdgeFront()(images)
    torch.testing.assert_close(EdgeFront()(1 - images), maps, atol=1e-4, rtol=0)
    torch.testing.assert_close(EdgeFront(floor=1e-6)(images * 0.2), EdgeFront(floor=1e-6)(images), atol=1e-3, rtol=0)


def test_a_coloured_picture_reads_as_its_luminance():
    images = torch.rand(1, 3, 12, 8, generator=torch.Generator().manual_seed(1))
    luminance = (0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]).expand(-1, 3, -1, -1)
    torch.testing.assert_close(EdgeFront()(images), EdgeFront()(luminance), atol=1e-4, rtol=0)


def test_nothing_is_learned_or_stored():
    front = EdgeFront()
    assert list(front.parameters()) == []
    assert front.state_dict() == {}
    assert EdgeFront.channels == 4


def test_gradient():
    images = torch.rand(1, 3, 4, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.autograd.gradcheck(EdgeFront(window=3).double(), images.requires_grad_())
