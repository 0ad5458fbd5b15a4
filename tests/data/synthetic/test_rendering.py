"""Pictures and their truth: what may depend on what, where a zip shows, and the pinned pixels of a tiny set."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tapetum.data.synthetic import PRESETS, Part, View, garments, make_identity, render, sample_view, sized
from tapetum.data.synthetic.identity import Identity
from tapetum.data.synthetic.rendering import render_image
from tapetum.data.synthetic.views import Occluder
from tapetum.errors import InputError

SPEC = PRESETS["small"]
PINNED = Path(__file__).parent / "pinned.png"
PINNED_HASH = "207e210b6bec43e9f3a976620583f0ace22968701450c6efaf46a001ce672e20"


def _view(person: int, camera: int, index: int = 1, size: tuple[int, int] = (160, 72)) -> tuple[Identity, View]:
    identity = make_identity(SPEC, person)
    return identity, sized(sample_view(SPEC, identity, camera, index), *size)


def _pinned_pictures() -> NDArray[np.uint8]:
    """Four persons (rows) seen by six cameras."""
    rows = []
    for person in range(1, 5):
        rows.append(np.concatenate([render_image(*_view(person, camera, size=(128, 56))) for camera in range(1, 7)], 1))
    return np.concatenate(rows, 0)


def test_pixels_are_those_of_the_pinned_set() -> None:
    drawn = _pinned_pictures()
    if hashlib.sha256(drawn.tobytes()).hexdigest() == PINNED_HASH:
        return
    differing = (np.asarray(Image.open(PINNED)) != drawn).any(axis=2).mean()
    assert differing <= 0.01, f"{differing:.1%} of the pixels changed: raise GENERATOR_VERSION and pin them anew"
    pytest.skip("other platform: the pixels are not bit for bit the pinned ones, but at most 1 % differ")


def test_the_pinned_picture_and_the_pinned_hash_agree() -> None:
    assert hashlib.sha256(np.asarray(Image.open(PINNED)).tobytes()).hexdigest() == PINNED_HASH


def test_the_part_map_does_not_depend_on_appearance_or_band() -> None:
    for person in range(10, 16):
        identity, view = _view(person, 1 + person % 6)
        _, truth = render(identity, view)
        for other in (
            make_identity(SPEC, person, appearance_of=99),
            make_identity(SPEC, person, near_infrared_of=98),
        ):
            assert (render(other, view)[1].part == truth.part).all()
        pictures = []
        for band in ("rgb", "nir", "thermal"):
            picture, same = render(identity, view, modality=band)
            assert (same.part == truth.part).all()
            assert same.keypoints == truth.keypoints
            pictures.append(picture)
        assert (pictures[0] != pictures[1]).any()
        assert (pictures[1] != pictures[2]).any()


def test_infrared_has_three_equal_channels_and_colour_does_not() -> None:
    colour, infrared = render_image(*_view(7, 1)), render_image(*_view(7, 3))
    assert (infrared[:, :, 0] == infrared[:, :, 1]).all()
    assert (infrared[:, :, 0] == infrared[:, :, 2]).all()
    assert (colour[:, :, 0] != colour[:, :, 2]).any()


def test_appearance_changes_colour_alone_and_near_infrared_changes_infrared_alone() -> None:
    for camera, override in ((3, {"appearance_of": 60}), (1, {"near_infrared_of": 60})):
        identity, view = _view(30, camera)
        plain = replace(identity.appearance, patterns=identity.appearance.patterns)
        other = make_identity(SPEC, 30, **override)
        # Where a pattern is drawn belongs to the appearance; keep it to see the rest.
        other = replace(other, appearance=replace(other.appearance, patterns=plain.patterns))
        assert (render_image(identity, view) == render_image(other, view)).all()


@pytest.mark.parametrize("yaw", [0.0, 40.0, -40.0, 75.0, 105.0, 140.0, 180.0, -140.0])
def test_a_zip_shows_from_the_front_alone(yaw: float, monkeypatch: pytest.MonkeyPatch) -> None:
    person = next(p for p in range(1, 99) if _closed_jacket(make_identity(SPEC, p)))
    identity, view = _view(person, 1, size=(256, 110))
    view = replace(view, yaw=yaw, occluder=None, bystander=None)
    with_zip = render_image(identity, view)
    monkeypatch.setattr(garments, "_fastening", lambda *_: None)
    assert bool((with_zip != render_image(identity, view)).any()) is (abs(yaw) < 90.0)


def test_an_open_front_shows_the_inner_garment_and_stays_trunk() -> None:
    person = next(p for p in range(1, 99) if _closed_jacket(make_identity(SPEC, p)))
    identity, view = _view(person, 1)
    view = replace(view, yaw=0.0, occluder=None, bystander=None)
    clothes = replace(identity.structure.clothes, open_front=True)
    opened = replace(identity, structure=replace(identity.structure, clothes=clothes))
    (closed_picture, closed), (opened_picture, open_) = render(identity, view), render(opened, view)
    assert (closed.part == open_.part).all()
    assert (closed_picture != opened_picture).any(axis=2).mean() > 0.02


def _closed_jacket(identity: Identity) -> bool:
    clothes = identity.structure.clothes
    return clothes.upper == "jacket" and not clothes.open_front and identity.structure.carried == "none"


def test_a_backpack_is_seen_from_behind_and_its_straps_from_the_front() -> None:
    person = next(p for p in range(1, 99) if make_identity(SPEC, p).structure.carried == "backpack")
    identity, view = _view(person, 1, size=(256, 110))
    view = replace(view, occluder=None, bystander=None, head_yaw=0.0)
    behind = render(identity, replace(view, yaw=180.0))[1].part == Part.BAG
    front = render(identity, replace(view, yaw=0.0))[1].part == Part.BAG
    assert behind.sum() > 4 * front.sum() > 0
    rows = np.flatnonzero(front.any(axis=1))
    assert rows.max() < 0.55 * 256  # straps end on the chest


def test_keypoints_lie_on_the_person_and_left_is_left() -> None:
    on_mask = total = 0
    for person in range(40, 60):
        identity, view = _view(person, 1 + person % 6, size=(192, 90))
        view = replace(view, occluder=None, bystander=None)
        _, truth = render(identity, view)
        mask = np.pad(truth.mask, 1)
        for point in truth.keypoints.values():
            if 0 <= point.x < 90 and 0 <= point.y < 192:
                total += 1
                column, row = int(point.x) + 1, int(point.y) + 1
                on_mask += mask[row - 1 : row + 2, column - 1 : column + 2].any()
    assert on_mask / total > 0.97
    identity, view = _view(41, 1)
    front = render(identity, replace(view, yaw=0.0))[1].keypoints
    back = render(identity, replace(view, yaw=180.0))[1].keypoints
    assert front["left_shoulder"].x > front["right_shoulder"].x  # facing us, its left is on our right
    assert back["left_shoulder"].x < back["right_shoulder"].x
    assert front["nose"].visible
    assert not back["nose"].visible


def test_depth_and_mask_belong_together_and_the_person_fills_the_crop() -> None:
    covered = []
    for person in range(70, 90):
        identity, view = _view(person, 1 + person % 6)
        _, truth = render(identity, replace(view, occluder=None, bystander=None))
        assert (np.isnan(truth.depth) == ~truth.mask).all()
        assert np.nanmax(np.abs(truth.depth)) < 0.6
        assert truth.part.max() <= Part.BAG
        covered.append(truth.mask.mean())
    assert 0.28 < np.mean(covered) < 0.5


def test_an_occluder_hides_and_is_marked() -> None:
    identity, view = _view(12, 1)
    clear = render(identity, replace(view, occluder=None))[1]
    hidden = render(identity, replace(view, occluder=Occluder("bottom", 1.0, 0.3)))[1]
    assert (hidden.part[-45:] == Part.OCCLUDER).all()
    assert (hidden.part[:100] == clear.part[:100]).all()
    assert not hidden.keypoints["left_ankle"].visible


def test_views_do_not_depend_on_how_many_there_are_and_stay_near_the_headings() -> None:
    identity = make_identity(SPEC, 8)
    assert sample_view(SPEC, identity, 2, 3) == sample_view(replace(SPEC, per_camera=50), identity, 2, 3)
    assert sample_view(SPEC, identity, 2, 3) != sample_view(SPEC, identity, 2, 4)
    strict = replace(SPEC, nuisance=replace(SPEC.nuisance, yaw_sd=0.0, yaw_any=0.0))
    yaws = {sample_view(strict, identity, 5, index).yaw for index in range(1, 30)}
    assert yaws == {80.0, -95.0, 15.0}
    with pytest.raises(InputError, match="no camera 7"):
        sample_view(SPEC, identity, 7, 1)


def test_pictures_of_native_size_have_the_sizes_of_the_views() -> None:
    identity = make_identity(SPEC, 9)
    view = sample_view(SPEC, identity, 4, 1)
    assert render_image(identity, view).shape == (view.framing.height, view.framing.width, 3)
    heights = [sample_view(SPEC, identity, camera, index).framing.height for camera in (1, 4) for index in range(1, 99)]
    assert 100 < min(heights) < max(heights) < 350
