"""Loading: the same bytes whatever the number of workers, no worker left behind, broken pictures in one sentence."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tapetum.core import Batch, Crop, Dataset, Modality
from tapetum.data.decoding import decode
from tapetum.data.loading import Loading, TrainingLoader, embedding_loader, training_loader
from tapetum.data.pixel_cache import Decoder, build_cache
from tapetum.data.sampling import BatchShape, Share
from tapetum.data.transforms import Augmentation, augment
from tapetum.errors import DataError

SIZE = (16, 8)
PLAIN = Augmentation(padding=0, flip=0, erasing=0)


def shade(person: int, modality: Modality) -> int:
    """The grey value of all of a person's crops of one modality."""
    return 10 * person + (100 if modality is Modality.IR else 0)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Six persons, persons 11 ... 16, with four crops of each modality; a person's shade tells who it is."""
    crops = []
    for person in range(6):
        for modality in Modality:
            for n in range(4):
                crop = Crop(f"{modality}/{person}_{n}.png", 11 + person, str(n % 2), modality)
                path = tmp_path / "data" / crop.path
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (8 + n, 20), shade(person, modality)).save(path)
                crops.append(crop)
    return Dataset("tiny", tmp_path / "data", tuple(crops), {"train": tuple(range(len(crops)))})


def settings(workers: int = 0, cache: Path | None = None, augmentation: Augmentation = PLAIN) -> Loading:
    return Loading(SIZE, BatchShape(3, 2, 4), augmentation, workers, cache)


def everything() -> Augmentation:
    return Augmentation(padding=3, grayscale=0.3, channel_exchange=0.3, tone=0.3)


def as_bytes(batches: list[Batch]) -> list[bytes]:
    return [b"".join(part.numpy().tobytes() for part in (b.rgb, b.ir, b.person)) for b in batches]


def no_children(patience: float = 5) -> bool:
    end = time.monotonic() + patience
    while multiprocessing.active_children() and time.monotonic() < end:
        time.sleep(0.02)
    return not multiprocessing.active_children()


def test_batches_show_the_persons_of_their_labels(data: Dataset) -> None:
    batches = list(training_loader(data, "train", settings(), seed=0))
    assert len(batches) == 4
    for batch in batches:
        assert batch.rgb.shape == batch.ir.shape == (6, 3, *SIZE)
        assert batch.rgb.dtype == batch.ir.dtype == torch.float32
        assert batch.person.dtype == torch.int64
        for images, modality in ((batch.rgb, Modality.RGB), (batch.ir, Modality.IR)):
            for image, label in zip(images, batch.person.tolist(), strict=True):
                torch.testing.assert_close(image, torch.full_like(image, shade(label, modality) / 255))


def test_crops_are_augmented_and_stay_in_the_unit_range(data: Dataset) -> None:
    for batch in training_loader(data, "train", settings(augmentation=everything()), seed=0):
        for images in (batch.rgb, batch.ir):
            assert 0 <= float(images.min()) <= float(images.max()) <= 1
            assert sum(len(image.unique()) > 1 for image in images) >= 3  # black borders and erased boxes


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
def test_any_number_of_workers_and_the_cache_give_the_same_bytes(data: Dataset, tmp_path: Path) -> None:
    loader = training_loader(data, "train", settings(augmentation=everything()), seed=7)
    loader.set_epoch(3)
    expected = as_bytes(list(loader))
    assert len(set(expected)) == 4
    for workers, cache in ((1, None), (4, None), (0, tmp_path / "cache"), (2, tmp_path / "cache")):
        with training_loader(data, "train", settings(workers, cache, everything()), seed=7) as other:
            other.set_epoch(3)
            assert as_bytes(list(other)) == expected
    assert no_children()


def test_workers_go_on_inside_an_epoch_and_into_the_next(data: Dataset) -> None:
    with training_loader(data, "train", settings(augmentation=everything()), seed=7) as loader:
        whole = as_bytes(list(loader))
        loader.set_epoch(1)
        following = as_bytes(list(loader))
    with training_loader(data, "train", settings(2, augmentation=everything()), seed=7) as resumed:
        resumed.sampler.start = 3
        assert as_bytes(list(resumed)) == whole[3:]
        pids = {child.pid for child in multiprocessing.active_children()}
        assert len(pids) == 2
        resumed.set_epoch(1)
        assert as_bytes(list(resumed)) == following
        assert {child.pid for child in multiprocessing.active_children()} == pids  # workers stay for the next epoch


