# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of an incident in the words of a language, for the templates of messages. Pure.

Every function says so when a value was not measured; an unknown language falls back to English.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclemoments import seen

PORTUGUESE = "pt_BR"
_NOT_MEASURED = {PORTUGUESE: "não medido", "en": "not measured"}
_UNITS = {
    PORTUGUESE: (("segundo", "segundos"), ("minuto", "minutos"), ("hora", "horas")),
    "en": (("second", "seconds"), ("minute", "minutes"), ("hour", "hours")),
}


def _measured(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def not_measured(locale: str) -> str:
    """Return how a language says that something was not measured."""
    return _NOT_MEASURED.get(locale, _NOT_MEASURED["en"])


def message_number(value: Any, locale: str = "en", digits: int = 0) -> str:
    """Return a number with the language's separators."""
    if not _measured(value):
        return not_measured(locale)
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans(",.", ".,")) if locale == PORTUGUESE else text


def message_percent(part: Any, locale: str = "en") -> str:
    """Return a part from 0 to 1 in per cent, with one decimal place unless it is zero."""
    if not _measured(part):
        return not_measured(locale)
    percent = round(part * 100, 1)
    # Almost all is not all.
    if percent >= 100 > part * 100:
        percent = 99.9
    return message_number(percent, locale, 0 if percent == int(percent) else 1) + "%"


def message_duration(seconds: Any, locale: str = "en") -> str:
    """Return seconds in the unit that people would use: seconds, minutes or hours."""
    if not _measured(seconds):
        return not_measured(locale)
    units = _UNITS.get(locale, _UNITS["en"])
    size, (one, several) = (1, units[0]) if seconds < 59.5 else (60, units[1]) if seconds < 3570 else (3600, units[2])
    value = round(seconds / size, 0 if size == 1 else 1)
    text = message_number(value, locale, 0 if value == int(value) else 1)
    return f"{text} {one if value == 1 else several}"


def message_clock(moment: Any, locale: str = "en", day_of: Any = None) -> str:
    """Return a moment of a journal as HH:MM, in UTC; with its day if that differs from ``day_of``'s."""
    at, first = seen(str(moment)), seen(str(day_of))
    if at is None:
        return not_measured(locale)
    return at.strftime("%H:%M" if first is None or first.date() == at.date() else "%Y-%m-%d %H:%M")


def message_day(moment: Any, locale: str = "en") -> str:
    """Return the day of a moment of a journal, in UTC."""
    at = seen(str(moment))
    return at.strftime("%Y-%m-%d") if at else not_measured(locale)
