# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People's words of an incident on the disk: the file made once, and read. Neither Ansible nor a driver."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import WORDS_FILE
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder, make_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._words import (
    HEADINGS,
    LARGEST_FILE,
    read_words,
    words_file,
)


def words_of(root: str, incident_id: str, locale: str, check: bool) -> dict[str, Any]:
    """Return what people wrote, and make the file where it is missing; raises KanbanError where it can be neither."""
    path = Path(root) / incident_folder(incident_id) / WORDS_FILE
    try:
        text, made = _read(path), False
        if text is None:
            made, text = True, words_file(locale)
            if not check:
                make_words(path, locale)
    except OSError as error:
        raise KanbanError(
            "no_words",
            f"{path} can be neither read nor made: {error.strerror or error}.",
            "Messages have the figures alone, and nobody's own words.",
            "Look at its owner and mode.",
        ) from None
    words = read_words(text)
    return {
        "changed": made,
        "path": str(path),
        "words": {name: words.said.get(name, "") for name in HEADINGS},
        "unknown": list(words.unknown),
        "cut": list(words.cut),
    }


def _read(path: Path) -> str | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as opened:
        return opened.read(4 * LARGEST_FILE).decode("utf-8", "replace")


def make_words(path: Path, locale: str) -> bool:
    """Make the file whole or not at all, never over one that is there; return whether it did. Raises OSError."""
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
