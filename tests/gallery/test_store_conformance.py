"""One promise, three stores: each is held against a dict and a loop, step by step, over random lives of a gallery."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from qdrant_client import QdrantClient
from store_rows import START, ranked_by_hand, row, unit_vectors

from tapetum.core import Modality, VectorArray
from tapetum.errors import EmbeddingError, GalleryError, RecipeError
from tapetum.gallery.cluster_store import open_cluster_store
from tapetum.gallery.edge_store import open_edge_store
from tapetum.gallery.exact_store import ExactStore
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter, GalleryRow, GalleryStore

DIMENSION = 8
DIRECTIONS = unit_vectors(24, DIMENSION)  # few, so that many rows are equally near
QUERIES = [*DIRECTIONS[:4], *(3 * unit_vectors(4, DIMENSION, seed=1))]
Opener = Callable[[Segments, Path], GalleryStore]

SOME_ROWS = st.lists(
    st.tuples(
        st.integers(0, len(DIRECTIONS) - 1),
        st.integers(1, 6),
        st.none() | st.integers(0, 3),
        st.none() | st.integers(0, 30),
    ),
    min_size=1,
    max_size=6,
)
MINUTE = st.none() | st.integers(-1, 31)
FILTERS = st.builds(
    lambda cameras, sites, modalities, persons, since, until, without: Filter(
        cameras,
        sites,
        modalities,
        persons,
        *(m if m is None else START + timedelta(minutes=m) for m in (since, until)),
        without,
    ),
    st.none() | st.frozensets(st.sampled_from("1234567"), max_size=3),
    st.none() | st.frozensets(st.sampled_from(["hall", "yard", "roof"]), max_size=2),
    st.none() | st.frozensets(st.sampled_from(Modality), max_size=2),
    st.none() | st.frozensets(st.integers(0, 3), max_size=2),
    MINUTE,
    MINUTE,
    st.frozensets(st.integers(1, 40), max_size=5),
)


class Life(RuleBasedStateMachine):
    """A gallery's store beside a dict of what was acknowledged."""

    open_store: Opener

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tapetum-store-"))
        self.segments = Segments.create(self.folder, DIMENSION)
        self.store = self._opened()
        self.kept: dict[int, tuple[GalleryRow, VectorArray]] = {}

    def _opened(self) -> GalleryStore:
        return type(self).open_store(self.segments, self.folder / "index")

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def _made(self, facts: list[tuple[int, int, int | None, int | None]], ids: list[int]) -> None:
        rows = [row(number, *known) for number, (_, *known) in zip(ids, facts, strict=True)]
        vectors = DIRECTIONS[[direction for direction, *_ in facts]]
        self.made = rows, vectors, [f"<thumbnail {number}>".encode() for number in ids]
        self.kept.update({row.id: (row, vector) for row, vector in zip(rows, vectors, strict=True)})

    def _some(self, data: st.DataObject) -> list[int]:
        return data.draw(st.lists(st.sampled_from([*self.kept, 10_000]), max_size=5, unique=True))

    @rule(facts=SOME_ROWS)
    def add(self, facts: list[tuple[int, int, int | None, int | None]]) -> None:
        first = self.segments.manifest.next_id
        self._made(facts, list(range(first, first + len(facts))))
        self.store.add(*self.made)

    @rule(facts=SOME_ROWS, data=st.data())
    def upsert(self, facts: list[tuple[int, int, int | None, int | None]], data: st.DataObject) -> None:
        count = len(facts)
        ids = data.draw(st.lists(st.integers(1, 40), min_size=count, max_size=count, unique=True))
        self._made(facts, ids)
        self.store.add(*self.made)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        ids = self._some(data)
        assert self.store.delete(ids) == sum(self.kept.pop(number, None) is not None for number in ids)

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        ids = self._some(data)
        lost = [self.kept.pop(number) for number in ids if number in self.kept]
        assert self.store.forget(ids) == len(lost)
        everything = b"".join(path.read_bytes() for path in (self.folder / "segments").glob("*"))
        for known, _ in lost:
            for trace in (known.path, known.content, f"<thumbnail {known.id}>"):
                assert trace.encode() not in everything

    @rule()
    def compact(self) -> None:
        self.store.compact()
        assert not any(entry.deleted for entry in self.segments.manifest.entries)

    @rule()
    def rebuild(self) -> None:
        self.store.rebuild()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.segments = Segments.open(self.folder)
        self.store = self._opened()

    @rule(facts=SOME_ROWS, data=st.data())
    def fall_behind(self, facts: list[tuple[int, int, int | None, int | None]], data: st.DataObject) -> None:
        """The segments change while no index follows, as when a process is killed between the two."""
        self.store.close()
        gone = self._some(data)
        self.segments.delete(gone)
        for number in gone:
            self.kept.pop(number, None)
        self._made(facts, list(range(20, 20 + len(facts))))
        self.segments.add(*self.made)
        self.store = self._opened()

    @rule(query=st.sampled_from(QUERIES), k=st.integers(1, 12), among=FILTERS, approximate=st.booleans())
    def search(self, query: VectorArray, k: int, among: Filter, approximate: bool) -> None:
        self._compare(query, k, among, approximate)

    @rule(query=st.sampled_from(QUERIES), k=st.integers(1, 12))
    def search_everything(self, query: VectorArray, k: int) -> None:
        self._compare(query, k, Filter(), False)

    def _compare(self, query: VectorArray, k: int, among: Filter, approximate: bool) -> None:
        other = QUERIES[-1]
        answers = self.store.search(np.stack([query, other]), k, among, approximate=approximate)
        for answer, asked in zip(answers, (query, other), strict=True):
            expected = ranked_by_hand(self.kept, asked, k, among)
            assert answer.ids.tolist() == [number for number, _ in expected]
            np.testing.assert_allclose(answer.scores, [score for _, score in expected], rtol=0, atol=1e-12)
            assert answer.how == "exact"  # so few rows have no approximate look
        assert self.store.count(among) == sum(among.admits(row) for row, _ in self.kept.values())

    @invariant()
    def counted(self) -> None:
        assert self.store.count(Filter()) == len(self.kept) == len(self.segments)


