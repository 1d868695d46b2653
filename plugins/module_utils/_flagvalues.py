# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a flag is and when it is off. Pure: neither Ansible nor a driver.

Off means: absent (unless ``absent_means`` is on), SQL or JSON NULL, ``false``, or exactly the disabled value. All else
is on: nobody knows at three in the morning what an application makes of ``"false"``, ``"sim"``, ``0`` or ``{}``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import (
    NotJson,
    Place,
    leaf,
    locate,
    nested,
    removed,
    replaced,
    same_value,
)

STORES = ("jsonb", "key_value", "column")
_NUMERIC = ("int2", "int4", "int8", "numeric", "float4", "float8")


@dataclass(frozen=True)
class Flag:
    """Where the flag of a tenant is kept; the fields are the options of ``feature_flag``.

    ``enabled_value`` and ``disabled_value`` are plain values (bool, number, str, None, list, dict).
    """

    store: str
    table: str
    tenant_column: str
    column: str
    path: tuple[str, ...] = ()
    key_column: str | None = None
    key: str | None = None
    absent_is_on: bool = False
    enabled_value: Any = True
    disabled_value: Any = False
    tenants_table: str | None = None
    tenants_table_column: str | None = None

    def __post_init__(self) -> None:
        if self.store == "jsonb" and not self.path:
            raise _incomplete("path", "the jsonb store keeps the flag inside of a document")
        if self.store == "key_value" and not (self.key_column and self.key):
            raise _incomplete("key_column and key", "the key_value store keeps one row per tenant and key")
        if self.store == "key_value" and self.absent_is_on and not self.tenants_table:
            raise _incomplete(
                "tenants_table", "with absent_means 'on' a tenant without a row is on, so all tenants must be known"
            )

    @property
    def json_off_values(self) -> list[str]:
        """The JSON texts that mean off; ``false`` is not among them if it is the enabled value (an inverted flag)."""
        false = ["false"] if self.enabled_value is not False else []
        return list(dict.fromkeys(["null", *false, self.json_value(False)]))

    def json_value(self, enabled: bool) -> str:
        """Return the JSON text that is written inside a document."""
        return json.dumps(self.enabled_value if enabled else self.disabled_value)

    def scalar_value(self, enabled: bool, kind: str) -> str | None:
        """Return the text that is written into a column of base type ``kind``; PostgreSQL casts it. None is NULL."""
        value = self.enabled_value if enabled else self.disabled_value
        if isinstance(value, bool):
            return str(int(value)) if kind in _NUMERIC else str(value).lower()
        if kind in ("jsonb", "json"):
            return json.dumps(value)
        return value if value is None or isinstance(value, str) else json.dumps(value)

    def scalar_off(self, kind: str) -> str | None:
        """Return the text that means off in a column of base type ``kind``; None if only NULL does."""
        false_too = self.disabled_value is None and kind == "bool" and self.enabled_value is not False
        return "false" if false_too else self.scalar_value(False, kind)


def _incomplete(option: str, why: str) -> BadInput:
    return BadInput(
        "incomplete_flag",
        f"The flag's place is not complete: {option} is missing.",
        f"Nothing was changed: {why}.",
        "Set it in kanban_flag (the module's option of that name).",
    )


def json_is_on(value: str | None, flag: Flag) -> bool:
    """Tell whether a document's flag is on; ``value`` is the JSON text at the path, None if absent."""
    if value is None:
        return flag.absent_is_on
    return not any(same_value(value, off) for off in flag.json_off_values)


@dataclass(frozen=True)
class Document:
    """What a json or text column's content says about the flag; ``readable`` is False for text that is not JSON."""

    on: bool
    readable: bool = True


def read_document(text: str | None, flag: Flag) -> Document:
    """Return whether the flag is on in a whole document; an empty text is a tenant without settings."""
    if text is None or not text.strip():
        return Document(flag.absent_is_on)
    try:
        return Document(json_is_on(leaf(text, flag.path), flag))
    except NotJson:
        return Document(on=False, readable=False)


def written_document(text: str | None, flag: Flag, enabled: bool) -> str:
    """Return the document with the flag written; everything else stays exactly as it is. Raises NotJson."""
    return replaced(text if text and text.strip() else "{}", flag.path, flag.json_value(enabled))


def mark_of(text: str) -> str:
    """Return the short mark by which a document that we wrote is recognized."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True)
class PutBack:
    """The outcome for one document: ``restored`` (with the text to write), ``changed_since`` or ``already``."""

    outcome: str
    text: str | None = None


def put_back_document(
    current: str | None, prior: str | None, mark: str, written: str, flag: Flag, again: str | None = None
) -> PutBack:
    """Return what brings the flag of a document back.

    :param current: the column's content now.
    :param prior: its whole content before we switched.
    :param mark: the mark of what we wrote (``mark_of``).
    :param written: the JSON text of the flag that we wrote.
    :param again: its whole content before we switched it again (a stale write had come in between); None if once.

    If untouched since, exactly the prior text goes back; if other settings changed since, only the flag does.
    """
    untouched = current is not None and mark_of(current) == mark
    if untouched and again is None:
        return PutBack("restored", prior)
    try:
        before, now = _leaf(prior, flag), _leaf(current, flag)
        if untouched:
            return PutBack("restored", _with_flag(again, before, flag))
        if _same(now, before):
            return PutBack("already")
        if current is None or not _same(now, written):
            return PutBack("changed_since")
        return PutBack("restored", _put_back_point(current, prior, written, flag))
    except NotJson:
        return PutBack("changed_since")


def _leaf(text: str | None, flag: Flag) -> str | None:
    return leaf(text, flag.path) if text and text.strip() else None


def _with_flag(text: str | None, value: str | None, flag: Flag) -> str | None:
    """Return a document with the flag set to a JSON text, or without it."""
    if not text or not text.strip():
        return text if value is None else replaced("{}", flag.path, value)
    return removed(text, flag.path) if value is None else replaced(text, flag.path, value)


def _put_back_point(current: str, prior: str | None, written: str, flag: Flag) -> str:
    """Return the document with the point of change as it was; if there is more there now, only the flag goes back."""
    place = locate(prior, flag.path) if prior and prior.strip() else Place(1, 0, 0, False)
    point, rest = flag.path[: place.depth], flag.path[place.depth :]
    old = prior[place.start : place.end] if prior and place.present else None
    if not rest and old is not None:
        return replaced(current, point, old)
    if not _same(leaf(current, point), nested(rest, written)):
        return removed(current, flag.path)
    return removed(current, point) if old is None else replaced(current, point, old)


def _same(left: str | None, right: str | None) -> bool:
    return left is right if left is None or right is None else same_value(left, right)
