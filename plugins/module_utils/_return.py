# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a return in stages may begin, and which stages follow. Pure: neither Ansible nor a driver.

Everything is read from the ledgers, so anybody's run goes on where another one ended.
"""

from __future__ import annotations

import time
from typing import Any, Collection, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._agreement import is_known
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import (
    headless,
    together,
    why_and_todo,
    why_not,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._failoverlines import earlier_lines
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._stages import shares_from

TEST, STAGED = "test", "staged"
NO_GROUP = "none"
Row = Mapping[str, Any]


def return_plan(
    looks: Mapping[str, Mapping[str, Answer]],
    blocks: Mapping[str, Answer],
    *,
    incident: Answer,
    mode: str,
    stages: Any,
    seconds: float,
    tenant: str = "",
    redis_group: str = "redis",
    now: float | None = None,
) -> dict[str, Any]:
    """Return whether a return in stages may go on, and with what.

    ``why``: the reasons against, empty if it may; ``writes``: whether writes are known to be refused; ``hosts``: those
    that act; ``kills`` of each one's ledger; ``passed`` stages, as the ledger has them; ``todo``: stages, each with
    ``name``, ``gate``, ``share`` and ``above`` or ``tenant``, ``first``, and of one that was begun, ``begun``,
    ``began`` and ``counts``, and of one that had passed, ``again``; ``unended``: those of any kind that were begun and
    neither passed nor failed, whose tenants may be on without a watch. ``notes``: what else a person has to know.

    :param looks: the answers of each database's host: ``found`` (the first look, which names them all), ``ledger`` (the
        second, under the lease), ``fence``, ``lacking`` (who lacks it, for each stage that has passed) and ``tried``
        (whether the tenant whose test has passed has it).
    :param blocks: the answers of ``write_block_info``, by host.
    :param incident: the incident that all databases mean, from ``incident_to_undo``.
    :param mode: ``test`` or ``staged``.
    :param seconds: how long each stage is watched.
    :param now: seconds since 1970; a watch is named after it.
    """
    plan: dict[str, Any] = {"why": [], "writes": False, "hosts": [], "kills": {}, "passed": [], "todo": [], "notes": []}
    plan["unended"] = []
    plan["incident_id"] = incident.get("incident_id", "")
    if not incident.get("agreed"):
        plan["why"] = [one_line(incident.get("why") or "No database said which incident is meant.")]
        return plan
    answers = {name: {kind: given.get(name) or {} for kind, given in looks.items()} for name in looks["found"]}
    plan["notes"] = [line for name, answer in answers.items() for line in earlier_lines(name, answer["found"])]
    plan["hosts"] = [name for name, answer in answers.items() if _acts(answer, plan["incident_id"])]
    plan["why"] += _not_there(answers, plan["hosts"], plan["incident_id"])
    ledgers = {name: answers[name].get("ledger") or {} for name in plan["hosts"]}
    plan["why"] += [text for name, ledger in ledgers.items() for text in _ledger_refuses(name, ledger, plan)]
    # A test is of one tenant, whoever else lacks it.
    asked = plan["hosts"] if mode == STAGED else []
    lacking = {name: (answers[name].get("lacking") or {}).get("results") or [] for name in asked}
    plan["why"] += [text for name, looked in lacking.items() for text in _lacking_refuses(name, looked)]
    refused = [*_fence_refuses(answers, plan["hosts"]), *_block_refuses(blocks, redis_group)]
    plan["writes"] = any(known for known, _text in refused)
    plan["why"] += [text for _known, text in refused]
    try:
        shares = shares_from(stages)
    except BadInput as error:
        plan["why"].append(one_line(error))
        return plan
    if float(seconds) <= 0:
        plan["why"].append("Nothing would be watched (kanban_watch_minutes is 0): kanban_reenable=all does without.")
    if mode not in (TEST, STAGED):
        plan["why"].append(
            f"kanban_reenable is {one_line(mode)}, and may be {TEST}, {STAGED} or all: correct the word."
        )
    if mode == TEST and not tenant:
        plan["why"].append("Which tenant is to try it is not said: -e kanban_test_tenant=...")
    plan["kills"] = {name: ledger.get("kills") for name, ledger in ledgers.items()}
    rows = [list(ledger.get("stages") or []) for ledger in ledgers.values()]
    stamp = time.strftime("%H:%M:%SZ", time.gmtime(time.time() if now is None else now))
    lacks = {str(one["item"]["name"]) for looked in lacking.values() for one in looked if one.get("unreturned_count")}
    tried = {name: answers[name].get("tried") or {} for name in plan["hosts"]}
    if mode == TEST and _has_passed(rows, tenant):
        plan["why"] += [text for name, answer in tried.items() for text in _tried_refuses(name, answer, tenant)]
    coming = _test(rows, tenant, tried) if mode == TEST else _staged(rows, shares, tenant, lacks)
    plan["todo"] = [{"gate": f"{one['name']} ({stamp})", **one} for one in coming] if not plan["why"] else []
    plan["passed"] = list(_passed(rows))
    plan["unended"] = list(_unended(rows))
    return plan


def _acts(answer: Mapping[str, Answer], incident_id: str) -> bool:
    """Return whether a host leads to a primary whose ledger or files know the incident."""
    found = answer.get("found") or {}
    return bool(found.get("database", {}).get("writable")) and is_known(found, incident_id)


def _not_there(answers: Mapping[str, Mapping[str, Answer]], hosts: Sequence[str], incident_id: str) -> Iterator[str]:
    """Yield the databases whose tenants are unknown: a host without an answer must be counted."""
    found = [answer.get("found") or {} for answer in answers.values()]
    for name, one in together(list(answers), found):
        if "database" not in one:
            yield f"{name} did not answer, so who had the feature there is not known: {why_not(one)}"
    for name, primary in headless(list(answers), found).items():
        yield f"{name} is a replica, and its primary {primary}."
    if not hosts:
        yield f"No primary that answered has anything recorded under {one_line(incident_id)}."


def _ledger_refuses(name: str, answer: Answer, plan: Mapping[str, Any]) -> Iterator[str]:
    if "ledger" not in answer or answer.get("failed"):
        # If another run has the lease, this says which one, since when, and what to do.
        yield f"{name}: {why_and_todo(answer)}"
        return
    if not answer["ledger"].get("usable") or not answer.get("known_as"):
        yield (
            f"{name}: the ledger does not have {one_line(plan['incident_id'])}, and stages are kept there; "
            "kanban_reenable=all does without it."
        )
        return
    open_ones = [row["incident_id"] for row in answer.get("open", [])]
    if answer["known_as"] not in open_ones:
        yield f"{name}: {one_line(answer['known_as'])} is closed, so it is no longer its own to return."
    others = [one_line(one) for one in open_ones if one != answer["known_as"]]
    if others:
        yield f"{name}: another incident is open: {', '.join(others)}. V2 does not come back into that; close it first."


def _lacking_refuses(name: str, looked: Sequence[Answer]) -> Iterator[str]:
    """Yield the stages that have passed of which it is not known whether they still stand."""
    for answer in looked:
        if "unreturned_count" not in answer:
            yield f"{name}: who of {one_line(answer['item']['name'])} lacks it is not known: {why_not(answer)}"


def _tried_refuses(name: str, answer: Answer, tenant: str) -> Iterator[str]:
    """Yield why it is not known whether the tenant whose test has passed has it."""
    if "enabled_after" not in answer:
        yield f"{name}: whether {one_line(tenant)}, whose test has passed, still has it is not known: {why_not(answer)}"


def _fence_refuses(answers: Mapping[str, Mapping[str, Answer]], hosts: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Yield the reasons against it, each with whether the fence is known to be up there."""
    for name in hosts:
        fence = answers[name].get("fence") or {}
        if "status" not in fence or fence.get("failed"):
            yield False, f"{name}: whether the fence is up is not known: {why_not(fence)}"
        elif fence.get("incident_id"):
            yield True, f"{name}: the fence is up for {one_line(fence['incident_id'])}, so V2 could write nothing."


