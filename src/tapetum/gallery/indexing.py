"""The stage from crops to a gallery: open it, or begin it, and take in what was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapetum.errors import EmbeddingError, GalleryError, RecipeError
from tapetum.gallery.audit import AuditLog
from tapetum.gallery.calibrating import calibration_beside, calibration_of
from tapetum.gallery.embedder import CropEmbedder
from tapetum.gallery.gallery import Engine, Gallery, GalleryFacts, facts_of_model, read_facts
from tapetum.gallery.ingest import Ingested, ProgressCall, check_vectors, index_pictures, index_vectors
from tapetum.gallery.sources import Given, Sources, read_sources
from tapetum.model_file import read_description

DEFAULT_ENGINE: Engine = "edge"


@dataclass(frozen=True)
class Beginning:
    """How a gallery is begun. model: the run whose model it keeps.   calibrate: crops with known persons, embedded.

    engine: what searches; None: the usual one.
    """

    model: Path | None = None
    calibrate: Path | None = None
    engine: Engine | None = None


@dataclass(frozen=True)
class Indexed:
    """What came of it. crops: how many the gallery has now; calibrated: whether it knows what its scores mean."""

    ingested: Ingested
    crops: int
    calibrated: bool


def index(
    folder: Path,
    paths: Sequence[Path],
    given: Given,
    beginning: Beginning,
    *,
    who: str = "",
    workers: int = 1,
    progress: ProgressCall | None = None,
) -> Indexed:
    """Take crops into the gallery in `folder`; the first time, begin it.

    Raises an InputError for what cannot be used, before anything is written; what was taken in before a later failure
    stays.
    """
    sources = read_sources(paths, given)
    embedder = _embedder(folder, sources, beginning.model)
    calibration = _calibration(folder, sources, beginning, embedder)
    with _opened(folder, sources, beginning, embedder) as gallery:
        if calibration is not None:
            gallery.set_calibration(calibration)
        total = Ingested(broken=list(sources.broken))
        try:
            for table in sources.tables:
                index_vectors(gallery, table, report=total, workers=workers, progress=progress)
            if sources.arrivals and embedder is not None:
                index_pictures(gallery, sources.arrivals, embedder, report=total, workers=workers, progress=progress)
        finally:
            facts = {"added": total.added, "duplicates": len(total.duplicates), "broken": len(total.broken)}
            AuditLog(folder).append("index", who=who, role="admin", **facts)
        return Indexed(total, len(gallery.segments), gallery.facts.calibration is not None)


def _begun(folder: Path) -> bool:
    return (folder / "gallery.json").exists()


def _embedder(folder: Path, sources: Sources, model: Path | None) -> CropEmbedder | None:
    """The model that embeds; None where nothing is to be embedded. Raises for a run of another model."""
    if not _begun(folder):
        if model is None and (sources.arrivals or not sources.tables):
            raise GalleryError(f"{folder} holds no gallery yet, and pictures need a model. Pass the run with --model.")
        return None if model is None else CropEmbedder.load(model)
    if model is not None and read_description(model).fingerprint != read_facts(folder).fingerprint:
        raise EmbeddingError(
            f"{folder} holds vectors of model {read_facts(folder).fingerprint}, and {model} holds"
            f" {read_description(model).fingerprint}. Leave --model out, or bring the gallery over with"
            f" `tapetum gallery migrate {folder} --model {model}`."
        )
    return CropEmbedder.of_gallery(folder) if sources.arrivals else None


def _opened(folder: Path, sources: Sources, beginning: Beginning, embedder: CropEmbedder | None) -> Gallery:
    if _begun(folder):
        facts = read_facts(folder)
        if beginning.engine not in (None, facts.engine):
            raise RecipeError(f"{folder} has the engine {facts.engine}. Leave --engine out, or begin another gallery.")
        return Gallery.open(folder)
    engine = beginning.engine or DEFAULT_ENGINE
    if embedder is not None and beginning.model is not None:
        facts = facts_of_model(beginning.model, embedder.dimension, engine)
        for table in sources.tables:
            check_vectors(table, folder, facts.fingerprint)
        return Gallery.create(folder, facts, beginning.model, run=str(beginning.model.resolve()))
    first = sources.tables[0]
    fingerprint = first.record.get("fingerprint")
    if not fingerprint:
        raise EmbeddingError("the vectors do not say which model made them. Embed the crops with `tapetum embed`.")
    return Gallery.create(folder, GalleryFacts(str(fingerprint), first.vectors.shape[1], None, engine))


def _calibration(
    folder: Path, sources: Sources, beginning: Beginning, embedder: CropEmbedder | None
) -> Mapping[str, Any] | None:
    """What was asked for; for a new gallery, what the run itself offers."""
    if beginning.calibrate is not None:
        known = embedder or (read_facts(folder) if _begun(folder) else None)
        fingerprint = sources.tables[0].record.get("fingerprint") if known is None else known.fingerprint
        return calibration_of(beginning.calibrate, str(fingerprint))
    if beginning.model is None or embedder is None or _begun(folder):
        return None
    return calibration_beside(beginning.model, embedder.fingerprint)
