"""Counting modality-specific nodes: every kind by hand, what the thresholds mean, and what may not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tapetum.errors import InternalError, RecipeError
from tapetum.evaluation.modality_nodes import NodeCounts, count_nodes

answers = arrays.arrays(
    np.float64, st.shared(st.integers(1, 20), key="nodes"), elements=st.integers(0, 1000).map(float)
)


def test_every_kind_by_hand():
    # Six nodes. Both answers together: 4, 3, 3, 3, 0.02, 4.98, mean 3; silent is what has at most 0.03 of it.
    rgb = np.array([3.0, 2.0, 1.0, 1.9, 0.02, 0.98])
    ir = np.array([1.0, 1.0, 2.0, 1.1, 0.0, 4.0])
    # At a ratio of 2: RGB 3 : 1 and 2 : 1; infrared 1 : 2 and 0.98 : 4; shared 1.9 : 1.1; the fifth is silent.
    found = count_nodes(rgb, ir)
    assert found == NodeCounts(rgb=2, shared=1, ir=2, silent=1)
    assert found.total == 6
    assert found.specific_share == pytest.approx(4 / 6)
    # At 3 only 3 : 1 is RGB's, and 0.98 : 4 infrared's.
    assert count_nodes(rgb, ir, ratio=3.0) == NodeCounts(rgb=1, shared=3, ir=1, silent=1)


def test_alike_is_shared_and_alone_is_specific():
    same = np.array([0.5, 1.0, 2.0])
    assert count_nodes(same, same) == NodeCounts(rgb=0, shared=3, ir=0, silent=0)
    assert count_nodes(same, np.zeros(3)) == NodeCounts(rgb=3, shared=0, ir=0, silent=0)
    assert count_nodes(np.zeros(3), same) == NodeCounts(rgb=0, shared=0, ir=3, silent=0)
    assert count_nodes(np.zeros(3), np.zeros(3)) == NodeCounts(rgb=0, shared=0, ir=0, silent=3)


def test_answers_count_by_magnitude():
    assert count_nodes(np.array([-4.0, 1.0]), np.array([1.0, -1.0])) == NodeCounts(rgb=1, shared=1, ir=0, silent=0)


@given(rgb=answers, ir=answers, scale=st.sampled_from([0.125, 8.0]))
def test_neither_order_nor_scale_matters_and_the_lights_are_alike(rgb, ir, scale):
    found = count_nodes(rgb, ir)
    assert found.total == len(rgb)
    assert count_nodes(rgb[::-1], ir[::-1]) == found
    assert count_nodes(scale * rgb, scale * ir) == found
    assert count_nodes(ir, rgb) == NodeCounts(found.ir, found.shared, found.rgb, found.silent)


@given(rgb=answers, ir=answers)
def test_a_larger_ratio_makes_fewer_specific(rgb, ir):
    shares = [count_nodes(rgb, ir, ratio).specific_share for ratio in (1.1, 1.5, 2.0, 4.0)]
    assert shares == sorted(shares, reverse=True)


def test_what_cannot_be_counted():
    with pytest.raises(RecipeError, match=r"ratio of 1\.0\. Give a number above 1"):
        count_nodes(np.ones(3), np.ones(3), ratio=1.0)
    with pytest.raises(InternalError, match="shapes"):
        count_nodes(np.ones(3), np.ones(4))
    with pytest.raises(InternalError, match="shapes"):
        count_nodes(np.ones(0), np.ones(0))
