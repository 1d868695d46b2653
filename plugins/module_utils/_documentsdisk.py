# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that people write in, on this disk and in a ledger: which is newer. Neither Ansible nor a driver.

``.documents.json`` beside them has hashes of what was here: they distinguish what another controller kept from
what was kept from here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documents import hash_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import make_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportfiles import (
    read_bytes,
    read_json,
    write_whole,
)

SEEN, MOST_SEEN = ".documents.json", 50
ELSEWHERE = ".elsewhere.md"


class Disk:
    """The documents in an incident's directory. Methods raise OSError; in check mode nothing is written."""

    def __init__(self, directory: Path, check_mode: bool) -> None:
        self.beside: list[str] = []
        self._directory, self._check_mode = directory, check_mode
        found = read_json(directory / SEEN)
        self._before = found if isinstance(found, dict) else {}
        self._seen = {str(name): list(hashes) for name, hashes in self._before.items() if isinstance(hashes, list)}

    def read(self, name: str, known: Mapping[str, Any] | None) -> str | None:
        """Return what is in a file, after a newer version from a ledger was put there; null if there is none.

        If people wrote here and elsewhere, the text here stays, and the other is put beside it (``beside``).
        """
        found = read_bytes(self._directory / name)
        text = None if found is None else found.decode("utf-8", "replace")
        if known is not None:
            text = self._newer(name, text, known)
        if text is not None:
            self._had(name, text)
        return text

    def after(self, name: str) -> list[str]:
        """Return the hashes of everything that had been in a file, or beside it, when this was written."""
        return self._seen.get(name, [])

    def end(self) -> None:
        """Save the hashes of what was here."""
        if self._seen != self._before and self._directory.is_dir():
            content = json.dumps(self._seen, indent=1, sort_keys=True) + "\n"
            write_whole(self._directory / SEEN, content.encode(), self._check_mode)

    def _newer(self, name: str, text: str | None, known: Mapping[str, Any]) -> str:
        theirs = str(known["text"])
        if text is not None and (hash_of(text) == hash_of(theirs) or hash_of(theirs) in self._seen.get(name, [])):
            return text
        if text is None or hash_of(text) in known["earlier"]:
            self._put(name, theirs)
            return theirs
        # Neither comes after the other.
        aside = f"{name.rpartition('.')[0]}{ELSEWHERE}"
        self._put(aside, theirs)
        self._had(name, theirs)
        self.beside.append(aside)
        return text

    def _put(self, name: str, text: str) -> None:
        if not self._check_mode:
            make_folder(self._directory)
        write_whole(self._directory / name, text.encode(), self._check_mode)

    def _had(self, name: str, text: str) -> None:
        hashes = self._seen.setdefault(name, [])
        if hash_of(text) not in hashes:
            self._seen[name] = [*hashes, hash_of(text)][-MOST_SEEN:]
