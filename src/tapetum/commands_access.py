"""The commands about who may ask a gallery and who did: keys and the audit log."""

from __future__ import annotations

import json
from collections import deque

from rich import box
from rich.table import Table

from tapetum import options_gallery
from tapetum.commands_gallery import user
from tapetum.console import show


def audit_verify(gallery: options_gallery.GalleryFolder, head: options_gallery.NotedHead = None) -> None:
    """Check the chain of hashes of the audit log, and name the first line that is not what was written.

    Note the head that it prints in another place: given with --head later, it shows whether the log was written anew.
    """
    from tapetum.gallery.audit import parse_head, verify_audit
    from tapetum.gallery.gallery import read_facts

    read_facts(gallery)
    found = verify_audit(gallery, None if head is None else parse_head(head))
    show(f"The audit log is whole: {found.number} entries. Head: {found}")


def audit_show(gallery: options_gallery.GalleryFolder, last: options_gallery.LastEntries = 20) -> None:
    """Print the newest entries of the audit log, one JSON a line."""
    from tapetum.gallery.audit import read_audit
    from tapetum.gallery.gallery import read_facts

    read_facts(gallery)
    for entry in deque(read_audit(gallery), maxlen=last):
        show(json.dumps({name: value for name, value in entry.items() if name not in ("before", "hash")}))


def key_add(
    gallery: options_gallery.GalleryFolder, name: options_gallery.KeyName, role: options_gallery.KeyRole = "search"
) -> None:
    """Give out an API key for a gallery's service. It is printed now and never again.

    Roles: search asks and sees crops; ingest adds crops; admin does everything, removing included.
    """
    from tapetum.gallery.audit import AuditLog
    from tapetum.gallery.gallery import read_facts
    from tapetum.gallery.keys import KeyRing

    read_facts(gallery)
    key = KeyRing(gallery).add(name, role)
    AuditLog(gallery).append("key add", who=user(), role="admin", key=name, key_role=role)
    show(key)


def key_list(gallery: options_gallery.GalleryFolder) -> None:
    """List the keys by name; the keys themselves are kept nowhere."""
    from tapetum.gallery.gallery import read_facts
    from tapetum.gallery.keys import KeyRing

    read_facts(gallery)
    keys = KeyRing(gallery).keys()
    if not keys:
        show("There is no key: a service on this gallery answers this machine alone.")
        return
    table = Table("name", "role", "made", "revoked", box=box.SIMPLE_HEAD)
    for key in keys:
        table.add_row(key.name, key.role, key.made, key.revoked or "")
    show(table)


def key_revoke(gallery: options_gallery.GalleryFolder, name: options_gallery.KeyName) -> None:
    """Refuse a key from now on; a running service hears of it at once."""
    from tapetum.gallery.audit import AuditLog
    from tapetum.gallery.gallery import read_facts
    from tapetum.gallery.keys import KeyRing

    read_facts(gallery)
    KeyRing(gallery).revoke(name)
    AuditLog(gallery).append("key revoke", who=user(), role="admin", key=name)
    show(f"The key '{name}' is refused from now on.")
