"""The commands that make galleries and keep them in order: each parses, calls a stage and prints."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast, get_args

import typer

from tapetum import options, options_gallery
from tapetum.console import progress_bar, show, show_error
from tapetum.errors import RecipeError, did_you_mean
from tapetum.options_gallery import time_of

if TYPE_CHECKING:
    from tapetum.gallery.gallery import Engine, Gallery
    from tapetum.gallery.maintenance import Removal

_SHOWN = 10


def index(
    gallery: options_gallery.GalleryFolder,
    crops: options_gallery.CropSources,
    model: options_gallery.IndexModel = None,
    modality: options_gallery.GivenModality = None,
    camera: options_gallery.GivenCamera = None,
    site: options_gallery.GivenSite = None,
    calibrate: options_gallery.CalibrateWith = None,
    engine: options_gallery.EngineName = None,
    workers: options.Workers = 1,
) -> None:
    """Take crops into a gallery; the first time, with --model, begin it.

    A picture that is there already, by its bytes, is passed over, so that the same command goes on where it was
    stopped. Broken pictures are named and left out.
    """
    from tapetum.gallery.gallery import Engine
    from tapetum.gallery.indexing import Beginning
    from tapetum.gallery.indexing import index as run_index
    from tapetum.gallery.sources import Given

    if engine is not None and engine not in get_args(Engine):
        raise RecipeError(f"no engine is called '{engine}'. {did_you_mean(engine, get_args(Engine))}")
    beginning = Beginning(model, calibrate, cast("Engine | None", engine))
    with progress_bar("indexing", "crops") as advance:
        done = run_index(
            gallery, crops, Given(modality, camera, site), beginning, who=user(), workers=workers, progress=advance
        )
    found = done.ingested
    for sentence in found.broken:
        show_error(f"left out: {sentence}")
    _show_some("passed over", found.duplicates)
    show(
        f"{_crops(found.added)} added; {found.present} there before, {len(found.duplicates)} duplicates,"
        f" {len(found.broken)} broken. {gallery} holds {_crops(done.crops)}."
    )
    if not done.calibrated:
        show("What its scores mean is not known: see --calibrate.")


def info(gallery: options_gallery.GalleryFolder) -> None:
    """Say what a gallery holds: crops, cameras, sites, times, model."""
    from tapetum.gallery.gallery import Gallery
    from tapetum.gallery.maintenance import contents
    from tapetum.report.gallery_tables import render_contents

    with Gallery.open(gallery) as opened:
        for part in render_contents(opened.facts, contents(opened)):
            show(part)


def verify(gallery: options_gallery.GalleryFolder) -> None:
    """Read every file of a gallery and compare it with its checksum, the index and the audit log with the rows.

    Exit code 0 when all is whole, 2 when something is not.
    """
    from tapetum.gallery.gallery import Gallery
    from tapetum.gallery.maintenance import verify as run_verify

    with Gallery.open(gallery) as opened:
        found = run_verify(opened)
    for sentence in found.problems:
        show_error(sentence)
    if found.problems:
        raise typer.Exit(2)
    waiting = f" {_crops(found.waiting)} deleted, whose bytes go with the next removal." if found.waiting else ""
    show(f"{gallery} is whole: {_crops(found.crops)} in {found.files} files.{waiting}")


def delete(
    gallery: options_gallery.GalleryFolder,
    ids: options_gallery.CropArguments,
    dry_run: options_gallery.DryRun = False,
) -> None:
    """Remove crops by their numbers."""
    from tapetum.gallery import maintenance
    from tapetum.gallery.gallery import Gallery
    from tapetum.gallery.store import Filter

    with Gallery.open(gallery) as opened:
        found = maintenance.chosen(opened, Filter(), ids)
        if dry_run:
            show(f"{_crops(len(found))} would be removed.")
            return
        _log(opened, "delete", ids=found)
        done = maintenance.delete(opened, found)
    show(f"{_crops(done.removed)} removed; {gallery} holds {_crops(done.crops_after)}.")


def forget(
    gallery: options_gallery.GalleryFolder,
    person: options_gallery.Persons = None,
    ids: options_gallery.CropIds = None,
    camera: options_gallery.Cameras = None,
    since: options_gallery.Since = None,
    until: options_gallery.Until = None,
    dry_run: options_gallery.DryRun = False,
) -> None:
    """Remove crops and prove it: their vectors, thumbnails and paths are looked for in every byte of every file.

    What several options say must hold together: --camera gate --until 2026-05-01 forgets what that camera took before.
    """
    from tapetum.gallery import maintenance
    from tapetum.gallery.gallery import Gallery
    from tapetum.gallery.store import Filter

    among = Filter(
        cameras=_set(camera),
        persons=None if not person else frozenset(person),
        since=time_of("--since", since),
        until=time_of("--until", until),
    )
    given = {"persons": person, "ids": ids, "cameras": camera, "since": since, "until": until}
    with Gallery.open(gallery) as opened:
        _forget(opened, maintenance.chosen(opened, among, ids or ()), "forget", dry_run, _named(given))


def retain(
    gallery: options_gallery.GalleryFolder,
    older_than: options_gallery.OlderThan,
    camera: options_gallery.RetainedCamera = None,
    dry_run: options_gallery.DryRun = False,
) -> None:
    """Forget crops that were taken longer ago than a number of days. Crops without a time stay."""
    from tapetum.gallery import maintenance
    from tapetum.gallery.gallery import Gallery

    with Gallery.open(gallery) as opened:
        ids = maintenance.expired(opened, timedelta(days=older_than), datetime.now(), camera)
        _forget(opened, ids, "retain", dry_run, {"days": older_than, "camera": camera})


def export(gallery: options_gallery.GalleryFolder, output: options_gallery.ExportOutput) -> None:
    """Write a gallery's rows into one file: with vectors as `tapetum embed` writes them, or as a table without."""
    from tapetum.gallery.export import export as run_export
    from tapetum.gallery.gallery import Gallery

    with Gallery.open(gallery) as opened:
        count = run_export(opened, output)
        _log(opened, "export", crops=count)
    show(f"{_crops(count)} are in {output}.")


