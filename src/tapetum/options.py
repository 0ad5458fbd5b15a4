"""The arguments and options of the command line: their names, what `--help` says of them, and what they may say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tapetum.core import Modality
from tapetum.errors import RecipeError

_CROPS, _FOLDER, _MACHINE = "Whose crops", "A folder of pictures", "This machine"

DatasetRoot = Annotated[
    Path | None,
    typer.Option(
        "--root", metavar="PATH", help="Folder of the dataset (a table, for own crops).", rich_help_panel=_CROPS
    ),
]
DatasetName = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        metavar="NAME",
        help="sysu_mm01, regdb, llcm, pku_reid_74 or folder; guessed from the root.",
        rich_help_panel=_CROPS,
    ),
]
ReaderOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="What the dataset's reader takes: trial=3, fold=1 ...",
        rich_help_panel=_CROPS,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers", metavar="N", min=0, max=256, help="Processes that read pictures.", rich_help_panel=_MACHINE
    ),
]

CheckedRoot = Annotated[Path, typer.Argument(metavar="ROOT", help="Folder of the dataset (a table, for own crops).")]

SynthesisFolder = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")]
Preset = Annotated[str, typer.Option("--preset", metavar="NAME", help="tiny, small, wide, medium or hard-small.")]
PeopleSeed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Another seed, other people.")]
SynthesisMode = Annotated[
    str, typer.Option("--mode", metavar="NAME", help="sysu (near-infrared) or regdb (thermal, RegDB's layout).")
]
Truth = Annotated[
    str,
    typer.Option(
        "--truth",
        metavar="NAME",
        help="What is known about each picture: none, parts (part maps and key points) or all (depth as well).",
    ),
]
DrawingWorkers = Annotated[
    int,
    typer.Option("--workers", metavar="N", min=1, max=256, help="Processes that draw.", rich_help_panel=_MACHINE),
]

RecipeFile = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="A YAML file, such as recipes/two_stream/synthetic.yaml.")
]
RunFolder = Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder of the run.")]
TrainingRoot = Annotated[
    Path | None,
    typer.Option("--root", metavar="PATH", help="Folder of the dataset (a table, for own crops)."),
]
StartRun = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="RUN", help="The trained run whose vectors are learnt from, for methods that need one."
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change one setting of the recipe; may be given repeatedly."),
]
Devices = Annotated[
    int | None,
    typer.Option(
        "--devices",
        metavar="N",
        min=1,
        help="How many GPUs (CPU processes, without a GPU); default: every GPU, or one CPU.",
        rich_help_panel=_MACHINE,
    ),
]

TrainedRun = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that `tapetum train` has finished.")]
Split = Annotated[
    str | None,
    typer.Option("--split", metavar="NAME", help="test (the default), val, train ...", rich_help_panel=_CROPS),
]
PictureFolder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="FOLDER",
        help="Embed all pictures of this folder, of nobody knows whom, instead of a dataset.",
        rich_help_panel=_FOLDER,
    ),
]
PictureModality = Annotated[
    Modality | None, typer.Option("--modality", help="What they are; default: rgb.", rich_help_panel=_FOLDER)
]
PictureCamera = Annotated[
    str | None,
    typer.Option("--camera", metavar="NAME", help="Which camera took them; default: 1.", rich_help_panel=_FOLDER),
]
EmbeddingsOutput = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Default: embeddings.parquet in the run."),
]
SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave out pictures that cannot be read, and name them.")
]

EmbeddingsFiles = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FEATURES...",
        help="What `tapetum embed` has written, or vectors of any system (.parquet, .npy, .npz). Several files:"
        " RegDB's trials.",
    ),
]
MatlabFeatures = Annotated[
    Path | None,
    typer.Option(
        "--features-mat",
        metavar="FOLDER",
        help="Instead: SYSU-MM01 features of any system, *_cam{1..6}.mat with feature{id}(i,:).",
    ),
]
FeatureTable = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="FILE",
        help="Whose the vectors of a .npy or .npz are (path, person, camera, modality); default: the table beside it.",
    ),
]
ProtocolName = Annotated[
    str,
    typer.Option(
        "--protocol", metavar="NAME", help="standard (the dataset's own), or mixed: both modalities in one gallery."
    ),
]
DrawRule = Annotated[
    str, typer.Option("--draw", metavar="NAME", help="official, or agw (SYSU-MM01's galleries drawn by seed).")
]
DirectionName = Annotated[
    str | None,
    typer.Option(
        "--direction", metavar="NAME", help="ir-to-rgb (the usual) or rgb-to-ir, for SYSU-MM01 and own images."
    ),
]
Permutations = Annotated[
    Path | None,
    typer.Option("--permutations", metavar="FILE", help="rand_perm_cam.mat; default: the one in exp/ of the root."),
]
DistanceName = Annotated[
    str, typer.Option("--distance", metavar="NAME", help="euclidean, on the vectors as they are; or cosine.")
]
ReRank = Annotated[
    bool,
    typer.Option("--rerank", help="Score k-reciprocal re-ranking as well, in columns of its own."),
]
ResultsOutput = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Default: results.json beside the input (in the folder of all inputs)."
    ),
]

Queries = Annotated[list[Path], typer.Argument(metavar="QUERY...", help="Pictures to look for.")]
GalleryFile = Annotated[
    Path, typer.Option("--gallery", metavar="FILE", help="Embeddings that `tapetum embed` has written.")
]
GalleryRun = Annotated[Path, typer.Option("--model", metavar="RUN", help="The run whose model made the gallery.")]
Top = Annotated[int, typer.Option("--top", metavar="N", min=1, max=1000, help="How many answers.")]
QueryModality = Annotated[Modality, typer.Option("--modality", help="What the queries are.")]
Among = Annotated[str, typer.Option("--among", metavar="NAME", help="Which crops may answer: rgb, ir or all.")]
StripsOutput = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="Picture of the ranked strips (PNG).")
]

ReportedRun = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder of a run, with its embeddings.parquet and results.json.")
]
PageOutput = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: report.html in the run.")
]
StripCount = Annotated[int, typer.Option("--queries", metavar="N", min=1, max=50, help="Ranked strips of each kind.")]
StripSeed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Draws the queries and pictures that are shown.")
]
Judge = Annotated[
    Path | None,
    typer.Option(
        "--judge", metavar="RUN", help="The run whose embedding judges what a generative run paints; default: its own."
    ),
]
MeasuredCount = Annotated[
    int,
    typer.Option(
        "--measured", metavar="N", min=10, max=100_000, help="Crops of each light to measure a generative run on."
    ),
]

ComparedResults = Annotated[
    list[str],
    typer.Argument(metavar="RESULT", help="A run, a results.json, or a folder of runs; NAME=PATH names its rows."),
]
PublishedMethods = Annotated[
    list[str] | None,
    typer.Option(
        "--published",
        metavar="METHOD",
        help="Show what is published of it; all, or none; default: of the runs' own methods. May be given repeatedly.",
    ),
]
ComparedSettings = Annotated[
    list[str] | None,
    typer.Option("--setting", metavar="NAME", help="Only this one, such as all_single; may be given repeatedly."),
]
ComparedMetrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric", metavar="NAME", help="Show and test this one: r1, r5, r10, r20, mAP, mINP; may be given repeatedly."
    ),
]
ComparisonFormat = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="terminal, markdown, csv, latex or html; default: as --output ends."),
]
ComparisonOutput = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it here: .md, .csv, .tex or .html.")
]
Resamples = Annotated[
    int,
    typer.Option("--resamples", metavar="N", min=0, max=1_000_000, help="Of the paired tests; 0: no tests."),
]
ResamplingSeed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Draws the resamples.")]


def reader_options(given: list[str] | None) -> dict[str, int | str]:
    """["trial=3"] -> {"trial": 3}. Raises RecipeError for anything that is not NAME=VALUE."""
    found: dict[str, int | str] = {}
    for pair in given or ():
        name, separator, value = pair.partition("=")
        if not (name and separator and value):
            raise RecipeError(f"--option {pair}: expected NAME=VALUE, such as --option trial=3.")
        found[name] = int(value) if value.isdecimal() else value
    return found


def refuse(beside: str, others: Mapping[str, object]) -> None:
    """Raise RecipeError for the first of these options that was given although it says nothing beside another one."""
    for name, value in others.items():
        if value is not None and value != []:
            raise RecipeError(f"{name} says nothing beside {beside}. Leave one of them out.")
