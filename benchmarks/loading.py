"""Crops per second and core that loading delivers: decoded, augmented and batched, beside the plain torchvision way.

    python benchmarks/loading.py [FOLDER] [--crops 512]

FOLDER holds JPEG crops (any depth); without one, crops of SYSU-MM01's usual sizes are made from noise in a temporary
folder. Every row is CPU time of one thread, best of three.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from tapetum.core import Crop, Dataset, Modality
from tapetum.data import decoding
from tapetum.data.decoding import decode
from tapetum.data.loading import Loading, training_loader
from tapetum.data.sampling import BatchShape
from tapetum.data.transforms import IMAGENET_MEAN, Augmentation, augment

SIZES = ((128, 64), (288, 144))
STEPS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--crops", type=int, default=512)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or made(Path(temporary) / "crops", arguments.crops)
        paths = sorted(folder.rglob("*.jpg"))[: arguments.crops]
        print(f"{len(paths)} JPEG crops, {np.mean([path.stat().st_size for path in paths]):.0f} bytes each on average")
        for size in SIZES:
            report(paths, folder, size, Path(temporary) / "cache")


def made(folder: Path, count: int) -> Path:
    """Smooth noise in SYSU-MM01's range of crop sizes, quality 85, chroma at half resolution."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        height = int(rng.integers(150, 330))
        rough = Image.fromarray(rng.integers(0, 256, (height // 8, height // 19, 3), dtype=np.uint8))
        rough.resize((height * 8 // 19, height), Image.Resampling.BICUBIC).save(
            folder / f"{number:05d}.jpg", quality=85, subsampling=2
        )
    return folder


def report(paths: list[Path], folder: Path, size: tuple[int, int], cache: Path) -> None:
    """One line per way of loading at one size."""
    rates: dict[str, float] = {}
    if decoding._SIMPLEJPEG is not None:
        rates["decode, simplejpeg"] = rate(lambda: [decode(path, Modality.RGB, size) for path in paths], len(paths))
    fast, decoding._SIMPLEJPEG = decoding._SIMPLEJPEG, None
    rates["decode, Pillow"] = rate(lambda: [decode(path, Modality.RGB, size) for path in paths], len(paths))
    decoding._SIMPLEJPEG = fast
    rates |= augmentation(paths[0], size)
    rates["torchvision: Pillow, resize, crop, flip, erase, float, stack"] = rate(
        lambda: torchvision_batch(paths, size), len(paths)
    )
    for name, place in (("batches, decoded each time", None), ("batches, from the cache", cache)):
        loader = training_loader(
            as_dataset(paths, folder), "train", Loading(size, BatchShape(8, 4, STEPS), cache=place), 0
        )
        rates[name] = rate(lambda loader=loader: list(loader), STEPS * 64)
    print(f"\n{size[0]} x {size[1]}: crops per second and core")
    for name, value in rates.items():
        print(f"  {name:62s} {value:8,.0f}")


def augmentation(path: Path, size: tuple[int, int]) -> dict[str, float]:
    """The same three operations on the same crop, by `augment` and by torchvision."""
    crop, rng = decode(path, Modality.RGB, size), np.random.default_rng(0)
    tensor, theirs, settings = torch.from_numpy(crop), v2.Compose(peers(size)), Augmentation()
    return {
        "augment (crop, flip, erase)": rate(
            lambda: [augment(crop, Modality.RGB, settings, rng) for _ in range(500)], 500
        ),
        "torchvision.transforms.v2, the same three": rate(lambda: [theirs(tensor) for _ in range(500)], 500),
    }


def peers(size: tuple[int, int]) -> list[torch.nn.Module]:
    """Crop, flip and erasing with the field's values, in torchvision's words."""
    fill = [255 * mean for mean in IMAGENET_MEAN]
    erase = v2.RandomErasing(p=0.5, scale=(0.02, 0.4), ratio=(0.3, 3.33), value=fill)
    return [v2.RandomCrop(size, padding=10), v2.RandomHorizontalFlip(), erase]


def torchvision_batch(paths: list[Path], size: tuple[int, int]) -> torch.Tensor:
    """What an ImageFolder with a list of transforms does."""
    steps = v2.Compose(
        [v2.Resize(size, antialias=True), v2.PILToTensor(), *peers(size), v2.ToDtype(torch.float32, True)]
    )
    return torch.stack([steps(Image.open(path).convert("RGB")) for path in paths])


def as_dataset(paths: list[Path], folder: Path) -> Dataset:
    """The crops dealt out to persons of eight pictures, half of them called infrared."""
    crops = tuple(
        Crop(path.relative_to(folder).as_posix(), number // 8, "1", Modality.IR if number % 2 else Modality.RGB)
        for number, path in enumerate(paths)
    )
    return Dataset("benchmark", folder, crops, {"train": tuple(range(len(crops)))})


def rate(work: Callable[[], object], count: int) -> float:
    """Crops per second of CPU time, best of three."""
    work()
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return count / best


if __name__ == "__main__":
    main()
