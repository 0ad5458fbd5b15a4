"""Recipes: read, changed from the command line, and refused with file, path and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapetum.errors import RecipeError
from tapetum.recipe import read_recipe

SMALL = """
method: two_stream
settings: {trunk: resnet18}
data: {dataset: sysu_mm01}
optimisers: {model: {learning_rate: 0.1}}
"""


@pytest.fixture
def recipe(tmp_path) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(SMALL)
    return path


def test_defaults_and_changes(recipe):
    read = read_recipe(recipe, ["schedule.epochs=3", "settings.width=16", "data.options.trial=2", "validation=null"])
    assert read.schedule.epochs == 3
    assert read.settings == {"trunk": "resnet18", "width": 16}
    assert read.data.options == {"trial": 2}
    assert read.validation is None
    assert (read.image.height, read.image.width, read.batch.persons, read.batch.crops) == (288, 144, 8, 4)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("schedule.epoch=3", "unknown setting 'schedule.epoch'. Did you mean 'epochs'"),
        ("optimisers.model.learningrate=1", "unknown setting 'optimisers.model.learningrate'"),
        ("image.height=tall", "image.height = 'tall'"),
        ("batch.persons=1", "batch.persons = 1"),
        ("seed=-1", "seed = -1"),
        ("data.split=test", "test.* is for `tapetum evaluate` alone"),
        ("schedule.epochs", "expected NAME=VALUE"),
        ("method.name.x=1", "'method' has no settings inside it"),
        ("image.height=[1", "the value is not YAML"),
    ],
)
def test_wrong_entries_are_named(recipe, change, sentence):
    with pytest.raises(RecipeError, match=sentence):
        read_recipe(recipe, [change])


def test_a_missing_entry_is_named(recipe):
    recipe.write_text("method: two_stream\noptimisers: {}\n")
    with pytest.raises(RecipeError, match=r"r.yaml: 'data' is missing. Add it, or pass --set data=VALUE"):
        read_recipe(recipe)


@pytest.mark.parametrize(
    ("content", "sentence"), [("a: [", "is not YAML"), ("- 1", "holds no settings"), ("", "holds no")]
)
def test_files_that_are_no_recipe(recipe, content, sentence):
    recipe.write_text(content)
    with pytest.raises(RecipeError, match=sentence):
        read_recipe(recipe)


def test_a_missing_file(tmp_path):
    with pytest.raises(RecipeError, match="does not exist. Give the path of a recipe"):
        read_recipe(tmp_path / "none.yaml")


def test_a_folder_is_called_one(tmp_path):
    with pytest.raises(RecipeError, match="is a folder. Give the path of a recipe"):
        read_recipe(tmp_path)


def test_null_strikes_a_player(recipe):
    with_teacher = ["optimisers.teacher.learning_rate=0.1"]
    assert set(read_recipe(recipe, with_teacher).optimisers) == {*read_recipe(recipe).optimisers, "teacher"}
    assert read_recipe(recipe, [*with_teacher, "optimisers.teacher=null"]) == read_recipe(recipe)


def test_what_null_switched_off_can_be_switched_on(recipe):
    assert read_recipe(recipe, ["validation=null", "validation.every=1"]).validation.every == 1


def test_a_refusal_of_several_entries_does_not_print_them_all(recipe):
    with pytest.raises(RecipeError, match=r"r.yaml: data: split 'query' is for `tapetum evaluate` alone"):
        read_recipe(recipe, ["data.split=query"])