def rebuild(gallery: options_gallery.GalleryFolder) -> None:
    """Make the index of a gallery anew from its rows."""
    from tapetum.gallery.gallery import Gallery
    from tapetum.gallery.store import Filter

    with Gallery.open(gallery) as opened:
        opened.store.rebuild()
        _log(opened, "rebuild")
        show(f"The index of {gallery} has {_crops(opened.store.count(Filter()))}.")


def migrate(
    gallery: options_gallery.GalleryFolder,
    model: options_gallery.NewModel,
    leave_out: options_gallery.LeaveOut = False,
    workers: options.Workers = 1,
) -> None:
    """Bring a gallery to a new model: embed every picture again beside it, then let the two change places.

    The pictures must lie where they lay when they came in. Stopped and started again, it goes on where it was.
    """
    from tapetum.gallery.gallery import Gallery
    from tapetum.gallery.migration import migrate as run_migrate

    with progress_bar("embedding", "crops") as advance:
        found, before = run_migrate(gallery, model, leave_out=leave_out, workers=workers, progress=advance)
    for sentence in found.lost:
        show_error(f"left out: {sentence}")
    with Gallery.open(gallery) as opened:
        _log(opened, "migrate", crops=found.moved, left_out=len(found.lost), model=opened.facts.fingerprint)
    show(f"{_crops(found.moved)} are embedded by {model} in {gallery}.")
    show(f"The gallery before is in {before}: remove it when the new one has proved good. To forget does not reach it.")


def user() -> str:
    """Who sits at this command line."""
    with suppress(OSError, KeyError, ImportError):  # a container may run a user without a name
        return f"user {getpass.getuser()}"
    return "user unknown"


def _forget(gallery: Gallery, ids: Sequence[int], action: str, dry_run: bool, by: dict[str, Any]) -> None:
    from tapetum.gallery import maintenance

    if dry_run or not ids:
        show(f"{_crops(len(ids))} would be forgotten." if dry_run else "No crop is chosen by that; nothing is removed.")
        return
    _log(gallery, action, **by, crops=len(ids))
    done = maintenance.forget(gallery, ids)
    _log(gallery, "forgotten", **done.to_json())
    show(_proof(done))


def _proof(done: Removal) -> str:
    return (
        f"{_crops(done.removed)} forgotten: {done.crops_before} before, {done.crops_after} now. Proof: {done.sought}"
        f" vectors, thumbnails and paths of theirs were looked for in {done.files} files ({done.bytes:,} bytes), and"
        f" {done.found} were found."
    )


def _log(gallery: Gallery, action: str, **facts: Any) -> None:
    from tapetum.gallery.audit import AuditLog

    AuditLog(gallery.folder).append(action, who=user(), role="admin", **facts)


def _named(given: Mapping[str, object]) -> dict[str, list[str]]:
    """By what was chosen; not whom: the log must not keep what was forgotten."""
    return {"by": [name for name, value in given.items() if value]}


def _set(values: Sequence[str] | None) -> frozenset[str] | None:
    return None if not values else frozenset(values)


def _crops(count: int) -> str:
    return "1 crop" if count == 1 else f"{count:,} crops"


def _show_some(what: str, sentences: Sequence[str]) -> None:
    for sentence in sentences[:_SHOWN]:
        show_error(f"{what}: {sentence}")
    if len(sentences) > _SHOWN:
        show_error(f"{what}: and {len(sentences) - _SHOWN} more")
