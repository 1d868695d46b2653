# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader of a ranking must know beyond its figures, and its lines for a screen. Pure: no Ansible, no driver."""

from __future__ import annotations

import math
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import Timeout
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import Answer, one_line


def size_of(size: int) -> str:
    """Return bytes as a person reads them."""
    return f"{size / 1024**3:.1f} GB" if size >= 1024**3 else f"{size / 1024**2:.0f} MB"


def span(seconds: float) -> str:
    """Return a time as a person reads it."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def nobody(without_tenant: int, unknown: int, more_than: int) -> str:
    """Say how many errors belong to no known tenant."""
    return (
        f"{without_tenant} errors name no tenant, and {unknown} ids with more than {more_than} errors are of tenants "
        "that do not exist; neither is in the list."
    )


def future(number: int, ahead: float | None) -> str:
    """Say how many errors are dated after now, and by how many seconds the furthest; None for no date at all."""
    far = "the furthest of no date at all" if ahead is None else f"the furthest by {span(ahead)}"
    return (
        f"{number} errors are dated after this server's now, {far}; they are counted. A host's clock is ahead, or "
        "times without a zone are not in naive_timezone."
    )


def nothing(in_window: int, age: float | None, contains: str) -> str:
    """Say what there is if no error was found: errors with another text, older ones (``age`` in seconds), or none."""
    if in_window:
        text = f"the window has {in_window} errors, and none has the text {contains!r}"
    elif age is None:
        text = "the table of errors is empty"
    else:
        text = f"the newest error in the table is {span(age)} old by this server's clock"
    return (
        f"No error was found: {text}. Look whether errors are written at all, with which text, clock and time zone, "
        "before you read it as 'nobody is affected'."
    )


def late(number: int) -> str:
    """Say that errors written since the ranking are dated before it."""
    return (
        f"{number} errors were written since the ranking and are dated before it: a clock is behind, so the errors "
        "since the switch cannot be told from those before it."
    )


def early(ahead: float) -> str:
    """Say that errors are dated after now, so those from before the switch may be dated after it."""
    far = f"by up to {span(ahead)}" if math.isfinite(ahead) else "of no date at all"
    return (
        f"Errors are dated after this server's now, {far}: a clock is ahead, so the errors since the switch cannot be "
        "told from those before it."
    )


def silent(note: str) -> str:
    """Say that the lack of errors since the switch proves nothing if nothing shows that errors would be seen."""
    return f"{note} No list was frozen to compare with."


def unreadable(number: int, sample: list[str]) -> str:
    """Say whose settings cannot be read."""
    names = ", ".join(map(one_line, sample))
    return f"{number} tenants have settings that are no JSON, so nobody knows whether they are on: {names}"


def too_slow(error: Timeout, table: str, seconds: float, index_hint: str | None) -> Timeout:
    """Say what a ranking that did not end means, and what would make it faster."""
    held = error.code == "lock_timeout"
    hint = "Try again when a migration has ended." if held else index_hint or "A shorter window reads less."
    return Timeout(
        error.code,
        f"{table} is held by somebody: {error.what}" if held else f"{table}: {error.what}",
        "Nobody was ranked, and nothing was changed. An unfinished ranking is not 'nobody is affected'.",
        f"{hint} The ranking has {seconds:g} s (deadline); without one, stop all tenants (scenario 1).",
        **error.details,
    )


def ranking_lines(answer: Answer, name: str, not_frozen: str = "") -> list[str]:
    """Return what a ranking on one host says, for a screen: one line for all, then one per tenant of the list.

    :param answer: the registered result of ``affected_tenants_info``, a failed or unreachable one too.
    :param not_frozen: why the list could not be frozen, if it could not.
    """
    if answer.get("unreachable"):
        return [f"{name}: could not be reached: {one_line(answer.get('msg', 'no reason given'))}"]
    if answer.get("failed") or "tenants" not in answer:
        return [f"{name}: {one_line(answer.get('error', {}).get('what') or answer.get('msg', 'not ranked'))}"]
    if not answer.get("measured"):
        return [f"{name}: {one_line(answer.get('why_not') or answer.get('skipped_reason') or 'not measured')}"]
    moment = f"frozen at {answer['frozen_at']}" if answer["frozen"] else "ranked now"
    part = "" if answer.get("share") is None else f" ({answer['share']:.1%})"
    head = (
        f"{name}: {answer['affected_on_count']:,} of {answer['on_count']:,} tenants that are on{part} have more than "
        f"{answer['more_than']} errors since {answer['since']}; the worst {len(answer['tenants'])}, {moment}:"
    )
    gone = answer.get("gone", [])
    lines = [head, *(_tenant_line(tenant, tenant["tenant"] in gone) for tenant in answer["tenants"])]
    lines += _now_lines(answer, name)
    if not_frozen:
        lines.append(
            f"{name}: the list could not be frozen ({one_line(not_frozen)}): this run acts on it, another ranks anew"
        )
    return lines


def _now_lines(answer: Answer, name: str) -> list[str]:
    if not answer["frozen"]:
        return []
    now = answer.get("now")
    if not now:
        return [f"{name}: the list is frozen; how many are affected now is not known"]
    part = "" if now.get("share") is None else f" ({now['share']:.1%})"
    figures = f"{now['affected_on_count']:,} of {now['on_count']:,}"
    return [f"{name}: when this run began {figures} tenants that were on were affected{part}"]


def _tenant_line(tenant: Mapping[str, Any], gone: bool) -> str:
    called = f" ({one_line(tenant['name'])})" if tenant.get("name") else ""
    mean = tenant.get("mean_seconds_between")
    each = "" if mean is None else f", one every {mean:.1f} s"
    now = "" if tenant.get("errors_now") is None else f"; {tenant['errors_now']:,} in the window now"
    left = "; it exists no more" if gone else ""
    return f"  {one_line(tenant['tenant'])}{called}: {tenant['errors']:,} errors{each}{now}{left}"
