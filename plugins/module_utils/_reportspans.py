# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host was busy in which phase and when, run by run, in a number that can be drawn. Pure."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import RunRecord, Span
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import PHASES

MOST_RUNS = 8
MOST_HOSTS = 8


def spans_of(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return the first and the newest runs, each with ``began``, ``ended``, ``rows`` and ``left_out``.

    A row has ``phase``, ``host``, ``began``, ``ended``, ``tasks`` and ``failed``; of each phase those hosts on
    which something failed, then those that began first.
    """
    done = sorted((run for run in runs if not run.is_plan and run.spans), key=lambda run: run.reading.began_at)
    if len(done) > MOST_RUNS:
        done = done[: MOST_RUNS // 2] + done[-MOST_RUNS // 2 :]
    return [_of_run(run) for run in done]


def _of_run(run: RunRecord) -> dict[str, Any]:
    rows: list[Span] = []
    left_out = 0
    for phase in PHASES:
        # What the controller did between two steps is not the work of a host.
        spans = [span for span in run.spans.values() if span.phase == phase and span.host != "localhost"]
        spans.sort(key=lambda span: (not span.failed, span.ended < span.began, span.began, span.host))
        rows += spans[:MOST_HOSTS]
        left_out += len(spans[MOST_HOSTS:])
    return {
        "run_id": run.reading.run_id,
        "playbook": run.playbook,
        "began": run.reading.began_at,
        "ended": run.reading.last_at,
        "rows": [vars(span) for span in sorted(rows, key=lambda span: (PHASES.index(span.phase), span.began))],
        "left_out": left_out,
    }
