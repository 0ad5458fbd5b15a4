"""What the page says of a run's mistakes: by camera and person, what a score means, and maps of the embeddings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapetum.core import Modality, Protocol, Trial
from tapetum.embedding_table import EmbeddingTable
from tapetum.evaluation.calibration import FOLDS, by_probability, by_score, cross_fitted, fit_calibration
from tapetum.evaluation.diagnosis import (
    PersonResult,
    camera_pairs,
    counting_queries,
    person_results,
    persons_of,
    score_histogram,
    top_answers,
)
from tapetum.evaluation.draws import cameras_of
from tapetum.evaluation.embedding_map import draw_crops, embedding_map
from tapetum.evaluation.metrics import CmcRule, score_trials
from tapetum.evaluation.protocols import cmc_rule
from tapetum.evaluation.query_results import QueryResults
from tapetum.evaluation.ranking import Distance
from tapetum.report.diagnosis_figures import (
    meaning_figure,
    modality_map,
    person_figure,
    person_map,
    reliability_figure,
    score_figure,
)
from tapetum.report.strips import LIGHT

_WORST = 10
_COLOURED = 7


@dataclass(frozen=True)
class Subject:
    """What is diagnosed: embeddings, and the trials of one setting, in each of which at least one query counts."""

    table: EmbeddingTable
    trials: tuple[Trial, ...]
    distance: Distance
    cmc: CmcRule


def subject_of(table: EmbeddingTable, protocol: Protocol, setting: str, distance: Distance) -> Subject | None:
    """One setting of a protocol, ready to be diagnosed; None when none of its queries counts."""
    persons = persons_of(table)
    trials = tuple(trial for trial in protocol.settings[setting] if counting_queries(trial, persons).any())
    return Subject(table, trials, distance, cmc_rule(protocol)) if trials else None


def diagnosis_view(subject: Subject | None, queries: QueryResults | None, setting: str, seed: int) -> dict[str, Any]:
    """The parts of the page's diagnosis; None in place of a part that nothing is there for.

    queries: the single queries beside the results; without them the persons' results come from the embeddings.
    """
    persons = _persons(subject, queries, setting)
    return {
        "trials": len(subject.trials) if subject else 0,
        "cameras": None if subject is None else _camera_view(subject),
        "persons": _person_view(persons) if persons else None,
        "scores": None if subject is None else _score_view(subject, seed),
        "map": None if subject is None else _map_view(subject.table, seed),
    }


def _persons(subject: Subject | None, queries: QueryResults | None, setting: str) -> list[PersonResult]:
    if queries is not None:
        here = queries.setting == setting
        return person_results(
            queries.person[here], queries.query[here].astype(str), queries.ap[here], queries.hit[here]
        )
    if subject is None:
        return []
    persons = persons_of(subject.table)
    vectors = subject.table.vectors
    scored = score_trials(vectors, persons, subject.trials, distance=subject.distance, cmc=subject.cmc)
    query, ap, hit = (np.concatenate([getattr(one, name) for one in scored]) for name in ("query", "ap", "hit"))
    return person_results(persons[query], query, ap, hit)


def _person_view(persons: Sequence[PersonResult]) -> dict[str, Any]:
    return {"count": len(persons), "worst": persons[:_WORST], "figure": person_figure(persons)}


def _camera_view(subject: Subject) -> dict[str, Any]:
    """The table of camera pairs: query cameras down, gallery cameras across."""
    crops = subject.table.crops
    pairs = camera_pairs(subject.table, subject.trials, distance=subject.distance, cmc=subject.cmc)
    lights: dict[str, set[str]] = {}
    for crop in crops:
        lights.setdefault(crop.camera, set()).add(LIGHT[crop.modality])
    order = cameras_of(crops, range(len(crops)))
    return {
        "query": [camera for camera in order if any(camera == pair.query for pair in pairs)],
        "gallery": [camera for camera in order if any(camera == pair.gallery for pair in pairs)],
        "lights": {camera: " and ".join(sorted(found)) for camera, found in lights.items()},
        "cells": {(pair.query, pair.gallery): pair for pair in pairs},
        "chance": {"mAP": _span([p.chance_mAP for p in pairs]), "rank 1": _span([p.chance_r1 for p in pairs])},
    }


def _span(values: Sequence[float]) -> str:
    low, high = f"{100 * min(values):.1f}", f"{100 * max(values):.1f}"
    return f"{low} %" if low == high else f"{low} to {high} %"


def _score_view(subject: Subject, seed: int) -> dict[str, Any]:
    """Scores of pairs, and what the score of a first answer means."""
    scores = score_histogram(subject.table, subject.trials[0])
    middle = scores.median_right()
    view: dict[str, Any] = {
        "figure": score_figure(scores),
        "right": int(scores.right.sum()),
        "wrong": int(scores.wrong.sum()),
        "middle": middle,
        "above": scores.wrong_above(middle),
        "meaning": None,
    }
    answers = top_answers(subject.table, subject.trials)
    probability = cross_fitted(answers, seed)
    if probability is not None:
        judged = by_probability(answers, probability)
        view |= {
            "meaning": meaning_figure(by_score(answers, probability)),
            "reliability": reliability_figure(judged),
            "bins": judged,
            "ece": judged.ece(),
            "answers": len(answers.score),
            "persons": len(np.unique(answers.person)),
            "folds": min(FOLDS, len(np.unique(answers.person))),
            "right_share": float(answers.right.mean()),
            "curve": json.dumps(fit_calibration(answers).to_json()),
        }
    return view


def _map_view(table: EmbeddingTable, seed: int) -> dict[str, Any] | None:
    rows = draw_crops(table, seed)
    places = embedding_map(table, rows, seed)
    if places is None:
        return None
    person = persons_of(table)[rows]
    chosen = list(dict.fromkeys(person.tolist()))[:_COLOURED]  # the first of the draw
    infrared = np.array([table.crops[row].modality is Modality.IR for row in rows.tolist()], dtype=np.bool_)
    figures = {"person": person_map(places, person, chosen), "modality": modality_map(places, infrared)}
    return {**figures, "crops": len(rows), "persons": len(np.unique(person)), "coloured": len(chosen), "seed": seed}
