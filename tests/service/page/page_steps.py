"""What an operator does again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import expect
from served_gallery import PERSONS

from tapetum.gallery.audit import read_audit
from tapetum.gallery.gallery import Gallery

HITS = "#hits > li"


def picture(tiny_sysu: Path, camera: int = 3, person: int = PERSONS[0], shot: int = 1) -> Path:
    return tiny_sysu / f"cam{camera}" / f"{person:04d}" / f"{shot:04d}.jpg"


def choose(page, *paths: Path) -> None:
    before = page.locator("#asked li").count()
    page.set_input_files("#file", paths)
    expect(page.locator("#asked li")).to_have_count(before + len(paths))


def search(page, button: str = "#search") -> list[int]:
    """Press Search; the ids of the answer, as the service sent them."""
    with page.expect_response("**/api/search") as answer:
        page.click(button)
    ids = [hit["id"] for hit in answer.value.json()["hits"]]
    expect(page.locator(HITS)).to_have_count(len(ids))
    return ids


def last_search(gallery: Gallery) -> dict[str, Any]:
    """What the audit log says of the last search."""
    return [entry for entry in read_audit(gallery.folder) if entry["action"] == "search"][-1]


def shown(page, selector: str) -> list[str]:
    return page.locator(f"{HITS} {selector}").all_inner_texts()
