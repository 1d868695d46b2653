# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``metric_gate`` does, from a login and a request to a result."""

from __future__ import annotations

import json
import platform
import time
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _gatetries as tries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _ledger as ledger
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._driver import missing_driver
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import judge
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatesample import (
    MOST_METRICS,
    Metric,
    metric_from,
    sample_all,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatespells import added
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatesql import REPLICA, figure
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatethreshold import Threshold, threshold_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import clean
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import (
    LEASE,
    look_at_ledger,
    refuse_replica,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import (
    APPLICATION,
    IMPORT_ERROR,
    Cursor,
    Login,
    Session,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import gate as queries

MOST_WINDOW = 500
SOURCE, EVENT, PHASE = "metric_gate", "gate sample", "validate"


@dataclass(frozen=True)
class Request:
    """What is requested of a gate; the fields are the options of ``metric_gate``."""

    gate: str
    host: str
    metrics: Sequence[Metric] = ()
    samples: Sequence[Mapping[str, Any]] = ()
    history: Sequence[tries.Try] = ()
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    window: int = 30
    interval: float = 10.0
    initial_delay: float = 0.0
    anew: bool = False
    duration: float = 0.0
    incident_id: str | None = None
    run_id: str = ""
    environment: str | None = None
    skip_replica: bool = False
    lease_seconds: float = 0.0


def request_from(params: Mapping[str, Any]) -> Request:
    """Return the request that a module's parameters make; raises BadInput."""
    if not 1 <= params["window"] <= MOST_WINDOW or params["interval"] <= 0 or params["initial_delay"] < 0:
        raise BadInput(
            "bad_window",
            f"window is from 1 to {MOST_WINDOW}, interval more than 0, initial_delay not under 0.",
            "Otherwise nothing, or all of the ledger, would be looked at. Nothing was judged.",
            "Leave them out; the defaults are meant for an incident.",
        )
    if len(params["metrics"]) > MOST_METRICS:
        raise BadInput(
            "too_many_metrics",
            f"There are {len(params['metrics'])} metrics, and at most {MOST_METRICS} are asked side by side.",
            "Asking for them would itself be a load. Nothing was asked.",
            "Let Prometheus aggregate them, or watch fewer.",
        )
    names = ("window", "interval", "initial_delay", "anew", "duration", "incident_id", "environment", "lease_seconds")
    return Request(
        gate=clean(params["gate"]) or "gate",
        host=clean(params["host"] or platform.node()),
        metrics=[metric_from(one) for one in params["metrics"]],
        samples=params["samples"],
        history=tries.tries_from(params["history"]),
        thresholds={str(name): threshold_from(name, given) for name, given in params["thresholds"].items()},
        run_id=params["run_id"] or uuid.uuid4().hex,
        skip_replica=params["on_replica"] == "skip",
        **{name: params[name] for name in names},
    )


class _Replica(Exception):
    """This server is a replica, so there is nothing to judge here: its primary does that."""


def gate(login: Login, request: Request, check_mode: bool) -> dict[str, Any]:
    """Take a sample of each metric, judge it together with earlier ones, and keep it; raises BadInput."""
    taken = sample_all(request.metrics, request.host, partial(figure, login, request.skip_replica))
    mine = [sample for sample in taken if sample.get("code") != REPLICA]
    result: dict[str, Any] = {"changed": False, "samples": mine, "replica": len(mine) < len(taken)}
    if not request.thresholds:
        return result
    samples = [tries.sample_from(sample) for sample in [*mine, *request.samples]]
    if len(samples) > tries.MOST_SAMPLES:
        raise BadInput(
            "too_many_samples",
            f"There are {len(samples)} samples, and a try has at most {tries.MOST_SAMPLES}.",
            "The ledger keeps every try of a watch.",
            "Let Prometheus aggregate them, or watch fewer metrics.",
        )
    try:
        return {**result, **_judged(login, request, samples, check_mode)}
    except _Replica:
        return {**result, "replica": True, "skipped": True, "msg": "A replica: its primary judges."}


def _judged(login: Login, request: Request, samples: Sequence[Mapping[str, Any]], check_mode: bool) -> dict[str, Any]:
    """Judge with the ledger, or, if none can be used, only by what the caller knows."""
    if not request.incident_id:
        return {**_one_try(request, samples, [], None), "ledger_kept": False}
    try:
        with _ledger(login, request) as (cursor, incident):
            kept = _series(cursor, incident, request)
            since = kept[0]["since"] if kept else None
            found = _one_try(request, samples, kept, since)
            if not check_mode:
                newest = found["series"][-1]
                # Two names of the inventory can lead to one database: the other one's judgement is there already.
                is_new = not any(tries.is_same(one, newest) for one in kept)
                data = tries.storable({"gate": request.gate, "verdict": found["verdict"], **newest})
                if is_new:
                    ledger.add_event(cursor, incident, request.run_id, PHASE, SOURCE, EVENT, data)
                if request.lease_seconds > 0:
                    found["lease"] = ledger.renew_lease(cursor, LEASE, request.run_id, request.lease_seconds)
                    found["kills"] = ledger.count_kills(cursor)
        return {**found, "ledger_kept": not check_mode, "changed": not check_mode, "incident_id": incident}
    except KanbanError as error:
        if error.code == "other_environment":
            raise
        # The watch goes on without the ledger; the only loss is that another run cannot continue it.
        warning = f"The ledger does not keep this sample: {error.what}"
        return {**_one_try(request, samples, [], None), "ledger_kept": False, "warnings": [warning]}


@contextmanager
def _ledger(login: Login, request: Request) -> Iterator[tuple[Cursor, str]]:
    """Yield a transaction in which this gate is ours, and the incident's own name; raises KanbanError."""
    if IMPORT_ERROR is not None:
        raise missing_driver("psycopg2", IMPORT_ERROR)
    with closing(Session(login, APPLICATION, ledger.LEDGER_SECONDS)) as session:
        facts = look_at_ledger(session, request.environment)
        if facts.server.in_recovery and request.skip_replica:
            raise _Replica
        refuse_replica(facts.server)
        if not facts.state.usable:
            raise ServerError("no_ledger", "There is none.", "Nothing keeps the series.", "Run bootstrap.yml.")
        with session.transaction(ledger.LEDGER_SECONDS, lock_seconds=ledger.LEDGER_SECONDS) as cursor:
            incident = ledger.find_incident(cursor, request.incident_id or "")
            if incident is None:
                raise ServerError(
                    "unknown_incident",
                    f"It has no incident {request.incident_id!r}.",
                    "A sample belongs to an incident.",
                    "Check kanban_incident_id.",
                )
            cursor.run(queries.LOCK_GATE, {"incident": incident, "gate": request.gate})
            yield cursor, incident


def _series(cursor: Cursor, incident: str, request: Request) -> list[dict[str, Any]]:
    """Return the tries that the ledger has, the newest first, with the seconds ``since``."""
    values = {"incident": incident, "gate": request.gate, "source": SOURCE, "event": EVENT, "limit": request.window}
    return [
        {**tries.tries_from([json.loads(data)])[0], "since": since}
        for data, since in cursor.rows(queries.SERIES, values)
    ]


def _one_try(
    request: Request, samples: Sequence[Mapping[str, Any]], kept: Sequence[Mapping[str, Any]], since: float | None
) -> dict[str, Any]:
    before = tries.merge(request.history, [{k: v for k, v in one.items() if k != "since"} for one in kept])
    now = round(time.time(), 3)
    if before and (since is None or not tries.is_same(kept[0], before[-1])):
        since = now - before[-1]["at"]

    if before and tries.is_of(before[-1], samples):
        moment = tries.moment_again(before, len(request.history))
        return _result(request, _judge(request, before), before, moment)

    def tried(anew: bool) -> dict[str, Any]:
        moment = tries.moment_of(before, len(request.history), since or 0.0, request.interval, anew)
        return _new_try(request, samples, before if moment.number > 1 else [], moment, now)

    found = tried(request.anew)
    if found["resumed"] and tries.is_another(before, request.duration, found["verdict"], found["spells"]):
        return tried(True)
    return found


def _new_try(
    request: Request,
    samples: Sequence[Mapping[str, Any]],
    before: Sequence[tries.Try],
    moment: tries.Moment,
    now: float,
) -> dict[str, Any]:
    growing = {name for name, threshold in request.thresholds.items() if threshold.growth}
    this = {
        "watch": moment.watch,
        "try": moment.number,
        "at": now,
        "began": before[-1]["began"] if before else now,
        "seconds": moment.seconds,
        "samples": tries.lined(tries.resolved(samples, before), before, growing),
    }
    series = tries.bounded([*before, this][-request.window :])
    judged = _judge(request, series)
    spells = added(before[-1]["spells"] if before else [], judged, moment.seconds)
    return _result(request, judged, [*series[:-1], {**series[-1], "spells": spells}], moment)


def _judge(request: Request, series: Sequence[tries.Try]) -> dict[str, Any]:
    return judge(series, request.thresholds, request.window, request.initial_delay)


def _result(
    request: Request, judged: Mapping[str, Any], series: Sequence[tries.Try], moment: tries.Moment
) -> dict[str, Any]:
    spells = series[-1]["spells"]
    return {
        **judged,
        "samples": series[-1]["samples"],
        "spells": [{name: spell[name] for name in ("verdict", "from", "to")} for spell in spells],
        "series": list(series),
        "gate": request.gate,
        "watch": moment.watch,
        "try": moment.number,
        "watched_seconds": moment.seconds,
        "watched_before": moment.watched_before,
        "resumed": moment.resumed,
    }
