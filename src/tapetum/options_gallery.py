"""The arguments and options of the commands for galleries; see `options`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tapetum.core import Modality
from tapetum.errors import RecipeError

_PICTURES, _FILTER, _NEW = "What the pictures are", "Which crops", "A new gallery"

GalleryFolder = Annotated[Path, typer.Argument(metavar="GALLERY", help="Folder of the gallery.")]
CropSources = Annotated[
    list[Path],
    typer.Argument(
        metavar="CROPS...",
        help="Folders of pictures, datasets, pictures, tables (.csv, .tsv, .parquet), or what `tapetum embed` has"
        " written.",
    ),
]
IndexModel = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="RUN", help="The trained run that embeds; needed the first time.", rich_help_panel=_NEW
    ),
]
CalibrateWith = Annotated[
    Path | None,
    typer.Option(
        "--calibrate",
        metavar="RUN|FILE",
        help="Embeddings of persons with known labels, to learn what a score means; default: the run's own.",
        rich_help_panel=_NEW,
    ),
]
EngineName = Annotated[
    str | None,
    typer.Option("--engine", metavar="NAME", help="What searches: exact, edge or cluster.", rich_help_panel=_NEW),
]
GivenModality = Annotated[
    Modality | None,
    typer.Option("--modality", help="What light made them, where no table says it.", rich_help_panel=_PICTURES),
]
GivenCamera = Annotated[
    str | None,
    typer.Option(
        "--camera", metavar="NAME", help="Which camera took them, where no table says it.", rich_help_panel=_PICTURES
    ),
]
GivenSite = Annotated[
    str | None, typer.Option("--site", metavar="NAME", help="Where that camera is.", rich_help_panel=_PICTURES)
]

Cameras = Annotated[
    list[str] | None,
    typer.Option("--camera", metavar="NAME", help="Of this camera; may be given repeatedly.", rich_help_panel=_FILTER),
]
Sites = Annotated[
    list[str] | None,
    typer.Option("--site", metavar="NAME", help="Of this site; may be given repeatedly.", rich_help_panel=_FILTER),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Taken then or later, such as 2026-05-01T18:30.", rich_help_panel=_FILTER
    ),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Taken before then.", rich_help_panel=_FILTER)
]
Persons = Annotated[
    list[int] | None,
    typer.Option(
        "--person", metavar="N", min=0, help="Of this person; may be given repeatedly.", rich_help_panel=_FILTER
    ),
]
CropIds = Annotated[
    list[int] | None,
    typer.Option("--id", metavar="ID", min=1, help="This crop; may be given repeatedly.", rich_help_panel=_FILTER),
]
CropArguments = Annotated[list[int], typer.Argument(metavar="ID...", min=1, help="Numbers of crops.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many crops it would be, and remove none.")]
OlderThan = Annotated[float, typer.Option("--older-than", metavar="DAYS", min=0, max=36_525, help="Age in days.")]
RetainedCamera = Annotated[
    str | None, typer.Option("--camera", metavar="NAME", help="Of this camera; default: of all.")
]
ExportOutput = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help=".parquet: with vectors; .csv: without.")
]
NewModel = Annotated[Path, typer.Option("--model", metavar="RUN", help="The trained run to go over to.")]
LeaveOut = Annotated[bool, typer.Option("--leave-out", help="Go on without pictures that are missing or changed.")]

SearchedGallery = Annotated[
    Path, typer.Option("--gallery", metavar="GALLERY|FILE", help="A gallery, or what `tapetum embed` has written.")
]
FileModel = Annotated[
    Path | None,
    typer.Option("--model", metavar="RUN", help="The run whose model made the FILE; a gallery has its own."),
]
AnswerCount = Annotated[int, typer.Option("--top", "-k", metavar="N", min=1, max=1000, help="How many answers.")]
Fuse = Annotated[bool, typer.Option("--fuse", help="All QUERY pictures show one person: ask once, with all of them.")]
Fold = Annotated[
    float | None,
    typer.Option("--fold", metavar="SECONDS", min=0, help="Frames of one track closer in time than this count once."),
]
Approximate = Annotated[bool, typer.Option("--approximate", help="Allow an index that may miss some.")]
ServiceKey = Annotated[
    str | None,
    typer.Option(
        "--key", metavar="KEY", envvar="TAPETUM_KEY", help="API key, where a service with keys holds the gallery."
    ),
]

NotedHead = Annotated[
    str | None,
    typer.Option(
        "--head", metavar="NUMBER:HASH", help="A head that was noted earlier: that entry must still be there."
    ),
]
LastEntries = Annotated[int, typer.Option("--last", metavar="N", min=1, help="How many entries, the newest last.")]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="What the audit log calls it.")]
KeyRole = Annotated[str, typer.Option("--role", metavar="ROLE", help="search, ingest or admin.")]


def time_of(option: str, text: str | None) -> datetime | None:
    """A time by the gallery's clock. Raises RecipeError for what is none."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise RecipeError(f"{option} {text} is no time. Give it as 2026-05-01 or 2026-05-01T18:30:00.") from error