def _block_refuses(blocks: Mapping[str, Answer], group: str) -> Iterator[tuple[bool, str]]:
    """Yield the same for the write block."""
    if group == NO_GROUP:
        return
    if not blocks:
        yield False, f"The group {group!r} has no hosts, so whether the write block is held is not known."
    for name, block in blocks.items():
        if "held" not in block or block.get("failed"):
            yield False, f"{name}: whether the write block is held is not known: {why_not(block)}"
        elif block["held"]:
            yield True, f"{name}: the write block is held for {one_line(block.get('owner') or 'nobody')}."


def _newest(rows: Sequence[Row]) -> dict[str, Row]:
    """Return the newest row of each stage, by its name; rows are oldest first."""
    return {str(row.get("name")): row for row in rows}


def _tests(rows: Sequence[Sequence[Row]], tenant: str) -> list[Row]:
    """Return the newest row of a tenant's test in each ledger, an empty one where it was not tested."""
    return [_newest(some).get(f"test of {tenant}", {}) for some in rows]


def _has_passed(rows: Sequence[Sequence[Row]], tenant: str) -> bool:
    # Of several databases one has the tenant; the others passed it by.
    return all(row.get("event") == "passed" for row in _tests(rows, tenant))


def _test(rows: Sequence[Sequence[Row]], tenant: str, tried: Mapping[str, Answer]) -> Iterator[dict[str, Any]]:
    test = {"name": f"test of {tenant}", "tenant": tenant, **_begun(_tests(rows, tenant))}
    if not _has_passed(rows, tenant):
        yield test
    elif not any(answer.get("total") and answer["enabled_after"] == answer["total"] for answer in tried.values()):
        # It was switched off since, by its stage that failed or by somebody.
        yield {**test, "again": True}


