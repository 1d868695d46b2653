# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a stage of the return has passed: tenants back, data, metrics, logs. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import DECIDES
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityfacts import integrity_facts
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._partsgate import gate_part

# The severity that counts among checks that decide nothing by themselves: more than before the stage is V2's doing.
_COMPARED = "high"
_NOBODY = "the row without a tenant"
Hosts = Mapping[str, Answer]


def stage_data(answers: Hosts) -> dict[str, Any]:
    """Return what all databases say about their data: ``bad`` (why no stage may stand on it) and ``counts`` to compare.

    :param answers: the answers of ``integrity_info``, by host. No stage depends on a check of severity low.
    """
    facts = integrity_facts(list(answers), list(answers.values()))
    severities = {check["name"]: check["severity"] for one in answers.values() for check in one.get("checks") or []}
    noted = {name: count for name, count in facts["noted"].items() if severities.get(name) == _COMPARED}
    bad = []
    if facts["status"] == "corrupt":
        found = [f"{one_line(name)} {count:,}" for name, count in facts["counts"].items() if count]
        bad.append(f"data is corrupt: {', '.join(found)}")
    elif facts["status"] != "ok":
        bad.append(f"whether data is corrupt is not known: {one_line(facts['why'])}")
    checks = sum(1 for severity in severities.values() if severity in (DECIDES, _COMPARED))
    return {"bad": bad, "counts": {**facts["counts"], **noted}, "checks": checks}


def _named(tenant: str | None) -> str:
    return _NOBODY if tenant is None else one_line(tenant)


