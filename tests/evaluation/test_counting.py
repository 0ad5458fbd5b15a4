"""The sides of a count, the matches' order, and the counts themselves, each by hand or by a slow reading."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.core import Trial
from tapetum.evaluation.asked import asked, blocks
from tapetum.evaluation.columns import columns_of, packed_bits
from tapetum.evaluation.counting import Problem, Tally
from tapetum.evaluation.earlier_persons import EarlierPersons
from tapetum.evaluation.families import families
from tapetum.evaluation.matches import matches_of
from tapetum.evaluation.points import placed
from tapetum.evaluation.scoring import Work


def sides(vectors, persons, *trials):
    """The columns and the queries of trials that make one family, and the points."""
    (family,) = families(trials, persons)
    points = placed(vectors, np.concatenate([family.query, family.columns]), "euclidean")
    columns = columns_of(family, persons, points)
    return points, columns, asked(family, persons, columns)


def line(*places):
    return np.array(places, dtype=np.float32)[:, None]


def test_columns_stand_person_by_person():
    persons = np.array([3, 7, 3, 5, 7])
    trials = [Trial(np.array([0]), np.array(rows)) for rows in ([1, 2, 3], [2, 4])]
    points, columns, _ = sides(line(0, 1, 2, 3, 4), persons, *trials)
    assert columns.rows.tolist() == [2, 3, 1, 4]
    assert columns.person.tolist() == [3, 5, 7, 7]
    assert columns.place.tolist() == [1, 2, 0, 3]  # where they stood in the gallery
    assert columns.member.tolist() == [[True, True], [True, False], [True, False], [False, True]]
    assert columns.lanes.view(np.uint16).tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert columns.bits.tolist() == [[3], [1], [1], [2]]
    assert columns.squares == pytest.approx(np.square(points.moved(columns.rows)[:, 0]))
    assert columns.original is None


def test_copies_know_their_first_column():
    _, columns, _ = sides(line(0, 5, -5, 5, 2, 5), np.array([1, 1, 2, 3, 4, 5]), Trial(np.array([0]), np.arange(1, 6)))
    assert columns.original.tolist() == [0, 1, 0, 3, 0]  # -5 is as long as 5, and no copy


def test_bits_of_more_trials_than_a_number_has():
    flags = np.zeros((2, 70), dtype=bool)
    flags[0, [0, 69]] = flags[1, 63] = True
    assert packed_bits(flags).tolist() == [[1, 2**5], [2**63, 0]]


def test_only_queries_with_a_visible_match_are_asked():
    # Row 0: person 1, whose only image stands in its own group. Row 1: person 2, one of two images hidden. Row 2: none.
    persons = np.array([1, 2, 9, 1, 2, 2])
    trial = Trial(np.array([0, 1, 2]), np.array([3, 4, 5]), np.array([5, 5, 5]), np.array([5, 5, 6]))
    _, columns, queries = sides(line(0, 0, 0, 1, 2, 3), persons, trial)
    assert queries.rows.tolist() == [1]
    assert queries.place.tolist() == [1]
    assert queries.matches.tolist() == [1]
    assert columns.rows[queries.first[0] : queries.last[0]].tolist() == [4, 5]
    assert columns.of_group(5, slice(1, 3)).tolist() == [0]


def test_queries_stand_by_group_and_person():
    persons = np.array([2, 1, 2, 1, 1, 2])
    trial = Trial(np.array([0, 1, 2, 3]), np.array([4, 5]), np.array([8, 8, 7, 8]), np.array([1, 1]))
    _, _, queries = sides(line(*range(6)), persons, trial)
    assert queries.rows.tolist() == [2, 1, 3, 0]
    assert list(queries.runs()) == [(0, 1), (1, 3), (3, 4)]
    assert list(queries.group_runs()) == [(0, 1), (1, 4)]


def test_blocks_hold_every_query_once_and_few_matches():
    persons = np.array([1, 1, 1, 2, 2, 1, 1, 1, 2])
    _, _, queries = sides(line(*range(9)), persons, Trial(np.arange(5), np.arange(5, 9)))
    assert queries.matches.tolist() == [3, 3, 3, 1, 1]
    assert [part.rows.tolist() for part in blocks(queries, 2, 100)] == [[0, 1], [2, 3], [4]]
    assert [part.rows.tolist() for part in blocks(queries, 9, 4)] == [[0], [1], [2, 3], [4]]
    assert [len(part) for part in blocks(queries, 9, 1)] == [1] * 5  # a query alone may have more


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1e-9, 1e-15]), st.booleans())
def test_matches_stand_in_exact_order(seed, apart, shuffled):
    # Points on one ray: distances that a product cannot tell apart, and some that are equal.
    random = np.random.default_rng(seed)
    vectors = random.standard_normal(random.integers(1, 40)) * (1 + apart * random.integers(-9, 10, (30, 1)))
    persons, gallery = random.integers(0, 3, 30), np.arange(8, 30)
    gallery = random.permutation(gallery) if shuffled else gallery
    points, columns, queries = sides(vectors, persons, Trial(np.arange(8), gallery))
    matches = matches_of(queries, columns, points)
    for number, query in enumerate(queries.rows):
        own = gallery[persons[gallery] == persons[query]]
        distances = points.distances(np.full(len(own), query), own)
        mine = slice(matches.start[number], matches.start[number + 1])
        assert columns.rows[matches.column[mine]].tolist() == own[np.argsort(distances, kind="stable")].tolist()
        assert (np.diff(matches.near[mine]) >= 0).all()


@pytest.mark.parametrize("step", [1, 2, 3, 6])
def test_gaps_and_persons_by_hand(step):
    # Query at 0 of person 1, matches at 2 and 5; wrong: 1 and 1.5 (person 2), 3 (person 3), 9 (person 4).
    # Trial 0 sees all; trial 1 sees neither the match at 2 nor the wrong one at 1.
    vectors = line(0, 2, 5, 1, 1.5, 3, 9)
    persons = np.array([1, 1, 1, 2, 2, 3, 4])
    trials = [Trial(np.array([0]), np.array(rows)) for rows in ([1, 2, 3, 4, 5, 6], [2, 4, 5, 6])]
    points, columns, queries = sides(vectors, persons, *trials)
    tally = Tally(Problem(points, columns, persons_too=True), queries, matches_of(queries, columns, points))
    near = columns.squares - 2 * points.products(np.zeros(6, dtype=np.int64), columns.rows)
    for start in range(0, 6, step):
        tile = slice(start, start + step)
        tally.add(near[None, tile].astype(np.float32), tile)
    assert tally.present.tolist() == [[True, False], [True, True]]
    # Before the match at 2, between the two, behind the last (the matches themselves are put there).
    assert tally.gaps.tolist() == [[2, 1], [1, 1], [3, 2]]
    assert tally.persons.tolist() == [[1, 2]]


def test_a_person_in_two_tiles_counts_once():
    vectors, persons = line(0, 9, 1, 2, 3, 4), np.array([7, 7, 1, 1, 1, 2])
    points, columns, queries = sides(vectors, persons, Trial(np.array([0]), np.arange(1, 6)))
    assert columns.person.tolist() == [1, 1, 1, 2, 7]
    matches = matches_of(queries, columns, points)
    persons_before = EarlierPersons(matches, columns.member[matches.column], columns)
    for start in range(5):
        persons_before.add(np.array([[int(start == 4)]], dtype=np.int32), slice(start, start + 1))
    assert persons_before.counts.tolist() == [[2]]


def test_work_in_bounded_pieces():
    for pairs in (1, 5, 10**3, 2**21, 10**9):
        work = Work(pairs, 2, lambda done: None)
        assert work.queries * work.columns <= pairs
        assert work.columns < 2**16  # counts of 16 bits
