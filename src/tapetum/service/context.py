"""What all routes of one running service share: the gallery, its embedder, its log, and the lines before them."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from fastapi import Request, UploadFile
from starlette.types import Scope

from tapetum.core import Modality, VectorArray
from tapetum.errors import GalleryError
from tapetum.gallery.audit import AuditLog
from tapetum.gallery.embedder import CropEmbedder
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.keys import KeyRing
from tapetum.gallery.pictures import Picture
from tapetum.model_file import DESCRIPTION
from tapetum.service.access import Access, Caller, RefusalLog
from tapetum.service.embedder import BatchEmbedder
from tapetum.service.messages import FoundCrop
from tapetum.service.refusals import Refused, no_such_crop
from tapetum.service.uploads import UploadLimits, decode_upload
from tapetum.service.work import SharedLock, WorkPool

_REMEMBERED = 256


@dataclass(frozen=True)
class ServiceSettings:
    """host: where it listens.   names: host names beyond loopback's that it is reached by.

    waiting: how many pictures, searches and changes may stand in line, each.   threads: that search, and that decode.
    """

    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    limits: UploadLimits = field(default_factory=UploadLimits)
    waiting: int = 64
    threads: int = 2


@dataclass(frozen=True)
class PastSearch:
    """A search as a shortlist tells it. asked: the entry of the audit log: query, filter, k, how."""

    name: str
    caller: Caller
    time: datetime
    asked: dict[str, Any]
    hits: tuple[FoundCrop, ...]


class PastSearches:
    """The last searches; each is known to the key that made it alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, PastSearch] = OrderedDict()

    def keep(self, search: PastSearch) -> None:
        """Remember one, and forget the oldest of too many."""
        with self._lock:
            self._kept[search.name] = search
            while len(self._kept) > _REMEMBERED:
                self._kept.popitem(last=False)

    def find(self, name: str, caller: Caller) -> PastSearch:
        """One of this caller's searches. Raises Refused (404)."""
        with self._lock:
            found = self._kept.get(name)
        if found is None or found.caller.name != caller.name:
            raise Refused(404, f"no search of yours is called {name}. Search again: only the last ones are kept.")
        return found

    def clear(self) -> None:
        """Forget all: crops that they name have been removed."""
        with self._lock:
            self._kept.clear()


class Service:
    """One running service; close it. Raises RecipeError where it would answer others without a key."""

    def __init__(self, gallery: Gallery, settings: ServiceSettings) -> None:
        self.gallery, self.settings = gallery, settings
        self.audit = AuditLog(gallery.folder)
        self.access = Access(KeyRing(gallery.folder), settings.host, settings.names)
        self._refusals = RefusalLog(self.audit)
        self._embedder: BatchEmbedder | None = None
        if (gallery.folder / "model" / DESCRIPTION).is_file():
            self._embedder = BatchEmbedder(CropEmbedder.of_gallery(gallery.folder).embed, waiting=settings.waiting)
        self.decoding = WorkPool("decoding", settings.threads, settings.waiting)
        self.searching = WorkPool("a search", settings.threads, settings.waiting)
        self.changing = WorkPool("a change", 1, settings.waiting)  # one thread: changes come one after another
        self.removal = SharedLock()
        self.searches = PastSearches()

    def note_refusal(self, scope: Scope, reason: str) -> None:
        """Log a refusal; what goes wrong with the log does not turn the refusal into another answer."""
        route = scope.get("route")
        asked = f"{scope['method']} {route.path}" if route is not None else "any"
        address = scope["client"][0] if scope.get("client") else ""
        with suppress(OSError, GalleryError):
            self._refusals.note(asked, reason, address)

    async def embed_uploads(self, files: Sequence[UploadFile], modality: Modality) -> tuple[list[Picture], VectorArray]:
        """Uploaded pictures, and their vectors (n, D). Raises Refused."""
        if not files:
            return [], np.empty((0, self.gallery.facts.dimension), np.float32)
        limits, size, embedder = self.settings.limits, self.gallery.facts.size, self._embedder
        if size is None or embedder is None:
            raise Refused(422, "this gallery holds vectors without their model. Search by the ids of its crops.")
        pictures = []
        for place, file in enumerate(files, 1):
            data = await file.read(limits.bytes + 1)
            name = f"picture {place}"
            pictures.append(await self.decoding.run(decode_upload, data, name, modality, size, limits))
        pixels = np.stack([picture.pixels for picture in pictures])
        return pictures, await asyncio.wrap_future(embedder.submit(pixels, modality))

    def require(self, ids: Sequence[int]) -> None:
        """Raise Refused (404) for an id that does not live."""
        missing = sorted(set(ids) - set(self.gallery.segments.places(list(ids))))
        if missing:
            raise no_such_crop(missing[0])

    def close(self) -> None:
        """End the threads and write what is left of the log; the gallery stays open."""
        for pool in (self.decoding, self.searching, self.changing):
            pool.close()
        if self._embedder is not None:
            self._embedder.close()
        with suppress(OSError, GalleryError):
            self._refusals.close()


def service_of(request: Request) -> Service:
    """The service that this request came to."""
    service: Service = request.app.state.service
    return service


def caller_of(request: Request) -> Caller:
    """Who asks; only behind a guarded route."""
    caller: Caller = request.state.caller
    return caller


def now() -> datetime:
    """UTC, to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
