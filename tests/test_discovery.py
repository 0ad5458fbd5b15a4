"""Methods and datasets are found by the names of their files."""

from __future__ import annotations

import pytest

import tapetum.methods
from tapetum.discovery import find_module, module_names
from tapetum.errors import RecipeError


def test_names_are_those_of_the_files_sorted_and_without_machinery():
    names = module_names(tapetum.methods)
    assert names == sorted(names)
    assert {"method", "two_stream"} <= set(names)
    assert "method" not in module_names(tapetum.methods, without=frozenset({"method"}))


def test_packages_are_no_modules():
    assert "methods" not in module_names(tapetum)
    assert "core" in module_names(tapetum)


def test_a_name_is_imported_or_refused_with_the_nearest():
    assert find_module(tapetum.methods, "two_stream", ["two_stream"], "method").__name__ == "tapetum.methods.two_stream"
    with pytest.raises(RecipeError) as refused:
        find_module(tapetum.methods, "two_steam", ["two_stream", "agw"], "method")
    assert str(refused.value) == (
        "no method is called 'two_steam'. Did you mean 'two_stream'? Known: agw, two_stream."
    )  # fmt: skip


def test_only_known_names_are_imported():
    with pytest.raises(RecipeError, match="no method is called 'os'"):
        find_module(tapetum.methods, "os", ["two_stream"], "method")
