"""A gallery: a folder with rows, the model that embeds for it and the store that searches it, held by one process.

gallery.json   the model's fingerprint, the vectors' dimension, the engine, the calibration, how it was made
model/         the model itself, so that a query can be embedded (absent where only vectors came in)
manifest.json, segments/   the truth (see `segments`)
index/         what the engine built from the truth; it can be removed and is made again
audit/         who did what
lock, holder.json   held while a process has the gallery open; who that is, and where its service answers
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

from filelock import FileLock, Timeout

from tapetum.errors import GalleryError, did_you_mean
from tapetum.gallery.exact_store import ExactStore
from tapetum.gallery.manifest import MANIFEST, read_manifest
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import GalleryStore
from tapetum.outputs import made_by, write_json

Engine = Literal["edge", "exact", "cluster"]
_FACTS, _HOLDER = "gallery.json", "holder.json"


@dataclass(frozen=True)
class GalleryFacts:
    """What a gallery says of itself.

    fingerprint: of the model whose vectors it holds.   dimension: numbers in a vector.
    size: (height, width) in pixels to which the model's pictures are brought; None where only vectors came in.
    engine: what searches.   calibration: what a score means, as `Calibration.to_json`; None: nobody has measured it.
    """

    fingerprint: str
    dimension: int
    size: tuple[int, int] | None
    engine: Engine
    calibration: Mapping[str, Any] | None = None


class Gallery:
    """An open gallery; close it, or use it as a context."""

    def __init__(self, folder: Path, lock: FileLock) -> None:
        self.folder = folder
        self._lock = lock
        self.facts = read_facts(folder)
        self.segments = Segments.open(folder)
        if self.segments.dimension != self.facts.dimension:
            raise GalleryError(
                f"{folder / _FACTS} tells of vectors of {self.facts.dimension} values, and the segments hold"
                f" {self.segments.dimension}. Restore the file from a backup."
            )
        self.store: GalleryStore = _open_store(self.facts.engine, self.segments, folder / "index")

    @classmethod
    def create(cls, folder: Path, facts: GalleryFacts, model: Path | None = None, **record: Any) -> Self:
        """Begin an empty gallery and open it. model: the run whose model is copied into it.

        Raises GalleryError where a gallery is already, or where the folder holds something else.
        """
        if (folder / _FACTS).exists():
            raise GalleryError(f"{folder} holds a gallery already. Add to it, or give another folder.")
        if folder.exists() and (not folder.is_dir() or any(path.name not in _BEGUN for path in folder.iterdir())):
            raise GalleryError(f"{folder} is not an empty folder. Give a new one.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GalleryError(f"{folder} cannot be made: {error.strerror}. Give another place.") from error
        lock = _hold(folder)
        try:
            if model is not None:
                _copy_model(model, folder / "model")
            _begin(folder, facts.dimension)
            write_json(folder / _FACTS, {**asdict(facts), "made_by": made_by(**record)})  # last: now it is one
            return cls(folder, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a gallery. Raises GalleryError for a missing or damaged one, and where another process holds it."""
        read_facts(folder)
        lock = _hold(folder)
        try:
            return cls(folder, lock)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Close the store and let others in."""
        try:
            self.store.close()
            with suppress(OSError):  # it names an address at which nobody answers any more
                (self.folder / _HOLDER).unlink(missing_ok=True)
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def set_calibration(self, calibration: Mapping[str, Any] | None) -> None:
        """Keep what a score means."""
        record = json.loads((self.folder / _FACTS).read_text(encoding="utf-8"))
        write_json(self.folder / _FACTS, {**record, "calibration": calibration})
        self.facts = read_facts(self.folder)

    def answer_at(self, address: str) -> None:
        """Tell other processes where this one's service answers."""
        write_json(self.folder / _HOLDER, {"process": os.getpid(), "service": address})


def read_facts(folder: Path) -> GalleryFacts:
    """What a gallery says of itself. Raises GalleryError where there is none, or a damaged one."""
    path = folder / _FACTS
    if not path.is_file():
        raise GalleryError(f"{folder} holds no gallery. Make one with `tapetum index {folder} --model RUN CROPS`.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        size = record["size"]
        if record["engine"] not in get_args(Engine):
            raise GalleryError(
                f"{path}: no engine is called '{record['engine']}'. {did_you_mean(record['engine'], get_args(Engine))}"
            )
        return GalleryFacts(
            str(record["fingerprint"]),
            int(record["dimension"]),
            None if size is None else (int(size[0]), int(size[1])),
            record["engine"],
            record["calibration"],
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise GalleryError(f"{path} is damaged ({error!r}). Restore it from a backup.") from error


def facts_of_model(model: Path, dimension: int, engine: Engine) -> GalleryFacts:
    """The facts of a gallery for a run's model. Raises RunError for a folder without one."""
    from tapetum.model_file import read_description

    description = read_description(model)
    return GalleryFacts(description.fingerprint, dimension, (description.height, description.width), engine)


def service_of(folder: Path) -> str | None:
    """Where the service that holds this gallery answers; None when nobody holds it, or no service does."""
    with suppress(OSError, ValueError, KeyError):
        address = str(json.loads((folder / _HOLDER).read_text(encoding="utf-8"))["service"])
        try:
            _hold(folder).release()
        except GalleryError:
            return address
    return None


def _hold(folder: Path) -> FileLock:
    lock = FileLock(folder / "lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise GalleryError(
            f"{folder} is in use by another process. Wait until it is done; where a service holds it, search through"
            " the service."
        ) from error
    except OSError as error:
        raise GalleryError(f"{folder} cannot be locked: {error.strerror}. Give permission to write there.") from error
    return lock


def _copy_model(model: Path, folder: Path) -> None:
    from tapetum.model_file import DESCRIPTION, WEIGHTS  # it brings torch, which a gallery without its model is spared

    try:
        folder.mkdir(exist_ok=True)
        for name in (WEIGHTS, DESCRIPTION):
            shutil.copyfile(model / name, folder / name)
    except OSError as error:
        raise GalleryError(f"the model of {model} cannot be copied to {folder}: {error.strerror}.") from error


def _begin(folder: Path, dimension: int) -> None:
    """Empty segments; those of a creation that was cut short are begun again."""
    if (folder / MANIFEST).exists():
        if read_manifest(folder).entries:
            raise GalleryError(f"{folder} holds crops, and no {_FACTS}. Restore that file from a backup.")
        (folder / MANIFEST).unlink()
    Segments.create(folder, dimension)


def _open_store(engine: Engine, segments: Segments, index: Path) -> GalleryStore:
    """The engine's store; only the one that is asked for is imported."""
    if engine == "edge":
        from tapetum.gallery.edge_store import open_edge_store

        return open_edge_store(segments, index)
    if engine == "cluster":
        from tapetum.gallery.cluster_store import open_cluster_store

        return open_cluster_store(segments, index)
    return ExactStore(segments)


_BEGUN = frozenset({"lock", "model", "manifest.json", "segments", "index", "audit"})
