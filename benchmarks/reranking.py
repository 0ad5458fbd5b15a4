"""Time and peak memory of k-reciprocal re-ranking, beside a plain implementation with dense matrices.

    python benchmarks/reranking.py [--case sysu|large|protocol] [--dimensions 2048] [--no-dense]

sysu: SYSU-MM01's all search, single-shot, one trial (3,803 queries, gallery of 301); large: 5,000 queries, gallery of
10,000; protocol: all 40 trials of SYSU-MM01's protocol, ours alone. Features are invented: a centre per person, and
noise. Each measurement has a process of its own; peak memory is what the process held beyond its vectors, and the time
is the wall clock's, in the same minutes for both. Best on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import time
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import numpy as np

from evaluation import invented, kernel
from tapetum.core import FloatArray, IntArray, Trial
from tapetum.evaluation.reranking import ReRanking, score_reranked
from tapetum.evaluation.score_rows import score_rows, trial_result
from tapetum.evaluation.sysu_protocol import sysu_mm01

HOW = ReRanking()


def problem(case: str, dimensions: int) -> tuple[np.ndarray, IntArray, list[Trial]]:
    """Vectors (N, D) float32 of unit length, persons, trials."""
    random = np.random.default_rng(1)
    if case == "large":
        persons = random.integers(0, 500, 15_000)
        trials = [Trial(np.arange(5_000), np.arange(5_000, 15_000))]
    else:
        crops, permutations = invented(seed=0)
        persons = np.array([crop.person for crop in crops])
        settings = sysu_mm01(crops, range(1, 97), permutations).settings
        trials = [trial for trials in settings.values() for trial in trials]
        trials = trials if case == "protocol" else trials[:1]
    centres = random.standard_normal((persons.max() + 1, dimensions), dtype=np.float32)
    vectors = centres[persons] + 5 * random.standard_normal((len(persons), dimensions), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), persons, trials


def dense_distances(vectors: np.ndarray, queries: int) -> FloatArray:
    """d* with matrices of all pairs, the first `queries` vectors asking the others; one image after the other."""
    squares = (vectors**2).sum(axis=1)
    d = squares[:, None] + squares - 2 * vectors @ vectors.T
    d /= d.max(axis=1, keepdims=True)
    order = np.argsort(d, axis=1).astype(np.int32)
    V = np.zeros_like(d)

    def reciprocal(p: int, k: int) -> IntArray:
        listed = order[p, : k + 1]
        return listed[(order[listed, : k + 1] == p).any(axis=1)]

    for p in range(len(vectors)):
        mine = reciprocal(p, HOW.k1)
        expanded = [mine]
        for q in mine:
            theirs = reciprocal(q, round(HOW.k1 / 2))
            if 3 * np.isin(theirs, mine).sum() > 2 * len(theirs):
                expanded.append(theirs)
        members = np.unique(np.concatenate(expanded))
        weights = np.exp(-d[p, members])
        V[p, members] = weights / weights.sum()
    V = np.stack([V[order[p, : HOW.k2]].mean(axis=0) for p in range(len(vectors))])
    found = np.empty((queries, len(vectors) - queries))
    for p in range(queries):
        columns = np.flatnonzero(V[p])
        shared = np.minimum(V[p, columns], V[queries:, columns]).sum(axis=1)
        found[p] = (1 - HOW.weight) * (1 - shared / (2 - shared)) + HOW.weight * d[p, queries:]
    return found


def score_dense(vectors: np.ndarray, persons: IntArray, trial: Trial) -> float:
    """mAP of one trial by the dense implementation."""
    rows = np.concatenate([trial.query, trial.gallery])
    distances = np.maximum(dense_distances(vectors[rows], len(trial.query)), 0)
    if trial.query_group is not None:
        distances[trial.query_group[:, None] == trial.gallery_group] = np.inf
    scores = score_rows(distances, persons[trial.query], persons[trial.gallery], "identities")
    return trial_result(trial, [scores], persons, "identities", "the trial").mAP


def measure(which: str, case: str, dimensions: int, answer: SimpleQueue) -> None:
    """In a process of its own: seconds, peak memory in MB beyond the vectors, mAP of the first trial."""
    vectors, persons, trials = problem(case, dimensions)
    rows = np.unique(np.concatenate([trials[0].query, trials[0].gallery]))
    wide = vectors[rows].astype(np.float64) if which == "product" else vectors
    before, average = forget_peak(), float("nan")
    start = time.perf_counter()
    if which == "dense":
        average = score_dense(vectors, persons, trials[0])
    elif which == "ours":
        average = score_reranked(vectors, persons, trials, settings=HOW, cmc="identities")[0].mAP
    else:
        for part in np.array_split(wide, 8):
            part @ wide.T
    answer.put((time.perf_counter() - start, memory("VmHWM") - before, average))


def forget_peak() -> float:
    """Let Linux count the peak of memory from now on; returns what is held now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def memory(name: str) -> float:
    """A line of this process's status on Linux, in MB: VmRSS is held now, VmHWM was the most."""
    (found,) = re.findall(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found) / 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=("sysu", "large", "protocol"), default="sysu")
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--no-dense", action="store_true", help="ours and the matrix product alone")
    options = parser.parse_args()
    print(f"matrix products: {kernel()}; case {options.case}, {options.dimensions} dimensions")
    kinds = ["product", "ours"] + ([] if options.no_dense or options.case == "protocol" else ["dense"])
    context = multiprocessing.get_context("spawn")
    titles = {"product": "float64 matrix product, one trial", "ours": "ours", "dense": "dense NumPy"}
    for which in kinds:
        answer = context.SimpleQueue()
        process = context.Process(target=measure, args=(which, options.case, options.dimensions, answer))
        process.start()
        seconds, peak, average = answer.get()
        process.join()
        figure = "" if np.isnan(average) else f", mAP of the first trial {100 * average:.3f}"
        print(f"{titles[which]}: {seconds:.1f} s, {peak:,.0f} MB beyond the vectors{figure}")


if __name__ == "__main__":
    main()
