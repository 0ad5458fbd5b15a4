"""Maps of codes and edges: what they show follows from the codes, not from their scale or the sign of a direction."""

from __future__ import annotations

import pytest
import torch

from tapetum.report.code_maps import edge_likeness, edge_pictures, liveliest_channels, principal_maps, strength_maps


def drawn(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3))


def test_flat_pictures_have_no_edges_and_a_step_has_one():
    images = torch.zeros(1, 3, 16, 8)
    assert (edge_pictures(images) == 1).all()
    images[..., 4:] = 1
    edges = edge_pictures(images)[0, 0]
    assert (edges[:, 3:5] < 0.6).all()
    assert (edges[:, [0, 7]] == 1).all()


def test_edges_do_not_know_which_side_is_lighter():
    images = drawn(4, 3, 16, 8)
    assert torch.allclose(edge_pictures(images), edge_pictures(1 - images), atol=1e-5)
    assert edge_likeness(images, 1 - images).tolist() == pytest.approx([1.0] * 4, abs=1e-5)
    assert edge_likeness(images, images.roll(1, 0)).abs().max() < 0.5


def test_strength_is_the_distance_from_the_mean_code():
    codes = torch.zeros(2, 5, 4, 4)
    codes[:, :, 1, 2] = 2.0
    maps = strength_maps(codes)
    assert maps.shape == (2, 3, 4, 4)
    assert maps[0, 0].argmax() == 1 * 4 + 2
    assert torch.allclose(strength_maps(7 * codes + 3), maps, atol=1e-5)


def test_principal_directions_come_by_their_variance_with_a_fixed_sign():
    wide, narrow, small = 3 * drawn(2, 1, 6, 6), drawn(2, 1, 6, 6).flip(2), 0.1 * drawn(2, 1, 6, 6).flip(3)
    codes = torch.cat([small, wide, narrow], dim=1)
    maps = principal_maps(codes)
    assert maps.shape == (2, 3, 6, 6)
    for channel, source in enumerate((wide, narrow, small)):
        pair = torch.stack([maps[:, channel].flatten(), source.flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.95
    assert torch.allclose(principal_maps(codes[:, [1, 0, 2]]), maps, atol=1e-4), "the order of channels is no matter"


def test_two_channels_leave_the_third_colour_grey():
    assert (principal_maps(drawn(2, 2, 4, 4))[:, 2] == 0.5).all()


def test_the_liveliest_channels_are_named_in_order():
    codes = drawn(3, 4, 5, 5) * torch.tensor([1.0, 4.0, 0.0, 2.0])[:, None, None]
    numbers, maps = liveliest_channels(codes, 3)
    assert numbers == [1, 3, 0]
    assert maps.shape == (3, 3, 1, 5, 5)
    assert liveliest_channels(codes[:, :2], 3)[0] == [1, 0]
