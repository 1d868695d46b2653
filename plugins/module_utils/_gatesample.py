# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sample of one metric from its source. Neither Ansible nor, but for SQL, a driver."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, Callable, Mapping, Sequence
from urllib.parse import quote

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _http, _jsonpath
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gateprometheus import (
    Selector,
    read,
    selector_from,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatesocket import connect
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import NoSample, clean, number
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import NotJson

SOURCES = ("http_json", "prometheus", "promql", "sql", "socketio")
MOST_METRICS = 100
MOST_SECONDS = 60.0
# More than an application or Prometheus needs to send.
MOST_BYTES = 4 * 1024 * 1024
# How long after its own timeout a thread may take to report it.
_GRACE_SECONDS = 1.0

_TIMED_OUT = ("timeout", "statement_timeout")
# Whatever measures the timeout may be a little early.
_MOST_OF_IT = 0.9

# Applications that serve both formats under one address choose by this header.
_TEXT = "text/plain;version=0.0.4, text/plain, */*;q=0.1"

# Asks the database: a query, and the seconds that it may take.
Ask = Callable[[str, float], float]


@dataclass(frozen=True)
class Metric:
    """What to sample; the fields are the suboptions of ``metrics`` with the same names."""

    name: str
    source: str = "http_json"
    url: str = ""
    path: Any = ""
    selector: Selector | None = None
    query: str = ""
    namespace: str = "/"
    auth: Mapping[str, Any] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 5.0
    validate_certs: bool = True
    scale: float = 1.0
    measure: str = "value"

    @property
    def is_latency(self) -> bool:
        """Whether the figure is the time until there is an answer."""
        return self.source == "socketio" or self.measure == "milliseconds"

    @property
    def request(self) -> _http.Request:
        """What to ask over HTTP; raises BadInput."""
        url = self.url
        if self.source == "promql":
            url = f"{url.rstrip('/')}/api/v1/query?query={quote(self.query, safe='')}"
        parts = _http.split(url, f"The url of metric {self.name!r}", "Its figure would never be had.")
        accept = {"Accept": _TEXT} if self.source == "prometheus" else {}
        headers = {**accept, **_http.check_headers(self.headers)}
        return _http.Request(parts, headers=headers, validate_certs=self.validate_certs)


def metric_from(given: Mapping[str, Any]) -> Metric:
    """Return the metric that a map of the option describes; raises BadInput."""
    names = set(Metric.__dataclass_fields__) - {"selector"}
    made = {name: value for name, value in given.items() if name in names and value is not None}
    name, source = str(given["name"]), given.get("source") or "http_json"
    if source == "prometheus":
        made["selector"] = selector_from(name, given.get("selector") or {})
    metric = Metric(**made)
    lacking = "query" if source in ("sql", "promql") and not metric.query.strip() else ""
    if lacking or clean(name) != name or not 0 < metric.timeout <= MOST_SECONDS:
        raise BadInput(
            "bad_metric",
            f"Metric {clean(name)!r} lacks {lacking or 'a plain name or a sensible timeout'}.",
            "Its figure would never be had.",
            f"Give a name in one line, a timeout of at most {MOST_SECONDS:g} s, and query for sql and promql.",
        )
    if source != "sql":
        metric.request  # noqa: B018 - what is wrong with it is said before anything is asked
        _jsonpath.steps(metric.path)
    return metric


def sample_all(metrics: Sequence[Metric], host: str, ask: Ask) -> list[dict[str, Any]]:
    """Return a sample of each metric, all taken in parallel: ``metric``, ``host``, ``at``, ``value``.

    If there is no value, it is None, and ``code`` and ``error`` say why; ``raw`` is kept for the next scrape.
    ``at_least`` is how long a latency was waited for in vain.
    """
    found: list[dict[str, Any] | None] = [None] * len(metrics)

    def one(place: int, metric: Metric) -> None:
        found[place] = _sample(metric, ask)

    threads = [Thread(target=one, args=row, daemon=True) for row in enumerate(metrics)]
    for thread in threads:
        thread.start()
    until = time.monotonic()
    for thread, metric in zip(threads, metrics):
        thread.join(max(0.0, until + metric.timeout + _GRACE_SECONDS - time.monotonic()))
    at = round(time.time(), 3)
    late = {"value": None, "code": "timeout", "error": "no answer in its time"}
    return [
        {"metric": metric.name, "host": host, "at": at, **(sample or {**late, **_waited(metric)})}
        for metric, sample in zip(metrics, found)
    ]


def _waited(metric: Metric) -> dict[str, Any]:
    """Return the lower bound of a latency whose whole timeout was waited; nothing for any other figure."""
    if not metric.is_latency:
        return {}
    waited = metric.timeout * 1000
    return {"error": f"no answer within {waited:,.0f} ms", "at_least": waited * metric.scale}


def _sample(metric: Metric, ask: Ask) -> dict[str, Any]:
    began = time.monotonic()
    try:
        found = _READ[metric.source](metric, ask)
        spent = (time.monotonic() - began) * 1000
        if metric.measure == "milliseconds" and "ms" not in found:
            found = {"value": spent}
        value = found.get("ms", found.get("value"))
        if value is not None:
            return {"value": number(value * metric.scale)}
        return {"value": None, "raw": {**found["raw"], "scale": metric.scale}}
    except NoSample as none:
        code, text = none.code, none.text
    except _http.NoAnswer as none:
        code, text = none.code, str(none)
    except KanbanError as error:
        code, text = error.code, error.what
    except Exception as error:
        # A bug of ours must not look like silence of the other metrics; its type tells where to look.
        code, text = "fault", f"it could not be read: {type(error).__name__}"
    # A query may have been cancelled by somebody before its time was over.
    whole = code in _TIMED_OUT and time.monotonic() - began >= metric.timeout * _MOST_OF_IT
    return {"value": None, "code": code, "error": clean(text), **(_waited(metric) if whole else {})}


def _get(metric: Metric) -> _http.Reply:
    return _http.ask(metric.request, metric.timeout, MOST_BYTES)


def _body(metric: Metric) -> bytes:
    reply = _get(metric)
    if 300 <= reply.status < 400:
        raise NoSample("redirect", f"HTTP {reply.status}: redirects are not followed")
    if reply.status != 200:
        raise NoSample("status", f"HTTP {reply.status}")
    return reply.body


def _document(body: bytes) -> Any:
    try:
        return _jsonpath.parse(body)
    except NotJson as error:
        if body.lstrip()[:1] == b"<":
            raise NoSample("not_json", "the answer is HTML, no JSON") from error
        what = "the answer is empty" if not body.strip() else f"the answer cannot be read: {error}"
        raise NoSample("not_json", what) from error


def _at(document: Any, path: Any) -> float:
    try:
        return number(_jsonpath.read(document, path))
    except _jsonpath.PathMissing as missing:
        raise NoSample("no_key", str(missing)) from missing


def _http_json(metric: Metric, _ask: Ask) -> dict[str, Any]:
    body = _body(metric)
    return {"value": None if metric.measure == "milliseconds" else _at(_document(body), metric.path)}


def _prometheus(metric: Metric, _ask: Ask) -> dict[str, Any]:
    text = _body(metric).decode("utf-8", "replace")
    if metric.selector is None:  # metric_from() sets it; without one nothing is selected.
        raise NoSample("no_series", "it has no selector")
    return read(text, metric.selector, round(time.time(), 3))


def _promql(metric: Metric, _ask: Ask) -> dict[str, Any]:
    reply = _get(metric)
    # Prometheus says what is wrong with a query in the body of a 400 or 422.
    if reply.status not in (200, 400, 422):
        raise NoSample("status", f"HTTP {reply.status}")
    document = _document(reply.body)
    try:
        if document["status"] != "success":
            raise NoSample("query", f"Prometheus refuses the query: {clean(document.get('error', 'without a reason'))}")
        kind, rows = document["data"]["resultType"], document["data"]["result"]
        if kind == "vector":
            if not rows:
                # Prometheus answers, not the application, which may be idle or no longer scraped.
                raise NoSample("no_result", "the query has no series now")
            if len(rows) > 1:
                raise NoSample("several_series", f"the query has {len(rows)} series: let it aggregate to one")
            rows = rows[0]["value"]
        if kind not in ("vector", "scalar"):
            raise NoSample("not_number", f"the query gives a {clean(kind, 20)}, no number")
        return {"value": number(float(rows[1]))}
    except (LookupError, TypeError, ValueError, AttributeError):
        raise NoSample("not_prometheus", "the answer is none of Prometheus'") from None


def _sql(metric: Metric, ask: Ask) -> dict[str, Any]:
    return {"value": ask(metric.query, metric.timeout)}


def _socketio(metric: Metric, _ask: Ask) -> dict[str, Any]:
    request = metric.request
    began, spent = time.monotonic(), []
    with closing(_http.Conversation(request.parts, metric.timeout, metric.validate_certs)) as conversation:
        connect(
            conversation,
            request,
            metric.namespace,
            metric.auth,
            lambda: spent.append((time.monotonic() - began) * 1000),
        )
    return {"ms": spent[0]}


_READ: Mapping[str, Callable[[Metric, Ask], dict[str, Any]]] = {
    "http_json": _http_json,
    "prometheus": _prometheus,
    "promql": _promql,
    "sql": _sql,
    "socketio": _socketio,
}
