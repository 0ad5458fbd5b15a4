"""Keyed random numbers: known words of splitmix64, the same words one by one and as an array, and plain statistics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapetum.data.synthetic.random_keys import (
    Stream,
    cosine,
    key_state,
    normal_field,
    random_field,
    random_words,
    sine,
)


def test_words_are_splitmix64(monkeypatch: pytest.MonkeyPatch) -> None:
    # The first three outputs of splitmix64 from state 1234567, as Vigna's reference code prints them.
    monkeypatch.setattr("tapetum.data.synthetic.random_keys.key_state", lambda *_: 1234567)
    stream = Stream("any")
    assert [stream.word() for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_an_array_of_words_is_the_stream() -> None:
    stream = Stream("folds", 3)
    assert random_words(5, "folds", 3).tolist() == [stream.word() for _ in range(5)]


def test_a_number_and_its_text_are_other_keys() -> None:
    assert key_state(1, "a") != key_state("1", "a")
    assert key_state("a", "b") != key_state("ab")


def test_normal_draws_have_their_mean_and_deviation_and_stay_in_their_range() -> None:
    stream = Stream("normal")
    drawn = np.array([stream.normal(10.0, 2.0) for _ in range(20_000)])
    assert drawn.mean() == pytest.approx(10.0, abs=0.06)
    assert drawn.std() == pytest.approx(2.0, abs=0.04)
    assert all(9.0 <= stream.normal(10.0, 2.0, 9.0, 10.5) <= 10.5 for _ in range(200))


def test_choice_follows_its_weights_and_never_takes_a_weight_of_nothing() -> None:
    stream = Stream("choice")
    drawn = [stream.choice({"a": 3.0, "b": 0.0, "c": 1.0}) for _ in range(8000)]
    assert "b" not in drawn
    assert drawn.count("a") / len(drawn) == pytest.approx(0.75, abs=0.02)


@given(st.integers(0, 40), st.integers())
def test_shuffled_is_a_permutation(count: int, key: int) -> None:
    assert sorted(Stream("order", key).shuffled(count)) == list(range(count))


def test_fields_are_uniform_and_normal() -> None:
    uniform, normal = random_field((200, 200), "u"), normal_field(40_000, "n")
    assert uniform.dtype == normal.dtype == np.float32
    assert 0.0 <= uniform.min() < uniform.max() < 1.0
    assert uniform.mean() == pytest.approx(0.5, abs=0.01)
    assert (normal.mean(), normal.std()) == pytest.approx((0.0, 1.0), abs=0.02)


@given(st.floats(-2000.0, 2000.0))
def test_sine_and_cosine_agree_with_the_library(degrees: float) -> None:
    assert sine(degrees) == pytest.approx(math.sin(math.radians(degrees)), abs=2e-14)
    assert cosine(degrees) == pytest.approx(math.cos(math.radians(degrees)), abs=2e-14)


def test_sine_by_hand() -> None:
    assert [sine(degrees) for degrees in (0.0, 90.0, 180.0, -90.0, 450.0)] == pytest.approx([0, 1, 0, -1, 1], abs=1e-15)
    assert sine(30.0) == pytest.approx(0.5, abs=1e-15)
