# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People's words about an incident on disk: the file, created once and read; and what a ledger has to keep of them and
of what people made of the reports. Neither Ansible nor a driver.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import WORDS_FILE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documents import LONGEST, newest, readable
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documentsdisk import Disk
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder, make_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportblocks import has_own_words
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._words import (
    HEADINGS,
    is_untouched,
    read_words,
    words_file,
)

# Where people write besides the file that is meant for it.
REPORTS = ("incident.md", "postmortem.md", "checklists.md")


@dataclass(frozen=True)
class WordsRequest:
    """What is asked; the fields are the options of ``incident_words``."""

    path: str
    incident_id: str
    locale: str = "en"
    make: bool = True
    known: Sequence[Mapping[str, Any]] = ()


def words_of(request: WordsRequest, check: bool) -> dict[str, Any]:
    """Return what people wrote, and create the file if it is missing; raises KanbanError if neither is possible.

    Newer texts that a ledger has come to this disk first.
    """
    directory = Path(request.path) / incident_folder(request.incident_id)
    there, disk, path = newest(request.known), Disk(directory, check), directory / WORDS_FILE
    try:
        texts = {name: disk.read(name, there.get(name)) for name in (WORDS_FILE, *REPORTS)}
        text, made = texts[WORDS_FILE], False
        if text is None:
            made, text = request.make, words_file(request.locale)
            if made and not check:
                make_words(path, request.locale)
        disk.end()
    except OSError as error:
        raise KanbanError(
            "no_words",
            f"{path} can be neither read nor made: {error.strerror or error}.",
            "Messages have the figures alone, and nobody's own words.",
            "Look at its owner and mode.",
        ) from None
    words = read_words(text)
    own = {name: said for name, said in texts.items() if said is not None and _is_own(name, said)}
    new = {name: said for name, said in own.items() if readable(said) != there.get(name, {}).get("text")}
    return {
        "changed": made,
        "path": str(path),
        "words": {name: words.said.get(name, "") for name in HEADINGS},
        "unknown": list(words.unknown),
        "cut": list(words.cut),
        "keep": [
            {"name": name, "text": said, "after": disk.after(name)}
            for name, said in new.items()
            if len(said) <= LONGEST
        ],
        "too_long": [name for name, said in new.items() if len(said) > LONGEST],
        "beside": disk.beside,
    }


def _is_own(name: str, text: str) -> bool:
    return not is_untouched(text) if name == WORDS_FILE else has_own_words(text)


def make_words(path: Path, locale: str) -> bool:
    """Create the file whole or not at all, never over an existing one; return whether it did. Raises OSError."""
    if os.path.lexists(path):
        return False
    make_folder(path.parent)
    before = path.with_name(f".{WORDS_FILE}.{os.getpid()}")
    handle = os.open(before, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(words_file(locale))
        os.link(before, path)
    except FileExistsError:
        return False
    finally:
        before.unlink()
    return True
