# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk through an application as a person does: step by step over HTTP. Neither Ansible nor a driver."""

from __future__ import annotations

import http.cookiejar
import json
import time
import urllib.request
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _http, _smokefill
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsonpath import PathMissing
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokejudge import judge, saved
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokesteps import (
    Step,
    secret_values,
    steps_from,
)

# Steps that clean up have this time beyond the deadline: what a test made must not stay because the test was slow.
CLEANUP_SECONDS = 10.0
MOST_REDIRECTS = 5
_AS_GET = (301, 302, 303)
_KEPT = (307, 308)


@dataclass(frozen=True)
class Walk:
    """What to walk; the fields are the module's options of the same names."""

    base_url: SplitResult
    steps: Sequence[Step]
    variables: Mapping[str, Any]
    secrets: Mapping[str, Any]
    deadline: float = 60.0
    timeout: float = 10.0
    validate_certs: bool = True


@dataclass
class Row:
    """One step's result. ``passed`` is None if it was not sent; ``code`` says why there was no answer."""

    name: str
    status: int | None = None
    ms: int | None = None
    passed: bool | None = None
    why: str | None = None
    code: str | None = None


class _Failed(Exception):
    """The step failed; the text says why."""


@dataclass
class _Going:
    """What is known during a walk: values, cookies, and what must not be shown."""

    values: dict[str, Any]
    hidden: set[str]
    cookies: http.cookiejar.CookieJar = field(default_factory=http.cookiejar.CookieJar)


def walk_from(params: Mapping[str, Any]) -> Walk:
    """Return what a module's parameters describe; raises BadInput."""
    variables, secrets = params["variables"] or {}, params["secrets"] or {}
    twice = sorted(set(variables) & set(secrets))
    if twice:
        raise BadInput(
            "bad_variables",
            f"{twice[0]} is among variables and among secrets.",
            "It would not be known which of them is meant. Nothing was sent.",
            "Give each name once; what is secret belongs to secrets alone.",
        )
    return Walk(
        _http.base(params["base_url"], "base_url"),
        steps_from(params["steps"], [*variables, *secrets]),
        variables,
        secrets,
        **{name: params[name] for name in ("deadline", "timeout", "validate_certs")},
    )


def plan(walk: Walk) -> dict[str, Any]:
    """Return the result of a walk that is only planned: the steps, none of them sent."""
    rows = [Row(step.name, why="not sent in check mode") for step in walk.steps]
    return _result(walk, rows, None, Deadline(0).elapsed_ms)


def go(walk: Walk) -> dict[str, Any]:
    """Do the steps in order, and return the module's result."""
    deadline, late = Deadline(walk.deadline), Deadline(walk.deadline + CLEANUP_SECONDS)
    going = _Going({**walk.variables, **walk.secrets}, set(secret_values(list(walk.secrets.values()))))
    rows: list[Row] = []
    failed: str | None = None
    for step in walk.steps:
        row = Row(step.name)
        rows.append(row)
        if failed is not None and not step.always:
            row.why = "not sent, for a step before it failed"
            continue
        lacking = [name for name in step.needs if name not in going.values]
        if failed is not None and lacking:
            row.why = f"not needed, for no step came so far as to save <{lacking[0]}>"
            continue
        began = time.monotonic()
        try:
            left = late if step.always else deadline
            if left.over:
                raise _Failed(f"not sent, for the {walk.deadline:g} s of the deadline are over")
            reply = _send(walk, step, going, left.slice(walk.timeout))
            row.status, row.ms = reply.status, round((time.monotonic() - began) * 1000)
            _judge(step, reply, going, row.ms)
            row.passed = True
        except (_Failed, _http.NoAnswer, _smokefill.NotFilled, PathMissing) as error:
            row.passed, row.why = False, str(error)
            if isinstance(error, _http.NoAnswer):
                row.ms, row.code = round((time.monotonic() - began) * 1000), error.code
            failed = failed if failed is not None else step.name
    return _result(walk, rows, failed, deadline.elapsed_ms)


