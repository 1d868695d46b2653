# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``break-glass.sql`` says to whoever opens it: at its top, and at its end for the day after."""

from __future__ import annotations

WORDS = (
    "Run it on the primary and not through a pooler, as the table's owner, a superuser, or the playbooks' role. psql",
    "asks for the password, or reads ~/.pgpass. -v incident=INC-... acts under an incident of your choice,",
    "-v no_fence=1 leaves the fence as it is.",
    "",
    "Exit status 0: every tenant is off. 3: something is still on, and the end of the output says what, and who holds",
    "it. Type it again then: what is off is left alone, and what was kept first stays the prior value.",
    "",
    "In this order: what is free is switched off, the write block is shown as a line for another terminal, the fence",
    "is raised, and only then is each tenant that somebody holds waited for.",
    "",
    "Every preflight has the server plan each statement, which checks names and privileges, and runs none. The whole",
    "script is run on rehearsal hosts only. It needs psql 11 or newer.",
    "",
    "What each tenant had is kept by the statement that switches it, in the ledger where there is one (then",
    "reenable.yml can undo it as well), else",
)
ABOUT_PLACE = (
    "If that is a table of another role, no superuser's, or somebody else's trigger is on it, it is left alone and one",
    "is made whose name begins so: the output names it. The undo finds it again for the role that made it, and for",
    "everybody with rights on it if that was a superuser.",
)
ABOUT_DOCUMENTS = (
    "It is switched off by one more member at the end of the text: of two members of one name the last counts. What",
    "is no JSON is left to the letter, counts as on, and fails the script.",
)
AFTERWARDS = """\
-- When Ansible works again and there was no ledger on the day: make it (bootstrap.yml), and hand over what was kept:
--   INSERT INTO kanban_rollback.incidents (incident_id, scenario) VALUES ('BREAK-GLASS', 'break-glass');
--   INSERT INTO kanban_rollback.flag_changes
--     (incident_id, flag, action, at, run_id, written, full_depth, tenants, priors, depths, marks)
--   SELECT incident_id, flag, action, at, run_id, written, full_depth, tenants, priors, depths, marks
--   FROM (the table named above) ORDER BY seq;
-- Then: reenable.yml -e kanban_reenable=all -e kanban_incident_id=BREAK-GLASS, and drop the table."""


def flat(text: str) -> str:
    """Return a text as one line, uncut: a command that is cut is another command."""
    return " ".join(text.splitlines())


def say(text: str, variable: str | None = None) -> str:
    """Return the line that prints a text, and a variable after it: within quotes psql knows escapes, no variables."""
    text = flat(text).replace("\\", "\\\\").replace("'", "''")
    return f"\\echo '{text}'" + (f" :{variable}" if variable else "")
