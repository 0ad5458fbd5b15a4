"""The files beside the pictures: split lists, gallery draws and attributes, in the public datasets' form."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.io import savemat

from tapetum.data.synthetic.identity import make_identity
from tapetum.data.synthetic.pictures import camera_numbers, picture_path
from tapetum.data.synthetic.random_keys import Stream
from tapetum.data.synthetic.specification import SynthesisSpec
from tapetum.outputs import atomic_file

_TRIALS = 10
_MAT_HEADER = b"MATLAB 5.0 MAT-file, Platform: any, Created by: tapetum data synthesize".ljust(116)


def write_lists(spec: SynthesisSpec, out: Path) -> None:
    """Write the split lists (and SYSU-MM01's gallery draw) and `attributes.csv`."""
    if spec.mode == "sysu":
        _write_sysu_lists(spec, out)
    else:
        _write_regdb_lists(spec, out)
    _write(out / "attributes.csv", attributes_csv(spec).encode())


def _write(path: Path, content: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def _write_sysu_lists(spec: SynthesisSpec, out: Path) -> None:
    for split, ids in spec.split_ids().items():
        # One line, comma-separated, as the common readers split it.
        line = ",".join(str(person) for person in ids)
        _write(out / "exp" / f"{split}_id.txt", (line + "\n").encode())
    _write(out / "exp" / "rand_perm_cam.mat", gallery_draw(spec))


def gallery_draw(spec: SynthesisSpec) -> bytes:
    """`rand_perm_cam.mat` in the official form: a 6 x 1 cell of cells, one per id up to the largest.

    Each holds 10 x n uint8 or uint16: ten permutations of the 1-based numbers of that person's n images there.
    """
    cells = np.empty((6, 1), object)
    for camera in range(1, 7):
        inner = np.empty((spec.persons, 1), object)
        for person in range(1, spec.persons + 1):
            count = spec.per_camera if camera in camera_numbers(spec, person) else 0
            inner[person - 1, 0] = _permutations(spec.seed, camera, person, count)
        cells[camera - 1, 0] = inner
    stream = io.BytesIO()
    savemat(cast(Any, stream), {"rand_perm_cam": cells}, do_compression=True)
    # scipy writes the time of day into the header's text.
    return _MAT_HEADER + stream.getvalue()[len(_MAT_HEADER) :]


def _permutations(seed: int, camera: int, person: int, count: int) -> np.ndarray[Any, np.dtype[Any]]:
    stream = Stream(seed, "gallery", camera, person)
    rows = [[place + 1 for place in stream.shuffled(count)] for _ in range(_TRIALS)]
    return np.array(rows, np.uint8 if count < 256 else np.uint16).reshape(_TRIALS, count)


def _write_regdb_lists(spec: SynthesisSpec, out: Path) -> None:
    """Ten trials, each with its own draw of train and test persons; labels count from 0 within a list.

    RegDB has no validation persons: they count as training persons here.
    """
    for trial in range(1, _TRIALS + 1):
        order = [place + 1 for place in Stream(spec.seed, "trial", trial).shuffled(spec.persons)]
        test = sorted(order[: spec.test])
        train = sorted(order[spec.test :])
        for split, persons in (("train", train), ("test", test)):
            for camera, band in ((1, "visible"), (2, "thermal")):
                lines = [
                    f"{picture_path(spec, person, camera, index)} {label}\n"
                    for label, person in enumerate(persons)
                    for index in range(1, spec.per_camera + 1)
                ]
                _write(out / "idx" / f"{split}_{band}_{trial}.txt", "".join(lines).encode())


def attributes_csv(spec: SynthesisSpec) -> str:
    """One line per person: id, split ("sysu"), and the structure: kinds, measures, yes (1) or no (0)."""
    split_of = {person: split for split, ids in spec.split_ids().items() for person in ids}
    rows: list[dict[str, Any]] = []
    for person in range(1, spec.persons + 1):
        structure = asdict(make_identity(spec, person).structure)
        facts = {**structure.pop("body"), **structure.pop("clothes"), **structure}
        split = {"split": split_of[person]} if spec.mode == "sysu" else {}
        rows.append({"person": person, **split, **{name: _plain(value) for name, value in facts.items()}})
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    return round(value, 4) if isinstance(value, float) else value
