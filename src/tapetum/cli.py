"""The command line: one function per command, which parses, calls a stage and prints."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console, RenderableType

from tapetum.console import progress_bar
from tapetum.core import Modality
from tapetum.errors import Interrupted, RecipeError, TapetumError, did_you_mean

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    name="tapetum",
    help="Find the same person by day and by night: RGB-infrared person re-identification.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Look at a dataset, or make one.", no_args_is_help=True)
app.add_typer(data_app, name="data")

RootOption = Annotated[Path | None, typer.Option("--root", help="Folder of the dataset (a table, for own crops).")]
DatasetOption = Annotated[
    str | None,
    typer.Option("--dataset", help="sysu_mm01, regdb, llcm, pku_reid_74 or folder; guessed from the root."),
]
ReaderOption = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="What the dataset's reader takes: trial=3, fold=1 ..."),
]
WorkersOption = Annotated[int, typer.Option("--workers", min=0, max=256, help="Processes that read pictures.")]
SkipOption = Annotated[bool, typer.Option("--skip-broken", help="Leave out pictures that cannot be read, and say so.")]


def main() -> None:
    """Run the command line: an error meant for a person becomes one line and an exit code."""
    try:
        app()
    except TapetumError as error:
        _stop(str(error), error.exit_code)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _stop(f"{place}{error.strerror or error}. Mend this and run the command again.", 2)


def command(group: typer.Typer, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a command in which Ctrl-C ends with a sentence instead of a traceback."""

    def register(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except KeyboardInterrupt as stop:
                raise Interrupted(
                    "interrupted. Nothing half-written stays behind; the same command goes on from what was finished."
                ) from stop

        group.command(name)(run)
        return run

    return register


@command(data_app, "check")
def data_check(
    root: Annotated[Path, typer.Argument(help="Folder of the dataset (a table, for own crops).")],
    dataset: DatasetOption = None,
    option: ReaderOption = None,
    workers: WorkersOption = 2,
) -> None:
    """Count persons and crops, open every picture, and name everything that is broken.

    Exit code 0 when nothing is wrong (warnings allowed), 2 when something is.
    """
    from tapetum.data.catalogue import guess_dataset
    from tapetum.data.check import check
    from tapetum.report.data_check import render

    name = dataset or guess_dataset(root)
    with progress_bar("opening pictures", "pictures") as advance:
        report = check(name, root, reader_options(option), workers=workers, progress=advance)
    show(render(report))
    if report.errors:
        raise typer.Exit(2)


@command(data_app, "synthesize")
def data_synthesize(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    preset: Annotated[str, typer.Option("--preset", help="tiny, small, wide, medium or hard-small.")] = "small",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other people.")] = 0,
    mode: Annotated[
        str, typer.Option("--mode", help="sysu (near-infrared) or regdb (thermal, RegDB's layout).")
    ] = "sysu",
    truth: Annotated[str, typer.Option("--truth", help="none, parts (masks) or all (masks and key points).")] = "none",
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that draw.")] = 2,
) -> None:
    """Draw synthetic pedestrians in RGB and infrared: the same bytes for the same preset and seed.

    The folder has SYSU-MM01's (or RegDB's) own layout, split files and permutations. Interrupted, it goes on.
    """
    from tapetum.data.synthetic import PRESETS, SynthesisSpec, generate

    if preset not in PRESETS:
        raise RecipeError(f"no preset is called '{preset}'. {did_you_mean(preset, PRESETS)}")
    spec = SynthesisSpec.parse({**PRESETS[preset].to_json(), "seed": seed, "mode": mode, "truth": truth})
    with progress_bar("drawing people", "persons") as advance:
        manifest = generate(spec, out, workers=workers, progress=advance)
    show(f"{manifest.images} pictures of {manifest.persons} persons in {out}")


@command(app, "train")
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as recipes/two_stream/synthetic.yaml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    root: RootOption = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting: schedule.epochs=10.")
    ] = None,
    workers: WorkersOption = 1,
    devices: Annotated[int | None, typer.Option("--devices", min=1, help="How many GPUs or CPU processes.")] = None,
) -> None:
    """Train a method as a recipe says, selecting on validation persons; the test persons are not even read.

    The run's folder gets the model, the recipe as it was run, and logs (CSV and TensorBoard). Killed and started
    again, it goes on and ends with the same weights.
    """
    from tapetum.data.catalogue import read_dataset
    from tapetum.recipe import read_recipe

    read = read_recipe(recipe, set_ or ())
    place = root or read.data.root
    if place is None:
        raise RecipeError(f"{recipe} does not say where {read.data.dataset} lies. Pass it with --root.")
    dataset = read_dataset(read.data.dataset, place, **read.data.options)
    from tapetum.training import train as run_training  # after the data is known to be there: it takes seconds

    run_training(read, dataset, output, workers=workers, devices=devices)
    show(f"The model is in {output}. Next: tapetum embed {output} --root {dataset.root}")


