# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The investigation's sections in Markdown, from the modules' answers. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, warnings_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import (
    LONG,
    NOTHING,
    block,
    code,
    megabytes,
    number,
    percent,
    table,
    word,
)

Answers = Mapping[str, Answer]


def silent_section(silent: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Return who did not answer, by name: a missing answer must not look like a good one."""
    if silent:
        yield "**Not everybody answered:**"
        yield ""
        for row in silent:
            yield f"- {code(row['host'])}, {row['what']}: {code(row['why'], LONG)}"
        yield ""


def database_section(now: Answers, total: Answers) -> Iterator[str]:
    """Return which statements take the time, now and since the counters began, and what has run for long."""
    if not now and not total:
        return
    yield "## Database"
    yield ""
    for name in dict.fromkeys([*now, *total]):
        answer = now.get(name) or total[name]
        where = answer.get("database", {})
        yield f"### {code(name)}: {code(where.get('name', ''))} at {code(where.get('address', ''))}"
        yield ""
        yield f"PostgreSQL {code(where.get('server_version', ''))}, at {code(where.get('now', ''))}"
        yield ""
        yield from _notes(answer)
        if name in now:
            yield from _statements(now[name])
        if name in total and total[name].get("available"):
            yield from _statements(total[name])
        yield from _running(answer)


def _statements(answer: Answer) -> Iterator[str]:
    seconds = answer.get("interval_seconds")
    since = (answer.get("source") or {}).get("reset_at")
    when = "since the counters began" + (f" ({code(since)})" if since else "")
    yield f"#### Statements {when if seconds is None else f'of {number(seconds, 1)} s'}"
    yield ""
    reason = answer.get("reason")
    if reason:
        yield f"Not known: {code(reason.get('what', ''), LONG)} {code(reason.get('todo', ''), LONG)}"
        yield ""
        return
    if not answer["queries"]:
        yield "None that was asked for."
        yield ""
    for place, row in enumerate(answer["queries"], 1):
        yield (
            f"**{place}.** {percent(row.get('share'))} of the time, {number(row.get('calls'))} calls, "
            f"mean {number(row.get('mean_ms'), 1)} ms, longest {number(row.get('max_ms'), 1)} ms, "
            f"{number(row.get('rows'))} rows, {number(row.get('shared_blks_read'))} blocks read, "
            f"by {code(row.get('user') or '')}, id {code(row.get('queryid') or '')}"
        )
        yield ""
        yield block(row.get("query") or "its text is gone")
        yield ""


def _running(answer: Answer) -> Iterator[str]:
    yield "#### Running for long"
    yield ""
    rows = answer.get("running")
    if not rows:
        yield "Not known." if rows is None else "Nothing."
        yield ""
        return
    for place, row in enumerate(rows, 1):
        waits = f" s, waits for {code(row['wait_event'])}" if row.get("wait_event") else " s"
        yield (
            f"**{place}.** pid {number(row.get('pid'))} ({code(row.get('application_name') or row.get('kind') or '')}, "
            f"{code(row.get('user') or '')}): {code(row.get('state') or '')} for {number(row.get('seconds'), 1)}{waits}"
        )
        yield ""
        yield block(row.get("query") or "")
        yield ""


def locks_section(answers: Answers) -> Iterator[str]:
    """Return who waits for whom, and the statements that end the blockers."""
    if not answers:
        return
    yield "## Locks"
    yield ""
    for name, answer in answers.items():
        rows = answer.get("waiting")
        if not rows:
            yield f"{code(name)}: {'not known.' if rows is None else 'nobody waits for a lock.'}"
            yield ""
            continue
        yield f"### {code(name)}"
        yield ""
        for row in rows:
            what = f" on {code(row['relation'])}" if row.get("relation") else ""
            yield (
                f"- pid {number(row.get('pid'))} ({code(row.get('application_name') or '')}) has waited "
                f"{number(row.get('seconds'), 1)} s for {code(row.get('mode') or '')}{what}"
            )
            yield ""
            yield block(row.get("query") or "")
            yield ""
            for other in row.get("blocked_by", []):
                yield _blocker(other)
            yield ""


def _blocker(row: Mapping[str, Any]) -> str:
    who = f"pid {number(row.get('pid'))}" if row.get("pid") else f"prepared transaction {code(row.get('gid') or '')}"
    text = f"    - for {who} ({code(row.get('application_name') or '')}, {code(row.get('state') or '')}"
    if row.get("transaction_age") is not None:
        text += f", {number(row['transaction_age'], 1)} s in its transaction"
    text += ")" + (", which waits itself" if row.get("waits_itself") else "")
    if row.get("query"):
        text += f", {code(row['query'], LONG)}"
    return text + (f"; to end it: {code(row['to_end_it'])}" if row.get("to_end_it") else "")


def application_section(answers: Answers) -> Iterator[str]:
    """Return the processes, their memory and how it grows, and what they log as errors."""
    yield "## Memory and processes"
    yield ""
    for name, answer in answers.items():
        yield f"### {code(name)}"
        yield ""
        yield from (f"- {code(problem, LONG)}" for problem in answer.get("problems", []))
        yield ""
        heads = ("process", "pid", "status", "alive", "up", "restarts", "memory", "per minute", "error lines")
        yield from table(heads, [_process(row) for row in answer["processes"]])
        yield from _messages(answer)


def _process(row: Mapping[str, Any]) -> list[str]:
    pid = row.get("pid")
    return [
        f"{code(row.get('name') or '')} {number(row.get('pm_id'))}",
        str(pid) if isinstance(pid, int) else NOTHING,
        code(row.get("status") or ""),
        word(row.get("alive")),
        number(row.get("uptime_seconds"), 0, "s"),
        number(row.get("restarts")),
        megabytes(row.get("memory_bytes")),
        megabytes(row.get("memory_slope_bytes_per_minute")),
        number(row.get("error_lines_in_last")),
    ]


def _messages(answer: Answer) -> Iterator[str]:
    for row in answer.get("messages", []):
        last = f", last at {code(row['last_seen'])}" if row.get("last_seen") else ""
        yield f"- {number(row.get('count'))} times{last}: {code(row.get('message') or '', LONG)}"
    yield ""


def redis_section(answers: Answers) -> Iterator[str]:
    """Return what each Redis does, and which commands take its time."""
    if not answers:
        return
    yield "## Redis"
    yield ""
    for name, answer in answers.items():
        server = answer.get("server", {})
        yield f"### {code(name)}: {code(server.get('address') or '')}, {code(server.get('role') or '')}"
        yield ""
        yield from _notes(answer)
        yield from table(("what", "value"), [[what, value] for what, value in _redis_figures(answer)])
        for row in answer["replication"].get("replicas", []):
            yield (
                f"- replica {code(row.get('address') or '')}: {code(row.get('state') or '')}, "
                f"{number(row.get('lag_seconds'))} s and {number(row.get('lag_bytes'))} bytes behind"
            )
        yield ""
        for row in answer.get("commands", []):
            yield (
                f"- {code(row.get('command') or '')}: {number(row.get('calls'))} calls, "
                f"{number(row.get('total_ms'), 1)} ms, mean {number(row.get('mean_ms'), 3)} ms"
            )
        yield ""
        for row in answer.get("slowlog") or []:
            yield (
                f"- slow: {code(row.get('command') or '')} with {number(row.get('arguments'))} arguments took "
                f"{number(row.get('duration_ms'), 1)} ms, at {code(row.get('at') or '')}"
            )
        yield ""


def _redis_figures(answer: Answer) -> Iterator[tuple[str, str]]:
    operations, memory, keys, clients = (answer[part] for part in ("operations", "memory", "keyspace", "clients"))
    yield "operations per second", number(operations.get("per_second"), 1)
    yield "processor", percent(operations.get("cpu_share"))
    yield "round trip", number(answer.get("ping_ms"), 2, "ms")
    yield "memory", f"{megabytes(memory.get('used_bytes'))} of {megabytes(memory.get('max_bytes'))}"
    yield "policy, fragmentation", f"{code(memory.get('policy') or '')}, {number(memory.get('fragmentation_ratio'), 2)}"
    yield (
        "evicted, expired per second",
        (f"{number(keys.get('evicted_per_second'), 1)}, {number(keys.get('expired_per_second'), 1)}"),
    )
    yield "hit rate", percent(keys.get("hit_rate"), 1)
    yield "keys", number(keys.get("count"))
    yield (
        "clients connected, blocked, most",
        ", ".join(number(clients.get(what)) for what in ("connected", "blocked", "max")),
    )
    yield "connections rejected", number(clients.get("rejected_total"))
    yield (
        "last save well: snapshot, log",
        ", ".join(word(answer["persistence"].get(what)) for what in ("rdb_last_ok", "aof_last_ok")),
    )


def sockets_section(answers: Answers) -> Iterator[str]:
    """Return what the application's logs say about sockets."""
    yield "## Sockets"
    yield ""
    for name, answer in answers.items():
        found, read = number(answer.get("error_lines_in_last")), number(answer.get("last_lines_read"))
        yield f"{code(name)}: {found} lines among the last {read}"
        yield ""
        yield from _messages(answer)


def _notes(answer: Answer) -> Iterator[str]:
    told = warnings_of(answer)
    told += [f"{note.get('what')}: {note.get('why')} {note.get('grant') or ''}" for note in answer.get("notes", [])]
    for text in told:
        yield f"- {code(text, LONG)}"
    if told:
        yield ""
