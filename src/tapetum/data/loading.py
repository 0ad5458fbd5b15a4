"""Loading: crops on disk -> batches, for training and for embedding; the same bytes with any number of workers.

A worker makes whole batches and ships uint8 (a quarter of the bytes of float32); the [0, 1] floats are made in the
main process, on the device. Everything random comes from a generator keyed by (seed, epoch, step, rank).
A DataError met by a worker travels back as a value, so that it is raised here as the one sentence it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from tapetum.core import Batch, Crop, Dataset, IntArray, Modality
from tapetum.data.decoding import Pixels
from tapetum.data.pixel_cache import Decoder, build_cache
from tapetum.data.sampling import BatchShape, Draw, PersonSampler, Share
from tapetum.data.transforms import Augmentation, augment
from tapetum.errors import DataError

_PIXELS = 3  # the purpose of these generators; the sampler's, on the same seed, have 1 and 2
_Source = Callable[[int], Pixels]
_Shipped = tuple[torch.Tensor, torch.Tensor, torch.Tensor] | DataError
_T = TypeVar("_T")
_PATIENCE = 300  # seconds for one batch, before its worker counts as lost
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Loading:
    """How crops become batches.

    size: (H, W) in pixels. workers: processes that decode and augment; 0 does it in the main process.
    cache: a folder for a memory-mapped file of all crops, decoded once (`pixel_cache`); None decodes every time.
    attributes: attribute -> class of each person of the split (`attributes.read_attributes`), for batches to carry.
    """

    size: tuple[int, int]
    shape: BatchShape = field(default_factory=BatchShape)
    augmentation: Augmentation = field(default_factory=Augmentation)
    workers: int = 0
    cache: Path | None = None
    attributes: Mapping[str, IntArray] | None = None


def training_loader(
    dataset: Dataset,
    split: str,
    settings: Loading,
    seed: int,
    share: Share | None = None,
    device: torch.device = _CPU,
) -> TrainingLoader:
    """Batches of P persons x K crops of `split`, augmented, on `device`.

    Labels are places in `dataset.persons(split)`. The batch of (seed, epoch, step, rank) does not depend on `workers`.
    Raises what `PersonSampler` and `build_cache` raise; while iterating, DataError for a broken picture.
    """
    sampler = PersonSampler(dataset, split, settings.shape, seed, share)
    decoder = Decoder(dataset.root, dataset.crops, settings.size)
    cache = settings.cache
    source = decoder if cache is None else build_cache(decoder, dataset.rows(split), cache)
    loader = TrainingLoader(sampler, _Batches(source, settings, seed), settings.workers, device)
    if settings.attributes is not None:
        loader.attributes = {name: torch.from_numpy(of).to(device) for name, of in settings.attributes.items()}
    return loader


def embedding_loader(
    crops: Sequence[Crop],
    root: Path,
    size: tuple[int, int],
    batch_size: int = 64,
    workers: int = 0,
    device: torch.device = _CPU,
) -> EmbeddingLoader:
    """Every crop once, without augmentation, in batches of one modality: RGB first, each in the order of `crops`."""
    batches = [
        rows[start : start + batch_size]
        for rows in ([row for row, crop in enumerate(crops) if crop.modality is m] for m in Modality)
        for start in range(0, len(rows), batch_size)
    ]
    return EmbeddingLoader(batches, _Crops(Decoder(root, crops, size)), workers, device)


class TrainingLoader:
    """One pass is one epoch of `Batch`; `len` is its steps. `sampler` chooses epoch and first step.

    Workers live from the first pass until `close`, the end of a `with` block or the end of this object. They also end
    within seconds of the main process being killed. `attributes`: name -> class of each person, which batches carry.
    """

    def __init__(
        self, sampler: PersonSampler, batches: TorchDataset[_Shipped], workers: int, device: torch.device
    ) -> None:
        self.sampler = sampler
        self.attributes: dict[str, torch.Tensor] | None = None
        self._device = device
        self._batches, self._workers = batches, workers
        self._loader: DataLoader[_Shipped] | None = None

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        if self._loader is None:
            self._loader = _loader(self._batches, self.sampler, self._workers, self._device, persistent=True)
        for shipped in _delivered(self._loader):
            if isinstance(shipped, DataError):
                raise shipped
            rgb, ir, person = (part.to(self._device, non_blocking=True) for part in shipped)
            known = self.attributes and {name: classes[person] for name, classes in self.attributes.items()}
            yield Batch(_in_unit_range(rgb), _in_unit_range(ir), person, known)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass draws."""
        self.sampler.set_epoch(epoch)

    def close(self) -> None:
        """End the workers; a later pass starts new ones."""
        self._loader = None

    def __enter__(self) -> TrainingLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EmbeddingLoader:
    """One pass gives (indices, images) batch by batch; `len` is the number of batches.

    indices: (B,) int64 places in the list of crops, all of one modality. images: (B, 3, H, W) float32 in [0, 1].
    failures: place -> what is wrong with a broken picture; such crops are left out of their batch. It is complete
    after a pass, whose workers end with it.
    """

    def __init__(self, batches: Sequence[list[int]], crops: _Crops, workers: int, device: torch.device) -> None:
        self.failures: dict[int, DataError] = {}
        self._batches, self._crops, self._workers, self._device = batches, crops, workers, device

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[IntArray, torch.Tensor]]:
        self.failures.clear()
        for indices, images, failures in _delivered(_loader(self._crops, self._batches, self._workers, self._device)):
            self.failures.update(failures)
            if len(indices):
                yield np.array(indices, dtype=np.int64), _in_unit_range(images.to(self._device, non_blocking=True))


