"""What zero padding does: how many nodes of each stage answer to RGB alone, to infrared alone, or to both.

    python benchmarks/modality_nodes.py RUN [RUN ...] --root ROOT [--split val] [--crops 500] [--ratio 2]
        [--output nodes.png]

RUN: runs of the method zero_padding, of any variant; one panel each. The answers are means over at most `crops` crops
of each modality, spread evenly over the split. `tapetum.evaluation.modality_nodes` says when a node is specific.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from tapetum.core import Crop, Dataset, FloatArray, Modality
from tapetum.data.catalogue import guess_dataset, read_dataset
from tapetum.data.loading import embedding_loader
from tapetum.errors import DataError, RunError, TapetumError
from tapetum.evaluation.modality_nodes import RATIO, NodeCounts, count_nodes
from tapetum.methods.zero_padding import ZeroPadding
from tapetum.model_file import load_model
from tapetum.report.node_figure import write_nodes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--crops", type=int, default=500)
    parser.add_argument("--ratio", type=float, default=RATIO)
    parser.add_argument("--output", type=Path, default=Path("nodes.png"))
    given = parser.parse_args()
    try:
        dataset = read_dataset(guess_dataset(given.root), given.root)
        crops = spread_crops(dataset, given.split, given.crops)
        networks = dict(nodes_of(run, crops, dataset.root, given.ratio) for run in given.runs)
        write_nodes(given.output, networks)
    except TapetumError as error:
        sys.exit(f"modality_nodes: {error}")
    for title, stages in networks.items():
        print(title)
        for stage, found in stages.items():
            print(f"  {stage:7} {described(found)}")
    print(f"The figure is {given.output}.")


def spread_crops(dataset: Dataset, split: str, count: int) -> list[Crop]:
    """At most `count` crops of each modality, at equal steps through the split. Raises DataError for an empty side."""
    chosen: list[Crop] = []
    for modality in Modality:
        found = [dataset.crops[row] for row in dataset.rows(split) if dataset.crops[row].modality is modality]
        if not found:
            raise DataError(f"split '{split}' of {dataset.root} has no {modality} crop. Give another split.")
        places = np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)
        chosen += [found[place] for place in places]
    return chosen


def nodes_of(run: Path, crops: Sequence[Crop], root: Path, ratio: float) -> tuple[str, dict[str, NodeCounts]]:
    """A panel's title, and the counts of each stage."""
    method, description = load_model(run)
    if not isinstance(method, ZeroPadding):
        raise RunError(f"{run} is a run of '{description.method}'. Give runs of 'zero_padding', of any variant.")
    answers = mean_answers(method, crops, root, (description.height, description.width))
    rgb, ir = (answers[modality] for modality in Modality)
    return f"{method.settings.variant} ({run.name})", {
        stage: count_nodes(rgb[stage], ir[stage], ratio) for stage in rgb
    }


@torch.inference_mode()
def mean_answers(
    method: ZeroPadding, crops: Sequence[Crop], root: Path, size: tuple[int, int]
) -> Mapping[Modality, Mapping[str, FloatArray]]:
    """Modality -> stage -> the mean answer of each node over that modality's crops. Raises DataError as the loader."""
    loader = embedding_loader(crops, root, size)
    sums: dict[Modality, dict[str, FloatArray]] = {modality: {} for modality in Modality}
    for places, images in loader:
        modality = crops[int(places[0])].modality
        for stage, answers in method.responses(images, modality).items():
            sums[modality][stage] = sums[modality].get(stage, 0.0) + answers.double().sum(dim=0).numpy()
    for error in loader.failures.values():
        raise error
    counts = {modality: sum(crop.modality is modality for crop in crops) for modality in Modality}
    return {
        modality: {stage: total / counts[modality] for stage, total in stages.items()}
        for modality, stages in sums.items()
    }


def described(found: NodeCounts) -> str:
    kinds = f"{found.rgb:4} RGB-specific {found.shared:4} shared {found.ir:4} infrared-specific {found.silent:4} silent"
    return f"{kinds} of {found.total:4}: {100 * found.specific_share:5.1f} % specific"


if __name__ == "__main__":
    main()
