# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the system is down, and the figures that say so. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._triagewords import (
    Facts,
    Limits,
    count_of,
    is_true,
    part,
    several,
    which,
)


def judge_down(facts: Facts, limits: Limits, _taken: Any) -> tuple[str, str]:
    """Return the way out of the fork ``down``, and the figures that decided."""
    hosts, healthy, unhealthy, unreachable, tries, places = (
        count_of(facts.get(name)) for name in ("hosts", "healthy", "unhealthy", "unreachable", "tries", "places")
    )
    sockets, known, socket_tries = _sockets(part(facts, "sockets"), tries)
    users, served = _users(part(facts, "users"))
    figures = f"{healthy} of {several(hosts, 'host')} healthy, {unhealthy} not{which(facts.get('unhealthy'))}, "
    figures += f"{unreachable} out of reach{which(facts.get('unreachable'))}, "
    figures += f"asked {several(tries, 'time')} from {several(places, 'place')}{users}; {sockets}"
    if (healthy or served == "yes") and known != "refused":
        whole = healthy >= hosts > 0 and not unhealthy and not unreachable and known == "connected" and served != "no"
        return ("up" if whole else "partly"), figures
    if known == "refused" and socket_tries >= limits.tries:
        return "sockets", figures
    doubt = ""
    # Sockets that a healthy host refuses have their own number of tries.
    if healthy or served == "yes" or tries < limits.tries:
        doubt = f"too few tries, {limits.tries} are needed"
    elif not hosts or unhealthy + unreachable < hosts:
        doubt = f"not every application host has an answer{which(facts.get('silent'))}"
    # An answer of the application itself is first-hand. If nothing answers, the cause may be the way there.
    elif unreachable and places < limits.places:
        doubt = f"that may be the network, {limits.places} places are needed"
    return ("unknown", f"not known: {figures}: {doubt}") if doubt else ("hosts", figures)


def _sockets(facts: Facts, tries: int) -> tuple[str, str, int]:
    asked, connected, refused, unclear, unreachable = (
        count_of(facts.get(name)) for name in ("asked", "connected", "refused", "unclear", "unreachable")
    )
    # Sockets are watched, whereas healthy hosts are asked only once.
    tries = count_of(facts.get("tries", tries))
    if not asked:
        return "sockets not known, none was asked", "unknown", tries
    told = f"{connected} of {several(asked, 'socket')} connected, {refused} refused"
    told += f" {several(tries, 'time')}" if refused else ""
    told += f", {unclear} not asked as its users do (kanban_metrics: url, auth)" if unclear else ""
    told += f", {unreachable} out of reach"
    if connected >= asked and not refused and not unclear and not unreachable:
        return told, "connected", tries
    return told, "refused" if refused >= asked and not connected else "partly", tries


def _users(facts: Facts) -> tuple[str, str]:
    """Return what was seen at the users' address, and whether they are served there: yes, no, or nothing."""
    if not is_true(facts.get("asked")):
        return "", ""
    if is_true(facts.get("served")):
        return ", served at their users' address", "yes"
    return f", not served at their users' address{which(facts.get('why'))}", "no"
