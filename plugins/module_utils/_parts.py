# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a scenario apart from flag and fence: write block, evidence, dump. Pure: neither Ansible nor a driver.

A part is judged from the answers of its hosts. It ``holds`` only when every host that should have answered did, and
none of them says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import (
    expected,
    latest,
    together,
    why_and_todo,
    why_line,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line, warnings_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisreply import ACT_ON_MASTER

# How a dump was proven, besides its checksums.
PROOFS = {"toc": "its table of contents", "restore": "a restore"}
CONTAIN, SELECT, VALIDATE, PRESERVE = "contain", "select", "validate", "preserve"
RELEASE, NOTHING = "release", "nothing"
# After the application is validated.
WATCH = "watch"
# What to do next was decided by rule.
DECIDE = "decide"
# The data is corrupt, or was repaired: this is not a misfire that is simply undone.
RECOVER = "recover"


@dataclass
class Part:
    """``kind``: contain (writes are refused), select (some are switched), preserve, release, or nothing to be done.

    ``good``: what a headline says when it holds; ``bad``: what fails and where; ``next``: what is left to do;
    ``began``: whether any host refuses something for this incident.
    """

    kind: str
    good: str
    bad: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)
    began: bool = False

    def as_result(self) -> dict[str, Any]:
        """Return it as the filters hand it on."""
        made = {"kind": self.kind, "holds": not self.bad, "good": self.good, "bad": self.bad, "lines": self.lines}
        return {**made, **({"next": self.next} if self.next else {}), **({"began": True} if self.began else {})}


def block_lost(read_back: Answer, held: Sequence[Answer]) -> bool:
    """Return whether a write block is gone though nobody released it: this is a Redis that never held it.

    :param held: the answers of the hosts that held it.
    """
    there = [one["server"].get("run_id") for one in held if one.get("held") and not one.get("skipped")]
    server = read_back.get("server") or {}
    gone = read_back.get("held") is False and bool(server.get("writable") and server.get("run_id"))
    return gone and any(there) and server["run_id"] not in there


def _not_missed(rows: Sequence[tuple[str, Answer, Answer]]) -> dict[str, str]:
    """Return the silent masters that need not answer, each with why: the new leader has the block.

    That is a former replica, or the one that the Sentinels name to another host that asks them.
    """
    leads: dict[str, str] = {}
    for name, first, last in rows:
        cluster, server = (first.get("server") or {}).get("cluster"), last.get("server") or {}
        if cluster and last.get("held") and not last.get("failed") and server.get("writable"):
            if first.get("skipped"):
                leads[cluster] = f"{name} has taken over with the write block"
            elif server.get("sentinel"):
                leads.setdefault(cluster, f"Sentinel names {one_line(server['address'])}, which has the write block")
    return {
        name: leads[first["server"]["cluster"]]
        for name, first, last in rows
        if (first.get("server") or {}).get("cluster") in leads and not first.get("skipped") and "server" not in last
    }


def block_part(
    names: Sequence[str],
    first: Sequence[Answer],
    later: Sequence[Answer],
    known_as: Sequence[str],
    group: str,
    plan: bool = False,
) -> dict[str, Any]:
    """Judge the write block.

    :param later: what was read back, or renewed, at the end; each takes precedence over the first.
    :param known_as: the incident's id and aliases, any of which may be its owner.
    """
    answers = latest([first, later])
    part = Part(CONTAIN, "the write block is held")
    if group == "none":
        part.kind, part.good = NOTHING, "no write block (there is no Redis)"
        return part.as_result()
    if not names:
        part.bad.append(f"there is no write block, for the group {group!r} has no hosts")
    held, replicas = set(), []
    led = _not_missed(list(together(names, first, answers)))
    for name, before, answer in together(names, first, answers):
        if name in led:
            part.lines.append(f"{name}: no answer, and none is expected: {led[name]}")
            continue
        server = answer.get("server", {})
        if server and (answer.get("skipped") or server.get("writable") is False):
            replicas.append((name, server.get("cluster")))
        elif plan and server and not answer.get("failed"):
            held.add(server.get("cluster"))
            part.lines.append(f"{name}: the write block {'would be' if answer.get('changed') else 'is'} held")
        elif not answer.get("held") or answer.get("failed"):
            part.bad.append(f"the write block on {name} is not known to be held")
            part.lines.append(f"{name}: write block NOT ACCOUNTED FOR: {_why_no_block(before, answer)}")
        else:
            held.add(server.get("cluster"))
            part.began = part.began or answer.get("owner") in known_as
            part.lines.append(_block_line(name, answer, known_as))
    unknown = [name for name, answer in together(names, answers) if not answer.get("server") and name not in led]
    for name, cluster in replicas:
        lost = cluster not in held
        part.bad += [f"the master of {name} {'did not answer' if unknown else 'was not asked'}"] if lost else []
        todo = f". {ACT_ON_MASTER}" if lost and not unknown else ""
        part.lines.append(f"{name}: a Redis replica, it gets the write block from its master{todo}")
    for name, answer in together(names, answers):
        part.lines += [f"{name}: {text}" for text in warnings_of(answer)]
    return part.as_result()


