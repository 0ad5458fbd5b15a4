"""A browser before the real service with a small gallery; what the page complains of fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from served_gallery import make_gallery, served

from tapetum.gallery.gallery import Gallery

expect.set_options(timeout=20_000)  # milliseconds; only a failure waits so long


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def gallery(tmp_path_factory, tiny_sysu: Path) -> Iterator[Gallery]:
    with make_gallery(tmp_path_factory.mktemp("page"), tiny_sysu) as gallery:
        yield gallery


@pytest.fixture(scope="session")
def address(gallery: Gallery) -> Iterator[str]:
    with served(gallery) as address:
        yield address


@pytest.fixture(scope="session")
def context(browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        yield context


@pytest.fixture
def complaints() -> list[str]:
    """What the page complained of; a test that provokes a refusal clears it."""
    return []


@pytest.fixture
def page(context, address: str, complaints: list[str]) -> Iterator[Page]:
    """The page in a tab of its own; it complains of errors, warnings and requests that go elsewhere."""
    inside = (address + "/", "blob:", "data:")
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(inside) else complaints.append(asked.url))
    page.goto(address)
    expect(page.locator("#gallery-facts")).not_to_be_empty()
    yield page
    page.close()
    assert complaints == []
