# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was kept: the priors in the ledger and the rows in the dump, compared with what people were told was done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from tests.drills import looks
from tests.drills.looks import Place
from tests.rehearsal.people import Crowd
from tests.staging import account
from tests.staging.account import REFUSED, UNKNOWN, Entry, Report

FLAG = "kanbanV2Enabled"
# The first kept value counts: a tenant that an incident switches a second time was on for another reason.
_PRIORS = """
SELECT DISTINCT ON (kept.tenant) kept.tenant, kept.prior
  FROM kanban_rollback.flag_changes, unnest(tenants, priors) AS kept (tenant, prior)
 WHERE action = 'disabled' ORDER BY kept.tenant, seq
"""


def had_it(settings: str) -> dict[str, str]:
    """Return the flag's value, as JSON, of each company that has V2 according to these settings."""
    found = {}
    for line in settings.splitlines():
        tenant, _bar, document = line.partition("|")
        value = json.loads(document or "null")
        flag = value.get(FLAG) if isinstance(value, dict) else None
        if flag is not None and flag is not False:
            found[tenant] = json.dumps(flag)
    return found


def priors(place: Place) -> dict[str, str]:
    """Return the prior value that the ledger has, by company."""
    lines = place.psql(_PRIORS).splitlines()
    return {tenant: json.dumps(json.loads(prior)) for tenant, _bar, prior in (line.partition("|") for line in lines)}


def in_dump(place: Place, crowd: Crowd, unheard: tuple[float, float] | None = None) -> Report | None:
    """Compare an account with the newest dump; None if there is none. ``unheard``: see ``account.doubted``."""
    found = looks.dumps(place)
    if not found:
        return None
    manifest = looks.manifest(place, found[-1])
    moments = [datetime.fromisoformat(str(manifest[name])).timestamp() for name in ("started_at", "ended_at")]
    tables = ["--table=Tickets", "--table=TicketTags"]
    copied = _copied(place.run("pg_restore", "--data-only", *tables, "--file=-", found[-1])[0])
    rows = {
        int(row["id"]): (_number(row["kanbanLane"]), _number(row["kanbanOrder"]), _text(row["lastMessage"]))
        for row in copied["Tickets"]
    }
    tags = Counter((int(row["ticketId"]), int(row["tagId"])) for row in copied["TicketTags"])
    return account.compare(at_dump(account.doubted(account.read(crowd.path), unheard), *moments), rows, tags)


def at_dump(entries: Collection[Entry], started: float, ended: float) -> list[Entry]:
    """Return an account as a snapshot between two moments may show it: for overlapping writes, either is right."""
    before = [entry for entry in entries if entry.at <= ended]
    return [
        entry if entry.outcome == REFUSED or (entry.until or ended) < started else replace(entry, outcome=UNKNOWN)
        for entry in before
    ]


def _copied(text: str) -> dict[str, list[dict[str, str]]]:
    """Return the rows of each table from COPY statements."""
    tables: dict[str, list[dict[str, str]]] = {}
    columns: list[str] = []
    rows: list[dict[str, str]] | None = None
    for line in text.splitlines():
        if line.startswith("COPY "):
            name, _paren, rest = line.removeprefix("COPY ").partition(" (")
            columns = [column.strip().strip('"') for column in rest.partition(")")[0].split(",")]
            rows = tables.setdefault(name.rpartition(".")[2].strip('"'), [])
        elif line == r"\.":
            rows = None
        elif rows is not None:
            rows.append(dict(zip(columns, line.split("\t"), strict=True)))
    return tables


def _number(value: str) -> int | None:
    return None if value == r"\N" else int(value)


def _text(value: str) -> str | None:
    return None if value == r"\N" else value