def test_seeds_epochs_and_devices_differ(data: Dataset) -> None:
    def first(seed: int, epoch: int, share: Share | None = None) -> bytes:
        loader = training_loader(data, "train", settings(augmentation=everything()), seed, share)
        loader.set_epoch(epoch)
        return as_bytes([next(iter(loader))])[0]

    assert first(0, 0) == first(0, 0)
    assert len({first(0, 0), first(1, 0), first(0, 1)}) == 3
    assert first(0, 0, Share(0, 2)) != first(0, 0, Share(1, 2))


def test_equal_crops_are_augmented_differently_in_every_step_epoch_and_device(data: Dataset) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 20), dtype=np.uint8)
    for crop in data.crops:
        Image.fromarray(noise).save(data.root / crop.path)
    seen = set()
    for rank in range(2):
        loader = training_loader(data, "train", settings(augmentation=everything()), 0, Share(rank, 2))
        for epoch in range(2):
            loader.set_epoch(epoch)
            seen |= {images.numpy().tobytes() for batch in loader for images in (batch.rgb, batch.ir)}
    assert len(seen) == 2 * 2 * 4 * 2


def test_torchs_and_numpys_global_state_play_no_part(data: Dataset) -> None:
    loader = training_loader(data, "train", settings(augmentation=everything()), seed=0)
    torch.manual_seed(1)
    np.random.seed(1)
    first = as_bytes(list(loader))
    torch.manual_seed(2)
    np.random.seed(2)
    before = torch.get_rng_state()
    assert as_bytes(list(loader)) == first
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_picture_stops_training_in_one_sentence(data: Dataset, workers: int) -> None:
    broken = data.root / data.crops[5].path
    broken.write_bytes(b"")
    with (
        training_loader(data, "train", Loading(SIZE, BatchShape(6, 4), PLAIN, workers), seed=0) as loader,
        pytest.raises(DataError) as caught,
    ):
        list(loader)
    assert str(caught.value) == f"{broken} is empty (0 bytes). Copy the picture again or leave it out."
    assert no_children()


def test_closing_ends_the_workers(data: Dataset) -> None:
    loader = training_loader(data, "train", settings(2), seed=0)
    batches = iter(loader)
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    del batches  # an epoch left half-way
    loader.close()
    assert no_children()
    assert len(list(loader)) == 4  # and they start again when asked
    del loader
    assert no_children()


def test_dropping_the_loader_while_iterating_ends_the_workers(data: Dataset) -> None:
    for _ in training_loader(data, "train", settings(2), seed=0):
        break
    assert no_children()


