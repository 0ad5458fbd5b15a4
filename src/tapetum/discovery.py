"""Find a method or a dataset by the name of its file, so that adding one touches one place."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from tapetum.errors import RecipeError, did_you_mean


def module_names(package: ModuleType, without: frozenset[str] = frozenset()) -> list[str]:
    """The names of the modules of a package, sorted, but for the machinery named in `without`."""
    found = pkgutil.iter_modules(package.__path__)
    return sorted(module.name for module in found if not module.ispkg and module.name not in without)


def find_module(package: ModuleType, name: str, known: list[str], kind: str) -> ModuleType:
    """Import `package.name`. Raises RecipeError ("no method is called 'dgnt' ...") for a name that is not `known`."""
    if name not in known:
        raise RecipeError(f"no {kind} is called '{name}'. {did_you_mean(name, known)}")
    return importlib.import_module(f"{package.__name__}.{name}")
