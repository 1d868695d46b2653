# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of the application answered, as a list of what is missing. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatethreshold import threshold_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsgate import gate_unmeasured
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflighthosts import (
    Answer,
    Item,
    Seen,
    failure_item,
)

NAMED = 5
# Codes of a metric that has not been asked often enough, or of an application that is idle at this hour.
_NOBODY_WORKS = ("null", "nan")
_SILENT_BY_NATURE = ("first_scrape", "idle", "reset", "clock")
_SERVER_ERRORS = range(500, 600)
_NO_PROOF = "On the day nobody could prove there that the stop reached the application."


def no_application_item(configured: bool) -> Item:
    """Return the advice for a place without a tier of the application; scenario 3 needs none."""
    what = (
        "The group 'app' has no hosts."
        if configured
        else "There is no tier of the application (kanban_app_hosts=none)."
    )
    why = "Scenario 3 needs none; scenarios 1 and 2 and triage can neither prove nor watch anything without."
    todo = "Name its hosts in the inventory, or their pattern in kanban_app_hosts."
    return Item("application", "", False, False, what, why, todo)


def purge_items(hosts: Sequence[Seen], must: bool) -> list[Item]:
    """Return the hosts where the cache could not be purged; ``must``: whether scenario 1 is used."""
    found = []
    why = "After the stop the application would go on serving what V2 left in the cache."
    for host in [host for host in hosts if host.reached]:
        answer = host.of("purge")
        if "can_purge" not in answer:
            todo = "Mend what the message says; bootstrap.yml installs what a Redis host needs."
            found.append(failure_item("cache", host, answer, why, todo, must))
        elif answer["can_purge"] is not True and (answer.get("server") or {}).get("writable") is not False:
            todo = "Grant the rights, or mend what the message says."
            found.append(Item("cache", host.name, answer["can_purge"], must, str(answer["can_purge_why"]), why, todo))
    return found


def application_items(hosts: Sequence[Seen]) -> list[Item]:
    """Return what the hosts of the application lack: pm2, answers that are understood, what the V1 walk needs."""
    found = []
    for host in [host for host in hosts if host.reached]:
        found += [*_pm2(host), *_health(host), *_flag(host), *_walk(host)]
    return found


def _pm2(host: Seen) -> list[Item]:
    answer = host.of("pm2")
    why = "Which processes run there, and what they log, would not be known on the day."
    # This is the module's own word, not Ansible's for a task that was left out.
    if answer.get("skipped") is True:
        return []
    if "processes" not in answer:
        todo = "Correct kanban_app_pm2 and kanban_app_pm2_home; where there is no pm2, set kanban_app_pm2 to nothing."
        return [failure_item("pm2", host, answer, why, todo)]
    if answer["missing"] or not answer["processes"]:
        names = ", ".join(one_line(name) for name in answer["missing"][:NAMED]) or "any process"
        todo = "Correct kanban_app_pm2_names (pm2 list)."
        return [Item("pm2", host.name, False, True, f"pm2 does not have {names}.", why, todo)]
    told = [*answer["problems"], *([] if answer["logs_read"] else _unread(answer))]
    if not told:
        return []
    more = f" And {len(told) - NAMED} more." if len(told) > NAMED else ""
    what = "; ".join(one_line(text) for text in told[:NAMED]) + "." + more
    return [Item("pm2", host.name, False, False, what, why, "See pm2 list and its logs there.")]


def _unread(answer: Answer) -> list[str]:
    files = [one for process in answer["processes"] for one in process["log_files"]]
    unread = {one["path"]: one["reason"] or one["state"] for one in files if one["reason"]}
    return [f"{path} is not read: {why}" for path, why in unread.items()] or ["not every log is read"]


def _health(host: Seen) -> list[Item]:
    answer = host.of("health")
    why = "Whether the application is well could not be told there on the day."
    todo = "Correct kanban_app_url and kanban_app_health_path, as that host itself reaches the application."
    if "steps" not in answer:
        return [failure_item("health", host, answer, why, todo)]
    if answer["passed"]:
        return []
    (step,) = answer["steps"][:1]
    what = f"{one_line(answer['base_url'])} does not say that it is healthy: {one_line(step['why'])}."
    if step["status"] in _SERVER_ERRORS:
        # The answer is understood: the application is not well at this moment, and says so.
        return [Item("health", host.name, False, False, what, "It is not well now.", "See to it, or declare it.")]
    return [Item("health", host.name, False, True, what, why, todo)]


