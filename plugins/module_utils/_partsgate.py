# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate as a role sees it: who is asked what, who is silent, what follows. Pure: no Ansible, no driver."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import NOT_JUDGED, OK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatespells import steady
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import FIRST
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatewords import (
    beside,
    beside_text,
    clock,
    headline,
    metric_text,
    spells_text,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._parts import VALIDATE, Part

# The key of a metric's map that says who is asked; the rest is the module's.
_WHERE = "where"
APP = "app"
_KINDS = (APP, "controller", "db")
# The code of a sample whose host gave no answer earlier in this run, and will give none in it.
NOT_ASKED = "not_asked"
# A watch that ends as soon as all is good.
FIRST_OK = "first_ok"


def gate_metrics(metrics: Mapping[str, Any], where: Sequence[str], names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return what hosts of these kinds (app, controller, db) are to sample, as ``metric_gate`` takes it.

    :param metrics: maps by name; an empty one is not measured. ``where`` in it says who is asked, app by default.
    :param names: those that are meant; none means all.
    """
    return [
        {"name": name, **{key: value for key, value in given.items() if key != _WHERE}}
        for name, given in metrics.items()
        if given and given.get(_WHERE, APP) in where and (not names or name in names)
    ]


def gate_unmeasured(metrics: Mapping[str, Any], thresholds: Mapping[str, Any], names: Sequence[str] = ()) -> list[str]:
    """Return the names that have a threshold, or are meant, but no source: they are reported, never skipped.

    An unknown word for whom to ask (``apps``) is not a source.
    """
    wanted = names or [name for name, threshold in thresholds.items() if threshold is not None]
    return sorted({*wanted} - {one["name"] for one in gate_metrics(metrics, _KINDS)})


def gate_samples(groups: Mapping[str, Sequence[str]], answers: Mapping[str, Answer], metrics: Any) -> list[Any]:
    """Return the samples of all hosts; a silent host has one without a value for each metric that it was asked for.

    :param groups: names of hosts by kind.
    :param answers: what ``metric_gate`` returned on each host of the play, an empty map if it returned nothing.
        A host that is not among them is not asked: it has left the play, or ``--limit`` names others.
    :param metrics: as gate_metrics() takes them.
    """
    asked: dict[str, list[str]] = {}
    for kind, hosts in groups.items():
        for host in hosts:
            asked.setdefault(host, []).extend(one["name"] for one in gate_metrics(metrics, [kind]))
    found: list[Any] = []
    for host, names in asked.items():
        answer = answers.get(host) or {}
        if "samples" in answer:
            found += [sample for sample in answer["samples"] if sample["metric"] in names]
            continue
        code = "unreachable" if answer.get("unreachable") else "failed"
        error = one_line(why_not(answer))[:200]
        if host not in answers or answer.get("skip_reason"):
            code, error = NOT_ASKED, "not asked"
        found += [{"metric": name, "host": host, "value": None, "code": code, "error": error} for name in names]
    return found


def gate_pick(answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the judgement that counts: one that the ledger keeps, else any; an empty map if there is none."""
    judged = [answer for answer in answers if answer and "verdict" in answer and not answer.get("failed")]
    kept = [answer for answer in judged if answer.get("ledger_kept")]
    return dict((kept or judged or [{}])[0])


def gate_interrupted(answers: Mapping[str, Answer], kills: Mapping[str, Any]) -> str:
    """Return why the work that a watch belongs to must not go on, empty if it may.

    :param answers: what each database's ``metric_gate`` returned, with a lease to renew.
    :param kills: how many kills each ledger had when the work began.
    """
    for host, answer in answers.items():
        before, now = kills.get(host), (answer or {}).get("kills")
        if before is not None and now is not None and int(now) > int(before):
            return f"{host}: somebody stopped it meanwhile: the ledger has {now} kills, and {before} when this began."
    for host, answer in answers.items():
        lease = (answer or {}).get("lease", {})
        if not lease.get("held", True):
            return f"{host}: {one_line(lease.get('why') or 'the lease is lost')}"
    return ""


def gate_settled(result: Answer, names: Sequence[str] | None = None) -> bool:
    """Return whether another try would bring nothing new: all that is asked for has been good for long enough.

    :param names: the metrics that there is a host to ask for; None means all. A host may have no figure just now, like
        a database that waits to be promoted; it is waited for if its metric has no other host.
    """
    judged = [metric for metric in result.get("metrics", []) if metric["verdict"] != NOT_JUDGED]
    waited = [metric for metric in judged if metric["hosts"] or names is None or metric["name"] in names]
    hosts = [host for metric in waited for host in metric["hosts"]]
    asked = [host for host in hosts if host.get("code") != NOT_ASKED]
    if len(asked) == len(hosts) and len(waited) == len(judged):
        return bool(result.get("verdict") == OK and result.get("settled"))
    heard = [host for host in asked if not host["ignored"]]
    good = all(host["settled"] and host["verdict"] == OK for host in heard)
    # If somebody is asked and nobody has had a figure yet, the next try may bring the first.
    return all(metric["hosts"] for metric in waited) and good and bool(heard or not asked)


def gate_steady(result: Answer, seconds: float) -> bool:
    """Return whether a watch of this many seconds was steady at its end, however it was before."""
    return steady(result.get("spells", []), float(seconds))


def gate_silent(result: Answer) -> dict[str, str]:
    """Return the hosts that give no value for some metric that counts, each with the reason."""
    found: dict[str, str] = {}
    for metric in result.get("metrics", []):
        for host in metric["hosts"]:
            if host["value"] is None and host.get("code") != FIRST and not host.get("ignored"):
                found.setdefault(host["host"], f"{metric['name']}: {host.get('error') or 'no value'}")
    return found


def gate_part(result: Answer | None, plan: bool = False) -> dict[str, Any]:
    """Judge what the role ``observe`` left: its fact for one gate; None or {} if nothing was watched.

    If it could not watch, ``problem`` in the fact says why.
    """
    part = Part(VALIDATE, "the metrics are good")
    if not result or "verdict" not in result:
        part.bad.append("the metrics were not watched")
        if result and result.get("problem"):
            part.lines.append(f"The metrics were not watched: {one_line(result['problem'])}")
        return part.as_result()
    name = one_line(result.get("gate", "gate"))
    if plan:
        part.lines.append(
            f"{name}: {len(result['metrics'])} metrics would be watched for {clock(result['seconds'])}, "
            f"every {result['interval']:g} s; now: {', '.join(map(metric_text, result['metrics']))}"
        )
    else:
        part.lines.append(f"{name}: {_watched(result)}")
        counted = [metric for metric in result["metrics"] if not metric["ignored"]]
        part.lines += [f"{name}: {metric_text(metric)}" for metric in counted if metric["verdict"] != OK]
        good = [metric_text(metric) for metric in counted if metric["verdict"] == OK]
        part.lines += [f"{name}: {', '.join(good)}"] if good else []
        spells = spells_text(_spells(result))
        part.lines += [f"{name}: {spells}"] if spells else []
    without = {**beside(result["metrics"]), "unmeasured": result.get("unmeasured")}
    part.lines += [f"{name}: {one_line(text)}" for text in beside_text(without)]
    if result["verdict"] == OK and result.get("passed"):
        # A metric that may be silent and is was not measured: its line says so, and it does not count as good.
        judged = [one for one in result["metrics"] if one["verdict"] != NOT_JUDGED and not one["ignored"]]
        part.good = f"the {len(judged)} metrics of {name} are good"
    elif not plan:
        part.bad.append(one_line(f"the metrics of {name} are {_why_not(result)}"))
    if not result.get("ledger_kept") and not plan:
        part.lines.append(f"{name}: the series is not in the ledger")
    return part.as_result()


def _watched(result: Answer) -> str:
    watched, given = clock(min(result["watched_seconds"], result["seconds"])), clock(result["seconds"])
    tries = f"{result['try']} {'try' if result['try'] == 1 else 'tries'}"
    told = f"watched {watched} of {given}, {tries}"
    if result.get("end") == FIRST_OK and result.get("passed"):
        told = f"good after {watched}, {tries}; up to {given} were given"
    return told + (", gone on with after an earlier run" if result.get("resumed") else "")


def _spells(result: Answer) -> Sequence[Any]:
    """Return the spells of a watch; none for one that ends with the first ok: that it began badly is no news."""
    return [] if result.get("end") == FIRST_OK else result.get("spells") or []


def _why_not(result: Answer) -> str:
    if result["verdict"] != OK:
        return headline(result)
    if not result.get("steady", True):
        return f"not steady: good in the end, but {spells_text(_spells(result)[-1:])[4:]}"
    early = [one for one in result["metrics"] if one["verdict"] == OK and not one["settled"] and not one["ignored"]]
    return f"not long enough to be sure: {', '.join(map(metric_text, early)) or headline(result)}"
