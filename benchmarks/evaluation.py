"""Time and peak memory of the evaluation, beside the bare matrix product and a plain evaluator of the published kind.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OMP_NUM_THREADS=2 python benchmarks/evaluation.py [--case CASE ...]

trial:    SYSU-MM01, all search, single-shot, one trial: 3,803 queries, gallery of 301
protocol: SYSU-MM01, its 40 trials (4 settings, 10 draws) from one set of features
large:    20,000 queries, gallery of 50,000; 5,000 persons
huge:     a sample of 2,000 of 100,000 queries, gallery of 1,000,000, 512 dimensions; 50,000 persons; extrapolated

Features are invented: a centre per person and noise. Each case has a process of its own. Evaluation and product take
turns, and the fastest of `--repeat` turns counts; so on a busy machine the ratio still means something. The product is
float32, by blocks of queries, and its result is thrown away. The plain evaluator sorts whole rows of distances, then
goes through the queries; it runs on a sample and is extrapolated. Peak memory is the whole process's, vectors included.
The command unsets two variables that hold OpenBLAS to an older kernel where a machine sets them.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_info

from tapetum.core import Crop, IntArray, Modality, Trial
from tapetum.evaluation.metrics import CmcRule, score_trials
from tapetum.evaluation.sysu_protocol import sysu_mm01

CAMERAS = {"1": (56, 1374), "2": (56, 1565), "3": (93, 1883), "4": (94, 1918), "5": (95, 1918), "6": (96, 1920)}
BLOCK = 1024  # queries in a block of the bare product


@dataclass(frozen=True)
class Case:
    """Vectors, persons and trials, and how many times the whole problem is larger than them."""

    vectors: np.ndarray
    persons: IntArray
    trials: list[Trial]
    cmc: CmcRule = "images"
    times: int = 1


@dataclass(frozen=True)
class Measured:
    """Seconds and bytes of a case; the plain evaluator's are extrapolated from a sample."""

    taken: float
    product: float
    plain: float
    peak: int
    kernel: str


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


def features(persons: IntArray, dimensions: int) -> np.ndarray:
    """(N, D) float32 of unit length: a centre per person, and noise."""
    random = np.random.default_rng(1)
    centres = random.standard_normal((persons.max() + 1, dimensions), dtype=np.float32)
    vectors = np.empty((len(persons), dimensions), dtype=np.float32)
    for start in range(0, len(persons), BLOCK):
        part = persons[start : start + BLOCK]
        found = centres[part] + 5 * random.standard_normal((len(part), dimensions), dtype=np.float32)
        vectors[start : start + BLOCK] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return vectors


def sysu(dimensions: int, trials: int | None) -> Case:
    """The real protocol with invented features."""
    crops, permutations = invented(seed=0)
    persons = np.array([crop.person for crop in crops])
    settings = sysu_mm01(crops, range(1, 97), permutations).settings
    every = [trial for found in settings.values() for trial in found]
    return Case(features(persons, dimensions), persons, every[:trials], "identities")


def plain_problem(queries: int, gallery: int, persons: int, dimensions: int, times: int = 1) -> Case:
    """One trial without hidden pairs."""
    names = np.random.default_rng(0).integers(0, persons, queries + gallery)
    trial = Trial(np.arange(queries), np.arange(queries, queries + gallery))
    return Case(features(names, dimensions), names, [trial], times=times)


CASES: dict[str, Callable[[], Case]] = {
    "trial": lambda: sysu(2048, 1),
    "protocol": lambda: sysu(2048, None),
    "large": lambda: plain_problem(20_000, 50_000, 5_000, 2048),
    "huge": lambda: plain_problem(2_000, 1_000_000, 50_000, 512, times=50),
}


def bare_product(case: Case, columns: IntArray) -> None:
    """All queries' products with these rows, block by block."""
    queries, gallery = case.vectors[case.trials[0].query], case.vectors[columns]
    out = np.empty((BLOCK, len(gallery)), dtype=np.float32)
    for start in range(0, len(queries), BLOCK):
        part = queries[start : start + BLOCK]
        np.matmul(part, gallery.T, out=out[: len(part)])


def plain_evaluator(case: Case, trial: Trial, queries: int) -> float:
    """mAP of a trial's first queries: the distances, their full sort, then one query after the other."""
    rows = trial.query[:queries]
    asked, gallery = case.vectors[rows], case.vectors[trial.gallery]
    squares = (asked**2).sum(1)[:, None] + (gallery**2).sum(1) - 2 * asked @ gallery.T
    order = np.argsort(squares, axis=1)
    precisions = []
    for place, columns in enumerate(order):
        if trial.query_group is not None and trial.gallery_group is not None:
            columns = columns[trial.gallery_group[columns] != trial.query_group[place]]
        names = case.persons[trial.gallery[columns]]
        if case.cmc == "identities":
            _, first = np.unique(names, return_index=True)
            np.flatnonzero(names[np.sort(first)] == case.persons[rows[place]])
        match = names == case.persons[rows[place]]
        if match.any():
            precision = np.cumsum(match) / np.arange(1, len(match) + 1)
            precisions.append((precision * match).sum() / match.sum())
    return float(np.mean(precisions))


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def kernel() -> str:
    """Which linear algebra ran, and on how many threads."""
    found = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return ", ".join(f"{info['internal_api']} {info.get('architecture')} x{info['num_threads']}" for info in found)


def plain_seconds(case: Case, sample: int) -> float:
    """Extrapolated to all queries and trials; a trial's share grows with its gallery."""
    trials = case.trials[:: max(1, len(case.trials) // 4)]
    queries = min(sample, len(case.trials[0].query))
    taken = sum(seconds(lambda trial=trial: plain_evaluator(case, trial, queries)) for trial in trials)
    return taken * len(case.trials) / len(trials) * len(case.trials[0].query) / queries * case.times


def measure(name: str, repeat: int, sample: int) -> Measured:
    """Measure a case; evaluation and product in turns."""
    case = CASES[name]()
    columns = np.unique(np.concatenate([trial.gallery for trial in case.trials]))
    taken, product, peak = math.inf, math.inf, 0
    for _ in range(repeat):
        taken = min(taken, seconds(lambda: score_trials(case.vectors, case.persons, case.trials, cmc=case.cmc)))
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        product = min(product, seconds(lambda: bare_product(case, columns)))
    plain = plain_seconds(case, sample)
    return Measured(taken * case.times, product * case.times, plain, peak, kernel())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=["trial", "protocol"])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--sample", type=int, default=200, help="queries that the plain evaluator answers")
    options = parser.parse_args()
    for name in options.case:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            found = alone.submit(measure, name, options.repeat, options.sample).result()
        print(
            f"{name}: {found.taken:.3f} s, product {found.product:.3f} s, ratio {found.taken / found.product:.2f}, "
            f"plain evaluator {found.plain:.1f} s, peak {found.peak / 2**30:.2f} GiB ({found.kernel})",
            flush=True,
        )


if __name__ == "__main__":
    main()
