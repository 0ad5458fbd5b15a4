"""The operators' page: keyboard, comparison, timeline, narrow screens, colours."""

from __future__ import annotations

import pytest
from page_steps import HITS, choose, picture, search
from playwright.sync_api import expect


def test_everything_is_done_by_keys(page, tiny_sysu):
    page.evaluate("document.getElementById('file').addEventListener('click', () => { window.opened = true; })")
    page.keyboard.press("o")
    assert page.evaluate("window.opened")
    page.set_input_files("#file", picture(tiny_sysu))
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Enter")
    first = page.locator(f"{HITS} article").first
    expect(first).to_be_focused()
    for key in ("w", "ArrowRight", "r", "ArrowDown"):
        page.keyboard.press(key)
    marks = page.evaluate("[...document.querySelectorAll('#hits > li')].map((item) => item.dataset.mark)")
    assert marks[:3] == ["wrong", "right", ""]
    columns = page.evaluate("getComputedStyle(document.getElementById('hits')).gridTemplateColumns.split(' ').length")
    expect(page.locator(f"{HITS} article").nth(1 + columns)).to_be_focused()
    page.keyboard.press("c")
    expect(page.locator("#compare")).to_be_visible()
    expect(page.locator("#compare-left-picture")).to_have_attribute("alt", "query 1")
    for key in ("p", "ArrowRight", "r", "Escape"):
        page.keyboard.press(key)
    expect(page.locator(f"{HITS} article").nth(3 + columns)).to_be_focused()
    expect(page.locator(f"{HITS}[data-mark=right]")).to_have_count(2)
    page.keyboard.press("t")
    expect(page.locator("#timeline")).to_be_visible()
    page.keyboard.press("l")
    page.keyboard.press("e")
    expect(page.locator("#export-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    with page.expect_response("**/api/search"):
        page.keyboard.press("f")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.locator("#keys-on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator("#export-dialog")).to_be_hidden()


def test_tab_reaches_the_current_hit_alone_and_shows_where_it_is(page, tiny_sysu):
    choose(page, picture(tiny_sysu))
    search(page)
    assert page.locator(f"{HITS} article[tabindex='0']").count() == 1
    assert page.locator(f"{HITS} button[tabindex='0']").count() == 4
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_two_crops_stand_side_by_side(page, tiny_sysu):
    choose(page, picture(tiny_sysu))
    search(page)
    page.locator(f"{HITS} button.beside").nth(1).click()
    expect(page.locator("#compare-left-picture")).to_have_js_property("naturalWidth", 16)
    expect(page.locator("#compare-right option:checked")).to_have_text("hit 2")
    page.select_option("#compare-left", "hit 1")
    expect(page.locator("#compare-left-facts")).to_contain_text("4 Mar 2026")
    expect(page.locator("#compare-between")).to_contain_text("between them")
    page.click("#compare-mark-wrong")
    expect(page.locator("#compare-mark-wrong")).to_have_attribute("aria-pressed", "true")


def test_the_timeline_joins_what_was_marked_in_order_of_time(page, tiny_sysu):
    choose(page, picture(tiny_sysu))
    search(page)
    for place in range(8):
        page.locator(f"{HITS} button.right").nth(place).click()
    page.click("#view-timeline")
    page.evaluate("const f = document.getElementById('floor'); f.value = f.max; f.dispatchEvent(new Event('input'))")
    points = page.locator("#chart .walk").get_attribute("points").split()
    across = [float(point.split(",")[0]) for point in points]
    assert len(across) == 8
    assert across == sorted(across)
    times = page.locator("#chart-rows button").all_inner_texts()
    assert times == sorted(times)
    ranks = page.locator("#chart-rows td:nth-child(4)").all_inner_texts()
    assert ranks != sorted(ranks)  # the order of the list is another
    page.click("#follow")
    expect(page.locator("[name=among][value=all]")).to_be_checked()
    page.locator("#chart-rows button").first.click()
    expect(page.locator("#compare")).to_be_visible()


def test_a_narrow_screen_needs_no_scrolling_sideways(page, tiny_sysu):
    page.set_viewport_size({"width": 360, "height": 740})
    choose(page, picture(tiny_sysu))
    search(page)
    for button in ("", "#view-timeline", "#view-list", "#open-help"):
        if button:
            page.click(button)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    small = page.evaluate(
        "[...document.querySelectorAll('button:not(.link)')].filter((b) => b.checkVisibility() &&"
        " Math.min(b.offsetWidth, b.offsetHeight) < 24).map((b) => b.id || b.className)"
    )
    assert small == []  # WCAG 2.2, size of targets


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read(page, scheme):
    page.emulate_media(color_scheme=scheme)
    colours = page.evaluate(
        "Object.fromEntries(['paper', 'raised', 'ink', 'faint', 'accent', 'right', 'wrong'].map((name) => [name,"
        " getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim()]))"
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == as_rgb(colours["paper"])
    light = {name: luminance(value) for name, value in colours.items()}
    assert (light["paper"] > light["ink"]) == (scheme == "light")
    pairs = [("ink", "paper"), ("faint", "paper"), ("faint", "raised"), ("accent", "paper"), ("accent", "raised")]
    for front, ground in [*pairs, ("right", "paper"), ("wrong", "paper")]:
        low, high = sorted((light[front], light[ground]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (front, ground)  # WCAG 2.2, contrast of text


def as_rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
