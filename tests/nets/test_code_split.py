"""The bottleneck in two: halves by hand, each way of splitting, joined again."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import RecipeError
from tapetum.nets.code_split import CodeSplit, joined

MAPS = torch.arange(2 * 4 * 2 * 2.0).view(2, 4, 2, 2)  # picture 0, channel 0: 0 1 2 3, mean 1.5; channel 1: 4 more


def test_channels_by_hand():
    S, M = CodeSplit(4)(MAPS)
    assert S.tolist() == [[1.5, 5.5], [17.5, 21.5]]
    assert torch.equal(M, MAPS[:, 2:])


def test_vectors_have_no_places():
    S, M = CodeSplit(4, "vectors")(MAPS)
    assert S.tolist() == [[1.5, 5.5], [17.5, 21.5]]
    assert M.shape == (2, 2, 2, 2)
    assert M[0].flatten(1).tolist() == [[9.5] * 4, [13.5] * 4]


def test_heads_read_all_channels():
    split = CodeSplit(4, "heads")
    assert sum(p.numel() for p in split.parameters()) == 4 * 5
    maps = MAPS.clone().requires_grad_()
    S, M = split(maps)
    assert (S.shape, M.shape) == ((2, 2), (2, 2, 2, 2))
    for code in (S, M):
        (gradient,) = torch.autograd.grad(code.sum(), maps, retain_graph=True)
        assert (gradient.abs().sum(dim=(0, 2, 3)) > 0).all()


def test_a_spatial_code_is_the_map_itself_and_joins_to_what_was_split():
    S, M = CodeSplit(4, spatial=True)(MAPS)
    assert torch.equal(S, MAPS[:, :2])
    assert torch.equal(joined(S, M), MAPS)


def test_a_vector_is_joined_at_every_place():
    S, M = CodeSplit(4)(MAPS)
    whole = joined(S, M)
    assert torch.equal(whole[:, 2:], M)
    assert (whole[0, 1] == 5.5).all()


def test_strips_are_pooled_apart_and_laid_out_again():
    S, M = CodeSplit(4, strips=2)(MAPS)
    assert S[0].flatten(1).tolist() == [[0.5, 2.5], [4.5, 6.5]]
    assert joined(S, M)[0, 0].tolist() == [[0.5, 0.5], [2.5, 2.5]]
    assert torch.equal(joined(S, M)[:, 2:], M)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(RecipeError, match="the last is 5. Give an even number"):
        CodeSplit(5)
    with pytest.raises(RecipeError, match="split 'vectors' leaves no places in S"):
        CodeSplit(4, "vectors", spatial=True)
    with pytest.raises(RecipeError, match="a spatial S has every place already"):
        CodeSplit(4, spatial=True, strips=2)
    with pytest.raises(RecipeError, match="S has 2 rows, too few for 3 strips"):
        CodeSplit(4, strips=3)(MAPS)
