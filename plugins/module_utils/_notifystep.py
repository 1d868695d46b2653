# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message about a workflow's step that failed, without its text. Pure: neither Ansible nor a driver.

The job that failed may have told people itself, or may not have got that far; this one knows only what jobs hand on.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import TRIGGER

# Steps that were to stop something.
STOPS = ("triage", "contain")
# What a triage can find so that it goes on with no stop: then nothing has failed that was to stop something.
STOPS_NOTHING = ("p2", "none", "unknown")
WORKFLOW = "workflow"


def step_message(
    routes: Mapping[str, Mapping[str, Sequence[str]]],
    step: str,
    run: int,
    locale: str = "en",
    channels: Mapping[str, str] | None = None,
    scenario: str = "",
    **about: str,
) -> dict[str, Any]:
    """Return the options for the module ``notify``, without the text, and ``about``, the facts for that text.

    :param routes: who is told what, by place and kind; the place is ``workflow``, the kinds are ``stop_failed`` and
        ``step_failed``.
    :param step: which step failed.
    :param run: the workflow's run; because of it the message is sent once.
    :param channels: other names for channels.
    :param scenario: what a triage decided on, as its job handed it on; empty if it did not come so far, and then it may
        have been a stop.
    :param about: ``verdict``, ``incident_id``, ``plan_hash`` and ``workflow``, each empty if no job handed it on.
    """
    triaged = scenario if step == "triage" and scenario in STOPS_NOTHING else ""
    stops = step in STOPS and not triaged
    names = {f"slack:{name}": f"slack:{other}" for name, other in (channels or {}).items()}
    ways = (routes.get(WORKFLOW) or {}).get("stop_failed" if stops else "step_failed") or ()
    return {
        "key": f"workflow-{run}-{step.replace('_', '-') or 'step'}",
        "kind": WORKFLOW,
        "severity": "P0" if stops else "",
        "locale": locale,
        "routes": [names.get(way, way) for way in dict.fromkeys(ways)],
        "mention": "",
        "pager": TRIGGER,
        "component_status": "",
        "resolves": False,
        "about": {
            "step": step,
            "run": run,
            "stops": stops,
            "triaged": triaged,
            "severity": "P0" if stops else "",
            **about,
        },
    }


def not_told(result: Mapping[str, Any]) -> str:
    """Return why a message that was the only thing to do was not sent; empty if it was, by every route.

    :param result: of the module ``notify``.
    """
    if "sent" not in result:
        return str(result.get("msg") or "it could not be sent")
    if result.get("dry_run"):
        return ""
    missing = [str(one["route"]) for name in ("not_sent", "unknown", "needless") for one in result.get(name) or []]
    missing += result.get("bad_routes") or []
    if missing:
        return f"not told by {', '.join(sorted(set(missing)))}"
    return "" if result["sent"] or result.get("already") else "no way to tell anybody is configured"
