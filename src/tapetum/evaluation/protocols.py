"""Which protocol a dataset is evaluated by, and the protocols that are short: RegDB, LLCM, own tables, validation.

SYSU-MM01's is in `sysu_protocol.py`, the mixed gallery in `mixed.py`. All are built from a table of crops; a trial
names rows of that table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from tapetum.core import Crop, IntArray, Modality, Protocol, Trial
from tapetum.data.sysu_mm01 import read_ids
from tapetum.errors import DataError, RecipeError, did_you_mean
from tapetum.evaluation import mixed
from tapetum.evaluation.draws import TRIALS, by_path, cameras_of, cells, codes, rows_of, single_shot
from tapetum.evaluation.metrics import CmcRule
from tapetum.evaluation.sysu_protocol import Draw, find_permutations, read_permutations, sysu_mm01

_ORDINARY_CMC = ("regdb", "pku_reid_74", "query_gallery", mixed.NAME)


def protocol_for(
    dataset: str,
    crops: Sequence[Crop],
    *,
    root: Path | None = None,
    draw: str = "official",
    permutations: Path | None = None,
    declared: tuple[Sequence[int], Sequence[int]] | None = None,
) -> Protocol:
    """The protocol of a dataset over its crops, chosen by the dataset's name.

    root: where SYSU-MM01's `exp` lies (id list, permutations); permutations: another place of rand_perm_cam.mat.
    declared: the query and the gallery rows of own data; None: infrared asks, RGB answers.
    draw: "official" or "agw", for SYSU-MM01 alone: the others have one rule each.
    Raises DataError for crops that do not fit, RecipeError for an unknown draw.
    """
    if dataset == "sysu_mm01":
        return sysu(crops, root=root, draw=draw, permutations=permutations)
    check_draw(draw)
    if dataset == "regdb":
        return regdb(crops)
    if dataset == "llcm":
        return llcm(crops)
    if dataset == "pku_reid_74":
        return pku_reid_74(crops)
    if declared is not None:
        return query_gallery(crops, *declared)
    return between_modalities(crops, Modality.IR)


def check_draw(draw: str) -> None:
    """Raise RecipeError for a draw that does not exist."""
    if draw not in get_args(Draw):
        raise RecipeError(f"no draw is called '{draw}'. {did_you_mean(draw, get_args(Draw))}")


def sysu(
    crops: Sequence[Crop],
    *,
    root: Path | None,
    draw: str = "official",
    permutations: Path | None = None,
    asking: Modality = Modality.IR,
) -> Protocol:
    """SYSU-MM01's protocol by the lists under `root`; without a root, every person of the crops is a test person.

    permutations: another place of rand_perm_cam.mat. asking: whose images are the queries.
    Raises as `protocol_for` does.
    """
    check_draw(draw)
    persons = read_ids(root, "test") if root else sorted({c.person for c in crops if c.person is not None})
    if draw == "agw":
        return sysu_mm01(crops, persons, None, "agw", asking)
    path = find_permutations(root or Path(), permutations)
    return sysu_mm01(crops, persons, read_permutations(path), "official", asking)


def cmc_rule(protocol: Protocol) -> CmcRule:
    """RegDB, PKU-Reid-74, own tables and the mixed gallery count the first match among images, the others persons."""
    return "images" if protocol.name in _ORDINARY_CMC else "identities"


def regdb(crops: Sequence[Crop]) -> Protocol:
    """RegDB: all visible against all thermal test images, and the other way; nothing hidden, one trial per model.

    Ten trials have ten splits and ten models; this is the one that the crops belong to.
    """
    visible, thermal = rows_of(crops, Modality.RGB), rows_of(crops, Modality.IR)
    settings = {
        "visible_to_thermal": (_filled(Trial(visible, thermal), "RegDB"),),
        "thermal_to_visible": (_filled(Trial(thermal, visible), "RegDB"),),
    }
    return Protocol("regdb", "none", settings)


def llcm(crops: Sequence[Crop]) -> Protocol:
    """LLCM: ten galleries of one image per person and camera, drawn by seed 0 ... 9; both directions.

    A gallery image of the query's own person in its own camera does not count.
    """
    groups = codes([crop.person for crop in crops], [crop.camera for crop in crops])
    directions = {"infrared_to_visible": Modality.RGB, "visible_to_infrared": Modality.IR}
    settings = {}
    for name, asked in directions.items():
        query = rows_of(crops, Modality.IR if asked is Modality.RGB else Modality.RGB)
        settings[name] = tuple(
            _grouped(query, gallery, groups, "LLCM") for gallery in _draws(crops, rows_of(crops, asked), 0, TRIALS)
        )
    return Protocol("llcm", "agw", settings)


def pku_reid_74(crops: Sequence[Crop]) -> Protocol:
    """PKU-Reid-74: grey crops of one camera ask, RGB crops of the other answer; one trial each way.

    Within a camera the grey crop and its RGB original are one picture, so nothing is asked there.
    """
    infrared, rgb = (rows_of(crops, modality) for modality in (Modality.IR, Modality.RGB))
    camera = np.array([crop.camera for crop in crops])
    settings = {
        f"camera_{one}_to_{other}": (
            _filled(Trial(infrared[camera[infrared] == one], rgb[camera[rgb] == other]), "PKU-Reid-74"),
        )
        for one, other in (("1", "2"), ("2", "1"))
    }
    return Protocol("pku_reid_74", "none", settings)


def query_gallery(crops: Sequence[Crop], query: Iterable[int], gallery: Iterable[int]) -> Protocol:
    """Own images: these rows ask, those answer, in one trial.

    A gallery image of the query's own person, camera and modality does not count: it is the query or its neighbour.
    Raises DataError for a row whose person is not known: nobody could say whether it is a match.
    """
    asking, answering = by_path(crops, query), by_path(crops, gallery)
    unknown = [crops[row].path for row in (*asking.tolist(), *answering.tolist()) if crops[row].person is None]
    if unknown:
        raise DataError(
            f"{unknown[0]} has no person ({len(unknown)} such rows). Name the person, or leave the row out."
        )
    groups = codes(
        [crop.person for crop in crops], [crop.camera for crop in crops], [crop.modality.value for crop in crops]
    )
    return Protocol("query_gallery", "none", {"all": (_grouped(asking, answering, groups, "the table"),)})


def between_modalities(crops: Sequence[Crop], asking: Modality) -> Protocol:
    """Own images by modality: every crop of `asking` asks, every crop of the other modality answers."""
    answering = Modality.RGB if asking is Modality.IR else Modality.IR
    return query_gallery(crops, rows_of(crops, asking).tolist(), rows_of(crops, answering).tolist())


def between_cameras(crops: Sequence[Crop], query: Collection[str], gallery: Collection[str]) -> Protocol:
    """Own images by camera: every crop of the query cameras asks, every crop of the gallery cameras answers."""
    cameras = {crop.camera for crop in crops}
    for camera in (*query, *gallery):
        if camera not in cameras:
            raise DataError(f"no crop is of camera '{camera}'. {did_you_mean(camera, cameras)}")
    sides = ([row for row, crop in enumerate(crops) if crop.camera in side] for side in (query, gallery))
    return query_gallery(crops, *sides)


def validation(crops: Sequence[Crop], locations: Mapping[str, str], *, seed: int = 0, trials: int = TRIALS) -> Protocol:
    """What training selects by: infrared crops ask, one RGB crop per person and camera answers, in several draws.

    locations: camera -> place (a camera that is absent stands alone); a gallery image at the query's place does not
    count. Trial t is drawn by seed + t. On SYSU-MM01's validation persons this is camera 3 against cameras 4 and 5.
    """
    groups = codes([locations.get(crop.camera, crop.camera) for crop in crops])
    query = rows_of(crops, Modality.IR)
    drawn = _draws(crops, rows_of(crops, Modality.RGB), seed, trials)
    settings = {"validation": tuple(_grouped(query, gallery, groups, "the validation split") for gallery in drawn)}
    return Protocol("validation", "agw", settings)


def _draws(crops: Sequence[Crop], rows: IntArray, seed: int, trials: int) -> list[IntArray]:
    folders = cells(crops, rows.tolist())
    persons, cameras = {person for _, person in folders}, cameras_of(crops, rows.tolist())
    return [single_shot(folders, persons, cameras, seed + trial) for trial in range(trials)]


def _grouped(query: IntArray, gallery: IntArray, groups: IntArray, what: str) -> Trial:
    return _filled(Trial(query, gallery, groups[query], groups[gallery]), what)


def _filled(trial: Trial, what: str) -> Trial:
    if len(trial.query) == 0 or len(trial.gallery) == 0:
        raise DataError(
            f"{what} has {len(trial.query)} queries and {len(trial.gallery)} gallery images. Both need at least one:"
            " give crops of both modalities, with their persons."
        )
    return trial
