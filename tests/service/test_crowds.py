"""Many at once: full lines answer 503, memory stays where it was, and searches go on beside changes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from api_calls import picture, search
from served_gallery import served

from tapetum.gallery.gallery import Gallery
from tapetum.service.work import SharedLock

CONNECTIONS = 4


def held() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_full_line_answers_503_and_then_the_service_goes_on(serving, tiny_sysu):
    client = serving(waiting=2)
    service, go = client.app.state.service, threading.Event()
    embed = service._embedder._embed
    service._embedder._embed = lambda pixels, modality: go.wait(30) and embed(pixels, modality)
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(search, client, [picture(tiny_sysu, 3)], k=1) for _ in range(12)]
        until = time.monotonic() + 20
        while sum(one.done() for one in asked) < 9 and time.monotonic() < until:
            time.sleep(0.01)
        assert client.get("/api/health").status_code == 200  # who does not embed is answered meanwhile
        go.set()
        answers = [one.result(30) for one in asked]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert len(refused) >= 9  # one in the model, two in line
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert all("Ask again in a second" in answer.json()["error"] for answer in refused)
    assert search(client, [picture(tiny_sysu, 3)], k=1).status_code == 200


@pytest.mark.parametrize("requests", [600, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_flood_from_a_few_connections_leaves_memory_bounded(folder, tiny_sysu, requests):
    noise = np.random.default_rng(0).bytes(200_000)
    good = {"files": [picture(tiny_sysu, 3), ("k", (None, "1"))]}
    kinds = [
        good,
        {"files": [("picture", noise)]},
        {"files": [("picture", picture(tiny_sysu, 1)[1][:300])]},
        {"files": [("ids", (None, "1")), ("k", (None, "9" * 400))]},
        {"json": {"k": 1}},
        {"files": [("ids", (None, "1"))], "headers": {"Authorization": "Bearer " + "x" * 3000}},
    ]

    def flood(address: str, number: int) -> list[int]:
        with httpx.Client(base_url=address, timeout=60) as http:
            return [
                http.post("/api/search", **kinds[(number + place) % len(kinds)]).status_code
                for place in range(requests // CONNECTIONS)
            ]

    with Gallery.open(folder) as gallery, served(gallery) as address, ThreadPoolExecutor(CONNECTIONS) as pool:
        warm = [status for number in range(3) for status in flood_once(address, kinds)]
        before = held()
        statuses = [status for part in pool.map(lambda n: flood(address, n), range(CONNECTIONS)) for status in part]
        grown = held() - before
        assert httpx.post(f"{address}/api/search", **good).status_code == 200
    assert len(statuses) == requests
    assert set(statuses) == set(warm) == {200, 415, 422}
    assert grown < 60 * 2**20  # 10,000 requests bring 400 MB


def flood_once(address: str, kinds: list[dict]) -> list[int]:
    return [httpx.post(f"{address}/api/search", **kind).status_code for kind in kinds]


def test_searches_see_a_whole_gallery_while_crops_go(serving):
    client = serving()
    wrong: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            answer = search(client, ids=[60], k=100)
            if answer.status_code != 200:
                wrong.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    removed = [client.delete(f"/api/crops/{number}").json()["removed"] for number in range(1, 11)]
    ended.set()
    for thread in threads:
        thread.join()
    assert removed == [1] * 10
    assert not wrong
    assert len(search(client, ids=[60], k=100).json()["hits"]) == 49


def test_a_writer_has_the_lock_alone_and_goes_before_new_readers():
    lock, order, reading = SharedLock(), [], threading.Event()

    def write() -> None:
        with lock.writing():
            order.append("writer")

    def read() -> None:
        with lock.reading():
            order.append("reader")

    with lock.reading(), lock.reading():  # readers do not keep each other out
        writer = threading.Thread(target=write)
        writer.start()
        while not lock._writers_waiting:
            time.sleep(0.001)
        reader = threading.Thread(target=read)
        reader.start()
        reading.wait(0.05)
        assert order == []
    writer.join(5)
    reader.join(5)
    assert order == ["writer", "reader"]
