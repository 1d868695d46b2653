# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of an incident that its ledger keeps, because files on one controller are not on the next one. Pure.

A document is ``name``, the path of a file below the incident's directory, and ``text``, perhaps with ``after``, hashes
of what its writer had seen. In a ledger it also has ``at``, when the ledger took it, and ``earlier``, hashes of what
it comes after.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

Document = Mapping[str, Any]
# The source and the name of the events that keep a document.
SOURCE, EVENT = "incident_documents", "document kept"
# How long a document may be, and how many an incident may have.
LONGEST, MOST = 262144, 600
# How many hashes are kept of what it comes after, the newest ones.
MOST_AFTER = 50
_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,120}(?:/[a-z0-9][a-z0-9_.-]{0,120})?")


def readable(text: str) -> str:
    """Return text as a database can keep it: without the two kinds of characters that ``jsonb`` refuses."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "�")


def wanted(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return documents to keep, the last of each name; raises BadInput for anything that is not one."""
    found: dict[str, dict[str, Any]] = {}
    for one in given:
        name, text = str(one["name"]), readable(str(one["text"]))
        if not _NAME.fullmatch(name):
            raise not_kept("bad_name", f"{name[:60]!r} is no name of a document", "Give for instance words.md")
        if len(text) > LONGEST:
            raise not_kept(
                "too_long", f"{name} has {len(text):,} characters, and {LONGEST:,} are kept", "Make it shorter"
            )
        found[name] = {"name": name, "text": text}
        if one.get("after") is not None:
            found[name]["after"] = [hash for hash in one["after"] if _HASH.fullmatch(hash)][-MOST_AFTER:]
    if len(found) > MOST:
        raise not_kept("too_many", f"There are {len(found):,} documents, and {MOST} are kept", "Give fewer")
    return list(found.values())


def not_kept(code: str, what: str, todo: str) -> BadInput:
    """Return the error for something that cannot be kept; the call then keeps nothing."""
    return BadInput(code, f"{what}.", "Another controller would not find it. Nothing was kept.", f"{todo}.")


def newest(documents: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the newest of each name from several ledgers; anything that is not a document is left out."""
    found: dict[str, dict[str, Any]] = {}
    for one in documents:
        name, text, at = (one.get(part) for part in ("name", "text", "at"))
        if not isinstance(name, str) or not isinstance(text, str) or not _NAME.fullmatch(name):
            continue
        there = found.setdefault(name, {"name": name, "text": text, "at": "", "earlier": []})
        there["earlier"] += [str(hash) for hash in one.get("earlier") or []]
        if str(at or "") > there["at"]:
            there.update(text=text, at=str(at))
    return found


def ledgers_to_ask(hosts: Sequence[str], answers: Sequence[Sequence[Mapping[str, Any]]], most: int = 2) -> list[str]:
    """Return hosts whose database answered in this run and can be written, each database once, at most ``most``.

    :param answers: one list for each task that asked all of them, in the order of the hosts; an empty map for none.
      Later tasks know better which one leads: a primary that answered at first may have died since.
    """
    found: dict[str, str] = {}
    for of_task in answers:
        led: dict[str, str] = {}
        for host, answer in zip(hosts, of_task):
            database = answer.get("database") if isinstance(answer, Mapping) else None
            if isinstance(database, Mapping) and database.get("writable") is True and not answer.get("unreachable"):
                led.setdefault(str(database.get("cluster") or host), host)
        found.update(led)
    return sorted(found.values(), key=list(hosts).index)[:most]


def hash_of(text: str) -> str:
    """Return the hash by which a text is recognized."""
    return hashlib.sha256(readable(text).encode()).hexdigest()
