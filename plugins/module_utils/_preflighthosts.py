# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of each tier answered, as a list of what is missing. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import whose_primary
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import RAISED
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line, warnings_of

Answer = Mapping[str, Any]
NOTHING: Answer = {}
_CLOCK = re.compile(r"^(?P<host>\d+)(?P<part>\.\d+)?\S* (?P<asked>\d+(?:\.\d+)?)$")
_ARMED = ("dormant",)


@dataclass(frozen=True)
class Item:
    """One line of the list. ``ok`` is False or None (could not be found out); ``host`` is empty for the whole place."""

    name: str
    host: str
    ok: bool | None
    must: bool
    what: str
    why: str
    todo: str

    @property
    def line(self) -> str:
        """What is wrong, why it matters, what to do."""
        start = f"{self.host}: " if self.host else ""
        parts = [one_line(self.what), one_line(self.why)]
        if self.todo:
            parts.append(f"To do: {one_line(self.todo)}")
        return start + " ".join(part for part in parts if part)

    def as_result(self) -> dict[str, Any]:
        """Return the item for machines."""
        return dict(vars(self))


@dataclass(frozen=True)
class Seen:
    """A host of a tier and its answers, any of which may be missing."""

    name: str
    tier: str
    answers: Answer

    @property
    def reached(self) -> bool:
        """Whether it answered at all."""
        ping = self.of("ping")
        return bool(ping) and not ping.get("unreachable") and not ping.get("failed")

    @property
    def info(self) -> Answer:
        """What ``preflight_info`` said."""
        return self.of("info")

    @property
    def cluster(self) -> str:
        """The database's identity."""
        return str(self.info.get("database", {}).get("cluster", ""))

    def of(self, name: str) -> Answer:
        """Return one answer, or an empty one if there is none."""
        return self.answers.get(name) or NOTHING


def is_primary(host: Seen) -> bool:
    """Tell whether a database that takes writes answered behind this host."""
    return bool(host.info.get("database", {}).get("writable"))


def failure_item(name: str, host: Seen, answer: Answer, why: str, todo: str, must: bool = True) -> Item:
    """Return the item for a module that failed, in the module's words except for why it matters on the day."""
    error = answer.get("error") or {}
    what = error.get("what") or answer.get("msg") or "it was not asked: the run ended before its turn."
    return Item(name, host.name, False, must, what, why, error.get("todo") or todo)


def reach_items(hosts: Sequence[Seen]) -> list[Item]:
    """Return the hosts that did not answer."""
    found = []
    for host in hosts:
        if not host.reached:
            ping = host.of("ping")
            reason = one_line(ping.get("msg") or "it was not asked")
            why = "What runs there would be neither contained nor looked at."
            todo = "Mend the way to it: name, SSH key, firewall, Python on the host."
            found.append(Item("reach", host.name, False, True, f"It could not be reached: {reason}.", why, todo))
    return found


def clock_items(hosts: Sequence[Seen], skew: float) -> list[Item]:
    """Return the hosts whose clock differs: the host's time must lie between the question and its answer."""
    found = []
    for host in hosts:
        clock = host.of("clock")
        if not host.reached or not clock:
            continue
        read = _CLOCK.match(str(clock.get("stdout", "")).strip())
        if not read:
            what = f"Its clock could not be read: {one_line(clock.get('msg') or clock.get('stderr') or 'no time')}."
            found.append(Item("clock", host.name, None, False, what, "", "Run `date -u +%s` on it."))
            continue
        # Without a fraction, the time is anywhere within this second.
        least = float(read["host"] + (read["part"] or ""))
        most = least if read["part"] else least + 1
        heard = float(host.answers.get("until") or read["asked"])
        off = max(float(read["asked"]) - most, least - max(heard, float(read["asked"])), 0.0)
        if off > skew:
            why = "Timelines of several hosts cannot be laid side by side, and ages and expiries are wrong."
            what = f"Its clock differs from the controller's by {off:,.1f} s."
            todo = "Mend time synchronisation (chrony, timesyncd)."
            found.append(Item("clock", host.name, False, False, what, why, todo))
    return found


def database_items(hosts: Sequence[Seen]) -> list[Item]:
    """Return what databases lack, and replicas whose primary is missing."""
    found = []
    primaries = {host.cluster for host in hosts if is_primary(host)}
    whose = whose_primary([host.name for host in hosts], [host.info for host in hosts])
    known: set[tuple[str, str, str]] = set()
    for host in [host for host in hosts if host.reached]:
        if "database" not in host.info:
            why = "Nothing can be switched off on it."
            todo = "Mend what the message says; bootstrap.yml installs what a database host needs."
            found.append(failure_item("database", host, host.info, why, todo))
            continue
        if not is_primary(host) and host.cluster not in primaries:
            why = "A replica switches nothing off: its tenants would stay on."
            todo = "Put the primary in the group."
            what = f"It is a replica, and its primary {whose}."
            found.append(Item("replica", host.name, False, True, what, why, todo))
        for check in host.info.get("checks", []):
            # Two hosts that lead to one database share one list of what is missing in it.
            key = (host.cluster, str(check["name"]), str(check["what"]))
            if check["ok"] is not True and key not in known:
                known.add(key)
                must = check["severity"] == "must"
                texts = (str(check["what"]), str(check["why"]), str(check["todo"]))
                found.append(Item(str(check["name"]), host.name, check["ok"], must, *texts))
    return found