def _why_no_block(first: Answer, answer: Answer) -> str:
    """Return why a block is not held, and what helps."""
    if answer.get("held") is False and not answer.get("failed"):
        if first.get("held") or not first.get("failed"):
            return "it is gone; who released it may have known why"
        answer = first  # It was never held here: a later look that finds none does not say why.
    return why_and_todo(answer)


def _block_line(name: str, answer: Answer, known_as: Sequence[str]) -> str:
    owner = answer.get("owner")
    whose = "nobody by name" if owner is None else one_line(owner)
    if owner is not None and owner not in known_as:
        whose += ", another incident"
    ttl = answer.get("ttl_seconds")
    until = "until it is released" if ttl is None else f"for {ttl:.0f} s unless it is renewed"
    return f"{name}: write block held by {whose}, {until}"


def evidence_part(
    names: Sequence[str], answers: Sequence[Answer], plan: bool = False, nobody: Sequence[str] = ()
) -> dict[str, Any]:
    """Judge what was gathered, per host of any tier.

    :param nobody: patterns of hosts that were typed and match no host.
    """
    part = Part(PRESERVE, "evidence is kept")
    for pattern in nobody:
        part.bad.append(f"no evidence of {one_line(pattern)}: the inventory has no such host")
        part.lines.append(f"{one_line(pattern)}: NOBODY: mend the name, or say that there is none: =none")
    for name, answer in together(names, answers):
        if not answer.get("path") or answer.get("failed"):
            part.bad.append(f"no evidence of {name}")
            part.lines.append(why_line(f"{name}: no evidence", answer))
            continue
        if plan and not answer.get("files"):
            part.lines.append(f"{name}: evidence would be kept in {one_line(answer['path'])}")
            continue
        size = sum(int(file["bytes"]) for file in answer.get("files", []))
        line = f"{name}: {len(answer.get('files', []))} files of evidence, {_size(size)}, in {one_line(answer['path'])}"
        # People know of the incident's own directory.
        line += " (kanban_incidents_dir could not be written there)" if answer.get("elsewhere") else ""
        missing = [one_line(row["part"]) for row in answer.get("missing", [])]
        # Taken alongside the kill, or by an earlier run: the moment shows which.
        line += f", taken {one_line(answer['taken_at'])[:19]}Z" if answer.get("taken_at") else ""
        part.lines.append(line + (f"; without {', '.join(missing)}" if missing else ""))
    return part.as_result()


def dump_part(
    names: Sequence[str], flags: Sequence[Answer], answers: Sequence[Answer], plan: bool = False
) -> dict[str, Any]:
    """Judge the dump of every database that acted on the kill, and report on the last one before it."""
    part, judged = Part(PRESERVE, "the dump is proven"), 0
    for name, flag, answer in together(names, flags, answers):
        if not expected(flag):
            continue
        judged += 1
        if plan and answer.get("dest") and not answer.get("failed"):
            would = "would be dumped to" if answer.get("changed") else "were dumped before to"
            part.lines.append(f"{name}: the tables {would} {one_line(answer['dest'])}")
        elif not answer.get("verified") or answer.get("failed"):
            part.bad.append(f"no proven dump of {name}")
            part.lines.append(why_line(f"{name}: no proven dump", answer))
        else:
            rows = sum(int(table["rows"]) for table in answer.get("tables", []))
            when = "" if answer.get("changed") else f", taken before, at {one_line(answer.get('ended_at'))[:19]}Z"
            part.lines.append(
                f"{name}: dump of {rows:,} rows, {_size(answer.get('bytes', 0))}, proven by "
                f"{PROOFS.get(answer['verified'], one_line(answer['verified']))}, in {one_line(answer['dest'])}{when}"
            )
        part.lines += _previous(name, answer)
    if not judged:
        part.bad.append("there is no dump, for no primary answered")
    return part.as_result()


def _previous(name: str, answer: Answer) -> Iterator[str]:
    if "previous" not in answer:
        return
    older = answer["previous"]
    if not older:
        yield f"{name}: no earlier dump of ours is there; look for the last backup and keep it from expiring"
        return
    hours = older["age_seconds"] / 3600
    age = f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.1f} hours"
    yield f"{name}: the last good dump before it is {age} old ({one_line(older['path'])}); keep it until this is over"


def _size(count: float) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"
