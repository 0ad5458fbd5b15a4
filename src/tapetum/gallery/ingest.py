"""Taking crops into a gallery: what is there already is passed over, what is broken is listed, the rest is kept.

A picture is known by the hash of its bytes, whatever it is called. Rows are kept some hundreds at a time: each such
part is on disk before the next one begins, so that a stopped run goes on where it was. One writer at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tapetum.core import VectorArray
from tapetum.embedding_table import EmbeddingTable
from tapetum.errors import DataError, EmbeddingError
from tapetum.gallery.embedder import BATCH, CropEmbedder
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.pictures import Arrival, Picture, batches_of, content_of, read_bytes, read_pictures
from tapetum.gallery.store import GalleryRow

ProgressCall = Callable[[int, int], None]
_PICTURES_AT_ONCE = 512
_VECTORS_AT_ONCE = 16_384
_READERS = 4  # threads that read files to hash them: they wait for the disk


@dataclass
class Ingested:
    """What became of the crops that came in.

    added: new rows.   present: came in before, from the same path.   duplicates, broken: a sentence for each crop whose
    bytes were there under another name, or which could not be used.
    """

    added: int = 0
    present: int = 0
    duplicates: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many crops are accounted for."""
        return self.added + self.present + len(self.duplicates) + len(self.broken)


def index_pictures(
    gallery: Gallery,
    arrivals: Sequence[Arrival],
    embedder: CropEmbedder,
    *,
    report: Ingested | None = None,
    workers: int = 1,
    progress: ProgressCall | None = None,
) -> Ingested:
    """Embed pictures and keep them; returns `report`, filled as they are kept.

    progress: told (done, total) after each batch.

    Raises EmbeddingError for a model whose vectors are not the gallery's, OutputError for a full disk; what was kept
    until then stays.
    """
    check_model(gallery, embedder)
    report = report or Ingested()
    before = report.done
    contents = _contents(arrivals, report)
    fresh = _fresh(gallery, arrivals, contents, report, {})
    parts = [fresh[start : start + _PICTURES_AT_ONCE] for start in range(0, len(fresh), _PICTURES_AT_ONCE)]
    batches = [batch for part in parts for batch in batches_of(arrivals, part)]
    read = zip(batches, read_pictures(arrivals, batches, embedder.size, workers), strict=True)
    for part in parts:
        kept: dict[int, tuple[Picture, VectorArray]] = {}
        for places, pictures in _until(read, len(part)):
            kept |= _embedded(arrivals, places, pictures, embedder, report)
            if progress is not None:
                progress(report.done + len(kept) - before, len(arrivals))
        order = sorted(kept)
        _keep(gallery, [arrivals[place] for place in order], [kept[place] for place in order])
        report.added += len(order)
    if progress is not None:
        progress(report.done - before, len(arrivals))
    return report


def index_vectors(
    gallery: Gallery,
    table: EmbeddingTable,
    *,
    report: Ingested | None = None,
    workers: int = 1,
    progress: ProgressCall | None = None,
) -> Ingested:
    """Keep ready vectors; returns `report`, filled as they are kept.

    Where their pictures lie, under the root that the table names, thumbnails are made of them; a row without a picture
    is known by its path. Raises EmbeddingError for vectors of another model than the gallery's or without direction.
    """
    check_vectors(table, gallery.folder, gallery.facts.fingerprint)
    report, seen = report or Ingested(), dict[str, str]()
    before = report.done
    root = Path(str(table.record.get("root", "")))
    for start in range(0, len(table.crops), _VECTORS_AT_ONCE):
        crops = table.crops[start : start + _VECTORS_AT_ONCE]
        arrivals = [
            Arrival(str(root / crop.path), crop.camera, crop.modality, crop.person, None, crop.time) for crop in crops
        ]
        pictures = _pictures_beside(arrivals, root, workers)
        fresh = _fresh(gallery, arrivals, [picture.content for picture in pictures], report, seen)
        vectors = _unit(table.vectors[start : start + len(crops)], arrivals)
        _keep(gallery, [arrivals[at] for at in fresh], [(pictures[at], vectors[at]) for at in fresh])
        report.added += len(fresh)
        if progress is not None:
            progress(report.done - before, len(table.crops))
    return report


def add_picture(gallery: Gallery, arrival: Arrival, picture: Picture, vector: VectorArray) -> tuple[int, bool]:
    """Keep one picture with its vector (D,); returns its id, and whether its bytes were there already."""
    known = gallery.segments.ids_of("content", [picture.content])
    if known:
        return known[picture.content], True
    return _keep(gallery, [arrival], [(picture, vector)])[0], False


def check_model(gallery: Gallery, embedder: CropEmbedder) -> None:
    """Raise EmbeddingError unless this model made the gallery's vectors."""
    if embedder.fingerprint != gallery.facts.fingerprint:
        raise EmbeddingError(
            f"{gallery.folder} holds vectors of model {gallery.facts.fingerprint}, and model {embedder.fingerprint} was"
            f" given. Leave --model out, or bring the gallery to it with `tapetum gallery migrate {gallery.folder}`."
        )


