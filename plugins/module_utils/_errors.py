# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that modules of this collection end with: what is wrong, why it matters, what to do."""

from __future__ import annotations

import re

# Each code has a section there, whose heading and anchor are the code.
PAGE = "https://github.com/chatia/kanban_rollback/blob/main/docs/errors.md#"
_SEEN = re.compile(rf" See ({re.escape(PAGE)}\w+)")


class KanbanError(Exception):
    """A failure that a person must read.

    :param code: short, stable word for machines, for instance ``read_only_server``.
    :param what: what is wrong, one sentence.
    :param why: why it matters now, one sentence.
    :param todo: what to do next, one or two sentences.
    :param details: facts for the module's result, for instance names similar to a table's.
    """

    def __init__(self, code: str, what: str, why: str, todo: str, **details: object) -> None:
        super().__init__(" ".join(part for part in (what, why, todo) if part))
        self.code = code
        self.what = what
        self.why = why
        self.todo = todo
        self.details = details

    def told(self) -> dict[str, str]:
        """Return the parts that a person reads, as results have them: code, what, why, todo, and the page about it."""
        page = page_of(self.code)
        return {"code": self.code, "what": self.what, "why": self.why, "todo": self.todo, "page": page}

    def as_result(self) -> dict[str, object]:
        """Return what ``fail_json`` needs: ``msg``, ``error`` (as ``told``) and the details."""
        # The address comes last, so that nothing after it is copied along.
        return {"msg": with_page(str(self), self.code), "error": self.told(), **self.details}


class BadInput(KanbanError):
    """The user's input cannot be acted on; nothing was changed."""


class ServerError(KanbanError):
    """The server refused, or could not be reached; ``sqlstate`` is in the details if there is one."""


class LostConnection(ServerError):
    """The connection broke while in use; what was committed before stays, so work can continue on a new one."""


class Timeout(ServerError):
    """A lock or a statement took longer than the time it was given; its transaction was rolled back."""


def page_of(code: str) -> str:
    """Return the address of the section about an error, or about a playbook's refusal, by its code."""
    return f"{PAGE}{code}"


def with_page(line: str, code: str) -> str:
    """Return a line with that address at its end, as error messages have it."""
    return led_to(line, page_of(code))


def led_to(line: str, page: str) -> str:
    """Return a line with an address at its end, after a full stop."""
    return f"{line}{'.' if line[-1:].isalnum() else ''} See {page}"


def without_page(text: str) -> tuple[str, str]:
    """Return text without the page addresses in it, and the first of those; empty if there is none."""
    found = _SEEN.search(text)
    return (_SEEN.sub("", text), found.group(1)) if found else (text, "")
