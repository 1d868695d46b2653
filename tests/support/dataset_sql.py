# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL text of the data set: tables, rows by generate_series, then constraints (faster than having them before).

Nothing is random: what looks scattered is arithmetic on the row's number. Identifiers come only from this file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dataset import DataSet

KEY = "kanbanV2Enabled"
# What ``count_by_kind`` calls the values that are off. A document's are JSON text, the others' plain text.
OFF_IN_DOCUMENT = ("false", "null", "absent", "no settings", "an array", "a string")
OFF_IN_TEXT = ("disabled", "NULL", "absent")
OFF_IN_BOOLEAN = ("false", "NULL")

TAGS_PER_TENANT = 5
LANES_PER_TENANT = 4
USERS_PER_TENANT = 3
# One row in this many is corrupt, if corruption is asked for.
ORPHAN_TAGS_EVERY = 400
INVALID_LANES_EVERY = 500
HOMELESS_TICKETS_EVERY = 1_000
DUPLICATES_EVERY = 300
# Ids that no row has.
NOBODY = 1_900_000_000

# Names are quoted in the texts below; what is in single quotes is data and keeps its case.
_QUOTED_NAME = re.compile(r"""'(?:[^']|'')*'|"(\w+)\"""")

_COMMON = '"createdAt" timestamptz NOT NULL DEFAULT now(), "updatedAt" timestamptz NOT NULL DEFAULT now()'
_TABLES = (
    """CREATE TABLE "Companies" ("id" {serial}, "name" text NOT NULL, "document" text, "status" boolean NOT NULL
       DEFAULT true, "settings" {settings}{flag_column}, {common})""",
    """CREATE TABLE "Users" ("id" {serial}, "name" text NOT NULL, "email" text NOT NULL, "profile" text NOT NULL
       DEFAULT 'user', "companyId" {id}, {common})""",
    """CREATE TABLE "Tags" ("id" {serial}, "name" text NOT NULL, "color" text, "kanban" integer NOT NULL DEFAULT 0,
       "companyId" {id}, {common})""",
    """CREATE TABLE "Lanes" ("id" {serial}, "name" text NOT NULL, "position" integer NOT NULL, "companyId" {id}
       NOT NULL, {common})""",
    """CREATE TABLE "Tickets" ("id" {serial}, "status" text NOT NULL DEFAULT 'open', "lastMessage" text,
       "companyId" {id}, "userId" {id}, "kanbanLane" {id}, "kanbanOrder" integer, {common})""",
    """CREATE TABLE "TicketTags" ({ticket_tag_id}"ticketId" {id} NOT NULL, "tagId" {id} NOT NULL, {common})""",
    """CREATE TABLE "ErrorLogs" ("id" {serial}, "companyId" {id}, "severity" text NOT NULL, "context" text NOT NULL,
       "message" text, {common})""",
    """CREATE TABLE "Settings" ("key" text NOT NULL, "value" text, "companyId" {id}, {common})""",
)

# floor(g * share) grows by one for each tenant that is on, so the number of those is exact and they are spread evenly.
_RANKED = """SELECT g, floor(g * {share}) > floor((g - 1) * {share}) AS is_on, floor(g * {share}) AS on_rank,
       g - floor(g * {share}) AS off_rank FROM generate_series(1, {tenants}) AS g"""
_JSON_KIND = """CASE WHEN is_on THEN CASE on_rank % 50 WHEN 5 THEN '"true"' WHEN 9 THEN '"sim"' WHEN 13 THEN '1'
       WHEN 17 THEN '""' ELSE 'true' END ELSE CASE off_rank % 50 WHEN 3 THEN 'null' WHEN 6 THEN 'absent'
       WHEN 9 THEN 'absent' WHEN 12 THEN 'no settings' WHEN 15 THEN 'an array' WHEN 18 THEN 'a string'
       ELSE 'false' END END"""
_TEXT_KIND = """CASE WHEN is_on THEN CASE on_rank % 50 WHEN 5 THEN 'sim' WHEN 9 THEN '1' WHEN 13 THEN ''
       ELSE 'enabled' END ELSE CASE off_rank % 50 WHEN 3 THEN NULL ELSE 'disabled' END END"""
