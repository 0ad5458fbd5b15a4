"""What the table of windows says is certain; where it is not, it says so."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.evaluation.matches import Matches
from tapetum.evaluation.windows import UNSURE, Windows


def matches_at(*places, error=0.0):
    """Matches of queries at these ascending places."""
    counts = [len(mine) for mine in places]
    row = np.repeat(np.arange(len(places)), counts)
    start = np.concatenate([[0], np.cumsum(counts)])
    near = np.concatenate([np.asarray(mine, dtype=float) for mine in places])
    return Matches(row, np.arange(len(row)), start, near, np.full(len(places), error))


def test_codes_by_hand():
    # Query 0 has matches at 1 and 3: codes 0, 1, 2. Query 1 has one at 5: codes 3 and 4, behind them.
    windows = Windows(matches_at([1, 3], [5]), np.array([0.1, 0.1]), 64)
    near = np.array([[0.0, 2.0, 4.0, np.inf, 3.05], [-100.0, 4.5, 5.5, np.inf, 5.0]], dtype=np.float32)
    assert windows.codes(near).tolist() == [[0, 1, 2, 2, UNSURE], [3, 3, 4, 4, UNSURE]]
    assert windows.base.tolist() == [0, 3]


def test_between_by_hand():
    windows = Windows(matches_at([1, 3], [5]), np.array([0.1, 0.1]), 64)
    row, near = np.array([0, 0, 0, 1, 1]), np.array([0.0, 2.9, np.inf, 5.05, 9.0])
    certain, possible = windows.between(row, near, np.full(5, 0.2))
    assert certain.tolist() == [0, 1, 2, 0, 1]
    assert possible.tolist() == [0, 2, 2, 1, 1]


@st.composite
def queries(draw):
    """Matches of 1 to 4 queries somewhere, widths, and values among them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number, origin = draw(st.integers(1, 4)), draw(st.sampled_from([0.0, 1.0, -1e6]))
    span = draw(st.sampled_from([0.0, 1e-6, 1.0, 1e6]))
    places = [np.sort(origin + span * random.random(random.integers(1, 9))) for _ in range(number)]
    # No float32 product is better than the distance between float32 numbers.
    least = 2.0**-23 * (abs(origin) + span) + 1e-30
    width = np.full(number, least + span * draw(st.sampled_from([0.0, 1e-3, 0.3])))
    values = origin + span * (3 * random.random((number, 200)) - 1)
    mixed = np.concatenate([values, np.stack([random.choice(mine, 20) for mine in places])], axis=1)
    return places, width, mixed.astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(queries(), st.sampled_from([64, 4096]))
def test_a_sure_code_counts_the_matches_before_any_value_in_reach(problem, buckets):
    places, width, values = problem
    windows = Windows(matches_at(*places), width, buckets)
    codes = windows.codes(values)
    for row, mine in enumerate(places):
        sure = codes[row] != UNSURE
        for near in (values[row, sure] - width[row], values[row, sure] + width[row]):
            # A match exactly at the edge of reach counts on either side.
            low, high = np.searchsorted(mine, near, side="left"), np.searchsorted(mine, near, side="right")
            code = codes[row, sure] - windows.base[row]
            assert ((low <= code) & (code <= high)).all()


@settings(max_examples=100, deadline=None)
@given(queries())
def test_between_holds_every_number_of_matches_that_may_be_before(problem):
    places, width, values = problem
    windows = Windows(matches_at(*places), width, 64)
    for row, mine in enumerate(places):
        near = values[row].astype(np.float64)
        rows, error = np.full(len(near), row), np.full(len(near), width[row])
        certain, possible = windows.between(rows, near, error)
        assert (certain <= np.searchsorted(mine, near - error, side="left")).all()
        assert (possible >= np.searchsorted(mine, near + error, side="right")).all()


def test_values_far_from_all_matches_are_sure():
    random = np.random.default_rng(0)
    matches = matches_at(np.sort(random.random(20)), np.sort(random.random(3)))
    codes = Windows(matches, np.array([1e-6, 1e-6]), 4096).codes(random.random((2, 1000)).astype(np.float32))
    assert (codes == UNSURE).mean() < 0.02