def _staged(
    rows: Sequence[Sequence[Row]], shares: Sequence[float], tenant: str, lacks: Collection[str]
) -> Iterator[dict[str, Any]]:
    newest = [[row for row in _newest(some).values() if row.get("share") is not None] for some in rows]
    done = min((_highest(some) for some in newest), default=0.0)
    # The first stage settles who comes first: with another tenant the stages would be of other tenants.
    first = next((str(row["first"]) for some in newest for row in some if "first" in row), tenant)
    going = [row for some in newest for row in some if row["event"] == "begun" and row["share"] > done]
    # A stage that was begun is continued as it was, whatever kanban_stages says by now.
    begun = max(going, key=lambda row: str(row["at"]), default=None)
    wanted = [share for share in shares if share > done and (begun is None or share > begun["share"])]
    coming, above = [], done
    for share in ([float(begun["share"])] if begun else []) + wanted:
        same = [row for row in going if begun and row["share"] == share]
        coming.append({"name": f"stage {share:g} %", "share": share, "above": above, "first": first, **_begun(same)})
        above = share
    again = list(_opened_again(newest, done, lacks))
    # Who is on without a watch is watched before anybody else is put back.
    yield from sorted([*again, *coming], key=lambda stage: not stage["begun"])


def _opened_again(newest: Sequence[Sequence[Row]], done: float, lacks: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the stages below the share that has passed which are to be watched again.

    Somebody of theirs lacks it by now, or has it back and the watch was not ended.
    """
    again: dict[float, list[Row]] = {}
    for row in (row for some in newest for row in some if row["share"] <= done):
        if row["event"] == "begun" or row["name"] in lacks:
            again.setdefault(row["share"], []).append(row)
    for _share, same in sorted(again.items()):
        stage = {name: same[0][name] for name in ("name", "share", "above", "first") if name in same[0]}
        yield {**stage, "again": True, **_begun(same)}


def _passed(rows: Sequence[Sequence[Row]]) -> Iterator[Row]:
    """Yield the stages that have passed according to every ledger, as the first one records them."""
    others = [_newest(some) for some in rows]
    for name, row in others[0].items() if others else ():
        if all(other.get(name, {}).get("event") == "passed" for other in others):
            yield row


def _unended(rows: Sequence[Sequence[Row]]) -> Iterator[dict[str, Any]]:
    """Yield the stages and tests that any ledger has as begun, and that none has ended."""
    begun = {name: row for some in rows for name, row in _newest(some).items() if row.get("event") == "begun"}
    for row in begun.values():
        yield {name: row[name] for name in ("name", "gate", "share", "above", "first", "tenant") if name in row}


def _highest(rows: Sequence[Row]) -> float:
    """Return the share up to which stages have passed."""
    return max((float(row["share"]) for row in rows if row["event"] == "passed"), default=0.0)


def _begun(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what a stage that was begun, and has not ended, is continued with."""
    going = [row for row in rows if row.get("event") == "begun" and row.get("gate")]
    if not going:
        return {"begun": False}
    newest = max(going, key=lambda row: str(row["at"]))
    return {"begun": True, **{name: newest[name] for name in ("gate", "began", "counts") if name in newest}}
