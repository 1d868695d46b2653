# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a text is one SQL statement that stays within brackets. Pure: neither Ansible nor a driver.

The driver sends whatever it is given, and the server runs all of it: ``1); COMMIT; DELETE FROM t; SELECT (1`` would
escape the brackets that it was put in, and the read-only transaction.
"""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqltext import TOKENS, after_comment


def flaw_of(text: str) -> str:
    """Return what is wrong with a query to be put in brackets, as words after "a query that"; empty if nothing is."""
    if not text:
        return "is empty"
    depth = place = 0
    while place < len(text):
        found = TOKENS.match(text, place)
        sign = text[place] if found is None else ""
        kind = found.lastgroup if found else None
        place = found.end() if found else place + 1
        if kind == "comment":
            place = after_comment(text, place)
        elif kind == "open":
            return "has a string or name without an end"
        elif kind == "string" and found and "\\'" in found.group():
            return "has a backslash before a quote: whether the string ends there is a setting of the server's"
        elif sign == ";":
            return "is more than one statement"
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            break
    return "has brackets that do not match" if depth else ""
