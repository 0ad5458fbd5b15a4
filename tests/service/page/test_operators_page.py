"""The operators' page: query, filters, ranked list, marks, shortlist."""

from __future__ import annotations

import base64
import csv
from io import StringIO
from pathlib import Path

from page_steps import HITS, choose, last_search, picture, search, shown
from playwright.sync_api import expect

COUNT_OF_RGB = 40  # 5 persons, 4 RGB cameras, 2 pictures each


def test_the_page_opens_with_what_the_gallery_holds(page):
    expect(page.locator("#gallery-facts")).to_contain_text("60 crops · 6 cameras · 3 sites")
    expect(page.locator("#empty")).to_contain_text("A hit is a lead, not an identification.")
    expect(page.locator("#search")).to_be_disabled()
    expect(page.locator(".go")).to_contain_text("logged")


def test_a_chosen_infrared_crop_ranks_rgb_crops(page, tiny_sysu):
    with page.expect_file_chooser() as chooser:
        page.click("#choose")
    chooser.value.set_files(picture(tiny_sysu))
    expect(page.locator("[name=modality][value=ir]")).to_be_checked()  # its three channels are equal
    expect(page.locator("[name=among][value=rgb]")).to_be_checked()
    page.evaluate("document.getElementById('fold').value = 0")
    ids = search(page)
    assert shown(page, ".rank") == [str(rank) for rank in range(1, COUNT_OF_RGB + 1)]
    assert page.evaluate("[...document.querySelectorAll('#hits > li')].map((item) => item.hit.id)") == ids
    expect(page.locator("#answer-how")).to_contain_text("Exact: every crop")
    expect(page.locator("#answer-how")).to_contain_text("ms to embed")
    expect(page.locator("#meaning")).to_contain_text("Not calibrated")
    expect(page.locator(f"{HITS} img").first).to_have_js_property("naturalWidth", 16)


def test_a_crop_of_the_gallery_finds_itself_with_a_score_of_one(page, tiny_sysu):
    choose(page, picture(tiny_sysu, camera=1))
    expect(page.locator("[name=modality][value=rgb]")).to_be_checked()
    page.locator("[name=among][value=all]").check()
    search(page)
    first = page.locator(HITS).first
    expect(first.locator(".measure")).to_have_text("1.000 score")
    expect(first.locator(".place")).to_have_text("camera 1 · Gate")
    expect(first.locator(".time")).to_have_text("4 Mar 2026, 08:00:00")


def test_a_calibrated_gallery_says_how_often_the_first_hit_is_wrong(page, gallery, tiny_sysu):
    gallery.set_calibration({"score": [0.0], "probability": [0.3], "answers": 50})
    try:
        choose(page, picture(tiny_sysu))
        search(page)
    finally:
        gallery.set_calibration(None)
    expect(page.locator("#meaning")).to_contain_text("wrong in 70 % of searches")
    assert set(shown(page, ".measure b")) == {"30 %"}


DROP = """([selector, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], "crop.jpg", { type: "image/jpeg" }));
  const how = { bubbles: true, cancelable: true };
  const target = () => document.querySelector(selector);
  if (type === "paste") {
    return void document.dispatchEvent(new ClipboardEvent("paste", { ...how, clipboardData: given }));
  }
  for (const name of ["dragenter", "dragover", "drop"]) {
    target().dispatchEvent(new DragEvent(name, { ...how, dataTransfer: given }));
  }
}"""


def drop(page, path: Path, selector: str = "#drop", kind: str = "drop") -> None:
    page.evaluate(DROP, [selector, kind, base64.b64encode(path.read_bytes()).decode()])


def test_crops_are_dropped_and_pasted_and_a_new_person_begins_anew(page, gallery, tiny_sysu):
    drop(page, picture(tiny_sysu))
    expect(page.locator("#asked li")).to_have_count(1)
    drop(page, picture(tiny_sysu, shot=2), "[data-target=add]")
    expect(page.locator("#asked li")).to_have_count(2)
    drop(page, picture(tiny_sysu, shot=2), "#targets")  # beside both
    drop(page, picture(tiny_sysu, camera=6), kind="paste")
    expect(page.locator("#drop-words")).to_have_text("3 crops of one person ask as one.")
    search(page)
    assert len(last_search(gallery)["query"]) == 3
    page.locator(f"{HITS} button.right").first.click()
    drop(page, picture(tiny_sysu, person=13), "[data-target=new]")
    expect(page.locator("#asked li")).to_have_count(1)
    expect(page.locator("#empty")).to_be_visible()
    assert page.locator("#targets").is_hidden()


def test_cameras_and_times_narrow_the_search(page, tiny_sysu):
    choose(page, picture(tiny_sysu))
    page.click("#where summary")
    page.get_by_label("Car park").check()
    page.get_by_label("camera 5").uncheck()
    page.get_by_label("camera 1").check()
    page.click("#when summary")
    page.fill("#since", "2026-03-04T08:10:00")
    page.fill("#until", "2026-03-04T08:20:00")
    search(page)
    # Person 13 alone passes in these ten minutes: camera 1 at 8:10, camera 4 at 8:13.
    assert set(shown(page, ".place")) == {"camera 1 · Gate", "camera 4 · Car park"}
    assert all(time.startswith("4 Mar 2026, 08:1") for time in shown(page, ".time"))
    expect(page.locator("#where-words")).to_have_text("1, 4")


def test_nothing_found_says_so_and_offers_the_whole_gallery(page, tiny_sysu):
    choose(page, picture(tiny_sysu))
    page.click("#when summary")
    page.fill("#since", "2027-01-01T00:00:00")
    page.click("#search")
    expect(page.locator("#nothing")).to_contain_text("No crop of the gallery passes")
    page.click("#widen")
    expect(page.locator(HITS).first).to_be_visible()


def test_marks_ask_again(page, gallery, tiny_sysu):
    choose(page, picture(tiny_sysu))
    first = search(page)
    page.locator(f"{HITS} button.wrong").nth(0).click()
    page.locator(f"{HITS} button.right").nth(1).click()
    expect(page.locator("#marks-words")).to_have_text("Marked: 1 right, 1 wrong")
    again = search(page, "#again")
    asked = last_search(gallery)
    assert (asked["wrong"], asked["right"]) == ([first[0]], [first[1]])
    assert first[0] not in again
    expect(page.locator(f"{HITS}[data-mark=right]")).to_have_count(1)


def test_a_hit_asks_too(page, gallery, tiny_sysu):
    choose(page, picture(tiny_sysu))
    ids = search(page)
    page.locator(f"{HITS} button.ask").first.click()
    expect(page.locator("#asked li")).to_have_count(2)
    search(page)
    assert last_search(gallery)["ids"] == ids[:1]


def test_the_shortlist_is_saved(page, tiny_sysu):
    choose(page, picture(tiny_sysu))
    ids = search(page)
    for place in (0, 2):
        page.locator(f"{HITS} button.right").nth(place).click()
    rows = list(csv.DictReader(StringIO(saved(page, "csv"))))
    assert [int(row["id"]) for row in rows] == [ids[0], ids[2]]
    assert rows[0]["note"] == "seen <twice>"
    assert "seen &lt;twice&gt;" in saved(page, "html")


def saved(page, kind: str) -> str:
    page.click("#export")
    expect(page.locator("#export-right")).to_have_text("2 hits marked right")
    page.locator(f"[name=format][value={kind}]").check()
    page.fill("#export-note", "seen <twice>")
    with page.expect_download() as download:
        page.click("#export-go")
    assert download.value.suggested_filename.endswith(f".{kind}")
    return Path(download.value.path()).read_text(encoding="utf-8")
