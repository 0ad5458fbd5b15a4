"""The ranked list in the terminal."""

from __future__ import annotations

from rich.console import Console

from tapetum.core import Crop, Modality
from tapetum.gallery.search import Hit
from tapetum.report.hits import render_hits
from tapetum.report.strips import Strip


def lines(strip: Strip, width: int = 100) -> list[str]:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(render_hits(strip))
    return [line.strip() for line in console.export_text().splitlines() if line.strip()]


def crop(path: str, person: int | None, modality: Modality = Modality.RGB) -> Crop:
    return Crop(path, person, "1", modality)


def test_rank_score_mark_person_camera_and_path():
    hits = [Hit(1, 4, crop("cam1/0007/0001.jpg", 7), 0.98765), Hit(2, 9, crop("cam1/0008/0002.jpg", 8), -0.5)]
    text = lines(Strip(Crop("q.jpg", 7, "3", Modality.IR), hits))
    assert text[0] == "q.jpg (infrared, camera 3, person 7)"
    assert text[1].split() == ["rank", "score", "person", "camera", "crop"]
    assert text[-2].split() == ["1", "0.988", "✓", "7", "1", "cam1/0007/0001.jpg"]
    assert text[-1].split() == ["2", "-0.500", "✗", "8", "1", "cam1/0008/0002.jpg"]


def test_whom_nobody_knows_gets_a_question_mark():
    text = lines(Strip(crop("q.jpg", None), [Hit(1, 0, crop("a.jpg", 3), 0.5), Hit(2, 1, crop("b.jpg", None), 0.25)]))
    assert text[0] == "q.jpg (visible, camera 1, person unknown)"
    assert text[-2].split() == ["1", "0.500", "?", "3", "1", "a.jpg"]
    assert text[-1].split() == ["2", "0.250", "?", "?", "1", "b.jpg"]


def test_paths_are_never_cut_or_taken_for_markup():
    path = "cam1/[bold]/" + "x" * 120 + ".jpg"
    text = "".join(lines(Strip(crop("q.jpg", 1), [Hit(1, 0, crop(path, 1), 0.5)]), width=60))
    assert "[bold]" in text
    assert text.count("x") == 120
