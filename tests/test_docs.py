"""The docs name every command, option, dataset, method, setting and recipe, and their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from tapetum.cli import app
from tapetum.data.catalogue import dataset_names
from tapetum.methods.method import find_method, method_names

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
COMMANDS = DOCS / "commands.md"
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def commands(group=None, path="tapetum") -> dict[str, list[str]]:
    """ "tapetum data check" -> its long option names, from the command line itself."""
    group = group or typer.main.get_command(app)
    if not hasattr(group, "commands"):
        return {path: [name for parameter in group.params for name in parameter.opts if name.startswith("--")]}
    found: dict[str, list[str]] = {}
    for name, command in group.commands.items():
        found |= commands(command, f"{path} {name}")
    return found


def section(page: str, command: str) -> str:
    """What stands under a command's heading, up to the next one."""
    (text,) = [part for part in re.split(r"^## ", page, flags=re.MULTILINE) if part.startswith(f"`{command} ")]
    return text


def anchor(heading: str) -> str:
    """The name by which a heading is linked to on a code host."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, part = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not part or not target.exists():
        return target.exists()
    return part in map(anchor, _HEADING.findall(target.read_text(encoding="utf-8")))


def test_the_command_line_is_seen_whole():
    assert set(commands()) == {
        "tapetum data check", "tapetum data synthesize", "tapetum train", "tapetum embed", "tapetum evaluate",
        "tapetum compare", "tapetum search", "tapetum serve", "tapetum report",
        "tapetum index", "tapetum gallery info", "tapetum gallery verify", "tapetum gallery delete",
        "tapetum gallery forget", "tapetum gallery retain", "tapetum gallery export", "tapetum gallery rebuild",
        "tapetum gallery migrate", "tapetum audit verify", "tapetum audit show", "tapetum key add", "tapetum key list",
        "tapetum key revoke",
    }  # fmt: skip
    assert {"--folder", "--skip-broken"} <= set(commands()["tapetum embed"])


@pytest.mark.parametrize("command", commands())
def test_every_option_is_in_its_commands_section(command):
    text = section(COMMANDS.read_text(encoding="utf-8"), command)
    missing = [name for name in commands()[command] if not re.search(rf"{name}(?![\w-])", text)]
    assert not missing, f"docs/commands.md says nothing of {missing} under {command}"


@pytest.mark.parametrize("command", commands())
def test_every_command_has_an_example_with_options_that_exist(command):
    text = section(COMMANDS.read_text(encoding="utf-8"), command).replace("\\\n", " ")
    examples = [line for line in text.splitlines() if line.startswith(command)]
    assert examples, f"docs/commands.md has no example of {command}"
    for example in examples:
        unknown = {word for word in shlex.split(example) if word.startswith("--")} - set(commands()[command])
        assert not unknown, f"{example} has options that do not exist: {unknown}"


def test_options_that_the_docs_speak_of_exist():
    known = {name for names in commands().values() for name in names} | {"--help", "--version"}
    spoken = {
        (page.name, option)
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if "tapetum" in line
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line.split("#")[0])
    }
    assert not {(page, option) for page, option in spoken if option not in known}


def test_every_dataset_is_in_the_docs():
    page = (DOCS / "datasets.md").read_text(encoding="utf-8")
    assert not [name for name in dataset_names() if f"`{name}`" not in page]


@pytest.mark.parametrize("name", method_names())
def test_every_method_has_a_page_that_names_each_setting(name):
    page = (DOCS / "methods" / f"{name}.md").read_text(encoding="utf-8")
    missing = [setting for setting in find_method(name).Settings.model_fields if f"`{setting}`" not in page]
    assert not missing, f"docs/methods/{name}.md says nothing of {missing}"


def test_every_recipe_is_in_the_docs():
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    recipes = sorted((ROOT / "recipes").rglob("*.yaml"))
    assert recipes
    missing = [recipe.name for recipe in recipes if not re.search(rf"(?<![\w-]){re.escape(recipe.name)}", everything)]
    assert not missing, f"no page of the docs mentions {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if not re.match(r"https?:|mailto:", link)]
    broken = [link for link in links if not leads_somewhere(page, link)]
    assert not broken, f"{page.relative_to(ROOT)} links to what is not there: {broken}"