def check_vectors(table: EmbeddingTable, gallery: Path, fingerprint: str) -> None:
    """Raise EmbeddingError unless the gallery's model, by its fingerprint, made these vectors."""
    maker = table.record.get("fingerprint")
    if maker != fingerprint:
        raise EmbeddingError(
            f"the vectors were made by {f'model {maker}' if maker else 'nobody knows which model'}, and those of"
            f" {gallery} are of model {fingerprint}. Embed the crops with that model."
        )


def _contents(arrivals: Sequence[Arrival], report: Ingested) -> list[str | None]:
    """The hash of each picture; None for one that cannot be read, which the report names."""
    found: list[str | None] = []
    with ThreadPoolExecutor(_READERS) as pool:
        for content in pool.map(_content, arrivals):
            if isinstance(content, DataError):
                report.broken.append(str(content))
            found.append(content if isinstance(content, str) else None)
    return found


def _content(arrival: Arrival) -> str | DataError:
    try:
        return content_of(read_bytes(arrival.path))
    except DataError as error:
        return error


def _fresh(
    gallery: Gallery,
    arrivals: Sequence[Arrival],
    contents: Sequence[str | None],
    report: Ingested,
    seen: dict[str, str],
) -> list[int]:
    """Places of the crops that the gallery does not have. contents: "" where there is no picture, None: passed over.

    seen: content or path -> path, of this run's crops; it is filled.
    """
    here = gallery.segments.ids_of("content", [content for content in contents if content])
    paths = gallery.segments.ids_of("path", [arrival.path for arrival in arrivals])
    fresh = []
    for place, (arrival, content) in enumerate(zip(arrivals, contents, strict=True)):
        if content is None:
            continue
        key = content or arrival.path
        if arrival.path in paths and (content in here or not content):
            report.present += 1
        elif content in here:
            report.duplicates.append(f"{arrival.path} is crop {here[content]}, byte for byte")
        elif key in seen:
            report.duplicates.append(f"{arrival.path} is {seen[key]}, byte for byte" if content else f"{key} again")
        else:
            fresh.append(place)
        seen.setdefault(key, arrival.path)
    return fresh


_Read = Iterator[tuple[list[int], list[Picture | DataError]]]


def _until(read: _Read, count: int) -> _Read:
    """The next batches, `count` pictures together."""
    while count:
        places, pictures = next(read)
        yield places, pictures
        count -= len(places)


def _embedded(
    arrivals: Sequence[Arrival],
    places: Sequence[int],
    pictures: Sequence[Picture | DataError],
    embedder: CropEmbedder,
    report: Ingested,
) -> dict[int, tuple[Picture, VectorArray]]:
    whole = {}
    for place, picture in zip(places, pictures, strict=True):
        if isinstance(picture, Picture):
            whole[place] = picture
        else:
            report.broken.append(str(picture))
    if not whole:
        return {}
    pixels = np.stack([picture.pixels for picture in whole.values()])
    vectors = embedder.embed(pixels, arrivals[places[0]].modality)
    return {place: (picture, vector) for (place, picture), vector in zip(whole.items(), vectors, strict=True)}


def _keep(gallery: Gallery, arrivals: Sequence[Arrival], found: Sequence[tuple[Picture, VectorArray]]) -> list[int]:
    """Add rows to the gallery; returns their ids."""
    if not arrivals:
        return []
    first = gallery.segments.manifest.next_id
    rows = [
        GalleryRow(
            id=first + number,
            path=arrival.path,
            person=arrival.person,
            camera=arrival.camera,
            site=arrival.site,
            modality=arrival.modality,
            time=arrival.time,
            content=picture.content,
        )
        for number, (arrival, (picture, _)) in enumerate(zip(arrivals, found, strict=True))
    ]
    vectors = np.stack([vector for _, vector in found])
    gallery.store.add(rows, vectors, [picture.thumbnail or None for picture, _ in found])
    return [row.id for row in rows]


def _pictures_beside(arrivals: Sequence[Arrival], root: Path, workers: int) -> list[Picture]:
    """The pictures of ready vectors; an empty one where there is none, or a broken one."""
    nothing = Picture("", np.empty((3, 0, 0), np.uint8), b"")
    if not root.is_dir():
        return [nothing] * len(arrivals)
    batches = [list(range(start, min(start + BATCH, len(arrivals)))) for start in range(0, len(arrivals), BATCH)]
    read = read_pictures(arrivals, batches, None, workers)
    return [picture if isinstance(picture, Picture) else nothing for pictures in read for picture in pictures]


def _unit(vectors: VectorArray, arrivals: Sequence[Arrival]) -> VectorArray:
    """The same directions at length 1."""
    wide = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    if not lengths.all():
        path = arrivals[int(np.argmin(lengths))].path
        raise EmbeddingError(f"the vector of {path} is all zero and has no direction. Embed it again.")
    return np.asarray((wide / lengths[:, None]).astype(np.float32))
