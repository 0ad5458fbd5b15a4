"""Every way in which an image can be broken, or be another thing than the table says, is told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import draw
from PIL import Image

from tapetum.core import Crop, Modality
from tapetum.data.findings import Finding, Severity
from tapetum.data.image_check import images_of, open_all

RGB, IR = frozenset({Modality.RGB}), frozenset({Modality.IR})


def only_finding(path: Path, modalities: frozenset[Modality]) -> tuple[str, str]:
    (finding,) = open_all([(path, modalities)], workers=1)
    assert finding.path == str(path)
    return finding.severity, finding.sentence


def test_good_images(tmp_path: Path) -> None:
    items = [
        (draw(tmp_path / "colour.jpg", colour=True), RGB),
        (draw(tmp_path / "grey.jpg", colour=False), IR),
        (draw(tmp_path / "one_channel.bmp", colour=False, mode="L"), IR),
        (draw(tmp_path / "pseudo.png", colour=True), RGB | IR),
    ]
    assert open_all(items, workers=1) == []


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
@pytest.mark.parametrize("kept", [0.4, 0.75])
@pytest.mark.parametrize("modalities", [RGB, RGB | IR])
def test_truncated(tmp_path: Path, suffix: str, kept: float, modalities: frozenset[Modality]) -> None:
    path = draw(tmp_path / f"cut{suffix}", colour=True)
    noise = Image.effect_noise((64, 128), 60).convert("RGB")
    noise.save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    severity, sentence = only_finding(path, modalities)
    assert severity == "error"
    assert sentence.startswith("is broken or cut off (")
    assert sentence.endswith("). Copy it again.")


def test_empty_foreign_and_absent(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("<html>not found</html>")
    assert only_finding(tmp_path / "empty.jpg", RGB) == ("error", "is empty (0 bytes). Copy it again.")
    assert only_finding(tmp_path / "text.jpg", RGB)[1].startswith("is not an image in any known format.")
    assert only_finding(tmp_path / "absent.jpg", RGB)[1].startswith("does not exist.")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    draw(tmp_path / "locked.jpg", colour=True)
    monkeypatch.setattr(Image, "open", refuse)  # an administrator's tests may read every real file
    assert only_finding(tmp_path / "locked.jpg", RGB)[1].startswith("cannot be read: permission denied.")


@pytest.mark.parametrize(
    ("mode", "suffix", "modality", "told"),
    [
        ("L", ".jpg", RGB, "has mode L, and rgb images have RGB. Convert it to 8-bit RGB."),
        ("CMYK", ".jpg", RGB, "has mode CMYK, and rgb images have RGB. Convert it to 8-bit RGB."),
        ("RGBA", ".png", RGB, "has mode RGBA, and rgb images have RGB. Convert it to 8-bit RGB."),
        ("P", ".png", RGB, "has mode P, and rgb images have RGB. Convert it to 8-bit RGB."),
        ("1", ".png", IR, "has mode 1, and ir images have RGB or L. Convert it to 8-bit RGB."),
        ("I;16", ".png", IR, "has mode I;16, and ir images have RGB or L. Convert it to 8-bit RGB."),
        ("L", ".png", RGB | IR, "has mode L, and rgb images have RGB. Convert it to 8-bit RGB."),
    ],
)
def test_wrong_mode(tmp_path: Path, mode: str, suffix: str, modality: frozenset[Modality], told: str) -> None:
    path = draw(tmp_path / f"image{suffix}", colour=False, mode="L")
    Image.open(path).convert(mode).save(path)
    assert only_finding(path, modality) == ("error", told)


def test_colour_where_none_belongs_and_none_where_it_belongs(tmp_path: Path) -> None:
    grey = draw(tmp_path / "grey.jpg", colour=False)
    colour = draw(tmp_path / "colour.png", colour=True)
    assert only_finding(grey, RGB) == ("warning", "is an rgb image without any colour. Is it an infrared one?")
    severity, sentence = only_finding(colour, IR)
    assert severity == "warning"
    # Orange steps v * (1, 0.6, 0.2), v = 0 ... 248: max - min is 0.8 v, on average 0.8 x 124 = 99.
    assert sentence == "is an ir image in colour (channels 99 of 255 apart). Is it an rgb one?"


def test_two_workers_find_the_same_and_progress_counts(tmp_path: Path) -> None:
    items = [(draw(tmp_path / f"{n:03d}.jpg", colour=True), RGB) for n in range(200)]
    broken = [items[3][0], items[199][0]]
    for path in broken:
        path.write_bytes(b"")
    told: list[tuple[int, int]] = []
    findings = open_all(items, workers=2, progress=lambda done, total: told.append((done, total)))
    assert findings == open_all(items, workers=1)
    assert findings == [Finding(Severity.ERROR, str(path), "is empty (0 bytes). Copy it again.") for path in broken]
    assert told == [(64, 200), (128, 200), (192, 200), (200, 200)]


def test_a_picture_listed_twice_is_opened_once(tmp_path: Path) -> None:
    crops = [
        Crop("a.png", 1, "1", Modality.RGB),
        Crop("b.png", 1, "1", Modality.IR),
        Crop("a.png", 1, "1", Modality.IR),
    ]
    assert images_of(tmp_path, crops) == [(tmp_path / "a.png", RGB | IR), (tmp_path / "b.png", IR)]
