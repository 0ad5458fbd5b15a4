"""A gallery's stores by the clock: ingest, exact and filtered search, approximate search and its recall, memory.

    python benchmarks/gallery.py [--rows 100000] [--dimensions 512] [--persons 0] [--folder FOLDER]
                                 [--rebuild] [--alone]

Vectors are random directions, the hardest case for an approximate search; with --persons they are crops of so many
persons, a centre each and noise (cosine about 0.7 within a person). Cameras come in sixes, half of them infrared. All
searches are for k = 10, one query at a time, and take turns with a plain NumPy product of all vectors with the query
(float32, in memory, what a search without ranking would cost at least), so that ratios hold on a busy machine too; the
column `cpu` is the processors' own time, all threads together. --rebuild also times making the index anew. --alone also
fills and asks a Qdrant Edge shard as its guide has it: float32, a payload index for the camera. FOLDER needs 8 bytes a
value, with --alone twice as many; it is removed at the end.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import qdrant_edge as edge

from tapetum.core import Modality, VectorArray
from tapetum.gallery.edge_store import open_edge_store
from tapetum.gallery.exact_store import ExactStore
from tapetum.gallery.indexed_store import IndexedStore
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter, GalleryRow

K = 10
AT_ONCE = 10_000


def invented(rows: int, dimensions: int, persons: int) -> tuple[VectorArray, VectorArray]:
    """(N, D) vectors and 100 queries of unit length."""
    random = np.random.default_rng(1)
    vectors = np.empty((rows, dimensions), dtype=np.float32)
    centres = random.standard_normal((persons, dimensions), dtype=np.float32)
    for start in [*range(0, rows, AT_ONCE), rows]:
        count = min(AT_ONCE, rows - start) or 100
        part = random.standard_normal((count, dimensions), dtype=np.float32)
        if persons:
            part = centres[random.integers(0, persons, count)] + 0.65 * part
        part /= np.linalg.norm(part, axis=1, keepdims=True)
        if start < rows:
            vectors[start : start + count] = part
    return vectors, part


def crops(first: int, count: int) -> list[GalleryRow]:
    """Rows of cameras 1 ... 6 in turn; even ones see infrared."""
    return [
        GalleryRow(n, f"{n}.jpg", None, str(1 + n % 6), None, Modality.IR if n % 2 else Modality.RGB, None)
        for n in range(first, first + count)
    ]


def timed(work: Callable[[], object], rows: int) -> str:
    """Rows per second, by the wall's clock and by the processors'."""
    wall, processors = time.perf_counter(), time.process_time()
    work()
    wall, processors = time.perf_counter() - wall, time.process_time() - processors
    return f"{rows / wall:,.0f} rows/s ({rows / processors:,.0f} a second of processor time)"


def ingest(store: IndexedStore, vectors: VectorArray) -> None:
    """Add them all; they are on disk when it returns."""
    for start in range(0, len(vectors), AT_ONCE):
        part = vectors[start : start + AT_ONCE]
        store.add(crops(start + 1, len(part)), part, [None] * len(part))


def plain_shard(folder: Path, vectors: VectorArray) -> edge.EdgeShard:
    """Qdrant Edge by itself, with float32 vectors and the camera as payload."""
    folder.mkdir(parents=True)
    params = edge.EdgeVectorParams(vectors.shape[1], edge.Distance.Cosine)
    shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=params))
    shard.update(edge.UpdateOperation.create_field_index("camera", edge.PayloadSchemaType.Keyword))
    for start in range(0, len(vectors), 2_000):
        points = [
            edge.Point(n, vector, {"camera": str(1 + n % 6)})
            for n, vector in enumerate(vectors[start : start + 2_000].tolist(), start + 1)
        ]
        shard.update(edge.UpdateOperation.upsert_points(points))
    shard.flush()
    return shard


def ask_shard(shard: edge.EdgeShard, query: VectorArray, camera: str | None = None) -> object:
    match = [edge.FieldCondition("camera", match=edge.MatchAny([camera]))] if camera else None
    return shard.query(
        edge.QueryRequest(
            K,
            query=edge.Query.Nearest(query.tolist()),
            filter=edge.Filter(must=match),
            params=edge.SearchParams(exact=True),
        )
    )


def memory() -> str:
    """What the process holds now: its own, and pages of mapped files (which the system may take back)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    held = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith("Rss")}
    return f"{held['RssAnon']:,.0f} MiB own, {held['RssFile']:,.0f} MiB of mapped files"