@command(app, "embed")
def embed(
    model: Annotated[Path, typer.Argument(help="Folder of a run that `tapetum train` has finished.")],
    root: RootOption = None,
    dataset: DatasetOption = None,
    option: ReaderOption = None,
    split: Annotated[str, typer.Option("--split", help="Whose crops: test, val, train.")] = "test",
    folder: Annotated[Path | None, typer.Option("--folder", help="Embed every picture of a folder instead.")] = None,
    modality: Annotated[Modality, typer.Option("--modality", help="What the pictures of --folder are.")] = Modality.RGB,
    camera: Annotated[str, typer.Option("--camera", help="Which camera took the pictures of --folder.")] = "1",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: embeddings.parquet in the run.")
    ] = None,
    skip_broken: SkipOption = False,
    workers: WorkersOption = 1,
) -> None:
    """Turn crops into vectors: a Parquet file with path, person, camera, modality, time and the model's fingerprint."""
    from tapetum.data.catalogue import guess_dataset, read_dataset
    from tapetum.data.folder import read_unlabelled
    from tapetum.embedding import embed_dataset

    if folder is not None and root is None:
        crops, split = read_unlabelled(folder, modality, camera), "all"
    elif root is not None and folder is None:
        crops = read_dataset(dataset or guess_dataset(root), root, **reader_options(option))
    else:
        raise RecipeError("what shall be embedded? Give either --root (a dataset) or --folder (pictures).")
    target = output or model / "embeddings.parquet"
    with progress_bar("embedding", "crops") as advance:
        left_out = embed_dataset(
            model, crops, split, target, skip_broken=skip_broken, workers=workers, progress=advance
        )
    for sentence in left_out:
        show_error(f"left out: {sentence}")
    show(f"The vectors are in {target}.")


@command(app, "evaluate")
def evaluate(
    embeddings: Annotated[Path | None, typer.Argument(help="A file that `tapetum embed` has written.")] = None,
    features_mat: Annotated[
        Path | None,
        typer.Option("--features-mat", help="SYSU-MM01 features of any system: *_cam{1..6}.mat, feature{id}(i,:)."),
    ] = None,
    root: RootOption = None,
    dataset: DatasetOption = None,
    option: ReaderOption = None,
    draw: Annotated[
        str, typer.Option("--draw", help="official, or agw (SYSU-MM01's gallery drawn by seed).")
    ] = "official",
    permutations: Annotated[
        Path | None, typer.Option("--permutations", help="rand_perm_cam.mat; default: exp/ of the root.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: results.json beside the input.")
    ] = None,
) -> None:
    """Test embeddings under the official protocol: CMC, mAP and mINP, mean and spread over trials, chance beside.

    With --features-mat the root needs nothing but exp/ (the id lists and rand_perm_cam.mat).
    """
    from tapetum.data.catalogue import guess_dataset, read_dataset
    from tapetum.evaluation.evaluate import evaluate_embeddings, evaluate_matlab_features
    from tapetum.report.tables import render_results

    if features_mat is not None and embeddings is None and root is not None:
        target = output or features_mat / "results.json"
        results = evaluate_matlab_features(features_mat, root, target, draw=draw, permutations=permutations)
    elif embeddings is not None and features_mat is None:
        read = read_dataset(dataset or guess_dataset(root), root, **reader_options(option)) if root else None
        target = output or embeddings.parent / "results.json"
        results = evaluate_embeddings(embeddings, target, dataset=read, draw=draw, permutations=permutations)
    else:
        raise RecipeError("what shall be tested? Give a file of embeddings, or --features-mat with --root.")
    show(render_results(results))
    show(f"The results are in {target}.")


