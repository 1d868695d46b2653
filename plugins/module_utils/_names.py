# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the table or column that a person means. Pure: neither Ansible nor a driver.

ORMs make quoted camelCase names, people type them without quotes, and PostgreSQL folds those to lower case. So the
exact name is tried first, then the folded one; anything else is an error that lists what exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

NEAR_NAMES = 5


@dataclass(frozen=True)
class Table:
    """A table of the catalog; ``schema_rank`` is its schema's place in the search path, None if it is not in it."""

    oid: int
    schema: str
    name: str
    schema_rank: int | None
    partitioned: bool = False

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


CUT_SILENTLY = ("varchar", "bpchar")


@dataclass(frozen=True)
class Column:
    """A column of the catalog.

    ``type_name`` is the type as SQL text, ready for a cast (PostgreSQL's ``format_type``); ``kind`` is the base type's
    name in ``pg_type`` (a domain's base), ``fills_itself`` says whether an INSERT may leave the column out, and
    ``holds_null`` whether it may be NULL.
    """

    name: str
    type_name: str
    kind: str
    fills_itself: bool
    holds_null: bool = True

    @property
    def cast_name(self) -> str:
        """The type to cast a value to before writing it to the column, or comparing it with the column.

        Not varchar(n) itself: an explicit cast silently cuts what is too long; an assignment from text refuses it.
        """
        return "text" if self.kind in CUT_SILENTLY else self.type_name


def near_names(wanted: str, names: Sequence[str]) -> list[str]:
    """Return up to five names that look like ``wanted``, best first; if there are none, the first five of all."""
    # Only a name that is not there needs it, and a kill is to start soon.
    import difflib  # noqa: PLC0415

    folded = {name.lower(): name for name in reversed(names)}
    close = difflib.get_close_matches(wanted.lower(), list(folded), n=NEAR_NAMES, cutoff=0.5)
    return [folded[name] for name in close] or sorted(names)[:NEAR_NAMES]


def resolve_table(wanted: str, tables: Sequence[Table]) -> Table:
    """Return the table meant by ``wanted`` (``name`` or ``schema.name``); raises BadInput.

    The search path decides between schemas, as it does in SQL. A table outside of it must be named with its schema.
    """
    tries: list[tuple[str | None, str]] = [(None, wanted), (None, wanted.lower())]
    for dot in (place for place, letter in enumerate(wanted) if letter == "."):
        schema, name = wanted[:dot], wanted[dot + 1 :]
        tries += [(schema, name), (schema, name.lower()), (schema.lower(), name.lower())]
    for in_schema, name in tries:
        found = [table for table in tables if table.name == name and _in_scope(table, in_schema)]
        if found:
            return min(found, key=lambda table: table.schema_rank if table.schema_rank is not None else 0)
    elsewhere = [table for table in tables if table.name.lower() == wanted.lower()]
    if elsewhere:
        names = [str(table) for table in elsewhere]
        raise BadInput(
            "ambiguous_table",
            f"Table {wanted!r} does not say which one is meant: there are {', '.join(names)}.",
            "Nothing was changed; switching a flag in the wrong table would leave the real one on.",
            "Name it exactly as listed (kanban_tables, or the option table).",
            near=names,
        )
    near = near_names(wanted.rpartition(".")[2] or wanted, [table.name for table in tables])
    raise BadInput(
        "missing_table",
        f"There is no table {wanted!r} that this role can see in this database.",
        "Nothing was changed: the flag is as it was.",
        f"Is it one of {near}? Set kanban_tables (option table), or check the database's name."
        if near
        else "The database has no tables that this role can see: check login_db and the role's USAGE on the schema.",
        near=near,
        wanted=wanted,
    )


def _in_scope(table: Table, schema: str | None) -> bool:
    return table.schema_rank is not None if schema is None else table.schema == schema


def resolve_column(wanted: str, columns: Sequence[Column], table: str) -> Column:
    """Return the column of ``table`` that is meant by ``wanted``; raises BadInput with near names."""
    for name in (wanted, wanted.lower()):
        for column in columns:
            if column.name == name:
                return column
    names = [column.name for column in columns]
    near = near_names(wanted, names)
    raise BadInput(
        "missing_column",
        f"Table {table} has no column {wanted!r}.",
        "Nothing was changed: the flag is as it was.",
        f"Is it one of {near}? Set kanban_columns or kanban_flag (the module's option of that column).",
        near=near,
    )
