"""Bringing a gallery to a new model: its pictures are embedded again in a gallery beside it, which takes its place.

GALLERY             the gallery
GALLERY.migrating   the new one while it is made; a stopped migration goes on with it
GALLERY.before      the old one afterwards
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tapetum.errors import DataError, GalleryError
from tapetum.gallery.calibrating import calibration_beside
from tapetum.gallery.embedder import CropEmbedder
from tapetum.gallery.gallery import Gallery, facts_of_model, read_facts
from tapetum.gallery.ingest import ProgressCall, check_model
from tapetum.gallery.keys import KEYS
from tapetum.gallery.manifest import read_manifest, write_manifest
from tapetum.gallery.pictures import Arrival, Picture, batches_of, read_pictures
from tapetum.gallery.store import GalleryRow

_FACTS = "gallery.json"
_AT_ONCE = 512


@dataclass
class Migrated:
    """moved: crops that the new model embedded, in this run and before. lost: a sentence for each other one."""

    moved: int = 0
    lost: list[str] = field(default_factory=list)


def migrate(
    folder: Path, run: Path, *, leave_out: bool = False, workers: int = 1, progress: ProgressCall | None = None
) -> tuple[Migrated, Path]:
    """Embed a gallery's pictures anew with a run's model, and put the new gallery in its place.

    Ids, keys and the audit log go over. Returns what became of the crops, and where the old gallery is. Raises
    GalleryError where pictures are missing or changed and `leave_out` was not said; the gallery is then as it was.
    """
    beside, before = (folder.with_name(f"{folder.name}.{end}") for end in ("migrating", "before"))
    if not folder.exists() and (beside / _FACTS).exists() and before.exists():
        beside.rename(folder)  # a migration was killed between its two renames
        with Gallery.open(folder) as moved:
            return Migrated(len(moved.segments)), before
    with Gallery.open(folder) as old:
        embedder = CropEmbedder.load(run)
        if embedder.fingerprint == old.facts.fingerprint:
            raise GalleryError(
                f"{folder} holds vectors of model {embedder.fingerprint} already. There is nothing to do."
            )
        if before.exists():
            raise GalleryError(f"{before} is in the way, the gallery before an earlier migration. Remove it first.")
        with _counting_on(_beside(beside, old, run, embedder), old) as new:
            found = _embed_again(old, new, embedder, workers, progress)
            if found.lost and not leave_out:
                raise GalleryError(
                    f"{len(found.lost)} pictures cannot be embedded again: {found.lost[0]} Put them back, or pass"
                    " --leave-out to go on without them."
                )
            _take_over(old, new)
        folder.rename(before)
        beside.rename(folder)
    return found, before


def _beside(beside: Path, old: Gallery, run: Path, embedder: CropEmbedder) -> Gallery:
    """The new gallery: begun, or gone on with."""
    if (beside / _FACTS).exists():
        if read_facts(beside).fingerprint != embedder.fingerprint:
            raise GalleryError(f"{beside} was begun with another model. Remove it, or pass that model again.")
        return Gallery.open(beside)
    new = Gallery.create(beside, facts_of_model(run, embedder.dimension, old.facts.engine), run)
    new.set_calibration(calibration_beside(run, embedder.fingerprint))
    return new


def _counting_on(new: Gallery, old: Gallery) -> Gallery:
    """The new gallery, with ids that go on where the old one's are: an id is given once."""
    first = old.segments.manifest.next_id
    if new.segments.manifest.next_id >= first:
        return new
    new.close()
    write_manifest(new.folder, replace(read_manifest(new.folder), next_id=first))
    return Gallery.open(new.folder)


def _embed_again(
    old: Gallery, new: Gallery, embedder: CropEmbedder, workers: int, progress: ProgressCall | None
) -> Migrated:
    check_model(new, embedder)
    new.store.delete(sorted(set(new.segments.live_ids().tolist()) - set(old.segments.live_ids().tolist())))
    found = Migrated(moved=len(new.segments))
    total = len(old.segments)
    for rows, _ in old.segments.parts():
        done = new.segments.places([row.id for row in rows])
        left = [row for row in rows if row.id not in done]
        for start in range(0, len(left), _AT_ONCE):
            _embed_part(left[start : start + _AT_ONCE], new, embedder, workers, found)
            if progress is not None:
                progress(found.moved + len(found.lost), total)
    return found


def _embed_part(
    rows: Sequence[GalleryRow], new: Gallery, embedder: CropEmbedder, workers: int, found: Migrated
) -> None:
    arrivals = [Arrival(row.path, row.camera, row.modality) for row in rows]
    batches = batches_of(arrivals, range(len(rows)))
    kept = []
    for places, pictures in zip(batches, read_pictures(arrivals, batches, embedder.size, workers), strict=True):
        same = [(rows[place], _same(rows[place], read, found)) for place, read in zip(places, pictures, strict=True)]
        good = [(row, picture) for row, picture in same if picture is not None]
        if good:
            vectors = embedder.embed(np.stack([picture.pixels for _, picture in good]), good[0][0].modality)
            kept += [(row, picture, vector) for (row, picture), vector in zip(good, vectors, strict=True)]
    if kept:
        kept.sort(key=lambda one: one[0].id)
        vectors = np.stack([vector for _, _, vector in kept])
        new.store.add([row for row, _, _ in kept], vectors, [picture.thumbnail for _, picture, _ in kept])
        found.moved += len(kept)


def _same(row: GalleryRow, read: Picture | DataError, found: Migrated) -> Picture | None:
    """The picture, where it is still the one that came in; what is not is noted."""
    if isinstance(read, DataError):
        found.lost.append(str(read))
    elif row.content and read.content != row.content:
        found.lost.append(f"{row.path} is another picture than the one that came in. Restore it.")
    else:
        return read
    return None


def _take_over(old: Gallery, new: Gallery) -> None:
    """Keys and audit log."""
    if (old.folder / "audit").exists():
        shutil.copytree(old.folder / "audit", new.folder / "audit", dirs_exist_ok=True)
    if (old.folder / KEYS).exists():
        shutil.copy2(old.folder / KEYS, new.folder / KEYS)
