# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a second person approved, by names that people typed or that a job controller gave. Pure.

Anybody who wants to can still type another name: who may approve is up to the people who grant the rights.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line

# Names that identify nobody: an empty one, and kanban_operator's default if nothing says who it is.
NOBODY = ("", "unknown")
# The override that lets the operator approve.
APPROVAL = "approval"
_ASIDE = "-e '{kanban_break_glass: {what: [approval], reason: ...}}'"
# Letters of other alphabets that cannot be told from Latin ones on a screen, Cyrillic before Greek. They are given by
# number because nobody could tell them apart here, either.
_TWINS = {
    "\u0410\u0430\u0391\u03b1": "a", "\u0412\u0392": "b", "\u0421\u0441\u03f2": "c", "\u0501": "d",
    "\u0415\u0435\u0395": "e", "\u0261": "g", "\u041d\u04bb\u0397": "h", "\u0406\u0456\u0399\u03b9\u0131": "i",
    "\u0408\u0458": "j", "\u041a\u043a\u039a\u03ba": "k", "\u04c0\u04cf": "l", "\u041c\u039c": "m", "\u039d": "n",
    "\u041e\u043e\u039f\u03bf": "o", "\u0420\u0440\u03a1\u03c1": "p", "\u051b": "q", "\u0405\u0455": "s",
    "\u0422\u0442\u03a4\u03c4": "t", "\u03c5": "u", "\u0474\u0475\u03bd": "v", "\u051d": "w",
    "\u0425\u0445\u03a7\u03c7": "x", "\u0423\u0443\u03a5": "y", "\u0396": "z",
}  # fmt: skip
_LATIN = {ord(twin): latin for twins, latin in _TWINS.items() for twin in twins}
# Letters that are displayed as nothing at all.
_UNSEEN = "\u115f\u1160\u3164\uffa0"


def person(name: str | None) -> str:
    """Return a name as it is compared: letters and digits only, without domain, accents, case and lookalikes.

    So ``CORP\\Rui.Silva``, ``rui silva`` and ``rui.silva@corp.example`` are one person. It is better to
    refuse one too many than one too few: kanban_break_glass lets a person through who was taken for somebody else.
    """
    bare = _as_shown(name).lstrip("@").partition("@")[0].rpartition("\\")[2]
    plain = unicodedata.normalize("NFKD", bare.translate(_LATIN)).translate(_LATIN).casefold()
    return "".join(letter for letter in plain if letter.isalnum() and letter not in _UNSEEN)


def _as_shown(name: str | None) -> str:
    return unicodedata.normalize("NFKC", str(name or "")).strip()


def override_of(break_glass: Any, what: str = APPROVAL) -> tuple[Mapping[str, Any], list[str]]:
    """Return ``kanban_break_glass`` and what is wrong with it: ``-e kanban_break_glass={what: ...`` makes it a text.

    :param what: the override to name in the line that would work.
    """
    if not break_glass:
        return {}, []
    given = break_glass.get("what") or [] if isinstance(break_glass, Mapping) else None
    # In a text, any part of it would be found, but none of it would be recorded.
    if isinstance(given, (list, tuple)):
        return break_glass, []
    typed = f"-e '{{kanban_break_glass: {{what: [{what}], reason: ...}}}}'"
    named = "kanban_break_glass" if given is None else "what of kanban_break_glass"
    return {}, [f"{named} is a text and overrides nothing: type {typed}"]


def why_not_approved(
    approved_by: str | None, operator: str | None, break_glass: Mapping[str, Any], silence: str = ""
) -> list[str]:
    """Return why this is not a second person's approval; empty if it is, or if an override replaces it.

    :param break_glass: ``kanban_break_glass``; with ``approval`` the operator may approve. The caller checks its
        reason, because there is one for everything that is overridden.
    :param silence: why nobody is known to have approved, if that is not for a person to type.
    """
    approver, typist = person(approved_by), person(operator)
    # A suggested command has such a placeholder for the name; it is not a name.
    if approver in NOBODY or _as_shown(approved_by).startswith("<"):
        return [one_line(silence) or "kanban_approved_by is not given: who has looked at the plan and approves it"]
    if APPROVAL in (break_glass.get("what") or []):
        return []
    if typist in NOBODY:
        return [
            "kanban_operator is not known, so nobody can tell that somebody else approves: say who types this, or "
            f"{_ASIDE}"
        ]
    if approver == typist:
        own = one_line(str(operator))
        return [f"{own} may not approve what {own} does: somebody else looks at the plan, or {_ASIDE}"]
    return []
