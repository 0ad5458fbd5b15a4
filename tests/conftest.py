"""What many tests share: a tiny SYSU-shaped dataset that a tiny network can learn in seconds."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SPLITS = {"train": range(1, 9), "val": range(9, 12), "test": range(12, 17)}
CAMERAS = "123456"
SHOTS = 2


def pytest_configure() -> None:
    """Hear Ctrl-C even where the tests were started in the background of a script, which ignores it for all it starts.

    Commands under test inherit that, and some tests interrupt them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with official split files and golden results; the test is skipped where there is none."""
    folder = os.environ.get("TAPETUM_SHARED")
    if not folder:
        pytest.skip("TAPETUM_SHARED is not set: official split files and golden results are not here")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_sysu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 persons x 6 cameras x 2 pictures of 32 x 16: each person a pattern of stripes, tinted in RGB, grey in IR."""
    root = tmp_path_factory.mktemp("tiny_sysu")
    (root / "exp").mkdir()
    for split, persons in SPLITS.items():
        (root / "exp" / f"{split}_id.txt").write_text(",".join(str(person) for person in persons) + "\n")
        for person in persons:
            for camera in CAMERAS:
                _draw_person(root / f"cam{camera}" / f"{person:04d}", person, camera)
    return root


def _draw_person(folder: Path, person: int, camera: str) -> None:
    folder.mkdir(parents=True)
    stripes = np.random.default_rng(person).integers(0, 2, 8).repeat(4) * 150.0
    for shot in range(SHOTS):
        rng = np.random.default_rng([person, int(camera), shot])
        tint = np.ones(3) if camera in "36" else rng.uniform(0.5, 1.0, 3)
        pixels = 40 + stripes[:, None, None] * tint + rng.normal(0, 12, (32, 16, 3 if camera not in "36" else 1))
        image = Image.fromarray(np.broadcast_to(pixels, (32, 16, 3)).clip(0, 255).astype(np.uint8))
        image.save(folder / f"{shot + 1:04d}.jpg", quality=95)
