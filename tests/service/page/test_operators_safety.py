"""The operators' page: errors, hostile names, the content policy, the key."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from page_steps import HITS, choose, picture, search, shown
from playwright.sync_api import expect

from tapetum.gallery.gallery import Gallery
from tapetum.gallery.keys import KeyRing


def test_a_range_that_ends_before_it_begins_is_refused_on_the_page(page, tiny_sysu):
    choose(page, picture(tiny_sysu))
    page.click("#when summary")
    page.fill("#since", "2026-03-04T09:00:00")
    page.fill("#until", "2026-03-04T08:00:00")
    page.click("#search")
    expect(page.get_by_role("alert")).to_contain_text("ends before it begins")


def test_what_is_no_picture_is_refused_before_it_is_sent(page, tmp_path):
    (tmp_path / "list.jpg").write_text("no picture")
    page.set_input_files("#file", tmp_path / "list.jpg")
    expect(page.get_by_role("alert")).to_contain_text("'list.jpg' cannot be read as a picture")
    expect(page.locator("#search")).to_be_disabled()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("alert")).to_be_empty()


def test_the_services_refusal_is_shown(page, tiny_sysu, tmp_path, complaints):
    (tmp_path / "two.jpg").write_bytes(picture(tiny_sysu).read_bytes() + b"<p>a page")  # a browser shows the picture
    choose(page, tmp_path / "two.jpg")
    page.click("#search")
    expect(page.get_by_role("alert")).to_contain_text("Picture 1 has 9 bytes of something else behind the picture")
    expect(page.locator("#empty")).to_be_visible()
    assert any("415" in complaint for complaint in complaints)
    complaints.clear()


def test_a_service_that_is_busy_or_gone_is_asked_again(page, tiny_sysu, complaints):
    choose(page, picture(tiny_sysu))
    page.route("**/api/search", lambda route: route.abort(), times=1)
    page.click("#search")
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer")
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "json": {"error": "the line is full. Ask again."}}
    page.route("**/api/search", lambda route: route.fulfill(**busy), times=1)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("The line is full")
    expect(page.get_by_role("button", name="Try again")).to_be_disabled()
    page.get_by_role("button", name="Try again").click()  # once the second is over
    expect(page.locator(HITS).first).to_be_visible()
    expect(page.get_by_role("alert")).to_be_empty()
    complaints.clear()


def test_names_from_outside_stay_text(page, tiny_sysu):
    page.click("#where summary")
    expect(page.locator("#cameras")).to_contain_text("<b>Yard</b>")
    choose(page, picture(tiny_sysu, camera=1))
    search(page)
    assert "camera 6 · <b>Yard</b>" in shown(page, ".place")
    assert page.locator("main .place b, #cameras b").count() == 0


def test_the_policy_holds(page, address, complaints):
    policy = page.request.get(address).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe|https?:|\*", policy)
    assert (
        page.evaluate("""() => {
      try { document.body.innerHTML = "<p>"; return "parsed"; } catch (error) { return error.name; }
    }""")
        == "TypeError"
    )  # trusted types: no string becomes HTML
    assert (
        page.evaluate("""() => new Promise((done) => {
      document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
      document.body.append(Object.assign(new Image(), { src: "http://127.0.0.1:9/elsewhere.png" }));
    })""")
        == "img-src"
    )
    complaints.clear()


@pytest.fixture
def key(page, gallery: Gallery) -> Iterator[str]:
    yield KeyRing(gallery.folder).add("operator", "search")
    (gallery.folder / "keys.json").unlink()  # a revoked key would leave the gallery closed to the other tests


def test_the_key_stays_in_the_tab(page, key, tiny_sysu, complaints):
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("This service needs a key")
    enter_key(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("does not know this key")
    enter_key(page, key)
    expect(page.locator("#gallery-facts")).to_contain_text("60 crops")
    choose(page, picture(tiny_sysu))
    search(page)
    expect(page.locator(f"{HITS} img").first).to_have_js_property("naturalWidth", 16)
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
    assert key not in page.content()
    page.click("#open-key")
    page.click("#key-remove")
    expect(page.get_by_role("alert")).to_contain_text("needs a key")
    assert page.evaluate("sessionStorage.length") == 0
    assert all("401" in complaint for complaint in complaints)
    complaints.clear()


def enter_key(page, key: str) -> None:
    page.get_by_role("button", name="Enter a key").click()
    page.fill("#key", key)
    page.keyboard.press("Enter")
