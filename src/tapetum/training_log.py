"""What training says while it runs: `log.csv` (step, epoch, name, value) and the same values for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from tapetum.outputs import atomic_file
from tapetum.run_folder import LOG

_HEADER = ("step", "epoch", "name", "value")


class TrainingLog:
    """Append named values to a run's log. A resumed run's lines from `first_step` on are written anew."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self._path = folder / LOG
        from torch.utils.tensorboard import SummaryWriter  # takes seconds, which those who only read a log are spared

        kept = [row for row in read_log(self._path) if row[0] < first_step]
        with atomic_file(self._path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([_HEADER, *kept])
        self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step)

    def add(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Write one value per name; `step` counts batches from 0."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows((step, epoch, name, repr(value)) for name, value in values.items())
        for name, value in values.items():
            self._tensorboard.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush what TensorBoard still holds."""
        self._tensorboard.close()


def read_log(path: Path) -> list[tuple[int, int, str, float]]:
    """The lines of a log, oldest first; empty where there is none. A line that is none (cut by a kill) is left out."""
    if not path.is_file():
        return []
    rows = []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for row in csv.reader(file):
            try:
                step, epoch, name, value = row
                rows.append((int(step), int(epoch), name, float(value)))
            except ValueError:
                continue
    return rows