@command(app, "search")
def search(
    queries: Annotated[list[Path], typer.Argument(metavar="QUERY...", help="Pictures to look for.")],
    gallery: Annotated[Path, typer.Option("--gallery", help="A file that `tapetum embed` has written.")],
    model: Annotated[Path, typer.Option("--model", help="The run whose model made the gallery.")],
    top: Annotated[int, typer.Option("--top", min=1, help="How many answers.")] = 10,
    modality: Annotated[Modality, typer.Option("--modality", help="What the queries are.")] = Modality.IR,
    among: Annotated[str, typer.Option("--among", help="Which crops may answer: rgb, ir or all.")] = "rgb",
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture of the ranked strips.")] = Path("search.png"),
) -> None:
    """Rank a gallery's crops by how much they look like the queries' persons, and draw the ranked strips.

    The list says who it may be, never who it is: the score is a cosine, and the first answer can be wrong.
    """
    from tapetum.gallery.queries import search_pictures
    from tapetum.report.hits import render_hits
    from tapetum.report.strips import Strip, write_strips

    answers, root = search_pictures(queries, gallery, model, modality=modality, among=among, top=top)
    strips = [Strip(query, hits) for query, hits in answers]
    for strip in strips:
        show(render_hits(strip))
    write_strips(output, strips, root)
    show(f"The strips are in {output}.")


@command(app, "report")
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run, with its embeddings.parquet and results.json.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: report.html in the run.")] = None,
    queries: Annotated[int, typer.Option("--queries", min=1, max=50, help="Ranked strips of each kind.")] = 6,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the queries that are shown.")] = 0,
) -> None:
    """Write one page about a run: results beside chance, curves, ranked strips. It loads nothing from elsewhere."""
    from tapetum.report.run_report import report_run
    from tapetum.report.tables import render_results

    results, page = report_run(run, output or run / "report.html", queries=queries, seed=seed)
    if results is not None:
        show(render_results(results))
    show(f"The page is {page.resolve()}.")


def reader_options(given: list[str] | None) -> dict[str, int | str]:
    """["trial=3"] -> {"trial": 3}. Raises RecipeError for anything that is not NAME=VALUE."""
    options: dict[str, int | str] = {}
    for pair in given or ():
        name, separator, value = pair.partition("=")
        if not (name and separator and value):
            raise RecipeError(f"--option {pair}: expected NAME=VALUE, such as --option trial=3.")
        options[name] = int(value) if value.isdecimal() else value
    return options


def show(what: RenderableType) -> None:
    """Print a result on standard output; a sentence is never wrapped, so that a path in it can be copied."""
    wrap = not isinstance(what, str)
    Console().print(what, markup=False, highlight=False, soft_wrap=not wrap)


def show_error(sentence: str) -> None:
    """Print one line on standard error."""
    Console(stderr=True).print(f"tapetum: {sentence}", markup=False, highlight=False, soft_wrap=True)


def _stop(sentence: str, code: int) -> NoReturn:
    show_error(" ".join(sentence.split()))
    sys.exit(code)


if __name__ == "__main__":
    main()
