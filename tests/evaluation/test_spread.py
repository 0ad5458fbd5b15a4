"""The spread of vectors: by hand, and small for a model that has collapsed in each light."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tapetum.core import Modality
from tapetum.evaluation.spread import COLLAPSED, spread

RGB, IR = Modality


def test_by_hand():
    # RGB: 0, 3 and 4 along one axis are 3, 4 and 1 apart, 8/3 on average; infrared: (0, 0) and (3, 4) are 5 apart.
    vectors = np.array([[0, 0], [0, 0], [3, 0], [3, 4], [4, 0]], dtype=np.float32)
    lights = [RGB, IR, RGB, IR, RGB]
    assert spread(vectors, lights) == pytest.approx(8 / 3)
    assert spread(vectors[[1, 3]], [IR, IR]) == pytest.approx(5)


def test_a_point_in_each_light_has_collapsed_however_far_the_points_are():
    vectors = np.array([[1, 0], [0, 1]] * 5, dtype=np.float32)
    assert spread(vectors, [RGB, IR] * 5) == 0 < COLLAPSED
    assert spread(vectors, [RGB] * 5 + [IR] * 5) > COLLAPSED


def test_directions_without_order_are_the_square_root_of_two_apart():
    vectors = np.random.default_rng(0).normal(size=(3000, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert spread(vectors, [RGB] * 2500 + [IR] * 500) == pytest.approx(math.sqrt(2), abs=0.01)


def test_a_light_with_one_row_says_nothing():
    vectors = np.eye(3, dtype=np.float32)
    assert spread(vectors, [RGB, RGB, IR]) == pytest.approx(math.sqrt(2))
    assert spread(vectors[:2], [RGB, IR]) == math.inf