def stage_switched(answers: Hosts, stage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the size of a stage (``had_it``, ``tenants``, ``back``), what is ``bad``, and ``lines``, by database.

    :param answers: the answers of ``feature_flag`` on each host that acts; two hosts of one database count once.
    """
    total = {"had_it": 0, "before": 0, "tenants": 0, "back": 0, "switched": 0}
    bad, lines, seen, holding = [], [], set(), set()
    for name, answer in answers.items():
        if answer.get("failed") or answer.get("unreachable") or "enabled_after" not in answer:
            bad.append(f"{name}: {why_not(answer)}")
        if "enabled_after" not in answer:
            continue
        bad += [f"{name}: {text}" for text in _other_values(answer)]
        total["switched"] += answer.get("changed_count", 0)
        for what, text in (("missing", "no longer exist"), ("changed_since", "were changed since and left alone")):
            if answer.get(f"{what}_count"):
                some = ", ".join(map(_named, answer[what][:SHOWN]))
                lines.append(f"{name}: {answer[f'{what}_count']:,} tenants {text}: {some}")
        cluster = answer["database"]["cluster"]
        if cluster in seen:
            continue
        seen.add(cluster)
        piece = answer.get("stage") or {"tenants": answer["total"]}
        if piece.get("tenants"):
            holding.add(cluster)
        for figure in ("had_it", "before", "tenants"):
            total[figure] += piece.get(figure, 0)
        total["back"] += answer["enabled_after"]
    if stage.get("tenant") and len(holding) > 1:
        bad.append(
            f"tenant {one_line(stage['tenant'])} is in {len(holding)} databases, and nobody knows which is meant: "
            "name the host, -e kanban_db_hosts=..."
        )
    if stage.get("tenant") and not bad and not total["tenants"]:
        bad.append(f"no database has a tenant {one_line(stage['tenant'])}")
    return {**total, "bad": bad, "lines": lines}


def _other_values(answer: Answer) -> Iterator[str]:
    """Yield who was left alone because nothing that can be written here is what it had."""
    for one in answer.get("other_values") or []:
        had = "another value" if one["value"] is None else one_line(one["value"])
        yield (
            f"{_named(one['tenant'])} had {had}, which is not what switching on writes, and its flag was changed since."
            " Give it in the application what it had; then type the same command again, which watches it"
        )


def who_lacks(counts: Hosts) -> dict[str, Any]:
    """Return who had it and is off, although nobody is known to have changed that: ``number``, ``names`` and ``lines``.

    ``unreturned``: to how many of them the next run gives it back.

    :param counts: what putting everybody back would find, by host; two hosts of one database count once.
    """
    found: dict[str, Any] = {"number": 0, "unreturned": 0, "names": [], "lines": []}
    seen = set()
    for name, answer in counts.items():
        cluster = (answer.get("database") or {}).get("cluster")
        if cluster in seen or not answer.get("lacking_count"):
            continue
        seen.add(cluster)
        some = list(map(_named, answer["lacking"][:SHOWN]))
        more = answer["lacking_count"] - len(some)
        found["number"] += answer["lacking_count"]
        found["unreturned"] += answer["unreturned_count"]
        found["names"] += [name for name in some if name != _NOBODY]
        listed = ", ".join(some) + (f" and {more:,} more" if more else "")
        found["lines"].append(f"{name}: off, and nobody is known to have changed it: {listed}")
    return found


def stage_verdict(
    stage: Mapping[str, Any],
    *,
    data: Mapping[str, Any],
    gate: Answer,
    logs: Mapping[str, Any],
    renewals: Hosts,
    kills: Mapping[str, Any],
) -> dict[str, Any]:
    """Return whether a stage that was watched has ``passed``, what is ``bad``, and the ``lines`` that say it.

    :param stage: with ``counts``, what the checks of the data counted before it.
    :param gate: what the role ``observe`` left. Only if it has passed is anything else asked, and counts here.
    :param data: the present result of stage_data(); ``logs``: as ``processes_part`` judges them.
    :param renewals: the answers of ``incident`` for the lease, by host; ``kills``: how many there were when it began.
    """
    watched = gate_part(gate)
    bad, lines = list(watched["bad"]), list(watched["lines"])
    if not gate.get("passed"):
        if gate.get("interrupted"):
            bad.insert(0, f"the watch was ended: {one_line(gate['interrupted'])}")
        lines.append("Processes, logs and data were not looked at again: switching it off waits for none of them.")
        return _judged(bad, lines)
    worse = list(_worse(stage.get("counts") or {}, data))
    bad = [*stage_stopped(renewals, kills), *bad, *logs["bad"], *data["bad"], *worse]
    lines += logs["lines"]
    if not data["bad"]:
        no_worse = "" if worse else ", no worse than before the stage"
        lines.append(f"Data: {data['checks']} checks that count, nothing is corrupt{no_worse}.")
    return _judged(bad, lines)


def _judged(bad: Sequence[str], lines: Sequence[str]) -> dict[str, Any]:
    return {"passed": not bad, "bad": list(dict.fromkeys(map(one_line, bad))), "lines": list(map(one_line, lines))}


def stage_stopped(renewals: Hosts, kills: Mapping[str, Any]) -> list[str]:
    """Return why a stage must not stay on, whatever was measured: a later stop, or a ledger that does not answer."""
    found = []
    for name, answer in renewals.items():
        if "kills" not in answer or answer.get("failed"):
            found.append(f"{name}: {why_not(answer)}")
        elif kills.get(name) is not None and int(answer["kills"]) > int(kills[name]):
            found.append(
                f"{name}: somebody stopped it meanwhile: {answer['kills']} kills, and {kills[name]} when this began"
            )
    return found


def _worse(before: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[str]:
    """Yield which checks count more than before the stage, or are no longer known."""
    for name, now in data["counts"].items():
        then = before.get(name, 0)
        if then is None or now is None:
            yield f"data: whether {one_line(name)} got worse is not known"
        elif now > then:
            yield f"data: {one_line(name)} counted {then:,} before the stage, and {now:,} now"


def stage_withdrawn(answers: Hosts, leases: Hosts) -> dict[str, Any]:
    """Return how a stage that did not pass was switched off again: whether it ``holds``, and ``lines``.

    :param answers: the answers of ``feature_flag`` on each host that acts; ``leases``: those of ``incident`` before it.
    """
    lines, off, holds = [], 0, True
    for name, answer in answers.items():
        lease = leases.get(name) or {}
        # Tenants without a row of their own follow it, so with it on the stage is not off.
        default = answer.get("global_default") if (answer.get("stage") or {}).get("default") else None
        if lease.get("error", {}).get("code") == "lease_held":
            holds = False
            lines.append(f"{name}: NOT switched off again, for another run is at work: {why_not(lease)}")
        elif answer.get("skip_reason"):
            continue  # The tenant that tried it is in another database.
        elif answer.get("failed") or answer.get("unreachable") or "enabled_after" not in answer:
            holds = False
            lines.append(f"{name}: NOT KNOWN to be switched off again: {why_not(answer)}")
        else:
            off += answer.get("changed_count", 0)
            if default == "on":
                holds = False
                lines.append(f"{name}: NOT switched off again: the default of all tenants, which is still on")
            elif default:
                lines.append(f"{name}: the default of all tenants is off again, too")
    return {"holds": holds, "off": off, "lines": lines}