def _flag(host: Seen) -> list[Item]:
    answer = host.of("flag")
    todo = "Correct kanban_app_process_urls or kanban_app_processes, and kanban_app_flag_path and what goes with it."
    if "processes" not in answer:
        return [failure_item("flag_seen", host, answer, _NO_PROOF, todo)]
    odd = [row for row in answer["processes"] if not row["understood"]]
    if not odd and answer["processes"]:
        return []
    told = [f"{one_line(row['url'])}: {one_line(row['error'])}" for row in odd[:NAMED]]
    what = "; ".join(told) or "no process answered"
    return [Item("flag_seen", host.name, False, True, f"Which board is served is not clear: {what}.", _NO_PROOF, todo)]


def _walk(host: Seen) -> list[Item]:
    answer, lacking = host.of("walk"), host.answers.get("lacking") or []
    why = "Nobody would try whether V1 works after the stop."
    if answer.get("skipped") is True:
        what = "There is no walk through V1 (kanban_app_v1_steps is empty)."
        return [Item("walk", host.name, False, False, what, why, "Fill kanban_app_v1_steps.")]
    if "steps" not in answer:
        return [failure_item("walk", host, answer, why, "Correct kanban_app_v1_steps and kanban_app_variables.")]
    if lacking:
        names = ", ".join(lacking)
        return [Item("walk", host.name, False, True, f"The walk through V1 needs {names}.", why, f"Set {names}.")]
    return []


def metric_items(
    hosts: Sequence[Seen], controller: Answer, metrics: Mapping[str, Any], thresholds: Mapping[str, Any]
) -> list[Item]:
    """Return the figures that are not measured, not judged, or give nothing now.

    :param controller: what its own ``metric_gate`` returned, empty if it is asked for none.
    :param metrics: by name; an empty one is dropped. ``thresholds``: by name, and null drops one, too.
    """
    found = []
    thresholds = {name: given for name, given in thresholds.items() if given is not None}
    limits = {}
    for name, given in thresholds.items():
        try:
            limits[name] = threshold_from(name, given)
        except BadInput as error:
            found.append(Item("metrics", "", False, True, error.what, error.why, error.todo))
    measured = [name for name, one in metrics.items() if one]
    if not set(limits) - set(gate_unmeasured(metrics, limits)):
        what = "No metric has both a source (kanban_metrics) and a threshold (kanban_thresholds)."
        why = "Nothing would tell whether a stop helped."
        todo = "Give at least one both, and see that there is the kanban_threshold_profile that is named."
        found.append(Item("metrics", "", False, True, what, why, todo))
    for names, what, todo in (
        (
            gate_unmeasured(metrics, limits),
            "not measured",
            "Give them a source in kanban_metrics (where: app, controller or db), or drop the threshold.",
        ),
        (sorted(set(measured) - set(thresholds)), "measured and not judged", "Give them a threshold, or drop them."),
    ):
        if names:
            why = "What nobody measures and judges is not known to be good."
            found.append(Item("metrics", "", False, False, f"Metrics that are {what}: {', '.join(names)}.", why, todo))
    asked = [(host.name, host.of("samples")) for host in hosts if host.reached]
    for name, answer in [*asked, *([("localhost", controller)] if controller else [])]:
        found += _samples(name, answer, limits)
    return found


def _samples(name: str, answer: Answer, limits: Mapping[str, Any]) -> list[Item]:
    why = "The watch would have no data there, which is never taken for good."
    todo = "Correct it in kanban_metrics, as that host itself reaches it."
    if answer.get("skipped") is True:
        return []
    if "samples" not in answer:
        return [failure_item("metrics", Seen(name, "app", {}), answer, why, todo)]
    silent = [
        one for one in answer["samples"] if one["value"] is None and one.get("code") not in (None, *_SILENT_BY_NATURE)
    ]
    found = []
    for must in (True, False):
        these = [one for one in silent if _must(limits.get(one["metric"])) is must]
        # A metric that may be silent is not wrong if it is null while nobody works.
        these = [one for one in these if must or one["code"] not in _NOBODY_WORKS]
        if these:
            told = "; ".join(f"{one_line(one['metric'])}: {one_line(one['error'])}" for one in these[:NAMED])
            found.append(Item("metrics", name, False, must, f"Metrics that give nothing: {told}.", why, todo))
    return found


def _must(limit: Any) -> bool:
    """Return whether silence of a metric would keep a watch from being good."""
    return limit is not None and limit.no_data != "ignore"
