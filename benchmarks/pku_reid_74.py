"""What PKU-Reid-74 with pseudo-infrared gives, over folds of persons, with and without training.

    python benchmarks/pku_reid_74.py ROOT OUTPUT [RECIPE] [--folds 4] [--untrained]

Grey crops of one camera ask, RGB crops of the other answer. Every fold's persons are tested once, by a model that was
trained on other folds' persons and selected on validation persons. A run that is there already is not made again.
The figures are means over folds; ± is their standard deviation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tapetum.core import Dataset
from tapetum.data.pku_reid_74 import read
from tapetum.embedding import embed_dataset
from tapetum.evaluation.evaluate import Results, evaluate_embeddings
from tapetum.recipe import Recipe, read_recipe
from tapetum.training import train

RECIPE = Path(__file__).parents[1] / "recipes" / "two_stream" / "pku_reid_74.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("recipe", type=Path, nargs="?", default=RECIPE)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--untrained", action="store_true", help="keep the first weights")
    given = parser.parse_args()
    name = f"{given.recipe.stem}{'-untrained' if given.untrained else ''}"
    found = []
    for fold in range(given.folds):
        changes = [f"data.options={{fold: {fold}, folds: {given.folds}}}"]
        changes += ["schedule.epochs=0"] if given.untrained else []
        recipe = read_recipe(given.recipe, changes)
        dataset = read(given.root, fold=fold, folds=given.folds)
        found.append(result_of(recipe, dataset, given.output / f"{name}-{fold}"))
    print(f"{name}: {given.folds} folds")
    for setting in ("camera_1_to_2", "camera_2_to_1"):
        for figure in ("r1", "mAP"):
            values = 100 * np.array([results[setting]["mean"][figure] for results in found])
            guess = 100 * np.mean([results[setting]["chance"][figure] for results in found])
            print(f"{setting} {figure:4} {values.mean():6.2f} ± {values.std():5.2f}   by chance {guess:5.2f}")


def result_of(recipe: Recipe, dataset: Dataset, run: Path) -> Results:
    train(recipe, dataset, run, workers=0)
    embed_dataset(run, dataset, "test", run / "embeddings.parquet", workers=0)
    return evaluate_embeddings(run / "embeddings.parquet", run / "results.json", dataset=dataset)


if __name__ == "__main__":
    main()
