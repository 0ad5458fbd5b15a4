"""The command line: one function per command, which parses, calls a stage and prints."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer
from typer.core import TyperGroup

from tapetum import options
from tapetum.commands_compare import compare
from tapetum.commands_evaluate import evaluate
from tapetum.commands_search import search
from tapetum.commands_serve import serve
from tapetum.console import command, examples_text, progress_bar, run_command_line, show, show_error
from tapetum.core import Modality
from tapetum.errors import RecipeError, did_you_mean
from tapetum.gallery_commands import add_gallery_commands


class _DataFirst(TyperGroup):
    """The commands in the order in which they are used."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Names of the commands, `data` first."""
        return sorted(self.commands, key=lambda name: name != "data")


app = typer.Typer(
    name="tapetum",
    cls=_DataFirst,
    help="Find the same person by day and by night: RGB-infrared person re-identification.",
    epilog=examples_text(
        "tapetum data synthesize --preset small people",
        "tapetum train recipes/two_stream/synthetic.yaml --root people --output runs/first",
        "tapetum embed runs/first --root people",
        "tapetum evaluate runs/first/embeddings.parquet",
        "tapetum compare runs/first runs/second",
        "tapetum search people/cam3/0230/0001.jpg --gallery runs/first/embeddings.parquet --model runs/first",
        "tapetum report runs/first",
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Look at a dataset, or make one.", no_args_is_help=True)
app.add_typer(data_app, name="data")


def main() -> None:
    """Run the command line."""
    run_command_line(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        show(f"tapetum {version('tapetum')}")
        raise typer.Exit


@app.callback()
def every_command(
    version_: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """What stands before a command's name."""


@command(
    data_app,
    "check",
    "tapetum data check /data/SYSU-MM01",
    "tapetum data check /data/RegDB --option trial=3",
)
def data_check(
    root: options.CheckedRoot,
    dataset: options.DatasetName = None,
    option: options.ReaderOptions = None,
    workers: options.Workers = 2,
) -> None:
    """Count persons and crops, open every picture, and name everything that is broken.

    The check goes to the end whatever it meets. Exit code 0 when nothing is wrong (warnings allowed), 2 when something
    is.
    """
    from tapetum.data.catalogue import guess_dataset
    from tapetum.data.check import check
    from tapetum.report.data_check import render

    name = dataset or guess_dataset(root)
    with progress_bar("opening pictures", "pictures") as advance:
        report = check(name, root, options.reader_options(option), workers=max(workers, 1), progress=advance)
    show(render(report))
    if report.errors:
        raise typer.Exit(2)


@command(
    data_app,
    "synthesize",
    "tapetum data synthesize --preset small people",
    "tapetum data synthesize --preset tiny --mode regdb --truth parts --seed 1 thermal",
)
def data_synthesize(
    out: options.SynthesisFolder,
    preset: options.Preset = "small",
    seed: options.PeopleSeed = 0,
    mode: options.SynthesisMode = "sysu",
    truth: options.Truth = "none",
    workers: options.DrawingWorkers = 2,
) -> None:
    """Draw synthetic pedestrians in RGB and infrared: the same bytes for the same preset and seed.

    The folder has SYSU-MM01's (or RegDB's) own layout, split files and permutations. Interrupted and started again, it
    goes on where it was.
    """
    from tapetum.data.synthetic import PRESETS, SynthesisSpec, generate

    if preset not in PRESETS:
        raise RecipeError(f"no preset is called '{preset}'. {did_you_mean(preset, PRESETS)}")
    spec = SynthesisSpec.parse({**PRESETS[preset].to_json(), "seed": seed, "mode": mode, "truth": truth})
    with progress_bar("drawing people", "persons") as advance:
        manifest = generate(spec, out, workers=workers, progress=advance)
    show(f"{manifest.images} pictures of {manifest.persons} persons in {out}")


@command(
    app,
    "train",
    "tapetum train recipes/two_stream/synthetic.yaml --root people --output runs/first",
    "tapetum train recipes/two_stream/regdb.yaml --root /data/RegDB --output runs/regdb-2 --set data.options.trial=2",
    "tapetum train recipes/embedding_disentangling/synthetic.yaml --from runs/bdtr --root people --output runs/split",
)
def train(
    recipe: options.RecipeFile,
    output: options.RunFolder,
    root: options.TrainingRoot = None,
    start: options.StartRun = None,
    set_: options.Changes = None,
    workers: options.Workers = 1,
    devices: options.Devices = None,
) -> None:
    """Train a method as a recipe says, selecting on validation persons; the test persons are not even read.

    The run's folder gets the model, the recipe as it was run, and logs (CSV and TensorBoard). Killed and started again,
    it goes on and ends with the same weights.
    """
    from tapetum.data.catalogue import read_dataset
    from tapetum.recipe import read_recipe

    read = read_recipe(recipe, set_ or ())
    place = root or read.data.root
    if place is None:
        raise RecipeError(f"{recipe} does not say where {read.data.dataset} lies. Pass it with --root.")
    dataset = read_dataset(read.data.dataset, place, **read.data.options)
    from tapetum.training import train as run_training  # after the data is known to be there: it takes seconds

    run_training(read, dataset, output, workers=workers, devices=devices, start=start)
    show(f"The model is in {output}. Next: tapetum embed {output} --root {dataset.root}")


@command(
    app,
    "embed",
    "tapetum embed runs/first --root people",
    "tapetum embed runs/first --folder night --modality ir --camera gate --output night.parquet",
)
def embed(
    model: options.TrainedRun,
    root: options.DatasetRoot = None,
    dataset: options.DatasetName = None,
    option: options.ReaderOptions = None,
    split: options.Split = None,
    folder: options.PictureFolder = None,
    modality: options.PictureModality = None,
    camera: options.PictureCamera = None,
    output: options.EmbeddingsOutput = None,
    skip_broken: options.SkipBroken = False,
    workers: options.Workers = 1,
) -> None:
    """Turn crops into vectors: a Parquet file with path, person, camera, modality, time and the model's fingerprint."""
    from tapetum.data.catalogue import guess_dataset, read_dataset
    from tapetum.data.folder import read_unlabelled
    from tapetum.embedding import embed_dataset

    if folder is not None and root is None:
        options.refuse("--folder", {"--dataset": dataset, "--option": option, "--split": split})
        crops, split = read_unlabelled(folder, modality or Modality.RGB, camera or "1"), "all"
    elif root is not None and folder is None:
        options.refuse("--root", {"--modality": modality, "--camera": camera})
        crops = read_dataset(dataset or guess_dataset(root), root, **options.reader_options(option))
    else:
        raise RecipeError("what shall be embedded? Give either --root (a dataset) or --folder (pictures).")
    target = output or model / "embeddings.parquet"
    with progress_bar("embedding", "crops") as advance:
        left_out = embed_dataset(
            model, crops, split or "test", target, skip_broken=skip_broken, workers=workers, progress=advance
        )
    for sentence in left_out:
        show_error(f"left out: {sentence}")
    show(f"The vectors are in {target}.")


command(
    app,
    "evaluate",
    "tapetum evaluate runs/first/embeddings.parquet",
    "tapetum evaluate runs/regdb-*/embeddings.parquet --output regdb.json",
    "tapetum evaluate theirs.npy --table theirs.csv --root /data/SYSU-MM01 --draw agw --rerank",
)(evaluate)

command(
    app,
    "compare",
    "tapetum compare runs/first runs/second",
    "tapetum compare ours=runs/agw --published AGW --published CAJ --setting all_single --output table.tex",
)(compare)


command(
    app,
    "search",
    "tapetum search people/cam3/0230/0001.jpg --gallery runs/first/embeddings.parquet --model runs/first",
    "tapetum search night/*.jpg --gallery gallery --fuse --camera gate --since 2026-05-01 --fold 10",
)(search)
add_gallery_commands(app)

command(
    app,
    "serve",
    "tapetum serve people.gallery",
    "tapetum serve people.gallery --host 0.0.0.0 --name search.example.org",
)(serve)


@command(app, "report", "tapetum report runs/first", "tapetum report runs/dgnet --judge runs/first")
def report(
    run: options.ReportedRun,
    output: options.PageOutput = None,
    queries: options.StripCount = 6,
    seed: options.StripSeed = 0,
    judge: options.Judge = None,
    measured: options.MeasuredCount = 200,
) -> None:
    """Write one page about a run: results beside chance, curves, ranked strips, and what a generative run paints.

    The page loads nothing from elsewhere.
    """
    from tapetum.report.look import Look
    from tapetum.report.run_report import report_run
    from tapetum.report.tables import render_results

    with progress_bar("painting", "pictures") as advance:
        look = Look(judge, measured, seed, advance)
        results, page = report_run(run, output or run / "report.html", queries=queries, seed=seed, look=look)
    if results is not None:
        show(render_results(results))
    show(f"The page is {page.resolve()}.")


if __name__ == "__main__":
    main()
