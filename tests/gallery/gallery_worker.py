"""A process that changes a gallery's store without end and says what it does, to be killed by test_gallery_crashes.

    python gallery_worker.py FOLDER ENGINE SEED

Each change is told twice: {"do": ..., "ids": [...], "version": ...} before it begins, {"done": true} once the store has
returned from it. A row's vector and facts follow from its id and version, so that the reader can tell what is right.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from store_rows import row

from tapetum.core import VectorArray
from tapetum.gallery.edge_store import open_edge_store
from tapetum.gallery.exact_store import ExactStore
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import GalleryRow, GalleryStore

DIMENSION = 16
CHANGES = ["add", "replace", "delete", "forget", "compact", "rebuild"]
OPENERS: dict[str, Callable[[Segments, Path], GalleryStore]] = {
    "exact": lambda segments, folder: ExactStore(segments),
    "edge": open_edge_store,
}


def vector_of(number: int, version: int) -> VectorArray:
    """The vector of a row's version."""
    direction = np.random.default_rng([number, version]).standard_normal(DIMENSION)
    return (direction / np.linalg.norm(direction)).astype(np.float32)


def row_of(number: int, version: int) -> GalleryRow:
    """The facts of a row's version."""
    return row(number, camera=1 + version % 6, person=number % 5)


def tell(**what: object) -> None:
    """One line on the standard output, at once."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def change(store: GalleryStore, segments: Segments, chance: random.Random, version: int) -> None:
    """One change, told before and after."""
    do = chance.choices(CHANGES, [5, 2, 2, 2, 2, 2])[0]
    living = segments.live_ids().tolist()
    first = segments.manifest.next_id
    ids = list(range(first, first + chance.randint(1, 60)))
    if do in ("replace", "delete", "forget"):
        ids = sorted(chance.sample(living, min(len(living), chance.randint(1, 15))))
    tell(do=do, ids=ids, version=version)
    if do in ("add", "replace") and ids:
        vectors = np.stack([vector_of(number, version) for number in ids])
        store.add([row_of(number, version) for number in ids], vectors, [b"<thumbnail %d>" % n for n in ids])
    elif do in ("delete", "forget"):
        getattr(store, do)(ids)
    elif do in ("compact", "rebuild"):
        getattr(store, do)()
    tell(done=True)


def main() -> None:
    """Open, then change until killed."""
    folder, engine, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    segments = Segments.open(folder)
    store = OPENERS[engine](segments, folder / "index")
    chance = random.Random(seed)
    tell(ready=True)
    version = seed * 1_000_000
    while True:
        change(store, segments, chance, version)
        version += 1


if __name__ == "__main__":
    main()
