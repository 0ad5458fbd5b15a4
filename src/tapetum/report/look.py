"""How a generative run is looked at, and whether a run is one: known without what painting and measuring need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tapetum.errors import InputError, RecipeError
from tapetum.methods.method import Generative, find_method

ProgressCall = Callable[[int, int], None]


@dataclass(frozen=True)
class Look:
    """How a generative run is looked at.

    judge: the run whose embedding judges paintings; None: the run's own. measured: crops of each light that the
    numbers are taken from. seed: draws the crops. progress: called with (pictures done, pictures).
    """

    judge: Path | None = None
    measured: int = 200
    seed: int = 0
    progress: ProgressCall | None = None

    def tell(self, done: int, total: int) -> None:
        """Say how far it has come, where somebody listens."""
        if self.progress is not None:
            self.progress(done, total)


def paints(method: str, look: Look) -> bool:
    """Whether the method of this name paints pictures; False for a name that no method has.

    Raises RecipeError where it does not, and the look asks for a judge.
    """
    try:
        generative = issubclass(find_method(method), Generative)
    except InputError:
        generative = False
    if look.judge is not None and not generative:
        raise RecipeError(f"--judge says nothing of a '{method}', which paints no pictures. Leave it out.")
    return generative
