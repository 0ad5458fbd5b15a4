"""RegDB's ten trials: which one a file of features is of, and whether several files make one result.

Each trial has training persons of its own and so a model of its own; a trial's test persons train the other trials'
models. A mean over ten trials is a mean over ten models, each tested on its own trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tapetum.data.findings import Notes
from tapetum.data.lists import read_image_list
from tapetum.data.regdb import CAMERAS, TRIALS
from tapetum.errors import EmbeddingError
from tapetum.evaluation.features import Features
from tapetum.evaluation.reference import Place

_SAME = ("dataset", "method", "height", "width", "split")
"""What the records of several trials must agree in."""


def place_of_trial(features: Features, place: Place) -> Place:
    """The place with the option `trial` told by the images, where neither user nor record says it and a root is given.

    Raises EmbeddingError where the images are those of several trials.
    """
    said = {**features.record.get("options", {}), **place.options}
    if "trial" in said or place.root is None or place.dataset is not None:
        return place
    root = place.root
    roots = tuple(f"{folder.as_posix()}/" for folder in (root, root.resolve()))
    present = {_below(row.path, roots) for row in features.rows}
    tested = {trial: images for trial in TRIALS if (images := _test_images(root, trial))}
    complete = [trial for trial, images in tested.items() if images <= present]
    if len(complete) > 1:
        listed = ", ".join(map(str, complete))
        raise EmbeddingError(
            f"{features.source} holds the test images of trials {listed}. Name the trial with --option trial=N, or give"
            " one trial's test images in a file."
        )
    nearest = max(tested, key=lambda trial: len(tested[trial] & present), default=TRIALS.start)
    return replace(place, options={**place.options, "trial": nearest})


def _below(path: str, roots: Sequence[str]) -> str:
    return next((path.removeprefix(root) for root in roots if path.startswith(root)), path)


def _test_images(root: Path, trial: int) -> set[str]:
    """The paths of a trial's test lists; none where there are no lists: reading the dataset will say so."""
    aside = Notes(strict=False)
    lists = [root / "idx" / f"test_{folder.lower()}_{trial}.txt" for folder in CAMERAS]
    return {line.path for path in lists if path.is_file() for line in read_image_list(path, aside)}


def check_together(features: Sequence[Features], trials: Sequence[int | str | None]) -> None:
    """Raise EmbeddingError, naming the file, for files that are not different trials of one kind of model."""
    first = features[0]
    models: dict[str, Path] = {}
    seen: dict[int | str, Path] = {}
    for one, trial in zip(features, trials, strict=True):
        if one.record.get("dataset", "regdb") != "regdb" or trial is None:
            raise EmbeddingError(
                f"{one.source} is no known trial of RegDB, and several files make one result only as its trials."
                " Evaluate it alone, or pass --root."
            )
        if trial in seen:
            raise EmbeddingError(f"{one.source} and {seen[trial]} are both of trial {trial}. Give each trial once.")
        seen[trial] = one.source
        if one.vectors.shape[1] != first.vectors.shape[1]:
            raise EmbeddingError(
                f"{one.source} has {one.vectors.shape[1]} dimensions, and {first.source} {first.vectors.shape[1]}. Give"
                " the trials of one kind of model."
            )
        _check_same_kind(one, first)
        model = one.record.get("fingerprint")
        if model is not None and models.setdefault(str(model), one.source) != one.source:
            raise EmbeddingError(
                f"{one.source} and {models[str(model)]} come from one model, and a trial's test persons train the other"
                " trials' models. Train a model per trial (--set data.options.trial=N)."
            )


def _check_same_kind(one: Features, first: Features) -> None:
    for name in _SAME:
        here, there = one.record.get(name), first.record.get(name)
        if here != there:
            raise EmbeddingError(
                f"{one.source} was made with {name} {here}, and {first.source} with {there}. Give the trials of one"
                " kind of model."
            )


def trial_notes(trials: Sequence[int | str | None]) -> list[str]:
    """What a result of fewer than ten trials must say."""
    if len(trials) == len(TRIALS):
        return ["mean of ten trials, each with a model of its own"]
    named = ", ".join(str(trial) for trial in trials if trial is not None)
    which = f" (trial {named})" if len(trials) == 1 and named else f" ({named})" if named else ""
    number = "one trial" if len(trials) == 1 else f"{len(trials)} trials"
    return [f"{number} of ten{which}: not comparable with ten-trial means"]