_BOOLEAN_KIND = "CASE WHEN is_on THEN true WHEN off_rank % 50 = 3 THEN NULL ELSE false END"
_DOCUMENT = """'{"timezone": "America/Sao_Paulo", "userRating": "enabled", "maxUsers": ' || g % 50 || '}'"""
_FLAGGED = """CASE kind WHEN 'no settings' THEN NULL WHEN 'an array' THEN '[]' WHEN 'a string' THEN '"migrated"'
       WHEN 'absent' THEN {document} ELSE rtrim({document}, '}') || ', "kanbanV2Enabled": ' || kind || '}' END"""


def _named(data: DataSet, text: str) -> str:
    return _QUOTED_NAME.sub(lambda found: data.sql_name(found.group(1)) if found.group(1) else found.group(), text)


def _id(data: DataSet, table: str, number: str) -> str:
    """Return the expression of a row's id from its number; the same table and number always give the same uuid."""
    return f"({number})" if data.ids == "integer" else f"md5('{table} ' || ({number}))::uuid"


def _ranked(data: DataSet) -> str:
    return _RANKED.replace("{share}", str(data.share_on)).replace("{tenants}", str(data.tenants))


def tables(data: DataSet) -> list[str]:
    """Return the statements that create the tables, bare."""
    key = "integer" if data.ids == "integer" else "uuid"
    serial = "serial" if data.ids == "integer" else "uuid NOT NULL DEFAULT gen_random_uuid()"
    flag = f', "{KEY}" {data.column_type}' if data.store == "column" else ""
    texts = {
        "{serial}": serial,
        "{id}": key,
        "{settings}": data.settings,
        "{flag_column}": flag,
        "{ticket_tag_id}": f'"id" {serial}, ' if data.keyed else "",
        "{common}": _COMMON,
    }
    statements = list(_TABLES)
    for place, text in texts.items():
        statements = [statement.replace(place, text) for statement in statements]
    return [_named(data, statement) for statement in statements]


def rows(data: DataSet) -> list[str]:
    """Return the statements that fill the tables, and those that set the sequences past the rows."""
    filled = [_companies(data), _users(data), _tags(data), _lanes(data), _tickets(data), _ticket_tags(data)]
    filled += [_error_logs(data), *_settings(data), *(_duplicates(data) if data.corruption else [])]
    if data.ids == "integer":
        keyed = ["Companies", "Users", "Tags", "Lanes", "Tickets", "ErrorLogs"]
        for table in [*keyed, *(["TicketTags"] if data.keyed else [])]:
            sequence = f"pg_get_serial_sequence('{data.sql_name(table)}', '{data.name('id')}')"
            filled.append(f'SELECT setval({sequence}, (SELECT coalesce(max("id"), 1) FROM "{table}"))')
    return [_named(data, statement) for statement in filled]


def _companies(data: DataSet) -> str:
    kind = {"jsonb": _JSON_KIND, "column": _TEXT_KIND, "key_value": "NULL"}[data.store]
    if data.store == "column" and data.column_type == "boolean":
        kind = _BOOLEAN_KIND
    settings = _FLAGGED.replace("{document}", _DOCUMENT) if data.store == "jsonb" else _DOCUMENT
    flag, value = (f', "{KEY}"', ", kind") if data.store == "column" else ("", "")
    return f"""INSERT INTO "Companies" ("id", "name", "settings"{flag})
        SELECT {_id(data, "Companies", "g")}, 'Empresa ' || g, ({settings})::{data.settings}{value}
        FROM (SELECT g, {kind} AS kind FROM ({_ranked(data)}) AS ranked) AS kinds"""


def _users(data: DataSet) -> str:
    return f"""INSERT INTO "Users" ("id", "name", "email", "companyId") SELECT {_id(data, "Users", "g")},
        'Pessoa ' || g, 'pessoa' || g || '@example.com', {_id(data, "Companies", f"(g - 1) / {USERS_PER_TENANT} + 1")}
        FROM generate_series(1, {data.tenants * USERS_PER_TENANT}) AS g"""


def _tags(data: DataSet) -> str:
    owner = _id(data, "Companies", f"(g - 1) / {TAGS_PER_TENANT} + 1")
    if data.corruption:
        # Orphans of both kinds in turn: of no company, and of one that is gone.
        gone = _id(data, "Companies", f"{NOBODY} + g")
        owner = f"""CASE WHEN g % {ORPHAN_TAGS_EVERY} <> 0 THEN {owner}
            WHEN g / {ORPHAN_TAGS_EVERY} % 2 = 0 THEN {gone} END"""
    return f"""INSERT INTO "Tags" ("id", "name", "color", "kanban", "companyId") SELECT {_id(data, "Tags", "g")},
        (ARRAY['Urgente', 'Novo', 'Aguardando', 'VIP', 'Retorno'])[1 + g % 5],
        '#' || lpad(to_hex(g * 7919 % 16777216), 6, '0'),
        (g % 2), {owner} FROM generate_series(1, {data.tenants * TAGS_PER_TENANT}) AS g"""


