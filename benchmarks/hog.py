"""The handcrafted floor: HOG vectors of a dataset's crops, in a file that `tapetum evaluate` tests.

    python benchmarks/hog.py ROOT OUTPUT.parquet [--dataset NAME] [--option NAME=VALUE] [--split test]
        [--height 128] [--width 64]

Histograms of oriented gradients of the grey picture (Dalal and Triggs, 2005), with their parameters: cells of 8 x 8
pixels, 9 unsigned directions, blocks of 2 x 2 cells, clipped norm (L2-Hys); 3,780 values for 128 x 64. Nothing is
learnt. Needs scikit-image: pip install 'tapetum[benchmarks]'.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from skimage.feature import hog

from tapetum.core import Dataset, VectorArray
from tapetum.data.catalogue import guess_dataset, read_dataset
from tapetum.data.decoding import Pixels, decode
from tapetum.data.transforms import luminance
from tapetum.embedding_table import EmbeddingTable, write_embeddings
from tapetum.errors import DataError, TapetumError
from tapetum.options import reader_options
from tapetum.outputs import check_place, made_by

CELL, BLOCK, DIRECTIONS = 8, 2, 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--dataset", help="guessed from the root when left out")
    parser.add_argument("--option", action="append", help="what the dataset's reader takes, such as trial=3")
    parser.add_argument("--split", default="test")
    parser.add_argument("--height", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    given = parser.parse_args()
    try:
        check_place(given.output)
        name = given.dataset or guess_dataset(given.root)
        dataset = read_dataset(name, given.root, **reader_options(given.option))
        write_embeddings(given.output, hog_table(dataset, given.split, (given.height, given.width)))
    except TapetumError as error:
        sys.exit(f"hog: {error}")
    print(f"The vectors are in {given.output}. Next: tapetum evaluate {given.output}")


def hog_table(dataset: Dataset, split: str = "test", size: tuple[int, int] = (128, 64)) -> EmbeddingTable:
    """HOG vectors of one split's crops at `size` = (H, W).

    Raises DataError for a broken picture, an empty split, and a size with fewer than two cells a side.
    """
    height, width = size
    if min(size) < BLOCK * CELL:
        raise DataError(
            f"a picture of {height} x {width} holds no block. Give {BLOCK * CELL} x {BLOCK * CELL} or more."
        )
    crops = tuple(dataset.crops[row] for row in dataset.rows(split))
    if not crops:
        raise DataError(f"split '{split}' of {dataset.root} holds no crop. Give another split.")
    vectors = np.stack([hog_vector(decode(dataset.root / crop.path, crop.modality, size)) for crop in crops])
    record = made_by(
        fingerprint=f"hog-{height}x{width}-{CELL}-{BLOCK}-{DIRECTIONS}",
        method="hog",
        height=height,
        width=width,
        dataset=dataset.name,
        title=dataset.title,
        root=str(dataset.root.resolve()),
        options=dict(dataset.options),
        split=split,
        left_out=[],
    )
    return EmbeddingTable(vectors, crops, record)


def hog_vector(pixels: Pixels) -> VectorArray:
    """(3, H, W) uint8 -> (D,) float32, D = 36 for each of (H/8 - 1) (W/8 - 1) blocks."""
    cells, blocks = (CELL, CELL), (BLOCK, BLOCK)
    found = hog(luminance(pixels), DIRECTIONS, pixels_per_cell=cells, cells_per_block=blocks, block_norm="L2-Hys")
    return np.asarray(found, dtype=np.float32)


if __name__ == "__main__":
    main()
