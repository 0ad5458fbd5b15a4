"""Keeping a gallery in order: what it holds, whether it is whole, and removing crops so that nothing of them is left.

One writer at a time: hold the gallery's lock, and let no search go on beside a removal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow.compute as pc

from tapetum.core import IntArray
from tapetum.errors import GalleryError, RecipeError
from tapetum.gallery.audit import verify_audit
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.segment_files import Segment
from tapetum.gallery.store import Filter
from tapetum.gallery.traces import Scan, Traces

_AT_ONCE = 4_096


@dataclass(frozen=True)
class Contents:
    """What a gallery holds.

    cameras: (camera, site, crops) each, by name; sites: by name; modalities: name -> crops; first, last: of the times;
    persons: how many are told apart by a label; without_time, without_thumbnail: crops.
    """

    crops: int
    cameras: tuple[tuple[str, str | None, int], ...]
    sites: tuple[str, ...]
    modalities: dict[str, int]
    persons: int
    first: datetime | None
    last: datetime | None
    without_time: int
    without_thumbnail: int
    bytes: int


@dataclass(frozen=True)
class Check:
    """problems: a sentence each, none where the gallery is whole.   waiting: deleted rows with bytes still there."""

    problems: tuple[str, ...]
    crops: int
    files: int
    waiting: int


@dataclass(frozen=True)
class Removal:
    """What a removal did. crops_before, crops_after: of the gallery. sought: how many vectors, thumbnails and paths
    were looked for afterwards; files, bytes: what was looked through; found: how many were met, 0 in every proof.
    """

    removed: int
    crops_before: int
    crops_after: int
    sought: int = 0
    files: int = 0
    bytes: int = 0
    found: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values, without anything of the persons."""
        return dict(vars(self))


def contents(gallery: Gallery) -> Contents:
    """Count what is there."""
    cameras: dict[tuple[str, str | None], int] = {}
    modalities: dict[str, int] = {}
    persons: set[int] = set()
    times, timeless, bare = list[np.datetime64](), 0, 0
    for segment in gallery.segments.view:
        live = np.flatnonzero(segment.live)
        table = segment.table.select(["camera", "site", "modality", "person", "thumbnail"]).take(live)
        counted = table.group_by(["camera", "site", "modality"]).aggregate([([], "count_all")]).to_pylist()
        for row in counted:
            key = row["camera"], row["site"]
            cameras[key] = cameras.get(key, 0) + row["count_all"]
            modalities[row["modality"]] = modalities.get(row["modality"], 0) + row["count_all"]
        persons.update(pc.unique(table["person"].drop_null()).to_pylist())
        bare += table["thumbnail"].null_count
        known = segment.times[live]
        known = known[~np.isnat(known)]
        timeless += len(live) - len(known)
        times += [known.min(), known.max()] if len(known) else []
    return Contents(
        crops=len(gallery.segments),
        cameras=tuple((*key, count) for key, count in sorted(cameras.items(), key=lambda item: _order(item[0]))),
        sites=tuple(sorted({site for _, site in cameras if site is not None})),
        modalities=dict(sorted(modalities.items())),
        persons=len(persons),
        first=min(times).astype(datetime) if times else None,
        last=max(times).astype(datetime) if times else None,
        without_time=timeless,
        without_thumbnail=bare,
        bytes=sum(path.stat().st_size for path in gallery.folder.rglob("*") if path.is_file()),
    )


def _order(key: tuple[str, str | None]) -> tuple[str, str]:
    return key[0], key[1] or ""


def verify(gallery: Gallery) -> Check:
    """Read every file of the truth, compare it with its checksum, and the index and the audit log with it."""
    problems = [
        f"{path} is not what was written: its checksum differs. Restore it from a backup."
        for path in gallery.segments.damaged()
    ]
    ids = gallery.segments.live_ids()
    if len(np.unique(ids)) != len(ids):
        problems.append(f"{gallery.folder}: two rows have the same id. Restore it from a backup.")
    counted = gallery.store.count(Filter())
    if counted != len(gallery.segments):
        problems.append(
            f"{gallery.folder / 'index'} has {counted} crops, and the segments have {len(gallery.segments)}."
            f" Make it anew with `tapetum gallery rebuild {gallery.folder}`."
        )
    try:
        verify_audit(gallery.folder)
    except GalleryError as error:
        problems.append(str(error))
    waiting = sum(len(entry.deleted) for entry in gallery.segments.manifest.entries)
    files = sum(1 for path in gallery.folder.rglob("*") if path.is_file())
    return Check(tuple(problems), len(gallery.segments), files, waiting)


