"""Erasing inside a method: rectangles of zeros in as many pictures as asked for, and the given ones untouched."""

from __future__ import annotations

import torch

from tapetum.data.erasing import erased


def test_some_pictures_have_a_rectangle_of_zeros():
    torch.manual_seed(0)
    pictures = torch.rand(200, 3, 32, 16) + 0.5
    kept = pictures.clone()
    changed, hit = erased(pictures, 0.5)
    assert torch.equal(pictures, kept)
    assert 75 <= int(hit.sum()) <= 125  # 100 +- 3.5 deviations
    assert torch.equal(changed[~hit], pictures[~hit])
    for one, given in zip(changed[hit], pictures[hit], strict=True):
        gone = (one == 0).all(dim=0)
        rows, columns = gone.any(dim=1), gone.any(dim=0)
        assert gone.sum() == rows.sum() * columns.sum() > 0  # a rectangle
        assert 0.01 < gone.float().mean() < 0.45
        assert torch.equal(one[:, ~gone], given[:, ~gone])


def test_none_and_all():
    pictures = torch.rand(8, 3, 32, 16) + 0.5
    changed, hit = erased(pictures, 0.0)
    assert changed is pictures
    assert not hit.any()
    assert erased(pictures, 1.0)[1].all()


def test_it_is_drawn_from_torchs_generator():
    pictures = torch.rand(8, 3, 32, 16)
    torch.manual_seed(3)
    one, _ = erased(pictures, 0.7)
    torch.manual_seed(3)
    other, _ = erased(pictures, 0.7)
    assert torch.equal(one, other)
