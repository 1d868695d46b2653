# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL statements as text for people, without the data in them. Pure: neither Ansible nor a driver.

Statements in pg_stat_activity hold customers' data. pg_stat_statements replaces constants by ``$1``, but not in every
statement: PASSWORD 'x' of ALTER ROLE is there as typed. So both go through here.
"""

from __future__ import annotations

import re

LETTERS = 1000
HIDDEN = "?"
CUT = "…"

# In the order in which they are tried at each place. A token without an end, because the server has cut the text,
# extends to the end. Names, and parameters such as $1, stay.
TOKENS = re.compile(
    r"""
    (?P<space>   \s+ | --[^\n]* )
  | (?P<comment> /\* )
  | (?P<escaped> [eE]'(?:[^'\\]|\\.|'')*' )
  | (?P<string>  (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*' )
  | (?P<dollar>  \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ )
  | (?P<name>    "(?:[^"]|"")*" | [^\W\d][\w$]* | \$\d+ )
  | (?P<number>  (?:\d[\w.]*|\.\d[\w.]*)(?:(?<=[eE])[+-]\d+)? )
  | (?P<open>    '.* | ".* | \$(?:[^\W\d]\w*)?\$.* )
    """,
    re.DOTALL | re.VERBOSE,
)
_COMMENT_ENDS = re.compile(r"/\*|\*/")


def hide_literals(text: str, letters: int = LETTERS) -> str:
    """Return a statement on one line, cut, without comments and with ``?`` for each string and number.

    If it is uncertain where a string ends, the rest is left out.
    """
    kept: list[str] = []
    place = 0
    while place < len(text):
        found = TOKENS.match(text, place)
        if found is None:
            kept.append(text[place])
            place += 1
            continue
        kind, place = found.lastgroup, found.end()
        if kind == "comment":
            place = after_comment(text, place)
            kept.append(" ")
        elif kind == "space":
            kept.append(" ")
        elif kind == "name":
            kept.append(found.group())
        elif kind == "open" or (kind == "string" and "\\'" in found.group()):
            # What a backslash before a quote means depends on standard_conforming_strings of that session.
            kept.append(HIDDEN + CUT)
            break
        else:
            kept.append(HIDDEN)
    return one_line("".join(kept), letters)


def one_line(text: str, letters: int = LETTERS) -> str:
    """Return text on one line, cut if it is longer than ``letters``."""
    line = " ".join(text.split())
    return line if len(line) <= letters else line[:letters] + CUT


def after_comment(text: str, place: int) -> int:
    """Return where a comment that began before ``place`` ends; comments nest."""
    depth = 1
    while depth:
        found = _COMMENT_ENDS.search(text, place)
        if found is None:
            return len(text)
        depth += 1 if found.group() == "/*" else -1
        place = found.end()
    return place
