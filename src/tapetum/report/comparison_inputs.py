"""What `tapetum compare` is given: files of results, or folders that hold them, each under a name of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tapetum.errors import RunError

RESULTS = "results.json"  # run_folder.py has the name, too, but brings torch, which takes seconds

_AGAIN = "Make it again with `tapetum evaluate`."


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Figures(_Part):
    """The figures of one row, fractions in [0, 1] (a mean of ten may end a rounding above)."""

    r1: float = Field(ge=0, le=1.000001)
    r5: float = Field(ge=0, le=1.000001)
    r10: float = Field(ge=0, le=1.000001)
    r20: float = Field(ge=0, le=1.000001)
    mAP: float = Field(ge=0, le=1.000001)  # noqa: N815 (as in results.json)
    mINP: float = Field(ge=0, le=1.000001)  # noqa: N815

    def percent(self, name: str) -> float:
        """One figure in percent."""
        return 100 * float(getattr(self, name))


class TrialCounts(_Part):
    """How many queries a trial had, how many of them count, and how large its gallery was. trial: its name, if any."""

    valid_queries: int
    queries: int
    gallery: int
    trial: int | str | None = None


class ReRanked(_Part):
    """The figures after re-ranking, and its settings."""

    mean: Figures
    std: Figures
    k1: int
    k2: int
    weight: float


class Setting(_Part):
    """One setting of results.json, without its curves. trials_in_all: how many the dataset has, where it says so."""

    trials: tuple[TrialCounts, ...] = Field(min_length=1)
    trials_in_all: int | None = None
    mean: Figures
    std: Figures
    chance: Figures
    reranked: ReRanked | None = None

    @property
    def is_whole(self) -> bool:
        """Whether these are all the trials that the dataset has, as far as it is known how many there are."""
        return self.trials_in_all in (None, len(self.trials))

    def span(self, name: str) -> str:
        """A count over all trials: one number where they agree, else "smallest to largest"."""
        counts = [getattr(trial, name) for trial in self.trials]
        return f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"


class Facts(_Part):
    """What results.json says of all settings."""

    protocol: str
    draw: str
    direction: str = ""
    dataset: str
    distance: str
    cmc: str
    notes: tuple[str, ...] = ()
    made: Mapping[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One file of results. name: what its rows are called."""

    name: str
    path: Path
    facts: Facts
    settings: Mapping[str, Setting]

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """What the embeddings say of themselves, one for each file; none for another system's features."""
        found = self.facts.made.get("embeddings_record", [])
        return [record for record in (found if isinstance(found, list) else [found]) if isinstance(record, Mapping)]

    @property
    def method(self) -> str | None:
        """The method of Tapetum that made the vectors, where it is known."""
        return next((str(record["method"]) for record in self.records if "method" in record), None)

    @property
    def roots(self) -> set[str]:
        """The folders of the pictures, as far as they are known."""
        return {str(record["root"]) for record in self.records if record.get("root")}

    @property
    def dataset(self) -> str:
        """The name of the dataset's layout, also where its people are generated."""
        return str(self._said("dataset") or self.facts.dataset)

    @property
    def data(self) -> str:
        """What the figures were measured on: the dataset's title, how it was read (a fold), and which trials of it."""
        options = dict(self._said("options") or {})
        setting = next(iter(self.settings.values()))
        if any(trial.trial is not None for trial in setting.trials):  # several files are one result
            options["trial"] = "+".join(str(trial.trial) for trial in setting.trials)
        if setting.trials_in_all == len(setting.trials):
            options.pop("trial", None)
        options.pop("val_persons", None)  # taken out of the training persons: no tested image changes
        return ", ".join([self.facts.dataset, *(f"{name} {value}" for name, value in sorted(options.items()))])

    def _said(self, name: str) -> Any:
        return next((facts[name] for facts in (self.facts.made, *self.records) if facts.get(name)), None)


def read_runs(given: Sequence[str]) -> list[Run]:
    """Read RESULT arguments: `PATH` or `NAME=PATH`; a path is a file of results, a run, or a folder of runs.

    Raises RunError for a path that holds no results, a file that is none, and a name that is given twice.
    """
    named: list[tuple[str | None, Path]] = []
    for argument in given:
        name, path = _split(argument)
        found = _result_files(path)
        if name is not None and len(found) > 1:
            raise RunError(f"{path} holds {len(found)} runs, which cannot all be called '{name}'. Name each of them.")
        named.extend((name, file) for file in found)
    names = _names(named)
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        raise RunError(f"two results are called '{double[0]}'. Give each a name of its own: NAME=PATH.")
    return [_read(name, path) for name, (_, path) in zip(names, named, strict=True)]


def _split(argument: str) -> tuple[str | None, Path]:
    name, separator, path = argument.partition("=")
    if Path(argument).exists() or not (separator and name and path):
        return None, Path(argument)
    return name, Path(path)


def _result_files(path: Path) -> list[Path]:
    if path.is_dir():
        found = [path / RESULTS] if (path / RESULTS).is_file() else sorted(path.glob(f"*/{RESULTS}"))
        if not found:
            raise RunError(f"{path} holds no {RESULTS}, nor does a folder in it. Make one with `tapetum evaluate`.")
        return found
    if not path.is_file():
        raise RunError(f"{path} does not exist. Give a file of results, or a run that holds one.")
    return [path]


def _names(named: Sequence[tuple[str | None, Path]]) -> list[str]:
    """The names given; else the run's folder, with the file's name where it is not the usual one; else the path."""
    short = [name or _short(path) for name, path in named]
    taken = Counter(short)
    return [
        str(path) if name is None and taken[word] > 1 else word for word, (name, path) in zip(short, named, strict=True)
    ]


def _short(path: Path) -> str:
    folder = path.absolute().parent.name
    return folder if path.name == RESULTS else f"{folder}/{path.stem}"


def _read(name: str, path: Path) -> Run:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no text at all
        raise RunError(f"{path} is not JSON. {_AGAIN}") from error
    if not isinstance(raw, dict):
        raise RunError(f"{path} holds no results. {_AGAIN}")
    try:
        facts = Facts.model_validate(raw)
        found = {key: value for key, value in raw.items() if isinstance(value, dict) and "trials" in value}
        settings = {key: Setting.model_validate(value) for key, value in found.items()}
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{path} holds no results: '{place}': {first['msg'].lower()}. {_AGAIN}") from error
    if not settings:
        raise RunError(f"{path} holds no results: it has no setting. {_AGAIN}")
    return Run(name, path, facts, settings)
