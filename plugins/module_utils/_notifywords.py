# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wrote that a message was sent without, because it could not be read in time. Pure.

A message does not wait for people's words, so its record says which of them it lacks: ``words.root_cause`` and the
like, as its template asks for them, or ``figures``. Once they can be read, they are sent to those who got the message
and to nobody else: someone whose template tells only of the end does not learn the cause this way.
"""

from __future__ import annotations

from typing import Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import (
    DRY,
    MAIL,
    PENDING,
    SLACK,
    Message,
    Route,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifytext import foreign_lines
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._words import HEADINGS

WORDS = "words."
# With a dot, so that it is never taken for a key of the same family.
_ENDING, _KIND = ".words", "words"
_LONGEST, _TELLING = 2000, 100
_SUBJECTS = {"en": "What people wrote", "pt_BR": "O que as pessoas escreveram"}


def _lacks(message: Message) -> list[str]:
    return [name[len(WORDS) :] for name in message.without if name.startswith(WORDS)]


def _key(message: Message) -> str:
    return message.key[: 100 - len(_ENDING)] + _ENDING


def _hears(route: Route) -> bool:
    """Return whether words go there later: a pager and a status page get the present state, nothing of the past."""
    return route.service in (SLACK, MAIL) and not route.final


def _stands(message: Message | None, route: str, dry_run: bool) -> bool:
    """Return whether a message goes there; one of a dry run does so only for another dry run."""
    found = message.by(route) if message else None
    return found is not None and (dry_run or found.status != DRY)


def _is_told(message: Message, later: Message | None) -> bool:
    """Return whether words were sent since or are on their way; a dry run counts only for what a dry run left out."""
    rehearsed = all(route.status == DRY for route in message.routes)
    return later is not None and any(_stands(later, route.route, rehearsed) for route in later.routes)


def without(messages: Sequence[Message]) -> dict[str, list[str]]:
    """Return the keys of messages that lack ``words`` or ``figures``, by these two names.

    Words that were sent since are no longer missing, and words that nobody gets later do not count as missing.
    """
    known = {one.key: one for one in messages}
    return {
        "words": [
            one.key
            for one in messages
            if _lacks(one) and any(map(_hears, one.routes)) and not _is_told(one, known.get(_key(one)))
        ],
        "figures": [one.key for one in messages if "figures" in one.without],
    }


def left_words(messages: Sequence[Message], words: Mapping[str, str], at: str, dry_run: bool) -> list[Message]:
    """Return messages with the words that others lack, each once.

    :param messages: those of the outbox.
    :param words: what people wrote by now, by the names of ``HEADINGS``.
    :param dry_run: whether nothing is to be sent; if not, words of a message from a dry run are sent to nobody.
    """
    known = {one.key: one for one in messages}
    found: list[Message] = []
    for message in messages:
        before = known.get(_key(message))
        said = {name: foreign_lines(words[name], _LONGEST) for name in _lacks(message) if words.get(name, "").strip()}
        later = [*(one for one in messages if one.at > message.at), *found]
        missing = {
            route.route: [name for name, text in said.items() if not _heard(route.route, text, later, dry_run)]
            for route in message.routes
            if _hears(route) and (dry_run or route.status != DRY)
            # Someone who could not be reached when the others were told is told by a later run that can.
            if not _stands(before, route.route, dry_run)
        }
        routes = [Route(name, DRY if dry_run else PENDING) for name, names in missing.items() if names]
        if routes:
            told = {name: text for name, text in said.items() if any(name in names for names in missing.values())}
            found.append(_told(message, told, at, routes))
    return found


def _heard(route: str, text: str, messages: Sequence[Message], dry_run: bool) -> bool:
    return any(text[:_TELLING] in one.text for one in messages if _stands(one, route, dry_run))


def _told(message: Message, said: Mapping[str, str], at: str, routes: Sequence[Route]) -> Message:
    language = message.locale if message.locale in _SUBJECTS else "en"
    return Message(
        key=_key(message),
        kind=_KIND,
        incident=message.incident,
        at=at,
        subject=f"{_SUBJECTS[language]}: {message.subject}",
        text="\n\n".join(f"**{HEADINGS[name][language]}:** {text}" for name, text in said.items() if name in HEADINGS),
        locale=language,
        severity=message.severity,
        stop=message.stop,
        routes=tuple(routes),
    )
