"""The promise that every method keeps, so that one loop trains all of them and one command tests all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

import tapetum.methods
from tapetum.core import Batch, Modality
from tapetum.discovery import find_module, module_names
from tapetum.errors import InternalError

Terms = Mapping[str, Tensor]


class MethodSettings(BaseModel):
    """Base of every method's settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Progress:
    """How far training has come: `step` batches of `total` are done. Warm-ups are functions of this."""

    step: int
    total: int

    @property
    def fraction(self) -> float:
        """Between 0 (the first batch) and 1."""
        return self.step / max(self.total, 1)

    def rising(self, after: float, over: float, to: float = 1.0) -> float:
        """A weight that is 0 up to the fraction `after`, then rises by 1 in each fraction `over`, and stays at `to`."""
        return min(max(self.fraction - after, 0.0) / over, to) if over > 0 else to * (self.fraction > after)

    def due(self, every: int) -> int:
        """For what is done in each `every`-th step alone, and then so many times as heavy: `every` or 0."""
        return every if self.step % every == 0 else 0


@dataclass(frozen=True)
class Pictures:
    """Pictures of one light. images: (N, 3, H, W) in [0, 1]."""

    images: Tensor
    modality: Modality


@runtime_checkable
class Generative(Protocol):
    """A method that takes pictures apart and paints pictures from the parts; in evaluation mode, without gradients.

    A structure code says what is where (shape, pose), an appearance code what it looks like (colours, light); their
    shapes are the method's own, but for N rows. Pictures painted are (N, 3, H, W) in [0, 1].
    """

    def codes(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """(structure, appearance), a row for each picture."""
        ...

    def paint(self, structure: Tensor, appearance: Tensor, modality: Modality) -> Tensor:
        """Pictures from N structure codes and N appearance codes; `modality` is the light of the appearances."""
        ...


def reconstruct(method: Generative, pictures: Pictures) -> Tensor:
    """Each picture taken apart and painted again: (N, 3, H, W) in [0, 1]."""
    return method.paint(*method.codes(pictures), pictures.modality)


def swap(method: Generative, structures: Pictures, appearances: Pictures) -> Tensor:
    """Row i: the structure of `structures` row i in the appearance of `appearances` row i.

    In the light of that appearance; in the structure's where a method's structure code holds the light (the U-Net).
    """
    structure, _ = method.codes(structures)
    _, appearance = method.codes(appearances)
    return method.paint(structure, appearance, appearances.modality)


class Embedder(nn.Module, ABC):
    """What turns crops into vectors: a method, or a run's method and one that goes on from its vectors."""

    @abstractmethod
    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, D) of unit length; the cosine of two embeddings ranks."""


class Method(Embedder):
    """A paper's mathematics. It never sees optimisers, devices, precision, logging or files.

    vector_length: None for a method that reads images. A method that goes on from a trained run (`tapetum train
    --from`) reads that run's vectors instead: it has a setting `vector_length`, sets this to it, and is given
    (N, vector_length) wherever images are spoken of, standardised over the training crops.
    """

    Settings: ClassVar[type[MethodSettings]]
    vector_length: int | None = None

    @abstractmethod
    def __init__(self, settings: MethodSettings, persons: int) -> None:
        """Build the networks for `persons` training identities (class labels 0 ... persons - 1)."""
        super().__init__()

    @abstractmethod
    def players(self) -> dict[str, nn.Module]:
        """Who is optimised, by name: one module, or generator and discriminator."""

    def watched(self) -> dict[str, Tensor]:
        """Learned numbers worth a line in the training log, by name: scalars; none unless a method says otherwise."""
        return {}

    @abstractmethod
    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """Yield (player, {name: weighted loss term}) once per optimiser step, in the order of the paper's algorithm.

        The loop sums the terms, goes backward and moves that player's weights; code after a `yield` sees them moved.
        """


def method_names() -> list[str]:
    """The names of all methods: the files of this package."""
    return module_names(tapetum.methods, without=frozenset({"method"}))


def find_method(name: str) -> type[Method]:
    """The one class of `tapetum.methods.<name>` that keeps the promise. Raises RecipeError for an unknown name."""
    module = find_module(tapetum.methods, name, method_names(), "method")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Method) and value.__module__ == module.__name__:
            return value
    raise InternalError(f"{module.__name__} defines no Method.")
