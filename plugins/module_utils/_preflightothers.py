# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other roles could have run with rights that are not theirs, as checks. Pure: neither Ansible nor a driver.

The scenarios still work, so none of it keeps a place from being ready.
"""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import LedgerState, owner_warning
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightchecks import NAMED, SHOULD, Check


def ledger_owner_checks(state: LedgerState) -> list[Check]:
    """Return a check that fails for a ledger whose owner is a stranger who may log in; nothing of any other."""
    warning = owner_warning(state)
    if warning is None or not state.stranger_logs_in:
        return []
    todo = "Let a superuser own it and its tables, or a role that may not log in (ALTER, with OWNER TO)."
    return [Check("ledger_owner", False, SHOULD, warning, "It may log in.", todo)]


def installed_check(older: Sequence[str]) -> Check:
    """Return whether what bootstrap.yml installed is as this version does it; ``older``: parts that are not."""
    if not older:
        return Check("installed", True, SHOULD, "Nothing in the database is from another version.")
    return Check(
        "installed",
        False,
        SHOULD,
        f"Not as this version installs it: {', '.join(older)}.",
        "They serve as they did, with the faults that have been mended since.",
        "Run bootstrap.yml again, in a quiet moment: it changes what differs.",
    )


def latch_shut_check(latches: Sequence[tuple[str, str, str]]) -> Check:
    """Return whether only triggers of ours call the latches; ``latches``: those that everybody may, as found."""
    if not latches:
        return Check("latch_shut", True, SHOULD, "No latch can be called by everybody.")
    names = ", ".join(f"{name} of {owner}" for name, owner, _line in latches[:NAMED])
    lines = " ".join(line for _name, _owner, line in latches[:NAMED])
    return Check(
        "latch_shut",
        False,
        SHOULD,
        f"Everybody may call {len(latches)} of the latches' functions ({names}).",
        "A trigger made of one, on a table of one's own, runs code with the rights of the function's owner.",
        f"Run bootstrap.yml as that owner or a superuser: it shuts what is its own to change. By hand: {lines}",
    )


def search_path_check(schemas: Sequence[tuple[Any, ...]]) -> Check:
    """Return whether others can make functions where this role's statements look for them; ``schemas``: as found."""
    opened = [(name, line) for name, _owner, is_open, _anothers, line, _path in schemas if is_open]
    others = [(name, owner) for name, owner, _open, anothers, *_lines in schemas if anothers]
    if not opened and not others:
        names = ", ".join(row[0] for row in schemas) or "nothing"
        return Check("search_path", True, SHOULD, f"The search_path ({names}) is open to nobody else by default.")
    who = [f"everybody in {', '.join(name for name, _line in opened[:NAMED])}"] if opened else []
    who += [f"{owner} in {name}, which it owns" for name, owner in others[:NAMED]]
    todo = [line for _name, line in opened[:NAMED]]
    if others:
        names = ", ".join(name for name, _owner in others[:NAMED])
        todo.append(
            f"Let a role own {names} that nobody logs in as, or name tables with their schema (kanban_tables) and take "
            f"it out of the path, where no trigger of the application needs it: {schemas[0][5]}"
        )
    return Check(
        "search_path",
        False,
        SHOULD,
        f"Others can make functions where this role's statements look for them: {'; '.join(who)}.",
        "One that fits a call better than PostgreSQL's own runs with the rights of this role (CVE-2018-1058).",
        " ".join(todo),
    )