def _lanes(data: DataSet) -> str:
    return f"""INSERT INTO "Lanes" ("id", "name", "position", "companyId") SELECT {_id(data, "Lanes", "g")},
        (ARRAY['Aberto', 'Em atendimento', 'Aguardando', 'Resolvido'])[1 + (g - 1) % 4], (g - 1) % {LANES_PER_TENANT},
        {_id(data, "Companies", f"(g - 1) / {LANES_PER_TENANT} + 1")}
        FROM generate_series(1, {data.tenants * LANES_PER_TENANT}) AS g"""


def _tickets(data: DataSet) -> str:
    company = _id(data, "Companies", "tenant + 1")
    own = _id(data, "Lanes", f"tenant * {LANES_PER_TENANT} + 1 + g % {LANES_PER_TENANT}")
    lane = f"CASE WHEN g % 10 <> 9 THEN {own} END"
    if data.corruption:
        # In turn: the lane of the tenant next door, and a lane that is gone.
        foreign = _id(data, "Lanes", f"(tenant + 1) % {data.tenants} * {LANES_PER_TENANT} + 1")
        gone = _id(data, "Lanes", f"{NOBODY} + g")
        lane = f"""CASE WHEN g % {INVALID_LANES_EVERY} <> 1 THEN {lane}
            WHEN g / {INVALID_LANES_EVERY} % 2 = 0 THEN {gone} ELSE {foreign} END"""
        company = f"CASE WHEN g % {HOMELESS_TICKETS_EVERY} <> 2 THEN {company} END"
    # A prime step scatters a tenant's tickets over the whole table, as years of use do.
    return f"""INSERT INTO "Tickets" ("id", "status", "lastMessage", "companyId", "userId", "kanbanLane", "kanbanOrder")
        SELECT {_id(data, "Tickets", "g")}, (ARRAY['open', 'pending', 'closed'])[1 + g % 3],
        'Mensagem ' || g, {company},
        {_id(data, "Users", f"tenant * {USERS_PER_TENANT} + 1 + g % {USERS_PER_TENANT}")}, {lane}, g / 100
        FROM (SELECT g, (g * 7919::bigint % {data.tenants})::integer AS tenant
              FROM generate_series(1, {data.tickets}) AS g) AS placed"""


def _ticket_tags(data: DataSet) -> str:
    # One or two tags of the ticket's own tenant.
    tag = f"(g * 7919::bigint % {data.tenants})::integer * {TAGS_PER_TENANT} + 1 + (g + n) % {TAGS_PER_TENANT}"
    return f"""INSERT INTO "TicketTags" ("ticketId", "tagId")
        SELECT {_id(data, "Tickets", "g")}, {_id(data, "Tags", tag)}
        FROM generate_series(1, {data.tickets}) AS g, generate_series(0, 1) AS n WHERE n = 0 OR g % 2 = 0"""


def _duplicates(data: DataSet) -> list[str]:
    first = f"(g * 7919::bigint % {data.tenants})::integer * {TAGS_PER_TENANT} + 1 + g % {TAGS_PER_TENANT}"
    return [
        f"""INSERT INTO "TicketTags" ("ticketId", "tagId")
        SELECT {_id(data, "Tickets", "g")}, {_id(data, "Tags", first)}
        FROM generate_series({DUPLICATES_EVERY}, {data.tickets}, {DUPLICATES_EVERY}) AS g"""
    ]


