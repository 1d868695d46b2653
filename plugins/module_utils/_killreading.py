# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one answer of an application process says about the flag. Pure: neither Ansible nor a driver.

Nothing is guessed: a value means V1 if it is one of those named for V1, by kind and value (``0`` is not ``false``),
V2 if it is another value of such a kind, and anything else is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsonpath import (
    PathMissing,
    Step,
    Steps,
    parse,
    read,
    steps,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import NotJson

V1, V2, UNKNOWN = "v1", "v2", "unknown"
TENANT = "<tenant>"
_OK = 200
# At most so many tenants are named in one line.
_NAMED = 3


class Said(NamedTuple):
    """What an answer says: V1, V2 or unknown, by which process, and why it is not V1."""

    serves: str
    pid: int | None = None
    why: str | None = None


@dataclass(frozen=True)
class Reading:
    """Where in an answer the flag and the process id are.

    :param serves: path to the flag; a step that is ``<tenant>`` stands for each tenant's id.
    :param off_when: the values there that mean V1.
    :param pid: path to the process id, None if answers have none.
    :param tenants: whom it is about; if empty, everybody at once.
    :param tenant_parameter: the query parameter with the tenant; None if one answer is about all tenants.
    :param named: how many tenants were named, of which ``tenants`` are those that are asked for.
    """

    serves: Steps
    off_when: Sequence[Any]
    pid: Steps | None = None
    tenants: Sequence[str] = ()
    tenant_parameter: str | None = None
    named: int = 0

    @property
    def warnings(self) -> list[str]:
        """What a reader should know: how many tenants were not asked for."""
        if self.named <= len(self.tenants):
            return []
        return [
            f"Asked for {len(self.tenants)} of {self.named} tenants named (most_tenants), the others are not proven."
        ]

    @property
    def questions(self) -> list[str | None]:
        """The tenants that are asked for one by one; None for a question that names no tenant."""
        return list(self.tenants) if self.tenants and self.tenant_parameter else [None]

    def of(self, status: int, body: bytes, tenant: str | None = None) -> Said:
        """Return what an answer says; ``tenant`` is the one it was asked for."""
        if status != _OK:
            return Said(UNKNOWN, None, f"it answered {status}")
        try:
            document = parse(body)
        except NotJson as error:
            return Said(UNKNOWN, None, f"its answer cannot be read: {error}")
        pid = None
        if self.pid is not None:
            try:
                pid = _pid(read(document, self.pid))
            except PathMissing as missing:
                return Said(UNKNOWN, None, str(missing))
            if pid is None:
                return Said(UNKNOWN, None, "what stands for its process id is none")
        serves, why = self._everybody(document) if tenant is None else self._one(document, tenant)
        return Said(serves, pid, why)

    def _everybody(self, document: Any) -> tuple[str, str | None]:
        if not self.tenants:
            return self._one(document, None)
        if TENANT not in self.serves:
            return self._listed(document)
        found = [(tenant, *self._one(document, tenant)) for tenant in self.tenants]
        on = [tenant for tenant, serves, _why in found if serves == V2]
        if on:
            return V2, _on(on)
        return next(((serves, why) for _tenant, serves, why in found if serves != V1), (V1, None))

    def _listed(self, document: Any) -> tuple[str, str | None]:
        try:
            value = read(document, self.serves)
        except PathMissing as missing:
            return UNKNOWN, str(missing)
        if not isinstance(value, list):
            return UNKNOWN, "what should list the tenants that have V2 is no list"
        # Ids are compared as text: one side writes 7, the other "7".
        listed = {str(one) for one in value if isinstance(one, (str, int)) and not isinstance(one, bool)}
        if len(listed) < len(value):
            return UNKNOWN, "the list of tenants that have V2 holds something else than their ids"
        on = [tenant for tenant in self.tenants if tenant in listed]
        return (V2, _on(on)) if on else (V1, None)

    def _one(self, document: Any, tenant: str | None) -> tuple[str, str | None]:
        path: list[Step] = [tenant if step == TENANT and tenant is not None else step for step in self.serves]
        try:
            value = read(document, path)
        except PathMissing as missing:
            return UNKNOWN, str(missing)
        whose = "" if tenant is None else f" for tenant {tenant}"
        if any(same(value, off) for off in self.off_when):
            return V1, None
        if any(_kind(value) is _kind(off) for off in self.off_when):
            # A text may be anything, even a secret; a number or a boolean is safe to show.
            return V2, f"it serves V2{whose}" + ("" if isinstance(value, str) else f" ({str(value).lower()[:20]})")
        return UNKNOWN, f"what stands for V1 or V2{whose} is of another kind than the values of off_when"


def reading_from(params: Mapping[str, Any]) -> Reading:
    """Return what a module's parameters describe; raises BadInput."""
    path, tenants = steps(params["serves_path"]), [str(tenant) for tenant in params["tenants"] or []]
    if not params["off_when"] or any(isinstance(value, (list, dict)) for value in params["off_when"]):
        raise BadInput(
            "bad_off_when",
            "off_when has no value, or one that is a list or a map.",
            "What means V1 is never guessed, so nothing could be proven.",
            "Give the values that mean V1 as the application writes them, for instance [false] or [0].",
        )
    if TENANT in path and not tenants:
        raise BadInput(
            "no_tenants",
            f"serves_path has {TENANT}, and there are no tenants.",
            "A proof about nobody would always hold.",
            f"Give tenants, or a path without {TENANT}.",
        )
    return Reading(
        serves=path,
        off_when=params["off_when"],
        pid=steps(params["pid_path"]) if params["pid_path"] else None,
        tenants=spread(tenants, max(1, params["most_tenants"])),
        named=len(set(tenants)),
        tenant_parameter=params["tenant_parameter"] or None,
    )


def spread(tenants: Sequence[str], most: int) -> list[str]:
    """Return at most ``most`` of the tenants, each once: the first, the last, and some evenly spread in between."""
    each = list(dict.fromkeys(tenants))
    if len(each) <= most:
        return each
    return [each[place * (len(each) - 1) // max(1, most - 1)] for place in range(most)]


def same(value: Any, other: Any) -> bool:
    """Return whether two JSON values are the same, by kind and value: ``1`` is ``1.0``, and neither is ``true``."""
    return _kind(value) is _kind(other) and bool(value == other)


def _kind(value: Any) -> type:
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, (int, float)) else type(value)


def _pid(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else None


def _on(tenants: Sequence[str]) -> str:
    more = f" and {len(tenants) - _NAMED} more" if len(tenants) > _NAMED else ""
    return f"it serves V2 for tenant {', '.join(tenants[:_NAMED])}{more}"