def fence_items(hosts: Sequence[Seen]) -> list[Item]:
    """Return where the fence is not armed, or is already up."""
    found = []
    why = "On the day it would have to be made table by table, waiting for every open transaction."
    todo = "Run bootstrap.yml as the tables' owner, which installs it dormant."
    for host in [host for host in hosts if host.reached and is_primary(host)]:
        answer = host.of("fence")
        status = answer.get("status")
        found += [*_fence_warnings(host, answer), *_wider(host, answer)]
        if status in _ARMED:
            continue
        if status is None:
            found.append(failure_item("fence", host, answer, why, todo))
        elif status in RAISED:
            what = f"The fence is up ({status}), under incident {one_line(answer.get('incident_id'))}."
            up = "Kanban writes are refused at this moment."
            found.append(Item("fence", host.name, False, True, what, up, "Undo that incident: reenable.yml lowers it."))
        else:
            rows = [row for row in answer.get("tables", []) if row.get("status") not in (*_ARMED, *RAISED)]
            names = ", ".join(one_line(row.get("name")) for row in rows[:5])
            reason = one_line(next((row["reason"] for row in rows if row.get("reason")), ""))
            what = f"The fence is not armed on {names or 'any table'} ({status}). {reason}".strip()
            found.append(Item("fence", host.name, False, True, what, why, todo))
    return found


def _wider(host: Seen, answer: Answer) -> list[Item]:
    """Return where the installed fence would refuse writes that the inventory lets pass."""
    why = "A stop would refuse those writes as well, perhaps a customer's message."
    todo = "Run bootstrap.yml as the tables' owner: it installs what is asked."
    told = [
        f"The installed fence of {one_line(row['table'])} refuses more than is asked: {', '.join(row['refuses_more'])}."
        for row in answer.get("tables", [])
        if row.get("refuses_more")
    ]
    return [Item("fence", host.name, False, True, one_line(text), why, todo) for text in told]


def _fence_warnings(host: Seen, answer: Answer) -> list[Item]:
    """Return what the look at the fence warns of, unless a check of the database already said it."""
    said = " ".join(str(check["what"]) for check in host.info.get("checks", []))
    texts = [text for text in warnings_of(answer) if text not in said]
    why, todo = "The fence may then hold back less than it is meant to.", "Mend what the warning says."
    return [Item("fence", host.name, False, False, text, why, todo) for text in texts]


def block_items(hosts: Sequence[Seen]) -> list[Item]:
    """Return where the key of the write block is not free, cannot be queried, or would not last."""
    found, masters, asked = [], 0, 0
    for host in [host for host in hosts if host.reached]:
        answer = host.of("block")
        if answer.get("failed") or "held" not in answer:
            why = "The write block could not be held there on the day."
            todo = "Mend what the message says; bootstrap.yml installs what a Redis host needs."
            found.append(failure_item("write_block", host, answer, why, todo))
            continue
        asked += 1
        masters += bool((answer.get("server") or {}).get("writable"))
        if answer["held"] or answer.get("type", "none") != "none":
            owner = one_line(answer.get("owner") or "nobody who is known")
            what = f"The key of the write block is not free: it belongs to {owner}."
            why = "The application refuses writes at this moment, or another program uses the key."
            todo = "Undo that incident: reenable.yml gives it back (write_block, state absent)."
            found.append(Item("write_block", host.name, False, True, what, why, todo))
        found += _write_items(host, answer)
        for text in warnings_of(answer):
            todo = "Mend the setting; until then the fence carries."
            found.append(Item("write_block", host.name, False, False, text, "The block may not last.", todo))
    if asked and not masters:
        what = "No Redis that answered takes writes."
        why = "The write block cannot be held on a replica."
        todo = "Put the master, or its Sentinels, in the inventory."
        found.append(Item("write_block", "", False, True, what, why, todo))
    return found


def _write_items(host: Seen, answer: Answer) -> list[Item]:
    """Return why a master would not take the block; a replica is not expected to take it."""
    can = answer.get("can_write", True)
    if can or (answer.get("server") or {}).get("writable") is False:
        return []
    why = "The write block could not be held or released there on the day."
    todo = "Grant the rights, or mend what the message says."
    return [Item("write_block", host.name, False, can is False, str(answer.get("can_write_why")), why, todo)]
