# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each host showed, turned into READY or a numbered list of what to do. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Collection, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsnames import unmatched
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightapplication import (
    application_items,
    metric_items,
    no_application_item,
    purge_items,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightbackup import backup_items
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthistory import history_items
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthosts import (
    NOTHING,
    Item,
    Seen,
    block_items,
    clock_items,
    database_items,
    fence_items,
    is_primary,
    reach_items,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightnames import misspelt_items, wrong_items

# What prevents containment comes first, then what loses something, then what makes it slower or blinder.
_NAMES = (
    "group",
    "reach",
    "values",
    "database",
    "replica",
    "flag",
    "same_name",
    "kill",
    "write_block",
    "fence",
    "ledger",
    "ledger_owner",
    "break_glass",
    "blockers",
    "terminate",
    "latch",
    "ddl_guard",
    "dump_tables",
    "snapshot",
    "dump_schema",
    "tools",
    "disk",
    "backup",
    "flag_seen",
    "cache",
    "health",
    "walk",
    "pm2",
    "metrics",
    "errors",
    "integrity",
    "figures",
    "contacts",
    "application",
    "forks",
    "clock",
    "flag_default",
    "settings",
    "rehearsal",
    "review",
    "repair",
    "orm_saves",
    "fence_triggers",
    "installed",
    "latch_shut",
    "search_path",
    "forecast",
    "errors_index",
    "errors_owners",
    "integrity_applies",
    "server",
)
_ORDER = {name: place for place, name in enumerate(_NAMES)}


def preflight(
    groups: Mapping[str, Sequence[str]],
    names: Sequence[str],
    answers: Mapping[str, Sequence[Any]],
    *,
    contacts: Sequence[Any] = (),
    environment: str = "",
    skew: float = 2.0,
    fence: bool = True,
    scripts: str = "",
    metrics: Mapping[str, Any] | None = None,
    thresholds: Mapping[str, Any] | None = None,
    controller: Mapping[str, Any] | None = None,
    backups: float = 0.0,
    history: Mapping[str, Any] | None = None,
    misspelt: Mapping[str, str] | None = None,
    forks: int = 0,
    hosts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return ``ready``, ``failed``, ``headline``, ``lines`` and ``items``.

    :param groups: the hosts of each tier (db, redis, app) that should have answered; an unused tier is left out.
    :param names: every host of these, once.
    :param answers: lists in that order, by what was asked: ping, clock, wrong, until, info, sources, backup, fence,
        block, purge, pm2, health, flag, walk, lacking, samples.
    :param skew: seconds that a host's clock may differ from the controller's.
    :param fence: whether a fence is wanted.
    :param scripts: the controller's directory of the break-glass scripts.
    :param metrics: what is measured, by name, and ``thresholds``; None skips them.
    :param controller: what the controller's own figures gave.
    :param backups: how old, in seconds, the data of the newest backup may be; 0 skips backups.
    :param history: ``answer`` of ``incident_history`` and what else ``history_items`` takes; None skips it.
    :param misspelt: variables that nothing reads, each with the one that is like it; None if nobody looked.
    :param forks: to how many hosts this Ansible talks at once; 0 skips it.
    :param hosts: ``patterns`` (the variables that name hosts, with their values), Ansible's ``groups``, and why the
        break-glass scripts could not be written (``not_written``, empty if they were). None skips it.
    """
    by_host = {name: {what: given[place] for what, given in answers.items()} for place, name in enumerate(names)}
    tiers = {tier: [Seen(name, tier, by_host.get(name, NOTHING)) for name in group] for tier, group in groups.items()}
    patterns = (hosts or {}).get("patterns") or {}
    # The application's tier may be missing, unless somebody named it.
    misnamed = "app" in groups and not groups["app"] and patterns.get("kanban_app_hosts", "app") != "app"
    found = [
        _empty(tier, patterns.get(f"kanban_{tier}_hosts", tier))
        for tier, group in groups.items()
        if not group and (tier != "app" or misnamed)
    ]
    found += _named(hosts) if hosts else []
    # A host in two tiers is still one host.
    seen = list({host.name: host for hosts in tiers.values() for host in hosts}.values())
    found += reach_items(seen) + wrong_items(seen) + clock_items(seen, skew)
    found += database_items(tiers.get("db", []))
    found += backup_items(tiers.get("db", []), backups) if backups > 0 else []
    found += fence_items(tiers.get("db", [])) if fence else []
    found += block_items(tiers.get("redis", []))
    # Without the application's tier only scenario 3 is used.
    application = tiers.get("app", [])
    found += purge_items(tiers.get("redis", []), bool(application))
    if application:
        found += application_items(application)
    elif not misnamed:
        found.append(no_application_item("app" in groups))
    if application and metrics is not None:
        found += metric_items(application, controller or {}, metrics, thresholds or {})
    found += _forks({host.name for tier in ("db", "redis") for host in tiers.get(tier, [])}, forks)
    found += _contacts(contacts)
    found += history_items(**history) if history is not None else []
    found += misspelt_items(misspelt or {})
    items = sorted(
        found, key=lambda item: (item.ok is None, not item.must, _ORDER.get(item.name, len(_ORDER)), item.host)
    )
    return _screen(items, tiers, environment, scripts)


def _empty(tier: str, pattern: Any) -> Item:
    named = one_line(pattern if isinstance(pattern, str) else ", ".join(map(str, pattern)))
    lacks = "scenarios 1 and 2 could prove nothing" if tier == "app" else "containment would be in part at best"
    return Item(
        "group",
        "",
        False,
        True,
        f"The group {tier!r} has no hosts."
        if pattern == tier
        else f"{named} of kanban_{tier}_hosts is no host, and no group with hosts.",
        f"Nothing of this tier would be acted on, and {lacks}.",
        f"Name them in the inventory, or the pattern in kanban_{tier}_hosts; the pattern none leaves the tier out.",
    )


def _named(hosts: Mapping[str, Any]) -> list[Item]:
    found = [
        Item(
            "group",
            "",
            False,
            True,
            f"{one_line(name)} of {variable} is no host, and no group with hosts.",
            "Ansible goes on without it: what it was to name would not be acted on.",
            "Mend the name, or leave it out.",
        )
        for variable, pattern in hosts["patterns"].items()
        for name in unmatched(pattern, hosts["groups"])
    ]
    if hosts["not_written"]:
        what = f"The break-glass scripts could not be written: {one_line(hosts['not_written'])}"
        why = "For the day that Ansible is broken there would be none, or old ones."
        found.append(
            Item("break_glass", "", False, True, what, why, "Make kanban_incidents_dir writable for who types this.")
        )
    return found


def _forks(stopped: Collection[str], forks: int) -> list[Item]:
    most = len(stopped)
    if not 0 < forks < most:
        return []
    what = f"Ansible talks to {forks} hosts at once here (forks), and a stop is on {most}: databases and Redis."
    why = "Hosts that do not answer keep the others from being stopped, for kanban_connect_timeout each time."
    todo = f"Type -f {most}, or set forks = {most} in ansible.cfg ([defaults]), ANSIBLE_FORKS, or AWX's job templates."
    return [Item("forks", "", False, False, what, why, todo)]


def _contacts(contacts: Sequence[Any]) -> list[Item]:
    named = [row for row in contacts if isinstance(row, Mapping) and row.get("role") and row.get("primary")]
    if named and len(named) == len(contacts):
        return []
    lacking = len(contacts) - len(named)
    what = f"{lacking} contacts have no role or no primary." if contacts else "There are no contacts."
    why = "At three in the morning nobody knows then whom to call."
    return [Item("contacts", "", False, True, what, why, "Fill kanban_contacts: role, primary, secondary, phone.")]


def _screen(
    items: Sequence[Item], tiers: Mapping[str, Sequence[Seen]], environment: str, scripts: str
) -> dict[str, Any]:
    missing = [item for item in items if item.ok is False and item.must]
    better = [item for item in items if item.ok is False and not item.must]
    unknown = [item for item in items if item.ok is None]
    headline = _headline(len(missing), len(better), len(unknown))
    lines = [headline]
    hosts = ", ".join(f"{len(seen)} {tier}" for tier, seen in tiers.items())
    lines.append(f"Asked: {hosts}" + (f"; environment {one_line(environment)}" if environment else ""))
    lines += _forecasts(tiers.get("db", []))
    written = [host.name for host in tiers.get("db", []) if host.info.get("break_glass")]
    if scripts and written:
        lines.append(
            f"For the day Ansible is broken, in {one_line(scripts)}: {', '.join(f'{name}.sql' for name in written)}"
        )
    number = 0
    for title, part in (("Missing", missing), ("Could be better", better), ("Could not be found out", unknown)):
        lines += [f"{title}:"] if part else []
        for item in part:
            number += 1
            lines.append(f"{number}. {item.line}")
    lines.append(
        "Next: do what the list says, in its order, and run preflight again."
        if missing
        else "Next: nothing. Run it daily; it changes nothing on any host."
    )
    return {
        "ready": not missing,
        "failed": bool(missing),
        "headline": headline,
        "lines": lines,
        "items": [item.as_result() for item in items],
    }


def _headline(missing: int, better: int, unknown: int) -> str:
    rest = [f"{better} could be better"] if better else []
    rest += [f"{unknown} could not be found out"] if unknown else []
    if missing:
        return f"NOT READY: {missing} {'thing is' if missing == 1 else 'things are'} missing" + "".join(
            f", {text}" for text in rest
        )
    return "READY" + (f", though {' and '.join(rest)}" if rest else ": everything that the scenarios need is there")


def _forecasts(hosts: Sequence[Seen]) -> list[str]:
    """Return one line per database, however many hosts lead to it."""
    lines, known = [], set()
    for host in hosts:
        forecast = host.info.get("forecast")
        if not forecast or not is_primary(host) or host.cluster in known:
            continue
        known.add(host.cluster)
        where = host.info["database"]
        oldest = forecast["open_transactions"]["oldest_seconds"]
        default = ", and by default all others" if forecast.get("global_default") == "on" else ""
        default = default if forecast.get("without_row") is None else ""
        line = (
            f"{host.name}: {one_line(where['name'])} at {where['address']}: {forecast['on']:,} of "
            f"{forecast['tenants']:,} tenants are on{default}; switching them off would take about "
            f"{forecast['seconds']:.1f} s, {forecast['locked_now']} rows are held now"
        )
        lines.append(line + (f", the oldest open transaction is {oldest:,.0f} s old" if oldest is not None else ""))
    return lines
