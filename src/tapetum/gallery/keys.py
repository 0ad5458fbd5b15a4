"""API keys: who may ask the service for what. A key is shown once; its SHA-256 is what stays.

A key is 32 random bytes in URL-safe letters. At 256 bits nobody can try keys out, so that a plain hash keeps the secret
as well as a slow one would. The file lies beside the gallery's facts, readable by its owner alone:

    keys.json   [{"name", "role", "hash", "made", "revoked"}]
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock

from tapetum.errors import GalleryError, RecipeError, did_you_mean
from tapetum.outputs import atomic_file

Role = Literal["search", "ingest", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
KEYS = "keys.json"
_BYTES = 32
_NAME = re.compile(r"[\w.@-]{1,64}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key. made, revoked: UTC in ISO 8601; revoked is None while the key holds."""

    name: str
    role: Role
    hash: str
    made: str
    revoked: str | None = None

    def may(self, needed: Role) -> bool:
        """Whether the role covers what is asked for: an admin may everything, the others their own."""
        return self.role in (needed, "admin")


class KeyRing:
    """The keys of one gallery; the file is read again whenever it has changed, by whatever process."""

    def __init__(self, gallery: Path) -> None:
        self._path = gallery / KEYS
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[ApiKey, ...] = ()

    def keys(self) -> tuple[ApiKey, ...]:
        """Every key that was ever given out, in the order of their making. Raises GalleryError for a damaged file."""
        try:
            state = self._path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, ()
            return ()
        seen = (state.st_ino, state.st_size, state.st_mtime_ns)
        if seen != self._seen:
            self._keys = _read(self._path)
            self._seen = seen
        return self._keys

    @property
    def empty(self) -> bool:
        """Whether no key was ever given out. Revoked keys count: their gallery stays closed."""
        return not self.keys()

    def find(self, key: str) -> ApiKey | None:
        """Whose key this is; None for a wrong or revoked one. Every kept key is compared, each in constant time."""
        given = _hash(key)
        found: ApiKey | None = None
        for known in self.keys():
            if hmac.compare_digest(known.hash, given) and known.revoked is None:
                found = known
        return found

    def add(self, name: str, role: str) -> str:
        """Give out a key and return it, the only time. Raises RecipeError for a name in use or an unknown role."""
        if role not in ROLES:
            raise RecipeError(f"no role is called '{role}'. {did_you_mean(role, ROLES)}")
        if not _NAME.fullmatch(name):
            raise RecipeError(f"'{name}' cannot name a key. Take up to 64 letters, digits and . _ @ -")
        key = secrets.token_urlsafe(_BYTES)
        with self._changing():
            if any(known.name == name and known.revoked is None for known in self.keys()):
                raise RecipeError(f"a key called '{name}' is in use. Revoke it first, or take another name.")
            self._write((*self.keys(), ApiKey(name, _role(role), _hash(key), _now())))
        return key

    def revoke(self, name: str) -> None:
        """Refuse this key from now on. Raises RecipeError for a name that no valid key has."""
        with self._changing():
            valid = [key.name for key in self.keys() if key.revoked is None]
            if name not in valid:
                known = did_you_mean(name, valid) if valid else "There is no valid key."
                raise RecipeError(f"no valid key is called '{name}'. {known}")
            now = _now()
            self._write(
                [replace(key, revoked=now) if key.name == name and key.revoked is None else key for key in self.keys()]
            )

    def _changing(self) -> FileLock:
        return FileLock(self._path.with_name(f".{KEYS}.lock"), timeout=10)

    def _write(self, keys: tuple[ApiKey, ...] | list[ApiKey]) -> None:
        with atomic_file(self._path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_text(json.dumps([asdict(key) for key in keys], indent=1) + "\n", encoding="utf-8")
        self._seen = None


def _read(path: Path) -> tuple[ApiKey, ...]:
    try:
        keys = tuple(ApiKey(**entry) for entry in json.loads(path.read_text(encoding="utf-8")))
        if not all(key.role in ROLES and isinstance(key.hash, str) for key in keys):
            raise ValueError("a role or a hash is none")
    except (OSError, ValueError, TypeError) as error:
        raise GalleryError(
            f"{path} is damaged ({error}). Restore it from a backup, or remove it and add keys."
        ) from error
    return keys


def _role(role: str) -> Role:
    return next(known for known in ROLES if known == role)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
