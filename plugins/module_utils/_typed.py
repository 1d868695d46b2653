# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person is to type, so that it does what it says wherever it is pasted. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import without_page

# A value that both a shell and Ansible's name=value take literally.
_PLAIN = re.compile(r"[\w.:@%+/-]+(?:[\w.:@%+/,!&*-]*)")
_ID = re.compile(r"[A-Za-z0-9._:-]+")
# Words that YAML reads as text without quotes.
_WORDS = re.compile(r"[^\W\d_](?:[\w .;()/%+-]*[\w.)%])? [\w .;()/%+-]*[\w.)%]")
_MARKS = re.compile(r"[^\w .;()/%+-]+")
# Inside a map, what YAML reads literally as text without quotes: a word, a path, an identifier.
_LEAF = re.compile(r"(?!(?:true|false|yes|no|on|off|null|y|n)$)[A-Za-z_/](?:[\w.:@%+/-]*[\w.@%+/-])?", re.IGNORECASE)
_PLAYBOOK = "ansible-playbook chatia.kanban_rollback."


def command_of(playbook: str, arguments: Sequence[str] = ()) -> str:
    """Return the line to type; empty without a playbook."""
    return " ".join([_PLAYBOOK + playbook, *map(shlex.quote, map(str, arguments))]) if playbook else ""


def id_to_type(incident_id: str) -> str:
    """Return an id for a line to copy: in any shell it must do what it says, and braces are Ansible's template."""
    return incident_id if _ID.fullmatch(incident_id) else "'<the id of the incident>'"


def close_of(incident_id: str, arguments: Sequence[str]) -> str:
    """Return the line that closes an incident."""
    command = command_of("report", [*arguments, "-e", "kanban_close=true"])
    return f"{command} -e kanban_incident_id={id_to_type(incident_id)}"


def extra_vars(variables: Mapping[str, Any], result_format: str = "yaml") -> list[str]:
    """Return the arguments that pass these variables again; empty ones are left out.

    :param result_format: how the line is shown. In JSON each double quote has a backslash before it, and a variable
        pasted like that is silently lost: so a sentence keeps its words and loses the marks that need quotes, and a map
        has no quotes where YAML needs none.
    """
    given = [(name, value) for name, value in variables.items() if value not in (None, "")]
    return [text for name, value in given for text in ("-e", _given(name, value, result_format))]


def _given(name: str, value: Any, result_format: str) -> str:
    text = value if isinstance(value, str) else ""
    if result_format == "json" and " " in text:
        text = " ".join(_MARKS.sub(" ", text).split())
    if _PLAIN.fullmatch(text):
        return f"{name}={text}"
    if _WORDS.fullmatch(text):
        return f"{{{name}: {text}}}"
    bare = _bare(value) if result_format == "json" and isinstance(value, Mapping) else None
    return json.dumps({name: value}, ensure_ascii=False) if bare is None else f"{{{name}: {bare}}}"


def _bare(value: Any) -> str | None:
    """Return a value of a map as YAML without quotes; None if it needs quotes."""
    if isinstance(value, Mapping):
        inner = [(_bare(str(name)), _bare(each)) for name, each in value.items()]
        shown = [f"{name}: {each}" for name, each in inner if name is not None and each is not None]
        return f"{{{', '.join(shown)}}}" if len(shown) == len(inner) else None
    if isinstance(value, (list, tuple)):
        each = [_bare(one) for one in value]
        return None if None in each else f"[{', '.join(map(str, each))}]"
    if isinstance(value, (bool, int)):
        return str(value).lower()
    text = str(value)
    return text if isinstance(value, str) and (_LEAF.fullmatch(text) or _WORDS.fullmatch(text)) else None


def as_screen(lines: Sequence[str], result_format: str = "json") -> Any:
    """Return lines in the form in which Ansible shows them whole: as YAML one text, which is neither folded nor quoted.

    :param result_format: how results are shown, ``yaml`` or ``json``; a list is one line each in the latter.
    """
    shown = _each_page_once(lines)
    return "\n".join(shown) if result_format == "yaml" else shown


def _each_page_once(lines: Sequence[str]) -> list[str]:
    """Return lines with the address of each error's page only at the end of the first line about it."""
    seen, shown = set(), []
    for line in lines:
        text, page = without_page(str(line))
        shown.append(f"{text} See {page}" if page and page not in seen else text)
        seen.add(page)
    return shown
