# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of a message, so that it is sent once. Pure.

The same command that finds the same state again has the same keys. A state other than the one that was sent last has
another key, even if it was sent earlier; so does another stop: one that switched tenants off, or refused writes after
the end was reported.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import moment

_LONGEST = 80
_STOP = re.compile(r"[a-z].*?[a-z][0-9]?(?:-(?P<stop>[0-9]+))?(?:-again[0-9]+)?")
_END = re.compile(r"(scenario[0-9])-\1(?:-[0-9]+)?(?:-again[0-9]+)?")
_REST = r"(?P<state>(?:-[a-z0-9]+)*?-[a-z]+)?(?:-(?P<stop>[0-9]+))?(?:-again[0-9]+)?"


def key_of(family: str, state: str, stop: int, known: Sequence[str]) -> str:
    """Return the key of a message.

    :param family: what kind of message it is, for instance ``scenario3 update``.
    :param state: the state that it reports; two in a row with the same state are the same message.
    :param stop: which stop of the incident it belongs to, from 1.
    :param known: the keys of the outbox, oldest first.
    """
    first, last = _word(family), _word(state)
    told = [(key, *found) for key in known for found in [_read(first, key)] if found and found[1] == stop]
    if told and told[-1][1] == last:
        return told[-1][0]
    base = "-".join(part for part in (first, last, str(stop) if stop > 1 else "") if part)
    number, key = 1, base
    while key in known:
        number += 1
        key = f"{base}-again{number}"
    return key


def stop_number(kept: Sequence[Mapping[str, Any]], started: float, changed: bool, refused: bool = False) -> int:
    """Return which stop of the incident a run belongs to, from 1: the last one, or its own if it changed something.

    :param kept: what the outbox has: ``message``, a key, and ``at``, a moment, UTC.
    :param started: when the run began, seconds since 1970; messages of the run itself do not count.
    :param changed: whether it switched anybody off.
    :param refused: whether it refused writes that had been let through. After the end was reported, this is another
        stop, even if everybody was off; before that, it belongs to the current one.
    """
    since = moment(started)
    before = [str(row.get("message")) for row in kept if str(row.get("at")) < since]
    # Without a beginning there was no stop: a pause has messages too, but switches nobody off.
    begun = [key for key in before if "-announce" in key]
    last = max((_stop(key) for key in before), default=1)
    ended = any(_END.fullmatch(key) for key in before if _stop(key) == last)
    return last + 1 if begun and (changed or (refused and ended)) else last


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST]


def _read(family: str, key: str) -> tuple[str, int] | None:
    """Return the state and the stop of a key, if it belongs to a family."""
    found = re.fullmatch(re.escape(family) + _REST, key)
    return ((found["state"] or "").lstrip("-"), int(found["stop"] or 1)) if found else None


def _stop(key: str) -> int:
    found = _STOP.fullmatch(key)
    return int(found["stop"] or 1) if found else 1
