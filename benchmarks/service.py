"""Time from an upload to the first ranked list, beside the embedding alone, and how the service behaves under load.

    python benchmarks/service.py [--model runs/demo] [--picture night.jpg] [--rows 100000] [--engine edge]

A gallery of invented vectors with the run's model is made in a temporary folder and served in a process of its own; the
upload goes through the HTTP API over loopback with the checks, the log and the ranked list of 20 that users get. The
embedding alone is the same decoding and the same model called directly, one picture after another, in the same minutes:
each round times both. Under load, several connections ask at once: answers per second, slowest answers, refusals, and
the memory that the service holds before and after. Best on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import httpx
import numpy as np

from tapetum.core import Modality
from tapetum.gallery.embedder import CropEmbedder
from tapetum.gallery.gallery import Engine, Gallery, facts_of_model
from tapetum.gallery.pictures import picture_of
from tapetum.gallery.store import GalleryRow

BEGAN = datetime(2026, 1, 1)
AT_ONCE = 10_000
FORM = {"modality": "ir", "among": "rgb", "k": "20"}


def invent(folder: Path, model: Path, embedder: CropEmbedder, rows: int, engine: Engine, thumbnail: bytes) -> None:
    """A gallery of `rows` crops from 20 cameras, every third one infrared, a second apart."""
    random = np.random.default_rng(0)
    with Gallery.create(folder, facts_of_model(model, embedder.dimension, engine), model) as gallery:
        for start in range(1, rows + 1, AT_ONCE):
            ids = range(start, min(start + AT_ONCE, rows + 1))
            vectors = random.standard_normal((len(ids), embedder.dimension), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            made = [
                GalleryRow(
                    id=number,
                    path=f"/crops/{number}.jpg",
                    person=None,
                    camera=str(number % 20),
                    site=f"site {number % 5}",
                    modality=Modality.IR if number % 3 == 0 else Modality.RGB,
                    time=BEGAN + timedelta(seconds=number),
                )
                for number in ids
            ]
            gallery.store.add(made, vectors, [thumbnail] * len(ids))


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """(address, process) of the service, as users start it."""
    command = [sys.executable, "-m", "tapetum.cli", "serve", str(folder), "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        found = re.search(r"http://\S+", running.stdout.readline() if running.stdout else "")
        assert found is not None, "the service did not start"
        yield found.group(0), running.pid
    finally:
        running.terminate()
        running.wait(60)


def ask(http: httpx.Client, data: bytes) -> httpx.Response:
    """One search by one uploaded picture."""
    return http.post("/api/search", files={"picture": data}, data=FORM)


def first_list(address: str, data: bytes, embedder: CropEmbedder, rounds: int) -> None:
    """Upload to list, and embedding alone, in turns."""
    whole, alone, parts = [], [], []
    with httpx.Client(base_url=address, timeout=120) as http:
        for round_ in range(rounds + 2):
            began = time.perf_counter()
            answer = ask(http, data)
            between = time.perf_counter()
            picture = picture_of(data, "query", Modality.IR, embedder.size)
            embedder.embed(picture.pixels[None], Modality.IR)
            if round_ >= 2:  # the first ones warm caches
                answer.raise_for_status()
                whole.append(between - began)
                alone.append(time.perf_counter() - between)
                parts.append((answer.json()["took"]["embed_ms"], answer.json()["took"]["search_ms"]))
    told = [1000 * float(np.median(values)) for values in (whole, alone)]
    embed, search = np.median(np.array(parts), axis=0)
    print(f"upload to list   median {told[0]:6.1f} ms   p95 {1000 * np.quantile(whole, 0.95):6.1f} ms")
    print(f"embedding alone  median {told[1]:6.1f} ms   (decoding and the model, called directly)")
    print(f"beside it        median {told[0] - told[1]:6.1f} ms   (target: 300)")
    print(f"the service says embedding {embed:.1f} ms, search {search:.1f} ms")


def under_load(address: str, process: int, data: bytes, connections: int, requests: int) -> None:
    """Many connections at once."""

    def run(_: int) -> list[tuple[int, float]]:
        found = []
        with httpx.Client(base_url=address, timeout=300) as http:
            for _ in range(max(requests // connections, 1)):
                began = time.perf_counter()
                status = ask(http, data).status_code
                found.append((status, time.perf_counter() - began))
        return found

    before, began = held(process), time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        answers = [answer for part in pool.map(run, range(connections)) for answer in part]
    seconds = time.perf_counter() - began
    good = [taken for status, taken in answers if status == 200]
    counted = ", ".join(f"{count} x {status}" for status, count in sorted(Counter(s for s, _ in answers).items()))
    print(
        f"{connections:3} connections  {len(good) / seconds:6.1f} lists/s   median {1000 * np.median(good):7.1f} ms"
        f"   p95 {1000 * np.quantile(good, 0.95):7.1f} ms   {counted}   memory {before:.0f} -> {held(process):.0f} MiB"
    )


def held(process: int) -> float:
    """MiB of memory that a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/demo"))
    parser.add_argument("--picture", type=Path, default=Path("runs/synthetic-small/cam3/0230/0001.jpg"))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--engine", choices=get_args(Engine), default="exact")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--requests", type=int, default=320)
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 4, 16, 100])
    given = parser.parse_args()
    data, embedder = given.picture.read_bytes(), CropEmbedder.load(given.model)
    thumbnail = picture_of(data, "thumbnail", Modality.IR, None).thumbnail
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "gallery"
        invent(place, given.model, embedder, given.rows, given.engine, thumbnail)
        with served(place) as (address, process):
            print(f"{given.rows:,} crops of {embedder.dimension} values, engine {given.engine}; {os.cpu_count()} cores")
            first_list(address, data, embedder, given.rounds)
            for connections in given.connections:
                under_load(address, process, data, connections, given.requests)


if __name__ == "__main__":
    main()
