"""How long the SYSU-MM01 evaluation takes, beside the plain reading of its rule and beside the bare matrix product.

    python benchmarks/evaluation.py [--repeat 3] [--dimensions 2048] [--plain-trials 1]

Invented features and permutations of the real size: 96 persons, 3,803 queries, galleries of 301, 3,010, 112 and 1,120.
Let the linear algebra choose its own kernel: unset OPENBLAS_CORETYPE for this command where a machine sets it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from tapetum.core import Crop, IntArray, Modality, Trial
from tapetum.evaluation.metrics import score_trials
from tapetum.evaluation.sysu_protocol import sysu_mm01

CAMERAS = {"1": (56, 1374), "2": (56, 1565), "3": (93, 1883), "4": (94, 1918), "5": (95, 1918), "6": (96, 1920)}


def invented(seed: int) -> tuple[tuple[Crop, ...], dict[tuple[str, int], IntArray]]:
    """Crops with the persons and images per camera of the real test split, and ten permutations of each folder."""
    random = np.random.default_rng(seed)
    crops: list[Crop] = []
    permutations: dict[tuple[str, int], IntArray] = {}
    for camera, (persons, images) in CAMERAS.items():
        modality = Modality.IR if camera in "36" else Modality.RGB
        for place in range(persons):
            person = place + 1
            count = images // persons + (place < images % persons)
            names = [f"cam{camera}/{person:04d}/{number:04d}.jpg" for number in range(1, count + 1)]
            crops.extend(Crop(name, person, camera, modality) for name in names)
            numbers = np.arange(1, count + 1)
            permutations[camera, person] = np.stack([random.permutation(numbers) for _ in range(10)])
    return tuple(crops), permutations


def plain_reading(vectors: np.ndarray, persons: IntArray, trial: Trial) -> float:
    """The rule as its text says it, one query after the other; returns mAP."""
    queries, gallery = vectors[trial.query], vectors[trial.gallery]
    squares = (queries**2).sum(1)[:, None] + (gallery**2).sum(1) - 2 * queries @ gallery.T
    precisions = []
    for row, distances in enumerate(squares):
        order = np.argsort(distances, kind="stable")
        order = order[trial.gallery_group[order] != trial.query_group[row]]
        names = persons[trial.gallery[order]]
        ranks = np.flatnonzero(names == persons[trial.query[row]]) + 1
        if len(ranks):
            _, first = np.unique(names, return_index=True)
            np.flatnonzero(names[np.sort(first)] == persons[trial.query[row]])
            precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return float(np.mean(precisions))


def best(action: Callable[[], object], repeat: int) -> float:
    """Seconds of the fastest of `repeat` runs."""
    taken = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return min(taken)


def kernel() -> str:
    """Which linear algebra ran, and on how many threads."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown (install threadpoolctl to see it)"
    found = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return ", ".join(f"{info['internal_api']} {info.get('architecture')} x{info['num_threads']}" for info in found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--plain-trials", type=int, default=1, help="trials per setting that the plain reading runs")
    options = parser.parse_args()
    crops, permutations = invented(seed=0)
    persons = np.array([crop.person for crop in crops])
    vectors = np.random.default_rng(1).standard_normal((len(crops), options.dimensions)).astype(np.float32)
    settings = sysu_mm01(crops, range(1, 97), permutations).settings
    every = [trial for trials in settings.values() for trial in trials]
    print(f"matrix products: {kernel()}; {options.dimensions} dimensions, best of {options.repeat}")
    one = every[0]
    for name, trials in (("all_single, one trial", [one]), ("whole protocol, 40 trials", every)):
        taken = best(lambda trials=trials: score_trials(vectors, persons, trials), options.repeat)
        columns = np.unique(np.concatenate([trial.gallery for trial in trials]))
        queries, gallery = vectors[one.query].astype(np.float64), vectors[columns].astype(np.float64)
        product = best(lambda queries=queries, gallery=gallery: queries @ gallery.T, options.repeat)
        print(f"{name}: {taken:.3f} s, of which the float64 matrix product alone {product:.3f} s")
    for name, trials in settings.items():
        sample = trials[: options.plain_trials]
        taken = best(lambda sample=sample: [plain_reading(vectors, persons, trial) for trial in sample], 1)
        print(f"plain reading, {name}: {taken / len(sample):.2f} s a trial, {taken / len(sample) * 10:.0f} s for ten")


if __name__ == "__main__":
    main()