class _Batches(TorchDataset[_Shipped]):
    """Draw -> uint8 crops (P * K, 3, H, W) of both modalities and the labels, or the error that a picture raised."""

    def __init__(self, source: _Source, settings: Loading, seed: int) -> None:
        self._source, self._settings, self._seed = source, settings, seed

    def __getitem__(self, draw: Draw) -> _Shipped:
        rng = np.random.default_rng([_PIXELS, self._seed, draw.epoch, draw.step, draw.share.rank])
        try:
            rgb = self._filled(draw.rgb, Modality.RGB, rng)
            return rgb, self._filled(draw.ir, Modality.IR, rng), torch.from_numpy(draw.person)
        except DataError as error:
            return error

    def _filled(self, rows: IntArray, modality: Modality, rng: np.random.Generator) -> torch.Tensor:
        crops = np.empty((len(rows), 3, *self._settings.size), dtype=np.uint8)
        for place, row in enumerate(rows.tolist()):
            crops[place] = augment(self._source(row), modality, self._settings.augmentation, rng)
        return torch.from_numpy(crops)


class _Crops(TorchDataset[tuple[list[int], torch.Tensor, dict[int, DataError]]]):
    """Rows -> the rows that could be decoded, their uint8 crops (B, 3, H, W), and what was wrong with the others."""

    def __init__(self, source: Decoder) -> None:
        self._source = source

    def __getitem__(self, rows: list[int]) -> tuple[list[int], torch.Tensor, dict[int, DataError]]:
        whole: dict[int, Pixels] = {}
        failures: dict[int, DataError] = {}
        for row in rows:
            try:
                whole[row] = self._source(row)
            except DataError as error:
                failures[row] = error
        crops = np.stack(list(whole.values())) if whole else np.empty((0, 3, *self._source.size), dtype=np.uint8)
        return list(whole), torch.from_numpy(crops), failures


def made_by_workers(maker: TorchDataset[_T], keys: Sequence[Any], workers: int) -> Iterator[_T]:
    """maker[key] for each key, in order, by `workers` processes (0: in this one). Raises DataError for a lost one."""
    return _delivered(_loader(maker, keys, workers, _CPU))


def _loader(
    batches: TorchDataset[_T], keys: Iterable[Any], workers: int, device: torch.device, *, persistent: bool = False
) -> DataLoader[_T]:
    """A DataLoader whose every key is one whole batch."""
    return DataLoader(
        batches,
        batch_size=None,
        sampler=keys,
        num_workers=workers,
        collate_fn=_as_made,
        worker_init_fn=_be_quiet_when_left,
        generator=torch.Generator(),  # else each pass draws a seed from torch's global state
        pin_memory=device.type == "cuda",
        persistent_workers=persistent and workers > 0,
        timeout=_PATIENCE if workers else 0,
    )


def _delivered(loader: DataLoader[_T]) -> Iterator[_T]:
    """What the workers deliver; DataError when one is gone, where torch would wait for ever or raise of its own.

    A full shared memory loses a batch without a word to the main process; a worker may be killed for its memory.
    """
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader" not in str(error):
            raise
        reason = str(error).splitlines()[0]
        raise DataError(
            f"a process that reads pictures is gone ({reason}). Memory or shared memory (/dev/shm) may be full: free"
            " some, or read in the main process with --workers 0."
        ) from error


def _as_made(batch: _T) -> _T:
    return batch


def _be_quiet_when_left(_: int) -> None:
    """In a worker: a caller that was stopped takes no more batches, which is no error to print."""
    plain = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, ConnectionError):
            plain(kind, error, trace)

    sys.excepthook = hook


def _in_unit_range(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.to(torch.float32).div_(255)
