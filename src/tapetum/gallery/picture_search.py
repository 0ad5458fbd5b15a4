"""The stage from pictures to a gallery's ranked lists: embed the queries with its own model, and ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tapetum.core import Modality
from tapetum.errors import DataError
from tapetum.gallery.asking import Question, Reply, ask
from tapetum.gallery.audit import AuditLog
from tapetum.gallery.embedder import CropEmbedder
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.pictures import Picture, picture_of, read_bytes
from tapetum.gallery.store import Filter, GalleryRow


@dataclass(frozen=True)
class PictureSearch:
    """What is asked. fuse: all pictures show one person and ask as one; else each asks for itself.

    modality: of the pictures.   k: answers.   fold: frames of one track closer in time than this count once.
    """

    pictures: tuple[Path, ...]
    modality: Modality
    k: int = 10
    among: Filter = field(default_factory=Filter)
    fuse: bool = False
    fold: timedelta | None = None
    approximate: bool = False

    def groups(self) -> list[tuple[Path, ...]]:
        """The pictures of each query."""
        return [self.pictures] if self.fuse else [(picture,) for picture in self.pictures]


@dataclass(frozen=True)
class Answered:
    """One query's answers. known: the gallery's rows of the pictures that asked, which do not answer themselves.

    thumbnails: of the answers, in their order.
    """

    pictures: tuple[Path, ...]
    reply: Reply
    known: tuple[GalleryRow, ...]
    thumbnails: tuple[bytes | None, ...]


def search_gallery(folder: Path, asked: PictureSearch, who: str = "") -> list[Answered]:
    """Rank a gallery for each query; each is an entry of the audit log.

    Raises GalleryError for a gallery that is held by another process or has no model, DataError for a broken picture.
    """
    with Gallery.open(folder) as gallery:
        embedder = CropEmbedder.of_gallery(folder)
        log = AuditLog(folder)
        groups = [(group, _read(group, asked.modality, embedder.size)) for group in asked.groups()]
        found = []
        for group, pictures in groups:
            answered = _answer(gallery, embedder, asked, group, pictures)
            log.append("search", who=who, role="admin", **_logged(asked, pictures, answered))
            found.append(answered)
        return found


def _read(group: Sequence[Path], modality: Modality, size: tuple[int, int]) -> list[Picture]:
    return [picture_of(read_bytes(str(path)), str(path), modality, size) for path in group]


def _answer(
    gallery: Gallery, embedder: CropEmbedder, asked: PictureSearch, group: tuple[Path, ...], pictures: list[Picture]
) -> Answered:
    vectors = embedder.embed(np.stack([picture.pixels for picture in pictures]), asked.modality)
    own = gallery.segments.ids_of("content", [picture.content for picture in pictures])
    hidden = replace(asked.among, without=asked.among.without | set(own.values()))
    question = Question(vectors, asked.k, hidden, fold=asked.fold, approximate=asked.approximate)
    reply = ask(gallery.store, gallery.segments, question)
    places = gallery.segments.places([hit.row.id for hit in reply.hits])
    thumbnails = [places[hit.row.id] for hit in reply.hits]
    own_places = gallery.segments.places(list(own.values()))
    return Answered(
        group,
        reply,
        tuple(segment.rows(np.array([place]))[0] for segment, place in own_places.values()),
        tuple(segment.thumbnail(place) for segment, place in thumbnails),
    )


def _logged(asked: PictureSearch, pictures: Sequence[Picture], answered: Answered) -> dict[str, Any]:
    """What the audit log keeps of a search: no path and no picture, but the hash of each."""
    return {
        "query": [picture.content for picture in pictures],
        "modality": asked.modality.value,
        "filter": filter_facts(asked.among),
        "k": asked.k,
        "how": answered.reply.how,
        "found": [hit.row.id for hit in answered.reply.hits],
    }


def filter_facts(among: Filter) -> dict[str, Any]:
    """A filter in plain values, for a log."""
    sets = {"cameras": among.cameras, "sites": among.sites, "modalities": among.modalities}
    named: dict[str, Any] = {name: sorted(map(str, value)) for name, value in sets.items() if value is not None}
    times = {"since": among.since, "until": among.until}
    return {**named, **{name: time.isoformat() for name, time in times.items() if time is not None}}


def check_pictures(pictures: Sequence[Path]) -> None:
    """Raise DataError for a query that is not there."""
    for path in pictures:
        if not path.is_file():
            state = "is a folder" if path.is_dir() else "does not exist"
            raise DataError(f"{path} {state}. Give the paths of the pictures to look for.")
