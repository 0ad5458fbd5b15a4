"""A small gallery with a model, served by the real service in a thread: what the page's tests open in a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import uvicorn

from small_model import write_model
from tapetum.core import Modality
from tapetum.gallery.embedder import CropEmbedder
from tapetum.gallery.gallery import Gallery, facts_of_model
from tapetum.gallery.ingest import index_pictures
from tapetum.gallery.pictures import Arrival
from tapetum.service.app import create_app
from tapetum.service.context import ServiceSettings

PERSONS = range(12, 17)
SITES = {"1": "Gate", "2": "Gate", "3": "Gate", "4": "Car park", "5": "Car park", "6": "<b>Yard</b>"}
FIRST = datetime(2026, 3, 4, 8, 0)


def arrivals(pictures: Path) -> list[Arrival]:
    """60 crops of five persons. Person p passes camera c at 8:00 + 10 (p - 12) + (c - 1) minutes, two seconds apart."""
    found = []
    for person in PERSONS:
        for camera, site in SITES.items():
            seen = FIRST + timedelta(minutes=10 * (person - PERSONS[0]) + int(camera) - 1)
            light = Modality.IR if camera in "36" else Modality.RGB
            for shot in (1, 2):
                path = pictures / f"cam{camera}" / f"{person:04d}" / f"{shot:04d}.jpg"
                found.append(Arrival(str(path), camera, light, None, site, seen + timedelta(seconds=2 * (shot - 1))))
    return found


def make_gallery(folder: Path, pictures: Path) -> Gallery:
    """An open gallery of those crops."""
    run = folder / "run"
    run.mkdir(parents=True)
    write_model(run)
    embedder = CropEmbedder.load(run)
    gallery = Gallery.create(folder / "gallery", facts_of_model(run, embedder.dimension, "exact"), run)
    report = index_pictures(gallery, arrivals(pictures), embedder, workers=0)
    assert report.added == 60
    return gallery


@contextmanager
def served(gallery: Gallery) -> Iterator[str]:
    """Serve it on a free port of this machine; gives the address."""
    app = create_app(gallery, ServiceSettings())
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.02)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
