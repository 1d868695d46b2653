# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How all databases of a run stand: which acted, which follow, which are silent, and which were replaced. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import together
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failoverlines import earlier_lines, lost_by
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, Host
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import NOTHING, PRESERVE, Part


@dataclass
class Standing:
    """How all databases stand: hosts that acted, replicas, and hosts that say nothing about their tenants.

    ``replaced``: primaries at the kill that another server has replaced; ``rivals``: those that are still primaries.
    """

    acted: list[Host] = field(default_factory=list)
    replicas: list[Host] = field(default_factory=list)
    silent: list[Host] = field(default_factory=list)
    headless: list[Host] = field(default_factory=list)
    replaced: list[Host] = field(default_factory=list)
    rivals: list[Host] = field(default_factory=list)
    twins: set[str] = field(default_factory=set)

    @property
    def whole(self) -> bool:
        """Whether every host of the group is accounted for and none failed."""
        missing = self.silent or self.headless or not self.acted
        return not missing and not any(host.failed or host.sweep_lost or host.gone for host in self.acted)

    def total(self, name: str) -> int:
        """Sum a figure over databases, each counted once however many hosts lead to it."""
        return sum(int(host.last.get(name, 0)) for host in self.acted if host.name not in self.twins)

    @property
    def changed(self) -> int:
        """Tenants switched by all hosts together (two hosts that lead to one database share the work)."""
        return sum(host.switched for host in self.acted)

    @property
    def joined(self) -> bool:
        """Whether the incident was there before this run."""
        return any(host.joined for host in self.acted)

    @property
    def uncounted(self) -> list[str]:
        """The hosts of databases on which nobody knows who is on."""
        failed = [host for host in self.acted if "enabled_after" not in host.last]
        return [host.name for host in [*self.silent, *self.headless, *failed]]

    @property
    def default_on(self) -> bool:
        """Whether the default of all tenants is on where no table says who follows it: they are in no count then."""
        return self._uncounted_follow("on")

    @property
    def default_off(self) -> bool:
        """Whether it is off there, and with it whoever has no row."""
        return self._uncounted_follow("off")

    def _uncounted_follow(self, default: str) -> bool:
        return any(
            host.last.get("global_default") == default and host.last.get("without_row") is None for host in self.acted
        )

    @property
    def taken_from(self) -> list[str]:
        """What to say about hosts that another server has taken over from, one line each."""
        others = ",".join(host.name for host in [*self.acted, *self.replicas])
        rivals = [
            f"{host.name}: STILL TAKES WRITES beside the server that took over. The flag is off on both; stop this one"
            for host in self.rivals
        ]
        return rivals + [
            f"{host.name}: no longer the primary, nothing is expected of it; leave it out of what is typed now: "
            f"-e kanban_db_hosts={others}. Should it come back as a primary, stop it: two would take writes"
            for host in self.replaced
        ]


def stand(hosts: Sequence[Host]) -> Standing:
    """Sort hosts by what they could do; two entries for one database count once."""
    standing = Standing()
    taken_from = {host.last["failover"]["host"] for host in hosts if host.last.get("failover")}
    for host in hosts:
        # A host that took over from itself is another server behind the same name.
        elsewhere = host.name in taken_from and not host.took_over_from(host.name)
        if elsewhere and host.handed_over:
            standing.replaced.append(host)
        elif not host.answered:
            standing.silent.append(host)
        elif host.is_replica:
            standing.replicas.append(host)
        else:
            if any(host.cluster == other.cluster for other in standing.acted):
                standing.twins.add(host.name)
            standing.acted.append(host)
            standing.rivals += [host] if elsewhere else []
    led = {host.cluster for host in standing.acted}
    standing.headless = [host for host in standing.replicas if host.cluster not in led]
    return standing


def failover_part(standing: Standing) -> list[dict[str, Any]]:
    """Judge what it has cost that another server took over: a loss is no success. Empty if none took over."""
    found = [host for host in standing.acted if host.last.get("failover")]
    if not found:
        return []
    part = Part(PRESERVE, "the kill holds on the server that took over")
    part.bad = [text for host in found for text in lost_by(host.name, host.last)]
    part.bad += [f"{host.name} still takes writes beside the server that took over" for host in standing.rivals]
    return [part.as_result()]


def earlier_part(names: Sequence[str], infos: Sequence[Answer]) -> dict[str, Any]:
    """Report, before an undo, what is known of servers that took over since the kill; it judges nothing."""
    told = [line for name, info in together(names, infos) for line in earlier_lines(name, info)]
    return Part(NOTHING, "", lines=told).as_result()
