"""A gallery's store is killed at random moments: what was acknowledged is there, what was forgotten is not.

Two kills for each engine by default. The long form, sixty, is `pytest -m long tests/gallery/test_gallery_crashes.py`.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from gallery_worker import CHANGES, DIMENSION, OPENERS, row_of, vector_of
from store_rows import ranked_by_hand

from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter

WORKER = Path(__file__).with_name("gallery_worker.py")


@dataclass
class Known:
    """What the reader of a worker's lines knows. rows: id -> version; begun: the change that was not acknowledged."""

    rows: dict[int, int] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    begun: dict[str, object] | None = None
    done: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)

    def hear(self, line: str) -> None:
        said = json.loads(line)
        if "do" in said:
            self.begun = said
        elif "done" in said and self.begun is not None:
            self.apply(self.begun)
            self.done[str(self.begun["do"])] = self.done.get(str(self.begun["do"]), 0) + 1
            self.begun = None

    def apply(self, change: dict[str, object]) -> None:
        for number in change["ids"] if change["do"] not in ("compact", "rebuild") else []:  # type: ignore[attr-defined]
            if change["do"] in ("add", "replace"):
                self.rows[number] = change["version"]  # type: ignore[assignment]
            else:
                self.rows.pop(number, None)
            if change["do"] == "forget":
                self.forgotten.add(number)


def run_and_kill(folder: Path, engine: str, seed: int, known: Known) -> None:
    """Let a worker live, and kill it at a random moment of one kind of change, or shortly after."""
    chance = random.Random(seed)
    victim, mercy = CHANGES[seed % len(CHANGES)], chance.randint(1, 5)
    command = [sys.executable, str(WORKER), str(folder), engine, str(seed)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    first = worker.stdout.readline()
    assert json.loads(first or "{}") == {"ready": True}, worker.stderr and worker.stderr.read()
    killer: threading.Timer | None = None
    begun, longest = time.monotonic(), 0.0
    for line in worker.stdout:
        if line.endswith("\n"):
            known.hear(line)
        longest, begun = max(longest, time.monotonic() - begun), time.monotonic()
        mercy -= 1
        if killer is None and mercy < 0 and known.begun is not None and known.begun["do"] == victim:
            killer = threading.Timer(chance.uniform(0, 1.2 * longest), worker.kill)
            killer.start()
    assert worker.wait() == -signal.SIGKILL, worker.stderr and worker.stderr.read()
    worker.communicate()


def check(folder: Path, engine: str, known: Known) -> None:
    """Open again as a user would; the change that was cut short has happened in whole or not at all."""
    segments = Segments.open(folder)
    store = OPENERS[engine](segments, folder / "index")
    found = {crop.id: (crop, vector) for part in segments.parts() for crop, vector in zip(*part, strict=True)}
    after = Known(dict(known.rows), set(known.forgotten))
    if known.begun is not None:
        after.apply(known.begun)
    possible = [
        {number: (row_of(number, version), vector_of(number, version).tobytes()) for number, version in rows.items()}
        for rows in (known.rows, after.rows)
    ]
    there = {number: (crop, vector.tobytes()) for number, (crop, vector) in found.items()}
    assert there in possible
    if there != possible[0]:
        known.rows, known.forgotten = after.rows, after.forgotten
    if known.begun is not None:
        known.cut[str(known.begun["do"])] = known.cut.get(str(known.begun["do"]), 0) + 1
    known.begun = None
    assert segments.damaged() == []
    assert store.count(Filter()) == len(found)
    query = vector_of(1, 1)
    (answer,) = store.search(query[None], 20, Filter())
    assert answer.ids.tolist() == [number for number, _ in ranked_by_hand(found, query, 20, Filter())]
    store.close()
    everything = b"".join(path.read_bytes() for path in (folder / "segments").glob("*"))
    for number in known.forgotten:
        assert b"<thumbnail %d>" % number not in everything
        assert f"/{number:06d}.jpg".encode() not in everything


def kill_often(folder: Path, engine: str, kills: int) -> Known:
    Segments.create(folder, DIMENSION)
    known = Known()
    for seed in range(kills):
        run_and_kill(folder, engine, seed, known)
        check(folder, engine, known)
    return known


@pytest.mark.parametrize("engine", ["exact", "edge"])
def test_nothing_acknowledged_is_lost_and_nothing_forgotten_returns(tmp_path: Path, engine: str) -> None:
    assert sum(kill_often(tmp_path, engine, 2).done.values()) > 0


@pytest.mark.long
@pytest.mark.parametrize(("engine", "kills"), [("exact", 20), ("edge", 40)])
def test_sixty_kills(tmp_path: Path, engine: str, kills: int) -> None:
    begun = time.monotonic()
    known = kill_often(tmp_path, engine, kills)
    took = time.monotonic() - begun
    sys.stdout.write(f"{engine}: {kills} kills, acknowledged {known.done}, cut short {known.cut}, {took:.0f} s\n")
    assert set(known.done) | set(known.cut) == set(CHANGES)
    assert known.cut  # the others were killed between two changes


def test_a_worker_s_rows_differ_by_version() -> None:
    assert not np.array_equal(vector_of(1, 1), vector_of(1, 2))
    assert row_of(1, 1) != row_of(1, 2)
