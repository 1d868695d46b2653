# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What fences there are and what they cover, according to the catalog. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fencescope import (
    UPDATE_BIT,
    Scope,
    covers,
    function_name,
    goes_beyond,
    scope_from,
    trigger_names,
    trigger_types,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._holding import way_to_end
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._names import Column, Table

DORMANT = "dormant"
ON_DEMAND = "on_demand"


@dataclass(frozen=True)
class Trigger:
    """A trigger of a fence; ``cloned``: a partition has it from its parent.

    ``columns``: those that it depends on now, through ``UPDATE OF`` or its condition.
    """

    relation: int
    schema: str
    table: str
    name: str
    enabled: str
    type: int
    cloned: bool
    columns: Sequence[str] = ()


@dataclass(frozen=True)
class Fence:
    """One trigger function with its triggers.

    ``mine``: this role may replace it. ``body``: ``refusing``, ``dormant`` or ``other``, by exact comparison.
    ``state``: what its comment holds. ``raised_epoch``: seconds. ``roots``: the tables that it was made for.
    ``shuts_out``: an owner of a table could not add a partition.
    """

    name: str
    mine: bool
    owner: str
    body: str
    state: Mapping[str, Any]
    raised_epoch: float | None
    triggers: tuple[Trigger, ...]
    roots: tuple[int, ...]
    shuts_out: bool = False

    @property
    def scope(self) -> Scope:
        """What it refuses when it is raised."""
        return scope_from(self.state)

    @property
    def kind(self) -> str:
        """``dormant`` for one that stays installed, ``on_demand`` for one that is removed when it is lowered."""
        return str(self.state.get("kind", ON_DEMAND))

    @property
    def holder(self) -> str | None:
        """The incident that raised it, None while it lets everything pass."""
        return self.state.get("incident")

    @property
    def holders(self) -> list[str]:
        """Every incident for which it is up: the first, and those that joined."""
        return [self.holder, *self.state.get("also", [])] if self.holder else []

    @property
    def raised(self) -> bool:
        """Whether it is up; if another version wrote the body, that is ``other``, and only a canary can prove it."""
        return self.holder is not None and self.body != "dormant"

    @property
    def drained(self) -> Mapping[str, Any] | None:
        """What was noted at the end of the drain."""
        return self.state.get("drained")

    def stands_on(self, relation: int) -> bool:
        """Tell whether every trigger that its scope needs is on a relation and fires in every replication role."""
        there = {trigger.name: trigger for trigger in self.triggers if trigger.relation == relation}
        for name, kind in zip(trigger_names(self.name), trigger_types(self.scope)):
            if kind and (name not in there or there[name].enabled != "A" or self.is_wrong(there[name])):
                return False
        return True

    def is_wrong(self, trigger: Trigger) -> bool:
        """Tell whether one of its triggers no longer matches its scope."""
        kinds = dict(zip(trigger_names(self.name), trigger_types(self.scope)))
        kind = kinds.get(trigger.name, 0)
        columns = set(self.scope.columns) if kind & UPDATE_BIT else set()
        # A partition's copy follows its parent's, and the catalog records no columns for the copy's condition.
        return trigger.type != kind or (not trigger.cloned and set(trigger.columns) != columns)


@dataclass(frozen=True)
class Relation:
    """A table, partition or inheritance child; ``mine``: this role owns it and so may create triggers on it.

    ``lends``: this role can become its owner, and so give it a function.
    """

    oid: int
    schema: str
    name: str
    partitioned: bool
    mine: bool
    owner: str
    lends: bool = False

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass
class Found:
    """A requested table, found in the catalog. ``relations``: itself and what is below it, parents first.

    ``subscriptions``: logical replication that writes into it. ``problem``: why its fence could not be completed.
    """

    asked: str
    table: Table
    scope: Scope
    columns: Sequence[Column] = ()
    relations: list[Relation] = field(default_factory=list)
    fences: list[Fence] = field(default_factory=list)
    subscriptions: list[str] = field(default_factory=list)
    problem: KanbanError | None = None

    @property
    def own_function(self) -> str:
        """The name that a fence for exactly this scope has."""
        return function_name(str(self.table), self.scope)

    @property
    def oids(self) -> set[int]:
        """The relations' oids."""
        return {relation.oid for relation in self.relations}

    @property
    def raised(self) -> list[Fence]:
        """Its fences that refuse."""
        return [fence for fence in self.fences if fence.raised]

    @property
    def refuses_more(self) -> list[str]:
        """What its fences refuse, or would if they were raised, beyond what is requested, in words."""
        there = [fence for fence in self.fences if fence.triggers]
        return list(dict.fromkeys(more for fence in there for more in goes_beyond(fence.scope, self.scope)))

    @property
    def exact(self) -> list[Fence]:
        """Its fences of exactly the requested scope."""
        return [fence for fence in self.fences if fence.scope.same_as(self.scope)]

    def gaps(self, fences: Iterable[Fence] | None = None) -> list[Relation]:
        """Return the relations on which these fences (default: all) do not cover everything that is requested."""
        there = list(self.fences if fences is None else fences)
        return [
            relation
            for relation in self.relations
            if not covers([fence.scope for fence in there if fence.stands_on(relation.oid)], self.scope)
        ]

    def own_fence(self) -> Fence | None:
        """Return the fence to complete: one of exactly this scope that this role may use for a trigger."""
        return next((fence for fence in self.exact if fence.mine), None)


def belongs(fence: Fence, found: Found) -> bool:
    """Tell whether a fence was made for a table; one without triggers yet is recognized by its name."""
    return found.table.oid in fence.roots or fence.name == found.own_function


@dataclass
class Holder:
    """A transaction that may still use the old body; ``pid`` 0 and a ``gid`` for a prepared one."""

    transaction: str
    pid: int
    application_name: str | None
    user: str | None
    state: str | None
    age: float | None
    began: float | None
    gid: str | None
    relations: Sequence[int]

    def as_result(self, names: Mapping[int, str]) -> dict[str, Any]:
        """Return it as results show it; ``names``: of the relations."""
        return {
            "pid": self.pid,
            "gid": self.gid,
            "application_name": self.application_name,
            "user": self.user,
            "state": self.state,
            "transaction_age": None if self.age is None else round(self.age, 1),
            "tables": sorted(names[oid] for oid in self.relations if oid in names),
            "to_end_it": way_to_end(self.pid, self.gid, self.state),
        }


def may_still_write(
    holders: Iterable[Holder], at_raise: set[str], raised_now: set[int], raised_before: Mapping[int, float]
) -> list[Holder]:
    """Return the holders that the drain has to wait for: too many rather than too few.

    :param at_raise: transactions that held a lock right after the raise of this run committed.
    :param raised_now: relations whose fence was raised by that raise.
    :param raised_before: relations whose fence another run raised, with the moment (epoch) before which a transaction
        must have begun to use the old body. If its beginning is hidden from this role, the transaction counts.
    """
    waiting = []
    for holder in holders:
        relations = set(holder.relations)
        # PREPARE gives a transaction another name, so any prepared one could be one of them.
        now = bool(relations & raised_now) and (holder.pid == 0 or holder.transaction in at_raise)
        before = any(
            holder.pid == 0 or holder.began is None or holder.began <= raised_before[oid]
            for oid in relations & set(raised_before)
        )
        if now or before:
            waiting.append(holder)
    return waiting