def chosen(gallery: Gallery, among: Filter, ids: Sequence[int] = ()) -> list[int]:
    """The ids of living crops that a filter admits; of `ids` alone, where some are given.

    Raises RecipeError where nothing is chosen by: everything is removed by removing the folder. GalleryError for an id
    that does not live.
    """
    if among.everything and not ids:
        raise RecipeError("which crops? Name persons, ids, cameras or a period.")
    missing = sorted(set(ids) - set(gallery.segments.places(list(ids))))
    if missing:
        raise GalleryError(f"no crop of the gallery has the id {missing[0]}. Search again: it may be deleted.")
    found = np.concatenate(
        [np.empty(0, np.int64), *(segment.ids[segment.admitted(among)] for segment in gallery.segments.view)]
    )
    return sorted(found.tolist() if not ids else set(found.tolist()) & set(ids))


def expired(gallery: Gallery, older_than: timedelta, now: datetime, camera: str | None = None) -> list[int]:
    """The ids of crops taken before now - older_than. now: by the clock of the gallery's times, without a zone.

    Crops without a time are not among them. Raises RecipeError for a camera of which the gallery has no crop.
    """
    cameras = None if camera is None else frozenset({camera})
    if cameras is not None and gallery.segments.count(Filter(cameras=cameras)) == 0:
        raise RecipeError(f"the gallery has no crop of camera '{camera}'. See `tapetum gallery info`.")
    return chosen(gallery, Filter(cameras=cameras, until=now - older_than))


def delete(gallery: Gallery, ids: Sequence[int]) -> Removal:
    """Remove crops, and their bytes from the segments and the index."""
    before = len(gallery.segments)
    removed = gallery.store.delete(ids)
    gallery.store.compact()
    return Removal(removed, before, len(gallery.segments))


def forget(gallery: Gallery, ids: Sequence[int]) -> Removal:
    """Remove crops and prove it: every file of the gallery is searched for their vectors, thumbnails and paths.

    What a crop that stays has as well (an equal vector, the same path) is not counted as found. Raises GalleryError
    where something is found; the crops answer no more all the same.
    """
    before = len(gallery.segments)
    traces = _traces(gallery, ids)
    removed = gallery.store.forget(ids)
    scan = _scan(gallery, traces)
    done = Removal(removed, before, len(gallery.segments), len(traces), scan.files, scan.size, len(scan.hashes))
    if scan.found:
        names = ", ".join(sorted(scan.found))
        raise GalleryError(
            f"{done.removed} crops answer no more, and {done.found} traces of them are still in {names} of"
            f" {gallery.folder}. Remove those files if they are not the gallery's, and run the command again."
        )
    return done


def _traces(gallery: Gallery, ids: Sequence[int]) -> Traces:
    traces = Traces()
    for segment in gallery.segments.view:
        places = segment.places(np.asarray(ids, dtype=np.int64))
        for start in range(0, len(places), _AT_ONCE):
            traces.add(text for row in _texts(segment, places[start : start + _AT_ONCE]) for text in row)
    return traces


def _texts(segment: Segment, places: IntArray) -> list[list[bytes]]:
    """What a row leaves in files: its vector, in single precision and, in an index, in half; its thumbnail; its path.

    The hash of its picture is not sought: the audit log keeps the hashes of what was asked, and must.
    """
    table = segment.table.select(["thumbnail", "path"]).take(places)
    columns = (table["thumbnail"].to_pylist(), table["path"].to_pylist())
    vectors = np.asarray(segment.vectors[places])
    return [
        [vector.tobytes(), vector.astype("<f2").tobytes(), thumbnail or b"", path.encode()]
        for vector, thumbnail, path in zip(vectors, *columns, strict=True)
    ]


def _scan(gallery: Gallery, traces: Traces) -> Scan:
    """What is found, without what living rows have a right to."""
    scan = traces.scan(gallery.folder)
    if not scan.found:
        return scan
    for segment in gallery.segments.view:
        places = np.flatnonzero(segment.live)
        for start in range(0, len(places), _AT_ONCE):
            rows = _texts(segment, places[start : start + _AT_ONCE])
            traces.drop(traces.within(b"\0".join(text for row in rows for text in row)))
    left = {name: frozenset(hashes & traces.hashes) for name, hashes in scan.found.items()}
    return replace(scan, found={name: hashes for name, hashes in left.items() if hashes})