WATCHED = """
import multiprocessing, pickle, sys, time
from torch.utils.data._utils import worker
from tapetum.data.loading import training_loader
worker.MP_STATUS_CHECK_INTERVAL = 0.5  # seconds between looks at the parent; torch's own value is 5
arguments = pickle.load(open(sys.argv[1], "rb"))
batches = iter(training_loader(*arguments, seed=0))
next(batches)
print(*(child.pid for child in multiprocessing.active_children()), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_workers_end_when_the_main_process_is_killed(data: Dataset, tmp_path: Path) -> None:
    arguments = tmp_path / "arguments"
    arguments.write_bytes(pickle.dumps((data, "train", settings(2))))
    main = subprocess.Popen([sys.executable, "-c", WATCHED, str(arguments)], stdout=subprocess.PIPE, text=True)
    assert main.stdout is not None
    pids = [int(pid) for pid in main.stdout.readline().split()]
    main.stdout.close()
    os.kill(main.pid, signal.SIGKILL)
    main.wait()
    assert len(pids) == 2
    end = time.monotonic() + 15
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("workers", [0, 2])
def test_embedding_batches_hold_one_modality_in_order(data: Dataset, workers: int) -> None:
    crops = data.crops[:11]  # person 0: 4 RGB, 4 infrared; person 1: 3 RGB
    loader = embedding_loader(crops, data.root, SIZE, batch_size=3, workers=workers)
    found = list(loader)
    assert len(loader) == len(found) == 5
    assert [indices.tolist() for indices, _ in found] == [[0, 1, 2], [3, 8, 9], [10], [4, 5, 6], [7]]
    for indices, images in found:
        for index, image in zip(indices, images, strict=True):
            pixels = decode(data.root / crops[index].path, crops[index].modality, SIZE)
            torch.testing.assert_close(image, torch.from_numpy(pixels) / 255, rtol=0, atol=0)
    assert loader.failures == {}
    assert no_children()


@pytest.mark.parametrize("workers", [0, 2])
def test_embedding_reports_broken_pictures_and_goes_on(data: Dataset, workers: int) -> None:
    for row in (1, 4, 5):
        (data.root / data.crops[row].path).write_bytes(b"no picture")
    (data.root / data.crops[6].path).unlink()
    loader = embedding_loader(data.crops[:8], data.root, SIZE, batch_size=3, workers=workers)
    assert [indices.tolist() for indices, _ in loader] == [[0, 2], [3], [7]]  # rows 4, 5 and 6 made up a whole batch
    assert sorted(loader.failures) == [1, 4, 5, 6]
    assert str(loader.failures[4]).startswith(f"{data.root / data.crops[4].path} is not a picture")
    assert str(loader.failures[6]).startswith(f"{data.root / data.crops[6].path} does not exist")


def test_the_cache_is_made_once_and_follows_the_pictures(data: Dataset, tmp_path: Path) -> None:
    source, folder = Decoder(data.root, data.crops, SIZE), tmp_path / "cache"
    cache = build_cache(source, [2, 9], folder)
    np.testing.assert_array_equal(cache(9), source(9))
    np.testing.assert_array_equal(cache(2), source(2))
    assert cache.path.stat().st_size == 128 + 2 * 3 * 16 * 8
    made = cache.path.stat().st_mtime_ns
    assert build_cache(source, [2, 9], folder).path.stat().st_mtime_ns == made
    assert build_cache(source, [2, 8], folder).path != cache.path
    assert build_cache(Decoder(data.root, data.crops, (8, 8)), [2, 9], folder).path != cache.path
    Image.new("L", (9, 9), 255).save(data.root / data.crops[9].path)
    np.testing.assert_array_equal(build_cache(source, [2, 9], folder)(9), np.full((3, *SIZE), 255))


def test_a_cache_that_cannot_be_made_leaves_nothing(data: Dataset, tmp_path: Path) -> None:
    (data.root / data.crops[3].path).write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        build_cache(Decoder(data.root, data.crops, SIZE), range(8), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    (data.root / data.crops[3].path).unlink()
    with pytest.raises(DataError, match=r"rgb/0_3\.png cannot be read"):
        build_cache(Decoder(data.root, data.crops, SIZE), [3], tmp_path / "cache")


def test_a_damaged_cache_is_named(data: Dataset, tmp_path: Path) -> None:
    source = Decoder(data.root, data.crops, SIZE)
    path = build_cache(source, [0, 1], tmp_path).path
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"is no readable cache of pixels\. Delete it"):
        build_cache(source, [0, 1], tmp_path)(0)


def test_a_cache_travels_to_a_worker_without_its_pixels(data: Dataset, tmp_path: Path) -> None:
    cache = build_cache(Decoder(data.root, data.crops, SIZE), [0, 1], tmp_path)
    first = cache(0)
    sent = pickle.dumps(cache)
    assert len(sent) < 600
    np.testing.assert_array_equal(pickle.loads(sent)(0), first)


def test_cached_crops_are_not_changed_by_augmentation(data: Dataset, tmp_path: Path) -> None:
    cache = build_cache(Decoder(data.root, data.crops, SIZE), [0], tmp_path)
    before = cache(0).copy()
    augment(cache(0), Modality.RGB, everything(), np.random.default_rng(0))
    np.testing.assert_array_equal(cache(0), before)


def test_a_loader_tells_its_length(data: Dataset) -> None:
    loader = training_loader(data, "train", settings(), seed=0)
    assert isinstance(loader, TrainingLoader)
    assert len(loader) == 4


@pytest.mark.parametrize(
    ("said", "error"),
    [("DataLoader worker (pid 7) is killed by signal: Killed.", DataError), ("expected a tensor", RuntimeError)],
)
def test_a_worker_that_is_gone_is_told_in_one_sentence(monkeypatch, data: Dataset, said: str, error: type) -> None:
    # What torch raises when a worker dies, raised without killing one: its signal would hit the test itself.
    def gone(*_):
        raise RuntimeError(said)

    monkeypatch.setattr("torch.utils.data.dataloader._SingleProcessDataLoaderIter._next_data", gone)
    with pytest.raises(error) as told:
        list(training_loader(data, "train", settings(), seed=0))
    assert (" --workers 0." in str(told.value)) == (error is DataError)