def _result(walk: Walk, rows: Sequence[Row], failed: str | None, elapsed_ms: int) -> dict[str, Any]:
    sent = any(row.passed is not None for row in rows)
    return {
        # A walk is meant to remove what it creates.
        "changed": False,
        "base_url": _http.shown(walk.base_url),
        "passed": failed is None if sent else None,
        "failed_step": failed,
        "steps": [vars(row) for row in rows],
        "elapsed_ms": elapsed_ms,
    }


def _judge(step: Step, reply: _http.Reply, going: _Going, took: int) -> None:
    why = judge(step, reply.status, reply.body, going.values, going.hidden)
    if why is not None:
        raise _Failed(why)
    found = saved(step, reply.body)
    going.values.update(found)
    going.hidden.update(secret_values(list(found.values())))
    if step.max_ms is not None and took > step.max_ms:
        raise _Failed(f"it took {took:,} ms, and {step.max_ms:,} ms are allowed")


def _send(walk: Walk, step: Step, going: _Going, seconds: float) -> _http.Reply:
    """Send one step and, if requested, follow its redirects, all within ``seconds``."""
    deadline = Deadline(seconds)
    request = _request(walk, step, going.values)
    for _hop in range(MOST_REDIRECTS + 1):
        reply = _with_cookies(request, going, deadline.slice(seconds))
        if not step.follow or reply.status not in (*_AS_GET, *_KEPT):
            return reply
        request = _redirected(request, reply)
    raise _Failed(f"it was redirected more than {MOST_REDIRECTS} times")


def _request(walk: Walk, step: Step, values: Mapping[str, Any]) -> _http.Request:
    query = [(name, _smokefill.text(str(value), values)) for name, value in step.query.items()]
    headers = {name: _smokefill.text(value, values) for name, value in step.headers.items()}
    body = None
    if step.json is not None:
        body = json.dumps(_smokefill.fill(step.json, values)).encode()
        headers = {"Content-Type": "application/json", **headers}
    elif step.form is not None:
        pairs = [(name, _smokefill.text(str(value), values)) for name, value in step.form.items()]
        body = urlencode(pairs).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    try:
        headers = _http.check_headers(headers)
    except BadInput:
        # The given headers have been checked before, so this one came with a value from an answer.
        raise _Failed("a saved value cannot stand in a header") from None
    url = _http.under(walk.base_url, _smokefill.path(step.path, values), query)
    return _http.Request(url, step.method, headers, body, walk.validate_certs)


def _with_cookies(request: _http.Request, going: _Going, seconds: float) -> _http.Reply:
    # The jar understands only requests of urllib; this one is never sent.
    known = urllib.request.Request(request.parts._replace(fragment="").geturl())  # noqa: S310
    going.cookies.add_cookie_header(known)
    cookie = known.get_header("Cookie")
    headers = {**request.headers, **({"Cookie": cookie} if cookie else {})}
    reply = _http.ask(replace(request, headers=headers), seconds)
    going.cookies.extract_cookies(_Cookies(reply.headers), known)  # type: ignore[arg-type]
    return reply


class _Cookies:
    """An answer's headers as the jar needs them."""

    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def info(self) -> Any:
        """Return the headers."""
        return self._headers


def _redirected(request: _http.Request, reply: _http.Reply) -> _http.Request:
    """Return the request that a redirect asks for; raises _Failed for another server, where tokens do not belong."""
    try:
        parts = urlsplit(urljoin(request.parts.geturl(), str(reply.headers.get("Location", ""))))
    except ValueError:
        raise _Failed("it was redirected to what is no URL") from None
    if (parts.scheme, parts.netloc) != (request.parts.scheme, request.parts.netloc):
        raise _Failed("it was redirected to another server, which is not followed")
    parts = parts._replace(fragment="")
    if reply.status in _KEPT or request.method in ("GET", "HEAD"):
        return replace(request, parts=parts)
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-type"}
    return replace(request, parts=parts, method="GET", headers=headers, body=None)
