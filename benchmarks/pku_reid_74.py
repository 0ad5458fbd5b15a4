"""What PKU-Reid-74 with pseudo-infrared gives, over folds of persons: a recipe, or several methods in one table.

    python benchmarks/pku_reid_74.py ROOT OUTPUT [RECIPE] [--rows NAME ...] [--folds 4] [--untrained]

Grey crops of one camera ask, RGB crops of the other answer. Every fold's persons are tested once, by a model that was
trained on other folds' persons and selected on validation persons. `--rows` takes lines of `methods.py`, with their
trunk and settings, instead of the recipe's method; data, pictures, batches, augmentation, optimiser, schedule and
selection are the recipe's, for all. "HOG, handcrafted, 128 x 64" learns nothing. A run that is there already is not
made again.
The figures are means over folds, in percent; ± is their standard deviation.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from hog import hog_table
from methods import HOG, ROWS, settings_of, slug
from tapetum.core import Dataset
from tapetum.data.pku_reid_74 import read
from tapetum.embedding import embed_dataset
from tapetum.embedding_table import write_embeddings
from tapetum.evaluation.evaluate import Results, evaluate_embeddings
from tapetum.recipe import Recipe, read_recipe
from tapetum.training import train

RECIPE = Path(__file__).parents[1] / "recipes" / "two_stream" / "pku_reid_74.yaml"
FIGURES = [(setting, figure) for setting in ("camera_1_to_2", "camera_2_to_1") for figure in ("r1", "mAP")]
HEAD = ["method", "camera 1 to 2: r1", "mAP", "camera 2 to 1: r1", "mAP", "seconds a fold"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("recipe", type=Path, nargs="?", default=RECIPE)
    on_pictures = [*(name for name, row in ROWS.items() if row.start is None), *HOG]
    parser.add_argument("--rows", nargs="+", choices=on_pictures, default=[], metavar="NAME")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--untrained", action="store_true", help="keep the first weights")
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for name in given.rows or [None]:
        found = [one_fold(given, name, fold) for fold in range(given.folds)]
        lines.append(line(name or label(given), found))
        print(lines[-1], flush=True)
    chance = [
        100 * np.mean([results[setting]["chance"][figure] for results, _ in found]) for setting, figure in FIGURES
    ]
    lines.append(f"| by chance | {' | '.join(f'{value:.2f}' for value in chance)} | |")
    print("", f"| {' | '.join(HEAD)} |", "|---|" + "---:|" * 5, *lines, sep="\n")


def label(given: argparse.Namespace) -> str:
    return f"{given.recipe.stem}{'-untrained' if given.untrained else ''}"


def one_fold(given: argparse.Namespace, name: str | None, fold: int) -> tuple[Results, float]:
    """What one fold's test persons give, and the seconds that its training took."""
    dataset = read(given.root, fold=fold, folds=given.folds)
    place = label(given) if name is None else slug(name) + ("-untrained" if given.untrained else "")
    run = given.output / f"{place}-{fold}"
    if name in HOG:
        write_embeddings(run / "embeddings.parquet", hog_table(dataset, "test", HOG[name]))
        return evaluate_embeddings(run / "embeddings.parquet", run / "results.json", dataset=dataset), 0.0
    changes = [f"data.options={{fold: {fold}, folds: {given.folds}}}"]
    changes += ["schedule.epochs=0"] if given.untrained else []
    if name is not None:  # JSON is YAML
        changes += [f"method={ROWS[name].method}", f"settings={json.dumps(settings_of(name))}"]
    return result_of(read_recipe(given.recipe, changes), dataset, run)


def result_of(recipe: Recipe, dataset: Dataset, run: Path) -> tuple[Results, float]:
    clock, began = run / "seconds.txt", time.perf_counter()
    train(recipe, dataset, run, workers=0)
    if not clock.is_file():
        clock.write_text(f"{time.perf_counter() - began:.0f}\n")
    embed_dataset(run, dataset, "test", run / "embeddings.parquet", workers=0)
    results = evaluate_embeddings(run / "embeddings.parquet", run / "results.json", dataset=dataset)
    return results, float(clock.read_text())


def line(name: str, found: Sequence[tuple[Results, float]]) -> str:
    """One line of the table; `found` has a member for each fold."""
    cells = []
    for setting, figure in FIGURES:
        values = 100 * np.array([results[setting]["mean"][figure] for results, _ in found])
        cells.append(f"{values.mean():.2f} ± {values.std():.2f}")
    return f"| {name} | {' | '.join(cells)} | {np.mean([seconds for _, seconds in found]):.0f} |"


if __name__ == "__main__":
    main()