def take_turns(contenders: dict[str, Callable[[VectorArray], object]], queries: VectorArray, rounds: int) -> None:
    """Time each contender once a round, and print what it took beside the first."""
    taken = np.zeros((len(contenders), rounds + 2, 2))
    for turn, query in enumerate(itertools.islice(itertools.cycle(queries), rounds + 2)):
        for number, ask in enumerate(contenders.values()):
            begun = time.perf_counter(), time.process_time()
            ask(query)
            taken[number, turn] = time.perf_counter() - begun[0], time.process_time() - begun[1]
    wall, processors = np.moveaxis(1e3 * taken[:, 2:], 2, 0)  # the first two rounds read the files
    print(f"  {'milliseconds':<34}{'p50':>8}{'p95':>8}{'least':>8}{'cpu':>8}{'p50 / product':>15}")
    for name, found, used in zip(contenders, wall, processors, strict=True):
        p50, p95 = np.percentile(found, [50, 95])
        ratio = p50 / np.median(wall[0])
        print(f"  {name:<34}{p50:8.1f}{p95:8.1f}{found.min():8.1f}{np.median(used):8.1f}{ratio:15.2f}", flush=True)


def contenders_of(
    store: IndexedStore, segments: Segments, vectors: VectorArray, alone: edge.EdgeShard | None
) -> dict[str, Callable[[VectorArray], object]]:
    """What is timed; the first is the measure of the others."""
    exact, index = ExactStore(segments), store._index
    everything, camera, light = Filter(), Filter(cameras=frozenset("3")), Filter(modalities=frozenset({Modality.IR}))
    contenders: dict[str, Callable[[VectorArray], object]] = {
        "plain NumPy product": lambda query: vectors @ query,
        "exact store (NumPy)": lambda query: exact.search(query[None], K, everything),
        "edge store, exact": lambda query: store.search(query[None], K, everything),
        "  its first look alone": lambda query: index.nearest(query, 2 * K + 32, everything, approximate=False),
        "edge store, one camera of six": lambda query: store.search(query[None], K, camera),
        "edge store, infrared alone (half)": lambda query: store.search(query[None], K, light),
        "edge store, approximate": lambda query: store.search(query[None], K, everything, approximate=True),
    }
    if alone is not None:
        contenders["Edge alone, float32"] = lambda query: ask_shard(alone, query)
        contenders["Edge alone, one camera of six"] = lambda query: ask_shard(alone, query, "3")
    return contenders


def recall(store: IndexedStore, vectors: VectorArray, queries: VectorArray) -> str:
    """The share of the ten nearest rows that the approximate search finds."""
    answers = store.search(queries, K, Filter(), approximate=True)
    best = [set((np.argpartition(-scores, K)[:K] + 1).tolist()) for scores in (vectors @ queries.T).T]
    found = sum(len(set(answer.ids.tolist()) & ids) for answer, ids in zip(answers, best, strict=True))
    return f"{found / (K * len(queries)):.4f} ({answers[0].how})"


def measure(options: argparse.Namespace, folder: Path) -> None:
    vectors, queries = invented(options.rows, options.dimensions, options.persons)
    print(f"{options.rows:,} x {options.dimensions}", f"{options.persons} persons" if options.persons else "random")
    print(f"  the vectors in memory: {memory()}")
    segments = Segments.create(folder, options.dimensions)
    store = open_edge_store(segments, folder / "index")
    print(f"  ingest, segments and index: {timed(lambda: ingest(store, vectors), options.rows)}", flush=True)
    if options.rebuild:
        print(f"  rebuild of the index: {timed(store.rebuild, options.rows)}", flush=True)
    alone = plain_shard(folder / "alone", vectors) if options.alone else None
    take_turns(contenders_of(store, segments, vectors, alone), queries, options.rounds)
    print(f"  recall at {K} where allowed to approximate: {recall(store, vectors, queries)}")
    print(f"  the vectors and both stores: {memory()}")
    size = sum(path.stat().st_blocks * 512 for path in (folder / "index").rglob("*") if path.is_file())
    print(f"  index on disk: {size / 2**20:,.0f} MiB")
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--persons", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rebuild", action="store_true")
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tapetum-gallery-", dir=options.folder))
    try:
        measure(options, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
