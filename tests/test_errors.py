"""Errors: exit codes, and the end of a sentence about an unknown name."""

from __future__ import annotations

import pytest

from tapetum import errors
from tapetum.errors import did_you_mean


@pytest.mark.parametrize(
    ("name", "code"),
    [("DataError", 2), ("RecipeError", 2), ("RunError", 2), ("EmbeddingError", 2), ("OutputError", 2),
     ("Interrupted", 130), ("InternalError", 1)],
)  # fmt: skip
def test_exit_codes(name, code):
    kind = getattr(errors, name)
    assert kind.exit_code == code
    assert issubclass(kind, errors.TapetumError)
    assert issubclass(kind, errors.InputError) == (code == 2)


def test_the_nearest_name_comes_first():
    assert did_you_mean("dgnt", ["sdl", "dgnet"]) == "Did you mean 'dgnet'? Known: dgnet, sdl."
    assert did_you_mean("xyz", {"b": 1, "a": 2}) == "Known: a, b."