def _error_logs(data: DataSet) -> str:
    # Half of the errors fall on at most 25 tenants, within two hours before the load.
    step = max(1, data.tenants // 25)
    tenant = f"CASE WHEN g % 2 = 0 THEN g / 2 % 25 * {step} % {data.tenants} ELSE g % {data.tenants} END + 1"
    return f"""INSERT INTO "ErrorLogs" ("id", "companyId", "severity", "context", "message", "createdAt")
        SELECT {_id(data, "ErrorLogs", "g")}, {_id(data, "Companies", tenant)}, 'error',
        (ARRAY['kanban', 'kanban:drag', 'webhook'])[1 + g % 3], 'TypeError ' || g % 20,
        now() - g % 7200 * interval '1 second'
        FROM generate_series(1, {data.tickets // 10}) AS g"""


def _settings(data: DataSet) -> list[str]:
    filled = [
        f"""INSERT INTO "Settings" ("key", "value", "companyId") SELECT 'timezone', 'America/Sao_Paulo',
        {_id(data, "Companies", "g")} FROM generate_series(1, {data.tenants}) AS g"""
    ]
    if data.store == "key_value":
        # A tenant without a row, and the row of no tenant: the global default.
        filled.append(
            f"""INSERT INTO "Settings" ("key", "value", "companyId") SELECT '{KEY}', kind, {_id(data, "Companies", "g")}
            FROM (SELECT g, is_on, off_rank, {_TEXT_KIND} AS kind FROM ({_ranked(data)}) AS ranked) AS kinds
            WHERE is_on OR off_rank % 50 <> 6 UNION ALL SELECT '{KEY}', 'disabled', NULL"""
        )
    return filled


def constraints(data: DataSet) -> list[str]:
    """Return the statements that add keys, indexes and foreign keys and gather statistics."""
    keyed = ["Companies", "Users", "Tags", "Lanes", "Tickets", "ErrorLogs", *(["TicketTags"] if data.keyed else [])]
    made = [f'ALTER TABLE "{table}" ADD PRIMARY KEY ("id")' for table in keyed]
    made += ['ALTER TABLE "Companies" ADD UNIQUE ("document")', 'ALTER TABLE "Users" ADD UNIQUE ("email")']
    if data.keyed and not data.corruption:
        made.append('ALTER TABLE "TicketTags" ADD UNIQUE ("ticketId", "tagId")')
    references = [(table, "companyId", "Companies") for table in (*keyed[1:6], "Settings")]
    references += [
        ("Tickets", "userId", "Users"),
        ("TicketTags", "ticketId", "Tickets"),
        ("TicketTags", "tagId", "Tags"),
    ]
    references += [("Tickets", "kanbanLane", "Lanes")]
    made += [f'CREATE INDEX ON "{table}" ("{column}")' for table, column, _target in references]
    made.append('CREATE INDEX ON "ErrorLogs" ("createdAt")')
    if data.on_delete:
        late = " NOT VALID" if data.corruption else ""
        made += [
            f'ALTER TABLE "{table}" ADD FOREIGN KEY ("{column}") REFERENCES "{target}" ("id") '
            f"ON DELETE {data.on_delete}{late}"
            for table, column, target in references
        ]
    made += [f'ANALYZE "{table}"' for table in (*keyed[:6], "TicketTags", "Settings")]
    return [_named(data, statement) for statement in made]


def corruption_counts(data: DataSet) -> dict[str, int]:
    """Return how many rows are corrupt in which way."""
    if not data.corruption:
        return {"orphan_tags": 0, "duplicate_ticket_tags": 0, "invalid_lanes": 0, "tickets_without_company": 0}
    return {
        "orphan_tags": data.tenants * TAGS_PER_TENANT // ORPHAN_TAGS_EVERY,
        "duplicate_ticket_tags": data.tickets // DUPLICATES_EVERY,
        "invalid_lanes": (data.tickets - 1) // INVALID_LANES_EVERY + 1,
        "tickets_without_company": (data.tickets - 2) // HOMELESS_TICKETS_EVERY + 1,
    }


def count_by_kind(data: DataSet) -> str:
    """Return the query that counts tenants by the value of their flag."""
    if data.store == "column":
        kind, source = f"""coalesce("{KEY}"::text, 'NULL')""", '"Companies"'
    elif data.store == "key_value":
        kind = """CASE WHEN s."key" IS NULL THEN 'absent' ELSE coalesce(s."value", 'NULL') END"""
        source = f""""Companies" c LEFT JOIN "Settings" s ON s."companyId" = c."id" AND s."key" = '{KEY}'"""
    else:
        document, kinds = '"settings"::jsonb', 'jsonb_typeof("settings"::jsonb)'
        kind = f"""CASE WHEN "settings" IS NULL THEN 'no settings' WHEN {kinds} = 'array' THEN 'an array'
            WHEN {kinds} <> 'object' THEN 'a string' ELSE coalesce(({document} -> '{KEY}')::text, 'absent') END"""
        # The name of a key in a document keeps its case, whatever the schema's.
        source = '"Companies"'
    return _named(data, f"SELECT {kind} AS kind, count(*) FROM {source} GROUP BY 1 ORDER BY 2 DESC, 1")