def local_cluster() -> Opener:
    client = QdrantClient(":memory:")
    return lambda segments, folder: open_cluster_store(segments, folder, client)


def opener_of(engine: str) -> Opener:
    if engine == "exact":
        return lambda segments, folder: ExactStore(segments)
    if engine == "edge":
        return open_edge_store
    if engine == "cluster":
        return local_cluster()
    if not os.environ.get("TAPETUM_QDRANT_URL"):
        pytest.skip("TAPETUM_QDRANT_URL is not set: no Qdrant server to ask")
    return open_cluster_store


ENGINES = ["exact", "edge", "cluster", "cluster, a server"]


LIVES = {"exact": 30, "edge": 7, "cluster": 8, "cluster, a server": 10}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_does_what_a_dict_does(engine: str) -> None:
    opener = opener_of(engine)
    life = type("Life", (Life,), {"open_store": staticmethod(opener)})
    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=LIVES[engine], stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> GalleryStore:
    return opener_of(request.param)(Segments.create(tmp_path, DIMENSION), tmp_path / "index")


def test_an_empty_store_answers_with_nothing(store: GalleryStore) -> None:
    (answer,) = store.search(DIRECTIONS[:1], 3, Filter())
    assert (len(answer.ids), len(answer.scores), answer.how) == (0, 0, "exact")
    assert store.search(DIRECTIONS[:0], 3, Filter()) == []
    assert store.count(Filter()) == store.delete([1]) == store.forget([1]) == store.compact() == 0


def test_what_does_not_fit_is_refused_and_nothing_kept(store: GalleryStore) -> None:
    good = DIRECTIONS[:2]
    for vectors in (good * 2, good * np.nan, good * np.inf, good[:, :4], good[:1], np.zeros_like(good)):
        with pytest.raises(EmbeddingError, match="vector"):
            store.add([row(1), row(2)], vectors, [None, None])
    with pytest.raises(GalleryError, match="ids of 2 rows are repeated or below 1"):
        store.add([row(1), row(1)], good, [None, None])
    with pytest.raises(GalleryError, match="below 1"):
        store.add([row(0), row(1)], good, [None, None])
    with pytest.raises(RecipeError, match="k is 0"):
        store.search(good, 0, Filter())
    with pytest.raises(EmbeddingError, match="dimension|values"):
        store.search(good[:, :3], 1, Filter())
    assert store.count(Filter()) == 0


def test_equally_near_rows_come_by_id_even_where_k_cuts_through_them(store: GalleryStore) -> None:
    ids = np.random.default_rng(0).permutation(np.arange(1, 301)).tolist()
    store.add([row(number) for number in ids], np.repeat(DIRECTIONS[:1], 300, axis=0), [None] * 300)
    (answer,) = store.search(DIRECTIONS[:1], 7, Filter(without=frozenset({2, 5})))
    assert answer.ids.tolist() == [1, 3, 4, 6, 7, 8, 9]
    assert answer.scores.tolist() == [1.0] * 7
